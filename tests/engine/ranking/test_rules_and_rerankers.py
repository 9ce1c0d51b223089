"""Hard rules, rerankers and the dial on ranked lists, whatever the components return."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storewise.engine.pipeline import Policy, Use
from storewise.engine.recommend import Ask
from storewise.engine.serving.answer import payload
from storewise.engine.serving.service import Service, decision_row
from storewise.engine.stages import ObjectiveConfig
from storewise.recommend.eligibility import ShopperRulesConfig
from storewise.recommend.request import ItemList, Reason
from storewise.recommend.rerank.base import Order, Reranker
from storewise.testing import small_shop

from .shops import AGES, COUNTRIES, changed, customer, ids, recommender


def test_a_reranker_that_fails_costs_nothing_but_itself(service: Service) -> None:
    class Broken(Reranker[Any]):
        Config = Use

        def __init__(self) -> None:
            self.config = Use(use="x")

        def arrange(self, request: Any, items: ItemList, n: int) -> Order:
            raise RuntimeError("no")

    plain = service.current()
    answer = recommender(service, replace(plain, rerankers=(Broken(),)))(Ask(customer(service, "c010")))
    assert answer.step == "no_rerank"
    assert ids(answer) == ids(recommender(service, plain)(Ask(customer(service, "c010"))))


def test_rules_that_moved_an_item_are_in_its_reasons_and_it_moves_back(service: Service) -> None:
    boost = Use(use="rerank.place.v1", config={"action": "boost", "attribute": "colour:blue", "name": "blue"})
    ask = Ask(customer(service, "c010"))
    without = ids(recommender(service, changed(service))(ask))
    answer = recommender(service, changed(service, rerank=(boost,)))(ask)
    moved = {name: item.moves for name, item in zip(ids(answer), answer.items, strict=True) if item.moves}
    assert moved
    for name, moves in moved.items():
        assert [move.rule for move in moves] == ["blue"]
        if name in without:
            assert without.index(name) == moves[0].before
    told = payload(answer)["items"]
    assert any("“blue”" in one["text"] for item in told for one in item.get("moved", ()))


def test_category_caps_hold_for_the_whole_list(service: Service) -> None:
    cap = Use(use="rerank.category_cap.v1", config={"most": 3})
    answer = recommender(service, changed(service, rerank=(cap,)))(Ask(customer(service, "c010")))
    codes = answer.snapshot.catalogue.category_codes[[item.product for item in answer.items]]
    assert max(np.bincount(codes)) == 3


def test_the_dial_raises_what_a_list_is_expected_to_earn(service: Service) -> None:
    def expected(value: float) -> float:
        snapshot = changed(service, objective=ObjectiveConfig(value=value), policy=Policy(new_share=0.0))
        total = 0.0
        for number in range(20):
            answer = recommender(service, snapshot)(Ask(customer(service, f"c{number:03d}"), n=5))
            assert snapshot.shelf is not None
            total += sum(
                item.p_purchase * snapshot.shelf.margins_minor[item.product]
                for item in answer.items
                if item.p_purchase == item.p_purchase
            )
        return total

    assert expected(1.0) > expected(0.0)


def test_frequency_caps_count_what_was_served_and_survive_a_restart(
    ranked_shop: Path, tmp_path: Path
) -> None:
    cap = Use(use="rerank.frequency_cap.v1", config={"most": 2, "days": 3.0})
    found = small_shop.open_service(ranked_shop)
    found.load_once()
    snapshot = changed(found, rerank=(cap,))
    made = recommender(found, snapshot, exposures=found.exposures)
    ask = Ask(customer(found, "c010"), n=4)
    first, second, third = (made(ask) for _ in range(3))
    assert ids(first) == ids(second)
    assert not set(ids(third)) & set(ids(first))
    other = made(Ask(customer(found, "c012"), n=4))
    assert set(ids(other)) & set(ids(first))  # another shopper's lists do not count
    rows = [decision_row(answer) for answer in (first, second)]
    found.exposures.clear()
    for row in rows:
        names = tuple(item["product_id"] for item in row["items"])
        found.exposures.put(f"c:{row['customer_id']}", row["at"].timestamp(), names)
    assert ids(made(ask)) == ids(third)
    found.close()


RULES = ShopperRulesConfig(market_attribute="market", age_attribute="age", once_categories=("seat",))


def test_market_age_and_goods_bought_once(service: Service) -> None:
    snapshot = changed(service, eligibility=RULES)
    made = recommender(service, snapshot)
    british, german, unknown = (
        set(ids(made(Ask(customer(service, name), n=40)))) for name in ("c000", "c001", "c002")
    )
    assert "p00" in british and "p01" not in british  # noqa: PT018
    assert {"p02", "p05"} <= british  # thirty years old
    assert "p02" not in german and "p05" in german  # noqa: PT018  (at most fourteen)
    assert not set(COUNTRIES) & unknown and not set(AGES) & unknown  # noqa: PT018
    travelling = set(ids(made(Ask(customer(service, "c000"), n=40, country="DE"))))
    assert "p01" in travelling and "p00" not in travelling  # noqa: PT018
    bought = set(service.store.customer_events(customer(service, "c001"))["product_id"])
    assert bought
    assert not {name for name in bought if name >= "p20"} & german
    assert set(ids(made(Ask(None, n=40)))) == unknown | ({"p02"} & unknown)


class Anything:
    """A component that returns whatever it was told to, allowed or not."""

    def __init__(self, products: list[int]) -> None:
        self.products = products

    def __call__(self, request: Any, n: int) -> ItemList:
        m = len(self.products)
        return ItemList(
            np.array(self.products, np.int32), np.arange(m, 0, -1, dtype=np.float32), (Reason("taste"),) * m
        )


class AnyOrder(Reranker[Any]):
    Config = Use

    def __init__(self, places: list[int]) -> None:
        self.config, self.places = Use(use="x"), places

    def arrange(self, request: Any, items: ItemList, n: int) -> Order:
        return Order(np.array([p % len(items) for p in self.places], np.int64))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    products=st.lists(st.integers(0, 39), max_size=30),
    places=st.lists(st.integers(0, 200), min_size=1, max_size=30),
    who=st.sampled_from(["c000", "c001", "c002", "stranger", None]),
    country=st.sampled_from([None, "GB", "DE", "XX"]),
    ranked=st.booleans(),
    hide=st.sampled_from(["allow", "hide"]),
)
def test_nothing_forbidden_leaves_whatever_the_components_return(
    service: Service, products: list[int], places: list[int], who: str | None, country: str | None, ranked: bool,
    hide: Any,
) -> None:  # fmt: skip
    snapshot = changed(service, eligibility=RULES, policy=Policy(repeats=hide))
    if not ranked:
        snapshot = replace(snapshot, second=None, retriever=Anything(products))
    snapshot = replace(snapshot, rerankers=(AnyOrder(places),))
    pseudonym = None if who is None else customer(service, who)
    answer = recommender(service, snapshot)(Ask(pseudonym, country=country))
    shown = ids(answer)
    assert len(set(shown)) == len(shown)
    assert not {small_shop.SOLD_OUT, small_shop.INACTIVE} & set(shown)
    where = country or {"c000": "GB", "c001": "DE"}.get(who or "")
    age = {"c000": 30, "c001": 13}.get(who or "", 0)
    bought = set(service.store.customer_events(pseudonym)["product_id"]) if pseudonym else set()
    for name in shown:
        assert name not in COUNTRIES or where in COUNTRIES[name]
        assert {"true": 18}.get(str(AGES.get(name)), int(str(AGES.get(name, 0)).replace("true", "18"))) <= age
        assert name not in bought or (name < "p20" and hide == "allow")
