"""NanoVLMs' grading protocol (arXiv 2502.07838, section 3), with its known weaknesses mended.

The model is given a picture and the first words of its description; what it adds is graded on grammar, creativity, consistency,
meaningfulness and plot, 0 to 10 each. What is different from the paper: the judge may be told the truth, overlap metrics leave
the given words out, there are 100 items or more, every grade has a 95 % interval, and everything is repeated with a blank picture
and with another item's picture: a grade that stays the same there says nothing about sight.

Without an endpoint the same report is filled by the graders of `graders.py`; it names the grader of every number.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ..endpoint import ChatEndpoint
from .graders import Completion, Grader
from .intervals import bootstrap
from .judge import DIMENSIONS, Written, judge_texts
from .metric import mean_of

FEWEST_ITEMS = 100


def check_items(count: int, fewest: int = FEWEST_ITEMS) -> None:
    """Raises ValueError for fewer items than grades mean something for."""
    if count < fewest:
        raise ValueError(
            f"{count} items are too few to grade: the order of models changed between 25 and 100 items in a reproduction of the "
            f"paper; give at least {fewest}, or lower `fewest_items` and say so beside the number."
        )


def mean_with_interval(grades: Sequence[float | None], resamples: int, seed: int) -> dict[str, float]:
    """`mean`, `low` and `high` of the grades that could be given, and how many those are; None marks one that could not.

    Raises:
        ValueError: if there is none.
    """
    values = [grade for grade in grades if grade is not None]
    if not values:
        raise ValueError("no item leaves anything to be graded on; give fewer words of each text as its beginning.")
    statistics = np.array([[value, 1.0] for value in values])
    low, high = bootstrap(statistics, mean_of(["mean"]), resamples, seed)["mean"]
    return {"mean": float(np.mean(values)), "low": low, "high": high, "items": len(values)}


def grade_with_rules(
    completions: Mapping[str, Sequence[Completion]],
    graders: Mapping[str, Grader],
    *,
    fewest_items: int = FEWEST_ITEMS,
    resamples: int = 1000,
    seed: int = 0,
) -> dict:
    """The report of the programmatic graders.

    Args:
        completions (`Mapping[str, Sequence[Completion]]`): condition ("true", "blank", "shuffled") -> what was written, the same
            items in each.
        graders (`Mapping[str, Grader]`): dimension -> grader.
        fewest_items (`int`, defaults to 100): fewer are refused.
        resamples, seed (`int`): of the bootstrap.

    Returns:
        `dict`: `scores[condition][dimension]` with `mean`, `low`, `high`, `items` and `grader`; `graders[dimension]` with what each
        sees and is blind to; `items[condition]`, each item's grades by id; `empty[condition]`, ids of empty completions.

    Raises:
        ValueError: for too few items.
    """
    report: dict = {
        "kind": "programmatic",
        "graders": {
            name: {"name": grader.name, "sees": grader.sees, "blind_to": grader.blind_to}
            for name, grader in graders.items()
        },
        "scores": {},
        "items": {},
        "empty": {},
    }
    for condition, written in completions.items():
        check_items(len(written), fewest_items)
        grades = {one.id: {name: grader.grade(one) for name, grader in graders.items()} for one in written}
        report["items"][condition] = grades
        report["empty"][condition] = [one.id for one in written if not one.text.strip()]
        report["scores"][condition] = {
            name: mean_with_interval([grade[name] for grade in grades.values()], resamples, seed)
            | {"grader": graders[name].name}
            for name in graders
        }
    return report


def grade_with_judge(
    completions: Mapping[str, Sequence[Completion]],
    endpoint: ChatEndpoint,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    show_truth: bool = True,
    fewest_items: int = FEWEST_ITEMS,
    resamples: int = 1000,
    seed: int = 0,
) -> dict:
    """The same report by a judge behind an endpoint; an item's grade is the mean over the judge's seeds.

    Args:
        completions, fewest_items, resamples, seed: as in `grade_with_rules`.
        endpoint (`ChatEndpoint`): the judge.
        seeds (`Sequence[int]`): each text is graded once a seed.
        show_truth (`bool`): whether the judge is told what is true of the picture.

    Returns:
        `dict`: as `grade_with_rules`, and for each condition `seed_spread` (standard deviation of the seeds' means), `failures` and
        `partial`; `usage` with tokens and cost.

    Raises:
        ValueError: for too few items.
        EndpointError: the judge refuses or answers nothing.
    """
    config = endpoint.config
    name = f"judge {config.model}, {'told the truth' if show_truth else 'not told the truth'}, {len(seeds)} seeds"
    blind = "the picture" + ("" if show_truth else ", and what is true of it")
    report: dict = {
        "kind": "judge",
        "graders": {
            d: {"name": name, "sees": "the beginning and the completion", "blind_to": blind} for d in DIMENSIONS
        },
        "scores": {},
        "items": {},
        "empty": {},
        "failures": {},
        "partial": {},
        "seed_spread": {},
    }
    for condition, written in completions.items():
        check_items(len(written), fewest_items)
        texts = [Written(one.id, one.prefix, one.text, one.truth) for one in written]
        judged = judge_texts(endpoint, texts, seeds, show_truth)
        means = {
            key: {d: float(np.mean([grade[d] for grade in given])) for d in DIMENSIONS}
            for key, given in judged.grades.items()
        }
        report["items"][condition] = means
        report["empty"][condition] = [one.id for one in written if not one.text.strip()]
        report["failures"][condition], report["partial"][condition] = judged.failures, judged.partial
        report["seed_spread"][condition] = seed_spread(list(judged.grades.values()), len(seeds), DIMENSIONS)
        report["scores"][condition] = {
            d: mean_with_interval([grade[d] for grade in means.values()], resamples, seed) | {"grader": name}
            for d in DIMENSIONS
        }
    usage = endpoint.usage
    report["usage"] = vars(usage) | {"cost": usage.cost(config), "sentence": usage.sentence(config)}
    return report


def seed_spread(
    given: Sequence[Sequence[Mapping[str, float]]], seeds: int, dimensions: Sequence[str]
) -> dict[str, float]:
    """How much the mean grade moves from seed to seed, over the texts that every seed graded; empty for one seed."""
    full = [grades for grades in given if len(grades) == seeds]
    if seeds < 2 or not full:
        return {}
    return {
        d: float(np.std([np.mean([grades[k][d] for grades in full]) for k in range(seeds)], ddof=1))
        for d in dimensions
    }


def grades_table(report: dict) -> str:
    """The report as a text table: a row a dimension, a column a condition, with intervals and grader."""
    conditions = list(report["scores"])
    lines = [f"{'':16}" + "".join(f"{condition:>22}" for condition in conditions) + "  grader"]
    for dimension, grader in report["graders"].items():
        cells = ""
        for condition in conditions:
            score = report["scores"][condition][dimension]
            cells += f"{score['mean']:>8.2f} [{score['low']:.2f}, {score['high']:.2f}]".rjust(22)
        lines.append(f"{dimension:16}{cells}  {grader['name']}")
    if "usage" in report:
        lines.append(report["usage"]["sentence"])
        lost = {condition: len(found) for condition, found in report["failures"].items() if found}
        lines += [f"not graded: {lost}"] if lost else []
    return "\n".join(lines)


__all__ = [
    "FEWEST_ITEMS",
    "check_items",
    "grade_with_judge",
    "grade_with_rules",
    "grades_table",
    "mean_with_interval",
    "seed_spread",
]
