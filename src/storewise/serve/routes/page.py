"""The page at ``/``: plain files shipped with the package, served from memory.

Every file is read once when the module loads. A request looks its path up in that table, so no path can lead
outside the folder. The page names its files under ``/static/<version>/``, where the version is a hash of all
files together: browsers keep them for good, and a new release is a new address.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

FOLDER: Final = Path(__file__).resolve().parents[1] / "static"

CONTENT_TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

CONTENT_SECURITY_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ]
)

SAFETY_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file of the page: its bytes, content type and a hash for revalidation."""

    body: bytes
    content_type: str
    etag: str


def read_folder(folder: Path) -> dict[str, StaticFile]:
    """Files of ``folder`` by relative path; what is no part of the page is left out.

    >>> sorted(read_folder(FOLDER))[0]
    'api.js'
    """
    files = {}
    for path in sorted(folder.rglob("*")):
        content_type = CONTENT_TYPES.get(path.suffix)
        other_page = path.suffix == ".html" and path.name != "index.html"
        if path.is_file() and content_type is not None and not other_page:
            body = path.read_bytes()
            etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
            files[path.relative_to(folder).as_posix()] = StaticFile(body, content_type, etag)
    return files


def version_of(files: Mapping[str, StaticFile]) -> str:
    """A short hash that changes when any file does."""
    text = "\n".join(f"{name} {file.etag}" for name, file in sorted(files.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


FILES: Final = read_folder(FOLDER)
VERSION: Final = version_of(FILES)
INDEX: Final = FILES["index.html"].body.replace(b"{version}", VERSION.encode())
INDEX_ETAG: Final = f'"{VERSION}"'

router = APIRouter(include_in_schema=False)


def answer(request: Request, body: bytes, content_type: str, etag: str, *, keep: bool) -> Response:
    """The file, or 304 when the browser has it; ``keep`` lets it be kept without asking again."""
    cache = "public, max-age=31536000, immutable" if keep else "no-cache"
    headers = {**SAFETY_HEADERS, "Cache-Control": cache, "ETag": etag}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if etag in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=content_type, headers=headers)


@router.api_route("/", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    """The page itself; asked for again each time, so that a new release shows at once."""
    return answer(request, INDEX, CONTENT_TYPES[".html"], INDEX_ETAG, keep=False)


@router.api_route("/static/{path:path}", methods=["GET", "HEAD"])
async def static(request: Request, path: str) -> Response:
    """A file of the page, at ``/static/<version>/<name>`` for good or at ``/static/<name>`` for now."""
    first, _, rest = path.partition("/")
    versioned = first == VERSION
    file = FILES.get(rest if versioned else path)
    if file is None or path == "index.html":
        error = {
            "type": "UnknownName",
            "problem": f"There is no file {path[:200]!r}.",
            "next_step": "Open the page at /.",
        }
        return JSONResponse({"error": error}, status_code=404, headers=dict(SAFETY_HEADERS))
    return answer(request, file.body, file.content_type, file.etag, keep=versioned)


@router.api_route("/favicon.ico", methods=["GET", "HEAD"])
async def icon(request: Request) -> Response:
    """What browsers ask for by themselves."""
    file = FILES["icon.svg"]
    return answer(request, file.body, file.content_type, file.etag, keep=False)
