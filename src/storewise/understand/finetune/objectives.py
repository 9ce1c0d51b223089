"""What training minimises: one loss of a batch that is drawn anew at each step.

Contrastive (InfoNCE, van den Oord et al. 2018), for pairs (a_i, b_i) and columns c (all b of the batch, then mined
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
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storewise.core.config import Config
from storewise.understand.finetune.pairs import Ints, Pairs
from storewise.understand.finetune.tower import Tower, padded, require

HIDDEN = -1e4  # the logit of a masked column
MASK_SHARE = 0.15  # of the tokens, as in BERT
Mask = npt.NDArray[np.bool_]


class ContrastiveConfig(Config):
    """``batch_size``: pairs a step (with ``positives`` "all": texts). ``temperature``: t, learned from there where ``learn_temperature``.
    ``hard_negatives``: mined ones for each pair, refreshed every ``refresh_steps``. ``anchor``: weight of
    1 − z · z⁰, which holds vectors near those of the encoder before."""

    batch_size: int = Field(default=128, ge=2)
    temperature: float = Field(default=0.1, gt=0)
    learn_temperature: bool = False
    hard_negatives: int = Field(default=0, ge=0, le=16)
    refresh_steps: int = Field(default=50, ge=1)
    anchor: float = Field(default=0.0, ge=0)
    positives: Literal["one", "all"] = "one"
    centred: bool = False


class Objective(Protocol):
    """``extra``: parameters of its own, trained too and thrown away. ``state``/``restore``: what a resumed run
    could not work out again. ``refresh``: before the first step and before each further one."""

    name: str

    def extra(self) -> dict[str, Any]: ...

    def state(self) -> dict[str, npt.NDArray[Any]]: ...

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None: ...

    def refresh(self, tower: Tower, step: int) -> None: ...

    def loss(self, tower: Tower, rng: np.random.Generator) -> Any: ...


def masked_columns(rows: Ints, wanted: Ints, columns: Ints, observed: Any, text_of: Ints) -> Mask:
    """(len(rows), len(columns)): true where a column would be a false negative of its row.

    ``wanted`` (len(rows),): the row's positive, whose own column i stays. ``text_of`` (n,): equal for equal texts.
    """
    seen = np.asarray(observed[rows][:, columns].todense()) > 0
    same = (text_of[columns][None, :] == text_of[rows][:, None]) | (
        text_of[columns][None, :] == text_of[wanted][:, None]
    )
    masked: Mask = seen | same
    own = np.arange(len(rows))
    masked[own, own] = False
    return masked


def info_nce(rows: Any, columns: Any, masked: Mask, temperature: Any) -> Any:
    """The loss above, one way: ``rows`` (b, d), ``columns`` (b + h, d) with the positive of row i at i."""
    torch = require("torch")
    logits = (rows @ columns.T / temperature).masked_fill(torch.from_numpy(masked), HIDDEN)
    return torch.nn.functional.cross_entropy(logits, torch.arange(len(rows)))


def text_numbers(texts: Sequence[str]) -> Ints:
    """(n,) the same number for texts that differ in case and space alone.

    >>> text_numbers(["Cup", "lamp", "cup "]).tolist()
    [0, 1, 0]
    """
    plain = [" ".join(text.lower().split()) for text in texts]
    return np.unique(plain, return_inverse=True)[1].ravel().astype(np.int64)


@dataclass
class Contrastive:
    """Pairs of ``texts`` by index."""

    texts: Sequence[str]
    pairs: Pairs
    config: ContrastiveConfig = field(default_factory=ContrastiveConfig)
    name: str = "contrastive"

    def keep(self, mask: Mask) -> None:
        """Learn from these pairs alone."""
        p = self.pairs
        self.pairs, self._weights = Pairs(p.left[mask], p.right[mask], p.weight[mask], p.observed), None
        self._share = np.cumsum(self.pairs.weight / self.pairs.weight.sum())

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


def mine(
    vectors: npt.NDArray[np.float32], used: Ints, pairs: Pairs, text_of: Ints, n: int, *, depth: int = 50
) -> Ints:
    """(n_texts, n) the nearest texts of each that were not observed with it and differ from it; -1 fills up.

    ``vectors`` (n_texts, d): rows outside ``used`` are not looked at. Only the ``depth`` nearest are tried.
    """
    found = np.full((len(vectors), n), -1, np.int64)
    block = vectors[used]
    depth = min(depth, len(used))
    for start in range(0, len(used), 512):
        part = used[start : start + 512]
        near = np.argsort(-(vectors[part] @ block.T), axis=1, kind="stable")[:, :depth]
        for row, product in enumerate(part):
            others = used[near[row]]
            seen = np.asarray(pairs.observed[product].todense()).ravel()[others] > 0
            kept = others[~seen & (text_of[others] != text_of[product])][:n]
            found[product, : len(kept)] = kept
    return found


def _encoded(tower: Tower, texts: Sequence[str], used: Ints) -> npt.NDArray[np.float32]:
    out = np.zeros((len(texts), tower.dimensions), np.float32)
    out[used] = tower.encode([texts[i] for i in used])
    return out


@dataclass
class SimCse:
    """A text and itself under another dropout, the rest of the batch as negatives (Gao et al. 2021)."""

    texts: Sequence[str]
    batch_size: int = 64
    temperature: float = 0.05
    name: str = "simcse"

    def __post_init__(self) -> None:
        self._rows = np.unique(text_numbers(self.texts), return_index=True)[1]
        self._rows = np.array([row for row in self._rows if self.texts[row].strip()], np.int64)
        self._ids: list[list[int]] | None = None

    def extra(self) -> dict[str, Any]:
        return {}

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {}

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        return None

    def refresh(self, tower: Tower, step: int) -> None:
        if self._ids is None:
            self._ids = tower.ids(self.texts)

    def loss(self, tower: Tower, rng: np.random.Generator) -> Any:
        assert self._ids is not None
        size = min(self.batch_size, len(self._rows))
        ids = [self._ids[row] for row in rng.choice(self._rows, size, replace=False)]
        z = tower.vectors(ids + ids)
        return info_nce(z[:size], z[size:], np.zeros((size, size), bool), self.temperature)


@dataclass
class MaskedLanguage:
    """Guess 15 % of the tokens: 80 % hidden, 10 % another word, 10 % as they are (Devlin et al. 2019).

    The guess is the hidden vector times the word embeddings, plus a bias for each word.
    """

    texts: Sequence[str]
    batch_size: int = 64
    name: str = "masked_language"

    def __post_init__(self) -> None:
        self._ids: list[list[int]] = []
        self._bias: Any = None

    def extra(self) -> dict[str, Any]:
        return {"bias": self._bias}

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {}

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        return None

    def refresh(self, tower: Tower, step: int) -> None:
        if not self._ids:
            torch = require("torch")
            self._ids = [one for one in tower.ids(self.texts) if len(one) > 2]
            self._bias = torch.nn.Parameter(torch.zeros(int(tower.model.config.vocab_size)))

    def loss(self, tower: Tower, rng: np.random.Generator) -> Any:
        torch = require("torch")
        chosen = rng.choice(len(self._ids), min(self.batch_size, len(self._ids)), replace=False)
        tokens, mask = padded([self._ids[i] for i in chosen])
        inner = mask.astype(bool)
        inner[:, 0] = False  # the first and last tokens are marks
        inner[np.arange(len(tokens)), mask.sum(axis=1) - 1] = False
        hidden_at = inner & (rng.random(tokens.shape) < MASK_SHARE)
        if not hidden_at.any():
            hidden_at[np.unravel_index(np.argmax(inner), inner.shape)] = True
        truth = torch.from_numpy(tokens[hidden_at])
        how, given = rng.random(tokens.shape), tokens.copy()
        hole = tower.tokenizer.token_to_id("[MASK]")
        given[hidden_at & (how < 0.8)] = hole if hole is not None else 0
        words = len(self._bias)
        given[hidden_at & (how >= 0.9)] = rng.integers(0, words, int((hidden_at & (how >= 0.9)).sum()))
        rows = [given[i, : mask[i].sum()].tolist() for i in range(len(given))]
        found, _ = tower.tokens(rows)
        table = tower.model.get_input_embeddings().weight
        logits = found[torch.from_numpy(hidden_at)] @ table.T + self._bias
        return torch.nn.functional.cross_entropy(logits, truth)


def descriptions(titles: Sequence[str], told: Sequence[str]) -> tuple[list[str], Pairs]:
    """Title ↔ description as pairs: the texts (titles, then descriptions), and one pair for each product with both.

    >>> descriptions(["Cup", "Lamp"], ["A red cup", ""])[1].right.tolist()
    [2]
    """
    from scipy import sparse

    n = len(titles)
    both = np.array([i for i in range(n) if titles[i].strip() and told[i].strip()], np.int64)
    pairs = Pairs(both, both + n, np.ones(len(both)), sparse.csr_matrix((2 * n, 2 * n)))
    return [*titles, *told], pairs
