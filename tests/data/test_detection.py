"""Boxes as text and back, and detection rows of the picture world."""

import json
import math
import random

import pytest

from nanovlms_hf.data.box_text import scale_box
from nanovlms_hf.data.detection import (
    ALL_PROMPTS,
    CLASS_PROMPTS,
    MOST_BOXES_AT_ONCE,
    DetectionConfig,
    absent_kinds,
    boxes_by_class,
    class_name,
    clear_crowd,
    detection_row,
    detection_turn,
    format_box,
    format_boxes,
    parse_box,
    parse_boxes,
    picture_scene,
    things_of,
)
from nanovlms_hf.data.geometry import overlap_area
from nanovlms_hf.data.ink import ink_boxes
from nanovlms_hf.data.scenes import KINDS, SETTINGS, WorldConfig, make_scene
from nanovlms_hf.evaluation.box_scores import box_iou

VARYS_OWN = "Person: [535, 544, 568, 591]; Car: [009, 552, 058, 737], [682, 598, 999, 976], [910, 558, 999, 600]; Bus: [044, 070, 913, 909]."


def said(row):
    return [message["content"][-1]["text"] for message in row["messages"]]


# Writing --------------------------------------------------------------------------------------------------------------


def test_detection_text_is_the_papers():
    boxes = {
        "Bus": [(44, 70, 913, 909)],
        "Car": [(910, 558, 1000, 600), (9, 552, 58, 737), (682, 598, 999.2, 976)],
        "Person": [(535, 544, 568, 591)],
    }
    assert format_boxes(boxes, 1000, 1000, names=["Person", "Car", "Bus"]) == VARYS_OWN
    assert format_boxes(boxes, 1000, 1000) == (
        "Car: [009, 552, 058, 737], [682, 598, 999, 976], [910, 558, 999, 600]; Bus: [044, 070, 913, 909]; "
        "Person: [535, 544, 568, 591]."
    )


@pytest.mark.parametrize(
    ("box", "size", "text"),
    [
        ((0, 0, 640, 480), (640, 480), "[000, 000, 999, 999]"),
        ((64, 48, 320, 240), (640, 480), "[100, 100, 500, 500]"),
        ((0.0351, 0.024, 0.847, 0.9014), (1, 1), "[035, 024, 847, 901]"),
        ((1, 2, 3, 4), (7, 9), "[143, 222, 429, 444]"),
        ((10, 10, 10.001, 20), (100, 100), "[100, 100, 101, 200]"),  # never empty
        ((99.99, 0, 100, 50), (100, 100), "[998, 000, 999, 500]"),
    ],
)
def test_one_box(box, size, text):
    assert format_box(box, *size) == text
    assert parse_box(text) == scale_box(box, *size)


def test_order_does_not_depend_on_what_was_given():
    boxes = {"b": [(5, 5, 9, 9), (1, 7, 9, 9), (1, 2, 9, 9)], "a": [(2, 0, 3, 1)], "none here": []}
    text = "b: [100, 200, 900, 900], [100, 700, 900, 900], [500, 500, 900, 900]; a: [200, 000, 300, 100]; none here: none."
    assert format_boxes(boxes, 10, 10) == text
    shuffled = {name: list(reversed(boxes[name])) for name in reversed(boxes)}
    assert format_boxes(shuffled, 10, 10) == text


