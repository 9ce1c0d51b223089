"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from storewise.engine.serving.service import Service
from storewise.testing import small_shop
from storewise.testing import tiny_bert as tiny

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the project; tests that need it skip where it is missing."""
    folder = Path(os.environ.get("STOREWISE_SHARED_DATA", PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder


@pytest.fixture(scope="session")
def trained_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small shop, trained and published; copy it before writing."""
    folder = tmp_path_factory.mktemp("trained") / "shop"
    small_shop.make_shop(folder)
    return folder


@pytest.fixture
def shop(trained_shop: Path, tmp_path: Path) -> Path:
    """A copy for one test."""
    return Path(shutil.copytree(trained_shop, tmp_path / "shop"))


@pytest.fixture
def service(shop: Path) -> Iterator[Service]:
    """The shop, answering at its last moment."""
    found = small_shop.open_service(shop)
    found.start()
    yield found
    found.close()


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with random weights, as the files that a real one has."""
    for library in ("torch", "transformers"):
        pytest.importorskip(library, reason="needs the extra finetune")
    return tiny.write(tmp_path_factory.mktemp("tiny-bert"))
