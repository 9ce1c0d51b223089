"""Runs tracked: config, curves and plots of a training, in JSON lines always, elsewhere by name."""

from storewise.core.tracking.base import FILE, Run, open_runs, read_curves, tracker_names

__all__ = ["FILE", "Run", "open_runs", "read_curves", "tracker_names"]
