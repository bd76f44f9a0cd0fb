"""Pair accuracy: counted by kind of error, and controls that get other pictures."""

import pytest
from PIL import Image

from nanovlms_hf.data.preferences import preference_dataset
from nanovlms_hf.evaluation import pair_accuracy as module
from nanovlms_hf.evaluation.pair_accuracy import pair_accuracy


def rows():
    found = list(preference_dataset("test", 3, image_size=16, errors={"colour": 1.0}))
    return [{**row, "error": error} for row, error in zip(found, ("colour", "colour", "kind"), strict=True)]


def seen_by(monkeypatch, scores):
    """Stands in for a model: notes the pictures that it is given, and answers with the scores."""
    seen = []

    def score(model, collate, given, batch_size):
        pictures = [row["images"] for row in given]
        seen.append(pictures)
        return iter(scores)

    monkeypatch.setattr(module, "score_rows", score)
    monkeypatch.setattr(module, "PreferenceCollator", lambda processor: None)
    return seen


def test_right_pairs_are_counted_by_kind(monkeypatch):
    seen_by(monkeypatch, [(-1.0, -2.0), (-3.0, -2.0), (-5.0, -5.0)])
    metrics, scores = pair_accuracy(None, None, rows(), conditions=("",))
    assert metrics == {
        "pairs": 3,
        "pair_accuracy": 0.3333,
        "by_error": {"colour": {"pairs": 2, "accuracy": 0.5}, "kind": {"pairs": 1, "accuracy": 0.0}},
    }
    assert scores == {"": [(-1.0, -2.0), (-3.0, -2.0), (-5.0, -5.0)]}


def test_the_controls_get_grey_and_other_pictures(monkeypatch):
    seen = seen_by(monkeypatch, [(-1.0, -2.0)] * 3)
    given = rows()
    metrics, _ = pair_accuracy(None, None, given)
    assert {f"pair_accuracy{condition}" for condition in module.CONDITIONS} <= set(metrics)
    right, blank, shuffled = seen
    assert right == [row["images"] for row in given]
    assert shuffled == right[1:] + right[:1]
    grey = Image.new("RGB", (16, 16), (128, 128, 128)).tobytes()
    assert all(picture.tobytes() == grey for pictures in blank for picture in pictures)


def test_one_pair_cannot_be_shuffled():
    with pytest.raises(ValueError, match="1 pair.s. were given: the shuffled control needs at least 2"):
        pair_accuracy(None, None, rows()[:1])
