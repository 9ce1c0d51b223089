"""Anonymous sessions: learned from, asked about, and given to the customer who signs in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from starlette.testclient import TestClient

from storewise.data.privacy import Pseudonyms
from storewise.data.schema import EVENTS, ShopTables
from storewise.data.stores import Store
from storewise.engine.predict import payload
from storewise.engine.predictions.actor import actor_of, trail_of
from storewise.engine.predictions.config import PredictConfig
from storewise.engine.published import point_to
from storewise.engine.serving.service import Service
from storewise.serve.app import create_app
from storewise.testing import small_shop

EARLIER = small_shop.END - timedelta(days=3)


def visits() -> pl.DataFrame:
    """1,500 anonymous sessions that see four products each; p10 is clicked on more than others, first places too."""
    rng = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    for session in range(1_500):
        at = small_shop.START + timedelta(days=float(rng.uniform(0, 199)))
        for position, product in enumerate(rng.permutation(np.arange(10, 18))[:4]):
            about = {
                "session_id": f"v-{session}",
                "product_id": f"p{product}",
                "slot": "home",
                "position": position,
            }
            rows.append({"at": at, "kind": "impression", **about})
            if rng.random() < (0.8 if product == 10 else 0.25) / (1 + position):
                rows.append({"at": at + timedelta(seconds=20), "kind": "click", **about})
    for kind, at, customer, session in (
        ("view", EARLIER, None, "asked"),
        ("view", EARLIER, None, "signed"),
        ("view", EARLIER + timedelta(hours=1), "c002", "signed"),
        ("view", EARLIER, None, "secret"),
        ("view", EARLIER + timedelta(hours=1), small_shop.PRIVATE, "secret"),
    ):
        rows.append(
            {"at": at, "kind": kind, "customer_id": customer, "session_id": session, "product_id": "p11"}
        )
    return pl.DataFrame(rows, schema_overrides={"customer_id": pl.String}, infer_schema_length=None)


@pytest.fixture(scope="module")
def clicked_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clicked")
    plain = small_shop.tables()
    events = pl.concat([plain.events, EVENTS.conform(visits())]).sort("at", maintain_order=True)
    tables = ShopTables(plain.products, events, plain.customers, plain.stock)
    pipeline = small_shop.PIPELINE.model_copy(
        update={"predict": PredictConfig(targets=("purchase", "click"), windows=1)}
    )
    with Store.open(folder) as store:
        store.ingest(Pseudonyms.of(folder, create=True).tables(tables), "clicks")
        point_to(folder, small_shop.train_on(store, pipeline).id)
    return folder


@pytest.fixture(scope="module")
def service(clicked_shop: Path) -> Iterator[Service]:
    found = small_shop.open_service(clicked_shop)
    found.start()
    yield found
    found.close()


def told(service: Service, customer: str | None = None, **options: Any) -> dict[str, Any]:
    ids = service.shoppers
    if "session" in options:
        options["session"] = ids.session(options["session"])
    answer = payload(service.predict(None if customer is None else ids.customer(customer), **options))
    return answer | {"by_name": {one["target"]: one for one in answer["predictions"]}}


def test_a_session_is_predicted_from_what_it_did(service: Service) -> None:
    found = told(service, session="asked", product="p10")
    assert found["known"]
    assert found["session"] == service.shoppers.session("asked")
    assert found["place"] == {"slot": "home", "position": 0.0, "source": None, "price_minor": None}
    click = found["by_name"]["click"]
    assert click["basis"] == "model"
    assert click["low"] <= click["value"] <= click["high"]
    other, lower = (told(service, session="asked", **o)["by_name"]["click"]["value"] for o in (
        {"product": "p12"}, {"product": "p10", "position": 3}))  # fmt: skip
    assert click["value"] > other
    assert click["value"] > lower
    assert found["by_name"]["purchase"]["value"] is None
    assert found["by_name"]["purchase"]["basis"] == "unknown"


def test_an_unknown_session_says_so(service: Service) -> None:
    found = told(service, session="never seen", product="p10")
    assert not found["known"]
    assert found["notes"] == ["an unknown session: what is true of everybody"]
    assert found["by_name"]["click"]["basis"] == "base rate"
    assert found["by_name"]["click"]["note_code"] == "no_event"
    assert found["by_name"]["purchase"]["value"] is None


def test_a_session_in_which_somebody_signed_in_is_theirs(service: Service) -> None:
    found = told(service, session="signed")
    assert found["customer"] == service.shoppers.customer("c002")
    assert found["session"] is None
    assert found["by_name"]["purchase"] == told(service, "c002")["by_name"]["purchase"]
    secret = told(service, session="secret")
    assert (secret["personal"], secret["predictions"]) == (False, [])


def test_a_live_sign_in_moves_the_session(clicked_shop: Path) -> None:
    """The stored view and the live click of a session become the customer's, and nobody's when a second signs in."""
    now = small_shop.END + timedelta(hours=5)
    service = small_shop.open_service(clicked_shop, now=now)
    service.start()
    try:
        ids = service.shoppers
        amy, session = ids.customer("c010"), ids.session("asked")

        def send(hours: float, kind: str, **who: str) -> None:
            at = (small_shop.END + timedelta(hours=hours)).isoformat()
            rows = service.check_events([{"kind": kind, "product_id": "p12", "at": at, **who}]).rows
            service.write_events(rows).result(10)

        def looks(customer: str | None, session: str | None, hours: float) -> int:
            snapshot, at = service.current(), small_shop.END.timestamp() + 3_600 * hours
            actor = actor_of(snapshot, service.sign_ins, customer, session, at)
            assert snapshot.predictions is not None
            trail = trail_of(snapshot, actor, service.live, snapshot.predictions, at)
            return int(np.isin(trail.kinds, (1, 2)).sum())

        send(1, "click", session="asked")
        assert looks(None, session, 4) == 2
        assert looks(amy, None, 4) == 0
        send(2, "view", session="asked", customer="c010")
        assert looks(amy, None, 1.5) == 0, "a sign-in is not known before it happens"
        assert looks(amy, None, 4) == 3
        assert looks(None, session, 4) == 3, "the session is asked about, and is hers"
        send(3, "view", session="asked", customer="c011")
        assert looks(amy, None, 4) == 1
        assert looks(None, session, 4) == 2
    finally:
        service.close()


def test_an_order_that_came_late_counts(clicked_shop: Path) -> None:
    """It happened before training and came after it; what training has is not counted twice."""
    service = small_shop.open_service(clicked_shop, now=small_shop.END + timedelta(hours=5))
    service.start()
    try:
        who, snapshot = service.shoppers.customer("c020"), service.current()
        assert snapshot.predictions is not None

        def orders() -> int:
            at = small_shop.END.timestamp() + 18_000
            actor = actor_of(snapshot, service.sign_ins, who, None, at)
            return int((trail_of(snapshot, actor, service.live, snapshot.predictions, at).kinds == 4).sum())

        before = orders()
        at = (small_shop.END - timedelta(hours=2)).isoformat()
        late = {
            "kind": "purchase",
            "product_id": "p12",
            "at": at,
            "customer": "c020",
            "event_id": "came-late",
        }
        rows = service.check_events([late]).rows
        assert rows[0]["known_at"] == small_shop.END + timedelta(hours=5)
        service.write_events(rows).result(10)
        assert orders() == before + 1
        service.live.add(
            [(f"c:{who}", float(snapshot.log.at[0]), "p00", "purchase", 1)]
        )  # somebody else's time
        mine = snapshot.log.trails([snapshot.customer_index[who]], 1e12)
        held = snapshot.catalogue.ids[mine.products[0]]
        service.live.add([(f"c:{who}", float(mine.at[0]), held, "purchase", 1)])
        assert orders() == before + 2
    finally:
        service.close()


def test_over_http(clicked_shop: Path) -> None:
    service = small_shop.open_service(clicked_shop)
    with TestClient(create_app(service), base_url="http://127.0.0.1:8000") as client:
        answer = client.get(
            "/v1/predictions", params={"session": "asked", "product": "p10", "slot": "home", "position": 2}
        )
        assert answer.status_code == 200
        assert answer.json()["place"]["position"] == 2
        assert client.get("/v1/predictions", params={"session": "asked", "position": -1}).status_code == 422
