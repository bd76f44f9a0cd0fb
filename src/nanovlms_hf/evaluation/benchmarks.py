"""Benchmarks by name, as items to ask: `load_benchmark("chartqa")`.

    items, problems = load_benchmark("chartqa", limit=500)
    items[0].prompt, items[0].references, items[0].pictures()

`benchmarks.yaml` is the registry. A row without a picture, with a null answer or with options that cannot be read becomes a
`Problem` with its reason; a row whose answer alone is missing is still asked (test sets are), but not scored.
"""

import ast
import random
import re
import string
from collections.abc import Mapping
from typing import Any

import datasets
from datasets import ClassLabel, Dataset, Image, List
from PIL import Image as PILImage

from ..data.box_text import BOX_SCALE, format_box, scale_box
from ..data.chat_rows import MARKER, name_labels
from ..data.drawing import render
from ..data.pictures import PictureError, read_header
from ..data.source_config import Placeholder, parse_template
from ..data.sources import load_source, split_rows
from ..data.tasks import TASKS
from ..data.transforms import TRANSFORMS, RowContext
from ..data.world import world_scene
from .benchmark_config import Benchmark, benchmark_names, get_benchmark
from .items import Item, Problem
from .options import LETTERS

WORLD_PICTURE_SIDE = 128
_NUMBERED = re.compile(r"<image (\d+)>")
_IN_TEXT = re.compile(r"(?:^|[\n,]|Options:)\s*([A-Z])\s*:\s*")


class BadRow(ValueError):
    """Why a row is no item."""


class MissingAnswer(BadRow):
    """A row whose answer is not given, as in test sets: it can be asked, but not scored."""


def load_benchmark(
    entry: str | Mapping | Benchmark, limit: int | None = None, seed: int = 0, path: str | None = None
) -> tuple[list[Item], list[Problem]]:
    """The items of a benchmark, and the rows that are none.

    Args:
        entry: a name of the registry, a mapping that overrides one, or a `Benchmark`.
        limit: at most this many items, drawn by `seed` from all rows; all of them if None.
        seed: decides what `limit` keeps and the beginnings that completions start from.
        path: read the dataset from here instead (a folder or another Hub id).

    Returns:
        `(items, problems)`, items in the order of the rows.

    Raises:
        ValueError: an unknown benchmark or column, or no usable row.
        FileNotFoundError: a file or dataset that is not there.
    """
    benchmark = entry if isinstance(entry, Benchmark) else get_benchmark(entry)
    if limit is not None and limit < 1:
        raise ValueError(f"limit={limit} leaves nothing of {benchmark.name!r}; give at least 1, or no limit.")
    if path:
        benchmark.path = path
    loader = {"hub": _hub, "world": _world, "source": _source, "described": _described}[benchmark.loader]
    items, problems = loader(benchmark, limit, seed)
    if not items:
        reasons = f" First reasons: {'; '.join(p.reason for p in problems[:3])}" if problems else ""
        raise ValueError(f"benchmark {benchmark.name!r} has no usable row, {len(problems)} are not.{reasons}")
    return items, problems


# rows of any dataset --------------------------------------------------------------------------------------------------------


def _hub(benchmark: Benchmark, limit: int | None, seed: int) -> tuple[list[Item], list[Problem]]:
    items: list[Item] = []
    problems: list[Problem] = []
    for split in benchmark.splits:
        table = _table(benchmark, split)
        _check_columns(benchmark, table)
        order = list(range(len(table)))
        if limit is not None:
            random.Random(f"{seed}:{benchmark.name}:{split}").shuffle(order)
        kept: list[Item] = []
        for number in order:
            try:
                kept += _row_items(benchmark, split, table, number)
            except BadRow as error:
                problems.append(Problem(f"{split}/row {number}", str(error)))
            if limit is not None and len(kept) >= limit:
                break
        items += sorted(kept[:limit], key=lambda item: item.row)
    problems += [
        Problem(item.id, "the answer is missing: asked, but not scored") for item in items if not item.references
    ]
    return items, problems


