"""What a benchmark is given: one path for most protocols, several named ones for some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

from storewise.core.errors import ConfigError, DataError
from storewise.core.progress import Progress


@dataclass(frozen=True)
class Inputs:
    """The options of ``storewise benchmark`` that name data, and the folder that a killed run goes on from; None
    where the option was not given."""

    data: Path | None = None
    catalogue: Path | None = None
    judgements: Path | None = None
    train: Path | None = None
    test: Path | None = None
    images: Path | None = None
    label: str | None = None
    split: str | None = None
    treatment: str | None = None
    outcome: str | None = None
    control: str | None = None
    exclude: str | None = None
    log: Path | None = None
    policy: Path | None = None
    columns: str | None = None
    time: str | None = None
    group: str | None = None
    text: str | None = None
    checkpoint: Path | None = None

    def path(self, option: str) -> Path:
        """The path of an option that a protocol cannot do without.

        Raises:
            ConfigError: when it was not given.
            DataError: when nothing is there.

        >>> Inputs().path("train")
        Traceback (most recent call last):
        ...
        storewise.core.errors.ConfigError: The protocol needs --train. Give it: --train PATH.
        """
        found: Path | None = getattr(self, option)
        if found is None:
            raise ConfigError(f"The protocol needs --{option}.", next_step=f"Give it: --{option} PATH.")
        if not found.exists():
            raise DataError(
                f"There is nothing at {found}.", next_step=f"Check the path given with --{option}."
            )
        return found

    def column(self, option: str) -> str:
        """The column that an option names, where the protocol cannot do without.

        Raises:
            ConfigError: when it was not given.
        """
        found: str | None = getattr(self, option)
        if not found:
            raise ConfigError(f"The protocol needs --{option}.", next_step=f"Give it: --{option} COLUMN.")
        return found

    def refuse_others(self, protocol: str, wanted: Sequence[str]) -> None:
        """Raise for an option that the protocol would silently ignore.

        Raises:
            ConfigError: naming the option and those the protocol reads.
        """
        given = [f.name for f in fields(self) if getattr(self, f.name) is not None]
        if extra := [name for name in given if name not in wanted]:
            known = ", ".join(f"--{name}" for name in wanted)
            raise ConfigError(
                f"{protocol} does not read --{extra[0]}.",
                next_step=f"It reads {known}; leave the others out.",
            )


class Study(Protocol):
    """A protocol with a report of its own making: not lists of products for shoppers.

    ``reads``: the names of the :class:`Inputs` it understands.
    """

    @property
    def name(self) -> str: ...

    @property
    def about(self) -> str: ...

    @property
    def reads(self) -> tuple[str, ...]: ...

    def run(
        self, inputs: Inputs, *, models: Sequence[str] | None, budget_s: float, seed: int, progress: Progress
    ) -> dict[str, Any]:
        """The body of the report: ``data`` (one line on it), ``about``, ``question``, ``reason`` (why validation
        chose the selected row), ``rows``, ``others`` (further sections with question, reason and rows).

        A row holds ``model``, ``selected`` (exactly one is), ``simple`` (true for the simple rule that stands
        beside), ``seconds`` and ``metrics``: name → ``{"value", "low", "high"}``.
        """
        ...
