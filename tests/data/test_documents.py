"""Pages: their texts, their boxes, what is held out, and every bad input."""

import itertools
import pickle
import random
import re
from dataclasses import replace

import numpy as np
import pytest
from datasets import Dataset

from nanovlms_hf.data.documents import (
    PROMPTS,
    DocumentConfig,
    document_row,
    make_page,
    render_page,
)
from nanovlms_hf.data.fonts import MATPLOTLIB_FAMILIES, find_family
from nanovlms_hf.data.page_blocks import BLOCKS, Slot, Typesetter
from nanovlms_hf.data.page_formulas import draw_formula
from nanovlms_hf.data.words import TextWords, is_held_out, words_of

PAGES = 25
NOTE = DocumentConfig(columns=(1,), font_sizes=(10, 12), min_words=15, max_words=25)
BOOK = DocumentConfig(image_size=1024, font_sizes=(14, 18), min_words=400, max_words=600, columns=(2,))
TWO_COLUMNS = DocumentConfig(columns=(2,), font_sizes=(9, 10))
TURNED = DocumentConfig(skew=12.0, tint=0.5)
SENTENCE = "The fox and the owl had 3 small boxes of coal, 12 red apples and one cup."


def rendered(config: DocumentConfig, split: str = "train", count: int = PAGES):
    for index in range(count):
        page = make_page(0, split, index, config)
        yield page, render_page(page)


def setter(words: str, width_of_text: int = 176, seed: int = 0) -> tuple[Typesetter, Slot]:
    """A typesetter whose words come in order from one text, with DejaVu Sans Mono at 12 pixels: 7 pixels a character."""

    class First(random.Random):
        def randrange(self, *bounds):
            return 0

    source = TextWords(First(0), "en", None, lambda text: True, False, texts=[words], keep_texts_whole=True)
    family = find_family("DejaVu Sans Mono")
    return Typesetter(random.Random(seed), source, family, 12), Slot(8, 8, width_of_text, 170, 12)


def test_a_paragraph_is_wrapped_by_its_advances():
    typesetter, slot = setter(SENTENCE)
    block = typesetter.set("paragraph", slot, first=True)
    assert [line.text for line in block.lines] == ["The fox and the owl had 3", "small boxes of coal, 12"]
    assert block.markdown == "The fox and the owl had 3 small boxes of coal, 12"
    assert [run.x for line in block.lines for run in line.runs] == [8, 8]
    assert block.lines[1].runs[0].y - block.lines[0].runs[0].y == typesetter.line_height


def test_a_paragraph_without_room_is_shortened_and_ends_with_a_full_stop():
    typesetter, slot = setter("some words, and")
    room = typesetter.line_height - typesetter.leading
    block = typesetter.set("paragraph", Slot(8, 8, 100, room, 12), first=True)
    assert [line.text for line in block.lines] == ["some words."] == [block.markdown]
    assert typesetter.set("paragraph", Slot(8, 8, 100, room - 1, 12), first=True) is None


def test_a_heading_is_bold_larger_and_marked():
    typesetter, slot = setter("red apple pie")
    block = typesetter.set("heading", Slot(8, 8, 176, 170, 2), first=True)
    run = block.lines[0].runs[0]
    assert "Bold" in run.font and run.size == 17
    assert block.markdown in ("# Red Apple", "# Red apple") and block.markdown[2:] == run.text
    later = typesetter.set("heading", slot, first=False)
    assert later.markdown.startswith("## ") and later.lines[0].runs[0].size == 14


