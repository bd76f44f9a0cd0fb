"""The report: exact in what it calls wrong and missed, escaped, self-contained, the same bytes every time."""

import base64
import io
import re
from html import unescape
from html.parser import HTMLParser

import pytest
from PIL import Image

from nanovlms_hf.data.facts import score_facts
from nanovlms_hf.data.scenes import Group, Look, Scene
from nanovlms_hf.evaluation.fact_scores import Sample
from nanovlms_hf.evaluation.report import PICTURES_SHOWN, write_report
from nanovlms_hf.evaluation.report_curves import loss_curve
from nanovlms_hf.evaluation.report_facts import fact_sentence, marked_words, truth_instead, wrong_sentence

METRICS = {
    "parameters": 4_912_344,
    "train_seconds": 6743.2,
    "images_seen": 1_234_000,
    "images_per_second": 183.02,
    "pictures": 256,
    "facts_precision": 0.9,
    "facts_recall": 0.8,
    "facts_f1": 0.8471,
    "facts_precision_blank": 0.3,
    "facts_recall_blank": 0.2,
    "facts_f1_blank": 0.24,
    "facts_precision_shuffled": 0.2,
    "facts_recall_shuffled": 0.2,
    "facts_f1_shuffled": 0.2,
    "by_type": {"colour": {"precision": 0.75, "recall": 0.5, "f1": 0.6, "stated": 4, "wanted": 6}},
    "by_type_blank": {"colour": {"precision": 0.1, "recall": 0.1, "f1": 0.1}},
}
VOID = {"meta", "img", "br", "line", "circle", "polyline"}


def group(kind, colour, count, left, size=None):
    boxes = tuple((left + 0.06 * i, 0.6, left + 0.06 * i + 0.05, 0.8) for i in range(count))
    return Group(kind, colour, size, count, boxes, (Look(0, False, (200, 40, 40)),) * count)


def scene_of(*groups, links=(), setting="beach"):
    return Scene(0, 0, setting, "flat", groups, links, tuple(range(len(groups))))


@pytest.fixture
def scene():
    """A big red cat left of two blue balls, at the beach."""
    return scene_of(
        group("cat", "red", 1, 0.1, "big"), group("ball", "blue", 2, 0.7), links=(("cat", "left of", "ball"),)
    )


@pytest.fixture
def people():
    return scene_of(group("running girl", "pink", 1, 0.1), group("apple", "green", 1, 0.7), setting="kitchen")


def sample(scene, text, **said):
    return Sample(scene, Image.new("RGB", (8, 6), (10, 20, 30)), {"": text, **said})


def report(tmp_path, **changes):
    given = {"title": "A run", "metrics": METRICS, "samples": [], "stages": [], **changes}
    path = tmp_path / "new" / "report.html"
    write_report(path, **given)
    return path.read_text(encoding="utf-8")


def marks(html):
    return [
        (kind, unescape(title), words)
        for kind, title, words in re.findall(r'<mark class="(\w+)" title="([^"]*)">([^<]*)</mark>', html)
    ]


