"""Who may ask: loopback without a key, every other address with one.

On a loopback address the Host header must name this machine, so that a web page elsewhere cannot reach the
server through a name it points here (DNS rebinding); a request that says it comes from another site's page is
refused on every address. There is no CORS: no other site may read answers.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storewise.core.errors import AccessDenied, ConfigError
from storewise.serve.answers import Json
from storewise.serve.errors import body

KEY_VARIABLE = "STOREWISE_API_KEY"
SHORTEST_KEY = 16
MAX_BODY = 1 << 20
GUARDED = ("/v1/", "/metrics")


@dataclass(frozen=True)
class Access:
    """``key`` None: no key is asked for. ``hosts`` None: any Host header is fine."""

    key: bytes | None = None
    hosts: frozenset[str] | None = frozenset({"localhost", "127.0.0.1", "::1"})

    @classmethod
    def of(cls, host: str, key_file: Path | None = None) -> Access:
        """The rules for a bind address.

        Raises:
            AccessDenied: for an address that others can reach without a key.
            ConfigError: when the key is unreadable or too short.
        """
        key = _read_key(key_file)
        local = is_loopback(host)
        if key is None and not local:
            raise AccessDenied(
                f"{host} can be reached from other machines, and there is no API key.",
                next_step=f"Put a key into a file and name it with --api-key-file, or set {KEY_VARIABLE}; "
                "or bind to 127.0.0.1.",
            )
        return cls(key, cls.hosts if local else None)

    def refusal(self, path: str, headers: dict[bytes, bytes]) -> tuple[int, str, str] | None:
        """Status, problem and next step, or None when the request may pass."""
        name = _host_name(headers.get(b"host", b"").decode("latin-1"))
        if self.hosts is not None and name not in self.hosts:
            return 403, f"The Host header is {name!r}, which is not this server.", "Use http://127.0.0.1."
        origin = headers.get(b"origin")
        if origin is not None and _host_name(urlsplit(origin.decode("latin-1")).netloc) != name:
            return 403, "The request comes from a page of another site.", "Call the API from your own server."
        if self.key is not None and path.startswith(GUARDED) and not self._has_key(headers):
            return 401, "The API key is missing or wrong.", "Send it as 'Authorization: Bearer KEY'."
        return None

    def _has_key(self, headers: dict[bytes, bytes]) -> bool:
        assert self.key is not None
        given = headers.get(b"x-api-key", b"")
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() == b"bearer":
            given = token.strip()
        return hmac.compare_digest(given, self.key)


class Gate:
    """The ASGI layer that refuses, before anything is parsed, what may not pass or is too large."""

    def __init__(self, app: ASGIApp, access: Access, max_body: int = MAX_BODY) -> None:
        self._app = app
        self._access = access
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        refused = self._access.refusal(scope["path"], headers)
        if refused is not None:
            status, problem, step = refused
            extra = {"WWW-Authenticate": "Bearer"} if status == 401 else None
            await Json(body("AccessDenied", problem, step), status, extra)(scope, receive, send)
            return
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._max_body:
            problem = f"The body has {length.decode('latin-1')} bytes, the limit is {self._max_body}."
            await Json(body("LimitExceeded", problem, "Send smaller batches."), 413)(scope, receive, send)
            return
        if scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        """A body without a length is cut off at the limit, and then is no JSON any more."""
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._max_body:
                return {"type": "http.request", "body": b"", "more_body": False}
            return message

        return limited


def is_loopback(host: str) -> bool:
    """True for addresses that only this machine can reach.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_name(host: str) -> str:
    """Without the port: ``[::1]:8000`` → ``::1``."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _read_key(file: Path | None) -> bytes | None:
    if file is None:
        text = os.environ.get(KEY_VARIABLE, "")
        where = KEY_VARIABLE
    else:
        where = str(file)
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"The key file {file} cannot be read.", next_step="Check its path and mode."
            ) from error
    key = text.strip()
    if not key and file is None:
        return None
    if len(key) < SHORTEST_KEY:
        raise ConfigError(
            f"The API key in {where} has {len(key)} characters, at least {SHORTEST_KEY} are needed.",
            next_step="Make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return key.encode()
