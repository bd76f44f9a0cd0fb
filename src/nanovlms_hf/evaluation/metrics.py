"""The field's metrics by name, as `evaluate.Metric` objects that need no network.

    load_metric("anls").compute(predictions=["helo"], references=[["hello"]])
    evaluate.combine([load_metric("bleu"), load_metric("rouge")])

Every score is 0 to 1 except BLEU (0 to 100), CIDEr (usually 0 to 10) and perplexity (1 and above). `METRICS` names them all.
"""

from typing import Any

import numpy as np
from datasets import Features, List, Value

from ..data.facts import FACT_TYPES, score_facts
from ..data.scenes import make_scene
from ..data.source_config import nearest
from . import answers, texts
from .box_scores import detection_scores, referring_accuracy
from .metric import ItemMetric, mean_of
from .options import option_letter
from .ratios import f1_of, ratio
from .text_scores import character_error_rate, normalised_edit_distance, plain_spaces, word_error_rate

_TEXT, _TEXTS = Value("string"), List(Value("string"))


def _features(reference: Any) -> Features:
    return Features({"predictions": _TEXT, "references": reference})


def _means(main: str, scores: list[float]):
    return np.array([[score, 1.0] for score in scores]), mean_of([main]), scores


class ANLS(ItemMetric):
    """References: the accepted answers of each question."""

    name = main = "anls"
    description = "Average normalised Levenshtein similarity, threshold 0.5 (DocVQA)."
    citation = "Biten et al., Scene Text Visual Question Answering, ICCV 2019; Mathew et al., DocVQA, WACV 2021."
    features = _features(_TEXTS)

    def rows(self, predictions, references):
        return _means(self.main, [answers.anls(p, r) for p, r in zip(predictions, references, strict=True)])


class RelaxedAccuracy(ItemMetric):
    """References: the answer. With `groups` of "human" and "augmented" also each, and their average."""

    name = main = "relaxed_accuracy"
    description = "Exact text, or a number within 5 % (ChartQA)."
    citation = "Masry et al., ChartQA, Findings of ACL 2022."
    features = _features(_TEXT)

    def rows(self, predictions, references):
        scores = [answers.relaxed_correct(p, str(r)) for p, r in zip(predictions, references, strict=True)]
        return _means(self.main, scores)


class VQAAccuracy(ItemMetric):
    """References: what (usually ten) people answered."""

    name = main = "vqa_accuracy"
    description = "An answer is right as far as three people gave it (VQA, TextVQA)."
    citation = "Antol et al., VQA, ICCV 2015."
    features = _features(_TEXTS)

    def rows(self, predictions, references):
        return _means(self.main, [answers.vqa_accuracy(p, r) for p, r in zip(predictions, references, strict=True)])


class ExactMatch(ItemMetric):
    """References: the accepted answers."""

    name = main = "exact_match"
    description = "The answer is one of the accepted ones; capitals, blanks and punctuation at its ends do not matter."
    features = _features(_TEXTS)

    def rows(self, predictions, references):
        return _means(self.main, [answers.exact(p, r) for p, r in zip(predictions, references, strict=True)])


class OCRBenchAccuracy(ItemMetric):
    """References: {"answers", "ignore_blanks"}; the latter for handwritten formulas (HME100k)."""

    name = main = "ocrbench_accuracy"
    description = "An accepted answer stands inside the prediction (OCRBench)."
    citation = "Liu et al., OCRBench, arXiv 2305.07895."
    features = _features({"answers": _TEXTS, "ignore_blanks": Value("bool")})

    def rows(self, predictions, references):
        pairs = zip(predictions, references, strict=True)
        return _means(self.main, [answers.contains(p, r["answers"], bool(r["ignore_blanks"])) for p, r in pairs])


class MMVetElements(ItemMetric):
    """References: the answer with `<AND>` and `<OR>`."""

    name = main = "mmvet_elements"
    description = "Share of the required elements found word for word; MM-Vet's own score needs a judge."
    citation = "Yu et al., MM-Vet, ICML 2024."
    features = _features(_TEXT)

    def rows(self, predictions, references):
        return _means(self.main, [answers.elements_found(p, r) for p, r in zip(predictions, references, strict=True)])


