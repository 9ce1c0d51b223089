from __future__ import annotations

from storewise.engine.serving.live import Live


def ids(live: Live, *keys: str | None) -> list[str]:
    return [event.product_id for event in live.of(*keys)]


def test_events_stand_in_time_order_whatever_the_order_of_arrival() -> None:
    live = Live()
    live.add(
        [("c:a", 3.0, "late", "view", 1), ("c:a", 1.0, "early", "view", 1), ("s:x", 2.0, "mid", "view", 1)]
    )
    assert ids(live, "c:a") == ["early", "late"]
    assert ids(live, "c:a", "s:x") == ["early", "mid", "late"]
    assert ids(live, None, "s:x") == ["mid"]
    assert ids(live, "c:nobody") == []


def test_limits_drop_the_oldest_event_and_the_quietest_shopper() -> None:
    live = Live(per_shopper=2, shoppers=2)
    live.add([("c:a", t, f"p{t}", "view", 1) for t in (1, 2, 3)])
    assert ids(live, "c:a") == ["p2", "p3"]
    live.add([("c:b", 4.0, "p", "view", 1), ("c:a", 5.0, "p5", "view", 1), ("c:c", 6.0, "p", "view", 1)])
    assert len(live) == 2
    assert ids(live, "c:b") == []
    assert ids(live, "c:a") == ["p3", "p5"]


def test_replacing_forgets_the_rest() -> None:
    live = Live()
    live.add([("c:a", 1.0, "old", "view", 1), ("c:b", 1.0, "old", "view", 1)])
    live.replace([("c:a", 3.0, "late", "view", 1), ("c:a", 2.0, "early", "view", 1)])
    assert ids(live, "c:a") == ["early", "late"]
    assert "c:b" not in live
    assert len(live) == 1
