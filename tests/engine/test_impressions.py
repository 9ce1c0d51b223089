"""What made the list of an impression: against a loop over the decision log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import polars as pl

from storewise.data.schema import EVENTS
from storewise.engine.impressions import with_sources

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def events(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return EVENTS.conform(pl.DataFrame(rows, schema=EVENTS.schema())).sort("at", maintain_order=True)


def decisions(rows: list[dict[str, Any]]) -> pl.DataFrame:
    kinds: Any = {"at": EVENTS.schema()["at"], "customer_id": pl.String, "session_id": pl.String, "slot": pl.String,
                  "items": pl.String}  # fmt: skip
    return pl.DataFrame(rows, schema=kinds)


def served(minutes: float, slot: str, products: str, source: str, **who: str) -> dict[str, Any]:
    items = [{"product_id": p, "position": i, "source": source, "score": 1.0} for i, p in enumerate(products)]
    return {
        "at": START + timedelta(minutes=minutes),
        "slot": slot,
        "items": orjson.dumps(items).decode(),
        **who,
    }


def test_the_latest_list_within_the_hour_explains_an_impression() -> None:
    log = decisions([
        served(0, "home", "ab", "popular", customer_id="amy"),
        served(30, "home", "ba", "retrieve.ease.v1", customer_id="amy"),
        served(31, "cart", "a", "rank", customer_id="amy"),
        served(0, "home", "c", "popular", session_id="s"),
    ])  # fmt: skip
    rows = [
        {"at": START + timedelta(minutes=m), "product_id": p, "kind": kind, **more}
        for m, p, kind, more in [
            (1, "a", "impression", {"customer_id": "amy", "slot": "home", "position": 7}),
            (2, "c", "click", {"session_id": "s"}),
            (40, "b", "impression", {"customer_id": "amy"}),
            (41, "a", "impression", {"customer_id": "amy", "slot": "home"}),
            (42, "a", "purchase", {"customer_id": "amy"}),
            (43, "a", "impression", {"customer_id": "bob"}),
            (92, "b", "impression", {"customer_id": "amy"}),
        ]
    ]
    found = with_sources(events(rows), log)
    assert found["source"].to_list() == ["popular", "popular", "retrieve.ease.v1", None, None, None, None]
    assert found["position"].to_list()[:3] == [7, 0, 0]
    assert found["slot"].to_list()[:3] == ["home", "home", "home"]


def test_against_a_loop() -> None:
    rng = np.random.default_rng(3)
    who = [{"customer_id": "amy"}, {"session_id": "s"}, {"customer_id": "bob", "session_id": "t"}]
    log = [
        served(float(m), str(rng.choice(["home", "cart"])), "".join(rng.permutation(list("abcd"))[:2]),
               str(rng.choice(["x", "y"])), **who[int(rng.integers(3))])
        for m in np.sort(rng.uniform(0, 600, 60))
    ]  # fmt: skip
    rows = [
        {"at": START + timedelta(minutes=float(m)), "product_id": str(rng.choice(list("abcd"))), "kind": "impression",
         **who[int(rng.integers(3))], "slot": [None, "home", "cart"][int(rng.integers(3))]}
        for m in np.sort(rng.uniform(0, 600, 150))
    ]  # fmt: skip
    found = with_sources(events(rows), decisions(log))
    explained = 0
    for row in found.iter_rows(named=True):
        best = None
        for name in ("customer_id", "session_id"):
            lists = [
                one for one in log
                if row[name] is not None and one.get(name) == row[name] and row["at"] - HOUR <= one["at"] <= row["at"]
                and any(item["product_id"] == row["product_id"] for item in orjson.loads(one["items"]))
            ]  # fmt: skip
            if lists and rows and (best is None or lists[-1]["at"] > best["at"]):
                best = lists[-1]
        given = next(one for one in rows if one["at"] == row["at"])
        same = best is not None and given["slot"] in (None, best["slot"])
        wanted = orjson.loads(best["items"])[0]["source"] if best is not None and same else None
        assert row["source"] == wanted
        explained += wanted is not None
    assert explained > 20


def test_without_decisions_or_lists_nothing_changes() -> None:
    bought = events([{"at": START, "product_id": "a", "kind": "purchase", "customer_id": "amy"}])
    assert with_sources(bought, decisions([])).equals(bought)
    assert with_sources(bought, decisions([served(0, "home", "a", "x", customer_id="amy")])).equals(bought)
