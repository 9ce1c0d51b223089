"""Is it alive, is it ready, how is it doing."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from storewise.serve.answers import Json
from storewise.serve.routes.ask import ServiceOf

router = APIRouter(tags=["health"])


@router.get("/healthz", response_class=Json)
async def alive() -> Json:
    """Answers while the process does."""
    return Json({"status": "ok"})


@router.get("/readyz", response_class=Json)
async def ready(service: ServiceOf) -> Json:
    """200 once a snapshot serves, else 503."""
    return Json({"status": "ready", "snapshot": service.current().id})


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    return Response(request.app.state.telemetry.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
