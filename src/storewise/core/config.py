"""Typed configuration: frozen, and unknown keys are errors."""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from storewise.core.errors import ConfigError


class Config(BaseModel):
    """Base of every config. Subclasses declare fields with defaults and limits.

    >>> class KnnConfig(Config):
    ...     neighbours: int = 100
    >>> KnnConfig(neighbours=5).neighbours
    5
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, protected_namespaces=())


C = TypeVar("C", bound=Config)


def parse(kind: type[C], values: Mapping[str, Any], *, where: str) -> C:
    """Build a config from plain values; ``where`` names the source in the error.

    Raises:
        ConfigError: naming each wrong key, its value and the allowed ones.

    >>> class KnnConfig(Config):
    ...     neighbours: int = 100
    >>> parse(KnnConfig, {"neighbors": 3}, where="home.toml")
    Traceback (most recent call last):
    ...
    storewise.core.errors.ConfigError: home.toml: 'neighbors' is not a known key (did you mean \
'neighbours'?). Correct the value and run again; known keys: neighbours.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        problems = "; ".join(_describe(kind, item) for item in error.errors())
        raise ConfigError(
            f"{where}: {problems}.",
            next_step=f"Correct the value and run again; known keys: {', '.join(kind.model_fields)}.",
        ) from error


def _describe(kind: type[Config], item: Any) -> str:
    path = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(item["loc"][-1]), list(kind.model_fields), n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        return f"{path!r} is not a known key{hint}"
    if item["type"] == "missing":
        return f"{path!r} is missing"
    return f"{path!r} is {item['input']!r}: {item['msg'][0].lower()}{item['msg'][1:]}"


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: when the file is missing or not TOML, with the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist.", next_step="Check the path.") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path} is a directory.", next_step="Name a .toml file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.", next_step="Correct the file.") from error


def config_hash(values: Any) -> str:
    """A short stable hash of plain values or a config (12 hex digits).

    >>> config_hash({"a": 1, "b": 2}) == config_hash({"b": 2, "a": 1})
    True
    """
    plain = values.model_dump(mode="json") if isinstance(values, BaseModel) else values
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]