def test_a_list_has_marks_an_indent_and_markdown_items():
    for seed in range(20):
        typesetter, slot = setter("red apple pie and a long green garden hose", seed=seed)
        block = typesetter.set("list", slot, first=True)
        marked = [line for line in block.lines if len(line.runs) == 2]
        marks = [line.runs[0].text for line in marked]
        assert len(marked) >= 2 and {line.runs[0].x for line in marked} == {8}
        assert len({line.runs[-1].x for line in block.lines}) == 1
        items = block.markdown.split("\n")
        numbered = marks[0][0].isdigit()
        assert [item.split(" ")[0] for item in items] == [
            f"{n}." if numbered else "-" for n in range(1, len(items) + 1)
        ]
        drawn = [run.text for line in block.lines for run in line.runs if run.x != 8]
        assert " ".join(drawn) == " ".join(item.split(" ", 1)[1] for item in items)


def test_a_table_reads_row_by_row_and_is_a_pipe_table_in_markdown():
    styles = set()
    for seed in range(20):
        typesetter, slot = setter("red apple pie and a long green garden hose", seed=seed)
        block = typesetter.set("table", slot, first=True)
        head, rule, *body = block.markdown.split("\n")
        columns = head.count("|") - 1
        assert rule == "| " + " | ".join(["---"] * columns) + " |" and columns in (2, 3)
        rows = [row[2:-2].split(" | ") for row in (head, *body)]
        assert [line.text for line in block.lines] == [" ".join(row) for row in rows]
        assert all("Bold" in run.font for run in block.lines[0].runs) and "Bold" not in block.lines[1].runs[0].font
        styles.add((typesetter.table_style, bool(block.rules)))
    assert styles == {("grid", True), ("rules", True), ("plain", False)}


def test_pipes_in_cells_and_marks_at_the_start_are_escaped():
    typesetter, slot = setter("a|b")
    assert "a\\|b" in typesetter.set("table", slot, first=True).markdown.lower()
    typesetter, slot = setter("# no heading")
    assert typesetter.set("paragraph", Slot(8, 8, 176, 40, 3), first=True).markdown == "\\# no heading"


def test_formulas_have_a_drawn_and_a_latex_form():
    rng = random.Random(0)
    formulas = [draw_formula(rng, lambda text: True) for _ in range(300)]
    drawn, latex = zip(*formulas, strict=True)
    assert any(re.fullmatch(r"[a-z] = \([a-z] [+-] \d+\)/\d+", text) for text in drawn)
    for sign, command in (
        ("π", "\\pi"),
        ("√", "\\sqrt{"),
        ("²", "^2"),
        ("/", "\\frac{"),
        ("α", "\\alpha"),
        ("≤", "\\leq"),
    ):
        assert all(command in code for text, code in formulas if sign in text)
        assert any(sign in text for text in drawn)
    assert all(code.count("{") == code.count("}") and code.isascii() for code in latex)
    plain = [draw_formula(rng, str.isascii)[0] for _ in range(50)]
    assert all(text.isascii() for text in plain)
    assert draw_formula(rng, lambda text: False) is None


@pytest.mark.parametrize("config", [NOTE, TWO_COLUMNS, TURNED, DocumentConfig()])
def test_every_character_has_its_box(config):
    for page, result in rendered(config):
        characters, boxes = result.glyphs
        assert characters == "".join(result.text.split())
        assert boxes.shape == (len(characters), 4) and boxes.dtype == np.float32
        assert (boxes > 0).all() and (boxes < 1).all() and (boxes[:, :2] < boxes[:, 2:]).all()
        assert result.picture.size == (config.image_size,) * 2 and result.picture.mode == "RGB"
        assert result.text == page.text and result.markdown == page.markdown


@pytest.mark.parametrize("skew", [0.0, 10.0])
def test_the_boxes_cover_the_ink_and_nothing_else_is_inked(skew):
    config = DocumentConfig(skew=skew, blocks=("heading", "paragraph", "list", "formula"))
    for _, result in rendered(config):
        dark = 255 - np.asarray(result.picture.convert("L"), dtype=int)
        covered = np.zeros(dark.shape, dtype=bool)
        for character, (x1, y1, x2, y2) in zip(*result.glyphs, strict=True):
            rows = slice(int(np.floor(y1 * 192)), int(np.ceil(y2 * 192)))
            columns = slice(int(np.floor(x1 * 192)), int(np.ceil(x2 * 192)))
            covered[rows, columns] = True
            assert dark[rows, columns].max() > (20 if skew else 60), character
        assert dark[~covered].max() <= (40 if skew else 0)  # turning smears a little ink over the edge


