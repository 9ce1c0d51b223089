"""DCN-V2 (Wang et al. 2021): explicit crosses of bounded degree beside a deep network."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from storewise.core.config import Config
from storewise.predict.base import Trial
from storewise.predict.networks.base import HIDDEN, Network, SingleConfig
from storewise.predict.networks.deepfm import flat_width
from storewise.predict.networks.embed import Embedded, Parameters
from storewise.predict.networks.inputs import Reading
from storewise.predict.networks.layers import cross, dense_layers, first_order, mlp
from storewise.predict.networks.ops import Ops


class DcnV2Config(SingleConfig):
    """``crosses``: layers, the degree of the crosses is one more; ``rank`` of their matrices."""

    hidden: tuple[int, ...] = Field(default=(64, 32), min_length=1)
    crosses: int = Field(default=2, ge=1, le=8)
    rank: int = Field(default=16, ge=1)


class DcnV2(Network[DcnV2Config]):
    """``first order + w·cross(x) + MLP(x)``: the parallel structure, x all embeddings and numbers."""

    complexity: ClassVar[int] = 34
    Config: ClassVar[type[Config]] = DcnV2Config

    @classmethod
    def space(cls, trial: Trial) -> dict[str, Any]:
        return {
            **super().space(trial),
            "hidden": HIDDEN[trial.suggest_categorical("hidden", list(HIDDEN))],
            "crosses": trial.suggest_int("crosses", 1, 3),
            "rank": trial.suggest_categorical("rank", [8, 16, 32]),
        }

    def initial(self, reading: Reading, rng: np.random.Generator) -> dict[str, Any]:
        width, config = flat_width(reading, self.config.embedding_size), self.config
        rank = max(1, min(config.rank, width))
        made: dict[str, Any] = {
            "bias": np.zeros(1, np.float32), "first": np.zeros(len(reading.dense_names), np.float32),
        }  # fmt: skip
        for i in range(config.crosses):
            made[f"cross.{i}.u"] = rng.normal(0, 1 / np.sqrt(max(width, 1)), (width, rank)).astype(np.float32)
            made[f"cross.{i}.v"] = rng.normal(0, 1 / np.sqrt(rank), (rank, width)).astype(np.float32)
            made[f"cross.{i}.b"] = np.zeros(width, np.float32)
        made |= dense_layers("out", (width, 1), rng)
        return made | dense_layers("deep", (width, *config.hidden, 1), rng)

    def logits(self, p: Parameters, e: Embedded, ops: Ops) -> Any:
        x = e.flat(ops)
        crossed = mlp(p, "out", cross(p, "cross", x, self.config.crosses), ops, last=True)
        return first_order(p, e)[:, None] + crossed + mlp(p, "deep", x, ops, last=True)
