"""The family as data: name -> configuration. Nothing is subclassed for a size.

The faithful presets follow Table 1 of NanoVLMs (arXiv 2502.07838). What the paper leaves open (vocabulary, context, MLP
ratio, stem width) is chosen so that the parameters fall as its Table 2 says; `nanovlms presets` prints both side by side.
The `vary-` presets follow Vary-toy (arXiv 2401.12503): `vary-tiny` is its stage 1 with the exact shapes, `vary-toy` the merged
model, `vary-nano` the same mechanism small enough to learn on two CPU cores.
The `-modern` twins have at most the parameters of the faithful preset and the shape that was measured to learn faster
(docs/log.md).
"""

from copy import deepcopy
from dataclasses import dataclass, field

import torch
from torch import nn

from .configuration_nanovlms import NanoVLMsConfig

# The paper names no vocabulary: Table 2's decoder shares imply about this many tokens.
PAPER_VOCAB_SIZE = 2200
PAPER_CONTEXT = 1000


@dataclass(frozen=True)
class Preset:
    """One member of the family.

    Attributes:
        vision (`dict`): fields of the tower's configuration.
        text (`dict`): fields of the decoder's configuration; `vocab_size` is set by the tokenizer.
        model (`dict`): fields of `NanoVLMsConfig` itself.
        vocabulary (`dict`, *optional*): fields of the second tower's configuration, for a model that has one.
        reader (`dict`, *optional*): fields of the decoder that teaches the second tower in stage 1; `text` when not given.
        vocab_size (`int`): tokens of the vocabulary that the tokenizer is trained to.
        whole_words (`int`): how many of them are frequent words that are never split (see `train_tokenizer`).
        source (`str`): where the shape comes from.
        paper_total (`str`): the total that the paper prints, if any.
        paper_shares (`tuple[int, int, int]`): Table 2's percentages (encoder, connector, decoder), if any.
    """

    vision: dict
    text: dict
    model: dict = field(default_factory=dict)
    vocabulary: dict | None = None
    reader: dict | None = None
    vocab_size: int = PAPER_VOCAB_SIZE
    whole_words: int = 0
    source: str = ""
    paper_total: str = ""
    paper_shares: tuple[int, int, int] | None = None

    @property
    def context(self) -> int:
        """Positions of the decoder, in tokens."""
        return self.text.get("n_positions") or self.text["max_position_embeddings"]


def _paper(blocks, layers, heads, width, vision_width, total, shares) -> Preset:
    """A row of Table 1: encoder blocks, decoder layers, heads, decoder width, encoder width."""
    return Preset(
        vision={
            "model_type": "nanovlms_vision",
            "image_size": 224,
            "patch_size": 16,
            "hidden_size": vision_width,
            "num_hidden_layers": blocks,
            "num_attention_heads": heads,
            "stem": "paper",
            "hidden_dropout_prob": 0.1,
            "attention_dropout": 0.1,
        },
        text={
            "model_type": "gpt2",
            "n_embd": width,
            "n_layer": layers,
            "n_head": heads,
            "n_positions": PAPER_CONTEXT,
            "resid_pdrop": 0.1,
            "embd_pdrop": 0.1,
            "attn_pdrop": 0.1,
            "tie_word_embeddings": False,
        },
        model={
            "connector": "mlp",
            "connector_hidden_size": 4 * vision_width,
            "connector_dropout": 0.1,
            "image_tokens": "cls",
        },
        source="arXiv 2502.07838, Table 1",
        paper_total=total,
        paper_shares=shares,
    )


