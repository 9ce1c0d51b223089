"""One thread that writes to the store, many commits gathered into one.

Events are acknowledged after their commit; decisions are written when there is time, and dropped (and
counted) rather than ever making an answer wait.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import structlog

from storewise.core.errors import StateError, StoreError

log = structlog.get_logger(__name__)
Row = Mapping[str, Any]

EVENTS_WAITING = 20_000
DECISIONS_WAITING = 10_000
DECISIONS_A_COMMIT = 1_000
DECISIONS_EVERY_S = 0.5
COMMIT_EVERY_S = 0.02  # a commit costs far more than a row: those that come sooner wait and go together


class Writer:
    """``append`` stores events durably and returns the ids of those that were new; ``record`` stores
    decisions made from whatever ``decision`` was given.

    >>> writer = Writer(append=lambda rows: {row["event_id"] for row in rows}, record=lambda decisions: None)
    >>> writer.events([{"event_id": "e"}]).result(timeout=5)
    {'e'}
    >>> writer.close()
    """

    def __init__(
        self,
        *,
        append: Callable[[Sequence[Row]], set[str]],
        record: Callable[[Sequence[Any]], None],
        events_waiting: int = EVENTS_WAITING,
        decisions_waiting: int = DECISIONS_WAITING,
    ) -> None:
        self._append = append
        self._record = record
        self._limit = events_waiting
        self._jobs: deque[tuple[Sequence[Row], Future[set[str]]]] = deque()
        self._waiting = 0
        self._decisions: deque[Any] = deque()
        self._decision_limit = decisions_waiting
        self._wake = threading.Condition()
        self._closed = False
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def events(self, rows: Sequence[Row]) -> Future[set[str]]:
        """Queue events; the future gives the ids that were new, once they are on the disk.

        Raises:
            StoreError: when too many events wait already.
            StateError: after ``close``.
        """
        done: Future[set[str]] = Future()
        with self._wake:
            if self._closed:
                raise StateError("The store is being closed.", next_step="Send the events again in a moment.")
            if self._waiting + len(rows) > self._limit:
                raise StoreError(
                    f"{self._waiting} events wait to be written, the limit is {self._limit}.",
                    next_step="Send the events again in a few seconds.",
                )
            self._waiting += len(rows)
            self._jobs.append((rows, done))
            self._wake.notify()
        return done

    def decision(self, decision: Any) -> None:
        """Queue a decision, or drop it when too many wait."""
        if len(self._decisions) >= self._decision_limit or self._closed:
            self.dropped += 1
            return
        self._decisions.append(decision)

    def close(self) -> None:
        """Write what waits, then stop."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        last = committed = time.monotonic()
        while True:
            with self._wake:
                if not self._jobs and not self._closed:
                    self._wake.wait(timeout=DECISIONS_EVERY_S)
            if self._jobs and not self._closed:
                time.sleep(max(committed + COMMIT_EVERY_S - time.monotonic(), 0.0))
            with self._wake:
                jobs = list(self._jobs)
                self._jobs.clear()
                self._waiting = 0
                closed = self._closed
            if jobs:
                self._commit(jobs)
                committed = time.monotonic()
            if self._decisions and (closed or time.monotonic() - last >= DECISIONS_EVERY_S):
                self._write_decisions(everything=closed)
                last = time.monotonic()
            if closed and not self._jobs:
                return

    def _commit(self, jobs: list[tuple[Sequence[Row], Future[set[str]]]]) -> None:
        """One transaction for all; when it fails, one for each, so that only the culprit hears of it."""
        try:
            new = self._append([row for rows, _ in jobs for row in rows])
        except Exception as error:
            if len(jobs) > 1:
                for job in jobs:
                    self._commit([job])
                return
            log.exception("events could not be written")
            jobs[0][1].set_exception(error)
            return
        for rows, done in jobs:
            mine = {str(row["event_id"]) for row in rows} & new
            new -= mine  # the same id in two jobs is new for the first alone
            done.set_result(mine)

    def _write_decisions(self, *, everything: bool) -> None:
        while self._decisions:
            count = min(len(self._decisions), DECISIONS_A_COMMIT)
            part = [self._decisions.popleft() for _ in range(count)]
            try:
                self._record(part)
            except Exception:
                self.dropped += len(part)
                log.exception("decisions could not be written", dropped=len(part))
            if not everything:
                return
