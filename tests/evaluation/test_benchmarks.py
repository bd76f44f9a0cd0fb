"""The real loading code against small files in each benchmark's true schema, with the rows that go wrong in practice."""

import os
from pathlib import Path

import pytest
from datasets import disable_progress_bars
from hub_fixtures import schemas, write_benchmark
from PIL import Image

from nanovlms_hf.evaluation.benchmark_config import benchmark_names, get_benchmark
from nanovlms_hf.evaluation.benchmarks import load_benchmark, split_prefix
from nanovlms_hf.evaluation.items import Conditions, Item
from nanovlms_hf.evaluation.metrics import load_metric

disable_progress_bars()
WORLD = ("shortdesc", "longdesc", "world_facts", "world_questions")
LOCAL = ("bccd", "bccd_counts", "grocery", "nlvr", "pictograms", "symbols", "picturebooks", "textbook_figures")
DATA = Path(os.environ.get("NANOVLMS_DATA") or Path(__file__).parents[2] / ".." / "shared" / "data").resolve()
# What a right answer to the first usable item looks like.
RIGHT = {
    "docvqa": "1 may",
    "chartqa": "10.3",
    "textvqa": "Nokia",
    "ocrbench": "It says centre",
    "refcoco": "[100, 100, 600, 600]",
    "refcoco_plus": "[100, 100, 600, 600]",
    "refcocog": "[100, 100, 600, 600]",
    "mmvet": "x = -1 or -5",
    "mmstar": "dark blue",
    "mmmu": "(B)",
    "mmmu_pro_4": "B. thing 1",
    "mmmu_pro_10": "The answer is B",
    "mmmu_pro_vision": "J",
    "mmt_bench": "C",
    "scienceqa": "fire",
    "pope": "Yes.",
    "nlvr2": "false",
}


def load(tmp_path, name, **options):
    return load_benchmark(name, path=write_benchmark(tmp_path, name), **options)


def test_every_benchmark_is_covered():
    assert set(benchmark_names()) == set(schemas()) | set(WORLD) | set(LOCAL)
    assert set(RIGHT) == set(schemas())


@pytest.mark.parametrize("name", RIGHT)
def test_loading_asking_and_scoring(tmp_path, name):
    items, _ = load(tmp_path, name)
    item = items[0]
    assert isinstance(item.pictures()[0], Image.Image) and item.prompt.strip() and item.truth
    blocks = item.messages()[0]["content"]
    assert sum(block["type"] == "image" for block in blocks) == len(item.sources)
    assert len({item.id for item in items}) == len(items)
    metric = get_benchmark(name).metrics[0]
    measured = load_metric(metric).measure([RIGHT[name], ""], [item.references[metric]] * 2)
    assert measured.scores[0] > 0.9 and measured.scores[1] == 0
    load_metric(metric).compute(predictions=[RIGHT[name]], references=[item.references[metric]])


def test_bad_rows_are_listed_and_rows_without_an_answer_are_asked(tmp_path):
    items, problems = load(tmp_path, "docvqa")
    assert [item.id for item in items] == ["validation/1", "validation/2"]
    reasons = {problem.id: problem.reason for problem in problems}
    assert "not scored" in reasons["validation/2"] and not items[1].references
    assert any("no picture in 'image'" in reason for reason in reasons.values())
    assert any("'question' is empty" in reason for reason in reasons.values()) and len(problems) == 3


def test_a_picture_that_is_none_is_listed(tmp_path):
    items, problems = load(tmp_path, "chartqa")
    assert [item.group for item in items] == ["human", "augmented"]
    assert [problem.id for problem in problems] == ["test/row 2"] and "does not recognise" in problems[0].reason


def test_referring_expressions_become_an_item_each(tmp_path):
    items, problems = load(tmp_path, "refcoco")
    assert len(items) == 6 and {item.group for item in items} == {"val", "testA", "testB"}
    assert [item.prompt for item in items[:2]] == ["Detect an object: left man.", "Detect an object: man in red."]
    assert (
        items[0].references["referring"] == pytest.approx([100, 100, 600, 600])
        and items[0].truth == "[100, 100, 600, 600]"
    )
    assert len(problems) == 3 and "does not lie in a picture" in problems[0].reason  # the box that leaves its picture


def test_interleaved_pictures_and_left_out_questions(tmp_path):
    items, problems = load(tmp_path, "mmmu")
    assert [item.id for item in items] == ["validation/a_1", "validation/a_2"]
    assert items[1].prompt.count("<image>") == 3 and len(items[1].sources) == 3  # one stands in an option
    assert [picture.getpixel((0, 0)) for picture in items[1].pictures()] == [(255, 0, 0), (0, 0, 255), (255, 0, 0)]
    assert {p.id: p.reason[:8] for p in problems} == {"validation/row 2": "the opti", "validation/row 3": "left out"}


def test_ten_options_and_a_question_that_speaks_of_a_marker(tmp_path):
    items, _ = load(tmp_path, "mmmu_pro_10")
    assert "J. thing 9" in items[0].prompt
    assert items[-1].prompt.startswith("Is <image> a [image]?") and len(items[-1].sources) == 1


