"""Rewriting captions through a real loopback server: constraints, asking again, going on, duplicates, splits and the card."""

import json
from pathlib import Path

import pytest
from datasets import Dataset, Features, Image, List, Value, load_from_disk
from loopback_api import Api, serve
from small_sources import png

from nanovlms_hf.data.describe_dataset import DescribeConfig, describe_dataset
from nanovlms_hf.data.rewriting import Rules, faults, messages, opening, sentences
from nanovlms_hf.endpoint import ChatEndpoint, EndpointConfig, KeyRefused

SHORT = "A {name} sits on the green grass and has a lot of fun. The sun is warm and the sky is so blue today."
LONG = (
    "A {name} sits on the green grass in the warm sun. My mum says that it is a good friend to all of us. The sky is so blue that I "
    "want to fly up and touch it. Maybe we can play with a big red ball until it is dark. Then the {name} goes home to sleep, and I "
    "will dream of it all night long."
)
CAPTIONS = ["A cat on the lawn.", "A small cat sits outside."]


@pytest.fixture
def api():
    with serve(Api()) as running:
        running.answer = lambda body: write(body)
        yield running


def write(body, **changes):
    """What a good writer answers: the name is the first word of the first caption."""
    asked = body["messages"][1]["content"]
    name = asked.split("- ")[1].split()[0].lower()
    text = (SHORT if "20 to 25" in asked else LONG).format(name=name)
    return json.dumps({"description": text})


def client(api, **options):
    config = EndpointConfig(api.url, "writer-1", "sk-hidden", **({"timeout": 1, "retries": 0, "workers": 2} | options))
    return ChatEndpoint(config, sleep=lambda seconds: None)


def table(folder: Path, rows: list[tuple]) -> dict:
    features = Features({"image": Image(), "captions": List(Value("string")), "image_id": Value("int64")})
    images, captions = [row[0] for row in rows], [row[1] for row in rows]
    data = {"image": images, "captions": captions, "image_id": list(range(100, 100 + len(rows)))}
    Dataset.from_dict(data, features=features).to_parquet(folder / "captions.parquet")
    return {"path": "parquet", "data_files": str(folder / "captions.parquet"), "id": "image_id"}


NAMES = "cat dog cow pig duck hen bear fox lion frog bird fish".split()


def rows(count=12):
    return [(png((20 * k, 10, 10)), [f"{NAMES[k]} on grass {k}", f"A {NAMES[k]}."]) for k in range(count)]


def test_good_texts_pass():
    assert faults(SHORT.format(name="cat"), "short", CAPTIONS, Rules()) == []
    assert faults(LONG.format(name="cat"), "long", CAPTIONS, Rules()) == []


@pytest.mark.parametrize(
    "text, wrong",
    [
        ("A cat sits. It is big.", "has 6 words"),
        (" ".join(["cat"] * 22) + ".", "has 1 sentences"),
        (SHORT.replace("today.", "today"), "does not end"),
        ("Wow, a cat" + SHORT[8:], "begins with wow"),
        ("This picture shows a cat" + SHORT[8:].replace(" a lot of", ""), "fits any picture"),
        (
            "The cat sits on the green grass and has a lot of fun here. The cat is warm and so soft and red.",
            "Several sentences",
        ),
        (SHORT.replace("warm", "photosynthetic"), "too hard for a small child: photosynthetic"),
        (SHORT.replace("warm", "w\u00e4rm"), "no plain English letters"),
    ],
)
def test_faults(text, wrong):
    assert any(wrong in fault for fault in faults(text.format(name="cat"), "short", CAPTIONS, Rules()))


def test_words_of_the_captions_and_word_lists_are_allowed():
    hard = SHORT.format(name="capybara")
    assert any("capybara" in fault for fault in faults(hard, "short", CAPTIONS, Rules()))
    assert faults(hard, "short", ["A capybara."], Rules()) == []
    listed = Rules(words=frozenset(SHORT.format(name="cat").lower().replace(".", "").split()))
    assert faults(SHORT.format(name="cat"), "short", [], listed) == []
    assert any("capybara" in fault for fault in faults(hard, "short", [], listed))


def test_openings_of_the_set_are_counted():
    rules = Rules(same_opening=1)
    rules.openings["short"][opening(SHORT.format(name="cat"))] = 1
    assert any("Too many texts" in fault for fault in faults(SHORT.format(name="cat"), "short", CAPTIONS, rules))


def test_sentences():
    assert len(sentences('He said "Stop!" Then he ran. Why?')) == 3 and sentences("") == []


def test_the_writer_reads_all_captions_and_no_picture():
    asked = messages(CAPTIONS, "long")[1]["content"]
    assert all(caption in asked for caption in CAPTIONS) and "60 to 70 words in 5 to 6 sentences" in asked


