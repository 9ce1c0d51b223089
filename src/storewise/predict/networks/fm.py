"""Factorisation machine (Rendle 2010): every pair of features by the inner product of two small vectors."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from storewise.core.config import Config
from storewise.predict.networks.base import Network, SingleConfig
from storewise.predict.networks.embed import Embedded, Parameters, spread
from storewise.predict.networks.inputs import Reading
from storewise.predict.networks.layers import first_order, pairwise
from storewise.predict.networks.ops import Ops


class FmConfig(SingleConfig):
    """Nothing of its own."""


class Fm(Network[FmConfig]):
    """``b + Σ w_i x_i + Σ_{i<j} ⟨v_i, v_j⟩ x_i x_j``."""

    complexity: ClassVar[int] = 30
    Config: ClassVar[type[Config]] = FmConfig

    def initial(self, reading: Reading, rng: np.random.Generator) -> dict[str, Any]:
        return start(reading, self.config.embedding_size, rng)

    def logits(self, p: Parameters, e: Embedded, ops: Ops) -> Any:
        return (first_order(p, e) + pairwise(p, e, ops))[:, None]


def start(reading: Reading, size: int, rng: np.random.Generator) -> dict[str, Any]:
    """Bias, weights and vectors of the numbers.

    >>> rows = __import__("storewise.predict.base", fromlist=["Rows"]).Rows.of(numbers=[[1.0], [2.0]], number_names=("a",))
    >>> {name: value.shape for name, value in start(Reading.learn(rows), 4, np.random.default_rng(0)).items()}
    {'bias': (1,), 'first': (1,), 'table': (1, 4)}
    """
    width = len(reading.dense_names)
    return {
        "bias": np.zeros(1, np.float32),
        "first": np.zeros(width, np.float32),
        "table": rng.normal(0, spread(reading, size), (width, size)).astype(np.float32),
    }
