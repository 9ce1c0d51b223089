"""Predictions, the dial and A/B tests on the evaluation view; what comes next and the order before ranking in the shop."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from playwright.sync_api import Page, expect

from storewise.engine.experiment.config import Experiment
from storewise.engine.experiment.report import results
from storewise.engine.predictions.words import WORDS
from storewise.testing.experiment_log import write_log
from storewise.testing.small_shop import END, open_store

pytestmark = pytest.mark.browser
NARROW = {"viewport": {"width": 360, "height": 740}}
VARIANTS = {"control": {"share": 0.4}, "new_order": {"share": 0.3}, "wide": {"share": 0.3}}


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def curve(n: int) -> dict[str, Any]:
    return {
        "calibration": [
            {"mean": (i + 0.5) / n, "rate": ((i + 0.5) / n) ** 1.1, "n": 100, "low": i / n * 0.8, "high": min((i + 1.4) / n, 1)}
            for i in range(n)
        ],
        "lift": [{"share": s, "gain": s**0.5, "lift": s**-0.5, "low": 1, "high": 9} for s in (0.1, 0.2, 0.5, 1.0)],
    }  # fmt: skip


def interval(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.02, "high": value + 0.02}


PREDICTIONS = {
    "purchase": {
        "about": "buys", "kind": "probability", "predictable": True, "chosen": "predict.lightgbm.v1", "judged": "900 rows",
        "reason": "least log loss", "auc": interval(0.81), "pr_auc": interval(0.62), "ece": interval(0.03), "rate": interval(0.3),
        "features": [{"feature": "recency_days", "label": "time since the last order", "log_odds": 0.8},
                     {"feature": "orders_log", "label": "number of orders", "log_odds": 0.4}], **curve(10),
    },
    "churn": {"about": "stays away", "kind": "probability", "predictable": True, "chosen": "predict.rate.v1",
              "reason": "too few", "rate": interval(0.4)},
    "value": {"about": "spends", "kind": "amount", "predictable": True, "chosen": "predict.bg_nbd.v1",
              "calibration": [{"mean": 1000.0 * i, "rate": 1100.0 * i, "n": 9, "low": 900.0 * i, "high": 1300.0 * i} for i in range(1, 9)]},
    "click": {"about": "clicks", "predictable": False, "reason": "not predictable from this shop: no impressions"},
}  # fmt: skip
DIAL = [
    {"dial": d, "dominated": d == 0.25, "metrics": {"ndcg@12": interval(0.3 - 0.1 * d * d), "margin_minor":
     {"value": 200 + 100 * d, "low": 190 + 100 * d, "high": 215 + 100 * d}}} for d in (0.0, 0.25, 0.5, 1.0)
]  # fmt: skip


def evaluation(**more: Any) -> dict[str, Any]:
    metrics = {"ndcg@10": interval(0.2)}
    row = {"model": "a", "selected": True, "seconds": 1.5, "metrics": metrics}
    return {"snapshot": "s", "metric": "ndcg", "k": 10, "rows": [row], "benchmarks": [], "split": {}, **more}


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the engine itself says of a simulated test with one good variant and one that changes nothing."""
    folder: Path = tmp_path_factory.mktemp("ab") / "shop"
    one = Experiment(name="ranking", variants=VARIANTS, planned=800, outcome_days=1)  # type: ignore[arg-type]
    with open_store(folder) as store:
        write_log(store, one, start=END, shoppers=900, buys={"control": 0.2, "new_order": 0.5, "wide": 0.2})
        found = results(store, one, now=END + timedelta(days=16))
    return orjson.loads(orjson.dumps(found))


def answered(visit: Any, experiments: list[Any], **more: Any) -> None:
    visit.answer("/v1/evaluation", evaluation(**more))
    visit.answer("/v1/experiments", {"snapshot": "s", "experiments": experiments})


