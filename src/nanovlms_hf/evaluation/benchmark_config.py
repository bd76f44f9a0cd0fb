"""A benchmark as data: which rows, how they are asked, what is true and which metric says so.

The registry is `benchmarks.yaml` beside this file; a benchmark of your own is a YAML mapping with the same keys. Everything
that can be wrong in such a mapping is found when it is read.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ..data.source_config import SourceConfig, nearest, parse_source_config, parse_template
from ..data.tasks import TASKS
from .metrics import METRICS

LOADERS = ("hub", "world", "source", "described")
REFERENCES = ("text", "texts", "option", "box_xywh", "ocrbench")
JUDGES = ("correctness",)
OPTIONS = ("column", "literal", "letters", "in_text")
REGISTRY = Path(__file__).with_name("benchmarks.yaml")


@dataclass
class Benchmark:
    """How one benchmark is loaded, asked and scored.

    Args:
        name: what results call it.
        metrics: names from `METRICS`; the first one ranks the items.
        loader: "hub" (any dataset of the `datasets` library), "world" (the picture world), "source" (rows of a training source that
            `split_rows` puts aside) or "described" (a folder that `nanovlms describe-dataset` wrote).
        path, config_name, revision, data_files: as in `datasets.load_dataset`.
        splits: splits to read, one after the other.
        images: columns with pictures, in order; empty ones are left out as long as one is there.
        interleaved: "<image 2>" in a text stands for the second of `images`, and pictures go where the text names them.
        prompt: what the user says, "{column|transform}"; "{options}" writes the options as lines "A. text".
        context: column to put in front as "Context: ...", where it is not empty.
        each: column with a list; a row becomes one item for each entry.
        options: {column: list}, {literal: text of a Python list}, {letters: columns called A, B ...} or {in_text: column with
            "A: ..., B: ..."}.
        reference: {text|texts|option|box_xywh|ocrbench: column}.
        where: {column: value} that a row must have; others are listed as left out.
        group: {column: name}, optionally with {names: {value: group}}, or {split: true}; scores are given for each group too.
        id: template of an item's id; the row number where there is none.
        task: for the picture world, one of `TASKS`; for described data, `short` or `long`.
        prefix_words: (fewest, most) words of the truth that the model is given to go on from, as in NanoVLMs.
        judge: "correctness" lets a judge mark the answers, where an endpoint is named, as MM-Vet does; `reference` is then a text
            and `group` the capabilities, with commas between them.
        source: mapping or file of a training source.
        validation_fraction, seed, keep_together: as in `split_rows`; those of the training decide what it never saw.
        max_new_tokens: longest answer, in tokens.
        paper: for people.

    Raises:
        ValueError: an unknown or missing key, or a value that cannot be.
    """

    name: str
    metrics: list[str]
    loader: str = "hub"
    path: str | None = None
    config_name: str | None = None
    revision: str | None = None
    data_files: Any = None
    splits: list[str] = field(default_factory=lambda: ["test"])
    images: list[str] = field(default_factory=lambda: ["image"])
    interleaved: bool = False
    prompt: str | None = None
    context: str | None = None
    each: str | None = None
    options: dict[str, Any] | None = None
    reference: dict[str, str] | None = None
    where: dict[str, Any] = field(default_factory=dict)
    group: dict[str, Any] | None = None
    id: str | None = None
    task: str | None = None
    prefix_words: list[int] | None = None
    judge: str | None = None
    source: Any = None
    validation_fraction: float = 0.1
    seed: int = 0
    keep_together: int = 1
    max_new_tokens: int = 64
    paper: str = ""

    def __post_init__(self):
        if self.loader not in LOADERS:
            raise self._error(f"has loader: {self.loader!r}; expected one of {', '.join(LOADERS)}.")
        for metric in self.metrics or [None]:
            if metric not in METRICS:
                raise self._error(f"names the metric {metric!r}{nearest(str(metric), METRICS)}")
        if self.judge is not None and self.judge not in JUDGES:
            raise self._error(f"has judge: {self.judge!r}{nearest(str(self.judge), JUDGES)}")
        self._check_words()
        getattr(self, f"_check_{self.loader}")()
        for template in (self.prompt, self.id):
            if template is not None:
                parse_template(template)

    def _error(self, sentence: str) -> ValueError:
        return ValueError(f"benchmark {self.name!r} {sentence}")

    def _check_words(self) -> None:
        words = self.prefix_words
        if words is not None and not (len(words) == 2 and 1 <= words[0] <= words[1]):
            raise self._error(f"has prefix_words: {words}; expected the fewest and the most words, such as [6, 7].")

    def _check_hub(self) -> None:
        if not self.path or not self.prompt or not self.reference:
            raise self._error("needs `path`, `prompt` and `reference`: where it lies, what is asked and what is true.")
        self._check_choice("reference", self.reference, REFERENCES)
        if "option" in self.reference and not self.options:
            raise self._error("has a reference that is an option, so it needs `options`: say which columns hold them.")
        if self.options:
            self._check_choice("options", self.options, OPTIONS)

    def _check_choice(self, key: str, value: Any, choices: tuple[str, ...]) -> None:
        if not isinstance(value, Mapping) or len(value) != 1 or next(iter(value)) not in choices:
            raise self._error(f"has {key}: {value!r}; expected one of {', '.join(choices)} and a column.")

    def _check_world(self) -> None:
        if self.task not in TASKS:
            raise self._error(f"has task: {self.task!r}{nearest(str(self.task), TASKS)}")

    def _check_described(self) -> None:
        if not self.path or self.task not in ("short", "long"):
            raise self._error("needs `path`, a folder of described pictures, and `task`, short or long.")

    def _check_source(self) -> None:
        if self.source is None:
            raise self._error("needs `source`: the mapping or the file of a training source.")

    def source_config(self) -> SourceConfig:
        """The training source, with relative paths starting at the working directory."""
        if isinstance(self.source, Mapping):
            return parse_source_config(dict(self.source), os.getcwd(), f"benchmark {self.name!r}")
        from ..data.source_config import read_source_config

        return read_source_config(self.source)


@cache
def _registry() -> dict[str, dict]:
    return yaml.safe_load(REGISTRY.read_text(encoding="utf-8"))


def benchmark_names() -> list[str]:
    """The names in the registry, in its order."""
    return list(_registry())


def get_benchmark(entry: str | Mapping) -> Benchmark:
    """A benchmark by name, or by a mapping whose `name` may be one of the registry and whose other keys override it.

    Raises:
        ValueError: an unknown name or key, or a value that cannot be.
    """
    given = {"name": entry} if isinstance(entry, str) else dict(entry)
    name = given.get("name")
    if not isinstance(name, str):
        raise ValueError(f"the benchmark {entry!r} has no `name`; give one of the registry, or a mapping with a name.")
    base = given.pop("base", name)
    if base not in _registry() and not set(given) - {"name"}:
        raise ValueError(f"there is no benchmark {name!r}{nearest(name, benchmark_names())}")
    merged = {**_registry().get(base, {}), **given}
    known = [item.name for item in fields(Benchmark)]
    for key in merged:
        if key not in known:
            raise ValueError(f"benchmark {name!r} has the unknown key {key!r}{nearest(str(key), known)}")
    if not merged.get("metrics"):
        raise ValueError(f"benchmark {name!r} names no `metrics`; give at least one.")
    return Benchmark(**merged)


__all__ = ["JUDGES", "LOADERS", "OPTIONS", "REFERENCES", "Benchmark", "benchmark_names", "get_benchmark"]
