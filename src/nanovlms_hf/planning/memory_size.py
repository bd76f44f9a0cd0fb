"""Amounts of memory as people write them, and back."""

import re

_UNITS = {"k": 1, "m": 2, "g": 3, "t": 4}
_FORMS = "write a number and a unit, such as 8GB, 8 GiB, 8192MB or 8g"


def parse_memory(text: str) -> int:
    """Bytes of an amount of memory.

    kB, MB, GB and TB are powers of 1000; KiB, MiB, GiB and TiB, and the bare letters k, m, g and t, powers of 1024. A card sold
    as "8 GB" holds 8 GiB as a rule; `8GB` then leaves the difference, 7 %, to the driver and the screen.

    Args:
        text (`str`): such as `8GB`, `8 GiB`, `8192MB`, `8g`; capitals make no difference, a fraction may have a point.

    Raises:
        ValueError: if it is no such amount, has no unit, or is not above zero.
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([kmgt]?)(i?)(b?)\s*", str(text).lower())
    if match is None:
        raise ValueError(f"--memory {text!r} is no amount of memory; {_FORMS}.")
    number, letter, binary, byte = match.groups()
    if not letter or (binary and not byte):
        raise ValueError(f"--memory {text!r} has no unit that says how much is meant; {_FORMS}.")
    base = 1000 if byte and not binary else 1024
    size = int(float(number) * base ** _UNITS[letter])
    if size <= 0:
        raise ValueError(f"--memory {text!r} is no memory at all; {_FORMS}.")
    return size


def format_memory(size: float) -> str:
    """An amount of bytes in the largest decimal unit that keeps it above one, such as `7.61 GB`."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(size) >= scale:
            return f"{size / scale:.3g} {unit}" if abs(size) < 1000 * scale else f"{size / scale:.0f} {unit}"
    return f"{size:.0f} B"


__all__ = ["format_memory", "parse_memory"]
