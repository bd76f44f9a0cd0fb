"""What a model reads, finds and describes, as one HTML page: the figures beside their controls, then the first held-out rows.

Pages stand beside what was read with each error marked, boxes are drawn on their pictures, tables stand beside the true ones.
The page is a single file of about 3 MB at most: however many readings there are, it shows the first ones of each measure.
"""

import base64
import math
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from PIL import Image

from ..data.pictures import encode_png
from .fact_scores import Sample
from .reading import Reading
from .report import sample_card, stage_cards
from .report_answers import STYLE, boxes_in, boxes_over, marked_errors, marked_table
from .report_page import page
from .table_scores import parse_table

READINGS_SHOWN = 9  # of each measure
_PICTURE_BYTES = 2_000_000  # of all pictures together, before base64 makes them a third longer
_LARGEST_SIDE = 768
_ABSENT = "–"
_BETTER = ' class="better"'

# (metric, what it is, whether less is better)
_FIGURES = (
    ("ocr_cer", "pages: characters read wrong (CER)", True),
    ("ocr_wer", "pages: words read wrong (WER)", True),
    ("ocr_ned", "pages: normalised edit distance", True),
    ("markdown_cer", "pages as Markdown: characters wrong (CER)", True),
    ("markdown_ned", "pages as Markdown: normalised edit distance", True),
    ("detection_f1_iou50", "detection: F1 at IoU 0.5", False),
    ("detection_precision_iou50", "detection: precision at IoU 0.5", False),
    ("detection_recall_iou50", "detection: recall at IoU 0.5", False),
    ("rec_acc_iou50", "referring expressions: right at IoU 0.5", False),
    ("rec_mean_iou", "referring expressions: mean IoU", False),
    ("chart_table_f1", "charts: F1 of the table's cells", False),
    ("negatives_acc", "nothing there: said so", False),
    ("facts_f1", "descriptions: F1 of the facts", False),
)


def write_reading_report(
    path: str | Path,
    *,
    title: str,
    metrics: dict,
    readings: Sequence[Reading],
    stages: Sequence[dict],
    other: dict | None = None,
) -> None:
    """Writes what a model reads as one self-contained HTML file. The same arguments give the same bytes.

    Args:
        path (`str` or `Path`): file to write; its folder is made if it is not there.
        title (`str`): heading of the page.
        metrics (`dict`): of `evaluate_reading`, with `_blank` and `_shuffled` as far as measured; other keys are left out.
        readings (`Sequence[Reading]`): of `evaluate_reading`; the first of each measure are shown.
        stages (`Sequence[dict]`): as for `report.write_report`.
        other (`dict`, *optional*): metrics of the same model without the vocabulary branch.
    """
    sections = [_verdict(metrics, other), _figures(metrics, other), stage_cards(stages), *_samples(readings)]
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "\n".join(part for part in sections if part)
    path.write_text(page(title, body, STYLE), encoding="utf-8", newline="\n")


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _percent(value) -> str:
    return f"{100 * value:.1f}%" if _is_number(value) else _ABSENT


def _verdict(metrics: dict, other: dict | None) -> str:
    error = metrics.get("ocr_cer")
    if not _is_number(error):
        return ""
    said = f"On pages of words and layouts it never saw, {_percent(error)} of the characters are read wrong"
    beside = []
    if _is_number((other or {}).get("ocr_cer")):
        beside.append(f"{_percent(other['ocr_cer'])} by the same model without the vocabulary branch")
    if _is_number(metrics.get("ocr_cer_blank")):
        beside.append(f"{_percent(metrics['ocr_cer_blank'])} when the page is blank")
    return f'<p class="verdict">{said}{"; " if beside else ""}{" and ".join(beside)}.</p>'


