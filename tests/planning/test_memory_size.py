"""Amounts of memory are read as people write them, or refused in one sentence."""

import pytest

from nanovlms_hf.planning.memory_size import format_memory, parse_memory


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GB", 8_000_000_000),
        ("8 gb", 8_000_000_000),
        ("8GiB", 8 * 2**30),
        ("8 GiB", 8 * 2**30),
        ("8g", 8 * 2**30),
        ("8192m", 8 * 2**30),
        ("8192MB", 8_192_000_000),
        ("8192MiB", 8 * 2**30),
        (" 1.5 TB ", 1_500_000_000_000),
        (".5g", 2**29),
        ("600kB", 600_000),
    ],
)
def test_amounts(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize(
    "text", ["8", "8.0", "", "GB", "-8GB", "0GB", "8GBB", "8 G B", "8XB", "1e9GB", "8,5GB", "8i", "8b", "nan", "٨GB"]
)
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError, match="--memory") as error:
        parse_memory(text)
    assert "8GB, 8 GiB, 8192MB or 8g" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (7_610_000_000, "7.61 GB"), (2e12, "2 TB")]
)
def test_amounts_are_written_in_three_figures(size, text):
    assert format_memory(size) == text
