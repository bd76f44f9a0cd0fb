"""The picture world tells the truth: determinism, exact boxes, links that hold, balance, and pictures at every size."""

from collections import Counter

import numpy as np
import pytest

from nanovlms_hf.data.backdrops import backdrop
from nanovlms_hf.data.drawing import render
from nanovlms_hf.data.geometry import overlap_area
from nanovlms_hf.data.scenes import (
    COLOURS,
    DEFAULT_WORLD,
    HELD_OUT_STYLES,
    KINDS,
    RELATIONS,
    SETTINGS,
    STYLES,
    TRAIN_STYLES,
    Group,
    Look,
    Scene,
    WorldConfig,
    make_scene,
)


@pytest.fixture(scope="module")
def scenes():
    return [make_scene(11, index) for index in range(2500)]


def one_thing(kind: str, box, style="flat", pose=0, flipped=False, tint=(200, 40, 40)) -> Scene:
    group = Group(kind, None, None, 1, (box,), (Look(pose, flipped, tint),))
    return Scene(0, 0, "field", style, (group,), (), (0,))


def test_world_is_as_large_as_promised():
    assert len(KINDS) >= 40 and len(COLOURS) == 10 and len(SETTINGS) >= 8 and len(STYLES) >= 4
    assert set(TRAIN_STYLES) | set(HELD_OUT_STYLES) == set(STYLES) and not set(TRAIN_STYLES) & set(HELD_OUT_STYLES)
    assert RELATIONS == ("left of", "right of", "above", "on", "under", "in", "next to")


def test_same_arguments_same_scene_and_picture():
    assert make_scene(3, 5) == make_scene(3, 5)
    assert make_scene(3, 5) != make_scene(3, 6) and make_scene(3, 5) != make_scene(4, 5)
    first, second = np.asarray(render(make_scene(3, 5))), np.asarray(render(make_scene(3, 5)))
    assert np.array_equal(first, second)


def test_scenes_do_not_depend_on_what_was_made_before():
    alone = make_scene(9, 1234)
    for index in range(50):
        make_scene(9, index)
    assert make_scene(9, 1234) == alone


def test_neighbouring_streams_share_no_scenes():
    a = {make_scene(0, index).groups for index in range(300)}
    b = {make_scene(1, index).groups for index in range(300)}
    assert not a & b


def test_links_hold_and_mirror(scenes):
    for scene in scenes:
        for subject, relation, other in scene.links:
            assert scene.holds(relation, subject, other), (scene.index, scene.links)
        for a in scene.by_kind:
            for b in scene.by_kind:
                assert scene.holds("left of", a, b) == scene.holds("right of", b, a)
                assert scene.holds("next to", a, b) == scene.holds("next to", b, a)
                assert not (scene.holds("left of", a, b) and scene.holds("left of", b, a))
                assert scene.holds("under", a, b) == (scene.holds("above", b, a) or scene.holds("on", b, a))
                assert not (scene.holds("on", a, b) and scene.holds("above", a, b))


def test_every_later_group_is_linked_to_the_rest(scenes):
    for scene in scenes:
        assert len(scene.links) == len(scene.groups) - 1
    assert {relation for scene in scenes for _, relation, _ in scene.links} == set(RELATIONS)


def test_in_and_on_are_never_accidental(scenes):
    for scene in scenes:
        for a in scene.by_kind:
            for b in scene.by_kind:
                for relation in ("in", "on"):
                    assert scene.holds(relation, a, b) == ((a, relation, b) in scene.links)


def test_groups_are_in_canonical_order_with_distinct_nouns(scenes):
    for scene in scenes:
        centres = [group.centre[0] for group in scene.groups]
        assert centres == sorted(centres)
        nouns = [KINDS[group.kind].noun for group in scene.groups]
        assert len(set(nouns)) == len(nouns)


def test_groups_are_consistent(scenes):
    for scene in scenes:
        for group in scene.groups:
            kind = KINDS[group.kind]
            assert group.count == len(group.boxes) == len(group.looks) <= kind.max_count
            assert (group.colour in kind.colours) if kind.colours else group.colour is None
            assert group.size is None or group.count == 1
            assert scene.setting not in [s.name for s in SETTINGS.values() if group.kind in s.hides]
            for x0, y0, x1, y1 in group.boxes:
                assert 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1


def test_marked_sizes_are_clearly_different(scenes):
    sides: dict = {"small": [], None: [], "big": []}
    for scene in scenes:
        for group in scene.groups:
            if group.count == 1:
                x0, y0, x1, y1 = group.boxes[0]
                sides[group.size].append(((x1 - x0) * (y1 - y0)) ** 0.5 / KINDS[group.kind].scale)
    assert max(sides["small"]) <= 0.6 * min(sides[None])
    assert min(sides["big"]) >= 1.5 * max(sides[None])


def test_boxes_leave_most_of_everything_visible(scenes):
    for scene in scenes:
        for position, index in enumerate(scene.order):
            group = scene.groups[index]
            for box in group.boxes:
                in_front = [scene.groups[i] for i in scene.order[position + 1 :]]
                hidden = sum(overlap_area(box, other) for front in in_front for other in front.boxes)
                assert hidden <= 0.25 * (box[2] - box[0]) * (box[3] - box[1]) + 1e-9


