"""Models of the nanovlms family: vision tower -> connector -> causal decoder.

Worth knowing:
- Both ends are composed with `AutoModel.from_config`, so quantisation, attention backends, PEFT and new backbones come
  from transformers itself; the only network of our own is the small from-scratch encoder of NanoVLMs
  (arXiv 2502.07838, section 2.2.1).
- Pictures come flat, `(num_images, channels, height, width)`, in the order of their placeholders in the batch; a batch
  may mix examples with no, one and several pictures.
- A picture's features replace its placeholder tokens one for one; a mismatch raises, nothing is dropped.
- A vision vocabulary (Vary-toy, arXiv 2401.12503) is a tower of its own that sees the picture at high resolution. It can be
  the only tower, as in its pretraining, or stand beside a general one; then a picture comes in two views.

Method names and the shape of the outputs follow transformers' Llava so that every tool that knows one knows this.
This file imports torch, transformers (and safetensors, which it rests on) and its sister files only, so that it runs alone
from a Hub repository.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import AutoModel
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPast, BaseModelOutputWithPooling, ModelOutput
from transformers.modeling_utils import PreTrainedModel
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs, logging
from transformers.utils.generic import can_return_tuple

from .configuration_nanovlms import NanoVLMsConfig, NanoVLMsVisionConfig, NanoVLMsVocabularyConfig, tower_width

try:
    from transformers import initialization as init
    from transformers.generation import GenerationMixin
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
    from transformers.utils import torch_compilable_check
    from transformers.utils.generic import merge_with_config_defaults
    from transformers.utils.output_capturing import capture_outputs
except ImportError:  # transformers 4.57
    from .transformers4_nanovlms import (
        ALL_ATTENTION_FUNCTIONS,
        GenerationMixin,
        capture_outputs,
        init,
        merge_with_config_defaults,
        torch_compilable_check,
    )

logger = logging.get_logger(__name__)

# ---------------------------------------------------------------------------------------------------------------------
# Loading


class WeightsDoNotFitError(ValueError, RuntimeError):
    """Saved weights and configuration do not describe the same model (transformers raises RuntimeError for a part of it)."""


class WeightsNotFoundError(OSError):
    """A model's folder lacks its configuration or its weights."""


class WeightsUnreadableError(ValueError):
    """A file of weights is cut off or damaged."""


class StrictLoadingMixin:
    """Makes `from_pretrained` raise where transformers would warn and go on with random weights, and read safetensors alone."""

    _auto_class = "AutoModel"  # saved models carry this file

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path,
        *model_args,
        allow_missing: Iterable[str] = (),
        ignore_mismatched_sizes: bool = False,
        output_loading_info: bool = False,
        state_dict: dict | None = None,
        **kwargs,
    ):
        """As transformers' `from_pretrained`, but every weight must be found, have its shape and be used.

        The folder of an adapter gives its base with the adapter in place.

        Args:
            allow_missing (`Iterable[str]`): names of weights that are meant to be new, with `*` for any characters, e.g.
                `["model.connector.*"]`; these start from their random initial values.
            ignore_mismatched_sizes (`bool`, defaults to `False`): start weights of another shape from random values too.
            output_loading_info (`bool`, defaults to `False`): return `(model, info)`; the caller reads what was missing,
                and nothing raises. The same holds when `state_dict` is given.

        Raises:
            WeightsDoNotFitError: (a `ValueError` and a `RuntimeError`) if weights are missing, have another shape or are
                not used; the sentence names how many and which.
            WeightsNotFoundError: (an `OSError`) if a folder or repository holds no configuration or no safetensors weights; a
                pickle is never read, because reading one can run any code.
            WeightsUnreadableError: (a `ValueError`) if a file of weights is cut off or damaged.
        """
        adapter, base = _adapter_and_base(pretrained_model_name_or_path, kwargs)
        if adapter is not None:
            model = cls.from_pretrained(
                base,
                *model_args,
                allow_missing=allow_missing,
                ignore_mismatched_sizes=ignore_mismatched_sizes,
                state_dict=state_dict,
                **kwargs,
            )
            info = model.load_adapter(str(adapter))
            return (model, info.to_dict()) if output_loading_info else model
        if kwargs.get("use_safetensors") is False:
            raise WeightsNotFoundError(f"use_safetensors=False asks for a pickle; {_NO_PICKLE}.")
        if not kwargs.get("gguf_file"):
            kwargs["use_safetensors"] = True
        folder = Path(pretrained_model_name_or_path or "") / kwargs.get("subfolder", "")
        if pretrained_model_name_or_path and folder.is_dir():
            _check_folder(folder, kwargs)
        left_to_the_caller = output_loading_info or state_dict is not None
        try:
            model, info = super().from_pretrained(
                pretrained_model_name_or_path,
                *model_args,
                ignore_mismatched_sizes=ignore_mismatched_sizes or not left_to_the_caller,
                output_loading_info=True,
                state_dict=state_dict,
                **kwargs,
            )
        except SafetensorError as error:
            raise WeightsUnreadableError(_unreadable_sentence(folder, error)) from error
        except OSError as error:
            if "use_safetensors" not in str(error):
                raise
            said = f"{pretrained_model_name_or_path} holds no weights that are read (model.safetensors); {_NO_PICKLE}."
            raise WeightsNotFoundError(said) from error
        _settle_low_bits(model)
        if output_loading_info:
            return model, info
        if not left_to_the_caller:
            new = [allow_missing] if isinstance(allow_missing, str) else list(allow_missing)
            missing = [name for name in info["missing_keys"] if not any(fnmatchcase(name, glob) for glob in new)]
            reshaped = [] if ignore_mismatched_sizes else list(info["mismatched_keys"])
            unused = list(info["unexpected_keys"])
            if missing or reshaped or unused:
                raise WeightsDoNotFitError(
                    _misfit_sentence(cls.__name__, pretrained_model_name_or_path, missing, reshaped, unused)
                )
        return model

    def load_adapter(self, peft_model_id: str | None = None, *args, **kwargs):
        """As transformers' `load_adapter`, but every weight of the adapter must find its place.

        Raises:
            WeightsDoNotFitError: if one does not, as those of DoRA, whose lengths transformers 5 does not find again.
        """
        info = super().load_adapter(peft_model_id, *args, **kwargs)
        names = sorted({*getattr(info, "missing_keys", ()), *getattr(info, "unexpected_keys", ())})
        if names:
            raise WeightsDoNotFitError(
                f"{len(names)} weights of the adapter {peft_model_id} find no place through transformers ({', '.join(names[:2])}, "
                "...); load it with peft.PeftModel.from_pretrained, or merge it first with `nanovlms merge`."
            )
        return info


