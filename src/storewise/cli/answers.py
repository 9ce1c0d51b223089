"""Asking a server over HTTP and showing what it said, with the standard library alone."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

import typer

from storewise.core.errors import StateError


def get(url: str, path: str, **parameters: Any) -> Any:
    """One GET, parsed."""
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    return _send(urllib.request.Request(f"{url}{path}{query}"))


def post(url: str, path: str, body: Mapping[str, Any]) -> Any:
    """One POST of JSON, parsed."""
    head = {"Content-Type": "application/json"}
    return _send(urllib.request.Request(f"{url}{path}", json.dumps(body).encode(), head))


def _send(request: urllib.request.Request) -> Any:
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        raise StateError(
            f"{request.full_url} answered {error.code}: {text}", next_step="See above."
        ) from error


def expect(holds: bool, wanted: str, got: object) -> None:
    """Raise when an answer is not what it has to be."""
    if not holds:
        raise StateError(f"Expected {wanted}, the server gave {got!r}.", next_step="Read its log above.")


def show(title: str, items: list[dict[str, Any]]) -> None:
    """Items with price and reason, one a line."""
    typer.secho(f"\n{title}", bold=True)
    for item in items:
        price = f"{item['price_minor'] / 100:.2f} {item['currency']}" if item.get("price_minor") else ""
        reason = item.get("reason", {}).get("text", "")
        typer.echo(f"  {item['product_id']:<8} {item['title'][:38]:<38} {price:>11}  {reason}")
