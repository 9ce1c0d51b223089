"""Optional libraries, imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any

from storewise.core.errors import MissingExtra


def require(library: str, *, extra: str) -> Any:
    """The module of an optional library.

    Raises:
        MissingExtra: naming the extra that installs it.

    >>> require("no_such_library", extra="deep")
    Traceback (most recent call last):
    ...
    storewise.core.errors.MissingExtra: The library 'no_such_library' is not installed. Install it with: pip install 'storewise[deep]'
    """
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise MissingExtra(library, extra) from error
