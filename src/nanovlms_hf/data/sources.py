"""Real data: any dataset of the `datasets` library, described by a YAML column mapping, as pictures and chat messages.

    dataset = load_source("recipes/sources/picturebooks.yaml")
    dataset[0]["images"]    # [<PIL picture, RGB>], decoded when asked for
    dataset[0]["messages"]  # [{"role": "user", "content": [{"type": "image", ...}, {"type": "text", ...}]}, ...]

Every source gives the same two columns, so sources mix with each other and with the rendered world. Loading passes over the
rows once without decoding pictures (only their headers), writes the result to the cache of `datasets`, and is a look-up the
next time. A row is a function of (seed, row number): filters, limits and workers do not change what it says.
"""

import glob
import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, IterableDataset, LargeList, List, Value
from datasets.fingerprint import Hasher

from . import chat_rows, pictures, source_config, transforms
from .chat_rows import CHAT_FEATURES, PAIR_FEATURES, RowError, RowReader
from .source_config import BUILDERS, SourceConfig, parse_source_config, read_source_config

__all__ = [
    "CHAT_FEATURES",
    "PAIR_FEATURES",
    "RowError",
    "SourceConfig",
    "SourceReport",
    "convert_dataset",
    "load_preferences",
    "load_source",
    "load_source_with_report",
    "load_sources",
    "parse_source_config",
    "read_source_config",
    "split_rows",
]

logger = logging.getLogger(__name__)

_BATCH_ROWS = 64  # pictures travel as encoded bytes, so a batch stays in the tens of MiB
_REASONS_KEPT = 5
_REASON = {"_reason": Value("string")}


@dataclass
class SourceReport:
    """What loading a source read, kept and left out.

    Attributes:
        name: the source.
        rows_read: rows that met `where` and `limit`. For a streaming source the three numbers grow while it is read, in
            the process that reads it.
        rows_kept: rows that became conversations.
        skipped: bad rows left out (`on_bad_row: skip`).
        reasons: the first few reasons, in full.
    """

    name: str
    rows_read: int = 0
    rows_kept: int = 0
    skipped: int = 0
    reasons: list[str] = field(default_factory=list)

    def add(self, reasons: Sequence[str | None]) -> None:
        """Count a batch of rows.

        Args:
            reasons: for each row, None if it is kept, else why it is not.
        """
        bad = [reason for reason in reasons if reason is not None]
        self.rows_read += len(reasons)
        self.rows_kept += len(reasons) - len(bad)
        self.skipped += len(bad)
        self.reasons += bad[: max(0, _REASONS_KEPT - len(self.reasons))]

    def sentence(self) -> str:
        """One sentence for the log."""
        text = f"source {self.name!r}: {self.rows_kept} of {self.rows_read} rows kept, {self.skipped} skipped"
        return text + (". First reasons: " + " | ".join(self.reasons) if self.reasons else "")


def load_source(
    source: SourceConfig | str | os.PathLike, split: str | None = None, seed: int = 0, cache_dir: str | None = None
) -> Dataset | IterableDataset:
    """Load one source as pictures and chat messages.

    Args:
        source: a `SourceConfig` or the path of its YAML file.
        split: overrides the source's split.
        seed: decides which wording or caption a row draws.
        cache_dir: where `datasets` keeps files; its own default if None.

    Returns:
        A dataset with the columns `images` (list of PIL pictures, decoded lazily, always RGB unless `check_pictures` is
        off) and `messages` (`CHAT_FEATURES`), or of preference pairs `PAIR_FEATURES`; an `IterableDataset` if the source streams.

    Raises:
        FileNotFoundError: a data file or YAML file that does not exist.
        ValueError: a wrong configuration, a missing column, or no row left.
        RowError: a bad row, unless the source says `on_bad_row: skip`.
    """
    return load_source_with_report(source, split, seed, cache_dir)[0]


def load_source_with_report(
    source: SourceConfig | str | os.PathLike, split: str | None = None, seed: int = 0, cache_dir: str | None = None
) -> tuple[Dataset | IterableDataset, SourceReport]:
    """As `load_source`, and say what was read, kept and skipped.

    Args:
        source, split, seed, cache_dir: as for `load_source`.

    Returns:
        (dataset, report); the report is also logged if rows were skipped.

    Raises:
        FileNotFoundError, ValueError, RowError: as `load_source`.
    """
    config = source if isinstance(source, SourceConfig) else read_source_config(source)
    raw = _load_raw(config, split or config.split, cache_dir)
    return convert_dataset(raw, config, seed, cache_dir)


