"""Stage 1: a vision vocabulary learns by having a small decoder write out dense text and boxes (Vary-toy, section 3.1).

`nanovlms_hf.vocabulary.pretrain` runs this stage, measures what was learned and writes the artifact; `recipes/
pretrain_vocabulary.py` calls that.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, PreTrainedModel
from transformers.utils import logging

from ..data.marks import marks_of, words_of
from ..image_processing_nanovlms import NanoVLMsImageProcessor
from ..locating import check_source
from ..modeling_nanovlms import NanoVLMsVisionVocabulary
from ..presets import reading_config
from . import sft
from .arguments import DataArguments, ModelArguments, StageArguments
from .building import build
from .low_bits import in_low_bits
from .pushing import PushTowerMixin
from .reading_model import ReadingModel
from .trainer import NanoVLMsSFTTrainer, SupervisedCollator

logger = logging.get_logger(__name__)


@dataclass
class ReadingArguments:
    """What stage 1 adds to a stage.

    Args:
        init_from (`str`, *optional*): saved weights, local or on the Hub, that the vocabulary's backbone starts from, such as
            SAM's (`facebook/sam-vit-base`); what matches and what is missing is reported.
        slots (`int`, defaults to 6): characters a token is marked with at most.
        mark_weight (`float`, defaults to 1.0): weight of the marks beside the decoder's loss; 0 trains as the paper does.
        word_weight (`float`, defaults to 0.0): weight of a loss that holds what the decoder gets of each square to the words for
            what it shows (see `reading_model.word_loss`); 0 trains as the paper does.
        test_rows (`int`, defaults to 64): held-out rows of each part of the mixture that are read out at the end.
    """

    init_from: str | None = field(default=None, metadata={"help": "Saved weights for the backbone, such as SAM's."})
    slots: int = field(default=6, metadata={"help": "Characters a token is marked with at most."})
    mark_weight: float = field(default=1.0, metadata={"help": "Weight of the marks; 0 trains as the paper does."})
    word_weight: float = field(
        default=0.0, metadata={"help": "Weight of the squares' words; 0 trains as the paper does."}
    )
    test_rows: int = field(default=64, metadata={"help": "Held-out rows of each part that are read out at the end."})


class ReadingCollator(SupervisedCollator):
    """Chats about pictures with the marks of their tokens.

    Args:
        grid (`int`): tokens along a side of a picture.
        slots (`int`): characters a token is marked with at most.
        words (`bool`, defaults to `False`): whether to give the tokens' words too.
    """

    def __init__(self, *args, grid: int, slots: int, words: bool = False, **kwargs):
        super().__init__(*args, **kwargs)
        self.grid, self.slots = grid, slots
        self.vocabulary = self.processor.tokenizer.get_vocab() if words else None

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """As `SupervisedCollator`, with `marks`: for each kind the classes of shape `(images, tokens, slots)`.

        With words also `words`, ids of shape `(images, tokens, slots)`.
        """
        drawn = [row for row in examples if row["images"]]
        marks = [marks_of(row, self.grid, self.slots) for row in drawn]
        batch = super().torch_call(examples)
        if marks:
            batch["marks"] = {name: torch.from_numpy(np.stack([row[name] for row in marks])) for name in marks[0]}
        if drawn and self.vocabulary:
            words = [words_of(row, self.grid, self.vocabulary, self.slots) for row in drawn]
            batch["words"] = torch.from_numpy(np.stack(words))
        return batch


class ReadingTrainer(PushTowerMixin, NanoVLMsSFTTrainer):
    """Trainer of a `ReadingModel`; the loss of the marks is logged beside the decoder's, as `mark_loss`.

    It publishes the vision vocabulary alone. `nanovlms_hf.vocabulary` writes the card, which holds what is read out at the end.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # a mean over each batch, where Trainer takes the decoder's over all tokens of the accumulated ones
        self.model.mark_scale = 1.0 / self.args.gradient_accumulation_steps

    def tower_for_hub(self) -> tuple[NanoVLMsVisionVocabulary, NanoVLMsImageProcessor]:
        """The vision vocabulary and its image processor."""
        model = self.accelerator.unwrap_model(self.model)
        return model.model.vision_tower, self.processing_class.image_processor

    def create_model_card(self, *args, **kwargs) -> None:
        """The card is there already, written with the artifact."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """As SFTTrainer's."""
        result = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        mark_loss = self.accelerator.unwrap_model(model).mark_loss
        if model.training and mark_loss is not None:
            self._metrics["train"]["mark_loss"].append(self.accelerator.gather(mark_loss).mean().item())
        return result


