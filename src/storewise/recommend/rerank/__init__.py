"""Rerankers: from a ranked list to the one that is shown. The table below is their registry."""

COMPONENTS: dict[str, str] = {}
