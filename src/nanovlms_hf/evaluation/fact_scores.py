"""Facts right and wrong on held-out pictures, with the two controls that show whether the model looks.

`_blank` gives a grey picture, `_shuffled` gives another example's picture; the words are scored against the right scene in
all three conditions. A model that only knows how sentences go scores the same in all of them.
"""

from dataclasses import dataclass, field

from PIL import Image
from transformers import PreTrainedModel, ProcessorMixin

from ..data.drawing import render
from ..data.facts import corpus_scores
from ..data.scenes import DEFAULT_WORLD, Scene, WorldConfig
from ..data.world import world_scene
from .describing import describe_pictures, picture_side
from .fact_intervals import fact_intervals

CONDITIONS = ("", "_blank", "_shuffled")


@dataclass
class Sample:
    """One held-out picture and what the model said under each condition (`""`, `"_blank"`, `"_shuffled"`)."""

    scene: Scene
    picture: Image.Image
    said: dict[str, str] = field(default_factory=dict)


def evaluate_facts(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    pictures: int = 256,
    *,
    seed: int = 0,
    world: WorldConfig = DEFAULT_WORLD,
    prompt: str = "Describe the picture.",
    batch_size: int = 32,
    max_new_tokens: int = 96,
    controls: bool = True,
) -> tuple[dict, list[Sample]]:
    """Describes held-out pictures of the world and scores the facts.

    Args:
        model, processor: a model and its processor.
        pictures (`int`, defaults to 256): held-out pictures; the first ones of the `test` split.
        seed (`int`, defaults to 0): seed of the world.
        world (`WorldConfig`): kinds, colours, styles and counts of the pictures.
        prompt, batch_size, max_new_tokens: as in `describe_pictures`.
        controls (`bool`, defaults to `True`): whether to give blank and shuffled pictures too.

    Returns:
        `tuple[dict, list[Sample]]`: `facts_precision`, `facts_recall`, `facts_f1`, the same with `_blank` and `_shuffled`,
        each with its 95 % bootstrap interval under `..._interval`, and `by_type` with precision, recall and F1 of each type
        of fact; then the samples.

    Raises:
        ValueError: if fewer than two pictures are asked for: nothing could be shuffled.
    """
    if pictures < 2:
        raise ValueError(f"pictures={pictures}: the shuffled control needs at least 2.")
    side = picture_side(model)
    samples = []
    for index in range(pictures):
        scene = world_scene(seed, "test", index, world)
        samples.append(Sample(scene, render(scene, side)))
    right = [sample.picture for sample in samples]
    given = {
        "": right,
        "_blank": [Image.new("RGB", (side, side), (128, 128, 128))] * pictures,
        "_shuffled": right[1:] + right[:1],
    }
    metrics: dict = {"pictures": pictures}
    for condition in CONDITIONS if controls else CONDITIONS[:1]:
        words = describe_pictures(
            model, processor, given[condition], prompt, batch_size=batch_size, max_new_tokens=max_new_tokens
        )
        for sample, text in zip(samples, words, strict=True):
            sample.said[condition] = text
        pairs = [(text, sample.scene) for sample, text in zip(samples, words, strict=True)]
        scores, intervals = corpus_scores(pairs), fact_intervals(pairs)
        overall = scores.pop("all")
        for name in ("precision", "recall", "f1"):
            metrics[f"facts_{name}{condition}"] = round(overall[name], 4)
            metrics[f"facts_{name}{condition}_interval"] = intervals[name]
        metrics[f"by_type{condition}"] = scores
    return metrics, samples


__all__ = ["CONDITIONS", "Sample", "evaluate_facts"]
