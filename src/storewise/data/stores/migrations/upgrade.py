"""Run the missing revisions; the store does this when it opens."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError

from storewise.core.errors import StoreError


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(Path(__file__).parent))


def head() -> str:
    """The newest revision this version knows.

    >>> head()
    '0005'
    """
    found = _scripts().get_current_head()
    assert found is not None, "there is always a first revision"
    return found


def current(connection: sa.Connection) -> str | None:
    """The database's revision, None when it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(connection: sa.Connection) -> list[str]:
    """Bring the database to the newest revision inside the caller's transaction; returns what was run.

    Raises:
        StoreError: when the database is of a revision that this version does not know.
    """
    context = MigrationContext.configure(connection)
    found = context.get_current_revision()
    if found == head():
        return []
    try:
        pending = list(_scripts().iterate_revisions("head", found or "base"))[::-1]
    except RevisionError as error:
        raise StoreError(
            f"The store has revision {found}, this version of Storewise knows revisions up to {head()}.",
            next_step="Update Storewise to the version that wrote the store, or newer.",
        ) from error
    with Operations.context(context):
        for revision in pending:
            revision.module.upgrade()
            context.stamp(_scripts(), revision.revision)
    return [revision.revision for revision in pending]
