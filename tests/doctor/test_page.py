"""docs/doctor.md: its example runs, and its table names every finding there is."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "doctor.md").read_text()


def test_the_example_runs(capsys):
    (body,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    exec(compile(body, "docs/doctor.md", "exec"), {})
    assert capsys.readouterr().out.strip() == "picture_ignored"


def test_the_table_names_every_finding():
    sources = " ".join(path.read_text() for path in (ROOT / "src/nanovlms_hf/doctor").glob("*.py"))
    made = set(re.findall(r'(?:Finding|_finding|_refused)\(\s*"(\w+)"', sources))
    listed = re.findall(r"^\| (`.*?) \|", PAGE, flags=re.MULTILINE)
    assert made == set(re.findall(r"`(\w+)`", " ".join(listed))) and len(made) >= 17
