"""What a recipe's YAML may say. One flat mapping a stage; flags on the command line override it.

`TrlParser` does the parsing; this module adds the dataclasses and a check that names the nearest key when one is misspelt.
"""

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import TrainingArguments
from trl import SFTConfig, TrlParser

from ..data.scenes import WorldConfig
from .adapters import AdapterArguments
from .low_bits import LowBitArguments


@dataclass
class ModelArguments(AdapterArguments, LowBitArguments):
    """Which model a stage starts from, with the keys of adapters (`AdapterArguments`) and of 8 and 4 bits (`LowBitArguments`).

    Args:
        preset (`str`, *optional*): a preset to build from random weights.
        model_name_or_path (`str`, *optional*): a saved nanovlms model to continue from; excludes `preset`.
        vision_tower (`str`, *optional*): a saved vision tower, local or on the Hub, whose weights (and, without a preset,
            whose shape) the model takes.
        vocabulary (`str`, *optional*): a saved vision vocabulary, local or on the Hub: the model gets a second tower with its
            shape and weights.
        language_model (`str`, *optional*): a saved causal language model, local or on the Hub, likewise; a saved nanovlms model
            gives its decoder.
        connector (`str`, *optional*): connector to use instead of the preset's.
        overrides (`dict`, *optional*): fields of `NanoVLMsConfig` laid over the preset's, such as
            `{"image_tokens": "all", "text_config": {"num_hidden_layers": 2}}`.
        tokenizer_name_or_path (`str`, *optional*): a saved tokenizer; otherwise the model's own, or one trained on the text.
        vocab_size (`int`, *optional*): size of a tokenizer trained on the text; the preset's when not given.
        freeze (`list[str]`): components that do not train, of `vision_tower`, `vocabulary`, `connector`,
            `vocabulary_connector`, `language_model`; `none` on the command line overrides a recipe that names some.
        attn_implementation (`str`, *optional*): `sdpa`, `eager`, `flash_attention_2`, ...
    """

    preset: str | None = field(default=None, metadata={"help": "Preset to build from random weights."})
    model_name_or_path: str | None = field(default=None, metadata={"help": "Saved nanovlms model to continue from."})
    vision_tower: str | None = field(default=None, metadata={"help": "Saved vision tower to start from."})
    vocabulary: str | None = field(default=None, metadata={"help": "Saved vision vocabulary for a second tower."})
    language_model: str | None = field(default=None, metadata={"help": "Saved causal language model to start from."})
    connector: str | None = field(default=None, metadata={"help": "Connector in place of the preset's."})
    overrides: dict[str, Any] | str | None = field(default=None, metadata={"help": "Fields laid over the preset's."})
    tokenizer_name_or_path: str | None = field(default=None, metadata={"help": "Saved tokenizer to use."})
    vocab_size: int | None = field(default=None, metadata={"help": "Size of a tokenizer trained on the text."})
    freeze: list[str] = field(default_factory=list, metadata={"help": "Components that do not train."})
    attn_implementation: str | None = field(default=None, metadata={"help": "Attention implementation."})

    def __post_init__(self):
        AdapterArguments.__post_init__(self)
        LowBitArguments.__post_init__(self)
        self.overrides = as_mapping("overrides", self.overrides)
        if isinstance(self.freeze, str):  # `freeze: vision_tower` in a YAML file
            self.freeze = [self.freeze]
        if self.freeze == ["none"]:  # a flag cannot give an empty list
            self.freeze = []


@dataclass
class DataArguments:
    """What a stage trains on: the built-in picture world, real data by source entries, or a mixture of both and more.

    Args:
        sources (`list[str]`): source entries (YAML files, see docs/data.md); the picture world when empty.
        mixture (`dict[str, float]` or `list[dict]`): for the picture world, conversation -> weight, such as
            `{"naming+short": 1.0}` (see `data/tasks.py`); or a list of entries, each a name, a weight and a kind of rows (see
            `data/mixture_config.py`), which excludes `sources` and `world`.
        world (`dict`): fields of `WorldConfig`, to make the world smaller or draw other styles.
        world_seed (`int`, defaults to 0): seed of the picture world and of a mixture.
        train_rows (`int`, *optional*): rows for training; needed for the picture world and a mixture, a cap for real data.
        validation_rows (`int`, defaults to 512): rows for the validation loss.
        picture_size (`int`, *optional*): side of the drawn pictures, in pixels; the model's when not given.
    """

    sources: list[str] = field(default_factory=list, metadata={"help": "Source entries; the picture world if none."})
    # A list too, but transformers' argument parser knows no union with one.
    mixture: dict[str, Any] | str | None = field(
        default=None, metadata={"help": "Conversation -> weight, or a list of entries."}
    )
    world: dict[str, Any] | str | None = field(default=None, metadata={"help": "Fields of WorldConfig."})
    world_seed: int = field(default=0, metadata={"help": "Seed of the picture world."})
    train_rows: int | None = field(default=None, metadata={"help": "Rows for training."})
    validation_rows: int = field(default=512, metadata={"help": "Rows for the validation loss."})
    picture_size: int | None = field(default=None, metadata={"help": "Side of the drawn pictures, in pixels."})

    def __post_init__(self):
        self.mixture = as_mixture(self.mixture)
        self.world = as_mapping("world", self.world)
        if isinstance(self.sources, str):
            self.sources = [self.sources]
        if isinstance(self.mixture, list) and (self.sources or self.world):
            raise ValueError(
                "mixture is a list of entries, and sources or world are given too; name sources and worlds in entries of the "
                "mixture."
            )


