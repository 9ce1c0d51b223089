"""TreeSHAP by tables against LightGBM's own, and against the definition on small trees."""

from __future__ import annotations

from itertools import combinations
from math import factorial
from typing import Any

import lightgbm
import numpy as np
import pytest

from storewise.recommend.rank import tree_shap
from storewise.recommend.rank.tree_shap import TreeShap, shapley


def boosted(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], **parameters: Any) -> lightgbm.Booster:
    about = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, "seed": 1, **parameters}
    rounds = about.pop("rounds", 20)
    return lightgbm.train(about, lightgbm.Dataset(x, y), rounds)


def rows(n: int, f: int, seed: int, *, missing: float) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, f)).round(2).astype(np.float32)
    x[rng.random((n, f)) < missing] = np.nan
    return x


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize(("f", "leaves", "rate"), [(1, 4, 0.1), (6, 15, 0.05), (30, 64, 0.3)])
def test_it_says_what_lightgbm_says(f: int, leaves: int, rate: float, missing: float) -> None:
    """Also of missing values where training saw none, and of values that stand on a threshold."""
    x = rows(3_000, f, 0, missing=missing)
    y = np.nan_to_num(x).sum(axis=1) + np.nan_to_num(x[:, 0] * x[:, -1])
    model = boosted(x, y, num_leaves=leaves, learning_rate=rate)
    asked = rows(40, f, 1, missing=0.3)
    thresholds = {t for tree in model.dump_model()["tree_info"] for t in _thresholds(tree["tree_structure"])}
    asked[:20, 0] = np.resize(np.array(sorted(thresholds), np.float32), 20)
    asked[20, 0], asked[21, 0] = -np.inf, np.inf
    expected = np.asarray(model.predict(asked, pred_contrib=True))[:, :-1]
    found = TreeShap(model)(asked)
    assert found == pytest.approx(expected, abs=1e-10)
    assert np.abs(expected).max() > 0.1


def test_paths_of_many_features_have_no_table_and_the_same_answer() -> None:
    x = rows(4_000, 14, 2, missing=0.1)
    y = np.prod(np.sign(np.nan_to_num(x) + 0.8), axis=1)
    model = boosted(x, y, num_leaves=300, rounds=3, min_data_in_leaf=1)
    explained = TreeShap(model)
    assert explained._wide
    asked = rows(20, 14, 3, missing=0.2)
    assert explained(asked) == pytest.approx(np.asarray(model.predict(asked, pred_contrib=True))[:, :-1])


def test_tables_that_would_be_too_large_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    x = rows(2_000, 6, 5, missing=0.1)
    model = boosted(x, np.nan_to_num(x).sum(axis=1), num_leaves=31)
    whole = TreeShap(model)
    monkeypatch.setattr(tree_shap, "MOST_ANSWERS", 500)
    part = TreeShap(model)
    assert len(part._tabled._table) <= 500 < len(whole._tabled._table)
    assert part(x[:9]) == pytest.approx(whole(x[:9]))


def test_it_is_the_shapley_value_by_definition() -> None:
    rng = np.random.default_rng(4)
    for d in range(1, 7):
        passed, shares, value = rng.integers(0, 2, d), rng.uniform(0.05, 0.95, d), rng.normal()

        def reached(known: set[int], o: Any = passed, z: Any = shares, c: float = value) -> float:
            return float(c * np.prod([o[j] if j in known else z[j] for j in range(len(o))]))

        expected = [
            sum(
                factorial(k) * factorial(d - k - 1) / factorial(d) * (reached({*s, i}) - reached(set(s)))
                for k in range(d)
                for s in combinations([j for j in range(d) if j != i], k)
            )
            for i in range(d)
        ]
        assert shapley(passed, shares, np.array(value)) == pytest.approx(expected, abs=1e-12)


def test_trees_without_a_split_lift_nothing() -> None:
    x = np.ones((50, 3), np.float32)
    model = boosted(x, np.arange(50.0), rounds=2)
    assert TreeShap(model)(x[:4]).tolist() == [[0.0] * 3] * 4
    assert TreeShap(model)(x[:0]).shape == (0, 3)


def test_sets_of_categories_are_refused() -> None:
    x = np.repeat(np.arange(6), 50)[:, None].astype(np.float32)
    data = lightgbm.Dataset(x, (x[:, 0] % 2), categorical_feature=[0])
    model = lightgbm.train({"verbose": -1, "min_data_in_leaf": 5, "max_cat_to_onehot": 1}, data, 2)
    with pytest.raises(ValueError, match="numbers at a threshold"):
        TreeShap(model)


def _thresholds(node: dict[str, Any]) -> list[float]:
    if "threshold" not in node:
        return []
    mine = [node["threshold"]] if node["split_feature"] == 0 else []
    return mine + _thresholds(node["left_child"]) + _thresholds(node["right_child"])
