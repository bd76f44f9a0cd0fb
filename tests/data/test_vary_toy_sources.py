"""Each source of recipes/vary-toy reads a small set made here in the form of the real one, which is not fetched."""

import json
from pathlib import Path

import datasets
import pytest
from datasets import ClassLabel, Dataset, Features, Image, List, Value
from PIL import Image as PILImage
from small_sources import png

from nanovlms_hf.data.box_text import parse_boxes
from nanovlms_hf.data.sources import RowError, convert_dataset, load_source, parse_source_config, read_source_config

FOLDER = Path(__file__).parents[2] / "recipes" / "vary-toy" / "sources"
STRING, NUMBER = Value("string"), Value("int64")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


def converted(name, columns, features, **environment):
    """(source, rows, report) of a Hub source on rows made in memory."""
    config = read_source_config(FOLDER / f"{name}.yaml")
    raw = Dataset.from_dict(columns, features=Features(features))
    raw = raw.to_iterable_dataset() if config.streaming else raw
    rows, report = convert_dataset(raw, config)
    return config, list(rows), report


def said(row):
    return [turn["content"][-1]["text"] for turn in row["messages"]]


def kinds_of_blocks(row):
    return [[block["type"] for block in turn["content"]] for turn in row["messages"]]


def test_every_source_is_tested_and_says_that_it_was_not_run():
    names = {file.stem for file in FOLDER.glob("*.yaml")}
    assert names == {
        "captions", "llava_pretrain", "arxiv_markdown", "coco_detection", "refcoco", "sharegpt", "baize", "alpaca", "docvqa",
        "chartqa", "llava_80k",
    }  # fmt: skip
    for name in names:
        config, text = read_source_config(FOLDER / f"{name}.yaml"), (FOLDER / f"{name}.yaml").read_text()
        comment = " ".join(line.lstrip("# ") for line in text.splitlines() if line.startswith("#"))
        assert "ever run online" in comment
        assert config.license and config.attribution
        assert config.prompts is None or len(set(config.prompts)) >= 10


def test_captions():
    columns = {
        "__key__": ["000000000", "000000001"],
        "__url__": ["cc3m-train-0000.tar"] * 2,
        "jpg": [png("red"), png("blue")],
        "txt": ["a river has burst its banks", "a cat"],
    }
    features = {"__key__": STRING, "__url__": STRING, "jpg": Image(), "txt": STRING}
    config, rows, _ = converted("captions", columns, features)
    assert config.streaming and [said(row)[1] for row in rows] == ["A river has burst its banks.", "A cat."]
    assert said(rows[0])[0] in config.prompts and rows[0]["images"][0].getpixel((0, 0)) == (255, 0, 0)


def test_llava_pretrain(tmp_path, monkeypatch):
    row = {
        "id": "004539375",
        "image": "00453/004539375.jpg",
        "conversations": [
            {"from": "human", "value": "Render a clear and concise summary of the photo.\n<image>"},
            {"from": "gpt", "value": "select luxury furniture 3 - inch gel memory foam mattress topper"},
        ],
    }
    (tmp_path / "00453").mkdir()
    PILImage.new("RGB", (6, 4), "lime").save(tmp_path / row["image"], "PNG")
    (tmp_path / "blip_laion_cc_sbu_558k.json").write_text(json.dumps([row]))
    monkeypatch.setenv("LLAVA_PRETRAIN", str(tmp_path))
    (read,) = load_source(FOLDER / "llava_pretrain.yaml")
    assert kinds_of_blocks(read) == [["text", "image"], ["text"]]
    assert read["messages"][0]["content"][0]["text"] == "Render a clear and concise summary of the photo."
    assert said(read)[1].startswith("select luxury") and read["images"][0].size == (6, 4)


def test_arxiv_markdown():
    columns = {
        "image": [png()] * 4,
        "markdown": ["# Title\n\nText $x^2$.\n", "x" * 12_001, "", None],
        "meta": [[{"name": "1"}]] * 4,
    }
    config, rows, _ = converted(
        "arxiv_markdown", columns, {"image": Image(), "markdown": STRING, "meta": List({"name": STRING})}
    )
    assert [said(row)[1] for row in rows] == ["# Title\n\nText $x^2$."]
    assert said(rows[0])[0] in config.prompts


def coco(boxes, categories):
    columns = {
        "image_id": list(range(len(boxes))),
        "image": [png(size=(640, 480))] * len(boxes),
        "width": [640] * len(boxes),
        "height": [480] * len(boxes),
        "objects": [
            {"bbox_id": list(range(len(b))), "category": c, "bbox": b, "area": [1.0] * len(b)}
            for b, c in zip(boxes, categories, strict=True)
        ],
    }
    objects = {
        "bbox_id": List(NUMBER),
        "category": List(ClassLabel(names=["person", "bicycle", "car"])),
        "bbox": List(List(Value("float64"), length=4)),
        "area": List(Value("float64")),
    }
    return columns, {"image_id": NUMBER, "image": Image(), "width": NUMBER, "height": NUMBER, "objects": objects}


