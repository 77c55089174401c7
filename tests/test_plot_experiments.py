"""Figures of planned experiments draw what they are given."""

import pytest

from kinetlib import plot

RUNS = [
    {"loading": 0.02, "substrate_0": 1.0, "times": [0.0, 0.3, 1.0]},
    {"loading": 0.02, "substrate_0": 0.4, "times": [0.0, 0.5, 1.0]},
]


def test_each_experiment_has_a_panel_and_each_run_a_line():
    figure = plot.experiments({"one": RUNS, "other": RUNS[:1]})
    shown = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in shown] == ["one", "other"]
    lines = [line for line in shown[0].lines if len(line.get_xdata())]
    assert [line.get_xdata().tolist() for line in lines] == [run["times"] for run in RUNS]
    # Two runs of one loading do not hide each other.
    assert lines[0].get_ydata()[0] == pytest.approx(2.0)
    assert lines[1].get_ydata()[0] != pytest.approx(2.0)
    assert len(figure.legends[0].get_texts()) == 2
