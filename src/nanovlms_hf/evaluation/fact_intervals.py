"""How sure a score of facts is: bootstrap intervals over pictures.

Pictures are drawn again with replacement and the score is taken anew from their facts (Efron 1979, percentile method). The
interval covers the choice of pictures alone, not the training seed: two runs of one recipe differ by more than chance
among pictures says.
"""

from collections.abc import Sequence

import numpy as np

from ..data.facts import score_facts
from ..data.scenes import Scene

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
    drawn = np.random.default_rng(seed).integers(0, len(pairs), (resamples, len(pairs)))
    true, stated, found, wanted = counts[drawn].sum(axis=1).T  # each (resamples,)
    precision, recall = true / np.maximum(stated, 1), found / np.maximum(wanted, 1)
    both = precision + recall
    f1 = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    scores = {"precision": precision, "recall": recall, "f1": f1}
    return {name: [round(float(end), 4) for end in np.quantile(values, tails)] for name, values in scores.items()}


def _counts(text: str, scene: Scene) -> tuple[int, int, int, int]:
    score = score_facts(text, scene)
    true, found = len(score.true_positive), len(score.found)
    return true, true + len(score.false), found, found + len(score.missed)


__all__ = ["CONFIDENCE", "fact_intervals"]
