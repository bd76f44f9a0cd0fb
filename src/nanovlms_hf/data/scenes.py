"""Scenes of the picture world: a scene is a pure function of (seed, index, config) and knows everything true of itself.

    scene = make_scene(seed=0, index=7)
    scene.facts()                         # what a full description should say
    scene.holds("left of", "cat", "ball")  # any other statement, decided from geometry

Groups stand in canonical order, left to right by the centre of their hull. Texts name them in this order.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from random import Random
from typing import NamedTuple

from .geometry import Box, hull, relation_holds
from .layout import Placed, flies, place, random_poses
from .vocabulary import (
    COLOURS,
    HELD_OUT_STYLES,
    KINDS,
    RELATIONS,
    SETTINGS,
    SIZES,
    STYLES,
    TRAIN_STYLES,
    Kind,
    Setting,
)

Fact = tuple[str, ...]

_COUNT_WEIGHTS = {1: 70, 2: 11, 3: 9, 4: 5, 5: 5}


@dataclass(frozen=True)
class WorldConfig:
    """Which part of the picture world scenes are drawn from.

    Args:
        styles: drawing styles to choose from.
        kinds, colours, settings: names to choose from. Kinds with no allowed colour left are not drawn.
        min_groups, max_groups: how many groups a scene has, 1 to 4. A crowded scene may hold fewer than drawn for it,
            never fewer than `min_groups`.
        max_count: largest count of one group, 1 to 5.
        mark_sizes: whether some things are drawn small or big.

    Raises:
        ValueError: for an empty or unknown choice or a number out of range.
    """

    styles: tuple[str, ...] = TRAIN_STYLES
    kinds: tuple[str, ...] = tuple(KINDS)
    colours: tuple[str, ...] = tuple(COLOURS)
    settings: tuple[str, ...] = tuple(SETTINGS)
    min_groups: int = 1
    max_groups: int = 3
    max_count: int = 5
    mark_sizes: bool = True

    def __post_init__(self):
        for name, known in (("styles", STYLES), ("kinds", KINDS), ("colours", COLOURS), ("settings", SETTINGS)):
            chosen = tuple(getattr(self, name))
            object.__setattr__(self, name, chosen)  # lists from a YAML file become hashable
            unknown = [entry for entry in chosen if entry not in known]
            if unknown or not chosen:
                given = f"holds unknown {unknown}" if unknown else "is empty"
                raise ValueError(f"WorldConfig.{name} {given}: choose one or more of {', '.join(known)}")
        if not 1 <= self.min_groups <= self.max_groups <= 4:
            raise ValueError(
                f"WorldConfig got min_groups={self.min_groups}, max_groups={self.max_groups}: "
                "choose 1 <= min_groups <= max_groups <= 4"
            )
        if not 1 <= self.max_count <= 5:
            raise ValueError(f"WorldConfig.max_count is {self.max_count}: choose a number from 1 to 5")
        kinds, _ = _choices(self)
        for setting, (names, _) in kinds.items():
            nouns = {KINDS[name].noun for name in names}
            if len(nouns) < self.min_groups:
                raise ValueError(
                    f"WorldConfig leaves {len(nouns)} kinds for the setting {setting!r}, min_groups is {self.min_groups}: "
                    "allow more kinds or colours, drop the setting, or lower min_groups"
                )


class Look(NamedTuple):
    """How one instance is drawn: pose index, mirrored or not, and its exact tint (r, g, b)."""

    pose: int
    flipped: bool
    tint: tuple[int, int, int]


@dataclass(frozen=True)
class Group:
    """One or more things of one kind, colour and size.

    Attributes:
        kind: name in `KINDS`.
        colour: name in `COLOURS`; None for things with only a natural colour.
        size: "small", "big" or None for ordinary; only single things are ever marked.
        count: how many, 1 to 5.
        boxes: (x0, y0, x1, y1) of each instance in fractions of the picture, tight around its drawn pixels.
        looks: how each instance is drawn.
    """

    kind: str
    colour: str | None
    size: str | None
    count: int
    boxes: tuple[Box, ...]
    looks: tuple[Look, ...]

    @property
    def hull(self) -> Box:
        """The box around all instances."""
        return hull(self.boxes)

    @property
    def centre(self) -> tuple[float, float]:
        """The centre of the hull."""
        x0, y0, x1, y1 = self.hull
        return (x0 + x1) / 2, (y0 + y1) / 2


@dataclass(frozen=True)
class Scene:
    """A picture's exact truth.

    Attributes:
        seed, index: what it was made from.
        setting: name in `SETTINGS`.
        style: name in `STYLES`.
        groups: the things in it, left to right by hull centre; no two share a kind or a head noun.
        links: (kind, relation, kind) triples the layout was built from; all of them hold.
        order: indices into `groups` in drawing order, farthest first.
    """

    seed: int
    index: int
    setting: str
    style: str
    groups: tuple[Group, ...]
    links: tuple[tuple[str, str, str], ...]
    order: tuple[int, ...]

    @cached_property
    def by_kind(self) -> dict[str, Group]:
        """The group of each kind present."""
        return {group.kind: group for group in self.groups}

    def holds(self, relation: str, kind_a: str, kind_b: str) -> bool:
        """Whether "`kind_a` is `relation` `kind_b`" is true; false when either is absent or both are the same.

        See `geometry.relation_holds` for the exact meaning of each relation.

        Raises:
            ValueError: for a name that is not in `RELATIONS`.
        """
        if relation not in RELATIONS:
            raise ValueError(f"unknown relation {relation!r}: use one of {', '.join(RELATIONS)}")
        a, b = self.by_kind.get(kind_a), self.by_kind.get(kind_b)
        if a is None or b is None or a is b:
            return False
        return relation_holds(relation, kind_a, a.boxes, kind_b, b.boxes)

    def place(self, kind: str) -> str:
        """Where a kind is, on a grid of 3 x 3 by the centre of its hull: "top left", "middle", "bottom right", ...

        Raises:
            KeyError: when the kind is not in the scene.
        """
        x, y = self.by_kind[kind].centre
        row, column = ("top", "middle", "bottom")[min(2, int(3 * y))], ("left", "middle", "right")[min(2, int(3 * x))]
        return row if row == column else f"{row} {column}"

    def facts(self) -> frozenset[Fact]:
        """The truths a full description should state: setting, and for each group kind, colour, marked size and count
        above one, and the links of the layout as ("relation", kind, relation, kind).
        """
        facts: list[Fact] = [("setting", self.setting)]
        for group in self.groups:
            facts.append(("kind", group.kind))
            if group.colour:
                facts.append(("colour", group.kind, group.colour))
            if group.size:
                facts.append(("size", group.kind, group.size))
            if group.count > 1:
                facts.append(("count", group.kind, str(group.count)))
        facts.extend(("relation", *link) for link in self.links)
        return frozenset(facts)


@lru_cache(maxsize=64)
def _choices(config: WorldConfig) -> tuple[dict[str, tuple[list[str], list[float]]], dict[str, tuple[str, ...]]]:
    """For each setting the kinds it may show and their cumulative weights; for each kind its allowed colours.

    Weights are balanced until every kind is as likely as any other, though some fit only few settings.
    """
    colours = {name: tuple(c for c in KINDS[name].colours if c in config.colours) for name in config.kinds}
    usable = [name for name in config.kinds if colours[name] or not KINDS[name].colours]
    fitting = {s: [name for name in usable if _fits(KINDS[name], SETTINGS[s])] for s in config.settings}
    weight = dict.fromkeys(usable, 1.0)
    for _ in range(20):
        chance = dict.fromkeys(usable, 1e-9)
        for names in fitting.values():
            total = sum(weight[name] for name in names)
            for name in names:
                chance[name] += weight[name] / total
        weight = {name: weight[name] / chance[name] for name in usable}
    return {s: (names, list(accumulate(weight[name] for name in names))) for s, names in fitting.items()}, colours


def _fits(kind: Kind, setting: Setting) -> bool:
    if kind.name in setting.hides:
        return False
    return "sky" in kind.places or setting.ground in kind.places


def tint_of(rng: Random, colour: str | None) -> tuple[int, int, int]:
    """The exact (r, g, b) that a colour name is drawn in this time; None for things of natural colour."""
    if colour is None:
        return (128, 128, 128)
    gain = rng.uniform(0.93, 1.06)
    return tuple(max(0, min(255, round(channel * gain + rng.uniform(-9, 9)))) for channel in COLOURS[colour])


def _draft(rng: Random, config: WorldConfig, kind: Kind, setting: Setting) -> Placed:
    """A group with everything decided but its place."""
    counts = [n for n in _COUNT_WEIGHTS if n <= min(config.max_count, kind.max_count)]
    count = rng.choices(counts, [_COUNT_WEIGHTS[n] for n in counts])[0]
    size = None
    if count == 1 and config.mark_sizes and kind.sizes and rng.random() < 0.45:
        size = rng.choice(kind.sizes)
    flying = flies(rng, kind) or setting.ground not in kind.places
    return Placed(kind, size, count, flying, random_poses(rng, kind, count))


def _finish(rng: Random, draft: Placed, colours: tuple[str, ...]) -> Group:
    colour = rng.choice(colours) if colours else None
    tint = tint_of(rng, colour)
    may_flip = draft.kind.name not in ("book",)
    looks = tuple(Look(pose, may_flip and rng.random() < 0.5, tint) for pose in draft.poses)
    return Group(draft.kind.name, colour, draft.size, draft.count, draft.boxes, looks)


def _pick_kinds(rng: Random, config: WorldConfig, setting: Setting, wanted: int) -> list[Kind]:
    """Kinds with different head nouns, `wanted` of them and one in reserve; mostly those that carry others first."""
    names, weights = _choices(config)[0][setting.name]
    kinds: list[Kind] = []
    for _ in range(4 * wanted):
        kind = KINDS[rng.choices(names, cum_weights=weights)[0]]
        if all(kind.noun != other.noun for other in kinds):
            kinds.append(kind)
        if len(kinds) > wanted:
            break
    if rng.random() < 0.85:
        kinds[:wanted] = sorted(kinds[:wanted], key=lambda kind: kind.top is None and kind.rim is None)
    return kinds


def _attempt(
    rng: Random, config: WorldConfig, setting: Setting, wanted: int
) -> tuple[list[Placed], list[tuple[str, str, str]]]:
    placed: list[Placed] = []
    links: list[tuple[str, str, str]] = []
    for kind in _pick_kinds(rng, config, setting, wanted):
        draft = _draft(rng, config, kind, setting)
        link = place(rng, draft, placed, config.mark_sizes)
        if link is None:
            continue
        if placed:
            links.append((kind.name, link[0], link[1].kind.name))
        placed.append(draft)
        if len(placed) == wanted:
            break
    return placed, links


def make_scene(seed: int, index: int, config: WorldConfig | None = None) -> Scene:
    """Make scene number `index` of the stream `seed`: always the same for the same arguments.

    Args:
        seed: the stream, 0 or more; train and test sets use different seeds.
        index: position in the stream, 0 or more.
        config: which part of the world to draw from; `DEFAULT_WORLD` when left out.

    Raises:
        ValueError: for a negative seed or index, or when the config leaves no room for `min_groups` groups.
    """
    config = DEFAULT_WORLD if config is None else config
    if seed < 0 or index < 0:
        raise ValueError(f"make_scene got seed={seed}, index={index}: give integers of 0 or more")
    rng = Random((seed << 64) | index)
    setting = SETTINGS[rng.choice(config.settings)]
    style = rng.choice(config.styles)
    wanted = _number_of_groups(rng, config)
    for _ in range(40):
        placed, links = _attempt(rng, config, setting, wanted)
        if len(placed) >= config.min_groups:
            break
    else:
        raise ValueError(
            f"no room for {config.min_groups} groups in scene (seed={seed}, index={index}): lower min_groups or max_count"
        )
    colours = _choices(config)[1]
    groups = [_finish(rng, draft, colours[draft.kind.name]) for draft in placed]
    ranks = sorted(range(len(groups)), key=lambda i: groups[i].centre)
    order = sorted(range(len(groups)), key=lambda i: placed[ranks[i]].depth)
    return Scene(seed, index, setting.name, style, tuple(groups[i] for i in ranks), tuple(links), tuple(order))


def _number_of_groups(rng: Random, config: WorldConfig) -> int:
    numbers = range(config.min_groups, config.max_groups + 1)
    return rng.choices(numbers, [(25, 40, 35, 15)[n - 1] for n in numbers])[0]


DEFAULT_WORLD = WorldConfig()

__all__ = [
    "COLOURS",
    "DEFAULT_WORLD",
    "HELD_OUT_STYLES",
    "KINDS",
    "RELATIONS",
    "SETTINGS",
    "SIZES",
    "STYLES",
    "TRAIN_STYLES",
    "Fact",
    "Group",
    "Kind",
    "Look",
    "Scene",
    "Setting",
    "WorldConfig",
    "make_scene",
    "tint_of",
]
