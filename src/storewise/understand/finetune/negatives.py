"""Which texts may stand for "does not belong": never a false negative, and the nearest ones first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.understand.finetune.pairs import Ints, Pairs

Mask = npt.NDArray[np.bool_]


def masked_columns(rows: Ints, wanted: Ints, columns: Ints, observed: Any, text_of: Ints) -> Mask:
    """(len(rows), len(columns)): true where a column would be a false negative of its row.

    ``wanted`` (len(rows),): the row's positive, whose own column i stays. ``text_of`` (n,): equal for equal texts.
    """
    seen = np.asarray(observed[rows][:, columns].todense()) > 0
    same = (text_of[columns][None, :] == text_of[rows][:, None]) | (
        text_of[columns][None, :] == text_of[wanted][:, None]
    )
    masked: Mask = seen | same
    own = np.arange(len(rows))
    masked[own, own] = False
    return masked


def mine(
    vectors: npt.NDArray[np.float32], used: Ints, pairs: Pairs, text_of: Ints, n: int, *, depth: int = 50
) -> Ints:
    """(n_texts, n) the nearest texts of each that were not observed with it and differ from it; -1 fills up.

    ``vectors`` (n_texts, d): rows outside ``used`` are not looked at. Only the ``depth`` nearest are tried.
    """
    found = np.full((len(vectors), n), -1, np.int64)
    block = vectors[used]
    depth = min(depth, len(used))
    for start in range(0, len(used), 512):
        part = used[start : start + 512]
        near = np.argsort(-(vectors[part] @ block.T), axis=1, kind="stable")[:, :depth]
        for row, product in enumerate(part):
            others = used[near[row]]
            seen = np.asarray(pairs.observed[product].todense()).ravel()[others] > 0
            kept = others[~seen & (text_of[others] != text_of[product])][:n]
            found[product, : len(kept)] = kept
    return found


def text_numbers(texts: Sequence[str]) -> Ints:
    """(n,) the same number for texts that differ in case and space alone.

    >>> text_numbers(["Cup", "lamp", "cup "]).tolist()
    [0, 1, 0]
    """
    plain = [" ".join(text.lower().split()) for text in texts]
    return np.unique(plain, return_inverse=True)[1].ravel().astype(np.int64)
