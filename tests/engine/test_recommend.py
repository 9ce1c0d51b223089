from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest

from storewise.core.clock import fixed_clock, seconds
from storewise.core.config import Config
from storewise.core.errors import NothingPublished
from storewise.data.interactions import Histories
from storewise.data.schema import EVENTS, PRODUCTS, ShopTables
from storewise.data.stores import Store
from storewise.engine.recommend import Answer, Ask, Recommender
from storewise.engine.serving.live import Live
from storewise.engine.serving.service import Service, load_manifest, untrained_events
from storewise.engine.serving.snapshot import Snapshot
from storewise.recommend.eligibility import Filters
from storewise.recommend.request import ItemList, Reason, Request
from storewise.recommend.retrieve.base import Retriever
from storewise.testing import small_shop
from storewise.testing.small_shop import END, INACTIVE, PRIVATE, SOLD_OUT


def ids(answer: Answer) -> list[str]:
    return [answer.snapshot.catalogue.ids[item.product] for item in answer.items]


def ask(service: Service, customer: str | None = None, session: str | None = None, **more: Any) -> Answer:
    name = service.shoppers.customer(customer) if customer else None
    return service.recommend(Ask(name, service.shoppers.session(session) if session else None, **more))


def tell(service: Service, **event: Any) -> None:
    batch = service.check_events([event])
    assert not batch.rejected
    assert service.write_events(batch.rows).result(5)


def test_taste_decides_for_known_customers(service: Service) -> None:
    lamps, chairs = ids(ask(service, "c000")), ids(ask(service, "c001"))
    assert len(lamps) == len(chairs) == 12
    assert all(name < "p20" for name in lamps)
    assert all(name >= "p20" for name in chairs)


def test_nobody_is_shown_what_may_not_be_shown(service: Service) -> None:
    for customer in ("c000", "c001", "c002", "nobody", None):
        found = ids(ask(service, customer, n=40))
        assert not {SOLD_OUT, INACTIVE} & set(found)
        assert len(found) == len(set(found)) == 38  # filled down to the last product


def test_a_shopper_never_seen_gets_popular_products_that_say_so(service: Service) -> None:
    answer = ask(service, "nobody")
    assert answer.step == "popular"
    assert {item.source for item in answer.items} == {"popular"}
    snapshot = answer.snapshot
    scores = [snapshot.popularity[item.product] for item in answer.items]
    assert scores == sorted(scores, reverse=True)
    expected = np.bincount(
        np.unique(
            np.stack([snapshot.histories.customers, snapshot.histories.products]), axis=1
        )[1], minlength=40,
    )  # fmt: skip
    assert [item.reason.value for item in answer.items] == [expected[i.product] for i in answer.items]


@pytest.mark.parametrize("who", [{"customer": "c000"}, {"customer": "nobody"}, {"session": "visit"}])
def test_a_live_event_changes_the_next_list(service: Service, who: dict[str, str]) -> None:
    before = ids(ask(service, **who))
    tell(service, kind="view", product_id="p33", **who)
    after = ask(service, **who)
    assert ids(after) != before
    assert any(name >= "p20" for name in ids(after))
    assert after.step == "full"
    someone = ids(ask(service, customer="c002"))
    tell(service, kind="view", product_id="p35", **who)
    assert ids(ask(service, customer="c002")) == someone  # nobody else's list moves


def test_session_and_customer_are_one_shopper_when_both_are_given(service: Service) -> None:
    tell(service, kind="view", product_id="p33", session="visit")
    assert ids(ask(service, "nobody", "visit")) == ids(ask(service, None, "visit"))
    assert ids(ask(service, "nobody")) != ids(ask(service, "nobody", "visit"))


def test_what_was_just_bought_rests(service: Service) -> None:
    first = ids(ask(service, "c000"))[0]
    tell(service, kind="purchase", product_id=first, customer="c000")
    assert first not in ids(ask(service, "c000", n=40))
    later = Recommender(
        service.current, live=service.live, clock=fixed_clock(END + timedelta(days=1, seconds=1))
    )  # fmt: skip
    assert first in ids(later(Ask(service.shoppers.customer("c000"), n=40)))


