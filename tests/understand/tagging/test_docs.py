"""The examples of docs/tagging.md run."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_examples_in_the_docs_are_true() -> None:
    pytest.importorskip("pycrfsuite", reason="needs python-crfsuite")
    failed, run = doctest.testfile(str(DOCS / "tagging.md"), module_relative=False)
    assert run > 5
    assert failed == 0