def test_boxes_follow_the_page_when_it_is_turned():
    moved = 0
    for index in range(20):
        turned = make_page(0, "train", index, DocumentConfig(skew=12.0, blocks=("paragraph",), held_out_layouts=False))
        if abs(turned.angle) < 3:
            continue
        moved += 1
        result = render_page(turned)
        dark = 255.0 - np.asarray(result.picture.convert("L"), dtype=float)
        for character, (x1, y1, x2, y2) in zip(*result.glyphs, strict=True):
            if character not in "HMNOXWmwox":
                continue
            cut = dark[int(y1 * 192) : int(y2 * 192) + 1, int(x1 * 192) : int(x2 * 192) + 1]
            across = (cut.sum(0) * np.arange(cut.shape[1])).sum() / cut.sum() / cut.shape[1]
            assert 0.25 < across < 0.75, character
    assert moved > 5


def test_nothing_touches_the_edge_of_the_picture():
    for config in (NOTE, TWO_COLUMNS, DocumentConfig(skew=15.0)):
        for _, result in rendered(config):
            dark = 255 - np.asarray(result.picture.convert("L"), dtype=int)
            edge = np.concatenate([dark[:2].ravel(), dark[-2:].ravel(), dark[:, :2].ravel(), dark[:, -2:].ravel()])
            assert edge.max() == 0


def test_lines_of_different_runs_do_not_overlap():
    for config in (NOTE, TWO_COLUMNS, DocumentConfig()):
        for page, result in rendered(config):
            boxes = (result.glyphs[1] * config.image_size).round().astype(int)
            count = np.zeros((config.image_size,) * 2, dtype=int)
            for x1, y1, x2, y2 in boxes:
                count[y1 : y2 - 1, x1 + 1 : x2 - 1] += 1  # letters such as j reach a pixel under their neighbours
            assert count.max() == 1, page.text


def test_rules_of_tables_do_not_cross_text():
    for page, result in rendered(DocumentConfig(blocks=("table", "paragraph"))):
        boxes = (result.glyphs[1] * 192).round().astype(int)
        for x1, y1, x2, y2 in (rule for block in page.blocks for rule in block.rules):
            y1, y2 = y1 + page.shift, y2 + page.shift
            inside = (boxes[:, 0] < x2) & (boxes[:, 2] > x1) & (boxes[:, 1] < y2) & (boxes[:, 3] > y1)
            assert not inside.any()


def _content(markdown: str) -> str:
    """Markdown without its marks."""
    lines = [line for line in markdown.split("\n") if not re.fullmatch(r"[| -]+", line) and "$" not in line[:1]]
    return " ".join(re.sub(r"^(#+ |- |\d+\. )|\|", "", line) for line in lines)


def test_markdown_and_text_say_the_same():
    for _, result in rendered(DocumentConfig(blocks=("heading", "paragraph", "table"))):
        assert _content(result.markdown).split() == result.text.split()
    for page, result in rendered(DocumentConfig()):
        kinds = [block.kind for block in page.blocks]
        assert result.markdown.count("\n\n") == len(kinds) - 1
        assert result.markdown.count("| ---") == sum(
            line.count("| ---")
            for block in page.blocks
            if block.kind == "table"
            for line in block.markdown.split("\n")
        )
        assert len(re.findall(r"^\$.+\$$", result.markdown, re.M)) == kinds.count("formula")
        assert len(re.findall(r"^#+ ", result.markdown, re.M)) == kinds.count("heading")


