"""Facts for people to read: as sentences, with the truth beside a wrong one, and marked in the words that state them.

Which word states a fact is found by trying: of all words that could (every "red" for a colour), one states it if the fact
can still be read from the text once the others are struck out. So "a red cat and a red ball" marks the right "red".
"""

import re
from dataclasses import dataclass
from html import escape

from ..data.facts import FACT_TYPES, FactScore, meaning, read_facts
from ..data.lexicon import PERSON_NOUNS, Item, phrases
from ..data.phrases import CONVERSE, article
from ..data.scenes import KINDS, SETTINGS, Fact, Group, Scene

# Most telling first: of several true relations between two things, the report names the first.
_TELLING = ("in", "on", "under", "above", "left of", "right of", "next to")
_TOKENS = re.compile(r"[A-Za-z]+|\d+|[.,!?;:\n]")


def in_order(facts: frozenset[Fact]) -> list[Fact]:
    """Facts sorted by type, in the order of `FACT_TYPES`, then by their words."""
    rank = {name: place for place, name in enumerate(FACT_TYPES)}
    return sorted(facts, key=lambda fact: (rank.get(fact[0], len(rank)), fact))


def _plural(kind: str) -> str:
    if kind in KINDS:
        return KINDS[kind].plural
    *action, noun = kind.split()
    return " ".join([*action, PERSON_NOUNS.get(noun, f"{noun}s")])


def _several(kind: str, scene: Scene | None) -> bool:
    return scene is not None and kind in scene.by_kind and scene.by_kind[kind].count > 1


def _is_person(kind: str) -> bool:
    return kind in PERSON_NOUNS or kind.split()[-1] in PERSON_NOUNS


def fact_sentence(fact: Fact, scene: Scene | None = None) -> str:
    """A fact as words: ("colour", "cat", "red") is "the cat is red".

    Args:
        fact (`Fact`): in the form of `Scene.facts`.
        scene (`Scene`, *optional*): where given, a kind that is there several times is in the plural.
    """
    label, subject, *rest = fact
    several = _several(subject, scene)
    name, verb = (_plural(subject), "are") if several else (subject, "is")
    if label == "setting":
        return SETTINGS[subject].phrase if subject in SETTINGS else f"in the {subject}"
    if label == "kind":
        return f"there are {name}" if several else f"there is {article(name)}"
    if label == "count":
        return f"there are {rest[0]} {_plural(subject)}"
    if label == "relation":
        other = _plural(rest[1]) if _several(rest[1], scene) else rest[1]
        return f"the {name} {verb} {rest[0]} the {other}"
    if label == "colour" and _is_person(subject):
        return f"the {name} {'wear' if several else 'wears'} {rest[0]}"
    if label in ("colour", "size"):
        return f"the {name} {verb} {rest[0]}"
    return " ".join(fact)


def _meant(kind: str, scene: Scene) -> Group | None:
    """The group of a kind; for a person who does something else, that person."""
    if kind in scene.by_kind or not _is_person(kind):
        return scene.by_kind.get(kind)
    noun = kind.split()[-1]
    people = [group for group in scene.groups if KINDS[group.kind].group == "person"]
    same = [group for group in people if KINDS[group.kind].noun == noun or noun == "child"]
    return same[0] if same else None


def _relation_truth(subject: str, other: str, scene: Scene) -> str:
    """How two things really stand, from the side of `subject` where that can be said."""
    for a, relation, b in scene.links:
        if {a, b} == {subject, other}:
            turned = CONVERSE.get(relation)
            if a != subject and turned and scene.holds(turned, subject, other):
                a, relation, b = subject, turned, other
            return fact_sentence(("relation", a, relation, b), scene)
    for relation in _TELLING:
        if scene.holds(relation, subject, other):
            return fact_sentence(("relation", subject, relation, other), scene)
    return ""


