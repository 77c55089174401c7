"""The card of a network, NAME.json beside it: what it knows, how it was made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kinetlib.fusion.recipe import Recipe


def read_card(path: str | Path) -> dict[str, Any]:
    """Read and check the card of a network.

    Parameters
    ----------
    path
        The network, ``NAME.keras``.

    Returns
    -------
    dict
        At least ``classes``, names of the classes, and ``recipe``, see
        `kinetlib.fusion.recipe.Recipe`.

    Raises
    ------
    ValueError
        If the network or its card is missing, or the card is not what it should be.
    """
    path = Path(path)
    card_path = path.with_suffix(".json")
    for needed in (path, card_path):
        if not needed.is_file():
            raise ValueError(
                f"no file {needed}: a network is NAME.keras with its card NAME.json beside it"
            )
    try:
        card = json.loads(card_path.read_text(encoding="utf-8"))
        Recipe.model_validate(card["recipe"])
        classes = card["classes"]
        if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
            raise ValueError(f"classes: expected a list of names, got {str(classes)[:80]}")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{card_path} is no card of a fusion network: {str(error)[:300]}"
        ) from None
    return card
