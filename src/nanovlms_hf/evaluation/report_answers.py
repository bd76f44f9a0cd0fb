"""Answers for people to judge: read text with its errors marked, boxes drawn on the picture, tables as tables.

Everything is HTML and inline SVG. Pictures stay as they are; the browser scales them, and boxes are drawn over them.
"""

from collections.abc import Mapping, Sequence
from html import escape

from rapidfuzz.distance import Levenshtein

from ..data.box_text import BOX_SCALE, parse_boxes
from ..data.chart_tables import Cell, ChartTable

_ALIKE = 0.4  # below this similarity a comparison letter by letter shows accidents only
_MANY_BOXES = 8
_MANY = ' class="many"'
_WRONG = ' class="wrong"'

STYLE = """
.sheets { display: grid; gap: 16px; margin-top: 14px; }
.sheet { display: grid; gap: 18px; grid-template-columns: minmax(0, 384px) minmax(0, 1fr); align-items: start; }
.sheet img, .drawn img { display: block; width: 100%; height: auto; border: 1px solid var(--line); border-radius: 4px; }
.read { margin: 4px 0 8px; white-space: pre-wrap; overflow-wrap: anywhere; font: .9rem/1.5 ui-monospace, monospace; }
.read ins, .read del { border-radius: 2px; padding: 0 1px; }
.read ins { background: var(--wrong-back); color: var(--wrong); text-decoration: none; font-weight: 650; }
.read del { color: var(--soft); text-decoration: line-through; text-decoration-color: var(--wrong); }
.drawn { position: relative; margin: 8px 0; }
.drawn svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; }
.drawn rect { fill: none; stroke-width: 7; }
.drawn rect.true { stroke: #12813c; }
.drawn rect.said { stroke: #d0021b; stroke-dasharray: 22 13; }
.drawn text { font: 600 36px system-ui, sans-serif; paint-order: stroke; stroke: #fff; stroke-width: 9px; stroke-linejoin: round; }
.drawn svg.many text { font-size: 27px; }
.drawn text.true { fill: #0b5c2a; }
.drawn text.said { fill: #b00016; }
.key { display: inline-block; width: 26px; height: 0; margin-right: 5px; vertical-align: middle; border-top: 3px solid #12813c; }
.key.said { border-top: 3px dashed #d0021b; }
.tables { display: grid; gap: 18px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 230px), 1fr)); }
.cells { font-size: .9rem; margin-top: 4px; }
.cells td, .cells th { border: 1px solid var(--line); padding: 3px 8px; overflow-wrap: anywhere; }
.cells td:not(:first-child) { text-align: right; }
.cells .wrong { background: var(--wrong-back); color: var(--wrong); font-weight: 650; }
.better { font-weight: 700; }
@media (max-width: 760px) { .sheet { grid-template-columns: 1fr; } }
"""


def marked_errors(said: str, truth: str) -> str:
    """A read text as HTML: what should not be there in `<ins>`, what is missing in `<del>`, line breaks where they were said.

    The marks are the edits that `character_error_rate` counts; white space is compared as it compares it. A text that hardly
    resembles the truth is marked as a whole.

    Args:
        said (`str`): what was read.
        truth (`str`): what is written.
    """
    said, truth = _one_space(said), _one_space(truth)
    if not said:
        return '<em class="soft">nothing</em>'
    flat_said, flat_truth = said.replace("\n", " "), truth.replace("\n", " ")
    if Levenshtein.normalized_similarity(flat_said, flat_truth) < _ALIKE:
        return f"<ins>{escape(said)}</ins>"
    parts = []
    for edit in Levenshtein.opcodes(flat_truth, flat_said):
        missing, there = truth[edit.src_start : edit.src_end], said[edit.dest_start : edit.dest_end]
        if edit.tag == "equal":
            parts.append(escape(there))
            continue
        parts += [f"<del>{_visible(missing)}</del>"] if missing else []
        parts += [f"<ins>{_visible(there)}</ins>"] if there else []
    return "".join(parts)


def boxes_over(said: Mapping[str, Sequence], true: Mapping[str, Sequence]) -> str:
    """An `<svg>` to lay over a picture: true boxes in green, named above, and said ones in dashed red, named below.

    Args:
        said (`Mapping[str, Sequence]`): class -> boxes (x1, y1, x2, y2) in thousandths; "" for boxes without a name.
        true (`Mapping[str, Sequence]`): likewise.
    """
    parts, told = [], []
    for style, boxes, word in (("true", true, "there"), ("said", said, "said")):
        for name in boxes:
            for box in boxes[name]:
                parts += _box(style, name, box)
                told.append(f"{word}: {name} {list(box)}")
    many = sum(map(len, true.values())) > _MANY_BOXES
    label = escape("; ".join(told) or "no boxes")
    return (
        f'<svg viewBox="0 0 {BOX_SCALE} {BOX_SCALE}" preserveAspectRatio="none" role="img" aria-label="{label}"'
        f"{' class=' + chr(34) + 'many' + chr(34) if many else ''}>{''.join(parts)}</svg>"
    )


def boxes_in(text: str) -> dict[str, list]:
    """The boxes of a text by class; classes that are said to be absent are left out."""
    return {name: boxes for name, boxes in parse_boxes(text).boxes.items() if boxes}


def marked_table(table: ChartTable, truth: ChartTable) -> str:
    """A table as HTML, cells without an equal in the true table's row of the same label marked; empty if it has no rows.

    Args:
        table (`ChartTable`): what was said.
        truth (`ChartTable`): what is true; give the same table twice to mark nothing.
    """
    if not table.rows:
        return ""
    known = {str(row[0]): [_shown(cell) for cell in row[1:]] for row in truth.rows}
    title = f"<caption>{escape(table.title)}</caption>" if table.title else ""
    heads = "".join(
        f'<th scope="col"{"" if head in truth.columns else _WRONG}>{escape(head)}</th>' for head in table.columns
    )
    rows = []
    for label, *cells in table.rows:
        true = known.get(str(label), [])
        first = f'<th scope="row"{"" if str(label) in known else _WRONG}>{escape(str(label))}</th>'
        shown = [_shown(cell) for cell in cells]
        rest = "".join(
            f"<td{'' if place < len(true) and cell == true[place] else _WRONG}>{escape(cell)}</td>"
            for place, cell in enumerate(shown)
        )
        rows.append(f"<tr>{first}{rest}</tr>")
    return f'<table class="cells">{title}<thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _shown(cell: Cell) -> str:
    return "" if cell is None else f"{cell:.12g}" if isinstance(cell, float) else str(cell)


def _one_space(text: str) -> str:
    """The text with runs of white space as one line break, if they hold one, or one space, and none at the ends."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _visible(text: str) -> str:
    return escape("".join("\u2423" if letter.isspace() else letter for letter in text))


def _box(style: str, name: str, box: Sequence[int]) -> list[str]:
    x1, y1, x2, y2 = box
    parts = [f'<rect class="{style}" x="{x1}" y="{y1}" width="{x2 - x1}" height="{y2 - y1}"/>']
    if name:
        y = max(y1 - 12, 30) if style == "true" else min(y2 + 36, BOX_SCALE - 8)
        at_edge = x1 > 0.75 * BOX_SCALE  # where the name would run out of the picture
        x, anchor = (x2, ' text-anchor="end"') if at_edge else (x1, "")
        parts.append(f'<text class="{style}" x="{x}" y="{y}"{anchor}>{escape(name)}</text>')
    return parts


__all__ = ["STYLE", "boxes_in", "boxes_over", "marked_errors", "marked_table"]
