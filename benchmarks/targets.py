"""What is measured, on which data, and which figures others have published for the same protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SMALL_IS_GOOD = ("rmse", "mae", "label_share", "log_loss", "ece", "exponent", "bias in errors")


@dataclass(frozen=True)
class Goal:
    """``reach``: the figure to reach (at most it for errors, at least it otherwise; None: report only).
    ``published``: the best published figure for the protocol, in words. ``model``: the row whose figure it is
    (None: the one that validation chose), ``section``: the question it belongs to (None: the claim). ``sure``: the
    whole interval has to reach it, not the figure alone."""

    metric: str
    reach: float | None
    published: str = ""
    model: str | None = None
    section: str | None = None
    sure: bool = False

    def met_by(self, value: float) -> bool:
        """Errors have to be small, everything else large."""
        if self.reach is None:
            return True
        return value <= self.reach if self.metric in SMALL_IS_GOOD else value >= self.reach


@dataclass(frozen=True)
class Quality:
    """One run of ``storewise benchmark``. ``data``: folder under the data root, None for embedded data.
    ``files``: option → path under that folder, for protocols that read several; ``options``: plain options."""

    name: str
    protocol: str
    title: str
    data: str | None
    goals: tuple[Goal, ...]
    minutes: float = 30.0
    files: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        """Name of the result under ``results/``."""
        return Path(f"{self.name}.json")


QUALITY = (
    Quality(
        "ml100k-ms",
        "ml100k-ms",
        "MovieLens 100K, per-item 75/25",
        "ml-100k",
        (Goal("ndcg@10", 0.484, "BiVAE .4751"), Goal("map@10", 0.150, "BiVAE .1461")),
    ),
    Quality(
        "ml100k-5fold",
        "ml100k-5fold",
        "MovieLens 100K, 5-fold",
        "ml-100k",
        (Goal("ndcg@10", 0.443, ".4161"),),
    ),
    Quality(
        "ml100k-811", "ml100k-811", "MovieLens 100K, 8:1:1 per user", "ml-100k", (Goal("ndcg@10", 0.329),)
    ),
    Quality(
        "ml100k-rmse",
        "ml100k-rmse",
        "MovieLens 100K, rating prediction",
        "ml-100k",
        (Goal("rmse", 0.920, "SVD++ .92, SVD .9355"), Goal("mae", 0.725)),
    ),
    Quality(
        "amazon-beauty",
        "leave-last-out",
        "Amazon Beauty, last item out",
        "amazon-2014-5core-s3rec",
        (
            Goal("recall@10", 0.095, "ActionPiece .0775 (unmasked)"),
            Goal("ndcg@10", 0.058, "ActionPiece .0424 (unmasked)"),
            Goal("ndcg@10", 0.0, section="next product, above the best single retriever"),
            Goal(
                "recall@10",
                0.080,
                "ActionPiece .0775, SASRec .0605",
                model="retrieve.sasrec.v1",
                section="next product, unmasked",
            ),
            Goal(
                "ndcg@10",
                0.042,
                "ActionPiece .0424, SASRec .0318",
                model="retrieve.sasrec.v1",
                section="next product, unmasked",
            ),
        ),
        minutes=25.0,
    ),
    Quality(
        "amazon-cds",
        "lists",
        "Amazon CDs, fixed split",
        "amazon-cds-m1",
        (
            Goal("recall@20", 0.188, ".1763"),
            Goal("ndcg@20", 0.125, ".1145"),
            Goal("ndcg@20", 0.0, section="held-out products, above the best single retriever"),
        ),
        minutes=25.0,
    ),
    Quality(
        "item-graphs",
        "ml100k-ms",
        "MovieLens 100K, per-item 75/25, graph models alone",
        "ml-100k",
        (
            Goal("ndcg@10", None, model="retrieve.graph_filter.v1"),
            Goal("ndcg@10", None, model="retrieve.lightgcn.v1"),
        ),
        minutes=6.0,
        options={"models": "popular,graph_filter,lightgcn"},
    ),
    Quality(
        "attributes-icecat",
        "attributes",
        "Attributes from titles, electronics",
        "icecat-chorus",
        (Goal("f1", None), Goal("precision", None), Goal("f1", None, section="supplier as brand")),
        minutes=5.0,
        files={"catalogue": "products.jsonl.gz"},
    ),
    Quality(
        "attributes-fashion",
        "attributes",
        "Attributes from titles, fashion",
        "fashion-product-images",
        (Goal("f1", None), Goal("precision", None), Goal("f1", None, section="articleType as type")),
        minutes=5.0,
        files={"catalogue": "styles.csv.gz"},
    ),
    Quality(
        "online-retail",
        "online-retail",
        "Online Retail II, next 28 days",
        None,
        (Goal("ndcg@10", None), Goal("recall@10", None)),
    ),
    Quality(
        "tagging-zh",
        "tagging",
        "Attributes in Chinese titles, entity F1",
        "ecommerce-ner-zh",
        (Goal("f1", 0.80),),
        files={"train": "train.txt.gz", "test": "dev.txt.gz"},
    ),
    Quality(
        "search",
        "search",
        "Product search, graded judgements of an electronics catalogue",
        "icecat-chorus",
        (Goal("ratio", 1.10, "tuned bm25s = 1"), Goal("judged_ratio", None)),
        minutes=15,
        files={"catalogue": "products.jsonl.gz", "judgements": "Broad_Query_Set_rated.csv"},
    ),
    Quality(
        "graph-links",
        "graph-links",
        "Online Retail II, new links of the knowledge graph, 12 weeks",
        None,
        (Goal("ndcg@20", None), Goal("recall@20", None)),
        minutes=5.0,
    ),
    Quality(
        "cold-items",
        "cold-items",
        "Online Retail II, products first sold in the last 12 weeks",
        None,
        (
            Goal("recall@20", None),
            Goal("recall@20 ratio", 1.25, model="fine-tuned over frozen", section="differences"),
            Goal("recall@20 difference", None, model="frozen over tfidf", section="differences"),
            Goal("recall@20 difference", None, model="frozen over tfidf_svd", section="differences"),
            Goal("kept", 0.97, model="lora", section="methods"),
            Goal("kept", 0.97, model="adalora", section="methods"),
            Goal("kept", 0.97, model="adapter", section="methods"),
        ),
    ),
    Quality(
        "compression",
        "compression",
        "Smaller encoders, search by meaning in an electronics catalogue",
        "icecat-chorus",
        (
            Goal("kept", 0.99),
            Goal("speed", 2.0),
            Goal("kept", 0.95, model="distilled, 1 layer, int8"),
            Goal("speed", 8.0, model="distilled, 1 layer, int8"),
            Goal("kept", 0.95, model="static student"),
            Goal("speed", 8.0, model="static student"),
        ),
        minutes=15,
        files={"catalogue": "products.jsonl.gz", "judgements": "Broad_Query_Set_rated.csv"},
    ),
    Quality(
        "fashion-types",
        "labels",
        "Fashion photos 60×80, article type",
        "fashion-product-images",
        (
            Goal("accuracy", 0.85, model="image"),
            Goal("accuracy", 0.95, model="both"),
            Goal("above_text", None, model="both"),
            Goal("log_loss_below_text", 0.0, model="both"),
            Goal("label_share", 0.60, section="active labelling"),
        ),
        minutes=60,
        files={"catalogue": "styles.csv.gz", "images": "images_60x80.parquet"},
        options={"label": "articleType"},
    ),
    Quality(
        "fashion-colours",
        "labels",
        "Fashion photos 60×80, colour",
        "fashion-product-images",
        (Goal("above_text", 0.0, model="both"), Goal("above_image", 0.0, model="both")),
        minutes=60,
        files={"catalogue": "styles.csv.gz", "images": "images_60x80.parquet"},
        options={"label": "baseColour"},
    ),
    Quality(
        "ranking",
        "ranking",
        "Second stage, Online Retail II by time",
        None,
        (
            Goal("ratio_best@10", 1.10, model="retrieve + rank"),
            Goal("ratio_served@10", None, model="retrieve + rank"),
            Goal("ratio_best@10", None, model="retrieve + rank", section="without repeats"),
        ),
        minutes=18.0,
    ),
    Quality(
        "warm-text",
        "warm-text",
        "Online Retail II, text beside behaviour",
        None,
        (Goal("ndcg@10", None), Goal("ndcg gained", 0.0, model="behaviour and text")),
        minutes=16,
    ),
    Quality(
        "warm-text-movies",
        "warm-text",
        "MovieLens 100K 8:1:1, titles beside behaviour",
        "ml-100k",
        (Goal("ndcg@10", None), Goal("ndcg gained", 0.0, model="behaviour and text")),
        minutes=8,
    ),
    Quality(
        "text-ranking",
        "text-ranking",
        "Online Retail II, histories read as text beside ids",
        None,
        (
            Goal("ndcg@10", None),
            Goal("ndcg gained", None, model="id + two-tower"),
            Goal("ndcg gained", None, model="id + cross-encoder"),
        ),
        minutes=5,
    ),
    Quality(
        "text-ranking-movies",
        "text-ranking",
        "MovieLens 100K by time, histories read as text beside ids",
        "ml-100k",
        (
            Goal("ndcg@10", None),
            Goal("ndcg gained", None, model="id + two-tower"),
            Goal("ndcg gained", None, model="id + cross-encoder"),
        ),
        minutes=4,
    ),
    Quality(
        "purchase-28",
        "purchase",
        "Online Retail II, purchase within 28 days",
        None,
        (
            Goal("auc", None),
            Goal("pr_auc", None),
            Goal("ece", 0.02),
            Goal("auc gained", 0.0, model="recency-frequency logistic", sure=True),
            Goal("pr_auc gained", 0.0, model="recency-frequency logistic", sure=True),
            Goal("auc gained", 0.0, model="plain LightGBM without text", sure=True),
            Goal("pr_auc gained", 0.0, model="plain LightGBM without text", sure=True),
            Goal("auc gained", 0.0, model="BG/NBD", sure=True),
        ),
        minutes=3.6,
    ),
    Quality(
        "hillstrom",
        "uplift",
        "Hillstrom e-mail campaign, visits because of the e-mail",
        "hillstrom-email",
        (
            Goal("qini", 0.0, "random order 0"),
            Goal("qini_coefficient", None),
            Goal("qini_above_response", None),
            Goal("outcome", 0.18275, "Mens .1828", model="Mens E-Mail", section="arms"),
            Goal("outcome", 0.15135, "Womens .1514", model="Womens E-Mail", section="arms"),
            Goal("outcome", None, "No E-Mail .1062", model="No E-Mail", section="arms"),
        ),
        minutes=3,
        files={"data": "hillstrom.csv.gz"},
        options={"treatment": "segment", "outcome": "visit"},
    ),
    *(
        Quality(
            f"open-bandit-{campaign}",
            "off-policy",
            f"Open Bandit, {campaign}: random log, Thompson-sampling policy",
            "open-bandit-small",
            (
                Goal("value", None, model="ips"),
                Goal("value", None, f"IPS {ips}", model="ips", section="probabilities by draws"),
                Goal("value", None, f"SNIPS {snips}", model="snips", section="probabilities by draws"),
                Goal("value", None, model="on-policy", section="on-policy"),
            ),
            minutes=1,
            files={"log": f"random/{campaign}.csv.gz", "test": f"bts/{campaign}.csv.gz"},
            options={"policy": f"benchmarks/policies/open-bandit-bts-{campaign}.csv"},
        )
        for campaign, ips, snips in (("men", ".004534", ".004604"), ("women", ".006813", ".006811"))
    ),
    Quality(
        "bandits",
        "bandits",
        "Simulated shops of known truth: policies and estimators",
        None,
        (
            Goal("exponent", 0.55, model="explore.linear_thompson.v1"),
            Goal("exponent", 0.55, model="explore.linucb.v1"),
            Goal("exponent", 0.55, model="explore.thompson_beta.v1", section="regret without contexts"),
            *(
                goal
                for section, names in (
                    ("estimators", ("ips", "snips", "dr", "sndr", "switch-dr", "dr-os")),
                    ("estimators with a wrong reward model", ("dr", "sndr")),
                    ("slate estimators", ("slate ips", "cascade ips", "rips", "cascade dr")),
                )
                for name in names
                for goal in (
                    Goal("bias in errors", 3.0, model=name, section=section),
                    Goal("coverage", 0.93, model=name, section=section),
                )
            ),
        ),
        minutes=2,
    ),
    Quality(
        "talkingdata",
        "table",
        "TalkingData sample, who installs, later clicks",
        "talkingdata-adtracking-sample",
        (Goal("auc", 0.96), Goal("pr_auc", None), Goal("log_loss", None), Goal("ece", 0.02)),
        minutes=8,
        files={"data": "train_sample.csv.gz"},
        options={"label": "is_attributed", "time": "click_time"},
    ),
    Quality(
        "networks-conversion",
        "prediction-ablation",
        "Ad click to install, networks and what regularises them",
        "talkingdata-adtracking-sample",
        (Goal("auc", None), Goal("log_loss gained", None, model="predict.lightgbm.v1")),
        minutes=8,
        files={"data": "train_sample.csv.gz"},
        options={"label": "is_attributed", "time": "click_time"},
    ),
    Quality(
        "networks-clicks",
        "prediction-ablation",
        "Display ads (a small sample), networks and what regularises them",
        "criteo-ctr-sample",
        (Goal("auc", None), Goal("log_loss gained", None, model="predict.lightgbm.v1")),
        minutes=4,
        files={"data": "train.csv.gz"},
        options={"label": "column_1"},
    ),
    Quality(
        "networks-histories",
        "prediction-ablation",
        "Online Retail II, what is taken next: networks over histories",
        None,
        (Goal("auc", None), Goal("log_loss gained", None, model="predict.din.v1")),
        minutes=20,
    ),
    Quality(
        "networks-movies",
        "prediction-ablation",
        "MovieLens 100K by time, a rating of 4 or more: networks over histories",
        "ml-100k",
        (Goal("auc", None), Goal("log_loss gained", None, model="predict.din.v1")),
        minutes=34,
    ),
    Quality(
        "sequences-beauty",
        "sequence-ablation",
        "Amazon Beauty, a part of the shoppers: networks over histories and what makes them",
        "amazon-2014-5core-s3rec",
        (
            Goal("ndcg@10", None, model="SASRec, as it is"),
            Goal("ndcg@10 gained", None, model="retrieve.gru4rec.v1"),
            Goal("ndcg@10 gained", None, model="retrieve.two_tower.v1"),
        ),
        minutes=60,
    ),
    Quality(
        "sequences-retail",
        "sequence-ablation",
        "Online Retail II, next 28 days: networks over histories and what makes them",
        None,
        (
            Goal("ndcg@10", None, model="SASRec, as it is"),
            Goal("ndcg@10 gained", None, model="retrieve.gru4rec.v1"),
            Goal("ndcg@10 gained", None, model="retrieve.two_tower.v1"),
        ),
        minutes=60,
    ),
    Quality(
        "funnel",
        "funnel",
        "Conversion learned from clicks alone, and from all impressions (simulated)",
        None,
        (Goal("auc", None), Goal("bias", None, model="predict.esmm.v1")),
        minutes=8,
    ),
)
