"""Fine-tune a text encoder on a shop: what to learn from, a validation score before and after, one folder."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from storewise.core.errors import ConfigError
from storewise.core.progress import Progress
from storewise.data.dataset import Dataset
from storewise.engine.cold import texts_of
from storewise.engine.finetuning.lessons import FinetuneConfig, lesson_of
from storewise.engine.history import read_history
from storewise.engine.queries.clicks import Clicks, query_clicks
from storewise.understand.finetune import folder as folders
from storewise.understand.finetune.loop import Outcome, fit
from storewise.understand.finetune.methods import adapt
from storewise.understand.finetune.tower import Tower


@dataclass(frozen=True)
class Finetuned:
    """``facts``: what finetune.json says."""

    folder: Path
    outcome: Outcome
    facts: dict[str, Any]


def finetune(
    shop: Path | None,
    out: Path,
    config: FinetuneConfig,
    *,
    model: Path | None = None,
    resume: bool = False,
    loggers: tuple[str, ...] = (),
    seed: int = 0,
    progress: Progress,
) -> Finetuned:
    """Fine-tune on an ingested shop (None: the embedded data) and write the folder ``out``.

    Curves and checkpoints are in ``out`` with ``-run`` behind its name, until the next run there.

    Raises:
        DataError: when the shop has no text, or too little behaviour for the objective that was named.
        ConfigError: when a checkpoint to resume belongs to another run.
        ArtifactError: when the encoder's folder is incomplete.
        MissingExtra: without torch, transformers, onnx or peft.
    """
    started = time.perf_counter()
    tower = Tower.load(model, max_length=config.max_length, bf16=config.bf16)
    history = read_history(shop)
    clicks = query_clicks(shop) if shop is not None else None
    lesson = lesson_of(history, clicks, config, seed=seed)
    progress.note(lesson.reason)
    data, base = fingerprint(history.whole, clicks), sha256_of(tower.folder / "model.safetensors")
    run = out.with_name(f"{out.name}-run")
    before = lesson.queries.values(tower) if lesson.queries is not None else {}
    adapted = adapt(tower, config.method, steps=config.steps, seed=seed)
    outcome = fit(
        adapted, lesson.objective, config.loop(), score=lesson.score, seed=seed, folder=run, resume=resume,
        loggers=loggers, progress=progress, about=f"{data} {base}",
    )  # fmt: skip
    facts = {
        "base": tower.folder.name, "base_sha256": base, "data_sha256": data, "method": config.method.model_dump(mode="json"),
        "objective": lesson.objective.name, "reason": lesson.reason, "measures": lesson.measures,
        "score_before": outcome.before, "score_after": outcome.best_trained, "best_step": outcome.best_step,
        "trained_parameters": adapted.n_trained, "seed": seed, "seconds": round(time.perf_counter() - started, 1),
        "config": config.model_dump(mode="json"), "max_length": config.max_length,
    }  # fmt: skip
    merged = adapted.merge()
    if lesson.queries is not None:
        facts["queries"] = lesson.queries.report(before, lesson.queries.values(merged), seed=seed)
    folders.write(out, merged, facts)
    return Finetuned(out, outcome, facts)


def sha256_of(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def fingerprint(shop: Dataset, clicks: Clicks | None = None) -> str:
    """Of catalogue, behaviour and queries: what a checkpoint may be resumed on."""
    digest = hashlib.sha256("\x1f".join(texts_of(shop)).encode())
    for column in (shop.interactions.customers, shop.interactions.products, shop.interactions.at):
        digest.update(np.ascontiguousarray(column).tobytes())
    if clicks is not None:
        digest.update("\x1f".join(clicks.words).encode())
        for told in (clicks.queries, clicks.products, clicks.at, clicks.who):
            digest.update(np.ascontiguousarray(told).tobytes())
    return digest.hexdigest()[:16]


def check_name(name: str) -> None:
    """Refuse a model name that would leave the shop's folder.

    Raises:
        ConfigError: for anything but letters, digits, dots, dashes and underscores.
    """
    if not name or name.startswith(".") or not all(c.isalnum() or c in "._-" for c in name):
        raise ConfigError(
            f"{name!r} cannot name a model.", next_step="Use letters, digits, dots, dashes and underscores."
        )
