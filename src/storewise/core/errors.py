"""Every error that Storewise raises on purpose.

::

    StorewiseError
    ├── InputError              the caller gave something that cannot be used
    │   ├── ConfigError         a setting, a pipeline file or a component's config
    │   ├── DataError           a file or table as a whole (single bad rows become rejects, not errors)
    │   ├── UnknownName         a component, product, customer, snapshot … that does not exist
    │   └── LimitExceeded       more than the stated limit
    ├── AccessDenied            no key, a wrong key, or no consent
    ├── StateError              the request is fine, the state does not allow it
    │   ├── NothingPublished    no snapshot serves yet
    │   ├── ArtifactError       an artifact is damaged or of another format
    │   └── StoreError          the store cannot be opened, is locked or is of a newer version
    ├── DeadlineExceeded        an answer was not ready in time
    └── MissingExtra            an optional library is not installed

``serve/errors.py`` maps this tree to HTTP status codes and ``cli`` to exit codes.
"""

from __future__ import annotations


class StorewiseError(Exception):
    """Base of all. ``problem`` names the value and the limit, ``next_step`` what to do about it.

    >>> str(ConfigError("n is 0, it must be at least 1.", next_step="Set n between 1 and 1000."))
    'n is 0, it must be at least 1. Set n between 1 and 1000.'
    """

    def __init__(self, problem: str, *, next_step: str) -> None:
        super().__init__(problem, next_step)
        self.problem = problem
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.problem} {self.next_step}"


class InputError(StorewiseError):
    """The caller gave something that cannot be used."""


class ConfigError(InputError):
    """A setting, a pipeline file or a component's config is wrong."""


class DataError(InputError):
    """A file or a table cannot be used as a whole."""


class UnknownName(InputError):
    """A name or an id that does not exist here."""


class LimitExceeded(InputError):
    """More was asked for than the stated limit."""


class AccessDenied(StorewiseError):
    """No key, a wrong key, or no consent."""


class StateError(StorewiseError):
    """The request is fine; the present state does not allow it."""


class NothingPublished(StateError):
    """No snapshot has been published yet."""


class ArtifactError(StateError):
    """An artifact is damaged, incomplete or of another format."""


class StoreError(StateError):
    """The store cannot be opened, is locked, or is of a newer version."""


class DeadlineExceeded(StorewiseError):
    """An answer was not ready in time."""


class MissingExtra(StorewiseError):
    """An optional library is not installed."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(
            f"The library {library!r} is not installed.",
            next_step=f"Install it with: pip install 'storewise[{extra}]'",
        )
