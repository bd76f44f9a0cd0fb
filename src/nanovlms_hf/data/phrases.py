"""Small pieces of English for texts about scenes: noun phrases, lists, verbs, statements of relations and places."""

from collections.abc import Sequence
from random import Random

from .scenes import KINDS, SETTINGS, Group, Scene
from .vocabulary import COUNT_WORDS

CONVERSE = {"left of": "right of", "right of": "left of", "above": "under", "under": "above", "next to": "next to"}
SIZE_CHOICES = {"small": ("small", "small", "little", "tiny"), "big": ("big", "big", "large", "huge")}
RELATION_CHOICES = {
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
    "above": ("above", "above", "over"),
    "on": ("on", "on top of"),
    "under": ("under", "under", "below"),
    "in": ("in", "inside"),
    "next to": ("next to", "next to", "beside"),
}
PLACE_PHRASES = {
    "top left": "at the top on the left",
    "top middle": "at the top in the middle",
    "top right": "at the top on the right",
    "middle left": "on the left side",
    "middle": "in the middle",
    "middle right": "on the right side",
    "bottom left": "at the bottom on the left",
    "bottom middle": "at the bottom in the middle",
    "bottom right": "at the bottom on the right",
}


def article(words: str) -> str:
    """ "a" or "an" in front of `words`."""
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def is_are(*groups: Group) -> str:
    """The form of "be" for one group or several side by side."""
    return "are" if len(groups) > 1 or groups[0].count > 1 else "is"


def verb(group: Group) -> str:
    """What the group does, in the form that fits its number: "sits", "fly"."""
    base = KINDS[group.kind].verb
    if group.count > 1:
        return base
    if base.endswith("y"):
        return base[:-1] + "ies"
    return base + "s"


def named(group: Group) -> str:
    """The kind without article, in the right number."""
    return KINDS[group.kind].plural if group.count > 1 else group.kind


def the(group: Group) -> str:
    """A later mention: "the cat", "the girls"."""
    kind = KINDS[group.kind]
    return f"the {kind.noun_plural if group.count > 1 else kind.noun}"


def full(rng: Random, group: Group, colour: bool = True, tight: bool = False) -> str:
    """A first mention with all that is to be said: "a big red cat", "two running girls in blue".

    Args:
        rng: chooses among words for the same size.
        group: the group.
        colour: whether to say the colour.
        tight: put the colour of a person's clothes in front as well, which saves a word.
    """
    person = KINDS[group.kind].group == "person"
    words = [named(group)]
    if colour and group.colour:
        words = [named(group), "in", group.colour] if person and not tight else [group.colour, named(group)]
    if group.size:
        words.insert(0, rng.choice(SIZE_CHOICES[group.size]))
    phrase = " ".join(words)
    return f"{COUNT_WORDS[group.count]} {phrase}" if group.count > 1 else article(phrase)


def listed(phrases: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return phrases[0] if len(phrases) == 1 else ", ".join(phrases[:-1]) + " and " + phrases[-1]


def setting_phrase(scene: Scene) -> str:
    """ "at the beach"."""
    return SETTINGS[scene.setting].phrase


def property_phrase(group: Group) -> str:
    """The colour as a statement: "the cat is red", "the girl wears blue"."""
    if KINDS[group.kind].group == "person":
        return f"{the(group)} {'wear' if group.count > 1 else 'wears'} {group.colour}"
    return f"{the(group)} {is_are(group)} {group.colour}"


def relation_phrase(
    rng: Random, first: Group, first_words: str, second: Group, second_words: str, link: tuple[str, str, str]
) -> str:
    """State a link with `first` named before `second`, whichever of them is its subject.

    Args:
        rng: chooses the form.
        first, second: the two groups of the link; `first_words`, `second_words`: the phrases to name them with.
        link: (subject kind, relation, object kind).
    """
    subject, relation, _ = link
    inverted = subject == second.kind
    if inverted and relation in CONVERSE and rng.random() < 0.6:
        relation, inverted = CONVERSE[relation], False
    words = rng.choice(RELATION_CHOICES[relation])
    if inverted:
        tail = rng.choice((is_are(second), "there " + is_are(second), "you see", "I see"))
        if second_words.startswith("the ") and tail.startswith("there "):  # "there is" brings in what is new
            tail = is_are(second)
        comma = "," if tail in ("you see", "I see") else ""
        return f"{words} {first_words}{comma} {tail} {second_words}"
    return f"{first_words} {rng.choice((is_are(first), verb(first)))} {words} {second_words}"


def sentence(words: str, end: str = ".") -> str:
    """Capital letter and full stop."""
    return words[0].upper() + words[1:] + end


def opener(text: str) -> str:
    """The first word of a sentence, lower case, without punctuation."""
    return text.split(None, 1)[0].strip(",.!?").lower()