def _adapter_and_base(name, options: dict) -> tuple[str | Path | None, str | None]:
    """The adapter that a name or an Auto class's options mean, and its base; `(None, None)` for an ordinary model."""
    adapter = (options.get("adapter_kwargs") or {}).get("_adapter_model_path")
    if adapter is not None:  # an Auto class has put the base in place of the adapter
        options.pop("adapter_kwargs")
        return adapter, name
    folder = Path(name or "")
    if not name or not (folder / "adapter_config.json").is_file() or (folder / "config.json").is_file():
        return None, None
    base = json.loads((folder / "adapter_config.json").read_text()).get("base_model_name_or_path")
    if not base:
        raise WeightsNotFoundError(
            f"{folder} holds an adapter that does not name its base; load the base and give it the adapter with "
            "peft.PeftModel.from_pretrained."
        )
    return folder, base


def _settle_low_bits(model: PreTrainedModel) -> None:
    """Keeps 4-bit weights in the one layout that can be trained, saved and read again.

    On CPUs with AVX512-BF16 bitsandbytes (0.50) repacks them at the first inference: scales that are not quantised twice are then
    saved wrong, a later training step gets no gradient through the layer, and some widths fail.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


_NO_PICKLE = (
    "a pickle such as pytorch_model.bin can run any code when it is read, so none ever is: load it where you trust it and save "
    "it again with `save_pretrained`, which writes safetensors"
)


def _check_folder(folder: Path, options: dict) -> None:
    """Raises WeightsNotFoundError where transformers would take a default configuration of billions of parameters."""
    if options.get("gguf_file"):
        return
    cure = "name the folder that `save_pretrained` or a finished stage wrote"
    if options.get("config") is None and not (folder / "config.json").is_file():
        raise WeightsNotFoundError(f"{folder} holds no configuration (config.json); {cure}.")
    if any(any(folder.glob(pattern)) for pattern in ("*.safetensors", "*.safetensors.index*.json")):
        return
    pickles = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in folder.glob(pattern))
    if pickles:
        raise WeightsNotFoundError(f"{folder} holds weights as {pickles[0]} only; {_NO_PICKLE}.")
    raise WeightsNotFoundError(f"{folder} holds no weights: there is no file named model.safetensors; {cure}.")


def _unreadable_sentence(folder: Path, error: Exception) -> str:
    cure = "the file is cut off or damaged: copy or download it again, or load an earlier checkpoint"
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="pt"):
                pass
        except SafetensorError:
            return f"{path} cannot be read as safetensors ({error}); {cure}."
    return f"the weights in {folder} cannot be read as safetensors ({error}); {cure}."


def _misfit_sentence(class_name: str, source, missing: list, reshaped: list, unused: list) -> str:
    """What does not fit and the cure for each kind; names are cut after the first three."""

    def first(names) -> str:
        names = sorted(names)
        return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")

    shapes = [f"{name} {tuple(saved)} in the file, {tuple(built)} in the model" for name, saved, built in reshaped]
    kinds = [
        (missing, "missing", first(missing), 'name those that are meant to be new in allow_missing=["..."]'),
        (reshaped, "of another shape", first(shapes), "load with the configuration the weights were saved with"),
        (unused, "not used by the model", first(unused), "load with the class and configuration that saved them"),
    ]
    found = [f"{len(names)} are {kind} ({listed}): {cure}" for names, kind, listed, cure in kinds if names]
    return f"the weights in {source} do not fit {class_name}: {'; '.join(found)}."


# ---------------------------------------------------------------------------------------------------------------------
# The from-scratch encoder


class NanoVLMsPatchStem(nn.Module):
    """The paper's patch embedding: two convolutions on each patch alone, LayerNorm, ReLU, then a two-layer FC network.

    The text of section 2.2.1 applies the convolutions to patches, its Figure 4 to the picture; patches are taken
    here. The second convolution has stride 2; the size of the FC network is the one that reproduces Table 2.
    """

    def __init__(self, config: NanoVLMsVisionConfig):
        super().__init__()
        first, second = config.stem_channels
        self.patch_size = config.patch_size
        self.conv1 = nn.Conv2d(config.num_channels, first, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(first, second, kernel_size=3, stride=2, padding=1)
        flat = second * (config.patch_size // 2) ** 2
        self.layer_norm = nn.LayerNorm(flat, eps=config.layer_norm_eps)
        self.activation = nn.ReLU()
        self.fc1 = nn.Linear(flat, config.hidden_size)
        self.fc2 = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        images, channels, height, width = pixel_values.shape
        size = self.patch_size
        patches = pixel_values.reshape(images, channels, height // size, size, width // size, size)
        # (images * patches, C, p, p), channels last in memory: a tenth faster than channels first on CPU
        patches = patches.permute(0, 2, 4, 3, 5, 1).reshape(-1, size, size, channels).permute(0, 3, 1, 2)
        features = self.conv2(self.conv1(patches)).flatten(1)  # (images * patches, flat)
        features = self.activation(self.layer_norm(features))
        features = self.fc2(self.activation(self.fc1(features)))
        return features.reshape(images, -1, features.shape[-1])  # (images, patches, hidden)


class NanoVLMsLinearStem(nn.Module):
    """One linear map a patch, as in ViT (arXiv 2010.11929)."""

    def __init__(self, config: NanoVLMsVisionConfig):
        super().__init__()
        self.projection = nn.Conv2d(config.num_channels, config.hidden_size, config.patch_size, config.patch_size)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return self.projection(pixel_values).flatten(2).transpose(1, 2)  # (images, patches, hidden)


class NanoVLMsResidualBlock(nn.Module):
    """Two 3x3 convolutions with GroupNorm on a residual branch that starts at zero (ResNet, arXiv 1512.03385).

    GroupNorm, not BatchNorm: a frozen tower must not change while it is in training mode, and batches are small.
    """

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(_groups(width), width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(_groups(width), width)
        self.activation = nn.ReLU()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        branch = self.activation(self.norm1(self.conv1(features)))
        return self.activation(features + self.norm2(self.conv2(branch)))


def _groups(width: int) -> int:
    return next(groups for groups in range(max(width // 16, 1), 0, -1) if width % groups == 0)


class NanoVLMsConvStem(nn.Module):
    """A small ResNet over the whole picture: a 4-pixel patchify, then stages of residual blocks, each half as wide a grid.

    Convolutions see that a thing is the same thing wherever it stands, which a tiny encoder trained on little data would
    otherwise have to learn for each patch ("early convolutions help transformers see better", arXiv 2106.14881).
    """

    def __init__(self, config: NanoVLMsVisionConfig):
        super().__init__()
        widths = config.stem_channels
        self.stages = nn.ModuleList()
        for index, (width, blocks) in enumerate(zip(widths, config.stem_blocks, strict=True)):
            if index == 0:
                shrink = nn.Conv2d(config.num_channels, width, kernel_size=4, stride=4, bias=False)
            else:
                shrink = nn.Conv2d(widths[index - 1], width, kernel_size=3, stride=2, padding=1, bias=False)
            entry = [shrink, nn.GroupNorm(_groups(width), width), nn.ReLU()]
            self.stages.append(nn.Sequential(*entry, *(NanoVLMsResidualBlock(width) for _ in range(blocks))))
        self.projection = nn.Linear(widths[-1], config.hidden_size)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        features = pixel_values.contiguous(memory_format=torch.channels_last)  # much the faster layout on CPUs
        for stage in self.stages:
            features = stage(features)
        return self.projection(features.flatten(2).transpose(1, 2))  # (images, patches, hidden)


_STEMS = {"paper": NanoVLMsPatchStem, "linear": NanoVLMsLinearStem, "conv": NanoVLMsConvStem}


class NanoVLMsVisionEmbeddings(nn.Module):
    """Patch stem, optional CLS token before the patches, learned positions."""

    def __init__(self, config: NanoVLMsVisionConfig):
        super().__init__()
        self.config = config
        self.patch_embedding = _STEMS[config.stem](config)
        positions = config.num_patches + int(config.use_cls_token)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.hidden_size)) if config.use_cls_token else None
        self.position_embedding = nn.Parameter(torch.zeros(1, positions, config.hidden_size))
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        expected = (self.config.num_channels, self.config.image_size, self.config.image_size)
        if pixel_values.ndim != 4 or tuple(pixel_values.shape[1:]) != expected:
            raise ValueError(
                f"pixel_values has shape {tuple(pixel_values.shape)}, but this tower expects (num_images, "
                f"{', '.join(map(str, expected))}); make the pictures with the image processor saved beside the model."
            )
        embeddings = self.patch_embedding(pixel_values)  # (images, patches, hidden)
        if self.cls_token is not None:
            cls = self.cls_token.expand(embeddings.shape[0], -1, -1)
            embeddings = torch.cat([cls, embeddings], dim=1)  # (images, 1 + patches, hidden)
        return self.dropout(embeddings + self.position_embedding)


def eager_attention_forward(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **kwargs,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Plain softmax attention on `(batch, heads, tokens, head_dim)`; returns `(batch, tokens, heads, head_dim)` and weights."""
    scores = query @ key.transpose(-1, -2) * scaling  # (batch, heads, tokens, tokens)
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = nn.functional.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    mixed = nn.functional.dropout(weights, p=dropout, training=module.training) @ value
    return mixed.transpose(1, 2).contiguous(), weights