def test_calibration_and_lift_are_drawn_to_scale(visit: Any) -> None:
    answered(visit, [], predictions=PREDICTIONS)
    page = visit.open("#evaluation")
    charts = page.locator(".forecast .chart svg")
    expect(charts).to_have_count(2)
    points = charts.first.locator("circle").evaluate_all(
        "all => all.map(c => [Number(c.getAttribute('cx')), Number(c.getAttribute('cy'))])"
    )
    given = PREDICTIONS["purchase"]["calibration"]
    assert len(points) == len(given) == 10  # type: ignore[arg-type]
    step = (points[9][0] - points[0][0]) / 9
    assert points[5][0] - points[4][0] == pytest.approx(step, rel=0.01)
    rises = [a[1] - b[1] for a, b in pairwise(points)]
    rates = [b["rate"] - a["rate"] for a, b in pairwise(given)]  # type: ignore[index,arg-type]
    assert rises[8] / rises[0] == pytest.approx(rates[8] / rates[0], rel=0.02)
    assert charts.first.locator(".guide").count() == 1
    expect(page.locator(".figures")).to_contain_text("0.810")
    expect(page.locator(".missing")).to_contain_text("One thing cannot be predicted")
    assert "time since the last order" in page.locator(".forecast .moves").inner_text()


def test_predictions_are_explained_in_chinese_from_codes_and_values(visit: Any) -> None:
    why = {"code": "simplest", "model": "predict.rate.v1", "other": "predict.lightgbm.v1", "loss": 0.51234, "gap": 0.0012,
           "error": 0.003, "rows": 900, "events": 120, "skipped": ["predict.wide_deep.v1"]}  # fmt: skip
    purchase = PREDICTIONS["purchase"] | {"why": why, "judged_on": {"rows": 1900, "events": 90}}
    few = PREDICTIONS["churn"] | {
        "why": {"code": "few_events", "events": 3, "cases": 40, "windows": 2, "least": 20}
    }
    value = PREDICTIONS["value"] | {"why": {"code": "of a later version"}, "reason": "something new"}
    answered(
        visit,
        [],
        currency="JPY",
        predictions=PREDICTIONS | {"purchase": purchase, "churn": few, "value": value},
    )
    page = visit.open("#evaluation", lang="zh")
    part = page.locator(".forecast")
    expect(part.locator(".details")).to_contain_text(
        "对数损失 0.5123 比 predict.lightgbm.v1 高 0.0012 ± 0.0030。未尝试：predict.wide_deep.v1。"
    )
    expect(part).to_contain_text("1,900 行（90 次发生）")
    assert part.locator(".moves li > span:first-child").all_inner_texts() == ["距上次下单的时间", "下单次数"]
    part.locator(".targets button", has_text="不再光顾").click()
    expect(part.locator(".details")).to_contain_text("2 个时段的 40 例中有 3 次发生")
    part.locator(".targets button", has_text="将消费").click()
    expect(part.locator(".details")).to_contain_text("something new")
    expect(part.locator(".chart").first).to_contain_text("¥8,000")


def test_targets_can_be_chosen_and_one_without_a_curve_says_so(visit: Any) -> None:
    answered(visit, [], predictions=PREDICTIONS)
    page = visit.open("#evaluation")
    page.locator(".forecast .targets button", has_text="Stays away").click()
    expect(page.locator(".forecast .hint")).to_contain_text("40%")
    assert page.locator(".forecast [aria-pressed=true]").inner_text() == "Stays away"
    page.locator(".forecast .targets button", has_text="Will spend").click()
    expect(page.locator(".forecast .chart svg circle")).to_have_count(8)


def test_the_dial_is_a_point_a_setting_with_both_intervals(visit: Any) -> None:
    answered(visit, [], pareto=DIAL)
    page = visit.open("#evaluation")
    chart = page.locator("section.part", has_text="what a place is worth").locator(".chart svg")
    expect(chart.locator("circle")).to_have_count(4)
    assert chart.locator(".whisker").count() == 8
    expect(page.locator("section.part .note", has_text="another setting")).to_contain_text("0.25")
    assert chart.locator(".name").all_text_contents() == ["0.00", "0.25", "0.50", "1.00"]


def test_a_test_shows_its_verdict_its_metrics_and_how_it_came_to_be_known(
    visit: Any, experiment: Any
) -> None:
    answered(visit, [experiment])
    page = visit.open("#evaluation")
    good = page.locator(".experiment .claim").first
    expect(good).to_contain_text("new_order")
    expect(good).to_contain_text("better than the control")
    more = experiment["verdicts"]["wide"]["more"]
    expect(page.locator(".experiment .claim").nth(1)).to_contain_text(f"needs about {more:,} more shoppers")
    rows = page.locator(".experiment table tbody tr")
    assert rows.count() == 3
    gap = next(m for m in experiment["metrics"] if m["metric"] == "conversion")["differences"]["new_order"]
    assert f"{100 * gap['value']:.1f}%" in rows.nth(1).inner_text()
    assert page.locator(".experiment .chart .area").count() == 2
    assert page.locator(".experiment .legend .key").all_inner_texts() == ["new_order", "wide"]
    ends = page.locator(".experiment .series.one .line").get_attribute("d")
    assert ends is not None
    assert ends.count("L") >= 8


