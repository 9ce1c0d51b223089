"""What rules ask of products, as arrays: the values of each field, and the links of the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from storewise.understand.graph.facts import catalogue_attributes, plain
from storewise.understand.graph.tables import Graph
from storewise.understand.rules.condition import LINKS, PLAIN_FIELDS

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Values:
    """The values of one field. ``names`` (v,): each different value, in lower case and sorted; ``numbers``
    (v,): the same as numbers, NaN where it is none; entry e says that product ``products[e]`` has value
    ``codes[e]``, by rising product."""

    names: tuple[str, ...]
    numbers: npt.NDArray[np.float64]
    products: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int64]
    n_products: int

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, Any]], n_products: int) -> Values:
        """From (product, value).

        >>> Values.of([(0, "Red"), (1, 3.0), (1, None)], 2).names
        ('3', 'red')
        """
        rows = sorted({(product, canonical(value)) for product, value in pairs if canonical(value)})
        names = tuple(sorted({name for _, name in rows}))
        code = {name: i for i, name in enumerate(names)}
        products = np.array([product for product, _ in rows], np.int64)
        codes = np.array([code[name] for _, name in rows], np.int64)
        return cls(names, np.array([number(name) for name in names]), products, codes, n_products)

    @cached_property
    def code(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def known(self) -> Mask:
        """(n_products,): has any value."""
        mask = np.zeros(self.n_products, bool)
        mask[self.products] = True
        return mask

    @cached_property
    def indptr(self) -> npt.NDArray[np.int64]:
        """(n_products + 1,): the entries of product p are indptr[p] : indptr[p + 1]."""
        counts = np.bincount(self.products, minlength=self.n_products)
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def having(self, chosen: Mask) -> Mask:
        """(n_products,): products with any of the chosen values; ``chosen`` is (v,)."""
        mask = np.zeros(self.n_products, bool)
        mask[self.products[chosen[self.codes]]] = True
        return mask

    def of_products(self, products: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The codes of these products, each once."""
        return np.unique(self.codes[entries(self.indptr, products)])


def entries(indptr: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Positions of all entries of these rows of a compressed table.

    >>> entries(np.array([0, 2, 2, 5]), np.array([0, 2])).tolist()
    [0, 1, 2, 3, 4]
    """
    start, stop = indptr[rows].astype(np.int64), indptr[rows + 1].astype(np.int64)
    length = stop - start
    before = np.cumsum(length) - length
    return np.repeat(start - before, length) + np.arange(length.sum())


@dataclass(frozen=True)
class ProductFacts:
    """The fields of all products and the links between them.

    ``fields``: plain fields and ``attribute.NAME``; ``links``: relation → (n_products, n_products), subject by
    object, without those that the shop's graph lacks.
    """

    n_products: int
    fields: Mapping[str, Values]
    links: Mapping[str, sparse.csr_matrix] = field(default_factory=dict)

    @classmethod
    def of(cls, products: pl.DataFrame, graph: Graph | None = None) -> ProductFacts:
        """From a catalogue (product_id and what it has of category, brand, price_minor, attributes) and a graph
        over the same products, whose attribute values count too."""
        n = products.height
        attributes = list(catalogue_attributes(products)) + (_graph_attributes(graph) if graph else [])
        pairs: dict[str, list[tuple[int, Any]]] = {}
        for product, name, value in attributes:
            pairs.setdefault(f"attribute.{str(name).strip().casefold()}", []).append((product, value))
        for name in PLAIN_FIELDS:
            column = "product_id" if name == "product" else name
            if column in products.columns:
                pairs[name] = list(enumerate(products[column].to_list()))
        links = (
            {name: graph.partners(name) for name in LINKS if graph.counts[name]} if graph is not None else {}
        )
        return cls(n, {name: Values.of(rows, n) for name, rows in pairs.items()}, links)

    def values(self, name: str) -> Values:
        """The values of a field; none where no product has it."""
        return self.fields.get(name) or Values.of((), self.n_products)


def canonical(value: Any) -> str:
    """A value as rules compare it: in lower case, numbers in one form; empty for nothing.

    >>> canonical(" Red "), canonical("3.0"), canonical(3), canonical(None)
    ('red', '3', '3', '')
    """
    if value is None:
        return ""
    text = plain(value).casefold()
    found = number(text)
    return text if np.isnan(found) else f"{found:.12g}"


def number(text: str) -> float:
    """The number that a text is, NaN where it is none (also for inf and nan themselves)."""
    if not text[-1:].isdigit() and text[-1:] != ".":
        return float("nan")
    try:
        found = float(text)
    except ValueError:
        return float("nan")
    return found if np.isfinite(found) and "_" not in text else float("nan")


def _graph_attributes(graph: Graph) -> list[tuple[int, str, str]]:
    facts = graph.edges.filter(pl.col("relation") == "has_attribute")
    keys = graph.nodes["key"].to_list()
    return [
        (product, *keys[node].split("=", 1)) for product, node in facts.select("source", "target").iter_rows()
    ]
