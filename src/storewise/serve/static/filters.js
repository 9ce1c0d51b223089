/** Category, price and stock; each control shows only where the shop's data can answer it. */

import * as api from "./api.js";
import { h } from "./dom.js";
import { capital, minorUnits, money, number, t } from "./i18n.js";

const TYPING_MS = 350;
const MOST_CATEGORIES = 300;

export function filterBar({ changed, signal }) {
  const category = h("select", { id: "category", onchange: changed }, h("option", { value: "" }, t("filter.any")));
  const low = price("price-min");
  const high = price("price-max");
  const stock = h("input", { id: "stock", type: "checkbox", onchange: changed });
  const categoryBox = labelled("filter.category", category, { hidden: true });
  const stockBox = h("label", { class: "check", hidden: true }, stock, t("filter.stock"));
  const clearButton = h("button", { type: "button", class: "plain clear", hidden: true, onclick: () => clear() }, t("list.clear"));
  const element = h(
    "div",
    { class: "filters", role: "group", "aria-label": t("filter.title") },
    categoryBox,
    labelled("filter.min", low),
    labelled("filter.max", high),
    stockBox,
    clearButton,
  );
  let currency = "";
  let timer = 0;
  loadCategories();

  function price(id) {
    return h("input", { id, inputmode: "decimal", autocomplete: "off", size: "6", oninput: typed });
  }

  function labelled(key, control, props = {}) {
    return h("div", { class: "control", ...props }, h("label", { for: control.id }, t(key)), control);
  }

  function typed() {
    clearTimeout(timer);
    timer = setTimeout(changed, TYPING_MS);
  }

  async function loadCategories() {
    try {
      const items = await api.categories(signal);
      for (const one of items.slice(0, MOST_CATEGORIES)) {
        category.append(h("option", { value: one.category }, `${capital(one.category)} (${number(one.products)})`));
      }
      categoryBox.hidden = items.length < 2;
    } catch {
      // the list itself says when the server is gone; without categories there is nothing to filter by
    }
  }

  /** Minor units of what was typed; what is no number filters nothing and is marked. */
  function minor(field) {
    const text = field.value.trim().replace(",", ".");
    const value = text === "" ? NaN : Number(text);
    const good = Number.isFinite(value) && value >= 0;
    field.setAttribute("aria-invalid", String(text !== "" && !good));
    return good ? Math.round(value * minorUnits(currency)) : null;
  }

  function values() {
    const found = { category: category.value, price_min: minor(low), price_max: minor(high), in_stock: stock.checked };
    clearButton.hidden = !active();
    return found;
  }

  function active() {
    return Boolean(category.value || low.value.trim() || high.value.trim() || stock.checked);
  }

  function clear() {
    for (const field of [category, low, high]) field.value = "";
    stock.checked = false;
    changed();
  }

  /** What the answers tell: the currency, and whether stock is known at all. */
  function learn(items) {
    currency = items.find((item) => item.currency)?.currency ?? currency;
    low.placeholder = currency ? money(0, currency) : "0";
    high.placeholder = "∞";
    if (items.some((item) => item.on_hand !== null && item.on_hand !== undefined)) stockBox.hidden = false;
  }

  return { element, values, active, clear, learn };
}
