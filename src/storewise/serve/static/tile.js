/** A picture for products that have none: quiet shapes and initials, always the same for the same product. */

import { s } from "./dom.js";

/** 32 bits of FNV-1a: a steady number from a text. */
export function steady(text) {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  hash = Math.imul(hash ^ (hash >>> 15), 2246822519); // spreads neighbouring ids over all bits
  return (hash ^ (hash >>> 13)) >>> 0;
}

const HUES = [18, 42, 68, 98, 132, 162, 190, 218, 246, 276, 308, 340];
const SMALL_WORDS = new Set(["of", "the", "a", "an", "and", "in", "with", "for", "to", "set", "pack", "box"]);

/** One or two letters that stand for a title: its first telling words, or its first sign in Chinese. */
export function initials(title) {
  const words = String(title).match(/[\p{L}\p{N}]+/gu) ?? [];
  if (words.length === 0) return "·";
  if (/\p{Script=Han}/u.test(words[0])) return [...words[0]][0];
  const telling = words.filter((word) => /^\p{L}/u.test(word) && !SMALL_WORDS.has(word.toLowerCase()));
  return (telling.length ? telling : words).slice(0, 2).map((word) => [...word][0].toUpperCase()).join("");
}

const SHAPES = [
  () => [s("circle", { class: "a", cx: 122, cy: 26, r: 52 }), s("circle", { class: "b", cx: 22, cy: 104, r: 40 })],
  () => [s("path", { class: "a", d: "M0 120A80 80 0 0 1 80 40v80z" }), s("path", { class: "b", d: "M80 40a80 80 0 0 1 80 80H80z" })],
  () => [s("path", { class: "a", d: "M-10 88C30 56 60 112 100 80s50-20 70-6v60H-10z" }), s("circle", { class: "b", cx: 124, cy: 34, r: 20 })],
  () => [s("path", { class: "a", d: "M0 0h64a64 64 0 0 1-64 64z" }), s("path", { class: "b", d: "M160 120H84a76 76 0 0 1 76-76z" })],
  () => [s("circle", { class: "a", cx: 80, cy: 132, r: 78 }), s("circle", { class: "b", cx: 80, cy: 132, r: 46 })],
  () => [s("path", { class: "a", d: "M96 0h64v120z" }), s("path", { class: "b", d: "M0 120V36l70 84z" })],
  () => [s("rect", { class: "a", x: 84, y: -18, width: 62, height: 100, rx: 31 }), s("rect", { class: "b", x: 10, y: 60, width: 48, height: 90, rx: 24 })],
  () => [s("path", { class: "a", d: "M0 84h160v36H0z" }), s("path", { class: "b", d: "M36 84a44 44 0 0 1 88 0z" })],
];

/** The tile of a product; the category gives the hue where there is one, else the product itself. */
export function tile(product) {
  const own = steady(String(product.product_id));
  const hue = HUES[(product.category ? steady(product.category) : own) % HUES.length] + ((own >>> 8) % 9) - 4;
  const shapes = SHAPES[(own >>> 4) % SHAPES.length]();
  const turn = (own >>> 12) & 1 ? "scale(-1 1) translate(-160 0)" : null;
  const letters = s("text", { class: "letters", x: 80, y: 74, "text-anchor": "middle" }, initials(product.title ?? product.product_id));
  return s(
    "svg",
    { class: "tile", viewBox: "0 0 160 120", preserveAspectRatio: "xMidYMid slice", "aria-hidden": "true", vars: { "--hue": hue } },
    s("rect", { class: "ground", width: 160, height: 120 }),
    s("g", { transform: turn }, shapes),
    letters,
  );
}