def _figures(metrics: dict, other: dict | None) -> str:
    columns = [("this model", metrics, ""), ("without the vocabulary branch", other or {}, "")]
    columns += [("given a blank picture", metrics, "_blank"), ("given another row's picture", metrics, "_shuffled")]
    columns = [
        column for column in columns if any(_is_number(column[1].get(f"{name}{column[2]}")) for name, _, _ in _FIGURES)
    ]
    rows = []
    for name, what, less in _FIGURES:
        values = [source.get(f"{name}{condition}") for _, source, condition in columns]
        numbers = [value for value in values if _is_number(value)]
        if not numbers:
            continue
        best = (min if less else max)(numbers)
        cells = "".join(f"<td{_BETTER if value == best else ''}>{_percent(value)}</td>" for value in values)
        rows.append(f'<tr><th scope="row">{what}{" ↓" if less else ""}</th>{cells}</tr>')
    if not rows:
        return '<p class="verdict">Nothing was measured.</p>'
    heads = "".join(f'<th scope="col">{head}</th>' for head, _, _ in columns)
    count = metrics.get("rows_per_part")
    rows_told = f" The first {count} held-out rows of each part were asked." if _is_number(count) else ""
    return (
        '<h2>Figures</h2>\n<div class="card scroll" role="region" tabindex="0" aria-label="Figures"><table class="types">'
        f'<thead><tr><th scope="col">what is measured</th>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
        f'<p class="soft"><small>↓: less is better. The best of a row is bold.{rows_told} All columns are scored against the '
        "right picture's truth.</small></p></div>"
    )


def _samples(readings: Sequence[Reading]) -> list[str]:
    """A section for each measure there is, every one with an equal share of the room for pictures."""
    present = [measure for measure in _SECTIONS if any(one.measure == measure for one in readings)]
    sections = []
    for measure in present:
        heading, note, style, card = _SECTIONS[measure]
        members = _in_turns([one for one in readings if one.measure == measure])
        shown = _that_fit(members, _PICTURE_BYTES // len(present))
        cards = "\n".join(card(number, one) for number, one in shown)
        sections.append(
            f"<h2>{heading}</h2>\n<p>The first {len(shown)} of {len(members)} held-out rows, none chosen or left out. {note}</p>"
            f'<div class="{style}">{cards}</div>'
        )
    return sections


def _in_turns(readings: Sequence[Reading]) -> list[tuple[int, Reading]]:
    """(number in its part, reading): the first of each part, then the second of each, and so on."""
    counts: dict[str, int] = {}
    numbered = []
    for one in readings:
        counts[one.part] = counts.get(one.part, 0) + 1
        numbered.append((counts[one.part], one))
    return sorted(numbered, key=lambda pair: pair[0])


def _that_fit(readings: Sequence[tuple[int, Reading]], room: int) -> list[tuple[int, Reading]]:
    """The first readings whose pictures fit into `room` bytes, at least one and at most `READINGS_SHOWN`."""
    shown = []
    for number, one in readings[:READINGS_SHOWN]:
        room -= len(encode_png(_small(one.picture)))
        if room < 0 and shown:
            break
        shown.append((number, one))
    return shown


def _small(picture: Image.Image) -> Image.Image:
    picture = picture.convert("RGB")
    picture.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE), Image.Resampling.LANCZOS)
    return picture


def _image(one: Reading, shows: str) -> str:
    picture = _small(one.picture)
    coded = base64.b64encode(encode_png(picture)).decode("ascii")
    return (
        f'<img src="data:image/png;base64,{coded}" width="{picture.width}" height="{picture.height}" '
        f'alt="{escape(shows)}">'
    )


def _head(number: int, one: Reading, figure: str) -> str:
    score = one.score.get("")
    return (
        f'<h3>{figure} {_percent(score)} <span class="soft"><small>{escape(one.part)}, row {number}</small></span></h3>'
        f'<p><span class="label">asked</span>{escape(one.question)}</p>'
    )


def _words(label: str, text: str) -> str:
    shown = escape(text) if text.strip() else '<em class="soft">nothing</em>'
    return f'<div><span class="label">{label}</span><div class="read">{shown}</div></div>'


