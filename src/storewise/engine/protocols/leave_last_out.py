"""``leave-last-out``: what comes next, from any file of ``user item item …`` lines in time order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from storewise.core.errors import DataError
from storewise.data import split
from storewise.data.dataset import Dataset
from storewise.data.plain import behaviour_of, index_of, read_lines
from storewise.engine.protocols import base


class LeaveLastOut:
    """The last product of each user tests, the one before validates, the whole catalogue is ranked.

    The claim masks the products that the user has; the variant ``unmasked`` ranks those too. Models train
    on everything but the last products before the test.
    """

    name = "leave-last-out"
    about = "last item test, the one before validation, all items ranked, seen masked, k = 10"
    k = 10
    metrics = ("ndcg", "recall", "mrr", "hit")

    def questions(self, path: Path | None, *, seed: int) -> list[base.Question]:
        return [self.question_of(read_lines(_sequence_file(path)))]

    def question_of(self, lines: Mapping[str, Sequence[str]]) -> base.Question:
        """The same of lines in memory: the products of each user in time order."""
        customers, products = index_of(lines)
        base.check_k(self.k, len(products))
        behaviour = behaviour_of(lines, customer_index=customers, product_index=products, ordered=True)
        codes = split.leave_last(behaviour)
        catalogue = pl.DataFrame({"product_id": list(products)})
        whole = Dataset(catalogue, list(customers), behaviour, watermark=behaviour.end)
        known, full = (
            whole.with_interactions(behaviour.select(codes < c)) for c in (split.VALIDATION, split.TEST)
        )
        validation = base.task_of(
            known.interactions,
            behaviour.select(codes == split.VALIDATION),
            k=self.k,
            metric=self.metrics[0],
        )

        def folds() -> Iterator[base.Fold]:
            answers = behaviour.select(codes == split.TEST)
            test, open_test = (
                base.task_of(full.interactions, answers, k=self.k, metric=self.metrics[0], masked=m)
                for m in (True, False)
            )
            yield base.Fold(full, test, {"unmasked": open_test}, base.heat_groups(test))

        return base.Question("next product", base.span(whole), known, validation, 1, folds)


def _sequence_file(path: Path | None) -> Path:
    """The file itself, or the only text file of a folder."""
    if path is None or not path.is_dir():
        return base.entry(path)
    found = sorted(p for p in path.iterdir() if p.name.endswith((".txt", ".txt.gz", ".txt.xz")))
    if len(found) != 1:
        listed = ", ".join(p.name for p in found) or "none"
        raise DataError(
            f"The folder {path} should hold one .txt or .txt.gz file of sequences; there are: {listed}.",
            next_step="Name the file itself.",
        )
    return found[0]
