"""Sentences that fill a text: true statements about parts and places, and opinions and invitations that state nothing."""

from random import Random

from .phrases import PLACE_PHRASES, article, is_are, named, sentence, the
from .scenes import KINDS, Group, Scene
from .vocabulary import COUNT_WORDS

INVITATIONS = (
    "How nice that is!",
    "What fun this is!",
    "So much fun!",
    "I like it.",
    "That is fun.",
    "What a picture!",
    "This makes me smile.",
    "Can you see it?",
    "Do you see it?",
    "I like this picture.",
    "Let us play there.",
    "We can all play together.",
    "Do you like it too?",
    "You may draw it too.",
    "I want to go there too.",
    "Can you tell me a story?",
    "My mum would like this picture.",
    "Now we can sing a song.",
    "Would you like to come and play?",
    "Let us have a good time there.",
    "Maybe we can go and play there soon.",
    "Please tell me what you like best about it.",
    "It makes me want to clap my hands.",
    "My dad and I want to paint this together.",
    "Come and tell me a good story about all of this.",
    "What would you like to do if you were there now?",
    "Maybe you can draw a picture like this one with me.",
    "If I could, I would go there and play until it is late.",
    "That is a good day for us to play and sing together.",
    "Some day I want to go there with all my good friends.",
)

TAILS = (
    ", and I like that",
    ", and that makes me smile",
    ", and that is so nice",
    ", and that is what I like best",
    ", and you can see that too",
    ", and that is fun to see",
)


def group_sentences(scene: Scene, rng: Random, long: bool = False) -> list[tuple[str, str]]:
    """Optional true sentences about a scene's groups, each with its topic; of one topic only one should be used.

    Args:
        scene: what they are about.
        rng: chooses the wording.
        long: whether to offer longer ones as well, to fill a long text.
    """
    found = []
    for group in scene.groups:
        found.append((f"place {group.kind}", _place(rng, scene, group)))
        found.append((f"place {group.kind}", _place(rng, scene, group)))
        found.append((f"detail {group.kind}", _detail(rng, group)))
        found.append((f"detail {group.kind}", _detail(rng, group)))
        found.append((f"liking {group.kind}", _liking(rng, group)))
        if group.count > 1:
            found.append((f"count {group.kind}", _counting(rng, group)))
        if long:
            found.append((f"place {group.kind}", _long_place(rng, scene, group)))
            found.append((f"detail {group.kind}", _long_detail(rng, group)))
    return found


def with_tail(found: list[tuple[str, str]], rng: Random) -> tuple[str, str]:
    """One of the sentences about places and parts with an opinion at its end. A text should have one at most."""
    plain = [pair for pair in found if pair[0].startswith(("place", "detail")) and " see" not in f" {pair[1].lower()}"]
    topic, text = rng.choice(plain)
    return topic, text[:-1] + rng.choice(TAILS) + "."


def _place(rng: Random, scene: Scene, group: Group) -> str:
    where, thing = PLACE_PHRASES[scene.place(group.kind)], the(group)
    return sentence(
        rng.choice(
            (
                f"{thing} {is_are(group)} {where}",
                f"{where} you can find {thing}",
                f"you can find {thing} {where}",
                f"search {where} to find {thing}",
                f"{where} of my picture {is_are(group)} {thing}"
                if where == "in the middle"
                else f"{where} we find {thing}",
            )
        )
    )


def _long_place(rng: Random, scene: Scene, group: Group) -> str:
    where, thing = PLACE_PHRASES[scene.place(group.kind)], the(group)
    return sentence(
        rng.choice(
            (
                f"if you search {where}, you will find {thing}",
                f"to find {thing}, you have to search {where}",
                f"put your hand {where}, and you can touch {thing}",
            )
        )
    )


def _detail(rng: Random, group: Group) -> str:
    kind = KINDS[group.kind]
    if group.count > 1:
        return sentence(rng.choice((f"each {kind.noun} has {kind.detail}", f"every {kind.noun} has {kind.detail}")))
    return sentence(
        rng.choice(
            (
                f"{the(group)} has {kind.detail}",
                f"see how {the(group)} has {kind.detail}",
                f"see, the {kind.noun} has {kind.detail}",
                f"with {kind.detail}, the {kind.noun} is nice to see",
            )
        )
    )


def _long_detail(rng: Random, group: Group) -> str:
    thing, detail = the(group), KINDS[group.kind].detail
    return sentence(
        rng.choice(
            (
                f"if I draw {thing}, I have to draw {detail}",
                f"when you paint {thing}, you need to paint {detail} too",
                f"my dad can draw {thing} with {detail}",
            )
        )
    )


def _liking(rng: Random, group: Group) -> str:
    thing = the(group)
    plain = named(group) if group.count > 1 else article(named(group))
    choices = [
        f"I like {thing} very much",
        f"my eyes like {thing} best",
        f"do you like {thing} too?",
        f"maybe you would like to have {plain} too"
        if KINDS[group.kind].group not in ("person", "weather")
        else f"maybe you like {thing} just as much as I do",
        f"for me, {thing} {is_are(group)} the best part of this picture",
        f"how would you draw {thing} with your own hands?",
    ]
    words = rng.choice(choices)
    return sentence(words.rstrip("?"), "?" if words.endswith("?") else ".")


def _counting(rng: Random, group: Group) -> str:
    numbers = ", ".join(COUNT_WORDS[n] for n in range(1, group.count + 1))
    return sentence(rng.choice((f"count {the(group)} with me: {numbers}", f"let us count {the(group)}: {numbers}")))
