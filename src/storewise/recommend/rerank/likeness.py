"""How alike products are, for rerankers that spread a list."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from storewise.recommend.rerank.base import Shelf

SAME_CATEGORY = 0.5


def likeness(shelf: Shelf, products: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """(m, m) in [0, 1], positive semi-definite, 1 on the diagonal: the mean of two kernels, the cosine of what
    products are (moved to [0, 1] by (1 + cos) / 2) and being of one category. A shop without content has the
    category alone, at half its weight; a product of which neither is known is like nothing."""
    codes = shelf.category_codes[products]
    same = ((codes[:, None] == codes) & (codes >= 0)[:, None]).astype(np.float64)
    np.fill_diagonal(same, 1.0)
    vectors = shelf.vectors
    if vectors is None:
        return SAME_CATEGORY * same + (1.0 - SAME_CATEGORY) * np.eye(len(products))
    part = vectors[products].astype(np.float64)
    known = part.any(axis=1)
    cosine = np.where(np.outer(known, known), 0.5 * (1.0 + np.clip(part @ part.T, -1.0, 1.0)), 0.0)
    np.fill_diagonal(cosine, 1.0)
    found: npt.NDArray[np.float64] = SAME_CATEGORY * same + (1.0 - SAME_CATEGORY) * cosine
    return found


def relevance(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """(m,) in [0, 1]: the scores over the list's range, all 1 where they are alike.

    >>> relevance(np.array([3, 2, 1], np.float32)).tolist()
    [1.0, 0.5, 0.0]
    """
    told = np.nan_to_num(scores.astype(np.float64), nan=float(np.nanmin(scores, initial=0.0)))
    low, high = told.min(), told.max()
    return np.ones(len(told)) if high <= low else (told - low) / (high - low)