def convert_dataset(
    raw: Dataset | IterableDataset, config: SourceConfig, seed: int = 0, cache_dir: str | None = None
) -> tuple[Dataset | IterableDataset, SourceReport]:
    """Turn a dataset that is already loaded into pictures and chat messages.

    Args:
        raw: the dataset, whatever its columns.
        config: which columns become what; its `path` is not used.
        seed, cache_dir: as for `load_source`.

    Returns:
        (dataset, report), as `load_source_with_report`.

    Raises:
        ValueError, RowError: as `load_source`.
    """
    if isinstance(raw, IterableDataset) and raw.features is None:
        raw = raw._resolve_features()
    columns = _needed_columns(config, list(raw.features))
    raw = raw.select_columns(columns)
    reader = RowReader(config, seed, _features_with_labels(raw.features), _picture_folder(config))
    report = SourceReport(config.name)
    if isinstance(raw, IterableDataset):
        for column in columns:
            raw = _leave_encoded(raw, column)
        return _convert_stream(raw, reader, report), report
    return _convert_table(raw, reader, report, cache_dir), report


def load_sources(
    sources: Sequence[SourceConfig | str | os.PathLike],
    split: str | None = None,
    seed: int = 0,
    stopping_strategy: str = "all_exhausted",
    cache_dir: str | None = None,
) -> Dataset | IterableDataset:
    """Load several sources as one dataset.

    Args:
        sources: configurations or YAML files. With a `weight` in each, rows are drawn from them in that proportion; without
            any, they follow each other.
        split, cache_dir: as for `load_source`.
        seed: decides every row's draws and, with weights, the order of the sources.
        stopping_strategy: "all_exhausted" repeats small sources until each row of every source was seen,
            "all_exhausted_without_replacement" sees each row once, "first_exhausted" stops with the first source that ends.

    Returns:
        The mixed dataset, the same one for the same seed; it streams if any of its sources does.

    Raises:
        ValueError: no source, or weights in some and not in others; and whatever `load_source` raises.
    """
    configs = [s if isinstance(s, SourceConfig) else read_source_config(s) for s in sources]
    pairs = [config.name for config in configs if config.is_preference]
    if pairs:
        raise ValueError(
            f"the sources {pairs} hold preference pairs (`chosen`, `rejected`), but chats are needed here; train on them with "
            "recipes/dpo.py, or write the answer as an assistant turn of `messages`."
        )
    return _mixed(configs, split, seed, stopping_strategy, cache_dir)


def load_preferences(
    sources: Sequence[SourceConfig | str | os.PathLike],
    split: str | None = None,
    seed: int = 0,
    stopping_strategy: str = "all_exhausted",
    cache_dir: str | None = None,
) -> Dataset | IterableDataset:
    """Load several sources of preference pairs as one dataset.

    Args:
        sources, split, seed, stopping_strategy, cache_dir: as for `load_sources`.

    Returns:
        The mixed dataset with the columns `images`, `prompt`, `chosen` and `rejected` (`PAIR_FEATURES`).

    Raises:
        ValueError: a source without `chosen` and `rejected`, and whatever `load_sources` raises.
    """
    configs = [s if isinstance(s, SourceConfig) else read_source_config(s) for s in sources]
    chats = [config.name for config in configs if not config.is_preference]
    if chats:
        raise ValueError(
            f"the sources {chats} hold no preference pairs: add `chosen` and `rejected`, and let `messages` end with the user."
        )
    return _mixed(configs, split, seed, stopping_strategy, cache_dir)


def _mixed(
    configs: list[SourceConfig], split: str | None, seed: int, stopping_strategy: str, cache_dir: str | None
) -> Dataset | IterableDataset:
    if not configs:
        raise ValueError("there is no source to load: give at least one.")
    unweighted = [config.name for config in configs if config.weight is None]
    if unweighted and len(unweighted) < len(configs):
        raise ValueError(f"the sources {unweighted} have no `weight` while others do: give all of them one, or none.")
    loaded = [load_source(config, split, seed, cache_dir) for config in configs]
    if any(isinstance(dataset, IterableDataset) for dataset in loaded):
        loaded = [d.to_iterable_dataset() if isinstance(d, Dataset) else d for d in loaded]
    if unweighted:
        return datasets.concatenate_datasets(loaded)
    total = sum(config.weight for config in configs)
    shares = [config.weight / total for config in configs]
    return datasets.interleave_datasets(loaded, probabilities=shares, seed=seed, stopping_strategy=stopping_strategy)


