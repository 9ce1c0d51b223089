"""Stores: SQL through SQLAlchemy Core and immutable event files."""

from storewise.data.stores.receipts import Appended, Receipt
from storewise.data.stores.store import Store

__all__ = ["Appended", "Receipt", "Store"]
