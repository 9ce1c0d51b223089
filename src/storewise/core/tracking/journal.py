"""One run of many parts, told to several trackers at once: each value gets the next step, names say which part."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from storewise.core.tracking.base import Run


@dataclass(frozen=True)
class Journal:
    """``runs``: where it is written; none: nowhere. ``prefix``: of every name. A part of it (``under``) shares its
    steps, so that steps never go back.

    >>> journal = Journal()
    >>> journal.under("purchase").log(1, {"loss": 0.3})
    """

    runs: tuple[Run, ...] = ()
    prefix: str = ""
    _steps: Iterator[int] = field(default_factory=lambda: itertools.count(1), compare=False, repr=False)

    def under(self, name: str) -> Journal:
        """The part of it that has this name."""
        return Journal(self.runs, f"{self.prefix}{name}/", self._steps)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """The values at the journal's own next step; ``step`` counts in the part alone and is not kept. What is no
        finite number is left out."""
        told = {f"{self.prefix}{name}": float(v) for name, v in values.items() if math.isfinite(v)}
        if self.runs and told:
            place = next(self._steps)
            for run in self.runs:
                run.log(place, told)

    def curve(self, name: str, x: Sequence[float], y: Sequence[float]) -> None:
        """A whole curve; nothing for one without points."""
        if len(x):
            for run in self.runs:
                run.curve(_file_name(f"{self.prefix}{name}"), x, y)

    def finish(self) -> None:
        """Close all."""
        for run in self.runs:
            run.finish()

    def close(self) -> None:
        """The same, for ``contextlib.closing``."""
        self.finish()


def _file_name(text: str) -> str:
    """What every tracker takes for a name.

    >>> _file_name("retrieve.sasrec.v1/ndcg@12 by trial")
    'retrieve.sasrec.v1-ndcg-12-by-trial'
    """
    return re.sub(r"[^A-Za-z0-9._]+", "-", text)
