"""A recipe up to the moment before its first step: its own `main` runs, and is stopped where training would begin.

So what is examined is what the recipe trains: the same arguments, data, collator and model. Nothing is written but to a
temporary folder, nothing is pushed or tracked.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from transformers import Trainer

from ..modeling_nanovlms import WeightsDoNotFitError
from ..recipe_files import STAGES, read_recipe_file, stage_of
from .checks_weights import weights_not_loaded
from .finding import Report
from .run import EXAMINING, check_trainer

_ROWS = 256  # a tokenizer is trained on no more, and real data are cut to them
_PAIRS = 8  # all are scored before the first step
_WEIGHTS_MISSING = "weights match, missing"  # of `building.load_part`


class _ReadyError(Exception):
    """Raised where training would begin."""


def examine_recipe(config: str, flags: list[str] | None = None, stage: str | None = None) -> Report:
    """Looks at what a recipe would train.

    Args:
        config (`str`): the recipe's YAML file.
        flags (`list[str]`, *optional*): further flags of the recipe, which override the file's.
        stage (`str`, *optional*): one of `recipe_files.STAGES`; by default the last word of the file's name, as in `2_sft.yaml`.

    Raises:
        ValueError, OSError: if the recipe is wrong or something that it names is not there.
    """
    flags = list(flags or [])
    try:
        with ready_trainer(config, flags, stage) as trainer:
            frozen = _frozen(read_recipe_file(config), flags)
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
    flags, content = list(flags or []), read_recipe_file(config)
    stage = stage_of(config, "--stage", stage)
    module = importlib.import_module(STAGES[stage])
    with TemporaryDirectory(prefix="nanovlms-doctor-") as folder:
        with _held() as held:
            try:
                fewer = _fewer_pairs(content, flags) if stage == "dpo" else _fewer_rows(content, flags)
                module.main(["--config", str(config), *fewer, *flags, *_harmless(folder, stage)])
            except _ReadyError:
                pass
        if not held:
            raise ValueError(
                f"{config} ended before it began to train; name its stage with --stage ({', '.join(STAGES)})."
            )
        yield held[0]


def _fewer_rows(content: dict[str, Any], flags: list[str]) -> list[str]:
    """No more rows than are looked at; a row is the same whatever their number."""
    rows = {"train_rows": _ROWS, "validation_rows": 8}
    return [
        word
        for name, most in rows.items()
        if isinstance(content.get(name), int) and content[name] > most and f"--{name}" not in flags
        for word in (f"--{name}", str(most))
    ]


def _fewer_pairs(content: dict[str, Any], flags: list[str]) -> list[str]:
    """Few pairs, of real data too; a picture world without a number of pairs is left so, for the stage to refuse."""
    rows = {"validation_rows": content.get("validation_rows", _PAIRS)}
    if content.get("train_rows") or content.get("sources") or "--sources" in flags:
        rows["train_rows"] = content.get("train_rows") or _PAIRS
    return [
        word
        for name, given in rows.items()
        if isinstance(given, int) and f"--{name}" not in flags
        for word in (f"--{name}", str(min(given, _PAIRS)))
    ]


def _harmless(folder: str, stage: str) -> list[str]:
    scores = ["--reference_folder", f"{folder}/reference_scores"] if stage == "dpo" else []
    return ["--output_dir", folder, *scores, "--push_to_hub", "false", "--report_to", "none"]


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


__all__ = ["examine_recipe", "ready_trainer"]