def test_two_columns_read_the_left_one_first():
    seen = 0
    for page, _ in rendered(TWO_COLUMNS, count=50):
        starts = [line.runs[0].x for block in page.blocks for line in block.lines]
        side = [int(x > 92) for x in starts]
        if not page.layout.startswith("2|heading|") and 1 in side:
            assert side == sorted(side)
            seen += 1
    assert seen > 20


def test_words_and_layouts_are_held_out():
    words, layouts = {}, {}
    for split in ("train", "validation", "test"):
        pages = [make_page(0, split, index) for index in range(150)]
        words[split] = {word for page in pages for word in words_of(page.text)}
        layouts[split] = {page.layout for page in pages}
        assert all(is_held_out(word) == (split != "train") for word in words[split])
        assert all(is_held_out(layout) == (split != "train") for layout in layouts[split])
    assert len(words["train"]) > 300 and len(layouts["train"]) > 50 and len(layouts["test"]) > 10
    assert not words["train"] & (words["validation"] | words["test"])
    assert not layouts["train"] & (layouts["validation"] | layouts["test"])


def test_nothing_is_held_out_if_that_is_asked_for():
    config = DocumentConfig(held_out_words=False, held_out_layouts=False, blocks=("paragraph",), columns=(1,))
    drawn = {is_held_out(word) for index in range(20) for word in words_of(make_page(0, "test", index, config).text)}
    assert drawn == {False, True}


def test_a_row_is_a_pure_function_of_its_arguments():
    config = DocumentConfig(noise=0.1, skew=3.0, tint=1.0)
    first = [document_row(3, "test", index, config, "markdown") for index in range(6)]
    for index in reversed(range(6)):
        again = document_row(3, "test", index, config, "markdown")
        assert again["messages"] == first[index]["messages"]
        assert again["images"][0].tobytes() == first[index]["images"][0].tobytes()
        assert again["glyphs"][0] == first[index]["glyphs"][0]
        assert np.array_equal(again["glyphs"][1], first[index]["glyphs"][1])
    texts = {
        make_page(seed, split, index).text
        for seed, split, index in itertools.product((0, 1), ("train", "validation", "test"), (0, 1))
    }
    assert len(texts) == 12
    page = make_page(0, "train", 0)
    assert pickle.loads(pickle.dumps(page)) == page == make_page(0, "train", 0, DocumentConfig())


def test_a_row_is_a_chat_about_one_picture():
    page = make_page(0, "train", 5)
    for task, answer in (("ocr", page.text), ("markdown", page.markdown)):
        row = document_row(0, "train", 5, task=task)
        user, assistant = row["messages"]
        assert user["role"] == "user" and user["content"][0] == {"type": "image"} and len(row["images"]) == 1
        assert user["content"][1]["text"] in PROMPTS[task]
        assert assistant == {"role": "assistant", "content": [{"type": "text", "text": answer}]}


def test_prompts_are_the_papers_first_and_ten_others():
    assert PROMPTS["ocr"][0] == "Provide the OCR results of this image."
    assert PROMPTS["markdown"][0] == "Convert the image to markdown format."
    assert all(len(set(prompts)) == len(prompts) >= 11 for prompts in PROMPTS.values())
    asked = {
        paraphrases: {
            document_row(0, "train", index, DocumentConfig(paraphrases=paraphrases))["messages"][0]["content"][1][
                "text"
            ]
            for index in range(40)
        }
        for paraphrases in (False, True)
    }
    assert asked[False] == {PROMPTS["ocr"][0]} and len(asked[True]) > 6


def test_pages_use_all_blocks_fonts_columns_and_sizes():
    pages = [make_page(0, "train", index) for index in range(150)]
    assert {block.kind for page in pages for block in page.blocks} == set(BLOCKS)
    runs = [run for page in pages for block in page.blocks for line in block.lines for run in line.runs]
    assert {find_family(name).regular for name in MATPLOTLIB_FAMILIES} <= {run.font for run in runs}
    assert {9, 10, 11, 12} <= {run.size for run in runs} and {page.layout[0] for page in pages} == {"1", "2"}
    assert {page.shift > 0 for page in pages} == {False, True}