def test_a_test_nobody_has_come_into_yet(visit: Any, tmp_path: Path) -> None:
    one = Experiment(name="fresh", variants=VARIANTS)  # type: ignore[arg-type]
    with open_store(tmp_path / "shop") as store:
        found = orjson.loads(orjson.dumps(results(store, one, now=END)))
    answered(visit, [found])
    page = visit.open("#evaluation")
    expect(page.locator(".experiment")).to_contain_text("nobody has come in yet")
    expect(page.locator(".experiment .hint")).to_contain_text("too early for an interval")
    expect(page.locator(".experiment .claim").first).to_contain_text("too little is known")


def test_without_tests_and_predictions_the_page_says_how_to_start_one(visit: Any) -> None:
    page = visit.open("#evaluation")  # the small shop has neither
    expect(page.locator("section.part .hint").last).to_contain_text("[experiment]")


def test_a_failed_question_can_be_asked_again(visit: Any, experiment: Any) -> None:
    visit.answer("/v1/evaluation", evaluation())
    visit.page.route(
        "**/v1/experiments",
        lambda route: route.fulfill(status=503, json={"error": {"problem": "busy", "next_step": "wait"}}),
    )
    page = visit.open("#evaluation")
    expect(page.locator(".problem")).to_contain_text("busy")
    visit.complaints.clear()
    visit.answer("/v1/experiments", {"experiments": [experiment]})
    page.locator(".problem button").click()
    expect(page.locator(".experiment")).to_have_count(1)


@pytest.mark.parametrize("visit", [NARROW], indirect=True)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_everything_fits_on_a_narrow_screen(visit: Any, experiment: Any, lang: str) -> None:
    long = experiment | {"name": "a-very-long-name-of-an-experiment-that-goes-on-and-on"}
    answered(visit, [long], predictions=PREDICTIONS, pareto=DIAL)
    page = visit.open("#evaluation", lang=lang)
    page.wait_for_selector(".experiment .chart svg")
    page.wait_for_selector(".forecast .chart svg")
    assert overflow(page) == 0
    for svg in page.locator(".chart svg").all():
        box = svg.bounding_box()
        assert box is not None
        assert box["width"] <= 340
    if lang == "zh":
        expect(page.locator(".experiment .claim").first).to_contain_text("比对照好")


EXPECTED = {
    "at": "2024-07-19T00:00:00Z", "known": True, "personal": True, "currency": "GBP", "notes": [], "not_predictable": [],
    "predictions": [
        {"target": "purchase", "kind": "probability", "horizon_days": 28.0, "value": 0.42, "low": 0.31, "high": 0.55, "rate": 0.2,
         "basis": "model", "model": "m", "note": None, "reasons": [
            {"feature": "recency_days", "label": "time since the last order", "value": 3, "log_odds": 0.9,
             "text": "last order 3 days ago", "effect": "raises"},
            {"feature": "return_share", "label": "returns", "value": 0.5, "log_odds": -0.3,
             "text": "50 % of pieces sent back", "effect": "lowers"},
            {"feature": "loyalty tier", "label": "loyalty tier", "value": 1.0, "log_odds": 0.2, "text": "loyalty tier = gold <b>"},
            {"feature": "spend_log", "label": "amount spent", "value": 9.42108, "log_odds": 0.1, "text": "spent 123 GBP so far"},
            {"feature": "gap_mean_days", "label": "x", "value": None, "log_odds": 0.1, "text": "x: not known"}]},
        {"target": "value", "kind": "amount", "horizon_days": 90.0, "value": 12345.0, "low": 9000.0, "high": 20000.0, "rate": 4000.0,
         "basis": "model", "model": "m", "note": None, "reasons": []},
    ],
}  # fmt: skip


def with_parts(visit: Any, *parts: str) -> None:
    visit.answer("/v1/snapshot", {"snapshot": "s", "artifacts": dict.fromkeys(parts, "x")})


