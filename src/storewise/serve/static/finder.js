/** Finds any product of the shop by its words, whether or not it is in the list, and opens it. */

import * as api from "./api.js";
import { h, icon, put } from "./dom.js";
import { calm, money, t } from "./i18n.js";
import { tile } from "./tile.js";

const TYPING_MS = 200;

export function productFinder({ open, signal }) {
  const found = h("ul", { class: "found", id: "found", hidden: true });
  const field = h("input", {
    id: "product-find",
    type: "search",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: t("finder.hint"),
    title: t("finder.hint"),
    "aria-controls": "found",
    oninput: typed,
    onclick: () => show(found.childElementCount > 0),
  });
  const element = h(
    "div",
    { class: "control finder", onkeydown: keyed, onfocusout: left },
    h("label", { for: "product-find" }, t("finder.label")),
    h("div", { class: "field" }, icon("search"), field),
    found,
  );
  let timer = 0;
  let latest = 0;

  const show = (visible) => (found.hidden = !visible);

  function typed() {
    clearTimeout(timer);
    timer = setTimeout(search, TYPING_MS);
  }

  async function search() {
    const asked = ++latest;
    const q = field.value.trim();
    if (!q) return render([]);
    try {
      const { items } = await api.searchProducts(q, signal);
      if (asked === latest) render(items, q);
    } catch {
      if (asked === latest) render([]); // the notice above says when the server is gone
    }
  }

  function render(items, q) {
    const none = q && !items.length && h("li", { class: "quiet", role: "status" }, t("finder.none"));
    put(found, items.map(line), none);
    show(Boolean(q));
  }

  function line(item) {
    const title = calm(item.title) || item.product_id;
    return h(
      "li",
      {},
      h("button", { type: "button", onclick: () => choose(item) }, tile(item), h("span", {}, title), h("small", {}, money(item.price_minor, item.currency))),
    );
  }

  function choose(item) {
    show(false);
    field.focus(); // where the focus comes back to when the product is closed
    open(item.product_id);
  }

  /** Up and down walk through the finds, Enter in the field takes the first, Escape closes. */
  function keyed(event) {
    const buttons = [...found.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    if (event.key === "Escape" && !found.hidden) {
      event.preventDefault();
      field.focus();
      show(false);
    } else if (event.key === "Enter" && event.target === field && !found.hidden) {
      event.preventDefault(); // or the same key would press what has the focus next
      buttons[0]?.click();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = at + (event.key === "ArrowDown" ? 1 : -1);
      (next < 0 ? field : buttons[Math.min(next, buttons.length - 1)])?.focus();
    }
  }

  function left(event) {
    if (!element.contains(event.relatedTarget)) show(false);
  }

  return { element };
}
