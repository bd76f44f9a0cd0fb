"""From answers to numbers: every metric of a benchmark under every condition, with intervals and with what sight is worth.

A sample is what one item came to: its question, its truth, what the model said under each condition. `score_samples` needs nothing
else, so a finished run can be scored again, or compared with another, from `samples.jsonl` alone.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .intervals import paired_bootstrap
from .metric import Measured
from .metrics import load_metric

_TEXT_EXTRAS = ("distinct", "self_bleu")
# A lower score is better: sight is then worth what the score falls by.
LOWER_IS_BETTER = {
    "perplexity",
    "cer",
    "wer",
    "edit_distance",
    "self_bleu",
    "training_overlap",
    "unparsed",
    "unreadable",
}


@dataclass
class Sample:
    """One item and what became of it.

    Attributes:
        benchmark, id, group, prompt, prefix, truth, references, facts: as in `items.Item`.
        said: condition -> what the model wrote.
        likelihood: condition -> {"nll", "tokens"} of the true words, where they were measured.
        problems: condition -> why there is no answer.
        scores: condition -> the item's main score, 0 to 1, filled by `score_samples`.
    """

    benchmark: str
    id: str
    prompt: str
    truth: str
    references: dict[str, Any]
    prefix: str = ""
    group: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    likelihood: dict[str, dict[str, float]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)

    def as_record(self) -> dict:
        """The sample as JSON."""
        return asdict(self)


def measure_condition(
    samples: Sequence[Sample], metrics: Sequence[str], condition: str, training_texts: Sequence[str] = ()
) -> dict[str, Measured]:
    """Every metric over the samples that have an answer and a truth under one condition."""
    scored = [sample for sample in samples if condition in sample.said and sample.references]
    if not scored:
        return {}
    said = [sample.said[condition] for sample in scored]
    groups = [sample.group for sample in scored] if all(sample.group for sample in scored) else None
    measured = {
        name: load_metric(name).measure(said, [sample.references[name] for sample in scored], groups)
        for name in metrics
    }
    if "rouge" in metrics:
        for name in _TEXT_EXTRAS:
            if len(said) > 1:
                measured[name] = load_metric(name).measure(said, said)
        if training_texts:
            measured["training_overlap"] = load_metric("training_overlap", training_texts=training_texts).measure(
                said, said
            )
    known = [sample.likelihood.get(condition) for sample in scored]
    if all(known):
        measured["perplexity"] = load_metric("perplexity").measure(said, known)
    return measured


def _with_intervals(measured: Measured, resamples: int, seed: int) -> dict[str, dict[str, float]]:
    totals, intervals = measured.totals(), measured.intervals(resamples, seed)
    scores = {}
    for name, value in totals.items():
        scores[name] = {"value": value}
        low, high = intervals.get(name, (None, None))
        if low is not None:
            scores[name] |= {"low": low, "high": high}
    return scores


def score_samples(
    samples: Sequence[Sample],
    metrics: Sequence[str],
    conditions: Sequence[str],
    *,
    training_texts: Sequence[str] = (),
    resamples: int = 1000,
    seed: int = 0,
) -> dict:
    """Scores of one benchmark; fills each sample's `scores`.

    Args:
        samples (`Sequence[Sample]`): all of its items.
        metrics (`Sequence[str]`): the first one ranks.
        conditions (`Sequence[str]`): those that were asked.
        training_texts (`Sequence[str]`): what the model was trained on, for `training_overlap`.
        resamples, seed (`int`): of the bootstrap.

    Returns:
        `dict`: `items`, `scored`, `empty_predictions`, `unanswered` (condition -> id -> reason), `scores` (condition -> metric ->
        score -> value, low, high) and `sight`: for each control, what the first metric's main score gains from the right
        picture, paired.
    """
    found: dict[str, dict[str, Measured]] = {}
    result: dict = {"items": len(samples), "scored": {}, "empty_predictions": {}, "unanswered": {}, "scores": {}}
    for condition in conditions:
        found[condition] = measure_condition(samples, metrics, condition, training_texts)
        scored = [sample for sample in samples if condition in sample.said and sample.references]
        result["scored"][condition] = len(scored)
        empty = [sample.id for sample in samples if condition in sample.said and not sample.said[condition].strip()]
        result["empty_predictions"][condition] = empty
        result["unanswered"][condition] = {s.id: s.problems[condition] for s in samples if condition in s.problems}
        for sample, score in zip(scored, found[condition].get(metrics[0], _NOTHING).scores, strict=True):
            sample.scores[condition] = round(float(score), 6)
        result["scores"][condition] = {
            name: _with_intervals(measured, resamples, seed) for name, measured in found[condition].items()
        }
    result["sight"] = _sight(samples, metrics[0], found, resamples, seed)
    return result


class _Nothing:
    scores: tuple = ()


_NOTHING = _Nothing()


def _sight(samples: Sequence[Sample], metric: str, found: dict, resamples: int, seed: int) -> dict:
    """What the right picture is worth against each control, over the items answered under both."""
    worth = {}
    for control in ("blank", "shuffled"):
        if not found.get("true") or not found.get(control):
            continue
        both = [s for s in samples if {"true", control} <= s.said.keys() and s.references]
        references = [sample.references[metric] for sample in both]
        pair = [load_metric(metric).measure([s.said[name] for s in both], references) for name in (control, "true")]
        main = pair[0].main
        gain = paired_bootstrap(pair[0].statistics, pair[1].statistics, pair[0].finish, resamples, seed)[main]
        worth[control] = {
            "score": main,
            "gain": gain["difference"],
            "low": gain["low"],
            "high": gain["high"],
            "items": len(both),
        }
    return worth


__all__ = ["LOWER_IS_BETTER", "Sample", "measure_condition", "score_samples"]
