"""Dense targets of hand-made scenes, patch by patch."""

import numpy as np
import pytest

from nanovlms_hf.data.crowds import make_crowd
from nanovlms_hf.data.dense import (
    DENSE_TASKS,
    IGNORED,
    MAX_COUNT,
    MAX_GROUPS,
    crowd_targets,
    dense_targets,
    owner_of_patches,
)
from nanovlms_hf.data.scenes import COLOURS, KINDS, RELATIONS, SETTINGS, SIZES, Group, Look, Scene, make_scene

CLASSES = {task.name: task.classes for task in DENSE_TASKS}


def group(kind: str, *boxes, colour=None, size=None) -> Group:
    looks = (Look(0, False, (128, 128, 128)),) * len(boxes)
    return Group(kind, colour, size, len(boxes), boxes, looks)


def scene(*groups: Group, links=(), setting="field") -> Scene:
    return Scene(0, 0, setting, "flat", groups, links, tuple(range(len(groups))))


def names(targets: dict, task: str, grid: int) -> list[list[str]]:
    """Class names of a task as a grid."""
    return [[CLASSES[task][index] for index in row] for row in targets[task].reshape(grid, grid)]


def test_the_tasks_name_all_of_the_vocabulary():
    assert CLASSES["kind"] == ("none", *KINDS)
    assert CLASSES["colour"] == ("none", *COLOURS)
    assert CLASSES["size"] == ("none", *SIZES)
    assert CLASSES["relation"] == ("none", *RELATIONS)
    assert CLASSES["setting"] == tuple(SETTINGS)
    assert CLASSES["count"] == ("none", "1", "2", "3", "4", "5") and MAX_COUNT == 5
    assert CLASSES["order"] == ("none", "1", "2", "3", "4") and MAX_GROUPS == 4
    assert [task.num_classes for task in DENSE_TASKS] == [len(task.classes) for task in DENSE_TASKS]


def test_every_patch_says_what_it_shows():
    made = scene(
        group("cat", (0.0, 0.0, 0.5, 0.5), colour="red", size="big"),
        group("ball", (0.5, 0.75, 0.75, 1.0), (0.75, 0.5, 1.0, 0.75), colour="blue"),
        links=(("cat", "above", "ball"),),
        setting="beach",
    )
    targets = dense_targets(made, 4)
    n, c, b = "none", "cat", "ball"
    assert names(targets, "kind", 4) == [[c, c, n, n], [c, c, n, n], [n, n, n, b], [n, n, b, n]]
    table = {
        "colour": ("red", "blue"),
        "size": ("big", n),
        "count": ("1", "2"),
        "order": ("1", "2"),
        "relation": ("above", n),
    }
    for task, (first, second) in table.items():
        wanted = [[{n: n, c: first, b: second}[kind] for kind in row] for row in names(targets, "kind", 4)]
        assert names(targets, task, 4) == wanted, task
    assert SETTINGS and CLASSES["setting"][targets["setting"]] == "beach"
    assert all(targets[task.name].dtype == np.int64 for task in DENSE_TASKS)
    assert all(targets[task.name].shape == ((16,) if task.per_patch else ()) for task in DENSE_TASKS)


def test_the_smaller_of_two_boxes_owns_a_patch_whatever_their_order():
    large, small = (0.0, 0.0, 1.0, 1.0), (0.5, 0.5, 1.0, 1.0)
    assert owner_of_patches(scene(group("house", large), group("cat", small)), 2).tolist() == [[0, 0], [0, 1]]
    assert owner_of_patches(scene(group("cat", small), group("house", large)), 2).tolist() == [[1, 1], [1, 0]]


def test_a_box_counts_where_it_covers_the_middle_of_a_patch():
    # Middles of four patches stand at 0.125, 0.375, 0.625 and 0.875.
    assert owner_of_patches(scene(group("cat", (0.13, 0.0, 0.63, 0.37))), 4).tolist() == [
        [-1, 0, 0, -1],
        [-1, -1, -1, -1],
        [-1, -1, -1, -1],
        [-1, -1, -1, -1],
    ]


@pytest.mark.parametrize(
    ("box", "cell"),
    [((0.3, 0.8, 0.32, 0.82), (3, 1)), ((0.99, 0.99, 1.0, 1.0), (3, 3)), ((0.0, 0.0, 0.01, 0.01), (0, 0))],
)
def test_a_thing_smaller_than_a_patch_takes_the_patch_it_lies_in(box, cell):
    owner = owner_of_patches(scene(group("cat", box)), 4)
    assert np.argwhere(owner == 0).tolist() == [list(cell)]


def test_only_the_first_relation_of_a_thing_is_its_target():
    made = scene(
        group("cat", (0.0, 0.0, 0.5, 1.0)),
        group("ball", (0.5, 0.0, 1.0, 1.0)),
        links=(("cat", "left of", "ball"), ("cat", "next to", "ball"), ("ball", "next to", "cat")),
    )
    assert names(dense_targets(made, 2), "relation", 2) == [["left of", "next to"]] * 2


def test_an_empty_scene_is_all_background():
    targets = dense_targets(scene(), 3)
    assert all((targets[task.name] == 0).all() for task in DENSE_TASKS if task.per_patch)


def test_drawn_scenes_have_their_own_names_as_targets():
    for index in range(40):
        made = make_scene(5, index)
        targets = dense_targets(made, 8)
        shown = set(np.array(CLASSES["kind"])[targets["kind"]]) - {"none"}
        assert shown <= {one.kind for one in made.groups}
        assert len(shown) >= len(made.groups) - 1  # a thing may be hidden behind smaller ones
        again = dense_targets(make_scene(5, index), 8)
        assert all(np.array_equal(targets[name], again[name]) for name in targets)


def test_a_crowd_teaches_kinds_colours_and_setting_only():
    made = scene(group("cat", (0.0, 0.0, 0.5, 0.5), colour="red"), group("cat", (0.5, 0.5, 1.0, 1.0), colour="blue"))
    targets, plain = crowd_targets(made, 2), dense_targets(made, 2)
    assert names(targets, "kind", 2) == [["cat", "none"], ["none", "cat"]]
    assert names(targets, "colour", 2) == [["red", "none"], ["none", "blue"]]
    assert targets["setting"] == plain["setting"]
    for task in ("size", "count", "order", "relation"):
        assert (targets[task] == IGNORED).all() and targets[task].shape == (4,)
    assert crowd_targets(make_crowd(0, 0), 8)["kind"].max() > 0
