"""What a choice came to, and how its retrievers are trained again on other data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from storewise.core.progress import Progress
from storewise.core.registry import Registry
from storewise.core.rng import spawn
from storewise.core.run_context import RunContext
from storewise.data.dataset import Dataset
from storewise.data.interactions import Interactions
from storewise.recommend.choose.networks import continued, holds, train_resumably
from storewise.recommend.choose.tune import Choice
from storewise.recommend.retrieve import COMPONENTS
from storewise.recommend.retrieve.base import Retriever
from storewise.recommend.retrieve.deep.neural import Neural
from storewise.recommend.retrieve.fusion import Fusion


@dataclass(frozen=True)
class Selection:
    """``choices``: each retriever with its chosen config, best first; ``selected``: the name of the one to
    serve; ``reason``: why, in a sentence or two. ``trained``: the networks that tuning made, by name, and
    ``learned`` the behaviour they have seen. ``context``: where training them again leaves checkpoints."""

    choices: tuple[Choice, ...]
    selected: str
    reason: str
    trained: Mapping[str, Neural[Any]] = field(default_factory=dict)
    learned: Interactions | None = None
    context: RunContext = field(default_factory=RunContext)

    def refit(
        self,
        dataset: Dataset,
        *,
        seed: int,
        progress: Progress | None = None,
        names: Sequence[str] | None = None,
    ) -> dict[str, Retriever[Any]]:
        """Train the chosen configs (of ``names``, default all) on a data set; name → trained retriever.

        Members of a fusion that are asked for themselves too are trained once. A network goes on from the
        weights of tuning where the data set holds all that they were made of; elsewhere (other folds) that
        would leak, and it is trained from nothing.
        """
        registry = Registry(COMPONENTS, plugins=True)
        may_continue = bool(self.trained) and self.learned is not None and holds(dataset, self.learned)
        made: dict[str, Retriever[Any]] = {}

        def train(name: str, config: dict[str, Any]) -> Retriever[Any]:
            key = f"{name} {config}"
            if key not in made:
                model = registry.create(name, config)
                assert isinstance(model, Retriever)
                if isinstance(model, Fusion):
                    parts = [train(part.use, dict(part.config)) for part in model.config.members]
                    model.take(parts, dataset)
                elif isinstance(model, Neural) and may_continue and name in self.trained:
                    model = continued(self.trained[name], model, dataset, seed, progress, self.context)
                else:
                    train_resumably(model, dataset, spawn(seed, name), progress, self.context)
                made[key] = model
            return made[key]

        wanted = [choice for choice in self.choices if names is None or choice.name in names]
        return {choice.name: train(choice.name, choice.config.model_dump()) for choice in wanted}