def test_nothing_to_write():
    assert format_boxes({}, 10, 10) == "None."
    assert format_boxes({}, 10, 10, names=["Boat", "Cat"]) == "Boat: none; Cat: none."
    assert (
        format_boxes({"Cat": [(0, 0, 5, 5)]}, 10, 10, names=["Boat", "Cat"])
        == "Boat: none; Cat: [000, 000, 500, 500]."
    )


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((5, 1, 5, 4), "the box [5.0, 1.0, 5.0, 4.0] (x1, y1, x2, y2) of 'Cat' does not lie in a picture of 10x20: give corners"),
        ((6, 1, 5, 4), "does not lie"),
        ((1, 4, 5, 3), "does not lie"),
        ((-1, 1, 5, 4), "does not lie"),
        ((1, 1, 11, 4), "give corners with 0 <= x1 < x2 <= 10 and 0 <= y1 < y2 <= 20"),
        ((1, 1, 5, 21), "does not lie"),
        ((1, 1, 5), "the box (1, 1, 5) of 'Cat' in a picture of 10x20 is not four finite numbers: give x1, y1, x2, y2"),
        ((1, 1, 5, 6, 7), "not four finite numbers"),
        ((1, 1, math.nan, 4), "not four finite numbers"),
        ((1, 1, math.inf, 4), "not four finite numbers"),
        ((1, "a", 3, 4), "not four finite numbers"),
        (None, "not four finite numbers"),
        (7, "not four finite numbers"),
    ],
)  # fmt: skip
def test_bad_boxes(box, message):
    with pytest.raises(ValueError) as caught:
        format_boxes({"Cat": [box]}, 10, 20)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(0, 10), (10, -1), (math.nan, 10)])
def test_bad_pictures(size):
    with pytest.raises(ValueError, match="give its width and height in pixels"):
        format_boxes({"Cat": [(0, 0, 1, 1)]}, *size)


@pytest.mark.parametrize("name", ["", " ", "a;b", "a[b", "a]", "a\nb", "a:", " a", "a."])
def test_names_that_could_not_be_read_back(name):
    with pytest.raises(ValueError, match="cannot be written as detection text"):
        format_boxes({name: [(0, 0, 1, 1)]}, 10, 10)


def test_a_class_must_not_be_lost():
    with pytest.raises(ValueError, match=r"names=\['Dog'\] lacks \['Cat'\]"):
        format_boxes({"Cat": [(0, 0, 1, 1)]}, 10, 10, names=["Dog"])


def test_slack_cuts_what_reaches_over():
    assert format_boxes({"a": [(-1, 0, 101, 50)]}, 100, 50, slack=0.01) == "a: [000, 000, 999, 999]."
    with pytest.raises(ValueError, match="does not lie"):
        format_boxes({"a": [(-1.1, 0, 101, 50)]}, 100, 50, slack=0.01)


