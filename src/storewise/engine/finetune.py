"""Fine-tune a text encoder on a shop: what to learn from, a validation score before and after, one folder."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from storewise.core.config import Config
from storewise.core.errors import ConfigError, DataError
from storewise.core.progress import Progress
from storewise.core.rng import spawn
from storewise.data.dataset import Dataset
from storewise.data.interactions import Interactions
from storewise.engine.cold import ColdWindow, texts_of, window
from storewise.engine.history import History, read_history
from storewise.understand.affinity import AffinityConfig
from storewise.understand.finetune import folder as folders
from storewise.understand.finetune import objectives, pairs
from storewise.understand.finetune.loop import LoopConfig, Outcome, fit
from storewise.understand.finetune.methods import MethodConfig, adapt
from storewise.understand.finetune.objectives import Contrastive, ContrastiveConfig, Objective
from storewise.understand.finetune.pairs import Pairs, Weighting
from storewise.understand.finetune.tower import Tower

ObjectiveName = Literal["auto", "contrastive", "simcse", "descriptions", "masked_language"]
Score = Callable[[Tower], float]
ENOUGH_PAIRS = 1000  # fewer pairs of behaviour teach a text encoder little more than their own texts
ENOUGH_CUSTOMERS = 30  # in a validation window of new products
HELD_SHARE = 0.1  # of the texts, where no time window can validate
RATES = {"full": 2e-5, "lora": 5e-4, "adalora": 2e-3, "adapter": 1e-3, "head": 1e-3}
"""Learning rate by method where none is given: few parameters need larger steps."""


class FinetuneConfig(Config):
    """``learning_rate`` None: by method (``RATES``). ``sources``: which behaviour makes pairs.
    ``validation_days``: length of the window that validates. ``bf16``: matrix products in bfloat16."""

    method: MethodConfig = MethodConfig()
    objective: ObjectiveName = "auto"
    sources: tuple[Literal["together", "after", "clicked"], ...] = ("together", "after", "clicked")
    weighting: Weighting = "cosine"
    min_baskets: int = Field(default=3, ge=1)
    contrastive: ContrastiveConfig = ContrastiveConfig()
    steps: int = Field(default=200, ge=1)
    learning_rate: float | None = Field(default=None, gt=0)
    validate_every: int = Field(default=25, ge=1)
    patience: int = Field(default=3, ge=0)
    validation_days: float = Field(default=84.0, gt=0)
    max_length: int = Field(default=64, ge=4)
    bf16: bool = False

    def loop(self) -> LoopConfig:
        rate = self.learning_rate or RATES[self.method.method]
        return LoopConfig(
            steps=self.steps, learning_rate=rate, validate_every=self.validate_every, patience=self.patience,
            may_keep_start=False,
        )  # fmt: skip


@dataclass(frozen=True)
class Lesson:
    """``objective`` and in words why it was taken; ``score`` and what it measures."""

    objective: Objective
    reason: str
    score: Score
    measures: str


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
    queries = query_clicks(shop) if shop is not None else None
    lesson = lesson_of(history, queries, config, seed=seed)
    progress.note(lesson.reason)
    run = out.with_name(f"{out.name}-run")
    adapted = adapt(tower, config.method, steps=config.steps, seed=seed)
    outcome = fit(
        adapted, lesson.objective, config.loop(), score=lesson.score, seed=seed, folder=run, resume=resume,
        loggers=loggers, progress=progress, about=fingerprint(history.whole),
    )  # fmt: skip
    facts = {
        "base": tower.folder.name, "method": config.method.model_dump(mode="json"),
        "objective": lesson.objective.name, "reason": lesson.reason, "measures": lesson.measures,
        "score_before": outcome.before, "score_after": outcome.best_trained, "best_step": outcome.best_step,
        "trained_parameters": adapted.n_trained, "seed": seed, "seconds": round(time.perf_counter() - started, 1),
        "config": config.model_dump(mode="json"), "max_length": config.max_length,
    }  # fmt: skip
    folders.write(out, adapted.merge(), facts)
    return Finetuned(out, outcome, facts)


def lesson_of(
    history: History, queries: tuple[npt.NDArray[np.int64], list[str]] | None, config: FinetuneConfig, *, seed: int
) -> Lesson:  # fmt: skip
    """What to learn from: behaviour when it gives enough pairs, else descriptions, else the titles alone."""
    texts = list(texts_of(history.whole))
    end = float(history.whole.interactions.end) if len(history.whole.interactions) else 0.0
    start = end - config.validation_days * 86_400.0
    validation = _validation(history, start)
    past = history.until(start).interactions if validation is not None else history.whole.interactions
    wanted = config.objective
    if wanted in ("auto", "contrastive"):
        every, found = behaviour_pairs(past, texts, queries, config)
        if len(found) >= ENOUGH_PAIRS or (wanted == "contrastive" and len(found)):
            why = f"learning from {len(found):,} pairs of the shop's behaviour ({', '.join(config.sources)})"
            return _with_score(Contrastive(every, found, config.contrastive), why, validation, texts, seed)
        if wanted == "contrastive":
            raise DataError(
                "The shop's behaviour gives no pair of products.",
                next_step="Lower min_baskets, or use --objective simcse.",
            )
        few = f"the behaviour gives {len(found):,} pairs, {ENOUGH_PAIRS:,} are needed; "
    else:
        few = ""
    return _self_supervised(history.whole, texts, wanted, few, config, validation, seed)


def _self_supervised(
    shop: Dataset, texts: list[str], wanted: ObjectiveName, few: str, config: FinetuneConfig,
    validation: ColdWindow | None, seed: int,
) -> Lesson:  # fmt: skip
    titles = shop.products["title"].fill_null("").to_list()
    told = (
        shop.products["description"].fill_null("").to_list() if "description" in shop.products.columns else []
    )
    both = sum(bool(a.strip() and b.strip()) for a, b in zip(titles, told, strict=False))
    if wanted == "descriptions" or (wanted == "auto" and both >= ENOUGH_PAIRS):
        if not both:
            raise DataError("No product has title and description.", next_step="Use --objective simcse.")
        every, found = objectives.descriptions(titles, told)
        why = f"{few}learning which of {both:,} descriptions belongs to which title"
        return _with_score(
            Contrastive(every, found, config.contrastive, "descriptions"), why, validation, texts, seed
        )
    if wanted == "masked_language":
        why = f"{few}learning to guess hidden words of {len(texts):,} texts"
        return _with_score(objectives.MaskedLanguage(texts), why, validation, texts, seed)
    why = f"{few}learning from {len(texts):,} texts alone, each beside itself under dropout"
    return _with_score(objectives.SimCse(texts), why, validation, texts, seed)


def behaviour_pairs(
    behaviour: Interactions, texts: Sequence[str], queries: tuple[npt.NDArray[np.int64], list[str]] | None,
    config: FinetuneConfig,
) -> tuple[list[str], Pairs]:  # fmt: skip
    """All texts (products, then queries) and the pairs of the sources asked for, each source weighing the same."""
    from scipy import sparse

    rows, words = (
        queries if queries is not None and "clicked" in config.sources else (np.zeros((0, 2), np.int64), [])
    )
    every, n = [*texts, *words], len(texts) + len(words)
    found: list[Pairs] = []
    if "together" in config.sources:
        found.append(
            pairs.bought_together(behaviour, weighting=config.weighting, min_baskets=config.min_baskets)
        )
    if "after" in config.sources:
        found.append(
            pairs.bought_after(behaviour, weighting=config.weighting, min_baskets=config.min_baskets)
        )
    if len(rows):
        found.append(pairs.clicked_for(rows[:, 0], rows[:, 1], n_queries=len(words), n_products=len(texts)))
    found = [one for one in found if len(one)]
    observed = sparse.csr_matrix((n, n))
    for one in found:
        observed = observed + sparse.csr_matrix(
            (one.observed.data, one.observed.indices, _longer(one.observed.indptr, n)), shape=(n, n)
        )
    if not found:
        nothing = np.zeros(0, np.int64)
        return every, Pairs(nothing, nothing, np.zeros(0), observed)
    joined = Pairs(
        np.concatenate([one.left for one in found]), np.concatenate([one.right for one in found]),
        np.concatenate([one.weight / one.weight.sum() for one in found]), observed.tocsr(),
    )  # fmt: skip
    return every, pairs.without_twins(joined, every)


def _longer(indptr: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
    return np.concatenate([indptr, np.full(n + 1 - len(indptr), indptr[-1], indptr.dtype)])


def query_clicks(shop: Path) -> tuple[npt.NDArray[np.int64], list[str]] | None:
    """(rows of query number and product index, the queries' words) of a shop's clicks and purchases with a query."""
    from storewise.data.stores import Store

    with Store.open(shop, create=False) as store:
        products, events = store.products().sort("product_id"), store.events()
    known = events.filter(pl.col("query").is_not_null() & (pl.col("query").str.strip_chars() != ""))
    known = known.filter(pl.col("kind").cast(pl.String).is_in(["click", "cart", "purchase"]))
    if not known.height:
        return None
    index = products.select("product_id", pl.int_range(pl.len(), dtype=pl.Int64).alias("product"))
    told = known.join(index, on="product_id").with_columns(
        pl.col("query").str.strip_chars().str.to_lowercase().alias("words")
    )
    words = told["words"].unique().sort()
    numbers = pl.DataFrame({"words": words, "number": np.arange(len(words))})
    rows = told.join(numbers, on="words").select("number", "product").to_numpy().astype(np.int64)
    return rows, words.to_list()


def _validation(history: History, start: float) -> ColdWindow | None:
    """The last window's new products, where enough customers bought them."""
    if not (history.whole.interactions.at < start).any():
        return None
    try:
        found = window(history, start, float(np.nextafter(history.whole.interactions.end, np.inf)))
    except DataError:
        return None
    return found if len(found.histories) >= ENOUGH_CUSTOMERS and len(found.candidates) > 20 else None


def _with_score(
    objective: Objective, reason: str, validation: ColdWindow | None, texts: list[str], seed: int
) -> Lesson:  # fmt: skip
    if validation is not None:
        return Lesson(
            objective, reason, cold_score(validation, texts), "recall@20 of new products (validation)"
        )
    held = held_out(objective, texts, seed)
    if isinstance(objective, Contrastive):
        return Lesson(objective, reason, held, "mean reciprocal rank of held-out pairs")
    return Lesson(objective, reason, held, "minus the loss of held-out texts")


def cold_score(validation: ColdWindow, texts: Sequence[str], config: AffinityConfig | None = None) -> Score:
    """Recall@20 of the window's new products, ranked for its customers by a tower's vectors."""
    needed = validation.needed

    def score(tower: Tower) -> float:
        vectors = np.zeros((len(texts), tower.dimensions), np.float32)
        vectors[needed] = tower.encode([texts[i] for i in needed])
        found = validation.values(validation.scores(vectors, config or AffinityConfig()))
        return float(np.nanmean(found[:, 0]))

    return score


def held_out(objective: Objective, texts: list[str], seed: int) -> Score:
    """Take a share away from what the objective learns from, and score on that.

    Pairs whose two texts are both held out: mean reciprocal rank of the partner among the held-out texts. Texts
    alone: minus the loss on the held-out ones, with the same draw at each call.
    """
    rng = spawn(seed, "finetune", "held out")
    if isinstance(objective, Contrastive):
        held = np.zeros(len(objective.texts), bool)
        held[rng.random(len(held)) < HELD_SHARE * 3] = True
        both = held[objective.pairs.left] & held[objective.pairs.right]
        p = objective.pairs
        left, right = p.left[both], p.right[both]
        if not len(left) or both.all():
            raise DataError("There are too few pairs to validate.", next_step="Give more behaviour.")
        objective.keep(~(held[p.left] | held[p.right]))
        return lambda tower: _reciprocal_rank(tower, objective.texts, np.flatnonzero(held), left, right)
    cut = max(2, round(HELD_SHARE * len(texts)))
    order = rng.permutation(len(texts))
    kept, taken = [texts[i] for i in order[cut:]], [texts[i] for i in order[:cut]]
    twin = type(objective)(taken)  # type: ignore[call-arg]
    objective.texts = kept  # type: ignore[attr-defined]
    objective.__post_init__()  # type: ignore[attr-defined]

    def score(tower: Tower) -> float:
        twin.refresh(tower, 0)
        return -float(twin.loss(tower, spawn(seed, "finetune", "score")).detach())

    return score


def _reciprocal_rank(
    tower: Tower, texts: Sequence[str], held: npt.NDArray[np.int64], left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
) -> float:  # fmt: skip
    place = np.full(len(texts), -1)
    place[held] = np.arange(len(held))
    vectors = tower.encode([texts[i] for i in held])
    similar = vectors @ vectors.T
    np.fill_diagonal(similar, -2.0)
    of = similar[place[left]]
    rank = (of >= similar[place[left], place[right]][:, None]).sum(axis=1)
    return float((1.0 / rank).mean())


def fingerprint(shop: Dataset) -> str:
    """Of catalogue and behaviour: what a checkpoint may be resumed on."""
    digest = hashlib.sha256("\x1f".join(texts_of(shop)).encode())
    for column in (shop.interactions.customers, shop.interactions.products, shop.interactions.at):
        digest.update(np.ascontiguousarray(column).tobytes())
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
