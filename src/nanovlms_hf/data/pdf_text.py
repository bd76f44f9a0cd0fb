"""The text of a PDF page in reading order.

A PDF says where each character stands, not how it is read. Here characters become words, and the page is cut into columns and
lines by the white between them, in the manner of the recursive X-Y cut (Ha, Haralick and Phillips, "Recursive X-Y cut using
bounding boxes of connected components", ICDAR 1995): a gutter that runs down several lines parts columns, read left before
right; what spans the gutter, such as a title, ends the columns above it. White inside a table is no gutter, since its
columns are not wide enough for prose: a table is read row by row.
"""

import ctypes
import math
import unicodedata
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

_LIGATURES = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
_CHARACTERS = str.maketrans(
    {**_LIGATURES, 0x02: "-", 0xFFFE: "-", 0x2010: "-", 0x2011: "-", **dict.fromkeys((0xAD, 0x200B, 0xFEFF), None)}
)
_LEVEL = math.radians(10)  # text that leans more is no part of the columns
_GUTTER, _WIDE_GUTTER, _PROSE_WIDTH, _APART = 0.7, 1.5, 6.0, 3.0  # in heights of a line
_MOST_UNREADABLE = 0.1


class PageTextError(ValueError):
    """A page whose text cannot be had; the message says why and what to do, without naming the file."""


class Word(NamedTuple):
    """A word on a page as it is shown; x to the right and y upwards, in points.

    Attributes:
        left, right, bottom, top: the box.
        text: the characters.
    """

    left: float
    right: float
    bottom: float
    top: float
    text: str


class _Character(NamedTuple):
    text: str
    left: float
    right: float
    baseline: float
    height: float
    angle: float


def page_text(page: pypdfium2.PdfPage, join_hyphens: bool = False) -> str:
    """The text of a page, line by line.

    White space is single blanks and line breaks, ligatures are letters (of compatibility characters only these, so that a
    superscript stays one), and hyphens at line ends are plain ones. Text that stands askew comes last.

    Args:
        page (`pypdfium2.PdfPage`): an open page.
        join_hyphens (`bool`, defaults to `False`): join a word that is broken at the end of a line; a compound that was
            broken at its own hyphen loses it.

    Raises:
        PageTextError: if the page has no text, or its fonts do not say which characters they show.
    """
    level, askew = _words_of(page)
    lines = [" ".join(word.text for word in row) for row in reading_order(level)] + askew
    if not lines:
        raise PageTextError("has no text, as a scan has none: run OCR over it first, or leave it out")
    return "\n".join(_joined(lines) if join_hyphens else lines)


def reading_order(words: Sequence[Word]) -> list[list[Word]]:
    """Words as lines, in the order in which a page is read.

    Args:
        words (`Sequence[Word]`): the words of a page or a column, in any order.

    Returns:
        `list[list[Word]]`: the lines; words from left to right.
    """
    if not words:
        return []
    height = median(word.top - word.bottom for word in words)
    bands = _bands(words)
    lines, begin = [], 0
    while begin < len(bands):
        end, gutter = _columns_from(bands, begin, height)
        if gutter is None:
            lines += _rows(bands[begin])
        else:
            inside = [word for band in bands[begin:end] for word in band]
            lines += reading_order([word for word in inside if word.right <= gutter])
            lines += reading_order([word for word in inside if word.right > gutter])
        begin = end
    return lines


# characters and words -------------------------------------------------------------------------------------------------


def _words_of(page: pypdfium2.PdfPage) -> tuple[list[Word], list[str]]:
    """(words of level text, lines of text that stands askew)."""
    level: list[Word] = []
    askew: list[list[str]] = [[]]
    run: list[_Character] = []
    for character in [*_characters(page), None]:
        if run and (character is None or not _continues(run[-1], character)):
            if abs(run[0].angle) <= _LEVEL:
                level.append(_word(run))
                askew.append([])
            else:
                askew[-1].append(_text(run))
            run = []
        if character is None or character.text == "\n":
            askew.append([])
        elif not character.text.isspace():
            run.append(character)
    return [word for word in level if word.text], [" ".join(words) for words in askew if any(words)]


