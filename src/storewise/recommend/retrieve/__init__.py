"""Retrievers: candidates out of the whole catalogue. The table below is their registry."""

COMPONENTS: dict[str, str] = {
    "retrieve.bpr.v1": "storewise.recommend.retrieve.bpr:Bpr",
    "retrieve.content.v1": "storewise.recommend.retrieve.content:Content",
    "retrieve.ease.v1": "storewise.recommend.retrieve.ease:Ease",
    "retrieve.fusion.v1": "storewise.recommend.retrieve.fusion:Fusion",
    "retrieve.graph_filter.v1": "storewise.recommend.retrieve.graph_filter:GraphFilter",
    "retrieve.gru4rec.v1": "storewise.recommend.retrieve.gru4rec:Gru4Rec",
    "retrieve.ials.v1": "storewise.recommend.retrieve.ials:Ials",
    "retrieve.item_knn.v1": "storewise.recommend.retrieve.item_knn:ItemKnn",
    "retrieve.lightgcn.v1": "storewise.recommend.retrieve.lightgcn:LightGcn",
    "retrieve.popular.v1": "storewise.recommend.retrieve.popular:Popular",
    "retrieve.repeat.v1": "storewise.recommend.retrieve.repeat:Repeat",
    "retrieve.sasrec.v1": "storewise.recommend.retrieve.sasrec:SasRec",
    "retrieve.two_tower.v1": "storewise.recommend.retrieve.two_tower:TwoTower",
    "retrieve.user_knn.v1": "storewise.recommend.retrieve.user_knn:UserKnn",
}
