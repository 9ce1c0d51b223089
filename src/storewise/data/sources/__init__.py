"""Loaders, one for each public data set and one for any shop's own tables."""

from storewise.data.sources.registry import DEFAULT, SOURCES, load_source

__all__ = ["DEFAULT", "SOURCES", "load_source"]