def split_rows(dataset: Dataset, validation_fraction: float, seed: int = 0, keep_together: int = 1) -> DatasetDict:
    """Split into train and validation so that no picture is on both sides.

    Rows that show the same first picture (five captions of one photo) stay together, otherwise the validation loss would
    measure memory. Similar pictures that differ in their bytes are not recognised.

    Args:
        dataset: rows with `images` and `messages`.
        validation_fraction: between 0 and 1; the validation part has at least this share, and at least one picture.
        seed: decides which pictures go where.
        keep_together: rows are taken in runs of this many, for data that shows each scene several times in a row (NLVR: 2).

    Returns:
        `DatasetDict` with "train" and "validation", rows in their old order.

    Raises:
        ValueError: a stream, a fraction outside (0, 1), a run shorter than 1, or too few different pictures.
    """
    if isinstance(dataset, IterableDataset):
        raise ValueError(
            "a streaming source cannot be split: load it without `streaming`, or read another `split` of it."
        )
    if not 0 < validation_fraction < 1:
        raise ValueError(f"validation_fraction is {validation_fraction}; expected a number between 0 and 1.")
    if keep_together < 1:
        raise ValueError(f"keep_together is {keep_together}; expected 1 or more rows.")
    keys = _picture_keys(dataset)
    keys = [keys[row - row % keep_together] for row in range(len(keys))]  # a run follows its first row
    groups = {key: [] for key in keys}
    for row, key in enumerate(keys):
        groups[key].append(row)
    if len(groups) < 2:
        raise ValueError(
            f"{len(keys)} rows with {len(groups)} different pictures cannot be split: at least 2 are needed."
        )
    order = np.random.default_rng(seed).permutation(len(groups))
    ordered, validation = list(groups.values()), []
    for place in order[:-1]:  # one group always stays for training
        validation += ordered[place]
        if len(validation) >= validation_fraction * len(keys):
            break
    chosen = set(validation)
    train = [row for row in range(len(keys)) if row not in chosen]
    return DatasetDict(train=dataset.select(train), validation=dataset.select(sorted(chosen)))


# reading ------------------------------------------------------------------------------------------------------------------


def _load_raw(config: SourceConfig, split: str, cache_dir: str | None) -> Dataset | IterableDataset:
    folder = Path(config.path)
    if any((folder / name).is_file() for name in ("state.json", "dataset_dict.json")):
        saved = datasets.load_from_disk(config.path)
        if isinstance(saved, DatasetDict):
            if split not in saved:
                raise ValueError(
                    f"source {config.name!r} has no split {split!r}: it has {', '.join(saved)}; set `split`."
                )
            saved = saved[split]
        return saved.to_iterable_dataset() if config.streaming else saved
    if config.path in BUILDERS:
        _check_files(config)
    try:
        return datasets.load_dataset(
            config.path,
            name=config.config_name,
            data_dir=config.data_dir,
            data_files=config.data_files,
            split=split,
            revision=config.revision,
            streaming=config.streaming,
            cache_dir=cache_dir,
        )
    except (StopIteration, datasets.exceptions.DatasetGenerationError) as error:
        cause = " ".join(str(error.__cause__ or error).split()) or "they hold no row"
        raise ValueError(
            f"source {config.name!r}: {config.data_files or config.data_dir or config.path} cannot be read ({cause}); mend these "
            "files, or leave the source out."
        ) from error
    except datasets.exceptions.DatasetNotFoundError as error:
        raise FileNotFoundError(
            f"source {config.name!r}: there is no folder and no dataset on the Hub called {config.path!r}, or it is private: "
            "correct `path`, or log in with `hf auth login`."
        ) from error
    except ConnectionError as error:
        raise ConnectionError(
            f"source {config.name!r}: {config.path!r} could not be fetched from the Hub; connect to the network, or save it "
            "to a folder once with `save_to_disk` and give that folder as `path`."
        ) from error


