"""Sources by name."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from storewise.core.errors import UnknownName
from storewise.data.sources import DEFAULT, SOURCES, load_source


def test_every_source_names_a_function() -> None:
    assert DEFAULT in SOURCES
    for target in SOURCES.values():
        module, function = target.split(":")
        assert callable(getattr(import_module(module), function))


def test_an_unknown_source_gets_the_nearest_name_or_all() -> None:
    with pytest.raises(UnknownName, match=re.escape("Did you mean 'ta-feng'?")):
        load_source("tafeng")
    with pytest.raises(UnknownName, match="Choose one of complete-journey, lists"):
        load_source("zzz")
