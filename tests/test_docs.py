"""Every code block of docs/vocabulary.md, and of docs/data.md behind its first section (see data/test_sources.py), runs."""

import re
import sys
from pathlib import Path

import datasets
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent / "training"))
from small_vocabularies import finished_stage_1, finished_stage_2  # noqa: E402

from nanovlms_hf.data.mixture_config import KINDS, build_mixture  # noqa: E402

ROOT = Path(__file__).parents[1]
DATA = (ROOT / "docs" / "data.md").read_text()
VOCABULARY = (ROOT / "docs" / "vocabulary.md").read_text()
PAGES = sorted((ROOT / "docs").glob("*.md"))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_the_examples_of_drawn_data_run(folder):
    namespace = {}
    parts = blocks(DATA.split("\n## Drawn data")[1], "python")
    for body in parts:
        exec(compile(body, "docs/data.md", "exec"), namespace)
    assert len(parts) >= 8


def test_the_example_of_a_mixture_is_one():
    section = DATA.split("\n## Mixtures")[1]
    entries = yaml.safe_load(blocks(section, "yaml")[0])["mixture"]
    drawn = [entry for entry in entries if "source" not in entry]
    assert len(drawn) == 3 and len(build_mixture(drawn, split="train", seed=0, length=5, image_size=192)) == 5
    listed = re.findall(r"^\| (`.*?) \|", section, flags=re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(listed))) == sorted(KINDS)


def test_the_examples_of_an_artifact_run(folder, capsys):
    (folder / "runs" / "vary-nano").mkdir(parents=True)
    (folder / "runs" / "vary-nano" / "1_vocabulary").symlink_to(finished_stage_1()[0], target_is_directory=True)
    (folder / "runs" / "vary-nano" / "3_sft").symlink_to(finished_stage_2()[0], target_is_directory=True)
    namespace = {}
    for body in blocks(VOCABULARY, "python"):
        exec(compile(body, "docs/vocabulary.md", "exec"), namespace)
    printed = capsys.readouterr().out
    assert "torch.Size([1, 144, 144])" in printed and "tensors, all equal" in printed


def test_the_artifact_holds_the_files_that_are_named():
    table = VOCABULARY.split("\n## The artifact")[1].split("```")[0]
    named = re.findall(r"`([\w.]+/?)`", " ".join(re.findall(r"^\| (`.*?) \|", table, flags=re.MULTILINE)))
    assert len(named) >= 6
    for name in named:
        assert (finished_stage_1()[0] / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_links_name_what_exists(page):
    text = page.read_text()
    for word in re.findall(r"(?<![\w/])(?:recipes|docs|benchmarks)/[\w./-]+", text):
        assert (ROOT / word.rstrip(".")).exists(), word
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target
