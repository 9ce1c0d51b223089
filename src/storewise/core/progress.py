"""Progress bars for whoever watches, silence for whoever does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """What a long step reports to."""

    def track(self, items: Iterable[T], *, label: str, total: int | None = None) -> Iterator[T]:
        """Yield the items and advance a bar by one for each."""
        ...

    def note(self, text: str) -> None:
        """Say one line that stays on the screen."""
        ...


class Silent:
    """Reports nothing: the default in libraries, tests and servers.

    >>> list(Silent().track([1, 2], label="x"))
    [1, 2]
    """

    def track(self, items: Iterable[T], *, label: str, total: int | None = None) -> Iterator[T]:
        yield from items

    def note(self, text: str) -> None:
        return None


class Bars:
    """Bars by rich; on a terminal that cannot redraw, each finished step is one line."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)

    def track(self, items: Iterable[T], *, label: str, total: int | None = None) -> Iterator[T]:
        import time

        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        if total is None and isinstance(items, Sized):
            total = len(items)
        started = time.perf_counter()
        columns = (
            TextColumn("{task.description:<34}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with RichProgress(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task(label, total=total)
            for item in items:
                yield item
                bar.advance(task)
        self._console.print(f"[green]✓[/] {label} [dim]{time.perf_counter() - started:.1f} s[/]")

    def note(self, text: str) -> None:
        self._console.print(text)


@contextmanager
def step(progress: Progress, label: str) -> Iterator[None]:
    """One step of unknown length, shown as a bar of one.

    >>> with step(Silent(), "reading"):
    ...     pass
    """
    bar = iter(progress.track([None], label=label, total=1))
    next(bar)
    yield
    for _ in bar:
        pass
