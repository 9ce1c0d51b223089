"""What the engine knows of itself: the snapshot, its evaluation, the quality of the data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
from fastapi import APIRouter

from storewise.engine.evaluate import FOLDER
from storewise.engine.published import read_pointer
from storewise.engine.serving.service import Service
from storewise.engine.serving.snapshot import moment
from storewise.serve.answers import Json
from storewise.serve.routes.ask import ServiceOf

router = APIRouter(prefix="/v1", tags=["about"])
REJECTS = 200
APART = ("evaluation", "predictions")  # facts that `/v1/evaluation` shows


@router.get("/snapshot", response_class=Json)
def snapshot(service: ServiceOf) -> Json:
    """What serves, since when, and what it is made of."""
    serving, pointer = service.current(), read_pointer(service.store.folder)
    facts = {key: value for key, value in serving.manifest.facts.items() if key not in APART}
    published = asdict(pointer) if pointer.serving == serving.id else {}
    known = serving.content.facts if serving.content is not None else {}
    content = {key: known[key] for key in ("encoder", "note", "photos") if key in known}
    return Json(
        {
            "snapshot": serving.id,
            "published_at": published.get("published_at"),
            "history": published.get("history", []),
            "pipeline": serving.manifest.pipeline,
            "artifacts": serving.manifest.artifacts,
            "content": content or None,
            **facts,
            "watermark": moment(serving.watermark),
        }
    )


@router.get("/evaluation", response_class=Json)
def evaluation(service: ServiceOf) -> Json:
    """How the serving model was chosen, beside popularity, with intervals."""
    serving = service.current()
    return Json(
        {
            "snapshot": serving.id,
            "currency": serving.catalogue.currency,
            **serving.manifest.evaluation,
            "predictions": serving.manifest.facts.get("predictions", {}),
            "benchmarks": _benchmarks(service),
        }
    )


@router.get("/report", response_class=Json)
def report(service: ServiceOf) -> Json:
    """What became of every row that was ingested."""
    rejects = service.store.rejects().head(REJECTS)
    return Json({"rows": service.store.reports().to_dicts(), "rejects": rejects.to_dicts()})


def _benchmarks(service: Service) -> list[dict[str, Any]]:
    found = []
    for file in sorted((service.store.folder / FOLDER).glob("*.json")):
        try:
            found.append(orjson.loads(file.read_bytes()))
        except orjson.JSONDecodeError:
            continue
    return found
