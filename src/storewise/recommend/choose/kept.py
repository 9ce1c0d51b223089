"""The best network of a search, left beside it: a search that goes on need not train it again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from storewise.core import checkpoint
from storewise.core.checkpoint import Checkpoint
from storewise.core.run_context import RunContext
from storewise.recommend.retrieve.base import Retriever
from storewise.recommend.retrieve.deep.neural import Neural

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from storewise.recommend.choose.tune import Workshop

BEST = "best-"


def keep(context: RunContext, trial: FrozenTrial, model: Retriever[Any]) -> None:
    """Leave a network's weights and config instead of those before; other retrievers train in seconds."""
    if context.folder is None or not isinstance(model, Neural):
        return
    mine = context.folder / f"{BEST}{trial.number}"
    facts = {
        "fingerprint": _mark(trial), "config": model.config.model_dump(mode="json"),
        "epochs": model.epochs_done, "by_epoch": model.by_epoch,
    }  # fmt: skip
    checkpoint.write(mine, Checkpoint(facts, dict(model.state())))
    for other in context.folder.glob(f"{BEST}*"):
        if other != mine:
            shutil.rmtree(other, ignore_errors=True)


def recall(name: str, shop: Workshop, trial: FrozenTrial) -> Retriever[Any]:
    """The model of a finished trial: with its weights where they were left, else trained again."""
    folder = shop.context.part(name).folder
    found = None if folder is None else checkpoint.read(folder / f"{BEST}{trial.number}", _mark(trial))
    if found is None:
        return shop.train(name, trial.user_attrs["config"])
    model = shop.registry.create(name, found.facts["config"])
    assert isinstance(model, Neural)
    model.restore(found.arrays)
    model.epochs_done, model.by_epoch = int(found.facts["epochs"]), tuple(found.facts["by_epoch"])
    return model


def sweep(context: RunContext) -> None:
    """Trainings of trials that are done need no checkpoints."""
    if context.trainings is not None:
        shutil.rmtree(context.trainings, ignore_errors=True)


def _mark(trial: FrozenTrial) -> str:
    return f"trial {trial.number} {trial.value!r}"