def test_what_comes_next_is_shown_with_interval_and_reasons(visit: Any) -> None:
    with_parts(visit, "predict")
    visit.answer("/v1/predictions?*", EXPECTED)
    page = visit.list_of("#shop?visitor=next")
    panel = page.locator(".expected")
    expect(panel.locator("[data-target=purchase]")).to_contain_text("42%")
    expect(panel.locator("[data-target=purchase]")).to_contain_text("31% – 55%")
    expect(panel.locator("[data-target=value]")).to_contain_text("£123.45")
    panel.locator("summary").first.click()
    assert panel.locator(".moves li > span:first-child").all_inner_texts() == [
        "last order 3 days ago",
        "50% of pieces sent back",
        "loyalty tier = gold <b>",
        "spent £123.45 so far",
        "mean days between orders: not known",
    ]
    widths = panel.locator(".move").evaluate_all("all => all.map(one => one.getBoundingClientRect().width)")
    assert widths[0] / widths[1] == pytest.approx(3, rel=0.05)
    gauge = panel.locator(".gauge").first
    assert gauge.locator(".span").evaluate(
        "s => s.offsetWidth / s.parentElement.offsetWidth"
    ) == pytest.approx(0.24, abs=0.02)


@pytest.mark.parametrize("visit", [NARROW], indirect=True)
def test_what_comes_next_is_said_in_chinese(visit: Any) -> None:
    with_parts(visit, "predict")
    note = {"note": "no order is known of this shopper: everybody's rate", "note_code": "no_order"}
    rows = [EXPECTED["predictions"][0], EXPECTED["predictions"][1] | note]  # type: ignore[index,operator]
    visit.answer("/v1/predictions?*", EXPECTED | {"predictions": rows, "currency": "JPY"})
    page = visit.list_of("#shop?visitor=next", lang="zh")
    panel = page.locator(".expected")
    panel.locator("summary").first.click()
    assert panel.locator(".moves li > span:first-child").all_inner_texts() == [
        "上次下单：3 天前",
        "50% 的件数被退回",
        "loyalty tier = gold <b>",  # a column of the shop's own
        "至今消费 ¥12,345",
        "平均下单间隔：未知",
    ]
    expect(panel).to_contain_text("采用所有人的比率")
    expect(panel.locator("[data-target=value]")).to_contain_text("¥12,345")
    assert overflow(page) == 0


def test_every_feature_says_its_value_in_both_languages(visit: Any) -> None:
    """All features with several values; what is said holds no hole, and in Chinese no English."""
    with_parts(visit, "predict")
    reasons = [
        {"feature": name, "label": "label", "value": value, "log_odds": 0.1, "text": "text"}
        for name in WORDS
        for value in (0.0, 1.0, 2.4, -0.5, None)
    ]
    one = EXPECTED["predictions"][0] | {"reasons": reasons}  # type: ignore[index,operator]
    visit.answer("/v1/predictions?*", EXPECTED | {"predictions": [one]})
    for lang in ("en", "zh"):
        page = visit.list_of("#shop?visitor=all", lang=lang)
        page.locator(".expected summary").click()
        told = page.locator(".expected .moves li > span:first-child").all_inner_texts()
        assert len(told) == len(reasons)
        assert not [text for text in told if re.search(r"[{}]|NaN|undefined|says\.|-0(?![.\d])", text)]
        if lang == "zh":
            assert not [text for text in told if re.search(r"[A-Za-z]", text.replace("BG/NBD", ""))]
        else:
            assert "1 order in 28 days" in told
            assert "2 orders in 28 days" in told
            assert "last order today" in told


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"known": False}, "true of everybody"),
        ({"personal": False, "predictions": []}, "No consent"),
        ({"predictions": []}, "Nothing is predicted"),
    ],
)
def test_unknown_shoppers_and_those_without_consent(visit: Any, change: dict[str, Any], says: str) -> None:
    with_parts(visit, "predict")
    visit.answer("/v1/predictions?*", EXPECTED | change)
    page = visit.list_of("#shop?visitor=unknown")
    expect(page.locator(".expected")).to_contain_text(says)


def test_a_shop_that_predicts_and_ranks_nothing_is_not_asked(visit: Any) -> None:
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    with_parts(visit, "retriever")
    page = visit.list_of("#shop?visitor=plain")
    page.wait_for_timeout(200)
    assert page.locator(".expected").is_hidden()
    assert page.locator(".ranked").is_hidden()
    assert not [url for url in asked if "predictions" in url or "explain" in url]