class Balanced(HTMLParser):
    """Collects attributes and checks that every element is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (("kind", "cat"), "there is a cat"),
        (("kind", "apple"), "there is an apple"),
        (("kind", "girl"), "there is a girl"),
        (("colour", "cat", "red"), "the cat is red"),
        (("colour", "running girl", "red"), "the running girl wears red"),
        (("size", "cat", "big"), "the cat is big"),
        (("count", "cat", "3"), "there are 3 cats"),
        (("count", "sheep", "2"), "there are 2 sheep"),
        (("count", "sleeping boy", "2"), "there are 2 sleeping boys"),
        (("relation", "cat", "left of", "ball"), "the cat is left of the ball"),
        (("setting", "beach"), "at the beach"),
        (("setting", "night"), "at night"),
    ],
)
def test_facts_as_sentences(fact, words):
    assert fact_sentence(fact) == words


def test_several_of_a_kind_are_in_the_plural(scene):
    assert fact_sentence(("kind", "ball"), scene) == "there are balls"
    assert fact_sentence(("colour", "ball", "blue"), scene) == "the balls are blue"
    assert fact_sentence(("relation", "cat", "left of", "ball"), scene) == "the cat is left of the balls"


@pytest.mark.parametrize(
    ("fact", "truth"),
    [
        (("kind", "dog"), "there is none"),
        (("colour", "dog", "red"), "there is no dog"),
        (("colour", "cat", "blue"), "it is red"),
        (("colour", "ball", "red"), "they are blue"),
        (("size", "cat", "small"), "it is big"),
        (("size", "ball", "small"), "they are of ordinary size"),
        (("count", "cat", "3"), "there is 1"),
        (("count", "ball", "3"), "there are 2"),
        (("relation", "cat", "right of", "ball"), "the cat is left of the balls"),
        (("relation", "ball", "left of", "cat"), "the balls are right of the cat"),
        (("relation", "dog", "left of", "bird"), "there is no dog and no bird"),
        (("setting", "sea"), "it is at the beach"),
    ],
)
def test_the_truth_beside_a_wrong_fact(scene, fact, truth):
    assert truth_instead(fact, scene) == truth


def test_a_person_who_does_something_else_is_not_called_absent(people):
    assert truth_instead(("kind", "dancing girl"), people) == "there is a running girl"
    assert truth_instead(("colour", "dancing girl", "red"), people) == "there is a running girl"
    assert truth_instead(("kind", "waving boy"), people) == "there is none"
    assert truth_instead(("colour", "running girl", "red"), people) == "the true colour is pink"
    assert truth_instead(("colour", "girl", "red"), people) == "the true colour is pink"
    assert truth_instead(("kind", "boy"), people) == "there is none"


def test_marks_the_words_of_right_and_wrong_facts(scene):
    text = "A red cat is left of two red balls at the farm."
    html = marked_words(text, scene, score_facts(text, scene))
    assert marks(html) == [
        ("right", "right: the cat is red", "red"),
        ("right", "right: there is a cat", "cat"),
        ("right", "right: the cat is left of the balls", "left of"),
        ("right", "right: there are 2 balls", "two"),
        ("wrong", "wrong: the balls are red (they are blue)", "red"),
        ("right", "right: there are balls", "balls"),
        ("wrong", "wrong: at the farm (it is at the beach)", "at the farm"),
    ]
    assert re.sub("<[^>]+>", "", html) == text


def test_a_word_that_states_a_right_and_a_wrong_fact_is_wrong(scene):
    text = "There is a cat. The ball and the cat are red."
    html = marked_words(text, scene, score_facts(text, scene))
    assert ("wrong", "wrong: the balls are red (they are blue)", "red") in marks(html)


def test_marks_both_words_of_a_wrong_person(people):
    text = "A girl in pink."
    assert {kind for kind, _, _ in marks(marked_words(text, people, score_facts(text, people)))} == {"right"}
    text = "A dancing girl in pink."
    found = marks(marked_words(text, people, score_facts(text, people)))
    assert [(kind, words) for kind, _, words in found][:2] == [("wrong", "dancing"), ("wrong", "girl")]


def test_lists_exactly_the_wrong_and_the_missed_facts(scene, tmp_path):
    text = "A blue cat sits right of three balls."
    score = score_facts(text, scene)
    html = report(tmp_path, samples=[sample(scene, text)])
    wrong = {unescape(words) for words in re.findall(r'<li class="wrong">wrong: ([^<]*)</li>', html)}
    missed = {unescape(words) for words in re.findall(r'<li class="missed">missed: ([^<]*)</li>', html)}
    assert wrong == {wrong_sentence(fact, scene) for fact in score.false}
    assert missed == {fact_sentence(fact, scene) for fact in score.missed}
    assert wrong == {
        "the cat is blue (it is red)",
        "there are 3 balls (there are 2)",
        "the cat is right of the balls (the cat is left of the balls)",
    }
    assert f"F1 {100 * score.f1:.0f}%" in html


def test_a_perfect_text_says_so(scene, tmp_path):
    text = "At the beach, a big red cat is left of two blue balls."
    html = report(tmp_path, samples=[sample(scene, text)])
    assert "F1 100%" in html and "nothing wrong, nothing missed" in html


def test_everything_given_is_escaped(scene, tmp_path):
    evil = "<script>alert('x')</script> & \"a red cat\""
    html = report(
        tmp_path,
        title=evil,
        notes=[evil],
        samples=[sample(scene, evil, _blank=evil, _shuffled=evil)],
        stages=[{"name": evil, "loss_history": [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}]}],
        metrics={**METRICS, "by_type": {evil: {"f1": 0.5}}},
    )
    assert "<script" not in html and "alert('x')" not in html
    assert html.count("&lt;script&gt;") == 9  # title twice, note, type, stage and its curve, three answers
    parser = Balanced()
    parser.feed(html)
    assert parser.open == []


def test_asks_the_network_for_nothing(scene, tmp_path):
    html = report(
        tmp_path,
        samples=[sample(scene, "A red cat.", _blank="A dog.", _shuffled="")],
        stages=[{"name": "one", "loss_history": [{"step": 1, "loss": 2.0}, {"step": 2, "eval_loss": 1.0}]}],
    )
    assert not re.search(r"https?://|url\(|@import|<script|<link|<iframe", html)
    parser = Balanced()
    parser.feed(html)
    sources = [
        value for _, name, value in parser.attributes if name in ("src", "href", "srcset", "xlink:href", "data")
    ]
    assert len(sources) == 1 and sources[0].startswith("data:image/png;base64,")
    picture = Image.open(io.BytesIO(base64.b64decode(sources[0].split(",")[1])))
    assert picture.size == (8, 6) and picture.getpixel((0, 0)) == (10, 20, 30)
    assert all(value for tag, name, value in parser.attributes if (tag, name) == ("img", "alt"))


def test_headline_numbers(tmp_path):
    html = report(tmp_path)
    for words in (
        "an F1 of 84.7%",
        "looking is worth 60.7 points",
        "4.91 million",
        "4,912,344",
        "1 h 52 min",
        "183 a second",
    ):
        assert words in html
    assert [float(width) for width in re.findall(r'style="width:([\d.]+)%"', html)] == [84.7, 24.0, 20.0]
    row = html[html.index(">colours<") :].split("</tr>")[0]
    assert re.findall(r">([\d.%–]+)<", row) == ["6", "75.0%", "50.0%", "60.0%", "10.0%", "–"]


def test_says_when_nothing_shows_that_the_model_looks(tmp_path):
    assert "nothing shows that it looks" in report(tmp_path, metrics={**METRICS, "facts_f1_shuffled": 0.9})


def test_works_with_nothing_measured(scene, tmp_path):
    html = report(
        tmp_path,
        metrics={},
        stages=[{}, {"name": "x", "loss_history": []}],
        samples=[Sample(scene, Image.new("L", (4, 4)))],
    )
    assert "not measured" in html and "stage 1" in html
    assert html.count("No losses were recorded.") == 2
    assert "0 of 0 stated facts true" in html and "nothing</em>" in html
    assert "What it says without this picture" not in html
    assert "nan" not in re.sub('base64,[^"]*', "", html).lower().replace("nanovlm", "")


def test_shows_the_first_pictures_in_order(scene, tmp_path):
    samples = [sample(scene, f"Text number {i}.") for i in range(PICTURES_SHOWN + 2)]
    html = report(tmp_path, samples=samples)
    assert [int(number) for number in re.findall(r"Text number (\d+)\.", html)] == list(range(PICTURES_SHOWN))
    assert f"The first {PICTURES_SHOWN} held-out pictures of the 256 scored, in the order of the test set" in html


def test_same_arguments_same_bytes(scene, people, tmp_path):
    given = {
        "samples": [
            sample(scene, "A blue cat and a dog in the sea."),
            sample(people, "Two dancing girls.", _blank="A cat."),
        ],
        "stages": [{"name": "one", "loss_history": [{"step": i, "loss": 9 / i} for i in range(1, 1000)]}],
    }
    assert report(tmp_path, **given) == report(tmp_path, **given)


def test_loss_curve_draws_both_losses():
    history = [
        {"step": 10, "loss": 4.0},
        {"step": 20, "loss": 2.0, "eval_loss": 2.5},
        {"step": 30, "eval_loss": float("nan")},
    ]
    svg = loss_curve(history, "stage")
    assert "stage: training loss from 4 at step 10 to 2 at step 20, validation loss from 2.5 at step 20 to 2.5" in svg
    # The scale is even and reaches 4 percent of the span beyond the losses: 46..388 wide, 194 at the bottom, 26 on top.
    assert '<polyline class="train" points="46.0,32.2 388.0,187.8"/>' in svg
    assert '<circle class="valid" cx="388.0" cy="148.9" r="2.6"/>' in svg


@pytest.mark.parametrize(
    "history", [[], [{"step": 1}], [{"loss": 1.0}], [{"step": 1, "loss": None}], [{"step": 1, "loss": float("inf")}]]
)
def test_no_curve_without_losses(history):
    assert loss_curve(history, "stage") == ""


@pytest.mark.parametrize("losses", [[1.0], [1.0, 1.0], [0.0, 5.0], [-1.0, 3.0], [8.0, 0.01], [1e-9, 1e6]])
def test_curves_stay_inside_the_drawing(losses):
    svg = loss_curve([{"step": 5 * i, "loss": loss} for i, loss in enumerate(losses)], "stage")
    numbers = [float(value) for value in re.findall(r'(?:[xyc]+[12]?|cx|cy)="(-?[\d.]+)"', svg)]
    assert min(numbers) >= 0 and max(numbers) <= 400
    assert 5 <= len(re.findall("<text", svg)) <= 20


def test_long_runs_are_drawn_as_means():
    svg = loss_curve([{"step": i, "loss": float(i % 2)} for i in range(4000)], "stage")
    points = re.search('points="([^"]*)"', svg).group(1).split()
    assert len(points) == 200
    assert {point.split(",")[1] for point in points} == {"110.0"}