def _table(benchmark: Benchmark, split: str) -> Dataset:
    try:
        table = datasets.load_dataset(
            benchmark.path,
            name=benchmark.config_name,
            split=split,
            revision=benchmark.revision,
            data_files=benchmark.data_files,
        )
    except (datasets.exceptions.DatasetNotFoundError, ConnectionError) as error:
        raise FileNotFoundError(
            f"benchmark {benchmark.name!r}: {benchmark.path!r} is no folder here and cannot be fetched from the Hub; correct "
            "`path`, connect to the network, or give a folder with the same columns."
        ) from error
    for column, feature in table.features.items():
        if isinstance(feature, Image):
            table = table.cast_column(column, Image(decode=False))
        elif isinstance(feature, List) and isinstance(feature.feature, Image):
            table = table.cast_column(column, List(Image(decode=False)))
    return table


def _check_columns(benchmark: Benchmark, table: Dataset) -> None:
    named = list(benchmark.where) + [column for column in (benchmark.context, benchmark.each) if column]
    for template in (benchmark.prompt, benchmark.id):
        named += [
            p.column for p in parse_template(template or "") if isinstance(p, Placeholder) and p.column != "options"
        ]
    named += [column for kind, column in (benchmark.reference or {}).items() if kind != "split"]
    named += [column for kind, column in (benchmark.options or {}).items() if kind != "letters"]
    named += [benchmark.group["column"]] if benchmark.group and "column" in benchmark.group else []
    named += benchmark.images[:1] if not benchmark.interleaved else []
    absent = [column for column in dict.fromkeys(named) if column.split(".")[0] not in table.column_names]
    if absent:
        raise ValueError(
            f"benchmark {benchmark.name!r} reads {absent}, which {benchmark.path!r} does not have; its columns are "
            f"{', '.join(table.column_names)}."
        )


def _row_items(benchmark: Benchmark, split: str, table: Dataset, number: int) -> list[Item]:
    row = {key: _named(value, table.features.get(key)) for key, value in table[number].items()}
    for column, wanted in benchmark.where.items():
        if row.get(column) != wanted:
            raise BadRow(f"left out: {column} is {row.get(column)!r}, not {wanted!r}")
    entries = row[benchmark.each] if benchmark.each else [None]
    if not entries:
        raise BadRow(f"the list {benchmark.each!r} is empty")
    if not benchmark.each:
        return [_row_item(benchmark, split, number, row, "")]
    return [
        _row_item(benchmark, split, number, row | {benchmark.each: entry}, f"/{place}")
        for place, entry in enumerate(entries)
    ]


def _row_item(benchmark: Benchmark, split: str, number: int, row: dict, suffix: str) -> Item:
    options = _options(benchmark, row)
    if options:
        row = row | {"options": "\n".join(f"{LETTERS[k]}. {text}" for k, text in enumerate(options))}
    context = RowContext(row, number, benchmark.name, lambda: read_header(sources[0]).size)
    prompt = _fill(benchmark.prompt, context)
    if benchmark.context and str(row[benchmark.context] or "").strip():
        prompt = f"Context: {str(row[benchmark.context]).strip()}\n{prompt}"
    prompt, sources = _place_pictures(benchmark, row, prompt)
    name = _fill(benchmark.id, context) if benchmark.id else str(number)
    try:
        reference, truth = _reference(benchmark, row, options, sources)
    except MissingAnswer:
        reference, truth = None, ""
    return Item(
        id=f"{split}/{name}{suffix}",
        benchmark=benchmark.name,
        prompt=prompt,
        sources=sources,
        references={} if reference is None else dict.fromkeys(benchmark.metrics, reference),
        truth=truth,
        group=_group(benchmark, split, row),
        row=number,
    )


def _named(value: Any, feature: Any) -> Any:
    return name_labels(value, feature) if isinstance(feature, ClassLabel) else value


def _fill(template: str, context: RowContext) -> str:
    text = ""
    for piece in parse_template(template):
        if isinstance(piece, str):
            text += piece
            continue
        value = context.row.get(piece.column)
        if value is None or (isinstance(value, str) and not value.strip()):
            raise BadRow(f"the column {piece.column!r} is empty")
        try:
            for name in piece.transforms:
                value = TRANSFORMS[name](value, context)
        except (ValueError, TypeError) as error:
            raise BadRow(f"the column {piece.column!r} cannot be read: {error}") from error
        text += str(value).strip()
    return text


