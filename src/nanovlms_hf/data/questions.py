"""Questions about a scene with short answers, each decided by the scene's own truth."""

from random import Random
from typing import NamedTuple

from .phrases import article, full, listed, named, setting_phrase, the
from .scenes import KINDS, RELATIONS, SETTINGS, Group, Scene
from .vocabulary import COUNT_WORDS

QUESTION_KINDS = ("colour", "count", "size", "exists", "place", "setting", "what", "relation", "list", "everything")


class QA(NamedTuple):
    """A question, its answer, and what it asks for (one of `QUESTION_KINDS`)."""

    question: str
    answer: str
    kind_of_question: str


def questions(scene: Scene, seed: int | None = None) -> list[QA]:
    """All kinds of questions that have one clear answer in a scene.

    Answers: a colour name; a number word; "small" or "big" (only asked of marked things); "yes" or "no", one of each for
    "exists", and for "relation" where there are two groups; a place on a grid of 3 x 3 by the hull's centre; the phrase
    of the setting; kinds without article. Lists go left to right.

    Args:
        scene: what to ask about.
        seed: chooses wording, absent kinds and the pairs asked about; None: derived from the scene.

    Returns:
        A list in fixed order of kinds; what has no clear answer is not asked.
    """
    rng = Random(((scene.seed << 64) + scene.index) * 4 + 3 if seed is None else seed)
    asked = [qa for group in scene.groups for qa in _about(rng, scene, group)]
    asked += _exists(rng, scene) + _relations(rng, scene)
    where = rng.choice(("Where is this?", "Where are we?", "What place is this?"))
    asked.append(QA(where, setting_phrase(scene), "setting"))
    what = rng.choice(("Which things are there?", "What do you see?", "What is in the picture?"))
    asked.append(QA(what, listed([named(group) for group in scene.groups]), "list"))
    everything = ", ".join(_plain(group) for group in scene.groups)
    asked.append(QA("Name everything.", everything, "everything"))
    return sorted(asked, key=lambda qa: QUESTION_KINDS.index(qa.kind_of_question))


class _FirstChoice(Random):
    """Always takes the first of several wordings, so that an answer has one form."""

    def choice(self, options):
        return options[0]


def _plain(group: Group) -> str:
    return full(_FirstChoice(), group)


def _about(rng: Random, scene: Scene, group: Group) -> list[QA]:
    thing, many = the(group), KINDS[group.kind].plural
    be = "are" if group.count > 1 else "is"
    asked = [
        QA(f"How many {many} are there?", COUNT_WORDS[group.count], "count"),
        QA(f"Where {be} {thing}?", scene.place(group.kind), "place"),
    ]
    if group.colour and KINDS[group.kind].group == "person":
        asked.append(QA(f"What colour {'do' if group.count > 1 else 'does'} {thing} wear?", group.colour, "colour"))
    elif group.colour:
        asked.append(QA(f"What colour {be} {thing}?", group.colour, "colour"))
    if group.size:
        asked.append(QA(rng.choice((f"Is {thing} big or small?", f"Is {thing} small or big?")), group.size, "size"))
    return asked


def _exists(rng: Random, scene: Scene) -> list[QA]:
    present = rng.choice(scene.groups).kind
    absent = rng.choice(
        [name for name in KINDS if name not in scene.by_kind and name not in SETTINGS[scene.setting].hides]
    )
    return [QA(f"Is there {article(name)}?", answer, "exists") for name, answer in ((present, "yes"), (absent, "no"))]


def _relations(rng: Random, scene: Scene) -> list[QA]:
    """Which thing stands in a relation, where only one does; and one true and one false statement to judge."""
    asked, true, false = [], [], []
    for group in scene.groups:
        for relation in RELATIONS:
            having = [other for other in scene.groups if scene.holds(relation, other.kind, group.kind)]
            if len(having) == 1:
                asked.append(QA(f"What is {relation} {the(group)}?", named(having[0]), "what"))
            for other in scene.groups:
                if other is not group:
                    (true if other in having else false).append((other, relation, group))
    for statements, answer in ((true, "yes"), (false, "no")):
        if true and statements:
            a, relation, b = rng.choice(statements)
            be = "Are" if a.count > 1 else "Is"
            asked.append(QA(f"{be} {the(a)} {relation} {the(b)}?", answer, "relation"))
    return asked
