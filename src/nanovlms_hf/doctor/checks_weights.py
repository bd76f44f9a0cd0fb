"""The check that weights loaded: names and shapes against the file a model is named after, and values against its numbers.

What `from_pretrained` reported is taken where the caller kept it. Otherwise the file is asked again with the model on the meta
device, which reads no weights, and a sample of its numbers is laid beside the model's.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import PreTrainedModel
from transformers.utils import logging

from .case import Case
from .finding import WARNING, Finding

_SAMPLED = 16
_FEWEST, _MOST = 4, 0.8  # a part that was swapped is no fault, a whole model of other numbers is
_UNRELATED = 0.2  # cosine between a weight and the file's: 1 when it loaded, near 0 when it is random


def check_weights(case: Case) -> list[Finding]:
    """Weights that the named checkpoint lacks, has in another shape, or has and the model did not take."""
    model = case.plain
    info, source = case.loading_info, str(getattr(model, "name_or_path", "") or "the checkpoint")
    if info is None:
        info = _asked_again(model) or {}
    missing = sorted(info.get("missing_keys") or [])
    reshaped = sorted(
        str(entry[0] if isinstance(entry, (tuple, list)) else entry) for entry in info.get("mismatched_keys") or []
    )
    unexpected = sorted(info.get("unexpected_keys") or [])
    if missing or reshaped or unexpected:
        return [_misfit(source, missing, reshaped, unexpected)]
    compared, unlike = _compared_values(model)
    if compared >= _FEWEST and unlike >= _MOST * compared:
        return [
            weights_not_loaded(
                f"{unlike} of {compared} weights compared are unlike those of the same name in {source}: the model is named after it "
                "but holds other numbers, as one built from its configuration alone"
            )
        ]
    return []


def weights_not_loaded(what: str, severity: str = "error") -> Finding:
    """The finding of weights that stayed random, or that were in the file for nothing."""
    return Finding(
        "weights_not_loaded",
        what,
        "the run starts from random numbers where it was meant to go on from trained ones",
        "load with the class and configuration that saved the weights (from_pretrained, not from_config), and read what it says of "
        "missing and unexpected keys",
        severity,
    )


def _misfit(source: str, missing: list[str], reshaped: list[str], unexpected: list[str]) -> Finding:
    kinds = [
        (missing, "are not in the file and stayed random"),
        (reshaped, "have another shape there and stayed random"),
        (unexpected, "are in the file but not in the model"),
    ]
    said = "; ".join(
        f"{len(names)} weights {kind} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
        for names, kind in kinds
        if names
    )
    return weights_not_loaded(f"of {source}, {said}", "error" if missing or reshaped else WARNING)


def _folder(model: nn.Module) -> Path | None:
    """The folder that a model is named after: its own, or that of its repository in the cache."""
    name = getattr(model, "name_or_path", "")
    if not name:
        return None
    folder = Path(name)
    if not folder.is_dir():
        try:
            cached = try_to_load_from_cache(name, "config.json")
        except HFValidationError:
            return None
        folder = Path(cached).parent if isinstance(cached, str) else folder
    return folder if any(folder.glob("*.safetensors")) else None


def _asked_again(model: nn.Module) -> dict[str, Any] | None:
    """What loading a model's own folder reports, without its weights; None where there is no folder to ask."""
    folder = _folder(model)
    if folder is None or not isinstance(model, PreTrainedModel) or getattr(model, "is_quantized", False):
        return None
    speaks, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        _, info = type(model).from_pretrained(folder, device_map="meta", output_loading_info=True)
    except (OSError, ValueError, RuntimeError, TypeError, SafetensorError):
        return None
    finally:
        logging.set_verbosity(speaks)
        if bars:
            logging.enable_progress_bar()
    return info


@torch.no_grad()
def _compared_values(model: nn.Module) -> tuple[int, int]:
    """How many matrices of a model were laid beside those of its file, and how many of them are unlike."""
    folder = _folder(model)
    if folder is None or getattr(model, "is_quantized", False):
        return 0, 0
    ours = {name.replace(".base_layer.", "."): value for name, value in model.named_parameters() if value.ndim > 1}
    compared = unlike = 0
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            pairs = [(name, _name_in_the_model(name, ours)) for name in file.keys()]  # noqa: SIM118 - not a mapping
            pairs = [(name, own) for name, own in pairs if own]
            for name, own in pairs[:: max(len(pairs) // _SAMPLED, 1)]:
                theirs, mine = file.get_tensor(name).float().flatten(), ours[own].detach().float().cpu().flatten()
                if theirs.shape == mine.shape and theirs.any():
                    compared += 1
                    unlike += bool(torch.cosine_similarity(theirs, mine, dim=0).abs() < _UNRELATED)
    return compared, unlike


def _name_in_the_model(name: str, ours: Iterable[str]) -> str | None:
    """What a weight of the file is called in the model: the same, or the only name with the same end, where prefixes moved."""
    if name in ours:
        return name
    pieces = name.split(".")
    for start in range(1, len(pieces) - 2):
        end = "." + ".".join(pieces[start:])
        found = [own for own in ours if own.endswith(end)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


__all__ = ["check_weights", "weights_not_loaded"]
