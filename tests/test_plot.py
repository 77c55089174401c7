"""Figures: they carry a text, their own background and what the arrays say."""

import base64
import io
import re
import subprocess
import sys
from html.parser import HTMLParser

import matplotlib as mpl
import nbformat
import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot
from matplotlib.colors import to_rgb
from PIL import Image

from kinetlib import plot
from kinetlib.plot.look import as_html

LABELS = ["M1", "M2", "M3", "M6"]
FAMILIES = ["core", "bicatalytic", "bicatalytic", "activation"]


@pytest.fixture(autouse=True)
def untouched_settings():
    with mpl.rc_context():
        yield


def simple_figure():
    figure, ax = plot.panels(width=3, height=2)
    ax.plot([0, 1], [0, 1])
    return figure


def sample(n_runs=4, unit="s"):
    time = np.tile(np.linspace(0, 10, 6), (1, n_runs, 1))
    substrate = np.exp(-time / 3)
    return xr.Dataset(
        {
            "substrate": (("sample", "run", "time"), substrate),
            "product": (("sample", "run", "time"), 1 - substrate),
            "loading": (("sample", "run"), np.linspace(0.01, 0.1, n_runs)[None]),
            "substrate_0": (("sample", "run"), np.ones((1, n_runs))),
        },
        coords={"time": (("sample", "run", "time"), time, {"units": unit})},
    )


class Tags(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.attributes, self.text = {}, ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.attributes[tag] = dict(attrs)

    def handle_data(self, data):
        self.text += data


def image_of(page):
    data = base64.b64decode(re.search(r"base64,([^\"]+)", page)[1])
    return Image.open(io.BytesIO(data))


# --- how a figure reaches the page


@pytest.mark.parametrize("alt", ["", "  \n", None])
def test_figure_without_alt_text_is_refused(alt):
    with pytest.raises(ValueError, match="needs an alt text"):
        plot.show(simple_figure(), alt=alt)


def test_alt_text_cannot_be_forgotten():
    with pytest.raises(TypeError, match="alt"):
        plot.show(simple_figure())


def test_alt_text_and_caption_arrive_unharmed():
    page = as_html(simple_figure(), alt='rate "k" <\n 5 & rising', caption="a < b & c")
    tags = Tags(page)
    assert tags.attributes["img"]["alt"] == 'rate "k" < 5 & rising'
    assert tags.text == "a < b & c"


def test_no_caption_no_element():
    assert "figcaption" not in as_html(simple_figure(), alt="x")
    assert "figcaption" not in as_html(simple_figure(), alt="x", caption=" ")


def test_whose_numbers_a_figure_shows_stands_behind_its_caption():
    page = as_html(simple_figure(), alt="x", caption="A line.", source="record, commit <1>")
    assert Tags(page).text == "A line. record, commit <1>"
    assert "kinetlib-badge" in page
    assert "this run" in as_html(simple_figure(), alt="x", source="this run")


def test_image_is_opaque_sharp_and_fetches_nothing():
    page = as_html(simple_figure(), alt="x")
    tags = Tags(page)
    image = image_of(page)
    assert image.size == (600, 400)
    assert (tags.attributes["img"]["width"], tags.attributes["img"]["height"]) == ("300", "200")
    assert image.convert("RGBA").getextrema()[3] == (255, 255)
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert tags.attributes["img"]["src"].startswith("data:image/png;base64,")
    assert "http" not in page.replace(tags.attributes["img"]["src"], "")


def test_same_figure_gives_the_same_bytes():
    assert as_html(simple_figure(), alt="x") == as_html(simple_figure(), alt="x")


def test_look_does_not_depend_on_the_settings_of_the_session():
    before = as_html(plot.bars(LABELS, [1, 2, 3, 4], FAMILIES, ylabel="y"), alt="x")
    mpl.rcParams.update({"font.size": 30, "axes.grid": False, "savefig.transparent": True})
    assert as_html(plot.bars(LABELS, [1, 2, 3, 4], FAMILIES, ylabel="y"), alt="x") == before


def test_show_displays_one_output_with_the_text(capsys):
    figure, ax = pyplot.subplots()
    ax.plot([0, 1])
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("IPython.display.display", lambda data, raw: shown.append((data, raw)))
        plot.show(figure, alt="a line that rises", caption="A line.")
    ((data, raw),) = shown
    assert raw
    assert 'alt="a line that rises"' in data["text/html"]
    assert "this run" in Tags(data["text/html"]).text
    assert data["text/plain"] == "[figure: a line that rises]"
    assert not pyplot.fignum_exists(figure.number)


def test_text_reaches_the_rendered_page(tmp_path):
    """MyST-NB renders what `show` displays as an image with our text."""
    page = as_html(simple_figure(), alt="a line that rises", caption="A line.")
    output = nbformat.v4.new_output("display_data", {"text/html": page, "text/plain": "figure"})
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Title"),
            nbformat.v4.new_code_cell("show()", outputs=[output]),
        ]
    )
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    nbformat.write(notebook, tmp_path / "index.ipynb")
    (tmp_path / "conf.py").write_text('extensions = ["myst_nb"]\nnb_execution_mode = "off"\n')
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-n", str(tmp_path), str(tmp_path / "out")],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    rendered = (tmp_path / "out" / "index.html").read_text()
    assert rendered.count('alt="a line that rises"') == 1
    assert "A line.</figcaption>" in rendered


