/** The list a shopper gets, with reasons. After an action it moves to the new list and says what changed. */

import * as api from "./api.js";
import { h, put } from "./dom.js";
import { card, isMixed, moveCards, placesOf } from "./card.js";
import { productFinder } from "./finder.js";
import { filterBar } from "./filters.js";
import { calm, milliseconds, t, tOr } from "./i18n.js";
import { rankedView } from "./ranked.js";
import { nothingFound, searchBox, understood } from "./search.js";
import { shortId } from "./shopper.js";
import { empty, problem, waiting } from "./states.js";

const STEPS = ["full", "popular_in_category", "popular"];
const BETWEEN = ["no_rerank", "retrieved"]; // shown when one of them answered

/** What is new and what moved (places gained, negative: lost) from one list of ids to the next. */
export function compare(before, after) {
  const was = new Map(before.map((id, place) => [id, place]));
  const fresh = after.filter((id) => !was.has(id));
  const moved = after.map((id, place) => [id, was.get(id) - place]).filter(([, by]) => by);
  return { fresh: new Set(fresh), moved: new Map(moved), gone: before.filter((id) => !after.includes(id)) };
}

export function listPanel({ act, open, signal }) {
  const title = h("h1", { id: "list-title", tabindex: "-1" });
  const answered = h("div", { class: "answered", role: "status" });
  const note = h("div", { class: "change", role: "status" });
  const grid = h("div", { class: "grid", id: "list-grid" });
  const search = searchBox({ changed: () => turn() });
  const lead = h("p", { class: "quiet" }, t("list.act"));
  const ranked = rankedView({ who: () => ({ shopper, filters: filters.values() }), open, signal });
  const filters = filterBar({ changed: () => load(), signal });
  const element = h(
    "section",
    { class: "list", "aria-labelledby": "list-title" },
    search.element,
    h("div", { class: "list-head" }, title, lead),
    filters.element,
    answered,
    ranked.element,
    note,
    grid,
  );
  filters.element.append(productFinder({ open, signal }).element);
  let shopper = null;
  let ids = [];
  let latest = 0;

  /** Another shopper: nothing of the list before is compared. */
  function show(next) {
    shopper = next;
    ids = [];
    return turn();
  }

  /** From the list to a search or back: nothing of what stood here stays. */
  function turn() {
    const q = search.words();
    ids = [];
    head(q);
    put(note);
    put(answered);
    put(grid, waiting("cards", 8));
    return load();
  }

  function head(q) {
    const own = shopper.kind === "visitor" ? t("list.forVisitor") : t("list.forCustomer", { id: shortId(shopper.id) });
    title.textContent = q ? t("search.title", { q }) : own;
    title.title = q || shopper.id;
    title.classList.toggle("long", q.length > 40);
    lead.textContent = t(q ? "search.lead" : "list.act");
  }

  /** The same shopper after an action: cards glide to their places, changes are marked and counted. */
  async function after(action) {
    if (search.words()) return put(note, doneNote(action)); // what was found doesn't depend on who asks
    const before = ids;
    const answer = await load({ before });
    if (answer) put(note, changeNote(action, answer, compare(before, ids)));
  }

  async function load({ before = null } = {}) {
    const asked = ++latest;
    grid.setAttribute("aria-busy", "true");
    if (!before) put(note);
    try {
      const q = search.words();
      const answer = await (q ? api.searchShop(q, filters.values(), signal) : api.recommendations(shopper, filters.values(), signal));
      if (asked !== latest) return null;
      if (q) renderFound(answer, q);
      else render(answer, before);
      return answer;
    } catch (error) {
      if (asked === latest) problem(grid, error, () => load());
      return null;
    } finally {
      if (asked === latest) grid.removeAttribute("aria-busy");
    }
  }

  function render(answer, before) {
    const focus = focused(grid);
    const places = placesOf(grid);
    ids = answer.items.map((item) => item.product_id);
    filters.learn(answer.items);
    put(answered, answer.items.length > 0 && answeredBy(answer), rulesNote(answer.rules));
    ranked.renew();
    if (!ids.length) return put(grid, nothing());
    const change = before && compare(before, ids);
    const mixed = isMixed(answer.items);
    put(grid, answer.items.map((item) => card(item, { act, open, change, mixed })));
    if (before) moveCards(grid, places);
    if (focus) (grid.querySelector(focus) ?? title).focus({ preventScroll: true });
  }

  /** Finds are no places of the list: what is done with them is sent without one. */
  function renderFound(answer, q) {
    filters.learn(answer.items);
    put(answered, understood(answer));
    ranked.element.hidden = true;
    const ways = { filtered: filters.active(), clearFilters: () => filters.clear(), clearSearch: () => search.clear() };
    const does = (kind, item) => act(kind, item);
    put(grid, answer.items.length ? answer.items.map((item) => card(item, { act: does, open })) : nothingFound(q, ways));
  }

  function nothing() {
    if (!filters.active()) return empty(t("list.empty"), t("list.emptyNoFilter"));
    const clear = h("button", { type: "button", class: "button", onclick: () => filters.clear() }, t("list.clear"));
    return empty(t("list.empty"), t("list.emptyText"), clear);
  }

  return { element, show, after };
}