def _place_pictures(benchmark: Benchmark, row: dict, prompt: str) -> tuple[str, list]:
    """The prompt with a marker for each picture, and the pictures."""
    if benchmark.interleaved:
        named = [int(number) for number in _NUMBERED.findall(prompt)]
        columns = [f"image_{number}" for number in named] or benchmark.images[:1]
        prompt = _NUMBERED.sub("\0", prompt)
    else:
        columns = benchmark.images
    prompt = prompt.replace(MARKER, "[image]").replace("\0", MARKER)  # a question may speak of "<image>"
    sources = []
    for column in columns:
        value = row.get(column)
        found = [v for v in (value if isinstance(value, list) else [value]) if _is_picture(v)]
        if not found:
            raise BadRow(f"there is no picture in {column!r}")
        sources += found
    for source in sources:
        try:
            read_header(source, "the picture")
        except PictureError as error:
            raise BadRow(str(error)) from error
    return prompt, sources


def _is_picture(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value.get("bytes")) or bool(value.get("path"))
    return bool(value) if not isinstance(value, PILImage.Image) else True


def _options(benchmark: Benchmark, row: dict) -> list[str]:
    if not benchmark.options:
        return []
    ((kind, column),) = benchmark.options.items()
    if kind == "letters":
        found = [str(row[letter]).strip() for letter in column if str(row.get(letter) or "").strip()]
    elif kind == "in_text":
        parts = _IN_TEXT.split(str(row[column]))
        found = [text.strip().rstrip(",").strip() for text in parts[2::2]]
        if [ord(letter) - ord("A") for letter in parts[1::2]] != list(range(len(found))) or len(found) < 2:
            return [""] * 4  # MMStar always has four; without their texts only a letter can be understood
        return found
    else:
        value = row[column]
        if kind == "literal" and isinstance(value, str):
            try:
                value = ast.literal_eval(value)
            except (ValueError, SyntaxError) as error:
                raise BadRow(f"the options {value[:60]!r} are no Python list") from error
        found = [str(option) for option in value or []]
    if not 2 <= len(found) <= len(LETTERS):
        raise BadRow(f"there are {len(found)} options; expected at least 2")
    return found


def _reference(benchmark: Benchmark, row: dict, options: list[str], sources: list) -> tuple[Any, str]:
    ((kind, column),) = benchmark.reference.items()
    value = row[column]
    if value is None or value == "" or (isinstance(value, list) and not [v for v in value if v is not None]):
        raise MissingAnswer("the answer is missing")
    if kind == "text":
        return str(value), str(value)
    if kind == "texts":
        texts = [str(v) for v in (value if isinstance(value, list) else [value]) if v is not None]
        return texts, " | ".join(dict.fromkeys(texts))
    if kind == "ocrbench":
        texts = [str(v) for v in (value if isinstance(value, list) else [value])]
        return {"answers": texts, "ignore_blanks": row.get("dataset") == "HME100k"}, " | ".join(texts)
    if kind == "option":
        letter = _letter(value, options)
        text = options[LETTERS.index(letter)]
        return {"answer": letter, "options": options}, f"{letter}. {text}" if text else letter
    width, height = read_header(sources[0]).size
    try:
        x, y, w, h = (float(v) for v in value)
        thousandths = scale_box([x, y, x + w, y + h], width, height, slack=0.01)
        truth = format_box([corner / BOX_SCALE for corner in thousandths], 1, 1)
    except (ValueError, TypeError) as error:
        raise BadRow(f"the box {value!r} cannot be used: {error}") from error
    corners = (x / width, y / height, (x + w) / width, (y + h) / height)
    return [BOX_SCALE * corner for corner in corners], truth


