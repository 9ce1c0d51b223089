"""Retrievers: candidates out of the whole catalogue. The table below is their registry."""

COMPONENTS: dict[str, str] = {}