@dataclass
class StageArguments(SFTConfig):
    """TRL's `SFTConfig` with the family's defaults and a learning rate for each component.

    Args:
        component_learning_rates (`dict[str, float]`, *optional*): learning rates of `vision_tower`, `connector` and
            `language_model` (its head included); `learning_rate` for those not named.
        muon_learning_rate (`float`, *optional*): train matrices and convolutions with Muon at this rate and the rest with
            AdamW at `learning_rate` (see `muon.py`); AdamW, or what `optim` says, for everything when not given.
    """

    _VALID_DICT_FIELDS = SFTConfig._VALID_DICT_FIELDS + ["component_learning_rates"]

    component_learning_rates: dict[str, Any] | str | None = field(
        default=None, metadata={"help": "Learning rate of each component, by name."}
    )
    muon_learning_rate: float | None = field(default=None, metadata={"help": "Learning rate of Muon; AdamW if none."})
    assistant_only_loss: bool = field(default=True, metadata={"help": "Loss on the assistant's words only."})
    max_length: int | None = field(default=None, metadata={"help": "Truncation would cut pictures: off."})
    remove_unused_columns: bool = field(
        default=False, metadata={"help": "The picture world draws rows from an index."}
    )
    gradient_checkpointing: bool = field(default=False, metadata={"help": "Tiny models have memory to spare."})
    bf16: bool | None = field(default=False, metadata={"help": "Switch on where it was measured to help."})
    report_to: None | str | list[str] = field(default="none", metadata={"help": "Trackers."})

    def __post_init__(self):
        self.component_learning_rates = as_mapping("component_learning_rates", self.component_learning_rates)
        name_cpu_for_bf16(self)
        super().__post_init__()


def name_cpu_for_bf16(arguments: TrainingArguments) -> None:
    """Sets `use_cpu` where there is nothing else: transformers refuses bf16 on a CPU that was not asked for by name."""
    if arguments.bf16 and not torch.accelerator.is_available():
        arguments.use_cpu = True


def as_mapping(name: str, value: dict | str | None) -> dict | None:
    """A mapping from YAML as it is, one from a flag read as JSON; raises ValueError for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise ValueError(f"{name}={value!r} is not JSON ({error}); write it as '{{\"key\": value}}'.") from error
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"{name} is a {type(value).__name__}, but a mapping of names to values is needed.")
    return value


def as_mixture(value: dict | list | str | None) -> dict | list | None:
    """A mixture from YAML as it is, one from a flag read as JSON: a list of entries, or a mapping; else as `as_mapping`."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise ValueError(f"mixture={value!r} is not JSON ({error}); write it as '[{{\"name\": ...}}]'.") from error
    return value if isinstance(value, list) else as_mapping("mixture", value)


def world_config(world: dict | None) -> WorldConfig:
    """The `WorldConfig` of a recipe's `world`; raises ValueError for an unknown field and names the nearest one."""
    known = [item.name for item in fields(WorldConfig)]
    for key in world or {}:
        if key not in known:
            raise ValueError(f"world sets {key!r}, which is no field of WorldConfig; {_nearest(key, known)}")
    return WorldConfig(**(world or {}))


def parse(dataclass_types: tuple[type, ...], argv: list[str] | None = None) -> tuple:
    """Parses `--config file.yaml` and flags into dataclasses.

    Args:
        dataclass_types (`tuple[type, ...]`): the dataclasses whose fields the YAML may set.
        argv (`list[str]`, *optional*): arguments; those of the process when not given.

    Raises:
        ValueError: if the file is missing or no mapping, or a key does not exist; names the nearest one.
    """
    import sys

    argv = list(sys.argv[1:] if argv is None else argv)
    # `--config=file.yaml` is as good as `--config file.yaml`, but TrlParser knows only the latter.
    argv = [part for flag in argv for part in (flag.split("=", 1) if flag.startswith("--config=") else [flag])]
    if "--config" in argv:
        if argv[-1] == "--config":
            raise ValueError("--config stands without a file; give the path of a recipe's YAML file.")
        _check_keys(Path(argv[argv.index("--config") + 1]), dataclass_types)
    return TrlParser(dataclass_types).parse_args_and_config(argv)


def _check_keys(path: Path, dataclass_types: tuple[type, ...]) -> None:
    if not path.is_file():
        raise ValueError(f"--config {path} does not exist; give the path of a recipe's YAML file.")
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}; mend that line.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, but a recipe is a YAML mapping of keys to values.")
    known = {item.name for cls in dataclass_types for item in fields(cls)} | {"env"}
    for key in content:
        if key not in known:
            raise ValueError(f"{path} sets {key!r}, which is no key of this recipe; {_nearest(key, known)}")


def _nearest(key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(key), known, n=1)
    return f"did you mean {close[0]!r}?" if close else "see `--help` for the keys there are."


__all__ = [
    "DataArguments",
    "ModelArguments",
    "StageArguments",
    "as_mapping",
    "as_mixture",
    "name_cpu_for_bf16",
    "parse",
    "world_config",
]
