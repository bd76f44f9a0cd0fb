"""Referring expressions: each singles out one thing, by the module's own judgement and by a reader of its words."""

import json
import re
from random import Random

import pytest

from nanovlms_hf.data import referring
from nanovlms_hf.data.box_text import scale_box
from nanovlms_hf.data.detection import DetectionConfig, Thing, clear_crowd, parse_box, things_of
from nanovlms_hf.data.geometry import relation_holds
from nanovlms_hf.data.referring import (
    PLACES,
    REFERRING_PROMPTS,
    Parts,
    expression_text,
    referring_expressions,
    referring_row,
    referring_turns,
    resolve,
)
from nanovlms_hf.data.scenes import COLOURS, KINDS, Group, Look, Scene, WorldConfig, make_scene


def group(kind, colour, *boxes, size=None):
    looks = (Look(0, False, (0, 0, 0)),) * len(boxes)
    return Group(kind, colour, size, len(boxes), boxes, looks)


def scene_of(*groups):
    return Scene(0, 0, "field", "flat", groups, (), tuple(range(len(groups))))


def square(x, y, side=0.1):
    """A box around (x, y)."""
    return (x - side / 2, y - side / 2, x + side / 2, y + side / 2)


DUCKS = scene_of(
    group("duck", "red", square(0.1, 0.8), square(0.3, 0.8), square(0.6, 0.8)),
    group("duck", "blue", square(0.9, 0.8)),
    group("cat", "red", square(0.9, 0.62), size="small"),
    group("sun", None, square(0.5, 0.1, 0.3)),
)


def pick(*said, **more):
    thing = resolve(Parts(*said, **more), DUCKS)
    return thing and (thing.kind, thing.colour, round((thing.box[0] + thing.box[2]) / 2, 2))


# What expressions mean ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "meant"),
    [
        (Parts("cat"), ("cat", "red", 0.9)),
        (Parts("duck"), None),
        (Parts("dog"), None),
        (Parts("duck", "blue"), ("duck", "blue", 0.9)),
        (Parts("duck", "red"), None),
        (Parts("cat", "blue"), None),
        (Parts("cat", size="small"), ("cat", "red", 0.9)),
        (Parts("cat", size="big"), None),
        (Parts("thing", "blue"), None),  # the sun has no marked colour, so it is not known to be none of it
        (Parts("duck", place="leftmost"), ("duck", "red", 0.1)),
        (Parts("duck", place="rightmost"), ("duck", "blue", 0.9)),
        (Parts("duck", "red", place="rightmost"), ("duck", "red", 0.6)),
        (Parts("duck", place="highest"), None),  # all stand at the same height
        (Parts("duck", place="biggest"), None),
        (Parts("cat", place="leftmost"), None),  # a comparison with nothing
        (Parts("duck", place="second from the left"), ("duck", "red", 0.3)),
        (Parts("duck", place="second from the right"), ("duck", "red", 0.6)),
        (Parts("duck", place="third from the left"), ("duck", "red", 0.6)),
        (Parts("duck", "red", place="third from the left"), None),  # the rightmost is called so
        (Parts("duck", place="left"), None),  # two of them
        (Parts("duck", place="right"), None),  # one clearly, one only just: too close to call
        (Parts("duck", "blue", place="right"), ("duck", "blue", 0.9)),
        (Parts("duck", "blue", place="left"), None),
        (Parts("sun", place="top"), ("sun", None, 0.5)),
        (Parts("sun", place="middle"), None),
        (Parts("duck", relation=("under", Parts("cat"))), ("duck", "blue", 0.9)),
        (Parts("duck", relation=("under", Parts("sun"))), None),
        (Parts("cat", relation=("above", Parts("duck", "blue"))), ("cat", "red", 0.9)),
        (Parts("cat", relation=("above", Parts("duck"))), None),  # which duck?
        (Parts("duck", relation=("left of", Parts("cat"))), None),
        (Parts("duck", "blue", relation=("right of", Parts("sun"))), ("duck", "blue", 0.9)),
    ],
)
def test_meaning(parts, meant):
    assert pick(*parts) == meant


