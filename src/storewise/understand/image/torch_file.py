"""The arrays of a PyTorch ``state_dict`` file, without PyTorch and without unpickling.

Such a file is a pickle that names tensors, followed by their numbers. Its instructions are listed by ``pickletools``,
which runs none of them, and only those that describe a plain table of tensors are understood; anything else in
the file is an error. This is the layout of ``torch.save`` before version 1.6.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from storewise.core.errors import ArtifactError

MAGIC = 0x1950A86A20F9469CFC6C
DTYPES = {"torch FloatStorage": np.float32, "torch LongStorage": np.int64}
REBUILD = "torch._utils _rebuild_tensor_v2"
TABLE = "collections OrderedDict"
Arrays = dict[str, npt.NDArray[Any]]


def read(data: bytes) -> Arrays:
    """Name → array, in the order of the file.

    Raises:
        ArtifactError: when it is cut off, or is anything but a table of float32 and int64 tensors.
    """
    try:
        return _read(data)
    except ArtifactError:
        raise
    except Exception as error:  # whatever a damaged file leads to
        raise _not_plain(f"{type(error).__name__}: {error}") from error


def _read(data: bytes) -> Arrays:
    position, parts = 0, []
    for _ in range(5):  # magic number, version, machine, table, names of storages
        part, length = _describe(data[position:])
        parts.append(part)
        position += length
    if parts[0] != MAGIC:
        raise _not_plain("its first number is another one")
    table, names = parts[3], parts[4]
    kinds = {tensor[0][2]: tensor[0] for tensor in table.values()}
    storages: dict[str, npt.NDArray[Any]] = {}
    for name in names:
        size = int(np.frombuffer(data, "<i8", 1, position)[0])
        dtype = np.dtype(DTYPES[kinds[name][1]]).newbyteorder("<")
        storages[name] = np.frombuffer(data, dtype, size, position + 8)
        position += 8 + size * dtype.itemsize
    return {
        name: _strided(storages[storage[2]], offset, shape, stride)
        for name, (storage, offset, shape, stride) in table.items()
    }


def _strided(
    storage: npt.NDArray[Any], offset: int, shape: tuple[int, ...], stride: tuple[int, ...]
) -> npt.NDArray[Any]:
    last = offset + sum((length - 1) * step for length, step in zip(shape, stride, strict=True))
    if offset < 0 or min((*shape, *stride), default=1) < 1 or last >= len(storage):
        raise _not_plain("a tensor beyond its storage")
    bytes_apart = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, bytes_apart).copy()


def _describe(data: bytes) -> tuple[Any, int]:
    """The value that one pickle describes, and its length in bytes."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}
    for opcode, argument, place in pickletools.genops(data):
        name = opcode.name
        if name == "STOP":
            return stack.pop(), place + 1
        if name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "MARK":
            marks.append(len(stack))
        else:
            _step(name, argument, stack, marks)
    raise _not_plain("it ends too early")


def _step(name: str, argument: Any, stack: list[Any], marks: list[int]) -> None:
    if name in ("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "GLOBAL"):
        stack.append(argument)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name]())
    elif name in ("TUPLE", "APPENDS", "SETITEMS"):
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        if name == "TUPLE":
            stack.append(tuple(items))
        elif name == "APPENDS":
            stack[-1].extend(items)
        else:
            stack[-1].update(_pairs(items))
    elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
        size = int(name[-1])
        stack[-size:] = [tuple(stack[-size:])]
    elif name in ("SETITEM", "APPEND", "BUILD"):
        value = stack.pop()
        if name == "SETITEM":
            key = stack.pop()
            stack[-1][key] = value
        elif name == "APPEND":
            stack[-1].append(value)  # BUILD sets attributes of the table (its version): nothing to keep
    elif name == "BINPERSID":
        pass  # the tuple that describes a storage stays as it is
    elif name == "REDUCE":
        arguments, called = stack.pop(), stack.pop()
        if called == TABLE:
            stack.append({})
        elif called == REBUILD:
            stack.append(tuple(arguments[:4]))
        else:
            raise _not_plain(f"it wants to call {called}")
    elif name not in ("PROTO", "POP"):
        raise _not_plain(f"it holds {name}")


def _pairs(items: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(items[::2], items[1::2], strict=True)


_CONSTANTS: dict[str, Any] = {
    "NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict,
}  # fmt: skip


def _not_plain(what: str) -> ArtifactError:
    return ArtifactError(
        f"The file is no plain table of tensors: {what}.",
        next_step="Install the package of the weights again.",
    )
