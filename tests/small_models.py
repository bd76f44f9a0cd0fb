"""A small tokenizer, small models and their inputs, all built in memory from a seed."""

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from nanovlms_hf import (
    NanoVLMsConfig,
    NanoVLMsForConditionalGeneration,
)

SPECIAL_TOKENS = ["<|pad|>", "<|end|>", "<|user|>", "<image>", "<|assistant|>", "<|system|>"]
PAD, END, IMAGE = 0, 1, 3
VOCAB_SIZE = 300


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level tokenizer of 300 tokens; `<image>` has id 3, as the configuration expects by default."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["what is in the picture? a red dog and a blue cat sit on the mat"] * 4, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        additional_special_tokens=SPECIAL_TOKENS[2:],
        model_input_names=["input_ids", "attention_mask"],
    )


def vision_fields(**fields) -> dict:
    """The smallest tower of ours: 16x16 pixels, four patches, two blocks."""
    small = {"image_size": 16, "patch_size": 8, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    return {"model_type": "nanovlms_vision", "intermediate_size": 48} | small | fields


def text_fields(model_type: str = "llama", **fields) -> dict:
    """The smallest decoder of a kind, with the token ids of `build_tokenizer`."""
    ids = {"vocab_size": VOCAB_SIZE, "pad_token_id": PAD, "bos_token_id": None, "eos_token_id": END}
    if model_type == "gpt2":
        shape = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}
        shape |= {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    else:
        shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
        shape |= {"num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 128}
    return {"model_type": model_type} | ids | shape | fields


# The compositions that behaviour is tested on: both stems, both position kinds, all connectors, tied and untied.
COMPOSITIONS = {
    "paper": {
        "vision_config": vision_fields(),
        "text_config": text_fields("gpt2", tie_word_embeddings=False),
        "image_tokens": "cls",
        "connector_hidden_size": 64,
    },
    "modern": {
        "vision_config": vision_fields(stem="conv", stem_channels=[16, 32], use_cls_token=False, qk_norm=True),
        "text_config": text_fields("qwen3", tie_word_embeddings=True),
        "connector": "pixel_shuffle",
        "connector_norm": True,
    },
    "patches": {
        "vision_config": vision_fields(stem="linear"),
        "text_config": text_fields("llama", tie_word_embeddings=False),
        "connector": "linear",
    },
}


def build_model(composition: str = "patches", seed: int = 0, **fields) -> NanoVLMsForConditionalGeneration:
    """A composition with random weights, large enough that outputs of different inputs differ clearly."""
    torch.manual_seed(seed)
    model = NanoVLMsForConditionalGeneration(NanoVLMsConfig(**COMPOSITIONS[composition] | fields)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.mul_(4.0 if "language_model" not in name or "embed" in name or "wte" in name else 3.0)
            elif name.endswith(("language_model.norm.weight", "ln_f.weight")):
                parameter.normal_()  # with tied embeddings a model would otherwise repeat its input for ever
            elif not parameter.any():
                parameter.normal_(std=0.2)  # biases and branches that start at zero take part too
    # Random models would otherwise stop at odd places.
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = PAD
    return model


def vocabulary_fields(**fields) -> dict:
    """The smallest vocabulary: 32x32 pixels, an 8x8 grid, two convolutions, four tokens of 24 channels."""
    backbone = vision_fields(image_size=32, patch_size=4, stem="conv", stem_channels=[16], use_cls_token=False)
    small = {"backbone_config": backbone, "downsample_channels": [16, 24]}
    return {"model_type": "nanovlms_vocabulary"} | small | fields


def two_towers(**fields) -> NanoVLMsConfig:
    """The smallest model with a vision vocabulary beside its tower."""
    base = {"vision_config": vision_fields(stem="linear"), "text_config": text_fields(tie_word_embeddings=False)}
    return NanoVLMsConfig(**base | {"connector": "linear", "vocabulary_config": vocabulary_fields()} | fields)


def build_two_towers(config: NanoVLMsConfig, seed: int = 0) -> NanoVLMsForConditionalGeneration:
    """A model of any configuration whose outputs for different inputs differ clearly, as with `build_model`."""
    torch.manual_seed(seed)
    model = NanoVLMsForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4.0)
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = None, 0
    return model


def build_inputs(model, pictures=(1, 1), words=6, seed=0) -> dict:
    """Rows of equal length with the given numbers of pictures, placeholders first; short rows get more words."""
    generator = torch.Generator().manual_seed(seed)
    config = model.config
    length = max(pictures) * config.image_seq_length + words
    rows = []
    for count in pictures:
        placeholders = torch.full((count * config.image_seq_length,), IMAGE)
        text = torch.randint(10, VOCAB_SIZE, (length - len(placeholders),), generator=generator)
        rows.append(torch.cat([text[:2], placeholders, text[2:]]))
    input_ids = torch.stack(rows)
    inputs = {"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids)}
    if sum(pictures):
        size = config.vision_config.image_size
        inputs["pixel_values"] = torch.randn(sum(pictures), 3, size, size, generator=generator)
    return inputs


def picture(seed: int = 0, width: int = 20, height: int = 12) -> Image.Image:
    """A picture of noise."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)
