/** Two languages, one set of keys; numbers, money and times as each language writes them. */

import en from "./strings/en.js";
import { EXACT, PATTERNS } from "./strings/reasons_zh.js";
import zh from "./strings/zh.js";

const STRINGS = { en, zh };
const KEEP = "storewise.lang";
export const LANGUAGES = [["en", "English"], ["zh", "中文"]];

let current = firstChoice();

/** `?lang=` first, then what was chosen before, then the browser's own language. */
function firstChoice() {
  const asked = new URLSearchParams(location.search).get("lang");
  if (asked in STRINGS) return remember(asked);
  const kept = read();
  if (kept in STRINGS) return kept;
  return navigator.language?.toLowerCase().startsWith("zh") ? "zh" : "en";
}

function read() {
  try {
    return localStorage.getItem(KEEP);
  } catch {
    return null; // storage is switched off: the choice lasts as long as the address
  }
}

function remember(code) {
  try {
    localStorage.setItem(KEEP, code);
  } catch {
    // see read()
  }
  return code;
}

export const language = () => current;
const locale = () => (current === "zh" ? "zh-CN" : "en-GB");

/** Changes the language, remembers it and writes it into the address. */
export function setLanguage(code) {
  current = remember(code);
  const url = new URL(location.href);
  url.searchParams.set("lang", code);
  history.replaceState(history.state, "", url);
}

/** The words for `key`, with `{name}` filled in; `n` = 1 picks `key.one` where a language has one. */
export function t(key, values = {}) {
  const words = STRINGS[current];
  const one = values.n === 1 ? words[`${key}.one`] : undefined;
  const text = one ?? words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? number(value) : String(value);
  });
}

/** The words for `key`, or `otherwise` when there are none: for names that the server may add to. */
export const tOr = (key, otherwise) => STRINGS[current][key] ?? otherwise;

/** A reason of the data report, which the server gives in English; one that is not known stays as it is. */
export function reasonOf(text) {
  if (current !== "zh") return text;
  const found = PATTERNS.find(([pattern]) => pattern.test(text));
  return EXACT[text] ?? (found ? text.replace(...found) : text);
}

/** Why a model serves, sentence by sentence; those that are not known stay in English. */
export const choiceOf = (text) => (current === "zh" ? text.split(/(?<=\.) (?=[A-Z])/).map(reasonOf).join(" ") : text);

export const number = (value, digits = 0) =>
  new Intl.NumberFormat(locale(), { maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value);

const shares = (digits) => new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: digits });
const LEAST_SHARE = 0.0001;

/** A share; what is there but would round to nothing is said to be below the least. */
export function percent(share) {
  if (share > 0 && share < LEAST_SHARE) return `<${shares(2).format(LEAST_SHARE)}`;
  return shares(share < 0.01 || (share > 0.999 && share < 1) ? 2 : 1).format(share);
}

export const milliseconds = (ms) => `${number(ms, ms < 10 ? 1 : 0)} ms`;

const moneyFormat = (currency) =>
  new Intl.NumberFormat(locale(), { style: "currency", currency, currencyDisplay: "narrowSymbol" });

/** How many minor units make one of this currency. */
export function minorUnits(currency) {
  try {
    return 10 ** moneyFormat(currency).resolvedOptions().maximumFractionDigits;
  } catch {
    return 100;
  }
}

/** Money from minor units; null has no price. */
export function money(minor, currency) {
  if (minor === null || minor === undefined) return null;
  try {
    return moneyFormat(currency).format(minor / minorUnits(currency));
  } catch {
    return number(minor / 100, 2);
  }
}

const times = (options) => (iso) => new Intl.DateTimeFormat(locale(), { timeZone: "UTC", ...options }).format(new Date(iso));
export const day = times({ day: "numeric", month: "short", year: "numeric" });
/** As short as the language allows. */
export const shortDay = (iso) => (current === "zh" ? times({ dateStyle: "short" })(iso) : day(iso));
export const clock = times({ hour: "2-digit", minute: "2-digit" });
export const moment = times({ day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });

/** A name from the data as a heading: its first letter large. */
export const capital = (name) => name.charAt(0).toLocaleUpperCase(locale()) + name.slice(1);

/** Titles in capitals only are hard to read: show them in sentence case, the data stay as they are. */
export function calm(title) {
  const text = String(title ?? "").trim();
  if (/\p{Ll}/u.test(text) || !/\p{Lu}{2}/u.test(text)) return text;
  const lower = text.toLocaleLowerCase(locale());
  return capital(lower);
}
