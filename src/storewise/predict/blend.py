"""``predict.blend.v1``: the mean of logistic regression and trees in log odds, for what each of them misses."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field
from scipy.special import expit, logit

from storewise.core.component import Arrays
from storewise.core.config import Config
from storewise.core.progress import Progress
from storewise.core.rng import spawn
from storewise.predict.base import Contributions, Labelled, Predictor, Rows, Trial, Values
from storewise.predict.logistic import Logistic, LogisticConfig
from storewise.predict.trees import Trees, TreesConfig

EDGE = 1e-6


class BlendConfig(Config):
    """``share``: of the trees; the rest is the logistic regression's."""

    share: float = Field(default=0.5, gt=0, lt=1)
    logistic: LogisticConfig = LogisticConfig()
    trees: TreesConfig = TreesConfig()


class Blend(Predictor[BlendConfig]):
    """``logit p = s·logit p_trees + (1 − s)·logit p_logistic``; contributions are those of the parts, weighted.

    >>> rows = Rows.of(numbers=np.arange(200)[:, None], number_names=("price",))
    >>> model = Blend(BlendConfig(trees=TreesConfig(rounds=5)))
    >>> model.train(Labelled(rows, (np.arange(200) % 100 > 50).astype(float)), rng=np.random.default_rng(0))
    >>> said = model.contributions(rows)
    >>> bool(np.allclose(expit(said.base + said.values.sum(axis=1)), model.scores(rows), atol=1e-6))
    True
    """

    Config = BlendConfig
    complexity = 25

    def __init__(self, config: BlendConfig | None = None) -> None:
        super().__init__(config)
        self._logistic, self._trees = Logistic(self.config.logistic), Trees(self.config.trees)
        self._ready = False

    @classmethod
    def space(cls, trial: Trial) -> dict[str, Any]:
        return {"share": trial.suggest_float("share", 0.2, 0.8)}

    def train(
        self, data: Labelled, *, validation: Labelled | None = None, rng: np.random.Generator,
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        seed = int(rng.integers(2**31))
        self._logistic.train(data, rng=spawn(seed, "logistic"), progress=progress)
        self._trees.train(data, validation=validation, rng=spawn(seed, "trees"), progress=progress)
        self._ready = True

    def settled(self) -> BlendConfig:
        return self.config.model_copy(update={"trees": self._trees.settled()})

    def scores(self, rows: Rows) -> Values:
        self.require(self._ready)
        s = self.config.share
        parts = [logit(np.clip(m.scores(rows), EDGE, 1 - EDGE)) for m in (self._trees, self._logistic)]
        return np.asarray(expit(s * parts[0] + (1 - s) * parts[1]), np.float64)

    def contributions(self, rows: Rows) -> Contributions:
        self.require(self._ready)
        s = self.config.share
        trees, linear = self._trees.contributions(rows), self._logistic.contributions(rows)
        names = tuple(dict.fromkeys((*trees.names, *linear.names)))
        values = np.zeros((len(rows), len(names)))
        for part, weight in ((trees, s), (linear, 1 - s)):
            values[:, [names.index(name) for name in part.names]] += weight * part.values
        return Contributions(names, values, s * trees.base + (1 - s) * linear.base)

    def state(self) -> Arrays:
        self.require(self._ready)
        return {
            **{f"logistic_{name}": part for name, part in self._logistic.state().items()},
            **{f"trees_{name}": part for name, part in self._trees.state().items()},
        }

    def restore(self, state: Arrays) -> None:
        def of(prefix: str) -> Arrays:
            return {
                name.removeprefix(prefix): part for name, part in state.items() if name.startswith(prefix)
            }

        self._logistic.restore(of("logistic_"))
        self._trees.restore(of("trees_"))
        self._ready = True
