"""JSON answers by orjson."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import JSONResponse


class Json(JSONResponse):
    """A JSON answer; NaN becomes null, NumPy arrays become lists.

    >>> Json({"a": 1}).body
    b'{"a":1}'
    """

    def __init__(
        self, content: Any, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(content, status_code, headers)

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
