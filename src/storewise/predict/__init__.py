"""Predicting behaviour: calibrated probabilities of what a shopper does next. The table below registers predictors."""

COMPONENTS: dict[str, str] = {
    "predict.blend.v1": "storewise.predict.blend:Blend",
    "predict.rate.v1": "storewise.predict.rate:Rate",
    "predict.logistic.v1": "storewise.predict.logistic:Logistic",
    "predict.lightgbm.v1": "storewise.predict.trees:Trees",
}
