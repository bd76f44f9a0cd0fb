"""Seeded orders that are computed, not stored: any place of any shuffle in constant memory.

`permute` says where one index goes without writing the permutation down: a Feistel network over the next power of four, and
"cycle walking" until the result falls inside (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002).
`block_order` is a whole small permutation at once. Both draw from the finalizer of splitmix64 (Steele, Lea and Flood, "Fast
Splittable Pseudorandom Number Generators", OOPSLA 2014) and not from a library's generator, so an order outlives versions.
"""

import hashlib

import numpy as np

_ROUNDS = 6
_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_MASK = (1 << 64) - 1


def key_of(*names: object) -> int:
    """A 64-bit key of anything that prints; other names give an unrelated key."""
    return int.from_bytes(hashlib.sha256(":".join(map(str, names)).encode()).digest()[:8], "big")


def permute(index: int, size: int, key: int) -> int:
    """The place of `index` in a seeded permutation of `range(size)`.

    Args:
        index (`int`): from 0 to `size` - 1.
        size (`int`): how many there are.
        key (`int`): which permutation; see `key_of`.

    Returns:
        `int`: from 0 to `size` - 1, another one for every index.
    """
    half = max(((size - 1).bit_length() + 1) // 2, 1)
    low = (1 << half) - 1
    while True:
        left, right = index >> half, index & low
        for number in range(1, _ROUNDS + 1):
            left, right = right, left ^ (_mixed(key + number * _GOLDEN + right * _FIRST) & low)
        index = left << half | right
        if index < size:
            return index


def block_order(size: int, key: int) -> np.ndarray:
    """A seeded permutation of `range(size)`, as an array of shape (size,); the sort of one random number for each place."""
    with np.errstate(over="ignore"):
        values = np.arange(1, size + 1, dtype=np.uint64) * np.uint64(_GOLDEN) + np.uint64(key)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(_FIRST)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(_SECOND)
        values = values ^ (values >> np.uint64(31))
    return np.argsort(values, kind="stable")


def _mixed(value: int) -> int:
    value &= _MASK
    value = (value ^ (value >> 30)) * _FIRST & _MASK
    value = (value ^ (value >> 27)) * _SECOND & _MASK
    return value ^ (value >> 31)


__all__ = ["block_order", "key_of", "permute"]