# Reading --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "boxes", "unreadable"),
    [
        ("Cat: [001, 002, 003, 004].", {"Cat": [(1, 2, 3, 4)]}, []),
        ("bus:[87, 234, 935, 861]", {"bus": [(87, 234, 935, 861)]}, []),
        ("[035, 24, 847, 901]", {"": [(35, 24, 847, 901)]}, []),
        ("Dog: [512, 181, 971, 1000]", {"Dog": [(512, 181, 971, 999)]}, []),
        ("Ice cream:[ 1,2 , 3,4 ],[5,6,7,8];Cat : [0,0,9,9]", {"Ice cream": [(1, 2, 3, 4), (5, 6, 7, 8)], "Cat": [(0, 0, 9, 9)]}, []),
        ("Cat: [1, 2, 3, 4]\nDog: [5, 6, 7, 8]", {"Cat": [(1, 2, 3, 4)], "Dog": [(5, 6, 7, 8)]}, []),
        ("Cat: [1, 2, 3, 4]. Dog: [5, 6, 7, 8].", {"Cat": [(1, 2, 3, 4)], "Dog": [(5, 6, 7, 8)]}, []),
        ("Cat: [1, 2, 3, 4]; cat: [5, 6, 7, 8]", {"Cat": [(1, 2, 3, 4), (5, 6, 7, 8)]}, []),
        ("Boat: none.", {"Boat": []}, []),
        ("Boat: none; Cat: [1, 2, 3, 4]; Dog: None.", {"Boat": [], "Cat": [(1, 2, 3, 4)], "Dog": []}, []),
        ("None.", {}, []),
        ("Cat: [1, 2, 3, 4], [005, 00", {"Cat": [(1, 2, 3, 4)]}, ["[005, 00"]),
        ("Cat: [1, 2, 3, 4]; Do", {"Cat": [(1, 2, 3, 4)]}, ["Do"]),
        ("Cat: [1, 2, 3, 4]; Dog:", {"Cat": [(1, 2, 3, 4)]}, ["Dog:"]),
        ("Cat: [1, 2, 3, 4]; Dog: [", {"Cat": [(1, 2, 3, 4)]}, ["["]),
        ("Cat: [9, 2, 3, 4], [5, 6, 7, 8]", {"Cat": [(5, 6, 7, 8)]}, ["[9, 2, 3, 4]"]),
        ("Cat: [1, 9, 3, 4]", {}, ["[1, 9, 3, 4]"]),
        ("Cat: [1, 2, 3]; Dog: [1, 2, 3, 4, 5]", {}, ["[1, 2, 3]", "[1, 2, 3, 4, 5]"]),
        ("Cat: [1, 2, 3, 1001]", {}, ["[1, 2, 3, 1001]"]),
        ("Cat: [1, 2, 3, 12345]", {}, ["[1, 2, 3, 12345]"]),
        ("Cat: [1, 2, -3, 4], [.1, 2, 3, 4]", {}, ["[1, 2, -3, 4]", "[.1, 2, 3, 4]"]),
        ("Cat: [[1, 2, 3, 4]]", {"": [(1, 2, 3, 4)]}, ["[", "]"]),
        ("Cat: [1, 2 Dog: [1, 2, 3, 4]", {"": [(1, 2, 3, 4)]}, ["[1, 2 Dog:"]),
        ("I see a cat.", {}, ["I see a cat"]),
        ("the woman is at [1, 2, 3, 4]", {"": [(1, 2, 3, 4)]}, ["the woman is at"]),
        ("Cat: [1, 2, 3, 4]; [5, 6, 7, 8]", {"Cat": [(1, 2, 3, 4)], "": [(5, 6, 7, 8)]}, []),
        ("", {}, [""]),
        ("  \n", {}, ["  \n"]),
        ("Cat: [١, ٢, ٣, ٤]", {}, ["[١, ٢, ٣, ٤]"]),
    ],
)  # fmt: skip
def test_reading(text, boxes, unreadable):
    parsed = parse_boxes(text)
    assert (parsed.boxes, parsed.unreadable) == (boxes, unreadable)
    assert list(parsed.boxes) == list(boxes)
    assert parsed.all_boxes == [box for found in boxes.values() for box in found]
    assert parsed.is_lost == (bool(unreadable) and not boxes)


def test_no_text_makes_the_parser_raise():
    rng = random.Random(0)
    pieces = ["[", "]", ";", ":", ",", ".", " ", "\n", "12", "999", "1000", "Cat", "none", "é", "\x00"]
    for _ in range(1000):
        text = "".join(rng.choices(pieces, k=rng.randrange(30)))
        for boxes in parse_boxes(text).boxes.values():
            assert all(0 <= x1 <= x2 <= 999 and 0 <= y1 <= y2 <= 999 for x1, y1, x2, y2 in boxes)
        parse_box(text)
    assert len(parse_boxes("[" * 50_000).unreadable) == 50_000
    assert parse_boxes("1," * 50_000).is_lost


def test_what_is_written_is_read_back():
    rng = random.Random(1)
    for _ in range(300):
        boxes = {}
        for name in rng.sample(["Cat", "Ice cream", "Running girl", "a: b", "U.S. mail", "x, y"], rng.randrange(5)):
            boxes[name] = []
            for _ in range(rng.randrange(4)):
                (x1, x2), (y1, y2) = (sorted(rng.sample(range(640), 2)) for _ in range(2))
                boxes[name].append((x1, y1, x2, y2))
        parsed = parse_boxes(format_boxes(boxes, 640, 640))
        assert not parsed.unreadable
        assert parsed.boxes == {name: sorted(scale_box(b, 640, 640) for b in found) for name, found in boxes.items()}


