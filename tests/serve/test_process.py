"""A real server process: killed hard, it has lost nothing that it acknowledged."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from storewise.data.stores import Store
from storewise.testing import small_shop


@contextmanager
def server(shop: Path, *more: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "storewise", "serve", "--shop", str(shop), "--port", str(port), *more]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                if httpx.get(f"{base}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.05)
        yield base, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)
        if process.stderr:
            process.stderr.close()


def names(answer: httpx.Response) -> list[str]:
    return [item["product_id"] for item in answer.json()["items"]]


def test_a_hard_kill_loses_nothing_that_was_acknowledged(shop: Path) -> None:
    """Four senders, a SIGKILL among them; every id that got its 200 is in the store and in the next lists."""
    acknowledged: list[str] = []

    def send(base: str, sender: int) -> None:
        with httpx.Client(base_url=base) as client:
            for i in range(10_000):
                event = {
                    "event_id": f"{sender}-{i}",
                    "kind": "view",
                    "product_id": "p33",
                    "session": f"s{sender}",
                }
                try:
                    if client.post("/v1/events", json=event).status_code != 200:
                        return
                except httpx.TransportError:
                    return
                acknowledged.append(event["event_id"])

    with server(shop, "--clock", "data") as (base, process):
        senders = [threading.Thread(target=send, args=(base, i)) for i in range(4)]
        for sender in senders:
            sender.start()
        while len(acknowledged) < 40:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        for sender in senders:
            sender.join(timeout=20)
        assert process.wait(timeout=20) == -signal.SIGKILL
    assert len(acknowledged) >= 40
    with Store.open(shop, create=False) as store:
        stored = set(store.events()["event_id"].to_list())
    assert set(acknowledged) <= stored
    with server(shop, "--clock", "data") as (base, _):
        unknown = names(httpx.get(f"{base}/v1/recommendations"))
        assert names(httpx.get(f"{base}/v1/recommendations?session=s0")) != unknown
        mine = sum(name.startswith("0-") for name in acknowledged)
        assert httpx.get(f"{base}/v1/sessions/s0").json()["events"] >= min(mine, 10)


def test_a_published_snapshot_is_taken_over_while_requests_go_on(shop: Path) -> None:
    with Store.open(shop, create=False) as store:
        new = small_shop.train_on(store, seed=2).id
    statuses: list[int] = []
    stop = threading.Event()

    def ask(base: str) -> None:
        with httpx.Client(base_url=base) as client:
            while not stop.is_set():
                statuses.append(client.get("/v1/recommendations?customer=c000").status_code)

    with server(shop, "--clock", "data") as (base, _):
        old = httpx.get(f"{base}/readyz").json()["snapshot"]
        asking = threading.Thread(target=ask, args=(base,))
        asking.start()
        command = [sys.executable, "-m", "storewise", "publish", new[:-2], "--shop", str(shop)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == new
        assert _until(base, new) == new
        subprocess.run(
            [sys.executable, "-m", "storewise", "rollback", "--shop", str(shop)],
            check=True,
            capture_output=True,
        )
        assert _until(base, old) == old
        stop.set()
        asking.join(timeout=20)
    assert len(statuses) > 50
    assert set(statuses) == {200}


def _until(base: str, wanted: str) -> str:
    found = ""
    for _ in range(200):
        found = httpx.get(f"{base}/readyz").json()["snapshot"]
        if found == wanted:
            break
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1"])
def test_the_command_refuses_an_open_address_without_a_key(shop: Path, host: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "STOREWISE_API_KEY"}
    command = [sys.executable, "-m", "storewise", "serve", "--shop", str(shop), "--host", host]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 1
    assert "--api-key-file" in done.stderr