def train(
    model_arguments: ModelArguments,
    data_arguments: DataArguments,
    reading: ReadingArguments,
    arguments: StageArguments,
    finish: Callable,
) -> dict:
    """Trains the vocabulary of a preset; `finish(trainer, processor, seconds, first_step, data)` writes what the stage leaves.

    Raises:
        ValueError: if the recipe names no mixture or no preset with a vocabulary, or rows have several pictures.
    """
    if not isinstance(data_arguments.mixture, list):
        raise ValueError(
            "stage 1 trains on a mixture, but the recipe's mixture is no list of entries; see recipes/vary-nano/"
            "1_vocabulary.yaml."
        )
    if model_arguments.model_name_or_path or not model_arguments.preset:
        raise ValueError(
            "stage 1 needs a preset with a vision vocabulary, such as vary-nano; to train a saved one further, give its folder as "
            "vision_tower beside the preset."
        )
    if model_arguments.use_peft or in_low_bits(model_arguments):
        raise ValueError(
            "stage 1 learns all weights of a vision vocabulary, so there is no base for an adapter or for fewer bits; leave use_peft, "
            "load_in_8bit and load_in_4bit out."
        )
    config = reading_config(model_arguments.preset, **(model_arguments.overrides or {}))
    if reading.init_from:
        check_source("init_from", reading.init_from)
    vision = config.vision_config
    return sft.run(
        model_arguments,
        data_arguments,
        arguments,
        build=partial(_build, reading=reading),
        collate=partial(
            ReadingCollator,
            grid=vision.image_size // vision.patch_size,
            slots=reading.slots,
            words=reading.word_weight > 0,
        ),
        finish=finish,
        side=vision.image_size,
        trainer_class=ReadingTrainer,
    )


def _build(model_arguments: ModelArguments, texts: Callable, reading: ReadingArguments):
    model, processor = build(
        model_arguments,
        texts,
        config_of=reading_config,
        model_of=partial(
            ReadingModel, slots=reading.slots, mark_weight=reading.mark_weight, word_weight=reading.word_weight
        ),
    )
    if reading.init_from:
        start_backbone(model.model.vision_tower, reading.init_from)
    return model, processor


@torch.no_grad()
def start_backbone(vocabulary: NanoVLMsVisionVocabulary, source: str) -> dict[str, list[str]]:
    """Copies the matching weights of a saved model into a vocabulary's backbone and reports the others.

    Args:
        vocabulary (`NanoVLMsVisionVocabulary`): the vocabulary to start.
        source (`str`): directory or Hub id: of the backbone alone, or of a model that holds one as `vision_encoder`, such as
            SAM, or as `backbone`.

    Returns:
        `dict`: names of the backbone's weights: `matched`, `missing` (not in the file: they stay random) and `reshaped` (of
        another shape in the file: likewise), and `unused`, those that only the file has.

    Raises:
        ValueError: if no weight matches.
    """
    saved: PreTrainedModel = AutoModel.from_pretrained(source, dtype=torch.float32, use_safetensors=True)
    ours, theirs = vocabulary.backbone.state_dict(), saved.state_dict()
    inner = [""] + [f"{name}." for name in ("backbone", "vision_tower") if hasattr(saved, name)]
    prefix = max(inner, key=lambda start: sum(start + name in theirs for name in ours))
    found = {name: theirs[prefix + name] for name in ours if prefix + name in theirs}
    matched = [name for name in found if found[name].shape == ours[name].shape]
    report = {
        "matched": matched,
        "missing": [name for name in ours if name not in found],
        "reshaped": [name for name in found if name not in matched],
        "unused": sorted(set(theirs) - {prefix + name for name in found}),
    }
    if not matched:
        raise ValueError(
            f"init_from={source!r} holds no weight of the vocabulary's backbone ({type(vocabulary.backbone).__name__}, "
            f"{len(ours)} weights); name a model of that kind, such as a SAM whose shapes the preset has."
        )
    vocabulary.backbone.load_state_dict({name: found[name] for name in matched}, strict=False)
    shown = {
        key: f"{len(names)}" + (f" ({', '.join(names[:3])}, ...)" if names else "") for key, names in report.items()
    }
    logger.warning(
        f"{source}: {len(matched)} of {len(ours)} weights of the backbone loaded; missing {shown['missing']}, of another shape "
        f"{shown['reshaped']}, not used {shown['unused']}"
    )
    return report


__all__ = ["ReadingArguments", "ReadingCollator", "ReadingTrainer", "start_backbone", "train"]
