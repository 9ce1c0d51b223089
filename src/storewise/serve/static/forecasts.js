/** How far the predicted probabilities can be trusted: calibration and lift of each target, with what was learned. */

import { chart } from "./chart.js";
import { h, put } from "./dom.js";
import { featureName } from "./features.js";
import { money, number, percent, reasonOf, t, tOr } from "./i18n.js";

const FIGURES = ["auc", "pr_auc", "ece", "log_loss", "deviance"];
let chosen = null;

/** `predictions`: target → report, as `/v1/evaluation` gives it; `currency` of its amounts. Null when nothing is predicted. */
export function forecastsSection(predictions, currency) {
  const all = Object.entries(predictions ?? {});
  if (!all.length) return null;
  const curves = ([, one]) => Number(Boolean(one.lift?.length)) + Number(Boolean(one.calibration?.length));
  const known = all.filter(([, one]) => one.predictable !== false).sort((a, b) => curves(b) - curves(a));
  const missing = all.filter(([, one]) => one.predictable === false);
  const place = h("div", { class: "forecast" });
  const show = () => {
    const name = known.some(([one]) => one === chosen) ? chosen : known[0][0];
    put(place, targets(known, name, (next) => {
      chosen = next;
      show();
      place.querySelector('[aria-pressed="true"]')?.focus();
    }), report(name, predictions[name], currency));
  };
  if (known.length) show();
  return h(
    "section",
    { class: "part" },
    h("h2", {}, t("forecast.title")),
    h("p", { class: "quiet" }, t("forecast.intro")),
    place,
    missing.length > 0 && h("details", { class: "missing" }, h("summary", {}, t("forecast.missing", { n: missing.length })), h("ul", {}, missing.map(([name, one]) => h("li", {}, h("b", {}, targetName(name)), " ", h("span", { class: "quiet" }, reasonOf(one.reason ?? "")))))),
  );
}

export const targetName = (name) => tOr(`target.${name}`, name);

function targets(known, name, choose) {
  const buttons = known.map(([one]) => h("button", { type: "button", "aria-pressed": String(one === name), onclick: () => choose(one) }, targetName(one)));
  return h("div", { class: "targets", role: "group", "aria-label": t("forecast.target") }, buttons);
}

function report(name, one, currency) {
  const figures = FIGURES.filter((key) => Number.isFinite(one[key]?.value));
  return [
    h("p", { class: "quiet" }, t("forecast.chosen", { model: one.chosen ?? "–" }), one.judged && ` · ${judgedOf(one)}`),
    figures.length > 0 && h("dl", { class: "figures" }, figures.map((key) => h("div", {}, h("dt", { title: tOr(`metric.${key}.help`, "") }, tOr(`metric.${key}`, key)), h("dd", {}, h("b", {}, number(one[key].value, 3)), Number.isFinite(one[key].low) && h("small", {}, `${number(one[key].low, 3)} – ${number(one[key].high, 3)}`))))),
    curves(name, one, currency),
    one.features?.length > 0 && features(one.features),
    one.reason && h("dl", { class: "details" }, h("div", {}, h("dt", {}, t("eval.reason")), h("dd", {}, whyOf(one)))),
  ];
}

const LOSS = ["loss", "other_loss", "gap", "error", "low", "high"]; // all others are counts and names

/** Why this predictor: from the code and its values where the server gives them, else in its own words. */
function whyOf({ why, reason }) {
  if (tOr(`why.${why?.code}`, null) === null) return reasonOf(reason);
  const values = Object.fromEntries(Object.entries(why).map(([key, v]) => [key, LOSS.includes(key) && Number.isFinite(v) ? number(v, Math.abs(v) < 100 ? 4 : 0) : v]));
  const skipped = why.skipped?.length ? t("why.skipped", { models: why.skipped.join(", ") }) : "";
  return t(`why.${why.code}`, values) + skipped;
}

function judgedOf({ judged, judged_on: on }) {
  if (!on) return reasonOf(judged);
  return on.customers === undefined ? t("forecast.judgedRows", on) : t("forecast.judgedCustomers", on);
}

function curves(name, one, currency) {
  const calibration = one.calibration ?? [];
  const lift = one.lift ?? [];
  if (!calibration.length && !lift.length) return h("p", { class: "hint" }, t("forecast.noCurve", { rate: one.rate ? percent(one.rate.value) : "–" }));
  return h(
    "div",
    { class: "groups" },
    calibration.length > 0 && h("div", { class: "panel" }, h("h3", {}, t("forecast.calibration")), calibrationChart(name, one, calibration, currency), h("p", { class: "quiet note" }, t("forecast.calibrationHelp"))),
    lift.length > 0 && h("div", { class: "panel" }, h("h3", {}, t("forecast.lift")), liftChart(lift), h("p", { class: "quiet note" }, t("forecast.liftHelp"))),
  );
}

function calibrationChart(name, one, rows, currency) {
  const amount = one.kind === "amount";
  const say = (v) => (amount ? money(Math.round(v), currency) : percent(Math.max(v, 0)));
  const most = Math.max(...rows.flatMap((row) => [row.mean, row.high ?? row.rate]), 1e-9);
  const points = rows.map((row) => ({ x: row.mean, y: row.rate, low: row.low, high: row.high, said: t("forecast.point", { mean: say(row.mean), rate: say(row.rate), n: row.n }) }));
  return chart([{ points, dots: true }], {
    title: `${t("forecast.calibration")}: ${targetName(name)}`,
    x: { label: t("forecast.predicted"), say, from: 0, to: most },
    y: { label: t("forecast.happened"), say, from: 0, to: most },
    guides: [[[0, 0], [most, most]]],
  });
}

function liftChart(rows) {
  const points = [{ x: 0, y: 0 }, ...rows.map((row) => ({ x: row.share, y: row.gain, said: t("forecast.liftPoint", { share: percent(row.share), gain: percent(row.gain), lift: number(row.lift, 1) }) }))];
  return chart([{ points }], {
    title: t("forecast.lift"),
    x: { label: t("forecast.asked"), say: percent, from: 0, to: 1 },
    y: { label: t("forecast.reached"), say: percent, from: 0, to: 1 },
    guides: [[[0, 0], [1, 1]]],
  });
}

function features(rows) {
  const most = Math.max(...rows.map((row) => row.log_odds));
  return h(
    "div",
    {},
    h("h3", {}, t("forecast.features")),
    h("ul", { class: "moves" }, rows.map((row) => h("li", {}, h("span", {}, featureName(row)), h("span", { class: "move raises", vars: { "--size": row.log_odds / most } })))),
  );
}
