"""What a model reads, finds and describes on held-out rows of a mixture, beside what it says of a blank picture.

    metrics, readings = evaluate_reading(model, processor, entries, 64, image_size=192)
    metrics["ocr_cer"], metrics["ocr_cer_blank"]

`_blank` gives a grey picture of the same size, `_shuffled` the picture of the part's next row; the answers are scored against
the right row's truth in all conditions, so what is left of a score there was guessed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image
from transformers import PreTrainedModel, ProcessorMixin
from transformers.utils import logging

from ..data.descriptions import naming, short_description
from ..data.drawing import render
from ..data.mixture_config import KINDS, build_mixture, config_from
from ..data.scenes import Scene, WorldConfig
from ..data.tasks import PROMPTS
from ..data.world import world_scene
from .describing import answer_chats
from .reading_intervals import reading_intervals
from .reading_scores import MEASURES, measure_name

CONDITIONS = ("", "_blank")
ALL_CONDITIONS = (*CONDITIONS, "_shuffled")

_SPLIT = "test"
_GREY = (128, 128, 128)


@dataclass
class Reading:
    """One held-out row and what the model said of it.

    Attributes:
        part (`str`): name of the mixture's part.
        kind (`str`): kind of the part's rows, such as `documents`.
        measure (`str`): what it is scored by, a name in `reading_scores.MEASURES`.
        picture (`PIL.Image.Image`): the right picture.
        question (`str`): the user's words; of several turns the first.
        truth (`str`): the right answer.
        scene (`Scene`, *optional*): what is in the picture, where the facts of a description are scored.
        said (`dict[str, str]`): condition (`""`, `"_blank"`, `"_shuffled"`) -> answer.
        score (`dict[str, float]`): condition -> the measure's main figure for this one answer.
    """

    part: str
    kind: str
    measure: str
    picture: Image.Image
    question: str
    truth: str
    scene: Scene | None = None
    said: dict[str, str] = field(default_factory=dict)
    score: dict[str, float] = field(default_factory=dict)


def evaluate_reading(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    entries: Sequence[Mapping[str, Any]],
    rows: int = 64,
    *,
    image_size: int,
    seed: int = 0,
    conditions: Sequence[str] = CONDITIONS,
    batch_size: int = 32,
    max_new_tokens: int | None = None,
) -> tuple[dict, list[Reading]]:
    """Asks a model about held-out rows of every part of a mixture, and scores the answers.

    Args:
        model (`PreTrainedModel`): any image-text-to-text model; left in the mode it was in.
        processor (`ProcessorMixin`): its processor.
        entries (`Sequence[Mapping]`): the mixture, as `build_mixture` takes it; weights say no more than whether they are 0,
            which leaves a part out.
        rows (`int`, defaults to 64): rows of each part; the first ones of its `test` split.
        image_size (`int`): side of drawn pictures, in pixels, where an entry gives no other.
        seed (`int`, defaults to 0): the mixture's seed.
        conditions (`Sequence[str]`): which of `ALL_CONDITIONS` to ask under.
        batch_size (`int`, defaults to 32): pictures encoded at once.
        max_new_tokens (`int`, *optional*): longest answer in tokens; when not given, a quarter more than the longest truth of
            the part, and 8. Answers end where the model's context ends in any case.

    Returns:
        `tuple[dict, list[Reading]]`: the metrics, ready for JSON, then one reading a row, part by part. The metrics are
        `rows_per_part`; for each measure its figures with the condition behind, over all parts of that measure (`ocr_cer`,
        `detection_f1_iou50_blank`, `rec_acc_iou50`, ...); where a measure has several parts, those of each with its name in
        front (`notes_ocr_cer`); each with its 95 % bootstrap interval over rows under `..._interval`; and, if there are any, `unscored_parts`, those of a kind that no measure is for.

    Raises:
        ValueError: if there are too few rows, a condition is unknown, or the mixture is wrong (see `build_mixture`).
        FileNotFoundError: if the mixture names a file that does not exist.
    """
    _check(rows, conditions)
    active = [entry for entry in entries if not isinstance(entry, Mapping) or entry.get("weight") != 0]
    parts = [_open_part(entry, rows, seed, image_size) for entry in active]
    scored = [readings for readings in parts if isinstance(readings, list)]
    metrics: dict = {"rows_per_part": rows}
    with logging.tqdm(total=len(scored) * len(conditions), desc="held-out rows") as progress:
        for readings in scored:
            longest = max_new_tokens or _room_for_truths(processor, readings)
            for condition in conditions:
                answers = answer_chats(
                    model,
                    processor,
                    _pictures(readings, condition),
                    [reading.question for reading in readings],
                    batch_size=batch_size,
                    max_new_tokens=longest,
                )
                for reading, answer in zip(readings, answers, strict=True):
                    reading.said[condition] = answer
                progress.update()
    everything = [reading for readings in scored for reading in readings]
    for reading in everything:
        _score_alone(reading)
    metrics |= _metrics(everything, conditions)
    unscored = [name for name in parts if isinstance(name, str)]
    return metrics | ({"unscored_parts": unscored} if unscored else {}), everything


def _check(rows: int, conditions: Sequence[str]) -> None:
    unknown = [name for name in conditions if name not in ALL_CONDITIONS]
    if unknown or not conditions:
        raise ValueError(
            f"conditions={list(conditions)} cannot be; expected some of {', '.join(map(repr, ALL_CONDITIONS))}."
        )
    least = 2 if "_shuffled" in conditions else 1
    if rows < least:
        raise ValueError(f"rows={rows} of each part are too few; these conditions need at least {least}.")


def _open_part(entry: Any, rows: int, seed: int, image_size: int) -> list[Reading] | str:
    """The rows of a part, not asked yet; its name alone if there is no measure for its kind."""
    if isinstance(entry, Mapping) and "source" in entry:
        return str(entry.get("name"))  # real data may have no test split to open
    mixture = build_mixture([entry], split=_SPLIT, seed=seed, length=rows, image_size=image_size)
    kind = next(key for key in entry if key in KINDS)
    options = entry[kind] or {}
    measure = measure_name(kind, options)
    if measure is None:
        return entry["name"]
    if kind == "scenes":
        return _scene_readings(entry["name"], options, rows, entry.get("seed", seed), image_size)
    readings = []
    for row in mixture:
        question, truth = (_first_words(row["messages"], role) for role in ("user", "assistant"))
        readings.append(Reading(entry["name"], kind, measure, row["images"][0], question, truth))
    return readings


def _scene_readings(part: str, options: Mapping[str, Any], rows: int, seed: int, image_size: int) -> list[Reading]:
    """Scenes to name the things of, where the part trains on nothing else; otherwise scenes to describe in short."""
    world = config_from(WorldConfig, options.get("world"), "scenes, `world`,")
    conversations = {name for name, weight in (options.get("mixture") or {}).items() if weight}
    task, tell = ("naming", naming) if conversations == {"naming"} else ("short", short_description)
    side, question = options.get("image_size", image_size), PROMPTS[task][0]
    scenes = [world_scene(seed, _SPLIT, index, world) for index in range(rows)]
    return [Reading(part, "scenes", "facts", render(scene, side), question, tell(scene), scene) for scene in scenes]


def _first_words(messages: Sequence[Mapping[str, Any]], role: str) -> str:
    content = next(message["content"] for message in messages if message["role"] == role)
    if isinstance(content, str):
        return content
    return "".join(block["text"] for block in content if block.get("text"))


def _pictures(readings: Sequence[Reading], condition: str) -> list[Image.Image]:
    right = [reading.picture for reading in readings]
    if condition == "_blank":
        return [Image.new("RGB", picture.size, _GREY) for picture in right]
    return right[1:] + right[:1] if condition == "_shuffled" else right


def _room_for_truths(processor: ProcessorMixin, readings: Sequence[Reading]) -> int:
    encoded = processor.tokenizer([reading.truth for reading in readings], add_special_tokens=False)["input_ids"]
    return int(1.25 * max(map(len, encoded))) + 8


def _pair(reading: Reading, condition: str) -> tuple[str, Any]:
    return reading.said[condition], reading.scene or reading.truth


def _score_alone(reading: Reading) -> None:
    measure = MEASURES[reading.measure]
    for condition in reading.said:
        reading.score[condition] = round(measure.score([_pair(reading, condition)])[measure.main], 4)


def _metrics(readings: Sequence[Reading], conditions: Sequence[str]) -> dict:
    metrics = {}
    for measure in dict.fromkeys(reading.measure for reading in readings):
        members = [reading for reading in readings if reading.measure == measure]
        parts = list(dict.fromkeys(reading.part for reading in members))
        groups = {"": members}
        if len(parts) > 1:
            groups |= {f"{part}_": [reading for reading in members if reading.part == part] for part in parts}
        for prefix, group in groups.items():
            for condition in conditions:
                pairs = [_pair(reading, condition) for reading in group]
                figures, intervals = MEASURES[measure].score(pairs), reading_intervals(measure, pairs)
                for name, value in figures.items():
                    key = f"{prefix}{measure}_{name}{condition}"
                    metrics[key] = round(value, 4)
                    if name in intervals:
                        metrics[f"{key}_interval"] = intervals[name]
    return metrics


__all__ = ["ALL_CONDITIONS", "CONDITIONS", "Reading", "evaluate_reading"]
