"""A PyTorch state dict read without PyTorch, compared with PyTorch where it is installed."""

from __future__ import annotations

import io

import numpy as np
import pytest

from storewise.core.errors import ArtifactError
from storewise.understand.image import efficientnet, torch_file


def legacy(table):
    torch = pytest.importorskip("torch", reason="torch writes the file (extra finetune)")
    file = io.BytesIO()
    torch.save(table, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def test_the_same_arrays_as_torch():
    torch = pytest.importorskip("torch", reason="torch writes the file (extra finetune)")
    from collections import OrderedDict

    shared = torch.arange(12.0).reshape(3, 4)
    table = OrderedDict(
        a=shared, turned=shared.T, one=torch.tensor(3), deep=torch.randn(2, 1, 3, 3), row=shared[1]
    )
    found = torch_file.read(legacy(table))
    assert list(found) == list(table)
    for name, tensor in table.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())
        assert found[name].dtype == tensor.numpy().dtype


def test_the_packaged_weights_as_torch_reads_them():
    path = efficientnet.WEIGHTS.installed()
    if path is None:
        pytest.skip("the package of the weights is not installed")
    torch = pytest.importorskip("torch", reason="the oracle is torch (extra finetune)")
    found, expected = torch_file.read(path.read_bytes()), torch.load(path, weights_only=True)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], tensor.numpy()) for name, tensor in expected.items())


class Calls:
    """What a hostile file would hold."""

    def __reduce__(self):
        return print, ("called",)


def test_nothing_in_the_file_is_called(capsys):
    with pytest.raises(ArtifactError, match="wants to call .*print"):
        torch_file.read(legacy({"a": Calls()}))
    assert "called" not in capsys.readouterr().out


@pytest.mark.parametrize("cut", [0, 1, 30, 200, 0.5, 0.99])
def test_a_cut_off_file_is_an_error(cut):
    torch = pytest.importorskip("torch", reason="torch writes the file (extra finetune)")
    whole = legacy({"weight": torch.randn(50, 50)})
    with pytest.raises(ArtifactError, match="no plain table"):
        torch_file.read(whole[: cut if cut >= 1 or not cut else int(len(whole) * cut)])


def test_a_tensor_beyond_its_storage_is_an_error():
    torch = pytest.importorskip("torch", reason="torch writes the file (extra finetune)")
    whole = legacy({"weight": torch.zeros(17, 3)})
    assert whole.count(bytes([75, 17, 75, 3])) == 1  # BININT1 17, BININT1 3: the shape
    with pytest.raises(ArtifactError, match="beyond its storage"):
        torch_file.read(whole.replace(bytes([75, 17, 75, 3]), bytes([75, 18, 75, 3])))
