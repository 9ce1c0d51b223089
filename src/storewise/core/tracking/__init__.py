"""Runs tracked: config, curves and plots of a training, in JSON lines always, elsewhere by name."""

from storewise.core.tracking.base import FILE, Run, open_runs, read_curves, tracker_names
from storewise.core.tracking.journal import Journal

__all__ = ["FILE", "Journal", "Run", "open_runs", "read_curves", "tracker_names"]
