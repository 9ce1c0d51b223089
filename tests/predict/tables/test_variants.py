"""Rates of earlier rows are used where they help and left out where they harm."""

from __future__ import annotations

import numpy as np
import polars as pl

from storewise.predict.base import Labelled
from storewise.predict.choose.contest import Fold
from storewise.predict.choose.folds import validation_folds
from storewise.predict.tables.fields import FieldsConfig, learn
from storewise.predict.tables.variants import best_variant


def variants(frame: pl.DataFrame, labels: np.ndarray) -> dict[str, list[Fold]]:
    made: dict[str, list[Fold]] = {"rates": [], "no rates": []}
    for part in validation_folds(np.arange(len(labels)), "chance", labels, seed=0):
        for name, folds in made.items():
            config = FieldsConfig(rates=name == "rates")
            fields, train = learn(frame[part.train], labels[part.train], config=config, seed=1)
            folds.append(Fold(train, Labelled(fields(frame[part.later]), labels[part.later])))
    return made


def test_many_values_with_few_rows_each_need_rates():
    rng = np.random.default_rng(0)
    buyer = rng.integers(0, 700, 6000)
    rate = rng.beta(0.3, 1.2, 700)[buyer]
    labels = (rng.random(6000) < rate).astype(np.float64)
    frame = pl.DataFrame({"buyer": [f"b{number}" for number in buyer], "size": rng.normal(size=6000)})
    best, losses = best_variant(variants(frame, labels), seed=1)
    assert best == "rates"
    assert losses["rates"] < losses["no rates"] - 0.005


def test_few_values_with_many_rows_do_not():
    rng = np.random.default_rng(0)
    shop = rng.integers(0, 3, 6000)
    labels = (rng.random(6000) < np.array([0.1, 0.2, 0.3])[shop]).astype(np.float64)
    frame = pl.DataFrame({"shop": np.array(["a", "b", "c"])[shop], "size": rng.normal(size=6000)})
    best, _ = best_variant(variants(frame, labels), seed=1)
    assert best == "no rates"
