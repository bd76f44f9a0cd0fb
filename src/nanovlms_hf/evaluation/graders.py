"""Graders that need no judge: five numbers from 0 to 10 by rules, facts, counting and a small language model.

They fill the same report as a judge, and the report names the grader of every number. Each says what it does not see; none of them
is a judge's opinion, so a number of one is not to be compared with a number of the other.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from ..data.facts import score_facts
from ..data.scenes import make_scene
from .grammar import sentences_of, text_faults
from .judge import DIMENSIONS
from .ratios import f1_of, ratio
from .reference_lm import ReferenceLM
from .texts import NearestText, words_of

_FINISHED = re.compile(r"[.!?][\"'”’)]*\s*$")
_SMALL_WORDS = set(
    "a an the and or but of in on at to by for with from is are was were be it its he she they them this that these those there here "
    "his her their our my your i we you as so not no very too also has have had do does did some any".split()
)


@dataclass(frozen=True)
class Completion:
    """What a model added to a beginning, and what is known of the picture.

    Attributes:
        id: the item's.
        prefix, text: the beginning, and the model's words.
        facts: {"seed", "index"} of a scene, or {"captions": [...]}; empty where nothing is known.
        truth: the true text, for people and for a judge.
    """

    id: str
    prefix: str
    text: str
    facts: dict = field(default_factory=dict)
    truth: str = ""


@dataclass(frozen=True)
class Grader:
    """One dimension's grader: its name, what it looks at, what it is blind to, and the function that grades (None: cannot be said)."""

    name: str
    sees: str
    blind_to: str
    grade: Callable[[Completion], float | None]


def grade_grammar(completion: Completion) -> float:
    """10 x the share of sentences in which `grammar.text_faults` finds nothing; 0 for no words."""
    faults = text_faults(completion.text, completion.prefix)
    return 10 * ratio(sum(not found for found in faults), len(faults))


@cache
def _scene(seed: int, index: int):
    return make_scene(seed, index)


def _scene_gain(completion: Completion) -> tuple[float, float] | None:
    """(precision, recall) of the facts that the completion adds to the beginning; None where the beginning tells them all."""
    scene = _scene(completion.facts["seed"], completion.facts["index"])
    start, whole = score_facts(completion.prefix, scene), score_facts(f"{completion.prefix} {completion.text}", scene)
    true, false = whole.true_positive - start.true_positive, whole.false - start.false
    left = start.missed
    return (ratio(len(true), len(true) + len(false)), len(whole.found & left) / len(left)) if left else None


def content_words(text: str) -> set[str]:
    """The words of a text that carry content, plurals and singulars taken as one."""
    return {word.removesuffix("s") for word in words_of(text) if word not in _SMALL_WORDS}


def _caption_gain(completion: Completion) -> tuple[float, float] | None:
    """(precision, recall) of the completion's content words, those of the beginning aside, against the captions; None where the
    beginning holds all of theirs."""
    known = content_words(" ".join(completion.facts["captions"]))
    given = content_words(completion.prefix)
    said, left = content_words(completion.text) - given, known - given
    return (ratio(len(said & left), len(said)), len(said & left) / len(left)) if left else None


def _gain(completion: Completion) -> tuple[float, float] | None:
    if "index" in completion.facts:
        return _scene_gain(completion)
    if completion.facts.get("captions"):
        return _caption_gain(completion)
    raise ValueError(f"item {completion.id} has neither a scene nor captions to be consistent with; give one of them.")


def grade_consistency(completion: Completion) -> float | None:
    """10 x F1 of what the completion adds: facts against the scene, or content words against the captions.

    None where the beginning tells everything already: any vague words would be consistent then, so such items are left out and
    the number of items says so.

    Raises:
        ValueError: neither scene nor captions are known.
    """
    gain = _gain(completion)
    return None if gain is None else 10 * f1_of(*gain)


def grade_plot(completion: Completion) -> float:
    """10 x the mean of four signs that the text leads somewhere: it ends, it has two sentences or more with the beginning's, it repeats
    no sentence, and it tells something that was left to tell."""
    if not words_of(completion.text):
        return 0.0
    sentences = sentences_of(f"{completion.prefix} {completion.text}")
    plain = [" ".join(words_of(sentence)) for sentence in sentences]
    gain = _gain(completion)
    signs = (
        bool(_FINISHED.search(completion.text)),
        len(sentences) >= 2,
        len(set(plain)) == len(plain),
        gain is None or gain[1] > 0,
    )
    return 10 * sum(map(float, signs)) / len(signs)


def programmatic_graders(training_texts: Sequence[str], reference: ReferenceLM) -> dict[str, Grader]:
    """The grader of each dimension.

    Args:
        training_texts (`Sequence[str]`): texts that the graded model was trained on, or enough of their kind.
        reference (`ReferenceLM`): a language model trained on other text.
    """
    nearest = NearestText(training_texts)

    def creativity(completion: Completion) -> float:
        if not words_of(completion.text):
            return 0.0
        return 10 * (1 - nearest(completion.text)[0])

    def meaningfulness(completion: Completion) -> float:
        if not completion.text.strip():
            return 0.0
        return reference.grade(reference.nll([completion.text], [completion.prefix])[0])

    return {
        "grammar": Grader(
            "rules with the dictionary of pyspellchecker and the number and article rules of inflect",
            "share of sentences without a found fault",
            "word order, missing words, tense, anything that needs a parse",
            grade_grammar,
        ),
        "creativity": Grader(
            f"distinctness from {len(nearest.texts)} training texts (rapidfuzz, longest common subsequence of words)",
            "share of the words that no single training text holds in the same order",
            "whether what is new is good; nonsense is new, too",
            creativity,
        ),
        "consistency": Grader(
            "facts read by `read_facts` against the scene, or content words against the captions",
            "F1 of what is added to the beginning",
            "for captions: meaning, negation and which thing a colour belongs to; for scenes: statements outside the world's words",
            grade_consistency,
        ),
        "meaningfulness": Grader(
            f"perplexity under a GPT-2 of {reference.model.num_parameters():,} parameters trained on held-out text",
            "how expected the words are after the beginning: 10 as true texts, 0 as their words in random order",
            "truth, and sense beyond its training text",
            meaningfulness,
        ),
        "plot": Grader(
            "four signs: it ends, it has two sentences or more, repeats none, and tells something left to tell",
            "mean of the four",
            "the order of events, cause and effect, a point",
            grade_plot,
        ),
    }


__all__ = [
    "DIMENSIONS",
    "Completion",
    "Grader",
    "content_words",
    "grade_consistency",
    "grade_grammar",
    "grade_plot",
    "programmatic_graders",
]