def _characters(page: pypdfium2.PdfPage) -> Iterator[_Character]:
    """The visible characters in the order of the file, as the page is shown: /Rotate undone."""
    textpage = page.get_textpage()
    try:
        turns, shown = page.get_rotation() // 90 % 4, page.get_bbox()
        width, height = page.get_size()
        box, x, y = pdfium.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
        count, unreadable = textpage.count_chars(), 0
        for index in range(count):
            code = pdfium.FPDFText_GetUnicode(textpage, index)
            unreadable += code == 0 or pdfium.FPDFText_HasUnicodeMapError(textpage, index) == 1
            pdfium.FPDFText_GetLooseCharBox(textpage, index, box)
            pdfium.FPDFText_GetCharOrigin(textpage, index, x, y)
            left, right, bottom, top = _turned(box.left, box.right, box.bottom, box.top, turns, shown)
            baseline = _turned(x.value, x.value, y.value, y.value, turns, shown)[2]
            angle = pdfium.FPDFText_GetCharAngle(textpage, index)  # clockwise, and -1 where there is none
            angle = math.remainder(angle + turns * math.pi / 2, 2 * math.pi) if angle >= 0 else 0.0
            if 0 <= left + right <= 2 * width and 0 <= bottom + top <= 2 * height:
                yield _Character(chr(code).translate(_CHARACTERS), left, right, baseline, top - bottom, angle)
        if unreadable > _MOST_UNREADABLE * count:
            raise PageTextError(
                f"does not say which characters {unreadable} of its {count} glyphs are (a font without a ToUnicode table): "
                "export it again with one, run OCR over it, or leave it out"
            )
    finally:
        textpage.close()


def _turned(left, right, bottom, top, turns: int, shown: tuple[float, ...]) -> tuple[float, float, float, float]:
    """(left, right, bottom, top) on the page as it is shown, after so many quarter turns clockwise, from its lower left corner."""
    first_x, first_y, last_x, last_y = shown
    if turns == 1:
        return bottom - first_y, top - first_y, last_x - right, last_x - left
    if turns == 2:
        return last_x - right, last_x - left, last_y - top, last_y - bottom
    if turns == 3:
        return last_y - top, last_y - bottom, left - first_x, right - first_x
    return left - first_x, right - first_x, bottom - first_y, top - first_y


def _continues(before: _Character, after: _Character) -> bool:
    """Whether two neighbours in the file belong to one word."""
    if after.text.isspace() or abs(after.angle - before.angle) > 0.1:
        return False
    size = max(before.height, before.right - before.left)
    if abs(before.angle) > _LEVEL:
        return abs(after.left - before.left) < 2 * size and abs(after.baseline - before.baseline) < 2 * size
    level = abs(after.baseline - before.baseline) < 0.5 * before.height
    return level and before.left - 1.5 * size < after.left < before.right + 0.5 * before.height


def _word(run: list[_Character]) -> Word:
    # The boxes that fonts claim differ and overlap the next line; baseline and height are what can be relied upon.
    baseline, height = median(item.baseline for item in run), median(item.height for item in run)
    left, right = min(item.left for item in run), max(item.right for item in run)
    return Word(left, right, baseline - 0.15 * height, baseline + 0.6 * height, _text(run))


def _text(run: list[_Character]) -> str:
    """Characters as text; the two halves that PDFium gives of a rare character become one."""
    text = "".join(item.text for item in run).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return "".join(character for character in text if unicodedata.category(character) != "Cc")


# columns and lines ----------------------------------------------------------------------------------------------------


