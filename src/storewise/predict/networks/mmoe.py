"""MMoE (Ma et al. 2018): experts that all tasks share, mixed by a gate for each task."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from storewise.core.config import Config
from storewise.predict.networks.deepfm import flat_width
from storewise.predict.networks.embed import Embedded, Parameters
from storewise.predict.networks.inputs import Reading
from storewise.predict.networks.layers import dense_layers, mlp
from storewise.predict.networks.multitask import MultiConfig, MultiNetwork, mixture
from storewise.predict.networks.ops import Ops


class MmoeConfig(MultiConfig):
    """``expert_hidden``: widths of each of the ``experts``."""

    experts: int = Field(default=4, ge=1, le=64)
    expert_hidden: tuple[int, ...] = Field(default=(32,), min_length=1)


class Mmoe(MultiNetwork[MmoeConfig]):
    """``logit_t = tower_t(Σ_e softmax(x·G_t)_e · expert_e(x))``."""

    Config: ClassVar[type[Config]] = MmoeConfig

    def initial(self, reading: Reading, rng: np.random.Generator) -> dict[str, Any]:
        config, width = self.config, flat_width(reading, self.config.embedding_size)
        made: dict[str, Any] = {}
        for i in range(config.experts):
            made |= dense_layers(f"expert{i}", (width, *config.expert_hidden), rng)
        for task in range(len(self.tasks)):
            made[f"gate{task}"] = np.zeros((width, config.experts), np.float32)
            made |= dense_layers(f"tower{task}", (config.expert_hidden[-1], *config.hidden, 1), rng)
        return made

    def logits(self, p: Parameters, e: Embedded, ops: Ops) -> Any:
        x = e.flat(ops)
        experts = [mlp(p, f"expert{i}", x, ops) for i in range(self.config.experts)]
        mixed = [mixture(p, f"gate{task}", x, experts, ops) for task in range(len(self.tasks))]
        return ops.concat([mlp(p, f"tower{task}", y, ops, last=True) for task, y in enumerate(mixed)])
