"""A running service's exploring policies, taught anew from the log every so many minutes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from storewise.core.clock import Clock
from storewise.core.progress import Silent
from storewise.core.registry import Registry
from storewise.data.stores import Store
from storewise.engine import explored
from storewise.engine.experiment.variants import effective
from storewise.engine.serving.explorer import Explorer
from storewise.engine.serving.snapshot import Snapshot

log = structlog.get_logger(__name__)


class Relearn:
    """Called by the thread that watches the snapshot, it makes new policies from the whole log beside those that
    serve: requests read one snapshot or the other, and no policy ever changes under them. Propensities are those
    of the policy that decided. A failure is logged and leaves what serves."""

    def __init__(self, store: Store, registry: Registry, clock: Clock) -> None:
        self._store, self._registry, self._clock = store, registry, clock
        self._last: datetime | None = None

    def __call__(self, snapshot: Snapshot) -> Snapshot | None:
        """The snapshot with newer policies, None where none is due: ``refresh_minutes`` after the call before."""
        every = every_minutes(snapshot)
        if not every:
            return None
        now = self._clock()
        if self._last is None:
            self._last = now
        if now - self._last < timedelta(minutes=every):
            return None
        self._last = now
        try:
            return taught(snapshot, self._store, self._registry, now)
        except Exception:
            log.exception("exploring could not learn", snapshot=snapshot.id)
            return None


def every_minutes(snapshot: Snapshot) -> float:
    """The shortest ``refresh_minutes`` of the pipeline and its variants; 0: none learns while serving."""
    pipelines = (snapshot.pipeline, *effective(snapshot.pipeline).values())
    wanted = [one.explore.refresh_minutes for one in pipelines if one.explore.use is not None]
    return min((minutes for minutes in wanted if minutes), default=0.0)


def taught(snapshot: Snapshot, store: Store, registry: Registry, now: datetime) -> Snapshot | None:
    """The snapshot with policies that learned from the log up to ``now``; None where nothing explores."""
    found = explored.learn(
        store, snapshot.pipeline, registry, snapshot.catalogue.index, {}, until=now, progress=Silent()
    ).get(explored.ROLE)
    if found is None:
        return None
    return replace(snapshot, explored=found, explorer=Explorer.of(snapshot.pipeline, registry, found))
