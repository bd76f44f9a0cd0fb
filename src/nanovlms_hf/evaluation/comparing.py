"""Two evaluations on the same items: what is better, by how much, and how sure that is (`nanovlms compare`)."""

import json
from pathlib import Path

from .intervals import paired_bootstrap
from .scoring import LOWER_IS_BETTER, Sample, measure_condition


def read_samples(folder: str | Path) -> list[Sample]:
    """The samples of a finished evaluation.

    Raises:
        ValueError: the folder holds none, or they cannot be read.
    """
    path = Path(folder) / "samples.jsonl"
    if not path.is_file():
        raise ValueError(f"{folder} holds no samples.jsonl; give the output_dir of a finished evaluation.")
    try:
        return [Sample(**json.loads(line)) for line in path.read_text(encoding="utf-8").split("\n") if line]
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} cannot be read ({error}); run the evaluation again.") from error


def compare_runs(
    first: str | Path, second: str | Path, condition: str = "true", resamples: int = 2000, seed: int = 0
) -> dict:
    """Paired bootstrap of every score of two evaluations, over the items that both answered.

    Args:
        first, second (`str` or `Path`): output folders of two evaluations.
        condition (`str`, defaults to "true"): the picture condition to compare.
        resamples, seed (`int`): of the bootstrap.

    Returns:
        `dict`: benchmark -> `items`, `only_first`, `only_second` (ids), and `scores`: score -> `first`, `second`, `difference`, `low`,
        `high`, `p`.

    Raises:
        ValueError: no benchmark, or no item with the same question and truth, is in both.
    """
    runs = [_by_benchmark(read_samples(folder), condition) for folder in (first, second)]
    shared = [name for name in runs[0] if name in runs[1]]
    if not shared:
        raise ValueError(
            f"{first} ran {sorted(runs[0])} and {second} ran {sorted(runs[1])}; compare runs of one benchmark."
        )
    compared = {}
    for name in shared:
        before, after = runs[0][name], runs[1][name]
        both = [key for key in before if key in after and _same(before[key], after[key])]
        if not both:
            raise ValueError(f"the two runs share no item of {name}: run both with the same seed, limit and data.")
        pair = [
            measure_condition([run[key] for key in both], _metrics(run[both[0]]), condition) for run in (before, after)
        ]
        scores = {}
        for metric in pair[0]:
            if metric in pair[1] and metric != "distinct":
                scores |= paired_bootstrap(
                    pair[0][metric].statistics, pair[1][metric].statistics, pair[0][metric].finish, resamples, seed
                )
        compared[name] = {
            "items": len(both),
            "only_first": [key for key in before if key not in both],
            "only_second": [key for key in after if key not in both],
            "scores": scores,
        }
    return compared


def _by_benchmark(samples: list[Sample], condition: str) -> dict[str, dict[str, Sample]]:
    found: dict[str, dict[str, Sample]] = {}
    for sample in samples:
        if condition in sample.said and sample.references:
            found.setdefault(sample.benchmark, {})[sample.id] = sample
    return found


def _same(first: Sample, second: Sample) -> bool:
    return (first.prompt, first.prefix, first.references) == (second.prompt, second.prefix, second.references)


def _metrics(sample: Sample) -> list[str]:
    return list(sample.references)


def comparison_table(compared: dict, first: str, second: str) -> str:
    """The comparison as text; a star marks a difference whose interval leaves out zero."""
    lines = [f"first: {first}", f"second: {second}"]
    for name, result in compared.items():
        apart = len(result["only_first"]) + len(result["only_second"])
        lines.append(f"\n{name}: {result['items']} items in both" + (f", {apart} in one only" if apart else ""))
        for score, found in result["scores"].items():
            star = "*" if found["low"] > 0 or found["high"] < 0 else " "
            lower = "  (lower is better)" if score in LOWER_IS_BETTER else ""
            lines.append(
                f"  {score:24}{found['first']:9.4f}{found['second']:9.4f}  {found['difference']:+.4f}{star} "
                f"[{found['low']:+.4f}, {found['high']:+.4f}]  p={found['p']:.3f}{lower}"
            )
    return "\n".join(lines)


__all__ = ["compare_runs", "comparison_table", "read_samples"]
