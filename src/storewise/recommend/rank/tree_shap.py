"""Exact Shapley values of boosted trees for a few rows at a time, from tables made when the trees are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
MOST_TABLED, MOST_ANSWERS = 10, 8_000_000
"""Features on a leaf's path up to which all 2^d answers are kept, and numbers in all tables; of more, each row is worked
out."""


class TreeShap:
    """Path-dependent TreeSHAP (Lundberg et al. 2020): the Shapley values of v(S) = the trees' answer where features
    outside of S go down both ways, by the training rows' shares.

    A leaf of value c is reached with Π_{j∈S} o_j Π_{j∉S} z_j: o_j says whether the row passes what the path asks of
    feature j, z_j is the share of the training rows that do. Its Shapley value is that of the multilinear extension
    (Owen 1972),

        φ_i = c (o_i − z_i) ∫₀¹ Π_{j≠i} (t o_j + (1 − t) z_j) dt,

    a polynomial that Gauss and Legendre's rule integrates exactly. A path of d features knows only 2^d different o:
    all are worked out beforehand (Yang 2021), and a row looks up its own.

    ``booster``: of LightGBM, with splits of numbers alone; of others a ValueError.
    """

    def __init__(self, booster: Any) -> None:
        told = booster.dump_model()
        self._width = int(told["max_feature_idx"]) + 1
        by_size: dict[int, list[_Leaf]] = {}
        for leaf in chain.from_iterable(_leaves(tree["tree_structure"], {}) for tree in told["tree_info"]):
            by_size.setdefault(len(leaf.tests), []).append(leaf)
        by_size.pop(0, None)  # a tree without a split lifts nothing
        sizes = sorted(by_size)
        numbers = np.cumsum([len(by_size[size]) * size * 2.0**size for size in sizes])
        small = sum(size <= MOST_TABLED and n <= MOST_ANSWERS for size, n in zip(sizes, numbers, strict=True))
        self._tabled = _Tabled([by_size[size] for size in sizes[:small]])
        self._wide = [_Tests.of(by_size[size]) for size in sizes[small:]]

    def __call__(self, columns: Singles) -> Floats:
        """(m, f) contributions of the columns (m, f), in units of the trees' score."""
        columns = np.maximum(
            columns, np.finfo(np.float32).min
        )  # -inf is above no border, and must pass the first
        found = np.zeros((len(columns), self._width))
        self._tabled.add(found, columns)
        for tests in self._wide:
            lifts = shapley(tests.passed(columns), tests.shares, tests.values)
            np.add.at(found, (slice(None), tests.features), lifts)
        return found


