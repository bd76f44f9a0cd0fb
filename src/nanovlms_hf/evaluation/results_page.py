"""An evaluation as one HTML file that a person would read: scores with controls, then pictures with answers, worst first.

The page asks the network for nothing. Without JavaScript it stands in its first order, the worst items at the top; with it, buttons
sort by error, by benchmark order, or by how much the picture helped.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from ..data.pictures import PictureError
from .items import Item, encoded
from .report_page import page
from .run_store import write_atomically
from .scoring import Sample

_NAMES = {"true": "the right picture", "blank": "a blank picture", "shuffled": "another item's picture"}
_ABSENT = "–"
_SCRIPT = """
for (const button of document.querySelectorAll('button[data-key]')) {
  button.addEventListener('click', () => {
    const grid = document.getElementById(button.dataset.grid);
    const sign = button.dataset.down ? -1 : 1, key = button.dataset.key;
    const cards = [...grid.children].sort((a, b) => sign * (parseFloat(a.dataset[key]) - parseFloat(b.dataset[key])));
    grid.append(...cards);
    for (const other of button.parentElement.children) other.setAttribute('aria-pressed', other === button);
  });
}
"""
_BUTTONS = (
    ("error", "1", "largest error first"),
    ("error", "", "smallest error first"),
    ("place", "", "order of the benchmark"),
    ("sight", "", "least helped by the picture"),
)


def write_results_page(
    path: str | Path,
    results: dict,
    samples: Mapping[str, Sequence[Sample]],
    items: Mapping[str, Mapping[str, Item]],
    page_items: int = 200,
) -> None:
    """Writes the page of an evaluation.

    Args:
        path (`str` or `Path`): file to write.
        results (`dict`): the content of `metrics.json`.
        samples (`Mapping`): benchmark -> its samples.
        items (`Mapping`): benchmark -> id -> item, to open the pictures.
        page_items (`int`, defaults to 200): items shown a benchmark, the worst ones.
    """
    parts = [f'<p class="verdict">{escape(str(results["model"]))}, {results.get("parameters", 0):,} parameters</p>']
    for name, result in results["benchmarks"].items():
        parts.append(f"<h2>{escape(name)}</h2>{_scores(result, results['conditions'])}{_sight(result)}{_lost(result)}")
        parts += [_grades(report) for report in results.get("grading", {}).get(name, [])]
        parts.append(_cards(name, samples[name], items[name], results["conditions"], page_items))
    document = page(f"Evaluation of {results['model']}", "\n".join(parts))
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    document = document.replace("style-src", f"script-src 'sha256-{digest}'; style-src", 1)
    write_atomically(Path(path), document.replace("</body>", f"<script>{_SCRIPT}</script></body>"))


def _number(score: dict | None) -> str:
    if score is None:
        return _ABSENT
    interval = f" <small>[{score['low']:.3f}, {score['high']:.3f}]</small>" if "low" in score else ""
    return f"{score['value']:.4f}{interval}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    return f'<div class="card scroll"><table class="types"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _scores(result: dict, conditions: Sequence[str]) -> str:
    rows = []
    for metric, scores in result["scores"].get("true", {}).items():
        for name in scores:
            cells = [_number(result["scores"][condition].get(metric, {}).get(name)) for condition in conditions]
            rows.append([escape(name), *cells])
    return _table(["score, 95 % interval", *(_NAMES[condition] for condition in conditions)], rows)


def _sight(result: dict) -> str:
    return "".join(
        f"<p>The right picture is worth {gain['gain']:+.4f} in {escape(gain['score'])} against {_NAMES[control]} "
        f"[{gain['low']:+.4f}, {gain['high']:+.4f}], {gain['items']} items.</p>"
        for control, gain in result["sight"].items()
    )


def _lost(result: dict) -> str:
    """Everything that was not asked, not scored or not answered, counted and listed."""
    lost = [(problem["id"], problem["reason"]) for problem in result["problems"]]
    for condition, reasons in result["unanswered"].items():
        lost += [(f"{name} ({condition})", reason) for name, reason in reasons.items()]
    for condition, names in result["empty_predictions"].items():
        lost += [(f"{name} ({condition})", "the answer is empty") for name in names]
    if not lost:
        return '<p class="soft">Every row was asked, answered and scored.</p>'
    listed = "".join(f"<li>{escape(name)}: {escape(reason)}</li>" for name, reason in lost)
    return f"<details><summary>{len(lost)} rows not asked, not scored or answered with nothing</summary><ul>{listed}</ul></details>"


def _grades(report: dict) -> str:
    conditions = list(report["scores"])
    rows = []
    for dimension, grader in report["graders"].items():
        cells = []
        for condition in conditions:
            score = report["scores"][condition][dimension]
            cells.append(f"{score['mean']:.2f} <small>[{score['low']:.2f}, {score['high']:.2f}]</small>")
        rows.append(
            [
                escape(dimension),
                *cells,
                f"<small>{escape(grader['name'])}; blind to {escape(grader['blind_to'])}</small>",
            ]
        )
    heads = [
        f"grade {report.get('scale', '0 to 10')}, {report['kind']}",
        *(_NAMES[condition] for condition in conditions),
        "graded by",
    ]
    return "<h3>Graded</h3>" + _table(heads, rows)


def _cards(
    name: str, samples: Sequence[Sample], items: Mapping[str, Item], conditions: Sequence[str], page_items: int
) -> str:
    order = sorted(range(len(samples)), key=lambda place: (samples[place].scores.get("true", 2.0), place))[:page_items]
    grid = f"grid-{escape(name, quote=True)}"
    buttons = "".join(
        f'<button type="button" data-grid="{grid}" data-key="{key}" data-down="{down}">{label}</button> '
        for key, down, label in _BUTTONS
    )
    shown = f"{len(order)} of {len(samples)} items" + (
        ", those with the largest error" if len(order) < len(samples) else ""
    )
    cards = "\n".join(_card(place, samples[place], items[samples[place].id], conditions) for place in order)
    return f'<h3>{shown}</h3><p class="sorting">{buttons}</p><div class="pictures" id="{grid}">{cards}</div>'


def _card(place: int, sample: Sample, item: Item, conditions: Sequence[str]) -> str:
    score = sample.scores.get("true")
    best_control = max((sample.scores[c] for c in conditions if c != "true" and c in sample.scores), default=0.0)
    error = 1 - score if score is not None else 2.0
    sight = (score or 0.0) - best_control
    answers = "".join(_answer(sample, condition) for condition in conditions)
    shown = f"score {score:.3f}" if score is not None else "not scored"
    group = f" · {escape(sample.group)}" if sample.group else ""
    given = (
        f'<p class="words"><span class="label">given beginning</span>{escape(sample.prefix)}</p>'
        if sample.prefix
        else ""
    )
    return (
        f'<article class="card" data-error="{error:.6f}" data-place="{place}" data-sight="{sight:.6f}">'
        f'<div class="top">{_pictures(item)}<div><h3 class="soft"><small>{escape(sample.id)}{group}</small></h3>'
        f'<div class="f1">{shown}</div></div></div>'
        f'<p class="words"><span class="label">asked</span>{escape(sample.prompt)}</p>{given}{answers}'
        f'<p class="words"><span class="label">truth</span>{escape(sample.truth) or "<em>not given</em>"}</p></article>'
    )


def _answer(sample: Sample, condition: str) -> str:
    score = f", score {sample.scores[condition]:.3f}" if condition in sample.scores else ""
    if condition in sample.said:
        words = escape(sample.said[condition]) if sample.said[condition].strip() else '<em class="soft">nothing</em>'
    else:
        words = f'<em class="soft">no answer: {escape(sample.problems.get(condition, ""))}</em>'
    return f'<p class="words"><span class="label">given {_NAMES[condition]}{score}</span>{words}</p>'


def _pictures(item: Item) -> str:
    try:
        pictures = item.pictures()[:4]
    except PictureError as error:
        return f'<p class="soft">{escape(str(error))}</p>'
    return "".join(
        f'<img src="data:image/png;base64,{base64.b64encode(encoded(picture)).decode("ascii")}" alt="picture {number} of {escape(item.id)}">'
        for number, picture in enumerate(pictures, 1)
    )


__all__ = ["write_results_page"]
