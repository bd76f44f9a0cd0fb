"""What training on pairs changed, as one HTML page: accuracy by kind of error, facts before and after, and the first pairs."""

import base64
import difflib
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ..data.pictures import encode_png
from .fact_scores import Sample
from .report import sample_card, stage_cards
from .report_page import page

PAIRS_SHOWN = 24
PICTURES_SHOWN = 12

_NAMES = {
    "colour": "wrong colour",
    "count": "wrong number",
    "kind": "wrong kind of thing",
    "relation": "wrong relation",
    "invented": "an invented thing",
    "size": "wrong size",
    "setting": "wrong place",
}
_COLUMNS = ("before", "after", "before_blank", "after_blank", "before_shuffled", "after_shuffled")
_STYLE = "del { background: var(--wrong-back); color: var(--wrong); text-decoration: none; font-weight: 650; } ins { text-decoration: underline solid var(--right) 2px; text-underline-offset: 3px; }"


def write_preference_report(
    path: str | Path,
    *,
    title: str,
    metrics: dict,
    rows: Sequence[dict],
    log_probs: dict[str, Sequence[tuple[float, float]]],
    samples: Sequence[Sample],
    stages: Sequence[dict],
) -> None:
    """Writes the report of a preference training as one self-contained HTML file. The same arguments give the same bytes.

    Args:
        path (`str` or `Path`): file to write; its folder is made if it is not there.
        title (`str`): heading of the page.
        metrics (`dict`): as `dpo_demo` writes them.
        rows (`Sequence[dict]`): the held-out pairs; the first ones are shown.
        log_probs (`dict`): `before` and `after` -> log-probabilities of the chosen and the rejected text of each pair.
        samples (`Sequence[Sample]`): what the trained model says of held-out pictures; the first ones are shown.
        stages (`Sequence[dict]`): as for `report.write_report`.
    """
    sections = [
        _verdict(metrics),
        _by_error(metrics),
        _facts(metrics),
        stage_cards(stages),
        _pairs(rows[:PAIRS_SHOWN], log_probs),
        _samples(samples[:PICTURES_SHOWN]),
    ]
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(title, "\n".join(sections), _STYLE), encoding="utf-8", newline="\n")


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"


def _verdict(metrics: dict) -> str:
    return (
        f'<p class="verdict">Of {metrics["pairs"]} held-out pairs the true text was the likelier one in '
        f"{_percent(metrics['pair_accuracy_before'])} before and is in {_percent(metrics['pair_accuracy_after'])} after "
        f"training on pairs; with a blank picture in {_percent(metrics['pair_accuracy_blank_after'])}. The facts of its own "
        f"descriptions went from an F1 of {_percent(metrics['facts_f1_before'])} to {_percent(metrics['facts_f1_after'])}.</p>"
    )


def _table(caption: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for name, cells in rows
    )
    return (
        f'<div class="card scroll" role="region" tabindex="0" aria-label="{escape(caption)}"><table class="types">'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _by_error(metrics: dict) -> str:
    rows = [
        (_NAMES.get(error, error), [str(found["pairs"]), *(_percent(found[column]) for column in _COLUMNS)])
        for error, found in metrics["by_error"].items()
    ]
    whole = [
        metrics[f"pair_accuracy{column.removeprefix('before').removeprefix('after')}_{column.split('_')[0]}"]
        for column in _COLUMNS
    ]
    rows.append(("all", [str(metrics["pairs"]), *map(_percent, whole)]))
    heads = (
        "error",
        "pairs",
        "before",
        "after",
        "blank, before",
        "blank, after",
        "another's, before",
        "another's, after",
    )
    caption = (
        "How often the true text is likelier than the wrong one, given the right picture, a blank one, another pair's"
    )
    return f"<h2>By kind of error</h2>\n{_table(caption, heads, rows)}"


def _facts(metrics: dict) -> str:
    names = [("all facts", None), *((name, name) for name in metrics["facts_by_type_after"])]
    rows = []
    for label, kind in names:
        cells = [
            _percent(metrics[f"facts_f1_{when}"] if kind is None else metrics[f"facts_by_type_{when}"][kind]["f1"])
            for when in ("before", "after")
        ]
        rows.append((label, cells))
    rows.append(("words a description", [f"{metrics[f'mean_words_{when}']:.1f}" for when in ("before", "after")]))
    rows.append(("reward margin", ["0", f"{metrics['reward_margin']:.2f}"]))
    caption = f"F1 of the facts in its own descriptions of {metrics['pictures']} held-out pictures"
    return f"<h2>What it says itself</h2>\n{_table(caption, ('', 'before', 'after'), rows)}"


def _pairs(rows: Sequence[dict], log_probs: dict[str, Sequence[tuple[float, float]]]) -> str:
    cards = "\n".join(
        _pair_card(number, row, log_probs["before"][number - 1], log_probs["after"][number - 1])
        for number, row in enumerate(rows, 1)
    )
    return (
        f"<h2>The first {len(rows)} held-out pairs</h2>\n<p>The number is by how much the true text is likelier, as a difference of "
        f'log-probabilities; below 0 the model prefers the wrong one.</p><div class="pictures">{cards}</div>'
    )


def _pair_card(number: int, row: dict, before: tuple[float, float], after: tuple[float, float]) -> str:
    chosen, rejected = (row[key][0]["content"][0]["text"] for key in ("chosen", "rejected"))
    picture = row["images"][0]
    shown = base64.b64encode(encode_png(picture.convert("RGB"))).decode("ascii")
    right, wrong = _marked(chosen, rejected)
    error = _NAMES.get(row["error"], row["error"])
    return (
        f'<article class="card" aria-label="Pair {number}"><div class="top">'
        f'<img src="data:image/png;base64,{shown}" width="{picture.width}" height="{picture.height}" alt="{escape(chosen)}">'
        f'<div><h3 class="soft"><small>pair {number}: {escape(error)}</small></h3><div class="f1">{after[0] - after[1]:+.1f}</div>'
        f'<div class="soft"><small>before: {before[0] - before[1]:+.1f}</small></div></div></div>'
        f'<p class="words"><span class="label">true</span>{right}</p><p class="words"><span class="label">wrong</span>{wrong}</p>'
        "</article>"
    )


def _marked(chosen: str, rejected: str) -> tuple[str, str]:
    """Both texts with the words that differ marked."""
    left, right = chosen.split(), rejected.split()
    marked: tuple[list[str], list[str]] = ([], [])
    for tag, a0, a1, b0, b1 in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        for words, out, mark in ((left[a0:a1], marked[0], "ins"), (right[b0:b1], marked[1], "del")):
            text = escape(" ".join(words))
            if text:
                out.append(text if tag == "equal" else f"<{mark}>{text}</{mark}>")
    return " ".join(marked[0]), " ".join(marked[1])


def _samples(samples: Sequence[Sample]) -> str:
    cards = "\n".join(sample_card(number, sample) for number, sample in enumerate(samples, 1))
    return (
        f"<h2>What it says of pictures it never saw</h2>\n<p>The first {len(samples)} of the test set, after training.</p>"
        f'<div class="pictures">{cards}</div>'
    )


__all__ = ["PAIRS_SHOWN", "write_preference_report"]
