"""The knowledge graph of a shop: products, brands, categories and attribute values, and how they hang together."""

from storewise.understand.graph.build import build_graph
from storewise.understand.graph.config import GraphConfig
from storewise.understand.graph.embed import EmbedConfig, embed
from storewise.understand.graph.export import export
from storewise.understand.graph.query import Edge, Path, neighbours, paths, products_with
from storewise.understand.graph.tables import INFERRED, RELATIONS, Graph

__all__ = [
    "INFERRED",
    "RELATIONS",
    "Edge",
    "EmbedConfig",
    "Graph",
    "GraphConfig",
    "Path",
    "build_graph",
    "embed",
    "export",
    "neighbours",
    "paths",
    "products_with",
]
