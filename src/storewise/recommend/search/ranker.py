"""A ranking learned from judged queries: boosted trees over the features of (query, product) pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.config import Config
from storewise.core.errors import DataError, StateError
from storewise.recommend.search.features import Pairs

Floats = npt.NDArray[np.float32]
Grades = Mapping[int, float]


class BlendConfig(Config):
    """Weights of the sum that ranks where nothing was learned; see :func:`blend`."""

    core: float = Field(default=1.0, ge=0)
    all: float = Field(default=1.0, ge=0)
    meaning: float = Field(default=0.5, ge=0)
    coverage: float = Field(default=1.0, ge=0)


def blend(pairs: Pairs, config: BlendConfig | None = None) -> Floats:
    """(m,): a weighted sum of shares of the query's highest scores, and of how much of the query is held.

    s = core · s_core / max s_core + all · s_all / max s_all + meaning · cos / max cos + coverage · (c_core + c_all)
    """
    config = config or BlendConfig()
    found = np.zeros(len(pairs.products), np.float32)
    for name in ("core", "all", "meaning"):
        if f"{name}.share" in pairs.names:
            found += np.float32(getattr(config, name)) * pairs.column(f"{name}.share")
    for name in ("core", "all"):
        found += np.float32(config.coverage) * pairs.column(f"{name}.coverage")
    return found


class TreesConfig(Config):
    """Gradient-boosted regression trees (LightGBM); small, since judged queries are few."""

    trees: int = Field(default=300, ge=1, le=5000)
    leaves: int = Field(default=15, ge=2, le=255)
    learning_rate: float = Field(default=0.03, gt=0, le=1)
    least_pairs_in_leaf: int = Field(default=30, ge=1)
    feature_share: float = Field(default=0.4, gt=0, le=1)
    pair_share: float = Field(default=0.7, gt=0, le=1)
    regularization: float = Field(default=5.0, ge=0)


class TreeRanker:
    """Predicts the grade of a pair, least squares; a candidate without a judgement counts as grade 0.

    Pointwise least squares and not LambdaMART: with about a hundred queries it was the better of the two by
    cross-validation.
    """

    def __init__(self, config: TreesConfig | None = None) -> None:
        self.config = config or TreesConfig()
        self.names: tuple[str, ...] = ()
        self._trees: Any = None

    def train(self, pairs: Sequence[Pairs], grades: Sequence[Grades], *, seed: int) -> None:
        """Learn from queries' candidates and their grades (product index → grade).

        Raises:
            DataError: without one graded candidate above 0.
        """
        import lightgbm

        targets = [target(p, g) for p, g in zip(pairs, grades, strict=True)]
        if not targets or not max((t.max() for t in targets if len(t)), default=0.0) > 0:
            raise DataError("No judged query has a relevant candidate.", next_step="Give judgements above 0.")
        self.names = pairs[0].names
        rows = np.concatenate([p.values for p in pairs])
        data = lightgbm.Dataset(rows, np.concatenate(targets), params={"verbose": -1})
        self._trees = lightgbm.train(self._parameters(seed), data, self.config.trees)

    def __call__(self, pairs: Pairs) -> Floats:
        """(m,): a score for each candidate.

        Raises:
            StateError: before training, or for other features than it was trained on.
        """
        if self._trees is None:
            raise StateError("The ranking has not been trained.", next_step="Call train first.")
        if pairs.names != self.names:
            raise StateError(
                f"The ranking was trained on {len(self.names)} features, these are {len(pairs.names)} others.",
                next_step="Train it again with the encoder and fields that serve.",
            )
        if not len(pairs.products):
            return np.empty(0, np.float32)
        found: Floats = np.asarray(self._trees.predict(pairs.values, num_threads=1), np.float32)
        return found

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Plain arrays: the trees in LightGBM's text form, the features' names."""
        if self._trees is None:
            raise StateError("The ranking has not been trained.", next_step="Call train first.")
        texts = {"trees": self._trees.model_to_string(), "names": "\n".join(self.names)}
        return {name: np.frombuffer(text.encode(), np.uint8) for name, text in texts.items()}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take the arrays that ``state`` gave."""
        import lightgbm

        self.names = tuple(bytes(state["names"]).decode().split("\n"))
        self._trees = lightgbm.Booster(model_str=bytes(state["trees"]).decode())

    def _parameters(self, seed: int) -> dict[str, Any]:
        c = self.config
        return {
            "objective": "regression",
            "num_leaves": c.leaves,
            "learning_rate": c.learning_rate,
            "min_data_in_leaf": c.least_pairs_in_leaf,
            "feature_fraction": c.feature_share,
            "bagging_fraction": c.pair_share,
            "bagging_freq": 1,
            "lambda_l2": c.regularization,
            "seed": seed % 2**31,
            "deterministic": True,
            "num_threads": 1,
            "verbose": -1,
        }


def target(pairs: Pairs, grades: Grades) -> npt.NDArray[np.float64]:
    """(m,): the grade of each candidate, 0 where it was not judged."""
    return np.array([grades.get(product, 0.0) for product in pairs.products.tolist()], np.float64)
