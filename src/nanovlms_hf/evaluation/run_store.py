"""What an evaluation has already asked, on disk: killed at any time, it goes on from there.

Each process appends to a file of its own, new at every start, one JSON line an answer; a line that was cut off by a kill is not
read. `state.json` says what the answers belong to, so that answers of another model or another question are never mixed in.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_DIGEST_BLOCK = 1 << 22


def write_atomically(path: Path, text: str) -> None:
    """Writes a text file so that a reader sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def model_digest(name: str) -> str:
    """Changes with the weights and configuration of a local model; the name itself for one on the Hub."""
    folder = Path(name)
    if not folder.is_dir():
        return name
    digest = hashlib.sha256()
    for file in sorted(
        [*folder.glob("*.safetensors"), *folder.glob("*.bin"), *folder.glob("*.json"), *folder.glob("*.jinja")]
    ):
        if file.name in ("metrics.json", "training.json"):
            continue
        digest.update(file.name.encode())
        with file.open("rb") as opened:
            while block := opened.read(_DIGEST_BLOCK):
                digest.update(block)
    return digest.hexdigest()


class RunStore:
    """The answers of one evaluation.

    Args:
        folder (`Path`): the evaluation's output folder.
        rank (`int`): this process's number.
    """

    def __init__(self, folder: str | Path, rank: int = 0):
        self.folder, self.rank = Path(folder), rank
        self.parts = self.folder / "parts"
        self._file = None

    def open(self, state: dict[str, Any], overwrite: bool = False) -> None:
        """Takes the folder into use, by the first process alone.

        Args:
            state (`dict`): what the answers depend on; equal for every start that may go on.
            overwrite (`bool`): throw away answers that are there.

        Raises:
            ValueError: the folder holds answers of another evaluation.
        """
        path = self.folder / "state.json"
        if overwrite:
            shutil.rmtree(self.parts, ignore_errors=True)
            path.unlink(missing_ok=True)
        state = json.loads(json.dumps(state))
        if path.is_file():
            kept = json.loads(path.read_text(encoding="utf-8"))
            changed = sorted(key for key in state.keys() | kept.keys() if state.get(key) != kept.get(key))
            if changed:
                raise ValueError(
                    f"{self.folder} holds an evaluation that differs in {', '.join(changed)}; give another output_dir, or "
                    "`--overwrite true`."
                )
        self.parts.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(state, indent=1))

    def read(self) -> dict[tuple[str, str, str], dict]:
        """Every answer there is: (benchmark, condition, id) -> record."""
        records = {}
        for path in sorted(self.parts.glob("*.jsonl")):
            for line in path.read_text(encoding="utf-8").split("\n"):
                try:
                    record = json.loads(line)
                    records[record["benchmark"], record["condition"], record["id"]] = record
                except (ValueError, KeyError, TypeError):
                    continue  # cut off by a kill: it is asked again
        return records

    def add(self, records: Iterable[dict]) -> None:
        """Appends answers and makes sure that they are on disk."""
        if self._file is None:
            self._file = (self.parts / f"{time.time_ns()}.{self.rank}.jsonl").open("a", encoding="utf-8")
        self._file.write("".join(json.dumps(record) + "\n" for record in records))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes this process's file."""
        if self._file is not None:
            self._file.close()
            self._file = None


__all__ = ["RunStore", "model_digest", "write_atomically"]
