"""Run the app in this process."""

from __future__ import annotations

import gc
import sys

import structlog
import uvicorn

from storewise.engine.serving.service import Service
from storewise.serve.app import create_app
from storewise.serve.auth import Access

# A thread that computes (loading a snapshot, writing events) hands the interpreter over after this time.
# The default of 5 ms would show in the slowest answers.
SWITCH_S = 0.001
# Full collections are rare: the long-lived objects are frozen after each load (see engine/serving/current.py).
GC_THRESHOLDS = (20_000, 20, 100)


def run(service: Service, *, access: Access, host: str, port: int) -> None:
    """Serve until a signal comes, then write what waits and stop."""
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(*GC_THRESHOLDS)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    uvicorn.run(
        create_app(service, access=access), host=host, port=port, log_level="warning", access_log=False,
        server_header=False, timeout_keep_alive=65,
    )  # fmt: skip
