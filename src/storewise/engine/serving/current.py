"""The serving snapshot of a running process: one reference, replaced while requests go on."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from storewise.core.errors import NothingPublished, StorewiseError
from storewise.engine.published import POINTER
from storewise.engine.serving.snapshot import Snapshot

log = structlog.get_logger(__name__)
Mark = tuple[int, int, int]


class Current:
    """Holds the snapshot and, once started, watches the pointer file.

    ``load`` reads what the pointer names; it runs in the watching thread, the requests meanwhile use the old
    snapshot. A load that fails leaves the old snapshot serving and is tried again when the pointer changes.
    ``refresh`` (optional) gives the same snapshot with newer facts, or None when nothing changed.
    """

    def __init__(
        self,
        root: Path,
        load: Callable[[], Snapshot],
        *,
        refresh: Callable[[Snapshot], Snapshot | None] = lambda snapshot: None,
        on_swap: Callable[[Snapshot], None] = lambda snapshot: None,
        every_s: float = 1.0,
    ) -> None:
        self._root = root
        self._load = load
        self._refresh = refresh
        self._on_swap = on_swap
        self._every_s = every_s
        self._snapshot: Snapshot | None = None
        self._seen: Mark | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.failures = 0

    def __call__(self) -> Snapshot:
        """The serving snapshot: one read of one reference.

        Raises:
            NothingPublished: when none has been loaded.
        """
        snapshot = self._snapshot
        if snapshot is None:
            raise NothingPublished(
                f"No snapshot of {self._root} is loaded.", next_step="Run `storewise train` and `storewise publish`."
            )  # fmt: skip
        return snapshot

    @property
    def ready(self) -> bool:
        return self._snapshot is not None

    def check(self) -> bool:
        """Look once; True when the snapshot was replaced."""
        mark = self._mark()
        if mark is None or mark == self._seen:
            return self._refreshed()
        self._seen = mark
        try:
            snapshot = self._load()
        except StorewiseError as error:
            self.failures += 1
            log.error("the published snapshot cannot be loaded", problem=error.problem, next=error.next_step)
            return False
        except Exception:
            self.failures += 1
            log.exception("the published snapshot cannot be loaded")
            return False
        self.take(snapshot)
        log.info("snapshot serves", snapshot=snapshot.id)
        return True

    def start(self) -> None:
        """Load what is published and watch from now on."""
        self.check()
        self._thread = threading.Thread(target=self._watch, name="snapshot-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _watch(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self.check()
            except Exception:
                self.failures += 1
                log.exception("watching the published snapshot failed")

    def _refreshed(self) -> bool:
        if self._snapshot is None or (newer := self._refresh(self._snapshot)) is None:
            return False
        self._snapshot = newer
        return True

    def take(self, snapshot: Snapshot) -> None:
        """Let a snapshot serve from now on."""
        self._on_swap(snapshot)
        self._snapshot = snapshot
        # A snapshot holds hundreds of thousands of long-lived objects. Frozen, they are not walked by every
        # full collection, which would otherwise stop all requests for tens of milliseconds.
        gc.unfreeze()
        gc.collect()
        gc.freeze()

    def _mark(self) -> Mark | None:
        try:
            found = (self._root / POINTER).stat()
        except FileNotFoundError:
            return None
        return (found.st_mtime_ns, found.st_ino, found.st_size)
