"""Questions about drawn pages, answered by what was drawn: words and their neighbours, headings, list items, cells.

The pages are those of `documents.py`, with its held-out words and layouts; every answer stands on the page, or counts something
on it, so nothing can be guessed from the question alone. They take the place of DocVQA in Vary-toy's multi-task training.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random

from .documents import DEFAULT_DOCUMENTS, DocumentConfig, make_page, render_page
from .page_blocks import BLOCKS, Block
from .page_drawing import Page
from .questions import QA
from .short_answers import Asker, check_count, draw_questions, short_answer_chat

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
WORDINGS: dict[str, tuple[str, ...]] = {
    "heading": ("What is {block}?", "What does {block} say?", "Read {block}.", "How does {block} go?"),
    "first_word": (
        "What is the first word of {block}?",
        "With which word does {block} begin?",
        "Which word comes first in {block}?",
    ),
    "last_word": (
        "What is the last word of {block}?",
        "With which word does {block} end?",
        "Which word comes last in {block}?",
    ),
    "next_word": (
        'Which word follows "{word}"?',
        'What comes right after "{word}"?',
        'What is the word after "{word}"?',
    ),
    "previous_word": (
        'Which word stands before "{word}"?',
        'What comes right before "{word}"?',
        'What is the word before "{word}"?',
    ),
    "item": (
        "What is the {ordinal} item of the list?",
        "What stands {ordinal} in the list?",
        "Read the {ordinal} entry of the list.",
    ),
    "items": (
        "How many items does the list have?",
        "How many entries are in the list?",
        "Count the items of the list.",
    ),
    "cell": (
        'What is in the row "{row}", column "{column}" of the table?',
        'In the table, what does the column "{column}" say for "{row}"?',
        'What is the "{column}" of "{row}"?',
        'Which value stands beside "{row}" under "{column}"?',
    ),
    "rows": (
        "How many rows does the table have, without its head?",
        "How many rows are below the head of the table?",
    ),
    "columns": ("How many columns does the table have?", "Count the columns of the table."),
    "formula": ("What does the formula say?", "Write the formula.", "Which formula is shown?"),
    "exists": ("Is there a {kind} on this page?", "Does this page have a {kind}?", "Can you see a {kind} here?"),
    "paragraphs": ("How many paragraphs are there?", "Count the paragraphs of this page."),
}

_EDGES = " \t\n.,;:!?()[]{}\"'“”‘’"


def page_questions(
    page: Page, rng: Random, language: str = "en", paraphrases: bool = True, kinds: Sequence[str] = BLOCKS
) -> list[QA]:
    """Everything that can be asked about a page and has one clear answer.

    Args:
        page (`Page`): from `make_page`.
        rng (`Random`): draws wordings, and which of the words and cells are asked about.
        language (`str`, defaults to `"en"`): words are asked about where spaces part them, not in "zh".
        paraphrases (`bool`, defaults to `True`): draw the wordings among `WORDINGS`; otherwise always the first.
        kinds (`Sequence[str]`): kinds of blocks that pages of this sort may have, for "Is there a table?".

    Returns:
        `list[QA]`: questions in the order of `WORDINGS`' ideas; the first words of a block, its neighbours and cells are drawn.
    """
    asker = Asker(rng, WORDINGS, paraphrases)
    by_kind = {kind: [block for block in page.blocks if block.kind == kind] for kind in BLOCKS}
    for name, block in _named(by_kind["heading"], "heading"):
        asker.ask("heading", block.markdown.split(" ", 1)[1], block=name)
    if language == "en":
        _ask_words(asker, page, by_kind)
    if len(by_kind["list"]) == 1:
        _ask_list(asker, by_kind["list"][0])
    if len(by_kind["table"]) == 1:
        _ask_table(asker, by_kind["table"][0])
    if len(by_kind["formula"]) == 1:
        asker.ask("formula", by_kind["formula"][0].lines[0].text)
    _ask_existence(asker, by_kind, kinds)
    asker.ask("paragraphs", len(by_kind["paragraph"]))
    return asker.asked


def page_question_row(
    seed: int,
    split: str,
    index: int,
    config: DocumentConfig = DEFAULT_DOCUMENTS,
    questions: int = 1,
    texts: Sequence[str] | None = None,
) -> dict:
    """One page with a chat of questions and short answers; a pure function of its arguments.

    Args:
        seed, split, index, config, texts: as for `documents.make_page`.
        questions (`int`, defaults to 1): turns, as far as there is so much to ask.

    Returns:
        `dict`: `images`, `messages` and `glyphs`, as `documents.document_row`.

    Raises:
        ValueError: a number of questions that cannot be, or what `make_page` raises.
    """
    check_count(questions)
    page = make_page(seed, split, index, config, texts)
    drawn = render_page(page)
    rng = Random(f"{seed}:{split}:{index}:page questions")
    asked = page_questions(page, rng, config.language, config.paraphrases, config.blocks)
    messages = short_answer_chat(draw_questions(asked, questions, rng), rng, config.paraphrases)
    return {"images": [drawn.picture], "messages": messages, "glyphs": drawn.glyphs}


def _named(blocks: list[Block], kind: str) -> list[tuple[str, Block]]:
    """("the heading", block), or ("the second heading", block) where there are several."""
    if len(blocks) == 1:
        return [(f"the {kind}", blocks[0])]
    return [(f"the {ordinal} {kind}", block) for ordinal, block in zip(ORDINALS, blocks, strict=False)]


def _tokens(block: Block) -> list[str]:
    """The words of a block in reading order, bare of punctuation; the marks of a list are no words."""
    lines = [line.runs[-1:] if block.kind == "list" else line.runs for line in block.lines]
    return [token.strip(_EDGES) for runs in lines for run in runs for token in run.text.split()]


def _is_word(token: str) -> bool:
    return any(map(str.isalnum, token)) and '"' not in token


def _ask_words(asker: Asker, page: Page, by_kind: dict[str, list[Block]]) -> None:
    """The words at the ends of one block, and the neighbours of a word that stands on the page only once."""
    named = [pair for kind in ("paragraph", "list") for pair in _named(by_kind[kind], kind)]
    if named:
        name, block = asker.rng.choice(named)
        tokens = _tokens(block)
        asker.ask("first_word", tokens[0] if _is_word(tokens[0]) else "", block=name)
        asker.ask("last_word", tokens[-1] if _is_word(tokens[-1]) else "", block=name)
    counts = Counter(token.lower() for block in page.blocks for token in _tokens(block))
    pairs = [pair for block in by_kind["paragraph"] for pair in _neighbours(_tokens(block))]
    followed = [pair for pair in pairs if counts[pair[0].lower()] == 1 and pair[0].isalpha()]
    if followed:
        word, answer = asker.rng.choice(followed)
        asker.ask("next_word", answer, word=word)
    preceded = [pair for pair in pairs if counts[pair[1].lower()] == 1 and pair[1].isalpha()]
    if preceded:
        answer, word = asker.rng.choice(preceded)
        asker.ask("previous_word", answer, word=word)


def _neighbours(tokens: list[str]) -> list[tuple[str, str]]:
    return [pair for pair in zip(tokens, tokens[1:], strict=False) if all(map(_is_word, pair))]


def _ask_list(asker: Asker, block: Block) -> None:
    items = [line.split(" ", 1)[1] for line in block.markdown.split("\n")]
    place = asker.rng.randrange(len(items))
    names = (ORDINALS[place], "last") if place == len(items) - 1 else (ORDINALS[place],)
    asker.ask("item", items[place], ordinal=asker.rng.choice(names))
    asker.ask("items", len(items))


def _ask_table(asker: Asker, block: Block) -> None:
    (_, *heads), *rows = [[run.text for run in line.runs] for line in block.lines]
    columns = [column for column in range(len(heads)) if heads.count(heads[column]) == 1]
    firsts = [row[0] for row in rows]
    clear = [row for row in rows if firsts.count(row[0]) == 1 and '"' not in row[0]]
    if columns and clear:
        row, column = asker.rng.choice(clear), asker.rng.choice(columns)
        asker.ask("cell", row[column + 1], row=row[0], column=heads[column])
    asker.ask("rows", len(rows))
    asker.ask("columns", len(heads) + 1)


def _ask_existence(asker: Asker, by_kind: dict[str, list[Block]], kinds: Sequence[str]) -> None:
    """One question about a kind of block, as often answered with yes as with no where the page allows it."""
    present = [kind for kind in kinds if kind != "paragraph" and by_kind[kind]]
    absent = [kind for kind in kinds if kind != "paragraph" and not by_kind[kind]]
    choices = [choice for choice in (present, absent) if choice]
    if choices:
        choice = asker.rng.choice(choices)
        asker.ask("exists", "Yes" if choice is present else "No", kind=asker.rng.choice(choice))


__all__ = ["WORDINGS", "page_question_row", "page_questions"]
