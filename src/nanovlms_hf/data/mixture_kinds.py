"""The kinds of rows that a recipe's mixture may name, each a function of the entry's options; see `mixture_config.py`.

| kind | options |
|---|---|
| documents | fields of `DocumentConfig`; `task`; `texts`: {path, column, split, data_files} of a dataset whose words to set |
| charts | fields of `ChartConfig`; `task` |
| detection | fields of `DetectionConfig`; `world` (fields of `WorldConfig`) |
| referring | as detection; `questions` |
| negatives | `image_size`, `crowd_share`, `dense_share`, `paraphrase`, `class_share`, `backdrop_share`, `world`; `pictures`, a folder |
| scenes | `mixture` (conversation -> weight), `world`, `image_size` |
| pdfs | `folder`, `task`, and the options of `PdfPages` |
| source | a source's YAML file, or `file` with `splits`, `validation_fraction`, `keep_together`, `shuffle_window` |
"""

from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from inspect import signature
from typing import Any

from datasets import Dataset, IterableDataset

from .charts import ChartConfig, chart_row
from .detection import DetectionConfig, detection_row
from .documents import DocumentConfig, document_row
from .mixture_config import config_from, read_options, register_rows
from .mixture_parts import DrawnRows, RowSource, StreamRows, TableRows
from .negatives import negative_row, picture_files
from .pdfs import PdfPages
from .referring import referring_row
from .scenes import WorldConfig
from .sources import load_source, split_rows
from .text_columns import open_text_column
from .world import WorldRows

VALIDATION_FRACTION = 0.05
_SPLIT_SEED = 0  # never the mixture's: a training mixture and its validation must agree on which pictures are whose


@register_rows("documents")
def documents(options: Any, *, split: str, seed: int, image_size: int) -> RowSource:
    """Pages that are drawn."""
    own, config = own_and_config(options, ("task", "texts"), DocumentConfig, image_size, "documents")
    if own.get("texts") is not None:
        own["texts"] = open_text_column(own["texts"], config)
    return DrawnRows(partial(document_row, seed, split, config=config, **own))


@register_rows("charts")
def charts(options: Any, *, split: str, seed: int, image_size: int) -> RowSource:
    """Charts that are drawn."""
    own, config = own_and_config(options, ("task",), ChartConfig, image_size, "charts")
    return DrawnRows(partial(chart_row, seed, split, config=config, **own))


@register_rows("detection")
def detection(options: Any, *, split: str, seed: int, image_size: int) -> RowSource:
    """Scenes that are asked for boxes."""
    own, config = own_and_config(options, ("world",), DetectionConfig, image_size, "detection")
    world = config_from(WorldConfig, own.get("world"), "detection, `world`,")
    return DrawnRows(partial(detection_row, seed, split, world=world, config=config))


@register_rows("referring")
def referring(options: Any, *, split: str, seed: int, image_size: int) -> RowSource:
    """Scenes that are asked where one thing is."""
    own, config = own_and_config(options, ("world", "questions"), DetectionConfig, image_size, "referring")
    own["world"] = config_from(WorldConfig, own.get("world"), "referring, `world`,")
    return DrawnRows(partial(referring_row, seed, split, config=config, **own))


@register_rows("negatives")
def negatives(options: Any, *, split: str, seed: int, image_size: int) -> RowSource:
    """Pictures that lack what they are asked for."""
    known = (
        "image_size",
        "crowd_share",
        "dense_share",
        "paraphrase",
        "class_share",
        "backdrop_share",
        "world",
        "pictures",
    )
    given = read_options(options, known, "negatives")
    shares = {key: given[key] for key in ("class_share", "backdrop_share") if key in given}
    drawing = {key: given[key] for key in ("image_size", "crowd_share", "dense_share", "paraphrase") if key in given}
    config = config_from(DetectionConfig, {"image_size": image_size, **drawing}, "negatives")
    world = config_from(WorldConfig, given.get("world"), "negatives, `world`,")
    pictures = picture_files(given["pictures"]) if given.get("pictures") else None
    return DrawnRows(partial(negative_row, seed, split, world=world, config=config, pictures=pictures, **shares))


@register_rows("scenes")
def scenes(options: Any, *, split: str, seed: int, image_size: int) -> RowSource:
    """The picture world."""
    given = read_options(options, ("mixture", "world", "image_size"), "scenes")
    mixture = given.get("mixture") or {"short": 1.0}
    world = config_from(WorldConfig, given.get("world"), "scenes, `world`,")
    return DrawnRows(WorldRows(seed, split, given.get("image_size", image_size), dict(mixture), world).row)


@register_rows("pdfs")
def pdfs(options: Any, *, split: str, seed: int, image_size: int) -> RowSource:
    """Pages of PDF files."""
    known = [name for name in signature(PdfPages).parameters if name not in ("split", "seed")]
    given = read_options(options, known, "pdfs")
    if not isinstance(given.get("folder"), str):
        raise ValueError(f"pdfs has folder={given.get('folder')!r}; expected the path of a folder with PDF files.")
    return PdfPages(split=split, seed=seed, **{"image_size": image_size, **given})


@register_rows("source")
def source(options: Any, *, split: str, seed: int, image_size: int) -> RowSource:
    """Real data: a file alone, or with what to do about splits and streams.

    `splits` is {train: name, validation: name, test: name} of the dataset's own; without it a table is split by its pictures
    into train and validation. `validation_fraction` and `keep_together` are those of `split_rows`, `shuffle_window` is that
    of `StreamRows`.
    """
    known = ("file", "splits", "validation_fraction", "keep_together", "shuffle_window")
    given = read_options({"file": options} if isinstance(options, str) else options, known, "source")
    if not isinstance(given.get("file"), str):
        raise ValueError(f"source has file={given.get('file')!r}; expected the path of a source's YAML file.")
    splits = read_options(given.get("splits"), ("train", "validation", "test"), "source, `splits`,")
    if splits and split not in splits:
        raise ValueError(f"source names no {split!r} among its `splits`; add `{split}: NAME`.")
    rows = load_source(given["file"], split=splits.get(split), seed=seed)
    if isinstance(rows, IterableDataset):
        if not splits and split != "train":
            raise ValueError(
                f"source {given['file']!r} streams and cannot be split; name the dataset's own with `splits: {{train: ..., "
                f"{split}: ...}}`."
            )
        return StreamRows(rows, given["file"], seed, given.get("shuffle_window", 256))
    if not splits:
        rows = _part_of_table(rows, split, given)
    return TableRows(rows)


def own_and_config(
    options: Any, own: Sequence[str], config_class: type, image_size: int, what: str
) -> tuple[dict, Any]:
    """The options named in `own`, and the configuration that all others make; raises ValueError as `config_from`."""
    names = [item.name for item in fields(config_class)]
    given = read_options(options, [*own, *names], what)
    kept = {key: given.pop(key) for key in own if key in given}
    return kept, config_from(config_class, {"image_size": image_size, **given}, what)


def _part_of_table(rows: Dataset, split: str, given: dict[str, Any]) -> Dataset:
    if split not in ("train", "validation"):
        raise ValueError(f"source is split into train and validation only; name a {split!r} of its own with `splits`.")
    fraction = given.get("validation_fraction", VALIDATION_FRACTION)
    return split_rows(rows, fraction, _SPLIT_SEED, given.get("keep_together", 1))[split]


__all__ = ["charts", "detection", "documents", "negatives", "own_and_config", "pdfs", "referring", "scenes", "source"]