def test_tiles_are_as_many_as_asked_for_and_no_wider():
    figure, axes = plot.tiles(4, 3, row=2.0, frame=0.5)
    assert [ax.axison for ax in figure.axes] == [True] * 4 + [False] * 2
    assert axes == figure.axes[:4]
    assert figure.get_size_inches().tolist() == [7.2, 4.5]
    assert len(plot.tiles(2, 3)[0].axes) == 2


def test_package_itself_does_without_matplotlib():
    code = "import sys, kinetlib; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# --- colours


def test_families_differ_in_lightness_or_hue_for_every_eye():
    """Pairs stay apart when red and green are seen alike (deuteranopia, Vienot 1999)."""
    seen = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
    colors = [seen @ np.array(to_rgb(color)) ** 2.2 for color in plot.FAMILY_COLORS.values()]
    for i, one in enumerate(colors):
        for other in colors[:i]:
            assert np.linalg.norm(one - other) > 0.1


def test_every_family_of_the_catalogue_has_a_colour_and_others_a_neutral_one():
    from kinetlib.kinetics.mechanisms import FAMILIES as known

    assert set(known) == set(plot.FAMILY_COLORS)
    assert plot.family_color("my own") not in plot.FAMILY_COLORS.values()


# --- what the figures draw


def test_curves_of_runs_are_drawn_in_order_of_time_with_the_unit():
    runs = sample()
    runs["time"].values[0, 0] = runs["time"].values[0, 0, ::-1]
    figure = plot.concentration_curves(runs)
    substrate, product = figure.axes
    assert len(substrate.lines) == len(product.lines) == 4
    assert (np.diff(substrate.lines[0].get_xdata()) > 0).all()
    np.testing.assert_allclose(product.lines[1].get_ydata(), runs["product"].values[0, 1])
    assert substrate.get_xlabel() == "time / s"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts][0] == "1 % catalyst, S₀ = 1"


def test_curves_name_the_runs_of_a_laboratory():
    figure = plot.concentration_curves(sample(2).assign_coords(run=["Standard", "more"]))
    texts = [text.get_text() for text in figure.legends[0].texts]
    assert [text.split(":")[0] for text in texts] == ["Standard", "more"]


def test_curves_of_several_samples_are_refused():
    runs = xr.concat([sample(), sample()], dim="sample")
    with pytest.raises(ValueError, match="expected one sample, got 2"):
        plot.concentration_curves(runs)


def test_work_precision_leaves_out_what_a_logarithm_cannot_show():
    figure = plot.work_precision({"LSODA": ([1e-3, 0, np.nan, 1e-6], [1, 2, 3, 4])})
    (ax,) = figure.axes
    assert ax.lines[0].get_xdata().tolist() == [1e-3, 1e-6]
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_confusion_is_in_percent_of_the_true_class():
    counts = np.diag([8, 5, 4, 0])
    counts[0, 1] = 2
    figure = plot.confusion(counts, LABELS, FAMILIES)
    written = [text.get_text() for text in figure.axes[0].texts]
    assert written == ["80", "20", "100", "100"]
    colors = [tick.get_color() for tick in figure.axes[0].get_xticklabels()]
    assert colors == [plot.family_color(family) for family in FAMILIES]
    assert len(figure.axes[0].lines) == 2 * 2  # two changes of family, both ways


@pytest.mark.parametrize("counts", [np.ones((4, 3)), np.ones((3, 3)), np.ones(4)])
def test_confusion_of_the_wrong_shape_is_refused(counts):
    with pytest.raises(ValueError, match="expected a square table"):
        plot.confusion(counts, LABELS, FAMILIES)


def test_mechanism_grid_has_one_panel_a_mechanism():
    figure, axes = plot.mechanism_grid(LABELS, FAMILIES, columns=3)
    assert [ax.get_title(loc="left") for ax in axes] == LABELS
    assert len(figure.axes) == 6
    assert [ax.axison for ax in figure.axes] == [True] * 4 + [False] * 2


def test_reliability_is_drawn_in_percent():
    figure = plot.reliability({"hadamard": ([0.25, 0.75], [0.2, np.nan])})
    np.testing.assert_allclose(figure.axes[0].lines[1].get_xydata(), [[25, 20], [75, np.nan]])


def test_figures_can_share_one():
    figure, (left, right) = plot.panels(1, 2)
    assert plot.work_precision({"a": ([1e-3], [1.0])}, ax=left) is figure
    assert plot.work_precision({"a": ([1e-3], [1.0])}, ax=right) is figure
    assert len(figure.axes) == 2
