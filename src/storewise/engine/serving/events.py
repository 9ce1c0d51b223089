"""Live events at the border: checked one by one, ids turned into pseudonyms, ready for the store."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import AliasChoices, ConfigDict, Field, model_validator

from storewise.core.clock import seconds
from storewise.core.config import Config, parse
from storewise.core.errors import ConfigError, InputError, LimitExceeded
from storewise.engine.serving.live import LiveRow, customer_key, session_key

BATCH = 1_000
AHEAD = timedelta(minutes=5)  # how far a shop's clock may run ahead of ours
LATE = timedelta(minutes=5)  # an event that comes later than this is kept with the time at which it came
FIRST_YEAR = 1990

Kind = Literal["impression", "view", "click", "cart", "purchase", "return", "rating"]
INTEGER = 2**63 - 1


class EventIn(Config):
    """One event as a shop sends it. ``customer`` or ``session`` says who, ids are the shop's own."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Kind
    product_id: str = Field(min_length=1, max_length=200)
    event_id: str | None = Field(default=None, min_length=1, max_length=200)
    at: datetime | None = None
    customer: str | None = Field(
        default=None, min_length=1, max_length=200, validation_alias=AliasChoices("customer", "customer_id")
    )
    session: str | None = Field(
        default=None, min_length=1, max_length=200, validation_alias=AliasChoices("session", "session_id")
    )
    quantity: int | None = Field(default=None, ge=1, le=2**31 - 1)
    unit_price_minor: int | None = Field(default=None, ge=0, le=INTEGER)
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    value: float | None = None
    slot: str | None = Field(default=None, max_length=200)
    position: int | None = Field(default=None, ge=0, le=2**31 - 1)
    propensity: float | None = Field(default=None, ge=0, le=1)
    query: str | None = Field(default=None, max_length=1_000)

    @model_validator(mode="after")
    def _somebody(self) -> EventIn:
        if self.customer is None and self.session is None:
            raise ValueError("neither customer nor session is given")
        if self.kind == "rating" and self.value is None:
            raise ValueError("a rating needs its value")
        return self


@dataclass(frozen=True)
class Rejected:
    """An event of a batch that cannot be taken, with its place in the batch."""

    index: int
    problem: str
    next_step: str


@dataclass(frozen=True)
class Batch:
    """``rows`` fit the store; ``rejected`` say why the others do not."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


@dataclass(frozen=True)
class Border:
    """What an event is checked against. ``customer`` and ``session`` turn the shop's ids into pseudonyms."""

    is_product: Callable[[str], bool]
    customer: Callable[[str], str]
    session: Callable[[str], str]
    currency: str | None = None

    def check(self, events: Sequence[Any], now: datetime) -> Batch:
        """Check a batch; a bad event does not harm the others.

        Raises:
            LimitExceeded: for more than 1,000 events.
        """
        if len(events) > BATCH:
            raise LimitExceeded(
                f"The batch has {len(events)} events, the limit is {BATCH}.",
                next_step="Send smaller batches.",
            )
        batch = Batch()
        for index, raw in enumerate(events):
            try:
                batch.rows.append(self._row(raw, index, now))
            except InputError as error:
                batch.rejected.append(Rejected(index, error.problem, error.next_step))
        return batch

    def _row(self, raw: Any, index: int, now: datetime) -> dict[str, Any]:
        if not isinstance(raw, Mapping):
            raise InputError(
                f"events[{index}] is {type(raw).__name__}, it must be an object.",
                next_step="See POST /v1/events in the documentation.",
            )
        event = parse(EventIn, raw, where=f"events[{index}]")
        if not self.is_product(event.product_id):
            raise InputError(
                f"events[{index}]: there is no product {event.product_id!r}.",
                next_step="Ingest the product first: storewise ingest --products FILE.",
            )
        if event.currency is not None and self.currency is not None and event.currency != self.currency:
            raise InputError(
                f"events[{index}]: the currency is {event.currency}, this shop's is {self.currency}.",
                next_step="Convert the amount.",
            )
        row = event.model_dump(exclude={"customer", "session"})
        row["at"] = _moment(event.at, now, index)
        row["known_at"] = now if row["at"] < now - LATE else None
        row["event_id"] = event.event_id or uuid.uuid4().hex
        row["customer_id"] = self.customer(event.customer) if event.customer is not None else None
        row["session_id"] = self.session(event.session) if event.session is not None else None
        return row


def live_row(row: Mapping[str, Any]) -> LiveRow:
    """What :meth:`storewise.engine.serving.live.Live.add` takes, of a row of the store."""
    customer, session = row["customer_id"], row["session_id"]
    key = customer_key(customer) if customer is not None else session_key(session)
    return key, seconds(row["at"]), row["product_id"], str(row["kind"]), int(row["quantity"] or 1)


def _moment(at: datetime | None, now: datetime, index: int) -> datetime:
    if at is None:
        return now
    moment = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if moment > now + AHEAD or moment.year < FIRST_YEAR:
        raise ConfigError(
            f"events[{index}]: 'at' is {moment.isoformat()}, the time here is {now.isoformat()}.",
            next_step=f"Send times in UTC between {FIRST_YEAR} and {int(AHEAD.total_seconds() // 60)} minutes "
            "ahead of the server's clock.",
        )
    return moment
