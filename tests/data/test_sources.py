"""Real data: small files of every kind become exactly these messages, and mixing is a function of the seed."""

import json
import re
from pathlib import Path

import datasets
import pytest
import yaml
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value
from PIL import Image
from small_sources import PICTURE, answers, config, in_memory, png, talk, text, toy, write_parquet

from nanovlms_hf.data import sources, transforms
from nanovlms_hf.data.sources import (
    CHAT_FEATURES,
    RowError,
    convert_dataset,
    load_source,
    load_source_with_report,
    load_sources,
    parse_source_config,
    read_source_config,
    split_rows,
)

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes" / "sources").glob("*.yaml"))
SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "SLEEP_TIME_ON_THREADS_SHUTDOWN", 0, raising=False)  # 5 s per mixed stream
    monkeypatch.delenv("NANOVLMS_DATA", raising=False)


# every way in ---------------------------------------------------------------------------------------------------------


def expected_toy(content):
    return talk(("user", PICTURE, text("Describe it.")), ("assistant", text(content)))


def check_toy(dataset):
    rows = list(dataset)
    assert [row["messages"] for row in rows] == [expected_toy(t) for t in ("one", "two", "three")]
    assert [[p.getpixel((0, 0)) for p in row["images"]] for row in rows] == [
        [(255, 0, 0)],
        [(0, 255, 0)],
        [(0, 0, 255)],
    ]
    assert all(set(row) == {"images", "messages"} for row in rows)


def test_parquet(tmp_path):
    dataset = load_source(config(toy(tmp_path)))
    check_toy(dataset)
    assert dataset.features == CHAT_FEATURES and dataset.features["images"] == List(datasets.Image())


def test_streaming_gives_the_same_rows(tmp_path):
    dataset, report = load_source_with_report(config(toy(tmp_path), streaming=True))
    assert isinstance(dataset, datasets.IterableDataset)
    check_toy(dataset)
    assert (report.rows_read, report.rows_kept, report.skipped) == (3, 3, 0)


@pytest.mark.parametrize("streaming", [False, True])
def test_saved_to_disk(tmp_path, streaming):
    saved = Dataset.from_parquet(str(toy(tmp_path) / "toy.parquet"))
    DatasetDict(train=saved, test=saved.select([1])).save_to_disk(tmp_path / "saved")
    before = sorted((tmp_path / "saved").rglob("*"))
    source = config(tmp_path, path="saved", data_files=..., streaming=streaming)
    check_toy(load_source(source))
    assert [r["messages"] for r in load_source(source, split="test")] == [expected_toy("two")]
    assert sorted((tmp_path / "saved").rglob("*")) == before  # nothing is written into the user's folder
    with pytest.raises(ValueError, match="has no split 'dev': it has train, test"):
        load_source(source, split="dev")


def test_json_lines_with_relative_paths(tmp_path):
    (tmp_path / "pictures").mkdir()
    lines = []
    for name, color in (("one", "red"), ("two", "lime"), ("three", "blue")):
        Image.new("RGB", (4, 3), color).save(tmp_path / "pictures" / f"{name}.png")
        lines.append(json.dumps({"image": f"pictures/{name}.png", "text": name}))
    (tmp_path / "toy.jsonl").write_text("\n".join(lines))
    check_toy(load_source(config(tmp_path, path="json", data_files="toy.jsonl")))
    (tmp_path / "toy.csv").write_text("image,text\none.png,one\ntwo.png,two\nthree.png,three\n")
    check_toy(load_source(config(tmp_path, path="csv", data_files="toy.csv", image_dir="pictures")))
    with pytest.raises(RowError, match=r"row 0, column 'image': the picture does not exist at .*one.png"):
        load_source(config(tmp_path, path="csv", data_files="toy.csv"))


