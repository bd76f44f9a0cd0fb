"""Simple formulas in two spellings: the characters as they stand on the page, in one line, and LaTeX.

Superscripts, subscripts and Greek letters are characters of the font. A font that lacks them gets formulas without.
"""

from collections.abc import Callable
from random import Random

_SUPERSCRIPTS = dict(zip("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True))
_SUBSCRIPTS = dict(zip("0123456789", "₀₁₂₃₄₅₆₇₈₉", strict=True))
_GREEK = {
    "α": r"\alpha",
    "β": r"\beta",
    "γ": r"\gamma",
    "δ": r"\delta",
    "θ": r"\theta",
    "λ": r"\lambda",
    "μ": r"\mu",
    "π": r"\pi",
    "σ": r"\sigma",
    "φ": r"\varphi",
    "ω": r"\omega",
}
_RELATIONS = {"=": "=", "≤": r"\leq", "≥": r"\geq", "≈": r"\approx", "<": "<", ">": ">"}

Formula = tuple[str, str]  # (as drawn, LaTeX)


def _variable(rng: Random) -> str:
    return rng.choice("abcdkmnpqrtuvwxyz")


def _power(rng: Random) -> tuple[str, str]:
    digit = rng.choice("222334")
    return _SUPERSCRIPTS[digit], f"^{digit}"


def _sum(rng: Random) -> Formula:
    text = f"{_variable(rng)} {rng.choice('+-')} {_variable(rng)} = {rng.randrange(1000)}"
    return text, text


def _linear(rng: Random) -> Formula:
    text = f"{_variable(rng)} = {rng.randint(2, 99)}{_variable(rng)} {rng.choice('+-')} {rng.randint(1, 99)}"
    return text, text


def _polynomial(rng: Random) -> Formula:
    left, x = rng.choice(("y", "z", "f(x)")), rng.choice("xtu")
    left = left.replace("x", x)
    power, latex_power = _power(rng)
    head, tail = (
        f"{left} = {rng.randint(2, 9)}{x}",
        f" {rng.choice('+-')} {rng.randint(2, 9)}{x} {rng.choice('+-')} {rng.randint(1, 99)}",
    )
    return head + power + tail, head + latex_power + tail


def _pythagoras(rng: Random) -> Formula:
    a, b, c = rng.sample("abcdmnpqrxyz", 3)
    power, latex = _power(rng)
    return f"{a}{power} + {b}{power} = {c}{power}", f"{a}{latex} + {b}{latex} = {c}{latex}"


def _fraction(rng: Random) -> Formula:
    result, over = _variable(rng), rng.randint(2, 99)
    above = f"{_variable(rng)} {rng.choice('+-')} {rng.randint(1, 99)}"
    return f"{result} = ({above})/{over}", f"{result} = \\frac{{{above}}}{{{over}}}"


def _greek(rng: Random) -> Formula:
    (a, latex_a), (b, latex_b) = rng.sample(tuple(_GREEK.items()), 2)
    relation, latex_relation = rng.choice(tuple(_RELATIONS.items()))
    sign, value = rng.choice("+-"), rng.randint(1, 360)
    return f"{a} {sign} {b} {relation} {value}", f"{latex_a} {sign} {latex_b} {latex_relation} {value}"


def _area(rng: Random) -> Formula:
    result, r, factor = rng.choice("AVS"), rng.choice("abr"), rng.choice(("", *"2346789"))
    power, latex = _power(rng)
    return f"{result} = {factor}π {r}{power}", f"{result} = {factor}\\pi {r}{latex}"


def _root(rng: Random) -> Formula:
    inside = f"{_variable(rng)} {rng.choice('+-')} {rng.randint(1, 99)}"
    value = rng.randint(2, 99)
    return f"√({inside}) = {value}", f"\\sqrt{{{inside}}} = {value}"


def _series(rng: Random) -> Formula:
    name, value = rng.choice("abuvxy"), rng.randint(1, 999)
    first, second = rng.sample("123456789", 2)
    drawn = f"{name}{_SUBSCRIPTS[first]} + {name}{_SUBSCRIPTS[second]} = {value}"
    return drawn, f"{name}_{first} + {name}_{second} = {value}"


_FORMS = (_sum, _linear, _polynomial, _pythagoras, _fraction, _greek, _area, _root, _series)


def draw_formula(rng: Random, fits: Callable[[str], bool], tries: int = 20) -> Formula | None:
    """Draw a formula.

    Args:
        rng: draws form, letters and numbers.
        fits: whether a drawn form can stand on the page (its font has the characters, its line the room).
        tries: how often to draw.

    Returns:
        (the characters as drawn, LaTeX without dollar signs), or None if none of the drawn ones fits.
    """
    for _ in range(tries):
        drawn, latex = rng.choice(_FORMS)(rng)
        if fits(drawn):
            return drawn, latex
    return None


__all__ = ["draw_formula"]