def _letter(value: Any, options: list[str]) -> str:
    """The right option's letter, from a letter, a number counted from 0, or the option's text."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(options):
        return LETTERS[value]
    text = str(value).strip()
    if text.upper() in string.ascii_uppercase[: len(options)] and len(text) == 1:
        return text.upper()
    if text in options:
        return LETTERS[options.index(text)]
    raise BadRow(f"the answer {value!r} is none of the {len(options)} options")


def _group(benchmark: Benchmark, split: str, row: dict) -> str | None:
    if not benchmark.group:
        return None
    if benchmark.group.get("split"):
        return split
    value = row.get(benchmark.group["column"])
    return str(benchmark.group.get("names", {}).get(value, value))


# texts with their beginning given -------------------------------------------------------------------------------------------


def split_prefix(text: str, words: list[int], rng: random.Random) -> tuple[str, str]:
    """(beginning, rest) of a text after a number of words drawn between two bounds; the rest has at least one word.

    Raises:
        BadRow: the text is too short to be split there.
    """
    parts = text.split()
    most = min(words[1], len(parts) - 1)
    if most < words[0]:
        raise BadRow(f"the description has {len(parts)} words, too few for a beginning of {words[0]}")
    count = rng.randint(words[0], most)
    return " ".join(parts[:count]), " ".join(parts[count:])


def _text_references(benchmark: Benchmark, text: str, scene: dict | None) -> dict[str, Any]:
    return {metric: scene if metric == "facts" else [text] for metric in benchmark.metrics}


def _world(benchmark: Benchmark, limit: int | None, seed: int) -> tuple[list[Item], list[Problem]]:
    items = []
    for index in range(limit or 1000):
        scene = world_scene(benchmark.seed, "test", index)
        rng = random.Random(f"{seed}:{benchmark.name}:{index}")
        prompt, text = TASKS[benchmark.task](scene, rng)[0]
        prefix, rest = split_prefix(text, benchmark.prefix_words, rng) if benchmark.prefix_words else ("", text)
        where = {"seed": scene.seed, "index": scene.index}
        items.append(
            Item(
                id=f"test/{index}",
                benchmark=benchmark.name,
                prompt=benchmark.prompt or prompt,
                sources=[lambda scene=scene: render(scene, WORLD_PICTURE_SIDE)],
                references=_text_references(benchmark, rest, where),
                truth=text,
                prefix=prefix,
                facts=where,
            )
        )
    return items, []


def _described(benchmark: Benchmark, limit: int | None, seed: int) -> tuple[list[Item], list[Problem]]:
    """Rows that `nanovlms describe-dataset` wrote: `image`, `short`, `long`, `captions`, `id`."""
    saved = datasets.load_from_disk(benchmark.path)
    split = benchmark.splits[0] if benchmark.splits != ["test"] else "held_out"
    table = (saved[split] if isinstance(saved, datasets.DatasetDict) else saved).cast_column(
        "image", Image(decode=False)
    )
    order = list(range(len(table)))
    if limit is not None:
        random.Random(f"{seed}:{benchmark.name}:{split}").shuffle(order)
    items, problems = [], []
    for number in sorted(order[:limit]):
        row = table[number]
        rng = random.Random(f"{seed}:{benchmark.name}:{row['id']}")
        try:
            if not _is_picture(row["image"]):
                raise BadRow("there is no picture in 'image'")
            text = row[benchmark.task]
            if not text:
                raise BadRow(f"the description {benchmark.task!r} is missing")
            prefix, rest = split_prefix(text, benchmark.prefix_words, rng) if benchmark.prefix_words else ("", text)
        except BadRow as error:
            problems.append(Problem(f"{split}/{row['id']}", str(error)))
            continue
        items.append(
            Item(
                id=f"{split}/{row['id']}",
                benchmark=benchmark.name,
                prompt=benchmark.prompt or "Describe the picture.",
                sources=[row["image"]],
                references=_text_references(benchmark, rest, None),
                truth=text,
                prefix=prefix,
                facts={"captions": row["captions"]},
            )
        )
    return items, problems


# rows of a training source --------------------------------------------------------------------------------------------------


def _source(benchmark: Benchmark, limit: int | None, seed: int) -> tuple[list[Item], list[Problem]]:
    """The rows of a source that training with the same seed and share does not see, asked for their first answer."""
    dataset = load_source(benchmark.source_config(), seed=benchmark.seed)
    held = split_rows(dataset, benchmark.validation_fraction, benchmark.seed, benchmark.keep_together)["validation"]
    held = held.cast_column("images", List(Image(decode=False)))
    order = list(range(len(held)))
    if limit is not None:
        random.Random(f"{seed}:{benchmark.name}").shuffle(order)
    items = []
    for number in sorted(order[:limit]):
        row = held[number]
        said = [message for message in row["messages"] if message["role"] == "user"][0]
        answer = [message for message in row["messages"] if message["role"] == "assistant"][0]["content"][0]["text"]
        prompt = "".join(MARKER if part["type"] == "image" else part["text"] for part in said["content"])
        references = {metric: _source_reference(metric, answer) for metric in benchmark.metrics}
        items.append(Item(f"held_out/{number}", benchmark.name, prompt, list(row["images"]), references, answer))
    return items, []


def _source_reference(metric: str, answer: str) -> Any:
    return answer if metric in ("yes_no", "relaxed_accuracy", "detection", "ocr") else [answer]


__all__ = ["BadRow", "Benchmark", "benchmark_names", "get_benchmark", "load_benchmark", "split_prefix"]
