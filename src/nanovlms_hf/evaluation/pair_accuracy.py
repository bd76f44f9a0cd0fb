"""How often a model finds the true text of a pair likelier than the wrong one, by kind of error, with two controls.

`_blank` gives a grey picture, `_shuffled` another pair's. What a model knows of how sentences go it knows without the picture:
only what is above the controls is seen.
"""

from collections.abc import Sequence
from statistics import fmean

from PIL import Image
from transformers import PreTrainedModel, ProcessorMixin

from ..training.pair_scores import PreferenceCollator, score_rows

CONDITIONS = ("", "_blank", "_shuffled")


def pair_accuracy(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    rows: Sequence[dict],
    *,
    batch_size: int = 32,
    conditions: Sequence[str] = CONDITIONS,
) -> tuple[dict, dict[str, list[tuple[float, float]]]]:
    """Scores pairs with a model.

    Args:
        model, processor: a model and its processor.
        rows (`Sequence[dict]`): pairs with `images`, `prompt`, `chosen`, `rejected` and, where known, `error`; at least two.
        batch_size (`int`, defaults to 32): pairs scored at once.
        conditions (`Sequence[str]`): which pictures to give, of `CONDITIONS`.

    Returns:
        `tuple[dict, dict]`: `pairs`, and for each condition `pair_accuracy{condition}` and `by_error{condition}`, kind ->
        `{"pairs", "accuracy"}`; then for each condition the log-probabilities of the chosen and the rejected text of each pair.
        A pair whose texts are equally likely counts as wrong.

    Raises:
        ValueError: if there are fewer than two pairs: nothing could be shuffled.
    """
    if len(rows) < 2:
        raise ValueError(f"{len(rows)} pair(s) were given: the shuffled control needs at least 2.")
    rows = list(rows)
    collate = PreferenceCollator(processor)
    metrics: dict = {"pairs": len(rows)}
    scores = {}
    for condition in conditions:
        pictures = _pictures(rows, condition)
        given = ({**row, "images": shown} for row, shown in zip(rows, pictures, strict=True))
        scores[condition] = list(score_rows(model, collate, given, batch_size))
        right = [chosen > rejected for chosen, rejected in scores[condition]]
        metrics[f"pair_accuracy{condition}"] = round(fmean(right), 4)
        metrics[f"by_error{condition}"] = _by_error(rows, right)
    return metrics, scores


def _pictures(rows: list[dict], condition: str) -> list[list[Image.Image]]:
    right = [row["images"] for row in rows]
    if condition == "_blank":
        return [[Image.new("RGB", picture.size, (128, 128, 128)) for picture in pictures] for pictures in right]
    return right[1:] + right[:1] if condition == "_shuffled" else right


def _by_error(rows: list[dict], right: list[bool]) -> dict[str, dict]:
    groups: dict[str, list[bool]] = {}
    for row, is_right in zip(rows, right, strict=True):
        if row.get("error"):
            groups.setdefault(row["error"], []).append(is_right)
    return {
        error: {"pairs": len(found), "accuracy": round(fmean(found), 4)} for error, found in sorted(groups.items())
    }


__all__ = ["CONDITIONS", "pair_accuracy"]
