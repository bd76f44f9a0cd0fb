"""Configuration of the nanovlms family: a vision tower, a connector and a causal decoder, each a sub-configuration.

A model may have a second, high-resolution tower beside the first: a vision vocabulary (`NanoVLMsVocabularyConfig`, Vary-toy,
arXiv 2401.12503), which is pretrained on its own by writing out text and boxes.

The one idea worth knowing: a size, a paper or an ablation is *data* (see `presets.py`), never a subclass. The vision
tower is either our own from-scratch encoder (`NanoVLMsVisionConfig`, arXiv 2502.07838 section 2.2.1) or any vision
backbone of transformers; the decoder is any causal language model of transformers.

This file imports torch-free transformers code only, so that it runs alone from a Hub repository.
"""

import hashlib
from pathlib import Path

from huggingface_hub.errors import StrictDataclassError
from transformers import CONFIG_MAPPING, AutoConfig
from transformers import __version__ as transformers_version
from transformers.utils import cached_file

try:
    from transformers.configuration_utils import PreTrainedConfig
except ImportError:  # transformers 4.57
    from transformers.configuration_utils import PretrainedConfig as PreTrainedConfig

# Tokens that stand before the patch grid in the output of a backbone, where the configuration does not say so itself.
_PREFIX_TOKENS = {
    "clip_vision_model": 1,
    "vit": 1,
    "deit": 2,
    "beit": 1,
    "dinov2": 1,
    "dinov2_with_registers": 1,
    "dinov3_vit": 1,
}
_IMAGE_TOKENS = ("cls", "patches", "all")
_STEMS = ("paper", "linear", "conv")
_JOINS = ("channel", "sequence")


def _side(value) -> int:
    """The side of a square given as `int` or `(height, width)`; raises for anything that is not square."""
    if isinstance(value, (list, tuple)):
        if len(set(value)) != 1:
            raise ValueError(
                f"the vision configuration has a size of {tuple(value)}, but only square pictures and patches are "
                "supported; give one number or two equal ones."
            )
        return int(value[0])
    return int(value)