def _blind(one: Reading, figure: str) -> str:
    """What was said without the right picture, folded away."""
    given = {"_blank": "a blank picture", "_shuffled": "another row's picture"}
    parts = [
        _words(f"given {what}: {figure} {_percent(one.score.get(condition))}", one.said[condition])
        for condition, what in given.items()
        if condition in one.said
    ]
    return f"<details><summary>What it says without this picture</summary>{''.join(parts)}</details>" if parts else ""


def _page_card(number: int, one: Reading) -> str:
    read = marked_errors(one.said.get("", ""), one.truth)
    return (
        f'<article class="card sheet" aria-label="Page {number}">{_image(one, "A page")}<div>{_head(number, one, "CER")}'
        f'<span class="label">what was read</span><div class="read">{read}</div>'
        f"<details><summary>What is written</summary>{_words('', one.truth)}</details>{_blind(one, 'CER')}</div></article>"
    )


def _box_card(figure: str) -> Callable[[int, Reading], str]:
    def card(number: int, one: Reading) -> str:
        said = one.said.get("", "")
        drawn = boxes_over(boxes_in(said), boxes_in(one.truth))
        return (
            f'<article class="card" aria-label="Picture {number}">{_head(number, one, figure)}'
            f'<div class="drawn">{_image(one, "A drawing")}{drawn}</div>'
            f"{_words('the model says', said)}{_words('the truth', one.truth)}{_blind(one, figure)}</article>"
        )

    return card


def _chart_card(number: int, one: Reading) -> str:
    said, truth = one.said.get("", ""), parse_table(one.truth)
    read = marked_table(parse_table(said), truth)
    read = read or f'<p class="soft">No table can be read from this:</p>{_words("", said)}'
    return (
        f'<article class="card sheet" aria-label="Chart {number}">{_image(one, "A chart")}<div>{_head(number, one, "F1")}'
        f'<div class="tables"><div><span class="label">the model says</span>{read}</div>'
        f'<div><span class="label">the true table</span>{marked_table(truth, truth)}</div></div>{_blind(one, "F1")}</div></article>'
    )


def _denial_card(number: int, one: Reading) -> str:
    return (
        f'<article class="card" aria-label="Picture {number}">{_head(number, one, "right:")}'
        f'<div class="drawn">{_image(one, "A drawing")}</div>'
        f"{_words('the model says', one.said.get('', ''))}{_words('a right answer', one.truth)}</article>"
    )


def _fact_card(number: int, one: Reading) -> str:
    return sample_card(number, Sample(one.scene, _small(one.picture), one.said))


_MARKS = "<ins>Such</ins> letters were read and are not there, <del>such</del> are there and were not read."
_KEY = '<span class="key"></span>the true boxes <span class="key said"></span>those the model wrote.'
_FACTS = '<mark class="right">Underlined</mark> words state a true fact and <mark class="wrong">such</mark> words a false one.'

# measure -> (heading, how to read it, style of the list, card)
_SECTIONS: dict[str, tuple[str, str, str, Callable[[int, Reading], str]]] = {
    "ocr": ("Pages, read", f'<span class="read">{_MARKS}</span>', "sheets", _page_card),
    "markdown": ("Pages, as Markdown", f'<span class="read">{_MARKS}</span>', "sheets", _page_card),
    "detection": ("Things, found", _KEY, "pictures", _box_card("F1")),
    "rec": ("Things, referred to", _KEY, "pictures", _box_card("IoU")),
    "chart": ("Charts, as tables", "Cells that differ from the true ones are marked.", "sheets", _chart_card),
    "negatives": ("Nothing there", "The picture lacks what it is asked for.", "pictures", _denial_card),
    "facts": ("Pictures, described", _FACTS, "pictures", _fact_card),
}


__all__ = ["READINGS_SHOWN", "write_reading_report"]
