"""Retrievers: candidates out of the whole catalogue. The table below is their registry."""

COMPONENTS: dict[str, str] = {
    "retrieve.bpr.v1": "storewise.recommend.retrieve.bpr:Bpr",
    "retrieve.content.v1": "storewise.recommend.retrieve.content:Content",
    "retrieve.ease.v1": "storewise.recommend.retrieve.ease:Ease",
    "retrieve.fusion.v1": "storewise.recommend.retrieve.fusion:Fusion",
    "retrieve.ials.v1": "storewise.recommend.retrieve.ials:Ials",
    "retrieve.item_knn.v1": "storewise.recommend.retrieve.item_knn:ItemKnn",
    "retrieve.popular.v1": "storewise.recommend.retrieve.popular:Popular",
    "retrieve.repeat.v1": "storewise.recommend.retrieve.repeat:Repeat",
    "retrieve.user_knn.v1": "storewise.recommend.retrieve.user_knn:UserKnn",
}