def test_image_folder_with_metadata(tmp_path, monkeypatch):
    folder = tmp_path / "pictures"
    folder.mkdir()
    lines = []
    for name, color in (("a_one", "red"), ("b_two", "lime"), ("c_three", "blue")):
        Image.new("RGB", (4, 3), color).save(folder / f"{name}.png")
        lines.append(json.dumps({"file_name": f"{name}.png", "text": name[2:]}))
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    monkeypatch.setenv("NANOVLMS_PICTURES", str(folder))
    dataset = load_source(ROOT / "recipes" / "sources" / "own_folder.yaml")
    assert dataset[1]["messages"] == talk(
        ("user", PICTURE, text("Describe this picture.")), ("assistant", text("two"))
    )
    assert dataset[1]["images"][0].getpixel((0, 0)) == (0, 255, 0)


def test_image_folder_with_class_folders(tmp_path):
    for name, color in (("cat", "red"), ("dog", "blue")):
        (tmp_path / "zoo" / name).mkdir(parents=True)
        Image.new("RGB", (4, 3), color).save(tmp_path / "zoo" / name / "1.png")
    turns = [{"user": "What is it?"}, {"assistant": "{label|article|sentence}"}]
    dataset = load_source(config(tmp_path, path="imagefolder", data_dir="zoo", data_files=..., messages=turns))
    assert [row["messages"][1]["content"][0]["text"] for row in dataset] == ["A cat.", "A dog."]


def test_coco_captions_schema(tmp_path):
    """The columns of the Hub dataset that recipes/sources/coco_captions.yaml names, with a stand-in of three rows."""
    captions = [[f"photo {i} caption {j}" for j in range(5)] for i in range(3)]
    columns = {
        "image": [png()] * 3,
        "image_id": [9, 25, 30],
        "text": [c[0] for c in captions],
        "captions": captions,
        "split": ["train"] * 3,
    }
    write_parquet(tmp_path / "coco.parquet", columns, image=datasets.Image())
    recipe = yaml.safe_load((ROOT / "recipes" / "sources" / "coco_captions.yaml").read_text())
    source = parse_source_config(
        {**recipe, "path": "parquet", "data_files": "coco.parquet", "revision": None}, tmp_path
    )
    rows = list(load_source(source, seed=3))
    assert [row["messages"] for row in rows] == [row["messages"] for row in load_source(source, seed=3)]
    for number, row in enumerate(rows):
        user, assistant = row["messages"]
        assert user["content"][0] == PICTURE and user["content"][1]["text"] in recipe["prompts"]
        assert assistant["content"] == [text(assistant["content"][0]["text"])]
        assert assistant["content"][0]["text"] in [f"Photo {number} caption {j}." for j in range(5)]
    assert len({tuple(answers(load_source(source, seed=s))) for s in range(4)}) > 1


# text forms -----------------------------------------------------------------------------------------------------------


LLAVA = [
    {"from": "human", "value": "<image>\nWhat is it?"},
    {"from": "gpt", "value": "A cup."},
    {"from": "human", "value": "And its colour?"},
    {"from": "gpt", "value": "Red."},
]
LLAVA_MESSAGES = talk(
    ("user", PICTURE, text("What is it?")),
    ("assistant", text("A cup.")),
    ("user", text("And its colour?")),
    ("assistant", text("Red.")),
)


def test_llava_conversations():
    columns = {"image": [png()], "conversations": [LLAVA]}
    for form in ("conversations", {"column": "conversations"}):
        assert in_memory(columns, messages=..., conversations=form)[0]["messages"] == LLAVA_MESSAGES
    renamed = {
        "image": [png()],
        "talk": [[{"who": {"human": "me", "gpt": "bot"}[t["from"]], "says": t["value"]} for t in LLAVA]],
    }
    form = {"column": "talk", "role": "who", "text": "says", "user": "me", "assistant": "bot"}
    assert in_memory(renamed, messages=..., conversations=form)[0]["messages"] == LLAVA_MESSAGES


def test_chat_column_in_both_spellings():
    plain = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What?"},
        {"role": "assistant", "content": "A cup."},
    ]
    expected = talk(("system", text("Be brief.")), ("user", PICTURE, text("What?")), ("assistant", text("A cup.")))
    assert in_memory({"image": [png()], "m": [plain]}, messages=..., messages_column="m")[0]["messages"] == expected
    again = in_memory({"image": [png()], "m": [expected]}, messages=..., messages_column="m")
    assert again[0]["messages"] == expected


