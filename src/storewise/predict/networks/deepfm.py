"""DeepFM (Guo et al. 2017): a factorisation machine and a deep network on the same embeddings, added."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from storewise.core.config import Config
from storewise.predict.base import Trial
from storewise.predict.networks import fm
from storewise.predict.networks.base import HIDDEN, Network, SingleConfig
from storewise.predict.networks.embed import Embedded, Parameters, part_names
from storewise.predict.networks.inputs import Reading
from storewise.predict.networks.layers import dense_layers, first_order, mlp, pairwise
from storewise.predict.networks.ops import Ops


class DeepFmConfig(SingleConfig):
    """``hidden``: widths of the deep part."""

    hidden: tuple[int, ...] = Field(default=(64, 32), min_length=1)


class DeepFm(Network[DeepFmConfig]):
    """``FM(x) + MLP(all embeddings and numbers)``."""

    complexity: ClassVar[int] = 32
    Config: ClassVar[type[Config]] = DeepFmConfig

    @classmethod
    def space(cls, trial: Trial) -> dict[str, Any]:
        return {
            **super().space(trial),
            "hidden": HIDDEN[trial.suggest_categorical("hidden", list(HIDDEN))],
        }

    def initial(self, reading: Reading, rng: np.random.Generator) -> dict[str, Any]:
        width = flat_width(reading, self.config.embedding_size)
        made = fm.start(reading, self.config.embedding_size, rng)
        return made | dense_layers("deep", (width, *self.config.hidden, 1), rng)

    def logits(self, p: Parameters, e: Embedded, ops: Ops) -> Any:
        wide = (first_order(p, e) + pairwise(p, e, ops))[:, None]
        return wide + mlp(p, "deep", e.flat(ops), ops, last=True)


def flat_width(reading: Reading, size: int) -> int:
    """Columns of :meth:`storewise.predict.networks.embed.Embedded.flat`."""
    return len(reading.dense_names) + size * len(part_names(reading))
