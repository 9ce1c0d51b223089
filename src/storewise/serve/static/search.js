/** The shop's search as a shopper would use it: the box, what it understood, and what to try when nothing is found. */

import { h, icon } from "./dom.js";
import { milliseconds, t } from "./i18n.js";
import { empty } from "./states.js";

const TYPING_MS = 250;
const MOST_SIGNS = 1000;

/** The box. `changed` is called when the words have changed and the typing has paused. */
export function searchBox({ changed }) {
  const field = h("input", {
    id: "search",
    type: "search",
    autocomplete: "off",
    spellcheck: "false",
    enterkeyhint: "search",
    maxlength: MOST_SIGNS,
    placeholder: t("search.hint"),
    "aria-controls": "list-grid",
    oninput: () => later(TYPING_MS),
  });
  const shut = h("button", { type: "button", class: "plain wipe", "aria-label": t("search.clear"), title: t("search.clear"), hidden: true, onclick: () => clear() }, icon("close"));
  const element = h(
    "form",
    { class: "search", role: "search", onsubmit: now, onkeydown: keyed },
    h("label", { for: "search" }, t("search.label")),
    h("div", { class: "field" }, icon("search"), field, shut),
  );
  let timer = 0;
  let words = "";

  function later(ms) {
    clearTimeout(timer);
    timer = setTimeout(take, ms);
  }

  function take() {
    const next = field.value.trim();
    shut.hidden = !field.value;
    if (next === words) return;
    words = next;
    changed();
  }

  function now(event) {
    event.preventDefault();
    clearTimeout(timer);
    take();
  }

  function keyed(event) {
    if (event.key !== "Escape" || !field.value) return;
    event.preventDefault();
    clear();
  }

  function clear() {
    clearTimeout(timer);
    field.value = "";
    field.focus();
    take();
  }

  return { element, clear, words: () => words };
}

/** The line above the finds: how many, in what time, and how the words were read. */
export function understood({ total, items, words = [], notes = [], ms }) {
  const unknown = words.filter((one) => !one.known).map((one) => one.word);
  const parts = [
    ...corrections(items).map(([word, found]) => t("search.corrected", { word, found })),
    ...unknown.map((word) => t("search.unknown", { word })),
  ];
  return [
    h("b", { class: "found-count" }, total > items.length ? t("search.best", { n: total, shown: items.length }) : t("search.found", { n: total })),
    h("span", { class: "quiet" }, t("list.in", { ms: milliseconds(ms) })),
    parts.map((one) => h("span", { class: "tag" }, one)),
    notes.map((one) => h("span", { class: "tag warn" }, one)),
  ];
}

/** Words that were taken for another spelling in what was found, each once. */
function corrections(items) {
  const found = new Map();
  for (const { reason } of items) {
    for (const one of reason?.matches ?? []) {
      if (one.how === "corrected" && !found.has(one.word)) found.set(one.word, one.found);
    }
  }
  return [...found];
}

/** Nothing found: says so, and offers what can be done about it. */
export function nothingFound(words, { filtered, clearFilters, clearSearch }) {
  const open = filtered && h("button", { type: "button", class: "button", onclick: clearFilters }, t("list.clear"));
  const leave = h("button", { type: "button", class: "button", onclick: clearSearch }, t("search.clear"));
  const title = t("search.none", { q: words.length > 80 ? `${words.slice(0, 80)}…` : words });
  return empty(title, t(filtered ? "search.noneFiltered" : "search.noneText"), h("div", { class: "row" }, open, leave));
}
