"""Every code block of the README runs: Python blocks as they stand, shell blocks as far as they name things."""

import re
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]
SHELL = [
    line for language, code in BLOCKS if language == "bash" for line in re.sub(r"\\\n\s*", " ", code).splitlines()
]


@pytest.fixture
def demo_folder(tmp_path, monkeypatch, saved):
    """A working directory in which runs/demo is a tiny saved model and picture.png a picture."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "demo").symlink_to(saved, target_is_directory=True)
    Image.new("RGB", (80, 60), (200, 30, 30)).save(tmp_path / "picture.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_python_block_runs(code, demo_folder, capsys):
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.endswith("\n")


def test_there_are_python_and_shell_blocks():
    assert len(PYTHON) >= 2 and len(SHELL) >= 4


@pytest.mark.parametrize("line", SHELL)
def test_shell_line_names_what_exists(line):
    command = line.split("#")[0].split()
    if not command or command[0] == "export":
        return
    for word in command:
        if word.startswith(("recipes/", "docs/")):
            assert (ROOT / word).is_file(), word
    if command[0] == "make":
        assert re.search(rf"^{command[1]}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    elif command[0] == "nanovlms":
        sources = "".join(path.read_text() for path in (ROOT / "src/nanovlms_hf").glob("cli*.py"))
        assert f'add_parser("{command[1]}"' in re.sub(r"\s*\n\s*", "", sources)
    else:
        assert command[:2] == ["accelerate", "launch"], line


def test_files_that_the_readme_names_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_nothing_is_left_to_fill_in():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    assert not [page.name for page in pages if re.search(r"^[A-Z]+_[A-Z]+$", page.read_text(), flags=re.MULTILINE)]
