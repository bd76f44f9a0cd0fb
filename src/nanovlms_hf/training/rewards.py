"""Rewards that check a model's words against the truth of a row, in TRL's signature.

A reward is a function `(prompts, completions, **columns) -> list of float or None`, one value a completion; `columns` are the
row's other columns (`data/prompt_tasks.py` lists those of the picture world). None means that the reward has nothing to say of
that row, as TRL defines it. All rewards here lie between 0 and 1.

Reasoning may stand before the answer, `<think>...</think>` as TRL's `think_format_reward` has it. What is checked is the answer
alone: words in the reasoning neither gain nor lose anything, but for `format`, which asks that they be there.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from ..data.box_text import parse_box, parse_boxes
from ..data.facts import FactScore, score_facts
from ..data.prompt_tasks import message_text
from ..data.scenes import Scene
from ..evaluation.answers import vqa_words
from ..evaluation.box_scores import box_iou, detection_scores

Completion = str | list[dict]
Reward = Callable[..., list[float | None]]

_OPEN, _CLOSE = "<think>", "</think>"
_NUMBER = re.compile(r"(?<![\d.])\d+(?![\d.]*\d)")
REWARDS: dict[str, Reward] = {}


def text_of(completion: Completion) -> str:
    """The words of a completion, a text or the turns that the model added."""
    return completion if isinstance(completion, str) else "".join(map(message_text, completion))


def answer_of(completion: Completion) -> str:
    """What stands behind the reasoning: all of a text without `</think>`; nothing where the reasoning is never closed."""
    text = text_of(completion)
    if _CLOSE in text:
        return text.rpartition(_CLOSE)[2].strip()
    return "" if text.lstrip().startswith(_OPEN) else text.strip()


def _reward(function: Reward) -> Reward:
    """Enters a function into `REWARDS` under its name, without the ending `_reward`."""
    REWARDS[function.__name__.removesuffix("_reward")] = function
    return function


def _of_each(
    completions: Iterable[Completion], truths: Sequence | None, score: Callable[[str, object], float]
) -> list[float | None]:
    """The score of each answer; None where a row has no truth of this kind."""
    completions = list(completions)
    truths = [None] * len(completions) if truths is None else truths
    return [
        None if truth is None else float(score(answer_of(said), truth))
        for said, truth in zip(completions, truths, strict=True)
    ]


def _fact_score(completions, scene, part: Callable[[FactScore], float]) -> list[float | None]:
    def score(text: str, truth: Scene) -> float:
        return part(score_facts(text, truth))

    return _of_each(completions, scene, score)


@_reward
def facts_reward(prompts, completions, scene=None, **columns) -> list[float | None]:
    """F1 of the facts that the answer states of `scene` (`data/facts.py`): true things said, and all of them."""
    return _fact_score(completions, scene, lambda score: score.f1)


@_reward
def facts_precision_reward(prompts, completions, scene=None, **columns) -> list[float | None]:
    """Share of the stated facts that are true of `scene`; a text that states one true fact and stops gets 1."""
    return _fact_score(completions, scene, lambda score: score.precision)


@_reward
def facts_recall_reward(prompts, completions, scene=None, **columns) -> list[float | None]:
    """Share of the facts of `scene` that are stated; wrong ones cost nothing."""
    return _fact_score(completions, scene, lambda score: score.recall)


@_reward
def box_reward(prompts, completions, box=None, **columns) -> list[float | None]:
    """Overlap (IoU) of the first box of the answer with `box`, both in thousandths; 0 for an answer without one."""

    def score(text: str, truth: Sequence[float]) -> float:
        found = parse_box(text)
        return 0.0 if found is None else box_iou(found, truth)

    return _of_each(completions, box, score)


@_reward
def boxes_reward(prompts, completions, boxes=None, **columns) -> list[float | None]:
    """F1 of the boxes of the answer against `boxes` (class -> boxes), right from an IoU of 0.5 with a box of the class on."""
    return _of_each(
        completions, boxes, lambda text, truth: detection_scores([(parse_boxes(text), _lists(truth))])["f1"]
    )


def _lists(boxes: dict) -> dict:
    """Class -> boxes, without the classes that a table of many rows fills with None."""
    return {name: found for name, found in boxes.items() if found is not None}


@_reward
def count_reward(prompts, completions, count=None, **columns) -> list[float | None]:
    """1 if the answer says `count`, as a numeral or a word to ten, and no other number; else 0."""

    def score(text: str, truth: int) -> float:
        return float({int(number) for number in _NUMBER.findall(vqa_words(text))} == {int(truth)})

    return _of_each(completions, count, score)


@_reward
def answer_reward(prompts, completions, answer=None, **columns) -> list[float | None]:
    """1 if the answer is `answer`, capitals, articles and punctuation aside; else 0."""
    return _of_each(completions, answer, lambda text, truth: vqa_words(text) == vqa_words(str(truth)))


@_reward
def format_reward(prompts, completions, **columns) -> list[float | None]:
    """1 if reasoning stands before the answer: `<think>`, words, `</think>`, words, each mark once; else 0.

    TRL's `think_format_reward` also takes empty reasoning and an empty answer; both would be rewarded for nothing.
    """

    def well_formed(text: str) -> bool:
        before, _, rest = text.strip().partition(_OPEN)
        reasoning, closed, answer = rest.partition(_CLOSE)
        marks = text.count(_OPEN) == text.count(_CLOSE) == 1
        return bool(marks and not before and closed and reasoning.strip() and answer.strip())

    return [float(well_formed(text_of(said))) for said in completions]


__all__ = ["REWARDS", "Reward", "answer_of", "text_of"] + [function.__name__ for function in REWARDS.values()]
