"""Fine-tuning within ``cold-items``: once before the validation window, and once more before the test window."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from storewise.core.progress import Progress
from storewise.core.rng import derive_seed
from storewise.data.dataset import Dataset
from storewise.engine.cold import ColdWindow
from storewise.engine.finetuning.lessons import FinetuneConfig, behaviour_pairs
from storewise.understand.base import Vectors
from storewise.understand.finetune import folder as folders
from storewise.understand.finetune.contrastive import Contrastive, ContrastiveConfig
from storewise.understand.finetune.loop import LoopConfig, Outcome, fit
from storewise.understand.finetune.methods import MethodConfig, adapt
from storewise.understand.finetune.tower import Tower
from storewise.understand.text.onnx_text import OnnxText, OnnxTextConfig

BATCH, STEPS = 128, 50  # what fits a benchmark on one core
MAX_LENGTH = 48
RATES = {"full": 5e-5, "lora": 1e-3, "adalora": 2e-2, "adapter": 2e-3, "head": 2e-3}
"""Set by hand from the training loss before the validation window at a few trial rates; docs/finetune.md says what had
been seen by then."""


@dataclass(frozen=True)
class Tuned:
    """Vectors of all products by the model trained before each window (rows that the window does not read are
    zero), and what training cost: ``training_s`` and ``peak_mb`` (0 where the system cannot tell) of the last run."""

    name: str
    on_validation: Vectors
    on_test: Vectors
    trained_parameters: int
    seconds: float
    training_s: float
    peak_mb: float
    config: dict[str, Any]


def tune_methods(
    methods: Sequence[str],
    texts: Sequence[str],
    validation: ColdWindow,
    test: ColdWindow,
    *,
    seed: int,
    progress: Progress,
) -> list[Tuned]:
    """Each method, trained before the validation window, and anew before the test window."""
    return [_tune(name, texts, validation, test, seed, progress) for name in methods]


def _tune(
    name: str, texts: Sequence[str], validation: ColdWindow, test: ColdWindow, seed: int, progress: Progress
) -> Tuned:
    started = time.perf_counter()
    on_validation = _train(name, texts, validation, seed, progress)[0]
    gc.collect()
    before = reset_peak()
    on_test, outcome, parameters, peak = _train(name, texts, test, seed, progress)
    about = {"steps": STEPS, "learning_rate": RATES[name], "batch_size": BATCH,
             **MethodConfig(method=name).model_dump(mode="json")}  # type: ignore[arg-type]  # fmt: skip
    return Tuned(
        name, on_validation, on_test, parameters, time.perf_counter() - started, outcome.seconds,
        max(peak - before, 0.0), about,
    )  # fmt: skip


def _train(
    name: str, texts: Sequence[str], asked: ColdWindow, seed: int, progress: Progress
) -> tuple[Vectors, Outcome, int, float]:
    """Train on what lies before a window: vectors for it, the outcome, trained parameters, peak memory (MB)."""
    tower = Tower.load(max_length=MAX_LENGTH, bf16=has_bf16())
    method = MethodConfig(method=name)  # type: ignore[arg-type]
    adapted = adapt(tower, method, steps=STEPS, seed=derive_seed(seed, name) % 2**31)
    loop = LoopConfig(
        steps=STEPS, learning_rate=RATES[name], validate_every=STEPS, patience=0, may_keep_start=False
    )
    objective = _objective(asked.known, texts)
    progress.note(f"{name}: {len(objective.pairs):,} pairs")
    outcome = fit(adapted, objective, loop, score=lambda tower: 0.0, seed=seed, progress=progress)
    peak, parameters = peak_mb(), adapted.n_trained
    return encode(adapted.merge(), texts, asked, progress), outcome, parameters, peak


def _objective(known: Dataset, texts: Sequence[str]) -> Contrastive:
    config = FinetuneConfig(
        sources=("together",), weighting="count", contrastive=ContrastiveConfig(batch_size=BATCH, positives="all", centred=True)
    )  # fmt: skip
    every, found = behaviour_pairs(known.interactions, texts, None, config)
    return Contrastive(every, found, config.contrastive)


def encode(tower: Tower, texts: Sequence[str], asked: ColdWindow, progress: Progress) -> Vectors:
    """(n_products, d) as it would be served, in int8: the rows that the window reads, zero elsewhere."""
    with tempfile.TemporaryDirectory() as scratch:
        folders.write_onnx(Path(scratch) / "model", tower, {})
        served = OnnxText(OnnxTextConfig(folder=Path(scratch) / "model", max_length=MAX_LENGTH, threads=1))
        vectors = np.zeros((len(texts), served.dimensions), np.float32)
        vectors[asked.needed] = served([texts[i] for i in asked.needed], progress=progress)
    return vectors


def has_bf16() -> bool:
    """Whether the processor multiplies in bfloat16 by itself (Linux says so)."""
    try:
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def reset_peak() -> float:
    """Start measuring the process's peak memory anew (Linux); its size now, MB, 0 where that is not possible."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return 0.0
    return peak_mb()


def peak_mb() -> float:
    """The process's peak memory since the last reset, MB; 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    kib = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), "0")
    return int(kib) / 1024
