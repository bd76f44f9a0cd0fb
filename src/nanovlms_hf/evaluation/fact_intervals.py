"""How sure a score of facts is: bootstrap intervals over pictures.

Pictures are drawn again with replacement and the score is taken anew from their facts (`intervals.py`). The interval covers the
choice of pictures alone, not the training seed: two runs of one recipe differ by more than chance among pictures says.
"""

from collections.abc import Sequence

import numpy as np

from ..data.facts import score_facts
from ..data.scenes import Scene
from .intervals import bootstrap
from .ratios import f1_of, ratio

CONFIDENCE = 0.95


def fact_intervals(
    pairs: Sequence[tuple[str, Scene]], *, resamples: int = 2000, seed: int = 0
) -> dict[str, list[float]]:
    """95 % intervals of the micro-averaged scores of `corpus_scores`.

    Args:
        pairs (`Sequence[tuple[str, Scene]]`): what was said and what it was said of, for each picture.
        resamples (`int`, defaults to 2000): drawings of as many pictures as there are.
        seed (`int`, defaults to 0): seed of the drawings.

    Returns:
        `dict[str, list[float]]`: `[low, high]` of `precision`, `recall` and `f1`, rounded to four places.

    Raises:
        ValueError: if there is no pair.
    """
    if not pairs:
        raise ValueError("no picture was described, so there is no score to give an interval of; give at least one.")
    counts = np.array([_counts(text, scene) for text, scene in pairs])  # (pictures, 4)
    found = bootstrap(counts, _scores, resamples, seed, CONFIDENCE)
    return {name: [round(low, 4), round(high, 4)] for name, (low, high) in found.items()}


def _scores(sums: np.ndarray) -> dict[str, float]:
    true, stated, found, wanted = sums
    precision, recall = ratio(true, stated), ratio(found, wanted)
    return {"precision": precision, "recall": recall, "f1": f1_of(precision, recall)}


def _counts(text: str, scene: Scene) -> tuple[int, int, int, int]:
    score = score_facts(text, scene)
    true, found = len(score.true_positive), len(score.found)
    return true, true + len(score.false), found, found + len(score.missed)


__all__ = ["CONFIDENCE", "fact_intervals"]
