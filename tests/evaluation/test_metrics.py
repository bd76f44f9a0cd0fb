"""The metric objects against reference libraries, their intervals, and what they do with bad predictions."""

import evaluate
import jiwer
import numpy as np
import pytest
import sacrebleu

from nanovlms_hf.data.descriptions import short_description
from nanovlms_hf.data.world import world_scene
from nanovlms_hf.evaluation import texts
from nanovlms_hf.evaluation.box_scores import box_iou
from nanovlms_hf.evaluation.intervals import bootstrap, paired_bootstrap
from nanovlms_hf.evaluation.metrics import METRICS, load_metric

CAPTIONS = [
    ["a red cat sits on the mat", "the cat is on a mat"],
    ["two dogs play in the snow", "dogs in snow"],
    ["a man rides a brown horse", "a person on a horse"],
]
SAID = ["a cat is on the mat", "two dogs run in the snow", "a man rides a horse"]
SCENES = [world_scene(0, "test", index) for index in range(3)]
EXAMPLES = {
    "anls": (["helo", "x"], [["hello"], ["y"]], {"anls": 0.4}),
    "relaxed_accuracy": (["10.4", "blue"], ["10", "red"], {"relaxed_accuracy": 0.5}),
    "vqa_accuracy": (["red", "two"], [["red"] * 10, ["2"] * 10], {"vqa_accuracy": 1.0}),
    "exact_match": (["a cat.", "dog"], [["A cat"], ["cat"]], {"exact_match": 0.5}),
    "ocrbench_accuracy": (
        ["it says STOP", "a b"],
        [{"answers": ["stop"], "ignore_blanks": False}, {"answers": ["ab"], "ignore_blanks": True}],
        {"ocrbench_accuracy": 1.0},
    ),
    "mmvet_elements": (["cat and dog", "cat"], ["cat<AND>dog", "cat<AND>dog"], {"mmvet_elements": 0.75}),
    "multiple_choice": (
        ["B", "hmm", "the answer is A"],
        [{"answer": "B", "options": ["x", "y"]}] * 3,
        {"accuracy": 1 / 3, "unparsed": 1 / 3},
    ),
    "yes_no": (
        ["yes", "yes", "no", "hmm"],
        ["yes", "no", "no", "yes"],
        {"accuracy": 0.5, "precision": 0.5, "recall": 0.5, "f1": 0.5, "yes_ratio": 0.5, "unparsed": 0.25},
    ),
    "referring": (
        ["[000, 000, 500, 500]", "[0,0,200,200]", "nowhere", ""],
        [[0, 0, 500, 500], [100, 100, 300, 300], [0, 0, 9, 9], [0, 0, 9, 9]],
        {"accuracy": 0.25, "mean_iou": (1 + 10000 / 70000) / 4, "unreadable": 0.5},
    ),
    "detection": (
        ["Cat: [000, 000, 100, 100]; Dog: [000, 000, 100, 100].", "what?"],
        ["Cat: [000, 000, 100, 100].", "Dog: [200, 200, 300, 300]."],
        {"detection_f1": 2 / 4, "detection_precision": 0.5, "detection_recall": 0.5, "cat_f1": 1.0, "dog_f1": 0.0},
    ),
    "facts": (
        [short_description(scene) for scene in SCENES],
        [{"seed": scene.seed, "index": scene.index} for scene in SCENES],
        {"facts_precision": 1.0, "kind_f1": 1.0, "setting_f1": 1.0},
    ),
    "ocr": (["helo wrld", "ab"], ["hello world", "ab"], {"cer": 2 / 13, "wer": 2 / 3, "edit_distance": 1 / 11}),
    "bleu": (SAID, CAPTIONS, {"bleu": sacrebleu.corpus_bleu(SAID, list(zip(*CAPTIONS, strict=True))).score}),
    "rouge": (
        ["the cat is on the mat"],
        [["the cat sat on the mat"]],
        {"rouge1": 5 / 6, "rouge2": 0.6, "rougeL": 5 / 6},
    ),
    "cider": (SAID, CAPTIONS, {}),
    "self_bleu": (["a b c d e"] * 3, ["-"] * 3, {"self_bleu": 1.0}),
    "distinct": (["a b a b"], ["-"], {"distinct_1": 0.5, "distinct_2": 2 / 3}),
    "training_overlap": (["the cat sat"], ["-"], {"training_overlap": 2 / 3}),
    "perplexity": ([""], [{"nll": np.log(8.0) * 3, "tokens": 3}], {"perplexity": 8.0}),
}


