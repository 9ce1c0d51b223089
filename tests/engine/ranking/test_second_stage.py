"""The second stage from training to the served list: what training measures, the ladder, reasons."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storewise.engine.pipeline import Use
from storewise.engine.recommend import Ask
from storewise.engine.recommend.deadline import Deadline
from storewise.engine.serving.answer import payload
from storewise.engine.serving.service import Service
from storewise.engine.stages import ObjectiveConfig
from storewise.testing import small_shop

from .shops import RANK, changed, customer, ids, recommender


def test_training_measures_the_ranker_and_the_dial(service: Service) -> None:
    told = service.current().manifest.evaluation
    assert told["ranking"]["served"] == "rank.lambdamart.v1"
    assert told["ranking"]["row"]["metrics"]["ndcg gained@12"]["low"] is not None
    assert told["split"]["customers"] > RANK.shoppers  # lessons are of some, the judgement is of all
    assert f"On {told['split']['customers']} validation shoppers" in told["ranking"]["reason"]
    dials = told["pareto"]
    assert [row["dial"] for row in dials] == list(ObjectiveConfig().dials)
    expected = [row["metrics"]["expected_margin_minor"]["value"] for row in dials]
    assert expected[-1] == max(expected) > expected[0]
    assert dials[0]["metrics"]["ndcg@12"]["low"] < dials[0]["metrics"]["ndcg@12"]["value"]
    assert not all(row["dominated"] for row in dials)


def test_a_small_shop_is_not_ranked_by_itself(tmp_path: Path) -> None:
    with small_shop.open_store(tmp_path / "shop") as store:
        found = small_shop.train_on(store)
        assert "ranker" not in found.artifacts
        assert "too little" in found.evaluation["ranking"]["reason"]
        assert found.evaluation["pareto"] == []


def test_a_restored_list_is_the_trained_one(service: Service, ranked_shop: Path) -> None:
    again = small_shop.open_service(ranked_shop)
    again.load_once()
    asks = [Ask(customer(service, f"c{i:03d}")) for i in range(6)]
    for ask in asks:
        assert ids(again.preview(ask)) == ids(service.preview(ask))
    again.close()


def test_the_ranked_list_stands_beside_the_retrieved_one(service: Service) -> None:
    ask = Ask(customer(service, "c010"), explain=True)
    answer = service.preview(ask)
    assert answer.step == "full"
    told = payload(answer)
    assert told["ranker"] == "rank.lambdamart.v1"
    ranked = [item for item in told["items"] if item["source"] == "rank.lambdamart.v1"]
    assert ranked
    chances = [item["p_purchase"] for item in ranked]
    assert all(0 <= p <= 1 for p in chances)
    assert len(told["retrieved"]) == 12
    assert [i["product_id"] for i in told["items"]] != [i["product_id"] for i in told["retrieved"]]
    snapshot = service.current()
    plain = replace(snapshot, second=None)
    shown = ids(recommender(service, plain)(replace(ask, explain=False)))
    assert [i["product_id"] for i in told["retrieved"]][:6] == shown[:6]
    assert "retrieved" not in payload(service.preview(replace(ask, explain=False)))


def test_the_retrieved_order_has_reasons_of_its_own(service: Service) -> None:
    kinds = {
        item.reason.kind
        for name in ("c000", "c010", "c033")
        for item in service.preview(Ask(customer(service, name), explain=True)).retrieved
    }
    assert kinds - {"popular"}


def test_reasons_are_true_of_the_shopper(service: Service) -> None:
    """ "You bought this before" only of what they did buy; "bought with" names something of the history."""
    for name in ("c000", "c001", "c010", "c033"):
        pseudonym = customer(service, name)
        bought = set(service.store.customer_events(pseudonym)["product_id"])
        answer = service.preview(Ask(pseudonym))
        catalogue = answer.snapshot.catalogue
        for item in answer.items:
            if item.reason.kind == "repeat":
                assert catalogue.ids[item.product] in bought
            if item.reason.kind == "bought_with" and item.reason.product is not None:
                assert catalogue.ids[item.reason.product] in bought


def test_a_ranker_that_fails_leaves_the_retrieved_order(service: Service) -> None:
    class Broken:
        def scores(self, *args: Any) -> Any:
            raise RuntimeError("no")

    snapshot = service.current()
    assert snapshot.second is not None
    broken = replace(snapshot, second=replace(snapshot.second, ranker=Broken()))
    answer = recommender(service, broken)(Ask(customer(service, "c010")))
    assert answer.step == "retrieved"
    assert "rank.lambdamart.v1 failed" in answer.notes
    assert len(answer.items) == 12
    assert all(item.reason.kind != "fallback" for item in answer.items)


class Ticks:
    """A clock that jumps to the given moments, then stays."""

    def __init__(self, *moments: float) -> None:
        self.moments = list(moments)

    def __call__(self) -> float:
        return self.moments.pop(0) if len(self.moments) > 1 else self.moments[0]


@pytest.mark.parametrize(
    ("moments", "step", "stage"),
    [
        ((0.0, 0.0, 0.0, 0.0), "full", None),
        ((0.0, 0.0, 0.0, 0.09), "no_rerank", "rerank"),
        ((0.0, 0.0, 0.07, 0.07), "retrieved", "rank"),
        ((0.0, 0.05, 0.05, 0.09), "popular_in_category", "retrieve"),
    ],
)
def test_what_comes_too_late_is_left_out_and_said(
    service: Service, moments: tuple[float, ...], step: str, stage: str | None
) -> None:
    snapshot = changed(service, rerank=(Use(use="rerank.mmr.v1"),))
    made = recommender(service, snapshot, deadline=lambda ms: Deadline(ms, clock=Ticks(*moments)))
    answer = made(Ask(customer(service, "c010"), budget_ms=100.0))
    assert answer.step == step
    assert len(answer.items) == 12
    late = [note for note in answer.notes if note.startswith("deadline")]
    assert bool(late) == (stage is not None)
    assert stage is None or f"before {stage} could begin" in late[0]
