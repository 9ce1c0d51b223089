"""Random generators spawned by name, so that adding a component never moves another one's numbers."""

from __future__ import annotations

import hashlib

import numpy as np


def spawn(seed: int, *names: str | int) -> np.random.Generator:
    """A generator that depends on the seed and the names alone, not on call order.

    >>> bool(spawn(7, "retrieve.bpr.v1").random() == spawn(7, "retrieve.bpr.v1").random())
    True
    >>> bool(spawn(7, "a").random() == spawn(7, "b").random())
    False
    """
    return np.random.default_rng(derive_seed(seed, *names))


def derive_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed derived from a seed and names, for libraries that take an integer."""
    text = "\x1f".join([str(seed), *(str(name) for name in names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
