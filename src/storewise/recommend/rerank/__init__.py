"""Rerankers: from a ranked list to the one that is shown. The table below is their registry."""

COMPONENTS: dict[str, str] = {
    "rerank.calibrated.v1": "storewise.recommend.rerank.calibrated:Calibrated",
    "rerank.category_cap.v1": "storewise.recommend.rerank.category_cap:CategoryCap",
    "rerank.dpp.v1": "storewise.recommend.rerank.dpp:Dpp",
    "rerank.frequency_cap.v1": "storewise.recommend.rerank.frequency_cap:FrequencyCap",
    "rerank.margin_floor.v1": "storewise.recommend.rerank.margin_floor:MarginFloor",
    "rerank.mmr.v1": "storewise.recommend.rerank.mmr:Mmr",
    "rerank.place.v1": "storewise.recommend.rerank.place:Place",
}
