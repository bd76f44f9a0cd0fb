"""Charts: their texts, their splits, and pictures that show what the table says."""

import ast
import itertools
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from nanovlms_hf.data.chart_data import ValueAxis
from nanovlms_hf.data.chart_drawing import draw_chart
from nanovlms_hf.data.chart_layout import mark_colors
from nanovlms_hf.data.chart_tables import ChartTable
from nanovlms_hf.data.chart_words import DAYS, HEADERS, MONTHS, NOUNS, QUARTERS, draw_word
from nanovlms_hf.data.charts import CHART_PROMPTS, KINDS, Chart, ChartConfig, chart_row, make_chart, render_chart
from nanovlms_hf.data.words import is_held_out
from nanovlms_hf.evaluation.table_scores import parse_markdown_table, parse_python_dict

WIDE = ChartConfig(series=(1, 4), categories=(2, 8))


def charts(kind: str, count: int, config: ChartConfig = WIDE, split: str = "train", **wanted) -> list[Chart]:
    """The first charts of a kind whose attributes, or those of their look, are as wanted."""
    config, found = replace(config, kinds=(kind,)), []
    for index in itertools.count():
        chart = make_chart(3, split, index, config)
        if all(
            getattr(chart if hasattr(chart, name) else chart.look, name) == value for name, value in wanted.items()
        ):
            found.append(chart)
        if len(found) == count:
            return found


# Texts ----------------------------------------------------------------------------------------------------------------


def test_the_texts_of_a_table_are_these():
    one = ChartTable("Plums in Oslo", "Plums (kg)", ("Year", "Plums (kg)"), (("1987", 12.5), ("1988", 3.0)))
    assert one.markdown() == (
        "# Plums in Oslo\n\n| Year | Plums (kg) |\n| --- | --- |\n| 1987 | 12.5 |\n| 1988 | 3.0 |"
    )
    assert one.python_dict() == (
        "{'title': 'Plums in Oslo', 'names': 'Year', 'measure': 'Plums (kg)', 'values': {'1987': 12.5, '1988': 3.0}}"
    )
    two = ChartTable("T", "Rain (mm)", ("Day", "A", "B|C"), (("Mon", 1, None), ("Tue", -2, 30)))
    assert two.markdown() == (
        "# T\n\nRain (mm)\n\n| Day | A | B\\|C |\n| --- | --- | --- |\n| Mon | 1 |  |\n| Tue | -2 | 30 |"
    )
    assert two.as_dict() == {
        "title": "T",
        "names": "Day",
        "measure": "Rain (mm)",
        "values": {"A": {"Mon": 1, "Tue": -2}, "B|C": {"Mon": None, "Tue": 30}},
    }
    pie = ChartTable("T", "Share (%)", ("", "Share (%)"), (("A", 40), ("B", 60)))
    assert pie.markdown() == "# T\n\n|  | Share (%) |\n| --- | --- |\n| A | 40 |\n| B | 60 |"
    assert pie.as_dict() == {"title": "T", "measure": "Share (%)", "values": {"A": 40, "B": 60}}


def test_the_texts_of_a_seed_are_these():
    chart = make_chart(0, "train", 2, ChartConfig(kinds=("line",)))
    assert chart.kind == "line" and chart.title == "Velvet in Leestoat"
    assert chart.markdown() == EXPECTED_MARKDOWN
    assert chart.python_dict() == EXPECTED_DICT


EXPECTED_MARKDOWN = (
    "# Velvet in Leestoat\n\nGoat (kWh)\n\n| Place | Comet | Sea |\n| --- | --- | --- |\n"
    "| R56 | 946 | 589 |\n| C20 | 427 | 882 |\n| H2 | 651 | 243 |"
)
EXPECTED_DICT = (
    "{'title': 'Velvet in Leestoat', 'names': 'Place', 'measure': 'Goat (kWh)', "
    "'values': {'Comet': {'R56': 946, 'C20': 427, 'H2': 651}, 'Sea': {'R56': 589, 'C20': 882, 'H2': 243}}}"
)


@pytest.mark.parametrize("kind", KINDS)
def test_both_texts_read_back_as_the_table(kind):
    for chart in charts(kind, 30):
        assert parse_markdown_table(chart.markdown()) == parse_python_dict(chart.python_dict()) == chart.table
        assert (chart.title, chart.columns, chart.rows) == (chart.table.title, chart.table.columns, chart.table.rows)
        assert ast.literal_eval(chart.python_dict()) == chart.table.as_dict()
        labels = [row[0] for row in chart.rows]
        assert len(set(labels)) == len(labels) and len(set(chart.columns)) == len(chart.columns)
        assert all(len(row) == len(chart.columns) for row in chart.rows)