def shapley(passed: npt.NDArray[Any], shares: Floats, values: Floats) -> Floats:
    """φ (..., d) of leaves with ``values`` (...); ``passed`` o and ``shares`` z (..., d), z > 0; all broadcast.

    >>> shapley(np.array([1, 0]), np.array([0.5, 0.5]), np.array(8.0)).round(9).tolist()
    [1.0, -3.0]
    """
    points, weights = np.polynomial.legendre.leggauss((passed.shape[-1] + 1) // 2)
    total = np.zeros(np.broadcast_shapes(passed.shape, shares.shape))
    for t, weight in zip((points + 1) / 2, weights / 2, strict=True):
        part = t * passed + (1 - t) * shares
        total += weight * part.prod(axis=-1, keepdims=True) / part
    found: Floats = values[..., None] * (passed - shares) * total
    return found


@dataclass(frozen=True)
class _Test:
    """What a path asks of one feature: above ``low`` and at most ``high``, or missing where ``missing``; ``share``:
    the part of the training rows at those nodes that goes this way."""

    low: float = -np.inf
    high: float = np.inf
    missing: bool = True
    share: float = 1.0

    def narrowed(self, node: Mapping[str, Any], *, left: bool, share: float) -> _Test:
        border = float(node["threshold"])
        # LightGBM reads NaN as 0 where training saw no missing value.
        to_left = node["default_left"] if node["missing_type"] == "NaN" else border >= 0
        low, high = (self.low, min(self.high, border)) if left else (max(self.low, border), self.high)
        return _Test(low, high, self.missing and to_left == left, self.share * share)


@dataclass(frozen=True)
class _Leaf:
    """``tests``: by feature."""

    tests: Mapping[int, _Test]
    value: float


def _leaves(node: Mapping[str, Any], asked: Mapping[int, _Test]) -> Iterator[_Leaf]:
    if "leaf_value" in node:
        yield _Leaf(asked, float(node["leaf_value"]))
        return
    if node["decision_type"] != "<=" or node["missing_type"] == "Zero":
        raise ValueError("Only splits of numbers at a threshold are known.")
    feature = int(node["split_feature"])
    for side in ("left_child", "right_child"):
        child = node[side]
        share = child.get("internal_count", child.get("leaf_count")) / node["internal_count"]
        test = asked.get(feature, _Test()).narrowed(node, left=side == "left_child", share=share)
        yield from _leaves(child, {**asked, feature: test})


@dataclass(frozen=True)
class _Tests:
    """The tests of l leaves with d features each: ``features``, ``low``, ``high``, ``missing``, ``shares`` (l, d), and
    the leaves' ``values`` (l,)."""

    features: Ints
    low: Singles
    high: Singles
    missing: npt.NDArray[np.bool_]
    shares: Floats
    values: Floats

    @classmethod
    def of(cls, leaves: Sequence[_Leaf]) -> _Tests:
        tests = [list(leaf.tests.values()) for leaf in leaves]
        return cls(
            np.array([list(leaf.tests) for leaf in leaves]),
            _not_above(np.array([[test.low for test in row] for row in tests])),
            _not_above(np.array([[test.high for test in row] for row in tests])),
            np.array([[test.missing for test in row] for row in tests]),
            np.array([[test.share for test in row] for row in tests]),
            np.array([leaf.value for leaf in leaves]),
        )

    def passed(self, columns: Singles) -> npt.NDArray[np.bool_]:
        """(m, l, d)."""
        return _passed(columns, self.features, self.low, self.high, self.missing)


class _Tabled:
    """Leaves of few features, all their tests in one row of e, leaf after leaf."""

    def __init__(self, groups: Sequence[Sequence[_Leaf]]) -> None:
        """``groups``: leaves of the same number of features each."""
        tests = [_Tests.of(leaves) for leaves in groups]
        shapes = np.array([one.features.shape for one in tests], np.int64).reshape(-1, 2)
        sizes = np.repeat(shapes[:, 1], shapes[:, 0])
        self._first = np.cumsum(sizes) - sizes  # of each leaf
        self._features = _flat([one.features for one in tests], np.int64)
        self._low = _flat([one.low for one in tests], np.float32)
        self._high = _flat([one.high for one in tests], np.float32)
        self._missing = _flat([one.missing for one in tests], np.bool_)
        leaf = np.repeat(np.arange(len(sizes)), sizes)
        self._bit = (1 << (np.arange(len(leaf)) - self._first[leaf])).astype(np.int16)
        self._table = _flat([_answers(one) for one in tests], np.float64)
        length = np.left_shift(1, sizes[leaf])
        # Sums are over stretches of the same feature.
        order = np.argsort(self._features, kind="stable")
        self._leaf, self._start = leaf[order], (np.cumsum(length) - length)[order]
        self._summed, self._stretch = np.unique(self._features[order], return_index=True)

    def add(self, found: Floats, columns: Singles) -> None:
        """Row by row: what one needs stays in the processor's cache."""
        if not len(self._features):
            return
        for mine, row in zip(found, columns, strict=True):
            passed = _passed(row, self._features, self._low, self._high, self._missing)
            pattern = np.add.reduceat(passed * self._bit, self._first)
            lifts = self._table[pattern[self._leaf] + self._start]
            mine[self._summed] += np.add.reduceat(lifts, self._stretch)


def _answers(tests: _Tests) -> Floats:
    """(l, d, 2^d): each test's contribution for every set of passed ones, the sets as numbers in binary."""
    d = tests.features.shape[1]
    every = (np.arange(2**d)[:, None] >> np.arange(d)) & 1
    return shapley(every, tests.shares[:, None, :], tests.values[:, None]).transpose(0, 2, 1)


def _flat(parts: Sequence[npt.NDArray[Any]], dtype: type[Any]) -> npt.NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *(part.ravel() for part in parts)])


def _passed(
    columns: Singles, features: Ints, low: Singles, high: Singles, missing: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    asked = columns[..., features]
    found: npt.NDArray[np.bool_] = (asked > low) & (asked <= high)
    found |= np.isnan(asked) & missing
    return found


def _not_above(borders: Floats) -> Singles:
    """The largest singles that are not above: a single is above the one where it is above the other.

    >>> border = np.float64(0.1)
    >>> bool(_not_above(np.array([border]))[0] <= border < np.float32(border))
    True
    """
    with np.errstate(over="ignore"):
        near = borders.astype(np.float32)
    return np.where(near > borders, np.nextafter(near, np.float32(-np.inf)), near)
