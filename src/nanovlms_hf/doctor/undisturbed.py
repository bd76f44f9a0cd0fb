"""Looking at a model without leaving a trace: random states, modes, buffers and attributes are as before afterwards."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

# What modules register stands in these; they are dictionaries of objects that looking does not replace.
_REGISTERED = ("_parameters", "_modules", "_buffers")


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Restores, when left, the random states and all that a forward pass may change in a model, bit for bit.

    Gradients (`.grad`) and parameters are not saved: the checks use `torch.autograd.grad`, and put back what they move.

    Args:
        model (`nn.Module`): the model that is looked at.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    modules = list(model.modules())
    attributes = [{key: value for key, value in vars(item).items() if key not in _REGISTERED} for item in modules]
    buffers = [dict(module._buffers) for module in modules]
    values = {
        id(buffer): (buffer, buffer.clone())
        for held in buffers
        for buffer in held.values()
        if buffer is not None and not buffer.is_meta
    }
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in values.values():
                buffer.copy_(value)
        for module, before, held in zip(modules, attributes, buffers, strict=True):
            _restore(vars(module), before, kept=_REGISTERED)
            _restore(module._buffers, held)
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if devices is not None:
            torch.cuda.set_rng_state_all(devices)


def _restore(now: dict, before: dict, kept: tuple[str, ...] = ()) -> None:
    for key in [key for key in now if key not in before and key not in kept]:
        del now[key]
    now.update(before)


__all__ = ["undisturbed"]