@pytest.mark.parametrize("visit", [{}, NARROW], indirect=True)
def test_the_order_before_ranking_stands_beside_the_list(visit: Any) -> None:
    def item(name: str, place: int, **more: Any) -> dict[str, Any]:
        return {"product_id": name, "title": f"Thing {name}", "position": place, "score": 1.0, "source": "x", "category": None,
                "price_minor": 100, "currency": "GBP", "reason": {"kind": "popular", "text": "popular"}, **more}  # fmt: skip

    body = {
        "decision_id": "d", "snapshot": "s", "slot": "home", "step": "full", "notes": [], "rules": [], "ranker": "rank.lambdamart.v1",
        "items": [item("c", 0, p_purchase=0.12), item("a", 1), item("d", 2)], "retrieved": [item("a", 0), item("b", 1), item("c", 2)],
    }  # fmt: skip
    with_parts(visit, "ranker")
    visit.page.route("**/v1/recommendations?*explain=true*", lambda route: route.fulfill(json=body))
    page = visit.list_of("#shop?visitor=ranks")
    page.locator(".ranked summary").click()
    expect(page.locator(".ranked")).to_contain_text("rank.lambdamart.v1")
    before, after = (page.locator(".ranked ol").nth(i).locator("li") for i in (0, 1))
    assert [one.get_attribute("data-product") for one in before.all()] == ["a", "b", "c"]
    told = after.all_inner_texts()
    assert "12%" in told[0]
    assert "↑2" in told[0]
    assert "↓1" in told[1]
    assert "brought up" in told[2]
    assert overflow(page) == 0


@pytest.mark.parametrize("visit", [{}, NARROW], indirect=True)
def test_a_ranker_that_does_not_serve_stands_beside_the_list_as_a_shadow(visit: Any) -> None:
    def item(name: str, place: int, **more: Any) -> dict[str, Any]:
        return {"product_id": name, "title": f"Thing {name}", "position": place, "score": 1.0, "source": "x", "category": None,
                "price_minor": 100, "currency": "GBP", "reason": {"kind": "popular", "text": "popular"}, **more}  # fmt: skip

    body = {
        "decision_id": "d", "snapshot": "s", "slot": "home", "step": "full", "notes": [], "rules": [], "ranker": "rank.lambdamart.v1",
        "ranker_serves": False, "ranker_why": "no more than chance", "items": [item("a", 0), item("b", 1)],
        "retrieved": [item("a", 0), item("b", 1)], "ranked": [item("b", 0, p_purchase=0.12), item("a", 1)],
    }  # fmt: skip
    with_parts(visit, "ranker")
    visit.page.route("**/v1/recommendations?*explain=true*", lambda route: route.fulfill(json=body))
    page = visit.list_of("#shop?visitor=ranks")
    page.locator(".ranked summary").click()
    expect(page.locator(".ranked")).to_contain_text("as a shadow")
    expect(page.locator(".ranked")).to_contain_text("no more than chance")
    assert page.locator(".ranked h3").all_inner_texts() == ["Retrieved: serves", "Ranked: does not serve"]
    lists = (page.locator(".ranked ol").nth(i).locator("li") for i in (0, 1))
    before, after = ([one.get_attribute("data-product") for one in found.all()] for found in lists)
    assert (before, after) == (["a", "b"], ["b", "a"])
    assert "12%" in page.locator(".ranked ol").nth(1).inner_text()
    assert overflow(page) == 0


def test_a_list_without_ranking_says_so_on_the_ladder(visit: Any) -> None:
    body = {"decision_id": "d", "snapshot": "s", "slot": "home", "step": "retrieved", "notes": [], "rules": [], "items": [
        {"product_id": "p01", "title": "Lamp", "position": 0, "score": 1.0, "source": "x", "category": None, "price_minor": 1,
         "currency": "GBP", "reason": {"kind": "popular", "text": "popular"}}]}  # fmt: skip
    visit.answer("/v1/recommendations?*", body)
    page = visit.list_of("#shop?visitor=late")
    assert page.locator(".ladder li").all_inner_texts() == [
        "full pipeline",
        "in the retrieved order",
        "popular in category",
        "popular",
    ]
    assert page.locator(".ladder [aria-current]").inner_text() == "in the retrieved order"