def test_hiding_repeats_hides_all_that_was_bought(service: Service) -> None:
    snapshot = service.current()
    policy = snapshot.pipeline.policy.model_copy(update={"repeats": "hide"})
    hiding = replace(snapshot, pipeline=snapshot.pipeline.model_copy(update={"policy": policy}))
    recommend = Recommender(lambda: hiding, live=service.live, clock=fixed_clock(END))
    name = service.shoppers.customer("c000")
    bought = set(service.store.customer_events(name)["product_id"].to_list())
    assert bought & set(ids(ask(service, "c000")))
    assert not bought & set(ids(recommend(Ask(name, n=40))))


def test_filters_hold_for_every_item_and_every_rung(service: Service) -> None:
    filters = Filters(("seat",), 2_400, 3_200, (("colour", "red"),))
    answer = ask(service, "c000", n=40, filters=filters)
    assert set(ids(answer)) == {"p24", "p26", "p28", "p30"}
    assert ids(ask(service, "c000", n=40, filters=Filters(in_stock=True))) == ["p05"]
    assert ids(ask(service, "c000", filters=Filters(("nothing",)))) == []
    assert ask(service, "c000", filters=Filters(("nothing",))).step == "none"


def test_excluded_and_looked_at_products_are_left_out(service: Service) -> None:
    top = ids(ask(service, "c000"))[:3]
    rest = ids(ask(service, "c000", exclude=tuple(top[:2]), context=(top[2],), n=40))
    assert not set(top) & set(rest)


def test_a_product_being_looked_at_speaks_for_an_unknown_shopper(service: Service) -> None:
    answer = ask(service, context=("p33",))
    assert answer.step == "full"
    assert answer.items[0].reason.product == service.current().catalogue.index["p33"]


def test_without_consent_the_list_is_everybodys(service: Service) -> None:
    everybody = ids(ask(service, "nobody"))
    refused = ask(service, PRIVATE)
    assert (ids(refused), refused.step) == (everybody, "popular")
    assert refused.notes == ("no consent to a personal list",)
    asked = ask(service, "c001", personal=False)
    assert ids(asked) == everybody
    assert ids(ask(service, "c001")) != everybody


class Broken(Retriever[Config]):
    Config = Config

    def scores(self, histories: Histories) -> Any:
        raise RuntimeError("broken")

    def __call__(self, request: Request, n: int) -> ItemList:
        raise RuntimeError("broken")


class Careless(Broken):
    """Pays no heed to eligibility and repeats itself."""

    def __call__(self, request: Request, n: int) -> ItemList:
        products = np.array([3, 4, 0, 0, 1], np.int32)
        return ItemList(products, np.arange(5, 0, -1).astype(np.float32), (Reason("taste"),) * 5)


def with_retriever(service: Service, retriever: Retriever[Any]) -> Recommender:
    snapshot = replace(service.current(), retriever=retriever)
    return Recommender(lambda: snapshot, live=Live(), clock=fixed_clock(END))


def test_a_broken_component_costs_a_rung_and_not_the_list(service: Service) -> None:
    answer = with_retriever(service, Broken())(Ask(service.shoppers.customer("c001")))
    assert answer.step == "popular_in_category"
    assert answer.notes == ("retrieve.item_knn.v1 failed",)
    assert {item.source for item in answer.items} == {"popular_in_category"}
    assert all(name >= "p20" for name in ids(answer))
    assert answer.items[0].reason.text == "seat"
    assert with_retriever(service, Broken())(Ask("nobody")).step == "popular"


def test_the_last_look_removes_what_a_component_should_not_have_returned(service: Service) -> None:
    answer = with_retriever(service, Careless())(Ask(service.shoppers.customer("c000"), n=12))
    assert ids(answer)[:2] == ["p00", "p01"]
    assert not {SOLD_OUT, INACTIVE} & set(ids(answer))
    assert answer.guard_rail == "eligibility"


def test_the_list_does_not_depend_on_the_order_of_requests(service: Service) -> None:
    asks = [Ask(service.shoppers.customer(f"c{i:03d}")) for i in range(20)]
    forward = [ids(service.recommend(one)) for one in asks]
    backward = [ids(service.recommend(one)) for one in reversed(asks)]
    assert forward == backward[::-1]


def test_the_reason_names_a_product_that_contributes(service: Service) -> None:
    """Taken out of the history, the named product lowers the item's score; any other lowers it less."""
    snapshot = service.current()
    row = snapshot.customer_index[service.shoppers.customer("c000")]
    history = snapshot.histories.products[snapshot.history(row)]
    answer = ask(service, "c000")
    for item in answer.items:
        assert item.reason.kind == "bought_with"
        assert item.reason.product in history
        loss = {
            p: item.score - _score(snapshot, history[history != p], item.product)
            for p in set(history.tolist())
        }
        assert loss[item.reason.product] > 0
        assert loss[item.reason.product] == pytest.approx(max(loss.values()), rel=1e-4)