def test_corners():
    four = scene_of(group("duck", "red", square(0.2, 0.6), square(0.4, 0.61), square(0.21, 0.8), square(0.4, 0.8)))
    found = [
        resolve(Parts("duck", place=f"{row} {column}"), four).box
        for row in ("top", "bottom")
        for column in ("left", "right")
    ]
    assert found == list(four.groups[0].boxes)
    assert resolve(Parts("duck", place="leftmost"), four) is None
    crossed = scene_of(group("duck", "red", square(0.2, 0.8), square(0.6, 0.3)))
    assert resolve(Parts("duck", place="top left"), crossed) is None  # nobody is at both edges


def test_size_by_comparison():
    two = scene_of(group("duck", "red", square(0.2, 0.8, 0.10)), group("duck", "blue", square(0.6, 0.8, 0.14)))
    assert resolve(Parts("duck", place="biggest"), two).colour == "blue"
    assert resolve(Parts("duck", place="smallest"), two).colour == "red"
    nearly = scene_of(group("duck", "red", square(0.2, 0.8, 0.10)), group("duck", "blue", square(0.6, 0.8, 0.12)))
    assert resolve(Parts("duck", place="biggest"), nearly) is None


def test_people_are_called_by_noun_and_are_no_things():
    people = scene_of(
        group("running girl", "red", square(0.2, 0.8)),
        group("dancing girl", "blue", square(0.6, 0.8)),
        group("ball", "blue", square(0.9, 0.8)),
    )
    assert resolve(Parts("girl"), people) is None
    assert resolve(Parts("girl", "red"), people).kind == "running girl"
    assert resolve(Parts("dancing girl"), people).colour == "blue"
    assert resolve(Parts("thing", "blue"), people) is None  # loosely, the girl could be meant
    assert resolve(Parts("thing", "red"), people) is None


@pytest.mark.parametrize("place", ["north", "", "left of"])
def test_an_unknown_place(place):
    with pytest.raises(ValueError, match="unknown place .*: use one of left, right"):
        resolve(Parts("duck", place=place), DUCKS)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (Parts("boat"), "the boat"),
        (Parts("girl", "red"), "the girl in red"),
        (Parts("duck", "red", place="leftmost"), "the leftmost red duck"),
        (Parts("duck", "red", place="second from the left"), "the second red duck from the left"),
        (Parts("star", place="top left"), "the top left star"),
        (Parts("ball", "blue", "big", "middle"), "the big blue ball in the middle"),
        (Parts("thing", "green"), "the green thing"),
        (Parts("ball", relation=("in", Parts("box", "red"))), "the ball in the red box"),
    ],
)
def test_words(parts, text):
    class First(Random):
        def choice(self, options):
            return "big" if "big" in options else options[0]

    assert expression_text(parts, First(0)) == text


def test_sides_are_said_in_two_ways():
    said = {expression_text(Parts("boat", "red", "small", "left"), Random(i)) for i in range(60)}
    assert {"the small red boat on the left", "the left small red boat"} <= said


# What is said of scenes -----------------------------------------------------------------------------------------------

_NOUNS = sorted(
    {noun for kind in KINDS.values() for noun in (kind.name, kind.noun)} | {"thing"}, key=len, reverse=True
)
_RELATION_WORDS = {
    "to the left of": "left of", "left of": "left of", "to the right of": "right of", "right of": "right of",
    "above": "above", "over": "above", "on top of": "on", "on": "on", "under": "under", "below": "under",
    "inside": "in", "in": "in", "next to": "next to", "beside": "next to",
}  # fmt: skip
_EXPRESSION = re.compile(
    r"the (?:(?P<ordinal>second|third) )?"
    r"(?:(?P<place>top left|top right|bottom left|bottom right|leftmost|rightmost|highest|lowest|biggest|smallest|left|right|top|bottom) )?"
    r"(?:(?P<size>small|little|tiny|big|large|huge) )?"
    rf"(?:(?P<colour>{'|'.join(COLOURS)}) )?(?P<noun>{'|'.join(_NOUNS)})(?: in (?P<wears>{'|'.join(COLOURS)})(?= |$))?"
    r"(?: (?P<side>on the left|on the right|at the top|at the bottom|in the middle)(?= |$))?"
    r"(?: from the (?P<end>left|right))?"
    rf"(?: (?P<relation>{'|'.join(_RELATION_WORDS)}) (?P<landmark>the .*))?"
)


