/** A forest plot: one line per row with its value and its interval, on a shared scale. */

import { h, s } from "./dom.js";
import { number } from "./i18n.js";

const ROW = 34;
const AXIS = 30;
const NARROW = 520;
const EDGE = 16;
const SIGN = 7.2;

/** About five round numbers from `low` to `high`. */
export function ticks(low, high) {
  const span = high - low || Math.abs(high) || 1;
  const raw = span / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((size) => size >= raw);
  const first = Math.floor(low / step + 1e-9) * step;
  const count = Math.ceil((high - first) / step - 1e-9);
  return Array.from({ length: Math.max(1, count) + 1 }, (_, i) => first + i * step);
}

/**
 * `rows`: `{label, value, low, high, kind, note}` where kind is "selected", "popularity" or "". `fromZero` starts the
 * scale at 0; `scale` (rows) shares a scale with other plots. The interval of the popularity row is drawn as a band
 * behind all.
 */
export function forest(rows, { title, fromZero, scale = rows }) {
  const box = h("div", { class: "forest" });
  let drawn = 0;
  const watcher = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (width && width !== drawn) box.replaceChildren(draw(rows, { title, fromZero, scale, width: (drawn = width) }));
  });
  watcher.observe(box);
  return box;
}

function draw(rows, { title, fromZero, scale, width }) {
  const ends = scale.flatMap((row) => [row.low ?? row.value, row.high ?? row.value]);
  const steps = ticks(fromZero ? Math.min(0, ...ends) : Math.min(...ends), Math.max(...ends));
  const digits = Math.max(0, Math.min(4, -Math.floor(Math.log10(steps[1] - steps[0]) + 1e-9)));
  const narrow = width < NARROW;
  const longest = Math.max(...rows.map((row) => row.label.length)) * SIGN + 16;
  const left = narrow ? EDGE : Math.min(longest, width * 0.38);
  const right = narrow ? EDGE : 64;
  const rowHeight = narrow ? ROW + 16 : ROW;
  const height = rows.length * rowHeight + AXIS;
  const [first, last] = [steps[0], steps.at(-1)];
  const x = (value) => left + ((value - first) / (last - first)) * (width - left - right);
  const bottom = rows.length * rowHeight;
  const kept = thin(steps, (width - left - right) / 44);
  const base = rows.find((row) => row.kind === "popularity");
  return s(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title },
    kept.map((v) => s("line", { class: "gridline", x1: x(v), x2: x(v), y1: 0, y2: bottom })),
    base && base.low !== null && s("rect", { class: "band", x: x(base.low), width: Math.max(2, x(base.high) - x(base.low)), y: 0, height: bottom }),
    rows.map((row, i) => line(row, { x, y: i * rowHeight, narrow, width, rowHeight })),
    kept.map((v) => s("text", { class: "tick", x: x(v), y: bottom + 20, "text-anchor": "middle" }, number(v, digits))),
  );
}

const thin = (steps, most) => {
  const every = Math.ceil(steps.length / Math.max(2, most));
  return steps.filter((_, i) => i % every === 0);
};

function line(row, { x, y, narrow, width, rowHeight }) {
  const middle = y + (narrow ? rowHeight - 14 : rowHeight / 2);
  const sure = row.low !== null && row.low !== undefined;
  const said = sure ? `${row.label}: ${number(row.value, 4)} [${number(row.low, 4)}, ${number(row.high, 4)}]` : `${row.label}: ${number(row.value, 4)}`;
  const baseline = narrow ? middle - 17 : middle + 4.5;
  return s(
    "g",
    { class: `mark ${row.kind ?? ""}` },
    s("title", {}, said),
    s("text", { class: "label", x: 0, y: baseline }, row.label),
    sure && [
      s("line", { class: "whisker", x1: x(row.low), x2: x(row.high), y1: middle, y2: middle }),
      s("line", { class: "whisker", x1: x(row.low), x2: x(row.low), y1: middle - 5, y2: middle + 5 }),
      s("line", { class: "whisker", x1: x(row.high), x2: x(row.high), y1: middle - 5, y2: middle + 5 }),
    ],
    s("circle", { cx: x(row.value), cy: middle, r: 5.5 }),
    s("text", { class: "value", x: width, y: baseline, "text-anchor": "end" }, number(row.value, 4)),
  );
}
