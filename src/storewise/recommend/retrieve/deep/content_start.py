"""First product vectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from storewise.core.errors import ConfigError
from storewise.data.dataset import Dataset


def first_vectors(
    dataset: Dataset, size: int, rng: np.random.Generator, *, scale: float, from_content: bool
) -> npt.NDArray[np.float32]:
    """(n_products, size) float32: noise of standard deviation ``scale``, or the content in its ``size`` main
    directions at that scale, with a tenth of noise.

    Raises:
        ConfigError: when content is wanted and the dataset has none.
    """
    noise: npt.NDArray[np.float32] = rng.normal(0, scale, (dataset.n_products, size)).astype(np.float32)
    if not from_content:
        return noise
    if dataset.content is None:
        raise ConfigError("content_start is set, but the dataset has no content.",
                          next_step="Add content vectors, or leave content_start out.")  # fmt: skip
    content = dataset.content.astype(np.float32)
    centred = content - content.mean(axis=0)
    _, _, axes = np.linalg.svd(centred.T @ centred, hermitian=True)
    main = centred @ axes[:size].T
    main /= max(float(main.std()), 1e-9)
    found = 0.1 * noise
    found[:, : main.shape[1]] += np.float32(scale) * main
    return found.astype(np.float32)
