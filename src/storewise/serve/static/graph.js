/** What surrounds a product in the knowledge graph: a drawing of the neighbours by relation, and the same as a list. */

import * as api from "./api.js";
import { h, put, s } from "./dom.js";
import { calm, number, percent, t, tOr } from "./i18n.js";
import { problem, waiting } from "./states.js";

const ORDER = ["accessories", "accessory_of", "complements", "bought_with", "substitutes", "has_attribute", "has_brand", "in_category"];
const HUES = { accessories: 308, accessory_of: 308, complements: 162, bought_with: 190, substitutes: 42, has_attribute: 18, has_brand: 276, in_category: 218 };
const WIDTH = 480, ROW = 24, HEAD = 26, LEFT = 172, RIGHT = 308, LABEL_WIDTH = 21, SHORT_CENTRE = 12;
const NARROW = "(max-width: 480px)";

export function neighbourhood(product, { open, signal }) {
  const body = h("div", {}, waiting("rows", 3));
  const load = () => api.neighbourhood(product.product_id, signal).then(render).catch((error) => problem(body, error, load));

  function render({ graph, nodes, edges }) {
    const links = linksOf(product.product_id, nodes ?? [], edges ?? []);
    if (!links.length) return put(body, h("p", { class: "quiet" }, t(graph === false ? "graph.off" : "graph.none")));
    const note = h("p", { class: "mark-note", "aria-hidden": "true" });
    const list = h("details", { class: "links", open: matchMedia(NARROW).matches }, h("summary", {}, t("graph.list")), asList(links, open));
    put(body, h("p", { class: "quiet graph-help" }, t("graph.help")), drawing(product, links, { open, note }), note, list);
  }

  load();
  return h("section", { class: "related graph", "aria-labelledby": "graph-title" }, h("h3", { id: "graph-title" }, t("graph.title")), body);
}

/** Edges as seen from the product: the relation by its direction, the other end, and why. */
function linksOf(productId, nodes, edges) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const own = `product:${productId}`;
  const links = [];
  for (const edge of edges) {
    const other = byId.get(edge.source === own ? edge.target : edge.source);
    if (!other) continue;
    const relation = edge.relation === "accessories_of" ? (edge.source === own ? "accessory_of" : "accessories") : edge.relation;
    links.push({ relation, node: other, label: labelOf(other), weight: edge.weight, why: why(relation, edge.evidence ?? {}) });
  }
  const rank = (one) => (ORDER.indexOf(one.relation) + ORDER.length + 1) % (ORDER.length + 1); // unknown ones last
  return links.sort((a, b) => rank(a) - rank(b) || b.weight - a.weight);
}

function labelOf({ kind, key, label, product }) {
  if (kind === "product") return calm(product?.title ?? label) || key;
  const [name, ...value] = String(key).split("=");
  return kind === "attribute" ? `${tOr(`attr.name.${name}`, name)}: ${value.join("=")}` : label;
}

const relationWord = (relation) => tOr(`relation.${relation}`, relation);

/** The counts behind an edge in words. */
function why(relation, seen) {
  const has = (name) => Number.isFinite(seen[name]);
  const facts = ["has_attribute", "has_brand", "in_category"].includes(relation);
  const parts = {
    substitutes: [has("apart") && has("occasions") && seen.occasions > 0 && t("evidence.apart", { apart: seen.apart, n: seen.occasions }), has("similarity") && t("evidence.similarity", { x: number(seen.similarity, 2) })],
    bought_with: together(seen, has),
    complements: together(seen, has),
    accessories: [has("p_main") && t("evidence.accessory", { share: percent(seen.p_main) }), has("customers") && t("evidence.customers", { n: seen.customers })],
  };
  parts.accessory_of = parts.accessories;
  const fact = [has("confidence") && seen.source !== "catalogue" ? t("evidence.text", { share: percent(seen.confidence) }) : t("evidence.source")];
  return (facts ? fact : (parts[relation] ?? [])).filter(Boolean).join(" · ");
}

const together = (seen, has) => [
  has("baskets") && has("lift") && t("evidence.baskets", { n: seen.baskets, x: number(seen.lift, 1) }),
  has("customers") && t("evidence.customers", { n: seen.customers }),
];

/** One entry for each neighbour, under the first of its relations, with all of them. */
function neighboursOf(links) {
  const found = new Map();
  for (const link of links) {
    const known = found.get(link.node.id);
    if (known) known.links.push(link);
    else found.set(link.node.id, { ...link, links: [link] });
  }
  return [...found.values()];
}

