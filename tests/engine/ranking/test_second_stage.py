"""The second stage from training to the served list: the ladder, hard rules, rerankers, explanations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storewise.core.artifact import read
from storewise.core.clock import fixed_clock
from storewise.core.progress import Silent
from storewise.data.privacy import Pseudonyms
from storewise.data.schema import CUSTOMERS
from storewise.data.stores import Store
from storewise.engine.pipeline import Policy, Use
from storewise.engine.published import ARTIFACTS, point_to
from storewise.engine.ranking import choose
from storewise.engine.recommend import Answer, Ask, Recommender
from storewise.engine.recommend.deadline import Deadline
from storewise.engine.registry import registry
from storewise.engine.serving.answer import payload
from storewise.engine.serving.second_stage import as_served, ranker_artifact, restore_second_stage
from storewise.engine.serving.service import Service, decision_row
from storewise.engine.stages import ObjectiveConfig, RankConfig
from storewise.engine.train import train
from storewise.metrics.intervals import Interval
from storewise.recommend.eligibility import ShopperRulesConfig
from storewise.recommend.request import ItemList, Reason
from storewise.recommend.rerank.base import Order, Reranker
from storewise.testing import small_shop
from storewise.testing.small_shop import END, PIPELINE

RANK = RankConfig(
    use="always", moments=2, depth=20, config={"trees": 20, "least_rows_in_leaf": 10, "negatives": 20}
)
SHOP = PIPELINE.model_copy(
    update={"rank": RANK, "selection": PIPELINE.selection.model_copy(update={"validation_days": 40.0})}
)
COUNTRIES = {"p00": ["GB"], "p01": ["FR", "DE"], "p20": ["GB"], "p21": ["DE"]}
AGES = {"p02": 18, "p22": "true", "p05": 12}


@pytest.fixture(scope="module")
def ranked_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranked") / "shop"
    tables = small_shop.tables(0, customers=300)
    products = tables.products.with_columns(
        attributes=pl.Series([
            f'{{"colour": "{("red", "blue")[i % 2]}"'
            + (f', "market": {COUNTRIES[p]}'.replace("'", '"') if p in COUNTRIES else "")
            + (f', "age": "{AGES[p]}"' if p in AGES else "")
            + "}"
            for i, p in enumerate(tables.products["product_id"])
        ])
    )  # fmt: skip
    people = pl.DataFrame({
        "customer_id": ["c000", "c001", "c002", "c007"],
        "country": ["GB", "DE", None, None],
        "attributes": ['{"age": 30}', '{"birth_year": 2010}', None, '{"personal": false}'],
    })  # fmt: skip
    tables = replace(tables, products=products, customers=CUSTOMERS.conform(people))
    with Store.open(folder) as store:
        store.ingest(Pseudonyms.of(folder, create=True).tables(tables), "ranked shop")
        manifest = train(
            store, SHOP, registry=registry(), progress=Silent(), seed=1, code_version="test", until=END
        )
        point_to(folder, manifest.id)
    return folder


@pytest.fixture(scope="module")
def service(ranked_shop: Path) -> Iterator[Service]:
    found = small_shop.open_service(ranked_shop)
    found.load_once()
    yield found
    found.close()


def changed(service: Service, **sections: Any) -> Any:
    snapshot = service.current()
    pipeline = snapshot.pipeline.model_copy(update=sections)
    return replace(snapshot, pipeline=pipeline).stocked(service.store.stock())


def recommender(service: Service, snapshot: Any, **options: Any) -> Recommender:
    return Recommender(lambda: snapshot, live=service.live, clock=fixed_clock(END), **options)


def customer(service: Service, name: str) -> str:
    return service.shoppers.customer(name)


def ids(answer: Answer) -> list[str]:
    return [answer.snapshot.catalogue.ids[item.product] for item in answer.items]


def test_training_measures_the_ranker_and_the_dial(service: Service) -> None:
    told = service.current().manifest.evaluation
    assert told["ranking"]["served"] == "rank.lambdamart.v1"
    assert told["ranking"]["row"]["metrics"]["ndcg gained@12"]["low"] is not None
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


def as_shadow(service: Service) -> Any:
    snapshot = service.current()
    assert snapshot.second is not None
    return replace(snapshot, second=replace(snapshot.second, serves=False, why="no more than chance"))


def test_a_shadow_changes_nothing_of_the_served_list(service: Service) -> None:
    shadow, plain = as_shadow(service), replace(service.current(), second=None)
    for name in ("c000", "c010", "c033"):
        for explain in (False, True):
            ask = Ask(customer(service, name), explain=explain)
            shown, without = (recommender(service, each)(ask) for each in (shadow, plain))
            assert shown.items == without.items
            assert (shown.step, shown.notes) == (without.step, without.notes)


def test_a_shadow_shows_the_list_that_it_would_serve(service: Service) -> None:
    ask = Ask(customer(service, "c010"), explain=True)
    told = payload(recommender(service, as_shadow(service))(ask))
    assert told["ranker"] == "rank.lambdamart.v1"
    assert told["ranker_serves"] is False
    assert told["ranker_why"] == "no more than chance"
    assert all(0 <= item["p_purchase"] <= 1 for item in told["ranked"])
    assert all("p_purchase" not in item for item in [*told["items"], *told["retrieved"]])
    serving = changed(service, policy=Policy(new_share=0.0))
    ranked = payload(recommender(service, serving)(ask))
    assert ranked["ranker_serves"] is True
    assert "ranked" not in ranked
    assert told["ranked"] == ranked["items"]  # with its reasons
    asked = payload(recommender(service, as_shadow(service))(replace(ask, explain=False)))
    assert not {"ranker", "ranker_serves", "ranked", "retrieved"} & set(asked)


def test_a_shadow_that_fails_costs_the_list_nothing(service: Service) -> None:
    class Broken:
        def scores(self, *args: Any) -> Any:
            raise RuntimeError("no")

    shadow = as_shadow(service)
    broken = replace(shadow, second=replace(shadow.second, ranker=Broken()))
    ask = Ask(customer(service, "c010"), explain=True)
    answer = recommender(service, broken)(ask)
    assert answer.items == recommender(service, shadow)(ask).items
    assert answer.step == "full"
    assert answer.notes == ("rank.lambdamart.v1 failed",)
    assert payload(answer)["ranked"] == []


def test_a_pipeline_may_let_a_shadow_serve_and_an_old_ranker_serves(service: Service) -> None:
    shadow = as_shadow(service)
    assert as_served(shadow.second, "auto") == shadow.second
    assert as_served(shadow.second, "never") is None
    served = as_served(shadow.second, "always")
    assert served is not None
    assert served.serves
    made = ranker_artifact(served.name, served.ranker, served.sources, {}, window_days=28.0)
    old = replace(made, facts={k: v for k, v in made.facts.items() if k not in ("serves", "why")})
    again = restore_second_stage(
        old, registry(), served=shadow.retriever, served_name=shadow.retriever_name, popular=shadow.popular
    )
    assert again.serves


def test_training_keeps_a_ranker_that_is_not_better_as_a_shadow(
    ranked_shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_chance = Interval(0.003, -0.001, 0.007)
    monkeypatch.setattr(choose, "paired_difference", lambda *args, **options: by_chance)
    unsure = SHOP.model_copy(update={"rank": RANK.model_copy(update={"use": "auto"})})
    with Store.open(ranked_shop) as store:
        manifest = train(
            store, unsure, registry=registry(), progress=Silent(), seed=1, code_version="test", until=END
        )
        found = read(ranked_shop / ARTIFACTS / manifest.artifacts["ranker"])
    told = manifest.evaluation["ranking"]
    assert told["row"]["metrics"]["ndcg gained@12"]["low"] == -0.001
    assert (told["served"], told["shadow"]) == (None, "rank.lambdamart.v1")
    assert "the retrieved order serves" in told["reason"]
    assert found.facts["serves"] is False
    assert found.facts["why"] == told["reason"]
    assert not told["row"]["selected"]


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
