"""Figures about potentials: what is drawn is what was given."""

import numpy as np
import pytest

from kinetlib import plot
from kinetlib.plot.look import MARKERS

SIZES = [5, 10, 20]


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


def test_goals_that_are_met_lie_left_of_one():
    rows = [
        {"goal": "G1", "asked": "a", "value": 0.4, "low": 0.3, "high": 0.5, "bound": 0.5}
        | {"side": "most", "met": "reached"},
        {"goal": "G5", "asked": "b", "value": 0.8, "low": 0.75, "high": 0.9, "bound": 0.7}
        | {"side": "least", "met": "reached"},
        {"goal": "G2", "asked": "c", "value": 2.0, "low": 0.9, "high": 3.0, "bound": 1.0}
        | {"side": "most", "met": "not decided"},
    ]
    (axis,) = plot.goal_intervals(rows).axes
    points = [line for line in axis.lines if line.get_marker() in MARKERS and len(line.get_xdata())]
    assert [float(line.get_xdata()[0]) for line in points] == pytest.approx([0.8, 0.875, 2.0])
    assert points[0].get_color() == points[1].get_color() != points[2].get_color()
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["G1: a", "G5: b", "G2: c"]
    bottom, top = axis.get_ylim()
    assert bottom > top, "the first goal is on top"


def test_errors_against_a_measure_are_told_apart_by_size():
    figure = plot.error_against_measure([1, 2, 3], [3, 2, 1], [5, 5, 10], "variance", "error")
    (axis,) = figure.axes
    assert {line.get_label(): len(line.get_xdata()) for line in axis.lines} == {"5": 2, "10": 1}
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("variance", "error")
