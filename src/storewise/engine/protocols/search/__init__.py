"""The protocol ``search``: which products a query finds, by graded judgements."""

from storewise.engine.protocols.search.study import Search

__all__ = ["Search"]
