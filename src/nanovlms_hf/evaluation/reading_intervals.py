"""How sure the figures of `reading_scores.py` are: bootstrap intervals over held-out rows.

Each row adds to sums, from which a measure's figures follow as they do for all rows at once; `intervals.py` draws the rows again.
Counts of unreadable answers have no interval.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .box_scores import detection_scores
from .fact_intervals import CONFIDENCE, fact_intervals
from .intervals import bootstrap
from .reading_scores import MEASURES
from .text_scores import character_error_rate, normalised_edit_distance, plain_spaces, word_error_rate

Pair = tuple[str, Any]


def reading_intervals(
    measure: str, pairs: Sequence[Pair], *, resamples: int = 1000, seed: int = 0
) -> dict[str, list[float]]:
    """95 % intervals of a measure's figures.

    Args:
        measure (`str`): a name in `MEASURES`.
        pairs (`Sequence`): (what was said, the truth) of each row.
        resamples (`int`, defaults to 1000): drawings of as many rows as there are.
        seed (`int`, defaults to 0): seed of the drawings.

    Returns:
        `dict[str, list[float]]`: figure -> `[low, high]`, rounded to four places.
    """
    if measure == "facts":
        return fact_intervals(pairs, resamples=resamples, seed=seed)
    add, finish = _SUMS.get(measure, (None, None))
    if add is None:  # a mean of the rows' own figures
        alone = [MEASURES[measure].score([pair]) for pair in pairs]
        names = [name for name in alone[0] if name != "unreadable"]
        sums, finish = [[*(one[name] for name in names), 1] for one in alone], _means(names)
    else:
        sums = [add(pair) for pair in pairs]
    found = bootstrap(np.array(sums, dtype=float), finish, resamples, seed, CONFIDENCE)  # (rows, columns)
    return {name: [round(low, 4), round(high, 4)] for name, (low, high) in found.items()}


def _means(names: Sequence[str]) -> Callable[[np.ndarray], dict[str, float]]:
    return lambda sums: {name: value / sums[-1] for name, value in zip(names, sums[:-1], strict=True)}


def _text_sums(pair: Pair) -> tuple[float, ...]:
    truth = plain_spaces(pair[1])
    characters, words = len(truth), len(truth.split())
    wrong = (character_error_rate([pair]) * characters, word_error_rate([pair]) * words)
    return *wrong, characters, words, normalised_edit_distance([pair]), 1


def _text_figures(sums: np.ndarray) -> dict[str, float]:
    wrong_characters, wrong_words, characters, words, distance, rows = sums
    return {"cer": wrong_characters / characters, "wer": wrong_words / words, "ned": distance / rows}


def _box_sums(pair: Pair) -> tuple[float, ...]:
    scores = detection_scores([pair])
    return scores["right"], scores["predicted"], scores["true"]


def _box_figures(sums: np.ndarray) -> dict[str, float]:
    right, predicted, true = sums
    nothing = float(predicted == true == 0)
    return {
        "f1_iou50": 2 * right / (predicted + true) if predicted + true else nothing,
        "precision_iou50": right / predicted if predicted else nothing,
        "recall_iou50": right / true if true else nothing,
    }


# Measures that are no means of rows: what a row adds, and the figures of the sums.
_SUMS = {
    "ocr": (_text_sums, _text_figures),
    "markdown": (_text_sums, _text_figures),
    "detection": (_box_sums, _box_figures),
}


__all__ = ["reading_intervals"]