class CarriesCodeMixin:
    """Makes every saved folder run without this package: the classes by name, and the digests of the files that hold them.

    transformers copies the files themselves, because of `_auto_class`. A folder or repository whose files are not those
    that the configuration was saved with is refused before its modeling file runs. That finds what was changed, mixed up
    or half copied; whoever can change this file too can change the check, so pin `revision` to a commit that you have read.
    """

    _auto_class = "AutoConfig"
    # Auto class -> class of `modeling_nanovlms.py`; a model that is saved adds its own.
    _auto_models: dict[str, str] = {}

    def __init__(self, **kwargs):
        kwargs.pop("auto_map", None)  # a loaded one may point at the repository it came from
        super().__init__(**kwargs)
        # TRL, too, loads a model named by its path through this table.
        self.auto_map = {"AutoConfig": f"configuration_nanovlms.{type(self).__name__}"}
        self.auto_map |= {auto: f"modeling_nanovlms.{name}" for auto, name in self._auto_models.items()}

    def save_pretrained(self, save_directory, push_to_hub=False, **kwargs):
        """As transformers' own; notes the digests of the files that are copied beside the configuration."""
        self.code_sha256 = getattr(self, "code_sha256", {}) | _digests(Path(__file__).parent)
        super().save_pretrained(save_directory, push_to_hub=push_to_hub, **kwargs)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, **kwargs):
        """As transformers' own; raises ValueError if it runs from a repository whose files were changed."""
        if __name__.startswith("transformers_modules."):
            _check_code(cls, pretrained_model_name_or_path, kwargs)
        return super().from_pretrained(pretrained_model_name_or_path, **kwargs)


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(folder.glob("*_nanovlms.py"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _check_code(config_class, source, options: dict) -> None:
    wanted = config_class.get_config_dict(source, **options)[0].get("code_sha256") or {}
    known = ("cache_dir", "force_download", "local_files_only", "proxies", "revision", "subfolder", "token")
    options = {name: options[name] for name in known if options.get(name) is not None}
    for name, digest in wanted.items():
        path = cached_file(source, name, _raise_exceptions_for_missing_entries=False, **options)
        if path is not None and hashlib.sha256(Path(path).read_bytes()).hexdigest() != digest:
            raise ValueError(
                f"{name} in {source} is not the file that config.json was saved with (its SHA-256 differs), so it was not run: "
                "load an earlier revision, or read what was changed and save the model again with the files you want."
            )


class NanoVLMsVisionConfig(CarriesCodeMixin, PreTrainedConfig):
    """Configuration of the from-scratch encoder of NanoVLMs (arXiv 2502.07838, section 2.2.1).

    Args:
        image_size (`int`, defaults to 224): side of the square picture, in pixels.
        patch_size (`int`, defaults to 16): side of a patch, in pixels; must divide `image_size`.
        num_channels (`int`, defaults to 3): colour channels.
        hidden_size (`int`, defaults to 400): width of the encoder (the paper's `img_embd_dim`).
        num_hidden_layers (`int`, defaults to 1): number of pre-LN blocks (the paper's `n_blks`).
        num_attention_heads (`int`, defaults to 8): attention heads a block.
        intermediate_size (`int`, *optional*): width of a block's MLP; four times `hidden_size` when not given.
        hidden_act (`str`, defaults to `"gelu"`): activation of the MLP.
        stem (`str`, defaults to `"paper"`): how pixels become patch embeddings. `"paper"`: two 3x3 convolutions on
            each patch alone, LayerNorm, ReLU, then a fully connected network. `"linear"`: one linear map a patch.
            `"conv"`: a small ResNet over the whole picture, whose first stage shrinks it four times and each other twice.
        stem_channels (`list[int]`, *optional*): channels of the stem's convolutions (`"paper"`) or stages (`"conv"`).
        stem_blocks (`list[int]`, *optional*): residual blocks of each stage of the `"conv"` stem; one each when not given.
        use_cls_token (`bool`, defaults to `True`): whether a learned CLS token stands before the patches.
        qk_norm (`bool`, defaults to `False`): RMSNorm on the queries and keys of each head.
        hidden_dropout_prob (`float`, defaults to 0.0): dropout after the embeddings and after each residual branch.
        attention_dropout (`float`, defaults to 0.0): dropout on the attention weights.
        layer_norm_eps (`float`, defaults to 1e-6): epsilon of the norms.
        initializer_range (`float`, defaults to 0.02): standard deviation of the initial weights.

    Raises:
        ValueError: if a size does not divide another or a name is unknown.
    """

    model_type = "nanovlms_vision"
    base_config_key = "vision_config"
    _auto_models = {"AutoModel": "NanoVLMsVisionModel"}

    def __init__(
        self,
        image_size=224,
        patch_size=16,
        num_channels=3,
        hidden_size=400,
        num_hidden_layers=1,
        num_attention_heads=8,
        intermediate_size=None,
        hidden_act="gelu",
        stem="paper",
        stem_channels=None,
        stem_blocks=None,
        use_cls_token=True,
        qk_norm=False,
        hidden_dropout_prob=0.0,
        attention_dropout=0.0,
        layer_norm_eps=1e-6,
        initializer_range=0.02,
        **kwargs,
    ):
        self.image_size = _side(image_size)
        self.patch_size = _side(patch_size)
        self.num_channels = num_channels
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size if intermediate_size is not None else 4 * hidden_size
        self.hidden_act = hidden_act
        self.stem = stem
        self.stem_channels = list(stem_channels) if stem_channels is not None else self._default_channels()
        self.stem_blocks = list(stem_blocks) if stem_blocks is not None else [1] * len(self.stem_channels)
        self.use_cls_token = use_cls_token
        self.qk_norm = qk_norm
        self.hidden_dropout_prob = hidden_dropout_prob
        self.attention_dropout = attention_dropout
        self.layer_norm_eps = layer_norm_eps
        self.initializer_range = initializer_range
        self._check()
        super().__init__(**kwargs)

    def _default_channels(self) -> list[int]:
        if self.stem == "paper":
            return [32, 64]
        if self.stem == "conv":
            stages = max(self.patch_size.bit_length() - 2, 1)
            return [max(self.hidden_size >> (stages - 1 - i), 8) for i in range(stages)]
        return []

    def _check(self):
        if self.stem not in _STEMS:
            raise ValueError(f"stem={self.stem!r} is not a patch stem; choose one of {', '.join(_STEMS)}.")
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image_size={self.image_size} is not a multiple of patch_size={self.patch_size}; change one of them "
                "so that the patches cover the picture exactly."
            )
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size={self.hidden_size} does not divide into num_attention_heads={self.num_attention_heads} "
                "equal heads; change one of them."
            )
        if self.stem == "paper" and (len(self.stem_channels) != 2 or self.patch_size % 2):
            raise ValueError(
                f"the paper's stem takes two convolutions on patches of even size, but stem_channels="
                f"{self.stem_channels} and patch_size={self.patch_size} were given."
            )
        stages = len(self.stem_channels)
        if self.stem == "conv" and (2 ** (stages + 1) != self.patch_size or len(self.stem_blocks) != stages):
            raise ValueError(
                f"the conv stem shrinks the picture 4 times, then twice a stage: stem_channels={self.stem_channels} makes "
                f"patches of {2 ** (stages + 1)} pixels, not patch_size={self.patch_size}; give log2(patch_size) - 1 channels, "
                f"and as many stem_blocks ({self.stem_blocks} were given)."
            )

    @property
    def num_patches(self) -> int:
        """Patches of one picture."""
        return (self.image_size // self.patch_size) ** 2


class NanoVLMsVocabularyConfig(CarriesCodeMixin, PreTrainedConfig):
    """Configuration of a vision vocabulary: a high-resolution backbone, then stride-2 convolutions (Vary-toy, section 3.1).

    The defaults are the paper's: SAM-base's encoder at 1024 px with its neck, a 64x64 grid of 256 channels, shrunk by two
    convolutions to 256 tokens of 1024 channels.

    Args:
        backbone_config (`dict` or `PreTrainedConfig`, *optional*): any vision backbone whose output is a square grid of
            patches; `sam_vision_model` (SAM-base's shapes) by default.
        downsample_channels (`list[int]`, defaults to `[512, 1024]`): channels of the stride-2 convolutions, in order.
        downsample_blocks (`list[int]`, *optional*): residual blocks after each convolution, which then has a GroupNorm and a
            ReLU; the paper's bare convolutions when not given.
        num_hidden_layers (`int`, defaults to 0): pre-LN transformer blocks on the final tokens, with learned positions before
            and a LayerNorm after them; none in the paper.
        num_attention_heads (`int`, defaults to 8): attention heads of these blocks.
        initializer_range (`float`, defaults to 0.02): standard deviation of the initial weights.

    Raises:
        ValueError: if the grid cannot be halved as often as there are convolutions, or the lists differ in length.
    """

    model_type = "nanovlms_vocabulary"
    base_config_key = "vocabulary_config"
    sub_configs = {"backbone_config": AutoConfig}
    _auto_models = {"AutoModel": "NanoVLMsVisionVocabulary"}
    # What the transformer blocks ask of a configuration beside the arguments.
    qk_norm = True
    hidden_act = "gelu"
    hidden_dropout_prob = 0.0
    attention_dropout = 0.0
    layer_norm_eps = 1e-6

    def __init__(
        self,
        backbone_config=None,
        downsample_channels=(512, 1024),
        downsample_blocks=None,
        num_hidden_layers=0,
        num_attention_heads=8,
        initializer_range=0.02,
        **kwargs,
    ):
        self.backbone_config = _sub_config(backbone_config, "sam_vision_model", "backbone_config")
        self.downsample_channels = list(downsample_channels)
        self.downsample_blocks = list(downsample_blocks) if downsample_blocks is not None else None
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.initializer_range = initializer_range
        self._check()
        super().__init__(**kwargs)

    def _check(self):
        stages = len(self.downsample_channels)
        if self.downsample_blocks is not None and len(self.downsample_blocks) != stages:
            raise ValueError(
                f"downsample_blocks={self.downsample_blocks} and downsample_channels={self.downsample_channels} differ in "
                "length; give one number of blocks for each convolution."
            )
        grid = _side(self.backbone_config.image_size) // _side(self.backbone_config.patch_size)
        if grid % 2**stages:
            raise ValueError(
                f"{stages} stride-2 convolutions cannot halve the backbone's {grid}x{grid} grid evenly; choose image_size and "
                f"patch_size so that the grid is a multiple of {2**stages}, or fewer downsample_channels."
            )
        if self.num_hidden_layers and self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"downsample_channels ends in {self.hidden_size}, which does not divide into num_attention_heads="
                f"{self.num_attention_heads} equal heads; change one of them."
            )

    @property
    def image_size(self) -> int:
        """Side of the square picture, in pixels."""
        return _side(self.backbone_config.image_size)

    @property
    def patch_size(self) -> int:
        """Side of the square of pixels that one token stands for."""
        return _side(self.backbone_config.patch_size) * 2 ** len(self.downsample_channels)

    @property
    def hidden_size(self) -> int:
        """Channels of a token."""
        return self.downsample_channels[-1] if self.downsample_channels else tower_width(self.backbone_config)

    @property
    def intermediate_size(self) -> int:
        """Width inside the MLP of a transformer block."""
        return 4 * self.hidden_size

    @property
    def num_channels(self) -> int:
        """Colour channels of a picture."""
        return self.backbone_config.num_channels


