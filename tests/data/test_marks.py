"""What each token of a vision vocabulary is told about its square."""

import numpy as np
import pytest

from nanovlms_hf.data.detection import detection_row
from nanovlms_hf.data.documents import DocumentConfig, document_row
from nanovlms_hf.data.marks import ALPHABET, IGNORED, NUM_CHARACTERS, mark_tasks, marks_of, words_of
from nanovlms_hf.data.vocabulary import COLOURS, KINDS


def box(x: float, y: float, size: float = 0.02) -> list[float]:
    """A box around a middle."""
    return [x - size / 2, y - size / 2, x + size / 2, y + size / 2]


def test_characters_stand_in_the_square_of_their_middle_in_reading_order():
    glyphs = ("ab!é", np.array([box(0.1, 0.1), box(0.2, 0.1), box(0.6, 0.1), box(0.9, 0.9)], np.float32))
    marks = marks_of({"glyphs": glyphs}, grid=2, slots=3)["characters"]
    known = {character: index + 1 for index, character in enumerate(ALPHABET)}
    assert marks.tolist() == [
        [known["a"], known["b"], 0],
        [known["!"], 0, 0],
        [0, 0, 0],
        [NUM_CHARACTERS - 1, 0, 0],  # not ASCII: one class for all others
    ]


def test_what_has_no_slot_left_is_not_marked():
    glyphs = ("abc", np.array([box(0.1 * (1 + index), 0.2) for index in range(3)], np.float32))
    assert (marks_of({"glyphs": glyphs}, grid=1, slots=2)["characters"] > 0).sum() == 2


def test_a_row_without_glyphs_or_objects_has_nothing_to_learn():
    marks = marks_of({"images": []}, grid=3, slots=2)
    assert {name: values.shape for name, values in marks.items()} == {
        "characters": (9, 2),
        "kinds": (9, 1),
        "colours": (9, 1),
        "hundreds": (9, 4),
        "tens": (9, 4),
    }
    assert all((values == IGNORED).all() for values in marks.values())
    empty = marks_of({"glyphs": ("", np.zeros((0, 4), np.float32)), "objects": []}, grid=3, slots=2)
    assert (empty["characters"] == 0).all() and (empty["kinds"] == 0).all() and (empty["tens"] == IGNORED).all()


def test_things_mark_the_squares_whose_middle_they_cover():
    kinds, colours = list(KINDS), list(COLOURS)
    below = (kinds[2], colours[1], (0.0, 0.0, 1.0, 1.0))
    above = (kinds[5], colours[3], (0.5, 0.043, 1.0, 0.516))  # [500, 043, 999, 516]
    marks = marks_of({"objects": [below, above]}, grid=2, slots=1)
    assert marks["kinds"][:, 0].tolist() == [3, 6, 3, 3]
    assert marks["colours"][:, 0].tolist() == [2, 4, 2, 2]
    assert marks["hundreds"][:2].tolist() == [[0, 0, 9, 9], [5, 0, 9, 5]]
    assert marks["tens"][:2].tolist() == [[0, 0, 9, 9], [0, 4, 9, 1]]


@pytest.mark.parametrize("index", range(5))
def test_every_character_of_a_page_is_marked(index):
    config = DocumentConfig(font_sizes=(11, 13), columns=(1,), min_words=4, max_words=22)
    row = document_row(0, "train", index, config)
    marks = marks_of(row, grid=12, slots=8)["characters"]
    written = [character for character in row["messages"][1]["content"][0]["text"] if not character.isspace()]
    assert (marks > 0).sum() == len(written) == len(row["glyphs"][0])
    assert sorted(ALPHABET[mark - 1] for mark in marks[(marks > 0) & (marks < NUM_CHARACTERS - 1)]) == sorted(
        character for character in written if character in ALPHABET
    )


def test_the_things_of_a_drawn_row_are_marked():
    row = detection_row(0, "train", 3)
    marks = marks_of(row, grid=12, slots=1)
    named = {list(KINDS)[kind - 1] for kind in marks["kinds"][marks["kinds"] > 0]}
    assert named and named <= {kind for kind, _, _ in row["objects"]}
    for task in mark_tasks(1):
        assert marks[task.name].max() < task.num_classes and marks[task.name].shape == (144, task.slots)


def test_words_are_the_tokens_for_what_a_square_shows():
    vocabulary = {"girl": 1, "running": 2, "Running": 3, "red": 4, "\u0120red": 5, "a": 6, "b": 7}
    scene = {"objects": [("running girl", "red", (0.5, 0.0, 1.0, 0.5)), ("drum", None, (0.0, 0.5, 0.5, 1.0))]}
    none = [IGNORED] * 6
    assert words_of(scene, 2, vocabulary, 6).tolist() == [none, [3, 2, 1, 4, 5, IGNORED], none, none]
    page = {"glyphs": ("aba\u00e9", np.array([box(0.1 * (1 + index), 0.2) for index in range(4)], np.float32))}
    assert words_of(page, 1, vocabulary, 3).tolist() == [[6, 7, IGNORED]]
    assert (words_of({"images": []}, 2, vocabulary, 2) == IGNORED).all()
