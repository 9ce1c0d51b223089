"""Made-up titles with tags, as words and as characters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from storewise.data.tagged_text import TaggedSentence
from storewise.metrics.spans import Span

BRANDS = ["Acme", "Zora", "Vent", "Kolibri", "Nord", "Pala"]
TYPES = ["shoe", "rain coat", "lamp", "phone case", "kettle", "usb cable"]
WORDS = ["new", "red", "big", "for", "men", "cheap", "2024", "warm"]


def _titles(n: int, seed: int, *, characters: bool = False) -> list[TaggedSentence]:
    """Noise words around a brand and a type."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        tokens: list[str] = []
        spans: list[Span] = []
        parts = [
            *((str(rng.choice(WORDS)), None) for _ in range(rng.integers(1, 4))),
            (str(rng.choice(BRANDS)), "brand"),
            (str(rng.choice(TYPES)), "type"),
        ]
        for i in rng.permutation(len(parts)):
            text, label = parts[i]
            pieces = list(text.replace(" ", "")) if characters else text.split()
            if label is not None:
                spans.append(Span(len(tokens), len(tokens) + len(pieces), label))
            tokens += pieces
        made.append(TaggedSentence(tuple(tokens), tuple(sorted(spans))))
    return made


@pytest.fixture
def titles() -> Callable[..., list[TaggedSentence]]:
    """``titles(n, seed, characters=False)``."""
    return _titles
