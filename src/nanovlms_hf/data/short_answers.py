"""Questions with short answers about one picture, as a chat: what DocVQA and ChartQA are to Vary-toy's multi-task training.

`page_questions.py` and `chart_questions.py` know what was drawn and ask about it; this module draws among their questions and
words the instruction. The first wording is Vary-toy's (arXiv 2401.12503, table 1), the second Vary's (arXiv 2312.06109).
"""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from random import Random

from .questions import QA

MOST_QUESTIONS = 20
INSTRUCTIONS = (
    "{question} Answer using a single word or phrase.",
    "Answer the following questions using a single word or phrase: {question}",
    "{question} Give a short answer.",
    "{question} Reply with one word or a few.",
    "Keep the answer as short as you can. {question}",
    "Look at the image and answer briefly. {question}",
    "{question} A word or a number is enough.",
    "In a word or a phrase: {question}",
    "{question} Only the answer, please.",
    "Short answer, please. {question}",
    "{question} Do not write a whole sentence.",
    "Read the picture and answer in few words. {question}",
)


class Asker:
    """Collects questions, each in one of the wordings of its kind.

    Args:
        rng (`Random`): draws the wordings.
        wordings (`Mapping[str, Sequence[str]]`): kind -> templates.
        paraphrases (`bool`): draw among the templates; otherwise the first is taken.

    Attributes:
        asked (`list[QA]`): the questions so far.
    """

    def __init__(self, rng: Random, wordings: Mapping[str, Sequence[str]], paraphrases: bool):
        self.rng, self.wordings, self.paraphrases = rng, wordings, paraphrases
        self.asked: list[QA] = []

    def ask(self, kind: str, answer: object, /, **parts: object) -> None:
        """Add a question of a kind, its template filled in with `parts`; one without an answer is left out."""
        wordings = self.wordings[kind] if self.paraphrases else self.wordings[kind][:1]
        template = self.rng.choice(wordings)
        if str(answer):
            self.asked.append(QA(template.format(**parts), str(answer), kind))


def draw_questions(asked: Iterable[QA], count: int, rng: Random) -> list[QA]:
    """Draw different questions, every kind once before any kind comes twice.

    Args:
        asked (`Iterable[QA]`): what can be asked.
        count (`int`): how many to draw; fewer where there are fewer.
        rng (`Random`): draws.
    """
    by_kind: dict[str, list[QA]] = {}
    for qa in asked:
        by_kind.setdefault(qa.kind_of_question, []).append(qa)
    for of_a_kind in by_kind.values():
        rng.shuffle(of_a_kind)
    drawn: list[QA] = []
    while by_kind and len(drawn) < count:
        kinds = list(by_kind)
        rng.shuffle(kinds)
        for kind in kinds[: count - len(drawn)]:
            drawn.append(by_kind[kind].pop())
            if not by_kind[kind]:
                del by_kind[kind]
    return drawn


def short_answer_chat(asked: Sequence[QA], rng: Random, paraphrases: bool) -> list[dict]:
    """Questions as turns of a chat; the first carries the picture and the instruction to be brief."""
    instruction = rng.choice(INSTRUCTIONS if paraphrases else INSTRUCTIONS[:1])
    messages = []
    for number, (question, answer, _) in enumerate(asked):
        blocks = [{"type": "image"}] if number == 0 else []
        said = instruction.format(question=question) if number == 0 else question
        messages.append({"role": "user", "content": [*blocks, {"type": "text", "text": said}]})
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    return messages


def check_count(questions: object) -> None:
    """Raises ValueError for a number of questions that cannot be."""
    if isinstance(questions, bool) or not isinstance(questions, Integral) or not 1 <= questions <= MOST_QUESTIONS:
        raise ValueError(f"questions={questions!r} cannot be; expected a whole number from 1 to {MOST_QUESTIONS}.")


__all__ = ["INSTRUCTIONS", "MOST_QUESTIONS", "Asker", "check_count", "draw_questions", "short_answer_chat"]
