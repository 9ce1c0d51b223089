"""``POST /v1/events``"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

import orjson
from fastapi import APIRouter, Request

from storewise.core.errors import InputError
from storewise.engine.serving.events import Batch, EventIn
from storewise.serve.answers import Json
from storewise.serve.errors import body
from storewise.serve.routes.ask import ServiceOf

router = APIRouter(prefix="/v1", tags=["events"])

_ONE = EventIn.model_json_schema()
_SCHEMA = {"anyOf": [_ONE, {"type": "object", "properties": {"events": {"type": "array", "items": _ONE}}}]}


@router.post(
    "/events",
    response_class=Json,
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _SCHEMA}}}},
)
async def events(request: Request, service: ServiceOf) -> Json:
    """Take one event or a batch. The answer comes when the events are on the disk."""
    raw, single = await _read(request)
    batch = service.check_events(raw)
    telemetry = request.app.state.telemetry
    if batch.rejected:
        telemetry.events.labels("rejected").inc(len(batch.rejected))
    if not batch.rows:
        return Json(_nothing_kept(batch, single), 422)
    new = await asyncio.wrap_future(service.write_events(batch.rows))
    telemetry.events.labels("accepted").inc(len(new))
    return Json(
        {
            "accepted": len(new),
            "duplicates": len(batch.rows) - len(new),
            "rejected": [asdict(one) for one in batch.rejected],
            "event_ids": [row["event_id"] for row in batch.rows],
        }
    )


async def _read(request: Request) -> tuple[list[Any], bool]:
    """The events of the body, and whether it was a single one."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise InputError(f"The body is {kind or 'of no type'}.", next_step="Send application/json.")
    try:
        found = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise InputError(f"The body is not JSON: {error}.", next_step="Send a JSON object.") from error
    if not isinstance(found, dict):
        raise InputError(
            f"The body is {type(found).__name__}, it must be an object.",
            next_step='Send one event, or {"events": [...]}.',
        )
    if "events" not in found:
        return [found], True
    if not isinstance(found["events"], list) or len(found) > 1:
        raise InputError(
            "A batch must be an object with the one key 'events', a list.",
            next_step='Send {"events": [...]}.',
        )
    return found["events"], False


def _nothing_kept(batch: Batch, single: bool) -> dict[str, Any]:
    if single:
        one = batch.rejected[0]
        return body("InputError", one.problem, one.next_step)
    told = [asdict(one) for one in batch.rejected]
    return body("InputError", f"None of {len(told)} events can be kept.", "See 'rejected'.", rejected=told)
