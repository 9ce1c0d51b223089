from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storewise.core.errors import LimitExceeded
from storewise.engine.serving.events import Border

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
BORDER = Border({"p"}.__contains__, lambda name: f"C({name})", lambda name: f"S({name})", "GBP")
GOOD = {"kind": "purchase", "product_id": "p", "customer": "7"}


def test_ids_become_pseudonyms_and_times_utc() -> None:
    row = BORDER.check(
        [{**GOOD, "session": "9", "at": "2024-05-01T13:00:00+02:00", "quantity": 2}], NOW
    ).rows[0]
    assert (row["customer_id"], row["session_id"], row["quantity"]) == ("C(7)", "S(9)", 2)
    assert row["at"] == datetime(2024, 5, 1, 11, tzinfo=UTC)
    assert "customer" not in row


def test_what_is_left_out_is_filled() -> None:
    one, two = BORDER.check([GOOD, GOOD], NOW).rows
    assert one["at"] == NOW
    assert one["event_id"] != two["event_id"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "buy"}, "'kind' is 'buy'"),
        ({"product_id": "q"}, "no product 'q'"),
        ({"customer": None}, "neither customer nor session"),
        ({"quantity": 0}, "'quantity' is 0"),
        ({"quantity": -3}, "'quantity' is -3"),
        ({"at": "yesterday"}, "'at' is 'yesterday'"),
        ({"at": (NOW + timedelta(hours=1)).isoformat()}, "the time here is"),
        ({"at": "1970-01-01T00:00:00Z"}, "the time here is"),
        ({"currency": "EUR"}, "this shop's is GBP"),
        ({"custmer": "1"}, "did you mean 'customer'"),
        ({"kind": "rating"}, "a rating needs its value"),
        ({"event_id": "x" * 201}, "event_id"),
        ({"value": float("nan")}, "value"),
    ],
)
def test_a_bad_event_is_refused_with_its_place(change: dict[str, Any], told: str) -> None:
    batch = BORDER.check([GOOD, {**GOOD, **change}, GOOD], NOW)
    assert len(batch.rows) == 2
    assert [one.index for one in batch.rejected] == [1]
    assert told in batch.rejected[0].problem
    assert batch.rejected[0].next_step


def test_a_clock_that_runs_a_little_ahead_is_fine() -> None:
    assert not BORDER.check([{**GOOD, "at": (NOW + timedelta(minutes=4)).isoformat()}], NOW).rejected


def test_too_large_a_batch_is_refused_whole() -> None:
    with pytest.raises(LimitExceeded, match="1001"):
        BORDER.check([GOOD] * 1001, NOW)
