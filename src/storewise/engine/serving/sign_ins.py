"""Who signed in during which session since training, in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from storewise.core.clock import seconds

SESSIONS = 500_000


class SignIn(NamedTuple):
    """A customer named in a session; pseudonyms, ``at`` in seconds."""

    session: str
    customer: str
    at: float


class SignIns:
    """The first time of each customer in each session; the session that was heard of longest ago leaves beyond
    ``SESSIONS``. Safe to call from several threads.

    >>> found = SignIns()
    >>> found.add([SignIn("s", "amy", 20.0), SignIn("s", "amy", 10.0)])
    >>> found.of("s"), found.sessions("amy")
    ({'amy': 10.0}, ('s',))
    """

    def __init__(self, *, sessions: int = SESSIONS) -> None:
        self._first: dict[str, dict[str, float]] = {}
        self._sessions: dict[str, tuple[str, ...]] = {}
        self._most = sessions
        self._lock = threading.Lock()

    def add(self, found: Iterable[SignIn]) -> None:
        """Take sign-ins, in any order."""
        with self._lock:
            for session, customer, at in found:
                self._put(session, customer, at)

    def replace(self, found: Iterable[SignIn]) -> None:
        """Forget all and hold these instead."""
        with self._lock:
            self._first, self._sessions = {}, {}
            for session, customer, at in found:
                self._put(session, customer, at)

    def of(self, session: str) -> Mapping[str, float]:
        """Customer → first time, of one session."""
        return self._first.get(session, {})

    def sessions(self, customer: str) -> tuple[str, ...]:
        """In which a customer signed in."""
        return self._sessions.get(customer, ())

    def _put(self, session: str, customer: str, at: float) -> None:
        before = self._first.pop(session, {})  # and back at the end: in order of the latest
        self._first[session] = before | {customer: min(at, before.get(customer, at))}
        if customer not in before:
            self._sessions[customer] = (*self._sessions.get(customer, ()), session)
        if len(self._first) > self._most:
            gone = next(iter(self._first))
            for name in self._first.pop(gone):
                left = tuple(one for one in self._sessions[name] if one != gone)
                self._sessions.pop(name) if not left else self._sessions.update({name: left})


def sign_ins_of(rows: Iterable[Mapping[str, Any]]) -> list[SignIn]:
    """Of rows of the store: those that name both."""
    return [
        SignIn(row["session_id"], row["customer_id"], seconds(row["at"]))
        for row in rows
        if row["session_id"] is not None and row["customer_id"] is not None
    ]
