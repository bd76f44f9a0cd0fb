"""Prompts about scenes with the truth that a reward checks the answer against: rows for learning from rewards.

A row asks one thing and carries one truth, each in a column of its own; the columns of other truths are None there, and a
reward that finds None has nothing to say of that row.

| task | asks for | truth |
|---|---|---|
| describe | a description | `scene`: the `Scene` itself, which decides every statement |
| locate | the box of what an expression singles out | `box`: four thousandths of the picture |
| detect | the boxes of things | `boxes`: class -> boxes in thousandths |
| count | how many there are of a kind | `count`: a whole number |
| question | a colour, size, place, setting, thing, yes or no | `answer`: a short text |

`reference` is a right answer in words, for a reward that compares texts, and for trying rewards before training.
"""

import random
from collections.abc import Callable, Mapping, Sequence

from datasets import Dataset

from .box_text import parse_box, parse_boxes
from .descriptions import short_description
from .detection import detection_row
from .drawing import render
from .questions import questions
from .referring import referring_row
from .scenes import DEFAULT_WORLD, Scene, WorldConfig
from .tasks import PROMPTS
from .vocabulary import COUNT_WORDS
from .world import SPLIT_OFFSETS, world_scene

TRUTHS = ("scene", "box", "boxes", "count", "answer")
THINKING = "Think first, between <think> and </think>; then answer."
_NUMBERS = {word: number for number, word in COUNT_WORDS.items()}
_SHORT_ANSWERS = ("colour", "size", "exists", "place", "setting", "what", "relation")


def prompt_row(images: list, prompt: str | list[dict], task: str, reference: str, **truth) -> dict:
    """One row: `images`, `prompt`, `task`, `reference`, and a column for each of `TRUTHS`, None where not given."""
    turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    absent = dict.fromkeys(TRUTHS)
    return {"images": images, "prompt": turns, "task": task, "reference": reference, **absent, **truth}


def _describe(seed: int, split: str, index: int, world: WorldConfig, image_size: int, rng: random.Random) -> dict:
    scene = world_scene(seed, split, index, world)
    prompt = rng.choice(PROMPTS["short"])
    return prompt_row([render(scene, image_size)], prompt, "describe", short_description(scene, rng), scene=scene)


def _locate(seed: int, split: str, index: int, world: WorldConfig, image_size: int, rng: random.Random) -> dict:
    row = referring_row(seed, split, index, world, image_size)
    asked, answer = _turn(row["messages"])
    return prompt_row(row["images"], asked, "locate", answer, box=parse_box(answer))


def _detect(seed: int, split: str, index: int, world: WorldConfig, image_size: int, rng: random.Random) -> dict:
    row = detection_row(seed, split, index, world, image_size)
    asked, answer = _turn(row["messages"])
    return prompt_row(row["images"], asked, "detect", answer, boxes=parse_boxes(answer).boxes)


def _count(seed: int, split: str, index: int, world: WorldConfig, image_size: int, rng: random.Random) -> dict:
    scene = world_scene(seed, split, index, world)
    asked, answer = _asked(scene, ("count",), rng)
    return prompt_row([render(scene, image_size)], asked, "count", answer, count=_NUMBERS[answer])


def _question(seed: int, split: str, index: int, world: WorldConfig, image_size: int, rng: random.Random) -> dict:
    scene = world_scene(seed, split, index, world)
    asked, answer = _asked(scene, _SHORT_ANSWERS, rng)
    return prompt_row([render(scene, image_size)], asked, "question", answer, answer=answer)


def _asked(scene: Scene, kinds: Sequence[str], rng: random.Random) -> tuple[str, str]:
    """One question of the given kinds with its answer; every kind that can be asked is as likely as any other."""
    known = [qa for qa in questions(scene, rng.getrandbits(32)) if qa.kind_of_question in kinds]
    kind = rng.choice([kind for kind in kinds if any(qa.kind_of_question == kind for qa in known)])
    chosen = rng.choice([qa for qa in known if qa.kind_of_question == kind])
    return chosen.question, chosen.answer


def _turn(messages: list[dict]) -> tuple[str, str]:
    """What the user says and what the assistant answers in the first two turns."""
    asked, answer = (message_text(message) for message in messages[:2])
    return asked, answer


def message_text(message: dict) -> str:
    """The words of a chat message, whose content is a text or a list of blocks."""
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content if part["type"] == "text")


PROMPT_TASKS: dict[str, Callable[..., dict]] = {
    "describe": _describe,
    "locate": _locate,
    "detect": _detect,
    "count": _count,
    "question": _question,
}


def with_thinking(prompt: list[dict]) -> list[dict]:
    """A prompt whose last turn also asks for reasoning before the answer."""
    *before, last = prompt
    content = last["content"]
    if isinstance(content, str):
        content = f"{content} {THINKING}"
    else:
        content = [*content, {"type": "text", "text": f" {THINKING}"}]
    return [*before, {**last, "content": content}]


