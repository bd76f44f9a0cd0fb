"""Given texts are held against the fonts when a mixture is built: a character that none of them has speaks up with its row."""

import datasets
import pytest

from nanovlms_hf.data import text_columns
from nanovlms_hf.data.documents import DocumentConfig
from nanovlms_hf.data.mixture_config import build_mixture
from nanovlms_hf.data.text_columns import check_texts, font_files, open_text_column


def saved(folder, texts):
    datasets.Dataset.from_dict({"text": texts}).save_to_disk(folder)
    return {"path": str(folder), "column": "text"}


def plain(rows=2500):
    return [f"some words of row {number}" for number in range(rows)]


@pytest.mark.parametrize("row", [0, 999, 1000, 2499])
def test_a_rare_character_is_named_with_its_row_before_any_page_is_drawn(tmp_path, row):
    texts = plain()
    texts[row] = "the \u2603 and \u56fd"
    options = {"texts": saved(tmp_path / "words", texts), "fonts": ["STIX"], "columns": [1]}
    entries = [{"name": "own", "weight": 1, "documents": options}]
    with pytest.raises(ValueError) as error:
        build_mixture(entries, split="train", seed=0, length=4, image_size=192)
    sentence = str(error.value)
    assert sentence.startswith(f"mixture part 'own': row {row} of column 'text' of {tmp_path / 'words'} has ")
    assert "'\u2603' (U+2603), '\u56fd' (U+56FD), which the font file " in sentence and "STIXGeneral.ttf" in sentence
    assert sentence.endswith("or set missing_glyphs: skip to leave out such words.") and "\n" not in sentence
    options["missing_glyphs"] = "skip"
    build_mixture(entries, split="train", seed=0, length=4, image_size=192)


def test_questions_about_pages_check_their_texts_too(tmp_path):
    options = {"texts": saved(tmp_path / "words", [*plain(5), "\u2603"]), "fonts": ["STIX"], "columns": [1]}
    entries = [{"name": "own", "weight": 1, "document_questions": options}]
    with pytest.raises(ValueError, match="mixture part 'own': row 5 of column 'text' .* .U.2603."):
        build_mixture(entries, split="train", seed=0, length=4, image_size=192)


def test_every_face_has_to_have_the_character(tmp_path):
    texts = [*plain(3), "a heart \u2665"]
    rows = datasets.Dataset.from_dict({"text": texts})
    fonts = font_files(DocumentConfig())
    having = [font for font in fonts if "DejaVuSans.ttf" in font]
    check_texts(rows, "text", having, "here")
    with pytest.raises(ValueError, match="row 3 of here has '\u2665'.*STIXGeneral"):
        check_texts(rows, "text", fonts, "here")


def test_white_space_and_split_letters_are_no_characters_to_draw():
    rows = datasets.Dataset.from_dict({"text": ["one\ttwo\r\n\u00a0three\u2003four", "cafe\u0301"]})
    check_texts(rows, "text", font_files(DocumentConfig()), "here")


def test_a_row_that_is_no_text_is_named(tmp_path):
    for missing in ("raise", "skip"):
        with pytest.raises(ValueError, match="row 2 of column 'text' of .* is NoneType; expected text"):
            options = saved(tmp_path / missing, ["one", "two", None])
            open_text_column(options, DocumentConfig(missing_glyphs=missing))


def test_a_long_row_names_a_few_and_counts_the_rest():
    rows = datasets.Dataset.from_dict({"text": ["".join(chr(0x4E00 + n) for n in range(9))]})
    with pytest.raises(
        ValueError, match=r"row 0 of here has '\u4e00' \(U\+4E00\), .*'\u4e04' \(U\+4E04\) and 4 more, which"
    ):
        check_texts(rows, "text", font_files(DocumentConfig(fonts=("STIX",))), "here")


def test_a_very_long_column_is_checked_in_part(monkeypatch):
    monkeypatch.setattr(text_columns, "CHARACTERS_CHECKED", 10_000)
    rows = datasets.Dataset.from_dict({"text": [*plain(), "\u2603"]})
    check_texts(rows, "text", font_files(DocumentConfig(fonts=("STIX",))), "here")
