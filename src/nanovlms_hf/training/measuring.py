"""What a training run measures besides its losses: parameters, memory, hardware, and what it was given.

A model card tells only what stands in `training.json` and `metrics.json`, so whatever a card shall tell is measured here.
"""

import platform
import re
import resource
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from ..data.source_config import SourceConfig, read_source_config
from .arguments import DataArguments
from .low_bits import parameter_count

_WRAPPERS = re.compile(r"^(?:module\.|base_model\.model\.|model\.)+")


def component_name(parameter_name: str) -> str:
    """The part of a model that a parameter belongs to: the first name below the model; the head counts to the decoder."""
    name = _WRAPPERS.sub("", parameter_name).split(".")[0]
    return "language_model" if name == "lm_head" else name


def count_parameters(model: nn.Module) -> dict:
    """Parameters of a model as it trains.

    Returns:
        `dict`: `total`, `trainable`, `frozen`, `embedding` (token and position tables and the head, each counted once), and
        `components`: name -> `{"total", "trainable"}`.
    """
    components: dict[str, dict[str, int]] = {}
    for name, parameter in model.named_parameters():
        counts = components.setdefault(component_name(name), {"total": 0, "trainable": 0})
        counts["total"] += parameter_count(parameter)
        counts["trainable"] += parameter_count(parameter) * parameter.requires_grad
    tables = [module.weight for module in model.modules() if isinstance(module, nn.Embedding)]
    head = getattr(model, "get_output_embeddings", lambda: None)()
    tables += [] if head is None else [head.weight]
    total = sum(counts["total"] for counts in components.values())
    trainable = sum(counts["trainable"] for counts in components.values())
    return {
        "total": total,
        "trainable": trainable,
        "frozen": total - trainable,
        "embedding": sum({id(table): table.numel() for table in tables}.values()),
        "components": components,
    }


def peak_memory_mib(device: torch.device | str) -> dict[str, float]:
    """The most memory that this process has held so far, in MiB: `resident`, and `accelerator` where the device is one."""
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes there, KiB elsewhere
    peak = {"resident": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)}
    if torch.device(device).type == "cuda":
        peak["accelerator"] = round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    return peak


def hardware(device: torch.device | str) -> str:
    """The device that trained, in words: the accelerator's name, or the processor's and the cores it lent."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    names = re.findall(r"model name\s*:\s*(.+)", _read("/proc/cpuinfo"))
    return f"{names[0].strip() if names else platform.processor() or platform.machine()} (CPU)"


def _read(path: str) -> str:
    return Path(path).read_text() if Path(path).is_file() else ""


def code_revision() -> dict[str, str | None]:
    """Version of this package and, in a checkout, its commit; `+changes` marks a tree that differs from the commit."""
    from .. import __version__

    def git(*words: str) -> str | None:
        here = Path(__file__).parent
        try:
            done = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    if commit and git("status", "--porcelain", "--untracked-files=no", "--", "."):
        commit += "+changes"
    return {"nanovlms_hf": __version__, "commit": commit}


def command_line() -> str:
    """The command that this process runs: a script by its path below the working directory, a program by its name."""
    script = Path(sys.argv[0])
    if script.suffix == ".py" and script.resolve().is_relative_to(Path.cwd()):
        return shlex.join([str(script.resolve().relative_to(Path.cwd())), *sys.argv[1:]])
    return shlex.join([script.name, *sys.argv[1:]])


def describe_data(arguments: DataArguments, train_rows: int, validation_rows: int) -> dict:
    """What a stage trained on, for `training.json`: the picture world, each source with its licence, or each part of a mixture."""
    rows = {"train_rows": train_rows, "validation_rows": validation_rows}
    if isinstance(arguments.mixture, list):
        return describe_mixture(arguments.mixture, arguments.world_seed, **rows)
    if not arguments.sources:
        return describe_world(
            arguments.world_seed, arguments.world, mixture=arguments.mixture or {"short": 1.0}, **rows
        )
    return {"sources": describe_sources(read_source_config(path) for path in arguments.sources), **rows}


def describe_world(seed: int, world: dict | None, **settings) -> dict:
    """The built-in picture world as an entry for `training.json`."""
    return {"picture_world": {"seed": seed, "world": world or {}, "license": "apache-2.0"}, **settings}


def describe_mixture(entries: list[dict], seed: int, **settings) -> dict:
    """A mixture as an entry for `training.json`: each part with its share, and the sources among the parts with their licences.

    Args:
        entries (`list[dict]`): entries of a recipe's mixture (`data/mixture_config.py`).
        seed (`int`): the mixture's seed.
        settings: what else belongs into the entry, such as `train_rows`.
    """
    total = sum(entry["weight"] for entry in entries)
    parts, sources = [], []
    for entry in entries:
        kind = next(key for key in entry if key not in ("name", "weight", "seed"))
        parts.append({"name": entry["name"], "kind": kind, "share": round(entry["weight"] / total, 6)})
        if kind == "source" and entry["weight"]:
            file = entry[kind]["file"] if isinstance(entry[kind], dict) else entry[kind]
            sources.append(read_source_config(file))
        else:
            parts[-1]["options"] = entry[kind] or {}
    told = {"seed": seed, "parts": parts}
    return told | ({"sources": describe_sources(sources)} if sources else {}) | settings


def describe_sources(sources: Iterable[SourceConfig]) -> list[dict]:
    """Name, place, revision and licence of each source; what is not known is left out."""
    told = ("name", "path", "config_name", "split", "revision", "limit", "weight", "license", "attribution")
    return [{key: value for key, value in asdict(source).items() if key in told and value} for source in sources]


__all__ = [
    "code_revision",
    "command_line",
    "component_name",
    "count_parameters",
    "describe_data",
    "describe_mixture",
    "describe_sources",
    "describe_world",
    "hardware",
    "peak_memory_mib",
]
