"""Lists of short texts as plain arrays of bytes, which artifacts can hold without pickle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def lines_to_array(lines: Sequence[str]) -> npt.NDArray[np.uint8]:
    """UTF-8 bytes, each line ended by a line feed; lines hold no line feed themselves.

    >>> lines_to_array(["a", "b"]).tolist()
    [97, 10, 98, 10]
    """
    text = "".join(f"{line}\n" for line in lines)
    return np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8).copy()


def lines_of_array(array: npt.NDArray[Any]) -> list[str]:
    """The lines again.

    >>> lines_of_array(lines_to_array(["a", ""]))
    ['a', '']
    """
    return array.astype(np.uint8).tobytes().decode("utf-8", "surrogatepass").split("\n")[:-1]
