"""What the running experiment has shown so far."""

from __future__ import annotations

from fastapi import APIRouter

from storewise.engine.experiment.report import results
from storewise.engine.serving.service import Service
from storewise.serve.answers import Json
from storewise.serve.routes.ask import ServiceOf

router = APIRouter(prefix="/v1", tags=["about"])


@router.get("/experiments", response_class=Json)
def experiments(service: ServiceOf) -> Json:
    """The A/B test of the serving pipeline: metrics by variant with always-valid intervals, and a verdict."""
    serving = service.current()
    return Json(
        {"snapshot": serving.id, "currency": serving.catalogue.currency, "experiments": _running(service)}
    )


def _running(service: Service) -> list[object]:
    experiment = service.current().pipeline.experiment
    return [] if experiment is None else [results(service.store, experiment, now=service.clock())]
