"""The HTTP app: a service, its routes, and the layers around them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import storewise
from storewise.engine.serving.service import Service
from storewise.serve import errors
from storewise.serve.auth import Access, Gate
from storewise.serve.routes import ROUTERS
from storewise.serve.telemetry import Telemetry, Timed


def create_app(service: Service, *, access: Access | None = None) -> FastAPI:
    """An app around a service, which it starts and closes.

    ``access`` defaults to the rules for loopback.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.close()

    # The library's own documentation page loads from another host; ours is served from here.
    app = FastAPI(
        title="Storewise", version=storewise.__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.service = service
    app.state.telemetry = telemetry = Telemetry()
    telemetry.gauge("storewise_ready", "1 while a snapshot serves.", lambda: float(service.current.ready))
    telemetry.gauge("storewise_live_shoppers", "Shoppers with live events.", lambda: float(len(service.live)))
    telemetry.gauge(
        "storewise_decisions_dropped",
        "Decisions that were not logged.",
        lambda: float(service.writer.dropped),
    )
    telemetry.gauge(
        "storewise_load_failures", "Snapshots that did not load.", lambda: float(service.current.failures)
    )
    errors.install(app)
    for router in ROUTERS:
        app.include_router(router, responses=errors.DESCRIBED)
    app.add_middleware(Gate, access=access or Access())
    app.add_middleware(Timed, telemetry=telemetry)
    return app
