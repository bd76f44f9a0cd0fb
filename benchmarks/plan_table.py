"""Writes the table of what fits 6 to 24 GB for each preset into a Markdown file, between its two marks.

`python benchmarks/plan_table.py docs/plan.md` (minutes: every number is a traced training step); `nanovlms plan --table` prints it.
"""

import sys
from pathlib import Path

from nanovlms_hf.planning.table import BEGIN, END, table


def main(paths: list[str]) -> None:
    """Replaces what stands between the marks in each of the files."""
    made = table()
    for path in map(Path, paths):
        text = path.read_text(encoding="utf-8")
        if BEGIN not in text or END not in text:
            raise SystemExit(f"{path} has no {BEGIN} and {END}; put them where the table is to stand.")
        before, _, rest = text.partition(BEGIN)
        path.write_text(f"{before}{BEGIN}\n{made}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
        print(f"wrote {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
