"""What training minimises: one loss of a batch that is drawn anew at each step."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from storewise.understand.finetune.tower import Tower


class Objective(Protocol):
    """``extra``: parameters of its own, trained too and thrown away. ``state``/``restore``: what a resumed run
    could not work out again. ``refresh``: before the first step and before each further one."""

    name: str

    def extra(self) -> dict[str, Any]: ...

    def state(self) -> dict[str, npt.NDArray[Any]]: ...

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None: ...

    def refresh(self, tower: Tower, step: int) -> None: ...

    def loss(self, tower: Tower, rng: np.random.Generator) -> Any: ...


class Stateless:
    """What an objective without parameters, memory and preparation has of these."""

    def extra(self) -> dict[str, Any]:
        return {}

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {}

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        return None

    def refresh(self, tower: Tower, step: int) -> None:
        return None
