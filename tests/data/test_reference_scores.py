"""The cache of reference scores: found again, whole or not there, and never used for other rows."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from datasets import Dataset
from PIL import Image

from nanovlms_hf.data import reference_scores
from nanovlms_hf.data.preferences import preference_dataset
from nanovlms_hf.data.reference_scores import (
    ReferenceScores,
    cached_scores,
    compute_scores,
    read_scores,
    remove_partial,
    row_digest,
    scored_dataset,
    scores_key,
    write_scores,
)

OPTIONS = {"image_size": 16, "errors": {"colour": 1.0}}


def rows(length=3, **options):
    return preference_dataset("train", length, **OPTIONS | options)


def by_place(shown):
    """A model that finds row i's texts likely by -i and -2i."""
    return ((-float(place), -2.0 * place) for place, _ in enumerate(shown))


def refuse(_shown):
    raise AssertionError("the scores were computed anew")


def test_scores_are_computed_once(tmp_path):
    first = cached_scores(tmp_path, "key", rows(), by_place)
    again = cached_scores(tmp_path, "key", rows(), refuse)
    assert first.chosen.tolist() == again.chosen.tolist() == [0.0, -1.0, -2.0]
    assert again.rejected.tolist() == [0.0, -2.0, -4.0]
    assert again.digests.tolist() == [row_digest(row) for row in rows()]
    assert [path.name for path in tmp_path.iterdir()] == ["key.npz"]


def test_the_key_is_that_of_model_data_and_settings():
    base = scores_key("model", rows(), {"bf16": False})
    assert base == scores_key("model", rows(), {"bf16": False})
    others = [
        scores_key("other", rows(), {"bf16": False}),
        scores_key("model", rows(), {"bf16": True}),
        scores_key("model", rows(4), {"bf16": False}),
        scores_key("model", rows(seed=1), {"bf16": False}),
        scores_key("model", rows(image_size=32), {"bf16": False}),
        scores_key("model", rows(errors={"kind": 1.0}), {"bf16": False}),
        scores_key("model", rows(start=1), {"bf16": False}),
    ]
    assert len({base, *others}) == 8


def test_the_key_changes_with_a_table(tmp_path):
    tables = [
        Dataset.from_dict({"prompt": ["a"], "chosen": [chosen], "rejected": ["c"]}) for chosen in ("b", "b", "d")
    ]
    keys = [scores_key("model", table, {}) for table in tables]
    assert keys[0] == keys[1] != keys[2]


def test_the_key_is_the_same_in_another_process():
    code = (
        "from nanovlms_hf.data.preferences import preference_dataset as p; from nanovlms_hf.data.reference_scores import scores_key;"
        f"print(scores_key('model', p('train', 3, **{OPTIONS!r}), {{}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == scores_key("model", rows(), {})


def test_rows_bring_their_scores(tmp_path):
    scored = scored_dataset(rows(), compute_scores(rows(), by_place))
    assert [(row["ref_chosen_logps"], row["ref_rejected_logps"]) for row in scored] == [
        (0.0, 0.0),
        (-1.0, -2.0),
        (-2.0, -4.0),
    ]
    plain = rows()[2]
    assert {key: scored[2][key] for key in plain if key != "images"} == {
        key: plain[key] for key in plain if key != "images"
    }


def test_scores_of_other_rows_are_refused():
    scores = compute_scores(rows(), by_place)
    with pytest.raises(ValueError, match="row 0 is not the row whose reference scores are on disk; start again"):
        scored_dataset(rows(seed=1), scores)[0]
    with pytest.raises(ValueError, match="3 reference scores were given for 2 rows"):
        scored_dataset(rows(2), scores)


def test_a_digest_sees_texts_and_pictures():
    row = rows()[0]
    picture = row["images"][0].copy()
    picture.putpixel((3, 3), (1, 2, 3))
    changed = [
        {**row, "images": [picture]},
        {**row, "chosen": row["rejected"]},
        {**row, "rejected": row["chosen"]},
        {**row, "prompt": row["chosen"]},
        {**row, "images": []},
        {**row, "images": [Image.new("L", (16, 16))]},
    ]
    assert len({row_digest(row), *map(row_digest, changed)}) == 7


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half of a file", b"no archive"])
def test_a_file_that_is_not_whole_is_computed_anew(tmp_path, content):
    (tmp_path / "key.npz").write_bytes(content)
    assert read_scores(tmp_path, "key") is None
    assert len(cached_scores(tmp_path, "key", rows(), by_place)) == 3
    assert len(read_scores(tmp_path, "key")) == 3


def test_scores_of_fewer_rows_are_computed_anew(tmp_path):
    write_scores(tmp_path, "key", compute_scores(rows(2), by_place))
    assert len(cached_scores(tmp_path, "key", rows(), by_place)) == 3


def test_an_error_while_writing_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(reference_scores.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_scores(tmp_path, "key", compute_scores(rows(), by_place))
    assert not list(tmp_path.iterdir())


def test_a_killed_run_leaves_no_scores_and_its_half_is_removed(tmp_path):
    code = (
        "import os, sys, time, numpy as np; from nanovlms_hf.data import reference_scores as r\n"
        "r.np.savez = lambda file, **columns: (file.write(b'half'), file.flush(), print('writing', flush=True), time.sleep(60))\n"
        "r.write_scores(sys.argv[1], 'key', r.ReferenceScores(*[np.zeros(1)] * 3))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "writing"
    process.send_signal(signal.SIGKILL)
    process.wait()
    (half,) = tmp_path.iterdir()
    assert half.name.startswith(".partial-") and read_scores(tmp_path, "key") is None
    cached_scores(tmp_path, "key", rows(), by_place)
    assert [path.name for path in tmp_path.iterdir()] == ["key.npz"]


def test_what_another_process_is_writing_is_left_alone(tmp_path):
    running = tmp_path / f".partial-{os.getppid()}-x"
    running.touch()
    remove_partial(tmp_path)
    assert running.exists()
    assert time.time() - running.stat().st_mtime < 60


def test_scores_keep_their_bits(tmp_path):
    scores = ReferenceScores(np.array([-1 / 3]), np.array([-np.pi]), np.array([2**63 + 1], dtype=np.uint64))
    write_scores(tmp_path, "key", scores)
    found = read_scores(tmp_path, "key")
    assert (found.chosen[0], found.rejected[0], int(found.digests[0])) == (-1 / 3, -np.pi, 2**63 + 1)
