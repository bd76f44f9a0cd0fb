"""Referring expressions: words that single out one thing of a picture, and its box.

    for reference in referring_expressions(make_scene(0, 7), Random(0)):
        print(reference.text, reference.box)        # "the small red boat on the left" (0.03, ...)

An expression is built from parts (`Parts`) and kept only if `resolve` finds exactly the thing that was meant. Each part is
judged twice: *strictly*, true at a glance, and *loosely*, true for somebody who is not so exact. The thing meant has to
fit all parts strictly, and no other thing may fit all of them even loosely; so "the duck on the left" is never said where a
second duck stands just left of the middle.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import NamedTuple

from .box_text import format_box
from .detection import (
    DEFAULT_DETECTION,
    DetectionConfig,
    Thing,
    picture_row,
    picture_scene,
    things_of,
    with_overrides,
)
from .geometry import Box, relation_holds, shared
from .phrases import RELATION_CHOICES, SIZE_CHOICES
from .scenes import DEFAULT_WORLD, KINDS, Scene, WorldConfig

# The first is the paper's own.
REFERRING_PROMPTS = (
    "Detect an object: {expression}.",
    "Find {expression}.",
    "Where is {expression}?",
    "Give the box of {expression}.",
    "Locate {expression} in this image.",
    "Show me {expression}.",
    "Which part of the picture shows {expression}?",
    "Put a box around {expression}.",
    "Point out {expression}.",
    "I am looking for {expression}.",
    "Give the corners of {expression}.",
    "Mark {expression}.",
)

SIDES = ("left", "right", "top", "bottom", "middle")
EXTREMES = ("leftmost", "rightmost", "highest", "lowest", "biggest", "smallest")
CORNERS = ("top left", "top right", "bottom left", "bottom right")
ORDINALS = ("second from the left", "second from the right", "third from the left", "third from the right")
PLACES = SIDES + EXTREMES + CORNERS + ORDINALS

_SIDE_WORDS = {
    "left": "on the left",
    "right": "on the right",
    "top": "at the top",
    "bottom": "at the bottom",
    "middle": "in the middle",
}
_STRICT_SIDE, _LOOSE_SIDE = 0.38, 0.5  # where "on the left" ends
_STRICT_MIDDLE, _LOOSE_MIDDLE = 0.12, 0.24  # how far from the centre "in the middle" reaches, both ways
_APART = 0.06  # least distance between centres that is seen as a difference of place
_SAME_ROW = 0.03  # distance between centres that is not seen
_BIGGER = 1.3  # least ratio of the longest sides that is seen as a difference of size
_THING = "thing"
# A row whose picture holds nothing that words can single out shows another one, of an index that no row of a split has.
_ATTEMPTS, _FAR = 20, 1 << 34


class Parts(NamedTuple):
    """What an expression says.

    Attributes:
        noun: a kind ("running girl"), the head noun of a person ("girl"), or "thing" for anything but a person.
        colour, size: a colour and "small" or "big", as marked in the scene; None: not said.
        place: one of `PLACES`; the comparisons among them are with the things that fit all other words. None: not said.
        relation: a name in `RELATIONS`, and the thing that it refers to by its noun and colour; None: not said.
    """

    noun: str
    colour: str | None = None
    size: str | None = None
    place: str | None = None
    relation: tuple[str, "Parts"] | None = None


@dataclass(frozen=True)
class Reference:
    """An expression, what it says in parts, and the thing that it singles out."""

    text: str
    parts: Parts
    thing: Thing

    @property
    def box(self) -> Box:
        """The box of the thing, in fractions."""
        return self.thing.box


def resolve(parts: Parts, scene: Scene) -> Thing | None:
    """The one thing of a scene that an expression singles out; None where none or more than one might be meant.

    Raises:
        ValueError: for a place that is not in `PLACES`, or a relation not in `RELATIONS`.
    """
    return _resolve(parts, things_of(scene))


def referring_expressions(scene: Scene, rng: Random) -> list[Reference]:
    """One expression for each thing of a scene that can be singled out, in random order.

    Half of the expressions say no more than is needed, half more than that.

    Args:
        scene: a scene or a crowd.
        rng: draws the order, the parts and the wordings.
    """
    return list(_expressions(scene, rng))


def referring_turns(scene: Scene, rng: Random, number: int = 1, paraphrase: bool = True) -> list[tuple[str, str]]:
    """Up to `number` questions about different things of a scene with their answers, the boxes as text.

    Args:
        scene: what the picture shows.
        rng: draws things and wordings.
        number: how many are wanted; fewer come where fewer things can be singled out.
        paraphrase: whether prompts are drawn from all wordings; the paper's only when False.
    """
    turns = []
    for reference in islice(_expressions(scene, rng), number):
        prompt = rng.choice(REFERRING_PROMPTS) if paraphrase else REFERRING_PROMPTS[0]
        turns.append((prompt.format(expression=reference.text), format_box(reference.box, 1, 1)))
    return turns


def referring_row(
    seed: int,
    split: str,
    index: int,
    world: WorldConfig = DEFAULT_WORLD,
    image_size: int | None = None,
    crowd_share: float | None = None,
    questions: int = 1,
    config: DetectionConfig = DEFAULT_DETECTION,
) -> dict:
    """One picture with one or more referring expressions: a pure function of its arguments.

    Args:
        seed, split, index: which row; no picture is in two splits.
        world: kinds, colours, styles and counts to draw.
        image_size, crowd_share: override those of `config`.
        questions: how many expressions are asked in one conversation, each about another thing; fewer where the picture has
            fewer things that words can single out.
        config: which pictures; its shares of detection tasks play no part.

    Returns:
        `images`, `messages` and `objects` as in `detection_row`.

    Raises:
        ValueError: for an unknown split, less than one question, or a world none of whose things can be singled out.
    """
    if questions < 1:
        raise ValueError(f"questions={questions} were asked of a picture; give at least 1")
    config = with_overrides(config, image_size=image_size, crowd_share=crowd_share)
    rng = Random(f"{seed}:{split}:{index}:referring")
    for attempt in range(_ATTEMPTS):
        scene = picture_scene(seed, split, index + attempt * _FAR, world, config)
        turns = referring_turns(scene, rng, questions, config.paraphrase)
        if turns:
            return picture_row(scene, turns, config.image_size)
    raise ValueError(
        f"no thing of {_ATTEMPTS} pictures (seed={seed}, split={split!r}, index={index}) can be singled out by words: allow "
        "more kinds, colours or settings in the world"
    )


def expression_text(parts: Parts, rng: Random) -> str:
    """The words for parts: "the small red boat on the left".

    Args:
        parts: what to say.
        rng: draws among words for the same.
    """
    person = parts.noun != _THING and KINDS.get(parts.noun, KINDS["running girl"]).group == "person"
    before, after = [], []
    if parts.place in EXTREMES or parts.place in CORNERS:
        before.append(parts.place)
    elif parts.place in ORDINALS:
        ordinal, _, side = parts.place.partition(" ")
        before.append(ordinal)
        after.append(side)
    elif parts.place:
        as_adjective = parts.place != "middle" and rng.random() < 0.3  # "the left woman"
        (before if as_adjective else after).append(parts.place if as_adjective else _SIDE_WORDS[parts.place])
    if parts.size:
        before.append(rng.choice(SIZE_CHOICES[parts.size]))
    dressed = f"in {parts.colour}" if parts.colour and person else None
    if parts.colour and not person:
        before.append(parts.colour)
    if parts.relation:
        relation, landmark = parts.relation
        after.append(f"{rng.choice(RELATION_CHOICES[relation])} {expression_text(landmark, rng)}")
    return " ".join(["the", *before, parts.noun, *([dressed] if dressed else []), *after])


def _resolve(parts: Parts, things: Sequence[Thing]) -> Thing | None:
    loose = [thing for thing in things if _is_called(thing, parts, loose=True)]
    strict = [thing for thing in loose if _is_called(thing, parts, loose=False)]
    if parts.relation:
        landmark = _resolve(parts.relation[1], things)
        if landmark is None:
            return None
        relation = parts.relation[0]
        strict = [thing for thing in strict if thing is not landmark and _relates(relation, thing, landmark)]
        loose = [thing for thing in loose if thing is not landmark and _might_relate(relation, thing, landmark)]
    if parts.place in SIDES:
        strict = [thing for thing in strict if _is_at(parts.place, thing.box, loose=False)]
        loose = [thing for thing in loose if _is_at(parts.place, thing.box, loose=True)]
    elif parts.place is not None:
        return _picked(parts.place, strict, loose)
    return strict[0] if len(loose) == 1 and len(strict) == 1 else None


def _is_called(thing: Thing, parts: Parts, loose: bool) -> bool:
    """Whether noun, colour and size fit. Things of natural colour may, loosely, be called by any colour."""
    kind = KINDS[thing.kind]
    if parts.noun == _THING:
        if kind.group == "person" and not loose:
            return False
    elif parts.noun not in (kind.name, kind.noun):
        return False
    if parts.colour is not None and thing.colour != parts.colour and not (loose and thing.colour is None):
        return False
    return parts.size is None or thing.size == parts.size


def _centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _is_at(side: str, box: Box, loose: bool) -> bool:
    x, y = _centre(box)
    if side == "middle":
        reach = _LOOSE_MIDDLE if loose else _STRICT_MIDDLE
        return abs(x - 0.5) < reach and abs(y - 0.5) < reach
    distance = {"left": x, "right": 1 - x, "top": y, "bottom": 1 - y}[side]
    return distance < (_LOOSE_SIDE if loose else _STRICT_SIDE)


def _relates(relation: str, thing: Thing, landmark: Thing) -> bool:
    return relation_holds(relation, thing.kind, (thing.box,), landmark.kind, (landmark.box,))


def _might_relate(relation: str, thing: Thing, landmark: Thing) -> bool:
    """Whether somebody not so exact might say it: the right side of the landmark for places, near it for contact."""
    if _relates(relation, thing, landmark):
        return True
    (x, y), (other_x, other_y) = _centre(thing.box), _centre(landmark.box)
    if relation in ("left of", "right of"):
        return x < other_x if relation == "left of" else x > other_x
    along, down = (shared(thing.box[i], thing.box[i + 2], landmark.box[i], landmark.box[i + 2]) for i in (0, 1))
    if relation in ("above", "under"):
        return along > -_APART and (y < other_y if relation == "above" else y > other_y)
    return min(along, down) > -2 * _APART


def _picked(place: str, strict: Sequence[Thing], loose: Sequence[Thing]) -> Thing | None:
    """The thing that a comparison among all that fit picks out; None where it is too close to call."""
    if len(strict) != len(loose) or len(strict) < 2:
        return None
    if place in CORNERS:
        return _in_corner(place, strict)
    if place in ("biggest", "smallest"):
        ranked = sorted(strict, key=lambda thing: _longest_side(thing.box), reverse=place == "biggest")
        first, second = _longest_side(ranked[0].box), _longest_side(ranked[1].box)
        return ranked[0] if max(first, second) >= _BIGGER * min(first, second) else None
    axis, backwards = {"leftmost": (0, 0), "rightmost": (0, 1), "highest": (1, 0), "lowest": (1, 1)}.get(place, (0, 0))
    rank = 0
    if place in ORDINALS:
        rank, backwards = (1 if place.startswith("second") else 2), place.endswith("right")
    elif place not in EXTREMES:
        raise ValueError(f"unknown place {place!r}: use one of {', '.join(PLACES)}")
    ranked = sorted(strict, key=lambda thing: _centre(thing.box)[axis], reverse=bool(backwards))
    if place in ORDINALS and len(ranked) < rank + 2:
        return None  # the last from the left is the rightmost
    centres = [_centre(thing.box)[axis] for thing in ranked]
    clear = all(abs(b - a) >= _APART for a, b in zip(centres[: rank + 1], centres[1:], strict=False))
    return ranked[rank] if clear else None


def _in_corner(corner: str, things: Sequence[Thing]) -> Thing | None:
    """The thing that is at both outer edges of all, with every other clearly further in along one of them."""
    row, column = corner.split()
    x_sign, y_sign = (1 if column == "left" else -1), (1 if row == "top" else -1)
    outward = [(x_sign * x, y_sign * y) for x, y in (_centre(thing.box) for thing in things)]
    least_x, least_y = min(x for x, _ in outward), min(y for _, y in outward)
    at = [
        thing
        for thing, (x, y) in zip(things, outward, strict=True)
        if x <= least_x + _SAME_ROW and y <= least_y + _SAME_ROW
    ]
    near = [
        thing for thing, (x, y) in zip(things, outward, strict=True) if x < least_x + _APART and y < least_y + _APART
    ]
    return at[0] if len(at) == 1 and len(near) == 1 else None


def _longest_side(box: Box) -> float:
    return max(box[2] - box[0], box[3] - box[1])


def _expressions(scene: Scene, rng: Random) -> Iterator[Reference]:
    things = things_of(scene)
    for thing in rng.sample(things, len(things)):
        attempts = _plain_first(thing, things, rng) if rng.random() < 0.5 else _rich_first(thing, things, rng)
        for parts in attempts:
            if _resolve(parts, things) is thing:
                yield Reference(expression_text(parts, rng), parts, thing)
                break


def _plain_first(thing: Thing, things: Sequence[Thing], rng: Random) -> Iterator[Parts]:
    """Ever longer expressions, those of one length in random order."""
    noun = Parts(rng.choice((thing.kind, KINDS[thing.kind].noun)))
    words, places, relations = _words(thing, rng), _places(thing, things, rng), _relations(thing, things, rng)
    yield noun
    if KINDS[thing.kind].group != "person" and thing.colour and rng.random() < 0.25:
        yield Parts(_THING, thing.colour)
    single = [*words, *places, *relations]
    yield from (noun._replace(**change) for change in rng.sample(single, len(single)))
    for pairs in (_joined(words[:1], words[1:]), _joined(words, places), _joined(words, relations)):
        yield from (noun._replace(**change) for change in rng.sample(pairs, len(pairs)))
    yield from _rich_first(thing, things, rng)


def _rich_first(thing: Thing, things: Sequence[Thing], rng: Random) -> Iterator[Parts]:
    """Expressions that say all words of the thing, or some, and a place, a relation or both; longest first."""
    said = {name: value for change in _words(thing, rng) for name, value in change.items() if rng.random() < 0.8}
    noun = Parts(rng.choice((thing.kind, KINDS[thing.kind].noun)), **said)
    places, relations = _places(thing, things, rng), _relations(thing, things, rng)
    if rng.random() < 0.15:
        yield from (noun._replace(**both) for both in _joined(places, relations))
    single = [*places, *relations] if rng.random() < 0.5 else [*relations, *places]
    yield from (noun._replace(**change) for change in single)
    yield noun
    full = Parts(thing.kind, thing.colour, thing.size)
    yield from (full._replace(**both) for both in _joined(places, relations))


def _joined(first: list[dict], second: list[dict]) -> list[dict]:
    """Every pair of changes that can be said together: "at the top left of the dog" would be taken the wrong way."""
    pairs = [a | b for a in first for b in second]
    return [
        both
        for both in pairs
        if not (both.get("place") in SIDES and both.get("relation", ("",))[0] in ("left of", "right of"))
    ]


def _words(thing: Thing, rng: Random) -> list[dict]:
    changes = [{name: getattr(thing, name)} for name in ("colour", "size") if getattr(thing, name)]
    return rng.sample(changes, len(changes))


def _places(thing: Thing, things: Sequence[Thing], rng: Random) -> list[dict]:
    """The sides that are true, and comparisons where there is something to compare, in random order."""
    noun = KINDS[thing.kind].noun
    rivals = sum(KINDS[other.kind].noun == noun for other in things)
    compared = [*EXTREMES, *CORNERS, *(ORDINALS if rivals > 2 else ())] if rivals > 1 else []
    usable = [side for side in SIDES if _is_at(side, thing.box, loose=False)]
    return [{"place": place} for place in rng.sample(usable + compared, len(usable) + len(compared))]


def _relations(thing: Thing, things: Sequence[Thing], rng: Random) -> list[dict]:
    """True relations to other things that noun and colour single out, to three of them at most."""
    found = []
    for other in rng.sample(things, len(things)):
        if other is thing:
            continue
        landmark = Parts(KINDS[other.kind].noun, other.colour if rng.random() < 0.5 else None)
        if _resolve(landmark, things) is not other:
            landmark = Parts(other.kind, other.colour)
            if _resolve(landmark, things) is not other:
                continue
        holding = [name for name in RELATION_CHOICES if _relates(name, thing, other)]
        found += [{"relation": (name, landmark)} for name in holding]
        if len(found) >= 3:
            break
    return rng.sample(found, len(found))


__all__ = [
    "PLACES",
    "REFERRING_PROMPTS",
    "Parts",
    "Reference",
    "expression_text",
    "referring_expressions",
    "referring_row",
    "referring_turns",
    "resolve",
]