def _bands(words: Sequence[Word]) -> list[list[Word]]:
    """Words between white lines that cross the whole region, from top to bottom."""
    bands: list[list[Word]] = []
    bottom = -math.inf
    for word in sorted(words, key=lambda word: -word.top):
        if not bands or word.top < bottom:
            bands.append([])
            bottom = word.bottom
        bands[-1].append(word)
        bottom = min(bottom, word.bottom)
    return bands


def _columns_from(bands: list[list[Word]], begin: int, height: float) -> tuple[int, float | None]:
    """The longest run of bands from `begin` that a gutter parts into columns: (its end, the gutter's middle)."""
    free, end, gutters = [(-math.inf, math.inf)], begin + 1, []
    for number in range(begin, len(bands)):
        if number > begin and _set_apart(bands[number - 1], bands[number], height):
            break
        free = _both_free(free, _free(bands[number]), _GUTTER * height)
        inner = [gap for gap in free if math.isfinite(gap[0]) and math.isfinite(gap[1])]
        if gutters and not inner:
            break
        if inner:
            end, gutters = number + 1, inner
    inside = [word for band in bands[begin:end] for word in band]
    for left, right in sorted(gutters, key=lambda gap: gap[0] - gap[1]):
        sides = [word for word in inside if word.right <= left], [word for word in inside if word.left >= right]
        rows = [_rows(side) for side in sides]
        most = 2 if right - left >= _WIDE_GUTTER * height else 3  # blanks of two lines may well stand below each other
        if max(map(len, rows)) >= most and all(_are_prose(side, height) for side in rows):
            return end, (left + right) / 2
    return begin + 1, None


def _set_apart(above: list[Word], below: list[Word], height: float) -> bool:
    """Whether much white parts two bands of which one stands on one side only, as a page number does from the columns."""
    white = min(word.bottom for word in above) - max(word.top for word in below)
    return white > _APART * height and any(
        len(_both_free(_free(band), _free(band), height)) < 3 for band in (above, below)
    )


def _free(words: Sequence[Word]) -> list[tuple[float, float]]:
    """The stretches of x that no word covers."""
    free, covered = [], -math.inf
    for word in sorted(words):
        if word.left > covered:
            free.append((covered, word.left))
        covered = max(covered, word.right)
    return [*free, (covered, math.inf)]


def _both_free(first: list[tuple], second: list[tuple], least: float) -> list[tuple[float, float]]:
    common = [(max(a[0], b[0]), min(a[1], b[1])) for a in first for b in second]
    return [gap for gap in common if gap[1] - gap[0] >= least]


def _are_prose(rows: list[list[Word]], height: float) -> bool:
    widths = [row[-1].right - row[0].left for row in rows]
    return len(rows) > 1 and median(widths) >= _PROSE_WIDTH * height


def _rows(words: Sequence[Word]) -> list[list[Word]]:
    """Lines of words, from top to bottom; a word belongs to a line whose tallest word it overlaps by half its height."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: -(word.bottom + word.top)):
        tallest = max(rows[-1], key=lambda other: other.top - other.bottom) if rows else word
        overlap = min(word.top, tallest.top) - max(word.bottom, tallest.bottom)
        if not rows or overlap < 0.5 * min(word.top - word.bottom, tallest.top - tallest.bottom):
            rows.append([])
        rows[-1].append(word)
    return [sorted(row) for row in rows]


def _joined(lines: list[str]) -> list[str]:
    """Lines without words that are broken between two of them; such a word stays on the first."""
    joined = list(lines)
    for place in range(len(joined) - 1):
        first, second = joined[place], joined[place + 1]
        if len(first) > 1 and first[-1] == "-" and first[-2].isalpha() and second[:1].islower():
            rest, _, others = second.partition(" ")
            joined[place], joined[place + 1] = first[:-1] + rest, others
    return [line for line in joined if line]


__all__ = ["PageTextError", "Word", "page_text", "reading_order"]