def test_two_pictures_and_their_places():
    columns = {"left": [png("red")], "right": [png("blue")], "text": ["The left one."]}
    turns = [{"user": "Here is <image> and\n<image>\nWhich is redder?"}, {"assistant": "{text}"}]
    row = in_memory(columns, image=["left", "right"], messages=turns)[0]
    assert row["messages"][0]["content"] == [
        text("Here is "),
        PICTURE,
        text(" and"),
        PICTURE,
        text("Which is redder?"),
    ]
    assert [p.getpixel((0, 0)) for p in row["images"]] == [(255, 0, 0), (0, 0, 255)]
    row = in_memory({"image": [[png("red"), png("blue")]], "text": ["x"]})[0]
    assert row["messages"][0]["content"] == [PICTURE, PICTURE, text("Describe it.")]


def test_text_only_and_optional_pictures():
    turns = [{"user": "Tell a story."}, {"assistant": "{text}"}]
    row = in_memory({"text": ["Once."]}, image=None, messages=turns)[0]
    assert row == {"images": [], "messages": talk(("user", text("Tell a story.")), ("assistant", text("Once.")))}
    rows = in_memory({"image": [None, png()], "text": ["a", "b"]}, image_optional=True)
    assert [len(row["images"]) for row in rows] == [0, 1]
    assert rows[0]["messages"][0]["content"] == [text("Describe it.")]


def test_braces_numbers_and_struct_fields():
    turns = [
        {"user": "{{json}} of {meta.page}"},
        {"assistant": "{n} {ok|yes_no} {words|join} {words|first|lower} {words|count}"},
    ]
    columns = {"image": [png()], "meta": [{"page": 7}], "n": [2.5], "ok": [True], "words": [["A", "B"]]}
    messages = in_memory(columns, messages=turns)[0]["messages"]
    assert messages == talk(("user", PICTURE, text("{json} of 7")), ("assistant", text("2.5 yes A, B a 2")))


BOXES = {
    "bbox": [[50.0, 25.0, 100.0, 50.0], [0.0, 0.0, 8.0, 4.0], [25.0, 0.0, 100.0, 50.0]],
    "category": ["WBC", "RBC", "RBC"],
}
BOXES_TEXT = "RBC: [000, 000, 080, 080], [250, 000, 999, 999]; WBC: [500, 500, 999, 999]."


def test_detection_text():
    columns = {"image": [png(size=(100, 50))], "objects": [BOXES]}
    turns = [
        {"user": "Detect."},
        {"assistant": "{objects|boxes_to_text}"},
        {"user": "Count."},
        {"assistant": "{objects|counts_to_text}"},
    ]
    messages = in_memory(columns, messages=turns)[0]["messages"]
    assert [m["content"][-1]["text"] for m in messages] == ["Detect.", BOXES_TEXT, "Count.", "RBC: 2; WBC: 1."]


def test_other_box_forms_say_the_same():
    as_list = [
        {"bbox": [x1, y1, x2 - x1, y2 - y1], "category": name}
        for (x1, y1, x2, y2), name in zip(BOXES["bbox"], BOXES["category"], strict=True)
    ]
    unit = {**BOXES, "bbox": [[x1 / 100, y1 / 50, x2 / 100, y2 / 50] for x1, y1, x2, y2 in BOXES["bbox"]]}
    for objects, name in ((as_list, "xywh_boxes_to_text"), (unit, "unit_boxes_to_text")):
        turns = [{"user": "Detect."}, {"assistant": f"{{objects|{name}}}"}]
        row = in_memory({"image": [png(size=(100, 50))], "objects": [objects]}, messages=turns)[0]
        assert row["messages"][1]["content"] == [text(BOXES_TEXT)]