def test_options_of_every_kind(tmp_path):
    mmstar, _ = load(tmp_path, "mmstar")
    assert mmstar[0].references["multiple_choice"]["options"] == ["Red", "Dark blue", "Green", "None, of these"]
    assert mmstar[1].references["multiple_choice"] == {"answer": "D", "options": [""] * 4}
    mmt, problems = load(tmp_path, "mmt_bench")
    assert len(mmt) == 1 and "H. xH" in mmt[0].prompt and "none of the 3 options" in problems[0].reason
    science, _ = load(tmp_path, "scienceqa")
    assert not science[0].prompt.startswith("Context") and science[1].prompt.startswith(
        "Context: Ice is frozen water.\n"
    )


def test_class_labels_are_groups_by_name(tmp_path):
    items, _ = load(tmp_path, "pope")
    assert [item.group for item in items] == ["random", "popular"]


def test_limit_is_a_seeded_sample_in_order(tmp_path):
    folder = write_benchmark(tmp_path, "refcoco")
    few, _ = load_benchmark("refcoco", limit=1, path=folder)
    assert [item.group for item in few] == ["val", "testA", "testB"]
    assert [item.id for item in load_benchmark("refcoco", limit=1, path=folder)[0]] == [item.id for item in few]


def test_wrong_columns_names_and_keys(tmp_path):
    folder = write_benchmark(tmp_path, "pope")
    with pytest.raises(ValueError, match="which .* does not have; its columns are"):
        load_benchmark({"name": "textvqa", "splits": ["test"]}, path=folder)
    with pytest.raises(ValueError, match="did you mean 'chartqa'"):
        get_benchmark("chart_qa")
    with pytest.raises(ValueError, match="unknown key 'promt'; did you mean 'prompt'"):
        get_benchmark({"name": "pope", "promt": "x"})
    with pytest.raises(ValueError, match="names the metric 'anlss'"):
        get_benchmark({"name": "pope", "metrics": ["anlss"]})
    with pytest.raises(FileNotFoundError, match="no folder here and cannot be fetched"):
        load_benchmark("pope", path="nobody/nothing-here")
    with pytest.raises(ValueError, match="no usable row, 1 are not"):
        load_benchmark({"name": "nlvr2", "where": {"answer": "Perhaps"}}, path=write_benchmark(tmp_path, "nlvr2"))


def test_own_benchmark_on_top_of_another():
    mine = get_benchmark({"name": "mine", "base": "chartqa", "path": "my/charts"})
    assert (mine.name, mine.path, mine.metrics) == ("mine", "my/charts", ["relaxed_accuracy"])


# the picture world and local files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, words", [("shortdesc", (6, 7)), ("longdesc", (18, 20))])
def test_completions_leave_the_beginning_out_of_the_truth(name, words):
    items, _ = load_benchmark(name, limit=8)
    for item in items:
        assert words[0] <= len(item.prefix.split()) <= words[1]
        assert f"{item.prefix} {item.references['rouge'][0]}" == item.truth
        assert item.pictures()[0].size == (128, 128) and item.facts["index"] >= 1 << 41
    assert [item.prefix for item in load_benchmark(name, limit=8)[0]] == [item.prefix for item in items]


def test_questions_about_the_world():
    items, _ = load_benchmark("world_questions", limit=5)
    assert all(item.references["exact_match"] == [item.truth] and item.prompt != item.truth for item in items)


def test_split_prefix_needs_words():
    with pytest.raises(ValueError, match="too few"):
        split_prefix("three words only", [6, 7], None)


@pytest.mark.skipif(not DATA.is_dir(), reason="the local sets are not here")
@pytest.mark.parametrize("name", LOCAL)
def test_local_sets(name, monkeypatch, tmp_path):
    monkeypatch.setenv("NANOVLMS_DATA", str(DATA))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    items, problems = load_benchmark(name, limit=4)
    assert len(items) == 4 and not problems
    for metric in get_benchmark(name).metrics:
        perfect = load_metric(metric).measure(
            [item.truth for item in items], [item.references[metric] for item in items]
        )
        assert perfect.totals()[perfect.main] >= (0.99 if metric != "cider" else 0.5)


# picture conditions ---------------------------------------------------------------------------------------------------


def item(name, *colours, size=(8, 8)):
    return Item(name, "toy", "What?", [Image.new("RGB", size, colour) for colour in colours], {}, "")


def test_blank_and_shuffled_pictures():
    items = [
        item("a", "red"),
        item("b", "red"),
        item("c", "blue", "lime"),
        item("d", "blue"),
        item("e", "lime", "red"),
    ]
    given = Conditions(items)
    assert given.pictures(0, "true")[0].getpixel((0, 0)) == (255, 0, 0)
    assert given.pictures(2, "blank")[1].getpixel((0, 0)) == (128, 128, 128)
    assert given.pictures(0, "shuffled")[0].getpixel((0, 0)) == (0, 0, 255)  # never an equal picture
    assert [p.getpixel((0, 0)) for p in given.pictures(2, "shuffled")] == [(0, 255, 0), (255, 0, 0)]
    assert given.pictures(0, "blank")[0].size == (8, 8)
    with pytest.raises(ValueError, match="no other item of toy"):
        Conditions(items[:2]).pictures(0, "shuffled")
    with pytest.raises(ValueError, match="is unknown"):
        given.pictures(0, "upside down")
