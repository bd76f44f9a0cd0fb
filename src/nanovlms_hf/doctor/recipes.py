"""A recipe up to the moment before its first step: its own `main` runs, and is stopped where training would begin.

So what is examined is what the recipe trains: the same arguments, data, collator and model. Nothing is written but to a
temporary folder, nothing is pushed or tracked.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from transformers import Trainer

from ..modeling_nanovlms import WeightsDoNotFitError
from .checks_weights import weights_not_loaded
from .finding import Report
from .run import EXAMINING, check_trainer

# stage -> module with `main`; a recipe's stage is the last word of its file's name.
STAGES = {
    "sft": "nanovlms_hf.training.sft",
    "pretrain": "nanovlms_hf.training.pretrain",
    "vocabulary": "nanovlms_hf.vocabulary",
    "tower": "nanovlms_hf.training.tower_stage",
    "marks": "nanovlms_hf.training.marks_stage",
    "dpo": "nanovlms_hf.training.dpo",
    "grpo": "nanovlms_hf.training.grpo",
}
_ROWS = 256  # a tokenizer is trained on no more, and real data are cut to them
_WEIGHTS_MISSING = "weights match, missing"  # of `building.load_part`


class _ReadyError(Exception):
    """Raised where training would begin."""


def examine_recipe(config: str, flags: list[str] | None = None, stage: str | None = None) -> Report:
    """Looks at what a recipe would train.

    Args:
        config (`str`): the recipe's YAML file.
        flags (`list[str]`, *optional*): further flags of the recipe, which override the file's.
        stage (`str`, *optional*): one of `STAGES`; by default the last word of the file's name, as in `2_sft.yaml`.

    Raises:
        ValueError, OSError: if the recipe is wrong or something that it names is not there.
    """
    flags = list(flags or [])
    try:
        with ready_trainer(config, flags, stage) as trainer:
            frozen = _frozen(_read(Path(config)), flags)
            return check_trainer(trainer, _processor(trainer), frozen=frozen, full_report=True)
    except WeightsDoNotFitError as error:
        return _not_loaded(error)
    except ValueError as error:
        if _WEIGHTS_MISSING in str(error):
            return _not_loaded(error)
        raise


@contextmanager
def ready_trainer(config: str, flags: list[str] | None = None, stage: str | None = None) -> Iterator[Trainer]:
    """The trainer of a recipe at the moment where training would begin; its output folder goes when the context is left.

    Args, Raises: as `examine_recipe`.
    """
    flags, path = list(flags or []), Path(config)
    content = _read(path)
    module = _module(stage or path.stem.split("_")[-1], path)
    with TemporaryDirectory(prefix="nanovlms-doctor-") as folder:
        with _held() as held:
            try:
                module.main(["--config", str(config), *_fewer_rows(content, flags), *flags, *_harmless(folder)])
            except _ReadyError:
                pass
        if not held:
            raise ValueError(
                f"{config} ended before it began to train; name its stage with --stage ({', '.join(STAGES)})."
            )
        yield held[0]


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"--config {path} does not exist; give the path of a recipe's YAML file.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}; mend that line.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, but a recipe is a YAML mapping of keys to values.")
    if "stages" in content:
        raise ValueError(
            f"{path} lists several stages; give the recipe of one of them, as its `config` entries name them."
        )
    return content


def _module(stage: str, path: Path) -> Any:
    if stage not in STAGES:
        raise ValueError(f"the stage of {path} is not known from its name; give it with --stage: {', '.join(STAGES)}.")
    try:
        return importlib.import_module(STAGES[stage])
    except ModuleNotFoundError as error:
        raise ValueError(
            f"this version has no stage {stage!r}; choose another with --stage: {', '.join(STAGES)}."
        ) from error


def _fewer_rows(content: dict[str, Any], flags: list[str]) -> list[str]:
    """No more rows than are looked at; a row is the same whatever their number."""
    rows = {"train_rows": _ROWS, "validation_rows": 8}
    return [
        word
        for name, most in rows.items()
        if isinstance(content.get(name), int) and content[name] > most and f"--{name}" not in flags
        for word in (f"--{name}", str(most))
    ]


def _harmless(folder: str) -> list[str]:
    return ["--output_dir", folder, "--push_to_hub", "false", "--report_to", "none"]


@contextmanager
def _held() -> Iterator[list[Trainer]]:
    """Makes `Trainer.train` raise `_ReadyError`, for every trainer; the list gets the trainer."""
    held: list[Trainer] = []

    def stop(trainer: Trainer, *_arguments, **_options):
        held.append(trainer)
        raise _ReadyError

    train, token = Trainer.train, EXAMINING.set(True)
    Trainer.train = stop
    try:
        yield held
    finally:
        Trainer.train = train
        EXAMINING.reset(token)


def _processor(trainer: Trainer) -> Any:
    return trainer.processing_class or getattr(trainer.data_collator, "image_processor", None)  # stages without text


def _frozen(content: dict[str, Any], flags: list[str]) -> list[str]:
    frozen = content.get("freeze") or []
    if "--freeze" in flags:
        given = flags[flags.index("--freeze") + 1 :]
        frozen = given[: next((place for place, word in enumerate(given) if word.startswith("--")), len(given))]
    return [part for part in ([frozen] if isinstance(frozen, str) else frozen) if part != "none"]


def _not_loaded(error: Exception) -> Report:
    return Report([weights_not_loaded(" ".join(str(error).split()).rstrip("."))], checks=["weights"])


__all__ = ["STAGES", "examine_recipe", "ready_trainer"]
