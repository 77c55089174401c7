"""The figure of what is known of rate constants shows what it was given."""

import numpy as np
from matplotlib.colors import to_rgba

from kinetlib import plot

CONSTANTS = {"M1": ["k1", "k-1"], "M10": ["k1", "k-1", "I"]}
KINDS = ["prior", "planned, fit", "unplanned, fit", "planned, network"]
ERRORS = {
    name: {
        kind: np.array([[1.0, 2.0, 4.0]]) / (i + 1) * np.ones((len(names), 1))
        for i, kind in enumerate(KINDS)
    }
    for name, names in CONSTANTS.items()
}


def test_a_panel_a_mechanism_with_all_its_constants():
    figure = plot.constants_known(ERRORS, CONSTANTS)
    for axis, (name, names) in zip(figure.axes, CONSTANTS.items(), strict=True):
        assert axis.get_title(loc="left") == name
        ticks = [tick.get_text() for tick in axis.get_xticklabels()]
        assert ticks == [f"$k_{{{n[1:]}}}$" if n[0] == "k" else n for n in names]
        assert axis.get_yscale() == "log"
        for line, kind in zip(axis.lines, KINDS[1:], strict=True):
            assert line.get_label() == kind
            assert line.get_ydata().tolist() == ERRORS[name][kind][:, 1].tolist()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == KINDS


def test_planned_is_filled_and_unplanned_open_and_none_hides_another():
    axis = plot.constants_known(ERRORS, CONSTANTS).axes[0]
    planned, unplanned, network = axis.lines
    assert planned.get_markerfacecolor() == planned.get_color() == unplanned.get_color()
    assert to_rgba(unplanned.get_markerfacecolor()) == to_rgba("white")
    assert network.get_color() != planned.get_color()
    assert network.get_marker() != planned.get_marker()
    places = np.concatenate([line.get_xdata() for line in axis.lines])
    assert len(set(places.tolist())) == len(places)


EFFICIENCIES = {
    "convex bound": {"M1": 0.97, "M2": 0.83, "M3": 0.91},
    "by branching": {"M1": 0.97, "M2": 0.95, "M3": 0.95},
    "other draws": {"M1": 0.96, "M2": 0.82, "M3": 0.9},
}


def test_mechanisms_are_in_the_order_of_the_first_bound():
    figure = plot.certified(EFFICIENCIES, 0.9)
    (axis,) = figure.axes
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["M2", "M3", "M1"]
    goal, *kinds = axis.lines
    assert set(goal.get_ydata()) == {90}
    for line, (kind, values) in zip(kinds, EFFICIENCIES.items(), strict=True):
        assert line.get_label() == kind
        shown = [100 * values[name] for name in ("M2", "M3", "M1")]
        np.testing.assert_allclose(line.get_ydata(), shown)
    looks = {(str(k.get_marker()), k.get_markerfacecolor(), k.get_color()) for k in kinds}
    assert len(looks) == 3
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(EFFICIENCIES)
