"""Texts about scenes in the words of a four-year-old: a short one, a long one, and a dense list.

ShortDesc: 20 to 25 words in 2 or 3 sentences. LongDesc: 60 to 70 words in 5 or 6 sentences. Words are what
`str.split` gives. Both name every group with its kind, colour, marked size and count above one, the setting and at
least one link, the long one all links; groups are first named left to right. Whatever else they say is true as well
(parts a kind always shows, places on a grid of 3 x 3), or is an opinion or an invitation that states nothing.

How: a plan of core sentences that carries the facts is drawn at random, then optional sentences fill the word budget.
"""

from random import Random

from .fillers import INVITATIONS, group_sentences, with_tail
from .phrases import (
    full,
    is_are,
    listed,
    opener,
    property_phrase,
    relation_phrase,
    sentence,
    setting_phrase,
    the,
)
from .questions import QA, questions
from .scenes import KINDS, Group, Scene
from .vocabulary import COUNT_WORDS

SHORT_WORDS, SHORT_SENTENCES = (20, 25), (2, 3)
LONG_WORDS, LONG_SENTENCES = (60, 70), (5, 6)

_PLAIN_ATTEMPTS = 2  # at filling a long text before a sentence with an opinion at its end is offered
_SHORTEST_OPTIONAL, _LONGEST_OPTIONAL = 3, 13

_LEADS = (
    "I see",
    "I can see",
    "we see",
    "we can see",
    "you can see",
    "you see",
    "here {is}",
    "there {is}",
    "there {is}",
    "this picture shows",
    "my picture has",
    "now I see",
)


def short_description(scene: Scene, rng_or_seed: Random | int | None = None) -> str:
    """A ShortDesc: 20 to 25 words in 2 or 3 sentences.

    Args:
        scene: what to describe.
        rng_or_seed: chooses the sentence patterns; None: derived from the scene's seed and index.

    Raises:
        ValueError: for some scenes of more than three groups, which do not fit into so few words.
    """
    return _describe(scene, _rng(scene, rng_or_seed, 1), SHORT_WORDS, SHORT_SENTENCES, long=False)


def long_description(scene: Scene, rng_or_seed: Random | int | None = None) -> str:
    """A LongDesc: 60 to 70 words in 5 or 6 sentences.

    Args:
        scene: what to describe.
        rng_or_seed: chooses the sentence patterns; None: derived from the scene's seed and index.
    """
    return _describe(scene, _rng(scene, rng_or_seed, 2), LONG_WORDS, LONG_SENTENCES, long=True)


def naming(scene: Scene) -> str:
    """Everything in the picture, left to right, with places: "big red cat, middle left; three blue balls, bottom right;
    at the beach". One fixed wording per scene.
    """
    rng = Random(0)
    parts = []
    for group in scene.groups:
        words = group_name(rng, group)
        parts.append(f"{words}, {scene.place(group.kind)}")
    return "; ".join([*parts, setting_phrase(scene)])


def group_name(rng: Random, group: Group) -> str:
    """A group without article, in the plain words for its size: "big red cat", "two running girls in blue"."""
    kind = KINDS[group.kind]
    name = kind.plural if group.count > 1 else kind.name
    if group.colour:
        name = f"{name} in {group.colour}" if kind.group == "person" else f"{group.colour} {name}"
    if group.size:
        name = f"{group.size} {name}"
    return f"{COUNT_WORDS[group.count]} {name}" if group.count > 1 else name


def _rng(scene: Scene, rng_or_seed: Random | int | None, salt: int) -> Random:
    if isinstance(rng_or_seed, Random):
        return rng_or_seed
    if rng_or_seed is None:
        return Random(((scene.seed << 64) + scene.index) * 4 + salt)
    return Random(rng_or_seed)


def _describe(scene: Scene, rng: Random, words: tuple[int, int], lengths: tuple[int, int], long: bool) -> str:
    for attempt in range(400):
        core = _core(scene, rng, long, tight=attempt > 40)
        text = _fill(scene, rng, core, words, lengths)
        if text is not None:
            return text
    raise ValueError(
        f"found no text of {words[0]} to {words[1]} words for the {len(scene.groups)} groups of scene (seed={scene.seed}, "
        f"index={scene.index}): a short text has room for three groups, so make scenes with max_groups=3"
    )


