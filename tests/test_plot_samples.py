"""Figures of training sets say what the numbers say."""

import numpy as np
import pytest

from kinetlib import plot

CURVES = {
    "cross-entropy / nat": {
        "random": {500: (1.9, 2.0, 2.1), 1000: (1.6, 1.7, 1.8)},
        "fps": {500: (None, 2.2, None)},
    },
    "top-1 / %": {"random": {500: (30.0, 35.0, 40.0)}, "fps": {}},
}


def test_selections_mark_what_was_chosen():
    points = np.random.default_rng(0).normal(size=(30, 2))
    chosen = {
        name: np.array(which)
        for name, which in {"a": [1, 2], "b": [5], "c": [0, 9, 8], "d": [7]}.items()
    }
    figure = plot.selections(points, chosen, ("one", "two"))
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title(loc="left") for ax in shown] == list(chosen)
    for ax, which in zip(shown, chosen.values(), strict=True):
        pool, marked = ax.get_lines()
        assert len(pool.get_xdata()) == 30
        assert np.column_stack(marked.get_data()) == pytest.approx(points[which])


def test_curves_have_a_line_a_selector_and_bars_where_there_are_intervals():
    figure = plot.by_samples(CURVES)
    left, right = figure.axes
    assert [line.get_label() for line in left.get_lines()] == ["random", "fps"]
    assert left.get_lines()[0].get_ydata() == pytest.approx([2.0, 1.7])
    bars = [c.get_segments() for c in left.collections]
    assert [segment[:, 1].tolist() for segment in bars[0]] == [[1.9, 2.1], [1.6, 1.8]]
    assert (left.get_ylabel(), right.get_ylabel()) == tuple(CURVES)
    assert left.get_xlabel() == "training samples"


def test_worth_has_a_row_a_selector_and_a_marker_a_size():
    rows = {
        "i_greedy": [(500, (1.8, 2.1, 2.5)), (1000, (1.5, 1.9, 2.2))],
        "fps": [(500, (None, 0.6, None))],
    }
    figure = plot.worth(rows, 2.0)
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.get_yticklabels()] == list(rows)
    lines = {line.get_label(): line for line in ax.get_lines() if "samples" in line.get_label()}
    assert set(lines) == {"500 samples", "1,000 samples"}
    assert lines["500 samples"].get_xdata() == [2.1]
    drawn = sorted(float(line.get_xdata()[0]) for line in ax.get_lines())
    assert drawn == [0.6, 1.0, 1.9, 2.0, 2.1]
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "first row on top"