class PromptRows:
    """Draws rows by number, each a pure function of (seed, split, index); picklable, for data-loader workers.

    Args:
        seed, split, image_size, world: as for `world.world_dataset`.
        tasks (`Mapping[str, float]`): task -> weight, of `PROMPT_TASKS`.
        thinking (`bool`): whether to ask for reasoning before the answer.

    Raises:
        ValueError: if the split or a task is unknown, or no task has a weight above 0.
    """

    def __init__(self, seed, split, image_size, tasks: Mapping[str, float], world=DEFAULT_WORLD, thinking=False):
        self.seed, self.split, self.image_size, self.world = seed, split, image_size, world
        self.tasks, self.thinking = list(tasks), thinking
        if split not in SPLIT_OFFSETS:
            raise ValueError(f"split={split!r} is unknown; choose one of {', '.join(SPLIT_OFFSETS)}.")
        unknown = [name for name in self.tasks if name not in PROMPT_TASKS]
        numbers = all(isinstance(weight, int | float) and weight >= 0 for weight in tasks.values())
        if unknown or not numbers or not sum(tasks.values()):
            raise ValueError(
                f"mixture={dict(tasks)} has to give tasks a weight above 0, and the tasks are "
                f"{', '.join(PROMPT_TASKS)}; write for example mixture: {{describe: 2.0, locate: 1.0}}."
            )
        self.weights = [float(weight) for weight in tasks.values()]

    def row(self, index: int) -> dict:
        """The row of a number; see `prompt_row`."""
        rng = random.Random(f"{self.seed}:{self.split}:{index}:prompt")
        task = rng.choices(self.tasks, weights=self.weights)[0]
        row = PROMPT_TASKS[task](self.seed, self.split, index, self.world, self.image_size, rng)
        return row | {"prompt": with_thinking(row["prompt"])} if self.thinking else row

    def __call__(self, batch: dict) -> dict:
        return _columns(self.row, batch["index"])


class ChatPrompts:
    """Chats about pictures as prompts: all turns but the last are the prompt, the last one is the right answer.

    Args:
        rows (`Dataset`): rows with `images` and `messages`, such as `sources.load_sources` gives.
        thinking (`bool`): whether to ask for reasoning before the answer.
    """

    def __init__(self, rows: Dataset, thinking: bool = False):
        self.rows, self.thinking = rows, thinking

    def row(self, index: int) -> dict:
        """The row of a number, with `answer`.

        Raises:
            ValueError: if the chat does not end with an assistant's turn behind a user's.
        """
        chat = self.rows[index]
        *before, last = chat["messages"]
        if last["role"] != "assistant" or not before:
            raise ValueError(
                f"row {index} ends with a turn of {last['role']!r} behind {len(before)} others, but its last turn is the answer "
                "that a reward checks: end each chat with the assistant's answer to a user's turn."
            )
        prompt = [{"role": turn["role"], "content": _blocks(turn["content"])} for turn in before]
        prompt = with_thinking(prompt) if self.thinking else prompt
        answer = message_text(last)
        return prompt_row(list(chat["images"]), prompt, "chat", answer, answer=answer)

    def __call__(self, batch: dict) -> dict:
        return _columns(self.row, batch["index"])


def _blocks(content: str | list[dict]) -> list[dict]:
    """Content blocks without the empty fields that a table gives every block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [
        {"type": "text", "text": part["text"]} if part["type"] == "text" else {"type": "image"} for part in content
    ]


def _columns(row_of: Callable[[int], dict], indices: Sequence[int]) -> dict:
    """Rows as columns; a number that comes several times, as a group's does, is drawn once."""
    drawn = {index: row_of(index) for index in dict.fromkeys(indices)}
    rows = [drawn[index] for index in indices]
    return {key: [row[key] for row in rows] for key in rows[0]}


def prompt_dataset(rows: PromptRows | ChatPrompts, length: int, start: int = 0) -> Dataset:
    """Rows that are drawn when they are read, as a `datasets.Dataset`.

    Args:
        rows (`PromptRows` or `ChatPrompts`): what to draw.
        length (`int`): how many rows.
        start (`int`, defaults to 0): number of the first.

    Raises:
        ValueError: if the length is not positive.
    """
    if length < 1:
        raise ValueError(f"length={length} prompts were asked for; give at least 1.")
    return Dataset.from_dict({"index": range(start, start + length)}).with_transform(rows)


__all__ = [
    "PROMPT_TASKS",
    "THINKING",
    "TRUTHS",
    "ChatPrompts",
    "PromptRows",
    "message_text",
    "prompt_dataset",
    "prompt_row",
    "with_thinking",
]
