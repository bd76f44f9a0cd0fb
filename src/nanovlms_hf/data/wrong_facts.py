"""Puts exactly one error into a true text about a scene, and proves it: the reader reads both texts and compares their facts.

    wrong = put_error("colour", "A red cat is next to a ball at the beach.", scene, rng)
    wrong.text      # "A blue cat is next to a ball at the beach."
    wrong.removed   # {("colour", "cat", "red")}
    wrong.added     # {("colour", "cat", "blue")}

The errors
    colour, size, count   another value of the same thing; a count goes from one number above one to another
    relation              another relation between the same two things, false by the scene's geometry
    setting               another place, in which all the things of the scene may be
    kind                  a thing called by the name of another kind; what is said of the thing goes with its name
    invented              in the place of one thing a thing that is nowhere in the picture, in a colour of its own

Every other word stays, but for the article before a changed word, and a wrong value is one that the same thing might have had: so
what tells the two texts apart is the picture, as far as that can be had. For the same reason an invented thing takes the place of
one that is there: a text that says more is less likely than one that says less, whatever the picture shows.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random

from .descriptions import short_description
from .lexicon import VERB_FORMS
from .phrases import RELATION_CHOICES, SIZE_CHOICES, article, full, is_are, sentence, setting_phrase
from .reader import read_facts
from .scenes import KINDS, SETTINGS, Fact, Group, Kind, Scene, Setting
from .vocabulary import COUNT_WORDS

_COUNT_WEIGHTS = {2: 11, 3: 9, 4: 5, 5: 5}  # as in true scenes, so that no number gives an error away
_SENTENCE_ENDS = re.compile(r"(?<=[.!?]) ")
_ARTICLE = re.compile(r"\b(an?) (?=([a-z]))", re.IGNORECASE)
_LOOSE_FORMS = ("there {be} also {}", "{} {be} there too", "{} {be} here too")
_LOOSE = re.compile(r"There (?:is|are) also (?P<thing>.+)\.|(?P<first>.+) (?:is|are) (?:there|here) too\.")


@dataclass(frozen=True)
class WrongText:
    """A text with one error in it.

    Attributes:
        text: the text.
        removed: facts of the true text that it does not state.
        added: facts that it states instead; all of them false.
    """

    text: str
    removed: frozenset[Fact]
    added: frozenset[Fact]


def put_error(error: str, text: str, scene: Scene, rng: Random) -> WrongText | None:
    """Puts an error into a true text.

    Args:
        error: a name in `ERRORS`.
        text: a true text about the scene, such as `short_description` writes.
        scene: what the text is about.
        rng: chooses among the errors that can be made.

    Returns:
        The changed text, or None where this text and scene have no room for the error.

    Raises:
        ValueError: for a name that is not in `ERRORS`.
    """
    if error not in _TRIES:
        raise ValueError(f"error={error!r} is unknown; choose one of {', '.join(ERRORS)}.")
    facts = read_facts(text)
    for change in _TRIES[error](text, scene, facts, rng):
        found = read_facts(change.text)
        if (facts - found, found - facts) == (change.removed, change.added):
            return change
    return None


def _shuffled(rng: Random, items) -> list:
    items = list(items)
    rng.shuffle(items)
    return items


def _colours(text: str, scene: Scene, facts: frozenset[Fact], rng: Random) -> Iterator[WrongText]:
    for group in _shuffled(rng, scene.groups):
        if ("colour", group.kind, group.colour) not in facts:
            continue
        other = rng.choice([name for name in KINDS[group.kind].colours if name != group.colour])
        for changed in _each_swapped(text, (group.colour,), lambda _, other=other: other):
            yield _swap(changed, ("colour", group.kind, group.colour), ("colour", group.kind, other))


def _sizes(text: str, scene: Scene, facts: frozenset[Fact], rng: Random) -> Iterator[WrongText]:
    for group in _shuffled(rng, scene.groups):
        if ("size", group.kind, group.size) not in facts or len(KINDS[group.kind].sizes) < 2:
            continue
        other = {"small": "big", "big": "small"}[group.size]
        words = tuple(dict.fromkeys(SIZE_CHOICES[group.size]))
        for changed in _each_swapped(text, words, lambda _, other=other: rng.choice(SIZE_CHOICES[other])):
            yield _swap(changed, ("size", group.kind, group.size), ("size", group.kind, other))


def _counts(text: str, scene: Scene, facts: frozenset[Fact], rng: Random) -> Iterator[WrongText]:
    if re.search(r"\bcount\b", text, re.IGNORECASE):  # "count the cats: one, two, three" tells the number once more
        return
    for group in _shuffled(rng, scene.groups):
        if ("count", group.kind, str(group.count)) not in facts:
            continue
        others = [n for n in _COUNT_WEIGHTS if n != group.count and n <= KINDS[group.kind].max_count]
        other = rng.choices(others, [_COUNT_WEIGHTS[n] for n in others])[0]
        words = COUNT_WORDS[other]
        for changed in _each_swapped(text, (COUNT_WORDS[group.count],), lambda _, words=words: words):
            yield _swap(changed, ("count", group.kind, str(group.count)), ("count", group.kind, str(other)))


def _relations(text: str, scene: Scene, facts: frozenset[Fact], rng: Random) -> Iterator[WrongText]:
    for fact in _shuffled(rng, sorted(fact for fact in facts if fact[0] == "relation")):
        _, subject, relation, other_kind = fact
        if subject not in scene.by_kind or other_kind not in scene.by_kind:
            continue
        for other in _shuffled(rng, _likely_relations(KINDS[subject], KINDS[other_kind])):
            if other == relation or scene.holds(other, subject, other_kind):
                continue
            for changed in _each_swapped(
                text, RELATION_CHOICES[relation], lambda _, other=other: rng.choice(RELATION_CHOICES[other])
            ):
                yield _swap(changed, fact, ("relation", subject, other, other_kind))


def _likely_relations(kind: Kind, other: Kind) -> list[str]:
    """The relations that the picture world may show between things of two kinds: nothing is ever in a cat, or above the sun."""
    likely = ["left of", "right of", "next to"]
    likely += ["above"] if "sky" in kind.places else []
    likely += ["under"] if "sky" in other.places else []
    if kind.rests:
        likely += (["on"] if other.top is not None else []) + (["in"] if other.rim is not None else [])
    return likely


def _settings(text: str, scene: Scene, facts: frozenset[Fact], rng: Random) -> Iterator[WrongText]:
    right = ("setting", scene.setting)
    others = [
        setting
        for setting in SETTINGS.values()
        if setting.name != scene.setting and all(_fits(KINDS[group.kind], setting) for group in scene.groups)
    ]
    for setting in _shuffled(rng, others):
        for changed in _each_swapped(text, (setting_phrase(scene),), lambda _, setting=setting: setting.phrase):
            yield _swap(changed, right, ("setting", setting.name))


def _fits(kind: Kind, setting: Setting) -> bool:
    return kind.name not in setting.hides and ("sky" in kind.places or setting.ground in kind.places)


def _kinds(text: str, scene: Scene, facts: frozenset[Fact], rng: Random) -> Iterator[WrongText]:
    for group in _shuffled(rng, scene.groups):
        for other in _shuffled(rng, _like_kinds(group, scene))[:6]:
            renamed = frozenset(_renamed(fact, group.kind, other.name) for fact in facts)
            changed = _with_kind(text, KINDS[group.kind], other)
            if changed is not None:
                yield WrongText(changed, facts - renamed, renamed - facts)


def _renamed(fact: Fact, kind: str, other: str) -> Fact:
    return fact if fact[0] == "setting" else (fact[0], *(other if part == kind else part for part in fact[1:]))


def _like_kinds(group: Group, scene: Scene) -> list[Kind]:
    """The kinds that might stand where a group stands, in its colour, size and number, and that are not in the scene."""
    kind = KINDS[group.kind]
    nouns = {KINDS[other.kind].noun for other in scene.groups}
    carries = any(link[2] == group.kind and link[1] in ("on", "in") for link in scene.links)
    rests = any(link[0] == group.kind and link[1] in ("on", "in") for link in scene.links)
    return [
        other
        for other in KINDS.values()
        if other.noun not in nouns - ({kind.noun} if kind.group == "person" else set())
        and other.name != kind.name
        and (other.group == "person") == (kind.group == "person")
        and _fits(other, SETTINGS[scene.setting])
        and set(other.places) & set(kind.places)
        and (group.colour in other.colours if group.colour else not other.colours)
        and (group.size is None or group.size in other.sizes)
        and group.count <= other.max_count
        and (not carries or (other.top is None) == (kind.top is None) and (other.rim is None) == (kind.rim is None))
        and (not rests or other.rests)
    ]


def _with_kind(text: str, kind: Kind, other: Kind) -> str | None:
    """The text with one kind's names and parts for another's; None if it says what only the first kind does or is."""
    names = {kind.name: other.name, kind.plural: other.plural}
    names |= {kind.noun: other.noun, kind.noun_plural: other.noun_plural}
    tells_number = kind.plural != kind.name or other.plural == other.name  # "sheep" does not
    acts = kind.verb != other.verb and any(re.search(rf"\b{word}\b", text) for word in _verb_words(kind))
    if acts or not tells_number:
        return None
    names[kind.detail] = other.detail
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return _mended(
        re.sub(rf"\b(?:{pattern})\b", lambda match: _cased(match.group(), names.get), text, flags=re.IGNORECASE)
    )


def _verb_words(kind: Kind) -> tuple[str, ...]:
    ending = kind.verb[:-1] + "ies" if kind.verb.endswith("y") else kind.verb + "s"
    return (kind.verb, ending, *(VERB_FORMS.get(kind.action, ()) if kind.action else ()))


def _invented(text: str, scene: Scene, facts: frozenset[Fact], rng: Random) -> Iterator[WrongText]:
    nouns = {KINDS[group.kind].noun for group in scene.groups}
    sentences = _SENTENCE_ENDS.split(text)
    loose = {place: _LOOSE.fullmatch(words) for place, words in enumerate(sentences)}
    for place, match in loose.items():
        group = next(
            (group for group in scene.groups if match and ("kind", group.kind) in read_facts(match.group())), None
        )
        if group is None:
            continue
        fitting = [
            kind
            for kind in KINDS.values()
            if kind.noun not in nouns and kind.max_count >= group.count and _fits(kind, SETTINGS[scene.setting])
        ]
        for kind in rng.sample(fitting, 4):
            others = [name for name in kind.colours if name != group.colour]
            thing = replace(group, kind=kind.name, colour=rng.choice(others) if others else None)
            start, end = match.span(match.lastgroup)
            said = match.group()[:start] + _cased(
                match.group(match.lastgroup), lambda _, thing=thing: full(rng, thing)
            )
            said += match.group()[end:]
            about = frozenset(fact for fact in facts if group.kind in fact[1:])
            yield WrongText(" ".join([*sentences[:place], said, *sentences[place + 1 :]]), about, read_facts(said))


def with_loose_thing(scene: Scene, rng: Random) -> str | None:
    """A true text that names one thing in a sentence of its own, without a link, so that another may take its place.

    Returns:
        The text, or None where the scene has a single thing, or the text no sentence that could give way.
    """
    if len(scene.groups) < 2:
        return None
    apart = rng.choice(scene.groups)
    rest = tuple(group for group in scene.groups if group is not apart)
    links = tuple(link for link in scene.links if apart.kind not in link)
    text = short_description(replace(scene, groups=rest, links=links), rng)
    facts, sentences = read_facts(text), _SENTENCE_ENDS.split(text)
    idle = [
        place
        for place in range(1, len(sentences))
        if read_facts(" ".join(sentences[:place] + sentences[place + 1 :])) == facts
    ]
    if not idle:
        return None
    sentences[rng.choice(idle)] = _loosely(apart, rng)
    return " ".join(sentences)


def _loosely(group: Group, rng: Random) -> str:
    """A sentence that says of a thing only that it is there, as descriptions name one without a link."""
    return sentence(rng.choice(_LOOSE_FORMS).format(full(rng, group), be=is_are(group)))


def _swap(text: str, old: Fact, new: Fact) -> WrongText:
    return WrongText(text, frozenset({old}), frozenset({new}))


def _each_swapped(text: str, words: tuple[str, ...], new: Callable[[str], str]) -> Iterator[str]:
    """The text with one occurrence of one of the words replaced, for each occurrence."""
    pattern = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    for match in re.finditer(rf"\b(?:{pattern})\b", text, flags=re.IGNORECASE):
        yield _mended(text[: match.start()] + _cased(match.group(), new) + text[match.end() :])


def _cased(old: str, new: Callable[[str], str]) -> str:
    words = new(old.lower())
    return words[0].upper() + words[1:] if old[0].isupper() else words


def _mended(text: str) -> str:
    """ "a" and "an" as the words behind them want it."""

    def mend(match: re.Match) -> str:
        right = article(match.group(2).lower()).split()[0]
        return (right.capitalize() if match.group(1)[0].isupper() else right) + " "

    return _ARTICLE.sub(mend, text)


_TRIES = {
    "colour": _colours,
    "count": _counts,
    "kind": _kinds,
    "relation": _relations,
    "invented": _invented,
    "size": _sizes,
    "setting": _settings,
}
ERRORS = tuple(_TRIES)

__all__ = ["ERRORS", "WrongText", "put_error", "with_loose_thing"]
