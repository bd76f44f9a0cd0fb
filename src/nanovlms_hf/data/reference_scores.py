"""Reference log-probabilities of preference pairs, on disk: computed once, used by every later training on the same pairs.

DPO (arXiv 2305.18290) compares the model that trains with the model it started from. The latter never changes, so its scores are a
column of the data: with them no second model sits in memory. A file is found by a key made of the reference model, the data and
the settings that change a score; every row also carries a digest of its texts and pictures, so that a row that is not the one
which was scored is noticed when it is read.

A file appears whole or not at all: it is written beside its place and moved there in one step.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import datasets
import numpy as np
from datasets import Dataset

_COLUMNS = ("chosen", "rejected", "digests")
_PARTIAL = ".partial-"


@dataclass(frozen=True)
class ReferenceScores:
    """Log-probabilities that a reference model gives to the texts of each row.

    Attributes:
        chosen, rejected: summed over the text's tokens; float64, `(rows,)`.
        digests: what each row held when it was scored (`row_digest`); uint64, `(rows,)`.
    """

    chosen: np.ndarray
    rejected: np.ndarray
    digests: np.ndarray

    def __len__(self) -> int:
        return len(self.chosen)


def default_folder() -> Path:
    """Where scores are kept unless a run says otherwise: beside what `datasets` keeps."""
    return Path(datasets.config.HF_DATASETS_CACHE) / "nanovlms_reference_scores"


def scores_key(model_digest: str, rows: Dataset, settings: dict[str, Any]) -> str:
    """The name of the scores of a reference model on some data.

    Args:
        model_digest: changes with the weights of the reference model and with its configuration.
        rows: the pairs.
        settings: whatever else changes a score, such as the processor's configuration.

    Returns:
        64 hexadecimal digits; another model, other data, other settings or other code of this folder give others.
    """
    told = json.dumps(
        [model_digest, rows._fingerprint, len(rows), settings, _code_digest()], sort_keys=True, default=str
    )
    return hashlib.sha256(told.encode()).hexdigest()


def _code_digest() -> str:
    """Changes with the code that draws rows: `datasets` knows a transform by its name and settings alone."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def row_digest(row: dict[str, Any]) -> int:
    """A number of 64 bits for the prompt, texts and pictures of a row."""
    digest = hashlib.blake2b(digest_size=8)
    for key in ("prompt", "chosen", "rejected"):
        digest.update(json.dumps(row[key], sort_keys=True, default=str).encode())
    for picture in row.get("images") or []:
        digest.update(repr((picture.mode, picture.size)).encode() + picture.tobytes())
    return int.from_bytes(digest.digest(), "little")


def read_scores(folder: str | os.PathLike, key: str) -> ReferenceScores | None:
    """The scores of a key; None where there are none, or where the file is not whole."""
    file = Path(folder) / f"{key}.npz"
    try:
        with np.load(file, allow_pickle=False) as saved:
            return ReferenceScores(*(saved[name] for name in _COLUMNS))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def write_scores(folder: str | os.PathLike, key: str, scores: ReferenceScores) -> Path:
    """Writes the scores of a key in one step, and removes what killed runs left half-written; returns the file."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    remove_partial(folder)
    handle, name = tempfile.mkstemp(prefix=f"{_PARTIAL}{os.getpid()}-", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **{column: getattr(scores, column) for column in _COLUMNS})
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, folder / f"{key}.npz")
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return folder / f"{key}.npz"


def remove_partial(folder: str | os.PathLike) -> None:
    """Removes files that a process which is no more was writing when it was killed."""
    for file in Path(folder).glob(f"{_PARTIAL}*"):
        if not _runs(int(file.name.removeprefix(_PARTIAL).split("-")[0])):
            file.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def cached_scores(
    folder: str | os.PathLike,
    key: str,
    rows: Dataset,
    compute: Callable[[Iterable[dict]], Iterable[tuple[float, float]]],
) -> ReferenceScores:
    """The scores of a key from disk, or computed now and kept.

    Args:
        folder: where scores are kept.
        key: their name (`scores_key`).
        rows: the pairs.
        compute: gives the log-probabilities of the chosen and the rejected text of each row, in order.
    """
    found = read_scores(folder, key)
    if found is not None and len(found) == len(rows):
        return found
    scores = compute_scores(rows, compute)
    write_scores(folder, key, scores)
    return scores


def compute_scores(
    rows: Iterable[dict], compute: Callable[[Iterable[dict]], Iterable[tuple[float, float]]]
) -> ReferenceScores:
    """Computes the scores of rows; see `cached_scores`."""
    digests: list[int] = []

    def noted() -> Iterable[dict]:
        for row in rows:
            digests.append(row_digest(row))
            yield row

    pairs = np.array(list(compute(noted())), dtype=np.float64).reshape(-1, 2)
    return ReferenceScores(pairs[:, 0], pairs[:, 1], np.array(digests, dtype=np.uint64))


class ScoredRows:
    """Adds its reference scores to each row; a picklable class, so that data-loader workers can have it.

    Args:
        rows (`Dataset`): the pairs.
        scores (`ReferenceScores`): their scores, in the same order.
    """

    def __init__(self, rows: Dataset, scores: ReferenceScores):
        self.rows, self.scores = rows, scores

    def __call__(self, batch: dict) -> dict:
        rows = [self.row(index) for index in batch["index"]]
        return {key: [row[key] for row in rows] for key in rows[0]}

    def row(self, index: int) -> dict:
        """A row with `ref_chosen_logps` and `ref_rejected_logps`; raises ValueError if it is not the row that was scored."""
        row = self.rows[index]
        if row_digest(row) != int(self.scores.digests[index]):
            raise ValueError(
                f"row {index} is not the row whose reference scores are on disk; start again, so that the scores are computed anew, "
                "and leave the data as it is while a training runs."
            )
        scores = {"ref_chosen_logps": self.scores.chosen[index], "ref_rejected_logps": self.scores.rejected[index]}
        return row | {name: float(value) for name, value in scores.items()}


def scored_dataset(rows: Dataset, scores: ReferenceScores) -> Dataset:
    """The pairs with `ref_chosen_logps` and `ref_rejected_logps`, under the names that TRL's DPO trainer reads.

    Raises:
        ValueError: if there are not as many scores as rows.
    """
    if len(scores) != len(rows):
        raise ValueError(
            f"{len(scores)} reference scores were given for {len(rows)} rows; compute them for these rows."
        )
    return Dataset.from_dict({"index": range(len(rows))}).with_transform(ScoredRows(rows, scores))


__all__ = [
    "ReferenceScores",
    "ScoredRows",
    "cached_scores",
    "compute_scores",
    "default_folder",
    "read_scores",
    "remove_partial",
    "row_digest",
    "scored_dataset",
    "scores_key",
    "write_scores",
]
