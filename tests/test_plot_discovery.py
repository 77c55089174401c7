"""The figures of discovered reactions show what they were given."""

import numpy as np
import pytest

from kinetlib import plot


def test_a_panel_a_run_with_points_and_line_of_each_species():
    times = np.linspace(0, 2, 5)
    measured = np.arange(30.0).reshape(2, 5, 3)
    figure = plot.fitted_curves("ABC", times, measured, measured + 1, unit="min")
    for run, axis in enumerate(figure.axes):
        assert axis.get_xlabel() == "time / min"
        points, lines = axis.lines[::2], axis.lines[1::2]
        for j in range(3):
            assert points[j].get_ydata().tolist() == measured[run, :, j].tolist()
            assert lines[j].get_ydata().tolist() == (measured[run, :, j] + 1).tolist()
            assert points[j].get_color() == lines[j].get_color()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["A", "B", "C"]


def test_success_is_in_percent_with_its_interval():
    shares = {"ours": {0.0: (0.9, 1.0, 1.0), 0.5: (0.1, 0.2, 0.4)}, "theirs": {0.5: (0, 0, 0.1)}}
    (axis,) = plot.success(shares).axes
    ours, theirs = axis.lines
    assert ours.get_ydata().tolist() == pytest.approx([100, 20])
    assert theirs.get_ydata().tolist() == [0]
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["0", "50"]
    assert ours.get_marker() != theirs.get_marker()


def test_errors_stand_beside_the_limit():
    figure = plot.errors_over_limit([0.001, 0.002], {"a": [0.002, np.nan]}, ["k1", "k2"])
    (axis,) = figure.axes
    assert axis.lines[0].get_ydata()[0] == pytest.approx(0.2)
    assert axis.get_yscale() == "log"
    limit = axis.collections[0].get_segments()
    assert [segment[0, 1] for segment in limit] == pytest.approx([0.1, 0.2])
