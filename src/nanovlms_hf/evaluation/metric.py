"""What every metric of this package is: an `evaluate.Metric` that also keeps what each item adds.

    metric = load_metric("anls")
    metric.compute(predictions=["hello"], references=[["hello", "hallo"]])  # as any metric of `evaluate`, without a network
    measured = metric.measure(predictions, references)  # the same scores, item by item
    measured.intervals()  # 95 % bootstrap

An empty prediction, or one that is no text, is never skipped: it scores as an empty text and is counted and listed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import evaluate
import numpy as np
from datasets import Features

from .intervals import Finish, bootstrap


@dataclass
class Measured:
    """Scores of one set of predictions.

    Attributes:
        main (`str`): name of the score that ranks.
        statistics (`np.ndarray`): (items, columns), what each item adds to the sums.
        finish (`Callable`): scores from the sums.
        scores (`list[float]`): each item's own main score, 0 to 1, to sort by.
        empty (`dict[int, str]`): place of each prediction that is empty or no text -> what it is.
        groups (`list[str]`): each item's group, where there are groups.
        known_intervals (`dict`): intervals of scores that cannot be resampled, found in another way.
    """

    main: str
    statistics: np.ndarray
    finish: Finish
    scores: list[float]
    empty: dict[int, str] = field(default_factory=dict)
    groups: list[str] | None = None
    known_intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    def totals(self) -> dict[str, float]:
        """Scores over all items; with groups also `main_<group>` for each and `main_average`, the plain mean of the groups."""
        found = self.finish(self.statistics.sum(0))
        for group, rows in self._rows_by_group().items():
            found[f"{self.main}_{group}"] = self.finish(self.statistics[rows].sum(0))[self.main]
        if self.groups:
            found[f"{self.main}_average"] = float(np.mean([found[f"{self.main}_{name}"] for name in self.group_names]))
        return found

    @property
    def group_names(self) -> list[str]:
        """The groups, in the order in which they first occur."""
        return list(dict.fromkeys(self.groups or []))

    def _rows_by_group(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for place, group in enumerate(self.groups or []):
            rows.setdefault(group, []).append(place)
        return rows

    def intervals(self, resamples: int = 1000, seed: int = 0) -> dict[str, tuple[float, float]]:
        """95 % interval of every score of `totals` except the mean of the groups: bootstrap, where nothing else is known."""
        if self.known_intervals:
            return dict(self.known_intervals)
        found = bootstrap(self.statistics, self.finish, resamples, seed)
        for group, rows in self._rows_by_group().items():
            inside = bootstrap(self.statistics[rows], self.finish, resamples, seed)
            found[f"{self.main}_{group}"] = inside[self.main]
        return found


def mean_of(names: Sequence[str]) -> Finish:
    """A `finish` for statistics whose columns are one value a name and, last, the number 1: their means."""

    def finish(sums: np.ndarray) -> dict[str, float]:
        count = sums[-1]
        return {name: float(value / count) if count else 0.0 for name, value in zip(names, sums[:-1], strict=True)}

    return finish


class ItemMetric(evaluate.Metric):
    """Base of the metrics; a subclass says `name`, `main`, `features`, `description`, `citation` and `rows`.

    Args:
        kwargs: those of `evaluate.Metric`; predictions are kept in memory unless `keep_in_memory=False`.
    """

    name = ""
    main = ""
    description = ""
    citation = ""
    features: Features

    def __init__(self, **kwargs):
        super().__init__(**({"keep_in_memory": True} | kwargs))

    def _info(self):
        return evaluate.MetricInfo(
            description=self.description,
            citation=self.citation,
            inputs_description="predictions: what the model wrote; references: what is true. groups (optional): names.",
            features=self.features,
        )

    def rows(self, predictions: list[str], references: list[Any]) -> tuple[np.ndarray, Finish, list[float]]:
        """(statistics, finish, scores) of predictions that are all text."""
        raise NotImplementedError

    def measure(
        self, predictions: Sequence[Any], references: Sequence[Any], groups: Sequence[str] | None = None
    ) -> Measured:
        """Scores item by item.

        Args:
            predictions (`Sequence`): what the model wrote; anything but text counts as an empty text.
            references (`Sequence`): the truths, in the metric's form.
            groups (`Sequence[str]`, *optional*): each item's group, scored on its own too.

        Raises:
            ValueError: if there is nothing to score, the numbers differ, or a reference is None.
        """
        if len(predictions) == 0 or len(predictions) != len(references):
            raise ValueError(
                f"{self.name} was given {len(predictions)} predictions and {len(references)} references; give one reference a "
                "prediction, and at least one."
            )
        absent = [place for place, reference in enumerate(references) if reference is None]
        if absent:
            raise ValueError(
                f"{self.name} was given no reference (None) for item {absent[0]} and {len(absent) - 1} others; leave out what "
                "cannot be scored, and count it."
            )
        texts, empty = [], {}
        for place, prediction in enumerate(predictions):
            text = prediction if isinstance(prediction, str) else ""
            if not text.strip():
                empty[place] = "empty" if isinstance(prediction, str) else f"no text but {type(prediction).__name__}"
            texts.append(text)
        statistics, finish, scores = self.rows(texts, list(references))
        chosen = [str(group) for group in groups] if groups is not None else None
        statistics, scores = np.asarray(statistics, float), [float(score) for score in scores]
        return Measured(self.main, statistics, finish, scores, empty, chosen, self.known_intervals(texts))

    def known_intervals(self, predictions: list[str]) -> dict[str, tuple[float, float]]:
        """Intervals of a metric whose items cannot be drawn twice; empty: they can."""
        return {}

    def compute(self, *, predictions=None, references=None, **kwargs):
        """As `evaluate.Metric.compute`; predictions that are no text are taken as empty ones."""
        return super().compute(predictions=_texts(predictions), references=references, **kwargs)

    def add_batch(self, *, predictions=None, references=None, **kwargs):
        """As `evaluate.Metric.add_batch`."""
        return super().add_batch(predictions=_texts(predictions), references=references, **kwargs)

    def add(self, *, prediction=None, reference=None, **kwargs):
        """As `evaluate.Metric.add`."""
        prediction = prediction if isinstance(prediction, str) else ""
        return super().add(prediction=prediction, reference=reference, **kwargs)

    def _compute(self, predictions, references, groups=None):
        measured = self.measure(predictions, references, groups)
        return measured.totals() | {"items": len(predictions), "empty_predictions": len(measured.empty)}


def _texts(predictions):
    return None if predictions is None else [text if isinstance(text, str) else "" for text in predictions]


__all__ = ["ItemMetric", "Measured", "mean_of"]
