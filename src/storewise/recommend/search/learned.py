"""The sum that ranks search, with weights learned from clicks and what the shop knows of a product beside its words.

s(q, d) = w · x(q, d) + v · p(d);  x: :data:`TERMS`, p: :data:`PRIORS` of the product, each in [0, 1].

Learned from pairs (clicked c, passed over s) of one query by logistic regression on differences (RankNet's loss with
a linear score, Burges et al. 2005), held near the default w0 (v0 = 0), every query of the same total weight a::

    min  Σ_pairs a · log(1 + exp(−(s_c − s_s))) + λ (‖w − w0‖² + ‖v‖²),   Σ a = 1,   w ≥ 0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import DataError
from storewise.recommend.search.ranker import BlendConfig

Floats = npt.NDArray[np.float32]
TERMS = ("core", "all", "meaning", "core.coverage", "all.coverage")
PRIORS = ("popular", "clicked", "brand")
REGULARIZATION = 0.01


@dataclass(frozen=True)
class LearnedBlend:
    """``weights`` (t + p,) of terms and priors; ``priors`` (n_products, p).

    >>> blend = LearnedBlend(np.array([1, 0, 0, 0, 0, 2, 0, 0], np.float32), np.array([[0, 0, 0], [1, 0, 0]], np.float32))
    >>> blend(np.array([[1, 1, 1, 1, 1], [0, 1, 1, 1, 1]], np.float32), np.array([0, 1])).tolist()
    [1.0, 2.0]
    """

    weights: Floats
    priors: Floats

    def __call__(self, terms: Floats, products: npt.NDArray[np.int64]) -> Floats:
        """(m,) scores of products with ``terms`` (m, t)."""
        found = terms @ self.weights[: len(TERMS)] + self.priors[products] @ self.weights[len(TERMS) :]
        return np.asarray(found, np.float32)

    def named(self) -> dict[str, float]:
        """Weight by the name of its term."""
        return {name: round(float(w), 4) for name, w in zip((*TERMS, *PRIORS), self.weights, strict=True)}

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {"weights": self.weights, "priors": self.priors}

    @classmethod
    def restore(cls, state: Mapping[str, npt.NDArray[Any]]) -> LearnedBlend:
        return cls(np.asarray(state["weights"], np.float32), np.asarray(state["priors"], np.float32))


def default_weights(config: BlendConfig | None = None) -> npt.NDArray[np.float64]:
    """(t + p,): those of the default blend."""
    c = config or BlendConfig()
    return np.array([c.core, c.all, c.meaning, c.coverage, c.coverage, *[0.0] * len(PRIORS)])


def learn_weights(
    differences: npt.NDArray[np.float64], queries: npt.NDArray[np.int64], *, regularization: float = REGULARIZATION
) -> Floats:  # fmt: skip
    """(t + p,) weights from ``differences`` (m, t + p), features of the clicked less those of the passed over, of
    ``queries`` (m,).

    Raises:
        DataError: without a pair.
    """
    from scipy.optimize import minimize

    if not len(differences):
        raise DataError("No query has a clicked and a passed over product.", next_step="Give more clicks.")
    _, of, often = np.unique(queries, return_inverse=True, return_counts=True)
    share = 1.0 / (often[of] * len(often))
    start = default_weights()

    def loss(w: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        gap = differences @ w
        away = w - start
        value = share @ np.logaddexp(0.0, -gap) + regularization * away @ away
        slope = -differences.T @ (share / (1.0 + np.exp(np.clip(gap, -500, 500)))) + 2 * regularization * away
        return float(value), slope

    bounds = [(0.0, None)] * len(TERMS) + [(None, None)] * len(PRIORS)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(found.x, np.float32)


def priors_of(
    popularity: npt.NDArray[np.int64], clicked: npt.NDArray[np.int64], brands: Sequence[str | None]
) -> Floats:
    """(n_products, p): log(1 + customers), log(1 + shoppers who clicked it in search) and the mean of the latter over its
    brand, each as a share of the highest; 0 without a brand.

    >>> priors_of(np.array([0, 3]), np.array([0, 7]), ["a", "a"]).tolist()
    [[0.0, 0.0, 1.0], [1.0, 1.0, 1.0]]
    """
    heard = np.log1p(clicked.astype(np.float64))
    names, of = np.unique([name or "" for name in brands], return_inverse=True)
    of = of.ravel()
    mean = np.bincount(of, heard, len(names)) / np.maximum(np.bincount(of, minlength=len(names)), 1)
    mean[names == ""] = 0.0
    columns = [np.log1p(popularity.astype(np.float64)), heard, mean[of]]
    return np.column_stack([c / max(float(c.max(initial=0.0)), 1e-9) for c in columns]).astype(np.float32)
