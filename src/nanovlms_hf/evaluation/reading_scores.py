"""How each kind of answer about a picture is scored: read text, boxes, tables, denials and descriptions.

A measure scores many answers at once, under names of its own (`cer`, `f1_iou50`); metrics put the measure before them:
`ocr_cer`, `detection_f1_iou50`, `chart_table_f1`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..data.box_text import parse_boxes
from ..data.facts import corpus_scores
from ..data.negatives import says_no_text
from .box_scores import detection_scores, referring_accuracy
from .table_scores import corpus_table_scores, parse_table
from .text_scores import character_error_rate, normalised_edit_distance, word_error_rate

Pairs = Sequence[tuple[str, Any]]


@dataclass(frozen=True)
class Measure:
    """A way to score answers.

    Attributes:
        score (`Callable`): (what was said, the truth) pairs to figures by name; `unreadable` counts answers that no sense could
            be made of, where there can be such. The truth is a text, for facts a `Scene`.
        main (`str`): the figure that tells most about a single answer.
        errors (`bool`): whether the main figure counts errors, so that less is better.
    """

    score: Callable[[Pairs], dict[str, float]]
    main: str
    errors: bool = False


def _text(pairs: Pairs) -> dict[str, float]:
    return {
        "cer": character_error_rate(pairs),
        "wer": word_error_rate(pairs),
        "ned": normalised_edit_distance(pairs),
    }


def _detection(pairs: Pairs) -> dict[str, float]:
    scores = detection_scores(pairs)
    figures = {f"{name}_iou50": scores[name] for name in ("f1", "precision", "recall")}
    return {**figures, "unreadable": scores["unreadable"]}


def _referring(pairs: Pairs) -> dict[str, float]:
    scores = referring_accuracy(pairs)
    return {
        "acc_iou50": scores["accuracy"],
        "mean_iou": scores["mean_iou"],
        "unreadable": scores["unreadable"],
    }


def _tables(pairs: Pairs) -> dict[str, float]:
    # A text does not say whether its labels were measured, so those of scatter charts are compared as words here.
    scores = corpus_table_scores([(said, parse_table(truth)) for said, truth in pairs])
    figures = {f"table_{name}": scores[name] for name in ("f1", "precision", "recall")}
    return {**figures, "unreadable": scores["unreadable"]}


def _negatives(pairs: Pairs) -> dict[str, float]:
    return {"acc": sum(denies(said, truth) for said, truth in pairs) / len(pairs)}


def _facts(pairs: Pairs) -> dict[str, float]:
    overall = corpus_scores(pairs)["all"]
    return {name: overall[name] for name in ("f1", "precision", "recall")}


def denies(said: str, truth: str) -> bool:
    """Whether an answer says of a picture that it lacks what was asked for, as the truth does.

    Args:
        said (`str`): the answer.
        truth (`str`): one of `negatives.NO_TEXT_ANSWERS`, any of which is right then, or the absent classes as in "Boat: none.";
            "None." alone denies them as well.
    """
    if says_no_text(truth):
        return says_no_text(said)
    answer = parse_boxes(said)
    if answer.unreadable or answer.all_boxes:
        return False
    denied, asked = ({name.lower() for name in parsed.boxes} for parsed in (answer, parse_boxes(truth)))
    return not denied or denied == asked


MEASURES: dict[str, Measure] = {
    "ocr": Measure(_text, "cer", errors=True),
    "markdown": Measure(_text, "cer", errors=True),
    "detection": Measure(_detection, "f1_iou50"),
    "rec": Measure(_referring, "mean_iou"),
    "chart": Measure(_tables, "table_f1"),
    "negatives": Measure(_negatives, "acc"),
    "facts": Measure(_facts, "f1"),
}


def measure_name(kind: str, options: Any) -> str | None:
    """The name of the measure for a kind of rows with its options, as an entry of a mixture has them; None if there is none."""
    if kind in ("documents", "pdfs"):
        return (options or {}).get("task", "ocr")
    return {
        "charts": "chart",
        "detection": "detection",
        "referring": "rec",
        "negatives": "negatives",
        "scenes": "facts",
    }.get(kind)


__all__ = ["MEASURES", "Measure", "denies", "measure_name"]
