/** What turning the dial from wish to worth costs and gains: one point a setting, with intervals both ways. */

import { chart } from "./chart.js";
import { h } from "./dom.js";
import { minorUnits, number, t } from "./i18n.js";

const WISH = ["ndcg", "recall", "hit", "map"];
const WORTH = ["margin_minor", "expected_margin_minor", "revenue_minor"];

/** `rows`: `{dial, metrics: {"ndcg@12": {value, low, high}, margin_minor: {…}}, dominated}`, as training measured them on
 * validation. Null when the dial was not measured. */
export function dialSection(rows, currency) {
  const wish = keyOf(rows?.[0]?.metrics, WISH);
  const worth = keyOf(rows?.[0]?.metrics, WORTH);
  if (!wish || !worth) return null;
  const points = rows.map(({ dial, metrics }) => pointOf(dial, metrics[wish], metrics[worth], minorUnits(currency)));
  const ends = points.flatMap((point) => [point.left, point.right, point.x]).filter(Number.isFinite);
  const digits = Math.max(0, Math.min(4, 1 - Math.floor(Math.log10(Math.max(...ends) - Math.min(...ends) || 1))));
  const dominated = rows.filter((row) => row.dominated).map((row) => number(row.dial, 2));
  return h(
    "section",
    { class: "part" },
    h("h2", {}, t("dial.title")),
    h("p", { class: "quiet" }, t("dial.intro")),
    h("div", { class: "panel" },
      h("h3", {}, t("dial.wish")),
      chart([{ points, dots: true }], {
        title: t("dial.title"),
        x: { label: t(`dial.${worth}`), say: (v) => number(v, digits) },
        y: { label: t("dial.wish"), say: (v) => number(v, 3) },
      }),
      dominated.length > 0 && h("p", { class: "quiet note" }, t("dial.dominated", { dials: dominated.join(", ") }))),
  );
}

function pointOf(dial, wish, worth, unit) {
  const [x, left, right] = [worth.value, worth.low, worth.high].map((v) => (Number.isFinite(v) ? v / unit : v));
  const name = number(dial, 2);
  return { x, left, right, y: wish.value, low: wish.low, high: wish.high, name, said: t("dial.point", { dial: name, worth: number(x, 2), wish: number(wish.value, 4) }) };
}

/** The row's figure that belongs to one side, in the order of preference; `ndcg@12` counts as `ndcg`. */
function keyOf(row, names) {
  const keys = Object.keys(row ?? {}).filter((key) => Number.isFinite(row[key]?.value));
  return names.map((name) => keys.find((key) => key.split("@")[0] === name)).find(Boolean);
}
