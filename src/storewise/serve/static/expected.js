/** What a shopper is expected to do next: each probability with its interval, beside everybody's, and why. */

import * as api from "./api.js";
import { h, put } from "./dom.js";
import { featureSays } from "./features.js";
import { targetName } from "./forecasts.js";
import { money, percent, t, tOr } from "./i18n.js";

/** Shows nothing at all where the shop predicts nothing. */
export function expectedPanel({ signal }) {
  const body = h("div", { class: "expected-body", tabindex: "0", role: "region", "aria-labelledby": "expected-title" });
  const element = h("section", { class: "panel expected", hidden: true, "aria-labelledby": "expected-title" }, h("h2", { id: "expected-title" }, t("expected.title")), body);
  let latest = 0;

  async function show(shopper) {
    const asked = ++latest;
    try {
      if (!(await api.serves("predict", signal))) return;
      const answer = await api.predictions(shopper, signal);
      if (asked === latest) render(answer);
    } catch (error) {
      if (error.name !== "AbortError" && asked === latest) element.hidden = true; // the list does not wait for it
    }
  }

  function render({ predictions = [], personal, known, currency }) {
    element.hidden = false;
    const note = personal === false ? t("expected.private") : known === false ? t("expected.unknown") : null;
    put(body, note && h("p", { class: "hint" }, note), predictions.length ? h("ul", { class: "expectations" }, predictions.map((one) => row(one, currency))) : !note && h("p", { class: "quiet" }, t("expected.nothing")));
  }

  return { element, show };
}

function row(one, currency) {
  const amount = one.kind === "amount";
  const say = (v) => (!Number.isFinite(v) ? "–" : amount ? money(Math.round(v), currency) : percent(v));
  const scale = (v) => (amount ? v / Math.max(one.high, one.rate, 1) : v);
  return h(
    "li",
    { "data-target": one.target },
    h("p", { class: "expectation" }, h("span", {}, targetName(one.target), one.horizon_days ? h("small", { class: "quiet" }, ` ${t("expected.days", { n: Math.round(one.horizon_days) })}`) : null), h("b", {}, say(one.value))),
    Number.isFinite(one.low) && h("div", { class: "gauge", title: `${say(one.low)} – ${say(one.high)}`, vars: { "--low": scale(one.low), "--high": scale(one.high), "--value": scale(one.value), "--rate": scale(one.rate ?? 0) } }, h("i", { class: "span" }), h("i", { class: "rate" }), h("i", { class: "at" })),
    h("p", { class: "quiet small" }, Number.isFinite(one.low) ? `${say(one.low)} – ${say(one.high)} · ` : "", t("expected.everybody", { rate: say(one.rate) })),
    one.reasons?.length > 0 && h("details", {}, h("summary", {}, t("expected.why")), reasons(one.reasons, currency)),
    one.note && h("p", { class: "quiet small" }, tOr(`expected.note.${one.note_code}`, one.note)),
  );
}

function reasons(list, currency) {
  const known = list.filter((one) => Number.isFinite(one.log_odds));
  const most = Math.max(...known.map((one) => Math.abs(one.log_odds)), 1e-9);
  return h("ul", { class: "moves" }, list.map((one) => h("li", {}, h("span", {}, featureSays(one, currency)), Number.isFinite(one.log_odds) && h("span", { class: `move ${one.log_odds > 0 ? "raises" : "lowers"}`, title: t(one.log_odds > 0 ? "expected.raises" : "expected.lowers"), vars: { "--size": Math.abs(one.log_odds) / most } }, h("span", { class: "unseen" }, t(one.log_odds > 0 ? "expected.raises" : "expected.lowers"))))));
}
