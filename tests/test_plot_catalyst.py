"""Bands of catalyst shares say what is in them."""

import numpy as np
import pytest

from kinetlib import plot
from kinetlib.kinetics import mechanisms
from kinetlib.plot.catalyst import SPECIES_COLORS, catalyst_shares

TIME = np.linspace(0.0, 2.0, 21)


def names_in(axis):
    return {text.get_text(): text.get_position() for text in axis.texts}


def test_each_band_with_room_carries_its_name_inside_it():
    _, axis = plot.panels()
    dead = 0.6 * TIME / 2.0
    shares = np.stack([0.98 - dead, np.full_like(TIME, 0.02), dead], axis=-1)
    catalyst_shares(axis, TIME, shares, ["cat", "catS", "dead"])
    places = names_in(axis)
    assert set(places) == {"cat", "dead"}, "two percent leave no room for a name"
    for name, low, high in [
        ("cat", np.zeros_like(TIME), 0.98 - dead),
        ("dead", 1.0 - dead, np.ones_like(TIME)),
    ]:
        x, y = places[name]
        assert np.interp(x, TIME, 100 * low) < y < np.interp(x, TIME, 100 * high)
    assert axis.get_xlim() == (0.0, 2.0) and axis.get_ylim() == (0.0, 100.0)


def test_every_form_of_the_catalyst_has_its_colour():
    forms = {
        species
        for mechanism in mechanisms.catalogue().values()
        for species, atoms in zip(mechanism.network.species, mechanism.catalyst_atoms, strict=True)
        if atoms
    }
    assert forms == set(SPECIES_COLORS)
    assert len(set(SPECIES_COLORS.values())) == len(SPECIES_COLORS)


def test_shapes_that_do_not_fit_are_named():
    _, axis = plot.panels()
    with pytest.raises(ValueError, match=r"expected shape \(21, 2\).*got \(21, 3\)"):
        catalyst_shares(axis, TIME, np.ones((21, 3)), ["cat", "catS"])
