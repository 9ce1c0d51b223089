"""Rating prediction. The table below is its registry."""

COMPONENTS: dict[str, str] = {
    "ratings.means.v1": "storewise.recommend.ratings.baseline:MeansPredictor",
    "ratings.item_neighbourhood.v1": "storewise.recommend.ratings.neighbourhood:ItemNeighbourhood",
    "ratings.user_neighbourhood.v1": "storewise.recommend.ratings.neighbourhood:UserNeighbourhood",
    "ratings.biased_mf_als.v1": "storewise.recommend.ratings.factorisation_als:AlsFactorisation",
    "ratings.biased_mf_sgd.v1": "storewise.recommend.ratings.factorisation_sgd:SgdFactorisation",
    "ratings.blend.v1": "storewise.recommend.ratings.blend:Blend",
}
