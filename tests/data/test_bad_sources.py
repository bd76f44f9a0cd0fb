"""Every bad row, key and file of a real dataset is named, with the cure in the sentence."""

import logging

import datasets
import pytest
from small_sources import answers, config, in_memory, png, toy

from nanovlms_hf.data import sources
from nanovlms_hf.data.sources import RowError, load_source, load_source_with_report, read_source_config


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "SLEEP_TIME_ON_THREADS_SHUTDOWN", 0, raising=False)  # 5 s per mixed stream
    monkeypatch.delenv("NANOVLMS_DATA", raising=False)


# bad rows -------------------------------------------------------------------------------------------------------------

CUT_OFF = {"bytes": png(size=(64, 64))["bytes"][:-30], "path": None}
BAD_ROWS = [
    ({"image": None}, {}, r"source 'toy', row 1, column 'image': there is no picture.*`where: \[\{not_null: image\}\]`.*`on_bad_row: skip`"),
    ({"text": None}, {}, r"row 1, column 'text': it is empty \(None\); expected text.*not_null: text.*on_bad_row: skip"),
    ({"text": "  "}, {}, "row 1: the assistant turn is empty"),
    ({"text": "an <image> here"}, {}, "the assistant turn holds <image>; pictures belong to user turns"),
    ({"image": {"bytes": b"", "path": None}}, {}, "row 1, column 'image': the picture has 0 bytes"),
    ({"image": {"bytes": b"hello", "path": None}}, {}, "does not recognise as a picture"),
    ({"image": CUT_OFF}, {"check_pictures": "full"}, "the picture is damaged or cut off"),
    ({"image": {"bytes": None, "path": "a.png"}}, {"path": "json", "data_files": "*.json"}, "relative to nothing; give `image_dir`"),
    ({"image": {"bytes": None, "path": "https://example.org/a.png"}}, {}, "pictures are not fetched here"),
    ({}, {"messages": [{"user": "<image> or <image>?"}, {"assistant": "{text}"}]}, "has 2 image places and the row 1 pictures; write <image>"),
    ({}, {"messages": [{"user": "?"}, {"assistant": "{words}"}]}, r"column 'words': expected text, found list; choose .*\{column\|join\}"),
    ({"words": []}, {"messages": [{"user": "?"}, {"assistant": "{words|draw}"}]}, "the transform `draw` failed: `draw` needs at least one item"),
    ({}, {"messages": [{"user": "?"}, {"assistant": "{text|boxes_to_text}"}]}, "`boxes_to_text` failed: objects must be"),
    ({}, {"messages": [{"user": "?"}, {"assistant": "{text|yes_no}"}]}, "'one' is neither true nor false"),
    ({}, {"messages": [{"user": "?"}, {"assistant": "{text|count}"}]}, "`count` needs a list, not str"),
    ({"c": [{"from": "bot", "value": "x"}]}, {"messages": ..., "conversations": "c"}, "unknown speaker 'bot'; expected human, gpt, system"),
    ({"c": None}, {"messages": ..., "conversations": "c"}, "column 'c': there are no turns"),
    ({"c": [{"from": "human", "value": "x"}]}, {"messages": ..., "conversations": "c"}, r"the roles are \['user'\]"),
    ({"c": [{"from": "human", "value": None}]}, {"messages": ..., "conversations": "c"}, r"the user turn is empty \(None\)"),
    ({"c": "words"}, {"messages": ..., "messages_column": "c"}, "expected a list of turns, found 'words'"),
    ({"c": [{"role": "robot", "content": "x"}]}, {"messages": ..., "messages_column": "c"}, "unknown role 'robot'"),
    ({"c": [{"role": "user", "content": [{"type": "audio"}]}]}, {"messages": ..., "messages_column": "c"}, "holds the block .*expected type image or text"),
]  # fmt: skip


def reader_for(**changes):
    return sources.RowReader(config(**changes))


@pytest.mark.parametrize(("row", "changes", "sentence"), BAD_ROWS)
def test_bad_rows_are_named(row, changes, sentence):
    row = {"image": png(size=(64, 64)), "text": "one", "words": ["a"], **row}
    with pytest.raises(RowError, match=sentence) as caught:
        reader_for(**changes).read(row, 1)
    assert "\n" not in str(caught.value) and str(caught.value).endswith("set `on_bad_row: skip`.")


@pytest.mark.parametrize("box", [[60, 10, 50, 40], [0, 0, 120, 40]])
def test_boxes_that_cannot_be_corners(box):
    row = {"image": png(size=(100, 50)), "objects": {"bbox": [box], "category": ["x"]}}
    reader = reader_for(messages=[{"user": "?"}, {"assistant": "{objects|boxes_to_text}"}])
    with pytest.raises(RowError, match="does not lie in a picture of 100x50: give .*; for .*use `xywh_boxes_to_text`"):
        reader.read(row, 0)


def test_skipping_is_counted_and_said(tmp_path, caplog):
    toy(tmp_path, ["one", None, "three", None])
    with pytest.raises(RowError, match="row 1, column 'text'"):
        load_source(config(tmp_path))
    for _ in range(2):  # the second time from the cache
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            dataset, report = load_source_with_report(config(tmp_path, on_bad_row="skip"))
        assert answers(dataset) == ["one", "three"]
        assert (report.rows_read, report.rows_kept, report.skipped, len(report.reasons)) == (4, 2, 2, 2)
        assert "2 of 4 rows kept, 2 skipped. First reasons: source 'toy', row 1, column 'text'" in caplog.text
    stream, report = load_source_with_report(config(tmp_path, on_bad_row="skip", streaming=True))
    assert (answers(stream), report.skipped) == (["one", "three"], 2)
    with pytest.raises(ValueError, match="Nothing is left to train on"):
        load_source(config(toy(tmp_path, [None, None]), on_bad_row="skip"))
    with pytest.raises(ValueError, match="gives no rows"):
        load_source(config(tmp_path, where=[{"not_null": "text"}]))


