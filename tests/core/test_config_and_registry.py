"""Settings and names: what is wrong is said with the value and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from storewise.core.config import Config, config_hash, parse, read_toml
from storewise.core.errors import ConfigError, MissingExtra, StorewiseError, UnknownName
from storewise.core.registry import Registry


class Knobs(Config):
    neighbours: int = Field(100, ge=1, le=1000)
    decay: float = 0.5


def test_unknown_key_names_the_near_one() -> None:
    with pytest.raises(ConfigError, match="'neighbors' is not a known key .did you mean 'neighbours'"):
        parse(Knobs, {"neighbors": 3}, where="home.toml")


def test_value_outside_its_limit_is_named() -> None:
    with pytest.raises(ConfigError, match="home.toml: 'neighbours' is 0: .*greater than or equal to 1"):
        parse(Knobs, {"neighbours": 0}, where="home.toml")


def test_config_is_frozen() -> None:
    with pytest.raises(ValidationError):
        Knobs().decay = 0.1  # type: ignore[misc]


def test_config_hash_sees_every_value() -> None:
    assert config_hash(Knobs()) == config_hash(Knobs(decay=0.5)) != config_hash(Knobs(decay=0.51))


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "does not exist"), (b"a = ", "not valid TOML"), (b"\xff\xfe", "not valid TOML")],
)
def test_toml_that_cannot_be_read(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "p.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_toml(path)


def test_toml_directory(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a directory"):
        read_toml(tmp_path)


def test_registry_finds_near_names() -> None:
    registry = Registry({"retrieve.item_knn.v1": "nowhere:Never", "retrieve.ease.v1": "nowhere:Never"})
    assert registry.names("retrieve") == ["retrieve.ease.v1", "retrieve.item_knn.v1"]
    with pytest.raises(UnknownName, match=r"Did you mean retrieve\.item_knn\.v1"):
        registry.get("retrieve.itemknn.v1")


@pytest.mark.parametrize(
    "name", ["popular", "retrieve.popular", "Retrieve.popular.v1", "retrieve.popular.v0"]
)
def test_registry_refuses_names_without_version(name: str) -> None:
    with pytest.raises(ConfigError, match=r"role\.name\.vN"):
        Registry({name: "x:Y"})


def test_registry_refuses_the_same_name_twice() -> None:
    table = {"retrieve.popular.v1": "x:Y"}
    with pytest.raises(ConfigError, match="registered twice"):
        Registry(table, table)


def test_created_component_has_parsed_config() -> None:
    from storewise.engine.registry import registry

    made = registry().create("retrieve.popular.v1")
    assert isinstance(made.config, Config)
    with pytest.raises(ConfigError, match=r"retrieve\.popular\.v1: 'nope'"):
        registry().create("retrieve.popular.v1", {"nope": 1})


def test_every_error_says_what_to_do() -> None:
    with pytest.raises(TypeError):
        StorewiseError("only a problem")  # type: ignore[call-arg]
    assert "pip install 'storewise[deep]'" in str(MissingExtra("torch", "deep"))
