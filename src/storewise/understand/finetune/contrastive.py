"""Contrastive learning from pairs of texts.

InfoNCE (van den Oord et al. 2018), for pairs (a_i, b_i) and columns c (all b of the batch, then mined
hard negatives), with unit vectors z and temperature t::

    L = − mean_i log( exp(z_ai · z_bi / t) / Σ_{c not masked for i} exp(z_ai · z_c / t) )

and the same from b to a; the two are averaged. A column is masked for row i where it is the same product or text as
a_i or b_i, or was observed with a_i: a false negative (Chuang et al. 2020 say why that matters).

With ``positives = "all"`` a batch is n texts drawn alike, and a row's target is spread over all its partners in the
batch by the weight w of the pairs, so that one step learns from all pairs among n texts (like the supervised
contrastive loss of Khosla et al. 2020, weighted)::

    L = − mean_i Σ_j (w_ij / Σ_k w_ik) log( exp(u_i · u_j / t) / Σ_{k ≠ i, other text} exp(u_i · u_k / t) )

over rows with a partner; u is z, less the batch's mean and scaled to length 1 where ``centred``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.config import Config
from storewise.understand.finetune.negatives import Mask, masked_columns, mine, text_numbers
from storewise.understand.finetune.pairs import Ints, Pairs
from storewise.understand.finetune.tower import Tower, require

HIDDEN = -1e4  # the logit of a masked column


class ContrastiveConfig(Config):
    """``batch_size``: pairs a step (with ``positives`` "all": texts). ``temperature``: t, learned from there where
    ``learn_temperature``. ``hard_negatives``: mined ones for each pair, refreshed every ``refresh_steps``. ``anchor``: weight of
    1 − z · z⁰, which holds vectors near those of the encoder before."""

    batch_size: int = Field(default=128, ge=2)
    temperature: float = Field(default=0.1, gt=0)
    learn_temperature: bool = False
    hard_negatives: int = Field(default=0, ge=0, le=16)
    refresh_steps: int = Field(default=50, ge=1)
    anchor: float = Field(default=0.0, ge=0)
    positives: Literal["one", "all"] = "one"
    centred: bool = False


def info_nce(rows: Any, columns: Any, masked: Mask, temperature: Any) -> Any:
    """The loss above, one way: ``rows`` (b, d), ``columns`` (b + h, d) with the positive of row i at i."""
    torch = require("torch")
    logits = (rows @ columns.T / temperature).masked_fill(torch.from_numpy(masked), HIDDEN)
    return torch.nn.functional.cross_entropy(logits, torch.arange(len(rows)))


@dataclass
class Contrastive:
    """Pairs of ``texts`` by index."""

    texts: Sequence[str]
    pairs: Pairs
    config: ContrastiveConfig = field(default_factory=ContrastiveConfig)
    name: str = "contrastive"

    def __post_init__(self) -> None:
        self._share = np.cumsum(self.pairs.weight / self.pairs.weight.sum())
        self._text_of = text_numbers(self.texts)
        self._ids: list[list[int]] | None = None
        self._hard: Ints | None = None
        self._weights: Any = None
        self._drawn: Ints = np.zeros(0, np.int64)
        self._before: npt.NDArray[np.float32] | None = None
        torch = require("torch")
        start = torch.tensor(float(np.log(self.config.temperature)))
        self._log_t = torch.nn.Parameter(start, requires_grad=self.config.learn_temperature)

    def keep(self, mask: Mask) -> None:
        """Learn from these pairs alone."""
        p = self.pairs
        self.pairs, self._weights = Pairs(p.left[mask], p.right[mask], p.weight[mask], p.observed), None
        self._share = np.cumsum(self.pairs.weight / self.pairs.weight.sum())

    def extra(self) -> dict[str, Any]:
        return {"log_temperature": self._log_t} if self.config.learn_temperature else {}

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {} if self._hard is None else {"hard": self._hard}

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        self._hard = state.get("hard")

    def refresh(self, tower: Tower, step: int) -> None:
        """Token ids once; the nearest texts that were never observed together, when due."""
        if self._ids is None:
            self._ids = tower.ids(self.texts)
        used = np.union1d(self.pairs.left, self.pairs.right)
        if self.config.anchor and self._before is None:
            self._before = _encoded(tower, self.texts, used)
        if (
            self.config.hard_negatives
            and self.config.positives == "one"
            and step % self.config.refresh_steps == 0
        ):
            vectors = _encoded(tower, self.texts, used)
            self._hard = mine(vectors, used, self.pairs, self._text_of, self.config.hard_negatives)

    def loss(self, tower: Tower, rng: np.random.Generator) -> Any:
        return self._of_pairs(tower, rng) if self.config.positives == "one" else self._of_texts(tower, rng)

    def _of_texts(self, tower: Tower, rng: np.random.Generator) -> Any:
        torch = require("torch")
        assert self._ids is not None
        if self._weights is None:
            self._weights, self._drawn = _symmetric(self.pairs, len(self.texts))
        rows = rng.choice(self._drawn, min(self.config.batch_size, len(self._drawn)), replace=False)
        z = tower.vectors([self._ids[i] for i in rows])
        u = torch.nn.functional.normalize(z - z.mean(0), dim=1) if self.config.centred else z
        same = self._text_of[rows][:, None] == self._text_of[rows][None, :]
        logits = (u @ u.T / self._log_t.exp()).masked_fill(torch.from_numpy(same), HIDDEN)
        weight = np.where(same, 0.0, np.asarray(self._weights[rows][:, rows].todense())).astype(np.float32)
        total = weight.sum(axis=1)
        told = np.flatnonzero(total > 0)
        if not len(told):
            return z.sum() * 0.0
        target = torch.from_numpy(weight[told] / total[told][:, None])
        found = -(target * torch.log_softmax(logits[torch.from_numpy(told)], dim=1)).sum(1).mean()
        return found + self._anchor(z, rows)

    def _anchor(self, z: Any, rows: Ints) -> Any:
        if not self.config.anchor:
            return 0.0
        assert self._before is not None
        before = require("torch").from_numpy(self._before[rows])
        return self.config.anchor * (1 - (z * before).sum(1)).mean()

    def _of_pairs(self, tower: Tower, rng: np.random.Generator) -> Any:
        chosen = np.searchsorted(self._share, rng.random(self.config.batch_size), side="right")
        chosen = np.minimum(chosen, len(self.pairs) - 1)
        turned = rng.random(len(chosen)) < 0.5
        left, right = self.pairs.left[chosen], self.pairs.right[chosen]
        a, b = np.where(turned, right, left), np.where(turned, left, right)
        hard = self._hard_of(a, rng)
        every, place = np.unique(np.concatenate([a, b, hard]), return_inverse=True)
        assert self._ids is not None
        z = tower.vectors([self._ids[i] for i in every])
        za, zb, zh = z[place[: len(a)]], z[place[len(a) : 2 * len(a)]], z[place[2 * len(a) :]]
        torch = require("torch")
        t = self._log_t.exp()
        columns = torch.cat([zb, zh])
        forth = info_nce(za, columns, self._masked(a, b, np.concatenate([b, hard])), t)
        back = info_nce(zb, za, self._masked(b, a, a), t)
        return (forth + back) / 2 + self._anchor(z, every)

    def _hard_of(self, a: Ints, rng: np.random.Generator) -> Ints:
        if self._hard is None:
            return np.zeros(0, np.int64)
        found = self._hard[a].ravel()
        return found[found >= 0]

    def _masked(self, rows: Ints, wanted: Ints, columns: Ints) -> Mask:
        return masked_columns(rows, wanted, columns, self.pairs.observed, self._text_of)


def _symmetric(pairs: Pairs, n: int) -> tuple[Any, Ints]:
    """(n, n) weights of the pairs both ways, and the texts that are in any."""
    from scipy import sparse

    one_way = sparse.csr_matrix((pairs.weight, (pairs.left, pairs.right)), shape=(n, n))
    return (one_way + one_way.T).tocsr(), np.union1d(pairs.left, pairs.right)


def _encoded(tower: Tower, texts: Sequence[str], used: Ints) -> npt.NDArray[np.float32]:
    out = np.zeros((len(texts), tower.dimensions), np.float32)
    out[used] = tower.encode([texts[i] for i in used])
    return out
