"""Fonts: found or refused with a sentence; characters measured and drawn where their boxes say."""

import os

import numpy as np
import pytest
from small_fonts import build_font

from nanovlms_hf.data import fonts
from nanovlms_hf.data.fonts import MATPLOTLIB_FAMILIES, Face, default_families, drawable, face, find_family


@pytest.mark.parametrize("name", MATPLOTLIB_FAMILIES)
def test_the_default_families_are_there_and_draw_ascii(name):
    family = find_family(name)
    assert os.path.isfile(family.regular) and os.path.isfile(family.bold) and family.regular != family.bold
    for path in (family.regular, family.bold):
        assert face(path, 12).covers("".join(map(chr, range(33, 127))) + "€£–")


def test_english_pages_have_the_default_families():
    assert [family.name for family in default_families("en")] == list(MATPLOTLIB_FAMILIES)


def test_a_width_is_the_sum_of_whole_advances():
    sans = face(find_family("DejaVu Sans").regular, 12)
    assert sans.width("AVATo") == sum(sans.width(c) for c in "AVATo")
    assert all(isinstance(sans.width(c), int) for c in "aW. ")
    mono = face(find_family("DejaVu Sans Mono").regular, 12)
    assert mono.width("illi WWW") == 8 * mono.width("x")


def test_a_glyph_lies_in_its_box():
    serif = face(find_family("DejaVu Serif").regular, 16)
    for character in "AgjQ|,.x":
        glyph = serif.glyphs[character]
        height, width = glyph.mask.shape
        x1, y1, x2, y2 = glyph.box
        assert x1 <= glyph.left and glyph.left + width <= x2 and y1 <= glyph.top and glyph.top + height <= y2
        assert glyph.mask.dtype == np.uint8 and glyph.mask.max() > 100
        assert x2 - x1 >= glyph.advance and y2 - y1 >= serif.height
    assert serif.glyphs[" "].mask is None and serif.advances[" "] >= 16 * 0.3


def test_a_face_is_made_once():
    path = find_family("STIX").regular
    assert face(path, 11) is face(path, 11)


def test_a_missing_character_names_the_file_and_the_mend(tmp_path):
    path = build_font(tmp_path / "Small.ttf", "ab")
    made = Face(path, 12)
    assert made.width("ab a") == 12 * 4 and made.covers("ab ") and not made.covers("abc")
    with pytest.raises(ValueError, match=r"Small\.ttf' cannot draw the character 'c' \(U\+0063\).*`fonts`.*skip"):
        made.width("abc")


@pytest.mark.parametrize("character", ["\u0301", "\u200b", "א", "ع", "\n"])
def test_marks_controls_and_right_to_left_scripts_are_not_drawable(character):
    assert not drawable(find_family("DejaVu Sans").regular, character)


def test_a_font_is_found_by_path_with_the_bold_one_beside_it(tmp_path):
    regular = build_font(tmp_path / "Some-Regular.ttf", "ab")
    assert find_family(regular).bold == regular
    other = build_font(tmp_path / "Other.ttf", "ab")
    bold = build_font(tmp_path / "Other-Bold.ttf", "ab")
    assert (find_family(other).regular, find_family(other).bold) == (other, bold)


def test_an_installed_family_is_found_by_the_name_of_its_file(tmp_path, monkeypatch):
    path = build_font(tmp_path / "VeryRareFace-Regular.ttf", "ab")
    monkeypatch.setattr(fonts, "installed_fonts", lambda: [str(tmp_path / "VeryRareFaceNarrow.ttf"), path])
    find_family.cache_clear()
    assert find_family("Very Rare Face").regular == path
    find_family.cache_clear()


def test_installed_fonts_hold_matplotlibs():
    assert find_family("DejaVu Sans").regular in fonts.installed_fonts()


def test_unknown_fonts_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no font family 'No Such Face' is installed here.*DejaVu Sans"):
        find_family("No Such Face")
    with pytest.raises(ValueError, match=r"'nowhere/x\.ttf' does not exist: correct the path"):
        find_family("nowhere/x.ttf")
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"this is no font")
    with pytest.raises(ValueError, match=r"broken\.ttf' cannot be read .*TrueType or OpenType"):
        face(find_family(str(broken)).regular, 12)
    cut = tmp_path / "cut.ttf"
    cut.write_bytes(open(find_family("DejaVu Sans").regular, "rb").read()[:5000])
    with pytest.raises(ValueError, match=r"cut\.ttf' cannot be read"):
        face(str(cut), 12).width("a")


def test_without_a_chinese_font_a_sentence_says_what_was_looked_for_and_where(monkeypatch):
    monkeypatch.setattr(fonts, "installed_fonts", lambda: [find_family("DejaVu Sans").regular])
    default_families.cache_clear()
    with pytest.raises(
        ValueError, match=r"none is installed: looked for Noto Sans CJK, .* in .*fonts-noto-cjk.*`fonts`"
    ):
        default_families("zh")
    default_families.cache_clear()


def test_an_installed_chinese_font_is_taken(tmp_path, monkeypatch):
    path = build_font(tmp_path / "NotoSansCJK-Regular.ttf", "的一是国")
    without = build_font(tmp_path / "NotoSansSC-Regular.ttf", "ab")
    bold = build_font(tmp_path / "NotoSansCJK-Bold.ttf", "的一是国")
    monkeypatch.setattr(fonts, "installed_fonts", lambda: sorted([path, bold, without]))
    default_families.cache_clear()
    assert [(family.regular, family.bold) for family in default_families("zh")] == [(path, bold)]
    default_families.cache_clear()
