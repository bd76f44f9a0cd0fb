"""A run as one HTML page that a person would read: what was measured, how it was learned, and what the model says.

The page shows the controls beside every score and the first held-out pictures in their order, none chosen. It is a single
file: pictures, curves and style are inside, so it can be mailed, kept as a build artifact or put on the Hub as it is.
"""

import base64
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ..data.descriptions import naming, short_description
from ..data.facts import FACT_TYPES, FactScore, score_facts
from ..data.pictures import encode_png
from .fact_scores import Sample
from .report_curves import loss_curve
from .report_facts import fact_sentence, in_order, marked_words, wrong_sentence
from .report_page import page

PICTURES_SHOWN = 48

_GIVEN = {"": "the right picture", "_blank": "a blank picture", "_shuffled": "another scene's picture"}
_TYPE_NAMES = {
    "all": "all facts",
    "kind": "kinds of things",
    "colour": "colours",
    "size": "sizes",
    "count": "counts",
    "relation": "relations",
    "setting": "settings",
}
_ABSENT = "–"
_FIRST = ' class="first"'


def write_report(
    path: str | Path,
    *,
    title: str,
    metrics: dict,
    samples: Sequence[Sample],
    stages: Sequence[dict],
    notes: Sequence[str] = (),
) -> None:
    """Writes the report of a run as one self-contained HTML file. The same arguments give the same bytes.

    Args:
        path (`str` or `Path`): file to write; its folder is made if it is not there.
        title (`str`): heading of the page.
        metrics (`dict`): any of `parameters`, `train_seconds`, `images_seen`, `images_per_second`, `pictures`,
            `facts_precision`, `facts_recall`, `facts_f1` and `by_type`, the last four also with `_blank` and `_shuffled`. A
            number that is not there is shown as not measured.
        samples (`Sequence[Sample]`): held-out pictures with the model's words; the first `PICTURES_SHOWN` are shown.
        stages (`Sequence[dict]`): one a training stage: `name`, and any of `loss_history`, `train_seconds`, `images_seen`,
            `optimizer_steps` and `final_train_loss`, `best_validation_loss`.
        notes (`Sequence[str]`): sentences to put under the numbers.
    """
    sections = [
        _headline(metrics),
        _notes(notes),
        _types(metrics),
        stage_cards(stages),
        _pictures(samples[:PICTURES_SHOWN], metrics.get("pictures")),
    ]
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(title, "\n".join(part for part in sections if part)), encoding="utf-8", newline="\n")


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _percent(value) -> str:
    return f"{100 * value:.1f}%" if _is_number(value) else _ABSENT


def _whole(value) -> str:
    return f"{round(value):,}" if _is_number(value) else _ABSENT


def _plain(value) -> str:
    return f"{value:.4g}" if _is_number(value) else _ABSENT


def _short(value) -> str:
    """A large number in words: "4.9 million"."""
    if not _is_number(value):
        return _ABSENT
    for size, name in ((1e9, "billion"), (1e6, "million")):
        if abs(value) >= size:
            return f"{value / size:.3g} {name}"
    return _whole(value)


def _duration(seconds) -> str:
    if not _is_number(seconds):
        return _ABSENT
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _headline(metrics: dict) -> str:
    rate = metrics.get("images_per_second")
    parameters, seen = metrics.get("parameters"), metrics.get("images_seen")
    tiles = (
        ("Parameters", _short(parameters), _whole(parameters) if _is_number(parameters) and parameters >= 1e6 else ""),
        ("Training time", _duration(metrics.get("train_seconds")), ""),
        ("Pictures seen", _short(seen), f"{_plain(rate)} a second" if _is_number(rate) else ""),
        ("Held-out pictures scored", _whole(metrics.get("pictures")), "none seen in training"),
    )
    listed = "".join(
        f"<div><dt>{name}</dt><dd>{value}{f'<small>{detail}</small>' if detail and value != _ABSENT else ''}</dd></div>"
        for name, value, detail in tiles
    )
    return (
        f'<p class="verdict">{_verdict(metrics)}</p>\n<section class="headline" aria-label="Headline numbers">'
        f'<div class="card scroll">{_bars(metrics)}</div><dl class="card tiles">{listed}</dl></section>'
    )