def _check_files(config: SourceConfig) -> None:
    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            value = list(value.values())
        return (
            [text for item in value for text in texts(item)] if isinstance(value, list) else [value] if value else []
        )

    base = config.data_dir or ""
    for file in [os.path.join(base, text) for text in texts(config.data_files)] or texts(config.data_dir):
        if "://" not in file and not os.path.exists(file) and not glob.glob(file, recursive=True):
            raise FileNotFoundError(
                f"source {config.name!r}: {file!r} does not exist; correct `data_files` or `data_dir` (relative paths start "
                "at the folder of the YAML file), or the environment variable in it."
            )
        if os.path.isfile(file) and not os.path.getsize(file):
            raise ValueError(f"source {config.name!r}: {file!r} is empty; fill it, or leave the source out.")


def _picture_folder(config: SourceConfig) -> str | None:
    if config.image_dir is not None:
        return config.image_dir
    if config.data_dir is not None and config.path in BUILDERS:
        return config.data_dir
    if os.path.isdir(config.path):
        return config.path
    file = config.data_files
    while isinstance(file, dict | list) and file:
        file = next(iter(file.values())) if isinstance(file, dict) else file[0]
    local = config.path in BUILDERS and isinstance(file, str) and "://" not in file and not glob.has_magic(file)
    return os.path.dirname(file) if local else None


def _needed_columns(config: SourceConfig, present: list[str]) -> list[str]:
    needed = []
    for column in config.columns():
        top = column if column in present else column.split(".")[0]
        if top not in present:
            raise ValueError(
                f"source {config.name!r} has no column {column!r}{source_config.nearest(column, present)}"
            )
        needed.append(top)
    return list(dict.fromkeys(needed))


def _leave_encoded(raw: IterableDataset, column: str) -> IterableDataset:
    """Keep pictures as {"bytes", "path"} while rows are converted. (On tables such a cast may copy the whole table.)"""
    feature = raw.features[column]
    if isinstance(feature, Image):
        return raw.cast_column(column, Image(decode=False))
    if isinstance(feature, List | LargeList) and isinstance(feature.feature, Image):
        return raw.cast_column(column, List(Image(decode=False)))
    return raw


def _features_with_labels(features: Features) -> dict[str, Any]:
    """Only the columns in which class numbers have to be written as names."""

    def holds_labels(feature: Any) -> bool:
        if isinstance(feature, dict):
            return any(holds_labels(item) for item in feature.values())
        return (
            holds_labels(feature.feature) if isinstance(feature, List | LargeList) else isinstance(feature, ClassLabel)
        )

    return {name: feature for name, feature in features.items() if holds_labels(feature)}


# converting ---------------------------------------------------------------------------------------------------------------


def _convert_table(raw: Dataset, reader: RowReader, report: SourceReport, cache_dir: str | None) -> Dataset:
    config = reader.config
    rows = _chosen_rows(raw, reader)
    if len(rows) == 0:
        raise ValueError(
            f"source {config.name!r} gives no rows ({len(raw)} before `where`): loosen `where` or check `split`."
        )
    chosen = raw if len(rows) == len(raw) and np.array_equal(rows, np.arange(len(raw))) else raw.select(rows)
    # `datasets` would hash our functions by name only, and an update of this package would find its own stale rows.
    fingerprint = Hasher.hash([chosen._fingerprint, asdict(config), reader.seed, _code_digest(config)])
    folder = Path(cache_dir or datasets.config.HF_DATASETS_CACHE) / "nanovlms_sources"
    folder.mkdir(parents=True, exist_ok=True)
    mapped = chosen.with_format("arrow").map(
        _convert_batch,
        batched=True,
        batch_size=_BATCH_ROWS,
        with_indices=True,
        fn_kwargs={"reader": reader, "rows": rows},
        remove_columns=chosen.column_names,
        features=Features({**_features_of(config), **_REASON}),
        cache_file_name=str(folder / f"{fingerprint}.arrow"),
        load_from_cache_file=True,
        new_fingerprint=fingerprint,
        desc=f"Reading {config.name}",
    )
    mapped = mapped.with_format(None)
    reasons = list(mapped["_reason"])
    report.add(reasons)
    if report.skipped:
        logger.warning(report.sentence())
    if report.rows_kept == 0:
        raise ValueError(f"{report.sentence()}. Nothing is left to train on: mend the source.")
    if report.skipped:
        mapped = mapped.select([place for place, reason in enumerate(reasons) if reason is None])
    return mapped.remove_columns("_reason")


