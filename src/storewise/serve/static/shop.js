/** The shop view: who is shopping, what they did, and the list they get; an action of theirs reloads both. */

import * as api from "./api.js";
import { h, put } from "./dom.js";
import { expectedPanel } from "./expected.js";
import { historyPanel } from "./history.js";
import { listPanel } from "./list.js";
import { productDrawer } from "./product.js";
import { newVisitor, shopperPanel } from "./shopper.js";

let last = null; // who was shopping when the view was left

/** Builds the view in `main`; returns what takes it down. */
export function mount(main, params) {
  const life = new AbortController();
  const signal = life.signal;
  let shopper = null;

  const who = shopperPanel({ choose, signal });
  const past = historyPanel({ signal, open });
  const expected = expectedPanel({ signal });
  const list = listPanel({ act, open, signal });
  const drawer = productDrawer({ act, signal });
  put(main, h("div", { class: "shop" }, who.element, list.element, h("div", { class: "side" }, expected.element, past.element)), drawer.element);

  const asked = fromAddress(params) ?? last;
  who.start(asked);
  if (asked) choose(asked);

  function choose(next) {
    shopper = last = next;
    toAddress(next);
    who.mark(next);
    list.show(next);
    past.show(next);
    expected.show(next);
  }

  function open(productId) {
    drawer.open(productId);
  }

  /** Sends what the shopper did, then asks for the new list; rejects when the event wasn't stored. */
  async function act(kind, item, position) {
    const doer = shopper;
    const { ms } = await api.sendEvent(doer, kind, item, position);
    if (signal.aborted || doer !== shopper) return;
    await Promise.all([list.after({ kind, item, stored: ms }), past.show(doer, { quietly: true }), expected.show(doer)]);
  }

  return () => {
    drawer.close();
    life.abort();
  };
}

function fromAddress(params) {
  if (params.get("customer")) return { kind: "customer", id: params.get("customer") };
  if (params.has("visitor")) return params.get("visitor") ? { kind: "visitor", id: params.get("visitor") } : newVisitor();
  return null;
}

function toAddress({ kind, id }) {
  const query = new URLSearchParams({ [kind]: id });
  history.replaceState(history.state, "", `#shop?${query}`);
}