def test_every_cut_of_an_answer_can_be_read():
    for end in range(len(VARYS_OWN)):
        whole = parse_boxes(VARYS_OWN).all_boxes
        found = parse_boxes(VARYS_OWN[:end]).all_boxes
        assert found == whole[: VARYS_OWN[:end].count("]")]


def test_the_first_box_answers():
    assert parse_box("the woman [9, 1, 2, 3]: [1, 2, 3, 4], [5, 6, 7, 8]") == (1, 2, 3, 4)
    assert parse_box("nowhere") is None and parse_box("") is None and parse_box("[1, 2, 3") is None


# Scenes ---------------------------------------------------------------------------------------------------------------


def test_every_instance_is_a_thing():
    scene = next(s for s in (make_scene(0, i) for i in range(99)) if any(g.count == 3 for g in s.groups))
    things = things_of(scene)
    assert len(things) == sum(group.count for group in scene.groups)
    assert {thing.box for thing in things} == {box for group in scene.groups for box in group.boxes}
    assert [thing.alone for thing in things].count(False) >= 3


def test_class_names_are_kinds_with_a_capital():
    assert (class_name("cat"), class_name("running girl"), class_name("ice cream")) == (
        "Cat",
        "Running girl",
        "Ice cream",
    )
    assert len({class_name(kind) for kind in KINDS}) == len(KINDS)


def test_boxes_are_tight_around_the_drawn_pixels():
    overlaps = []
    for index in (3, 7, 11, 18):
        scene = make_scene(0, index)
        for thing, ink in zip(things_of(scene), ink_boxes(scene, 128), strict=True):
            overlaps.append(box_iou(thing.box, ink))
    assert min(overlaps) > 0.85 and sum(overlaps) / len(overlaps) > 0.94


def test_what_stands_in_something_shows_its_upper_part():
    scene = next(s for s in (make_scene(0, i) for i in range(400)) if any(link[1] == "in" for link in s.links))
    inner = next(link[0] for link in scene.links if link[1] == "in")
    place = [thing.kind for thing in things_of(scene)].index(inner)
    whole, seen = ink_boxes(scene, 128)[place], ink_boxes(scene, 128, visible=True)[place]
    assert seen[3] < whole[3] - 0.01 and abs(seen[1] - whole[1]) < 0.02


def test_crowds_hide_nothing_and_name_nothing_of_the_backdrop():
    for index in range(40):
        crowd = clear_crowd(0, "train", index, columns=8 if index % 2 else None)
        assert sorted(crowd.order) == list(range(len(crowd.groups)))
        assert not {group.kind for group in crowd.groups} & set(SETTINGS[crowd.setting].hides)
        drawn = [crowd.groups[rank].boxes[0] for rank in crowd.order]
        for back, box in enumerate(drawn):
            hidden = sum(overlap_area(box, front) for front in drawn[back + 1 :])
            assert hidden <= 0.25001 * (box[2] - box[0]) * (box[3] - box[1])


# Rows -----------------------------------------------------------------------------------------------------------------


def test_a_row_is_a_function_of_seed_split_and_index():
    first, again = (detection_row(1, "train", 5, image_size=48) for _ in range(2))
    assert first["images"][0].tobytes() == again["images"][0].tobytes()
    assert (first["messages"], first["objects"]) == (again["messages"], again["objects"])
    rows = [detection_row(1, split, 5, image_size=48) for split in ("train", "validation", "test")]
    assert len({row["images"][0].tobytes() for row in rows}) == 3


