"""Folders of adapters: which base they belong to, how they are loaded on it, and how both become one model.

PEFT keeps the base's name, but a name says little: the model in `runs/sft` may have been trained anew since. So a stage writes
`adapter_base.json` beside the adapter, with a digest of the base's weights, and an adapter is loaded on that base alone.
"""

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from peft import PeftModel
from safetensors import safe_open
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    BitsAndBytesConfig,
    PreTrainedModel,
    ProcessorMixin,
)
from transformers.utils import logging
from transformers.utils.hub import cached_file, get_checkpoint_shard_files

from .locating import check_source
from .modeling_nanovlms import NanoVLMsForConditionalGeneration

logger = logging.get_logger(__name__)
BASE_FILE = "adapter_base.json"


def is_adapter(name: str | Path | None) -> bool:
    """Whether a name is the folder of an adapter alone, without a whole model beside it."""
    folder = Path(name or "")
    return bool(name) and (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file()


def base_of(adapter: str | Path, base: str | Path | None = None) -> str:
    """The base of an adapter.

    Args:
        adapter (`str` or `Path`): folder of the adapter.
        base (`str` or `Path`, *optional*): where the base lies now, if not where the adapter says.

    Raises:
        ValueError: if the folder holds no adapter, or its base cannot be found.
    """
    folder = Path(adapter)
    if not is_adapter(folder):
        raise ValueError(
            f"{folder} holds no adapter (adapter_config.json without a model); give the folder that a stage with use_peft left."
        )
    named = base or json.loads((folder / "adapter_config.json").read_text()).get("base_model_name_or_path")
    if not base and not Path(named or "").is_dir() and (folder / "base" / "config.json").is_file():
        return str(folder / "base")  # the run's folder was moved as a whole
    if not named:
        raise ValueError(f"the adapter in {folder} does not name its base; name it, for `nanovlms merge` with --base.")
    try:
        check_source("its base", str(named))
    except ValueError as error:
        raise ValueError(
            f"the adapter in {folder} cannot be loaded: {error} For `nanovlms merge` give --base."
        ) from error
    return str(named)


def weights_digest(name: str | Path) -> str:
    """SHA-256 over names, shapes, types and bytes of a saved model's weights; the same however they are split into files."""
    digest = hashlib.sha256()
    places = {}
    for path in _weight_files(str(name)):
        with safe_open(path, framework="pt") as opened:
            places |= {key: path for key in opened.keys()}  # noqa: SIM118
    for key in sorted(places):
        with safe_open(places[key], framework="pt") as opened:
            tensor = opened.get_tensor(key).contiguous()
        digest.update(f"{key} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _weight_files(name: str) -> list[str]:
    whole = cached_file(name, "model.safetensors", _raise_exceptions_for_missing_entries=False)
    if whole:
        return [whole]
    index = cached_file(name, "model.safetensors.index.json")
    return get_checkpoint_shard_files(name, index)[0]


def write_base(folder: str | Path, base: str, digest: str) -> None:
    """Writes beside an adapter which base it belongs to."""
    content = {"base_model_name_or_path": base, "weights_sha256": digest}
    (Path(folder) / BASE_FILE).write_text(json.dumps(content, indent=1))


def check_base(adapter: str | Path, base: str) -> None:
    """Raises ValueError if a base is not the one that an adapter was trained on; without a record nothing is known."""
    record = Path(adapter) / BASE_FILE
    if not record.is_file():
        logger.warning(
            f"{adapter} holds no {BASE_FILE}: whether {base} is the adapter's base cannot be told for certain."
        )
        return
    wanted, found = json.loads(record.read_text())["weights_sha256"], weights_digest(base)
    if wanted != found:
        raise ValueError(
            f"the adapter in {adapter} was trained on other weights (SHA-256 {wanted[:12]}...) than those in {base} "
            f"({found[:12]}...); give the base that it was trained on, or train it again on this one."
        )


def load_merged(
    adapter: str | Path, base: str | Path | None = None, **options
) -> tuple[NanoVLMsForConditionalGeneration, str]:
    """The base with the adapter merged into its weights, and the base's name.

    Args:
        adapter (`str` or `Path`): folder of the adapter.
        base (`str` or `Path`, *optional*): where the base lies, if not where the adapter says.
        options: for the base's `from_pretrained`, such as `dtype`.

    Raises:
        ValueError: if the folder holds no adapter, its base cannot be found, is another one, has other shapes, or is saved in 8
            or 4 bits.
    """
    name = base_of(adapter, base)
    check_base(adapter, name)
    model = NanoVLMsForConditionalGeneration.from_pretrained(name, **options)
    if getattr(model, "is_quantized", False):
        raise ValueError(
            f"the base {name} is saved in 8 or 4 bits, into which no adapter can be merged without a loss; put the adapter in {adapter} on "
            "it with peft.PeftModel.from_pretrained, or train on the model in full precision with load_in_8bit or load_in_4bit."
        )
    return put_on(model, adapter).merge_and_unload().requires_grad_(True), name  # PEFT leaves the base frozen


def load(
    name: str | Path, quantization_config: BitsAndBytesConfig | None = None, **options
) -> tuple[PreTrainedModel, ProcessorMixin]:
    """A saved image-text-to-text model and its processor; an adapter's folder means its base with the adapter merged.

    Args:
        name (`str` or `Path`): folder of a model or an adapter, or a model's repository on the Hub.
        quantization_config (`BitsAndBytesConfig`, *optional*): hold the model in 8 or 4 bits.
        options: for `from_pretrained`, such as `dtype`.

    Raises:
        ValueError: for an adapter, as `load_merged`.
    """
    low_bits = {"quantization_config": quantization_config} if quantization_config else {}
    if not is_adapter(name):
        model = AutoModelForImageTextToText.from_pretrained(name, **options, **low_bits)
        return model, AutoProcessor.from_pretrained(name)
    model, base = load_merged(name, **options)
    processor = AutoProcessor.from_pretrained(_where_processor_lies(name, base))
    if quantization_config:
        with TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            model = type(model).from_pretrained(folder, **options, **low_bits)
    return model, processor


def _where_processor_lies(adapter: str | Path, base: str) -> str | Path:
    """A stage writes the processor beside its adapter; PEFT alone does not."""
    return adapter if (Path(adapter) / "processor_config.json").is_file() else base


def put_on(model: PreTrainedModel, adapter: str | Path) -> PeftModel:
    """A model with an adapter on it; raises ValueError if the adapter was made for another architecture."""
    try:
        return PeftModel.from_pretrained(model, str(adapter))
    except (RuntimeError, ValueError) as error:  # other shapes, or no layer of the names
        raise ValueError(
            f"the adapter in {adapter} does not fit {model.name_or_path}, so it belongs to another base: "
            f"{' '.join(str(error).split())[:300]}."
        ) from error


def merge(adapter: str | Path, output: str | Path, base: str | Path | None = None) -> str:
    """Writes base and adapter as one ordinary model, with its processor.

    Args:
        adapter (`str` or `Path`): folder of the adapter.
        output (`str` or `Path`): folder to write.
        base (`str` or `Path`, *optional*): where the base lies, if not where the adapter says.

    Returns:
        `str`: what was written, as a sentence.

    Raises:
        ValueError: as `load_merged`, or if `output` holds something already.
    """
    output = Path(output)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ValueError(f"{output} is there already and is not empty; name a new folder for the merged model.")
    model, name = load_merged(adapter, base, dtype="auto")
    processor = AutoProcessor.from_pretrained(_where_processor_lies(adapter, name))
    model.save_pretrained(output)
    processor.save_pretrained(output)
    return f"{output} holds {name} with the adapter in {adapter} merged into its weights, and the processor"


__all__ = [
    "BASE_FILE",
    "base_of",
    "check_base",
    "is_adapter",
    "load",
    "load_merged",
    "merge",
    "put_on",
    "weights_digest",
    "write_base",
]
