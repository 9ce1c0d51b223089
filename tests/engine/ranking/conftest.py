"""One trained shop for all tests of the second stage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storewise.engine.serving.service import Service
from storewise.testing import small_shop

from .shops import build


@pytest.fixture(scope="session")
def ranked_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranked") / "shop"
    build(folder)
    return folder


@pytest.fixture(scope="session")
def service(ranked_shop: Path) -> Iterator[Service]:
    found = small_shop.open_service(ranked_shop)
    found.load_once()
    yield found
    found.close()