def test_no_crowd_is_in_two_splits():
    crowds = [clear_crowd(0, split, 3) for split in ("train", "validation", "test")]
    assert len({crowd.groups for crowd in crowds}) == 3
    with pytest.raises(ValueError, match="split='dev' is unknown; choose one of train, validation, test"):
        clear_crowd(0, "dev", 3)
    with pytest.raises(ValueError, match="split='dev' is unknown"):
        detection_row(0, "dev", 3)


def test_the_form_of_a_row():
    row = detection_row(0, "train", 3, image_size=48, config=DetectionConfig(class_share=0, paraphrase=False))
    assert row["images"][0].size == (48, 48)
    assert row["messages"] == [
        {
            "role": "user",
            "content": [{"type": "image"}, {"type": "text", "text": "Detect all objects in this image."}],
        },
        {"role": "assistant", "content": [{"type": "text", "text": said(row)[1]}]},
    ]
    boxes = {}
    for kind, _, box in row["objects"]:
        boxes.setdefault(class_name(kind), []).append(box)
    assert said(row)[1] == format_boxes(boxes, 1, 1)
    json.dumps(row["messages"])


def test_full_pictures_are_asked_by_class():
    config = DetectionConfig(dense_share=1.0, paraphrase=False)
    for index in range(15):
        scene = picture_scene(0, "train", index, config=config)
        assert len(things_of(scene)) > MOST_BOXES_AT_ONCE
        question, answer = detection_turn(scene, random.Random(index), config)
        names = question.removeprefix("Detect ").removesuffix(" in this image.").split(", ")
        parsed = parse_boxes(answer)
        assert list(parsed.boxes) == names and not parsed.unreadable
        for name in names:
            true = [scale_box(thing.box, 1, 1) for thing in things_of(scene) if class_name(thing.kind) == name]
            assert parsed.boxes[name] == sorted(true)


def test_absent_classes_are_said_to_be_absent():
    config = DetectionConfig(class_share=1.0, absent_share=1.0, paraphrase=False)
    for index in range(30):
        scene = picture_scene(0, "train", index)
        question, answer = detection_turn(scene, random.Random(index), config)
        none = [name for name, boxes in parse_boxes(answer).boxes.items() if not boxes]
        assert len(none) == 1 and f"{none[0]}: none" in answer and none[0] in question
        kind = next(kind for kind in KINDS if class_name(kind) == none[0])
        assert kind in absent_kinds(scene) and kind not in SETTINGS[scene.setting].hides


def test_shares_and_wordings():
    questions = [detection_turn(picture_scene(0, "train", i), random.Random(i))[0] for i in range(600)]
    assert set(ALL_PROMPTS) <= set(questions)
    share = sum(question not in ALL_PROMPTS for question in questions) / 600
    assert 0.1 < share < 0.2
    sizes = [len(picture_scene(0, "train", i, config=DetectionConfig(crowd_share=0.5)).groups) for i in range(200)]
    assert 60 < sum(size > 3 for size in sizes) < 140
    assert len(set(ALL_PROMPTS)) >= 11 and len(set(CLASS_PROMPTS)) >= 11
    assert all("{classes}" in prompt for prompt in CLASS_PROMPTS)


def test_answers_keep_to_the_world():
    world = WorldConfig(kinds=("cat", "ball"), settings=("field",))
    config = DetectionConfig(class_share=1.0, absent_share=1.0)
    for index in range(30):
        scene = picture_scene(0, "train", index, world)
        answer = detection_turn(scene, random.Random(index), config, world)[1]
        assert set(parse_boxes(answer).boxes) <= {"Cat", "Ball"}
        assert set(boxes_by_class(things_of(scene))) <= {"Cat", "Ball"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"crowd_share": -0.1}, "crowd_share is -0.1: choose a share from 0 to 1"),
        ({"absent_share": 1.5}, "absent_share is 1.5"),
        ({"crowd_share": 0.6, "dense_share": 0.6}, "choose two shares of at most 1 together"),
    ],
)
def test_bad_shares(values, message):
    with pytest.raises(ValueError, match=message):
        DetectionConfig(**values)
