"""Figures of lines draw what they are given."""

import numpy as np

from kinetlib import plot


def test_lines_are_named_and_axes_labelled():
    _, ax = plot.panels()
    x = np.arange(3.0)
    curves = {"one": x, "other": x**2}
    plot.lines(ax, x, curves, legend={"ncols": 2}, style={"marker": "o"}, xlabel="x", yscale="log")
    assert {line.get_label(): line.get_ydata().tolist() for line in ax.lines} == {
        name: y.tolist() for name, y in curves.items()
    }
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines}) == 2
    assert {line.get_marker() for line in ax.lines} == {"o"}
    assert (ax.get_xlabel(), ax.get_yscale()) == ("x", "log")
    assert [text.get_text() for text in ax.get_legend().texts] == list(curves)


def test_lines_have_no_legend_unless_asked_for():
    _, ax = plot.panels()
    plot.lines(ax, [0, 1], {"one": [0, 1]})
    assert ax.get_legend() is None


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


def test_errors_stand_against_the_stiffness_with_two_guides():
    stiffness = np.array([1.0, 10.0, 100.0])
    errors = {"a": stiffness**-0.5, "b": 0.1 / stiffness}
    figure = plot.errors_by_stiffness(stiffness, errors, {"held": np.ones(3)}, 0.02)
    left, right = figure.axes
    np.testing.assert_allclose(left.lines[1].get_ydata(), errors["b"])
    guides = [line.get_ydata() for line in left.lines[2:]]
    np.testing.assert_allclose([guide[-1] / guide[0] for guide in guides], [0.1, 0.01])
    assert left.get_xscale() == left.get_yscale() == "log"
    np.testing.assert_allclose(right.lines[-1].get_ydata(), 0.02)


def test_profiles_mark_a_truth_that_is_finite():
    line = (np.array([1.0, 10.0]), np.array([5.0, 0.0]))
    figure = plot.profiles(
        {"L = 10": [line, line], "third order": [line]},
        {"L = 10": 10.0, "third order": np.inf},
        2.7,
    )
    marks = [ln for ln in figure.axes[0].lines if len(ln.get_xdata()) == 1]
    assert len(marks) == 1 and marks[0].get_xdata()[0] == 10
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["L = 10", "third order"]
