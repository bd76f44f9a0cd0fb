"""Optimizers with a learning rate for each component of a model, or with Muon, for any trainer."""

import torch
from peft import PeftModel

from .components import COMPONENTS, component_of
from .muon import muon_optimizer


class ComponentRatesMixin:
    """For a `transformers.Trainer` whose arguments have `component_learning_rates` and `muon_learning_rate`."""

    def create_optimizer(self, model=None):
        """The optimizer that the arguments ask for; the trainer's own where they ask for neither.

        Raises:
            ValueError: if a component is unknown or has nothing that an adapter trains, or if Muon and rates by component are both
                asked for.
        """
        rates = dict(self.args.component_learning_rates or {})
        muon_rate = self.args.muon_learning_rate
        if self.optimizer is not None or not (rates or muon_rate):
            return super().create_optimizer(model)
        if rates and muon_rate:
            raise ValueError("component_learning_rates and muon_learning_rate were both given; give one of them.")
        model = model or self.model
        if muon_rate:
            self.optimizer = muon_optimizer(model, self.args)
        else:
            optimizer_class, options = self.get_optimizer_cls_and_kwargs(self.args, model)
            self.optimizer = optimizer_class(self._groups_by_component(model, rates), **options)
        return self.optimizer

    def _groups_by_component(self, model: torch.nn.Module, rates: dict[str, float]) -> list[dict]:
        unknown = sorted(set(rates) - set(COMPONENTS))
        if unknown:
            raise ValueError(
                f"component_learning_rates names {unknown}, which is no component; choose from {', '.join(COMPONENTS)}."
            )
        decayed = set(self.get_decay_parameter_names(model))
        groups: dict[tuple[str, bool], list] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                groups.setdefault((component_of(name), name in decayed), []).append(parameter)
        idle = sorted(set(rates) - {component for component, _ in groups})
        if idle and isinstance(model, PeftModel):
            raise ValueError(
                f"component_learning_rates names {idle}, of which the adapter trains nothing; name it in lora_target_modules or "
                "lora_modules_to_save too, or leave its rate out."
            )
        return [
            {
                "params": parameters,
                "lr": float(rates.get(component, self.args.learning_rate)),
                "weight_decay": self.args.weight_decay if decays else 0.0,
            }
            for (component, decays), parameters in groups.items()
        ]


__all__ = ["ComponentRatesMixin"]
