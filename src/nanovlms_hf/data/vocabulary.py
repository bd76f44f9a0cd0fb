"""The words of the picture world: kinds of things, colours, settings, relations and styles.

A closed world on purpose. Every word a text may use for a fact stands in one of these tables, so a text can be read
back into facts (`facts.read_facts`) and checked against the scene that was drawn.

Kinds of people are an action and a noun ("running girl"): what somebody does has to be seen, not guessed from the noun.
"""

from dataclasses import dataclass

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (218, 38, 42),
    "orange": (246, 134, 24),
    "yellow": (250, 216, 44),
    "green": (62, 160, 62),
    "blue": (44, 98, 214),
    "purple": (138, 62, 184),
    "pink": (250, 140, 186),
    "brown": (134, 84, 46),
    "black": (52, 52, 58),
    "white": (248, 248, 248),
}

RELATIONS = ("left of", "right of", "above", "on", "under", "in", "next to")

TRAIN_STYLES = ("flat", "crayon", "pastel", "paper")
HELD_OUT_STYLES = ("sketch", "dots")
STYLES = TRAIN_STYLES + HELD_OUT_STYLES

SIZES = ("small", "big")
COUNT_WORDS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}


@dataclass(frozen=True)
class Kind:
    """One kind of thing.

    Attributes:
        name: singular, as written in texts ("ice cream", "running girl").
        plural: plural, as written in texts.
        group: the family it belongs to ("animal", "toy", "vehicle", "food", "plant", "home", "person", "weather").
        places: where it may be: any of "ground", "sky", "water".
        colours: colour names it may have; empty for things that only have their natural colour.
        sizes: sizes it may be marked with; empty for things always drawn at ordinary size.
        detail: parts that every drawing of the kind shows, as a phrase after "has" ("two long ears").
        scale: drawn size relative to the ordinary one.
        max_count: the largest count of the kind in one scene.
        top: height of the surface others can stand on, as a fraction of the box from its upper edge; None: no surface.
        top_inset: how far the surface ends from the box's sides, as a fraction of its width.
        rim: height of the rim of a thing others can sit *in*, as a fraction of its box from the upper edge; None: none.
        rests: whether it can stand on, or sit in, another thing.
        tilts: whether it is sometimes drawn slightly turned.
        verb: what it does in a scene, as a verb in its base form ("sit", "fly").
    """

    name: str
    plural: str
    group: str
    places: tuple[str, ...] = ("ground",)
    colours: tuple[str, ...] = tuple(COLOURS)
    sizes: tuple[str, ...] = SIZES
    detail: str = ""
    scale: float = 1.0
    max_count: int = 5
    top: float | None = None
    top_inset: float = 0.04
    rim: float | None = None
    rests: bool = True
    tilts: bool = True
    verb: str = "stand"

    @property
    def noun(self) -> str:
        """The head noun: the last word of a person's name, the whole name of anything else."""
        return self.name.split()[-1] if self.group == "person" else self.name

    @property
    def noun_plural(self) -> str:
        """The plural of `noun`."""
        return self.plural.split()[-1] if self.group == "person" else self.plural

    @property
    def action(self) -> str | None:
        """What a person does ("running"); None for anything that is no person."""
        return self.name.split()[0] if self.group == "person" else None


@dataclass(frozen=True)
class Setting:
    """One place a scene can be in.

    Attributes:
        name: the word a fact carries ("beach").
        phrase: the words that put a scene there ("at the beach").
        ground: what lies below: "ground" or "water".
        hides: kinds that never appear here, because the backdrop itself shows something like them.
    """

    name: str
    phrase: str
    ground: str = "ground"
    hides: tuple[str, ...] = ()
    indoors: bool = False


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting("field", "in the field"),
        Setting("beach", "at the beach"),
        Setting("forest", "in the forest", hides=("tree",)),
        Setting("farm", "at the farm", hides=("house",)),
        Setting("street", "in the street", hides=("house",)),
        Setting("snow", "in the snow", hides=("cactus",)),
        Setting("desert", "in the desert", hides=("cactus",)),
        Setting("night", "at night", hides=("sun", "star", "rainbow")),
        Setting("sea", "on the sea", ground="water"),
        Setting("kitchen", "in the kitchen", hides=("cup", "sun", "moon", "cloud", "rainbow", "house"), indoors=True),
        Setting("bedroom", "in the bedroom", hides=("sun", "moon", "cloud", "rainbow", "house"), indoors=True),
    )
}

_GROUND, _SKY, _WATER = ("ground",), ("sky",), ("ground", "water")
_BRIGHT = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white")


def _animals() -> tuple[Kind, ...]:
    def animal(name, plural, detail, places=_GROUND, **rest):
        return Kind(name, plural, "animal", places, detail=detail, **rest)

    return (
        animal("cat", "cats", "pointed ears and a long tail", verb="sit"),
        animal("dog", "dogs", "floppy ears and a wet nose", verb="sit"),
        animal("rabbit", "rabbits", "two long ears", verb="sit"),
        animal("bear", "bears", "round ears and a soft tummy", verb="sit"),
        animal("pig", "pigs", "a flat nose and a curly tail"),
        animal("cow", "cows", "two horns and dark spots"),
        animal("sheep", "sheep", "a dark face and soft curls"),
        animal("elephant", "elephants", "a long trunk and floppy ears"),
        animal("duck", "ducks", "a flat beak and a short tail", _WATER, verb="sit"),
        animal("bird", "birds", "a pointed beak and open wings", _SKY, verb="fly"),
        animal("fish", "fish", "fins and one round eye", _WATER, verb="lie"),
        animal("frog", "frogs", "round eyes and a wide mouth", _WATER, verb="sit"),
        animal("turtle", "turtles", "a hard shell and short legs", _WATER),
        animal("snail", "snails", "a round shell and two feelers", verb="sit"),
        animal("butterfly", "butterflies", "four pretty wings", ("sky", "ground"), verb="fly"),
    )


