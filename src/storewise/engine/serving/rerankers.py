"""The pipeline's rerankers with today's catalogue."""

from __future__ import annotations

from typing import Any

from storewise.core.errors import ConfigError
from storewise.engine.pipeline import Pipeline
from storewise.engine.registry import registry
from storewise.engine.serving.shelf import Shelf
from storewise.recommend.rerank.base import Reranker


def rerankers_of(pipeline: Pipeline, shelf: Shelf) -> tuple[Reranker[Any], ...]:
    """In the pipeline's order.

    Raises:
        ConfigError: for a step that is no reranker.
    """
    made = []
    for one in pipeline.rerank:
        step = registry().create(one.use, one.config)
        if not isinstance(step, Reranker):
            raise ConfigError(
                f"[[rerank]] names {one.use}, which is no reranker.",
                next_step="Use a component whose name begins with rerank.",
            )
        step.stock(shelf)
        made.append(step)
    return tuple(made)
