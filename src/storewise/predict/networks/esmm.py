"""ESMM (Ma et al. 2018): click and purchase on all impressions, so that conversion is learned without its bias.

``p(click and purchase) = p(click) · p(purchase | click)``: the two towers share embeddings, and the labels of the
product exist for every impression, where those of the conversion exist for clicks alone.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from storewise.core.config import Config
from storewise.core.errors import DataError
from storewise.core.progress import Progress
from storewise.predict.base import Rows, Values
from storewise.predict.multitask import MultiLabelled
from storewise.predict.networks.base import sigmoid
from storewise.predict.networks.deepfm import flat_width
from storewise.predict.networks.embed import Embedded, Parameters
from storewise.predict.networks.fit import TrainingRun
from storewise.predict.networks.inputs import Reading
from storewise.predict.networks.layers import dense_layers, mlp
from storewise.predict.networks.multitask import MultiConfig, MultiNetwork
from storewise.predict.networks.ops import Ops


class EsmmConfig(MultiConfig):
    """Two towers."""

    hidden: tuple[int, ...] = (64, 32)


class Esmm(MultiNetwork[EsmmConfig]):
    """Tasks: the step before (click), and both steps (click and purchase)."""

    Config: ClassVar[type[Config]] = EsmmConfig

    def train(
        self, data: MultiLabelled, *, validation: MultiLabelled | None = None, rng: np.random.Generator,
        progress: Progress | None = None, run: TrainingRun | None = None,
    ) -> None:  # fmt: skip
        """Raises:
        DataError: besides what every task needs, for other than two tasks or a second step without the first.
        """
        for part in (data, validation):
            _check(part)
        super().train(data, validation=validation, rng=rng, progress=progress, run=run)

    def initial(self, reading: Reading, rng: np.random.Generator) -> dict[str, Any]:
        sizes = (flat_width(reading, self.config.embedding_size), *self.config.hidden, 1)
        return dense_layers("first step", sizes, rng) | dense_layers("second step", sizes, rng)

    def logits(self, p: Parameters, e: Embedded, ops: Ops) -> Any:
        """(n, 2): a, and the log odds of ``σ(a)·σ(b)``, which are ``−ln(e^−a + e^−b + e^−(a+b))``."""
        x = e.flat(ops)
        a, b = mlp(p, "first step", x, ops, last=True), mlp(p, "second step", x, ops, last=True)
        return ops.concat([a, -ops.logaddexp(ops.logaddexp(-a, -b), -a - b)])

    def conversion(self, rows: Rows) -> Values:
        """(n,) the probability of the second step for who has taken the first."""
        found = sigmoid(self.task_logits(rows))
        return found[:, 1] / np.maximum(found[:, 0], 1e-300)


def _check(data: MultiLabelled | None) -> None:
    if data is None:
        return
    if len(data.tasks) != 2:
        raise DataError(
            f"{len(data.tasks)} tasks: {', '.join(data.tasks)}.",
            next_step="Give two: the first step and the second.",
        )
    if wrong := int(((data.labels[:, 1] == 1) & (data.labels[:, 0] == 0)).sum()):
        raise DataError(
            f"{wrong:,} rows have {data.tasks[1]} without {data.tasks[0]}.",
            next_step=f"Set {data.tasks[0]} to 1 where {data.tasks[1]} is 1, or use predict.mmoe.v1.",
        )