def _core(scene: Scene, rng: Random, long: bool, tight: bool) -> list[str]:
    """Sentences that carry all facts, first mentions left to right."""
    split_colours = rng.random() < (0.4 if long else 0.15) and not tight
    plan = rng.choice(_PLANS[min(3, len(scene.groups))])
    sentences, links = plan(scene, rng, not split_colours, tight)
    if split_colours:
        coloured = [property_phrase(group) for group in scene.groups if group.colour]
        if coloured:
            sentences.append(listed(coloured))
    missing = [link for link in scene.links if link not in links]
    if not long and links:
        missing = missing if rng.random() < 0.5 and not tight else []
    sentences.extend(_definite_link(scene, rng, link) for link in missing)
    return _with_setting(scene, rng, sentences, apart=long and rng.random() < 0.4)


def _with_setting(scene: Scene, rng: Random, sentences: list[str], apart: bool) -> list[str]:
    phrase = setting_phrase(scene)
    if sentences[0].endswith((" is", " are")):
        return [f"{sentences[0]} {phrase}", *sentences[1:]]
    if apart or (rng.random() < 0.12):
        words = rng.choice(
            (f"we are {phrase}", f"everything is {phrase}", f"this is a day {phrase}", f"all this is {phrase}")
        )
        if scene.setting == "night":
            words = rng.choice(("it is night", "now it is night", "here it is night"))
        return [*sentences, words] if rng.random() < 0.5 else [words, *sentences]
    first = sentences[0]
    if rng.random() < 0.5 and not first.startswith("now "):
        first = f"{phrase}, {first}"
    else:
        first = f"{first} {phrase}"
    return [first, *sentences[1:]]


def _lead(rng: Random, groups: list[Group], phrases: list[str], tight: bool) -> str:
    """A sentence that names groups; a tight one may end in its verb, for the setting to follow, which saves a word."""
    if tight and rng.random() < 0.5:
        return f"{listed(phrases)} {is_are(*groups)}"
    if rng.random() < 0.2:
        return f"{listed(phrases)} {is_are(*groups)} here"
    lead = rng.choice(_LEADS).replace("{is}", is_are(*groups))
    return f"{lead} {listed(phrases)}"


def _definite_link(scene: Scene, rng: Random, link: tuple[str, str, str]) -> str:
    a, b = scene.by_kind[link[0]], scene.by_kind[link[2]]
    if rng.random() < 0.5:
        a, b = b, a
    words = relation_phrase(rng, a, the(a), b, the(b), link)
    return words if rng.random() < 0.8 or words.startswith(tuple(_INVERTED_STARTS)) else f"you can see that {words}"


_INVERTED_STARTS = ("left", "right", "to the", "above", "over", "on", "under", "below", "in", "next", "beside")


def _plan_list(scene: Scene, rng: Random, colours: bool, tight: bool):
    """Name everything in one sentence; links follow."""
    groups = list(scene.groups)
    return [_lead(rng, groups, [full(rng, g, colours, tight) for g in groups], tight)], []


def _link_between(scene: Scene, a: Group, b: Group) -> tuple[str, str, str] | None:
    for link in scene.links:
        if {link[0], link[2]} == {a.kind, b.kind}:
            return link
    return None


def _plan_pair_first(scene: Scene, rng: Random, colours: bool, tight: bool):
    """Name the first two groups in one statement of their link, the rest one by one."""
    a, b, *rest = scene.groups
    link = _link_between(scene, a, b)
    if link is None:
        return _plan_last_linked(scene, rng, colours, tight)
    phrases = [full(rng, group, colours, tight) for group in scene.groups]
    sentences, links = [relation_phrase(rng, a, phrases[0], b, phrases[1], link)], [link]
    for group, phrase in zip(rest, phrases[2:], strict=True):
        words, link = _attach(scene, rng, group, phrase)
        sentences.append(words)
        links += [link] if link else []
    return sentences, links


