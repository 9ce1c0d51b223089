/** The frame around the three views: address, header, language, footer, and the notice when the server is gone. */

import * as api from "./api.js";
import { h, put, s } from "./dom.js";
import { language, LANGUAGES, moment, setLanguage, t } from "./i18n.js";
import * as evaluation from "./evaluation.js";
import * as quality from "./quality.js";
import * as shop from "./shop.js";

const VIEWS = { shop, evaluation, quality };
const AGAIN_AFTER_MS = 3000;

const main = document.getElementById("main");
let leave = () => {};
let shown = null;

/** The view and its parameters: `#shop?customer=…`. */
function place() {
  const [name, query = ""] = location.hash.slice(1).split("?");
  return { name: name in VIEWS ? name : "shop", params: new URLSearchParams(query) };
}

function show() {
  const { name, params } = place();
  leave();
  document.documentElement.lang = language() === "zh" ? "zh-Hans" : "en";
  document.title = `${t(`nav.${name}`)} · Storewise`;
  document.querySelector(".skip").textContent = t("app.skip");
  header(name);
  if (shown !== null && shown !== name) scrollTo(0, 0);
  shown = name;
  leave = VIEWS[name].mount(main, params);
  footer();
}

function header(name) {
  const links = Object.keys(VIEWS).map((view) =>
    h("a", { href: `#${view}`, "aria-current": view === name ? "page" : null }, t(`nav.${view}`)),
  );
  const languages = LANGUAGES.map(([code, own]) =>
    h("button", { type: "button", lang: code, "aria-pressed": String(code === language()), onclick: () => choose(code) }, own),
  );
  put(
    document.getElementById("top"),
    h("a", { class: "brand", href: "#shop" }, mark(), h("span", {}, "Storewise"), h("small", {}, t("app.tagline"))),
    h("nav", { class: "tabs", "aria-label": t("app.views") }, links),
    h("div", { class: "languages", role: "group", "aria-label": t("app.language") }, languages),
  );
}

function mark() {
  return s(
    "svg",
    { class: "mark", viewBox: "0 0 32 32", "aria-hidden": "true" },
    s("rect", { width: 32, height: 32, rx: 9 }),
    s("path", { class: "bag", d: "M8 12.5h16l-1.3 10.2a2 2 0 0 1-2 1.8h-9.4a2 2 0 0 1-2-1.8z" }),
    s("path", { class: "handle", d: "M12 15v-3.2a4 4 0 0 1 8 0V15" }),
    s("circle", { class: "spark", cx: 16, cy: 19, r: 1.9 }),
  );
}

function choose(code) {
  setLanguage(code);
  show();
  document.querySelector(`.languages [lang=${code}]`).focus();
}

async function footer() {
  const foot = document.getElementById("foot");
  const docs = h("a", { href: "/docs" }, t("app.docs"));
  try {
    const now = await api.snapshot();
    const parts = [
      now.snapshot && t("foot.snapshot", { name: now.snapshot }),
      now.published_at && t("foot.published", { when: moment(now.published_at) }),
      now.watermark && t("foot.watermark", { when: moment(now.watermark) }),
      now.code_version && t("foot.version", { version: now.code_version }),
    ];
    put(foot, parts.filter(Boolean).map((part) => h("span", {}, part)), docs);
  } catch {
    put(foot, docs); // the view itself says what is wrong
  }
}

/** Looks for the server until it answers again; a view that could not load is then loaded. */
function watch(reachable) {
  const notice = document.getElementById("notice");
  if (!reachable) {
    put(notice, h("p", { class: "notice bad" }, t("state.gone")));
    setTimeout(look, AGAIN_AFTER_MS);
    return;
  }
  put(notice, h("p", { class: "notice good" }, t("state.back")));
  setTimeout(() => notice.querySelector(".good")?.remove(), 2500);
  if (document.querySelector(".problem")) show();
}

async function look() {
  try {
    await api.alive();
  } catch {
    setTimeout(look, AGAIN_AFTER_MS);
  }
}

api.onReachable(watch);
addEventListener("hashchange", show);
show();
