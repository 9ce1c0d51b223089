/** What turning the dial from wish to worth costs and gains: one point a setting, with intervals both ways. */

import { chart } from "./chart.js";
import { h } from "./dom.js";
import { number, t, tOr } from "./i18n.js";

const WISH = ["ndcg", "recall", "hit", "map"];
const WORTH = ["margin", "revenue", "value", "worth"];

/** `rows`: `{dial, ndcg: {value, low, high}, margin | revenue: {…}}`. Null when the dial was not measured. */
export function dialSection(rows) {
  const wish = keyOf(rows?.[0], WISH);
  const worth = keyOf(rows?.[0], WORTH);
  if (!wish || !worth) return null;
  const name = (key) => tOr(`dial.${key.split("@")[0]}`, tOr(`metric.${key.split("@")[0]}`, key));
  const points = rows.map((row) => ({
    x: row[worth].value, y: row[wish].value, low: row[wish].low, high: row[wish].high, left: row[worth].low, right: row[worth].high,
    name: number(row.dial, 2), said: t("dial.point", { dial: number(row.dial, 2), worth: number(row[worth].value, 3), wish: number(row[wish].value, 4) }),
  }));
  const digits = (values) => Math.max(0, Math.min(4, 1 - Math.floor(Math.log10(Math.max(...values) - Math.min(...values) || 1))));
  const ends = points.flatMap((point) => [point.left, point.right, point.x]).filter(Number.isFinite);
  return h(
    "section",
    { class: "part" },
    h("h2", {}, t("dial.title")),
    h("p", { class: "quiet" }, t("dial.intro")),
    h("div", { class: "panel" },
      h("h3", {}, name(wish)),
      chart([{ points, dots: true }], {
        title: t("dial.title"),
        x: { label: name(worth), say: (v) => number(v, digits(ends)), from: Math.min(...ends), to: Math.max(...ends) },
        y: { label: name(wish), say: (v) => number(v, 3) },
      })),
  );
}

/** The row's figure that belongs to one side, in the order of preference; `ndcg@12` counts as `ndcg`. */
function keyOf(row, names) {
  const keys = Object.keys(row ?? {}).filter((key) => Number.isFinite(row[key]?.value));
  return names.map((name) => keys.find((key) => key.split("@")[0] === name)).find(Boolean);
}
