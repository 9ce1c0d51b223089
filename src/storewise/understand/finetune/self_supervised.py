"""Learning from the catalogue's text alone, where there is little behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from storewise.understand.finetune.contrastive import info_nce
from storewise.understand.finetune.negatives import text_numbers
from storewise.understand.finetune.objectives import Stateless
from storewise.understand.finetune.pairs import Pairs
from storewise.understand.finetune.tower import Tower, padded, require

MASK_SHARE = 0.15  # of the tokens, as in BERT


@dataclass
class SimCse(Stateless):
    """A text and itself under another dropout, the rest of the batch as negatives (Gao et al. 2021)."""

    texts: Sequence[str]
    batch_size: int = 64
    temperature: float = 0.05
    name: str = "simcse"

    def __post_init__(self) -> None:
        self._rows = np.unique(text_numbers(self.texts), return_index=True)[1]
        self._rows = np.array([row for row in self._rows if self.texts[row].strip()], np.int64)
        self._ids: list[list[int]] | None = None

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
class MaskedLanguage(Stateless):
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
    n = len(titles)
    both = np.array([i for i in range(n) if titles[i].strip() and told[i].strip()], np.int64)
    pairs = Pairs(both, both + n, np.ones(len(both)), sparse.csr_matrix((2 * n, 2 * n)))
    return [*titles, *told], pairs