def test_coco_detection():
    one, many = [[0.0, 13.51, 434.48, 388.63], [311.73, 4.31, 631.01, 232.99]], [[1.0, 2.0, 30.0, 40.0]] * 11
    columns, features = coco([one, [], many, [[311.73, 4.31, 31.28, 228.68]]], [[0, 2], [], [1] * 11, [0]])
    config, rows, report = converted("coco_detection", columns, features)
    assert [said(row)[1] for row in rows] == ["person: [000, 028, 679, 810]; car: [487, 009, 986, 485]."]
    assert parse_boxes(said(rows[0])[1]).boxes["car"] == [(487, 9, 986, 485)]
    assert said(rows[0])[0] in config.prompts
    assert (
        report.skipped == 1 and "`xywh_boxes_to_text`" in report.reasons[0]
    )  # x, y, width, height do not pass for corners


def test_refcoco(tmp_path, monkeypatch):
    name = "coco/train2014/COCO_train2014_000000581857.jpg"
    (tmp_path / name).parent.mkdir(parents=True)
    PILImage.new("RGB", (640, 427), "red").save(tmp_path / name)
    monkeypatch.setenv("COCO_PARENT", str(tmp_path))
    captions = ["the lady with the blue shirt", "lady  with back to us", "blue shirt"]
    columns = {
        "sent_ids": [[0, 1, 2]],
        "file_name": ["COCO_train2014_000000581857_16.jpg"],
        "ref_id": [0],
        "image_path": [name],
        "bbox": [[103.93, 299.99, 238.15, 427.2]],
        "captions": [captions],
    }
    features = {"sent_ids": List(NUMBER), "file_name": STRING, "ref_id": NUMBER, "image_path": STRING}
    features |= {"bbox": List(Value("float64")), "captions": List(STRING)}
    config, rows, _ = converted("refcoco", columns, features)
    question, answer = said(rows[0])
    assert question in [f"{prompt} {' '.join(caption.split())}." for prompt in config.prompts for caption in captions]
    assert config.prompts[0] == "Detect an object:"
    assert (
        answer == "[162, 703, 372, 999]"
    )  # a box that reaches over the edge by a fraction of a pixel is cut off there
    assert rows[0]["images"][0].size == (640, 427)


def test_sharegpt():
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello!"}]
    odd = [{"from": "bing", "value": "Hi"}, {"from": "gpt", "value": "Hello!"}]
    columns = {"id": ["QWJhYvA_0", "i6IyJda_0", "x"], "conversations": [turns * 2, [], odd]}
    config, rows, report = converted(
        "sharegpt", columns, {"id": STRING, "conversations": List({"from": STRING, "value": STRING})}
    )
    assert [row["images"] for row in rows] == [[]] and said(rows[0]) == ["Hi", "Hello!"] * 2
    assert kinds_of_blocks(rows[0]) == [["text"]] * 4 and "unknown speaker 'bing'" in report.reasons[0]


def test_baize():
    talk = (
        "The conversation between human and AI assistant.\n[|Human|] Which system is best?\n[|AI|] It depends.\n\nOn you.\n"
        "[|Human|] Why?\n[|AI|] Taste.\n[|Human|] "
    )
    columns = {"chat_sample": [talk, "Nobody speaks.", "[|Human|] " + "x" * 12_000], "dataset_origin": ["quora"] * 3}
    config, rows, report = converted("baize", columns, {"chat_sample": STRING, "dataset_origin": STRING})
    assert [said(row) for row in rows] == [["Which system is best?", "It depends.\n\nOn you.", "Why?", "Taste."]]
    assert [turn["role"] for turn in rows[0]["messages"]] == ["user", "assistant"] * 2
    assert report.skipped == 1 and "none of the marks [|Human|], [|AI|]: 'Nobody speaks.'" in report.reasons[0]


def test_alpaca():
    columns = {
        "instruction": ["Give three tips for staying healthy.", "Name the colour.", "Nothing."],
        "input": ["", "A red car.", ""],
        "output": ["1. Eat.\n2. Sleep.\n3. Walk.", "Red", ""],
        "text": ["Below is an instruction ..."] * 3,
    }
    _, rows, _ = converted("alpaca", columns, dict.fromkeys(columns, STRING))
    assert [said(row) for row in rows] == [
        ["Give three tips for staying healthy.", "1. Eat.\n2. Sleep.\n3. Walk."],
        ["Name the colour.\nA red car.", "Red"],
    ]
    assert all(row["images"] == [] for row in rows)


