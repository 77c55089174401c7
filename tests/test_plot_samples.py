"""Figures of training sets say what the numbers say."""

import numpy as np
import pytest

from kinetlib import plot

SIZES = [5, 10, 20]


def test_distributions_are_shares_of_the_finite_values():
    figure = plot.distributions({"a": [1.0, 2.0, np.nan, 2.0, 3.0]}, bins=[0.5, 1.5, 2.5, 3.5])
    heights = [patch.get_height() for patch in figure.axes[0].patches]
    np.testing.assert_allclose(heights, [25, 50, 25])


def test_selections_mark_what_was_chosen():
    points = np.random.default_rng(0).normal(size=(30, 2))
    chosen = {
        name: np.array(which)
        for name, which in {"a": [1, 2], "b": [5], "c": [0, 9, 8], "d": [7]}.items()
    }
    figure = plot.selections(points, chosen, ("one", "two"))
    shown = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in shown] == list(chosen)
    for ax, which in zip(shown, chosen.values(), strict=True):
        pool, marked = ax.get_lines()
        assert len(pool.get_xdata()) == 30
        assert np.column_stack(marked.get_data()) == pytest.approx(points[which])


def test_errors_have_a_line_for_each_selector_with_gaps_left_out():
    random = [[3.0, 2.0, 4.0], [2.0, 1.5, 2.5], [1.0, 0.9, 1.1]]
    chosen = [[2.0, 1.0, 3.0], [1.0, 0.5, 1.5], None]
    tests = {"T1": {"random": random, "maximin": chosen}, "T2": {"random": random, "fps": chosen}}
    figure = plot.errors_by_size(tests, SIZES, "error / meV")
    first, second, *rest = figure.axes
    lines = {line.get_label(): line.get_xydata() for line in first.lines}
    assert lines["random"] == pytest.approx(np.array([[5, 3.0], [10, 2.0], [20, 1.0]]))
    assert lines["maximin"] == pytest.approx(np.array([[5, 2.0], [10, 1.0]]))
    assert [line.get_label() for line in second.lines] == ["random", "fps"]
    assert first.get_xscale() == first.get_yscale() == "log"
    assert not any(axis.axison for axis in rest)
    named = [text.get_text() for text in rest[-1].get_legend().get_texts()]
    assert named == ["random", "maximin"]
    assert figure.get_supylabel() == "error / meV"


def test_errors_against_a_measure_are_told_apart_by_size():
    figure = plot.error_against_measure([1, 2, 3], [3, 2, 1], [5, 5, 10], "variance", "error")
    (axis,) = figure.axes
    assert {line.get_label(): len(line.get_xdata()) for line in axis.lines} == {"5": 2, "10": 1}
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("variance", "error")
