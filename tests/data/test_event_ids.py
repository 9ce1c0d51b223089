"""Ids made from content: the same for ever, whatever the order, library or machine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from storewise.data.event_ids import fill
from storewise.data.schema import EVENTS

AT = datetime(2011, 1, 1, tzinfo=UTC)


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    filled = [{"at": AT, "product_id": "A", "kind": "view", **row} for row in rows]
    return EVENTS.conform(pl.DataFrame(filled, schema=EVENTS.schema()))


def ids(*rows: dict[str, Any]) -> list[str]:
    return fill(frame(list(rows)))["event_id"].to_list()


def test_ids_in_stores_stay_what_they_are() -> None:
    """These were made by version 0.1.0. If this fails, files that were read before would be read twice."""
    full = {"customer_id": "é", "quantity": 2, "unit_price_minor": 250, "value": 4.5, "propensity": 0.1}
    assert ids({}, {}, full) == [
        "row-11945814499041491183-3918906265",
        "row-17401344252238739361-3918906265",
        "row-10274683131157010661-1211282505",
    ]


def test_given_ids_stay_and_only_missing_ones_are_made() -> None:
    made = ids({"event_id": "mine"}, {}, {"event_id": "yours"}, {})
    assert [made[0], made[2]] == ["mine", "yours"]
    assert [made[1], made[3]] == ids({}, {})


def test_every_column_counts() -> None:
    changes: list[dict[str, Any]] = [
        {"at": datetime(2011, 1, 1, 0, 0, 0, 1, tzinfo=UTC)}, {"customer_id": "c"}, {"session_id": "c"},
        {"product_id": "B"}, {"kind": "click"}, {"quantity": 1}, {"quantity": 0}, {"unit_price_minor": 1},
        {"currency": "GBP"}, {"value": 0.0}, {"slot": "c"}, {"position": 0}, {"propensity": 0.0}, {"query": "c"},
    ]  # fmt: skip
    found = {ids(change)[0] for change in [{}, *changes]}
    assert len(found) == len(changes) + 1


row = st.fixed_dictionaries(
    {
        "product_id": st.sampled_from("AB"),
        "quantity": st.sampled_from([None, 1, 2]),
        "query": st.text(max_size=3),
    }
)


@given(st.lists(row, max_size=12), st.randoms())
@settings(max_examples=60, deadline=None)
def test_order_does_not_matter_and_rows_never_merge(rows: list[dict[str, Any]], random: Any) -> None:
    shuffled = random.sample(rows, len(rows))
    assert sorted(ids(*rows)) == sorted(ids(*shuffled))
    assert len(set(ids(*rows))) == len(rows)
