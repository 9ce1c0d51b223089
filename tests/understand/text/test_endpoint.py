"""The embeddings endpoint against a real server on loopback that answers well, badly and not at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from storewise.core.errors import AccessDenied, DataError, DeadlineExceeded
from storewise.understand.text.endpoint import Endpoint, EndpointConfig

pytest.importorskip("httpx", reason="needs the extra llm")


class Server(ThreadingHTTPServer):
    answers: list[tuple[int, bytes]]
    seen: list[dict[str, Any]]
    hang: threading.Event


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append({"key": self.headers.get("Authorization"), **body})
        status, content = self.server.answers.pop(0) if self.server.answers else (0, b"")
        if status == -1:
            self.server.hang.wait(5)
            return
        if status == 0:
            rows = [{"index": i, "embedding": [float(len(t)), 1.0]} for i, t in enumerate(body["input"])]
            status, content = 200, json.dumps({"data": rows[::-1]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        return None


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    made.answers, made.seen, made.hang = [], [], threading.Event()
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.hang.set()
    made.shutdown()
    made.server_close()


def encoder(server: Server, **values: Any) -> Endpoint:
    url = f"http://127.0.0.1:{server.server_address[1]}/v1/"
    config = EndpointConfig.model_validate({"url": url, "model": "m", "dimensions": 2, **values})
    return Endpoint(config, sleep=lambda seconds: None)


def test_vectors_in_the_order_of_the_texts_with_zero_rows_for_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    found = encoder(server, batch_size=2)(["a", "", "ccc", "dd" * 99_999])
    assert found[1].tolist() == [0, 0]
    np.testing.assert_allclose(found[0], [2**-0.5, 2**-0.5], atol=1e-6)
    assert found[2, 0] / found[2, 1] == pytest.approx(3)
    assert [len(call["input"]) for call in server.seen] == [2, 1]
    assert server.seen[0]["key"] == "Bearer secret"
    assert max(len(text) for call in server.seen for text in call["input"]) == 8_000


def test_a_busy_server_is_asked_again(server: Server) -> None:
    server.answers = [(429, b"{}"), (503, b"")]
    assert encoder(server)(["a"]).shape == (1, 2)
    assert len(server.seen) == 3


def test_a_server_that_never_answers(server: Server) -> None:
    server.answers = [(-1, b"")] * 2
    with pytest.raises(DeadlineExceeded, match=r"2 tries of 0\.2 s"):
        encoder(server, timeout_s=0.2, tries=2)(["a"])


@pytest.mark.parametrize(
    "answer",
    [b"<html>", b"{}", b'{"data": []}', b'{"data": [{"index": 0, "embedding": [1, 2, 3]}]}',
     b'{"data": [{"index": 0, "embedding": [NaN, 2]}]}', b'{"data": [{"index": 0, "embedding": ["x", 2]}]}'],
)  # fmt: skip
def test_garbage_is_refused(server: Server, answer: bytes) -> None:
    server.answers = [(200, answer)]
    with pytest.raises(DataError, match="answered with"):
        encoder(server)(["a"])


def test_a_refused_key_is_said_so(server: Server) -> None:
    server.answers = [(401, b"{}")]
    with pytest.raises(AccessDenied, match="OPENAI_API_KEY"):
        encoder(server)(["a"])