def x_of(thing):
    return (thing.box[0] + thing.box[2]) / 2


def y_of(thing):
    return (thing.box[1] + thing.box[3]) / 2


_RANKING = {
    "leftmost": x_of, "rightmost": lambda t: -x_of(t), "highest": y_of, "lowest": lambda t: -y_of(t),
    "top left": lambda t: x_of(t) + y_of(t), "top right": lambda t: y_of(t) - x_of(t),
    "bottom left": lambda t: x_of(t) - y_of(t), "bottom right": lambda t: -x_of(t) - y_of(t),
    "biggest": lambda t: -max(t.box[2] - t.box[0], t.box[3] - t.box[1]),
    "smallest": lambda t: max(t.box[2] - t.box[0], t.box[3] - t.box[1]),
}  # fmt: skip
_HALVES = {
    "left": lambda t: x_of(t) < 0.5, "right": lambda t: x_of(t) > 0.5,
    "top": lambda t: y_of(t) < 0.5, "bottom": lambda t: y_of(t) > 0.5,
    "middle": lambda t: abs(x_of(t) - 0.5) < 0.2 and abs(y_of(t) - 0.5) < 0.2,
}  # fmt: skip


def understood(text, scene):
    """The things that the bare words allow, by a simple reading of our own."""
    said = _EXPRESSION.fullmatch(text)
    assert said, text
    noun, colour = said["noun"], said["colour"] or said["wears"]
    fitting = [
        thing
        for thing in things_of(scene)
        if (noun in (thing.kind, KINDS[thing.kind].noun) or (noun == "thing" and KINDS[thing.kind].group != "person"))
        and colour in (None, thing.colour)
        and (said["size"] is None or thing.size == ("small" if said["size"] in ("small", "little", "tiny") else "big"))
    ]
    if said["relation"]:
        (landmark,) = understood(said["landmark"], scene)
        relation = _RELATION_WORDS[said["relation"]]
        fitting = [t for t in fitting if relation_holds(relation, t.kind, (t.box,), landmark.kind, (landmark.box,))]
    if said["ordinal"]:
        ranked = sorted(fitting, key=x_of, reverse=said["end"] == "right")
        return [ranked[("second", "third").index(said["ordinal"]) + 1]]
    if said["place"] in _RANKING:
        return [min(fitting, key=_RANKING[said["place"]])]
    side = said["place"] or (said["side"].split()[-1] if said["side"] else None)
    return [thing for thing in fitting if side is None or _HALVES[side](thing)]


def pictures():
    yield from (make_scene(0, index) for index in range(250))
    yield from (clear_crowd(0, "train", index) for index in range(30))
    yield clear_crowd(0, "train", 0, columns=8)


def test_every_expression_is_understood_as_it_was_meant():
    places, relations, things = set(), set(), 0
    for number, scene in enumerate(pictures()):
        references = referring_expressions(scene, Random(number))
        assert len({reference.box for reference in references}) == len(references)
        things += len(things_of(scene)) - len(references)
        for reference in references:
            assert resolve(reference.parts, scene) == reference.thing
            assert understood(reference.text, scene) == [reference.thing], reference.text
            places.add(reference.parts.place)
            relations.add(reference.parts.relation and reference.parts.relation[0])
    assert places == {*PLACES, None}
    assert relations == {*_RELATION_WORDS.values(), None}
    assert things < 40  # hardly anything is left without words


