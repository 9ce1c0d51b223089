from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from storewise.core.errors import ConfigError, UnknownName
from storewise.core.progress import Silent
from storewise.data.dataset import Dataset
from storewise.data.interactions import Interactions
from storewise.metrics.rating import rmse
from storewise.recommend.ratings.neighbourhood import ItemNeighbourhood
from storewise.recommend.ratings.select import select_ratings


def rated(seed: int) -> tuple[Dataset, Dataset]:
    """Ratings from a known taste (rank one), the training part and the part to predict."""
    rng = np.random.default_rng(0)
    taste, kind = rng.choice([-1, 1], 80), rng.choice([-1, 1], 50)
    who, what = np.nonzero(rng.random((80, 50)) < 0.6)
    values = (3 + taste[who] * kind[what] + rng.normal(0, 0.3, len(who))).astype(np.float32)
    held = np.random.default_rng(seed).random(len(who)) < 0.2
    parts = []
    for rows in (~held, held):
        behaviour = Interactions.build(who[rows], what[rows], n_customers=80, n_products=50)
        data = Dataset.from_interactions(behaviour)
        parts.append(data.with_interactions(behaviour, values=values[rows]))
    return parts[0], parts[1]


def choose(candidates: list[str] | None, budget_s: float = 5.0) -> Any:
    train, validation = rated(1)
    return select_ratings(
        train, validation, candidates=candidates, budget_s=budget_s, seed=3, progress=Silent()
    )


def test_chooses_what_predicts_best_and_reports_its_error() -> None:
    found = choose(["ratings.means.v1", "ratings.biased_mf_als.v1"])
    assert found.selected == "ratings.biased_mf_als.v1"
    train, validation = rated(1)
    for choice in found.choices:
        model = found.refit(train, seed=3, progress=Silent())[choice.name]
        asked = validation.interactions
        predicted = model.predict(asked.customers, asked.products).value
        assert choice.validation == pytest.approx(rmse(validation.values, predicted))  # type: ignore[arg-type]
        assert choice.trials == 1
    by_name = {choice.name: choice.validation for choice in found.choices}
    assert by_name["ratings.biased_mf_als.v1"] < 0.5 < by_name["ratings.means.v1"]


def test_a_component_with_a_space_is_tuned_and_keeps_its_default_when_nothing_is_better(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def space(trial: Any) -> dict[str, Any]:
        return {"shrinkage": trial.suggest_float("shrinkage", 900.0, 1000.0)}

    default = choose(["ratings.item_neighbourhood.v1"])
    monkeypatch.setattr(ItemNeighbourhood, "space", staticmethod(space), raising=False)
    tuned = choose(["ratings.item_neighbourhood.v1"], budget_s=1.0)
    assert tuned.choices[0].trials > 1
    assert tuned.choices[0].validation <= default.choices[0].validation


def test_unknown_and_no_candidates() -> None:
    with pytest.raises(UnknownName):
        choose(["ratings.oracle.v1"])
    with pytest.raises(ConfigError, match="no rating predictor"):
        choose([])
