"""``predict.blend.v1``: logistic regression and boosted trees together, the mean of their log odds."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field
from scipy.special import expit, logit

from storewise.core.component import Arrays
from storewise.core.config import Config
from storewise.core.progress import Progress
from storewise.predict.base import Contributions, Labelled, Predictor, Rows, Trial, Values
from storewise.predict.models.labels import require_event
from storewise.predict.models.logistic import Logistic, LogisticConfig
from storewise.predict.models.trees import Trees, TreesConfig

EDGE = 1e-9
MEMBERS = ("logistic", "trees")


class BlendConfig(Config):
    """``weight`` of the trees, the rest is the logistic regression's."""

    logistic: LogisticConfig = LogisticConfig()
    trees: TreesConfig = TreesConfig()
    weight: float = Field(default=0.5, ge=0, le=1)


class Blend(Predictor[BlendConfig]):
    """``logit p = (1 - w)·logit p_logistic + w·logit p_trees``, a logarithmic pool (Genest and Zidek, 1986).

    The two err differently: one adds up, the other cuts. Contributions are the members' own, weighted alike, and
    exact as theirs are.

    >>> rows = Rows.of(numbers=np.linspace(-1, 1, 60)[:, None], number_names=("price",))
    >>> model = Blend()
    >>> model.train(Labelled(rows, (rows.numbers[:, 0] > 0.1).astype(float)), rng=np.random.default_rng(0))
    >>> bool(model.scores(rows)[-1] > 0.6)
    True
    """

    Config = BlendConfig
    complexity = 25

    def __init__(self, config: BlendConfig | None = None) -> None:
        super().__init__(config)
        self.logistic, self.trees = Logistic(self.config.logistic), Trees(self.config.trees)
        self._trained = False

    @classmethod
    def space(cls, trial: Trial) -> dict[str, Any]:
        return {
            "logistic": {
                "regularization": trial.suggest_float("regularization", 1.0, 100.0, log=True),
                "crossed": trial.suggest_categorical("crossed", [0, 4]),
            },
            "trees": Trees.space(trial),
        }

    def train(
        self, data: Labelled, *, validation: Labelled | None = None, rng: np.random.Generator,
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        require_event(data)
        for member in (self.logistic, self.trees):
            member.train(data, validation=validation, rng=rng, progress=progress)
        self._trained = True

    def settled(self) -> BlendConfig:
        return self.config.model_copy(update={"trees": self.trees.settled()})

    @property
    def _weighted(self) -> tuple[tuple[Predictor[Any], float], ...]:
        return (self.logistic, 1.0 - self.config.weight), (self.trees, self.config.weight)

    def scores(self, rows: Rows) -> Values:
        self.require(self._trained)
        parts = [w * logit(np.clip(member.scores(rows), EDGE, 1 - EDGE)) for member, w in self._weighted]
        return np.asarray(expit(sum(parts)), np.float64)

    def contributions(self, rows: Rows) -> Contributions:
        self.require(self._trained)
        told = [(member.contributions(rows), w) for member, w in self._weighted]
        names = tuple(dict.fromkeys(name for part, _ in told if part is not None for name in part.names))
        values, base = np.zeros((len(rows), len(names))), 0.0
        for part, w in told:
            assert part is not None
            for place, name in enumerate(part.names):
                values[:, names.index(name)] += w * part.values[:, place]
            base += w * part.base
        return Contributions(names, values, base)

    def state(self) -> Arrays:
        self.require(self._trained)
        return {
            f"{name}.{key}": array for name in MEMBERS for key, array in getattr(self, name).state().items()
        }

    def restore(self, state: Arrays) -> None:
        for name in MEMBERS:
            mine = {key.removeprefix(f"{name}."): a for key, a in state.items() if key.startswith(f"{name}.")}
            getattr(self, name).restore(mine)
        self._trained = True
