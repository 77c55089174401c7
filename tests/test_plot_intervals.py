"""Points with intervals are where the numbers say, against the goal that was given."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgba

from kinetlib import plot
from kinetlib.plot.look import MARKERS

CONSTANTS = {"M1": ["k1", "k-1"], "M10": ["k1", "k-1", "I"]}
KINDS = ["prior", "planned, fit", "unplanned, fit", "planned, network"]
ERRORS = {
    name: {
        kind: np.array([[1.0, 2.0, 4.0]]) / (i + 1) * np.ones((len(names), 1))
        for i, kind in enumerate(KINDS)
    }
    for name, names in CONSTANTS.items()
}


def measure(low, value, high):
    return {"low": low, "value": value, "high": high}


def segments(ax):
    """Bars that are drawn, each as its two ends."""
    drawn = [segment.tolist() for bars in ax.collections for segment in bars.get_segments()]
    return [ends for ends in drawn if ends]


def test_ends_are_taken_out_of_measures():
    found = plot.ends([measure(0.1, 0.2, 0.3), measure(None, 0.5, None)], 100)
    np.testing.assert_allclose(found, [[10, 20, 30], [np.nan, 50, np.nan]])


def test_rows_have_a_point_with_its_interval_from_top_to_bottom():
    found = {"a": [[1, 2, 3], [4, 5, 6]], "b": [[2, 3, 4], [np.nan, 6, np.nan]]}
    figure = plot.rows(found, ["one", "other"], "x / %", lines={0: "-"}, apart=0.5)
    (ax,) = figure.axes
    zero, first, second = ax.lines
    assert set(zero.get_xdata()) == {0}
    assert (first.get_xdata().tolist(), second.get_xdata().tolist()) == ([2, 5], [3, 6])
    assert (second.get_ydata() - first.get_ydata()).tolist() == [0.25, 0.25]
    assert [[start[0], end[0]] for start, end in segments(ax)][:3] == [[1, 3], [4, 6], [2, 4]]
    assert first.get_color() != second.get_color() and first.get_marker() != second.get_marker()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["one", "other"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "first row on top"
    assert [text.get_text() for text in ax.get_legend().texts] == ["a", "b"]


def test_rows_stand_beside_what_others_found():
    figure = plot.rows({"ours": [[1, 2, 3]] * 2}, ["a", "b"], "x", beside=("theirs", [None, 9]))
    ours, theirs = figure.axes[0].lines
    np.testing.assert_allclose(theirs.get_xdata(), [np.nan, 9])
    assert to_rgba(theirs.get_markerfacecolor()) == to_rgba("white")
    assert theirs.get_color() != ours.get_color()


def test_intervals_of_every_kind_and_level():
    both = {"top_1": measure(0.7, 0.8, 0.9), "cross_entropy": measure(0.7, 0.8, 0.9)}
    table = {kind: both for kind in ("a", "b")}
    figure = plot.told({"0.01": table, "0.02": table}, ["b", "a"])
    accuracy, loss = figure.axes
    assert [text.get_text() for text in accuracy.get_yticklabels()] == ["b", "a"]
    assert len(accuracy.lines) == len(loss.lines) == 2
    assert accuracy.lines[0].get_xdata() == pytest.approx(np.array([80, 80]))
    assert loss.lines[0].get_xdata() == pytest.approx(np.array([0.8, 0.8]))
    assert accuracy.get_xlabel() == "top-1 / %"


def test_worth_has_a_row_a_selector_and_a_marker_a_size():
    found = {
        "i_greedy": {500: measure(1.8, 2.1, 2.5), 1000: measure(1.5, 1.9, 2.2)},
        "fps": {500: measure(None, 0.6, None)},
    }
    (ax,) = plot.worth(found, 2.0).axes
    assert [t.get_text() for t in ax.get_yticklabels()] == list(found)
    lines = {line.get_label(): line for line in ax.lines if "samples" in str(line.get_label())}
    np.testing.assert_allclose(lines["500 samples"].get_xdata(), [2.1, 0.6])
    np.testing.assert_allclose(lines["1,000 samples"].get_xdata(), [1.9, np.nan])
    assert [set(line.get_xdata()) for line in ax.lines[:2]] == [{1.0}, {2.0}]
    assert ax.get_xscale() == "log"


def test_goals_that_are_reached_lie_left_of_one():
    rows = [
        {"goal": "G1", "asked": "a", "value": 0.4, "low": 0.3, "high": 0.5, "bound": 0.5}
        | {"side": "most", "met": "reached"},
        {"goal": "G5", "asked": "b", "value": 0.8, "low": 0.75, "high": 0.9, "bound": 0.7}
        | {"side": "least", "met": "reached"},
        {"goal": "G2", "asked": "c", "value": 2.0, "low": 0.9, "high": 3.0, "bound": 1.0}
        | {"side": "most", "met": "not decided"},
    ]
    (ax,) = plot.goal_intervals(rows).axes
    shown = {line.get_label(): line for line in ax.lines if line.get_marker() in MARKERS}
    np.testing.assert_allclose(shown["reached"].get_xdata(), [0.8, 0.875, np.nan])
    np.testing.assert_allclose(shown["not decided"].get_xdata(), [np.nan, np.nan, 2.0])
    assert np.isnan(shown["missed"].get_xdata()).all()
    assert len({line.get_color() for line in shown.values()}) == 3
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["G1: a", "G5: b", "G2: c"]


def test_a_panel_a_mechanism_with_all_its_constants():
    figure = plot.errors_of_each(ERRORS, CONSTANTS, "error of ln k")
    for axis, (name, names) in zip(figure.axes, CONSTANTS.items(), strict=True):
        assert axis.get_title(loc="left") == name
        ticks = [tick.get_text() for tick in axis.get_xticklabels()]
        assert ticks == [f"$k_{{{n[1:]}}}$" if n[0] == "k" else n for n in names]
        assert axis.get_yscale() == "log"
        bars = axis.collections[0].get_segments()
        assert [bar[0, 1] for bar in bars] == ERRORS[name]["prior"][:, 1].tolist()
        for line, kind in zip(axis.lines, KINDS[1:], strict=True):
            assert line.get_label() == kind
            assert line.get_ydata().tolist() == ERRORS[name][kind][:, 1].tolist()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == KINDS


def test_pairs_are_filled_and_open_and_none_hides_another():
    axis = plot.errors_of_each(ERRORS, CONSTANTS, "error of ln k").axes[0]
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


def test_courses_have_a_panel_a_measure_and_a_line_a_method():
    curves = {
        "cross-entropy / nat": {
            "random": {500: measure(1.9, 2.0, 2.1), 1000: measure(1.6, 1.7, 1.8)},
            "fps": {500: measure(None, 2.2, None)},
        },
        "top-1 / %": {"random": {500: measure(30.0, 35.0, 40.0)}, "fps": {}},
    }
    left, right = plot.courses(curves, "training samples").axes
    assert [line.get_label() for line in left.lines] == ["random", "fps"]
    assert left.lines[0].get_ydata() == pytest.approx([2.0, 1.7])
    assert left.lines[0].get_marker() != left.lines[1].get_marker()
    assert [[start[1], end[1]] for start, end in segments(left)][:2] == [[1.9, 2.1], [1.6, 1.8]]
    assert (left.get_ylabel(), right.get_ylabel()) == tuple(curves)
    assert [tick.get_text() for tick in left.get_xticklabels()] == ["500", "1,000"]
    assert left.get_xlabel() == "training samples"


def test_courses_in_percent_keep_levels_in_order():
    shares = {"ours": {50.0: measure(0.1, 0.2, 0.4), 0.0: measure(0.9, 1.0, 1.0)}}
    (ax,) = plot.courses({"found / %": shares}, "noise / %", 100).axes
    assert ax.lines[0].get_ydata() == pytest.approx([100, 20])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "50"]


def test_ranges_have_a_bar_where_a_mechanism_has_the_constant():
    table = xr.DataArray(
        [[[0.0, 1.0, 3.0], [np.nan] * 3], [[1.0, 2.0, 3.0], [-1.0, 0.0, 1.0]]],
        {"mechanism": ["M1", "M2"], "constant": ["k1", "k-1"], "quantile": [0.05, 0.5, 0.95]},
        ("mechanism", "constant", "quantile"),
    )
    first, second = plot.ranges(table, (-3, 3), "log k").axes
    assert [(bar.get_x(), bar.get_width()) for bar in first.patches] == [(0, 3), (1, 2)]
    np.testing.assert_allclose(second.lines[0].get_xdata(), [np.nan, 0])
    assert first.get_xlim() == (-3, 3)
