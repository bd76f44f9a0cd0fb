"""Looking at a model without leaving a trace: random states, modes, buffers and attributes are as before afterwards."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


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
    attributes = [dict(vars(module)) for module in modules]
    # among them the registries of buffers and of hooks, which a forward pass may install
    inner = [(value, dict(value)) for held in attributes for value in held.values() if isinstance(value, dict)]
    values = [(buffer, buffer.clone()) for buffer in model.buffers() if not buffer.is_meta]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in values:
                buffer.copy_(value)
        for module, before in zip(modules, attributes, strict=True):
            _restore(vars(module), before)
        for registry, before in inner:
            _restore(registry, before)
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if devices is not None:
            torch.cuda.set_rng_state_all(devices)


def _restore(now: dict, before: dict) -> None:
    for key in [key for key in now if key not in before]:
        del now[key]
    now.update(before)


__all__ = ["undisturbed"]
