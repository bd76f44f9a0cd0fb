"""What a folder is and what of it belongs on the Hub, found out before anything is sent."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open

from .card_facts import read_run
from .configuration_nanovlms import NanoVLMsVocabularyConfig
from .model_card import model_card
from .remote_code import check_code, code_files, complete

# Reading one of these runs whatever its author put in; optimizer and generator states are of no use to anyone else.
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
TRAINING_STATES = ("optimizer.pt", "optimizer.bin", "scheduler.pt", "scaler.pt", "trainer_state.json")
_TRAVELS = (".safetensors", ".json", ".jinja", ".txt", ".model", ".md", ".png", ".html")


@dataclass
class Folder:
    """A folder that can be pushed.

    Attributes:
        kind (`str`): `model`, `vision tower`, `vision vocabulary`, `adapter` or `dataset`.
        repo_type (`str`): `model` or `dataset`.
        files (`dict[str, str | bytes]`): name in the repository -> path, or content that is made for the push.
        left_out (`list[str]`): what is in the folder and does not travel, with a slash after folders.
        push (`Callable`, *optional*): does the pushing where more than files is needed, as for datasets.
    """

    kind: str
    repo_type: str = "model"
    files: dict[str, str | bytes] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    push: Callable | None = None


def read_folder(folder: str | Path, *, checkpoint: bool = False) -> Folder:
    """Looks at a folder and takes what can be pushed.

    Args:
        folder (`str` or `Path`): what `save_pretrained`, `save_to_disk` or a finished stage wrote.
        checkpoint (`bool`, defaults to `False`): take the model out of a checkpoint too; its optimizer states stay behind.

    Raises:
        ValueError: if the folder is none of these, is not whole, is a checkpoint to resume from, holds its weights as a pickle,
            or carries code that differs from this package's.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder; give the folder that a finished stage or `save_pretrained` wrote.")
    present = {path.name for path in folder.iterdir()}
    if {"dataset_dict.json", "state.json"} & present:
        from .hub_datasets import dataset_folder

        return dataset_folder(folder)
    states = [name for name in TRAINING_STATES if name in present]
    if states and not checkpoint:
        raise ValueError(
            f"{folder} holds optimizer states ({', '.join(states)}): it is a checkpoint to resume training from, not a model to "
            "publish; push the stage's output folder above it."
        )
    if "adapter_config.json" in present:
        return _adapter(folder, present)
    if "config.json" not in present:
        raise ValueError(
            f"{folder} holds no config.json, adapter_config.json or saved dataset, so there is nothing to push; give the folder "
            "that a finished stage or `save_pretrained` wrote."
        )
    return _model(folder, present)


def _model(folder: Path, present: set[str]) -> Folder:
    _check_weights(folder, "*.safetensors")
    check_code(folder)
    fields = json.loads((folder / "config.json").read_text())
    whole = "text_config" in fields
    needed = "processor_config.json" if whole else "preprocessor_config.json"
    if needed not in present:
        part, does = ("processor", "chat") if whole else ("image processor", "be given pictures")
        raise ValueError(
            f"{folder} holds a model without its {part} ({needed}), so nobody could {does} with it; save the {part} there too, "
            f"with {part.replace(' ', '_')}.save_pretrained({str(folder)!r})."
        )
    vocabulary = fields.get("model_type") == NanoVLMsVocabularyConfig.model_type
    content = _collect(folder, "model" if whole else "vision vocabulary" if vocabulary else "vision tower")
    content.files |= complete(folder)
    content.left_out = [name for name in content.left_out if name not in content.files]
    if "README.md" not in content.files and {"training.json", "metrics.json"} & present:
        content.files["README.md"] = str(model_card(read_run(folder))).encode()
    return content


def _adapter(folder: Path, present: set[str]) -> Folder:
    _check_weights(folder, "adapter_model.safetensors")
    base = json.loads((folder / "adapter_config.json").read_text()).get("base_model_name_or_path")
    if not base or Path(base).exists() or base.startswith((".", "/", "~")):
        raise ValueError(
            f"the adapter in {folder} names its base model as {base!r}, which is no repository of the Hub, so nobody else could "
            "load it; push the base model first and write its `owner/name` as base_model_name_or_path in adapter_config.json."
        )
    content = _collect(folder, "adapter")
    for name in code_files():  # they lie in the base model's repository
        content.files.pop(name, None)
    return content


def _check_weights(folder: Path, pattern: str) -> None:
    files = sorted(folder.glob(pattern))
    pickles = sorted(path.name for path in folder.iterdir() if path.name.endswith(PICKLES) and "model" in path.name)
    if not files and pickles:
        raise ValueError(
            f"{folder} holds its weights as {pickles[0]}: a pickle can run any code when it is read, so none is pushed; save "
            "again with `save_pretrained`, which writes safetensors."
        )
    if not files:
        raise ValueError(
            f"{folder} holds no weights ({pattern}); give the folder that a finished stage or `save_pretrained` wrote."
        )
    for path in files:
        try:
            with safe_open(path, framework="pt"):
                pass
        except SafetensorError as error:
            raise ValueError(
                f"{path} cannot be read as safetensors ({error}), so it is cut off or damaged; save the model again."
            ) from error


def _collect(folder: Path, kind: str) -> Folder:
    """Files by their ending; folders stay at home, except templates."""
    content = Folder(kind)
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if path.name == "additional_chat_templates":
                content.files |= {f"{path.name}/{file.name}": str(file) for file in path.glob("*.jinja")}
            elif not path.name.startswith("."):
                content.left_out.append(f"{path.name}/")
        elif path.name.endswith(_TRAVELS) and path.name not in TRAINING_STATES and not path.name.startswith("."):
            content.files[path.name] = str(path)
        elif not path.name.startswith("."):
            content.left_out.append(path.name)
    return content


__all__ = ["PICKLES", "TRAINING_STATES", "Folder", "read_folder"]
