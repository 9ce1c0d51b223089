"""The command line: one file a command, named in one line here and imported when it is asked for."""

from storewise.cli.app import main

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "demo": "storewise.cli.demo:demo",
    "train": "storewise.cli.train:train",
    "publish": "storewise.cli.publish:publish",
    "rollback": "storewise.cli.publish:rollback",
    "serve": "storewise.cli.serve:serve",
    "recommend": "storewise.cli.recommend:recommend",
    "predict": "storewise.cli.predict:predict",
    "search": "storewise.cli.search:search",
    "ingest": "storewise.cli.ingest:ingest",
    "evaluate": "storewise.cli.evaluate:evaluate",
    "benchmark": "storewise.cli.benchmark:benchmark",
    "finetune": "storewise.cli.finetune:finetune",
    "models": "storewise.cli.models:models",
    "graph": "storewise.cli.graph:graph",
    "experiment": "storewise.cli.experiment:experiment",
    "uplift": "storewise.cli.uplift:uplift",
    "rejects": "storewise.cli.rejects:rejects",
    "attributes": "storewise.cli.attributes:attributes",
    "off-policy": "storewise.cli.off_policy:off_policy",
    "label": "storewise.cli.label:label",
    "tagger": "storewise.cli.tagger:tagger",
}