def loaded(name):
    return load_metric(name, **({"training_texts": ["the old cat slept"]} if name == "training_overlap" else {}))


def test_every_metric_has_an_example():
    assert set(EXAMPLES) == set(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_metric_as_an_evaluate_object(name):
    predictions, references, expected = EXAMPLES[name]
    metric = loaded(name)
    assert isinstance(metric, evaluate.Metric)
    found = metric.compute(predictions=predictions, references=references)
    for score, value in expected.items():
        assert found[score] == pytest.approx(value), score
    assert found["items"] == len(predictions)
    batched = loaded(name)
    for prediction, reference in zip(predictions, references, strict=True):
        batched.add(prediction=prediction, reference=reference)
    assert batched.compute() == pytest.approx(found)


@pytest.mark.parametrize("name", METRICS)
def test_bad_predictions_count_as_wrong_and_are_listed(name):
    predictions, references, _ = EXAMPLES[name]
    predictions, references = [*predictions, None, 7, "  "], [*references, *references[:1] * 3]
    measured = loaded(name).measure(predictions, references)
    first = len(predictions) - 3
    assert {place for place in measured.empty if place >= first} == {first, first + 1, first + 2}
    assert measured.empty[first] == "no text but NoneType" and measured.empty[first + 1] == "no text but int"
    assert len(measured.scores) == len(predictions) and all(0 <= score <= 1 for score in measured.scores)
    if name not in ("perplexity", "training_overlap", "distinct"):
        assert measured.scores[first:] == [0, 0, 0]
    computed = loaded(name).compute(predictions=predictions, references=references)
    assert computed["empty_predictions"] == len(measured.empty)


def test_nothing_to_score_is_an_error():
    with pytest.raises(ValueError, match="0 predictions"):
        load_metric("anls").measure([], [])
    with pytest.raises(ValueError, match="no reference"):
        load_metric("anls").measure(["a"], [None])
    with pytest.raises(ValueError, match="did you mean 'anls'"):
        load_metric("anlss")


def test_metrics_combine():
    found = evaluate.combine([load_metric("bleu"), load_metric("rouge")]).compute(
        predictions=SAID, references=CAPTIONS
    )
    assert {"bleu", "rougeL"} <= set(found)


def test_error_rates_agree_with_jiwer():
    said, true = ["the cat  sat", "on mat", "x"], ["the cat sat down", "on the mat", "y z"]
    found = load_metric("ocr").compute(predictions=said, references=true)
    assert found["cer"] == pytest.approx(jiwer.cer(true, [" ".join(text.split()) for text in said]))
    assert found["wer"] == pytest.approx(jiwer.wer(true, said))


def test_bleu_of_bootstrap_totals_is_corpus_bleu_not_a_mean():
    measured = load_metric("bleu").measure(SAID, CAPTIONS)
    assert measured.totals()["bleu"] != pytest.approx(100 * np.mean(measured.scores))


def test_cider_ranks_the_right_caption_first():
    right = texts.cider_scores([refs[0] for refs in CAPTIONS], CAPTIONS)
    wrong = texts.cider_scores([CAPTIONS[1][0], CAPTIONS[2][0], CAPTIONS[0][0]], CAPTIONS)
    assert (right > 5).all() and (wrong < 1).all()


def test_groups_and_their_average():
    metric = load_metric("relaxed_accuracy")
    groups = ["human", "human", "human", "augmented"]
    found = metric.compute(predictions=["1", "2", "9", "9"], references=["1", "2", "3", "4"], groups=groups)
    assert found["relaxed_accuracy"] == 0.5
    assert found["relaxed_accuracy_human"] == pytest.approx(2 / 3) and found["relaxed_accuracy_augmented"] == 0
    assert found["relaxed_accuracy_average"] == pytest.approx(1 / 3)


def test_training_overlap_finds_the_nearest_text():
    nearest = texts.NearestText(["a red cat sits here", "two dogs run", "a red cat sits here"])
    assert nearest("Red cat here!") == (1.0, "a red cat sits here")
    assert nearest("The cat sits!")[0] == pytest.approx(2 / 3)
    assert nearest("dogs two run")[0] == pytest.approx(2 / 3)
    assert nearest("") == (0.0, "") and nearest("green tree")[0] == 0.0
    assert len(nearest.texts) == 2
    with pytest.raises(ValueError, match="no training text"):
        texts.NearestText([" "])


def test_distinct_interval_holds_the_value_and_shrinks():
    few, many = SAID, [f"{text} {number}" for number in range(30) for text in SAID]
    for sample in (few, many):
        low, high = texts.distinct_interval(sample, 1)
        assert low <= texts.distinct_n(sample, 1) <= high
    assert np.subtract(*texts.distinct_interval(many, 1)[::-1]) < np.subtract(*texts.distinct_interval(few, 1)[::-1])


# intervals ------------------------------------------------------------------------------------------------------------


def mean(sums):
    return {"mean": sums[0] / sums[1]}


def test_bootstrap_is_close_to_the_normal_interval_and_repeats():
    values = np.random.default_rng(1).normal(3, 2, 400)
    statistics = np.stack([values, np.ones(400)], 1)
    low, high = bootstrap(statistics, mean, 2000)["mean"]
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.06) and high == pytest.approx(
        values.mean() + half, abs=0.06
    )
    assert (
        bootstrap(statistics, mean, 2000)["mean"] == (low, high) != bootstrap(statistics, mean, 2000, seed=1)["mean"]
    )