def test_noise_tint_and_skew_are_options():
    plain = np.asarray(render_page(make_page(0, "train", 1, NOTE)).picture)
    assert plain.max() == 255 and (plain[..., 0] == plain[..., 2]).all()
    noisy = render_page(make_page(0, "train", 1, DocumentConfig(noise=0.2))).picture
    assert np.asarray(noisy, dtype=float).std() > 20 and len(np.unique(np.asarray(noisy))) > 100
    tinted = np.asarray(render_page(make_page(0, "train", 1, DocumentConfig(tint=1.0))).picture)
    assert (tinted[0, 0] < 255).any() and len(set(tinted[0, 0].tolist())) > 1
    angles = [make_page(0, "train", index, DocumentConfig(skew=5.0)).angle for index in range(40)]
    assert min(angles) < -2 and max(angles) > 2 and max(map(abs, angles)) <= 5


def test_real_page_sizes_hold_hundreds_of_words():
    for _, result in rendered(BOOK, count=3):
        assert 350 < len(result.text.split()) < 700 and result.picture.size == (1024, 1024)
        assert result.glyphs[1].shape[0] == len(result.glyphs[0]) > 1500


def test_short_pages_have_about_the_words_asked_for():
    config = replace(NOTE, blocks=("heading", "paragraph", "list", "table"))
    counts = [len(make_page(0, "train", index, config).text.split()) for index in range(100)]
    assert 12 <= min(counts) and max(counts) <= 34 and 17 < np.mean(counts) < 25


def test_text_comes_from_a_column_of_a_dataset():
    rows = [f"{SENTENCE} Row {number} says so." for number in range(30)]
    column = Dataset.from_dict({"text": rows})["text"]
    config = DocumentConfig(blocks=("heading", "paragraph", "list"), columns=(1,))
    allowed = {word.strip(".,").lower() for row in rows for word in row.split()} | {"•", "-", "–"}
    for index in range(20):
        page = make_page(0, "train", index, config, texts=column)
        assert page.text == make_page(0, "train", index, config, texts=rows).text
        drawn = {word.strip(".,)").lower() for word in page.text.split()} - {str(n) for n in range(1, 7)}
        assert {word for word in drawn if not re.fullmatch(r"\d\.\d", word)} <= allowed


def test_texts_whole_are_wrapped_as_they_are():
    config = DocumentConfig(
        blocks=("paragraph",), columns=(1,), held_out_words=False, held_out_layouts=False, min_words=8, max_words=8
    )
    split = "test" if is_held_out(SENTENCE) else "train"
    page = make_page(0, split, 0, config, texts=[SENTENCE])
    tokens = page.text.replace("\n", " ").rstrip(".").split()
    assert " ".join(tokens) in f"{SENTENCE} {SENTENCE} {SENTENCE}"


def test_a_font_that_lacks_a_character_is_named():
    config = DocumentConfig(fonts=("STIX",), blocks=("paragraph",), columns=(1,), held_out_layouts=False)
    with pytest.raises(ValueError, match=r"STIXGeneral\.ttf' cannot draw the character '☃' \(U\+2603\): name a font"):
        make_page(0, "train", 0, config, texts=["the ☃☃ and"])
    skipping = DocumentConfig(
        fonts=("STIX",), blocks=("paragraph",), columns=(1,), held_out_layouts=False, missing_glyphs="skip"
    )
    assert "☃" not in make_page(0, "train", 0, skipping, texts=["the ☃☃ and"]).text


