"""Vectors of photos from any convolutional network in ONNX, through onnxruntime: no torch at serving time."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import Field

from storewise.core.config import config_hash
from storewise.core.errors import ArtifactError, ConfigError, DataError, LimitExceeded, MissingExtra
from storewise.core.progress import Progress, Silent
from storewise.understand.base import Encoder, Vectors, unit
from storewise.understand.image import pixels
from storewise.understand.image.decode import PhotoLimits, decode, reason

PREPROCESSING = (
    1  # counts up when the same photo would become other pixels, so that cached vectors are not mixed
)
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_SCALE = (58.395, 57.12, 57.375)


class ImageConfig(PhotoLimits):
    """``input_size``: side in pixels at which the network reads; a smaller one is faster, a multiple of 32 fits
    best. ``threads``: 0 leaves the choice to onnxruntime."""

    input_size: int = Field(default=224, ge=32, le=1024)
    batch_size: int = Field(default=32, ge=1, le=1024)
    threads: int = Field(default=0, ge=0)


class OnnxImageConfig(ImageConfig):
    """``path``: the .onnx file. ``output``: name of the output to take (None: the first); a map (n, c, h, w) is
    averaged over its places. ``mean`` and ``scale``: ``(pixel - mean) / scale`` in units of 0 to 255."""

    path: Path | None = None
    output: str | None = None
    mean: tuple[float, float, float] = IMAGENET_MEAN
    scale: tuple[float, float, float] = IMAGENET_SCALE


@dataclass(frozen=True)
class Network:
    """A model ready to be opened: its bytes, what identifies them, and its normalisation.

    ``outputs``: name → grid. A map (n, c, h, w) is averaged over grid × grid places; several outputs are scaled to
    length 1 each and stand side by side.
    """

    model: bytes
    sha256: str
    outputs: Mapping[str, int]
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]


@dataclass(frozen=True)
class Encoded:
    """``vectors``: (n, dimensions). ``rejects``: reason → how many photos; none counts as "no photo"."""

    vectors: Vectors
    rejects: Mapping[str, int]


ConfigT = TypeVar("ConfigT", bound=ImageConfig)


class ImageEncoder(Encoder[ConfigT, bytes | None]):
    """What all image networks share; a subclass says which network. The model is opened at construction."""

    def __init__(self, config: ConfigT | None = None) -> None:
        super().__init__(config)
        self._network = self.network()
        self._session = _open(self._network, self.config.threads)
        self._input = self._session.get_inputs()[0].name
        self._dimensions = self._measure()

    def network(self) -> Network:
        """The network to open.

        Raises:
            UnknownName: when its weights are not installed.
            ArtifactError: when they are damaged.
            MissingExtra: without the extra ``vision``.
        """
        raise NotImplementedError

    @property
    def dimensions(self) -> int:
        return self._dimensions

    @property
    def fingerprint(self) -> str:
        net, config = self._network, self.config
        limits = [config.max_bytes, config.max_pixels, config.min_side_pixels]
        shaping = [
            PREPROCESSING,
            config.input_size,
            dict(net.outputs),
            list(net.mean),
            list(net.scale),
            limits,
        ]
        return f"{net.sha256[:16]}-{config_hash(shaping)}"

    def __call__(self, batch: Sequence[bytes | None], *, progress: Progress | None = None) -> Vectors:
        """(len(batch), dimensions) float32. No photo, and one that cannot be read, gives a zero row."""
        return self.encode(batch, progress=progress).vectors

    def encode(self, batch: Sequence[bytes | None], *, progress: Progress | None = None) -> Encoded:
        """The vectors, and how many photos could not be read for which reason."""
        out = np.zeros((len(batch), self._dimensions), np.float32)
        rejects: Counter[str] = Counter()
        size = self.config.batch_size
        starts = range(0, len(batch), size)
        for start in (progress or Silent()).track(starts, label="encoding photos", total=len(starts)):
            rows, squares = [], []
            for row, data in enumerate(batch[start : start + size], start):
                found = self._square(data, rejects)
                if found is not None:
                    rows.append(row)
                    squares.append(found)
            if rows:
                out[rows] = self._run(np.stack(squares))
        return Encoded(out, dict(rejects))

    def _square(self, data: bytes | None, rejects: Counter[str]) -> pixels.Pixels | None:
        if not data:
            rejects["no photo"] += 1
            return None
        try:
            photo = decode(data, limits=self.config, near_side=self.config.input_size)
        except (DataError, LimitExceeded) as error:
            rejects[reason(error)] += 1
            return None
        return pixels.square(photo, self.config.input_size)

    def _run(self, squares: pixels.Pixels) -> Vectors:
        given = pixels.tensor(squares, self._network.mean, self._network.scale)
        grids = self._network.outputs or {self._session.get_outputs()[0].name: 1}
        found = self._session.run(list(grids), {self._input: given})
        blocks = [unit(pixels.pooled(one, grid)) for one, grid in zip(found, grids.values(), strict=True)]
        return unit(np.concatenate(blocks, axis=1))

    def _measure(self) -> int:
        side = self.config.input_size
        try:
            return int(self._run(np.full((1, side, side, 3), 90, np.uint8)).shape[1])
        except Exception as error:  # onnxruntime raises kinds of its own
            raise ArtifactError(
                f"The network does not read photos of {side} × {side}: {error}.",
                next_step="Set input_size to what it was exported for; it takes (n, 3, height, width) float32.",
            ) from error


class OnnxImage(ImageEncoder[OnnxImageConfig]):
    """Any ONNX network by path that takes (n, 3, height, width) float32 and gives a vector or a map a photo."""

    Config = OnnxImageConfig

    def network(self) -> Network:
        config = self.config
        if config.path is None:
            raise ConfigError("encode.onnx_image.v1 has no path.", next_step="Set path to an .onnx file.")
        if not config.path.is_file():
            raise ArtifactError(f"There is no file {config.path}.", next_step="Check the path.")
        model = config.path.read_bytes()
        outputs = {config.output: 1} if config.output else {}
        return Network(model, hashlib.sha256(model).hexdigest(), outputs, config.mean, config.scale)


def _open(network: Network, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra("onnxruntime", "vision") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(network.model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises kinds of its own
        raise ArtifactError(
            f"The network cannot be opened: {error}.", next_step="Export it again as ONNX."
        ) from error
