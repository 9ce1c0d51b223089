"""All components that come with Storewise, and those of installed plug-ins."""

from __future__ import annotations

from functools import cache

from storewise.core.registry import Registry
from storewise.recommend import ratings, retrieve


@cache
def registry() -> Registry:
    """The registry; a new component is one line in its package's ``COMPONENTS``.

    >>> "retrieve.popular.v1" in list(registry())
    True
    """
    return Registry(retrieve.COMPONENTS, ratings.COMPONENTS, plugins=True)
