from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storewise.core.errors import DataError
from storewise.engine.benchmark import run
from storewise.metrics.rating import mae, rmse


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    taste, kind = rng.choice([-1, 1], 60), rng.choice([-1, 1], 40)
    who, what = np.nonzero(rng.random((60, 40)) < 0.5)
    values = np.clip(np.round(3 + 1.5 * taste[who] * kind[what] + rng.normal(0, 0.5, len(who))), 1, 5)
    order = rng.permutation(len(who))
    lines = [f"{who[i]}\t{what[i]}\t{values[i]:.0f}\t{i}" for i in order]
    (tmp_path / "u.data").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_five_folds_predict_every_rating_once(ratings: Path) -> None:
    models = ["biased_mf_als"]  # the simple rule comes along unasked
    report = run("ml100k-rmse", ratings, models=models, minutes=0.1, seed=7)
    rows = {row["model"]: row for row in report["rows"]}
    assert [row["selected"] for row in report["rows"]] == [True, False]
    assert report["rows"][0]["model"] == "ratings.biased_mf_als.v1"
    assert rows["ratings.biased_mf_als.v1"]["metrics"]["rmse"]["high"] < 0.8
    for row in rows.values():
        for figure in row["metrics"].values():
            assert figure["low"] < figure["value"] < figure["high"]


def test_the_figures_are_those_of_a_loop_over_the_folds(ratings: Path) -> None:
    """The row of the means, computed again with plain arrays and the same folds."""
    from storewise.core.rng import spawn
    from storewise.data import split
    from storewise.data.plain import read_ratings
    from storewise.recommend.ratings.baseline import MeansPredictor

    table = read_ratings(ratings / "u.data")
    assert table.values is not None
    fold = split.k_fold(len(table), 5, seed=7)
    predicted = np.empty(len(table))
    for number in range(5):
        model = MeansPredictor()
        model.train(table.dataset(fold != number), rng=spawn(7, "ratings.means.v1"))
        asked = fold == number
        predicted[asked] = model.predict(table.customers[asked], table.products[asked]).value
    report = run("ml100k-rmse", ratings, models=["means"], minutes=0.05, seed=7)
    found = report["rows"][0]["metrics"]
    assert found["rmse"]["value"] == pytest.approx(rmse(table.values, predicted))
    assert found["mae"]["value"] == pytest.approx(mae(table.values, predicted))


def test_a_file_without_ratings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "u.data").write_text("1\t2\n2\t3\n")
    with pytest.raises(DataError, match="no ratings"):
        run("ml100k-rmse", tmp_path, minutes=0.1)