def _score(snapshot: Snapshot, history: Any, product: int) -> float:
    one = Histories.single(history, n_products=40, now=seconds(END))
    found = float(snapshot.retriever.scores(one)[0][product])
    return found if np.isfinite(found) else 0.0


def test_every_answer_is_logged_with_its_version(service: Service) -> None:
    answer = ask(service, "c000", "visit", slot="home", n=3)
    service.writer.close()
    logged = service.store.decisions()
    assert logged.height == 1
    row = logged.row(0, named=True)
    assert row["decision_id"] == answer.decision_id
    assert row["customer_id"] == service.shoppers.customer("c000")
    assert (row["snapshot"], row["step"], row["at"]) == (answer.snapshot.id, "full", END)
    assert [item["product_id"] for item in orjson.loads(row["items"])] == ids(answer)


def test_without_a_snapshot_the_next_step_is_named(tmp_path: Any) -> None:
    small_shop.open_store(tmp_path / "shop").close()
    service = small_shop.open_service(tmp_path / "shop")
    service.start()
    with pytest.raises(NothingPublished, match="storewise publish"):
        ask(service, "c000")
    service.close()


def test_a_restart_loses_nothing(service: Service, shop: Any) -> None:
    tell(service, kind="view", product_id="p33", session="visit")
    tell(service, kind="cart", product_id="p34", customer="c000")
    tell(service, kind="purchase", product_id="p35", customer="new one")
    asks = [{"session": "visit"}, {"customer": "c000"}, {"customer": "new one"}]
    before = [ids(ask(service, **who)) for who in asks]
    again = small_shop.open_service(shop)  # beside the first one, as after a kill
    again.start()
    assert [ids(ask(again, **who)) for who in asks] == before
    again.close()


def test_what_training_holds_is_not_live_twice(service: Service, shop: Any) -> None:
    """Events around the watermark of a newer snapshot: counted once, and none lost."""
    border = END - timedelta(hours=2)
    row = {"customer_id": "k", "product_id": "p33", "quantity": 1}
    times = {"bought": -1, "bought later": 1, "long ago": -30}
    rows = [
        row | {"event_id": n, "kind": "purchase", "at": border + timedelta(hours=h)} for n, h in times.items()
    ]
    rows += [
        row | {"event_id": "seen", "kind": "view", "product_id": "p34", "at": border - timedelta(hours=1)}
    ]
    rows += [
        row
        | {
            "event_id": "anon",
            "kind": "purchase",
            "customer_id": None,
            "session_id": "v",
            "at": border - timedelta(hours=1),
        }
    ]
    service.store.append_events(rows)
    manifest = small_shop.train_on(service.store, until=border)
    snapshot = load_manifest(service.store, manifest, service.registry)
    live = [
        (e["kind"], e["product_id"], e["session_id"])
        for e in untrained_events(service.store, snapshot)
        if e["customer_id"] == "k" or e["session_id"] == "v"
    ]
    assert sorted(live, key=str) == [
        ("purchase", "p33", "v"),
        ("purchase", "p33", None),
        ("view", "p34", None),
    ]
    history = snapshot.histories.products[snapshot.history(snapshot.customer_index["k"])]
    assert [snapshot.catalogue.ids[p] for p in history] == ["p33", "p33"]


def test_an_ingest_is_seen_by_the_running_shop(service: Service) -> None:
    top = ids(ask(service, "c000"))[0]
    store: Store = service.store
    row = store.products().filter(pl.col("product_id") == top).with_columns(pl.lit(False).alias("active"))
    name = service.shoppers.customer("c000")
    event = {"event_id": "file", "at": END, "customer_id": name, "product_id": "p33", "kind": "view"}
    store.ingest(ShopTables(PRODUCTS.conform(row), EVENTS.conform(pl.DataFrame([event]))), "taken off")
    _until(
        lambda: bool(service.live.of(f"c:{name}")) and not service.current().catalogue.active[int(top[1:])]
    )
    assert top not in ids(ask(service, "c000", n=40))
    assert "p33" in {
        service.current().catalogue.ids[i.reason.product]
        for i in ask(service, "c000").items
        if i.reason.product
    }


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
