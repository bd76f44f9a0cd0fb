"""Words for charts: labels that nobody can guess, some of them never shown in training.

A label is an ordinary short noun, a made-up name or a code such as `K12`. Which side of the split a label is on is decided by
the hash that decides it for the words of pages (`words.py`), so that a word is held out everywhere or nowhere; `validation` and
`test` charts have held-out labels only. Months, days, quarters, years, units and the headers above them are a closed set that
every split shares: there are no others to hold out.
"""

import random
from collections.abc import Container

from .words import is_held_out

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
QUARTERS = ("Q1", "Q2", "Q3", "Q4")
HEADERS = ("Item", "Name", "Group", "Type", "Place", "Kind", "Team", "Class")
UNITS = (
    "%",
    "$",
    "kg",
    "t",
    "m",
    "km",
    "cm",
    "mm",
    "l",
    "ml",
    "s",
    "min",
    "h",
    "g",
    "km/h",
    "kWh",
    "W",
    "V",
    "pcs",
    "pt",
)

NOUNS = tuple(
    """
    acorn amber anchor apple apron arrow atlas badge bagel bamboo banjo barley barn basil basket beach bead beam bean bell
    bench berry birch bison blade blanket boat bolt book boot bottle bowl branch brass bread brick bridge broom brush bucket
    butter button cabin cable cactus camel canal candle canoe carpet carrot castle cedar cello cement chain chair chalk cheese
    cherry chess cider cinema clay cliff clock cloth cloud clover coal cocoa coffee comet copper coral cork cotton crane crate
    cream creek crown crystal cup curry curtain daisy desert desk diary dome donkey door drum duck eagle engine falcon farm
    feather fence fern fiddle field finch flag flint flour flute foam forest fork fossil fox frame frost fruit garden garlic
    ginger glass glove goat gold goose grain granite grape grass gravel guitar hammer harbor harp hazel heron hill honey hook
    horn horse hotel island ivory jacket jam jar jelly jewel kettle key kite kiwi ladder lake lamp lantern laurel lava lemon
    lens lentil lily linen lizard locket loom lotus lumber magnet maize mango maple marble market meadow melon mill mint mirror
    moss moth motor museum nail nectar needle nest nickel nutmeg oak oats oboe ocean olive onion opal orchard organ otter oven
    owl oyster paddle palm panda paper parsley pasta peach peanut pear pearl pebble pencil pepper piano pillow pine pipe planet
    plum pocket pond poplar potato pottery prism puddle pump quail quartz quill rabbit radio radish raft rail rain raven reed
    ribbon rice river robin rocket roof rope rose ruby rudder saddle sail salad salt sand satin sauce scarf school seal seed
    shell ship shoe silk silver sink skate slate sled snow soap sock soup spark spice spoon spruce squash stable stamp star
    steam steel stone stool storm stove straw sugar sun swan syrup table tea temple tent thread thunder tiger tile timber toast
    tomato torch tower town trail train tray truck trumpet tulip tunnel turkey turnip valley vase velvet vessel village vine
    violet violin wagon walnut water wave wheat wheel whistle willow window wine wolf wood wool yarn zebra zinc
    """.split()
)
_ONSETS = "b br c cl d dr f g gr h j k l m n p pr qu r s sh st t th tr v w z".split()
_VOWELS = "a e i o u ai ea ee ia o oa".split()
_ENDINGS = ("", "", "l", "m", "n", "nd", "r", "rt", "s", "ss", "t", "x")


def _made_up(rng: random.Random) -> str:
    syllables = [rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(rng.choice((1, 2, 2, 3)))]
    return ("".join(syllables) + rng.choice(_ENDINGS)).capitalize()


def _code(rng: random.Random) -> str:
    return f"{rng.choice('ABCDEFGHJKLMNPRSTUVWXYZ')}{rng.randint(1, 99)}"


def draw_word(rng: random.Random, held_out: bool, longest: int = 8, taken: Container[str] = ()) -> str:
    """A noun or a made-up name.

    Args:
        rng (`random.Random`): draws it.
        held_out (`bool`): whether to draw from the labels kept out of training or from the others.
        longest (`int`, defaults to 8): most letters, at least 3.
        taken (`Container[str]`): words not to draw.

    Returns:
        `str`: the word, capitalised.
    """
    while True:
        word = rng.choice(NOUNS).capitalize() if rng.random() < 0.5 else _made_up(rng)
        if 3 <= len(word) <= longest and is_held_out(word) == held_out and word not in taken:
            return word


def draw_labels(rng: random.Random, held_out: bool, count: int, longest: int = 8) -> list[str]:
    """`count` different labels of one sort, all words or, now and then, all codes; arguments as for `draw_word`."""
    labels: list[str] = []
    codes = rng.random() < 0.15
    while len(labels) < count:
        label = _code(rng) if codes else draw_word(rng, held_out, longest)
        if label not in labels and is_held_out(label) == held_out:
            labels.append(label)
    return labels


def draw_times(rng: random.Random, count: int) -> tuple[str, list[str]]:
    """A header and `count` points in time that follow each other: months, days, quarters or years."""
    sequences = {"Month": MONTHS, "Day": DAYS, "Quarter": QUARTERS}
    header = rng.choice(["Year", *(name for name, sequence in sequences.items() if len(sequence) >= count)])
    if header == "Year":
        first, step = rng.randint(1900, 2060), rng.choice((1, 1, 2, 5, 10))
        return header, [str(first + step * place) for place in range(count)]
    first = rng.randint(0, len(sequences[header]) - count)
    return header, list(sequences[header][first : first + count])


__all__ = [
    "DAYS",
    "HEADERS",
    "MONTHS",
    "NOUNS",
    "QUARTERS",
    "UNITS",
    "draw_labels",
    "draw_times",
    "draw_word",
]
