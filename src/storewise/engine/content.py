"""What the products of a shop are, as vectors: encode what changed, learn the joint projection, keep both."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from storewise.core.artifact import Artifact
from storewise.core.config import Config
from storewise.core.errors import ConfigError, MissingExtra, UnknownName
from storewise.core.progress import Progress
from storewise.core.registry import Registry
from storewise.core.rng import spawn
from storewise.data.dataset import Dataset
from storewise.data.stores import Store
from storewise.data.stores.vectors import VectorCache
from storewise.engine.photos import photo_vectors
from storewise.engine.reading import encode_cached, product_texts
from storewise.recommend.related import bought_together
from storewise.recommend.retrieve.spectral import spectral_start
from storewise.understand.base import TextEncoder, Vectors, unit
from storewise.understand.projection import Pairs, Projection, ProjectionConfig
from storewise.understand.text import packaged
from storewise.understand.text.tfidf import TfidfSvd

CONTENT = "content"
TFIDF, MINILM, E5 = "encode.tfidf_svd.v1", "encode.minilm.v1", "encode.e5.v1"
WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af]")
SOME_WIDE = 0.05  # share of texts with Chinese, Japanese or Korean from which an English model will not do


class ContentConfig(Config):
    """How products become vectors. ``encoder``: a component, ``auto`` for what suits language and installation,
    ``none`` to leave content out. ``config``: the encoder's own. ``photos``: a folder of photos, each named by the
    catalogue's ``image`` or by the product's id; ``photo_encoder`` reads them. ``projection``: of the joint vectors;
    its size is what lists are made with. ``neighbours``: pairs a product gives it to learn from, at most.
    ``behaviour_size``: dimensions of a block of who bought what beside text and photo, 0 for none: what is alike then
    also is what the same people buy, and a product without buyers is placed by the rest."""

    encoder: str = "auto"
    config: dict[str, Any] = Field(default_factory=dict)
    photos: Path | None = None
    photo_encoder: str = "encode.mobilenet.v1"
    photo_config: dict[str, Any] = Field(default_factory=dict)
    projection: ProjectionConfig = ProjectionConfig()
    neighbours: int = Field(default=10, ge=0, le=100)
    behaviour_size: int = Field(default=0, ge=0, le=512)


@dataclass(frozen=True)
class Encoded:
    """Texts of products as vectors (n, d) of one encoder, how they came about, and their photos' (n, p) if any."""

    encoder: TextEncoder[Any]
    name: str
    vectors: Vectors
    fresh: int
    note: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    photos: Vectors | None = None

    @property
    def blocks(self) -> dict[str, Vectors]:
        """What the joint projection joins."""
        return {"text": self.vectors} | ({} if self.photos is None else {"photo": self.photos})


def automatic(texts: Sequence[str]) -> tuple[str, str]:
    """The encoder for these texts with what is installed here, and a sentence on why."""
    wide = sum(bool(WIDE.search(text)) for text in texts) > SOME_WIDE * max(len(texts), 1)
    wanted, language = ("e5", "Chinese or another Asian language") if wide else ("minilm", "Latin script")
    if packaged.available(wanted):
        return f"encode.{wanted}.v1", f"the catalogue is in {language}, so {wanted} reads it"
    return TFIDF, f"the pretrained encoder {wanted} is not installed here, so TF-IDF stands in"


def encode(
    products: pl.DataFrame,
    config: ContentConfig,
    registry: Registry,
    *,
    seed: int,
    cache: VectorCache | None = None,
    progress: Progress | None = None,
) -> Encoded | None:
    """The products' texts as vectors; only texts the cache does not know are encoded. None when left out.

    Raises:
        ConfigError: when the named component is no text encoder.
        MissingExtra: when what it needs is not installed (never with ``auto``).
    """
    if config.encoder == "none":
        return None
    texts = product_texts(products)
    name, note = (
        automatic(texts) if config.encoder == "auto" else (config.encoder, "the pipeline file names it")
    )
    try:
        encoder = registry.create(name, config.config)
    except (MissingExtra, UnknownName):
        if config.encoder != "auto":
            raise
        name, note = TFIDF, f"{name} could not be loaded, so TF-IDF stands in"
        encoder = registry.create(name)
    if not isinstance(encoder, TextEncoder):
        raise ConfigError(f"{name} is no text encoder.", next_step="Name one of role encode that reads text.")
    if progress is not None:
        progress.note(f"Products are read by {name}: {note}.")
    kept = cache
    if isinstance(encoder, TfidfSvd):
        encoder.train(texts, rng=spawn(seed, name))
        cache = None  # it is learned anew with each catalogue
    vectors, fresh = encode_cached(encoder, texts, cache, progress=progress)
    facts: dict[str, Any] = {"encoder": name, "config": config.config, "note": note}
    photos = None
    if config.photos is not None:
        photos, told = photo_vectors(
            products, config.photos, config.photo_encoder, config.photo_config, registry,
            cache=kept, progress=progress,
        )  # fmt: skip
        facts["photos"] = told
    return Encoded(encoder, name, vectors, fresh, note, facts, photos)


