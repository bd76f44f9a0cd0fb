"""Setting the blocks of a page: headings, paragraphs, lists, tables and formulas, each line at its place in whole pixels.

A block never takes more room than it is given. Where its content does not fit, the content is shortened, never cut: a
paragraph ends earlier, a table loses rows or columns, and the block's text and Markdown say exactly what is drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from .fonts import Face, Family, face
from .page_formulas import draw_formula
from .words import Words, capital

BLOCKS = ("heading", "paragraph", "list", "table", "formula")

_TITLE_SCALE, _HEADING_SCALE = 1.4, 1.15
_BULLETS = ("•", "•", "-", "–")
_RULE = 1  # thickness of a table's lines, in pixels


@dataclass(frozen=True)
class Run:
    """A piece of one line in one font, from `x` on the baseline `y`, in pixels."""

    text: str
    font: str
    size: int
    x: int
    y: int


@dataclass(frozen=True)
class Line:
    """One line of text: pieces with space between them, from left to right."""

    runs: tuple[Run, ...]

    @property
    def text(self) -> str:
        """The line as it is read."""
        return " ".join(run.text for run in self.runs)


@dataclass(frozen=True)
class Block:
    """One block of a page.

    Args:
        kind: a name of `BLOCKS`.
        lines: its lines in reading order; the rows of a table are lines.
        markdown: the same content as Markdown.
        rules: lines drawn as filled boxes (x1, y1, x2, y2) in pixels, the ends excluded.
        height: pixels from its top to its bottom.
    """

    kind: str
    lines: tuple[Line, ...]
    markdown: str
    rules: tuple[tuple[int, int, int, int], ...]
    height: int


@dataclass(frozen=True)
class Slot:
    """Where a block may be: its left top corner, the room to the right and below in pixels, and how many words it may use."""

    x: int
    y: int
    width: int
    height: int
    words: int


class Typesetter:
    """Sets the blocks of one page.

    Args:
        rng: draws wording and looks.
        words: where words come from.
        family: the page's fonts.
        size: size of the body text in pixels.
    """

    def __init__(self, rng: Random, words: Words, family: Family, size: int):
        self.rng, self.words = rng, words
        self.family, self.size = family, size
        self.body, self.bold = face(family.regular, size), face(family.bold, size)
        self.leading = rng.randint(0, max(size // 4, 1))
        self.gap = round(size * rng.uniform(0.5, 0.9))
        self.space = "" if words.language == "zh" else " "
        self.table_style = rng.choice(("grid", "rules", "plain"))
        self.capitalise_all, self.capitalise_items = rng.random() < 0.5, rng.random() < 0.6
        self._set: dict[str, Callable[[Slot, bool], Block | None]] = {
            "heading": self._heading,
            "paragraph": self._paragraph,
            "list": self._list,
            "table": self._table,
            "formula": self._formula,
        }

    @property
    def line_height(self) -> int:
        """Pixels from one line of body text to the next."""
        return self.body.height + self.leading

    def count_words(self, block: Block) -> int:
        """How many tokens a block has used up; the signs of formulas and the marks of lists do not count."""
        if block.kind == "formula":
            return 0
        pieces = [run.text for line in block.lines for run in (line.runs[-1:] if block.kind == "list" else line.runs)]
        return sum(len(text.split()) if self.space else (len(text) + 1) // 2 for text in pieces)

    def least_height(self, kind: str) -> int:
        """Pixels that a block of a kind needs at the least."""
        if kind == "heading":
            return self._heading_face(first=True).height
        lines = {"paragraph": 1, "formula": 1, "list": 2, "table": 2}[kind]
        return lines * (self.line_height + (5 if kind == "table" else 0)) + (2 if kind == "table" else 0)

    def set(self, kind: str, slot: Slot, first: bool) -> Block | None:
        """Set one block into a slot; None if not even its shortest form fits. `first`: the page starts with it."""
        return self._set[kind](slot, first)

    def _heading_face(self, first: bool) -> Face:
        return face(
            self.family.bold, max(round(self.size * (_TITLE_SCALE if first else _HEADING_SCALE)), self.size + 1)
        )

    def _heading(self, slot: Slot, first: bool) -> Block | None:
        font = self._heading_face(first)
        if font.height > slot.height:
            return None
        tokens = self.words.phrase(min(max(slot.words, 1), 6), self._fits(font, slot.width))
        tokens = [capital(token) if self.capitalise_all or i == 0 else token for i, token in enumerate(tokens)]
        if not first and self.rng.random() < 0.3:
            tokens.insert(0, f"{self.rng.randint(1, 9)}.{self.rng.randint(1, 9)}")
        rows = self._wrap(tokens, font, slot.width, min(2, slot.height // font.height))
        centred = first and self.rng.random() < 0.4
        lines = []
        for number, row in enumerate(rows):
            text = self.space.join(row)
            x = slot.x + ((slot.width - font.width(text)) // 2 if centred else 0)
            lines.append(self._line(text, font, x, slot.y + number * font.height))
        markdown = ("# " if first else "## ") + self.space.join(token for row in rows for token in row)
        return Block("heading", tuple(lines), markdown, (), len(rows) * font.height)

    def _paragraph(self, slot: Slot, first: bool) -> Block | None:
        most = (slot.height + self.leading) // self.line_height
        if most < 1:
            return None
        tokens = self.words.running(max(slot.words, 1), self._fits(self.body, slot.width))
        rows = self._wrap(tokens, self.body, slot.width, most)
        if sum(map(len, rows)) < len(tokens):
            rows[-1] = self._end_sentence(rows[-1], slot.width)
        lines = tuple(
            self._line(self.space.join(row), self.body, slot.x, slot.y + number * self.line_height)
            for number, row in enumerate(rows)
        )
        markdown = _escape_start(self.space.join(token for row in rows for token in row))
        return Block("paragraph", lines, markdown, (), len(rows) * self.line_height - self.leading)

    def _list(self, slot: Slot, first: bool) -> Block | None:
        most = (slot.height + self.leading) // self.line_height
        if most < 2:
            return None
        count = self.rng.randint(2, max(2, min(most, 6, slot.words // 2)))
        marks = self._marks(count)
        indent = max(self.body.width(mark) for mark in marks) + self.body.advances[" "] + self.size // 6
        width = slot.width - indent
        lines: list[Line] = []
        items: list[str] = []
        each = max(1, slot.words // count)
        for number, mark in enumerate(marks):
            room = most - len(lines) - (count - number - 1)
            tokens = self.words.phrase(self.rng.randint(max(1, each - 1), each + 1), self._fits(self.body, width))
            if self.capitalise_items:
                tokens[0] = capital(tokens[0])
            rows = self._wrap(tokens, self.body, width, max(1, min(room, 3)))
            for row_number, row in enumerate(rows):
                top = slot.y + len(lines) * self.line_height
                text = self._line(self.space.join(row), self.body, slot.x + indent, top)
                head = self._line(mark, self.body, slot.x, top).runs if row_number == 0 else ()
                lines.append(Line((*head, *text.runs)))
            items.append(self.space.join(token for row in rows for token in row))
        numbered = marks[0][0].isdigit()
        markdown = "\n".join(f"{number}. {item}" if numbered else f"- {item}" for number, item in enumerate(items, 1))
        return Block("list", tuple(lines), markdown, (), len(lines) * self.line_height - self.leading)

    def _marks(self, count: int) -> list[str]:
        bullets = [bullet for bullet in _BULLETS if self.body.covers(bullet)]
        if not bullets or self.rng.random() < 0.35:
            end = self.rng.choice([sign for sign in ".)" if self.body.covers(sign)] or [""])
            return [f"{number}{end}" for number in range(1, count + 1)]
        return [self.rng.choice(bullets)] * count

    def _formula(self, slot: Slot, first: bool) -> Block | None:
        if self.body.height > slot.height:
            return None
        drawn = draw_formula(self.rng, lambda text: self.body.covers(text) and self.body.width(text) <= slot.width)
        if drawn is None:
            return None
        text, latex = drawn
        spare = slot.width - self.body.width(text)
        x = slot.x + (spare // 2 if self.rng.random() < 0.6 else min(spare, self.size))
        return Block("formula", (self._line(text, self.body, x, slot.y),), f"${latex}$", (), self.body.height)

    def _table(self, slot: Slot, first: bool) -> Block | None:
        pad = 0 if self.table_style == "plain" else 2
        rule = _RULE if pad else 0
        row_height = self.line_height + 2 * pad + rule
        columns = self.rng.choice((2, 3, 3) if slot.width < 25 * self.size else (3, 4, 5))
        rows = min((slot.height - rule) // row_height, max(2, round(slot.words / columns)), 9)
        if rows < 2:
            return None
        between = max(self.body.advances[" "] * 2, self.size // 2) + 2 * pad
        cells = self._cells(rows, columns, slot.width - rule, between)
        if len(cells[0]) < 2:
            return None
        widths = [max(map(self._cell_width, range(rows), column)) for column in zip(*cells, strict=True)]
        spare = (slot.width - rule - sum(widths)) // len(widths) - between
        between += self.rng.choice((0, min(spare, self.size * 2)))
        edges = [slot.x]
        for width in widths:
            edges.append(edges[-1] + width + between)
        inset = rule + between // 2 if self.table_style == "grid" else 0
        lines = []
        for number, row in enumerate(cells):
            font, top = self.bold if number == 0 else self.body, slot.y + number * row_height + pad + rule
            runs = []
            for column, (text, width) in enumerate(zip(row, widths, strict=True)):
                to_the_right = width - font.width(text) if column and text[-1].isdigit() else 0
                runs += self._line(text, font, edges[column] + inset + to_the_right, top + self.leading // 2).runs
            lines.append(Line(tuple(runs)))
        markdown = [_pipe(cells[0]), _pipe(["---"] * len(widths)), *map(_pipe, cells[1:])]
        rules = self._rules(edges, between, slot.y, row_height, rows) if rule else ()
        return Block("table", tuple(lines), "\n".join(markdown), rules, rows * row_height + rule)

    def _cells(self, rows: int, columns: int, width: int, between: int) -> list[list[str]]:
        """Texts by row and column: words in the head and the first column, in each other column mostly values of one kind.
        Columns that would not fit the width are left out."""
        chosen: list[list[str]] = []
        for column in range(columns):
            room = width - between - (columns - column - 1) * (2 * self.size + between)
            kind = None if column == 0 or self.rng.random() < 0.15 else self.rng.choice(_CELL_KINDS)
            cells = [self._cell(None, self.bold, room)] + [self._cell(kind, self.body, room) for _ in range(rows - 1)]
            if None in cells:
                break
            chosen.append(cells)
            width -= between + max(map(self._cell_width, range(rows), cells))
        return [list(row) for row in zip(*chosen, strict=True)] or [[]]

    def _cell(self, kind: str | None, font: Face, room: int, tries: int = 12) -> str | None:
        """A word (or a value of a kind) that is not wider than the room, None if none of the drawn ones is."""
        for _ in range(tries):
            text = self.words.value(kind) if kind else self.words.phrase(1, lambda token: True)[0]
            text = capital(text) if font is self.bold else text
            if font.width(text) <= room:
                return text
        return None

    def _cell_width(self, row: int, text: str) -> int:
        return (self.body if row else self.bold).width(text)

    def _rules(self, edges, between, top, row_height, rows) -> tuple[tuple[int, int, int, int], ...]:
        grid = self.table_style == "grid"
        right = edges[-1] + _RULE if grid else edges[-1] - between
        wanted = range(rows + 1) if grid else (0, 1, rows)
        rules = [(edges[0], top + n * row_height, right, top + n * row_height + _RULE) for n in wanted]
        if grid:
            rules += [(x, top, x + _RULE, top + rows * row_height + _RULE) for x in edges]
        return tuple(rules)

    def _fits(self, font: Face, width: float) -> Callable[[str], bool]:
        return lambda token: font.width(token) <= width and font.width(capital(token)) <= width

    def _line(self, text: str, font: Face, x: int, top: int) -> Line:
        return Line((Run(text, font.path, font.size, x, top + font.ascent),))

    def _wrap(self, tokens: list[str], font: Face, width: int, most: int) -> list[list[str]]:
        """Fill at most `most` lines with as many tokens as fit; each token fits a line of its own."""
        if not self.space:
            tokens = [piece for token in tokens for piece in _breakable(token)]
        rows: list[list[str]] = [[]]
        space, left = font.width(self.space), width
        for token in tokens:
            needed = font.width(token)
            if rows[-1] and needed + space > left:
                if len(rows) == most:
                    break
                rows.append([])
                left = width
            left -= needed + (space if rows[-1] else 0)
            rows[-1].append(token)
        return rows

    def _end_sentence(self, row: list[str], width: int) -> list[str]:
        """The last line of a shortened paragraph with a full stop, where that fits."""
        stop = "。" if self.words.language == "zh" else "."
        ended = [*row[:-1], row[-1].rstrip(",，、;；:") + stop]
        if row[-1][-1] in ".。!?！？" or not self.body.covers(stop) or self.body.width(self.space.join(ended)) > width:
            return row
        return ended


_CELL_KINDS = ("integer", "integer", "decimal", "percent", "price", "price", "date", "time")


def _breakable(token: str) -> list[str]:
    """Chinese may break after each character, but not before punctuation nor inside a number."""
    pieces: list[str] = []
    for character in token:
        if (
            pieces
            and (not _is_wide(character) or character in "，。、；：！？）")
            and not (_is_wide(pieces[-1][-1]) and character.isalnum())
        ):
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces


def _is_wide(character: str) -> bool:
    return character >= "\u2e80"


def _pipe(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _escape_start(text: str) -> str:
    """A paragraph that starts like a heading or a list item stays a paragraph in Markdown."""
    mark, _, rest = text.partition(" ")
    looks_like_mark = mark in ("-", "+", "*") or set(mark) == {"#"} or (mark[:-1].isdigit() and mark[-1] in ".)")
    return "\\" + text if rest and looks_like_mark else text


__all__ = ["BLOCKS", "Block", "Line", "Run", "Slot", "Typesetter"]
