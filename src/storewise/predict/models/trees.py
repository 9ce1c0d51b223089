"""``predict.lightgbm.v1``: gradient-boosted trees (LightGBM) with early stopping and exact TreeSHAP contributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.component import Arrays
from storewise.core.config import Config
from storewise.core.progress import Progress
from storewise.predict.base import Contributions, Labelled, Predictor, Rows, Trial, Values
from storewise.predict.models.labels import require_event

SEPARATOR = "\x1f"
LEAST_COLUMNS = 4  # that a tree sees
MOST_ROUNDS = 1500  # of a search, where early stopping ends what is too long
DEEPER: dict[str, Any] = {
    "learning_rate": 0.06, "num_leaves": 31, "min_data_in_leaf": 20, "feature_fraction": 0.8, "lambda_l2": 1.0,
    "cat_smooth": 10.0, "native": True,
}  # fmt: skip
BETWEEN = DEEPER | {"learning_rate": 0.08, "num_leaves": 15, "feature_fraction": 0.7, "lambda_l2": 3.0}


class TreesConfig(Config):
    """LightGBM's parameters under its own names. ``rounds``: trees, fewer where early stopping finds that a later
    validation part gets worse for ``patience`` of them; ``native``: codes of so many rows' categories are split as
    sets (0: never), beside their rates."""

    rounds: int = Field(default=600, ge=1)
    learning_rate: float = Field(default=0.04, gt=0, le=1)
    num_leaves: int = Field(default=8, ge=2)
    min_data_in_leaf: int = Field(default=40, ge=1)
    feature_fraction: float = Field(default=0.5, gt=0, le=1)
    bagging_fraction: float = Field(default=0.8, gt=0, le=1)
    lambda_l2: float = Field(default=10.0, ge=0)
    cat_smooth: float = Field(default=50.0, ge=0)
    native: bool = True
    patience: int = Field(default=50, ge=1)
    threads: int = Field(default=1, ge=1)


class Trees(Predictor[TreesConfig]):
    """Boosted trees (Ke et al., 2017); contributions are TreeSHAP (Lundberg et al., 2020), exact for the trees.

    >>> rows = Rows.of(numbers=np.arange(200)[:, None], number_names=("price",))
    >>> model = Trees(TreesConfig(rounds=20, min_data_in_leaf=5))
    >>> model.train(Labelled(rows, (np.arange(200) % 100 > 50).astype(float)), rng=np.random.default_rng(0))
    >>> bool(model.scores(rows)[80] > model.scores(rows)[20])
    True
    """

    Config = TreesConfig
    complexity = 20

    def __init__(self, config: TreesConfig | None = None) -> None:
        super().__init__(config)
        self._booster: Any = None
        self._names: tuple[str, ...] = ()
        self._of: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._rounds = 0

    @classmethod
    def space(cls, trial: Trial) -> dict[str, Any]:
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.1, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 3, 63, log=True),
            "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 10, 300, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.3, 1.0),
            "lambda_l2": trial.suggest_float("lambda_l2", 0.1, 100.0, log=True),
            "cat_smooth": trial.suggest_float("cat_smooth", 5.0, 500.0, log=True),
            "native": trial.suggest_categorical("native", [True, False]),
            "rounds": MOST_ROUNDS,
        }

    @classmethod
    def starts(cls) -> tuple[dict[str, Any], ...]:
        """Larger trees than those of the defaults, which are made for rare and noisy events."""
        return DEEPER, BETWEEN

    def train(
        self, data: Labelled, *, validation: Labelled | None = None, rng: np.random.Generator,
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        import lightgbm as lgb

        require_event(data)
        x = self._matrix(data.rows)
        self._names, self._of = _columns(data.rows, native=self.config.native)
        p, q = len(data.rows.number_names), len(data.rows.category_names) if self.config.native else 0
        about: dict[str, Any] = {
            "categorical_feature": list(range(p, p + q)), "params": {"verbosity": -1, "max_bin": 255},
        }  # fmt: skip
        made = lgb.Dataset(x, data.labels, **about)
        callbacks, valid = [], []
        if validation is not None and len(np.unique(validation.labels)) > 1:
            valid = [lgb.Dataset(self._matrix(validation.rows), validation.labels, reference=made, **about)]
            callbacks = [lgb.early_stopping(self.config.patience, verbose=False)]
        trained = lgb.train(
            self._parameters(*x.shape, int(rng.integers(2**31))), made, self.config.rounds,
            valid_sets=valid, callbacks=callbacks,
        )  # fmt: skip
        self._rounds = max(trained.best_iteration if valid else trained.current_iteration(), 1)
        # Through its text: what serves is what an artifact holds.
        self._booster = lgb.Booster(model_str=trained.model_to_string(num_iteration=self._rounds))

    def _parameters(self, n: int, width: int, seed: int) -> dict[str, Any]:
        wanted = self.config
        return {
            "objective": "binary", "metric": "binary_logloss", "learning_rate": wanted.learning_rate,
            "num_leaves": wanted.num_leaves,
            # Leaves of a small table may be small, or there would be no tree.
            "min_data_in_leaf": max(1, min(wanted.min_data_in_leaf, n // 20)),
            "min_sum_hessian_in_leaf": 1e-3,
            # A tree that sees one or two of a few columns cannot find what they do together.
            "feature_fraction": max(wanted.feature_fraction, min(1.0, LEAST_COLUMNS / max(width, 1))),
            "bagging_fraction": wanted.bagging_fraction, "bagging_freq": 1, "lambda_l2": wanted.lambda_l2,
            "cat_smooth": wanted.cat_smooth, "cat_l2": wanted.lambda_l2, "seed": seed, "deterministic": True,
            "force_row_wise": True, "num_threads": wanted.threads, "verbosity": -1,
        }  # fmt: skip

    def settled(self) -> TreesConfig:
        """The rounds that early stopping left."""
        return self.config.model_copy(update={"rounds": max(self._rounds, 1)})

    def scores(self, rows: Rows) -> Values:
        self.require(self._booster is not None)
        if not len(rows):
            return np.zeros(0)
        return np.asarray(self._booster.predict(self._matrix(rows), num_threads=1), np.float64)

    def contributions(self, rows: Rows) -> Contributions:
        self.require(self._booster is not None)
        f = len(self._names)
        if not len(rows):
            return Contributions(self._names, np.zeros((0, f)), float("nan"))
        found = np.asarray(self._booster.predict(self._matrix(rows), pred_contrib=True, num_threads=1))
        values = np.zeros((len(rows), f))
        np.add.at(values.T, self._of, found[:, :-1].T)  # parts of a vector together
        return Contributions(self._names, values, float(found[0, -1]))

    def _matrix(self, rows: Rows) -> npt.NDArray[np.float32]:
        """(n, columns): numbers, codes (below 0 is missing for LightGBM), vectors."""
        codes = [rows.categories.astype(np.float32)] if self.config.native else []
        vectors = [block for _, block in sorted(rows.vectors.items())]
        return np.concatenate([rows.numbers, *codes, *vectors], axis=1)

    def state(self) -> Arrays:
        self.require(self._booster is not None)
        return {
            "trees": np.frombuffer(self._booster.model_to_string().encode(), np.uint8),
            "names": np.frombuffer(SEPARATOR.join(self._names).encode(), np.uint8),
            "feature_of": self._of, "rounds": np.array(self._rounds),
        }  # fmt: skip

    def restore(self, state: Arrays) -> None:
        import lightgbm as lgb

        self._booster = lgb.Booster(model_str=state["trees"].tobytes().decode())
        text = state["names"].tobytes().decode()
        self._names, self._of = tuple(text.split(SEPARATOR)) if text else (), state["feature_of"]
        self._rounds = int(state["rounds"])


def _columns(rows: Rows, *, native: bool) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Names of features, and the feature of each column of the matrix."""
    names = [*rows.number_names, *(rows.category_names if native else ())]
    of = list(range(len(names)))
    for name, block in sorted(rows.vectors.items()):
        of += [len(names)] * block.shape[1]
        names.append(name)
    return tuple(names), np.array(of, np.int64)
