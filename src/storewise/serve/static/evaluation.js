/** How good the models are: one measure as a plot with intervals, by kind of customer, and all measures as a table. */

import * as api from "./api.js";
import { h, put } from "./dom.js";
import { dialSection } from "./dial.js";
import { experimentsSection } from "./experiments.js";
import { forecastsSection } from "./forecasts.js";
import { choiceOf, day, number, t, tOr } from "./i18n.js";
import { forest } from "./plot.js";
import { command, empty, problem, waiting } from "./states.js";

const LOWER_IS_BETTER = new Set(["rmse", "mae"]);
const RANKING = ["ndcg", "recall", "hit", "map", "mrr", "precision", "rmse", "mae", "coverage", "novelty", "diversity"];
const BEYOND_ACCURACY = new Set(["coverage", "novelty", "diversity"]);
const GROUPS = ["cold", "warm", "hot"];
const MODELS_BY_GROUP = 4;

let chosenReport = 0;
let chosenMetric = null;

export function mount(main) {
  const life = new AbortController();
  const body = h("div", {}, waiting("report", 3));
  const parts = h("div", {});
  const tests = h("div", {});
  put(main, h("section", { class: "report" }, h("h1", {}, t("eval.title")), h("p", { class: "lead" }, t("eval.intro")), body, parts, tests));
  load();

  async function load() {
    try {
      const { reports, predictions, dial, currency } = await api.evaluation(life.signal);
      put(parts, forecastsSection(predictions, currency), dialSection(dial, currency));
      if (reports.some((one) => one.rows.length)) render(body, reports);
      else put(body, empty(t("eval.empty"), t("eval.emptyText"), command("storewise evaluate")));
      loadTests();
    } catch (error) {
      problem(body, error, load);
    }
  }

  async function loadTests() {
    try {
      put(tests, experimentsSection(await api.experiments(life.signal)));
    } catch (error) {
      problem(tests, error, loadTests);
    }
  }

  return () => life.abort();
}

function render(body, reports) {
  const report = reports[chosenReport] ?? reports[0];
  const metrics = metricsOf(report.rows);
  const metric = metrics.includes(chosenMetric) ? chosenMetric : report.metric && metrics.includes(report.metric) ? report.metric : metrics[0];
  const again = () => render(body, reports);
  put(
    body,
    controls(reports, report, metrics, metric, again),
    claim(report, metric),
    h("div", { class: "panel" }, plotOf(report.rows, metric)),
    groupsOf(report.rows, metric),
    h("h2", {}, t("eval.table")),
    table(report.rows, metrics, metric),
    provenance(report),
  );
}

const family = (metric) => metric.split("@")[0];
const cutoff = (metric) => (metric.includes("@") ? `@${metric.split("@")[1]}` : "");
const metricName = (metric) => tOr(`metric.${family(metric)}`, family(metric)) + cutoff(metric);

function metricsOf(rows) {
  const rank = (metric) => (RANKING.indexOf(family(metric)) + 100) % 100;
  const found = new Set(rows.flatMap((row) => Object.keys(row.metrics)));
  return [...found].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b, "en", { numeric: true }));
}

function controls(reports, report, metrics, metric, again) {
  const name = (one) => (one.own ? t("eval.own") : [one.protocol, one.question ?? one.data].filter(Boolean).join(" · "));
  const which = h("select", { id: "which", onchange: (event) => { chosenReport = Number(event.target.value); again(); } },
    reports.map((one, i) => h("option", { value: i, selected: one === report }, name(one))));
  const buttons = metrics.map((one) =>
    h("button", { type: "button", "aria-pressed": String(one === metric), onclick: () => { chosenMetric = one; again(); document.querySelector('.segments [aria-pressed="true"]')?.focus(); } }, metricName(one)),
  );
  return h(
    "div",
    { class: "controls" },
    reports.length > 1 && h("div", { class: "control" }, h("label", { for: "which" }, t("eval.which")), which),
    h("div", { class: "control" }, h("span", { id: "metric-label" }, t("eval.metric")), h("div", { class: "segments", role: "group", "aria-labelledby": "metric-label" }, buttons)),
    h("p", { class: "quiet metric-help" }, tOr(`metric.${family(metric)}.help`, "")),
  );
}

const isPopularity = (row) => row.role === "popularity" || (!row.role && /(^|\.)popular(ity)?(\.|$)/.test(row.model));
const kindOf = (row) => (row.selected ? "selected" : isPopularity(row) ? "popularity" : "");

/** The result in one sentence, with how sure it is. */
function claim(report, metric) {
  const selected = report.rows.find((row) => row.selected)?.metrics[metric];
  const model = report.rows.find((row) => row.selected)?.model;
  if (!Number.isFinite(selected?.value) || BEYOND_ACCURACY.has(family(metric))) return null;
  const value = number(selected.value, 3);
  if (LOWER_IS_BETTER.has(family(metric))) return h("p", { class: "claim" }, t("eval.claimLow", { model, value }));
  const base = report.rows.find((row) => isPopularity(row) && !row.selected)?.metrics[metric];
  if (!base || !(base.value > 0)) return null;
  const clear = selected.low !== null && base.high !== null && selected.low > base.high;
  const words = t("eval.claim", { model, value, base: number(base.value, 3), ratio: number(selected.value / base.value, 1) });
  const sure = selected.low === null ? "" : t(clear ? "eval.claimClear" : "eval.claimOpen");
  return h("p", { class: clear ? "claim sure" : "claim" }, words, " ", sure);
}

const groupName = (name) => tOr(`eval.${name}`, name);

