"""Asks a server of its own for real answers over HTTP and prints them: what ``demo --check`` shows."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from storewise.cli import predictors, understanding
from storewise.cli.answers import expect, get, post, show
from storewise.cli.recommend import lines
from storewise.core.errors import StateError

START_S = 60.0
STOP_S = 15.0


def ask_server(shop: Path) -> None:
    """Start a server on a free port, ask, print, stop it.

    Raises:
        StateError: when the server does not start or an answer is not as it has to be.
    """
    with running(shop) as url:
        ready = get(url, "/readyz")
        typer.echo(f"\n{url} serves {ready['snapshot']}")
        popular = get(url, "/v1/popular", n=3)["items"]
        expect(len(popular) == 3, "three popular products", popular)
        show("Popular", popular)
        customer = get(url, "/v1/customers", n=1)["items"][0]["customer_id"]
        known = get(url, "/v1/recommendations", customer=customer, n=5)
        expect(len(known["items"]) == 5 and known["step"] == "full", "a full list of five", known)
        show(f"For customer {customer[:8]}…", known["items"])
        _ranked(url, customer)
        chinese = get(url, "/v1/recommendations", customer=customer, n=2, lang="zh")
        show("In Chinese", chinese["items"])
        _live(url, popular[0]["product_id"])
        about = get(url, f"/v1/products/{popular[0]['product_id']}/bought-together", n=3)
        show(f"Bought together with {popular[0]['title']}", about["items"])
        understanding.ask(url)
        predictors.ask(url)
    typer.echo("\ndemo: every answer came over HTTP; the server is stopped")


def _ranked(url: str, customer: str) -> None:
    """The ranked list beside the retrieved one, with chances of a purchase, and which of the two serves."""
    told = get(url, "/v1/recommendations", customer=customer, n=5, explain="true")
    if told["ranker"] is None:
        typer.echo(
            "\nNo ranker was trained: the shop's past teaches too little, or the pipeline leaves it out"
        )
        return
    serves = told["ranker_serves"]
    ranked = told["items"] if serves else told["ranked"]
    chances = [item["p_purchase"] for item in ranked if "p_purchase" in item]
    expect(bool(chances) and all(0 <= p <= 1 for p in chances), "chances of a purchase", told)
    beside = "beside what was retrieved" if serves else "a shadow beside the retrieved order, which serves"
    typer.echo(f"\nRanked by {told['ranker']}, {beside}")
    for line in lines(told):
        typer.echo(line)


def _live(url: str, product: str) -> None:
    """A new visitor's list before and after one event."""
    visitor = {"session": "demo-visitor", "n": 5}
    before = get(url, "/v1/recommendations", **visitor)["items"]
    event = {"kind": "purchase", "product_id": product, "session": visitor["session"], "event_id": "demo-1"}
    stored = post(url, "/v1/events", event)
    expect(stored["accepted"] == 1, "one event accepted", stored)
    again = post(url, "/v1/events", event)
    expect(again["duplicates"] == 1, "the same event known as a duplicate", again)
    after = get(url, "/v1/recommendations", **visitor)["items"]
    changed = [item["product_id"] for item in before] != [item["product_id"] for item in after]
    expect(changed, "a list that changes with the event", after)
    show("For a new visitor", before)
    show(f"The same visitor, having bought {product}", after)


@contextmanager
def running(shop: Path) -> Iterator[str]:
    """A server of its own process on a free loopback port, stopped by its id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "storewise", "serve", "--shop", str(shop), "--port", str(port)]
    server = subprocess.Popen([*command, "--clock", "data"])
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(server, url)
        yield url
    finally:
        server.terminate()
        try:
            server.wait(STOP_S)
        except subprocess.TimeoutExpired:
            server.kill()


def _wait(server: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and server.poll() is None:
        try:
            get(url, "/readyz")
            return
        except (OSError, StateError):
            time.sleep(0.1)
    raise StateError(
        f"The server did not answer within {START_S:.0f} s.", next_step="Read its messages above."
    )
