"""What a text encoder is to learn from in a shop, and why: behaviour, descriptions, or the texts alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from storewise.core.config import Config
from storewise.core.errors import DataError
from storewise.data.dataset import Dataset
from storewise.data.interactions import DAY_S, Interactions
from storewise.engine.cold import ColdWindow, texts_of
from storewise.engine.finetuning.query_score import QueryScore, query_border
from storewise.engine.finetuning.scores import Score, cold_score, held_out, validation_window
from storewise.engine.history import History
from storewise.engine.queries.clicks import Clicks
from storewise.understand.finetune import pairs
from storewise.understand.finetune.contrastive import Contrastive, ContrastiveConfig
from storewise.understand.finetune.loop import LoopConfig
from storewise.understand.finetune.methods import MethodConfig
from storewise.understand.finetune.objectives import Objective
from storewise.understand.finetune.pairs import Pairs, Weighting
from storewise.understand.finetune.self_supervised import MaskedLanguage, SimCse, descriptions

ObjectiveName = Literal["auto", "contrastive", "simcse", "descriptions", "masked_language"]
NO_QUERY = "no click, cart or purchase names a query"
ENOUGH_PAIRS = 1000  # fewer pairs of behaviour teach a text encoder little more than their own texts
RATES = {"full": 2e-5, "lora": 5e-4, "adalora": 1e-2, "adapter": 1e-3, "head": 1e-3}
"""Learning rate by method where none is given: few parameters need larger steps."""


class FinetuneConfig(Config):
    """``learning_rate`` None: by method (``RATES``). ``sources``: which behaviour makes pairs.
    ``most_per_query``: products of a query that make pairs. ``validation_days``: length of the window that validates. ``bf16``: matrix products in bfloat16."""

    method: MethodConfig = MethodConfig()
    objective: ObjectiveName = "auto"
    sources: tuple[Literal["together", "after", "clicked"], ...] = ("together", "after", "clicked")
    weighting: Weighting = "cosine"
    min_baskets: int = Field(default=3, ge=1)
    most_per_query: int = Field(default=20, ge=1)
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
    """``objective`` and in words why it was taken; ``score`` and what it measures. ``queries``: how later queries are
    answered, None where the shop has too few."""

    objective: Objective
    reason: str
    score: Score
    measures: str
    queries: QueryScore | None = None


def lesson_of(
    history: History, clicks: Clicks | None, config: FinetuneConfig, *, seed: int
) -> Lesson:  # fmt: skip
    """What to learn from: behaviour when it gives enough pairs, else descriptions, else the titles alone."""
    texts = list(texts_of(history.whole))
    end = float(history.whole.interactions.end) if len(history.whole.interactions) else 0.0
    start = end - config.validation_days * DAY_S
    validation = validation_window(history, start)
    past, later = history.whole.interactions, None
    if validation is not None:  # what happened in the window is for validation alone
        past = validation.known.interactions
    if clicks is not None and "clicked" in config.sources and config.objective in ("auto", "contrastive"):
        border = start if validation is not None else query_border(clicks, start)
        later = QueryScore.of(clicks, border, texts, seed=seed)
        if later is not None and validation is None:
            past = history.until(border).interactions
        if later is not None or validation is not None:
            clicks = clicks.before(border)
    wanted = config.objective
    if wanted in ("auto", "contrastive"):
        every, found = behaviour_pairs(past, texts, clicks, config)
        if len(found) >= ENOUGH_PAIRS or (wanted == "contrastive" and len(found)):
            sources = [s for s in config.sources if s != "clicked" or clicks]
            why = f"learning from {len(found):,} pairs of the shop's behaviour ({', '.join(sources)}{_asked(clicks, config)})"
            objective = Contrastive(every, found, config.contrastive)
            return _with_score(objective, why, validation, texts, seed, later)
        if wanted == "contrastive":
            raise DataError(
                "The shop's behaviour gives no pair of products.",
                next_step="Lower min_baskets, or use --objective simcse.",
            )
        none = "" if clicks or "clicked" not in config.sources else f"{NO_QUERY}; "
        few = f"{none}the behaviour gives {len(found):,} pairs, {ENOUGH_PAIRS:,} are needed; "
    else:
        few = ""
    return _self_supervised(history.whole, texts, wanted, few, config, validation, seed)


def _asked(clicks: Clicks | None, config: FinetuneConfig) -> str:
    """What the reason says of queries, in brackets with the sources."""
    if "clicked" not in config.sources:
        return ""
    if not clicks:
        return f"; {NO_QUERY}"
    return f": {len(np.unique(clicks.queries)):,} queries"


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
        every, found = descriptions(titles, told)
        why = f"{few}learning which of {both:,} descriptions belongs to which title"
        return _with_score(
            Contrastive(every, found, config.contrastive, "descriptions"), why, validation, texts, seed
        )
    if wanted == "masked_language":
        why = f"{few}learning to guess hidden words of {len(texts):,} texts"
        return _with_score(MaskedLanguage(texts), why, validation, texts, seed)
    why = f"{few}learning from {len(texts):,} texts alone, each beside itself under dropout"
    return _with_score(SimCse(texts), why, validation, texts, seed)


def behaviour_pairs(
    behaviour: Interactions, texts: Sequence[str], clicks: Clicks | None,
    config: FinetuneConfig,
) -> tuple[list[str], Pairs]:  # fmt: skip
    """All texts (products, then queries) and the pairs of the sources asked for, each source weighing the same."""
    used = clicks if clicks and "clicked" in config.sources else None
    words = used.words if used is not None else []
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
    if used is not None:
        found.append(
            pairs.clicked_for(
                used.queries,
                used.products,
                n_queries=len(words),
                n_products=len(texts),
                who=used.who,
                most_per_query=config.most_per_query,
            )
        )
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


def _with_score(
    objective: Objective, reason: str, validation: ColdWindow | None, texts: list[str], seed: int,
    later: QueryScore | None = None,
) -> Lesson:  # fmt: skip
    if validation is not None:
        cold, measures = cold_score(validation, texts), "recall@20 of new products"
        if later is None:
            return Lesson(objective, reason, cold, f"{measures} (validation)")
        # One encoder serves both: neither may be bought with the other.
        both = f"mean of {measures} and of clicked products for later queries (validation)"
        return Lesson(objective, reason, lambda tower: (cold(tower) + later(tower)) / 2, both, later)
    if later is not None:
        told = "recall@20 of clicked products for later queries (validation)"
        return Lesson(objective, reason, later, told, later)
    held = held_out(objective, texts, seed)
    if isinstance(objective, Contrastive):
        return Lesson(objective, reason, held, "mean reciprocal rank of held-out pairs")
    return Lesson(objective, reason, held, "minus the loss of held-out texts")
