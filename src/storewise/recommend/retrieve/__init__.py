"""Retrievers: candidates out of the whole catalogue. The table below is their registry."""

COMPONENTS: dict[str, str] = {
    "retrieve.item_knn.v1": "storewise.recommend.retrieve.item_knn:ItemKnn",
    "retrieve.popular.v1": "storewise.recommend.retrieve.popular:Popular",
}
