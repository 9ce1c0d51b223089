"""A pretrained encoder with a linear head and a transition matrix: emissions for a linear chain.

Fine-tuned by :mod:`storewise.understand.tagging.fine_tune`; tagging needs NumPy and the tokenizer alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.component import Arrays
from storewise.core.progress import Progress, Silent
from storewise.understand.tagging.bert_states import hidden_states
from storewise.understand.tagging.chain import Scores
from storewise.understand.tagging.pieces import Pieces, padded
from storewise.understand.text.bert_graph import BertShape

BATCH = 32
WORDS = "embeddings.word_embeddings.weight"


@dataclass(frozen=True)
class Neural:
    """``weights``: of the encoder by their BERT names, the table of words in float16; ``head`` (k, hidden + 1)
    with the bias last; ``transitions`` (k, k) with what is not valid forbidden; ``epochs``:
    how long it was trained."""

    shape: BertShape
    weights: Mapping[str, npt.NDArray[Any]]
    tokenizer: bytes
    head: npt.NDArray[np.float32]
    transitions: Scores
    epochs: int = 0

    def emissions(
        self, sentences: Sequence[Sequence[str]], *, progress: Progress | None = None
    ) -> list[Scores]:
        """(n, k) scores for each sentence; a long one is read in chunks."""
        pieces = Pieces(self.tokenizer)
        weights = {name: np.asarray(value) for name, value in self.weights.items()}
        found: list[list[Scores]] = [[] for _ in sentences]
        chunks = [
            (number, ids, places)
            for number, tokens in enumerate(sentences)
            for ids, places in pieces.chunks(tokens)
        ]
        order = sorted(range(len(chunks)), key=lambda i: len(chunks[i][1]))
        made: dict[int, Scores] = {}
        batches = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
        for batch in (progress or Silent()).track(batches, label="encoder"):
            ids, mask = padded([chunks[i][1] for i in batch])
            states = hidden_states(ids, mask, weights, self.shape)
            for row, i in enumerate(batch):
                scores = states[row, chunks[i][2]] @ self.head[:, :-1].T + self.head[:, -1]
                made[i] = scores.astype(np.float64)
        for i, (number, _, _) in enumerate(chunks):
            found[number].append(made[i])
        empty = np.zeros((0, len(self.head)))
        return [np.concatenate(parts) if parts else empty for parts in found]

    def state(self) -> Arrays:
        """Plain arrays; the encoder's weights under ``bert.`` and their names."""
        shape = self.shape
        numbers = np.array(
            [shape.layers, shape.heads, shape.hidden, shape.epsilon, shape.positions], dtype=np.float64
        )
        return {
            "head": self.head,
            "transitions": self.transitions,
            "shape": numbers,
            "tokenizer": np.frombuffer(self.tokenizer, dtype=np.uint8).copy(),
            **{f"bert.{name}": value for name, value in self.weights.items()},
        }

    @classmethod
    def of_state(cls, state: Arrays) -> Neural:
        """What :meth:`state` took apart."""
        layers, heads, hidden, epsilon, positions = state["shape"].tolist()
        return cls(
            BertShape(int(layers), int(heads), int(hidden), epsilon, int(positions)),
            {name[5:]: value for name, value in state.items() if name.startswith("bert.")},
            state["tokenizer"].astype(np.uint8).tobytes(),
            state["head"],
            state["transitions"],
        )
