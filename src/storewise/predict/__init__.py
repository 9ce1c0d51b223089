"""Predicting behaviour: calibrated probabilities of what a shopper does next. The table below registers predictors."""

COMPONENTS: dict[str, str] = {
    "amount.mean.v1": "storewise.predict.simple_amounts:MeanAmount",
    "amount.pace.v1": "storewise.predict.simple_amounts:PaceAmount",
    "predict.bg_nbd.v1": "storewise.predict.bg_nbd:BgNbdPredictor",
    "predict.blend.v1": "storewise.predict.blend:Blend",
    "predict.rate.v1": "storewise.predict.rate:Rate",
    "predict.logistic.v1": "storewise.predict.logistic:Logistic",
    "predict.lightgbm.v1": "storewise.predict.trees:Trees",
}
