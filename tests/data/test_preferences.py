"""Preference pairs: the chosen text is true, the rejected one has exactly the error it is said to have, as the reader reads it."""

import pickle
from random import Random

import pytest

from nanovlms_hf.data.drawing import render
from nanovlms_hf.data.facts import is_true
from nanovlms_hf.data.preferences import PreferenceRows, preference_dataset
from nanovlms_hf.data.reader import read_facts
from nanovlms_hf.data.scenes import DEFAULT_WORLD, KINDS, WorldConfig, make_scene
from nanovlms_hf.data.wrong_facts import ERRORS, put_error

PAIRS = 40


def pairs(error, seed=0, count=PAIRS):
    rows = PreferenceRows(seed, "train", 32, {error: 1.0}, DEFAULT_WORLD)
    return [rows.pair(index) for index in range(count)]


def differing(pair):
    right, wrong = read_facts(pair.chosen), read_facts(pair.rejected.text)
    return right - wrong, wrong - right


def words_that_differ(pair):
    left, right = pair.chosen.split(), pair.rejected.text.split()
    return [both for both in zip(left, right, strict=True) if both[0] != both[1]]


@pytest.mark.parametrize("error", ERRORS)
def test_the_chosen_text_is_true_and_what_the_rejected_one_adds_is_false(error):
    for pair in pairs(error):
        assert all(is_true(fact, pair.scene) for fact in read_facts(pair.chosen))
        removed, added = differing(pair)
        assert (removed, added) == (pair.rejected.removed, pair.rejected.added)
        assert added and not any(is_true(fact, pair.scene) for fact in added)


@pytest.mark.parametrize("error", ["colour", "count", "size"])
def test_one_value_of_one_thing_differs(error):
    for pair in pairs(error):
        (old,), (new,) = differing(pair)
        assert old[:2] == new[:2] == (error, old[1]) and old[2] != new[2]
        changed = [
            both
            for both in words_that_differ(pair)
            if both not in [("a", "an"), ("an", "a"), ("A", "An"), ("An", "A")]
        ]
        assert len(changed) == 1


def test_a_wrong_count_is_another_number_above_one():
    for pair in pairs("count"):
        (old,), (new,) = differing(pair)
        assert int(old[2]) > 1 and int(new[2]) > 1 and int(new[2]) <= KINDS[old[1]].max_count


def test_one_relation_between_the_same_two_things_differs():
    for pair in pairs("relation"):
        (old,), (new,) = differing(pair)
        assert old[0] == new[0] == "relation" and (old[1], old[3]) == (new[1], new[3]) and old[2] != new[2]
        assert not pair.scene.holds(new[2], new[1], new[3])


def test_the_setting_differs():
    for pair in pairs("setting"):
        (old,), (new,) = differing(pair)
        assert old == ("setting", pair.scene.setting) and new[0] == "setting" and new != old


def test_one_thing_is_called_by_another_name_and_nothing_else_differs():
    for pair in pairs("kind"):
        removed, added = differing(pair)
        (old,), (new,) = ([fact[1] for fact in facts if fact[0] == "kind"] for facts in (removed, added))
        assert old in pair.scene.by_kind and new not in pair.scene.by_kind
        renamed = {(fact[0], *(new if part == old else part for part in fact[1:])) for fact in removed}
        assert renamed == added
        assert KINDS[old].detail not in pair.rejected.text or KINDS[old].detail == KINDS[new].detail


def test_one_thing_gives_its_place_to_one_that_is_not_there():
    for pair in pairs("invented"):
        removed, added = differing(pair)
        (old,), (new,) = ([fact[1] for fact in facts if fact[0] == "kind"] for facts in (removed, added))
        assert old in pair.scene.by_kind and new not in pair.scene.by_kind
        assert all(fact[1] == old for fact in removed) and all(fact[1] == new for fact in added)
        colours = [fact[2] for facts in (removed, added) for fact in facts if fact[0] == "colour"]
        assert len(colours) == len(set(colours))


def test_exact_texts():
    first = {error: pairs(error, count=1)[0] for error in ERRORS}
    assert {error: (pair.chosen, pair.rejected.text) for error, pair in first.items()} == EXACT


def test_a_text_without_room_for_an_error_stays():
    scene = make_scene(0, 3)
    assert put_error("size", "A thing is here.", scene, Random(0)) is None
    with pytest.raises(ValueError, match="error='smell' is unknown; choose one of colour, count, kind"):
        put_error("smell", "A thing is here.", scene, Random(0))


