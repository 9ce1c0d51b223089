"""BERT as a recommender: a two-tower and a cross-encoder over the text of a history and the title of a candidate.

Two-tower (Yi et al. 2019), one shared tower, unit vectors u of histories and v of titles, temperature t, batch B::

    L = − mean_i log( exp(s_ii) / Σ_{j ∈ B not masked for i} exp(s_ij) ),   s_ij = u_i · v_j / t − log q_j

q_j is the share of j among the examples' wanted products: what is drawn often must not lose for it. Column j is masked
for row i where i's customer bought j at any time before the border, or it has the text of i's own.

Cross-encoder (Nogueira & Cho 2019), ``[CLS] history [SEP] title [SEP]``, f = w · mean of the last layer + b, over the
wanted product 0 and real negatives 1 … k::

    L = − mean_i log( exp(f_i0) / Σ_{c=0…k} exp(f_ic) )
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.progress import Progress, Silent
from storewise.understand.base import Vectors
from storewise.understand.finetune.contrastive import HIDDEN
from storewise.understand.finetune.methods import Adapted
from storewise.understand.finetune.objectives import Stateless
from storewise.understand.finetune.pairs import Ints
from storewise.understand.finetune.reading import Examples
from storewise.understand.finetune.tower import Tower, evaluating, padded, require

Ids = Sequence[Sequence[int]]


@dataclass
class TwoTower(Stateless):
    """``histories`` (e) and ``titles`` (n_products): token ids; ``text_of`` (n_products,): equal for equal titles."""

    examples: Examples
    histories: Ids
    titles: Ids
    text_of: Ints
    batch_size: int = 32
    temperature: float = 0.05
    name: str = "two-tower"

    def __post_init__(self) -> None:
        counts = np.bincount(self.examples.wanted, minlength=len(self.titles))
        self._log_q = np.log(np.maximum(counts, 1) / len(self.examples)).astype(np.float32)
        told = [
            bool(h) and bool(self.titles[j])
            for h, j in zip(self.histories, self.examples.wanted, strict=True)
        ]
        self._told = np.flatnonzero(told)

    def loss(self, tower: Tower, rng: np.random.Generator) -> Any:
        torch = require("torch")
        rows = rng.choice(self._told, min(self.batch_size, len(self._told)), replace=False)
        wanted = self.examples.wanted[rows]
        u = tower.vectors([self.histories[row] for row in rows])
        v = tower.vectors([self.titles[product] for product in wanted])
        logits = u @ v.T / self.temperature - torch.from_numpy(self._log_q[wanted])
        logits = logits.masked_fill(torch.from_numpy(self.masked(rows)), HIDDEN)
        return torch.nn.functional.cross_entropy(logits, torch.arange(len(rows)))

    def masked(self, rows: Ints) -> npt.NDArray[np.bool_]:
        """(b, b): false negatives of these examples among each other's wanted products."""
        wanted = self.examples.wanted[rows]
        found = np.asarray(self.examples.bought[rows][:, wanted].todense()) > 0
        found |= self.text_of[wanted][:, None] == self.text_of[wanted][None, :]
        np.fill_diagonal(found, False)
        return found


@dataclass
class CrossEncoder(Stateless):
    """``negatives`` (e, k): see :func:`storewise.understand.finetune.reading.negatives_of`."""

    examples: Examples
    histories: Ids
    titles: Ids
    negatives: Ints
    batch_size: int = 8
    name: str = "cross-encoder"

    def loss(self, tower: Tower, rng: np.random.Generator) -> Any:
        torch = require("torch")
        rows = rng.choice(len(self.examples), min(self.batch_size, len(self.examples)), replace=False)
        products = np.concatenate([self.examples.wanted[rows][:, None], self.negatives[rows]], axis=1)
        firsts = [self.histories[row] for row in rows for _ in range(products.shape[1])]
        found = logits(tower, firsts, [self.titles[product] for product in products.ravel()])
        return torch.nn.functional.cross_entropy(
            found.reshape(products.shape), torch.zeros(len(rows), dtype=torch.int64)
        )


def with_logit(adapted: Adapted, *, seed: int) -> Adapted:
    """Give an adapted tower the head of a cross-encoder: d → 1, trained, small at first."""
    torch = require("torch")
    torch.manual_seed(seed)
    head = torch.nn.Linear(adapted.tower.dimensions, 1)
    torch.nn.init.normal_(head.weight, std=0.02)
    torch.nn.init.zeros_(head.bias)
    adapted.tower.head = head
    return adapted


def joined(first: Sequence[int], second: Sequence[int], most: int) -> tuple[list[int], int]:
    """``[CLS] first [SEP] second [SEP]`` of at most ``most`` tokens, and where the second begins. What is too long is
    cut at the end of the first, then of the second; an empty first leaves its marks out.

    >>> joined([1, 5, 6, 7, 2], [1, 8, 2], 6)
    ([1, 5, 6, 2, 8, 2], 4)
    """
    if not first:
        return list(second[:most]), 0
    tail = list(second[1:])[: most // 2]
    head = list(first)
    if len(head) + len(tail) > most:
        head = [*head[: most - len(tail) - 1], head[-1]]
    return head + tail, len(head)


def logits(tower: Tower, firsts: Ids, seconds: Ids) -> Any:
    """(n,) torch logits of pairs of token ids, with a gradient where one is kept."""
    torch = require("torch")
    pairs = [joined(a, b, tower.max_length) for a, b in zip(firsts, seconds, strict=True)]
    tokens, mask = padded([ids or [0] for ids, _ in pairs])
    kinds = np.zeros_like(tokens)
    for row, (ids, start) in enumerate(pairs):
        kinds[row, start : len(ids)] = 1
    given = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": kinds}
    with torch.autocast("cpu", torch.bfloat16, enabled=tower.bf16):
        hidden = tower.model(
            **{name: torch.from_numpy(value) for name, value in given.items()}
        ).last_hidden_state
    weight = torch.from_numpy(mask)[:, :, None].float()
    return tower.project((hidden.float() * weight).sum(1) / weight.sum(1))[:, 0]


def pair_scores(
    tower: Tower, histories: Ids, titles: Ids, candidates: Ints, *, progress: Progress | None = None, label: str = "",
    batch_size: int = 64,
) -> Vectors:  # fmt: skip
    """(b, depth) logits of ``candidates`` (b, depth) of each shopper, -inf where one is -1 or has no text."""
    torch = require("torch")
    out = np.full(candidates.shape, -np.inf, np.float32)
    rows, columns = np.nonzero(candidates >= 0)
    told = np.array([bool(titles[candidates[r, c]]) for r, c in zip(rows, columns, strict=True)], bool)
    rows, columns = rows[told], columns[told]
    sizes = [len(histories[r]) + len(titles[candidates[r, c]]) for r, c in zip(rows, columns, strict=True)]
    order = np.argsort(sizes, kind="stable")
    starts = range(0, len(order), batch_size)
    with evaluating(tower), torch.no_grad():
        for start in (progress or Silent()).track(starts, label=label or "reading pairs", total=len(starts)):
            part = order[start : start + batch_size]
            r, c = rows[part], columns[part]
            out[r, c] = logits(
                tower, [histories[i] for i in r], [titles[j] for j in candidates[r, c]]
            ).numpy()
    return out
