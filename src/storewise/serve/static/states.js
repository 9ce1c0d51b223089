/** What a part of the page shows while it waits, when it is empty and when it failed. */

import { useKey } from "./api.js";
import { h, put } from "./dom.js";
import { t } from "./i18n.js";

/** Grey shapes in the place of what comes; they appear only when the wait is long enough to notice. */
export function waiting(className, count) {
  const bones = Array.from({ length: count }, () => h("div", { class: "bone" }));
  return h("div", { class: `waiting for-${className}`, role: "status" }, h("span", { class: "unseen" }, t("state.loading")), bones);
}

/** A place with nothing in it says why, and what to do. */
export function empty(title, text, ...rest) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), text && h("p", {}, text), rest);
}

/** A command to copy. */
export const command = (text) => h("code", { class: "command" }, text);

/** Fills `place` with what went wrong and a way on. */
export function problem(place, error, retry) {
  if (error.name === "AbortError") return;
  if (error.status === undefined) console.error(error);
  if (error.status === 401) return put(place, keyForm(retry));
  const [title, text] = words(error);
  const again = h("button", { class: "button", type: "button", onclick: retry }, t("state.retry"));
  const next = error.nextStep && h("p", { class: "quiet" }, error.nextStep);
  put(place, h("div", { class: "problem", role: "alert" }, h("p", { class: "empty-title" }, title), h("p", {}, text), next, again));
}

function words(error) {
  if (error.status === 0) return [t("state.goneTitle"), t("state.goneText")];
  if (error.type === "NothingPublished") return [t("state.unpublished"), t("state.unpublishedText")];
  return [t("state.failed"), error.problem || `HTTP ${error.status ?? ""} ${error.message}`.trim()];
}

function keyForm(retry) {
  const field = h("input", { id: "key", type: "password", autocomplete: "off", required: true });
  const send = (event) => {
    event.preventDefault();
    useKey(field.value);
    retry();
  };
  return h(
    "form",
    { class: "problem key", onsubmit: send },
    h("p", { class: "empty-title" }, t("state.key")),
    h("p", {}, t("state.keyText")),
    h("label", { for: "key" }, t("state.keyLabel")),
    h("div", { class: "row" }, field, h("button", { class: "button strong" }, t("state.keyUse"))),
  );
}
