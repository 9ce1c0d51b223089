/** The list as it was retrieved beside the ranked one, so that ranking can be seen at work, also where it does not serve. */

import * as api from "./api.js";
import { h, put } from "./dom.js";
import { calm, percent, reasonOf, t } from "./i18n.js";
import { problem, waiting } from "./states.js";

/** `who()` gives shopper and filters of the list that stands there; hidden where nothing ranks. */
export function rankedView({ who, open, signal }) {
  const body = h("div", { class: "beside" });
  const element = h("details", { class: "ranked", hidden: true, ontoggle: () => element.open && load() }, h("summary", {}, t("ranked.title")), body);
  let latest = 0;

  /** A new list: what was compared before is gone. */
  async function renew() {
    if (signal.aborted) return;
    try {
      element.hidden = !(await api.serves("ranker", signal));
    } catch {
      return; // the list itself says what is wrong
    }
    if (element.open) load();
  }

  async function load() {
    const asked = ++latest;
    put(body, waiting("past", 2));
    try {
      const { shopper, filters } = who();
      const answer = await api.recommendations(shopper, { ...filters, explain: "true" }, signal);
      if (asked === latest) put(body, sideBySide(answer, open));
    } catch (error) {
      if (asked === latest) problem(body, error, load);
    }
  }

  return { element, renew };
}

function sideBySide({ items, retrieved = [], ranker, ranker_serves: serves = true, ranked = [], ranker_why: why }, open) {
  const shadow = ranker && !serves;
  const was = new Map(retrieved.map((item, place) => [item.product_id, place]));
  return [
    h("p", { class: "quiet small" }, shadow ? t("ranked.shadow", { name: ranker }) : ranker ? t("ranked.by", { name: ranker }) : t("ranked.none")),
    shadow && why && h("p", { class: "quiet small" }, reasonOf(why)),
    h("div", { class: "columns" },
      column(t(shadow ? "ranked.served" : "ranked.before"), retrieved, () => null, open),
      column(t(shadow ? "ranked.would" : "ranked.after"), shadow ? ranked : items, (item, place) => move(was.get(item.product_id), place), open)),
  ];
}

function column(title, items, note, open) {
  return h("div", {}, h("h3", {}, title), h("ol", {}, items.map((item, place) =>
    h("li", { "data-product": item.product_id },
      h("button", { type: "button", class: "plain", onclick: () => open(item.product_id) }, calm(item.title) || item.product_id),
      Number.isFinite(item.p_purchase) && h("span", { class: "tag", title: t("ranked.chance") }, percent(item.p_purchase)),
      note(item, place),
      (item.moved ?? []).map((one) => h("small", { class: "quiet" }, one.text ?? one.rule ?? ""))))));
}

function move(before, now) {
  if (before === undefined) return h("span", { class: "tag good" }, t("ranked.new"));
  if (before === now) return null;
  const up = before > now;
  return h("span", { class: up ? "tag good" : "tag" }, h("span", { "aria-hidden": "true" }, `${up ? "↑" : "↓"}${Math.abs(before - now)}`), h("span", { class: "unseen" }, t(up ? "list.up" : "list.down", { n: Math.abs(before - now) })));
}
