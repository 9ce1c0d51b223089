"""The ranking protocol, on a small shop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storewise.core.progress import Silent
from storewise.data.privacy import Pseudonyms
from storewise.data.stores import Store
from storewise.engine.history import History
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.protocols.ranking import RANKED, Ranking
from storewise.engine.ranking.second_stage import DAY_S, RankConfig, Replay, refit_names, train_ranker, worth
from storewise.engine.registry import registry
from storewise.recommend.choose.select import Selection
from storewise.recommend.choose.tune import Choice
from storewise.recommend.rank.product_facts import ProductFacts
from storewise.recommend.rank.stage import Ranked
from storewise.testing import small_shop
from storewise.testing.retriever import shop

SMALL = RankConfig(use="always", moments=2, depth=15, config={"trees": 15, "least_rows_in_leaf": 10})


def test_ranked_and_retrieved_lists_stand_side_by_side(tmp_path: Path) -> None:
    with Store.open(tmp_path / "shop") as store:
        tables = small_shop.tables(0, customers=350)
        store.ingest(Pseudonyms.of(tmp_path / "shop", create=True).tables(tables), "larger small shop")
    study = Ranking(SMALL, days=40.0, k=5)
    body = study.run(Inputs(data=tmp_path / "shop"), models=["item_knn", "popular"], budget_s=4.0, seed=1, progress=Silent())  # fmt: skip
    assert body["question"] == "with repeats"
    assert [other["question"] for other in body["others"]] == ["without repeats"]
    for section in (body, *body["others"]):
        assert sum(row["selected"] for row in section["rows"]) == 1
    rows = {row["model"]: row for row in body["rows"]}
    assert set(rows) == {RANKED, "retrieve.item_knn.v1", "retrieve.popular.v1"}
    told = rows[RANKED]["metrics"]
    best = max(rows[name]["metrics"]["ndcg@5"]["value"] for name in rows if name != RANKED)
    assert told["ratio_best@5"]["value"] == pytest.approx(told["ndcg@5"]["value"] / best)
    assert told["ratio_best@5"]["low"] < told["ratio_best@5"]["value"] < told["ratio_best@5"]["high"]
    assert 0 <= told["ece"]["value"] <= 1


def test_a_moment_knows_nothing_of_what_came_after() -> None:
    """Candidates, labels and features of a moment stay when everything later than its window is altered."""
    data = shop(0, customers=120, events=2500)
    now = float(data.interactions.at.min()) + 100 * DAY_S
    rows = data.interactions
    late = rows.at >= now + 28 * DAY_S
    changed = data.with_interactions(rows.select(~late | (rows.products % 2 == 0)))
    made = []
    for dataset in (data, changed):
        moment = replay(History.of(dataset)).moment(now)
        assert moment is not None
        made.append((moment.candidates.products, moment.candidates.parts, moment.bought, moment.facts.table))
    assert late.any()
    for left, right in zip(*made, strict=True):
        np.testing.assert_array_equal(left, right)


def replay(history: History, only_new: bool = False) -> Replay:
    def refit(dataset):  # type: ignore[no-untyped-def]
        made = {}
        for name in ("retrieve.item_knn.v1", "retrieve.popular.v1"):
            made[name] = registry().create(name)
            made[name].train(dataset, rng=np.random.default_rng(0))
        return made

    return Replay(history, "retrieve.item_knn.v1", refit, SMALL, 28 * DAY_S, only_new, 5)


def test_candidates_come_from_what_serves_and_what_was_tried() -> None:
    config = registry().create("retrieve.popular.v1").config
    tried = ("retrieve.graph_filter.v1", "retrieve.ease.v1", "retrieve.user_knn.v1", "retrieve.popular.v1")
    choices = tuple(Choice(name, config, 0.1, 1, 0.0) for name in tried)
    selection = Selection(choices, "retrieve.graph_filter.v1", "")
    cheap = ["retrieve.graph_filter.v1", "retrieve.user_knn.v1", "retrieve.popular.v1"]
    assert refit_names(selection) == cheap
    assert refit_names(selection, "wide") == [*cheap, "retrieve.ease.v1"]


def test_what_was_bought_is_no_candidate_of_new_products() -> None:
    data = shop(0, customers=120, events=2500)
    moment = replay(History.of(data), only_new=True).moment(data.watermark - 28 * DAY_S)
    assert moment is not None
    seen = moment.histories.matrix().toarray() > 0
    assert not seen[moment.candidates.row, moment.candidates.products].any()


def test_worth_is_measured_in_pairs_and_little_past_teaches_nothing() -> None:
    data = shop(0, customers=250, events=6000)
    border = data.watermark - 28 * DAY_S
    maker = replay(History.of(data))
    moments = maker.before(border, Silent())
    fit = data.until(border)
    facts = ProductFacts.of(fit)
    ranker = train_ranker(moments, facts, SMALL, registry(), seed=1, progress=Silent())
    assert ranker is not None
    task, sources = maker.task(fit, border), maker.sources(fit)
    assert task is not None
    found = worth(sources, ranker, task, seed=1)
    assert found.gain.value == pytest.approx(float((found.ranked - found.retrieved).mean()))
    listed = Ranked(sources, ranker).scores(task.histories)
    assert np.isneginf(listed).any()
    assert train_ranker(moments[:1], facts, SMALL, registry(), seed=1, progress=Silent()) is None