def test_kinds_colours_and_settings_are_balanced(scenes):
    kinds = Counter(group.kind for scene in scenes for group in scene.groups)
    expected = sum(kinds.values()) / len(KINDS)
    assert set(kinds) == set(KINDS)
    assert 0.5 * expected < min(kinds.values()) and max(kinds.values()) < 1.7 * expected
    settings = Counter(scene.setting for scene in scenes)
    assert min(settings.values()) > 0.75 * len(scenes) / len(SETTINGS)
    colours = Counter(group.colour for scene in scenes for group in scene.groups if group.colour)
    assert set(colours) == set(COLOURS) and max(colours.values()) < 1.6 * min(colours.values())
    counts = Counter(group.count for scene in scenes for group in scene.groups)
    assert counts[1] > 0.6 * sum(counts.values()) and min(counts[n] for n in range(1, 6)) > 50


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", list(KINDS)[::4])
def test_box_is_where_the_pixels_are(kind, style):
    box = (0.3, 0.25, 0.62, 0.71)
    for pose, flipped in ((0, False), (1 if KINDS[kind].tilts else 0, True)):
        scene = one_thing(kind, box, style, pose, flipped)
        picture = np.asarray(render(scene, 256), dtype=int)
        empty = Scene(0, 0, "field", style, (), (), ())
        changed = np.abs(picture - np.asarray(render(empty, 256), dtype=int)).max(-1) > 12
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        drawn = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        assert np.abs(np.array(drawn) - 256 * np.array(box)).max() <= 2.5, (drawn, [256 * v for v in box])


def test_flipping_mirrors_and_tint_colours():
    box = (0.25, 0.25, 0.75, 0.75)
    plain, flipped = (one_thing("duck", box, flipped=flag) for flag in (False, True))
    a, b = (np.asarray(render(s, 128), dtype=int)[32:96, 32:96] for s in (plain, flipped))
    assert np.abs(a - b).mean() > 10 > np.abs(a[:, ::-1] - b)[12:-12, 12:-12].mean()
    ball = np.asarray(render(one_thing("ball", box, tint=(200, 40, 40)), 128), dtype=int)
    assert np.abs(ball[40, 68] - (200, 40, 40)).max() < 15


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", [32, 64, 128, 224, 512])
def test_every_style_renders_at_every_size(style, size):
    picture = render(make_scene(2, 3), size, style)
    assert picture.size == (size, size) and picture.mode == "RGB"
    assert np.asarray(picture).std() > 5


def test_layout_is_the_same_at_every_size():
    scene = make_scene(2, 7)
    large, small = render(scene, 256).resize((64, 64)), render(scene, 64)
    assert np.abs(np.asarray(large, dtype=int) - np.asarray(small, dtype=int)).mean() < 10


def test_styles_look_different():
    scene = make_scene(2, 3)
    pictures = [np.asarray(render(scene, 96, style), dtype=int) for style in STYLES]
    for i, a in enumerate(pictures):
        for b in pictures[i + 1 :]:
            assert np.abs(a - b).mean() > 1.5


def test_kept_backdrops_stay_clean():
    before = np.asarray(backdrop("field", "flat", 0, 64)).copy()
    for index in range(40):
        render(make_scene(0, index, WorldConfig(settings=("field",), styles=("flat",))), 64)
    assert np.array_equal(before, np.asarray(backdrop("field", "flat", 0, 64)))


def test_place_words():
    scene = one_thing("cat", (0.0, 0.0, 0.2, 0.2))
    assert scene.place("cat") == "top left"
    assert one_thing("cat", (0.4, 0.4, 0.6, 0.6)).place("cat") == "middle"
    assert one_thing("cat", (0.8, 0.4, 1.0, 0.6)).place("cat") == "middle right"


def test_config_restricts_the_world():
    config = WorldConfig(
        kinds=("cat", "ball", "banana"),
        colours=("red",),
        settings=["beach"],
        max_groups=2,
        max_count=1,
        mark_sizes=False,
    )
    for index in range(100):
        scene = make_scene(0, index, config)
        assert scene.setting == "beach" and scene.style in TRAIN_STYLES and len(scene.groups) <= 2
        for group in scene.groups:
            assert group.kind in ("cat", "ball", "banana") and group.count == 1 and group.size is None
            assert group.colour == (None if group.kind == "banana" else "red")


@pytest.mark.parametrize(
    "wrong",
    [
        {"styles": ("oil",)},
        {"kinds": ()},
        {"colours": ("mauve",)},
        {"min_groups": 0},
        {"min_groups": 3, "max_groups": 2},
        {"max_count": 6},
        {"kinds": ("apple",), "colours": ("blue",)},
        {"kinds": ("cat",), "min_groups": 2},
    ],
)
def test_wrong_configs_say_what_to_change(wrong):
    with pytest.raises(ValueError, match="choose|allow"):
        WorldConfig(**wrong)


def test_wrong_arguments_are_refused():
    scene = make_scene(0, 0)
    with pytest.raises(ValueError, match="0 or more"):
        make_scene(-1, 0)
    with pytest.raises(ValueError, match="unknown relation"):
        scene.holds("behind", "cat", "dog")
    with pytest.raises(ValueError, match="unknown style"):
        render(scene, style="oil")
    with pytest.raises(ValueError, match="pixels"):
        render(scene, size=4)
    assert not scene.holds("left of", "no such kind", "cat")


def test_default_world_keeps_held_out_styles_out():
    assert DEFAULT_WORLD.styles == TRAIN_STYLES
