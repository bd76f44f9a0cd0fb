"""Pages in Chinese, with a font that the test builds: block shapes for characters."""

import re

import numpy as np
import pytest
from small_fonts import build_font

from nanovlms_hf.data import fonts
from nanovlms_hf.data.documents import DocumentConfig, make_page, render_page
from nanovlms_hf.data.fonts import default_families
from nanovlms_hf.data.word_lists import CHINESE, CHINESE_SURNAMES
from nanovlms_hf.data.words import is_held_out, words_of

SIGNS = "".join(map(chr, range(33, 127))) + "，。¥•–"


@pytest.fixture(scope="module")
def chinese_font(tmp_path_factory) -> str:
    characters = dict.fromkeys("".join((*CHINESE, *CHINESE_SURNAMES)) + "年月日" + SIGNS)
    return build_font(tmp_path_factory.mktemp("fonts") / "Blocks.ttf", "".join(characters))


def chinese(font: str, **options) -> DocumentConfig:
    return DocumentConfig(language="zh", fonts=(font,), **options)


def test_pages_are_wrapped_character_by_character(chinese_font):
    config = chinese(chinese_font, blocks=("paragraph",), columns=(1,), held_out_layouts=False, value_share=0.0)
    for index in range(20):
        page = make_page(0, "train", index, config)
        size = page.blocks[0].lines[0].runs[0].size
        for block in page.blocks:
            assert "".join(line.text for line in block.lines) == block.markdown and " " not in block.markdown
            widths = [len(line.text) * size for line in block.lines]
            assert all(width > 192 * 0.8 - 2 * size for width in widths[:-1])
            assert not any(line.text[0] in "，。" for line in block.lines)


def test_boxes_cover_the_ink(chinese_font):
    for index in range(20):
        result = render_page(make_page(0, "test", index, chinese(chinese_font, skew=5.0)))
        characters, boxes = result.glyphs
        assert characters == "".join(result.text.split()) and boxes.shape == (len(characters), 4)
        dark = 255 - np.asarray(result.picture.convert("L"), dtype=int)
        for x1, y1, x2, y2 in boxes * 192:
            assert dark[int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))].max() > 100


def test_numbers_and_dates_are_not_broken(chinese_font):
    texts = ["今天是2021年3月12日，价格12.50元。"]
    config = chinese(
        chinese_font,
        blocks=("paragraph",),
        columns=(1,),
        held_out_words=False,
        held_out_layouts=False,
        missing_glyphs="skip",
        min_words=30,
    )
    split = "test" if is_held_out(texts[0]) else "train"
    for index in range(10):
        text = make_page(0, split, index, config, texts=texts).text
        assert set(re.findall(r"[\d.]+", text)) <= {"2021", "3", "12", "12.50"}


def test_pairs_of_characters_are_held_out(chinese_font):
    config = chinese(chinese_font, blocks=("list",), held_out_layouts=False, value_share=0.0)
    for split in ("train", "test"):
        for index in range(20):
            for block in make_page(0, split, index, config).blocks:
                for item in block.markdown.split("\n"):
                    pairs = words_of(item.split(" ", 1)[1])
                    assert all(is_held_out(pair) == (split != "train") for pair in pairs)


def test_a_font_with_a_handful_of_characters(tmp_path):
    font = build_font(tmp_path / "Few.ttf", "的一是国人0123456789.,%:-/。，" + "•")
    with pytest.raises(ValueError, match=r"Few\.ttf' cannot draw the character '.' \(U\+[0-9A-F]{4}\).*skip"):
        for index in range(5):
            make_page(0, "train", index, chinese(font))
    config = chinese(font, missing_glyphs="skip", blocks=("heading", "paragraph", "list", "table"))
    for index in range(5):
        assert set(re.sub(r"[\s)]", "", make_page(0, "train", index, config).text)) <= set(
            "的一是国人0123456789.,%:-/。，•"
        )


def test_without_any_chinese_font_a_sentence_says_so(monkeypatch):
    monkeypatch.setattr(fonts, "installed_fonts", list)
    default_families.cache_clear()
    with pytest.raises(ValueError, match="pages in Chinese need a font with Chinese characters and none is installed"):
        make_page(0, "train", 0, DocumentConfig(language="zh"))
    default_families.cache_clear()