def test_lists_from_yaml_become_tuples():
    config = DocumentConfig(fonts=["STIX"], font_sizes=[9, 10], blocks=["heading", "list"], columns=[1])
    assert (config.fonts, config.font_sizes, config.columns) == (("STIX",), (9, 10), (1,))
    assert config == DocumentConfig(fonts=("STIX",), font_sizes=(9, 10), blocks=("heading", "list"), columns=(1,))
    assert hash(config)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"image_size": 20}, "image_size=20 cannot be; expected a whole number of pixels from 64 to 4096"),
        ({"image_size": 192.0}, "image_size=192.0 cannot be"),
        ({"image_size": True}, "image_size=True cannot be"),
        ({"language": "fr"}, "language='fr' cannot be; expected one of en, zh"),
        ({"fonts": "STIX"}, r"fonts='STIX' is no list; write it as a list, such as \['DejaVu Sans'\]"),
        ({"fonts": [3]}, r"fonts=\[3\] cannot be; expected a list of family names"),
        ({"font_sizes": 12}, r"font_sizes=12 is no list; write it as a list, such as \[9, 12\]"),
        ({"font_sizes": [12]}, "expected the smallest and the largest size"),
        ({"font_sizes": [12, 9]}, "expected the smallest and the largest size, in order"),
        ({"font_sizes": [9, 40]}, r"font_sizes=\[9, 40\] are too large for image_size=192 and columns=\[1, 2\]"),
        ({"blocks": []}, "blocks=.* cannot be; expected a list of some of heading, paragraph"),
        ({"blocks": ["poem"]}, r"blocks=\['poem'\] cannot be"),
        ({"columns": [3]}, r"columns=\[3\] cannot be; expected a list of 1, 2 or both"),
        ({"columns": 1}, "columns=1 is no list"),
        ({"min_words": 0}, "min_words=0 cannot be"),
        ({"max_words": 10**6}, "max_words=1000000 cannot be; expected a whole number from 1 to 10000"),
        ({"min_words": 50}, "min_words=50 is more than max_words=40"),
        ({"noise": -0.1}, "noise=-0.1 cannot be; expected a number from 0 to 1"),
        ({"noise": float("nan")}, "noise=nan cannot be"),
        ({"skew": 90}, "skew=90 cannot be; expected a number of degrees from 0 to 15"),
        ({"tint": "1"}, "tint='1' cannot be"),
        ({"zipf": -1}, "zipf=-1 cannot be"),
        ({"value_share": 2}, "value_share=2 cannot be"),
        ({"invented_share": None}, "invented_share=None cannot be"),
        ({"held_out_words": "no"}, "held_out_words='no' cannot be; expected true or false"),
        ({"held_out_layouts": 1}, "held_out_layouts=1 cannot be"),
        ({"missing_glyphs": "ignore"}, "missing_glyphs='ignore' cannot be; expected raise or skip"),
        ({"paraphrases": 0}, "paraphrases=0 cannot be"),
    ],
)
def test_options_that_cannot_be(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        DocumentConfig(**options)


def test_rows_that_cannot_be():
    with pytest.raises(ValueError, match="split='dev' is unknown; choose one of train, validation, test"):
        make_page(0, "dev", 0)
    for index in (-1, 1.5, "3"):
        with pytest.raises(ValueError, match="is no row; expected a whole number from 0"):
            make_page(0, "train", index)
    with pytest.raises(ValueError, match="task='latex' is unknown; choose one of ocr, markdown"):
        document_row(0, "train", 0, task="latex")
    with pytest.raises(ValueError, match="no font family 'Nowhere' is installed"):
        make_page(0, "train", 0, DocumentConfig(fonts=("Nowhere",)))


def test_too_few_layouts_to_hold_any_out():
    config = DocumentConfig(blocks=("formula",), columns=(1,), min_words=10, max_words=10)
    with pytest.raises(
        ValueError, match=r"give no layout that fits and is kept for the split test.*held_out_layouts: false"
    ):
        make_page(0, "test", 0, config)
