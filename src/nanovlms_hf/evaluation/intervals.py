"""How sure a score is: bootstrap intervals, and the paired bootstrap for two runs on the same items.

A metric hands over one row of sums an item (right answers and answers; n-gram matches and lengths ...) and a function from
the sums of all rows to its scores. Resampling the rows then costs a matrix product, also for scores that are no means of
items (BLEU, F1). Items are taken as independent of each other; where several stand on one picture (RefCOCO's expressions) the true
interval is somewhat wider. Method: Efron, "Bootstrap methods", 1979; paired as in Koehn, EMNLP 2004.
"""

from collections.abc import Callable

import numpy as np

Finish = Callable[[np.ndarray], dict[str, float]]

_BATCH = 200  # resamples drawn at once, to bound memory at many items


def _resampled_sums(statistics: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Sums of `resamples` draws with replacement, (resamples, columns); the same seed draws the same items."""
    items = len(statistics)
    rng = np.random.default_rng(seed)
    sums = []
    for start in range(0, resamples, _BATCH):
        drawn = rng.multinomial(items, np.full(items, 1 / items), size=min(_BATCH, resamples - start))
        sums.append(drawn @ statistics)  # (batch, items) @ (items, columns)
    return np.concatenate(sums)


def _percentiles(values: list[dict[str, float]], level: float) -> dict[str, tuple[float, float]]:
    tail = 100 * (1 - level) / 2
    names = values[0].keys()
    found = {}
    for name in names:
        low, high = np.nanpercentile([value[name] for value in values], [tail, 100 - tail])
        found[name] = (float(low), float(high))
    return found


def bootstrap(
    statistics: np.ndarray, finish: Finish, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap intervals of every score.

    Args:
        statistics (`np.ndarray`): (items, columns); what each item adds to the sums.
        finish (`Callable`): scores from the sums, (columns,).
        resamples (`int`, defaults to 1000): draws of as many items with replacement.
        seed (`int`, defaults to 0): seed of the draws.
        level (`float`, defaults to 0.95): share of the draws inside the interval.

    Returns:
        `dict[str, tuple[float, float]]`: score name -> (low, high).

    Raises:
        ValueError: if there is no item, no resample, or the level is not between 0 and 1.
    """
    if len(statistics) == 0 or resamples < 1 or not 0 < level < 1:
        raise ValueError(
            f"a bootstrap over {len(statistics)} items with {resamples} resamples at level {level} is not possible; give at "
            "least one item, one resample and a level between 0 and 1."
        )
    return _percentiles([finish(sums) for sums in _resampled_sums(statistics, resamples, seed)], level)


def paired_bootstrap(
    first: np.ndarray, second: np.ndarray, finish: Finish, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> dict[str, dict[str, float]]:
    """How much better the second of two runs is, on the same items in the same order.

    Args:
        first, second (`np.ndarray`): (items, columns) of the two runs.
        finish, resamples, seed, level: as for `bootstrap`.

    Returns:
        `dict[str, dict[str, float]]`: score name -> `first`, `second`, `difference` (second minus first), `low` and `high` of the
        difference, and `p`, twice the share of draws on the other side of zero, at most 1.

    Raises:
        ValueError: if the runs differ in shape, and whatever `bootstrap` raises.
    """
    if first.shape != second.shape:
        raise ValueError(
            f"the runs have {first.shape} and {second.shape} statistics; a paired comparison needs the same items in both."
        )
    both = np.concatenate([first, second], axis=1)
    half = first.shape[1]

    def differences(sums: np.ndarray) -> dict[str, float]:
        before, after = finish(sums[:half]), finish(sums[half:])
        return {name: after[name] - before[name] for name in before}

    drawn = [differences(sums) for sums in _resampled_sums(both, resamples, seed)]
    intervals = _percentiles(drawn, level)
    before, after = finish(first.sum(0)), finish(second.sum(0))
    compared = {}
    for name, (low, high) in intervals.items():
        values = np.array([value[name] for value in drawn])
        crossing = min(np.mean(values <= 0), np.mean(values >= 0))
        compared[name] = {
            "first": before[name],
            "second": after[name],
            "difference": after[name] - before[name],
            "low": low,
            "high": high,
            "p": float(min(1.0, 2 * crossing)),
        }
    return compared


__all__ = ["bootstrap", "paired_bootstrap"]
