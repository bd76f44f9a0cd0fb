"""The report of a reader: figures beside their controls, errors marked where they are, boxes where they were written."""

import re
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from nanovlms_hf.data.chart_tables import ChartTable
from nanovlms_hf.data.descriptions import short_description
from nanovlms_hf.data.world import world_scene
from nanovlms_hf.evaluation.reading import Reading
from nanovlms_hf.evaluation.report_answers import boxes_in, boxes_over, marked_errors, marked_table
from nanovlms_hf.evaluation.report_reading import READINGS_SHOWN, write_reading_report
from nanovlms_hf.evaluation.text_scores import character_error_rate, plain_spaces

METRICS = {
    "rows_per_part": 64,
    "ocr_cer": 0.1234,
    "ocr_cer_blank": 0.98,
    "detection_f1_iou50": 0.61,
    "detection_f1_iou50_blank": 0.02,
    "rec_acc_iou50": 0.5,
    "facts_f1": float("nan"),
    "unscored_parts": ["coco"],
}
OTHER = {"ocr_cer": 0.4, "detection_f1_iou50": 0.7}
TABLE = "# Fruit\n\n| Year | Plums (kg) |\n| --- | --- |\n| 1987 | 12.5 |\n| 1988 | 3 |"
VOID = {"meta", "img", "br", "line", "circle", "polyline", "rect"}


def made(measure, said, truth, part="part", scene=None, side=24, **others):
    kind = {"ocr": "documents", "chart": "charts", "rec": "referring", "facts": "scenes"}.get(measure, measure)
    said = {"": said, **others}
    picture = Image.new("RGB", (side, side), (200, 210, 220))
    return Reading(part, kind, measure, picture, "Asked?", truth, scene, said, dict.fromkeys(said, 0.25))


@pytest.fixture
def readings():
    scene = world_scene(0, "test", 0)
    return [
        made("ocr", "A page\nof wrds", "A page\nof words", _blank="The"),
        made("markdown", "# A page", "# A page"),
        made("detection", "Cat: [100, 100, 300, 300]; Dog: none.", "Cat: [110, 100, 300, 320], [500, 500, 600, 600]."),
        made("rec", "no box", "[001, 002, 300, 400]", _shuffled="[000, 000, 100, 100]"),
        made("chart", TABLE.replace("12.5", "12.7"), TABLE),
        made("chart", "nothing of use", TABLE),
        made("negatives", "Boat: none.", "Boat: none."),
        made("facts", short_description(scene), short_description(scene), scene=scene, _blank="A cat."),
    ]


def report(tmp_path, readings=(), **changes):
    given = {"title": "A reader", "metrics": METRICS, "stages": [], "readings": readings, **changes}
    path = tmp_path / "new" / "report.html"
    write_reading_report(path, **given)
    return path.read_text(encoding="utf-8")


def rows_of(html):
    """The cells of the table of figures, by the words of their row; the best in asterisks."""
    rows = re.findall(r'<tr><th scope="row">([^<]*)</th>(.*?)</tr>', html)
    return {
        name: [
            f"*{cell}*" if best else cell for best, cell in re.findall(r"<td( class=\"better\")?>([^<]*)</td>", cells)
        ]
        for name, cells in rows
    }


