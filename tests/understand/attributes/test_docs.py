"""docs/attributes.md: its examples run, and its numbers are those of the package."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from storewise.understand.attributes.gazetteer import BUILT_IN, built_in

PAGE = Path(__file__).resolve().parents[3] / "docs" / "attributes.md"


def test_the_examples_are_true() -> None:
    result = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert (result.failed, result.attempted) == (0, 2)


def test_the_lists_are_as_long_as_told() -> None:
    told = re.search(
        r"(\d+) colours, (\d+) materials, (\d+) audiences, (\d+) patterns, (\d+) coarse types",
        PAGE.read_text("utf-8"),
    )
    assert told is not None
    assert [int(n) for n in told.groups()] == [
        len({e.value for e in built_in() if e.name == name and e.value}) for name in BUILT_IN
    ]
