"""Finding the files of a data set in the folder that a user names."""

from __future__ import annotations

from pathlib import Path

from storewise.core.errors import DataError

PACKED = ("", ".gz", ".xz", ".bz2")


def required(path: Path | None, source: str) -> Path:
    """The path itself.

    Raises:
        DataError: none was given, or nothing is there.
    """
    if path is None:
        raise DataError(
            f"The source {source!r} has no embedded data.", next_step="Download it and give its path."
        )
    if not Path(path).exists():
        raise DataError(f"There is no file or folder {path}.", next_step="Check the path and the spelling.")
    return Path(path)


def find(folder: Path, *names: str) -> Path | None:
    """The first of the names that is in the folder, packed or not."""
    for name in names:
        for ending in PACKED:
            candidate = folder / f"{name}{ending}"
            if candidate.is_file():
                return candidate
    return None


def find_all(path: Path | None, source: str, *alternatives: tuple[str, ...]) -> list[Path]:
    """One file for each tuple of alternative names.

    Raises:
        DataError: ``path`` is no folder, or a file is missing; the message says what is there instead.
    """
    folder = required(path, source)
    if not folder.is_dir():
        raise DataError(
            f"{folder} is a file; {source} is a folder of several.",
            next_step=f"Name the folder that holds {alternatives[0][0]}.",
        )
    found = []
    for names in alternatives:
        file = find(folder, *names)
        if file is None:
            there = ", ".join(sorted(item.name for item in folder.iterdir())[:10]) or "nothing"
            raise DataError(
                f"{folder} has no {' or '.join(names)}; it holds {there}.",
                next_step=f"Give the folder of {source} as it was published.",
            )
        found.append(file)
    return found
