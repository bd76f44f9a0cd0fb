"""The components of a nanovlms model, by the names that recipes use: to freeze, to adapt, to keep in full precision."""

from collections.abc import Iterable

COMPONENTS = ("vision_tower", "vocabulary", "connector", "vocabulary_connector", "language_model")


def component_of(parameter_name: str) -> str:
    """The component that a parameter of `NanoVLMsForConditionalGeneration` belongs to; the head counts to the decoder.

    A parameter of an adapter belongs to the component that it adapts.
    """
    name = parameter_name.removeprefix("base_model.model.")
    for component in COMPONENTS:
        if name.startswith((f"model.{component}.", f"{component}.")):
            return component
    return "language_model"


def check_components(key: str, names: Iterable[str]) -> None:
    """Raises ValueError, naming the recipe's key, if a name is that of no component."""
    unknown = sorted(set(names) - set(COMPONENTS))
    if unknown:
        raise ValueError(f"{key}={unknown} names no component; choose from {', '.join(COMPONENTS)}.")


__all__ = ["COMPONENTS", "check_components", "component_of"]
