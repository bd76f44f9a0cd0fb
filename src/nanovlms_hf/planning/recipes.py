"""From a recipe's YAML file and flags to the training step it describes, with nothing loaded but configurations."""

from collections.abc import Iterable
from dataclasses import MISSING, fields
from importlib import import_module
from typing import Any

import yaml
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig

from ..locating import check_source
from ..presets import PRESETS, preset_config, reading_config
from ..recipe_files import named_stage, read_recipe_file, stage_of
from ..tokenization import train_tokenizer
from ..training import arguments as stage_arguments
from ..training.arguments import DataArguments, ModelArguments, as_mapping
from ..training.stage_data import Rows, _words, load_data, picture_side, texts_of
from .models import tokens_of_a_picture
from .optimizers import check_optimizer
from .workload import Lora, LowBits, Workload

# Where the dataclasses of a recipe's keys are; a module that is not there adds no keys.
_MODULES = {
    "sft": ("arguments",),
    "vocabulary": ("arguments", "vocabulary_stage"),
    "marks": ("marks_stage", "tower_stage"),
    "tower": ("tower_stage",),
    "dpo": ("arguments", "preference_data", "dpo_trainer"),
    "grpo": ("arguments", "grpo"),
}
_KINDS = {"pretrain": "sft"}  # the same step
_SAMPLE = 32  # rows whose words are counted
_TEXT_TOKENS = 256  # where they cannot be


def read_recipe(path: str | None, settings: Iterable[str] = (), kind: str | None = None) -> tuple[str, dict[str, Any]]:
    """The kind of a recipe and its keys, with settings laid over them.

    Args:
        path (`str`, *optional*): its YAML file.
        settings (`Iterable[str]`): `key=value`, the value as YAML.
        kind (`str`, *optional*): one of `recipe_files.STAGES`; told from the file's name when not given, `sft` without a file.

    Raises:
        ValueError: if the file cannot be read, is no mapping, or a key is no key of this recipe.
    """
    keys: dict[str, Any] = {} if path is None else read_recipe_file(path)
    if path is None:
        stage = named_stage(kind or "sft", "--recipe")
    else:
        stage = stage_of(path, "--recipe", kind)
    kind = _KINDS.get(stage, stage)
    keys = {**keys, **_settings(settings)}
    known = set(known_keys(kind))
    for key in keys:
        if key not in known:
            raise ValueError(f"{key!r} is no key of {kind} recipes; {stage_arguments._nearest(key, known)}")
    return kind, keys


def _settings(settings: Iterable[str]) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise ValueError(f"{setting!r} is no setting; write key=value, such as per_device_train_batch_size=4.")
        try:
            keys[name.lstrip("-")] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(f"{setting!r} is no setting: {value!r} is not YAML; write key=value.") from error
    return keys


def known_keys(kind: str) -> dict[str, Any]:
    """The keys of a kind of recipe with their defaults."""
    found: dict[str, Any] = {"env": None}
    for cls in _dataclasses(kind):
        for item in fields(cls):
            found[item.name] = item.default if item.default is not MISSING else _made(item)
    return found


def _made(item) -> Any:
    return item.default_factory() if item.default_factory is not MISSING else None


def _dataclasses(kind: str) -> list[type]:
    classes = []
    for name in _MODULES[kind]:
        try:
            module = import_module(f"..training.{name}", __package__)
        except ModuleNotFoundError:
            continue
        own = [c for c in vars(module).values() if isinstance(c, type) and hasattr(c, "__dataclass_fields__")]
        classes += [c for c in own if c.__module__ == module.__name__ and c.__name__.endswith("Arguments")]
    if kind in ("dpo", "grpo") and not any(c.__name__ == f"{kind.upper()}Arguments" for c in classes):
        from trl import DPOConfig, GRPOConfig

        classes.append(DPOConfig if kind == "dpo" else GRPOConfig)
    if kind in ("dpo", "grpo"):  # their own training arguments take the place of SFT's
        classes = [c for c in classes if c.__name__ != "StageArguments"]
    return classes


