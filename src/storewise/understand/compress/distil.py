"""Knowledge distillation: a transformer of fewer layers learns a teacher's vectors on the shop's own texts.

The student starts as the teacher's embeddings and some of its layers (Sanh et al. 2019; Sun et al. 2019) and
minimises 1 − cos(student, teacher) over the catalogue's texts and pieces of one to three words of them, which look
like what shoppers type. Needs the extra ``finetune``; the result is served without torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from storewise.core.config import Config
from storewise.core.errors import ConfigError
from storewise.core.progress import Progress, Silent
from storewise.understand.base import Vectors
from storewise.understand.finetune.tower import Tower, require

WARM_UP = 0.05  # share of the steps in which the learning rate rises


class DistilConfig(Config):
    """``layers`` of the teacher that the student starts from, None for its last. ``pieces``: of each text."""

    layers: tuple[int, ...] | None = None
    steps: int = Field(default=400, ge=1)
    batch_size: int = Field(default=96, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0)
    pieces: int = Field(default=1, ge=0)


def pieces(texts: Sequence[str], each: int, rng: np.random.Generator) -> list[str]:
    """``each`` runs of one to three words of every text.

    >>> sorted(pieces(["red cup"], 9, np.random.default_rng(0)))[-1]
    'red cup'
    """
    found = []
    for text in texts:
        words = text.split()
        for _ in range(each if words else 0):
            size = int(rng.integers(1, 4))
            start = int(rng.integers(0, max(1, len(words) - size + 1)))
            found.append(" ".join(words[start : start + size]))
    return list(dict.fromkeys(found))


def shallow(teacher: Tower, layers: Sequence[int] | None = None) -> Tower:
    """A copy with these layers only.

    Raises:
        ConfigError: for a layer that is not there.
    """
    torch = require("torch")
    student = teacher.copy()
    stack = student.model.encoder.layer
    wanted = [len(stack) - 1] if layers is None else list(layers)
    if not wanted or any(not 0 <= layer < len(stack) for layer in wanted):
        raise ConfigError(
            f"Layers {wanted} of {len(stack)}.", next_step=f"Name some of 0 to {len(stack) - 1}."
        )
    student.model.encoder.layer = torch.nn.ModuleList([stack[layer] for layer in wanted])
    student.model.config.num_hidden_layers = len(wanted)
    return student


def distil(
    student: Tower,
    texts: Sequence[str],
    wanted: Vectors,
    config: DistilConfig,
    *,
    seed: int,
    progress: Progress | None = None,
) -> list[float]:
    """Train the student in place towards the teacher's unit vectors ``wanted`` (n, d) of ``texts``; the loss of each
    step."""
    torch = require("torch")
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    ids = student.ids(texts)
    told = [row for row, one in enumerate(ids) if one]
    student.train(False)  # no dropout: the target is exact
    parameters = [p for module in student.modules() for p in module.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, config.steps))
    losses = []
    for _ in (progress or Silent()).track(range(config.steps), label="distilling"):
        rows = rng.choice(told, min(config.batch_size, len(told)), replace=False)
        found = student.vectors([ids[row] for row in rows])
        loss = 1 - (found * torch.from_numpy(wanted[rows])).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return losses


def _rate(step: int, steps: int) -> float:
    """Linear warm-up, then half a cosine down to nothing."""
    warm = max(1, int(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