class NanoVLMsConfig(CarriesCodeMixin, PreTrainedConfig):
    """Configuration of a nanovlms model: vision tower -> connector -> decoder, and a vision vocabulary beside the tower if wanted.

    Args:
        vision_config (`dict` or `PreTrainedConfig`, *optional*): any vision backbone; ours (`nanovlms_vision`) by default.
        vocabulary_config (`dict` or `PreTrainedConfig`, *optional*): a second tower that sees the picture at high resolution: a
            vision vocabulary, or any vision tower that gives a square grid of tokens (tokens before the grid are dropped);
            no second tower when not given.
        vocabulary_connector (`str`, defaults to `"linear"`): connector of the second tower, from the same registry.
        vocabulary_join (`str`, defaults to `"channel"`): `"channel"`: the two towers' tokens are put together one by one, each
            tower giving a part of the decoder's width (Vary-toy, section 3.2); `"sequence"`: the vocabulary's tokens follow
            those of the first tower.
        vocabulary_channels (`int`, *optional*): part of the decoder's width that the vocabulary gives when joined by channel;
            half of it when not given.
        text_config (`dict` or `PreTrainedConfig`, *optional*): any causal language model; `llama` by default.
        connector (`str`, defaults to `"mlp"`): a name in the connector registry of `modeling_nanovlms.py`:
            `linear`, `mlp`, `pixel_shuffle`.
        connector_hidden_size (`int`, *optional*): width inside the `mlp` connector; the decoder's width when not given.
            The paper's Table 2 fits four times the vision width (see `presets.py`).
        connector_act (`str`, defaults to `"gelu"`): activation of the `mlp` connector.
        connector_bias (`bool`, defaults to `True`): whether the connector's linear maps have a bias.
        connector_norm (`bool`, defaults to `False`): LayerNorm on the vision features before the connector.
        connector_dropout (`float`, defaults to 0.0): dropout on the projected features.
        pixel_shuffle_factor (`int`, defaults to 2): side of the square of patches that `pixel_shuffle` folds into one.
        image_tokens (`str`, defaults to `"patches"`): which tokens of the tower the decoder sees: `"cls"` (the first one,
            NanoVLMs' lineage), `"patches"` (the grid without the tokens before it), or `"all"`.
        vision_feature_layer (`int`, *optional*): index into the tower's hidden states; the tower's own output when not
            given.
        num_prefix_tokens (`int`, *optional*): tokens before the patch grid in the tower's output; known for our own
            encoder and for transformers' usual towers.
        image_seq_length (`int`, *optional*): decoder positions that one picture takes; computed when not given.
        image_token_id (`int`, defaults to 3): id of the placeholder token that a picture's features replace.
        tie_word_embeddings (`bool`, *optional*): whether the head shares the input embeddings; the decoder's own
            setting when not given.
        initializer_range (`float`, defaults to 0.02): standard deviation of the connector's initial weights.

    Raises:
        ValueError: if a name is unknown or the parts do not fit together.
    """

    model_type = "nanovlms"
    sub_configs = {"vision_config": AutoConfig, "text_config": AutoConfig, "vocabulary_config": AutoConfig}
    if transformers_version.startswith("4."):  # which cannot save a configuration with a part that is None
        del sub_configs["vocabulary_config"]
    # The name of the Auto class that a user calls is looked up as it stands: each that may be called has its line.
    _auto_models = {
        "AutoModel": "NanoVLMsModel",
        "AutoModelForImageTextToText": "NanoVLMsForConditionalGeneration",
        "AutoModelForMultimodalLM": "NanoVLMsForConditionalGeneration",
        "AutoModelForVision2Seq": "NanoVLMsForConditionalGeneration",
        "AutoModelForCausalLM": "NanoVLMsForConditionalGeneration",
    }

    def __init__(
        self,
        vision_config=None,
        text_config=None,
        connector="mlp",
        connector_hidden_size=None,
        connector_act="gelu",
        connector_bias=True,
        connector_norm=False,
        connector_dropout=0.0,
        pixel_shuffle_factor=2,
        image_tokens="patches",
        vision_feature_layer=None,
        num_prefix_tokens=None,
        image_seq_length=None,
        image_token_id=3,
        tie_word_embeddings=None,
        initializer_range=0.02,
        vocabulary_config=None,
        vocabulary_connector="linear",
        vocabulary_join="channel",
        vocabulary_channels=None,
        **kwargs,
    ):
        self.vision_config = _sub_config(vision_config, "nanovlms_vision", "vision_config")
        self.text_config = _sub_config(text_config, "llama", "text_config")
        self.connector = connector
        self.connector_hidden_size = connector_hidden_size
        self.connector_act = connector_act
        self.connector_bias = connector_bias
        self.connector_norm = connector_norm
        self.connector_dropout = connector_dropout
        self.pixel_shuffle_factor = pixel_shuffle_factor
        if image_tokens not in _IMAGE_TOKENS:
            raise ValueError(f"image_tokens={image_tokens!r} is unknown; choose one of {', '.join(_IMAGE_TOKENS)}.")
        self.image_tokens = image_tokens
        self.vision_feature_layer = vision_feature_layer
        self.num_prefix_tokens = (
            num_prefix_tokens if num_prefix_tokens is not None else _count_prefix_tokens(self.vision_config)
        )
        self.vocabulary_config = None
        if vocabulary_config is not None:
            self.vocabulary_config = _sub_config(vocabulary_config, "nanovlms_vocabulary", "vocabulary_config")
            check_gives_a_grid(self.vocabulary_config, "vocabulary_config")
        self.vocabulary_connector = vocabulary_connector
        self.vocabulary_join = vocabulary_join
        self.vocabulary_channels = vocabulary_channels
        self.image_seq_length = image_seq_length if image_seq_length is not None else self._count_joined_tokens()
        self.image_token_id = image_token_id
        # Transformers 5 reads the tie from the top level, transformers 4 from the decoder: keep both equal.
        if tie_word_embeddings is None:
            tie_word_embeddings = bool(self.text_config.tie_word_embeddings)
        self.text_config.tie_word_embeddings = tie_word_embeddings
        self.initializer_range = initializer_range
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, **kwargs):
        """As transformers' own; a configuration that cannot be built raises ValueError with the folder it stands in."""
        try:
            return super().from_pretrained(pretrained_model_name_or_path, **kwargs)
        except ValueError as error:
            raise _with_source(error, pretrained_model_name_or_path) from error

    @classmethod
    def from_dict(cls, config_dict, **kwargs):
        """As transformers' own; the Auto classes come in here and hand the folder over as `name_or_path`."""
        try:
            return super().from_dict(config_dict, **kwargs)
        except ValueError as error:
            raise _with_source(error, kwargs.get("name_or_path")) from error

    @property
    def vision_hidden_size(self) -> int:
        """Width of the tower's features."""
        return tower_width(self.vision_config)

    @property
    def vocabulary_grid(self) -> int:
        """Tokens along a side of what the vision vocabulary gives, before its connector."""
        return _side(self.vocabulary_config.image_size) // _side(self.vocabulary_config.patch_size)

    @property
    def vocabulary_prefix_tokens(self) -> int:
        """Tokens before the grid of the vision vocabulary, such as CLIP's class token, which are dropped."""
        return _count_prefix_tokens(self.vocabulary_config)

    @property
    def connector_widths(self) -> tuple[int, int]:
        """Width of what each connector gives: the tower's, and the vocabulary's (0 where there is none)."""
        width = self.text_config.hidden_size
        if self.vocabulary_config is None:
            return width, 0
        if self.vocabulary_join == "sequence":
            return width, width
        channels = self.vocabulary_channels if self.vocabulary_channels is not None else width // 2
        return width - channels, channels

    def _count_joined_tokens(self) -> int:
        first = self._count_image_tokens()
        if self.vocabulary_config is None:
            return first
        if self.vocabulary_join not in _JOINS:
            raise ValueError(
                f"vocabulary_join={self.vocabulary_join!r} is unknown; choose one of {', '.join(_JOINS)}."
            )
        second = self._count_vocabulary_tokens()
        if self.vocabulary_join == "sequence":
            return first + second
        if first != second:
            raise ValueError(
                f"the vision tower gives {first} tokens a picture ({_size_of(self.vision_config)}), but the vision vocabulary gives "
                f"{second} ({_size_of(self.vocabulary_config)}), so they cannot be joined by channel; choose an image or patch size "
                "that gives as many, or vocabulary_join='sequence'."
            )
        if min(self.connector_widths) < 1:
            raise ValueError(
                f"vocabulary_channels={self.vocabulary_channels} leaves the vision tower {self.connector_widths[0]} of the decoder's "
                f"{self.text_config.hidden_size} channels; give a number from 1 to {self.text_config.hidden_size - 1}."
            )
        return first

    def _count_vocabulary_tokens(self) -> int:
        grid = self.vocabulary_grid
        if self.vocabulary_connector != "pixel_shuffle":
            return grid * grid
        if grid % self.pixel_shuffle_factor:
            raise ValueError(
                f"the pixel_shuffle connector cannot fold the vocabulary's {grid}x{grid} grid by pixel_shuffle_factor="
                f"{self.pixel_shuffle_factor}; choose a factor that divides {grid}, or vocabulary_connector='linear'."
            )
        return (grid // self.pixel_shuffle_factor) ** 2

    def _count_image_tokens(self) -> int:
        if self.image_tokens == "cls":
            if not self.num_prefix_tokens:
                raise ValueError(
                    f"image_tokens='cls' takes the token before the patches, but the tower "
                    f"{self.vision_config.model_type!r} has none as configured; use image_tokens='patches', or give "
                    "use_cls_token=True (our encoder) or num_prefix_tokens (a tower this package does not know)."
                )
            return 1
        check_gives_a_grid(self.vision_config, "vision_config")
        grid = _side(self.vision_config.image_size) // _side(self.vision_config.patch_size)
        if self.connector == "pixel_shuffle":
            if self.image_tokens == "all" and self.num_prefix_tokens:
                raise ValueError(
                    "the pixel_shuffle connector folds a square grid of patches, but image_tokens='all' puts "
                    f"{self.num_prefix_tokens} more token(s) before it; use image_tokens='patches'."
                )
            if grid % self.pixel_shuffle_factor:
                raise ValueError(
                    f"the pixel_shuffle connector cannot fold a {grid}x{grid} grid of patches by "
                    f"pixel_shuffle_factor={self.pixel_shuffle_factor}; choose a factor that divides {grid}."
                )
            return (grid // self.pixel_shuffle_factor) ** 2
        return grid * grid + (self.num_prefix_tokens if self.image_tokens == "all" else 0)


def tower_width(config: PreTrainedConfig) -> int:
    """Width of a vision backbone's output (SAM's encoder names it `output_channels`)."""
    return config.output_channels if config.model_type == "sam_vision_model" else config.hidden_size


def check_gives_a_grid(config: PreTrainedConfig, key: str) -> None:
    """Raises ValueError unless a tower's configuration says how many tokens a picture becomes, and how wide they are.

    Args:
        config (`PreTrainedConfig`): the configuration.
        key (`str`): what the error calls it.
    """
    width = "output_channels" if config.model_type == "sam_vision_model" else "hidden_size"
    absent = [name for name in ("image_size", "patch_size", width) if getattr(config, name, None) is None]
    if absent:
        inside = " (its vision_config would be one)" if getattr(config, "vision_config", None) is not None else ""
        raise ValueError(
            f"{key} is a {config.model_type} configuration without {' and '.join(absent)}, so it is no vision tower with a grid of "
            f"tokens{inside}; name a vision vocabulary, or a vision tower such as CLIP's saved by itself."
        )


def _size_of(config: PreTrainedConfig) -> str:
    return f"{_side(config.image_size)} px, a token every {_side(config.patch_size)} px"


def _with_source(error: ValueError, source) -> ValueError:
    if not source or str(source) in str(error):
        return error
    return ValueError(f"the configuration in {source} cannot be used: {error}")


def _sub_config(value, default_type: str, key: str) -> PreTrainedConfig:
    if isinstance(value, PreTrainedConfig):
        return value
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"{key} is a {type(value).__name__}; give a configuration object or a dictionary.")
    fields = dict(value or {})
    model_type = fields.pop("model_type", default_type)
    if model_type in _OWN_TOWERS:  # run from a Hub repository, these are not in transformers' tables
        return _OWN_TOWERS[model_type](**fields)
    if model_type not in CONFIG_MAPPING:
        raise ValueError(
            f"{key} has model_type={model_type!r}, which transformers {transformers_version} does not know; correct the name, or "
            "install the version or package that brings it."
        )
    if transformers_version.startswith("4."):
        fields = _without_rope_parameters(fields)
    try:
        return AutoConfig.for_model(model_type, **fields)
    except StrictDataclassError as error:  # no ValueError: callers would show a traceback
        raise ValueError(
            f"{key} makes no {model_type} configuration ({' '.join(str(error).split())}); change the fields that contradict "
            "each other, or take the whole configuration from one saved model."
        ) from error


def _without_rope_parameters(fields: dict) -> dict:
    """Rotary positions in the names of transformers 4, which would pass over `rope_parameters` and take its default."""
    rope = dict(fields.get("rope_parameters") or {})
    fields = {name: value for name, value in fields.items() if name != "rope_parameters"}
    if "rope_theta" in rope:
        fields["rope_theta"] = rope.pop("rope_theta")
    if rope.get("rope_type", "default") != "default":
        fields["rope_scaling"] = rope
    return fields


_OWN_TOWERS = {tower.model_type: tower for tower in (NanoVLMsVisionConfig, NanoVLMsVocabularyConfig)}


def _count_prefix_tokens(vision_config) -> int:
    if vision_config.model_type == NanoVLMsVisionConfig.model_type:
        return int(vision_config.use_cls_token)
    registers = getattr(vision_config, "num_register_tokens", None) or 0
    return _PREFIX_TOKENS.get(vision_config.model_type, 0) + registers


__all__ = ["NanoVLMsConfig", "NanoVLMsVisionConfig", "NanoVLMsVocabularyConfig", "check_gives_a_grid", "tower_width"]