def _modern(
    *,
    image,
    vision_width,
    vision_layers,
    vision_heads,
    stem_channels,
    stem_blocks,
    width,
    layers,
    heads,
    mlp,
    vocab=PAPER_VOCAB_SIZE,
    source="",
) -> Preset:
    """Conv stem, one linear map with a LayerNorm as connector; rotary, RMSNorm, SwiGLU, QK-norm decoder with tied embeddings."""
    return Preset(
        vision={
            "model_type": "nanovlms_vision",
            "image_size": image,
            "patch_size": 16,
            "hidden_size": vision_width,
            "num_hidden_layers": vision_layers,
            "num_attention_heads": vision_heads,
            "stem": "conv",
            "stem_channels": stem_channels,
            "stem_blocks": stem_blocks,
            "initializer_range": 0.04,
            "use_cls_token": False,
            "qk_norm": True,
        },
        text={
            "model_type": "qwen3",
            "hidden_size": width,
            "intermediate_size": mlp,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": heads,
            "head_dim": width // heads,
            "max_position_embeddings": 1024,
            "rope_theta": 10000.0,
            "initializer_range": 0.04,
            "tie_word_embeddings": True,
        },
        model={"connector": "linear", "connector_norm": True, "image_tokens": "patches"},
        vocab_size=vocab,
        source=source,
    )


# Vary-toy, section 3.1: SAM-base's encoder (the configuration's defaults) and two stride-2 convolutions.
_SAM_VOCABULARY = {"model_type": "nanovlms_vocabulary"}

_VARY_TINY = Preset(
    vision=_SAM_VOCABULARY,
    text={
        "model_type": "opt",
        "hidden_size": 768,
        "word_embed_proj_dim": 768,
        "ffn_dim": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": True,
    },
    model={"connector": "linear"},
    vocab_size=50272,
    source="arXiv 2401.12503, section 3.1; OPT-125M with positions for 4096 tokens",
)

_VARY_TOY = Preset(
    vision={
        "model_type": "clip_vision_model",
        "image_size": 224,
        "patch_size": 14,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "projection_dim": 768,
    },
    vocabulary=_SAM_VOCABULARY,
    text={
        "model_type": "qwen2",
        "hidden_size": 2048,
        "intermediate_size": 5504,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "max_position_embeddings": 8192,
        "rope_theta": 1000000.0,
        "tie_word_embeddings": False,
    },
    model={"connector": "linear", "vision_feature_layer": -2, "vocabulary_channels": 1024},
    vocab_size=151936,
    source="arXiv 2401.12503, section 3.2; Qwen1.5-1.8B's shapes, which are Qwen-1.8B's",
)

_NANO_DECODER = {
    "model_type": "qwen3",
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "head_dim": 32,
    "max_position_embeddings": 1024,
    "rope_theta": 10000.0,
    "initializer_range": 0.04,
    "tie_word_embeddings": True,
}

# The vocabulary gives 12x12 tokens, the general tower 6x6 before them. Joined by channel, the decoder that learned to read in stage 1
# had to learn it anew (docs/log.md). One token a character: words that were never seen are read like any other.
_VARY_NANO = Preset(
    vision={
        "model_type": "nanovlms_vision",
        "image_size": 96,
        "patch_size": 8,
        "hidden_size": 96,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "stem": "conv",
        "stem_channels": [32, 64],
        "stem_blocks": [1, 1],
        "initializer_range": 0.04,
        "use_cls_token": False,
        "qk_norm": True,
    },
    vocabulary={
        "model_type": "nanovlms_vocabulary",
        "backbone_config": {
            "model_type": "nanovlms_vision",
            "image_size": 192,
            "patch_size": 4,
            "hidden_size": 32,
            "num_hidden_layers": 0,
            "num_attention_heads": 1,
            "stem": "conv",
            "stem_channels": [32],
            "stem_blocks": [1],
            "initializer_range": 0.04,
            "use_cls_token": False,
        },
        "downsample_channels": [72, 144],
        "downsample_blocks": [1, 1],
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "initializer_range": 0.04,
    },
    text=_NANO_DECODER,
    model={
        "connector": "pixel_shuffle",
        "pixel_shuffle_factor": 2,
        "connector_norm": True,
        "vocabulary_connector": "linear",
        "vocabulary_join": "sequence",
    },
    vocab_size=763,
    whole_words=500,
    source="Vary-toy's mechanism for two CPU cores",
)

