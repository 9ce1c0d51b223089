/** What became of every row that was read: a bar and a table for each table, and the rejected rows themselves. */

import * as api from "./api.js";
import { h, put } from "./dom.js";
import { moment, number, percent, reasonOf, t, tOr } from "./i18n.js";
import { command, empty, problem, waiting } from "./states.js";

const OUTCOMES = ["kept", "repaired", "set_aside", "rejected"];

export function mount(main) {
  const life = new AbortController();
  const body = h("div", {}, waiting("report", 3));
  put(main, h("section", { class: "report" }, h("h1", {}, t("quality.title")), h("p", { class: "lead" }, t("quality.intro")), body));
  load();

  async function load() {
    try {
      const ingests = await api.quality(life.signal);
      if (ingests.length) render(body, ingests, ingests[0]);
      else put(body, empty(t("quality.empty"), t("quality.emptyText"), command("storewise ingest --products products.csv --events events.csv")));
    } catch (error) {
      problem(body, error, load);
    }
  }

  return () => life.abort();
}

function render(body, ingests, shown) {
  put(body, ingests.length > 1 && chooser(body, ingests, shown), legend(), byTable(shown.rows).map(tableSection), rejectSection(shown.rejects));
}

/** Which ingest: a shop that is fed daily has many. */
function chooser(body, ingests, shown) {
  const name = ({ number: n, source, at }) => [`#${n}`, source, at && moment(at)].filter(Boolean).join(" · ");
  const options = ingests.map((one, i) => h("option", { value: i, selected: one === shown }, name(one)));
  const change = (event) => {
    render(body, ingests, ingests[Number(event.target.value)]);
    document.getElementById("ingest").focus();
  };
  return h("div", { class: "control" }, h("label", { for: "ingest" }, t("quality.ingest")), h("select", { id: "ingest", onchange: change }, options));
}

const outcomeOf = (row) => String(row.outcome).toLowerCase().replace(/[\s-]+/g, "_");

/** Tables in the order they come, each with its rows (most first) and its total by outcome. */
export function byTable(rows) {
  const tables = new Map();
  for (const row of rows) {
    if (!tables.has(row.table)) tables.set(row.table, { name: row.table, rows: [], totals: Object.fromEntries(OUTCOMES.map((o) => [o, 0])), total: 0 });
    const table = tables.get(row.table);
    const outcome = outcomeOf(row);
    table.rows.push({ ...row, outcome });
    table.totals[outcome] = (table.totals[outcome] ?? 0) + row.rows;
    table.total += row.rows;
  }
  const rank = (row) => OUTCOMES.indexOf(row.outcome);
  for (const table of tables.values()) table.rows.sort((a, b) => rank(a) - rank(b) || b.rows - a.rows);
  return [...tables.values()];
}

function legend() {
  return h("ul", { class: "outcomes" }, OUTCOMES.map((name) => h("li", { class: name }, h("b", {}, t(`quality.${name}`)), h("span", { class: "quiet" }, t(`quality.${name}Help`)))));
}

function tableSection(table) {
  const usable = (table.totals.kept + table.totals.repaired) / (table.total || 1);
  return h(
    "section",
    { class: "panel quality" },
    h("div", { class: "panel-head" }, h("h2", {}, tOr(`table.${table.name}`, table.name)), h("span", { class: "quiet" }, `${t("quality.read", { n: table.total })} · ${t("quality.usable", { share: percent(usable) })}`)),
    bar(table),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": tOr(`table.${table.name}`, table.name) }, reasons(table)),
  );
}

function bar({ totals, total, name }) {
  const present = OUTCOMES.filter((outcome) => totals[outcome] > 0);
  const said = present.map((outcome) => `${t(`quality.${outcome}`)} ${number(totals[outcome])}`).join(", ");
  return h(
    "div",
    { class: "bar", role: "img", "aria-label": `${tOr(`table.${name}`, name)}: ${said}` },
    present.map((outcome) => h("span", { class: outcome, vars: { "--rows": totals[outcome] }, title: `${t(`quality.${outcome}`)}: ${number(totals[outcome])} (${percent(totals[outcome] / total)})` })),
  );
}

function reasons({ rows, total }) {
  const columns = ["outcome", "reason", "rows", "share", "example"];
  const head = columns.map((name) => h("th", { scope: "col", class: name === "rows" || name === "share" ? "num" : null }, t(`quality.${name}`)));
  const body = rows.map((row) =>
    h("tr", {},
      h("td", {}, h("span", { class: `outcome ${row.outcome}` }, tOr(`quality.${row.outcome}`, row.outcome))),
      h("td", {}, row.reason ? reasonOf(row.reason) : t("quality.noReason")),
      h("td", { class: "num" }, number(row.rows)),
      h("td", { class: "num quiet" }, percent(row.rows / (total || 1))),
      h("td", { class: "example" }, row.example ? h("code", {}, written(row.example)) : "")),
  );
  return h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body));
}

const written = (value) => (typeof value === "string" ? value : JSON.stringify(value));

/** "set aside: postage" → both parts; a reason alone is a rejection's. */
function outcomeAndReason(text) {
  const outcome = OUTCOMES.find((name) => text.startsWith(`${name.replace("_", " ")}: `));
  return outcome ? [outcome, text.slice(outcome.length + 2)] : ["rejected", text];
}

function rejectSection(rejects) {
  if (!rejects.length) return h("p", { class: "hint" }, t("quality.noRejects"));
  const rows = rejects.map((one) => {
    const [outcome, reason] = outcomeAndReason(one.reason);
    return h("tr", {},
      h("td", {}, tOr(`table.${one.table}`, one.table)),
      h("td", { class: "num" }, Number.isFinite(one.line) ? number(one.line) : "–"),
      h("td", {}, h("span", { class: `outcome ${outcome}` }, t(`quality.${outcome}`))),
      h("td", {}, reasonOf(reason)),
      h("td", { class: "example" }, h("code", { title: written(one.row ?? "") }, written(one.row ?? ""))));
  });
  const head = [["table"], ["line", "num"], ["outcome"], ["reason"], ["row"]].map(([name, cls]) => h("th", { scope: "col", class: cls }, t(`quality.${name}`)));
  return h(
    "section",
    { class: "panel quality" },
    h("div", { class: "panel-head" }, h("h2", {}, t("quality.rejects")), h("span", { class: "quiet" }, t("quality.rejectsHelp", { n: rejects.length }))),
    h("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": t("quality.rejects") }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows))),
  );
}
