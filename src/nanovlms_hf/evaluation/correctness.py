"""MM-Vet's own score: a judge compares an answer with the true one and says how right it is, 0.0 to 1.0 (Yu et al., ICML 2024).

As in the paper (section 3.2) the judge is a language model that sees the question, the true answer and the prediction, but no
picture; `<AND>` between elements of the true answer asks for all of them, `<OR>` for any; the score is a mean over items and over
several runs of the judge, of all items and of those that need each capability. The wording and the examples are our own, and the
answer is strict JSON, so the numbers are those of *this* judge: compare models under one judge, not with printed tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..endpoint import ChatEndpoint
from .grading import mean_with_interval, seed_spread
from .judge import ask_judge

TOTAL = "correctness"
_KEY = "correctness"
_ROLE = (
    "You mark answers to questions about pictures. You see the question, the true answer and what a pupil answered, not the picture. "
    "Mark only whether the pupil's answer says what the true answer says; other words for the same thing are right, and further true "
    "words do no harm."
)
_SCALE = (
    "In the true answer, <AND> stands between elements that all have to be there, and <OR> between elements of which one is enough. "
    "Give one number in steps of 0.1: 0.0 is entirely wrong, 1.0 is entirely right, and between them is the share that is right.\n"
    "Examples, as question | true answer | pupil's answer | mark:\n"
    "How many birds and how many boats are there? | 3 birds <AND> 2 boats | There are 3 birds. | 0.5\n"
    "How many birds and how many boats are there? | 3 birds <AND> 2 boats | 2 boats, and birds, three of them | 1.0\n"
    "What is the man's job? | baker <OR> he makes bread | He bakes bread for the village. | 1.0\n"
    "What does the sign say? | mind the step | It is a yellow sign. | 0.0\n"
    'Answer with one JSON object and nothing else: {"correctness": 0.0}'
)


@dataclass(frozen=True)
class Answered:
    """A question, its true answer and what a model said.

    Attributes:
        id: names the item.
        question, truth, said: as text; `truth` may hold `<AND>` and `<OR>`.
        capabilities: what the question needs, such as "ocr" and "math".
    """

    id: str
    question: str
    truth: str
    said: str
    capabilities: tuple[str, ...] = ()


def correctness_messages(answered: Answered) -> list[dict]:
    """What the judge is asked about one answer."""
    parts = [
        f"The question:\n{answered.question}",
        f"The true answer:\n{answered.truth}",
        f"The pupil's answer:\n{answered.said}",
        _SCALE,
    ]
    return [{"role": "system", "content": _ROLE}, {"role": "user", "content": "\n\n".join(parts)}]


def check_correctness(answer: dict) -> dict[str, float]:
    """The mark of an answer of the judge, rounded to a tenth.

    Raises:
        ValueError: it holds something else than one number between 0 and 1.
    """
    if set(answer) != {_KEY}:
        raise ValueError(f"its keys are {sorted(map(str, answer))}, expected exactly {_KEY}.")
    value = answer[_KEY]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{_KEY} is {value!r}, expected a number from 0.0 to 1.0.")
    return {_KEY: round(float(value), 1)}


def mark_answers(
    answers: Mapping[str, Sequence[Answered]],
    endpoint: ChatEndpoint,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    resamples: int = 1000,
    seed: int = 0,
) -> dict:
    """Marks the answers of every condition; an item's mark is the mean over the judge's seeds.

    An empty answer is wrong without asking.

    Args:
        answers (`Mapping[str, Sequence[Answered]]`): condition ("true", "blank", "shuffled") -> the same items in each.
        endpoint (`ChatEndpoint`): the judge.
        seeds (`Sequence[int]`): each answer is marked once a seed.
        resamples, seed (`int`): of the bootstrap.

    Returns:
        `dict`: a report as that of `grade_with_judge`, on a scale of 0 to 1: `correctness` of all items, and of those that need
        each capability.

    Raises:
        EndpointError: the judge refuses or marks nothing.
        ValueError: if there is no answer.
    """
    name = f"judge {endpoint.config.model}, told the true answer, {len(seeds)} seeds"
    report: dict = {"kind": "judge", "scale": "0 to 1", "graders": {}, "scores": {}, "items": {}, "empty": {}}
    report |= {"failures": {}, "partial": {}, "seed_spread": {}}
    for condition, given in answers.items():
        if not given:
            raise ValueError("there is no answer to mark; run the benchmark first, under every condition.")
        asked = {one.id: correctness_messages(one) for one in given if one.said.strip()}
        judged = ask_judge(endpoint, asked, seeds, check_correctness)
        report["empty"][condition] = [one.id for one in given if one.id not in asked]
        marks = {key: float(np.mean([mark[_KEY] for mark in found])) for key, found in judged.grades.items()}
        marks |= dict.fromkeys(report["empty"][condition], 0.0)
        report["items"][condition] = {key: {TOTAL: mark} for key, mark in marks.items()}
        report["failures"][condition], report["partial"][condition] = judged.failures, judged.partial
        report["seed_spread"][condition] = seed_spread(list(judged.grades.values()), len(seeds), (_KEY,))
    for dimension, of_dimension in _dimensions(answers).items():
        marks = {
            condition: [found[key][TOTAL] for key in of_dimension if key in found]
            for condition, found in report["items"].items()
        }
        if all(marks.values()):
            report["graders"][dimension] = {
                "name": name,
                "sees": "question, truth and answer",
                "blind_to": "the picture",
            }
            for condition, values in marks.items():
                score = mean_with_interval(values, resamples, seed) | {"grader": name}
                report["scores"].setdefault(condition, {})[dimension] = score
    usage = endpoint.usage
    report["usage"] = vars(usage) | {"cost": usage.cost(endpoint.config), "sentence": usage.sentence(endpoint.config)}
    return report


def _dimensions(answers: Mapping[str, Sequence[Answered]]) -> dict[str, list[str]]:
    """Ids of all items, and of those that need each capability."""
    items = next(iter(answers.values()))
    found = {TOTAL: [one.id for one in items]}
    for capability in dict.fromkeys(name for one in items for name in one.capabilities):
        found[f"{TOTAL}, {capability}"] = [one.id for one in items if capability in one.capabilities]
    return found


__all__ = ["TOTAL", "Answered", "check_correctness", "correctness_messages", "mark_answers"]
