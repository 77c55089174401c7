"""The command line: ``kinetlib`` and its commands.

Each command imports what it needs when it runs, so that ``kinetlib --help`` stays fast.
"""

from __future__ import annotations

from typing import Any

import click

from kinetlib.cli._classify import classify
from kinetlib.cli._design import design
from kinetlib.cli._discover import discover
from kinetlib.cli._fit import fit
from kinetlib.cli._orders import orders
from kinetlib.cli._published import published
from kinetlib.cli._run import book, run
from kinetlib.cli._shards import command as shards
from kinetlib.cli._simulate import simulate


class _Refusal(click.ClickException):
    """A wrong input: one message, no traceback."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print the message to standard error."""
        click.echo(f"error: {self.message}", err=True)


class _Failure(_Refusal):
    """Work that was asked for rightly but did not succeed."""

    exit_code = 1


class _Commands(click.Group):
    """Commands whose expected errors end in a message."""

    def invoke(self, context: click.Context) -> Any:
        """Run the chosen command."""
        from kinetlib.chapters.failed import ChapterFailed

        try:
            return super().invoke(context)
        except ChapterFailed as error:
            raise _Failure(str(error)) from error
        except ModuleNotFoundError as error:
            raise _Failure(
                f"this command needs the package {error.name}, which is not installed: "
                "pip install 'kinetlib[book,train]' brings all that chapters and training need"
            ) from error
        except (ValueError, OSError) as error:
            raise _Refusal(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kinetlib", prog_name="kinetlib")
def main() -> None:
    """Tell catalytic mechanisms apart by their kinetics, and rebuild the book that shows it."""


main.add_command(run)
main.add_command(shards)
main.add_command(book)
main.add_command(classify)
main.add_command(discover)
main.add_command(fit)
main.add_command(orders)
main.add_command(design)
main.add_command(simulate)
main.add_command(published)
