"""Crowds: many single things a picture, always the same for the same arguments."""

import pytest

from nanovlms_hf.data.crowds import make_crowd
from nanovlms_hf.data.drawing import render
from nanovlms_hf.data.scenes import COLOURS, KINDS, WorldConfig


def test_a_crowd_is_a_function_of_seed_and_index():
    assert make_crowd(3, 7) == make_crowd(3, 7)
    assert make_crowd(3, 7) != make_crowd(3, 8)
    assert make_crowd(3, 7) != make_crowd(4, 7)
    assert render(make_crowd(3, 7), 64).tobytes() == render(make_crowd(3, 7), 64).tobytes()


def test_a_crowd_fills_its_cells():
    assert {len(make_crowd(0, index).groups) for index in range(20)} == {9, 16}
    assert len(make_crowd(0, 0, columns=2).groups) == 4
    for index in range(20):
        crowd = make_crowd(1, index, columns=3)
        assert sorted(crowd.order) == list(range(9)) and crowd.links == ()
        for cell, group in enumerate(crowd.groups):
            (x0, y0, x1, y1), kind = group.boxes[0], KINDS[group.kind]
            assert 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1
            assert abs((x0 + x1) / 2 * 3 - cell % 3 - 0.5) < 0.55 and abs((y0 + y1) / 2 * 3 - cell // 3 - 0.5) < 0.55
            assert group.count == 1 and group.size is None
            assert group.colour in kind.colours if kind.colours else group.colour is None


def test_a_crowd_is_drawn_from_the_world_it_is_given():
    world = WorldConfig(kinds=("cat", "ball", "sun"), colours=("red", "blue"), settings=("field",), styles=("crayon",))
    for index in range(10):
        crowd = make_crowd(0, index, world)
        assert (crowd.setting, crowd.style) == ("field", "crayon")
        assert {group.kind for group in crowd.groups} <= {"cat", "ball", "sun"}
        assert {group.colour for group in crowd.groups} <= {"red", "blue", None}


def test_every_kind_and_colour_occurs():
    groups = [group for index in range(150) for group in make_crowd(0, index).groups]
    assert {group.kind for group in groups} == set(KINDS)
    assert {group.colour for group in groups} - {None} == set(COLOURS)


@pytest.mark.parametrize("columns", [1, 6])
def test_any_number_of_cells_stays_inside_the_picture(columns):
    for index in range(5):
        for group in make_crowd(0, index, columns=columns).groups:
            x0, y0, x1, y1 = group.boxes[0]
            assert 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1
