"""Sentence vectors from an OpenAI-compatible embeddings endpoint (``POST …/embeddings``)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from storewise.core.config import Config, config_hash
from storewise.core.errors import AccessDenied, ConfigError, DataError, DeadlineExceeded, MissingExtra
from storewise.core.progress import Progress, Silent
from storewise.understand.base import TextEncoder, Vectors, unit

BUSY = (429, 500, 502, 503, 504)  # worth another try


class EndpointConfig(Config):
    """``url``: the base, such as ``http://127.0.0.1:8080/v1``. ``key_variable``: the environment variable that
    holds the key; the key itself is never stored. ``max_characters``: the rest of a text is cut."""

    url: str
    model: str
    dimensions: int = Field(ge=1)
    key_variable: str = "OPENAI_API_KEY"
    batch_size: int = Field(default=64, ge=1, le=2048)
    timeout_s: float = Field(default=30.0, gt=0)
    tries: int = Field(default=3, ge=1, le=10)
    max_characters: int = Field(default=8_000, ge=1)


class Endpoint(TextEncoder[EndpointConfig]):
    """Sends product texts to the server that the config names, and to no other."""

    Config = EndpointConfig

    def __init__(
        self, config: EndpointConfig | None = None, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        super().__init__(config)
        self._sleep = sleep

    @property
    def dimensions(self) -> int:
        return self.config.dimensions

    @property
    def fingerprint(self) -> str:
        """Of url, model and limits: what runs behind the name cannot be seen from here."""
        return config_hash(
            self.config.model_dump(mode="json", include={"url", "model", "dimensions", "max_characters"})
        )

    def __call__(self, batch: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """(len(batch), dimensions) float32.

        Raises:
            AccessDenied: when the server refuses the key.
            DeadlineExceeded: when it does not answer in time, however often it is asked.
            DataError: when it answers something else than vectors of the configured length.
        """
        out = np.zeros((len(batch), self.config.dimensions), np.float32)
        rows = [i for i, text in enumerate(batch) if text.strip()]
        size = self.config.batch_size
        for start in (progress or Silent()).track(range(0, len(rows), size), label="asking for vectors"):
            part = rows[start : start + size]
            out[part] = self._ask([batch[i][: self.config.max_characters] for i in part])
        return unit(out)

    def _ask(self, texts: Sequence[str]) -> Vectors:
        try:
            import httpx
        except ImportError as error:
            raise MissingExtra("httpx", "llm") from error
        key = os.environ.get(self.config.key_variable)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        body = {"model": self.config.model, "input": list(texts), "encoding_format": "float"}
        trouble = ""
        for attempt in range(self.config.tries):
            if attempt:
                self._sleep(min(2.0**attempt, 30.0))
            try:
                answer = httpx.post(f"{self.config.url.rstrip('/')}/embeddings", json=body, headers=headers,
                                    timeout=self.config.timeout_s)  # fmt: skip
            except httpx.TransportError as error:
                trouble = type(error).__name__
                continue
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise ConfigError(
                    f"{self.config.url} is no URL ({error}).", next_step="Correct url."
                ) from error
            if answer.status_code in BUSY:
                trouble = f"status {answer.status_code}"
                continue
            return self._read(answer, len(texts))
        raise DeadlineExceeded(
            f"{self.config.url} gave no vectors in {self.config.tries} tries of {self.config.timeout_s:g} s ({trouble}).",
            next_step="Check that the server runs, or raise timeout_s.",
        )

    def _read(self, answer: Any, n: int) -> Vectors:
        if answer.status_code in (401, 403):
            raise AccessDenied(
                f"{self.config.url} refuses the key (status {answer.status_code}).",
                next_step=f"Put a valid key into the environment variable {self.config.key_variable}.",
            )
        try:
            rows = sorted(answer.json()["data"], key=lambda row: row["index"])
            found = np.array([row["embedding"] for row in rows], np.float32)
        except (ValueError, KeyError, TypeError) as error:
            raise self._unusable(f"status {answer.status_code} and no list of vectors") from error
        if found.shape != (n, self.config.dimensions) or not np.isfinite(found).all():
            raise self._unusable(
                f"vectors of shape {found.shape}, not {(n, self.config.dimensions)}, or not finite"
            )
        return found

    def _unusable(self, what: str) -> DataError:
        return DataError(
            f"{self.config.url} answered with {what}.", next_step="Check model and dimensions in the config."
        )
