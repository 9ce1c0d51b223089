/** A chart of lines with bands on two axes, drawn anew for the width there is. */

import { h, s } from "./dom.js";
import { ticks } from "./plot.js";

const LEFT = 58;
const RIGHT = 14;
const TOP = 10;
const BOTTOM = 44;
const NARROW = 420;
const SIGN = 7;

/**
 * `lines`: `{points: [{x, y, low, high, said}], kind, dots, label}`; `kind` is a class ("one", "two" …). A point
 * without a finite y is left out, a band is drawn where both ends are finite. `x`, `y`: `{label, say, from, to}`; ends
 * that are not given come from the points. `guides`: straight lines `[[x, y], [x, y]]`.
 */
export function chart(lines, { title, x, y, guides = [] }) {
  const box = h("div", { class: "chart" });
  let drawn = 0;
  const watcher = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (width && width !== drawn) box.replaceChildren(draw(lines, { title, x, y, guides, width: (drawn = width) }));
  });
  watcher.observe(box);
  return box;
}

const finite = (value) => typeof value === "number" && Number.isFinite(value);

/** Where an axis begins and ends, at round numbers. */
function axis(given, values) {
  const known = values.filter(finite);
  const from = given.from ?? Math.min(...known, ...(known.length ? [] : [0]));
  const to = given.to ?? Math.max(...known, ...(known.length ? [] : [1]));
  const steps = given.steps ?? ticks(from, to === from ? from + 1 : to);
  return { steps, first: given.steps ? from : steps[0], last: given.steps ? to : steps.at(-1) };
}

function draw(lines, { title, x, y, guides, width }) {
  const points = lines.flatMap((line) => line.points).filter((point) => finite(point.y));
  const ends = [...guides.flat().map(([, value]) => value), ...points.flatMap((point) => [point.y, point.low, point.high])];
  const across = axis(x, [...points.flatMap((point) => [point.x, point.left, point.right]), ...guides.flat().map(([value]) => value)]);
  const up = axis(y, ends);
  const left = Math.max(LEFT, ...up.steps.map((v) => y.say(v).length * SIGN + 14));
  const height = width < NARROW ? 230 : 270;
  const px = (v) => left + ((v - across.first) / (across.last - across.first || 1)) * (width - left - RIGHT);
  const py = (v) => height - BOTTOM - ((v - up.first) / (up.last - up.first || 1)) * (height - TOP - BOTTOM);
  const every = Math.ceil(across.steps.length / Math.max(2, Math.floor((width - left) / 72)));
  const shown = across.steps.filter((_, i) => i % every === 0);
  const anchor = (v) => (px(v) > width - RIGHT - 20 ? "end" : "middle");
  return s(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title },
    up.steps.map((v) => [
      s("line", { class: "gridline", x1: left, x2: width - RIGHT, y1: py(v), y2: py(v) }),
      s("text", { class: "tick", x: left - 8, y: py(v) + 4, "text-anchor": "end" }, y.say(v)),
    ]),
    shown.map((v) => s("text", { class: "tick", x: px(v), y: height - BOTTOM + 18, "text-anchor": anchor(v) }, x.say(v))),
    s("text", { class: "axis", x: left, y: height - 6 }, x.label),
    guides.map(([a, b]) => s("line", { class: "guide", x1: px(a[0]), y1: py(a[1]), x2: px(b[0]), y2: py(b[1]) })),
    lines.map((line) => drawLine(line, { px, py, width })),
  );
}

function drawLine({ points, kind = "one", dots = false }, { px, py, width }) {
  const known = points.filter((point) => finite(point.y));
  const sure = known.filter((point) => finite(point.low) && finite(point.high));
  const path = (list, end) => list.map((point) => `${px(point.x).toFixed(1)},${py(point[end]).toFixed(1)}`);
  return s(
    "g",
    { class: `series ${kind}` },
    sure.length > 1 && !dots && s("path", { class: "area", d: `M${[...path(sure, "high"), ...path(sure, "low").reverse()].join("L")}Z` }),
    known.length > 1 && s("path", { class: "line", d: `M${path(known, "y").join("L")}` }),
    dots && sure.map((point) => s("line", { class: "whisker", x1: px(point.x), x2: px(point.x), y1: py(point.low), y2: py(point.high) })),
    dots && sure.filter((point) => finite(point.left)).map((point) => s("line", { class: "whisker", x1: px(point.left), x2: px(point.right), y1: py(point.y), y2: py(point.y) })),
    (dots || known.length === 1) && known.map((point) => s("circle", { cx: px(point.x), cy: py(point.y), r: 4.5 }, point.said && s("title", {}, point.said))),
    known.filter((point) => point.name).map((point) => s("text", { class: "name", x: px(point.x) + (px(point.x) > width - 70 ? -9 : 9), y: py(point.y) - 8, "text-anchor": px(point.x) > width - 70 ? "end" : "start" }, point.name)),
  );
}
