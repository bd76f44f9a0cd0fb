"""The peak of a real run's live tensors, counted operation by operation: what the predictions are held against.

Nothing here is taken from `nanovlms_hf.planning`.
"""

import gc

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode


class LiveTensors(TorchDispatchMode):
    """Notes every storage that an operation takes or gives, and after each operation adds up those that are still alive."""

    def __init__(self):
        super().__init__()
        self.alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.total = self.peak = 0

    def note(self, value) -> None:
        if isinstance(value, torch.Tensor):
            if value.device.type != "cpu":
                return
            storage = value.untyped_storage()
            held = self.alive.get(storage._cdata)
            if held is not None:
                if not held[0].expired():
                    if held[1] != storage.nbytes():  # resized
                        self.total += storage.nbytes() - held[1]
                        self.alive[storage._cdata] = (held[0], storage.nbytes())
                    return
                self.total -= held[1]
            self.alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
            self.total += storage.nbytes()
        elif isinstance(value, (list, tuple)):
            for item in value:
                self.note(item)
        elif isinstance(value, dict):
            self.note(list(value.values()))

    def sweep(self) -> None:
        for key in [key for key, (reference, _) in self.alive.items() if reference.expired()]:
            self.total -= self.alive.pop(key)[1]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        outputs = func(*args, **(kwargs or {}))
        self.note(args)
        self.note(kwargs or {})
        self.note(outputs)
        if self.total > self.peak:
            self.sweep()
            self.peak = max(self.peak, self.total)
        return outputs


def measure(run, *models) -> int:
    """Peak bytes of the tensors alive while `run()` runs; the models' weights count from its beginning."""
    gc.collect()
    counter = LiveTensors()
    for model in models:
        counter.note([*model.parameters(), *model.buffers()])
    with counter:
        run()
    return counter.peak


__all__ = ["LiveTensors", "measure"]
