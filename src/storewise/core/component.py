"""The component: a typed config, one method of its role and, if it learns, ``train``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from storewise.core.config import Config
from storewise.core.errors import StateError

Arrays = Mapping[str, npt.NDArray[Any]]
"""A component's learned state: plain arrays by name, the only thing an artifact holds of it."""

ConfigT = TypeVar("ConfigT", bound=Config)


class Component(Generic[ConfigT]):
    """Base of all components.

    A subclass sets ``Config`` (its config class) and implements its role's method. One that learns also
    implements ``train`` (of its role's signature), ``state`` and ``restore``; a restored component answers
    exactly as the trained one did.

    >>> class Doubler(Component[Config]):
    ...     Config = Config
    ...     def __call__(self, x: int) -> int:
    ...         return 2 * x
    >>> Doubler()(4)
    8
    """

    Config: ClassVar[type[Config]]

    def __init__(self, config: ConfigT | None = None) -> None:
        self.config: ConfigT = config if config is not None else self.Config()  # type: ignore[assignment]

    def state(self) -> Arrays:
        """The learned arrays. A component that learns nothing returns ``{}``."""
        return {}

    def restore(self, state: Arrays) -> None:
        """Take the arrays that ``state`` gave. A component that learns nothing ignores them."""

    def require(self, ready: bool) -> None:
        """Raise when a learned method is called before ``train`` or ``restore``.

        Raises:
            StateError: naming the component.
        """
        if not ready:
            raise StateError(
                f"{type(self).__name__} has not been trained.",
                next_step="Call train(dataset, …) or load an artifact first.",
            )


def same_state(left: Arrays, right: Arrays) -> bool:
    """True when two states hold the same arrays, bit for bit.

    >>> same_state({"w": np.arange(3)}, {"w": np.arange(3)})
    True
    """
    return left.keys() == right.keys() and all(
        np.array_equal(left[name], right[name], equal_nan=left[name].dtype.kind == "f") for name in left
    )
