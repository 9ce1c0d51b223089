"""The few operations that networks are written in, for NumPy (serving) and for torch (training).

A network's formula stands once, as a function of arrays and of these operations; what both libraries write alike
(``+``, ``*``, ``@``, ``.sum(axis)``, ``.mean(axis)``, slices) is used as it is. So serving needs no torch, and says
what training meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class Ops(Protocol):
    """Arrays of one library. ``dropout`` leaves values alone unless the network is being trained."""

    def take(self, table: Any, rows: Any) -> Any:
        """``table[rows]``: (r, k) and (…) → (…, k)."""
        ...

    def there(self, rows: Any) -> Any:
        """1 where a row of a table is not the missing one (0), as a float."""
        ...

    def relu(self, x: Any) -> Any: ...

    def softmax(self, x: Any) -> Any:
        """Over the last axis."""
        ...

    def concat(self, parts: Sequence[Any]) -> Any:
        """Along the last axis."""
        ...

    def stack(self, parts: Sequence[Any]) -> Any:
        """(n, k) each → (n, parts, k)."""
        ...

    def logaddexp(self, a: Any, b: Any) -> Any: ...

    def dropout(self, x: Any) -> Any: ...


class NumpyOps:
    """For serving.

    >>> NumpyOps().softmax(np.zeros((1, 4))).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """

    def take(self, table: Any, rows: Any) -> Any:
        return table[rows]

    def there(self, rows: Any) -> Any:
        return (rows != 0).astype(np.float32)

    def relu(self, x: Any) -> Any:
        return np.maximum(x, 0)

    def softmax(self, x: Any) -> Any:
        raised = np.exp(x - x.max(axis=-1, keepdims=True))
        return raised / raised.sum(axis=-1, keepdims=True)

    def concat(self, parts: Sequence[Any]) -> Any:
        return np.concatenate(list(parts), axis=-1)

    def stack(self, parts: Sequence[Any]) -> Any:
        return np.stack(list(parts), axis=1)

    def logaddexp(self, a: Any, b: Any) -> Any:
        return np.logaddexp(a, b)

    def dropout(self, x: Any) -> Any:
        return x


class TorchOps:
    """For training; ``rate`` of the values of a hidden layer is dropped, drawn from ``generator`` (None: none)."""

    def __init__(self, torch: Any, *, rate: float = 0.0, generator: Any = None) -> None:
        self.torch, self.rate, self.generator = torch, rate, generator

    def take(self, table: Any, rows: Any) -> Any:
        return self.torch.nn.functional.embedding(rows, table) if table.dim() == 2 else table[rows]

    def there(self, rows: Any) -> Any:
        return (rows != 0).to(self.torch.float32)

    def relu(self, x: Any) -> Any:
        return self.torch.relu(x)

    def softmax(self, x: Any) -> Any:
        return self.torch.softmax(x, dim=-1)

    def concat(self, parts: Sequence[Any]) -> Any:
        return self.torch.cat(list(parts), dim=-1)

    def stack(self, parts: Sequence[Any]) -> Any:
        return self.torch.stack(list(parts), dim=1)

    def logaddexp(self, a: Any, b: Any) -> Any:
        return self.torch.logaddexp(a, b)

    def dropout(self, x: Any) -> Any:
        if self.generator is None or self.rate == 0:
            return x
        kept = self.torch.rand(x.shape, generator=self.generator, device=x.device) >= self.rate
        return x * kept / (1 - self.rate)