function marks(rows, metric, metricsFor) {
  const lower = LOWER_IS_BETTER.has(family(metric));
  return rows
    .map((row) => ({ row, found: metricsFor(row)?.[metric] }))
    .filter(({ found }) => found && Number.isFinite(found.value))
    .map(({ row, found }) => ({ label: row.model, kind: kindOf(row), ...found }))
    .sort((a, b) => (lower ? a.value - b.value : b.value - a.value));
}

function plotOf(rows, metric) {
  const lower = LOWER_IS_BETTER.has(family(metric));
  const title = t("eval.plot", { metric: metricName(metric) });
  const drawn = marks(rows, metric, (row) => row.metrics);
  return [
    h("div", { class: "plot-head" }, h("h2", {}, title), legend(lower)),
    forest(drawn, { title, fromZero: !lower }),
    drawn.some((mark) => mark.low === null) && h("p", { class: "quiet note" }, t("eval.noInterval")),
  ];
}

function legend(lower) {
  return h(
    "p",
    { class: "legend" },
    h("span", { class: "key selected" }, t("eval.selected")),
    h("span", { class: "key popularity" }, t("eval.popularity")),
    h("span", { class: "quiet" }, t(lower ? "eval.lower" : "eval.higher")),
  );
}

/** The chosen model, what serves, popularity, and the best of the others: enough to compare at a glance. */
function tellingRows(rows, metric) {
  const sign = LOWER_IS_BETTER.has(family(metric)) ? 1 : -1;
  const worth = (row) => (row.selected || isPopularity(row) || row.role === "serving" ? -Infinity : sign * (row.metrics[metric]?.value ?? -sign * Infinity));
  return rows.filter((row) => Object.keys(row.groups).length).sort((a, b) => worth(a) - worth(b) || 0).slice(0, MODELS_BY_GROUP);
}

function groupsOf(rows, metric) {
  const others = rows.flatMap((row) => Object.keys(row.groups)).filter((name) => !GROUPS.includes(name));
  const telling = tellingRows(rows, metric);
  const present = [...GROUPS, ...new Set(others)].map((name) => ({
    name,
    size: rows.find((row) => row.groups[name]?.customers)?.groups[name].customers,
    marks: marks(telling, metric, (row) => row.groups[name]?.metrics),
  })).filter((group) => group.marks.length);
  if (!present.length) return null;
  const scale = present.flatMap((group) => group.marks);
  const fromZero = !LOWER_IS_BETTER.has(family(metric));
  return h(
    "section",
    {},
    h("h2", {}, t("eval.groups")),
    h("p", { class: "quiet" }, t("eval.groupsHelp")),
    h("div", { class: "groups" }, present.map((group) => h("div", { class: "panel" },
      h("div", { class: "panel-head" }, h("h3", {}, groupName(group.name)), group.size && h("span", { class: "quiet" }, t("eval.groupSize", { n: group.size }))),
      forest(group.marks, { title: `${groupName(group.name)}: ${metricName(metric)}`, fromZero, scale })))),
  );
}

function table(rows, metrics, metric) {
  const head = metrics.map((one) => h("th", { scope: "col", class: one === metric ? "num on" : "num", title: tOr(`metric.${family(one)}.help`, "") }, metricName(one)));
  const ordered = [...rows].sort((a, b) => Number(Boolean(b.selected)) - Number(Boolean(a.selected)));
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": t("eval.table") },
    h("table", { class: "models" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("eval.model")), head, h("th", { scope: "col", class: "num" }, t("eval.seconds")))),
      h("tbody", {}, ordered.map((row) => h("tr", { class: kindOf(row) }, h("th", { scope: "row" }, h("span", { class: "model" }, row.model), roles(row)), metrics.map((one) => cell(row.metrics[one], one === metric)), h("td", { class: "num quiet" }, Number.isFinite(row.seconds) ? t("eval.secondsUnit", { n: number(row.seconds, row.seconds < 10 ? 1 : 0) }) : "–"))))),
  );
}

function roles(row) {
  return [
    row.selected && h("span", { class: "tag good" }, t(row.role === "ranker" ? "eval.ranks" : "eval.selected")),
    row.role === "ranker" && !row.selected && h("span", { class: "tag" }, t("eval.shadow")),
    row.role === "serving" && h("span", { class: "tag" }, t("eval.serving")),
    isPopularity(row) && h("span", { class: "tag warn" }, t("eval.popularity")),
  ];
}

function cell(found, on) {
  if (!found || !Number.isFinite(found.value)) return h("td", { class: "num quiet" }, "–");
  const sure = found.low !== null && found.low !== undefined;
  return h("td", { class: on ? "num on" : "num" }, h("b", {}, number(found.value, 4)), sure && h("small", {}, `${number(found.low, 4)} – ${number(found.high, 4)}`));
}

/** Where the figures come from, enough to get them again. */
function provenance(report) {
  const split = report.split;
  const machine = report.machine && (typeof report.machine === "object" ? Object.entries(report.machine).map(([name, value]) => `${name} ${value}`).join(" · ") : report.machine);
  const facts = [
    ["eval.reason", report.reason && choiceOf(report.reason)],
    ["eval.ranking", report.ranking?.reason && choiceOf(report.ranking.reason)],
    ["eval.data", report.data],
    ["eval.command", report.command && h("code", {}, report.command)],
    ["eval.version", report.version],
    ["eval.machine", machine && (Number.isFinite(report.seconds) ? `${machine} · ${t("eval.total", { n: number(report.seconds) })}` : machine)],
  ].filter(([, value]) => value);
  return h(
    "footer",
    { class: "provenance" },
    split?.fit_until && h("p", {}, t("eval.split", { until: day(split.fit_until), days: split.validation_days, customers: split.customers })),
    h("dl", { class: "details" }, facts.map(([key, value]) => h("div", {}, h("dt", {}, t(key)), h("dd", {}, value)))),
  );
}