def test_paired_bootstrap_sees_a_small_steady_gain_that_intervals_hide():
    values = np.random.default_rng(0).normal(0, 10, 200)
    first = np.stack([values, np.ones(200)], 1)
    second = np.stack([values + 0.5, np.ones(200)], 1)
    found = paired_bootstrap(first, second, mean)["mean"]
    assert found["difference"] == pytest.approx(0.5) and found["low"] > 0.4 and found["p"] == 0
    same = paired_bootstrap(first, first, mean)["mean"]
    assert (same["low"], same["high"], same["p"]) == (0, 0, 1)


def test_bad_bootstraps():
    with pytest.raises(ValueError, match="not possible"):
        bootstrap(np.zeros((0, 2)), mean)
    with pytest.raises(ValueError, match="same items"):
        paired_bootstrap(np.ones((3, 2)), np.ones((4, 2)), mean)


# boxes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "a, b, expected",
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),  # they touch
        ((0, 0, 10, 10), (20, 20, 30, 30), 0.0),
        ((0, 0, 10, 10), (0, 0, 10, 5), 0.5),
        ((0, 0, 10, 10), (5, 0, 15, 10), 1 / 3),
        ((0, 0, 10, 10), (5, 5, 15, 15), 25 / 175),
        ((0, 0, 10, 10), (2, 2, 8, 8), 0.36),
        ((2, 2, 8, 8), (0, 0, 10, 10), 0.36),
        ((0, 0, 4, 2), (1, 0, 3, 2), 0.5),
        ((0, 0, 10, 10), (3, 3, 3, 3), 0.0),  # an empty box
        ((3, 3, 3, 3), (3, 3, 3, 3), 0.0),
        ((0, 0, 3, 1), (1, 0, 4, 1), 0.5),
    ],
)
def test_iou(a, b, expected):
    assert box_iou(a, b) == pytest.approx(expected)
