"""PLE (Tang et al. 2020): experts of each task beside shared ones, in levels, so that tasks disturb each other less."""

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


class PleConfig(MultiConfig):
    """``shared`` and ``own`` experts (of each task) at each of the ``levels``."""

    levels: int = Field(default=2, ge=1, le=4)
    shared: int = Field(default=2, ge=1, le=16)
    own: int = Field(default=2, ge=1, le=16)
    expert_hidden: tuple[int, ...] = Field(default=(32,), min_length=1)


class Ple(MultiNetwork[PleConfig]):
    """At each level a task mixes its own experts and the shared ones by a gate that reads its own input; the shared
    input of the next level mixes all experts. Towers read the last level."""

    Config: ClassVar[type[Config]] = PleConfig

    def initial(self, reading: Reading, rng: np.random.Generator) -> dict[str, Any]:
        config, tasks = self.config, range(len(self.tasks))
        width = flat_width(reading, config.embedding_size)
        made: dict[str, Any] = {}
        for level in range(config.levels):
            sizes = (width, *config.expert_hidden)
            for i in range(config.shared):
                made |= dense_layers(f"level{level}.shared{i}", sizes, rng)
            for task in tasks:
                for i in range(config.own):
                    made |= dense_layers(f"level{level}.task{task}.{i}e", sizes, rng)
                made[f"level{level}.gate{task}"] = np.zeros((width, config.shared + config.own), np.float32)
            if level < config.levels - 1:
                all_of_them = config.shared + config.own * len(self.tasks)
                made[f"level{level}.gate"] = np.zeros((width, all_of_them), np.float32)
            width = config.expert_hidden[-1]
        for task in tasks:
            made |= dense_layers(f"tower{task}", (width, *config.hidden, 1), rng)
        return made

    def logits(self, p: Parameters, e: Embedded, ops: Ops) -> Any:
        config, tasks = self.config, range(len(self.tasks))
        common = e.flat(ops)
        inputs = [common for _ in tasks]
        for level in range(config.levels):
            shared = [mlp(p, f"level{level}.shared{i}", common, ops) for i in range(config.shared)]
            own = [
                [mlp(p, f"level{level}.task{task}.{i}e", inputs[task], ops) for i in range(config.own)]
                for task in tasks
            ]
            inputs = [
                mixture(p, f"level{level}.gate{task}", inputs[task], shared + own[task], ops)
                for task in tasks
            ]
            if level < config.levels - 1:
                everyone = shared + [expert for experts in own for expert in experts]
                common = mixture(p, f"level{level}.gate", common, everyone, ops)
        return ops.concat([mlp(p, f"tower{task}", inputs[task], ops, last=True) for task in tasks])