PRESETS: dict[str, Preset] = {
    "nanovlm-tiny": _modern(
        image=64,
        vision_width=64,
        vision_layers=1,
        vision_heads=4,
        width=64,
        layers=2,
        heads=4,
        mlp=128,
        stem_channels=[16, 32, 48],
        stem_blocks=[0, 0, 1],
        vocab=1024,
        source="for tests",
    ),
    "nanovlm-mini-modern": _modern(
        image=128,
        vision_width=192,
        vision_layers=2,
        vision_heads=6,
        stem_channels=[32, 64, 128],
        stem_blocks=[1, 1, 2],
        width=128,
        layers=4,
        heads=4,
        mlp=384,
    ),
    "nanovlm-base-modern": _modern(
        image=128,
        vision_width=384,
        vision_layers=3,
        vision_heads=6,
        stem_channels=[48, 96, 192],
        stem_blocks=[1, 2, 2],
        width=256,
        layers=6,
        heads=4,
        mlp=768,
    ),
    "nanovlm-large-modern": _modern(
        image=128,
        vision_width=448,
        vision_layers=4,
        vision_heads=7,
        stem_channels=[64, 128, 256],
        stem_blocks=[1, 2, 2],
        width=320,
        layers=7,
        heads=5,
        mlp=896,
    ),
    "nanovlm-mini": _paper(1, 4, 8, 96, 400, "5 M", (69, 14, 17)),
    "nanovlm-base": _paper(3, 8, 8, 128, 512, "16 M", (78, 8, 16)),
    "nanovlm-large": _paper(5, 10, 16, 192, 512, "25 M", (73, 6, 21)),
    "vary-nano": _VARY_NANO,
    "vary-tiny": _VARY_TINY,
    "vary-toy": _VARY_TOY,
}


def preset_config(name: str, vocab_size: int | None = None, **overrides) -> NanoVLMsConfig:
    """The configuration of a preset.

    Args:
        name (`str`): a key of `PRESETS`.
        vocab_size (`int`, *optional*): tokens of the tokenizer; the preset's own when not given.
        overrides: fields of `NanoVLMsConfig`; `vision_config`, `text_config` and `vocabulary_config` take dictionaries that are
            laid over the preset's own, `vocabulary_config` also a whole configuration in its place, or None for no second tower.

    Raises:
        ValueError: if the name is unknown.
    """
    if name not in PRESETS:
        raise ValueError(f"{name!r} is not a preset; choose one of {', '.join(PRESETS)}.")
    preset = PRESETS[name]
    vision, text = overrides.pop("vision_config", {}), overrides.pop("text_config", {})
    # Another kind of tower or decoder has fields of its own: the preset's would mean nothing to it.
    vision = vision if "model_type" in vision else deepcopy(preset.vision) | vision
    text = dict(text) if "model_type" in text else deepcopy(preset.text) | text
    text["vocab_size"] = vocab_size or preset.vocab_size
    # The ids that `tokenization.py` gives its special tokens; GPT-2's own defaults lie outside a small vocabulary.
    text |= {"pad_token_id": 0, "bos_token_id": None, "eos_token_id": 1}
    second = {"vocabulary_config": deepcopy(preset.vocabulary)} if preset.vocabulary else {}
    laid_over = overrides.get("vocabulary_config")
    if isinstance(laid_over, dict) and "model_type" not in laid_over and preset.vocabulary:
        overrides["vocabulary_config"] = second["vocabulary_config"] | laid_over
    return NanoVLMsConfig(vision_config=vision, text_config=text, **(second | deepcopy(preset.model) | overrides))


def reading_config(name: str, vocab_size: int | None = None, **overrides) -> NanoVLMsConfig:
    """The configuration of a preset's stage 1: its vision vocabulary as the only tower, and the decoder that teaches it.

    Args:
        name, vocab_size, overrides: as for `preset_config`; `vision_config` is laid over the vocabulary's configuration.

    Raises:
        ValueError: if the name is unknown, or the preset has no vision vocabulary.
    """
    if name not in PRESETS:
        raise ValueError(f"{name!r} is not a preset; choose one of {', '.join(PRESETS)}.")
    preset = PRESETS[name]
    if preset.vocabulary is None:
        if preset.vision["model_type"] != "nanovlms_vocabulary":
            having = ", ".join(key for key, value in PRESETS.items() if value.vocabulary or value is _VARY_TINY)
            raise ValueError(f"the preset {name!r} has no vision vocabulary to train; choose one of {having}.")
        return preset_config(name, vocab_size, **overrides)
    overrides["vision_config"] = deepcopy(preset.vocabulary) | overrides.get("vision_config", {})
    overrides["text_config"] = deepcopy(preset.reader or preset.text) | overrides.get("text_config", {})
    shared = {"vocabulary_config": None, "vocabulary_channels": None, "vision_feature_layer": None}
    shared["connector"] = preset.model.get("vocabulary_connector", "linear")
    return preset_config(name, vocab_size, **(shared | overrides))