class Balanced(HTMLParser):
    """Checks that every element is closed."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        self.open += [] if tag in VOID else [tag]

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


# marks ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "truth", "html"),
    [
        ("a cat", "a cat", "a cat"),
        ("a cat\n\nsat ", "a cat sat", "a cat\nsat"),
        ("a bat sat", "a cat sat", "a <del>c</del><ins>b</ins>at sat"),
        ("a cat st", "a cat sat", "a cat s<del>a</del>t"),
        ("a cat saat", "a cat sat", "a cat sa<ins>a</ins>t"),
        ("acat sat", "a cat\nsat", "a<del>\u2423</del>cat sat"),
        ("zzzzzz", "a cat sat", "<ins>zzzzzz</ins>"),
        ("<b> & c", "<b> & d", "&lt;b&gt; &amp; <del>d</del><ins>c</ins>"),
        (" \n", "a cat", '<em class="soft">nothing</em>'),
    ],
)
def test_errors_are_marked_where_they_are(said, truth, html):
    assert marked_errors(said, truth) == html


def test_marks_lose_no_letter_and_are_as_many_as_the_error_rate_counts():
    random = np.random.default_rng(0)
    truth = "Plums cost 12.50 in Brea,\nand 3 pears cost more."
    for _ in range(50):
        kept = [letter for letter in truth if random.random() > 0.1]
        said = "".join(letter if random.random() > 0.1 else "x" for letter in kept)
        html = marked_errors(said, truth)
        shown = unescape(re.sub("</?ins>", "", re.sub("<del>.*?</del>", "", html))).replace("\u2423", " ")
        assert plain_spaces(shown) == plain_spaces(said)
        edits = re.findall(r"(?:<del>([^<]*)</del>)?(?:<ins>([^<]*)</ins>)?", html)
        count = sum(max(len(unescape(missing)), len(unescape(there))) for missing, there in edits)
        assert count / len(plain_spaces(truth)) == pytest.approx(character_error_rate([(said, truth)]))


def test_boxes_are_drawn_with_their_names():
    svg = boxes_over({"Cat": [(100, 200, 300, 400)], "": [(0, 0, 9, 9)]}, {"<Dog>": [(800, 5, 999, 900)]})
    assert re.findall(r'<rect class="(\w+)" x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"/>', svg) == [
        ("true", "800", "5", "199", "895"),
        ("said", "100", "200", "200", "200"),
        ("said", "0", "0", "9", "9"),
    ]
    assert re.findall(r'<text class="(\w+)" x="(\d+)" y="(\d+)"( text-anchor="end")?>([^<]*)<', svg) == [
        ("true", "999", "30", ' text-anchor="end"', "&lt;Dog&gt;"),
        ("said", "100", "436", "", "Cat"),
    ]
    assert 'aria-label="there: &lt;Dog&gt; [800, 5, 999, 900]; said: Cat [100, 200, 300, 400];' in svg
    assert 'aria-label="no boxes"' in boxes_over({}, {})


def test_absent_classes_have_no_boxes():
    assert boxes_in("Cat: [1, 2, 3, 4]; Dog: none.") == {"Cat": [(1, 2, 3, 4)]}
    assert boxes_in("what?") == {}


def test_cells_that_differ_are_marked():
    truth = ChartTable("Fruit", "Plums", ("Year", "Plums"), (("1987", 12.5), ("1988", 3)))
    said = ChartTable("", "Plums", ("Year", "Plms"), (("1988", 3.0), ("1987", None), ("x<", 12.5)))
    html = marked_table(said, truth)
    assert re.findall(r'class="wrong">([^<]*)<', html) == ["Plms", "", "x&lt;", "12.5"]
    assert "wrong" not in marked_table(truth, truth) and "<caption>Fruit</caption>" in marked_table(truth, truth)
    assert marked_table(ChartTable("", "", (), ()), truth) == ""


# the page -------------------------------------------------------------------------------------------------------------


def test_figures_stand_beside_their_controls(tmp_path):
    html = report(tmp_path, other=OTHER)
    rows = rows_of(html)
    assert rows == {
        "pages: characters read wrong (CER) ↓": ["*12.3%*", "40.0%", "98.0%"],
        "detection: F1 at IoU 0.5": ["61.0%", "*70.0%*", "2.0%"],
        "referring expressions: right at IoU 0.5": ["*50.0%*", "–", "–"],
    }
    assert re.findall(r'<th scope="col">([^<]*)</th>', html) == [
        "what is measured",
        "this model",
        "without the vocabulary branch",
        "given a blank picture",
    ]
    assert (
        "12.3% of the characters are read wrong; 40.0% by the same model without the vocabulary branch and 98.0% when the page is "
        "blank." in html
    )
    assert "The first 64 held-out rows of each part" in html


def test_controls_that_were_not_measured_are_left_out(tmp_path):
    html = report(tmp_path, metrics={"ocr_cer": 0.1, "ocr_cer_shuffled": 0.9})
    assert rows_of(html) == {"pages: characters read wrong (CER) ↓": ["*10.0%*", "90.0%"]}
    assert "given another row" in html and "without the vocabulary branch" not in html


def test_nothing_measured_is_said(tmp_path):
    html = report(tmp_path, metrics={}, stages=[{}])
    assert "Nothing was measured." in html and "No losses were recorded." in html


def test_every_kind_of_reading_is_shown(tmp_path, readings):
    html = report(tmp_path, readings)
    headings = re.findall("<h2>([^<]*)</h2>", html)
    assert headings == [
        "Figures",
        "Pages, read",
        "Pages, as Markdown",
        "Things, found",
        "Things, referred to",
        "Charts, as tables",
        "Nothing there",
        "Pictures, described",
    ]
    assert "of w<del>o</del>rds" in html
    assert html.count("<svg") == 2 and html.count('<rect class="true"') == 3 and html.count('<rect class="said"') == 1
    assert '<td class="wrong">12.7</td>' in html and "No table can be read from this:" in html
    assert "given a blank picture: CER 25.0%" in html and "given another row's picture: IoU 25.0%" in html
    assert html.count("<img") == len(readings)
    parser = Balanced()
    parser.feed(html)
    assert parser.open == []


def test_the_page_asks_the_network_for_nothing_and_repeats_itself(tmp_path, readings):
    stages = [{"name": "1_vocabulary", "loss_history": [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}]}]
    html = report(tmp_path, readings, stages=stages)
    assert not re.search(r"https?://|url\(|@import|<script|<link|<iframe", html)
    assert html == report(tmp_path, readings, stages=stages)
    assert "1. 1_vocabulary" in html


def test_everything_said_is_escaped(tmp_path):
    evil = "<script>alert('x')</script>"
    readings = [made(measure, evil, TABLE, evil) for measure in ("ocr", "markdown", "chart")]
    readings += [made("negatives", evil, "Boat: none.", evil, _blank=evil)]
    readings += [made("detection", f"{evil}: [1, 2, 3, 4]", "Boat: [1, 2, 3, 4]")]
    html = report(tmp_path, readings, title=evil)
    assert "<script" not in html and "alert('x')" not in html


def test_parts_take_turns(tmp_path):
    readings = [made("ocr", f"{part}{i}", f"{part}{i}", part) for part in "ab" for i in range(READINGS_SHOWN)]
    html = report(tmp_path, readings)
    shown = re.findall(r"<small>(\w), row (\d+)</small>", html)
    assert shown[:4] == [("a", "1"), ("b", "1"), ("a", "2"), ("b", "2")] and len(shown) == READINGS_SHOWN
    assert f"The first {READINGS_SHOWN} of {2 * READINGS_SHOWN} held-out rows" in html


def test_large_pictures_do_not_make_a_large_page(tmp_path):
    random = np.random.default_rng(0)
    noise = Image.fromarray(random.integers(0, 256, (900, 900, 3), dtype=np.uint8))
    readings = [made("ocr", "a", "a") for _ in range(2)] + [made("rec", "x", "[1, 2, 3, 4]") for _ in range(2)]
    for one in readings:
        one.picture = noise
    html = report(tmp_path, readings)
    assert html.count("<img") == 2  # noise is the worst there is: one picture of each measure has to be shown
    assert 'width="768" height="768"' in html
    assert len(html) < 5_000_000
