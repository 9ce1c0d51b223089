"""The evaluation and the data-quality view show the server's figures, all of them."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def api(visit: Any, path: str) -> Any:
    with urllib.request.urlopen(visit.address + path) as answer:
        return json.load(answer)


def report(rows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"snapshot": "s", "metric": "ndcg", "k": 10, "rows": rows, "benchmarks": [], "split": {}, **more}


def row(model: str, value: float, *, selected: bool = False, **more: Any) -> dict[str, Any]:
    metrics = {"ndcg@10": {"value": value, "low": value - 0.01, "high": value + 0.01}}
    return {"model": model, "selected": selected, "seconds": 1.5, "metrics": metrics, **more}


def test_every_model_is_shown_with_its_interval(visit: Any) -> None:
    page = visit.open("#evaluation")
    page.wait_for_selector(".forest svg")
    given = api(visit, "/v1/evaluation")
    table = page.locator("table.models tbody tr")
    ranking = given["ranking"]["row"]
    shown = [*given["rows"], *([ranking] if ranking else [])]
    assert table.count() == len(shown)
    texts = dict(zip(page.locator("table .model").all_inner_texts(), table.all_inner_texts(), strict=True))
    for one in shown:
        for name, figure in one["metrics"].items():
            if "gained" in name:  # told by the reason
                continue
            assert f"{figure['value']:.4f}" in texts[one["model"]]
            assert f"{figure['low']:.4f} – {figure['high']:.4f}" in texts[one["model"]]
    chosen = page.locator("table.models tr.selected")
    assert chosen.locator(".model").inner_text() == given["selected"]
    assert chosen.locator(".tag").first.inner_text() == "chosen"
    assert page.locator("table.models tr.popularity .model").inner_text() == "retrieve.popular.v1"
    assert page.locator(".segments [aria-pressed=true]").inner_text() == "NDCG@12"


def test_the_plot_is_drawn_to_scale(visit: Any) -> None:
    visit.answer(
        "/v1/evaluation",
        report([row("a", 0.2, selected=True), row("b", 0.1), row("retrieve.popular.v1", 0.05)]),
    )
    page = visit.open("#evaluation")
    page.wait_for_selector(".forest svg")
    x = page.locator(".forest circle").evaluate_all("all => all.map(c => Number(c.getAttribute('cx')))")
    ends = page.locator(".forest .mark.selected .whisker").first.evaluate(
        "l => [l.x1.baseVal.value, l.x2.baseVal.value]"
    )
    assert (x[0] - x[1]) / (x[1] - x[2]) == pytest.approx(2.0, rel=1e-6)
    assert (ends[1] - ends[0]) / (x[0] - x[1]) == pytest.approx(0.2, rel=1e-6)
    expect(page.locator(".claim")).to_contain_text("4.0 times")
    expect(page.locator(".claim")).to_contain_text("don’t touch")
    zero = page.locator(".forest .tick").first
    assert zero.inner_html() == "0.00"


def test_a_close_call_is_called_one(visit: Any) -> None:
    visit.answer("/v1/evaluation", report([row("a", 0.105, selected=True), row("retrieve.popular.v1", 0.1)]))
    page = visit.open("#evaluation")
    expect(page.locator(".claim")).to_contain_text("may be no better than popularity")


@pytest.mark.parametrize("serves", [True, False])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_ranker_has_its_row_and_its_reason(visit: Any, *, serves: bool, lang: str) -> None:
    ranked = row("rank.lambdamart.v1", 0.25, selected=serves, role="ranker")
    ranked["metrics"]["ndcg gained@10"] = {"value": 0.05, "low": 0.01, "high": 0.09}
    why = "no more than chance: the retrieved order serves, the ranker is kept as a shadow beside it."
    told = "On 1,411 validation shoppers ranking adds +0.05 [+0.01, +0.09] to ndcg@10"
    ranking = {"row": ranked, "reason": f"{told}: it serves." if serves else f"{told}, {why}"}
    rows = [row("a", 0.2, selected=True), row("retrieve.popular.v1", 0.1)]
    visit.answer("/v1/evaluation", report(rows, ranking=ranking))
    page = visit.open("#evaluation", lang=lang)
    mine = page.locator("table.models tr", has_text="rank.lambdamart.v1")
    tags = {
        ("en", True): "orders what was found",
        ("en", False): "shadow",
        ("zh", True): "负责排序",
        ("zh", False): "对照",
    }
    expect(mine.locator(".tag")).to_have_text(tags[lang, serves])
    expect(page.locator(".forest")).to_contain_text("rank.lambdamart.v1")
    assert page.locator(".segments button").count() == 1  # what it gains is no measure of its own
    expect(page.locator(".claim")).to_contain_text("rank.lambdamart.v1" if serves else "a ")
    reason = page.locator(".provenance")
    expect(reason).to_contain_text("+0.05 [+0.01, +0.09]")
    assert ("validation shoppers" in reason.inner_text()) == (lang == "en")


def test_groups_of_customers_and_other_reports_can_be_seen(visit: Any) -> None:
    groups = {
        name: {"shoppers": 10 * (i + 1), "metrics": row("a", 0.1 * (i + 1))["metrics"]}
        for i, name in enumerate(["cold", "warm", "hot"])
    }
    bench = {"protocol": "online-retail", "data": "retail", "command": "storewise benchmark online-retail", "version": "1",
             "machine": "2 cores", "seconds": 9, "rows": [row("fusion", 0.3, selected=True, groups=groups)]}  # fmt: skip
    visit.answer("/v1/evaluation", report([row("a", 0.2, selected=True)], benchmarks=[bench]))
    page = visit.open("#evaluation")
    page.select_option("#which", label="online-retail · retail")
    expect(page.locator(".groups .panel")).to_have_count(3)
    assert page.locator(".groups .panel-head").all_inner_texts() == [
        "New\n10 customers",
        "Occasional\n20 customers",
        "Regular\n30 customers",
    ]
    assert "0.3000" in page.locator(".groups .panel").nth(2).inner_text()
    expect(page.locator(".provenance")).to_contain_text("storewise benchmark online-retail")


def test_without_an_evaluation_the_page_says_how_to_get_one(visit: Any) -> None:
    visit.answer("/v1/evaluation", report([]))
    page = visit.open("#evaluation")
    expect(page.locator(".empty")).to_contain_text("No evaluation yet")
    expect(page.locator(".command")).to_have_text("storewise evaluate")


def test_a_point_without_an_interval_is_said_to_be_one(visit: Any) -> None:
    tried = row("b", 0.1)
    tried["metrics"] = {"ndcg@10": {"value": 0.1}}
    visit.answer("/v1/evaluation", report([row("a", 0.2, selected=True), tried]))
    page = visit.open("#evaluation")
    expect(page.locator(".note")).to_contain_text("without an interval")
    assert page.locator(".forest .whisker").count() == 3
    assert page.locator("table.models tr").nth(2).locator("td").first.inner_text() == "0.1000"


def test_a_figure_that_could_not_be_measured_is_no_zero(visit: Any) -> None:
    missing = {
        "model": "b",
        "selected": False,
        "seconds": None,
        "metrics": {"ndcg@10": {"value": None, "low": None, "high": None}},
    }
    visit.answer("/v1/evaluation", report([row("a", 0.2, selected=True), missing]))
    page = visit.open("#evaluation")
    page.wait_for_selector(".forest svg")
    assert page.locator(".forest circle").count() == 1
    assert page.locator("table.models tr").nth(2).locator("td").all_inner_texts() == ["–", "–"]


def test_every_row_of_the_data_is_accounted_for(visit: Any) -> None:
    counts = {"products": [1200, 34, 5], "events": [1_000_000, 40_001, 26_999, 371], "customers": [1]}
    outcomes = ["kept", "repaired", "set aside", "rejected"]
    rows = [
        {"table": table, "outcome": outcome, "reason": f"reason {n}", "rows": n, "example": ""}
        for table, numbers in counts.items()
        for outcome, n in zip(outcomes, numbers, strict=False)
    ]
    visit.answer("/v1/report", {"rows": rows, "rejects": []})
    page = visit.open("#quality")
    page.wait_for_selector(".bar")
    assert page.locator(".quality h2").all_inner_texts() == ["Products", "Events", "Customers"]
    heads = page.locator(".quality .panel-head span").all_inner_texts()
    assert [head.split(" row")[0] for head in heads] == ["1,239", "1,067,371", "1"]
    shown = page.locator(".quality tbody td:nth-child(3)").all_inner_texts()
    assert shown == [f"{n:,}" for numbers in counts.values() for n in numbers]
    expect(page.locator(".hint")).to_have_text("No row was left out.")


def test_outcomes_have_their_share_of_the_bar_and_rejects_their_line(visit: Any) -> None:
    rows = [
        {"table": "events", "outcome": "kept", "reason": "", "rows": 750, "example": ""},
        {"table": "events", "outcome": "set aside", "reason": "postage", "rows": 200, "example": "POST"},
        {"table": "events", "outcome": "rejected", "reason": "no time", "rows": 50, "example": "x"},
    ]
    rejects = [
        {"table": "events", "line": 1234, "reason": "no time", "row": '{"at": null}'},
        {"table": "events", "line": 90, "reason": "set aside: postage", "row": "POST"},
    ]
    visit.answer("/v1/report", {"rows": rows, "rejects": rejects})
    page = visit.open("#quality")
    page.wait_for_selector(".bar")
    widths = page.locator(".bar span").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().width)"
    )
    assert widths[0] / widths[2] == pytest.approx(15, rel=0.02)
    assert page.locator(".bar").get_attribute("aria-label") == "Events: kept 750, set aside 200, rejected 50"
    expect(page.locator(".quality").first).to_contain_text("75% usable")
    assert page.locator(".quality").nth(1).locator("tbody td").all_inner_texts() == [
        "Events",
        "1,234",
        "rejected",
        "no time",
        '{"at": null}',
        "Events",
        "90",
        "set aside",
        "postage",
        "POST",
    ]


def test_each_ingest_has_its_own_report(visit: Any) -> None:
    rows = [
        {"ingest_id": n, "at": f"2024-01-0{n}T00:00:00Z", "source": "files", "table": "events", "outcome": "kept",
         "reason": "as given", "rows": n * 100, "example": ""} for n in (1, 2)
    ]  # fmt: skip
    rejects = [{"ingest_id": 1, "table": "events", "line": 7, "reason": "no time", "row": "{}"}]
    visit.answer("/v1/report", {"rows": rows, "rejects": rejects})
    page = visit.open("#quality")
    expect(page.locator(".quality .panel-head").first).to_contain_text("200 rows read")
    expect(page.locator(".hint")).to_have_text("No row was left out.")
    page.select_option("#ingest", index=1)
    expect(page.locator(".quality .panel-head").first).to_contain_text("100 rows read")
    expect(page.locator(".quality").nth(1)).to_contain_text("no time")


def test_reasons_are_said_in_the_language_of_the_page(visit: Any) -> None:
    reasons = ["sold to a known customer", "quantity is below 1", "something nobody translated"]
    rows = [{"table": "events", "outcome": "kept", "reason": r, "rows": 1, "example": ""} for r in reasons]
    visit.answer("/v1/report", {"rows": rows, "rejects": []})
    page = visit.open("#quality", lang="zh")
    page.wait_for_selector(".bar")
    told = page.locator(".quality tbody td:nth-child(2)").all_inner_texts()
    assert told == ["售给已知顾客", "quantity 小于 1", "something nobody translated"]


def test_why_a_model_serves_is_said_in_the_language_of_the_page(visit: Any) -> None:
    """Sentences as engine and selection make them; one that is new stays as it is."""
    told = (
        "item_knn has the best ndcg@12 on 1,250 validation shoppers (0.6484); popular has 0.4892, the difference is "
        "+0.1592 [+0.1200, +0.1990]. With 2,000 events and 140 shoppers to validate on only simple methods were tried. "
        "Something new."
    )
    visit.answer("/v1/evaluation", report([row("a", 0.2, selected=True)], reason=told))
    page = visit.open("#evaluation", lang="zh")
    expect(page.locator(".provenance .details dd").first).to_have_text(
        "在 1,250 位验证顾客上，item_knn 的 ndcg@12 为 0.6484，热门榜为 0.4892，相差 +0.1592 [+0.1200, +0.1990]。 "
        "只有 2,000 条事件和 140 位可供验证的顾客：只试了简单的方法。 Something new."
    )


def test_without_data_the_page_says_how_to_bring_some(visit: Any) -> None:
    visit.answer("/v1/report", {"rows": [], "rejects": []})
    page = visit.open("#quality", lang="zh")
    expect(page.locator(".empty")).to_contain_text("还没有数据")
    expect(page.locator(".command")).to_contain_text("storewise ingest")
