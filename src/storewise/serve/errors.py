"""The error tree as HTTP: one table, one shape of body."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from storewise.core import errors
from storewise.serve.answers import Json

log = structlog.get_logger(__name__)

# The nearest class upwards in the tree decides.
STATUS: Mapping[type[errors.StorewiseError], int] = {
    errors.InputError: 422,
    errors.UnknownName: 404,
    errors.LimitExceeded: 413,
    errors.AccessDenied: 403,
    errors.StateError: 409,
    errors.NothingPublished: 503,
    errors.ArtifactError: 503,
    errors.StoreError: 503,
    errors.DeadlineExceeded: 504,
    errors.MissingExtra: 501,
    errors.StorewiseError: 500,
}


def status_of(error: errors.StorewiseError) -> int:
    """The status of an error.

    >>> status_of(errors.ConfigError("n is 0.", next_step="Use 1 to 100."))
    422
    """
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def body(kind: str, problem: str, next_step: str, **more: Any) -> dict[str, Any]:
    """The body of every error."""
    return {"error": {"type": kind, "problem": problem, "next_step": next_step}, **more}


_WORDS = {"type": "string"}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "problem", "next_step"],
            "properties": {"type": _WORDS, "problem": _WORDS, "next_step": _WORDS},
        }
    },
}
DESCRIBED: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/json": {"schema": _ERROR}}}
    for status, text in {
        401: "no key, or a wrong one",
        403: "not this server's name, or a page of another site",
        404: "no such product, category or address",
        413: "too large",
        422: "a parameter or a body that cannot be used",
        503: "nothing is published, or the store cannot be used now",
    }.items()
}
"""What the API's description says of errors."""


def install(app: FastAPI) -> None:
    """Let an app answer every error in the one shape."""
    app.add_exception_handler(errors.StorewiseError, _storewise)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _storewise(request: Request, error: Exception) -> Json:
    assert isinstance(error, errors.StorewiseError)
    status = status_of(error)
    headers = {"Retry-After": "1"} if status == 503 else None
    return Json(body(type(error).__name__, error.problem, error.next_step), status, headers)


async def _invalid(request: Request, error: Exception) -> Json:
    assert isinstance(error, RequestValidationError)
    known = sorted(_parameters(request))
    told = "; ".join(_told(item, known) for item in error.errors())
    step = f"Known parameters: {', '.join(known)}." if known else "See /docs."
    return Json(body("InputError", f"{told}.", step), 422)


def _parameters(request: Request) -> set[str]:
    route = request.scope.get("route")
    operation = (
        request.app.openapi()["paths"].get(getattr(route, "path", ""), {}).get(request.method.lower(), {})
    )
    return {one["name"] for one in operation.get("parameters", [])}


def _told(item: Mapping[str, Any], known: list[str]) -> str:
    name = ".".join(str(part) for part in item["loc"][1:]) or str(item["loc"][0])
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, known, n=1)
        return f"{name!r} is not a parameter" + (f" (did you mean {near[0]!r}?)" if near else "")
    if item["type"] == "missing":
        return f"{name!r} is missing"
    return f"{name!r} is {item.get('input')!r}: {item['msg'][0].lower()}{item['msg'][1:]}"


async def _http(request: Request, error: Exception) -> Json:
    assert isinstance(error, HTTPException)
    path = request.url.path
    told = {
        404: ("UnknownName", f"There is nothing at {path}.", "The addresses are listed at /docs."),
        405: ("InputError", f"{request.method} is not allowed at {path}.", "See /docs for the methods."),
    }
    kind, problem, step = told.get(error.status_code, ("InputError", str(error.detail), "See /docs."))
    return Json(body(kind, problem, step), error.status_code, dict(error.headers or {}))


async def _unexpected(request: Request, error: Exception) -> Json:
    log.error("unexpected error", path=request.url.path, exc_info=error)
    return Json(
        body("StorewiseError", "The server met an unexpected error.", "Look at the server's log."), 500
    )
