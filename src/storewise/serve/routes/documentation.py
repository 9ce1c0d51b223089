"""``/docs``: the API's own page, made from ``/openapi.json`` without anything from another host."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import HTMLResponse

router = APIRouter(include_in_schema=False)
PAGE = files("storewise.serve").joinpath("static/docs.html")


@router.get("/docs")
async def documentation() -> HTMLResponse:
    """The page; it asks for the description itself."""
    return HTMLResponse(PAGE.read_text(encoding="utf-8"))