EXACT = {
    "colour": (
        "In the forest, here are a brown cup and a big banana. The cup stands next to the banana. I like the cup very much.",
        "In the forest, here are a white cup and a big banana. The cup stands next to the banana. I like the cup very much.",
    ),
    "count": (
        "At the farm, there are three yellow mushrooms and a cactus. The mushrooms grow next to the cactus. I like the mushrooms very much.",
        "At the farm, there are four yellow mushrooms and a cactus. The mushrooms grow next to the cactus. I like the mushrooms very much.",
    ),
    "kind": (
        "There is a rainbow in the desert. Search at the top on the left to find the rainbow. You may draw it too.",
        "There is a moon in the desert. Search at the top on the left to find the moon. You may draw it too.",
    ),
    "relation": (
        "In the forest, here are a brown cup and a big banana. The cup stands next to the banana. I like the cup very much.",
        "In the forest, here are a brown cup and a big banana. The cup stands right of the banana. I like the cup very much.",
    ),
    "invented": (
        "In the forest, here is a big banana. With a bent shape, the banana is nice to see. There is also a brown cup.",
        "In the forest, here is a big banana. With a bent shape, the banana is nice to see. There is also a red dog.",
    ),
    "size": (
        "In the forest, here are a brown cup and a big banana. The cup stands next to the banana. I like the cup very much.",
        "In the forest, here are a brown cup and a small banana. The cup stands next to the banana. I like the cup very much.",
    ),
    "setting": (
        "There is a rainbow in the desert. Search at the top on the left to find the rainbow. You may draw it too.",
        "There is a rainbow in the forest. Search at the top on the left to find the rainbow. You may draw it too.",
    ),
}


def test_a_row_is_a_function_of_seed_split_and_index():
    whole = preference_dataset("validation", 4, seed=2, image_size=32)
    again = preference_dataset("validation", 2, seed=2, image_size=32, start=2)
    for left, right in zip(list(whole)[2:], again, strict=True):
        assert {key: left[key] for key in left if key != "images"} == {
            key: right[key] for key in right if key != "images"
        }
        assert left["images"][0].tobytes() == right["images"][0].tobytes()
    texts = {
        (seed, split): [row["chosen"] for row in preference_dataset(split, 3, seed=seed, image_size=32)]
        for seed, split in ((2, "validation"), (3, "validation"), (2, "train"))
    }
    assert len({str(value) for value in texts.values()}) == 3


def test_a_row_holds_what_trl_reads():
    (row,) = preference_dataset("train", 1, image_size=32, errors={"colour": 1})
    pair = PreferenceRows(0, "train", 32, {"colour": 1}, DEFAULT_WORLD).pair(0)
    assert row["prompt"] == [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": pair.prompt}]}]
    assert row["chosen"] == [{"role": "assistant", "content": [{"type": "text", "text": pair.chosen}]}]
    assert row["rejected"] == [{"role": "assistant", "content": [{"type": "text", "text": pair.rejected.text}]}]
    assert row["error"] == "colour"
    assert row["images"][0].tobytes() == render(pair.scene, 32).tobytes()


def test_all_kinds_come_up_and_weights_count():
    found = [pair["error"] for pair in map(as_row, range(60))]
    assert set(found) == set(ERRORS)
    rows = PreferenceRows(0, "train", 32, {"colour": 1, "kind": 0}, DEFAULT_WORLD)
    assert {rows.pair(index).error for index in range(10)} == {"colour"}


def as_row(index):
    pair = PreferenceRows(0, "train", 32, dict.fromkeys(ERRORS, 1.0), DEFAULT_WORLD).pair(index)
    return {"error": pair.error}


def test_rows_travel_to_workers():
    rows = PreferenceRows(1, "train", 32, {"kind": 1.0}, DEFAULT_WORLD)
    assert pickle.loads(pickle.dumps(rows)).pair(5) == rows.pair(5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"errors": {"smell": 1.0}}, "has to give kinds of error a weight above 0; the kinds are colour, count"),
        ({"errors": {"colour": 0.0}}, "has to give kinds of error a weight above 0"),
        ({"errors": {"colour": -1.0, "kind": 2.0}}, "has to give kinds of error a weight above 0"),
        (
            {"world": WorldConfig(max_groups=1), "errors": {"relation": 1.0}},
            "found no scene with room for an error of the kind 'rel",
        ),
        (
            {"world": WorldConfig(max_count=1), "errors": {"count": 1.0}},
            "found no scene with room for an error of the kind 'count'",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_the_first_row(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        preference_dataset("train", 3, image_size=32, **options)


def test_a_bad_split_or_length_is_refused():
    with pytest.raises(ValueError, match="split='dev' is unknown"):
        preference_dataset("dev", 3)
    with pytest.raises(ValueError, match="length=0 pairs were asked"):
        preference_dataset("train", 0)
