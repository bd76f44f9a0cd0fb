"""What an optimizer keeps for each parameter, and what its step takes beside that."""

from types import SimpleNamespace

import torch
from torch import nn

from ..training.muon import muon_optimizer

# Bytes a parameter of transformers' `OptimizerNames` (bitsandbytes' documentation for its own).
_BYTES = {
    "adamw_torch": 8,
    "adamw_torch_fused": 8,
    "adamw_apex_fused": 8,
    "adafactor": 0,
    "adagrad": 4,
    "sgd": 0,
    "rmsprop": 4,
    "adamw_bnb_8bit": 2,
    "adamw_8bit": 2,
    "paged_adamw_8bit": 2,
    "paged_adamw_32bit": 8,
    "ademamix": 12,
    "ademamix_8bit": 3,
    "paged_ademamix_32bit": 12,
    "paged_ademamix_8bit": 3,
    "lion_32bit": 4,
    "lion_8bit": 1,
    "paged_lion_32bit": 4,
    "paged_lion_8bit": 1,
    "rmsprop_bnb": 4,
    "rmsprop_bnb_32bit": 4,
    "rmsprop_bnb_8bit": 1,
}
_LEAST_QUANTISED = 4096  # bitsandbytes keeps the state of smaller tensors in fp32
_BLOCK = 256  # values that share one fp32 scale


def check_optimizer(name: str) -> None:
    """Raises ValueError for an optimizer whose memory is not known."""
    if name not in _BYTES:
        raise ValueError(
            f"optim={name!r} is an optimizer whose memory is not known; choose one of {', '.join(_BYTES)}."
        )


class PlannedOptimizer:
    """An optimizer on fake parameters with the memory of the real one.

    torch's AdamW and our Muon are run; for the others, whose kernels want real tensors, buffers of their size are held.

    Args:
        model (`nn.Module`): the model; frozen parameters have no state.
        name (`str`): transformers' name of the optimizer.
        muon (`bool`): Muon with AdamW instead.
        device (`str`): `cuda`, where torch's AdamW works on all parameters at once, or `cpu`.
    """

    def __init__(self, model: nn.Module, name: str, muon: bool, device: str):
        check_optimizer(name)
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.held: list[torch.Tensor] = []
        self.optimizer = None
        if muon:
            self.optimizer = muon_optimizer(
                model, SimpleNamespace(learning_rate=1e-3, muon_learning_rate=1e-2, weight_decay=0.0)
            )
        elif name in ("adamw_torch", "adamw_torch_fused"):
            fused = name.endswith("fused")
            foreach = None if fused else device == "cuda"
            self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-3, fused=fused or None, foreach=foreach)
        else:
            tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
            eight_bit = "8bit" in name
            for parameter in self.parameters:
                whole = eight_bit and (parameter.numel() < _LEAST_QUANTISED or id(parameter) in tables)
                self.held.append(torch.empty(_state_bytes(parameter.numel(), name, whole), dtype=torch.uint8))

    def states(self) -> list[torch.Tensor]:
        """The tensors that stay from step to step."""
        if self.optimizer is None:
            return self.held
        return [t for state in self.optimizer.state.values() for t in state.values() if isinstance(t, torch.Tensor)]

    def step(self) -> None:
        """One update."""
        if self.optimizer is not None:
            self.optimizer.step()


def _state_bytes(values: int, name: str, whole: bool) -> int:
    each = _BYTES[name]
    if "8bit" not in name:
        return each * values
    if whole:  # each of the 8-bit states is held in fp32
        return 4 * each * values
    return each * values + each * 4 * -(-values // _BLOCK)


__all__ = ["PlannedOptimizer", "check_optimizer"]