def truth_instead(fact: Fact, scene: Scene) -> str:
    """What is true where a wrong fact was stated: "it is red", "there are 2"; empty when there is nothing to add.

    Args:
        fact (`Fact`): a false fact.
        scene (`Scene`): what it was said of.
    """
    fact = meaning(fact, scene)  # "the boy" is the running boy, where there is no other
    label, subject = fact[0], fact[1]
    if label == "setting":
        return f"it is {fact_sentence(('setting', scene.setting))}"
    named = [subject, fact[3]] if label == "relation" else [subject]
    others = [_meant(kind, scene) for kind in named]
    absent = [kind for kind, group in zip(named, others, strict=True) if group is None]
    if absent:
        return (
            "there is none"
            if label in ("kind", "count")
            else "there is " + " and ".join(f"no {kind}" for kind in absent)
        )
    renamed = [group for kind, group in zip(named, others, strict=True) if group.kind != kind]
    if renamed:
        return " and ".join(fact_sentence(("kind", group.kind), scene) for group in renamed)
    group = others[0]
    it = "they are" if group.count > 1 else "it is"
    if label == "colour":
        if group.colour is None:
            return f"{it} of no named colour"
        return f"the true colour is {group.colour}" if _is_person(subject) else f"{it} {group.colour}"
    if label == "size":
        return f"{it} {group.size}" if group.size else f"{it} of ordinary size"
    if label == "count":
        return f"there are {group.count}" if group.count > 1 else "there is 1"
    return _relation_truth(subject, fact[3], scene) if label == "relation" else ""


def wrong_sentence(fact: Fact, scene: Scene) -> str:
    """A false fact with the truth behind it: "the ball is blue (it is red)"."""
    truth = truth_instead(fact, scene)
    return fact_sentence(fact, scene) + (f" ({truth})" if truth else "")


@dataclass(frozen=True)
class _Span:
    """A known word or phrase at text[start:end]."""

    start: int
    end: int
    item: Item


def _spans(text: str) -> list[_Span]:
    """The known words of a text, longest phrase first, as `lexicon.sentences` takes them, with their places."""
    tokens = list(_TOKENS.finditer(text))
    words = [token.group().lower() for token in tokens]
    table = phrases()
    longest = max(map(len, table))
    spans, position = [], 0
    while position < len(words):
        for length in range(min(longest, len(words) - position), 0, -1):
            item = table.get(tuple(words[position : position + length]))
            if item is not None:
                break
        else:
            length, item = 1, Item("number", words[position]) if words[position].isdigit() else None
        if item is not None:
            spans.append(_Span(tokens[position].start(), tokens[position + length - 1].end(), item))
        position += length
    return spans


def _could_state(fact: Fact) -> list[tuple[set[str], str]]:
    """(labels, value) of the words that could state a fact; a person's action and noun are looked for one by one."""
    label = fact[0]
    if label == "kind":
        *action, noun = fact[1].split() if _is_person(fact[1]) else (fact[1],)
        return [({"action"}, word) for word in action] + [({"kind", "person"}, noun)]
    if label == "setting":
        return [({"setting"}, fact[1])]
    labels = {"colour": {"colour"}, "size": {"size"}, "count": {"number"}, "relation": {"relation", "side"}}
    return [(labels.get(label, set()), fact[2])] if len(fact) > 2 else []


def _without(text: str, spans: list[_Span]) -> str:
    for span in spans:
        text = text[: span.start] + " " * (span.end - span.start) + text[span.end :]
    return text


def _stating(text: str, spans: list[_Span], fact: Fact) -> list[_Span]:
    found = []
    for labels, value in _could_state(fact):
        candidates = [span for span in spans if span.item.label in labels and span.item.value == value]
        proven = [
            span
            for span in candidates
            if fact in read_facts(_without(text, [other for other in candidates if other is not span]))
        ]
        found.extend(proven or candidates)
    return found


def marked_words(text: str, scene: Scene, score: FactScore) -> str:
    """The text as HTML, escaped, with the words of right and of wrong facts in `<mark class="right">` and `"wrong"`.

    A word that states both is wrong. Each mark's `title` says which facts it stands for.

    Args:
        text (`str`): what a model wrote.
        scene (`Scene`): what it was about.
        score (`FactScore`): `score_facts(text, scene)`.
    """
    spans = _spans(text)
    titles: dict[_Span, list[str]] = {}
    wrong = set()
    for fact in in_order(score.false):
        for span in _stating(text, spans, fact):
            wrong.add(span)
            titles.setdefault(span, []).append(wrong_sentence(fact, scene))
    for fact in in_order(score.true_positive):
        for span in _stating(text, spans, fact):
            if span not in wrong:
                titles.setdefault(span, []).append(fact_sentence(fact, scene))
    pieces, end = [], 0
    for span in sorted(titles, key=lambda span: span.start):
        verdict = "wrong" if span in wrong else "right"
        title = escape(f"{verdict}: {'; '.join(titles[span])}")
        words = escape(text[span.start : span.end])
        pieces += [escape(text[end : span.start]), f'<mark class="{verdict}" title="{title}">{words}</mark>']
        end = span.end
    return "".join([*pieces, escape(text[end:])])


__all__ = ["fact_sentence", "in_order", "marked_words", "truth_instead", "wrong_sentence"]
