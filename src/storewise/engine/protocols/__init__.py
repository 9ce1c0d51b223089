"""Evaluation protocols by name."""

from __future__ import annotations

import difflib

from storewise.core.errors import UnknownName
from storewise.engine.protocols.attributes import Attributes
from storewise.engine.protocols.bandits import Bandits
from storewise.engine.protocols.base import Fold, Question, RankingProtocol
from storewise.engine.protocols.cold_items import ColdItems
from storewise.engine.protocols.compression import Compression
from storewise.engine.protocols.five_fold import FiveFold
from storewise.engine.protocols.funnel import FunnelStudy
from storewise.engine.protocols.graph_links import GraphLinks
from storewise.engine.protocols.inputs import Inputs, Study
from storewise.engine.protocols.item_stratified import ItemStratified
from storewise.engine.protocols.labels import Labels
from storewise.engine.protocols.leave_last_out import LeaveLastOut
from storewise.engine.protocols.lists import Lists
from storewise.engine.protocols.off_policy import OffPolicy
from storewise.engine.protocols.prediction_ablation import PredictionAblation
from storewise.engine.protocols.purchase import Purchase
from storewise.engine.protocols.ranking import Ranking
from storewise.engine.protocols.rating_folds import RatingFolds
from storewise.engine.protocols.search import Search
from storewise.engine.protocols.sequence_ablation import SequenceAblation
from storewise.engine.protocols.shop import ShopByTime
from storewise.engine.protocols.table import Table
from storewise.engine.protocols.tagging import Tagging
from storewise.engine.protocols.text_ranking import TextRanking
from storewise.engine.protocols.uplift import Uplift
from storewise.engine.protocols.user_shares import UserShares
from storewise.engine.protocols.warm_text import WarmText

RANKING: dict[str, RankingProtocol] = {
    protocol.name: protocol
    for protocol in (
        ItemStratified(),
        FiveFold(),
        UserShares(),
        LeaveLastOut(),
        Lists(),
        ShopByTime("online-retail"),
        ShopByTime("shop"),
    )
}
STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        RatingFolds(),
        Attributes(),
        Bandits(),
        ColdItems(),
        Compression(),
        FunnelStudy(),
        GraphLinks(),
        Labels(),
        Purchase(),
        OffPolicy(),
        Ranking(),
        PredictionAblation(),
        Search(),
        SequenceAblation(),
        Table(),
        Tagging(),
        TextRanking(),
        Uplift(),
        WarmText(),
    )
}
NAMES = (*RANKING, *STUDIES)


def check_name(name: str) -> None:
    """Raise for a protocol that does not exist.

    Raises:
        UnknownName: with the nearest names.
    """
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=2)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(NAMES)}."
        raise UnknownName(f"There is no protocol {name!r}.", next_step=hint)


__all__ = [
    "NAMES",
    "RANKING",
    "STUDIES",
    "Fold",
    "Inputs",
    "Question",
    "RankingProtocol",
    "Study",
    "check_name",
]