def past_products(store: Store, encoded: Encoded | None) -> tuple[pl.DataFrame, Vectors | None]:
    """Rows of the catalogue that were replaced, with the vectors of what they said."""
    past = store.past_products()
    if encoded is None or not past.height:
        return past, None
    kept = None if isinstance(encoded.encoder, TfidfSvd) else store.vectors
    return past, encode_cached(encoded.encoder, product_texts(past), kept)[0]


def behaviour_pairs(dataset: Dataset, most: int) -> Pairs:
    """(p, 2) products that lie in the same basket more often than by chance, ``most`` of each at most."""
    related = bought_together(dataset.interactions, k=most) if most else None
    if related is None or not len(related.products):
        return np.zeros((0, 2), np.int32)
    left = np.repeat(np.arange(dataset.n_products), np.diff(related.indptr))
    pairs = np.stack([left, related.products], axis=1).astype(np.int32)
    pairs.sort(axis=1)
    return np.unique(pairs, axis=0)


def behaviour_block(dataset: Dataset, size: int, rng: np.random.Generator) -> Vectors:
    """(n, size) unit vectors of the products by who bought them: the leading singular vectors of the interactions
    with rows and columns divided by the roots of their counts. Products of fewer than two customers are zero."""
    noise = rng.standard_normal((dataset.n_products, size)).astype(np.float32)
    found = spectral_start(dataset.interactions.matrix, noise, rounds=4)
    found[dataset.interactions.popularity < 2] = 0
    return unit(found)


def joint(
    dataset: Dataset,
    blocks: Mapping[str, Vectors],
    config: ContentConfig,
    *,
    seed: int,
    progress: Progress | None = None,
) -> tuple[Vectors, Projection]:
    """The joint vectors (n, size) of all products, learned on what the dataset's behaviour puts together."""
    model = Projection(config.projection)
    pairs = behaviour_pairs(dataset, config.neighbours)
    if config.behaviour_size:
        known = behaviour_block(dataset, config.behaviour_size, spawn(seed, "content", "behaviour"))
        blocks = {**blocks, "behaviour": known}
    model.train(blocks, pairs, rng=spawn(seed, "content", "projection"), progress=progress)
    return model(blocks), model


def with_content(
    dataset: Dataset,
    encoded: Encoded | None,
    config: ContentConfig,
    *,
    seed: int,
    progress: Progress | None = None,
) -> tuple[Dataset, Projection | None]:
    """The dataset with joint vectors that know no more than the dataset does."""
    if encoded is None:
        return dataset, None
    vectors, model = joint(dataset, encoded.blocks, config, seed=seed, progress=progress)
    return dataset.with_content(vectors), model


def content_artifact(
    dataset: Dataset, encoded: Encoded, projection: Projection, facts: Mapping[str, Any]
) -> Artifact:
    """``vectors`` (n, size): joint; ``text`` (n, d) float16: the encoder's own, for search; ``customers`` (n,): how
    many had bought each; the states of encoder and projection."""
    assert dataset.content is not None
    arrays: dict[str, npt.NDArray[Any]] = {
        "vectors": dataset.content,
        "text": encoded.vectors.astype(np.float16),
    }
    arrays["customers"] = dataset.interactions.popularity
    arrays |= {f"projection_{key}": value for key, value in projection.state().items()}
    arrays |= {f"encoder_{key}": value for key, value in encoded.encoder.state().items()}
    about = {**facts, **encoded.facts, "fingerprint": encoded.encoder.fingerprint}
    return Artifact(CONTENT, about, arrays)


def restore_encoder(found: Artifact, registry: Registry) -> TextEncoder[Any] | None:
    """The encoder of queries for an artifact; None when it is not installed here or is another by now."""
    try:
        encoder = registry.create(str(found.facts["encoder"]), found.facts["config"])
    except (MissingExtra, UnknownName):
        return None
    assert isinstance(encoder, TextEncoder)
    state = {
        key.removeprefix("encoder_"): value
        for key, value in found.arrays.items()
        if key.startswith("encoder_")
    }
    if state:
        encoder.restore(state)
    return encoder if encoder.fingerprint == found.facts["fingerprint"] else None
