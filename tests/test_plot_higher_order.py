"""Figures of chapter 10 draw what they are given."""

import numpy as np

from kinetlib import plot


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


def test_errors_of_curves_are_their_differences():
    time, true = np.linspace(0, 1, 4), np.ones(4)
    figure = plot.curves_with_errors(time, true, {"model": true + 0.1}, "A")
    np.testing.assert_allclose(figure.axes[1].lines[-1].get_ydata(), 0.1)
    assert "[A]" in figure.axes[0].get_ylabel()


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