def _toys_and_vehicles() -> tuple[Kind, ...]:
    def toy(name, plural, detail, places=_GROUND, **rest):
        return Kind(name, plural, "toy", places, detail=detail, **rest)

    def vehicle(name, plural, detail, places=_GROUND, **rest):
        return Kind(name, plural, "vehicle", places, detail=detail, **rest)

    return (
        toy("ball", "balls", "a stripe around it", _WATER, verb="lie"),
        toy("balloon", "balloons", "a long string", _SKY, verb="fly"),
        toy("kite", "kites", "a long tail with bows", _SKY, verb="fly"),
        toy("robot", "robots", "square eyes and strong arms"),
        toy("drum", "drums", "two sticks on top", tilts=False),
        vehicle("car", "cars", "two wheels and two windows", top=0.03, top_inset=0.27, tilts=False),
        vehicle("bus", "buses", "many windows and two wheels", scale=1.08, top=0.02, tilts=False),
        vehicle("train", "trains", "a chimney and round wheels", scale=1.08, tilts=False),
        vehicle("boat", "boats", "a strong hull", _WATER, rim=0.66, rests=False, tilts=False, verb="lie"),
        vehicle("plane", "planes", "wings and tiny windows", _SKY, verb="fly"),
        vehicle("bike", "bikes", "two wheels and a seat", tilts=False),
        vehicle("rocket", "rockets", "a round window and hot flames", _SKY, verb="fly"),
        vehicle("tractor", "tractors", "two wheels and a cab", tilts=False),
    )


def _food_and_plants() -> tuple[Kind, ...]:
    return (
        Kind("apple", "apples", "food", colours=("red", "green", "yellow"), detail="a stem and a leaf", verb="lie"),
        Kind("banana", "bananas", "food", colours=(), detail="a bent shape", verb="lie"),
        Kind("carrot", "carrots", "food", colours=(), detail="leaves at one end", verb="lie"),
        Kind("cake", "cakes", "food", detail="a candle on top", tilts=False),
        Kind("ice cream", "ice creams", "food", detail="a crunchy cone"),
        Kind(
            "tree",
            "trees",
            "plant",
            colours=("green", "yellow", "orange", "red", "pink"),
            detail="a thick trunk",
            scale=1.1,
            rests=False,
            tilts=False,
            verb="grow",
        ),
        Kind("flower", "flowers", "plant", colours=_BRIGHT, detail="petals and a stem", rests=False, verb="grow"),
        Kind("mushroom", "mushrooms", "plant", detail="a round cap with dots", verb="grow"),
        Kind("cactus", "cactuses", "plant", colours=(), detail="two arms with spikes", tilts=False, verb="grow"),
    )


def _home() -> tuple[Kind, ...]:
    def home(name, plural, detail, places=_GROUND, **rest):
        return Kind(name, plural, "home", places, detail=detail, tilts=False, **rest)

    return (
        home("box", "boxes", "flat sides and corners", _WATER, rim=0.2),
        home("basket", "baskets", "a woven side", _WATER, rim=0.46),
        home("cup", "cups", "a handle", rim=0.16),
        home("hat", "hats", "a wide rim"),
        home("umbrella", "umbrellas", "a bent handle"),
        home("book", "books", "many pages"),
        home("chair", "chairs", "a seat and a back", top=0.57, top_inset=0.12, rests=False),
        home("table", "tables", "four legs and a flat top", scale=1.1, top=0.03, rests=False),
        home("house", "houses", "a door and a pointed roof", scale=1.15, rests=False),
    )


def _people_and_weather() -> tuple[Kind, ...]:
    def person(name, plural, detail, **rest):
        return Kind(name, plural, "person", detail=detail, **rest)

    def weather(name, plural, detail, colours=(), **rest):
        return Kind(name, plural, "weather", _SKY, colours=colours, detail=detail, rests=False, **rest)

    return (
        person("running girl", "running girls", "long hair and quick legs", verb="run"),
        person("running boy", "running boys", "short hair and quick legs", verb="run"),
        person("dancing girl", "dancing girls", "long hair and arms up high", verb="dance"),
        person("reading girl", "reading girls", "long hair and an open page", verb="read", tilts=False),
        person("waving boy", "waving boys", "short hair and one hand up", verb="wave"),
        person("jumping boy", "jumping boys", "short hair and arms up high", verb="jump"),
        person("sleeping baby", "sleeping babies", "closed eyes and a soft pillow", verb="sleep", tilts=False),
        weather("sun", "suns", "warm rays all around", max_count=1, verb="shine"),
        weather("moon", "moons", "two pointed ends", max_count=1, verb="shine"),
        weather("rainbow", "rainbows", "many stripes", max_count=1, verb="shine", tilts=False),
        weather("cloud", "clouds", "soft round edges", tilts=False, verb="float"),
        weather("star", "stars", "five points", colours=_BRIGHT, verb="shine"),
    )


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        *_animals(),
        *_toys_and_vehicles(),
        *_food_and_plants(),
        *_home(),
        *_people_and_weather(),
    )
}