def test_a_dataset_is_described_split_and_saved(api, tmp_path):
    config = DescribeConfig(str(tmp_path / "out"), **table(tmp_path, rows()), held_out=3)
    result, report = describe_dataset(config, client(api))
    assert {name: len(part) for name, part in result.items()} == {"train": 8, "validation": 1, "held_out": 3}
    assert (report.finished, report.duplicates, report.failed) == (12, 0, {})
    ids = [name for part in result.values() for name in part["id"]]
    assert sorted(ids) == [str(number) for number in range(100, 112)]
    again = load_from_disk(tmp_path / "out" / "dataset")
    row = again["held_out"][0]
    place = int(row["id"]) - 100
    assert row["short"] == SHORT.format(name=NAMES[place]) and row["captions"] == rows()[place][1]
    assert row["image"].getpixel((0, 0)) == (20 * place, 10, 10)
    card = (tmp_path / "out" / "dataset" / "README.md").read_text()
    assert "writer-1" in card and "| held_out | 3 |" in card and row["short"] in card and "sk-hidden" not in card


def test_a_text_that_breaks_a_rule_is_asked_for_again(api, tmp_path):
    first = {"cat": True}

    def answer(body):
        if first.pop("cat", None):
            return json.dumps({"description": "Too short."})
        return write(body)

    api.answer = answer
    _, report = describe_dataset(
        DescribeConfig(str(tmp_path / "o"), **table(tmp_path, rows(4))), client(api, workers=1)
    )
    assert report.finished == 4 and "It has 2 words; write 20 to 25." in api.asked(1)


def test_a_killed_run_goes_on_and_asks_nothing_twice(api, tmp_path):
    config = DescribeConfig(str(tmp_path / "o"), **table(tmp_path, rows()))
    whole, _ = describe_dataset(config, client(api))
    asked = len(api.bodies)
    lines = [line for line in (tmp_path / "o" / "rows.jsonl").read_text().split("\n") if line]
    (tmp_path / "o" / "rows.jsonl").write_text(
        "\n".join(lines[:5]) + "\n" + lines[5][:20]
    )  # killed in the middle of a line
    result, report = describe_dataset(config, client(api))
    assert report.finished == 12 and len(api.bodies) - asked == 2 * 7
    assert all(result[name]["short"] == whole[name]["short"] for name in whole)
    describe_dataset(config, client(api))
    assert len(api.bodies) - asked == 2 * 7


def test_bad_rows_and_duplicates_are_counted(api, tmp_path):
    bad = [
        (None, ["a cat"]),
        (png("red"), []),
        ({"bytes": b"junk", "path": None}, ["a dog"]),
        (rows()[0][0], ["new words"]),
    ]
    config = DescribeConfig(str(tmp_path / "o"), **table(tmp_path, rows(5) + bad))
    _, report = describe_dataset(config, client(api))
    assert (report.finished, report.duplicates, set(report.failed)) == (5, 1, {"105", "106", "107"})
    listed = json.loads((tmp_path / "o" / "failed.json").read_text())
    assert "no caption" in listed["106"] and "3 rows failed" in report.sentence()


def test_a_writer_that_never_gets_it_right_is_listed(api, tmp_path):
    api.answer = lambda body: "hello" if "dog" in body["messages"][1]["content"] else write(body)
    _, report = describe_dataset(DescribeConfig(str(tmp_path / "o"), **table(tmp_path, rows(5))), client(api))
    assert report.finished == 4 and "no usable JSON" in report.failed["101"]


def test_the_same_text_for_two_pictures_is_refused(api, tmp_path):
    same = json.dumps({"description": SHORT.format(name="cat")})
    api.answer = lambda body: same if "20 to 25" in body["messages"][1]["content"] else write(body)
    with pytest.raises(ValueError, match="1 rows were described"):
        describe_dataset(DescribeConfig(str(tmp_path / "o"), **table(tmp_path, rows(4))), client(api))


def test_a_refused_key_stops_at_once(api, tmp_path):
    api.script = [401] * 50
    with pytest.raises(KeyRefused):
        describe_dataset(DescribeConfig(str(tmp_path / "o"), **table(tmp_path, rows())), client(api))
    assert len(api.bodies) <= 2


def test_missing_columns_are_named(api, tmp_path):
    given = table(tmp_path, rows(3)) | {"captions": "sentences"}
    with pytest.raises(ValueError, match="no column .'sentences'.; its columns are image, captions, image_id"):
        describe_dataset(DescribeConfig(str(tmp_path / "o"), **given), client(api))


def test_coco_is_the_default():
    config = DescribeConfig("out")
    assert config.path == "AKCIT/coco2017-captioning" and config.revision and config.id == "image_id"
