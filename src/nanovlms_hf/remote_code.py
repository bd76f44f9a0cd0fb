"""What makes a folder run without this package: the `*_nanovlms.py` files beside the weights, and the tables that name their classes.

Everything is read from the classes themselves (`_auto_class`, `auto_map`), so a model, configuration or processor that is
added to one of the files is carried along without a line here.
"""

import ast
import hashlib
import importlib
import json
import sys
from pathlib import Path

from transformers import AutoConfig

from .processing_nanovlms import readable_by_transformers_4

PACKAGE = Path(__file__).parent
# What the files may import beside each other and the standard library: torch and transformers, what transformers itself
# cannot be installed without, and PIL, without which there are no pictures.
ALLOWED_IMPORTS = ("torch", "transformers", "huggingface_hub", "safetensors", "numpy", "PIL")


def code_files() -> dict[str, Path]:
    """The files that a repository carries: name -> path in this package."""
    return {path.name: path for path in sorted(PACKAGE.glob("*_nanovlms.py"))}


def foreign_imports(path: str | Path, allowed: tuple[str, ...] = ALLOWED_IMPORTS) -> list[str]:
    """What a file imports that it would not find in a Hub repository.

    Args:
        path (`str` or `Path`): a Python file.
        allowed (`tuple[str, ...]`): packages it may import; the standard library and sister files always.

    Returns:
        `list[str]`: names, in order; empty if it can run alone.
    """
    sisters = {Path(name).stem for name in code_files()}
    foreign = []
    for node in ast.walk(ast.parse(Path(path).read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f".{node.module or ''}" if node.level else node.module]
        else:
            continue
        for name in names:
            root = name.lstrip(".").split(".")[0]
            known = root in sisters if name.startswith(".") else root in allowed or root in sys.stdlib_module_names
            if not known:
                foreign.append(name)
    return foreign


def changed_files(folder: str | Path) -> list[str]:
    """Names of the files of the family in a folder that are not this package's own, or not part of it."""
    ours = code_files()
    return [
        path.name
        for path in sorted(Path(folder).glob("*_nanovlms.py"))
        if path.name not in ours or path.read_bytes() != ours[path.name].read_bytes()
    ]


def check_code(folder: str | Path, what: str | None = None) -> None:
    """Raises ValueError if a folder carries files of the family that differ from this package's.

    Args:
        folder (`str` or `Path`): a folder; nothing in it is run.
        what (`str`, *optional*): how the folder is called in the sentence.
    """
    changed = changed_files(folder)
    if changed:
        raise ValueError(
            f"{what or folder} carries {', '.join(changed)}, which {'is' if len(changed) == 1 else 'are'} not as in this version "
            "of nanovlms_hf, and such code runs on the machine of everyone who loads it with trust_remote_code; read what was "
            "changed, then delete it so that the package's own takes its place, or use the version that it came from."
        )


def _home(class_name: str) -> str | None:
    """`file.Class` of a class of the family."""
    for name in code_files():
        module = importlib.import_module(f".{Path(name).stem}", __package__)
        found = getattr(module, class_name, None)
        if isinstance(found, type) and found.__module__ == module.__name__:
            return f"{Path(name).stem}.{class_name}"
    return None


def _with_auto_map(fields: dict, auto_class: str, class_name: str | None) -> dict:
    home = _home(class_name) if class_name else None
    return fields | {"auto_map": fields.get("auto_map", {}) | {auto_class: home}} if home else fields


def complete(folder: str | Path) -> dict[str, bytes]:
    """The files with which a saved folder runs without this package; those already as they should be are in it too.

    Args:
        folder (`str` or `Path`): a model or vision tower, with or without its processor.

    Returns:
        `dict[str, bytes]`: name -> content of the code files and of the JSON files that name their classes.

    Raises:
        ValueError: if the folder's configuration cannot be read.
    """
    folder = Path(folder)
    files = {name: path.read_bytes() for name, path in code_files().items()}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    config = AutoConfig.from_pretrained(folder)
    written: dict[str, dict] = {}
    if hasattr(config, "auto_map"):
        fields = _read(folder / "config.json")
        written["config.json"] = fields | {"auto_map": config.auto_map, "code_sha256": digests}
    for name in ("processor_config.json", "preprocessor_config.json"):
        if (folder / name).is_file():
            written[name] = _name_processors(_read(folder / name))
    if (folder / "tokenizer_config.json").is_file():
        fields = readable_by_transformers_4(_read(folder / "tokenizer_config.json"))
        written["tokenizer_config.json"] = _with_auto_map(fields, "AutoProcessor", fields.get("processor_class"))
    for name, fields in written.items():
        files[name] = (json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    return files


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON ({error}); save the model or processor again.") from error


def _name_processors(fields: dict) -> dict:
    fields = _with_auto_map(fields, "AutoProcessor", fields.get("processor_class"))
    fields = _with_auto_map(fields, "AutoImageProcessor", fields.get("image_processor_type"))
    for key, value in fields.items():  # a processor holds its image processor's fields under its name
        if isinstance(value, dict) and "image_processor_type" in value:
            fields[key] = _with_auto_map(value, "AutoImageProcessor", value["image_processor_type"])
    return fields


__all__ = ["ALLOWED_IMPORTS", "changed_files", "check_code", "code_files", "complete", "foreign_imports"]