def test_odd_pictures_are_stored_as_the_rgb_they_should_be():
    columns = {"image": [png((0, 0, 0, 0), mode="RGBA"), png(9, mode="L"), png()], "text": ["a", "b", "c"]}
    rows = in_memory(columns)
    assert [(r["images"][0].mode, r["images"][0].getpixel((0, 0))) for r in rows] == [
        ("RGB", (255, 255, 255)), ("RGB", (9, 9, 9)), ("RGB", (255, 0, 0)),
    ]  # fmt: skip
    untouched = in_memory(columns, check_pictures="off")
    assert [r["images"][0].mode for r in untouched] == ["RGBA", "L", "RGB"]


# bad files and keys ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"imgae": "x"}, "unknown key 'imgae'; did you mean 'image'\\? Valid: name, path"),
        ({"name": None}, "lacks name"),
        ({"messages": ...}, "gives none of `messages`"),
        ({"messages_column": "m"}, "gives messages and messages_column"),
        ({"messages": [{"user": "?"}]}, "at least one user and one assistant"),
        ({"messages": [{"user": "?"}, {"asistant": "x"}]}, "unknown key 'asistant'; did you mean 'assistant'"),
        ({"messages": [{"user": "?"}, {"assistant": {"text": None}}]}, "expected text \\(put it in quotes"),
        ({"messages": [{"user": "?", "assistant": "x"}]}, "expected one role and its text"),
        ({"messages": {"user": "?"}}, "has `messages` that are no list"),
        (
            {"messages": [{"user": "?"}, {"assistant": "{text|sentense}"}]},
            "unknown transform 'sentense'; did you mean 'sentence'",
        ),
        ({"messages": [{"user": "?"}, {"assistant": "{text"}]}, "holds a single '{'; write '{{'"),
        ({"messages": [{"user": "?"}, {"assistant": "{}"}]}, "placeholder without a column"),
        ({"messages": [{"user": "?"}, {"assistant": "x"}, {"system": "x"}]}, "system turn that is not the first"),
        ({"prompts": ["a"]}, "no user turn of `messages` holds {prompt}"),
        ({"prompts": []}, "expected a list of texts"),
        ({"where": [{"column": "a"}]}, "expected {not_null: column} or {column: name"),
        ({"where": [{"column": "a", "equal": 1}]}, "unknown key 'equal'; did you mean 'equals'"),
        ({"where": "text"}, "expected a list of conditions"),
        ({"where": [{"column": "a", "one_of": "b"}]}, "expected a list"),
        ({"on_bad_row": "ignore"}, "on_bad_row: 'ignore'; expected one of raise, skip"),
        ({"check_pictures": "yes"}, "expected one of off, header, full"),
        ({"streaming": "yes please"}, "expected true or false"),
        ({"limit": 0}, "limit: 0; expected a number of at least 1"),
        ({"weight": "big"}, "weight: 'big'; expected a number"),
        ({"data_files": None}, "say which files with `data_files` or `data_dir`"),
        ({"data_files": "${NO_SUCH_VARIABLE}/x"}, "needs the environment variable NO_SUCH_VARIABLE"),
        ({"path": "./no_such_folder"}, "is no folder here .* and no Hub id"),
        ({"messages": ..., "conversations": {"colum": "c"}}, "unknown key 'colum'; did you mean 'column'"),
        ({"messages": ..., "conversations": 3}, "expected a column name or a mapping"),
    ],
)
def test_bad_configurations(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        config(**changes)


def test_bad_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no source file"):
        read_source_config(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("name: [")
    with pytest.raises(ValueError, match="bad.yaml is not valid YAML"):
        read_source_config(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- name: x")
    with pytest.raises(ValueError, match="list.yaml holds list; expected"):
        read_source_config(tmp_path / "list.yaml")
    with pytest.raises(FileNotFoundError, match="toy.parquet' does not exist; correct `data_files`"):
        load_source(config(tmp_path))
    toy(tmp_path)
    with pytest.raises(
        ValueError, match="source 'toy' has no column 'txet'; did you mean 'text'\\? Valid: image, text"
    ):
        load_source(config(tmp_path, messages=[{"user": "?"}, {"assistant": "{txet}"}]))
    with pytest.raises(ValueError, match="cannot be compared"):
        load_source(config(tmp_path, where=[{"column": "text", "at_least": 3}]))


def test_environment_and_relative_paths(tmp_path, monkeypatch):
    def files():
        return config(tmp_path / "a", data_files=["${NANOVLMS_DATA:-../b}/x.parquet", "y.parquet"]).data_files

    assert files() == [str(tmp_path / "b" / "x.parquet"), str(tmp_path / "a" / "y.parquet")]
    monkeypatch.setenv("NANOVLMS_DATA", "/elsewhere")
    assert files()[0] == "/elsewhere/x.parquet"
    hub = config(tmp_path, path="someone/pictures", data_files={"train": "data/*.parquet"})
    assert (hub.path, hub.data_files) == ("someone/pictures", {"train": "data/*.parquet"})


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "rows.jsonl").touch()
    source = config(name="empty", path="json", data_files=str(tmp_path / "rows.jsonl"))
    with pytest.raises(ValueError, match="source 'empty': .*rows.jsonl' is empty; fill it, or leave the source out"):
        load_source(source)
