"""The files that a repository carries run alone, and every class in them is carried along."""

import hashlib
import json
from importlib import import_module
from importlib.metadata import requires

import pytest
from transformers import PreTrainedModel, ProcessorMixin
from transformers.configuration_utils import PreTrainedConfig
from transformers.image_processing_utils import BaseImageProcessor

from nanovlms_hf import remote_code
from nanovlms_hf.remote_code import ALLOWED_IMPORTS, check_code, code_files, foreign_imports

BASES = {
    PreTrainedConfig: "AutoConfig",
    PreTrainedModel: "AutoModel",
    ProcessorMixin: "AutoProcessor",
    BaseImageProcessor: "AutoImageProcessor",
}


def classes():
    """Every public class of the files that the Hub would load, with the base that says what it is."""
    for name in code_files():
        if name.startswith("transformers4"):  # bases for the others
            continue
        module = import_module(f"nanovlms_hf.{name.removesuffix('.py')}")
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == module.__name__ and not value.__name__.startswith("_"):
                for base in BASES:
                    if issubclass(value, base):
                        yield value, base


def test_the_four_files_are_there():
    assert {f"{name}_nanovlms.py" for name in ("configuration", "modeling", "processing", "image_processing")} <= set(
        code_files()
    )


@pytest.mark.parametrize("name", code_files())
def test_they_import_only_torch_and_transformers_and_what_these_bring(name):
    assert foreign_imports(code_files()[name]) == []
    if name not in ("image_processing_nanovlms.py", "transformers4_nanovlms.py"):
        without_pictures = tuple(package for package in ALLOWED_IMPORTS if package != "PIL")
        assert foreign_imports(code_files()[name], without_pictures) == []


def test_what_is_allowed_comes_with_transformers():
    needs = {need.split(";")[0].strip() for need in requires("transformers") if "extra" not in need}
    names = {"".join(c for c in need if c.isalnum() or c in "-_").lower().replace("-", "_") for need in needs}
    for package in set(ALLOWED_IMPORTS) - {"torch", "transformers", "PIL"}:
        assert any(name.startswith(package) for name in names), package


@pytest.mark.parametrize(
    "line, found",
    [
        ("import nanovlms_hf", ["nanovlms_hf"]),
        ("from trl import SFTTrainer", ["trl"]),
        ("def f():\n    import datasets.features", ["datasets.features"]),
        ("from .presets import PRESETS", [".presets"]),
        ("from . import compat", ["."]),
        ("try:\n    import torchvision\nexcept ImportError:\n    pass", ["torchvision"]),
        (
            "from .modeling_nanovlms import CONNECTORS\nimport json, torch.nn\nfrom transformers.utils import logging",
            [],
        ),
    ],
)
def test_what_the_check_finds(tmp_path, line, found):
    path = tmp_path / "file.py"
    path.write_text(line)
    assert foreign_imports(path) == found


@pytest.mark.parametrize("cls, base", list(classes()), ids=lambda value: getattr(value, "__name__", ""))
def test_every_class_is_carried_along(cls, base):
    auto = cls._auto_class
    assert auto is not None, f"{cls.__name__} would be saved without its file: give it an _auto_class"
    assert auto.startswith(BASES[base])
    assert remote_code._home(cls.__name__) == f"{cls.__module__.split('.')[-1]}.{cls.__name__}"


def test_the_tables_name_classes_that_are_there():
    for cls, base in classes():
        if base is not PreTrainedConfig:
            continue
        table = cls().auto_map
        assert table["AutoConfig"] == f"configuration_nanovlms.{cls.__name__}"
        for target in table.values():
            module, name = target.split(".")
            assert hasattr(import_module(f"nanovlms_hf.{module}"), name)


def test_a_saved_folder_carries_files_tables_and_digests(saved, tmp_path):
    folder = tmp_path / "saved"
    fields = json.loads((folder / "config.json").read_text())
    for name, path in code_files().items():
        assert (folder / name).read_bytes() == path.read_bytes()
        assert fields["code_sha256"][name] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert fields["auto_map"]["AutoModelForVision2Seq"] == "modeling_nanovlms.NanoVLMsForConditionalGeneration"
    check_code(folder)


def test_loading_and_saving_again_keeps_tables_and_digests(saved, tmp_path):
    from transformers import AutoModelForImageTextToText

    AutoModelForImageTextToText.from_pretrained(saved).save_pretrained(tmp_path / "again")
    before, after = (
        json.loads((folder / "config.json").read_text()) for folder in (tmp_path / "saved", tmp_path / "again")
    )
    assert all(before[key] == after[key] for key in ("auto_map", "code_sha256", "architectures"))