class NanoVLMsVisionAttention(nn.Module):
    """Bidirectional multi-head attention over the tokens of one picture."""

    def __init__(self, config: NanoVLMsVisionConfig | NanoVLMsVocabularyConfig):
        super().__init__()
        self.config = config
        self.head_dim = config.hidden_size // config.num_attention_heads
        self.scaling = self.head_dim**-0.5
        self.is_causal = False
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.k_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.v_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.out_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.q_norm = nn.RMSNorm(self.head_dim, eps=config.layer_norm_eps) if config.qk_norm else nn.Identity()
        self.k_norm = nn.RMSNorm(self.head_dim, eps=config.layer_norm_eps) if config.qk_norm else nn.Identity()

    def forward(self, hidden_states: torch.Tensor, **kwargs) -> tuple[torch.Tensor, torch.Tensor | None]:
        shape = (*hidden_states.shape[:-1], -1, self.head_dim)
        # each (images, heads, tokens, head_dim)
        query = self.q_norm(self.q_proj(hidden_states).view(shape)).transpose(1, 2)
        key = self.k_norm(self.k_proj(hidden_states).view(shape)).transpose(1, 2)
        value = self.v_proj(hidden_states).view(shape).transpose(1, 2)
        # transformers looks for this very call in the source before it lets the implementation be changed.
        attend: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        mixed, weights = attend(
            self,
            query,
            key,
            value,
            None,
            is_causal=self.is_causal,
            scaling=self.scaling,
            dropout=self.config.attention_dropout if self.training else 0.0,
            **kwargs,
        )
        return self.out_proj(mixed.reshape(hidden_states.shape).contiguous()), weights


