"""What a running shop knows of its products' content: their vectors, and the encoder for what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.artifact import Artifact
from storewise.core.errors import MissingExtra
from storewise.core.registry import Registry
from storewise.engine.content import restore_encoder
from storewise.recommend.retrieve.content import Content as ContentRetriever
from storewise.understand.base import TextEncoder, Vectors
from storewise.understand.neighbours import Exact, Index, index_of

NONSENSE = ("qqqqzzz", "xkcd blorp", "zxcv", "wrtlmpf", "jjqx vvk", "hgfhgf")
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Content:
    """``vectors`` (n, size): joint unit vectors of the catalogue; ``text`` (n, d): the text encoder's own, which a
    query is compared with; ``customers`` (n,): how many had bought each product when it was trained;
    ``encoder``: None where it is not installed here; ``facts``: which encoder, and why."""

    vectors: Vectors
    text: Vectors
    customers: npt.NDArray[np.int64]
    encoder: TextEncoder[Any] | None
    retriever: ContentRetriever
    facts: Mapping[str, Any]
    source: str = "retrieve.content.v1"

    @classmethod
    def of(cls, found: Artifact, registry: Registry) -> Content:
        """From the artifact of a snapshot."""
        vectors, customers = found.arrays["vectors"], found.arrays["customers"]
        retriever = ContentRetriever()
        worth = np.maximum(customers, 1) ** -retriever.config.rarity
        retriever.restore({"vectors": vectors, "worth": worth.astype(np.float32)})
        text = found.arrays["text"].astype(np.float32)
        return cls(vectors, text, customers, restore_encoder(found, registry), retriever, found.facts)

    def new(self, customers: int) -> Mask:
        """(n,) true for products that fewer customers than this had bought."""
        return np.asarray(self.customers < customers)

    @cached_property
    def noise(self) -> float:
        """The largest cosine that letters without meaning have with any product, -1 without an encoder."""
        if self.encoder is None or not len(self.text):
            return -1.0
        return float((self.encoder.queries(NONSENSE) @ self.text.T).max())

    @cached_property
    def index(self) -> Index:
        """Neighbours of the joint vectors; exact where faiss is not installed."""
        try:
            return index_of(self.vectors)
        except MissingExtra:
            return Exact(self.vectors)

    def alike(self, product: int, n: int, allowed: Mask) -> tuple[list[int], list[float]]:
        """The n products nearest to one among those allowed, with their cosines; none for one without content."""
        question = self.vectors[[product]]
        if not question.any():
            return [], []
        found, cosines = self.index.search(question, min(len(self.vectors), 4 * n + 50))
        kept = [
            (int(other), float(score))
            for other, score in zip(found[0], cosines[0], strict=True)
            if other >= 0 and other != product and allowed[other] and score > 0
        ]
        return [other for other, _ in kept[:n]], [score for _, score in kept[:n]]
