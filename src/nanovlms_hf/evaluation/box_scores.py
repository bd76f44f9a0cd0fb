"""Scores for boxes that a model wrote as text: detection by class, and accuracy on referring expressions.

Everything is counted in thousandths of the picture, the unit of the texts. An answer that cannot be read counts as wrong, and
is counted apart, so that a model that draws badly can be told from one that writes badly.
"""

from collections.abc import Iterable, Mapping, Sequence

from ..data.box_text import ParsedBoxes, parse_box, parse_boxes

Answer = str | ParsedBoxes | Mapping[str, Iterable[Sequence[float]]]


def box_iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Area that two boxes (x1, y1, x2, y2) share over the area that they cover together; 0 where both are empty.

    Corners are points on a ruler, not pixels: a box from 0 to 10 is 10 wide.
    """
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(across, 0) * max(down, 0)
    either = _area(a) + _area(b) - both
    return both / either if either > 0 else 0.0


def match_boxes(
    predicted: Sequence[Sequence[float]], truth: Sequence[Sequence[float]], threshold: float = 0.5
) -> list[tuple[int, int, float]]:
    """Pairs of boxes that are the same thing: greedily, the pair with the largest overlap first, each box at most once.

    Texts carry no confidence to rank predictions by, so the overlap itself does. Of equal overlaps the first prediction, then
    the first true box, goes first.

    Returns:
        (index of the prediction, index of the true box, IoU) for every pair with IoU >= `threshold`, best first.
    """
    pairs = [(i, j, box_iou(p, t)) for i, p in enumerate(predicted) for j, t in enumerate(truth)]
    pairs = sorted((pair for pair in pairs if pair[2] >= threshold), key=lambda pair: (-pair[2], pair[0], pair[1]))
    matched, seen_predicted, seen_truth = [], set(), set()
    for i, j, iou in pairs:
        if i not in seen_predicted and j not in seen_truth:
            matched.append((i, j, iou))
            seen_predicted.add(i)
            seen_truth.add(j)
    return matched


def detection_scores(pairs: Iterable[tuple[Answer, Answer]], threshold: float = 0.5) -> dict:
    """Precision, recall and F1 of detection answers, summed over all pictures.

    A predicted box is right if it has the class of a true box (capitals play no part) and `match_boxes` pairs the two. A class
    that is said to be absent has no boxes: it costs nothing where that is true, and misses boxes where it is not. Where
    nothing was predicted and there was nothing to find, precision, recall and F1 are 1; where only one of the two
    holds, they are 0.

    Args:
        pairs: (what the model said, the truth), each as text, as `ParsedBoxes` or as class -> boxes in thousandths.
        threshold: least IoU of a right box, above 0.

    Returns:
        `precision`, `recall`, `f1`, `right`, `predicted`, `true` (boxes), `mean_iou` of the right boxes (0 if there are
        none), `answers`, `unreadable` (answers of which nothing could be read), `partly_unreadable` (answers of which a piece
        was lost), and `classes`: for each class, in lower case, the first six of these.

    Raises:
        ValueError: for a threshold that is not above 0 and at most 1.
    """
    _check_threshold(threshold)
    counts: dict[str, list[int]] = {}
    answers = unreadable = partly = 0
    overlaps: list[float] = []
    for said, true in pairs:
        parsed = _parsed(said)
        answers += 1
        unreadable += parsed.is_lost
        partly += bool(parsed.unreadable) and not parsed.is_lost
        found, wanted = _by_class(parsed), _by_class(_parsed(true))
        for name in found.keys() | wanted.keys():
            predicted, present = found.get(name, []), wanted.get(name, [])
            matched = match_boxes(predicted, present, threshold)
            overlaps += [iou for _, _, iou in matched]
            count = counts.setdefault(name, [0, 0, 0])
            for place, more in enumerate((len(matched), len(predicted), len(present))):
                count[place] += more
    total = [sum(count[place] for count in counts.values()) for place in range(3)]
    return {
        **_ratios(*total),
        "mean_iou": sum(overlaps) / len(overlaps) if overlaps else 0.0,
        "answers": answers,
        "unreadable": unreadable,
        "partly_unreadable": partly,
        "classes": {name: _ratios(*counts[name]) for name in sorted(counts)},
    }


def referring_accuracy(
    pairs: Iterable[tuple[str | Sequence[float] | None, str | Sequence[float]]], threshold: float = 0.5
) -> dict:
    """Share of referring expressions whose box overlaps the true one enough.

    Args:
        pairs: (what the model said, the true box), each as text, of which the first readable box counts, or as a box in
            thousandths; None for no answer.
        threshold: least IoU of a right answer, above 0.

    Returns:
        `accuracy` and `mean_iou` over all answers (both 0 if there are none), `right`, `answers`, and `unreadable`: answers
        without a box, which count as wrong, with IoU 0.

    Raises:
        ValueError: for a threshold that is not above 0 and at most 1, or a truth without a readable box.
    """
    _check_threshold(threshold)
    answers = right = unreadable = 0
    total = 0.0
    for said, true in pairs:
        wanted = parse_box(true) if isinstance(true, str) else true
        if wanted is None:
            raise ValueError(f"the truth {true!r} holds no readable box: give a box such as [035, 024, 847, 901]")
        box = parse_box(said) if isinstance(said, str) else said
        iou = 0.0 if box is None else box_iou(box, wanted)
        answers, right, unreadable = answers + 1, right + (iou >= threshold), unreadable + (box is None)
        total += iou
    return {
        "accuracy": right / answers if answers else 0.0,
        "mean_iou": total / answers if answers else 0.0,
        "right": right,
        "answers": answers,
        "unreadable": unreadable,
    }


def _area(box: Sequence[float]) -> float:
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def _check_threshold(threshold: float) -> None:
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold={threshold} is no least IoU: choose a number above 0 and at most 1")


def _parsed(answer: Answer) -> ParsedBoxes:
    if isinstance(answer, ParsedBoxes):
        return answer
    if isinstance(answer, str):
        return parse_boxes(answer)
    return ParsedBoxes({name: list(boxes) for name, boxes in answer.items()})


def _by_class(parsed: ParsedBoxes) -> dict[str, list[Sequence[float]]]:
    boxes: dict[str, list[Sequence[float]]] = {}
    for name, found in parsed.boxes.items():
        boxes.setdefault(name.lower(), []).extend(found)
    return boxes


def _ratios(right: int, predicted: int, true: int) -> dict:
    nothing = float(predicted == true == 0)
    return {
        "precision": right / predicted if predicted else nothing,
        "recall": right / true if true else nothing,
        "f1": 2 * right / (predicted + true) if predicted + true else nothing,
        "right": right,
        "predicted": predicted,
        "true": true,
    }


__all__ = ["box_iou", "detection_scores", "match_boxes", "referring_accuracy"]
