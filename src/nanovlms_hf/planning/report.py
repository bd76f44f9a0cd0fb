"""A plan in words: what the step takes, whether it fits, and the YAML that makes it fit."""

from dataclasses import dataclass

import torch
import yaml

from .fitting import FRAMEWORK, Fit, find_fit
from .memory_size import format_memory
from .predicting import Prediction, predict
from .recipes import Recipe
from .workload import Workload


@dataclass(frozen=True)
class Plan:
    """What `nanovlms plan` found out.

    Args:
        workload (`Workload`): the recipe's step.
        prediction (`Prediction`): its peak.
        memory (`int`, *optional*): bytes there are.
        fit (`Fit`, *optional*): settings under which it fits; the recipe's own where they do.
        pretrained (`bool`): whether the decoder has been trained before.
    """

    workload: Workload
    prediction: Prediction
    memory: int | None = None
    fit: Fit | None = None
    pretrained: bool = True

    @property
    def total(self) -> int:
        """Bytes of the peak with the framework."""
        return self.prediction.tensors + FRAMEWORK[self.workload.device]

    @property
    def fits(self) -> bool | None:
        """Whether the recipe fits as it is; None where no memory was named."""
        return None if self.memory is None else self.total <= self.memory

    def as_dict(self) -> dict:
        """The plan as plain values, for JSON."""
        step = self.workload
        return {
            "recipe": step.kind,
            "device": step.device,
            "micro_batch": step.batch,
            "accumulation": step.accumulation,
            "tokens": step.length,
            "parameters": self.prediction.parameters,
            "trained_parameters": self.prediction.trained,
            "bytes": {**self.prediction.components, "framework": FRAMEWORK[step.device]},
            "total_bytes": self.total,
            "moment": self.prediction.moment,
            "memory_bytes": self.memory,
            "fits": self.fits,
            "settings": self.fit.keys if self.fit and not self.fits else {},
            "settings_bytes": self.fit.prediction.tensors + FRAMEWORK[step.device] if self.fit else None,
            "notes": list(step.notes),
        }

    def text(self) -> str:
        """The plan as a person reads it."""
        return "\n".join([*self._head(), *self._verdict(), *[f"note: {note}" for note in self.workload.notes]])

    def _head(self) -> list[str]:
        step, prediction = self.workload, self.prediction
        what = f"{step.kind}, micro-batch {step.batch}" + (" pairs" if step.kind == "dpo" else "")
        if step.accumulation > 1:
            what += f" x {step.accumulation}"
        if step.kind not in ("tower", "marks"):
            what += f", {step.length} tokens a row with {step.pictures} picture(s)"
        side = getattr(step.config.vision_config, "image_size", None)
        what += f", pictures of {side} px" if side else ""
        lines = [
            f"{what}, on {'a GPU' if step.device == 'cuda' else 'a CPU'}",
            f"{prediction.parameters:,} parameters, {prediction.trained:,} of them train",
            f"predicted peak, reached in the {prediction.moment} pass:"
            if prediction.moment in ("forward", "backward")
            else f"predicted peak, reached in {prediction.moment}:",
        ]
        parts = {**prediction.components, "framework": FRAMEWORK[step.device]}
        lines += [f"  {name:12}{format_memory(size):>10}" for name, size in parts.items() if size]
        return [*lines, f"  {'total':12}{format_memory(self.total):>10}"]

    def _verdict(self) -> list[str]:
        if self.memory is None:
            return []
        there = format_memory(self.memory)
        if self.fits:
            return [f"It fits into {there}."]
        if self.fit is None:
            why = "" if self.pretrained else ", and adapters make no sense on a decoder of random weights"
            cure = "take a smaller preset, smaller pictures or shorter texts, or more memory"
            return [f"It does not fit into {there} under any settings that were tried{why}; {cure}."]
        taken = format_memory(self.fit.prediction.tensors + FRAMEWORK[self.workload.device])
        return [
            f"It does not fit into {there}. It does ({taken}) with {self.fit.name}; put this into the recipe:",
            yaml.safe_dump(self.fit.keys, sort_keys=False).rstrip(),
        ]


def make_plan(recipe: Recipe, memory: int | None = None) -> Plan:
    """Predicts a recipe's peak and looks for settings that fit.

    Args:
        recipe (`Recipe`): the recipe.
        memory (`int`, *optional*): bytes there are; those of this machine's GPU when not given and there is one.

    Raises:
        ValueError: if the recipe names no model or cannot be traced.
    """
    workload = recipe.workload()
    prediction = predict(workload)
    if memory is None and workload.device == "cuda" and torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory
    plan = Plan(workload, prediction, memory, None, recipe.starts_from_weights())
    if memory is None or plan.fits:
        return plan
    fit = find_fit(workload, memory, pretrained=plan.pretrained)
    return Plan(workload, prediction, memory, fit, plan.pretrained)


__all__ = ["Plan", "make_plan"]
