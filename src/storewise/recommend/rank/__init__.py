"""Rankers: the order of candidates that retrievers found. The table below is their registry."""

COMPONENTS: dict[str, str] = {}
