"""Figures about networks: every layer once, what feeds it above it, numbers as they are."""

import numpy as np
import pytest

from kinetlib import fusion, plot
from kinetlib.plot.networks import _feeds


@pytest.mark.parametrize("name", fusion.NETWORKS)
def test_architecture_names_every_layer_with_its_parameters(name):
    model = fusion.build(name, 20, seed=1)
    (axis,) = plot.architecture(model).axes
    lines = {text.get_text().split("\n")[0]: text for text in axis.texts if text.get_text()}
    assert set(lines) == {layer.name for layer in model.operations}
    numbers = [text.get_text().partition(", ")[2].replace(",", "") for text in lines.values()]
    assert sum(int(number) for number in numbers if number) == model.count_params()
    places = {name: text.get_position() for name, text in lines.items()}
    assert len(set(places.values())) == len(places), "two layers in one place"
    feeds = _feeds(model)
    assert all(places[s][1] > places[n][1] for n, sources in feeds.items() for s in sources)
    assert sum(map(len, feeds.values())) == sum(text.get_text() == "" for text in axis.texts)


def test_architecture_says_what_feeds_what():
    feeds = _feeds(fusion.build("hadamard", 20, seed=1))
    assert feeds["hadamard"] == ["static_projection", "dynamic_projection"]
    assert feeds["lstm_2"] == ["lstm_1"] and feeds["static"] == []
    attention = _feeds(fusion.build("runset", 20, seed=1))
    assert set(attention["block_1_attention"]) >= {"block_1_norm_1", "present"}


def test_a_learned_flow_shows_points_regions_and_paths_of_both_classes():
    rng = np.random.default_rng(1)
    points, labels = rng.normal(size=(6, 2)), np.array([0, 1, 0, 1, 1, 1])
    side, times = np.linspace(-1, 1, 5), np.linspace(0, 1, 3)
    moved, odds, truth = rng.normal(size=(3, 3, 2)), rng.normal(size=(3, 3)), np.array([0, 1, 1])
    regions = np.linspace(0, 1, 25).reshape(5, 5)
    figure = plot.learned_flow((points, labels), (side, regions), (times, moved, odds, truth))
    left, middle, right = figure.axes
    assert [len(line.get_xdata()) for line in left.lines] == [2, 4]
    np.testing.assert_allclose(left.lines[0].get_xydata(), points[labels == 0])
    np.testing.assert_allclose(right.lines[0].get_ydata(), odds[0])
    assert len(right.lines) == 3
    assert "3 other points" in middle.get_title(loc="left")


def test_a_table_is_drawn_with_its_numbers_in_place():
    values = np.array([[10.0, 20.04, 30.0], [np.pi, 50.0, 99.95]])
    figure = plot.grid(
        values, ["one", "two"], ["a", "b", "c"], xlabel="runs", ylabel="noise", label="top-1 / %"
    )
    axis, bar = figure.axes
    written = {text.get_position(): text.get_text() for text in axis.texts}
    assert written[1, 0] == "20.0" and written[0, 1] == "3.1" and len(written) == 6
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["a", "b", "c"]
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["one", "two"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("runs", "noise")
    assert bar.get_ylabel() == "top-1 / %"
    colors = {text.get_text(): text.get_color() for text in axis.texts}
    assert colors["3.1"] == "white" and colors["100.0"] == "black"  # on dark, on light


def test_a_table_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 2\) for 2 rows and 3 columns"):
        plot.grid(np.ones((2, 2)), "ab", "abc", xlabel="x", ylabel="y", label="z")
