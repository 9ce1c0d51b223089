/** One product in a drawer: its facts, what is bought with it and what is like it; links lead on inside the drawer. */

import * as api from "./api.js";
import { attributes } from "./attributes.js";
import { actions } from "./card.js";
import { h, icon, put } from "./dom.js";
import { neighbourhood } from "./graph.js";
import { calm, capital, money, number, t } from "./i18n.js";
import { problem, waiting } from "./states.js";
import { tile } from "./tile.js";

const LONG = 100; // characters of a title that is set smaller

export function productDrawer({ act, signal }) {
  const body = h("div", { class: "drawer-body" });
  const back = h("button", { type: "button", class: "round", "aria-label": t("product.back"), title: t("product.back"), onclick: () => goBack() }, icon("back"));
  const shut = h("button", { type: "button", class: "round", autofocus: true, "aria-label": t("product.close"), title: t("product.close"), onclick: () => close() }, icon("close"));
  const element = h("dialog", { class: "drawer", "aria-labelledby": "product-title", onclick: outside, onclose: () => (trail = []) }, h("div", { class: "drawer-bar" }, back, shut), body);
  let trail = [];

  function outside(event) {
    if (event.target === element) close();
  }

  const close = () => element.close();

  function open(productId) {
    trail.push(productId);
    if (!element.open) element.showModal();
    load(productId);
  }

  function goBack() {
    trail.pop();
    shut.focus(); // the button for going back may be gone now
    load(trail.at(-1));
  }

  async function load(productId) {
    back.hidden = trail.length < 2;
    put(body, waiting("drawer", 4));
    try {
      const one = await api.product(productId, signal);
      if (trail.at(-1) !== productId) return;
      render(one);
    } catch (error) {
      problem(body, error, () => load(productId));
    }
  }

  function render(one) {
    const recorded = h("p", { class: "recorded", role: "status" });
    const record = async (kind, item) => {
      put(recorded);
      await act(kind, item);
      put(recorded, t("product.recorded"));
    };
    const together = section("product.together", "product.togetherHelp", () => api.boughtTogether(one.product_id, signal), basketFacts);
    const alike = section("product.similar", "product.similarHelp", () => api.similar(one.product_id, signal), likeness);
    const known = attributes(one);
    const around = neighbourhood(one, { open, signal });
    put(body, h("div", { class: "picture" }, tile(one)), facts(one, known), actions(one, record), recorded, details(one), known.section, together, alike, around);
    element.scrollTop = 0;
  }

  function section(titleKey, helpKey, ask, about) {
    const rows = h("div", {}, waiting("rows", 3));
    const fetchRows = () => ask().then(({ items }) => put(rows, items.length ? h("ul", { class: "rows" }, items.map((item) => line(item, about))) : h("p", { class: "quiet" }, t("product.none"))));
    const start = () => fetchRows().catch((error) => problem(rows, error, start));
    start();
    return h("section", { class: "related goods" }, h("h3", {}, t(titleKey)), h("p", { class: "quiet" }, t(helpKey)), rows);
  }

  function line(item, about) {
    const title = calm(item.title) || item.product_id;
    const price = money(item.price_minor, item.currency);
    return h(
      "li",
      {},
      tile(item),
      h("div", {}, h("button", { type: "button", class: "plain", onclick: () => open(item.product_id) }, title), h("small", {}, [price, ...about(item)].filter(Boolean).join(" · "))),
    );
  }

  return { element, open, close };
}

const basketFacts = (item) => [
  Number.isFinite(item.baskets) && t("product.baskets", { n: item.baskets }),
  Number.isFinite(item.lift) && t("product.lift", { x: number(item.lift, 1) }),
];

const likeness = (item) => [
  item.by === "content" ? t("product.byContent") : item.by === "customers" && t("product.byCustomers"),
  Number.isFinite(item.score) && t("product.match", { x: number(item.score, 2) }),
];

function facts(one, { mark, note }) {
  const parts = [
    one.category && capital(one.category),
    Number.isFinite(one.customers) && t("product.customers", { n: one.customers }),
    Number.isFinite(one.on_hand) && t("product.stock", { n: one.on_hand }),
  ].filter(Boolean);
  return h(
    "div",
    { class: "product-facts" },
    h("h2", { id: "product-title", class: (one.title ?? "").length > LONG ? "long" : "" }, mark(one.title || one.product_id, "title")),
    h("p", { class: "facts" }, h("b", { class: "price" }, money(one.price_minor, one.currency) ?? t("product.noPrice")), one.active === false && h("span", { class: "tag warn" }, t("product.inactive"))),
    h("p", { class: "quiet" }, parts.join(" · ")),
    one.description && h("p", { class: "description" }, mark(one.description, "description")),
    note,
  );
}

function details(one) {
  const rows = [["product.id", one.product_id], ["product.brand", one.brand]].filter(([, value]) => value).map(([key, value]) => [t(key), value]);
  return h("dl", { class: "details" }, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}