def _verdict(metrics: dict) -> str:
    right = metrics.get("facts_f1")
    controls = [metrics.get(f"facts_f1{name}") for name in ("_blank", "_shuffled")]
    controls = [value for value in controls if _is_number(value)]
    if not _is_number(right):
        return "The facts of the model's words were not measured."
    said = (
        f"Shown the right picture, the model reaches an F1 of {_percent(right)} on the facts of pictures it never saw"
    )
    if not controls:
        return f"{said}; without controls that does not show whether it looks."
    gain, best = round(100 * right, 1) - round(100 * max(controls), 1), _percent(max(controls))
    if gain <= 0:
        return f"{said}; a wrong picture gives it {best}, so nothing shows that it looks."
    return f"{said}. The better of the two controls reaches {best}: looking is worth {gain:.1f} points."


def _bars(metrics: dict) -> str:
    rows = []
    for condition, given in _GIVEN.items():
        f1 = metrics.get(f"facts_f1{condition}")
        width = min(100.0, max(0.0, 100 * f1)) if _is_number(f1) else 0.0
        rows.append(
            f'<tr{_FIRST if not condition else ""}><th scope="row">{given}</th>'
            f'<td class="bar"><div class="track" aria-hidden="true"><div class="fill" style="width:{width:.1f}%"></div></div></td>'
            f'<td class="value">{_percent(f1)}</td>'
            f'<td class="number soft">{_percent(metrics.get(f"facts_precision{condition}"))}</td>'
            f'<td class="number soft">{_percent(metrics.get(f"facts_recall{condition}"))}</td></tr>'
        )
    return (
        '<table class="bars"><caption><strong>Facts told right</strong> <span class="soft">when the model is given …</span>'
        '</caption><thead><tr><td></td><td></td><th scope="col" class="number">F1</th>'
        '<th scope="col" class="number">precision</th><th scope="col" class="number">recall</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
        '<p class="soft"><small>Precision: share of what it states that is true. Recall: share of what is true that it '
        "states. F1: their harmonic mean. All three rows are scored against the right scene.</small></p>"
    )


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<ul class="notes">{items}</ul>' if items else ""


