"""Stores: SQL through SQLAlchemy Core and immutable event files."""

from storewise.data.stores.store import Appended, Receipt, Store

__all__ = ["Appended", "Receipt", "Store"]
