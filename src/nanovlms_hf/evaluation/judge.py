"""NanoVLMs' judge: a language model that reads a beginning and its completion and gives five grades, 0 to 10.

The judge is any endpoint of OpenAI's form (see `endpoint.py`). Unlike the paper's it may be told what is really in the picture
(`truth`), without which a fluent text about another picture scores well. It never sees a picture. The wording is our own.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ..endpoint import ChatEndpoint, EndpointError, KeyRefused

DIMENSIONS = ("grammar", "creativity", "consistency", "meaningfulness", "plot")

_ROLE = (
    "You grade texts that a very young child, three or four years old, wrote about a picture. The child was given the beginning and "
    "wrote the rest. Grade only the rest; judge it as a child's words, but strictly: ten is rare, zero is allowed."
)
_SCALE = (
    "Give five whole numbers from 0 to 10.\n"
    "grammar: are the sentences of the rest well formed?\n"
    "creativity: does the rest add ideas of its own instead of stock phrases and repetition?\n"
    "consistency: does the rest fit the beginning{truth}?\n"
    "meaningfulness: does the rest make sense as a whole?\n"
    "plot: does the rest lead somewhere, each sentence following from the one before?\n"
    'Answer with one JSON object and nothing else: {{"grammar": 0, "creativity": 0, "consistency": 0, "meaningfulness": 0, "plot": 0}}'
)


@dataclass(frozen=True)
class Written:
    """A beginning, what a model added, and what is true of the picture."""

    id: str
    prefix: str
    completion: str
    truth: str = ""


def judge_messages(written: Written, show_truth: bool = True) -> list[dict]:
    """What the judge is asked about one text."""
    shown = show_truth and bool(written.truth)
    parts = [f"This is true of the picture:\n{written.truth}"] if shown else []
    parts += [f"The beginning:\n{written.prefix}", f"The rest:\n{written.completion or '(the child wrote nothing)'}"]
    parts.append(_SCALE.format(truth=" and what is true of the picture; does it say anything false" if shown else ""))
    return [{"role": "system", "content": _ROLE}, {"role": "user", "content": "\n\n".join(parts)}]


def check_grades(answer: dict) -> dict[str, float]:
    """The five grades of an answer.

    Raises:
        ValueError: a grade is missing, more than asked for, no number, or not between 0 and 10.
    """
    if set(answer) != set(DIMENSIONS):
        raise ValueError(f"its keys are {sorted(map(str, answer))}, expected exactly {', '.join(DIMENSIONS)}.")
    for name, value in answer.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10:
            raise ValueError(f"{name} is {value!r}, expected a number from 0 to 10.")
    return {name: float(answer[name]) for name in DIMENSIONS}


@dataclass
class Judged:
    """Grades of a set of texts.

    Attributes:
        grades: text id -> the grades of each seed that was answered.
        failures: text id -> why it has no grade, for texts that no seed got grades for.
        partial: text id -> why some seeds are missing, for texts that have grades.
    """

    grades: dict[str, list[dict[str, float]]]
    failures: dict[str, str]
    partial: dict[str, str]


def judge_texts(
    endpoint: ChatEndpoint, texts: Sequence[Written], seeds: Sequence[int] = (0, 1, 2), show_truth: bool = True
) -> Judged:
    """Asks for the grades of every text once a seed.

    A text that the judge never answers in the right form is listed with its reason, not dropped. A refused key stops everything
    at once.

    Raises:
        KeyRefused: the endpoint does not accept the key.
        EndpointError: every single text failed.
    """
    return ask_judge(endpoint, {text.id: judge_messages(text, show_truth) for text in texts}, seeds, check_grades)


def ask_judge(
    endpoint: ChatEndpoint,
    asked: Mapping[str, list[dict]],
    seeds: Sequence[int],
    check: Callable[[dict], dict[str, float]],
) -> Judged:
    """Asks for the grades of every text once a seed, whatever is graded.

    Args:
        endpoint (`ChatEndpoint`): the judge.
        asked (`Mapping[str, list[dict]]`): text id -> messages.
        seeds (`Sequence[int]`): one answer a seed.
        check (`Callable`): the grades of an answer; raises ValueError for one that cannot be used, which is asked again.

    Raises:
        KeyRefused, EndpointError: as `judge_texts`.
    """
    grades: dict[str, list[dict[str, float]]] = {name: [] for name in asked}
    reasons: dict[str, str] = {}

    def one(task: tuple[str, int]) -> tuple[str, dict[str, float] | None, str]:
        name, seed = task
        try:
            return name, endpoint.ask_json(asked[name], seed, check), ""
        except KeyRefused:
            raise
        except EndpointError as error:
            return name, None, str(error)

    tasks = [(name, seed) for name in asked for seed in seeds]
    with ThreadPoolExecutor(max(1, endpoint.config.workers)) as pool:
        for name, answer, reason in pool.map(one, tasks):
            if answer is None:
                reasons[name] = reason
            else:
                grades[name].append(answer)
    failures = {name: reasons[name] for name, given in grades.items() if not given}
    if len(failures) == len(grades) and grades:
        raise EndpointError(
            f"the judge graded none of {len(grades)} texts; the first reason: {next(iter(failures.values()))}"
        )
    partial = {name: reason for name, reason in reasons.items() if name not in failures}
    return Judged({name: given for name, given in grades.items() if given}, failures, partial)


__all__ = ["DIMENSIONS", "Judged", "Written", "ask_judge", "check_grades", "judge_messages", "judge_texts"]
