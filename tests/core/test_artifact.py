"""Artifacts come back exactly, and any damage is found and named."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from storewise.core.artifact import Artifact, read, read_manifest, write
from storewise.core.errors import ArtifactError


def sample() -> Artifact:
    return Artifact(
        "retrieve.item_knn.v1",
        {"seed": 7, "watermark": "2011-12-09"},
        {"weights": np.arange(6, dtype=np.float32).reshape(2, 3), "flags": np.array([True, False])},
        {"products": pl.DataFrame({"product_id": ["a", "茶"], "price_minor": [100, None]})},
    )


def test_comes_back_exactly(tmp_path: Path) -> None:
    found = read(write(sample(), tmp_path))
    assert found.name == "retrieve.item_knn.v1"
    assert found.facts == {"seed": 7, "watermark": "2011-12-09"}
    np.testing.assert_array_equal(found.arrays["weights"], sample().arrays["weights"])
    assert found.arrays["weights"].dtype == np.float32
    assert found.tables["products"].equals(sample().tables["products"])


def test_shape_comes_back_also_of_a_single_number(tmp_path: Path) -> None:
    found = read(write(Artifact("a", {}, {"scale": np.array(2.5), "none": np.empty((0, 3))}), tmp_path))
    assert found.arrays["scale"].shape == ()
    assert found.arrays["none"].shape == (0, 3)


def test_equal_content_is_written_once(tmp_path: Path) -> None:
    assert write(sample(), tmp_path) == write(sample(), tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["weights.npy", "flags.npy", "products.parquet", "manifest.json"])
@pytest.mark.parametrize("position", [0.0, 0.5, 0.999])
def test_one_changed_byte_is_found(tmp_path: Path, name: str, position: float) -> None:
    path = write(sample(), tmp_path)
    raw = bytearray((path / name).read_bytes())
    raw[int(position * len(raw))] ^= 0x20
    (path / name).write_bytes(raw)
    with pytest.raises(ArtifactError, match=rf"retrieve\.item_knn\.v1.*{name}"):
        read(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    path = write(sample(), tmp_path)
    (path / "weights.npy").unlink()
    with pytest.raises(ArtifactError, match=r"weights\.npy is missing"):
        read(path)


def test_missing_artifact_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nothing-here"):
        read_manifest(tmp_path / "nothing-here")


def test_objects_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="'bad'"):
        write(Artifact("x", {}, {"good": np.arange(3), "bad": np.array([{}])}), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_killed_while_writing_leaves_no_artifact(tmp_path: Path) -> None:
    script = textwrap.dedent(
        f"""
        import os, numpy as np
        from pathlib import Path
        from storewise.core import artifact
        artifact.os.replace = lambda a, b: os._exit(9)
        artifact.write(artifact.Artifact("x", {{}}, {{"a": np.arange(9)}}), Path({str(tmp_path)!r}))
        """
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".writing-")] == []