/** A selector for the button that has the focus, so that it can have it again in the new list. */
function focused(grid) {
  const button = document.activeElement;
  const holder = grid.contains(button) ? button.closest("[data-id]") : null;
  if (!holder) return null;
  return `[data-id="${CSS.escape(holder.dataset.id)}"] [data-act="${CSS.escape(button.dataset.act ?? "open")}"]`;
}

/** The rungs of the ladder with the one that answered, the time and the notes. */
function answeredBy({ step, notes, ms, snapshot }) {
  const rungs = (BETWEEN.includes(step) ? ["full", step, ...STEPS.slice(1)] : STEPS).map((name) =>
    h("li", { "aria-current": name === step ? "true" : null, title: t(`step.${name}.help`) }, t(`step.${name}`)),
  );
  return [
    h("span", { class: "quiet" }, t("list.answered")),
    h("ol", { class: "ladder" }, rungs),
    h("span", { class: "quiet" }, t("list.in", { ms: milliseconds(ms) })),
    snapshot && h("code", { class: "snapshot", title: t("foot.snapshot", { name: snapshot }) }, snapshot),
    notes.map((one) => h("span", { class: "tag warn" }, one)),
  ];
}

/** The shop's own rules that took products out of this list or moved them. */
function rulesNote(rules) {
  const bound = (rules ?? []).filter((one) => one.products > 0);
  if (!bound.length) return null;
  const moved = (one) => one.action === "prefer" || one.action === "avoid";
  return h(
    "details",
    { class: "rules" },
    h("summary", {}, t("rules.title", { n: bound.length })),
    h("ul", {}, bound.map((one) => h("li", {}, h("span", {}, one.text), " ", h("span", { class: "tag" }, t(moved(one) ? "rules.moved" : "rules.removed", { n: one.products }))))),
  );
}

const doneNote = ({ kind, item, stored }) =>
  h("div", { class: "change-note same" }, h("b", {}, tOr(`list.after.${kind}`, "").replace("{title}", calm(item.title))), h("span", { class: "quiet" }, t("search.stored", { stored: milliseconds(stored) })));

function changeNote({ kind, item, stored }, { ms }, { fresh, moved }) {
  const parts = [
    fresh.size > 0 && t("list.changedNew", { n: fresh.size }),
    moved.size > 0 && t("list.changedMoved", { n: moved.size }),
  ].filter(Boolean);
  const did = tOr(`list.after.${kind}`, "").replace("{title}", calm(item.title));
  const what = parts.length ? t("list.changed", { what: parts.join(" · ") }) : t("list.same");
  return h(
    "div",
    { class: parts.length ? "change-note" : "change-note same" },
    h("b", {}, what),
    h("span", { class: "did-what" }, did),
    h("span", { class: "quiet" }, t("list.timing", { stored: milliseconds(stored), answered: milliseconds(ms) })),
  );
}
