"""From text to labelled items: every word or phrase the fact reader knows, including common synonyms.

Longest phrase first: "on the left of" is a relation, "on the left" a place that states no relation.
"""

import re
from functools import cache
from typing import NamedTuple

from .vocabulary import COLOURS, COUNT_WORDS, KINDS, SETTINGS

KIND_SYNONYMS = {
    "cat": ("kitty", "kitten"),
    "dog": ("doggy", "doggie", "puppy"),
    "rabbit": ("bunny",),
    "bear": ("teddy", "teddy bear"),
    "pig": ("piggy", "piglet"),
    "cow": ("calf",),
    "sheep": ("lamb",),
    "duck": ("duckling", "ducky"),
    "bird": ("birdie",),
    "turtle": ("tortoise",),
    "plane": ("airplane", "aeroplane"),
    "bike": ("bicycle",),
    "boat": ("ship", "sailboat"),
    "rocket": ("spaceship",),
    "ice cream": ("ice cream cone", "icecream"),
    "cup": ("mug",),
    "train": ("train engine",),
    "flower": ("blossom",),
    "ball": ("beach ball",),
}
_IRREGULAR = {
    "kitty": "kitties",
    "doggy": "doggies",
    "puppy": "puppies",
    "bunny": "bunnies",
    "teddy": "teddies",
    "piggy": "piggies",
    "calf": "calves",
    "ducky": "duckies",
}
COLOUR_SYNONYMS = {"violet": "purple", "lilac": "purple", "golden": "yellow", "rosy": "pink"}
OTHER_COLOURS = ("grey", "gray", "gold", "silver", "turquoise", "beige")  # not of this world, so always false
SIZE_WORDS = {
    "small": "small",
    "little": "small",
    "tiny": "small",
    "big": "big",
    "large": "big",
    "huge": "big",
    "giant": "big",
}
NUMBER_WORDS = {word: count for count, word in COUNT_WORDS.items()} | {
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "pair of": 2,
    "couple of": 2,
}
RELATION_PHRASES = {
    "left of": (
        "left of",
        "to the left of",
        "on the left of",
        "at the left of",
        "on the left side of",
        "to the left side of",
    ),
    "right of": (
        "right of",
        "to the right of",
        "on the right of",
        "at the right of",
        "on the right side of",
        "to the right side of",
    ),
    "above": ("above", "over", "high above", "up above"),
    "on": ("on", "on top of", "upon", "onto", "up on"),
    "under": ("under", "below", "beneath", "underneath", "down below"),
    "in": ("in", "inside", "inside of", "into", "within"),
    "next to": ("next to", "beside", "by", "near", "close to", "right next to", "right beside", "alongside"),
    "?": (
        "in front of",
        "behind",
        "between",
        "far from",
        "around",
    ),  # known words that state no relation of this world
}
SIDE_PHRASES = {
    f"{at} {its} {side}": f"{side} of"
    for at in ("on", "to", "at")
    for its in ("its", "their", "her", "his")
    for side in ("left", "right")
}
SETTING_SYNONYMS = {
    "field": ("meadow",),
    "beach": ("seaside", "sand"),
    "forest": ("woods",),
    "farm": (),
    "street": ("road",),
    "snow": ("snowy",),
    "desert": (),
    "night": ("nighttime",),
    "sea": ("ocean",),
    "kitchen": (),
    "bedroom": (),
}
_PLACES = ("left", "right", "top", "bottom", "middle", "corner", "air", "sky", "picture", "page")
IDLE_PHRASES = tuple(f"{at} the {place}" for at in ("on", "in", "at", "to", "near") for place in _PLACES) + (
    "over there",
    "on top",
    "at the top",
    "by the way",
    "in all",
    "near by",
    "the left",
    "the right",
    "come by",
    "come on",
)
PRONOUNS = {"it": 1, "they": 2, "them": 2, "he": 1, "she": 1, "him": 1, "this": 1, "these": 2}
OWNERS = {"its": 1, "their": 2, "his": 1, "her": 1}
VERB_FORMS = {
    "running": ("run", "runs"),
    "dancing": ("dance", "dances"),
    "reading": ("read", "reads"),
    "waving": ("wave", "waves"),
    "jumping": ("jump", "jumps"),
    "sleeping": ("sleep", "sleeps"),
}
PERSON_NOUNS = {kind.noun: kind.noun_plural for kind in KINDS.values() if kind.group == "person"} | {
    "child": "children"
}
_NOUN_SYNONYMS = {
    "kid": "child",
    "kids": "child",
    "girls": "girl",
    "boys": "boy",
    "babies": "baby",
    "children": "child",
}
IS_WORDS = {"is": 1, "are": 2, "was": 1, "were": 2, "looks": 1, "look": 2, "seems": 1, "s": 1}


