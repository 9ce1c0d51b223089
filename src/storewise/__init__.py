"""Storewise: the engine that runs an online shop."""

__version__ = "0.1.0"