class MultipleChoice(ItemMetric):
    """References: {"answer": a letter, "options": their texts}; `unparsed` is the share of answers that chose nothing."""

    name = "multiple_choice"
    main = "accuracy"
    description = "The chosen option letter is the right one; an answer that chooses none is wrong."
    citation = "Yue et al., MMMU, CVPR 2024; MMMU-Pro, arXiv 2409.02813; Ying et al., MMT-Bench, ICML 2024; Chen et al., MMStar."
    features = _features({"answer": _TEXT, "options": _TEXTS})

    def rows(self, predictions, references):
        chosen = [option_letter(p, r["options"]) for p, r in zip(predictions, references, strict=True)]
        right = [float(letter == r["answer"]) for letter, r in zip(chosen, references, strict=True)]
        statistics = np.array([[score, letter is None, 1.0] for score, letter in zip(right, chosen, strict=True)])
        return statistics, mean_of([self.main, "unparsed"]), right


class YesNo(ItemMetric):
    """References: "yes" or "no" (or "true", "false"); yes is the positive class of precision, recall and F1."""

    name = "yes_no"
    main = "accuracy"
    description = "Yes-or-no questions (POPE, NLVR2): accuracy, precision, recall, F1, share of yes, share of neither."
    citation = "Li et al., Evaluating Object Hallucination in LVLMs, EMNLP 2023; Suhr et al., NLVR2, ACL 2019."
    features = _features(_TEXT)

    def rows(self, predictions, references):
        rows, scores = [], []
        for prediction, reference in zip(predictions, references, strict=True):
            said, true = answers.yes_or_no(prediction), answers.yes_or_no(str(reference))
            if true is None:
                raise ValueError(f"yes_no was given the reference {reference!r}; give yes, no, true or false.")
            rows.append([said == true, said is True and true, said is True, true, said is None, 1.0])
            scores.append(float(said == true))
        return np.array(rows, float), self._finish, scores

    @staticmethod
    def _finish(sums):
        right, hits, said, true, unparsed, count = sums
        precision, recall = ratio(hits, said), ratio(hits, true)
        return {
            "accuracy": ratio(right, count),
            "precision": precision,
            "recall": recall,
            "f1": f1_of(precision, recall),
            "yes_ratio": ratio(said, count),
            "unparsed": ratio(unparsed, count),
        }


class Referring(ItemMetric):
    """References: the true box, x1, y1, x2, y2 in thousandths of the picture."""

    name = "referring"
    main = "accuracy"
    description = "The first box of the answer overlaps the true one with IoU 0.5 or more (RefCOCO); an answer without a box is wrong."
    citation = (
        "Yu et al., Modeling Context in Referring Expressions, ECCV 2016; box format of Vary-toy, arXiv 2401.12503."
    )
    features = _features(List(Value("float64")))

    def rows(self, predictions, references):
        found = [referring_accuracy([(p, tuple(r))]) for p, r in zip(predictions, references, strict=True)]
        names = ("accuracy", "mean_iou", "unreadable")
        statistics = np.array([[score[name] for name in names] + [1.0] for score in found])
        return statistics, mean_of(names), [score["mean_iou"] for score in found]


class Detection(ItemMetric):
    """References: the true boxes as text, "RBC: [012, 345, 678, 999]; WBC: ..."."""

    name = "detection"
    main = "detection_f1"
    description = "F1 of boxes with the right class and IoU 0.5 or more, of all classes together and of each class."
    features = _features(_TEXT)

    def rows(self, predictions, references):
        found = [detection_scores([pair]) for pair in zip(predictions, references, strict=True)]
        classes = sorted({name for reference in references for name in detection_scores([("", reference)])["classes"]})
        nothing = {"right": 0, "predicted": 0, "true": 0}
        rows = [
            [
                score[key]
                for score in (whole, *(whole["classes"].get(name, nothing) for name in classes))
                for key in nothing
            ]
            + [whole["unreadable"], 1.0]
            for whole in found
        ]

        def finish(sums):
            scores = {"unreadable": ratio(sums[-2], sums[-1])}
            for place, name in enumerate(("detection", *classes)):
                right, predicted, true = sums[3 * place : 3 * place + 3]
                scores[f"{name}_f1"] = ratio(2 * right, predicted + true)
                if not place:
                    scores |= {"detection_precision": ratio(right, predicted), "detection_recall": ratio(right, true)}
            return scores

        return np.array(rows, float), finish, [whole["f1"] for whole in found]


