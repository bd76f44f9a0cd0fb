"""How well a text tells what is in a picture: the facts it states against the facts that are true.

    score = score_facts("A red cat is next to a ball.", scene)
    score.precision   # share of the stated facts that are true
    score.recall      # share of the scene's facts that are stated

Rules
    A colour, size or count belongs to its kind: said of another kind, or of a kind that is absent, it is false.
    A stated relation is true when the geometry says so, whether or not the layout was built from it.
    A relation of the layout is found when any true relation between the same two kinds is stated.
    Counts are facts only above one: "a cat" where there are three states no count, and the count is missed.
    Saying the same thing twice counts once. A text without facts has precision 0 and recall 0.
    "A boy", without what he does, means the one kind of boy in the scene (no two kinds there share a noun). What is said
    of him, his colour, size, count or relations, is true, and found, as if the kind had been named. The kind itself is
    true but missed: what he does was not said. "A child" means somebody only where a single kind of person is there;
    beside both a boy and a girl the word is true, and anything else said of it is false.
    A wrong action ("a sleeping boy" of one who runs) names another kind, and all that is said of it is false.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from .lexicon import PERSON_NOUNS
from .reader import read_facts
from .scenes import KINDS, RELATIONS, Fact, Scene

FACT_TYPES = ("kind", "colour", "size", "count", "relation", "setting")


@dataclass(frozen=True)
class FactScore:
    """Precision, recall and their harmonic mean, each 0 to 1, with the facts behind them.

    Attributes:
        true_positive: stated facts that are true, in the words of the text (("colour", "boy", "red")).
        false: stated facts that are not, likewise.
        found: facts of the scene that the text states.
        missed: facts of the scene that it does not.
    """

    precision: float
    recall: float
    f1: float
    true_positive: frozenset[Fact]
    false: frozenset[Fact]
    found: frozenset[Fact]
    missed: frozenset[Fact]


def _people_called(noun: str, scene: Scene) -> list[str]:
    """The kinds in a scene that a bare person noun may mean: at most one for "boy", any person for "child"."""
    people = [KINDS[kind] for kind in scene.by_kind if KINDS[kind].group == "person"]
    return [kind.name for kind in people if noun in (kind.noun, "child")]


def meaning(fact: Fact, scene: Scene) -> Fact:
    """A fact with each bare person noun replaced by the kind it means in a scene, where that is a single one.

    Args:
        fact: in the form of `read_facts`, such as ("colour", "boy", "green").
        scene: what it was said of.

    Returns:
        ("colour", "running boy", "green") where running boys are the only boys; the fact itself where nothing is bare,
        nobody is meant, or several kinds may be.
    """

    def kind_of(name: str) -> str:
        if name not in PERSON_NOUNS or name in KINDS:
            return name
        people = _people_called(name, scene)
        return people[0] if len(people) == 1 else name

    if fact[0] == "setting":
        return fact
    if fact[0] == "relation":
        return "relation", kind_of(fact[1]), fact[2], kind_of(fact[3])
    return fact[0], kind_of(fact[1]), *fact[2:]


def is_true(fact: Fact, scene: Scene) -> bool:
    """Whether a fact in the form of `read_facts` is true of a scene; a bare person noun is read as `meaning` reads it."""
    fact = meaning(fact, scene)
    label, subject = fact[0], fact[1]
    if label == "setting":
        return subject == scene.setting
    if label == "relation":
        return fact[2] in RELATIONS and scene.holds(fact[2], subject, fact[3])
    if label == "kind" and subject == "child":  # one of several
        return bool(_people_called(subject, scene))
    return fact in scene.facts()


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def score_facts(text: str, scene: Scene) -> FactScore:
    """Score one text against one scene by the rules at the top of this module.

    Args:
        text: what a model wrote.
        scene: what it was about.
    """
    said: dict[Fact, Fact] = {}  # what is meant -> the words for it, the kind's full name where both were used
    for fact in sorted(read_facts(text)):
        meant = meaning(fact, scene)
        if meant not in said or fact == meant:
            said[meant] = fact
    stated, wanted = frozenset(said.values()), scene.facts()
    true = frozenset(fact for fact in stated if is_true(fact, scene))
    told = {meant for meant, fact in said.items() if fact in true and (fact[0] != "kind" or fact == meant)}
    pairs = {frozenset((fact[1], fact[3])) for fact in told if fact[0] == "relation"}
    found = frozenset(
        fact for fact in wanted if (frozenset((fact[1], fact[3])) in pairs if fact[0] == "relation" else fact in told)
    )
    precision, recall = _ratio(len(true), len(stated)), _ratio(len(found), len(wanted))
    return FactScore(precision, recall, _f1(precision, recall), true, stated - true, found, wanted - found)


def corpus_scores(pairs: Iterable[tuple[str, Scene]]) -> dict[str, dict[str, float]]:
    """Micro-averaged scores over many texts.

    Args:
        pairs: (text, scene) for each picture.

    Returns:
        For "all" and for each name in `FACT_TYPES`: "precision", "recall", "f1" (0 to 1) and the counts behind them,
        "stated", "true", "wanted", "found". A type that nobody stated or wanted has zeros.
    """
    counts = {name: {"stated": 0, "true": 0, "wanted": 0, "found": 0} for name in ("all", *FACT_TYPES)}
    for text, scene in pairs:
        score = score_facts(text, scene)
        for facts, columns in (
            (score.true_positive, ("stated", "true")),
            (score.false, ("stated",)),
            (score.found, ("wanted", "found")),
            (score.missed, ("wanted",)),
        ):
            for fact in facts:
                for column in columns:
                    counts["all"][column] += 1
                    counts[fact[0]][column] += 1
    scores = {}
    for name, count in counts.items():
        precision, recall = _ratio(count["true"], count["stated"]), _ratio(count["found"], count["wanted"])
        scores[name] = {"precision": precision, "recall": recall, "f1": _f1(precision, recall), **count}
    return scores


__all__ = ["FACT_TYPES", "FactScore", "corpus_scores", "is_true", "meaning", "read_facts", "score_facts"]
