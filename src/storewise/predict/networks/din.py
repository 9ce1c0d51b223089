"""Deep interest network (Zhou et al. 2018): attention of the product in question over the shopper's history."""

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
from storewise.predict.networks.layers import attention, dense_layers, first_order, mlp
from storewise.predict.networks.ops import Ops


class DinConfig(SingleConfig):
    """``softmax``: weights of a history sum to 1; the paper's own let their sum say how strong an interest is."""

    hidden: tuple[int, ...] = Field(default=(64, 32), min_length=1)
    attention_hidden: tuple[int, ...] = Field(default=(32,), min_length=1)
    softmax: bool = False


class Din(Network[DinConfig]):
    """``first order + MLP(numbers, embeddings, interest)``: for each history, interest is the attention of the
    category of the same name over it, beside the mean of the history and ``interest ⊙ category``."""

    complexity: ClassVar[int] = 36
    Config: ClassVar[type[Config]] = DinConfig

    @classmethod
    def space(cls, trial: Trial) -> dict[str, Any]:
        return {
            **super().space(trial),
            "hidden": HIDDEN[trial.suggest_categorical("hidden", list(HIDDEN))],
            "softmax": trial.suggest_categorical("softmax", [False, True]),
        }

    def initial(self, reading: Reading, rng: np.random.Generator) -> dict[str, Any]:
        size, config = self.config.embedding_size, self.config
        made: dict[str, Any] = {
            "bias": np.zeros(1, np.float32), "first": np.zeros(len(reading.dense_names), np.float32),
        }  # fmt: skip
        for name, length in reading.histories.items():
            made |= dense_layers(f"attend.{name}", (4 * size, *config.attention_hidden, 1), rng)
            made[f"attend.{name}.places"] = np.zeros(length, np.float32)
        width = flat_width(reading, size) + 2 * size * len(reading.histories)
        return made | dense_layers("deep", (width, *config.hidden, 1), rng)

    def logits(self, p: Parameters, e: Embedded, ops: Ops) -> Any:
        found = [e.flat(ops)]
        for name, keys in e.keys.items():
            query, mask = e.parts[name], e.masks[name]
            interest = attention(p, f"attend.{name}", query, keys, mask, ops, softmax=self.config.softmax)
            found += [interest, interest * query]
        return first_order(p, e)[:, None] + mlp(p, "deep", ops.concat(found), ops, last=True)
