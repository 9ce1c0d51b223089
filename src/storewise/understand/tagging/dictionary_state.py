"""A dictionary of spans as plain arrays, and back."""

from __future__ import annotations

import numpy as np

from storewise.core.component import Arrays
from storewise.understand.tagging.dictionary import Dictionary
from storewise.understand.tagging.text_arrays import lines_of_array, lines_to_array

JOIN = "\x1f"  # between tokens of a piece; never part of a token in its normal form


def dictionary_to_arrays(dictionary: Dictionary) -> Arrays:
    """Pieces with one row for each label, and how often each stood in the text."""
    rows = [
        (JOIN.join(key), label, n) for key, labels in dictionary.spans.items() for label, n in labels.items()
    ]
    seen = [dictionary.seen[tuple(piece.split(JOIN))] for piece, _, _ in rows]
    return {
        "pieces": lines_to_array([piece for piece, _, _ in rows]),
        "piece_labels": lines_to_array([label for _, label, _ in rows]),
        "piece_counts": np.array([(n, s) for (_, _, n), s in zip(rows, seen, strict=True)], dtype=np.int32),
    }


def dictionary_of_arrays(state: Arrays) -> Dictionary:
    """The dictionary that :func:`dictionary_to_arrays` took apart."""
    spans: dict[tuple[str, ...], dict[str, int]] = {}
    seen: dict[tuple[str, ...], int] = {}
    rows = zip(
        lines_of_array(state["pieces"]), lines_of_array(state["piece_labels"]), state["piece_counts"].reshape(-1, 2),
        strict=True,
    )  # fmt: skip
    for piece, label, (count, total) in rows:
        key = tuple(piece.split(JOIN))
        spans.setdefault(key, {})[label] = int(count)
        seen[key] = int(total)
    return Dictionary(spans, seen)
