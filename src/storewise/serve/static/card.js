/** One product of the list: picture, price, reason and what a shopper can do; and how cards move to new places. */

import { h, icon, put } from "./dom.js";
import { calm, capital, money, t } from "./i18n.js";
import { tile } from "./tile.js";

const MOVE_MS = 420;
const REASON_ICONS = {
  bought_with: "with",
  repeat: "repeat",
  popular: "popular",
  popular_in: "popular",
  similar_customers: "people",
  similar_content: "alike",
  words: "search",
  meaning: "meaning",
  taste: "taste",
  fallback: "popular",
};
const BY_CONTENT = "retrieve.content.v1"; // gives what too few have bought to be known by its buyers
export const ACTIONS = [["view", "view", "view"], ["cart", "cart", "cart"], ["purchase", "buy", "buy"]];

/** Products of the content retriever are new ones among those of another; where it serves alone, it says nothing of that. */
export const isMixed = (items) => items.some(({ source }) => source?.startsWith("retrieve.") && source !== BY_CONTENT);

/** A reason repeats a title of the data in quotes: read it as calmly as the titles. */
export const calmReason = (text) => String(text ?? "").replace(/([“"「『《])([^”"」』》]+)([”"」』》])/g, (_, a, b, c) => a + calm(b) + c);

export function card(item, { act, open, change, mixed = false }) {
  const title = calm(item.title) || item.product_id;
  const place = item.position + 1;
  const state = change?.fresh.has(item.product_id) ? "fresh" : change?.moved.has(item.product_id) ? "moved" : "";
  return h(
    "article",
    { class: `card ${state}`, "data-id": item.product_id },
    h("div", { class: "picture" }, tile(item), h("span", { class: "place", title: t("list.position", { n: place }) }, String(place)), badge(item, change)),
    h(
      "div",
      { class: "card-body" },
      h("h3", {}, h("button", { type: "button", class: "open", "data-act": "open", title, onclick: () => open(item.product_id) }, title)),
      h("p", { class: "facts" }, h("b", { class: "price" }, money(item.price_minor, item.currency) ?? t("product.noPrice")), mixed && item.source === BY_CONTENT && h("span", { class: "tag new", title: t("list.newHelp") }, t("list.newProduct")), item.category && h("span", { class: "category" }, capital(item.category))),
      item.reason && h("p", { class: "reason" }, icon(REASON_ICONS[item.reason.kind] ?? "star"), h("span", {}, calmReason(item.reason.text))),
    ),
    actions(item, act, item.position),
  );
}

function badge(item, change) {
  if (change?.fresh.has(item.product_id)) return h("span", { class: "badge fresh" }, t("list.fresh"));
  const by = change?.moved.get(item.product_id);
  if (!by) return null;
  const words = by > 0 ? t("list.up", { n: by }) : t("list.down", { n: -by });
  return h("span", { class: "badge", title: words }, h("span", { "aria-hidden": "true" }, `${by > 0 ? "↑" : "↓"}${Math.abs(by)}`), h("span", { class: "unseen" }, words));
}

/** View, cart, buy. While the server stores one, none can be pressed; a failure stays beside the buttons. */
export function actions(item, act, position) {
  const title = calm(item.title);
  const failed = h("p", { class: "failed", role: "alert" });
  const buttons = ACTIONS.map(([kind, name, picture]) =>
    h(
      "button",
      { type: "button", class: `act ${name}`, "data-act": kind, "aria-label": t(`product.${name}Long`, { title }), title: t(`product.${name}Long`, { title }), onclick: (event) => press(kind, event.currentTarget) },
      icon(picture),
      h("span", {}, t(`product.${name}`)),
    ),
  );
  async function press(kind, pressed) {
    put(failed);
    for (const one of buttons) one.setAttribute("aria-disabled", "true");
    pressed.classList.add("busy");
    try {
      await act(kind, item, position);
    } catch (error) {
      put(failed, error.status === 0 ? t("state.goneTitle") : error.problem || t("state.failed"));
    } finally {
      for (const one of buttons) one.removeAttribute("aria-disabled");
      pressed.classList.remove("busy");
    }
  }
  for (const one of buttons) one.addEventListener("click", (event) => one.getAttribute("aria-disabled") && event.stopImmediatePropagation(), true);
  return h("div", { class: "acts" }, buttons, failed);
}

/** Where each card stands now, by product. */
export function placesOf(grid) {
  return new Map([...grid.querySelectorAll("[data-id]")].map((one) => [one.dataset.id, one.getBoundingClientRect()]));
}

/** Lets cards glide from where they stood (first, last, invert, play); new ones fade in. */
export function moveCards(grid, places) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const timing = { duration: MOVE_MS, easing: "cubic-bezier(.2,.8,.2,1)" };
  for (const one of grid.querySelectorAll("[data-id]")) {
    const from = places.get(one.dataset.id);
    const to = one.getBoundingClientRect();
    if (!from) one.animate([{ opacity: 0, transform: "scale(.94)" }, { opacity: 1, transform: "none" }], timing);
    else if (from.x !== to.x || from.y !== to.y) {
      one.animate([{ transform: `translate(${from.x - to.x}px, ${from.y - to.y}px)` }, { transform: "none" }], timing);
    }
  }
}
