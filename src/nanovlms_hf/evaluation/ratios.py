"""Shares and their harmonic mean, with 0 where there is nothing to share.

They stand apart from the metrics: these import the library `evaluate`, which a script beside `recipes/evaluate.py` cannot.
"""


def ratio(part: float, whole: float) -> float:
    """`part / whole`, and 0 where there is no whole."""
    return float(part / whole) if whole else 0.0


def f1_of(precision: float, recall: float) -> float:
    """Harmonic mean, 0 where both are."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


__all__ = ["f1_of", "ratio"]
