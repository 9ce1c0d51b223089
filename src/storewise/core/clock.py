"""Time is passed in, so that tests and replays can set it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present moment as an aware datetime in UTC."""


def system_clock() -> datetime:
    """The real time.

    >>> system_clock().tzinfo is not None
    True
    """
    return datetime.now(UTC)


def fixed_clock(at: datetime) -> Clock:
    """A clock that stands still.

    >>> fixed_clock(datetime(2011, 12, 9, tzinfo=UTC))().year
    2011
    """
    return lambda: at


def seconds(at: datetime) -> float:
    """Seconds since 1970-01-01 UTC; a naive datetime is taken as UTC.

    >>> seconds(datetime(1970, 1, 2))
    86400.0
    """
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
