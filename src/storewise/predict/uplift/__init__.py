"""Who buys because of the message: models of what a treatment changes. The table below registers them."""

COMPONENTS: dict[str, str] = {
    "uplift.class_transformation.v1": "storewise.predict.uplift.class_transformation:ClassTransformation",
    "uplift.response.v1": "storewise.predict.uplift.response:Response",
    "uplift.s_learner.v1": "storewise.predict.uplift.s_learner:SLearner",
    "uplift.two_model.v1": "storewise.predict.uplift.two_model:TwoModel",
    "uplift.x_learner.v1": "storewise.predict.uplift.x_learner:XLearner",
}
