"""``python -m kinetlib.cli``: the command, where its script is not on the path."""

from kinetlib.cli import main

main(prog_name="kinetlib")
