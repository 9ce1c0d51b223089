/** A/B tests: what may be concluded, each metric by variant, and how the difference came to be known. */

import { chart } from "./chart.js";
import { h } from "./dom.js";
import { day, money, number, percent, shortDay, t, tOr } from "./i18n.js";

const KINDS = ["one", "two", "three", "four"];
const GOOD = new Set(["better"]);
const BAD = new Set(["worse", "harmed", "broken_split"]);

/** `experiments`: as `/v1/experiments` gives them. */
export function experimentsSection(experiments) {
  return h(
    "section",
    { class: "part" },
    h("h2", {}, t("ab.title")),
    h("p", { class: "quiet" }, t("ab.intro")),
    experiments.length ? experiments.map(one) : h("p", { class: "hint" }, t("ab.none"), " ", h("code", {}, "[experiment]")),
  );
}

function one(experiment) {
  const primary = experiment.metrics.find((metric) => metric.metric === experiment.primary) ?? experiment.metrics[0];
  const others = experiment.metrics.filter((metric) => metric !== primary);
  return h(
    "div",
    { class: "experiment" },
    h("div", { class: "panel-head" }, h("h3", {}, experiment.name), h("span", { class: "quiet" }, since(experiment))),
    Object.entries(experiment.verdicts).map(([name, verdict]) => claim(name, verdict)),
    h("div", { class: "panel" }, h("h3", {}, t("ab.difference", { metric: metricName(primary.metric), control: experiment.control })), differenceChart(primary, experiment), legend(experiment), h("p", { class: "quiet note" }, t("ab.band"))),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("ab.table") }, table(experiment, [primary, ...others])),
    h("p", { class: "quiet" }, facts(experiment)),
  );
}

const metricName = (name) => tOr(`ab.metric.${name}`, name);

function since(experiment) {
  if (!experiment.started_at) return t("ab.notStarted");
  return t("ab.since", { from: day(experiment.started_at), n: experiment.variants.reduce((sum, variant) => sum + variant.shoppers, 0) });
}

function claim(name, verdict) {
  const kind = GOOD.has(verdict.code) ? "claim sure" : BAD.has(verdict.code) ? "claim bad" : "claim";
  const code = verdict.code === "undecided" && !verdict.more ? (verdict.more === 0 ? "undecidedSmall" : "undecidedUnknown") : verdict.code;
  return h("p", { class: kind, "data-code": verdict.code }, h("b", {}, name), " · ", t(`ab.verdict.${code}`, { name, n: verdict.more ?? 0, rail: metricName(verdict.rail) }));
}

function differenceChart(metric, experiment) {
  const { variants, control } = experiment;
  const say = sayOf(metric, experiment);
  const names = variants.map((variant) => variant.name).filter((name) => name !== control);
  const lines = names.map((name, i) => ({
    kind: KINDS[i % KINDS.length],
    points: metric.series.map((point) => ({ x: Date.parse(point.at), y: point.differences[name]?.value, low: point.differences[name]?.low, high: point.differences[name]?.high })).filter((point) => Number.isFinite(point.low)),
  }));
  const times = lines.flatMap((line) => line.points.map((point) => point.x));
  if (!times.length) return h("p", { class: "hint" }, t("ab.tooFew"));
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const steps = Array.from({ length: 5 }, (_, i) => from + ((to - from) * i) / 4).filter((v, i, all) => i === 0 || v > all[i - 1]);
  return chart(lines, {
    title: t("ab.difference", { metric: metricName(metric.metric), control }),
    x: { label: t("ab.day"), say: (v) => shortDay(new Date(v).toISOString()), from, to, steps },
    y: { label: metricName(metric.metric), say },
    guides: [[[from, 0], [to, 0]]],
  });
}

const sayOf = (metric, { currency }) => (v) => (metric.unit === "minor" ? money(v, currency) : signed(v));
const signed = (v) => (v < 0 ? `−${percent(-v)}` : percent(v));

function legend({ variants, control }) {
  const names = variants.map((variant) => variant.name).filter((name) => name !== control);
  if (names.length < 2) return null;
  return h("p", { class: "legend" }, names.map((name, i) => h("span", { class: `key ${KINDS[i % KINDS.length]}` }, name)));
}

function table(experiment, metrics) {
  const head = [t("ab.variant"), t("ab.shoppers"), ...metrics.map((metric) => metricName(metric.metric))];
  return h(
    "table",
    { class: "models" },
    h("thead", {}, h("tr", {}, head.map((name, i) => h("th", { scope: "col", class: i ? "num" : "" }, name)))),
    h("tbody", {}, experiment.variants.map((variant) =>
      h("tr", {},
        h("th", { scope: "row" }, h("span", { class: "model" }, variant.name), variant.name === experiment.control && h("span", { class: "tag" }, t("ab.control"))),
        h("td", { class: "num" }, h("b", {}, number(variant.counted)), h("small", {}, t("ab.of", { n: variant.shoppers }))),
        metrics.map((metric) => cell(metric, variant.name, experiment))))),
  );
}

function cell(metric, name, experiment) {
  const [own, gap, say] = [metric.variants[name], metric.differences[name], sayOf(metric, experiment)];
  if (!Number.isFinite(own?.value)) return h("td", { class: "num quiet" }, "–");
  const known = gap && Number.isFinite(gap.low);
  return h(
    "td",
    { class: "num" },
    h("b", {}, say(own.value)),
    known && h("small", {}, `${gap.value > 0 ? "+" : ""}${say(gap.value)} [${say(gap.low)}, ${say(gap.high)}]`),
    gap && h("small", {}, t("ab.p", { p: gap.p < 0.001 ? "< 0.001" : number(gap.p, 3) })),
    gap?.guard && h("span", { class: gap.guard === "harmed" ? "tag warn" : "tag" }, t(`ab.guard.${gap.guard}`)),
  );
}

function facts(experiment) {
  const rho = experiment.metrics.find((metric) => metric.cuped_rho)?.cuped_rho;
  return [
    t("ab.split", { p: number(experiment.split.p, 3) }),
    rho && t("ab.cuped", { share: percent(rho * rho) }),
    experiment.mixed > 0 && t("ab.mixed", { n: experiment.mixed }),
  ].filter(Boolean).join(" · ");
}
