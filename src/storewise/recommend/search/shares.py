"""Scores of different kinds on one scale."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def share(scores: Floats) -> Floats:
    """Scores as a share of the highest; zeros where none is positive.

    >>> share(np.array([1.0, 4.0], np.float32)).tolist()
    [0.25, 1.0]
    """
    highest = float(scores.max()) if len(scores) else 0.0
    found: Floats = scores / np.float32(highest) if highest > 0 else np.zeros_like(scores)
    return found
