"""Questions about pages: every answer is found again on the page by other means than those that made it."""

import re
from collections import Counter
from random import Random

import numpy as np
import pytest

from nanovlms_hf.data.documents import DocumentConfig, document_row, make_page
from nanovlms_hf.data.page_questions import WORDINGS, page_question_row, page_questions
from nanovlms_hf.data.short_answers import INSTRUCTIONS
from nanovlms_hf.data.words import is_held_out, words_of

PLAIN = DocumentConfig(paraphrases=False, columns=(1,))
EDGES = " .,;:!?()[]{}\"'“”‘’"


def said(row):
    return [turn["content"][-1]["text"] for turn in row["messages"]]


def asked(count=60, config=PLAIN, split="train"):
    """(page, question, answer, kind) of many pages, in the first wordings."""
    for index in range(count):
        page = make_page(0, split, index, config)
        for qa in page_questions(page, Random(index), paraphrases=False, kinds=config.blocks):
            yield page, *qa


@pytest.fixture(scope="module")
def all_asked():
    return list(asked())


def of_kind(all_asked, kind):
    found = [(page, question, answer) for page, question, answer, asked_kind in all_asked if asked_kind == kind]
    assert found, f"no page was asked for {kind}"
    return found


def test_every_kind_of_question_comes_up(all_asked):
    assert {kind for *_, kind in all_asked} == set(WORDINGS)


def test_headings_are_those_of_the_markdown(all_asked):
    for page, question, answer in of_kind(all_asked, "heading"):
        headings = re.findall(r"^#+ (.*)$", page.markdown, re.MULTILINE)
        place = ["the", "first", "second", "third", "fourth"].index(question.split()[-2])
        assert answer == headings[max(place - 1, 0)]
        assert (place == 0) == (len(headings) == 1)


def test_a_neighbour_stands_beside_the_only_such_word(all_asked):
    for kind, before in (("next_word", False), ("previous_word", True)):
        for page, question, answer in of_kind(all_asked, kind):
            tokens = [token.strip(EDGES) for token in page.text.split()]
            word = re.search('"(.*)"', question).group(1)
            assert [token.lower() for token in tokens].count(word.lower()) == 1
            assert tokens[tokens.index(word) + (-1 if before else 1)] == answer


def test_items_are_those_of_the_markdown(all_asked):
    for page, _, answer in of_kind(all_asked, "item"):
        assert re.search(rf"^(-|\d+\.) {re.escape(answer)}$", page.markdown, re.MULTILINE)
    for page, _, answer in of_kind(all_asked, "items"):
        (block,) = [block for block in page.blocks if block.kind == "list"]
        assert int(answer) == len(block.markdown.splitlines())


def test_cells_are_where_row_and_column_meet(all_asked):
    for page, question, answer in of_kind(all_asked, "cell"):
        row, column = re.fullmatch('What is in the row "(.*)", column "(.*)" of the table\\?', question).groups()
        table = [
            [cell.strip() for cell in line.strip("| ").split(" | ")]
            for line in page.markdown.splitlines()
            if "|" in line
        ]
        (found,) = [line for line in table[2:] if line[0] == row]
        assert found[table[0].index(column, 1)] == answer
    for page, _, answer in of_kind(all_asked, "rows"):
        assert int(answer) == sum(line.startswith("|") for line in page.markdown.splitlines()) - 2


def test_whether_there_is_a_kind_of_block(all_asked):
    found = of_kind(all_asked, "exists")
    for page, question, answer in found:
        kind = question.split()[3]
        assert answer == ("Yes" if kind in page.layout else "No")
    counts = Counter(answer for *_, answer in found)
    assert 0.3 < counts["Yes"] / len(found) < 0.7


def test_formulas_and_paragraphs(all_asked):
    for page, _, answer in of_kind(all_asked, "formula"):
        assert answer in page.text.splitlines()
    for page, _, answer in of_kind(all_asked, "paragraphs"):
        assert int(answer) == page.layout.count("paragraph")


def test_a_row_is_a_function_of_seed_split_and_index():
    first, again = (page_question_row(3, "train", 5, questions=4) for _ in range(2))
    assert said(first) == said(again)
    assert np.array_equal(first["images"][0], again["images"][0])
    assert said(first) != said(page_question_row(4, "train", 5, questions=4))
    assert said(first) != said(page_question_row(3, "train", 6, questions=4))
    assert said(first) != said(page_question_row(3, "validation", 5, questions=4))


def test_the_page_and_its_glyphs_are_those_of_the_documents():
    asked_about, read = page_question_row(0, "train", 2), document_row(0, "train", 2)
    assert np.array_equal(asked_about["images"][0], read["images"][0])
    assert asked_about["glyphs"][0] == read["glyphs"][0]
    assert np.array_equal(asked_about["glyphs"][1], read["glyphs"][1])


def test_turns_differ_and_only_the_first_has_the_picture_and_the_instruction():
    row = page_question_row(0, "train", 0, PLAIN, questions=5)
    assert len(row["messages"]) == 10
    assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"] * 5
    assert [[block["type"] for block in turn["content"]] for turn in row["messages"][::2]] == [
        ["image", "text"],
        *[["text"]] * 4,
    ]
    questions = said(row)[::2]
    assert questions[0].endswith(" Answer using a single word or phrase.")
    assert all("single word" not in question for question in questions[1:])
    assert len(set(questions)) == 5


def test_more_questions_than_a_page_has_are_all_it_has():
    config = DocumentConfig(blocks=("heading",), paraphrases=False, columns=(1,))
    row = page_question_row(0, "train", 0, config, questions=20)
    assert 2 <= len(row["messages"]) // 2 < 20


def test_wordings_vary():
    firsts = {said(page_question_row(0, "train", index, questions=1))[0] for index in range(12)}
    assert len(firsts) == 12
    assert len(INSTRUCTIONS) >= 10 and all("{question}" in instruction for instruction in INSTRUCTIONS)


def test_words_of_held_out_pages_are_held_out():
    for index in range(15):
        for answer in said(page_question_row(0, "validation", index, questions=3))[1::2]:
            assert all(map(is_held_out, words_of(answer))) or answer in ("Yes", "No")


def test_chinese_pages_are_not_asked_for_words():
    page = make_page(0, "train", 0, PLAIN)
    kinds = {qa.kind_of_question for qa in page_questions(page, Random(0), language="zh")}
    assert kinds and not kinds & {"first_word", "last_word", "next_word", "previous_word"}


@pytest.mark.parametrize("questions", [0, 21, 1.5, True, "3", None])
def test_a_number_of_questions_that_cannot_be_is_refused(questions):
    with pytest.raises(ValueError, match="expected a whole number from 1 to 20"):
        page_question_row(0, "train", 0, questions=questions)
