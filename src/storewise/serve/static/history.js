/** What a shopper did, newest first: a line of days, each with its baskets; returned products are marked. */

import * as api from "./api.js";
import { h, icon, put } from "./dom.js";
import { calm, clock, day, number, t, tOr } from "./i18n.js";
import { empty, problem, waiting } from "./states.js";
import { tile } from "./tile.js";

const FIRST = 100;
const MOST = 1000;
const DAYS_AT_ONCE = 12;
const LINES_AT_ONCE = 5;

const ICONS = { purchase: "buy", return: "return", cart: "cart", view: "view", click: "view", rating: "star" };

export function historyPanel({ signal, open }) {
  const count = h("span", { class: "quiet" });
  const body = h("div", { class: "past-body", tabindex: "0", role: "region", "aria-labelledby": "past-title" });
  const element = h(
    "section",
    { class: "panel past", "aria-labelledby": "past-title" },
    h("div", { class: "panel-head" }, h("h2", { id: "past-title" }, t("history.title")), count),
    body,
  );
  let latest = 0;

  async function show(shopper, { quietly = false, n = FIRST } = {}) {
    const asked = ++latest;
    if (!quietly) {
      count.textContent = "";
      put(body, waiting("past", 5));
    }
    try {
      const answer = await api.shopperHistory(shopper, n, signal);
      if (asked !== latest) return;
      count.textContent = answer.events ? t("history.all", { n: answer.events }) : "";
      render(shopper, answer, n);
    } catch (error) {
      if (asked === latest) problem(body, error, () => show(shopper, { n }));
    }
  }

  function render(shopper, answer, n) {
    const rows = answer.history ?? [];
    const notes = [
      shopper.kind === "customer" && answer.known === false && t("history.unknown"),
      answer.personal === false && t("history.impersonal"),
    ];
    put(body, notes.filter(Boolean).map((note) => h("p", { class: "hint" }, note)));
    if (!rows.length) {
      const why = shopper.kind === "visitor" ? "history.emptyVisitor" : "history.emptyCustomer";
      body.append(empty(t("history.empty"), t(why)));
      return;
    }
    const line = h("ol", { class: "line" });
    body.append(line);
    addDays(line, byDay(rows), open);
    if (rows.length < answer.events && n >= MOST) body.append(h("p", { class: "hint" }, t("history.latest", { n: rows.length })));
    else if (rows.length < answer.events) {
      const older = () => show(shopper, { quietly: true, n: MOST });
      body.append(h("button", { type: "button", class: "button wide older", onclick: older }, t("history.older")));
    }
  }

  return { element, show };
}

function addDays(line, days, open) {
  line.append(...days.slice(0, DAYS_AT_ONCE).map((one) => dayEntry(one, open)));
  const rest = days.slice(DAYS_AT_ONCE);
  if (!rest.length) return;
  const more = h("li", { class: "line-more" });
  const grow = () => {
    more.remove();
    addDays(line, rest, open);
  };
  more.append(h("button", { type: "button", class: "button wide", onclick: grow }, t("history.more", { n: rest.length })));
  line.append(more);
}

/** Days of baskets, newest first. A basket is what one shopper did of one kind at one moment. */
export function byDay(rows) {
  const returned = returnedRows(rows);
  const days = new Map();
  for (const row of rows) {
    const name = row.live ? "live" : row.at.slice(0, 10);
    if (!days.has(name)) days.set(name, { live: Boolean(row.live), at: row.at, baskets: new Map() });
    const { baskets } = days.get(name);
    const key = `${row.at} ${row.kind}`;
    if (!baskets.has(key)) baskets.set(key, { at: row.at, kind: row.kind, lines: [] });
    baskets.get(key).lines.push({ ...row, returned: returned.has(row) });
  }
  return [...days.values()].map((one) => ({ ...one, baskets: [...one.baskets.values()] }));
}

/** Purchases that a later return of the same product took back, the latest one first. */
function returnedRows(rows) {
  const pending = new Map();
  const found = new Set();
  for (const row of rows) {
    const waitingReturns = pending.get(row.product_id) ?? 0;
    if (row.kind === "return") pending.set(row.product_id, waitingReturns + 1);
    if (row.kind === "purchase" && waitingReturns > 0) {
      found.add(row);
      pending.set(row.product_id, waitingReturns - 1);
    }
  }
  return found;
}

function dayEntry({ live, at, baskets }, open) {
  const title = live ? t("history.live") : day(at);
  return h(
    "li",
    { class: live ? "day live" : "day" },
    h("h3", {}, title, live && h("small", {}, t("history.liveNote"))),
    baskets.map((one) => basketEntry(one, open)),
  );
}

function basketEntry({ at, kind, lines }, open) {
  const shown = lines.map((line) => lineEntry(line, open));
  const list = h("ul", { class: "basket" }, shown.slice(0, LINES_AT_ONCE));
  const rest = shown.slice(LINES_AT_ONCE);
  const more = rest.length > 0 && h("button", { type: "button", class: "more", onclick: () => { list.append(...rest); more.remove(); } }, t("history.more", { n: rest.length }));
  const head = h(
    "p",
    { class: `did ${kind}` },
    icon(ICONS[kind] ?? "view"),
    h("b", {}, tOr(`kind.${kind}`, kind)),
    lines.length > 1 && h("span", {}, t("history.products", { n: lines.length })),
    h("time", { datetime: at }, clock(at)),
  );
  return h("div", { class: "did-block" }, head, list, more);
}

function lineEntry(line, open) {
  const title = calm(line.title) || line.product_id;
  return h(
    "li",
    { class: line.returned ? "taken-back" : null },
    tile(line),
    h("button", { type: "button", class: "plain", title, onclick: () => open(line.product_id) }, title),
    line.quantity > 1 && h("span", { class: "times" }, `×${number(line.quantity)}`),
    line.returned && h("span", { class: "tag warn" }, t("history.returned")),
  );
}
