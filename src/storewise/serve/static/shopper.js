/** Picks who is shopping: a known customer, found by id, or a new visitor. */

import * as api from "./api.js";
import { h, icon, put } from "./dom.js";
import { shortDay, t } from "./i18n.js";
import { empty, problem, waiting } from "./states.js";
import { steady } from "./tile.js";

const SHORT = 8;
const TYPING_MS = 200;

/** Pseudonyms are long; their beginning is enough to tell two apart on a page. */
export const shortId = (id) => (id.length > SHORT + 4 ? id.slice(0, SHORT) : id);

export const newVisitor = () => ({ kind: "visitor", id: `visit-${Math.random().toString(36).slice(2, 10)}` });

export function shopperPanel({ choose, signal }) {
  const field = h("input", { id: "find", type: "search", autocomplete: "off", spellcheck: "false", placeholder: t("shopper.hint"), oninput: typed, onkeydown: keyed });
  const rows = h("div", { class: "shoppers" });
  const visitor = h(
    "button",
    { type: "button", class: "shopper visitor", onclick: () => choose(newVisitor()) },
    h("span", { class: "face" }, icon("person")),
    h("span", { class: "who" }, h("b", {}, t("shopper.visitor")), h("small", {}, t("shopper.visitorText"))),
  );
  const element = h(
    "section",
    { class: "panel people", "aria-labelledby": "people-title" },
    h("h2", { id: "people-title" }, t("shopper.title")),
    visitor,
    h("div", { class: "find" }, h("label", { for: "find" }, t("shopper.search")), h("div", { class: "field" }, icon("search"), field)),
    rows,
  );
  let current = null;
  let timer = 0;
  let latest = 0;

  function typed() {
    clearTimeout(timer);
    timer = setTimeout(() => load(), TYPING_MS);
  }

  function keyed(event) {
    const first = rows.querySelector("button.shopper");
    if (event.key === "ArrowDown" && first) {
      event.preventDefault();
      first.focus();
    }
    if (event.key === "Enter" && field.value.trim()) {
      clearTimeout(timer);
      load({ takeFirst: true });
    }
  }

  async function load({ takeFirst = false } = {}) {
    const asked = ++latest;
    const q = field.value.trim();
    try {
      const found = await api.customers(q, signal);
      if (asked !== latest) return;
      render(found, q);
      const first = found.items[0];
      if (takeFirst) choose({ kind: "customer", id: first ? first.customer_id : q });
      return found;
    } catch (error) {
      problem(rows, error, () => load({ takeFirst }));
    }
  }

  function render({ items, total }, q) {
    const note = q ? t("shopper.found", { n: total ?? items.length }) : t("shopper.sample");
    if (items.length) put(rows, h("p", { class: "quiet count", role: "status" }, note), h("ul", {}, items.map((one) => h("li", {}, button(one)))));
    else if (q) put(rows, h("p", { class: "quiet", role: "status" }, t("shopper.none")), tryAs(q));
    else put(rows, empty(t("shopper.noCustomers")));
    mark(current);
  }

  const tryAs = (q) =>
    h("button", { type: "button", class: "button", onclick: () => choose({ kind: "customer", id: q }) }, t("shopper.try", { id: q }));

  function button({ customer_id: id, events, last_at: last }) {
    const about = [t("shopper.events", { n: events }), last && shortDay(last)];
    return h(
      "button",
      { type: "button", class: "shopper", "data-id": id, title: id, onclick: () => choose({ kind: "customer", id }) },
      h("span", { class: "face", vars: { "--hue": steady(id) % 360 } }, shortId(id).slice(0, 2)),
      h("span", { class: "who" }, h("b", {}, shortId(id)), h("small", {}, about.filter(Boolean).join(" · "))),
    );
  }

  function mark(shopper) {
    current = shopper;
    for (const one of rows.querySelectorAll("button.shopper")) {
      one.setAttribute("aria-pressed", String(shopper?.kind === "customer" && shopper.id === one.dataset.id));
    }
    const visiting = shopper?.kind === "visitor";
    visitor.setAttribute("aria-pressed", String(visiting));
    visitor.querySelector("b").textContent = visiting ? t("shopper.again") : t("shopper.visitor");
  }

  /** Loads the sample; without somebody asked for, its first customer (or a visitor) is shown. */
  async function start(asked) {
    put(rows, waiting("people", 4));
    const found = await load();
    if (!asked && found && !signal.aborted) {
      choose(found.items.length ? { kind: "customer", id: found.items[0].customer_id } : newVisitor());
    }
  }

  return { element, mark, start };
}
