"""What learning from rewards changed, as one HTML page: the reward on held-out pictures before and after, and the words.

Like the page of `report.py` it is a single file with everything inside; the held-out pictures come in their order, none chosen.
"""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ..data.facts import FACT_TYPES, score_facts
from .fact_scores import Sample
from .report import sample_card
from .report_facts import marked_words
from .report_page import page

PICTURES_SHOWN = 24

_ROWS = {
    "right": "the right picture, likeliest words",
    "sampled": "the right picture, sampled words",
    "blank": "a blank picture",
    "shuffled": "another scene's picture",
}
_CURVE_STYLE = """
.rewardcurve { background: #fff; border-radius: 6px; max-width: 100%; height: auto; display: block; }
td.gain { font-weight: 650; }
"""


def write_reward_report(
    path: str | Path,
    *,
    title: str,
    metrics: dict,
    before: Sequence[Sample],
    after: Sequence[Sample],
    curve: str | Path,
) -> None:
    """Writes the report of a GRPO run as one self-contained HTML file. The same arguments give the same bytes.

    Args:
        path (`str` or `Path`): file to write; its folder is made if it is not there.
        title (`str`): heading of the page.
        metrics (`dict`): what `grpo_demo.evaluate_grpo_run` measured.
        before, after (`Sequence[Sample]`): the same held-out pictures with the words of both models.
        curve (`str` or `Path`): PNG of the reward over the steps; left out where there is no such file.
    """
    sections = [
        f'<p class="verdict">{_verdict(metrics)}</p>',
        _rewards(metrics),
        _curve(Path(curve), metrics),
        _facts(metrics),
        _pictures(before[:PICTURES_SHOWN], after[:PICTURES_SHOWN]),
    ]
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "\n".join(part for part in sections if part)
    path.write_text(page(title, body, _CURVE_STYLE), encoding="utf-8", newline="\n")


def _interval(ends: Sequence[float]) -> str:
    return f"{ends[0]:.3f} to {ends[1]:.3f}"


def _signed(ends: Sequence[float]) -> str:
    return f"{ends[0]:+.3f} to {ends[1]:+.3f}"


def _verdict(metrics: dict) -> str:
    return (
        f"On {metrics['pictures']} pictures that no training saw, the mean reward of sampled words, which is what this training "
        f"optimises, {_moved(metrics['reward']['sampled'])}; that of the likeliest words, which a user gets, "
        f"{_moved(metrics['reward']['right'])}. Intervals are 95 % over pictures, not over training seeds."
    )


def _moved(reward: dict) -> str:
    """ "rose from 0.692 to 0.737 (+0.020 to +0.069)", or that it may not have moved."""
    low, high = reward["gain_interval"]
    ends = f"from {reward['before']:.3f} to {reward['after']:.3f} ({_signed((low, high))})"
    if low > 0 or high < 0:
        return f"{'rose' if low > 0 else 'fell'} {ends}"
    return f"went {ends}, which may be chance"


def _rewards(metrics: dict) -> str:
    stage, lengths = metrics["stages"][-1], metrics["lengths"]
    rows = "".join(_reward_row(given, metrics["reward"][name]) for name, given in _ROWS.items())
    heads = (
        "the model is given",
        "before",
        "95 % interval",
        "after",
        "95 % interval",
        "gain",
        "95 % interval, paired",
    )
    named = ", ".join(f"{escape(name)} x {weight:g}" for name, weight in stage["rewards"].items())
    return (
        '<h2>The reward on held-out pictures</h2>\n<div class="card scroll" role="region" tabindex="0" '
        'aria-label="Rewards before and after"><table class="types"><thead><tr>'
        + "".join(f'<th scope="col">{head}</th>' for head in heads)
        + f"</tr></thead><tbody>{rows}</tbody></table></div>"
        f'<p class="soft">Reward: {named}. {stage["answers_sampled"]:,} answers to {metrics["images_seen"]:,} prompts about '
        f"pictures were sampled in {stage['optimizer_steps']:,} steps; the stage took {metrics['train_seconds']:.0f} s. Answers had "
        f"{lengths['before']['mean_words']:.1f} words before and {lengths['after']['mean_words']:.1f} after.</p>"
    )


def _reward_row(given: str, reward: dict) -> str:
    return (
        f'<tr><th scope="row">{given}</th><td>{reward["before"]:.3f}</td><td>{_interval(reward["before_interval"])}</td>'
        f"<td>{reward['after']:.3f}</td><td>{_interval(reward['after_interval'])}</td>"
        f'<td class="gain">{reward["gain"]:+.3f}</td><td>{_signed(reward["gain_interval"])}</td></tr>'
    )


def _curve(path: Path, metrics: dict) -> str:
    if not path.is_file():
        return ""
    points = metrics["held_out_while_training"]["curve"]
    told = ", ".join(f"{reward:.3f} at step {step}" for step, reward in points)
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    how = metrics["held_out_while_training"]["answers"]
    return (
        f'<h2>While training</h2>\n<figure class="card" style="margin:0"><img class="rewardcurve" alt="Held-out reward: '
        f'{escape(told)}" src="data:image/png;base64,{data}"><figcaption class="soft"><small>Training prompts are answered by '
        f"sampling, held-out ones (the validation split, others than those above) by {how} answers.</small></figcaption></figure>"
    )


def _facts(metrics: dict) -> str:
    now, was = metrics["by_type"], metrics["before"]["by_type"]
    lines = [(name, was[name], now[name]) for name in FACT_TYPES if name in now]
    overall = [
        {key: scores[f"facts_{key}"] for key in ("precision", "recall", "f1")}
        for scores in (metrics["before"], metrics)
    ]
    rows = "".join(
        f'<tr><th scope="row">{name}</th>'
        + "".join(f"<td>{scores[key]:.3f}</td>" for key in ("precision", "recall", "f1") for scores in (old, new))
        + "</tr>"
        for name, old, new in [*lines, ("all facts", *overall)]
    )
    heads = ["type of fact"] + [
        f"{key}, {when}" for key in ("precision", "recall", "F1") for when in ("before", "after")
    ]
    return (
        '<h2>The facts, before and after</h2>\n<div class="card scroll" role="region" tabindex="0" aria-label="Scores by type '
        'of fact"><table class="types"><thead><tr>'
        + "".join(f'<th scope="col">{head}</th>' for head in heads)
        + f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _pictures(before: Sequence[Sample], after: Sequence[Sample]) -> str:
    cards = "\n".join(
        _with_earlier_words(sample_card(number, new), old)
        for number, (old, new) in enumerate(zip(before, after, strict=True), 1)
    )
    return (
        f"<h2>What it says now, and what it said before</h2>\n<p>The first {len(after)} held-out pictures, in their order; none "
        f'was chosen or left out.</p>\n<div class="pictures">{cards}</div>'
    )


def _with_earlier_words(card: str, sample: Sample) -> str:
    text = sample.said[""]
    score = score_facts(text, sample.scene)
    words = marked_words(text, sample.scene, score) if text.strip() else '<em class="soft">nothing</em>'
    label = f"before, F1 {100 * score.f1:.0f}%"
    return f'{card.removesuffix("</article>")}<p class="words"><span class="label">{label}</span>{words}</p></article>'


__all__ = ["PICTURES_SHOWN", "write_reward_report"]