class Item(NamedTuple):
    """A labelled word or phrase: its label, its value and, for things and pronouns, whether it is plural."""

    label: str
    value: str
    plural: bool = False


def _kind_phrases() -> dict[str, Item]:
    phrases = {}
    for kind in KINDS.values():
        if kind.group == "person":
            continue
        phrases[kind.name] = Item("kind", kind.name)
        if kind.plural != kind.name:
            phrases[kind.plural] = Item("kind", kind.name, True)
        for word in KIND_SYNONYMS.get(kind.name, ()):
            phrases[word] = Item("kind", kind.name)
            phrases[_IRREGULAR.get(word, word + "s")] = Item("kind", kind.name, True)
    for noun in PERSON_NOUNS:
        phrases[noun] = Item("person", noun)
    for word, noun in _NOUN_SYNONYMS.items():
        phrases[word] = Item("person", noun, word != "kid")
    return phrases


@cache
def phrases() -> dict[tuple[str, ...], Item]:
    """All known phrases by their words."""
    table = _kind_phrases()
    table |= {name: Item("colour", name) for name in (*COLOURS, *OTHER_COLOURS)}
    table |= {word: Item("colour", name) for word, name in COLOUR_SYNONYMS.items()}
    table |= {word: Item("size", size) for word, size in SIZE_WORDS.items()}
    table |= {word: Item("number", str(count)) for word, count in NUMBER_WORDS.items()}
    table |= {word: Item("relation", name) for name, words in RELATION_PHRASES.items() for word in words}
    table |= {word: Item("side", name) for word, name in SIDE_PHRASES.items()}
    table |= {word: Item("word", word) for word in IDLE_PHRASES}
    table |= {word: Item("pronoun", word, count > 1) for word, count in PRONOUNS.items()}
    table |= {word: Item("owner", word, count > 1) for word, count in OWNERS.items()}
    table |= {word: Item("is", word, count > 1) for word, count in IS_WORDS.items()}
    for action, forms in VERB_FORMS.items():
        table |= {word: Item("action", action, word in forms[:1]) for word in (action, *forms)}
    for name in SETTINGS:
        for word in (name, *SETTING_SYNONYMS[name]):
            table |= {
                f"{lead} {word}": Item("setting", name)
                for lead in ("in the", "at the", "on the", "by the", "at", "in", "the")
            }
            table[word] = Item("setting", name)
    table |= {
        "and": Item("and", "and"),
        "with": Item("with", "with"),
        "no": Item("no", "no"),
        "not": Item("not", "not"),
    }
    table |= {word: Item("with", word) for word in ("has", "have", "holds", "carries")}
    table |= {word: Item("article", word) for word in ("a", "an", "the", "some", "our", "my", "that")}
    table |= {word: Item("wear", word) for word in ("wears", "wear", "wearing", "dressed in", "dressed")}
    table |= {word: Item("who", word) for word in ("who", "which")}
    table |= {
        word: Item("there", word)
        for word in (
            "there",
            "see",
            "find",
            "spot",
            "sits",
            "sit",
            "stands",
            "stand",
            "lies",
            "lie",
            "flies",
            "fly",
            "grows",
            "grow",
            "waits",
            "wait",
            "shines",
            "shine",
            "floats",
            "float",
        )
    }
    table |= {
        word: Item("very", word)
        for word in ("very", "so", "really", "all", "both", "too", "also", "nice", "pretty", "lovely", "cute")
    }
    return {tuple(words.split()): item for words, item in table.items()}


@cache
def _longest() -> int:
    return max(len(words) for words in phrases())


_WORDS = re.compile(r"[a-z]+|\d+|[.,!?;:\n]")


def sentences(text: str) -> list[list[Item]]:
    """The labelled items of each sentence of `text`."""
    tokens = _WORDS.findall(text.lower().replace("n't", " not").replace("-", " "))
    table, longest = phrases(), _longest()
    found, current = [], []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        if token in ".!?;\n":
            found.append(current)
            current = []
            position += 1
            continue
        for length in range(min(longest, len(tokens) - position), 0, -1):
            item = table.get(tuple(tokens[position : position + length]))
            if item is not None:
                break
        else:
            length, item = (
                1,
                Item("number", token) if token.isdigit() else Item("comma" if token in ",:" else "word", token),
            )
        current.append(item)
        position += length
    found.append(current)
    return [items for items in found if items]