def parameter_counts(config: NanoVLMsConfig) -> dict[str, int]:
    """Parameters of a configuration by component, counted on the meta device, so that no memory is taken.

    Returns:
        `dict`: `total`, `encoder` and `connector` (of both towers where there are two), `decoder` (language model and untied head), and `embedding` (the token and
        position tables and the head, a part of `decoder`).
    """
    from .modeling_nanovlms import NanoVLMsForConditionalGeneration

    with torch.device("meta"):
        model = NanoVLMsForConditionalGeneration(config)
    model.tie_weights()
    seen: set[int] = set()

    def count(*modules: nn.Module) -> int:
        total = 0
        for module in modules:
            for parameter in module.parameters():
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    total += parameter.numel()
        return total

    second = [model.model.vocabulary, model.model.vocabulary_connector] if config.vocabulary_config is not None else []
    counts = {
        "encoder": count(model.model.vision_tower, *(second[:1])),
        "connector": count(model.model.connector, *(second[1:])),
        "decoder": count(model.model.language_model, model.lm_head),
    }
    counts["total"] = sum(counts.values())
    seen.clear()
    tables = [module for module in model.model.language_model.modules() if isinstance(module, nn.Embedding)]
    counts["embedding"] = count(*tables, model.lm_head)
    return counts


def presets_table() -> str:
    """Each preset's parameters, total and by component, beside the paper's, with where the two disagree, as plain text."""
    head = f"{'preset':22}{'total':>14}{'encoder':>12}{'connector':>11}{'decoder':>14}{'(tables)':>12}   {'share %':20}paper"
    lines = [head, "-" * len(head)]
    notes = []
    for name, preset in PRESETS.items():
        counts = parameter_counts(preset_config(name))
        shares = [100 * counts[part] / counts["total"] for part in ("encoder", "connector", "decoder")]
        paper = ""
        if preset.paper_shares:
            paper = f"{preset.paper_total}, {' / '.join(map(str, preset.paper_shares))} %"
            notes.append(_disagreement(name, preset, shares, counts["total"]))
        lines.append(
            f"{name:22}{counts['total']:>14,}{counts['encoder']:>12,}{counts['connector']:>11,}{counts['decoder']:>14,}"
            f"{counts['embedding']:>12,}   {' / '.join(f'{share:.1f}' for share in shares):20}{paper}"
        )
    lines += ["", "(tables): token and position tables and the head, a part of the decoder.", *notes]
    return "\n".join(lines)


def _disagreement(name: str, preset: Preset, shares: list[float], total: int) -> str:
    paper = preset.paper_shares
    largest = max(abs(ours - theirs) for ours, theirs in zip(shares, paper, strict=True))
    note = f"{name}: largest gap to Table 2 is {largest:.1f} points"
    note += f'; {total / 1e6:.2f} M parameters here against the paper\'s "{preset.paper_total}"'
    if sum(paper) != 100:
        note += f"; the paper's row sums to {sum(paper)} %, so no shape can match it"
    width, decoder = preset.vision["hidden_size"], preset.text["n_embd"]
    single = width * decoder + decoder
    implied = single / paper[1] * 100
    note += (
        f"; its text says a single linear connector ({single:,} parameters), which at {paper[1]} % would make a model of "
        f"{implied / 1e6:.2f} M: the 4x MLP is the reading that fits."
    )
    return note


__all__ = ["PRESETS", "Preset", "parameter_counts", "preset_config", "presets_table", "reading_config"]
