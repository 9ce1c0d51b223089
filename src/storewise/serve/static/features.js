/** What a feature of a prediction is, and what one value of it says, in the language of the page. */

import { money, number, percent, t, tOr } from "./i18n.js";

/** Features by how their value is written; all others are whole numbers. Columns of the shop's own have no words. */
const WRITTEN = {
  ago: "recency_2_days recency_3_days recency_5_days recency_10_days recency_days tenure_days return_recency_days own_recency_days shown_recency_days product_age_days product_quiet_days view_recency_days click_recency_days cart_recency_days",
  power: "products_91_log current_buyers_log orders_log products_log product_buyers_28_log product_buyers_91_log shown_position_log shown_before_log shown_since_click_log shown_1d_log shopper_shown_log product_shown_log",
  month: "order_rate",
  tenth: "gap_position gap_longest_ratio cycle_position order_value_last own_cycle_position",
  overdue: "overdue",
  trend: "lines_trend current_trend season_fit orders_trend product_trend",
  money: "spend_fading_log spend_log spend_91_log order_value_log bg_value_log",
  times: "last_lines_ratio price_level product_price price_fit shown_price shown_discount shopper_click_gain product_click_gain",
  share: "gaps_due_share gaps_short_share current_share repeat_share return_share p_alive bg_p_purchase own_share product_again_share category_share",
  hundredth: "orders_fading_14 orders_fading_91 bg_orders bought_together text_fit text_nearest",
  fixed: "year_cos year_sin taste text hour_cos hour_sin weekday_cos weekday_sin shown_slot shown_source signed_in now_hour_cos now_hour_sin now_weekday_cos now_weekday_sin",
};
const WAY = new Map(Object.entries(WRITTEN).flatMap(([way, names]) => names.split(" ").map((name) => [name, way])));
const MONTH_DAYS = 30.4;
const AS_BEFORE = 0.1; // of a log ratio

/** Values arrive as the model reads them: some are logarithms, amounts are logarithms of minor units. */
const WAYS = {
  whole: (v) => whole(v),
  power: (v) => whole(Math.expm1(v)),
  tenth: (v) => number(v, 1),
  hundredth: (v) => number(v, 2),
  month: (v) => number(v * MONTH_DAYS, 1),
  times: (v) => number(Math.exp(v), 1),
  share: (v) => percent(v),
  money: (v, currency) => money(Math.round(Math.expm1(v)), currency),
  ago: (v) => (v < 1 ? t("value.today") : t("value.ago", { n: Math.round(v) })),
  overdue: (v) => t(v > 0 ? "value.overdue" : "value.early", { x: number(Math.abs(v), 1) }),
  trend: (v) => (Math.abs(v) < AS_BEFORE ? t("value.same") : t(v > 0 ? "value.more" : "value.less", { x: number(Math.exp(Math.abs(v)), 1) })),
};
const whole = (v) => Math.round(v) || 0; // no -0; t() writes it, and knows 1 from more

/** `label`: the server's own words, for features that this page does not know. */
export const featureName = ({ feature, label }) => tOr(`feature.${feature}`, label ?? feature);

/** One reason as a phrase: its value in words, or that the value is not known. */
export function featureSays({ feature, value, label, text }, currency) {
  const words = tOr(`says.${feature}`, null);
  if (words === null) return text ?? label ?? feature;
  const way = WAY.get(feature) ?? "whole";
  if (way === "fixed") return words;
  if (!Number.isFinite(value)) return t("value.unknown", { what: featureName({ feature, label }) });
  const x = WAYS[way](value, currency);
  return t(`says.${feature}`, { x, n: x });
}