class Recipe:
    """A recipe's keys, read as a training step.

    Args:
        kind (`str`): one of `workload.KINDS`.
        keys (`dict`): what the YAML file and the flags say.
        device (`str`): `cuda` or `cpu`.
        length (`int`, *optional*): tokens of the longest row; counted from the recipe's own rows when not given.
        pictures (`int`, defaults to 1): pictures of a row.
    """

    def __init__(
        self, kind: str, keys: dict[str, Any], device: str = "cuda", length: int | None = None, pictures: int = 1
    ):
        self.kind, self.keys, self.device, self.length, self.pictures = (
            kind,
            keys,
            device,
            length,
            pictures,
        )
        self.defaults = known_keys(kind)
        self.notes: list[str] = []

    def get(self, name: str, default: Any = None) -> Any:
        """A key's value, or its default."""
        value = self.keys.get(name, self.defaults.get(name, default))
        return default if value is None else value

    def workload(self) -> Workload:
        """The training step.

        Raises:
            ValueError: if the recipe names no model or one that cannot be found, or contradicts itself.
        """
        config = self.config()
        optim = str(getattr(self.get("optim", "adamw_torch_fused"), "value", self.get("optim", "adamw_torch_fused")))
        check_optimizer(optim)
        pictures = 0 if self.kind in ("tower", "marks") else self.pictures
        workload = Workload(
            kind=self.kind,
            config=config,
            batch=self._number("per_device_train_batch_size", 8),
            length=1,
            pictures=pictures,
            accumulation=self._number("gradient_accumulation_steps", 1),
            optim=optim,
            muon=bool(self.get("muon_learning_rate")),
            max_grad_norm=float(self.get("max_grad_norm", 1.0)),
            checkpointing=bool(self.get("gradient_checkpointing", False)),
            bf16=bool(self.get("bf16", False)),
            frozen=tuple(self._list("freeze")),
            lora=self._lora(),
            low_bits=self._low_bits(),
            reference=self._has_reference(),
            marks=(int(self.get("slots", 6)), float(self.get("mark_weight", 0.0))),
            attn_implementation=self.keys.get("attn_implementation"),
            device=self.device,
        )
        if self.kind in ("tower", "marks"):
            return workload
        length, supervised = self._length(config, pictures)
        if self.kind == "grpo":
            completion = self._number("max_completion_length", 256)
            waves = self.get("steps_per_generation") or self._number("gradient_accumulation_steps", 1)
            generated = self.get("generation_batch_size") or workload.batch * int(waves)
            length, supervised = length + completion, completion
            workload = workload.with_(completion=completion, generated=int(generated))
        return workload.with_(length=length, supervised=supervised, notes=tuple(self.notes))

    def config(self) -> PreTrainedConfig:
        """The configuration of the recipe's model."""
        keys = self.keys
        overrides = dict(as_mapping("overrides", keys.get("overrides")) or {})
        if keys.get("connector"):
            overrides["connector"] = keys["connector"]
        if keys.get("vocabulary"):
            overrides["vocabulary_config"] = self._saved("vocabulary", "vocabulary_config")
        if keys.get("model_name_or_path"):
            return _saved_config("model_name_or_path", str(keys["model_name_or_path"]))
        size = keys.get("vocab_size")
        if keys.get("preset"):
            if keys.get("language_model"):
                size = self._saved("language_model", "text_config").vocab_size
            make = reading_config if self.kind in ("vocabulary", "marks") else preset_config
            return make(str(keys["preset"]), vocab_size=size, **overrides)
        if keys.get("vision_tower") and keys.get("language_model"):
            from ..configuration_nanovlms import NanoVLMsConfig

            tower, text = self._saved("vision_tower", "vision_config"), self._saved("language_model", "text_config")
            return NanoVLMsConfig(vision_config=tower, text_config=text, **overrides)
        raise ValueError(
            "the recipe names no model: give preset, model_name_or_path, or both vision_tower and language_model."
        )

    def starts_from_weights(self) -> bool:
        """Whether the decoder has been trained before, so that an adapter for it makes sense."""
        return bool(self.keys.get("model_name_or_path") or self.keys.get("language_model"))

    def _saved(self, name: str, part: str) -> PreTrainedConfig:
        config = _saved_config(name, str(self.keys[name]))
        return getattr(config, part, None) or config

    def _number(self, name: str, default: int) -> int:
        value = self.get(name, default)
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}={value!r} is no number of at least 1.")
        return value

    def _list(self, name: str) -> list[str]:
        value = self.get(name, [])
        values = [value] if isinstance(value, str) else list(value)
        return [] if values == ["none"] else values

    def _lora(self) -> Lora | None:
        if not self.get("use_peft"):
            return None
        targets = self._list("lora_target_modules") or ["language_model"]
        dropout = float(self.get("lora_dropout", 0.05))
        whole = tuple(self._list("lora_modules_to_save"))
        return Lora(int(self.get("lora_r", 16)), tuple(targets), dropout, bool(self.get("use_dora")), whole)

    def _low_bits(self) -> LowBits | None:
        bits = 4 if self.get("load_in_4bit") else 8 if self.get("load_in_8bit") else 0
        if not bits:
            return None
        if not self.get("use_peft"):
            raise ValueError(f"load_in_{bits}bit=True holds weights that cannot train; set use_peft too.")
        given = self.keys.get("full_precision_modules") is not None
        kept = tuple(self._list("full_precision_modules")) if given else LowBits(bits).kept
        return LowBits(bits, bool(self.get("use_bnb_nested_quant", True)), kept)

    def _has_reference(self) -> bool:
        if self.kind == "dpo":
            return self.get("reference", "model") == "model"
        return self.kind == "grpo" and float(self.get("beta", 0.0)) > 0

    def _length(self, config, pictures: int) -> tuple[int, int]:
        """Tokens of the longest row and of its text."""
        placeholders = tokens_of_a_picture(config) * pictures
        context = getattr(config.get_text_config(), "max_position_embeddings", None)
        if self.length is not None:
            return self.length, max(self.length - placeholders, 1)
        text = self._text_tokens()
        length = min(placeholders + text, context) if context else placeholders + text
        return length, max(length - placeholders, 1)

    def _text_tokens(self) -> int:
        try:
            tokens, rows = self._longest_text()
        except (ValueError, OSError, KeyError) as error:
            why = " ".join(str(error).split())
            self.notes.append(
                f"the recipe's rows could not be read ({why}), so {_TEXT_TOKENS} tokens of text are taken; give --length."
            )
            return _TEXT_TOKENS
        self.notes.append(f"the longest of {rows} rows has {tokens} tokens of text.")
        return tokens

    def _longest_text(self) -> tuple[int, int]:
        known = {item.name for item in fields(DataArguments)}
        data = DataArguments(**{name: value for name, value in self.keys.items() if name in known})
        if data.sources:
            raise ValueError("they come from source entries")
        if self.kind in ("dpo", "grpo"):  # pairs and prompts are about the same scenes, in words like these
            data = DataArguments(world=data.world, world_seed=data.world_seed, train_rows=_SAMPLE)
        data.validation_rows = 0
        models = {item.name for item in fields(ModelArguments)}
        named = ModelArguments(**{name: value for name, value in self.keys.items() if name in models})
        data.train_rows = min(data.train_rows or _SAMPLE, _SAMPLE)
        train, _ = load_data(data, picture_side(named))
        rows = _words_of_rows(train, data)
        return self._count(rows, named), len(rows)

    def _count(self, rows: list[list[str]], named: ModelArguments) -> int:
        """Tokens of the longest row, with its roles and ends of turns."""
        source = named.tokenizer_name_or_path or named.language_model or named.model_name_or_path
        if source:
            tokenizer = AutoTokenizer.from_pretrained(source)
        else:
            preset = PRESETS[named.preset]
            texts = [text for row in rows for text in row]
            tokenizer = train_tokenizer(texts, named.vocab_size or preset.vocab_size, preset.context)
        return max(sum(len(tokenizer(text)["input_ids"]) + 2 for text in row) for row in rows)


def _words_of_rows(train: Rows, data: DataArguments) -> list[list[str]]:
    """The texts of each row; of the picture world without drawing the pictures."""
    if isinstance(data.mixture, list):
        return [list(_words(train[index]["messages"])) for index in range(len(train))]
    texts = list(texts_of(train, data))
    each = max(len(texts) // len(train), 1)
    return [texts[start : start + each] for start in range(0, len(texts), each)]


def _saved_config(name: str, source: str) -> PreTrainedConfig:
    try:
        check_source(name, source)
    except ValueError as error:
        way_out = f"--set {name}= preset=NAME"
        raise ValueError(
            f"{str(error).rstrip('.')}; to plan before the stage that writes it has run, give {way_out}."
        ) from error
    return AutoConfig.from_pretrained(source)


__all__ = ["Recipe", "known_keys", "read_recipe"]