def test_docvqa():
    columns = {
        "questionId": ["337", "338"],
        "question": ["what is the date mentioned in this letter? ", "Who?"],
        "question_types": [["handwritten", "form"]] * 2,
        "image": [png()] * 2,
        "docId": [279, 280],
        "answers": [["1/8/93", "1/8/1993"], None],
    }
    features = {"questionId": STRING, "question": STRING, "question_types": List(STRING), "image": Image()}
    config, rows, _ = converted("docvqa", columns, features | {"docId": NUMBER, "answers": List(STRING)})
    question, answer = said(rows[0])
    assert len(rows) == 1 and answer in columns["answers"][0]
    assert question in [f"what is the date mentioned in this letter? {prompt}" for prompt in config.prompts]
    assert config.prompts[0] == "Answer using a single word or phrase."


def test_chartqa():
    columns = {"image": [png()], "query": ["How many bars are there?"], "label": [["14"]], "human_or_machine": [0]}
    features = {"image": Image(), "query": STRING, "label": List(STRING)}
    features["human_or_machine"] = ClassLabel(names=["human", "machine"])
    config, rows, _ = converted("chartqa", columns, features)
    assert said(rows[0])[1] == "14" and kinds_of_blocks(rows[0]) == [["image", "text"], ["text"]]
    assert said(rows[0])[0] in [f"How many bars are there? {prompt}" for prompt in config.prompts]


def test_llava_80k(tmp_path, monkeypatch):
    PILImage.new("RGB", (6, 4), "blue").save(tmp_path / "000000442786.jpg")
    monkeypatch.setenv("COCO_TRAIN2017", str(tmp_path))
    turns = [{"from": "human", "value": "What is it?\n<image>"}, {"from": "gpt", "value": "A bus."}]
    columns = {"id": ["000000442786"], "image": ["000000442786.jpg"], "conversations": [turns]}
    features = {"id": STRING, "image": STRING, "conversations": List({"from": STRING, "value": STRING})}
    _, rows, _ = converted("llava_80k", columns, features)
    assert said(rows[0])[1] == "A bus." and rows[0]["images"][0].size == (6, 4)


# the pieces that these sources brought with them ----------------------------------------------------------------------


def own(columns, **changes):
    mapping = {"name": "own", "path": "parquet", "data_files": "x", "image": None, **changes}
    return [said(row) for row in convert_dataset(Dataset.from_dict(columns), parse_source_config(mapping))[0]]


def test_longest_counts_characters_and_items():
    turns = {"messages": [{"user": "?"}, {"assistant": "{name}"}]}
    columns = {"name": ["a", "b", "c"], "text": ["12345", "123456", None], "items": [[1, 2, 3], [1, 2], []]}
    assert own(columns, where=[{"column": "text", "longest": 5}], **turns) == [["?", "a"]]
    assert own(columns, where=[{"column": "items", "longest": 2}], **turns) == [["?", "b"], ["?", "c"]]
    with pytest.raises(ValueError, match="texts or lists and a number with longest"):
        own({**columns, "items": [1, 2, 3]}, where=[{"column": "items", "longest": 2}], **turns)


def test_marks_of_speakers_are_text_and_not_patterns():
    columns = {"talk": ["lead Q: Is a.b (c)? A: Yes. Q: Why A?"]}
    with pytest.raises(RowError, match="expected a user and an assistant"):
        own({"talk": ["Q: only"]}, conversations={"column": "talk", "user": "Q:", "assistant": "A:"})
    assert own(columns, conversations={"column": "talk", "user": "Q:", "assistant": "A:"}) == [
        ["Is a.b (c)?", "Yes.", "Why A?"]
    ]


@pytest.mark.parametrize(("name", "box"), [("box_to_text", [32, 12, 64, 48]), ("xywh_box_to_text", [32, 12, 32, 36])])
def test_one_box(name, box):
    columns = {"image": [png(size=(64, 48))], "box": [box]}
    features = Features({"image": Image(), "box": List(Value("float64"))})
    mapping = {"name": "own", "path": "parquet", "data_files": "x"}
    mapping["messages"] = [{"user": "?"}, {"assistant": f"{{box|{name}}}"}]
    read = list(convert_dataset(Dataset.from_dict(columns, features=features), parse_source_config(mapping))[0])
    assert said(read[0])[1] == "[500, 250, 999, 999]"
    for bad in ([1, 2, 3], [40, 10, 20, 30] if name == "box_to_text" else [40, 10, -20, 30]):
        with pytest.raises(RowError, match=f"the transform `{name}` failed"):
            raw = Dataset.from_dict({**columns, "box": [bad]}, features=features)
            convert_dataset(raw, parse_source_config(mapping))