def test_expressions_are_short_or_rich():
    lengths = [len(ref.text.split()) for i in range(200) for ref in referring_expressions(make_scene(1, i), Random(i))]
    assert 0.2 < sum(length == 2 for length in lengths) / len(lengths) < 0.7
    assert sum(length > 4 for length in lengths) / len(lengths) > 0.2
    assert max(lengths) <= 20


def test_what_no_words_single_out_is_left_out():
    twins = scene_of(group("duck", "red", square(0.5, 0.8), square(0.52, 0.81)), group("cat", None, square(0.2, 0.5)))
    assert [reference.thing.kind for reference in referring_expressions(twins, Random(0))] == ["cat"]
    assert referring_expressions(scene_of(), Random(0)) == []


# Rows -----------------------------------------------------------------------------------------------------------------


def texts(row):
    return [message["content"][-1]["text"] for message in row["messages"]]


def test_a_row_is_a_function_of_seed_split_and_index():
    first, again = (referring_row(1, "train", 5, image_size=48, questions=2) for _ in range(2))
    assert first["images"][0].tobytes() == again["images"][0].tobytes()
    assert (first["messages"], first["objects"]) == (again["messages"], again["objects"])
    assert (
        len(
            {
                referring_row(1, split, 5, image_size=48)["images"][0].tobytes()
                for split in ("train", "validation", "test")
            }
        )
        == 3
    )


def test_the_form_of_a_row():
    config = DetectionConfig(image_size=32, paraphrase=False)
    for index in range(20):
        row = referring_row(0, "train", index, questions=3, config=config)
        assert row["images"][0].size == (32, 32)
        boxes = {scale_box(box, 1, 1) for _, _, box in row["objects"]}
        said = texts(row)
        assert 1 <= len(said) / 2 <= min(3, len(row["objects"]))
        assert [len(message["content"]) for message in row["messages"]] == [2] + [1] * (len(said) - 1)
        for question, answer in zip(said[::2], said[1::2], strict=True):
            assert re.fullmatch(r"Detect an object: the .*[^.]\.", question)
            assert parse_box(answer) in boxes and re.fullmatch(r"\[(\d{3}, ){3}\d{3}\]", answer)
        assert len(set(said[1::2])) == len(said) // 2
        json.dumps(row["messages"])


def test_every_wording_occurs():
    scene = make_scene(0, 3)
    asked = {referring_turns(scene, Random(i))[0][0] for i in range(300)}
    for prompt in REFERRING_PROMPTS:
        before, after = prompt.split("{expression}")
        assert any(question.startswith(before + "the ") and question.endswith(after) for question in asked)
    assert len(REFERRING_PROMPTS) >= 11


def test_bad_input():
    with pytest.raises(ValueError, match="questions=0 were asked of a picture; give at least 1"):
        referring_row(0, "train", 0, questions=0)
    with pytest.raises(ValueError, match="split='dev' is unknown"):
        referring_row(0, "dev", 0)


def test_worlds_of_one_kind():
    world = WorldConfig(kinds=("duck",), colours=("red",), max_groups=1, settings=("field",))
    for index in range(40):
        row = referring_row(0, "train", index, world, image_size=16, questions=5)
        assert len(row["messages"]) >= 2


def test_a_picture_without_words_for_anything_is_replaced(monkeypatch):
    def mostly_empty(seed, split, index, world, config):
        return scene_of() if index < 2 * referring._FAR else make_scene(seed, index, world)

    monkeypatch.setattr(referring, "picture_scene", mostly_empty)
    row = referring_row(0, "train", 7, image_size=16)
    assert row["objects"] == [(t.kind, t.colour, t.box) for t in things_of(make_scene(0, 7 + 2 * referring._FAR))]
    monkeypatch.setattr(referring, "picture_scene", lambda *_: scene_of())
    with pytest.raises(ValueError, match="no thing of 20 pictures .*: allow more kinds, colours or settings"):
        referring_row(0, "train", 7, image_size=16)


def test_things_compare_by_value():
    scene = make_scene(0, 1)
    assert things_of(scene)[0] == Thing(*things_of(scene)[0])
