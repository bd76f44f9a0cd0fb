"""Dense targets: what each patch of a picture shows, for forcing a vision tower to see before a decoder learns to speak.

A language-modelling loss on descriptions is a weak teacher of sight: fluency comes first, and the loss goes flat at the
sentence patterns while colours and kinds are still at chance. A patch-wise target is a strong one: a picture of 64 patches
gives hundreds of labels, where a short description has some twenty words, most of which can be guessed without looking.

All targets come from what a scene knows of itself; where things are, from their boxes alone (a thing that hides another plays
no part). Kinds, colours and counts could be had from any detection data set.
"""

from dataclasses import dataclass

import numpy as np

from .scenes import COLOURS, KINDS, RELATIONS, SETTINGS, SIZES, Scene

MAX_GROUPS, MAX_COUNT = 4, 5
IGNORED = -100


@dataclass(frozen=True)
class DenseTask:
    """One classification: its name, its classes, and whether it is asked of each patch or of the whole picture."""

    name: str
    classes: tuple[str, ...]
    per_patch: bool = True

    @property
    def num_classes(self) -> int:
        """Classes, the leading "none" of a patch-wise task included."""
        return len(self.classes)


_NONE = ("none",)
DENSE_TASKS: tuple[DenseTask, ...] = (
    DenseTask("kind", _NONE + tuple(KINDS)),
    DenseTask("colour", _NONE + tuple(COLOURS)),
    DenseTask("size", _NONE + SIZES),
    DenseTask("count", _NONE + tuple(str(n) for n in range(1, MAX_COUNT + 1))),
    # The place of the thing in the order in which a description names things.
    DenseTask("order", _NONE + tuple(str(n) for n in range(1, MAX_GROUPS + 1))),
    DenseTask("relation", _NONE + tuple(RELATIONS)),
    DenseTask("setting", tuple(SETTINGS), per_patch=False),
)
_INDEX = {task.name: {name: i for i, name in enumerate(task.classes)} for task in DENSE_TASKS}


def owner_of_patches(scene: Scene, grid: int) -> np.ndarray:
    """Which group each patch shows.

    Args:
        scene (`Scene`): a scene with boxes in [0, 1].
        grid (`int`): patches along a side.

    Returns:
        `np.ndarray` of shape `(grid, grid)`: the index of the group whose box covers the patch's centre, the smallest
        box where several do; -1 for the background.
    """
    owner = np.full((grid, grid), -1, dtype=np.int64)
    area = np.full((grid, grid), np.inf)
    centres = (np.arange(grid) + 0.5) / grid
    for index, group in enumerate(scene.groups):
        for x0, y0, x1, y1 in group.boxes:
            inside = ((centres >= y0) & (centres <= y1))[:, None] & ((centres >= x0) & (centres <= x1))[None, :]
            if not inside.any():  # smaller than a patch: the patch that holds its centre
                row, column = int((y0 + y1) / 2 * grid), int((x0 + x1) / 2 * grid)
                inside[min(max(row, 0), grid - 1), min(max(column, 0), grid - 1)] = True
            size = (x1 - x0) * (y1 - y0)
            won = inside & (size < area)
            owner[won], area[won] = index, size
    return owner


def dense_targets(scene: Scene, grid: int) -> dict[str, np.ndarray]:
    """The class of every dense task for every patch of a scene.

    All patches of a group have the group's classes; "relation" is that of the first link of which it is the subject, "none"
    where it is of none.

    Returns:
        `dict[str, np.ndarray]`: for each task of `DENSE_TASKS` an int64 array of shape `(grid * grid,)`, or `()` for the
        tasks about the whole picture.
    """
    owner = owner_of_patches(scene, grid).reshape(-1)
    links = {}
    for subject, relation, _ in scene.links:
        links.setdefault(subject, relation)
    targets = {}
    values = {
        "kind": [group.kind for group in scene.groups],
        "colour": [group.colour or "none" for group in scene.groups],
        "size": [group.size or "none" for group in scene.groups],
        "count": [str(group.count) for group in scene.groups],
        "order": [str(rank) for rank in range(1, len(scene.groups) + 1)],  # groups stand in the order of the texts
        "relation": [links.get(group.kind, "none") for group in scene.groups],
    }
    for task, names in values.items():
        table = np.array([_INDEX[task]["none"], *(_INDEX[task][name] for name in names)], dtype=np.int64)
        targets[task] = table[owner + 1]
    targets["setting"] = np.int64(_INDEX["setting"][scene.setting])
    return targets


def crowd_targets(crowd: Scene, grid: int) -> dict[str, np.ndarray]:
    """As `dense_targets` for a crowd: kinds, colours and setting; -100 (ignored) for size, count, order and relation."""
    owner = owner_of_patches(crowd, grid).reshape(-1)
    targets = {task.name: np.full(owner.shape, IGNORED, dtype=np.int64) for task in DENSE_TASKS if task.per_patch}
    for task, names in (
        ("kind", [group.kind for group in crowd.groups]),
        ("colour", [group.colour or "none" for group in crowd.groups]),
    ):
        table = np.array([_INDEX[task]["none"], *(_INDEX[task][name] for name in names)], dtype=np.int64)
        targets[task] = table[owner + 1]
    targets["setting"] = np.int64(_INDEX["setting"][crowd.setting])
    return targets


__all__ = ["DENSE_TASKS", "DenseTask", "crowd_targets", "dense_targets", "owner_of_patches"]
