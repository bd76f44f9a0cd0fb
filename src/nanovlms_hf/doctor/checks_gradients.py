"""Checks of what trains: every trainable parameter gets a gradient, no frozen one does.

A trainable parameter without a gradient is of one of three kinds, told apart by moving it a little: the outputs change, then
the way back to it is cut (a `detach`, a tower under `no_grad`); they do not change and all of its part is like that, then the
part does not take part at all; or it is a left-over that nothing reads, such as the last norm of CLIP in Llava, which is well.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .case import Case, loss_of, pixel_keys, run, signal
from .finding import Finding

_MOVED_AT_MOST = 64_000_000  # numbers that are moved and put back
_SAME = 1e-6


def check_gradients(case: Case, picture_used: bool) -> list[Finding]:
    """Frozen parameters with a gradient, and trainable ones without.

    Args:
        case (`Case`): the model and rows.
        picture_used (`bool`): whether pictures take part in the outputs; if not, that is a finding of its own, and no part is
            said to be idle.
    """
    trainable = {name: value for name, value in case.model.named_parameters() if value.requires_grad}
    stale = [
        name for name, value in case.model.named_parameters() if not value.requires_grad and value.grad is not None
    ]
    got = _with_gradient(case, trainable) if trainable else set()
    findings = []
    moving = [name for name in trainable if name in got and is_frozen(name, case.frozen)]
    if moving or stale:
        findings.append(_frozen(case, moving, stale))
    without = [name for name in trainable if name not in got and not is_frozen(name, case.frozen)]
    if without:
        findings += _without(case, trainable, without, picture_used)
    return findings


def is_frozen(name: str, frozen: Sequence[str]) -> bool:
    """Whether a parameter is meant not to train: it belongs to a part that is named, or is a weight under a LoRA layer."""
    dotted = f".{name}"
    if ".base_layer." in dotted and "modules_to_save" not in dotted and dotted.endswith(".weight"):
        return True
    if "language_model" in frozen and dotted.endswith(".lm_head.weight"):  # the head counts to the decoder
        return True
    return any(f".{part}." in dotted for part in frozen)


def _frozen(case: Case, moving: list[str], stale: list[str]) -> Finding:
    said = ", ".join(case.frozen) or "the base of the adapters"
    kinds = [f"{_some(moving)} get a gradient though {said} should not train"] if moving else []
    kinds += [f"{_some(stale)} are frozen but hold a gradient of before"] if stale else []
    return Finding(
        "frozen_with_gradient",
        " and ".join(kinds),
        "weights that were meant to stay as they are move away",
        "freeze after everything that builds or wraps the model (requires_grad_(False)), then set their .grad to None and make the "
        "optimizer of the trainable ones only",
    )


def _without(case: Case, trainable: dict, without: list[str], picture_used: bool) -> list[Finding]:
    cut = _move_the_outputs(case, trainable, without)
    if cut:
        what = f"{_some(without)} get no gradient, though the outputs depend on them"
    else:
        idle = _idle_parts(trainable, without) if picture_used and pixel_keys(case.shown) else {}
        if not idle:
            return []
        names = [name for part in idle.values() for name in part]
        what = f"{_some(names)} get no gradient: nothing of {', '.join(idle)} takes part in the outputs"
    return [
        Finding(
            "trainable_without_gradient",
            what,
            "they keep their initial values while the optimizer holds states for them",
            "look for a detach(), a no_grad or a part that forward leaves out; freeze what is not meant to train",
        )
    ]


def _some(names: list[str]) -> str:
    """A number of parameters and the first three names."""
    return f"{len(names)} parameter(s) ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"


def _with_gradient(case: Case, trainable: dict[str, nn.Parameter]) -> set[str]:
    """Names of the parameters that the loss of one batch, in training mode, has a gradient for; `.grad` stays as it is."""
    with torch.enable_grad(), _training(case.model):
        batch = case.shown
        loss = loss_of(run(case, batch), batch)
        if not loss.requires_grad:
            return set()
        gradients = torch.autograd.grad(loss, list(trainable.values()), allow_unused=True)
    return {name for name, gradient in zip(trainable, gradients, strict=True) if gradient is not None}


@contextmanager
def _training(model: nn.Module) -> Iterator[None]:
    """Training mode without what it changes: batch norms keep their statistics, and nothing is checkpointed."""
    model.train()
    checkpointed = [module for module in model.modules() if getattr(module, "gradient_checkpointing", False)]
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
    for module in checkpointed:
        module.gradient_checkpointing = False
    try:
        yield
    finally:
        for module in checkpointed:
            module.gradient_checkpointing = True
        model.eval()


@torch.no_grad()
def _move_the_outputs(case: Case, trainable: dict[str, nn.Parameter], names: list[str]) -> bool:
    """Whether the outputs change when parameters are moved; they are put back bit for bit."""
    chosen, numbers = [], 0
    for name in names:
        numbers += trainable[name].numel()
        if numbers > _MOVED_AT_MOST and chosen:
            break
        chosen.append(trainable[name])
    before = [parameter.detach().clone() for parameter in chosen]
    said = signal(case, case.shown)
    try:
        for parameter in chosen:
            parameter.add_(torch.randn_like(parameter) * 0.1 + 0.5 * parameter)
        moved = signal(case, case.shown)
    finally:
        for parameter, value in zip(chosen, before, strict=True):
            parameter.copy_(value)
    return bool(((moved - said).abs() > _SAME * said.abs().max()).any()) or not bool(torch.isfinite(moved).all())


def _idle_parts(trainable: dict[str, nn.Parameter], without: list[str]) -> dict[str, list[str]]:
    """The parts of the model, such as a tower or a connector, of which no parameter got a gradient, with their names."""
    members: dict[str, list[str]] = {}
    for name in trainable:
        members.setdefault(part_of(name), []).append(name)
    missing = set(without)
    return {part: names for part, names in members.items() if missing.issuperset(names)}


def part_of(name: str) -> str:
    """The part of a model that a parameter belongs to: the first name behind PEFT's and the model's own prefixes."""
    pieces = name.removeprefix("base_model.model.").split(".")
    return pieces[1] if pieces[0] == "model" and len(pieces) > 1 else pieces[0]


__all__ = ["check_gradients", "is_frozen", "part_of"]
