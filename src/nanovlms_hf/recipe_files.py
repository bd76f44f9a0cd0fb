"""A recipe's YAML file and the stage that it is of, told from its name: the last word, as in `2_sft.yaml`."""

import re
from pathlib import Path
from typing import Any

import yaml

# stage -> module with `main`
STAGES = {
    "sft": "nanovlms_hf.training.sft",
    "pretrain": "nanovlms_hf.training.pretrain",
    "vocabulary": "nanovlms_hf.vocabulary",
    "tower": "nanovlms_hf.training.tower_stage",
    "marks": "nanovlms_hf.training.marks_stage",
    "dpo": "nanovlms_hf.training.dpo",
    "grpo": "nanovlms_hf.training.grpo",
}
_OTHER_WORDS = {"reader": "vocabulary"}  # the vocabulary stage that leaves its tower as it is


def read_recipe_file(path: str | Path) -> dict[str, Any]:
    """The keys of a recipe.

    Args:
        path (`str` or `Path`): its YAML file.

    Raises:
        ValueError: if the file is not there, is no YAML mapping, or lists stages instead of being one.
    """
    path = Path(path)
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
            f"{path} lists several stages; give one of them: --config {_first_config(content['stages'])}."
        )
    return content


def _first_config(stages: Any) -> str:
    listed = stages if isinstance(stages, list) else []
    return next(
        (stage["config"] for stage in listed if isinstance(stage, dict) and "config" in stage), "its YAML file"
    )


def stage_of(path: str | Path, flag: str, given: str | None = None) -> str:
    """The stage of a recipe, one of `STAGES`.

    Args:
        path (`str` or `Path`): its YAML file.
        flag (`str`): the flag by which a user names the stage, such as `--stage`.
        given (`str`, *optional*): what the user gave by it; by default the file's name says it.

    Raises:
        ValueError: if what was given is no stage, or the name says none; names the flag.
    """
    if given is not None:
        return named_stage(given, flag)
    word = re.split(r"[^a-z0-9]+", Path(path).stem.lower())[-1]
    stage = _OTHER_WORDS.get(word, word)
    if stage not in STAGES:
        raise ValueError(f"the stage of {path} is not known from its name; give it with {flag}: {', '.join(STAGES)}.")
    return stage


def named_stage(given: str, flag: str) -> str:
    """The stage that a user gave by a flag; raises ValueError if it is none."""
    stage = _OTHER_WORDS.get(given, given)
    if stage not in STAGES:
        raise ValueError(f"{flag} {given!r} is no kind of recipe; choose one of {', '.join(STAGES)}.")
    return stage


__all__ = ["STAGES", "named_stage", "read_recipe_file", "stage_of"]
