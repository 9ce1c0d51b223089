"""Every registered uplift model keeps the contract."""

from __future__ import annotations

import pytest

from storewise.engine.registry import registry
from storewise.predict.uplift.base import UpliftConfig, UpliftModel
from storewise.testing.uplift import check_uplift

NAMES = registry().names("uplift")


def test_all_are_found() -> None:
    assert len(NAMES) == 5


@pytest.mark.parametrize("base", ["linear", "trees"])
@pytest.mark.parametrize("name", NAMES)
def test_the_contract(name: str, base: str) -> None:
    kind = registry().get(name)

    def make() -> UpliftModel:
        found = kind(UpliftConfig(base=base, rounds=30))  # type: ignore[arg-type]
        assert isinstance(found, UpliftModel)
        return found

    check_uplift(make)