def _chosen_rows(raw: Dataset, reader: RowReader) -> np.ndarray:
    """Row numbers after `where`, shuffle and `limit`; reads only the columns that `where` names."""
    config = reader.config
    rows = np.arange(len(raw))
    if config.where:
        named = [c.get("not_null") or c["column"] for c in config.where]
        names = [column if column in raw.column_names else column.split(".")[0] for column in named]
        tables = raw.select_columns(list(dict.fromkeys(names))).with_format("arrow").iter(_BATCH_ROWS)
        met = [reader.meets(row) for table in tables for row in table.to_pylist()]
        rows = np.flatnonzero(met)
    if config.shuffle_seed is not None:
        rows = np.random.default_rng(config.shuffle_seed).permutation(rows)
    return rows[: config.limit]


def _convert_stream(raw: IterableDataset, reader: RowReader, report: SourceReport) -> IterableDataset:
    config = reader.config
    stream = raw.map(
        _convert_stream_batch,
        batched=True,
        batch_size=_BATCH_ROWS,
        with_indices=True,
        fn_kwargs={"reader": reader, "report": report},
        remove_columns=list(raw.features),
    )
    if config.shuffle_seed is not None:
        stream = stream.shuffle(seed=config.shuffle_seed)
    if config.limit is not None:
        stream = stream.take(config.limit)
    # Features given to `map` would promise pictures that are decoded already; a cast at the end decodes them one by one.
    return stream.cast(_features_of(config))


def _features_of(config: SourceConfig) -> Features:
    return PAIR_FEATURES if config.is_preference else CHAT_FEATURES


def _convert_batch(
    batch: dict[str, list], indices: list[int], reader: RowReader, rows: np.ndarray | None = None
) -> dict:
    """{"images", "messages", "_reason"} of an Arrow table or a dict of lists; a bad row is empty and has a reason, or raises."""
    batch = batch if isinstance(batch, dict) else batch.to_pydict()
    names = list(_features_of(reader.config))
    out: dict[str, list] = {name: [] for name in (*names, "_reason")}
    for place, index in enumerate(indices):
        number = int(rows[index]) if rows is not None else index
        row = {key: values[place] for key, values in batch.items()}
        try:
            converted, reason = reader.read(row, number), None
        except RowError as error:
            if reader.config.on_bad_row == "raise":
                raise
            converted, reason = {name: [] for name in names}, str(error)
        for name in names:
            out[name].append(converted[name])
        out["_reason"].append(reason)
    return out


def _convert_stream_batch(batch: dict[str, list], indices: list[int], reader: RowReader, report: SourceReport) -> dict:
    places = [p for p in range(len(indices)) if reader.meets({key: values[p] for key, values in batch.items()})]
    met = {key: [values[p] for p in places] for key, values in batch.items()}
    out = _convert_batch(met, [indices[p] for p in places], reader)
    reasons = out.pop("_reason")
    before = report.skipped
    report.add(reasons)
    if report.skipped > before and (before == 0 or report.skipped // 100 > before // 100):
        logger.warning("%s so far (streaming)", report.sentence())
    return {
        key: [v for v, reason in zip(values, reasons, strict=True) if reason is None] for key, values in out.items()
    }


def _code_digest(config: SourceConfig) -> str:
    """Changes with the code that converts rows and with the transforms that the source uses."""
    digest = hashlib.sha256()
    for module in (chat_rows, pictures, source_config, transforms):
        digest.update(Path(module.__file__).read_bytes())
    for turn in config.messages or []:
        for template in turn.values():
            for piece in source_config.parse_template(template):
                for name in getattr(piece, "transforms", ()):
                    digest.update(Hasher.hash(getattr(transforms.TRANSFORMS[name], "__code__", name)).encode())
    return digest.hexdigest()


def _picture_keys(dataset: Dataset) -> list[str]:
    """For each row a key that is equal where the first picture is."""
    keys = []
    for table in dataset.select_columns(["images"]).with_format("arrow").iter(_BATCH_ROWS):
        for structs in table["images"].to_pylist():
            if structs:
                first = structs[0]
                content = first["bytes"] if first["bytes"] is not None else first["path"].encode()
                keys.append(hashlib.sha256(content).hexdigest())
            else:
                keys.append(f"row {len(keys)}")
    return keys
