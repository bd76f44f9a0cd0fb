"""Scores of boxes, against cases worked out by hand."""

import pytest

from nanovlms_hf.data.box_text import parse_boxes
from nanovlms_hf.evaluation.box_scores import box_iou, detection_scores, match_boxes, referring_accuracy


@pytest.mark.parametrize(
    ("a", "b", "iou"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),  # only an edge
        ((0, 0, 10, 10), (20, 20, 30, 30), 0.0),
        ((0, 0, 10, 10), (10, 10, 20, 20), 0.0),  # only a corner
        ((0, 0, 10, 10), (0, 0, 5, 10), 1 / 2),
        ((0, 0, 10, 10), (0, 0, 5, 5), 1 / 4),
        ((0, 0, 10, 10), (5, 0, 15, 10), 50 / 150),
        ((0, 0, 10, 10), (5, 5, 15, 15), 25 / 175),
        ((0, 0, 10, 10), (2, 3, 8, 9), 36 / 100),
        ((0, 0, 10, 2), (4, -4, 6, 6), 4 / 36),  # a cross
        ((0, 0, 4, 6), (1, 2, 5, 8), 12 / 36),
        ((0, 0, 0, 10), (0, 0, 10, 10), 0.0),  # empty
        ((3, 3, 3, 3), (3, 3, 3, 3), 0.0),  # both empty
        ((9, 9, 1, 1), (0, 0, 10, 10), 0.0),  # turned around: no area
        ((0.1, 0.1, 0.3, 0.3), (0.2, 0.1, 0.4, 0.3), 1 / 3),
        ((0, 0, 999, 999), (0, 0, 500, 999), 500 / 999),
    ],
)
def test_iou(a, b, iou):
    assert box_iou(a, b) == pytest.approx(iou, abs=1e-12)
    assert box_iou(b, a) == pytest.approx(iou, abs=1e-12)


def test_the_largest_overlap_is_matched_first():
    truth = [(0, 0, 10, 10), (5, 0, 15, 10)]
    predicted = [(4, 0, 14, 10), (5, 0, 15, 10)]
    # The first prediction is nearest to the second true box, but another one has that exactly.
    assert match_boxes(predicted, truth, 0.4) == [(1, 1, 1.0), (0, 0, pytest.approx(60 / 140))]
    assert match_boxes(predicted, truth, 0.5) == [(1, 1, 1.0)]


def test_each_box_is_matched_once():
    box = (0, 0, 10, 10)
    assert match_boxes([box, box, box], [box]) == [(0, 0, 1.0)]
    assert match_boxes([box], [box, box]) == [(0, 0, 1.0)]
    assert match_boxes([box] * 2, [box] * 2) == [(0, 0, 1.0), (1, 1, 1.0)]
    assert match_boxes([], [box]) == [] and match_boxes([box], []) == []


def test_a_threshold_that_is_just_met():
    assert match_boxes([(0, 0, 5, 10)], [(0, 0, 10, 10)], 0.5) == [(0, 0, 0.5)]
    assert match_boxes([(0, 0, 5, 10)], [(0, 0, 10, 10)], 0.51) == []


def test_detection_by_class_and_in_all():
    truth = {"Cat": [(0, 0, 100, 100), (500, 500, 600, 600)], "Dog": [(200, 200, 400, 400)]}
    said = "cat: [000, 000, 100, 100], [700, 700, 800, 800]; DOG: [200, 200, 400, 300]; Bus: [000, 000, 100, 100]."
    scores = detection_scores([(said, truth)])
    assert scores["classes"] == {
        "bus": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "right": 0, "predicted": 1, "true": 0},
        "cat": {"precision": 0.5, "recall": 0.5, "f1": 0.5, "right": 1, "predicted": 2, "true": 2},
        "dog": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "right": 1, "predicted": 1, "true": 1},
    }
    assert (scores["right"], scores["predicted"], scores["true"]) == (2, 4, 3)
    assert (scores["precision"], scores["recall"]) == (0.5, pytest.approx(2 / 3))
    assert scores["f1"] == pytest.approx(4 / 7) and scores["mean_iou"] == pytest.approx(0.75)
    assert (scores["answers"], scores["unreadable"], scores["partly_unreadable"]) == (1, 0, 0)


def test_boxes_count_over_all_pictures():
    box = {"Cat": [(0, 0, 100, 100)]}
    scores = detection_scores([(box, box), ("Cat: none.", box), (box, "Cat: none."), (parse_boxes("None."), {})])
    assert (scores["right"], scores["predicted"], scores["true"], scores["f1"]) == (1, 2, 2, 0.5)


def test_a_right_box_of_the_wrong_class_is_wrong():
    scores = detection_scores([("Dog: [000, 000, 100, 100].", {"Cat": [(0, 0, 100, 100)]})])
    assert (scores["right"], scores["predicted"], scores["true"], scores["f1"]) == (0, 1, 1, 0.0)


def test_nothing_to_find():
    nothing = detection_scores([("Boat: none.", {"Boat": []}), ("None.", {})])
    assert (nothing["precision"], nothing["recall"], nothing["f1"], nothing["answers"]) == (1.0, 1.0, 1.0, 2)
    assert nothing["classes"]["boat"]["f1"] == 1.0
    assert detection_scores([])["f1"] == 1.0 and detection_scores([])["mean_iou"] == 0.0
    missed = detection_scores([("None.", {"Boat": [(0, 0, 9, 9)]})])
    assert (missed["precision"], missed["recall"], missed["f1"]) == (0.0, 0.0, 0.0)
    invented = detection_scores([("Boat: [0, 0, 9, 9]", {})])
    assert (invented["precision"], invented["recall"], invented["f1"]) == (0.0, 0.0, 0.0)


def test_unreadable_answers_are_counted():
    truth = {"Cat": [(0, 0, 100, 100)]}
    said = ["a cat", "", "Cat: [1, 2", "Cat: [0, 0, 100, 100], [5, 5", "Cat: [0, 0, 100, 100]."]
    scores = detection_scores([(text, truth) for text in said])
    assert (scores["answers"], scores["unreadable"], scores["partly_unreadable"]) == (5, 3, 1)
    assert (scores["right"], scores["predicted"], scores["true"]) == (2, 2, 5)


def test_referring():
    true = "[000, 000, 100, 100]"
    said = [true, "the cat: [000, 000, 050, 100].", "[000, 000, 040, 100]", "nowhere", "", None, (0, 0, 100, 100)]
    scores = referring_accuracy([(text, true) for text in said])
    assert (scores["right"], scores["answers"], scores["unreadable"]) == (3, 7, 3)
    assert scores["accuracy"] == pytest.approx(3 / 7)
    assert scores["mean_iou"] == pytest.approx((1 + 0.5 + 0.4 + 1) / 7)
    assert referring_accuracy([((0, 0, 10, 10), (0, 0, 10, 10))])["accuracy"] == 1.0
    assert referring_accuracy([])["accuracy"] == 0.0


def test_bad_input():
    for threshold in (0, -1, 1.5):
        with pytest.raises(ValueError, match="choose a number above 0 and at most 1"):
            detection_scores([], threshold)
        with pytest.raises(ValueError, match="choose a number above 0 and at most 1"):
            referring_accuracy([], threshold)
    with pytest.raises(ValueError, match="the truth 'nowhere' holds no readable box"):
        referring_accuracy([("[1, 2, 3, 4]", "nowhere")])
