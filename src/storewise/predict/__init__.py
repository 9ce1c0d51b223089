"""Predicting behaviour: calibrated probabilities of what a shopper does next. The table below registers predictors."""

COMPONENTS: dict[str, str] = {
    "amount.mean.v1": "storewise.predict.models.simple_amounts:MeanAmount",
    "amount.pace.v1": "storewise.predict.models.simple_amounts:PaceAmount",
    "predict.bg_nbd.v1": "storewise.predict.models.bg_nbd:BgNbdPredictor",
    "predict.blend.v1": "storewise.predict.models.blend:Blend",
    "predict.dcn_v2.v1": "storewise.predict.networks.dcn_v2:DcnV2",
    "predict.deepfm.v1": "storewise.predict.networks.deepfm:DeepFm",
    "predict.din.v1": "storewise.predict.networks.din:Din",
    "predict.esmm.v1": "storewise.predict.networks.esmm:Esmm",
    "predict.fm.v1": "storewise.predict.networks.fm:Fm",
    "predict.lightgbm.v1": "storewise.predict.models.trees:Trees",
    "predict.logistic.v1": "storewise.predict.models.logistic:Logistic",
    "predict.mmoe.v1": "storewise.predict.networks.mmoe:Mmoe",
    "predict.ple.v1": "storewise.predict.networks.ple:Ple",
    "predict.rate.v1": "storewise.predict.models.rate:Rate",
}