class FactF1(ItemMetric):
    """References: {"seed", "index"} of the picture world's scene (`Scene.seed` and `Scene.index`)."""

    name = "facts"
    main = "facts_f1"
    description = (
        "Precision, recall and F1 of the facts that a text states of a scene, all facts of all texts together."
    )
    features = _features({"seed": Value("int64"), "index": Value("int64")})

    def rows(self, predictions, references):
        rows, scores = [], []
        for prediction, reference in zip(predictions, references, strict=True):
            score = score_facts(prediction, make_scene(reference["seed"], reference["index"]))
            rows.append(_fact_counts(score))
            scores.append(score.f1)
        return np.array(rows, float), self._finish, scores

    @staticmethod
    def _finish(sums):
        found = {}
        for place, name in enumerate(("facts", *FACT_TYPES)):
            true, stated, told, wanted = sums[4 * place : 4 * place + 4]
            precision, recall = ratio(true, stated), ratio(told, wanted)
            found |= {f"{name}_precision": precision, f"{name}_recall": recall, f"{name}_f1": f1_of(precision, recall)}
        return found


def _fact_counts(score) -> list[int]:
    """True, stated, found and wanted facts, of all types together and of each."""
    sets = (score.true_positive, score.true_positive | score.false, score.found, score.found | score.missed)
    counts = [len(facts) for facts in sets]
    for kind in FACT_TYPES:
        counts += [sum(fact[0] == kind for fact in facts) for facts in sets]
    return counts


class OCR(ItemMetric):
    """References: the written text. All three are errors: 0 is a perfect reading."""

    name = "ocr"
    main = "cer"
    description = (
        "Character and word error rate over all texts together, and the mean normalised edit distance (rapidfuzz)."
    )
    features = _features(_TEXT)

    def rows(self, predictions, references):
        rows = []
        for pair in zip(predictions, references, strict=True):
            characters, words = len(plain_spaces(pair[1])), len(pair[1].split())
            errors = character_error_rate([pair]) * characters, word_error_rate([pair]) * words
            rows.append([errors[0], characters, errors[1], words, normalised_edit_distance([pair]), 1.0])
        return np.array(rows), self._finish, [1 - row[4] for row in rows]

    @staticmethod
    def _finish(sums):
        return {"cer": sums[0] / sums[1], "wer": sums[2] / sums[3], "edit_distance": sums[4] / sums[5]}


class BLEU(ItemMetric):
    """References: one or more texts."""

    name = main = "bleu"
    description = "Corpus BLEU of sacrebleu, 0 to 100, its default tokenisation and smoothing; items are ranked by sentence BLEU."
    citation = "Papineni et al., ACL 2002; Post, A Call for Clarity in Reporting BLEU Scores, WMT 2018."
    features = _features(_TEXTS)

    def rows(self, predictions, references):
        rows = [texts.bleu_statistics(p, r) for p, r in zip(predictions, references, strict=True)]
        scores = [texts.bleu_from(np.array(row), sentence=True) / 100 for row in rows]
        return np.array(rows, float), lambda sums: {"bleu": texts.bleu_from(sums)}, scores


class ROUGE(ItemMetric):
    """References: one or more texts; the one that fits best counts."""

    name = "rouge"
    main = "rougeL"
    description = "F-measures of ROUGE-1, -2 and -L (rouge-score, no stemming), means over items."
    citation = "Lin, ROUGE, 2004."
    features = _features(_TEXTS)

    def rows(self, predictions, references):
        found = [texts.rouge_scores(p, r) for p, r in zip(predictions, references, strict=True)]
        names = ("rouge1", "rouge2", "rougeL")
        statistics = np.array([[score[name] for name in names] + [1.0] for score in found])
        return statistics, mean_of(names), [score["rougeL"] for score in found]