def test_class_labels_inside_structs_are_written_by_name():
    features = Features(
        {
            "image": datasets.Image(),
            "objects": {"bbox": List(List(Value("float32"))), "category": List(ClassLabel(names=["RBC", "WBC"]))},
        }
    )
    columns = {"image": [png(size=(100, 50))], "objects": [{**BOXES, "category": [1, 0, 0]}]}
    turns = [{"user": "Detect."}, {"assistant": "{objects|boxes_to_text}"}]
    assert in_memory(columns, features, messages=turns)[0]["messages"][1]["content"] == [text(BOXES_TEXT)]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("sentence", " a cat\n sleeps ", "A cat sleeps."), ("sentence", "Who?", "Who?"), ("sentence", 'He said "no."', 'He said "no."'),
        ("squeeze", "a\n\n b", "a b"), ("strip", " a ", "a"), ("article", "apple", "an apple"), ("article", "pear", "a pear"),
        ("true_false", 0, "false"), ("yes_no", "True", "yes"), ("drop_variant", "pull 2", "pull"), ("drop_variant", "7", "7"),
    ],
)  # fmt: skip
def test_text_transforms(name, value, expected):
    context = transforms.RowContext({}, 0, "seed", lambda: (1, 1))
    assert transforms.TRANSFORMS[name](value, context) == expected


def test_own_transform_and_its_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(transforms, "TRANSFORMS", dict(transforms.TRANSFORMS))
    for module in (sources.chat_rows, sources.source_config):
        monkeypatch.setattr(module, "TRANSFORMS", transforms.TRANSFORMS)
    turns = [{"user": "?"}, {"assistant": "{text|shout}"}]
    for shout, expected in ((lambda v, c: v.upper(), "ONE"), (lambda v, c: v.title() + "!", "One!")):
        transforms.TRANSFORMS.pop("shout", None)
        transforms.transform("shout")(shout)
        dataset = load_source(config(toy(tmp_path), messages=turns))
        assert dataset[0]["messages"][1]["content"] == [text(expected)]
    with pytest.raises(ValueError, match="'shout' exists already"):
        transforms.transform("shout")
    with pytest.raises(ValueError, match="cannot name a transform"):
        transforms.transform("a b")


# choosing rows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ([{"not_null": "text"}], ["a", "b", "d"]),
        ([{"column": "n", "at_least": 2}, {"not_null": "text"}], ["b", "d"]),
        ([{"column": "n", "at_most": 1}], ["a"]),
        ([{"column": "text", "equals": "b"}], ["b"]),
        ({"column": "text", "one_of": ["d", "a"]}, ["a", "d"]),
        ([{"not_null": "text"}, {"column": "kind", "not_equals": "cat"}], ["b", "d"]),
        ([{"column": "kind", "equals": "cat"}, {"not_null": "text"}], ["a"]),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
def test_where(where, expected, streaming):
    features = Features(
        {
            "image": datasets.Image(),
            "text": Value("string"),
            "n": Value("int64"),
            "kind": ClassLabel(names=["cat", "dog"]),
        }
    )
    data = Dataset.from_dict(
        {"image": [png()] * 4, "text": ["a", "b", None, "d"], "n": [1, 2, 3, 4], "kind": [0, 1, 0, 1]}, features
    )
    data = data.to_iterable_dataset() if streaming else data
    assert answers(convert_dataset(data, config(where=where))[0]) == expected


def test_where_reaches_into_structs():
    columns = {"image": [png()] * 2, "text": ["a", "b"], "meta": [{"page": 1}, {"page": 2}]}
    assert answers(in_memory(columns, where=[{"column": "meta.page", "equals": 2}, {"not_null": "meta.page"}])) == [
        "b"
    ]