class NanoVLMsVisionMLP(nn.Module):
    """Two linear maps with an activation between."""

    def __init__(self, config: NanoVLMsVisionConfig | NanoVLMsVocabularyConfig):
        super().__init__()
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.activation = ACT2FN[config.hidden_act]
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.activation(self.fc1(hidden_states)))


class NanoVLMsVisionLayer(GradientCheckpointingLayer):
    """Pre-LN transformer block: attention and MLP, each on a residual branch (the paper's Figure 5)."""

    def __init__(self, config: NanoVLMsVisionConfig | NanoVLMsVocabularyConfig):
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.self_attn = NanoVLMsVisionAttention(config)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = NanoVLMsVisionMLP(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, hidden_states: torch.Tensor, **kwargs: Unpack[TransformersKwargs]) -> torch.Tensor:
        attended, _ = self.self_attn(self.layer_norm1(hidden_states), **kwargs)
        hidden_states = hidden_states + self.dropout(attended)
        return hidden_states + self.dropout(self.mlp(self.layer_norm2(hidden_states)))


class NanoVLMsVisionModel(StrictLoadingMixin, PreTrainedModel):
    """The from-scratch encoder of NanoVLMs: patch stem, CLS, learned positions, pre-LN blocks, final LayerNorm."""

    config_class = NanoVLMsVisionConfig
    config: NanoVLMsVisionConfig
    base_model_prefix = "vision_tower"
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    supports_gradient_checkpointing = True
    _no_split_modules = ["NanoVLMsVisionEmbeddings", "NanoVLMsVisionLayer"]
    _input_embed_layer = "patch_embedding"
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True
    _can_record_outputs = {"hidden_states": NanoVLMsVisionLayer, "attentions": NanoVLMsVisionAttention}

    def __init__(self, config: NanoVLMsVisionConfig):
        super().__init__(config)
        self.embeddings = NanoVLMsVisionEmbeddings(config)
        self.layers = nn.ModuleList(NanoVLMsVisionLayer(config) for _ in range(config.num_hidden_layers))
        self.post_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.gradient_checkpointing = False
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module):
        super()._init_weights(module)
        if isinstance(module, NanoVLMsVisionEmbeddings):
            init.normal_(module.position_embedding, std=self.config.initializer_range)
            if module.cls_token is not None:
                init.normal_(module.cls_token, std=self.config.initializer_range)
        elif isinstance(module, NanoVLMsResidualBlock):
            init.zeros_(module.norm2.weight)

    @merge_with_config_defaults
    @capture_outputs(tie_last_hidden_states=False)
    def forward(
        self, pixel_values: torch.Tensor, **kwargs: Unpack[TransformersKwargs]
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes pictures.

        Args:
            pixel_values (`torch.Tensor` of shape `(num_images, channels, image_size, image_size)`): normalised pictures.

        Returns:
            `BaseModelOutputWithPooling`: `last_hidden_state` of shape `(num_images, [1 +] patches, hidden)`, the CLS
            token first where there is one; `pooler_output` of shape `(num_images, hidden)`, the CLS token or the mean
            of the patches.

        Raises:
            ValueError: if the pictures do not have the size that the configuration names.
        """
        hidden_states = self.embeddings(pixel_values)
        for layer in self.layers:
            hidden_states = layer(hidden_states, **kwargs)
        hidden_states = self.post_layernorm(hidden_states)
        pooled = hidden_states[:, 0] if self.config.use_cls_token else hidden_states.mean(dim=1)
        return BaseModelOutputWithPooling(last_hidden_state=hidden_states, pooler_output=pooled)


# ---------------------------------------------------------------------------------------------------------------------
# The vision vocabulary


class NanoVLMsDownsample(nn.Module):
    """A 3x3 convolution of stride 2: bare, as in Vary (`blocks` is None), or with GroupNorm, ReLU and residual blocks."""

    def __init__(self, channels: int, width: int, blocks: int | None):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, kernel_size=3, stride=2, padding=1, bias=False)
        self.norm = nn.GroupNorm(_groups(width), width) if blocks is not None else None
        self.blocks = nn.ModuleList(NanoVLMsResidualBlock(width) for _ in range(blocks or 0))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        features = self.conv(features)
        if self.norm is not None:
            features = nn.functional.relu(self.norm(features))
        for block in self.blocks:
            features = block(features)
        return features


class NanoVLMsVisionVocabulary(StrictLoadingMixin, PreTrainedModel):
    """A high-resolution backbone and stride-2 convolutions: Vary's vision vocabulary (arXiv 2401.12503, section 3.1).

    With SAM-base's encoder: 1024x1024 pixels -> 64x64x256 -> 32x32x512 -> 16x16x1024, read as 256 tokens.
    """

    config_class = NanoVLMsVocabularyConfig
    config: NanoVLMsVocabularyConfig
    base_model_prefix = "vocabulary"
    main_input_name = "pixel_values"
    input_modalities = ("image",)
    supports_gradient_checkpointing = True
    _no_split_modules = ["NanoVLMsDownsample", "NanoVLMsVisionLayer"]
    _supports_sdpa = True
    _supports_attention_backend = True

    def __init__(self, config: NanoVLMsVocabularyConfig):
        super().__init__(config)
        self.backbone = _vision_tower(config.backbone_config)
        widths = [tower_width(config.backbone_config), *config.downsample_channels]
        blocks = config.downsample_blocks or [None] * len(config.downsample_channels)
        self.downsample = nn.ModuleList(
            NanoVLMsDownsample(widths[index], widths[index + 1], blocks[index]) for index in range(len(blocks))
        )
        self.position_embedding = None
        self.layers, self.post_layernorm = nn.ModuleList(), nn.Identity()
        if config.num_hidden_layers:
            tokens = (config.image_size // config.patch_size) ** 2
            self.position_embedding = nn.Parameter(torch.zeros(1, tokens, config.hidden_size))
            self.layers.extend(NanoVLMsVisionLayer(config) for _ in range(config.num_hidden_layers))
            self.post_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module):
        super()._init_weights(module)
        if module is self and self.position_embedding is not None:
            init.normal_(self.position_embedding, std=self.config.initializer_range)
        elif isinstance(module, NanoVLMsResidualBlock):
            init.zeros_(module.norm2.weight)

    def get_input_embeddings(self) -> nn.Module:
        """The backbone's patch embedding."""
        return self.backbone.get_input_embeddings()

    @can_return_tuple
    def forward(
        self, pixel_values: torch.Tensor, **kwargs: Unpack[TransformersKwargs]
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes pictures.

        Args:
            pixel_values (`torch.Tensor` of shape `(num_images, channels, image_size, image_size)`): normalised pictures.

        Returns:
            `BaseModelOutputWithPooling`: `last_hidden_state` of shape `(num_images, tokens, channels)`, the tokens row by row
            from the top left; `pooler_output` of shape `(num_images, channels)`, their mean; `hidden_states` and `attentions`,
            where asked for, are the backbone's.

        Raises:
            ValueError: if the pictures do not have the size that the configuration names.
        """
        side = self.config.image_size
        if pixel_values.ndim != 4 or tuple(pixel_values.shape[-2:]) != (side, side):
            raise ValueError(
                f"the vision vocabulary got pictures of shape {tuple(pixel_values.shape)}, but expects (num_images, "
                f"{self.config.num_channels}, {side}, {side}); make them with the image processor saved beside the model."
            )
        outputs = self.backbone(pixel_values, return_dict=True, **kwargs)
        features = outputs.last_hidden_state
        if features.ndim == 3:
            grid = side // (self.config.patch_size >> len(self.downsample))
            features = (
                features[:, -grid * grid :].transpose(1, 2).unflatten(2, (grid, grid))
            )  # (images, channels, grid, grid)
        for stage in self.downsample:
            features = stage(features)
        features = features.flatten(2).transpose(1, 2)  # (images, tokens, channels)
        if self.position_embedding is not None:
            features = features + self.position_embedding
        for layer in self.layers:
            features = layer(features)
        features = self.post_layernorm(features)
        return BaseModelOutputWithPooling(
            last_hidden_state=features,
            pooler_output=features.mean(dim=1),
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )


def _vision_tower(config) -> PreTrainedModel:
    # Run from a Hub repository, this file is not registered with AutoModel.
    own = {tower.config_class.model_type: tower for tower in (NanoVLMsVisionModel, NanoVLMsVisionVocabulary)}
    if config.model_type in own:
        return own[config.model_type]._from_config(config)
    return AutoModel.from_config(config)


# ---------------------------------------------------------------------------------------------------------------------
# Connectors

CONNECTORS: dict[str, type[nn.Module]] = {}


def register_connector(name: str):
    """Class decorator that adds a connector to the registry.

    A connector is built from a `NanoVLMsConfig`, the width of a tower and the width to give, and maps
    `(num_images, tokens, input_size)` to `(num_images, image tokens, output_size)`.
    """

    def add(connector: type[nn.Module]) -> type[nn.Module]:
        CONNECTORS[name] = connector
        return connector

    return add


@register_connector("linear")
class NanoVLMsLinearConnector(nn.Module):
    """One linear map (LLaVA, arXiv 2304.08485)."""

    def __init__(self, config: NanoVLMsConfig, input_size: int, output_size: int):
        super().__init__()
        self.proj = nn.Linear(input_size, output_size, bias=config.connector_bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.proj(features)


@register_connector("mlp")
class NanoVLMsMLPConnector(nn.Module):
    """Linear, activation, linear: LLaVA-1.5's projector, and the only reading of NanoVLMs' that fits its Table 2."""

    def __init__(self, config: NanoVLMsConfig, input_size: int, output_size: int):
        super().__init__()
        width = config.connector_hidden_size or config.text_config.hidden_size
        self.linear_1 = nn.Linear(input_size, width, bias=config.connector_bias)
        self.act = ACT2FN[config.connector_act]
        self.linear_2 = nn.Linear(width, output_size, bias=config.connector_bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.linear_2(self.act(self.linear_1(features)))


@register_connector("pixel_shuffle")
class NanoVLMsPixelShuffleConnector(nn.Module):
    """Folds each square of `factor`x`factor` patches into one token, then one linear map (Idefics3, arXiv 2408.12637)."""

    def __init__(self, config: NanoVLMsConfig, input_size: int, output_size: int):
        super().__init__()
        self.factor = config.pixel_shuffle_factor
        self.proj = nn.Linear(input_size * self.factor**2, output_size, bias=config.connector_bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        images, tokens, width = features.shape
        side, factor = int(tokens**0.5), self.factor
        grid = features.view(images, side // factor, factor, side // factor, factor, width)
        folded = grid.permute(0, 1, 3, 2, 4, 5).reshape(images, -1, factor * factor * width)
        return self.proj(folded)  # (images, tokens / factor**2, text_hidden)


class NanoVLMsConnector(nn.Module):
    """A registered connector between an optional LayerNorm and dropout.

    Args:
        config (`NanoVLMsConfig`): the model's configuration.
        name (`str`): the connector's name in the registry.
        input_size, output_size (`int`): width of the tower's features and of what the decoder gets.
    """

    def __init__(self, config: NanoVLMsConfig, name: str, input_size: int, output_size: int):
        super().__init__()
        if name not in CONNECTORS:
            raise ValueError(
                f"connector={name!r} is not registered; choose one of {', '.join(sorted(CONNECTORS))} or add "
                "it with `register_connector`."
            )
        self.layer_norm = nn.LayerNorm(input_size) if config.connector_norm else nn.Identity()
        self.projection = CONNECTORS[name](config, input_size, output_size)
        self.dropout = nn.Dropout(config.connector_dropout)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.dropout(self.projection(self.layer_norm(features)))


# ---------------------------------------------------------------------------------------------------------------------
# The joined model


@dataclass
class NanoVLMsModelOutputWithPast(BaseModelOutputWithPast):
    """Output of `NanoVLMsModel`: transformers' usual fields and `image_hidden_states`.

    `image_hidden_states` has shape `(num_images, image_seq_length, text_hidden)`: the connector's output.
    """

    image_hidden_states: torch.Tensor | None = None


@dataclass
class NanoVLMsCausalLMOutputWithPast(ModelOutput):
    """Output of `NanoVLMsForConditionalGeneration`: transformers' usual fields and `image_hidden_states`."""

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    past_key_values: Cache | None = None
    hidden_states: tuple[torch.Tensor] | None = None
    attentions: tuple[torch.Tensor] | None = None
    image_hidden_states: torch.Tensor | None = None


class NanoVLMsPreTrainedModel(StrictLoadingMixin, PreTrainedModel):
    """What the joined models share: the configuration class and the features of transformers they support."""

    config_class = NanoVLMsConfig
    config: NanoVLMsConfig
    base_model_prefix = "model"
    input_modalities = ("image", "text")
    supports_gradient_checkpointing = True
    _skip_keys_device_placement = ["past_key_values"]
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True


class NanoVLMsModel(NanoVLMsPreTrainedModel):
    """Vision tower, connector and decoder without a language-modelling head; a vision vocabulary where one is configured."""

    # A checkpoint of the model with a head holds one weight more than this class needs.
    _keys_to_ignore_on_load_unexpected = [r"^lm_head\."]

    def __init__(self, config: NanoVLMsConfig):
        super().__init__(config)
        self.vision_tower = _vision_tower(config.vision_config)
        width, vocabulary_width = config.connector_widths
        self.connector = NanoVLMsConnector(config, config.connector, config.vision_hidden_size, width)
        if config.vocabulary_config is not None:
            self.vocabulary = _vision_tower(config.vocabulary_config)
            self.vocabulary_connector = NanoVLMsConnector(
                config, config.vocabulary_connector, tower_width(config.vocabulary_config), vocabulary_width
            )
        self.language_model = AutoModel.from_config(config.text_config)
        # Any table beside that of the tokens is one of learned positions, which ends where the context ends.
        tables = (module for module in self.language_model.modules() if isinstance(module, nn.Embedding))
        self._warned_of_bare_placeholders = False
        self._has_position_table = any(table is not self.get_input_embeddings() for table in tables)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The decoder's token embeddings."""
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module):
        """Replaces the decoder's token embeddings."""
        self.language_model.set_input_embeddings(value)

    @merge_with_config_defaults
    @can_return_tuple
    def get_image_features(
        self,
        pixel_values: torch.Tensor,
        high_res_pixel_values: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes pictures and projects them to the decoder's width.

        Args:
            pixel_values (`torch.Tensor` of shape `(num_images, channels, height, width)`): normalised pictures.
            high_res_pixel_values (`torch.Tensor` of shape `(num_images, channels, height, width)`): the same pictures as the
                vision vocabulary sees them; for a model that has one.

        Returns:
            `BaseModelOutputWithPooling`: the tower's output, with `pooler_output` of shape
            `(num_images, image_seq_length, text_hidden)` holding the projected features of both towers.

        Raises:
            ValueError: if the second view is missing, is given to a model without a vision vocabulary, or has another number
                of pictures.
        """
        self._check_views(pixel_values, high_res_pixel_values)
        layer = self.config.vision_feature_layer
        if layer is not None:
            kwargs["output_hidden_states"] = True
        outputs = self.vision_tower(pixel_values, return_dict=True, **kwargs)
        features = outputs.last_hidden_state if layer is None else outputs.hidden_states[layer]
        if features.ndim == 4:  # convolutional layout of SAM-like towers
            features = features.flatten(2).transpose(1, 2)  # (images, patches, vision_hidden)
        if self.config.image_tokens == "cls":
            features = features[:, :1]
        elif self.config.image_tokens == "patches":
            features = features[:, self.config.num_prefix_tokens :]
        features = self.connector(features)  # (images, tokens, text_hidden or a part of it)
        if high_res_pixel_values is not None:
            read = self._read_high_res(high_res_pixel_values)  # (images, tokens, vocabulary_hidden)
            # by channel each token gets what both towers say of its place, by sequence one tower's tokens follow the other's
            axis = -1 if self.config.vocabulary_join == "channel" else 1
            features = torch.cat([features, self.vocabulary_connector(read)], dim=axis)
        outputs.pooler_output = features  # (images, image_seq_length, text_hidden)
        return outputs

    def _read_high_res(self, pixel_values: torch.Tensor) -> torch.Tensor:
        read = self.vocabulary(pixel_values, return_dict=True).last_hidden_state
        if read.ndim == 4:
            read = read.flatten(2).transpose(1, 2)
        read = read[:, self.config.vocabulary_prefix_tokens :]
        grid = self.config.vocabulary_grid
        if read.shape[1] != grid * grid:
            raise ValueError(
                f"the vision vocabulary ({self.config.vocabulary_config.model_type}) gave {read.shape[1]} tokens a picture, but its "
                f"image and patch size speak of {grid}x{grid}; take a tower with one token for each patch."
            )
        return read

    def _check_views(self, pixel_values: torch.Tensor, high_res_pixel_values: torch.Tensor | None) -> None:
        cure = "make both views with one call of the processor saved beside the model"
        if self.config.vocabulary_config is None:
            if high_res_pixel_values is not None:
                raise ValueError(f"high_res_pixel_values were given, but this model has no vision vocabulary; {cure}.")
        elif high_res_pixel_values is None:
            raise ValueError(f"this model has a vision vocabulary, but high_res_pixel_values are missing; {cure}.")
        elif high_res_pixel_values.shape[0] != pixel_values.shape[0]:
            raise ValueError(
                f"pixel_values hold {pixel_values.shape[0]} pictures and high_res_pixel_values "
                f"{high_res_pixel_values.shape[0]}; {cure}."
            )

    def get_placeholder_mask(
        self, input_ids: torch.LongTensor | None, inputs_embeds: torch.Tensor, image_features: torch.Tensor
    ) -> torch.BoolTensor:
        """Where the placeholders stand, `(batch, tokens, 1)`; raises ValueError unless they are as many as the features."""
        if input_ids is None:
            token = torch.full((), self.config.image_token_id, dtype=torch.long, device=inputs_embeds.device)
            mask = (inputs_embeds == self.get_input_embeddings()(token)).all(-1)
        else:
            mask = input_ids == self.config.image_token_id
        tokens, features = mask.sum(), image_features.shape[0] * image_features.shape[1]
        mask = mask.unsqueeze(-1).to(inputs_embeds.device)
        torch_compilable_check(
            tokens == features,
            f"Image features and image tokens do not match, tokens: {tokens}, features: {features}. Each picture takes "
            f"{self.config.image_seq_length} placeholder tokens: make text and pictures with one call of the processor, and do "
            "not truncate the text.",
        )
        return mask

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        pixel_values: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        mm_encoder_outputs: dict[str, BaseModelOutputWithPooling] | None = None,
        high_res_pixel_values: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | NanoVLMsModelOutputWithPast:
        """Runs the decoder over a text in which picture features stand in for the placeholder tokens.

        Args:
            input_ids (`torch.LongTensor` of shape `(batch, tokens)`): token ids; give these or `inputs_embeds`.
            pixel_values (`torch.Tensor` of shape `(num_images, channels, height, width)`): all pictures of the batch, in
                the order of their placeholders.
            attention_mask (`torch.Tensor` of shape `(batch, tokens)`): 1 for real tokens, 0 for padding.
            position_ids (`torch.LongTensor` of shape `(batch, tokens)`): positions; restarting ones mark packed examples.
            past_key_values (`Cache`): keys and values of earlier tokens.
            inputs_embeds (`torch.Tensor` of shape `(batch, tokens, text_hidden)`): embeddings in place of `input_ids`.
            mm_encoder_outputs (`dict`): `{"image": output of get_image_features}`, to encode a picture once and use it
                many times.
            high_res_pixel_values (`torch.Tensor` of shape `(num_images, channels, height, width)`): the pictures as the vision
                vocabulary sees them; for a model that has one.

        Raises:
            ValueError: if not exactly one of `input_ids` and `inputs_embeds` is given, if pictures come both raw and
                encoded, if placeholders and features differ in number, or if the text is longer than a decoder with learned
                positions can count (a decoder with rotary positions warns once).
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give exactly one of input_ids and inputs_embeds: both or none were given.")
        encoded = (mm_encoder_outputs or {}).get("image")
        if encoded is not None and pixel_values is not None:
            raise ValueError("give pixel_values or mm_encoder_outputs: both were given for the same pictures.")
        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
        if not torch.compiler.is_compiling():
            self._check_length(inputs_embeds.shape[1], position_ids, past_key_values)

        if encoded is None and pixel_values is not None:
            encoded = self.get_image_features(pixel_values, high_res_pixel_values, return_dict=True)
        if encoded is None and not torch.compiler.is_compiling():
            self._warn_of_bare_placeholders(input_ids, past_key_values)
        image_features = None
        if encoded is not None:
            image_features = encoded.pooler_output
            if not isinstance(image_features, torch.Tensor):  # generation may hand back a list of pictures
                image_features = torch.cat([part.reshape(1, -1, part.shape[-1]) for part in image_features], dim=1)
            image_features = image_features.to(inputs_embeds.device, inputs_embeds.dtype)
            mask = self.get_placeholder_mask(input_ids, inputs_embeds, image_features)
            inputs_embeds = inputs_embeds.masked_scatter(mask, image_features)

        outputs = self.language_model(
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            **kwargs,
        )
        return NanoVLMsModelOutputWithPast(
            last_hidden_state=outputs.last_hidden_state,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            image_hidden_states=image_features,
        )

    def _warn_of_bare_placeholders(self, input_ids: torch.Tensor | None, past_key_values: Cache | None):
        """Warns once of placeholders without a picture.

        This is no error: a decoder alone may be given any ids, as transformers' common tests of text-only inputs do, and a
        placeholder has an embedding like any token. Only the first tokens of a text on the CPU are looked at: decoding costs
        nothing, and no accelerator has to wait.
        """
        if self._warned_of_bare_placeholders or input_ids is None or input_ids.device.type != "cpu":
            return
        if torch.jit.is_tracing() or (past_key_values is not None and past_key_values.get_seq_length()):
            return
        bare = int((input_ids == self.config.image_token_id).sum())
        if bare:
            self._warned_of_bare_placeholders = True
            logger.warning(
                f"{bare} placeholder tokens (id {self.config.image_token_id}) got no picture and are read as plain embeddings, so "
                "the answer is about no picture; pass the pixel_values that the processor returns with the input_ids."
            )

    def _check_length(self, tokens: int, position_ids: torch.Tensor | None, past_key_values: Cache | None):
        context = getattr(self.config.text_config, "max_position_embeddings", None)
        if context is None:
            return
        if position_ids is not None:  # packed and left-padded rows are longer than their positions
            length = int(position_ids.max()) + 1 if position_ids.numel() else 0
        else:
            length = tokens + (int(past_key_values.get_seq_length()) if past_key_values is not None else 0)
        if length <= context:
            return
        message = (
            f"the text has {length} tokens with its pictures ({self.config.image_seq_length} each), but the decoder's "
            f"context is {context}; shorten the text, give fewer pictures, generate fewer tokens, or use a model with a "
            "larger max_position_embeddings."
        )
        if self._has_position_table:
            raise ValueError(message)
        logger.warning_once(message)  # rotary positions go on without an error, but beyond what was trained


def _keep_positions(hidden_states: torch.Tensor, logits_to_keep: int | torch.Tensor) -> torch.Tensor:
    """The hidden states that get logits: the last n (0: all), given positions, or those where a boolean mask is True."""
    if isinstance(logits_to_keep, int):
        return hidden_states[:, slice(-logits_to_keep, None) if logits_to_keep else slice(None), :]
    if logits_to_keep.ndim == 2 and logits_to_keep.dtype == torch.bool:
        return hidden_states[logits_to_keep]  # (kept tokens of the whole batch, hidden)
    if logits_to_keep.ndim == 2:
        return torch.take_along_dim(hidden_states, logits_to_keep[..., None], dim=1)
    return hidden_states[:, logits_to_keep, :]


class NanoVLMsForConditionalGeneration(NanoVLMsPreTrainedModel, GenerationMixin):
    """Vision tower, connector, decoder and a language-modelling head: the model that answers about pictures."""

    _auto_class = "AutoModelForImageTextToText"
    _tied_weights_keys = {"lm_head.weight": "model.language_model.embed_tokens.weight"}
    _tp_plan = {"lm_head": "colwise_gather_output"}

    def __init__(self, config: NanoVLMsConfig):
        super().__init__(config)
        self.model = NanoVLMsModel(config)
        self.lm_head = nn.Linear(config.text_config.hidden_size, config.text_config.vocab_size, bias=False)
        self._tied_weights_keys = {"lm_head.weight": self._name_of_embeddings()}
        self.post_init()

    def _name_of_embeddings(self) -> str:
        # GPT-2 calls its token embeddings `wte`, OPT nests them: ask the decoder instead of assuming a name.
        embeddings = self.model.get_input_embeddings()
        name = next(name for name, module in self.model.named_modules() if module is embeddings)
        return f"model.{name}.weight"

    def get_input_embeddings(self) -> nn.Module:
        """The decoder's token embeddings."""
        return self.model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module):
        """Replaces the decoder's token embeddings."""
        self.model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """The language-modelling head."""
        return self.lm_head

    def get_image_features(
        self,
        pixel_values: torch.Tensor,
        high_res_pixel_values: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """See `NanoVLMsModel.get_image_features`."""
        return self.model.get_image_features(
            pixel_values=pixel_values, high_res_pixel_values=high_res_pixel_values, **kwargs
        )

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        pixel_values: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.LongTensor | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        mm_encoder_outputs: dict[str, BaseModelOutputWithPooling] | None = None,
        high_res_pixel_values: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | NanoVLMsCausalLMOutputWithPast:
        """As `NanoVLMsModel.forward`, then logits and, with labels, the next-token loss.

        Args:
            labels (`torch.LongTensor` of shape `(batch, tokens)`): token ids to predict; -100 where no loss is taken.
            logits_to_keep (`int` or `torch.Tensor`): how many of the last positions (0: all), or which ones, get logits.

        Returns:
            `NanoVLMsCausalLMOutputWithPast`: `logits` of shape `(batch, kept tokens, vocab_size)`.
        """
        outputs = self.model(
            input_ids=input_ids,
            pixel_values=pixel_values,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            mm_encoder_outputs=mm_encoder_outputs,
            high_res_pixel_values=high_res_pixel_values,
            **kwargs,
        )
        logits = self.lm_head(_keep_positions(outputs.last_hidden_state, logits_to_keep))
        loss = None
        if labels is not None:
            # kwargs carry num_items_in_batch, which makes the Trainer's gradient accumulation exact.
            vocab_size = self.config.text_config.vocab_size
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=vocab_size, **kwargs)
        return NanoVLMsCausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            image_hidden_states=outputs.image_hidden_states,
        )


__all__ = [
    "CONNECTORS",
    "NanoVLMsForConditionalGeneration",
    "NanoVLMsModel",
    "NanoVLMsPreTrainedModel",
    "NanoVLMsVisionModel",
    "NanoVLMsVisionVocabulary",
    "WeightsDoNotFitError",
    "WeightsNotFoundError",
    "WeightsUnreadableError",
    "register_connector",
]
