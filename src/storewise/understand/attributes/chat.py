"""One question to a language model, in OpenAI's chat-completions shape: an endpoint, or a GGUF file on this machine.

Both keep two limits whatever the model does: ``max_tokens``, and ``timeout_s`` for the whole answer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import orjson

from storewise.core.errors import AccessDenied, ConfigError, DataError, DeadlineExceeded, MissingExtra

MAX_ANSWER_BYTES = 1_000_000
Messages = Sequence[Mapping[str, str]]


class Chat(Protocol):
    """Answers messages with text that follows a JSON schema, as far as the model keeps to it.

    Raises:
        DeadlineExceeded: when no answer was complete after ``timeout_s``.
        DataError: when what came is no answer of the chat shape.
        AccessDenied: when the key is refused.
    """

    def __call__(self, messages: Messages, schema: Mapping[str, Any]) -> str: ...


def _body(messages: Messages, schema: Mapping[str, Any], max_tokens: int) -> dict[str, Any]:
    wanted = {"name": "attributes", "strict": True, "schema": dict(schema)}
    return {
        "messages": [dict(m) for m in messages],
        "max_tokens": max_tokens,
        "temperature": 0,
        "response_format": {"type": "json_schema", "json_schema": wanted},
    }


class EndpointChat:
    """An OpenAI-compatible server at ``base_url`` (… ``/v1``). The key is read from the environment variable at
    each call and kept nowhere."""

    def __init__(
        self, base_url: str, model: str, *, key_variable: str, timeout_s: float, max_tokens: int
    ) -> None:
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._model = model
        self._key_variable = key_variable
        self._timeout_s = timeout_s
        self._max_tokens = max_tokens

    def __call__(self, messages: Messages, schema: Mapping[str, Any]) -> str:
        try:
            import httpx
        except ImportError as error:
            raise MissingExtra("httpx", "llm") from error
        key = os.environ.get(self._key_variable)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        body = {"model": self._model, **_body(messages, schema, self._max_tokens)}
        end = time.monotonic() + self._timeout_s
        try:
            with httpx.stream(
                "POST", self._url, json=body, headers=headers, timeout=self._timeout_s
            ) as answer:
                self._refuse(answer.status_code)
                content = bytearray()
                for (
                    part
                ) in answer.iter_bytes():  # a server that drips keeps each read short: look at the clock
                    content += part
                    if time.monotonic() > end or len(content) > MAX_ANSWER_BYTES:
                        raise self._late()
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise ConfigError(f"{self._url} is no URL ({error}).", next_step="Correct base_url.") from error
        except httpx.TimeoutException as error:
            raise self._late() from error
        except httpx.HTTPError as error:
            raise DataError(
                f"{self._url} cannot be read ({type(error).__name__}).",
                next_step="Check that the server runs.",
            ) from error
        return content_of(bytes(content), self._url)

    def _refuse(self, status: int) -> None:
        if status in (401, 403):
            raise AccessDenied(
                f"{self._url} refuses the key (status {status}).",
                next_step=f"Put a valid key into the environment variable {self._key_variable}.",
            )
        if status != 200:
            raise DataError(
                f"{self._url} answered with status {status}.", next_step="Check the server, or wait."
            )

    def _late(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"{self._url} gave no complete answer in {self._timeout_s:g} s.",
            next_step="Raise timeout_s, or ask a smaller model.",
        )


def content_of(answer: bytes, where: str) -> str:
    """The text of a chat-completions answer.

    Raises:
        DataError: when it has another shape.

    >>> content_of(b'{"choices": [{"message": {"content": "{}"}}]}', "here")
    '{}'
    """
    try:
        content = orjson.loads(answer)["choices"][0]["message"]["content"]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError) as error:
        raise DataError(
            f"{where} did not answer in the chat-completions shape.", next_step="Check base_url and model."
        ) from error
    if not isinstance(content, str):
        raise DataError(f"{where} answered without text.", next_step="Check the model.")
    return content


class LocalChat:
    """A GGUF file, run by llama.cpp in this process."""

    def __init__(
        self, path: Path, *, timeout_s: float, max_tokens: int, context_tokens: int = 2048, threads: int = 2
    ) -> None:
        """
        Raises:
            ConfigError: when the file is missing, is no GGUF file, or cannot be loaded.
            MissingExtra: without xllamacpp.
        """
        _assert_gguf(path)
        try:
            import xllamacpp
        except ImportError as error:
            raise MissingExtra("xllamacpp", "llm") from error
        settings = xllamacpp.CommonParams()
        settings.model.path = str(path)
        settings.n_ctx, settings.n_parallel, settings.verbosity = context_tokens, 1, -1
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
        try:
            self._server = xllamacpp.Server(settings)
        except Exception as error:  # the library raises bare RuntimeErrors
            raise ConfigError(
                f"{path} cannot be loaded ({error}).", next_step="Give a whole GGUF file."
            ) from error
        self._path, self._timeout_s, self._max_tokens = path, timeout_s, max_tokens

    def __call__(self, messages: Messages, schema: Mapping[str, Any]) -> str:
        parts: list[str] = []
        end = time.monotonic() + self._timeout_s
        late = False
        failed: list[str] = []

        def take(chunk: Any) -> bool:
            """Keep a piece; True stops the model."""
            nonlocal late
            for one in chunk if isinstance(chunk, list) else [chunk]:
                if not isinstance(one, dict) or "choices" not in one:
                    failed.append(str(one)[:200])
                    return True
                parts.extend((choice.get("delta") or {}).get("content") or "" for choice in one["choices"])
            late = time.monotonic() > end
            return late

        body = {**_body(messages, schema, self._max_tokens), "stream": True}
        try:
            self._server.handle_chat_completions(body, take)
        except Exception as error:  # the library raises bare RuntimeErrors
            raise DataError(f"{self._path.name} failed ({error}).", next_step="Try another model.") from error
        if failed:
            raise DataError(f"{self._path.name} failed: {failed[0]}.", next_step="Try another model.")
        if late:
            raise DeadlineExceeded(
                f"{self._path.name} gave no complete answer in {self._timeout_s:g} s.",
                next_step="Raise timeout_s, or give a smaller model.",
            )
        return "".join(parts)


def _assert_gguf(path: Path) -> None:
    try:
        with open(path, "rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read.", next_step="Give the path of a GGUF file.") from error
    if magic != b"GGUF":
        raise ConfigError(f"{path} is no GGUF file.", next_step="Give a model in GGUF format.")