def _types(metrics: dict) -> str:
    tables = {condition: metrics.get(f"by_type{condition}") or {} for condition in _GIVEN}
    known = [*FACT_TYPES, "all"]
    others = sorted({name for table in tables.values() for name in table} - set(known))
    names = [name for name in (*FACT_TYPES, *others, "all") if any(name in table for table in tables.values())]
    if not names:
        return ""
    rows = "".join(
        _type_row(name, {condition: table.get(name) or {} for condition, table in tables.items()}) for name in names
    )
    heads = "".join(
        f'<th scope="col">{head}</th>'
        for head in (
            "type of fact",
            "true facts",
            "precision",
            "recall",
            "F1",
            "F1, blank picture",
            "F1, another's picture",
        )
    )
    return (
        '<h2>By type of fact</h2>\n<div class="card scroll" role="region" tabindex="0" aria-label="Scores by type of fact">'
        f'<table class="types"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _type_row(name: str, scores: dict[str, dict]) -> str:
    def cell(condition: str, key: str) -> str:
        score = scores[condition]
        nothing = score.get("stated") == 0 and score.get("wanted") == 0
        return f"<td>{_ABSENT if nothing else _percent(score.get(key))}</td>"

    label = escape(_TYPE_NAMES.get(name, name))
    return (
        f'<tr><th scope="row">{label}</th><td>{_whole(scores[""].get("wanted"))}</td>'
        + "".join(cell("", key) for key in ("precision", "recall"))
        + cell("", "f1").replace("<td>", '<td class="value"><strong>').replace("</td>", "</strong></td>")
        + cell("_blank", "f1")
        + cell("_shuffled", "f1")
        + "</tr>"
    )


def stage_cards(stages: Sequence[dict]) -> str:
    """The training stages as cards with their loss curves; `write_report` tells what a stage holds."""
    if not stages:
        return ""
    cards = []
    for number, stage in enumerate(stages, 1):
        name = str(stage.get("name") or f"stage {number}")
        shown = (
            ("time", _duration(stage.get("train_seconds"))),
            ("pictures", _whole(stage.get("images_seen"))),
            ("optimizer steps", _whole(stage.get("optimizer_steps"))),
            ("last training loss", _plain(stage.get("final_train_loss"))),
            ("best validation loss", _plain(stage.get("best_validation_loss"))),
        )
        facts = " · ".join(f"{label} {value}" for label, value in shown if value != _ABSENT)
        curve = loss_curve(stage.get("loss_history") or [], name) or '<p class="soft">No losses were recorded.</p>'
        cards.append(
            f'<figure class="card" style="margin:0"><figcaption><h3>{number}. {escape(name)}</h3>'
            f'<span class="soft"><small>{facts}</small></span></figcaption>{curve}</figure>'
        )
    return f'<h2>Training, stage by stage</h2>\n<div class="stages">{"".join(cards)}</div>'


def _pictures(samples: Sequence[Sample], scored: int | None) -> str:
    if not samples:
        return ""
    among = f" of the {_whole(scored)} scored" if _is_number(scored) else ""
    plural = (
        f"The first {len(samples)} held-out pictures{among}"
        if len(samples) > 1
        else f"The first held-out picture{among}"
    )
    cards = "\n".join(sample_card(number, sample) for number, sample in enumerate(samples, 1))
    return (
        f"<h2>What it says of pictures it never saw</h2>\n<p>{plural}, in the order of the test set; none was chosen or left out.</p>"
        '<p class="soft">In the model\'s words, <mark class="right">underlined</mark> words state a true fact and '
        '<mark class="wrong">such</mark> words a false one; rest on a word to read which. The marks are a help; the list under '
        f'the words is exact. Words without a mark state no fact.</p>\n<div class="pictures">{cards}</div>'
    )


def sample_card(number: int, sample: Sample) -> str:
    """A held-out picture with the model's words, what is wrong in them and what they miss."""
    scene, text = sample.scene, sample.said.get("", "")
    score = score_facts(text, scene)
    stated = len(score.true_positive) + len(score.false)
    wanted = len(score.found) + len(score.missed)
    picture = base64.b64encode(encode_png(sample.picture.convert("RGB"))).decode("ascii")
    return (
        f'<article class="card" aria-label="Held-out picture {number}"><div class="top">'
        f'<img src="data:image/png;base64,{picture}" width="{sample.picture.width}" height="{sample.picture.height}" '
        f'alt="Drawing: {escape(naming(scene))}"><div><h3 class="soft"><small>picture {number}</small></h3>'
        f'<div class="f1">F1 {100 * score.f1:.0f}%</div><div class="soft"><small>{len(score.true_positive)} of {stated} stated '
        f"facts true,<br>{len(score.found)} of {wanted} true facts told</small></div></div></div>"
        f'<p class="words"><span class="label">the model says</span>{_words(text, sample, score)}</p>{_verdicts(sample, score)}'
        f'<p class="words"><span class="label">true description</span>{escape(short_description(scene))}</p>'
        f"{_controls(sample)}</article>"
    )


def _words(text: str, sample: Sample, score: FactScore) -> str:
    return marked_words(text, sample.scene, score) if text.strip() else '<em class="soft">nothing</em>'


def _verdicts(sample: Sample, score: FactScore) -> str:
    """The exact list of what is wrong and missed."""
    wrong = [
        f'<li class="wrong">wrong: {escape(wrong_sentence(fact, sample.scene))}</li>' for fact in in_order(score.false)
    ]
    missed = [
        f'<li class="missed">missed: {escape(fact_sentence(fact, sample.scene))}</li>'
        for fact in in_order(score.missed)
    ]
    if not wrong and not missed:
        return '<ul class="facts"><li class="none">nothing wrong, nothing missed</li></ul>'
    return f'<ul class="facts">{"".join([*wrong, *missed])}</ul>'


def _controls(sample: Sample) -> str:
    parts = []
    for condition, given in list(_GIVEN.items())[1:]:
        if condition in sample.said:
            text = sample.said[condition]
            score = score_facts(text, sample.scene)
            parts.append(
                f'<p class="words"><span class="label">given {given}: F1 {100 * score.f1:.0f}%</span>'
                f"{_words(text, sample, score)}</p>"
            )
    return f"<details><summary>What it says without this picture</summary>{''.join(parts)}</details>" if parts else ""


__all__ = ["PICTURES_SHOWN", "sample_card", "stage_cards", "write_report"]
