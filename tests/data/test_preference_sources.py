"""Preference pairs of the RLAIF-V and RLHF-V shape through source entries, on tables with the same columns."""

import json
from pathlib import Path

import datasets
import pytest
from datasets import Dataset
from small_sources import PICTURE, config, png, talk, text, write_parquet

from nanovlms_hf.data.source_config import parse_source_config, read_source_config
from nanovlms_hf.data.sources import PAIR_FEATURES, RowError, convert_dataset, load_preferences, load_sources

RECIPES = Path(__file__).parents[2] / "recipes" / "sources"
PAIR = {"messages": [{"user": "{question}"}], "chosen": "{chosen}", "rejected": "{rejected}"}


def rlaif_v(count=3, **changes):
    """The columns of RLAIF-V's card."""
    columns = {
        "ds_name": ["RLAIF-V"] * count,
        "image": [png("red"), png("lime"), png("blue")][:count],
        "question": [f"Question {i}?" for i in range(count)],
        "chosen": [f"Right {i}." for i in range(count)],
        "rejected": [f"Wrong {i}." for i in range(count)],
        "origin_dataset": ["VQAv2"] * count,
        "origin_split": ["{}"] * count,
        "idx": [str(i) for i in range(count)],
        "image_path": [f"{i}.jpg" for i in range(count)],
    }
    return columns | changes


def from_entry(name, columns, folder):
    """The shipped entry, pointed at a table on this disk."""
    write_parquet(folder / "pairs.parquet", columns, image=datasets.Image())
    entry = read_source_config(RECIPES / f"{name}.yaml")
    entry.path, entry.data_files, entry.revision = "parquet", str(folder / "pairs.parquet"), None
    return load_preferences([entry], cache_dir=str(folder / "cache"))


def test_rlaif_v(tmp_path):
    rows = from_entry("rlaif_v", rlaif_v(), tmp_path)
    assert rows.features == PAIR_FEATURES
    assert rows[1]["prompt"] == talk(("user", PICTURE, text("Question 1?")))
    assert rows[1]["chosen"] == talk(("assistant", text("Right 1.")))
    assert rows[1]["rejected"] == talk(("assistant", text("Wrong 1.")))
    assert rows[1]["images"][0].getpixel((0, 0)) == (0, 255, 0)


def test_rlhf_v_keeps_its_texts_in_json(tmp_path):
    texts = [{"question": f"What {i}?", "chosen": f"Mended {i}.", "rejected": f'Wrong "{i}".'} for i in range(2)]
    columns = rlaif_v(2, ds_name=["RLHF-V"] * 2, text=[json.dumps(value) for value in texts])
    columns = {key: value for key, value in columns.items() if key not in ("question", "chosen", "rejected")}
    rows = from_entry("rlhf_v", columns, tmp_path)
    assert rows[0]["prompt"] == talk(("user", PICTURE, text("What 0?")))
    assert rows[1]["chosen"] == talk(("assistant", text("Mended 1.")))
    assert rows[1]["rejected"] == talk(("assistant", text('Wrong "1".')))


@pytest.mark.parametrize("name", ["rlaif_v", "rlhf_v"])
def test_the_entries_are_pinned(name):
    entry = read_source_config(RECIPES / f"{name}.yaml")
    assert entry.is_preference and entry.license and len(entry.revision) == 40
    assert "never run online" in " ".join((RECIPES / f"{name}.yaml").read_text().replace("#", "").split())


def converted(columns, folder, **changes):
    return convert_dataset(Dataset.from_dict(columns), config(**PAIR | changes), cache_dir=str(folder))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"rejected": ["Wrong 0.", " Right 1. ", "Wrong 2."]},
            "source 'toy', row 1: chosen and rejected are the same text .'Right 1.'.",
        ),
        ({"image": [png(), None, png()]}, "source 'toy', row 1, column 'image': there is no picture; expected one"),
        ({"chosen": ["a", "b", None]}, "source 'toy', row 2, column 'chosen': it is empty .None.; expected text"),
        ({"chosen": ["a", " ", "c"]}, "source 'toy', row 1: the chosen text is ''; expected words"),
        (
            {"rejected": ["a", "b <image>", "c"]},
            "source 'toy', row 1: the rejected text is 'b <image>'; expected words",
        ),
    ],
)
def test_a_bad_row_is_named_and_may_be_skipped(tmp_path, changes, sentence):
    with pytest.raises(RowError, match=sentence):
        converted(rlaif_v(**changes), tmp_path)
    rows, report = converted(rlaif_v(**changes), tmp_path, on_bad_row="skip")
    assert len(rows) == report.rows_kept == 2 and report.skipped == 1


def test_json_that_is_none_is_named(tmp_path):
    columns = {"image": [png()], "text": ["{question: what?"]}
    changes = {
        "json_columns": ["text"],
        "messages": [{"user": "{text.question}"}],
        "chosen": "{text.chosen}",
        "rejected": "{text.rejected}",
    }
    with pytest.raises(RowError, match="row 0, column 'text': expected JSON, found '{question: what"):
        converted(columns, tmp_path, **changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rejected": ...}, "gives one of `chosen` and `rejected`: give both, or neither"),
        ({"rejected": "{chosen}"}, "has the same template '{chosen}' as `chosen` and `rejected`"),
        ({"chosen": 3}, "has chosen: 3; expected text such as"),
        ({"chosen": "{chosen"}, "has `chosen` that cannot be read"),
        ({"messages": [{"user": "a"}, {"assistant": "b"}]}, "expected a user turn last, which both answers follow"),
    ],
)
def test_an_entry_that_cannot_be_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        config(**PAIR | changes)


def test_pairs_and_chats_do_not_mix(tmp_path):
    pair = parse_source_config({"name": "pairs", "path": "parquet", "data_files": "x.parquet", **PAIR}, tmp_path)
    with pytest.raises(ValueError, match=r"the sources \['pairs'\] hold preference pairs .*recipes/dpo.py"):
        load_sources([pair])
    with pytest.raises(
        ValueError, match=r"the sources \['toy'\] hold no preference pairs: add `chosen` and `rejected`"
    ):
        load_preferences([config()])


def test_a_missing_column_is_named(tmp_path):
    columns = rlaif_v()
    del columns["rejected"]
    with pytest.raises(ValueError, match="source 'toy' has no column 'rejected'"):
        converted(columns, tmp_path)