/** Groups go to the side that is shorter so far; each is a heading and a row for each neighbour: nothing can overlap. */
function place(links) {
  const groups = grouped(neighboursOf(links));
  const used = { left: 0, right: 0 };
  const placed = [];
  for (const [relation, members] of groups) {
    const side = used.right <= used.left ? "right" : "left";
    placed.push({ relation, side, y: used[side], members });
    used[side] += HEAD + members.length * ROW + 10;
  }
  const height = Math.max(used.left, used.right, 120);
  for (const group of placed) group.y += (height - used[group.side]) / 2;
  return { placed, height };
}

function grouped(all) {
  const groups = new Map();
  for (const one of all) groups.set(one.relation, [...(groups.get(one.relation) ?? []), one]);
  return groups;
}

function drawing(product, links, { open, note }) {
  const { placed, height } = place(links);
  const lines = s("g", {});
  const ends = s("g", {});
  for (const group of placed) {
    const x = group.side === "left" ? LEFT : RIGHT;
    const anchor = group.side === "left" ? "end" : "start";
    const out = group.side === "left" ? -1 : 1;
    ends.append(s("text", { class: "graph-relation", x: x + out * 12, y: group.y + 17, "text-anchor": anchor }, relationWord(group.relation)));
    group.members.forEach((one, index) => {
      const y = group.y + HEAD + index * ROW + ROW / 2;
      const line = s("path", { class: "graph-edge", d: `M240 ${height / 2}Q${x - out * 34} ${y} ${x} ${y}`, "stroke-width": (1 + 5 * Math.min(1, Math.max(0, one.weight))).toFixed(2), vars: { "--hue": HUES[group.relation] ?? 0 } });
      lines.append(line);
      ends.append(end(one, { x, y, anchor, out, line, hue: HUES[group.relation] ?? 0 }, { open, note }));
    });
  }
  const title = calm(product.title) || product.product_id;
  return s(
    "svg",
    { class: "graph-drawing", viewBox: `0 0 ${WIDTH} ${Math.ceil(height)}`, role: "group", "aria-label": t("graph.drawing", { title }) },
    lines,
    s("circle", { class: "graph-centre", cx: 240, cy: height / 2, r: 9 }),
    s("text", { class: "graph-own", x: 240, y: height / 2 + 24, "text-anchor": "middle" }, cut(title, SHORT_CENTRE)),
    ends,
  );
}

function end(one, { x, y, anchor, out, line, hue }, { open, note }) {
  const words = one.links.map((link) => [relationWord(link.relation), link.why].filter(Boolean).join(": ")).join("; ");
  const said = `${one.label}. ${words}`;
  const isProduct = one.node.kind === "product";
  const show = (lit) => () => {
    put(note, lit && said);
    line.classList.toggle("lit", lit);
  };
  const go = () => isProduct && open(one.node.key);
  return s(
    "g",
    {
      class: isProduct ? "graph-node product" : "graph-node",
      tabindex: "0",
      role: isProduct ? "button" : "img",
      "aria-label": said,
      vars: { "--hue": hue },
      onmouseenter: show(true),
      onmouseleave: show(false),
      onfocus: show(true),
      onblur: show(false),
      onclick: go,
      onkeydown: (event) => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), go()),
    },
    s("title", {}, said),
    s("rect", { class: "graph-hit", x: out < 0 ? 0 : x - 8, y: y - ROW / 2, width: LEFT + 8, height: ROW, rx: 6 }),
    s("circle", { cx: x, cy: y, r: isProduct ? 5 : 3.5 }),
    s("text", { x: x + out * 12, y: y + 4, "text-anchor": anchor }, cut(one.label, LABEL_WIDTH)),
  );
}

/** Cuts a label to a width; a Chinese sign is as wide as two letters. */
export function cut(text, width) {
  let room = width;
  let kept = "";
  for (const sign of text) {
    room -= /[\u2e80-\uffef]|[\u{1f000}-\u{3ffff}]/u.test(sign) ? 1.8 : /\p{Lu}/u.test(sign) ? 1.2 : 1;
    if (room < 0) return `${kept.trimEnd()}…`;
    kept += sign;
  }
  return kept;
}

function asList(links, open) {
  const rows = [...grouped(links)].map(([relation, all]) => [
    h("h4", {}, relationWord(relation)),
    h("ul", {}, all.map((one) => line(one, open))),
  ]);
  return h("div", { class: "links-body" }, rows);
}

function line({ node, label, why: reason, weight }, open) {
  const name = node.kind === "product" ? h("button", { type: "button", class: "plain", onclick: () => open(node.key) }, label) : h("span", {}, label);
  return h("li", {}, name, h("small", {}, [reason, t("evidence.weight", { x: number(weight, 2) })].filter(Boolean).join(" · ")));
}