def test_a_row_draws_the_same_wording_whatever_is_filtered(tmp_path):
    letters = [f"t{i}" for i in range(40)]
    turns = [{"user": "{prompt}"}, {"assistant": "{text}"}]
    common = {"messages": turns, "prompts": ["Say.", "Tell.", "Speak."]}
    full = load_source(config(toy(tmp_path, letters), **common))
    drawn = {answer: row["messages"][0]["content"][1]["text"] for answer, row in zip(answers(full), full, strict=True)}
    assert set(drawn.values()) == {"Say.", "Tell.", "Speak."}
    part = load_source(
        config(tmp_path, **common, where=[{"column": "text", "one_of": letters[::3]}], shuffle_seed=5, limit=9)
    )
    assert len(part) == 9 and answers(part) != sorted(answers(part))
    stream = load_source(config(tmp_path, **common, streaming=True, limit=12))
    assert len(list(stream)) == 12
    for row in [*part, *stream]:
        assert row["messages"][0]["content"][1]["text"] == drawn[row["messages"][1]["content"][0]["text"]]
    other = load_source(config(tmp_path, **common), seed=1)
    assert [r["messages"] for r in other] != [r["messages"] for r in full]


def test_mixing_is_seeded(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        toy(tmp_path / name, [f"{name}{i}" for i in range(30)])

    def mix(seed=0, weights=(3, 1), **changes):
        configs = [config(tmp_path / n, name=n, weight=w, **changes) for n, w in zip("ab", weights, strict=True)]
        return answers(load_sources(configs, seed=seed, stopping_strategy="first_exhausted"))

    once = mix()
    assert once == mix() and once != mix(seed=1)
    assert once == mix(streaming=True)
    assert 2 < sum(answer[0] == "a" for answer in once) / sum(answer[0] == "b" for answer in once) < 5
    assert mix(weights=(None, None)) == [f"{n}{i}" for n in "ab" for i in range(30)]
    with pytest.raises(ValueError, match=r"\['b'\] have no `weight` while others do"):
        mix(weights=(1, None))
    with pytest.raises(ValueError, match="no source to load"):
        load_sources([])


def test_table_and_stream_mix(tmp_path):
    toy(tmp_path)
    mixed = load_sources([config(tmp_path), config(tmp_path, streaming=True)])
    assert answers(mixed) == ["one", "two", "three"] * 2


def test_split_keeps_a_picture_on_one_side(tmp_path):
    pictures = [png((i // 5, 0, 0)) for i in range(100)]
    data = Dataset.from_dict({"image": pictures, "text": [str(i) for i in range(100)]})
    dataset = convert_dataset(data, config())[0]
    parts = split_rows(dataset, 0.2, seed=4)
    assert (len(parts["train"]), len(parts["validation"])) == (80, 20)
    sides = [{int(answer) // 5 for answer in answers(parts[name])} for name in ("train", "validation")]
    assert not sides[0] & sides[1]
    assert answers(parts["validation"]) == answers(split_rows(dataset, 0.2, seed=4)["validation"])
    assert answers(parts["validation"]) != answers(split_rows(dataset, 0.2, seed=5)["validation"])
    runs = split_rows(dataset, 0.2, seed=4, keep_together=10)
    assert not {int(a) // 10 for a in answers(runs["train"])} & {int(a) // 10 for a in answers(runs["validation"])}
    for fraction in (0, 1, 1.5):
        with pytest.raises(ValueError, match="between 0 and 1"):
            split_rows(dataset, fraction)
    with pytest.raises(ValueError, match="at least 2 are needed"):
        split_rows(dataset.select(range(5)), 0.5)
    with pytest.raises(ValueError, match="cannot be split"):
        split_rows(dataset.to_iterable_dataset(), 0.5)


# TRL ------------------------------------------------------------------------------------------------------------------


class RecordingProcessor:
    """Stands where the processor would, keeps what TRL's collator gives it."""

    def apply_chat_template(self, messages, **options):
        import torch

        self.messages = messages
        shape = (len(messages), 2)
        return {
            "input_ids": torch.ones(shape, dtype=torch.long),
            "attention_mask": torch.ones(shape, dtype=torch.long),
        }


def test_trl_fills_the_pictures_into_our_blocks():
    from transformers.utils.chat_template_utils import render_jinja_template
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    columns = {"left": [png("red")], "right": [png("blue")], "text": ["Yes."]}
    turns = [{"user": "<image><image>Alike?"}, {"assistant": "{text}"}]
    two = in_memory(columns, image=["left", "right"], messages=turns)
    none = in_memory({"text": ["Once."]}, image=None)
    processor = RecordingProcessor()
    DataCollatorForVisionLanguageModeling(processor)([*two, *none])
    content = processor.messages[0][0]["content"]
    assert [block["image"].getpixel((0, 0)) for block in content[:2]] == [(255, 0, 0), (0, 0, 255)]
    assert all("image" not in block for message in processor.messages[1] for block in message["content"])
    template = (
        "{% for m in messages %}{{ m.role }}: {% for c in m.content %}"
        "{% if c.type == 'image' %}<I>{% else %}{{ c.text }}{% endif %}{% endfor %}|{% endfor %}"
    )
    rendered, _ = render_jinja_template(conversations=processor.messages, chat_template=template)
    assert rendered == ["user: <I><I>Alike?|assistant: Yes.|", "user: Describe it.|assistant: Once.|"]


# the recipes and the documentation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipes_parse(recipe):
    first_line = recipe.read_text(encoding="utf-8").splitlines()[0]
    assert first_line.startswith("# ") and len(first_line) > 40
    source = read_source_config(recipe)
    assert source.name == recipe.stem
    assert not source.streaming  # the training recipes take tables only
    assert source.path in ("parquet", "imagefolder") or source.revision


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not on this machine")
@pytest.mark.parametrize(
    "recipe", [r for r in RECIPES if "NANOVLMS_DATA" in r.read_text()], ids=lambda path: path.stem
)
def test_local_recipes_yield_rows(recipe):
    source = read_source_config(recipe)
    source.limit = 60
    source.shuffle_seed = 1
    dataset, report = load_source_with_report(source)
    assert len(dataset) == report.rows_read == 60
    for row in dataset.select(range(4)):
        (picture,) = row["images"]
        assert picture.mode == "RGB" and any(low < high for low, high in picture.getextrema())
        assert row["messages"][0]["content"][0] == PICTURE
        assert all(block["text"] for m in row["messages"] for block in m["content"] if block["type"] == "text")
    if recipe.stem == "bccd_boxes":
        pattern = r"((^|; )\w+: \[\d{3}(, \d{3}){3}\](, \[\d{3}(, \d{3}){3}\])*)+\."
        assert all(re.fullmatch(pattern, answer) for answer in answers(dataset))
    if recipe.stem == "nlvr":
        assert set(answers(dataset)) == {"true", "false"}


def test_the_examples_of_the_documentation_run(tmp_path, monkeypatch):
    """docs/data.md: the yaml blocks become the files that their first line names, the python blocks run in order."""
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    section = page.split("## Your own pictures")[1].split("\n## ")[0]
    blocks = re.findall(r"^```(yaml|json|python)\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL)
    for kind, body in blocks:
        if kind != "python":
            file = tmp_path / body.splitlines()[0].split()[1 if kind == "yaml" else 0]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(body if kind == "yaml" else "".join(body.splitlines(keepends=True)[1:]))
    for name, color in (("cat.jpg", "orange"), ("garden.png", "green"), ("left.png", "red"), ("right.png", "blue")):
        Image.new("RGB", (8, 6), color).save(tmp_path / "pictures" / name)
    columns = {
        "photo": [png("red"), png("blue"), png("lime")],
        "title": ["red mug", None, "green jug"],
        "price": [3.0, 4.0, 90.0],
        "objects": [{"bbox": [[0, 0, 2, 3]], "category": ["mug"]}] * 3,
    }
    write_parquet(tmp_path / "shop.parquet", columns, photo=datasets.Image())
    namespace = {}
    try:
        for kind, body in blocks:
            if kind == "python":
                exec(compile(body, "docs/data.md", "exec"), namespace)
    finally:
        transforms.TRANSFORMS.pop("euros", None)
    assert sum(kind == "python" for kind, _ in blocks) >= 4
