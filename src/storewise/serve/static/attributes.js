/** What is known of a product: a table of given and extracted values, and its texts with the places marked. */

import { h, put } from "./dom.js";
import { calm, capital, percent, t, tOr } from "./i18n.js";

const HUES = { brand: 276, type: 218, colour: 18, material: 68, audience: 308, pattern: 340, size: 162, quantity: 132 };
const OTHER_HUE = 190; // measures

const hue = (name) => HUES[name] ?? OTHER_HUE;
const word = (name) => tOr(`attr.name.${name}`, capital(name));

/** Values in one order for texts and table: given ones of the shop that extraction has not read follow. */
export function valuesOf(one) {
  const read = one.extracted ?? [];
  const known = new Set(read.filter((v) => v.method === "given").map((v) => v.name.toLowerCase()));
  const given = Object.entries(one.attributes ?? {}).filter(([name]) => !known.has(name.toLowerCase()));
  return [...read, ...given.map(([name, value]) => ({ name, value: plain(value), method: "given", confidence: 1 }))];
}

const plain = (value) => (Array.isArray(value) ? value.map(plain).join(", ") : typeof value === "object" ? JSON.stringify(value) : String(value));

/**
 * A text in pieces that end wherever a span begins or ends, so that overlapping spans need no nesting. The server
 * counts code points, a JavaScript string UTF-16 units: an emoji is one there and two here.
 */
export function pieces(text, spans) {
  const signs = [...text];
  const good = spans.filter((one) => Number.isInteger(one.start) && 0 <= one.start && one.start < one.end && one.end <= signs.length);
  const cuts = [...new Set([0, signs.length, ...good.flatMap((one) => [one.start, one.end])])].sort((a, b) => a - b);
  return cuts.slice(1).map((end, i) => ({
    text: signs.slice(cuts[i], end).join(""),
    spans: good.filter((one) => one.start <= cuts[i] && end <= one.end),
  }));
}

/** A title in capitals is shown calmly, unless that would move the places of its spans. */
function shown(text) {
  const quiet = calm(text);
  return [...quiet].length === [...text].length ? quiet : text;
}

/** Builds `mark(text, field)`, which gives the nodes of a text, and the section with the table. */
export function attributes(one) {
  const values = valuesOf(one);
  const note = h("p", { class: "mark-note", "aria-hidden": "true" });
  const rows = values.map((value, index) => row(value, index));
  const marks = [];

  function point(indices, lit) {
    for (const index of indices) rows[index].classList.toggle("lit", lit);
    for (const [mark, own] of marks) mark.classList.toggle("lit", lit && own.some((index) => indices.includes(index)));
    put(note, lit && indices.map((index) => about(values[index])).join(" · "));
  }

  function mark(text, field) {
    const own = values.map((value, index) => ({ ...value, index })).filter((value) => value.field === field);
    return pieces(field === "title" ? shown(text) : text, own).map((piece) => (piece.spans.length ? marked(piece) : piece.text));
  }

  function marked({ text, spans }) {
    const indices = spans.map((span) => span.index);
    const show = (lit) => () => point(indices, lit);
    const element = h(
      "mark",
      {
        class: spans.length > 1 ? "span both" : "span",
        tabindex: "0",
        title: spans.map(about).join(" · "),
        "aria-describedby": indices.map((index) => `attribute-${index}`).join(" "),
        vars: { "--hue": hue(spans[0].name), "--hue2": hue(spans.at(-1).name) },
        onmouseenter: show(true),
        onmouseleave: show(false),
        onfocus: show(true),
        onblur: show(false),
      },
      text,
    );
    marks.push([element, indices]);
    return element;
  }

  function row(value, index) {
    return h(
      "tr",
      { id: `attribute-${index}`, vars: { "--hue": hue(value.name) }, onmouseenter: () => point([index], true), onmouseleave: () => point([index], false) },
      h("th", { scope: "row" }, h("i", { class: "dot", "aria-hidden": "true" }), word(value.name)),
      h("td", {}, h("span", {}, valueOf(value)), where(value) && h("small", {}, where(value))),
      h("td", {}, h("span", {}, method(value)), sure(value)),
    );
  }

  const table = h(
    "table",
    { class: "attributes" },
    h("thead", {}, h("tr", {}, ["attr.nameColumn", "attr.value", "attr.how"].map((key) => h("th", { scope: "col" }, t(key))))),
    h("tbody", {}, rows),
  );
  const section = h(
    "section",
    { class: "related", "aria-labelledby": "attributes-title" },
    h("h3", { id: "attributes-title" }, t("attr.title")),
    values.length > 0 && h("p", { class: "quiet" }, t("attr.help")),
    values.length ? table : h("p", { class: "quiet" }, t("attr.none")),
  );
  return { mark, note, section };
}

const valueOf = ({ value, unit }) => (unit ? `${value} ${unit}` : String(value));
const method = (value) => tOr(`method.${value.method}`, String(value.method));
const about = (value) => `${word(value.name)}: ${valueOf(value)} (${method(value)}, ${t("attr.sure", { share: percent(value.confidence) })})`;

function where({ raw, field, start }) {
  if (!Number.isInteger(start)) return null;
  return t(field === "title" ? "attr.inTitle" : "attr.inDescription", { raw });
}

/** How sure, as a bar and a number; the shop's own word needs neither. */
function sure({ confidence, method: how }) {
  if (how === "given") return null;
  return h("span", { class: "sure" }, h("span", { class: "sure-bar", "aria-hidden": "true" }, h("i", { vars: { "--share": confidence } })), h("small", {}, t("attr.sure", { share: percent(confidence) })));
}
