"""The task types of the picture world, each as turns of a chat about one picture.

A row may hold several tasks: the picture is encoded once and asked about many times, which is the cheapest way to force a
tiny model to look. The first turn carries the picture.
"""

import random
from collections.abc import Callable, Sequence

from .descriptions import long_description, naming, questions, short_description
from .scenes import Scene

Turn = tuple[str, str]  # (what the user says, what the assistant says)

PROMPTS: dict[str, tuple[str, ...]] = {
    "short": ("Describe the picture.", "What do you see?", "Tell me about this picture."),
    "long": (
        "Describe the picture in detail.",
        "Tell me a lot about this picture.",
        "What is in this picture? Say it all.",
    ),
    "naming": ("Name the things.", "What things are here, and where?"),
}


def _short(scene: Scene, rng: random.Random) -> list[Turn]:
    return [(rng.choice(PROMPTS["short"]), short_description(scene, rng))]


def _long(scene: Scene, rng: random.Random) -> list[Turn]:
    return [(rng.choice(PROMPTS["long"]), long_description(scene, rng))]


def _naming(scene: Scene, rng: random.Random) -> list[Turn]:
    return [(rng.choice(PROMPTS["naming"]), naming(scene))]


def _question(scene: Scene, rng: random.Random) -> list[Turn]:
    asked = rng.choice(questions(scene, rng.getrandbits(32)))
    return [(asked.question, asked.answer)]


TASKS: dict[str, Callable[[Scene, random.Random], list[Turn]]] = {
    "short": _short,
    "long": _long,
    "naming": _naming,
    "question": _question,
}


def chat(scene: Scene, tasks: Sequence[str], rng: random.Random) -> list[dict]:
    """A conversation about one scene.

    Args:
        scene (`Scene`): the scene; its picture goes into the first user turn.
        tasks (`Sequence[str]`): names from `TASKS`, in the order of the turns.
        rng (`random.Random`): draws prompts and wordings.

    Returns:
        `list[dict]`: chat messages with content blocks, as transformers' chat templates take them; the block of the picture
        only marks its place.

    Raises:
        ValueError: if there is no task or a name is unknown.
    """
    unknown = [name for name in tasks if name not in TASKS]
    if unknown or not tasks:
        raise ValueError(f"tasks={list(tasks)} is not a list of task names; choose from {', '.join(TASKS)}.")
    turns = [turn for name in tasks for turn in TASKS[name](scene, rng)]
    messages = []
    for index, (said, answer) in enumerate(turns):
        blocks = [{"type": "image"}] if index == 0 else []
        messages.append({"role": "user", "content": [*blocks, {"type": "text", "text": said}]})
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    return messages


__all__ = ["PROMPTS", "TASKS", "chat"]
