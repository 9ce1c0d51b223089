"""The experiment that serves, read from the shop's folder without loading what serves."""

from __future__ import annotations

from datetime import datetime, timedelta

from storewise.core.config import parse
from storewise.data.stores import Store
from storewise.engine.experiment.config import Experiment
from storewise.engine.pipeline import Pipeline
from storewise.engine.published import read_pointer, read_snapshot


def running(store: Store) -> Experiment | None:
    """That of the published pipeline, None where it has none.

    Raises:
        NothingPublished: when nothing serves.
    """
    manifest = read_snapshot(store.folder, read_pointer(store.folder).serving)
    return parse(Pipeline, manifest.pipeline, where=manifest.id).experiment


def last_moment(store: Store, experiment: Experiment, *, now: datetime) -> datetime:
    """``now``, or for a shop of the past the moment at which the last shopper's time was over."""
    newest = [store.events()["at"].max(), store.decisions()["at"].max()]
    known = [at for at in newest if isinstance(at, datetime)]
    return min(now, max(known, default=now) + timedelta(days=experiment.outcome_days))
