from __future__ import annotations

from storewise.engine.live import Live

KEEP = {"counted": frozenset({"purchase"}), "recent_s": 50.0}


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


def test_prune_forgets_only_what_training_holds() -> None:
    live = Live()
    live.add(
        [
            ("c:a", 90.0, "bought", "purchase", 1),  # in the histories now
            ("c:a", 90.0, "seen", "view", 1),  # not a counted kind, recent: stays
            ("c:a", 10.0, "long ago", "view", 1),  # too old
            ("s:x", 90.0, "anonymous", "purchase", 1),  # sessions have no history: stays
            ("c:a", 100.0, "after", "purchase", 1),  # after the watermark
        ]
    )
    seq = live.seq
    live.add([("c:a", 91.0, "too late for the read", "purchase", 1)])
    live.prune(before=100.0, seq=seq, **KEEP)  # type: ignore[arg-type]
    assert ids(live, "c:a") == ["seen", "too late for the read", "after"]
    assert ids(live, "s:x") == ["anonymous"]


def test_prune_removes_shoppers_of_whom_nothing_is_left() -> None:
    live = Live()
    live.add([("c:a", 1.0, "p", "purchase", 1)])
    live.prune(before=100.0, seq=live.seq, **KEEP)  # type: ignore[arg-type]
    assert len(live) == 0
