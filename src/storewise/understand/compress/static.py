"""A static student: one learned vector a token, summed. Distilled from a transformer on the shop's own texts.

Every token starts at the teacher's vector of that token alone (Tulkens & van Dongen 2024, model2vec). Then the
sums are fitted to the teacher's vectors of whole texts by ridge regression towards that start:

    E = E₀ + argmin_D ‖X (E₀ + D) − T‖² + λ‖D‖²,   X (n, tokens) counts, T (n, d) the teacher's unit vectors,

solved by conjugate gradients on the normal equations. Encoding is a look-up and a sum: no matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import sparse

from storewise.core import artifact
from storewise.core.component import Arrays
from storewise.core.config import Config
from storewise.core.errors import MissingExtra
from storewise.core.progress import Progress, Silent
from storewise.understand.base import TextEncoder, Vectors, unit
from storewise.understand.text.onnx_text import OnnxTextBase

KEPT_TOKENS = 40_000  # of a tokenizer; the later ones of a larger vocabulary are rare
TRIED = (3e-3, 1e-2, 3e-2, 1e-1, 3e-1)  # values of λ
SAMPLE, HELD_OUT = 4_000, 0.2  # texts that λ is chosen on, and the part of them that judges
CHARACTERS = 20_000  # of a text that are read


class StaticConfig(Config):
    """``folder``: an artifact written by ``save`` (None: train it). ``regularization``: λ, the larger the nearer to
    the start; None takes the one of :data:`TRIED` that does best on held-out texts. ``rounds`` of conjugate
    gradients."""

    folder: Path | None = None
    regularization: float | None = Field(default=None, gt=0)
    rounds: int = Field(default=40, ge=1)


class StaticText(TextEncoder[StaticConfig]):
    """A look-up table for texts, learned by ``distil``."""

    Config = StaticConfig

    def __init__(self, config: StaticConfig | None = None) -> None:
        super().__init__(config)
        self._table: npt.NDArray[np.float32] | None = None
        self._tokenizer: Any = None
        self._json = b""
        if self.config.folder is not None:
            self.restore(artifact.read(self.config.folder).arrays)

    @property
    def dimensions(self) -> int:
        return int(self._ready().shape[1])

    @property
    def fingerprint(self) -> str:
        import hashlib

        return hashlib.sha256(self._ready().tobytes() + self._json).hexdigest()[:16]

    def distil(
        self, teacher: OnnxTextBase[Any], texts: Sequence[str], *, progress: Progress | None = None
    ) -> None:
        """Learn from the teacher's vectors of these texts (the catalogue's, and queries where there are some)."""
        self._open(teacher.tokenizer_json)
        size = min(self._tokenizer.get_vocab_size(), KEPT_TOKENS)
        single = [self._tokenizer.id_to_token(i) or "" for i in range(size)]
        start = teacher([_plain(token) for token in single], progress=progress)
        different = list(dict.fromkeys(text for text in texts if text.strip()))
        wanted = teacher(different, progress=progress)
        counts = self._counts(different, size)
        strength = self.config.regularization or _chosen(counts, start, wanted, self.config.rounds)
        self._table = _fitted(counts, start, wanted, strength, self.config.rounds, progress)

    def __call__(self, batch: Sequence[str]) -> Vectors:
        """(len(batch), dimensions) float32."""
        table = self._ready()
        return unit(self._counts(batch, len(table)) @ table)

    def state(self) -> Arrays:
        return {"table": self._ready(), "tokenizer": np.frombuffer(self._json, np.uint8)}

    def restore(self, state: Arrays) -> None:
        self._table = np.asarray(state["table"], np.float32)
        self._open(np.asarray(state["tokenizer"], np.uint8).tobytes())

    def save(self, root: Path) -> Path:
        """Write as an artifact under ``root``; the folder is the config's ``folder``."""
        return artifact.write(artifact.Artifact("static", {}, dict(self.state())), root)

    def _open(self, content: bytes) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingExtra("tokenizers", "language") from error
        self._json = content
        self._tokenizer = Tokenizer.from_buffer(content)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def _ready(self) -> npt.NDArray[np.float32]:
        self.require(self._table is not None)
        assert self._table is not None
        return self._table

    def _counts(self, texts: Sequence[str], size: int) -> sparse.csr_matrix:
        """(n, size): how often each token stands in each text, rows divided by their length."""
        told = self._tokenizer.encode_batch([text[:CHARACTERS] for text in texts], add_special_tokens=False)
        ids = [np.asarray(one.ids, np.int64) for one in told]
        ids = [one[one < size] for one in ids]
        lengths = np.array([len(one) for one in ids], np.int64)
        flat = np.concatenate([np.zeros(0, np.int64), *ids])
        share = np.repeat(1 / np.maximum(lengths, 1), lengths).astype(np.float32)
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        return sparse.csr_matrix((share, flat, indptr), shape=(len(texts), size))


def _plain(token: str) -> str:
    """A token as text: without the marks of word pieces."""
    return token.removeprefix("##").replace("▁", " ").strip()


def _fitted(
    counts: sparse.csr_matrix, start: Vectors, wanted: Vectors, strength: float, rounds: int,
    progress: Progress | None = None,
) -> npt.NDArray[np.float32]:  # fmt: skip
    """The table that starts at ``start`` and is fitted to the teacher's vectors."""
    return start + _ridge(counts, wanted - unit(counts @ start), strength, rounds, progress)


def _chosen(counts: sparse.csr_matrix, start: Vectors, wanted: Vectors, rounds: int) -> float:
    """The λ whose student is nearest to the teacher on texts it has not learned from."""
    n = min(counts.shape[0], SAMPLE)
    rows = np.random.default_rng(0).permutation(counts.shape[0])[:n]
    held, learned = np.split(rows, [int(n * HELD_OUT)])
    if not len(held):
        return TRIED[-1]

    def nearness(strength: float) -> float:
        table = _fitted(counts[learned], start, wanted[learned], strength, rounds)
        return float((unit(counts[held] @ table) * wanted[held]).sum())

    return max(TRIED, key=nearness)


def _ridge(
    counts: sparse.csr_matrix, wanted: Vectors, regularization: float, rounds: int, progress: Progress | None
) -> npt.NDArray[np.float32]:
    """(tokens, d): the ridge solution of counts · D = wanted, all columns at once."""
    if counts.shape[0] == 0:
        return np.zeros((counts.shape[1], wanted.shape[1]), np.float32)
    flipped = counts.T.tocsr()
    rest = flipped @ wanted
    found, direction = np.zeros_like(rest), rest.copy()
    size = (rest * rest).sum(axis=0)
    for _ in (progress or Silent()).track(range(rounds), label="fitting the student"):
        image = flipped @ (counts @ direction) + np.float32(regularization) * direction
        step = size / np.maximum((direction * image).sum(axis=0), 1e-20)
        found += step * direction
        rest -= step * image
        before, size = size, (rest * rest).sum(axis=0)
        direction = rest + (size / np.maximum(before, 1e-20)) * direction
    return np.asarray(found, np.float32)
