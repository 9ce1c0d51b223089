"""All components that come with Storewise, and those of installed plug-ins."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from storewise import explore, predict, understand
from storewise.core.registry import Registry
from storewise.predict import uplift
from storewise.recommend import rank, ratings, rerank, retrieve


@cache
def registry() -> Registry:
    """The registry; a new component is one line in its package's ``COMPONENTS``.

    >>> "retrieve.popular.v1" in list(registry())
    True
    """
    tables = (explore, predict, rank, ratings, rerank, retrieve, understand, uplift)
    return Registry(*(package.COMPONENTS for package in tables), plugins=True)


def component_names(models: Sequence[str], role: str) -> list[str]:
    """Full names of components given in full or by their middle part, each once.

    >>> component_names(["popular"], "retrieve")
    ['retrieve.popular.v1']
    """
    known = registry().names(role)
    short = {full.split(".")[1]: full for full in known}
    full_names = [short.get(model, model) for model in models]
    for full in full_names:
        registry().get(full)
    return list(dict.fromkeys(full_names))