class CIDEr(ItemMetric):
    """References: one or more texts. Intervals keep the n-gram weights of all items fixed."""

    name = main = "cider"
    description = (
        "CIDEr-D of pycocoevalcap, in its scale; words split by a regular expression instead of the PTB tokenizer."
    )
    citation = "Vedantam et al., CIDEr, CVPR 2015."
    features = _features(_TEXTS)

    def rows(self, predictions, references):
        scores = texts.cider_scores(predictions, references)
        return np.stack([scores, np.ones_like(scores)], 1), mean_of([self.main]), list(np.clip(scores / 10, 0, 1))


class SelfBLEU(ItemMetric):
    """References are not used; give the predictions again."""

    name = main = "self_bleu"
    description = "BLEU of each text against 100 others of the set: 1 where all say the same."
    citation = "Zhu et al., Texygen, SIGIR 2018."
    features = _features(_TEXT)

    def rows(self, predictions, references):
        return _means(self.main, list(texts.self_bleu(predictions)))


class Distinct(ItemMetric):
    """References are not used. The interval is a jackknife's: drawing an item twice would repeat its words."""

    name = "distinct"
    main = "distinct_2"
    description = "Different words and pairs of words over all of them, in all texts together."
    citation = "Li et al., A Diversity-Promoting Objective Function, NAACL 2016."
    features = _features(_TEXT)

    def rows(self, predictions, references):
        corpus = {f"distinct_{order}": texts.distinct_n(predictions, order) for order in (1, 2)}
        alone = [texts.distinct_n([text], 2) for text in predictions]
        return np.ones((len(predictions), 1)), lambda sums: dict(corpus), alone

    def known_intervals(self, predictions):
        return {f"distinct_{order}": texts.distinct_interval(predictions, order) for order in (1, 2)}


class TrainingOverlap(ItemMetric):
    """References: none; give the training texts to the constructor. Items are ranked by what is new in them."""

    name = main = "training_overlap"
    description = (
        "Share of a text's words that one training text holds in the same order, mean over items: 1 is memory."
    )
    features = _features(_TEXT)

    def __init__(self, training_texts=(), **kwargs):
        super().__init__(**kwargs)
        self._nearest = texts.NearestText(training_texts)

    def rows(self, predictions, references):
        overlaps = [self._nearest(text)[0] for text in predictions]
        statistics, finish, _ = _means(self.main, overlaps)
        return statistics, finish, [1 - overlap for overlap in overlaps]


class Perplexity(ItemMetric):
    """References: {"nll", "tokens"}, the negative log-likelihood of the true completion in nats and its tokens.

    Predictions are not used. `likelihood.completion_nll` measures the references.
    """

    name = main = "perplexity"
    description = "exp of the mean negative log-likelihood a token, over all tokens of all items."
    features = _features({"nll": Value("float64"), "tokens": Value("int64")})

    def rows(self, predictions, references):
        statistics = np.array([[r["nll"], r["tokens"]] for r in references], float)
        if (statistics[:, 1] < 1).any():
            raise ValueError("perplexity was given an item without a token; leave such items out and count them.")
        scores = np.exp(-statistics[:, 0] / statistics[:, 1])
        return statistics, lambda sums: {"perplexity": float(np.exp(sums[0] / sums[1]))}, list(scores)


METRICS: dict[str, type[ItemMetric]] = {
    metric.name: metric
    for metric in (
        ANLS,
        RelaxedAccuracy,
        VQAAccuracy,
        ExactMatch,
        OCRBenchAccuracy,
        MMVetElements,
        MultipleChoice,
        YesNo,
        Referring,
        Detection,
        FactF1,
        OCR,
        BLEU,
        ROUGE,
        CIDEr,
        SelfBLEU,
        Distinct,
        TrainingOverlap,
        Perplexity,
    )
}


def load_metric(name: str, **options) -> ItemMetric:
    """A metric by its name; nothing is downloaded.

    Args:
        name (`str`): one of `METRICS`.
        options: of the metric, such as `training_texts` of `training_overlap`.

    Raises:
        ValueError: for an unknown name; names the nearest one.
    """
    if name not in METRICS:
        raise ValueError(f"there is no metric {name!r}{nearest(name, METRICS)}")
    return METRICS[name](**options)


__all__ = ["METRICS", "load_metric", *sorted(cls.__name__ for cls in METRICS.values())]
