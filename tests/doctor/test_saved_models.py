"""`nanovlms doctor --model`: any image-text-to-text model of transformers, with the rows of a source."""

import json

import pytest
import torch
from patients import KINDS
from small_models import picture

from nanovlms_hf.cli import main
from nanovlms_hf.doctor.examples import Example


@pytest.fixture
def source(tmp_path) -> str:
    """A source entry over a folder of pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    lines = []
    for index in range(4):
        picture(index, 40, 30).save(folder / f"{index}.png")
        lines.append(json.dumps({"file_name": f"{index}.png", "text": f"a red dog and {index} cats"}))
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    entry = (
        'name: own\npath: imagefolder\ndata_dir: pictures\nmessages:\n  - user: what is it?\n  - assistant: "{text}"\n'
    )
    (tmp_path / "own.yaml").write_text(entry)
    return str(tmp_path / "own.yaml")


@pytest.fixture(params=list(KINDS))
def saved(request, tmp_path):
    patient = KINDS[request.param]()
    patient.model.save_pretrained(tmp_path / "model")
    patient.processor.save_pretrained(tmp_path / "model")
    return patient, str(tmp_path / "model")


def test_a_healthy_model(saved, source, capsys):
    assert main(["doctor", "--model", saved[1], "--data", source, "--packed"]) == 0
    printed = capsys.readouterr().out
    assert "[[a red dog and 0 cats<|end|>]]" in printed and "packing" in printed


@torch.no_grad()
def test_a_model_that_ignores_pictures_and_never_stops(saved, source, capsys):
    patient, folder = saved
    for name, parameter in patient.model.named_parameters():
        if "connector" in name or "projector" in name:
            parameter.zero_()
    patient.model.generation_config.eos_token_id = 7
    patient.model.save_pretrained(folder)
    assert main(["doctor", "--model", folder, "--data", source, "--json"]) == 1
    codes = [finding["code"] for finding in json.loads(capsys.readouterr().out)["findings"]]
    assert codes == ["end_never_stops"] + ["picture_ignored"]


def test_an_example_is_cut_and_coloured():
    example = Example((("<|user|>", False), ("<image>x64", False), ("yes, a dog", True)), 70, 4, 1)
    assert example.text() == "<|user|><image>x64[[yes, a dog]]"
    assert example.text(colour=True) == "<|user|><image>x64\033[1;32myes, a dog\033[0m"
    assert example.text(width=21) == "<|user|><image>x64[[yes ...]]"
    assert example.summary() == "70 tokens, 4 supervised, 1 picture(s)"
