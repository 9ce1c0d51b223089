"""Tokens as the pieces of a pretrained tokenizer: every token keeps its own first piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import MissingExtra

PIECES_A_TOKEN = 6  # the rest of a very long word is left out
PIECES_A_CHUNK = 250  # longer sentences are read in chunks
_BLANK = "▁"


class Pieces:
    """Encodes token by token, so that the rows of an encoder stay aligned with the tokens."""

    def __init__(self, tokenizer_json: bytes) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingExtra("tokenizers", "language") from error
        self._tokenizer: Any = Tokenizer.from_str(tokenizer_json.decode("utf-8"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        both = self._tokenizer.encode("").ids
        self.begin, self.end = both[0], both[-1]
        found = (self._tokenizer.token_to_id(name) for name in ("[UNK]", "<unk>"))
        self.unknown = next((number for number in found if number is not None), self.begin)
        blank = self._tokenizer.token_to_id(_BLANK)
        self._blank = -1 if blank is None else blank
        self._known: dict[str, list[int]] = {}

    def of(self, token: str) -> list[int]:
        """At least one piece; a lone blank before a character is left out."""
        if token not in self._known:
            ids = self._tokenizer.encode(token, add_special_tokens=False).ids
            if len(ids) > 1 and ids[0] == self._blank:
                ids = ids[1:]
            self._known[token] = ids[:PIECES_A_TOKEN] or [self.unknown]
        return self._known[token]

    def chunks(self, tokens: Sequence[str]) -> list[tuple[list[int], list[int]]]:
        """(ids with begin and end, place of each token's first piece) of runs of tokens that fit an encoder."""
        found: list[tuple[list[int], list[int]]] = []
        ids: list[int] = [self.begin]
        places: list[int] = []
        for token in tokens:
            pieces = self.of(token)
            if places and len(ids) + len(pieces) > PIECES_A_CHUNK:
                found.append(([*ids, self.end], places))
                ids, places = [self.begin], []
            places.append(len(ids))
            ids.extend(pieces)
        return [*found, ([*ids, self.end], places)] if places else found


def padded(rows: Sequence[Sequence[int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Rows as one array, short ones filled with 0, and where they are real.

    >>> padded([[1], [2, 3]])[0].tolist()
    [[1, 0], [2, 3]]
    """
    width = max(map(len, rows), default=0)
    ids = np.zeros((len(rows), width), dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=bool)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = True
    return ids, mask
