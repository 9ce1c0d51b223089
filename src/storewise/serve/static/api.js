/** The only module that talks to the server: paths, the key, errors, timing, and what the page needs of each shape. */

import { language } from "./i18n.js";

const KEY = "storewise.key";

/** What went wrong, in the server's words. `status` 0: no answer at all. */
export class ApiError extends Error {
  constructor(status, { type = "", problem = "", next_step: nextStep = "" } = {}) {
    super(problem);
    Object.assign(this, { status, type, problem, nextStep });
  }
}

let key = sessionStorage.getItem(KEY) ?? "";
let reachable = true;
const listeners = new Set();

export function useKey(value) {
  key = value.trim();
  sessionStorage.setItem(KEY, key);
}

/** Calls `listener(true | false)` whenever the server comes back or goes away. */
export function onReachable(listener) {
  listeners.add(listener);
}

function report(now) {
  if (now === reachable) return;
  reachable = now;
  for (const listener of listeners) listener(now);
}

function address(path, query = {}) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "" && one !== false) url.searchParams.append(name, one);
    }
  }
  return url;
}

/** One request. Resolves to `{data, ms}`, rejects with ApiError (AbortError passes through). */
async function call(path, { query, body, signal } = {}) {
  const headers = { Accept: "application/json", "Accept-Language": language() };
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  const options = { method: body ? "POST" : "GET", headers, signal, body: body && JSON.stringify(body), cache: "no-store" };
  const start = performance.now();
  let response, text;
  try {
    response = await fetch(address(path, query), options);
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    report(false);
    throw new ApiError(0);
  }
  report(true);
  const ms = performance.now() - start;
  const data = parse(text);
  if (!response.ok) throw new ApiError(response.status, data?.error);
  return { data, ms };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const get = async (path, query, signal) => (await call(path, { query, signal })).data;
const id = encodeURIComponent;
const who = (shopper) => (shopper.kind === "customer" ? { customer: shopper.id } : { session: shopper.id });

/** The list for a shopper, with the milliseconds from question to answer. */
export async function recommendations(shopper, filters, signal) {
  const query = { ...who(shopper), ...filters, slot: "home", n: 12, lang: language() };
  const { data, ms } = await call("/v1/recommendations", { query, signal });
  return { notes: [], ...data, ms };
}

/** Products for a shopper's words under the same filters, with the milliseconds from question to answer. */
export async function searchShop(q, filters, signal) {
  const { data, ms } = await call("/v1/search", { query: { q, ...filters, n: 24, lang: language() }, signal });
  return { notes: [], ...data, ms };
}

/** Tells the server what a shopper did; resolves when it is on disk. */
export async function sendEvent(shopper, kind, item, position) {
  const priced = item.price_minor !== null && item.price_minor !== undefined && kind === "purchase";
  const event = {
    event_id: crypto.randomUUID?.() ?? `page-${Date.now()}-${Math.random().toString(36).slice(2)}`,
    kind,
    product_id: item.product_id,
    ...who(shopper),
    ...(kind === "purchase" || kind === "cart" ? { quantity: 1 } : {}),
    ...(priced ? { unit_price_minor: item.price_minor, currency: item.currency } : {}),
    ...(position === undefined ? {} : { slot: "home", position }),
  };
  return call("/v1/events", { body: event });
}

export const customers = (q, signal) => get("/v1/customers", { q, n: 20 }, signal);

/** What a shopper did, newest first. */
export function shopperHistory(shopper, n, signal) {
  const room = shopper.kind === "customer" ? "customers" : "sessions";
  return get(`/v1/${room}/${id(shopper.id)}`, { n }, signal);
}

export const searchProducts = (q, signal) => get("/v1/products", { q, n: 8 }, signal);
export const product = (productId, signal) => get(`/v1/products/${id(productId)}`, {}, signal);
export const similar = (productId, signal) => get(`/v1/products/${id(productId)}/similar`, { n: 8 }, signal);
export const boughtTogether = (productId, signal) => get(`/v1/products/${id(productId)}/bought-together`, { n: 8 }, signal);
export const neighbourhood = (productId, signal) => get(`/v1/products/${id(productId)}/graph`, { n: 6 }, signal);
export const snapshot = (signal) => get("/v1/snapshot", {}, signal);
export async function experiments(signal) {
  const { experiments: all = [], currency } = await get("/v1/experiments", {}, signal);
  return all.map((one) => ({ currency, ...one }));
}
export const predictions = (shopper, signal) => get("/v1/predictions", who(shopper), signal);

/** Whether the serving snapshot has a part: what it lacks is not asked for. */
export const serves = async (part, signal) => part in ((await snapshot(signal)).artifacts ?? {});
export const alive = () => get("/healthz");

/** Ingests, newest first, each with what became of its rows and with the rows that were left out. */
export async function quality(signal) {
  const { rows = [], rejects = [] } = await get("/v1/report", {}, signal);
  const numbers = [...new Set(rows.map((one) => one.ingest_id ?? 0))].sort((a, b) => b - a);
  return numbers.map((number) => {
    const own = (one) => (one.ingest_id ?? 0) === number;
    const mine = rows.filter(own);
    return { number, at: mine[0].at, source: mine[0].source, rows: mine, rejects: rejects.filter(own) };
  });
}

/** Categories by size; products without one are not a category. */
export async function categories(signal) {
  const { items } = await get("/v1/categories", {}, signal);
  return items.filter((one) => one.category);
}

/** Evaluation and benchmarks as one list of reports of one shape, what is known of the predictions, and the dial. */
export async function evaluation(signal) {
  const own = await get("/v1/evaluation", {}, signal);
  const reports = (own.benchmarks ?? []).map((one) => ({ ...one, rows: (one.rows ?? []).map(row) }));
  if (own.rows?.length) reports.unshift({ ...own, own: true, metric: chosenBy(own), split: split(own.split), rows: [...rankers(own.ranking), ...own.rows].map(row) });
  return { reports, predictions: own.predictions ?? {}, dial: own.pareto ?? [], currency: own.currency };
}

/** The ranker's row: it orders what the chosen retriever found, or is a shadow. What it gains is told by the reason. */
function rankers(ranking) {
  const one = ranking?.row;
  if (!one) return [];
  return [{ ...one, metrics: Object.fromEntries(Object.entries(one.metrics).filter(([name]) => !name.includes(" "))) }];
}

/** The measure that chose the model, as the rows call it. */
const chosenBy = ({ metric, k }) => (metric && k && !metric.includes("@") ? `${metric}@${k}` : metric);

/** Times come as ISO 8601 or as seconds since 1970. */
function split(given) {
  const until = given?.fit_until;
  return { ...given, fit_until: typeof until === "number" ? new Date(until * 1000).toISOString() : until };
}

const GROUPED = /^(.+?)[:/](cold|warm|hot)$/;

/** A model's row with its metrics, and the same metrics by kind of customer. */
function row(one) {
  const metrics = {};
  const groups = {};
  for (const [name, value] of Object.entries(one.metrics ?? {})) {
    const grouped = GROUPED.exec(name);
    if (grouped) ((groups[grouped[2]] ??= { metrics: {} }).metrics[grouped[1]] = interval(value));
    else metrics[name] = interval(value);
  }
  for (const [name, group] of Object.entries(one.groups ?? {})) {
    const entries = Object.entries(group.metrics ?? group).filter(([, v]) => typeof v === "object" || typeof v === "number");
    groups[name] = { customers: group.shoppers ?? group.customers ?? null, metrics: Object.fromEntries(entries.map(([k, v]) => [k, interval(v)])) };
  }
  return { ...one, metrics, groups };
}

/** A figure; not every figure has an interval. */
const interval = (given) => (typeof given === "number" ? { value: given, low: null, high: null } : { low: null, high: null, ...given });
