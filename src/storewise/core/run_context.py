"""What surrounds a training run: where it leaves what a killed one goes on from, and who is told how it goes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from storewise.core.config import config_hash
from storewise.core.errors import ArtifactError, ConfigError
from storewise.core.tracking.journal import Journal

FILE = "run.json"


@dataclass(frozen=True)
class RunContext:
    """``folder``: of this run, or this part of one; None: nothing is left. ``journal``: nobody is told by default.

    >>> RunContext().part("retrieve.sasrec.v1").search is None
    True
    """

    folder: Path | None = None
    journal: Journal = field(default_factory=Journal)

    def part(self, *names: str) -> RunContext:
        """The part of the run that has these names."""
        folder, journal = self.folder, self.journal
        for name in names:
            folder = None if folder is None else folder / re.sub(r"[^A-Za-z0-9._]+", "-", name)
            journal = journal.under(name)
        return RunContext(folder, journal)

    @property
    def search(self) -> Path | None:
        """The file that a search for hyper-parameters is kept in."""
        return None if self.folder is None else self.folder / "search.log"

    @property
    def trainings(self) -> Path | None:
        """The folder that trainings leave their checkpoints in, each under its own fingerprint."""
        return None if self.folder is None else self.folder / "trainings"

    def claim(self, facts: Mapping[str, Any]) -> None:
        """Say what run this is. The folder then belongs to it: what was found there is used for nothing else.

        Raises:
            ConfigError: when the folder belongs to a run of other facts, naming the first that differs.
            ArtifactError: when what the folder says of itself cannot be read.
        """
        if self.folder is None:
            return
        file, mine = self.folder / FILE, orjson.loads(orjson.dumps(dict(facts), default=str))
        if not file.is_file():
            if self.folder.is_dir() and any(not p.name.startswith(".") for p in self.folder.iterdir()):
                raise ConfigError(
                    f"{self.folder} holds other files and no run.", next_step="Name a new or empty folder."
                )
            self.folder.mkdir(parents=True, exist_ok=True)
            scratch = file.with_name(f".{FILE}.writing")
            scratch.write_bytes(orjson.dumps(mine, option=orjson.OPT_INDENT_2))
            scratch.replace(file)
            return
        try:
            found = orjson.loads(file.read_bytes())
        except ValueError as error:
            raise ArtifactError(
                f"{file} cannot be read: {error}.", next_step="Name another folder."
            ) from error
        differs = next((n for n in {**mine, **found} if mine.get(n) != found.get(n)), None)
        if differs is not None:
            raise ConfigError(
                f"{self.folder} belongs to another run: its {differs} is {_short(found.get(differs))}, "
                f"now it is {_short(mine.get(differs))}.",
                next_step="Use the settings and data of that run, or name another folder.",
            )


def _short(value: Any) -> str:
    """A value for a message.

    >>> _short("b1b2"), _short({"a": 1})
    ('b1b2', 'a table with hash 015abd7f5cc5')
    """
    return f"a table with hash {config_hash(value)}" if isinstance(value, dict | list) else str(value)
