"""Bringing a database to the present shape, step by step, with Alembic's revisions in ``versions/``."""

from storewise.data.stores.migrations.upgrade import head, upgrade

__all__ = ["head", "upgrade"]