def test_rows_are_chats_and_ask_in_the_papers_words_first():
    assert CHART_PROMPTS["chart_dict"][0] == "Convert this chart to python-dict"
    assert CHART_PROMPTS["chart_markdown"][0] == "Convert the image to markdown format."
    for task, prompts in CHART_PROMPTS.items():
        assert len(set(prompts)) == len(prompts) >= 11
        plain = chart_row(0, "train", 5, ChartConfig(paraphrases=False), task=task)
        chart = make_chart(0, "train", 5)
        answer = chart.markdown() if task == "chart_markdown" else chart.python_dict()
        assert plain["messages"] == [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompts[0]}]},
            {"role": "assistant", "content": [{"type": "text", "text": answer}]},
        ]
        (picture,) = plain["images"]
        assert picture.mode == "RGB" and picture.size == (192, 192)
        asked = {chart_row(0, "train", i, task=task)["messages"][0]["content"][1]["text"] for i in range(8)}
        assert 2 < len(asked) and asked <= set(prompts)


# Determinism and splits -----------------------------------------------------------------------------------------------


def test_a_row_is_a_function_of_its_arguments_in_any_thread():
    config = ChartConfig()
    alone = [render_chart(make_chart(1, "test", i, config)).tobytes() for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        order = [7, 2, 0, 5, 1, 3, 4, 6]
        together = list(pool.map(lambda i: chart_row(1, "test", i, config)["images"][0].tobytes(), order))
    assert together == [alone[i] for i in order]
    assert (
        make_chart(1, "test", 0, config) != make_chart(2, "test", 0, config) != make_chart(2, "validation", 0, config)
    )


def test_the_settings_of_matplotlib_stay_as_they_are_and_change_nothing():
    chart = charts("line", 1, value_labels=True)[0]
    before, picture = dict(matplotlib.rcParams), render_chart(chart).tobytes()
    assert dict(matplotlib.rcParams) == before
    wild = {"font.size": 30, "lines.linewidth": 9, "figure.dpi": 300, "patch.edgecolor": "red", "text.color": "red"}
    wild |= {"figure.facecolor": "blue", "lines.linestyle": ":", "savefig.dpi": 5, "figure.autolayout": True}
    with matplotlib.rc_context(wild):
        assert render_chart(chart).tobytes() == picture


def words_of(chart: Chart) -> set[str]:
    """Every word and code of a chart but the closed sets, numbers and units."""
    texts = [chart.title, chart.table.measure, *chart.columns]
    texts += [] if chart.kind == "scatter" else [row[0] for row in chart.rows]
    closed = {*MONTHS, *DAYS, *QUARTERS, *HEADERS, "Year", "Month", "Day", "Quarter", "in", "of", "and", ""}
    words = {word for text in texts for word in text.split() if not word.startswith("(")}
    return {word for word in words - closed if not word.isdigit()}


def test_held_out_words_are_never_trained_on():
    seen = {
        split: set().union(*(words_of(make_chart(0, split, index, WIDE)) for index in range(400)))
        for split in ("train", "validation", "test")
    }
    assert min(map(len, seen.values())) > 200
    assert not seen["train"] & (seen["validation"] | seen["test"])
    assert not any(map(is_held_out, seen["train"])) and all(map(is_held_out, seen["test"] | seen["validation"]))
    assert 0.08 < np.mean([is_held_out(noun) for noun in NOUNS]) < 0.25 and len(set(NOUNS)) == len(NOUNS)
    assert is_held_out("Kiwi") == is_held_out("kiwi")


def test_words_keep_to_their_limits():
    rng = random.Random(0)
    words = [draw_word(rng, held_out=True, longest=4) for _ in range(200)]
    assert {len(word) for word in words} == {3, 4} and all(word[0].isupper() for word in words)
    assert "Lake" not in [draw_word(rng, is_held_out("lake"), 4, taken=("Lake",)) for _ in range(500)]


# Values ---------------------------------------------------------------------------------------------------------------


def test_values_lie_on_what_an_axis_lets_one_read():
    axis = ValueAxis(first=0, intervals=3, mantissa=2, exponent=1)
    assert axis.ticks == (0, 20, 40, 60) and axis.parts == 4
    assert [axis.value(place) for place in range(axis.places + 1)] == [*range(0, 65, 5)]
    tenths = ValueAxis(first=-1, intervals=3, mantissa=1, exponent=-1)
    assert tenths.ticks == (-0.1, 0.0, 0.1, 0.2)
    assert [tenths.value(place) for place in (0, 1, 5, 15)] == [-0.1, -0.08, 0.0, 0.2]
    assert ValueAxis(2, 3, 5, 0).value(3) == 13 and ValueAxis(2, 3, 5, 0, fine=True).value(3) == 10.3
    assert ValueAxis(0, 3, 1, 2, fine=True).value(137) == 137


@pytest.mark.parametrize("kind", ("bar", "line", "scatter"))
def test_values_that_are_not_written_out_are_coarse(kind):
    for chart in charts(kind, 80, value_labels=False):
        places = {chart.axis.value(place) for place in range(chart.axis.places + 1)}
        assert not chart.axis.fine and {value for row in chart.rows for value in row[1:]} <= places
        assert kind != "bar" or (chart.axis.first == 0 and min(value for row in chart.rows for value in row[1:]) > 0)


def test_pies_add_up_and_have_no_slivers():
    for chart in charts("pie", 120):
        values = [value for _, value in chart.rows]
        total = sum(values)
        assert min(values) / total > 0.055 and len(chart.columns) == 2
        if chart.table.measure.endswith("(%)"):
            assert total == 100
        if not chart.value_labels:
            assert all(value % 5 == 0 for value in values)


def test_value_labels_are_as_frequent_as_asked():
    for share, least, most in ((0.0, 0, 0), (0.5, 15, 45), (1.0, 50, 60)):
        config = ChartConfig(kinds=("bar", "pie"), categories=(2, 3), series=(1, 1), value_labels=share)
        assert least <= sum(make_chart(0, "train", index, config).value_labels for index in range(60)) <= most


# Pictures -------------------------------------------------------------------------------------------------------------


def texts_of(chart: Chart, size: int) -> list[tuple[str, object]]:
    figure = draw_chart(chart, size)
    renderer = figure.canvas.get_renderer()
    texts = [artist for artist in figure.artists if isinstance(artist, Text)]
    return [(text.get_text(), text.get_window_extent(renderer)) for text in texts]


@pytest.mark.parametrize(("size", "count"), ((192, 12), (1024, 3)))
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_cut_off_or_overlaps_and_all_is_large_enough(kind, size, count):
    for chart in charts(kind, count, replace(WIDE, image_size=size)):
        texts = texts_of(chart, size)
        for text, box in texts:
            assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= size and box.y1 <= size, text
            assert min(box.width, box.height) >= (9 if len(text) > 2 else 5), text
        for (text, a), (other, b) in itertools.combinations(texts, 2):
            across, along = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
            assert min(across, along) < 1, (text, other)


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_the_table_names_is_written_in_the_picture(kind):
    for chart in charts(kind, 8):
        shown = " ".join(text for text, _ in texts_of(chart, 192)).replace(",", "")
        wanted = [*chart.title.split(), chart.table.measure, *chart.columns]
        wanted += [] if kind == "scatter" else [row[0] for row in chart.rows]
        wanted += [str(value) for row in chart.rows for value in row[1:]] if chart.value_labels else []
        assert all(text in shown for text in wanted)


def mask(picture: Image.Image, color: tuple[float, float, float]) -> np.ndarray:
    pixels = np.asarray(picture).astype(int)  # (height, width, 3)
    return (np.abs(pixels - np.array(color) * 255) < 2).all(-1)


def runs(filled: np.ndarray) -> list[tuple[int, int]]:
    """First and last place of each unbroken run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], filled.astype(int), [0]])))
    return list(zip(edges[::2], edges[1::2] - 1, strict=True))


@pytest.mark.parametrize("lying", (False, True))
@pytest.mark.parametrize("size", (192, 500))
def test_bars_are_as_long_as_their_values(lying, size):
    config = ChartConfig(series=(1, 2), categories=(2, 4))
    for chart in charts("bar", 6, config, horizontal=lying, many_hues=False, legend_below=False):
        for series, color in enumerate(mark_colors(chart, len(chart.columns) - 1)):
            # Bars all begin at one place; the patches of the legend above them do not.
            filled = mask(render_chart(chart, size), color)
            filled = filled if lying else filled.T[:, ::-1]  # bars now run to the right
            starts = np.where(filled.any(1), filled.argmax(1), -1)
            base = np.bincount(starts[starts >= 0]).argmax()
            bars = runs(starts == base)
            assert len(bars) == len(chart.rows)
            lengths = [runs(filled[(first + last) // 2])[0] for first, last in bars]
            values = np.array([row[1 + series] for row in chart.rows])
            # The line of the axis hides up to two pixels of each bar's foot.
            lengths = [np.array([end - start + 1 + hidden for start, end in lengths]) for hidden in (0, 1, 2)]
            assert min(np.abs(length - length.sum() / values.sum() * values).max() for length in lengths) <= 1


def test_points_stand_where_their_values_are():
    config = ChartConfig(series=(1, 1), categories=(3, 5), value_labels=0)
    for kind in ("line", "scatter"):
        for chart in charts(kind, 4, config, marker=0, grid=False):
            picture, (color,) = render_chart(chart, 1024), mark_colors(chart, 1)
            filled = mask(picture, color)
            if kind == "scatter":
                columns = runs(filled.any(0))
                assert len(columns) == len(chart.rows)
                middles = [(first + last) / 2 for first, last in columns]
                _assert_affine(middles, [float(row[0]) for row in chart.rows])
            else:  # a marker makes the line thick: the thickest place of each slot
                frame = np.flatnonzero(filled.any(0))
                middles = np.linspace(frame[0] + 8, frame[-1] - 8, len(chart.rows))
            heights = []
            for x in middles:
                rows = np.flatnonzero(filled[:, round(x)])
                heights.append(-(rows[0] + rows[-1]) / 2)
            _assert_affine(heights, [row[1] for row in chart.rows], 1.5 if kind == "scatter" else 8)


def _assert_affine(pixels: list[float], values: list[float], tolerance: float = 1.5) -> None:
    slope, start = np.polyfit(values, pixels, 1)
    assert slope > 0 and np.abs(np.polyval((slope, start), values) - pixels).max() <= tolerance


def test_slices_are_as_large_as_their_shares():
    for chart in charts("pie", 5, ChartConfig(categories=(2, 5))):
        picture, colors = render_chart(chart, 600), mark_colors(chart, len(chart.rows))
        areas = np.array([mask(picture, color).sum() for color in colors], dtype=float)
        values = np.array([value for _, value in chart.rows], dtype=float)
        assert np.abs(areas / areas.sum() - values / values.sum()).max() < 0.015


# Bad inputs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    (
        ({"image_size": 191}, "image_size=191"),
        ({"image_size": 192.0}, "image_size=192.0"),
        ({"image_size": True}, "image_size=True"),
        ({"image_size": 10_000}, "to 4096"),
        ({"kinds": ()}, "bar, line, pie, scatter"),
        ({"kinds": ["bar", "radar"]}, "'radar'"),
        ({"kinds": None}, "kinds=None"),
        ({"series": (0, 1)}, "series="),
        ({"series": [1, 5]}, "from 1 to 4"),
        ({"series": 2}, "series=2"),
        ({"categories": (5, 2)}, "the smaller first"),
        ({"categories": (2, 9)}, "from 2 to 8"),
        ({"categories": (2, "5")}, "two whole numbers"),
        ({"value_labels": 1.1}, "from 0 to 1"),
        ({"value_labels": True}, "value_labels=True"),
        ({"value_labels": float("nan")}, "value_labels=nan"),
        ({"paraphrases": 1}, "true or false"),
    ),
)
def test_a_wrong_configuration_is_a_sentence(given, words):
    with pytest.raises(ValueError) as error:
        ChartConfig(**given)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_lists_of_yaml_are_taken():
    config = ChartConfig(kinds=["pie"], series=[1, 1], categories=[2, 3])
    assert (config.kinds, config.series, config.categories) == (("pie",), (1, 1), (2, 3))
    assert ChartConfig(kinds="bar").kinds == ("bar",) and hash(config)


def test_wrong_rows_and_sizes_are_sentences():
    with pytest.raises(ValueError, match="split='dev' is unknown; choose one of train, validation, test"):
        make_chart(0, "dev", 0)
    with pytest.raises(ValueError, match="index=-1 is not the number of a row"):
        make_chart(0, "train", -1)
    with pytest.raises(ValueError, match="task='ocr' is unknown; choose one of chart_markdown, chart_dict"):
        chart_row(0, "train", 0, task="ocr")
    for size in (100, 192.5, True):
        with pytest.raises(ValueError, match="does not suit a chart"):
            render_chart(make_chart(0, "train", 0), size)
