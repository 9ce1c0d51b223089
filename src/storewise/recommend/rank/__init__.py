"""Rankers: the order of candidates that retrievers found. The table below is their registry."""

COMPONENTS: dict[str, str] = {
    "rank.lambdamart.v1": "storewise.recommend.rank.lambdamart:LambdaMart",
}
