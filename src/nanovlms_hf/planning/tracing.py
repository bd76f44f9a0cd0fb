"""Counting the bytes of tensors that are alive, on tensors that hold nothing.

A training step is run for real, forward, backward and optimizer, but on fake tensors (`torch._subclasses.FakeTensorMode`): they
know shape, type and device and have no memory. What autograd saves, what a checkpoint throws away and what a kernel leaves
behind is then what it is in a run, for any model, and no formula has to know the model.

Whole numbers and truth values are computed for real: they are small, and models look into them (how many placeholders are
there? is anything padded?). Comparisons of floating-point values, which are not known, are all False.
"""

import weakref
from collections.abc import Iterable
from contextlib import contextmanager

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

COMPONENTS = ("weights", "reference", "gradients", "optimizer", "inputs", "activations", "logits")
_SCALAR = torch.ops.aten._local_scalar_dense.default
_DEVICE = torch.ops.prim.device.default
_INDEXING = (
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put.default,
    torch.ops.aten.index_put_.default,
    torch.ops.aten._unsafe_index_put.default,
)


def fake_mode() -> FakeTensorMode:
    """A mode in which new tensors are fake and real ones may be mixed in."""
    return FakeTensorMode(allow_non_fake_inputs=True)


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of tensors alive by component, after each operation that made some.

    Enter it inside a `fake_mode()`. A tensor's bytes count from the operation that made its storage, or from `hold`, until the
    storage is freed.

    Args:
        widths_of_logits (`Iterable[int]`): last sizes by which logits are told from other activations.

    Attributes:
        timeline (`list[tuple[int, ...]]`): bytes of each of `COMPONENTS` after each operation that took memory.
    """

    def __init__(self, widths_of_logits: Iterable[int] = ()):
        super().__init__()
        self.widths_of_logits = frozenset(widths_of_logits)
        self.live = dict.fromkeys(COMPONENTS, 0)
        self.timeline: list[tuple[int, ...]] = []
        self._labels: dict[int, tuple[str, int]] = {}
        self._label = "activations"

    @contextmanager
    def labelled(self, label: str):
        """Counts what is made inside to another component than the activations."""
        before, self._label = self._label, label
        try:
            yield
        finally:
            self._label = before

    def hold(self, tensors: Iterable[torch.Tensor], label: str) -> None:
        """Counts tensors that are there already, or moves counted ones to another component."""
        for tensor in tensors:
            self._count(tensor, label)

    def _count(self, tensor: torch.Tensor, label: str | None = None) -> bool:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._labels:
            old, size = self._labels[key]
            if label is None or label == old:
                return False
            self.live[old] -= size
        else:
            weakref.finalize(storage, self._free, key).atexit = False
        label = label or self._label_of(tensor)
        self._labels[key] = (label, size)
        self.live[label] += size
        return size > 0

    def _label_of(self, tensor: torch.Tensor) -> str:
        is_logits = tensor.ndim > 1 and tensor.shape[-1] in self.widths_of_logits and tensor.is_floating_point()
        return "logits" if self._label == "activations" and is_logits else self._label

    def _free(self, key: int) -> None:
        label, size = self._labels.pop(key)
        self.live[label] -= size

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is _DEVICE:  # three of four calls; a fake tensor answers slowly
            return torch.device("cpu")
        kwargs = kwargs or {}
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        is_fake = any(isinstance(tensor, FakeTensor) for tensor in given)
        if is_fake and func is _SCALAR:
            return 1.0
        if is_fake and func in _INDEXING:
            args = (args[0], _by_number(args[1]), *args[2:])
        outputs = func(*args, **kwargs) if is_fake else self._run_on_numbers(func, given, args, kwargs)
        if is_fake:
            outputs = tree_map(_known_numbers, outputs)
        made = [self._count(leaf) for leaf in tree_leaves(outputs) if isinstance(leaf, torch.Tensor)]
        if any(made):
            self.timeline.append(tuple(self.live.values()))
        return outputs

    @staticmethod
    def _run_on_numbers(func, given: list, args: tuple, kwargs: dict):
        """Runs an operation that no fake tensor takes part in: for real, unless it takes or makes floating-point values."""
        if any(tensor.is_floating_point() for tensor in given):
            return func(*args, **kwargs)
        if not given and _has_floats(made := func(*args, **kwargs)):
            return made
        with unset_fake_temporarily():
            made = func(*args, **kwargs)
        return func(*args, **kwargs) if _has_floats(made) else made


def _has_floats(outputs) -> bool:
    return any(isinstance(leaf, torch.Tensor) and leaf.is_floating_point() for leaf in tree_leaves(outputs))


def _by_number(indices: list) -> list:
    """Indices with each mask replaced by the numbers of its true places, so that the size of what is taken is known."""
    numbers = []
    for index in indices:
        is_mask = isinstance(index, torch.Tensor) and index.dtype == torch.bool
        if is_mask:
            with unset_fake_temporarily():
                numbers.extend(index.nonzero().unbind(dim=1))
        else:
            numbers.append(index)
    return numbers


def _known_numbers(value):
    """A tensor of zeros for a fake one of whole numbers or truth values; anything else as it is."""
    if isinstance(value, FakeTensor) and value.dtype in (torch.bool, torch.int64, torch.int32):
        with unset_fake_temporarily():
            return torch.zeros(value.shape, dtype=value.dtype)
    return value


__all__ = ["COMPONENTS", "LiveBytes", "fake_mode"]