def _plan_last_linked(scene: Scene, rng: Random, colours: bool, tight: bool):
    """Name all but the last group in a list, the last one by its link to one of them."""
    groups = list(scene.groups)
    phrases = [full(rng, group, colours, tight) for group in groups]
    words, link = _attach(scene, rng, groups[-1], phrases[-1])
    return [_lead(rng, groups[:-1], phrases[:-1], tight), words], [link] if link else []


def _attach(scene: Scene, rng: Random, group: Group, phrase: str) -> tuple[str, tuple[str, str, str] | None]:
    """Name a group by a link to one named before it, or just so."""
    for other in scene.groups[: scene.groups.index(group)]:
        link = _link_between(scene, group, other)
        if link:
            if link[0] == group.kind and rng.random() < 0.4:
                return relation_phrase(rng, group, phrase, other, the(other), link), link
            return relation_phrase(rng, other, the(other), group, phrase, link), link
    if rng.random() < 0.5:
        return f"{phrase} {is_are(group)} {rng.choice(('there', 'here'))} too", None
    return f"there {is_are(group)} also {phrase}", None


_PLANS = {
    1: (_plan_list,),
    2: (_plan_list, _plan_pair_first, _plan_pair_first, _plan_last_linked),
    3: (_plan_list, _plan_pair_first, _plan_last_linked, _plan_last_linked),
}


def _fill(scene: Scene, rng: Random, core: list[str], words: tuple[int, int], lengths: tuple[int, int]) -> str | None:
    """Add optional sentences until the budget is met; None when this core cannot meet it."""
    sentences = [sentence(text) for text in core]
    openers = [opener(text) for text in sentences]
    if len(set(openers)) < len(openers) or len(sentences) > lengths[1]:
        return None
    used = sum(text.count(" ") + 1 for text in sentences)
    if used > words[1]:
        return None
    if used >= words[0] and len(sentences) >= lengths[0]:
        return " ".join(sentences)
    long = words == LONG_WORDS
    about = group_sentences(scene, rng, long)
    optional = [*about, *((text, text) for text in rng.sample(INVITATIONS, 12))]
    for attempt in range(6):
        if long and attempt == _PLAIN_ATTEMPTS:
            optional.append(with_tail(about, rng))
        extra = _extras(
            rng,
            optional,
            set(openers),
            (words[0] - used, words[1] - used),
            rng.randint(max(0, lengths[0] - len(core)), lengths[1] - len(core)),
        )
        if extra is not None:
            return " ".join([*sentences, *extra])
    return None


def _extras(
    rng: Random, optional: list[tuple[str, str]], taken: set[str], budget: tuple[int, int], number: int
) -> list[str] | None:
    """Choose `number` optional sentences whose words fit the budget (least, most), with new openers and topics."""
    least, most = budget
    chosen: list[str] = []
    topics: set[str] = set()
    for left in range(number - 1, -1, -1):
        fitting = [
            (topic, text)
            for topic, text in optional
            if least - left * _LONGEST_OPTIONAL <= text.count(" ") + 1 <= most - left * _SHORTEST_OPTIONAL
            and topic not in topics
            and opener(text) not in taken
        ]
        if not fitting:
            return None
        statements = [pair for pair in fitting if pair[0] != pair[1]]
        topic, text = rng.choice(statements if statements and rng.random() < 0.7 else fitting)
        chosen.append(text)
        topics.add(topic)
        taken.add(opener(text))
        least, most = least - text.count(" ") - 1, most - text.count(" ") - 1
    chosen.sort(key=lambda text: text in INVITATIONS)  # statements first, opinions last
    return chosen if least <= 0 <= most else None


__all__ = [
    "LONG_SENTENCES",
    "LONG_WORDS",
    "QA",
    "SHORT_SENTENCES",
    "SHORT_WORDS",
    "group_name",
    "long_description",
    "naming",
    "questions",
    "short_description",
]
