// What a token costs, against the share of its revenue that it may cost.

import { code, el, fill } from "./dom.js";
import { duration, money, percent } from "./words.js";

function rule(kpis) {
  const { cpfa, cost_share: share, revenue_per_token: revenue, currency } = kpis;
  const missing = Object.keys(kpis.missing);
  if (!kpis.editions) return el("p", { class: "soft" }, "No slot is filled yet, so nothing was paid for a token so far.");
  if (cpfa === null) {
    return el("div", {}, el("p", {}, "The studio doesn't say what its work costs."),
      el("p", { class: "soft" }, missing.length ? `A rate is missing for: ${missing.join(", ")}. ` : "", "Rates belong into ", code("studio.toml"), "; until then seconds are counted."));
  }
  const figure = el("p", { class: "figure" }, money(cpfa, currency), el("span", {}, "for a token so far"));
  if (!revenue) return el("div", {}, figure, el("p", { class: "soft" }, "What a token brings isn't said: ", code("revenue_per_token"), " in ", code("studio.toml"), "."));
  const limit = share * revenue, over = cpfa > limit, scale = Math.max(limit * 1.5, cpfa * 1.05);
  const spent = el("i", { class: over ? "spent above" : "spent" }), bound = el("i", { class: "bound" });
  spent.style.width = `${(100 * cpfa) / scale}%`;
  bound.style.left = `${(100 * limit) / scale}%`;
  const said = over
    ? `Above ${percent(share)} of the ${money(revenue, currency)} that a token brings. The cost gate refuses it, and lists what would lower it.`
    : `${percent(cpfa / revenue)} of the ${money(revenue, currency)} that a token brings; it may be ${percent(share)}, ${money(limit, currency)}.`;
  return el("div", {}, figure, el("div", { class: "gauge", role: "img", "aria-label": `${money(cpfa, currency)} of at most ${money(limit, currency)}` }, spent, bound),
    el("p", { class: over ? "words bad" : "soft" }, said));
}

function kpi(name, value, more = "") {
  return value === null || value === undefined ? null : el("div", {}, el("dt", {}, name), el("dd", {}, value), more && el("dd", {}, more));
}

function numbers(kpis) {
  const best = [...kpis.velocity].sort((a, b) => b.per_hour - a.per_hour)[0];
  const share = kpis.acceptance;
  return el(
    "dl",
    { class: "kpis" },
    kpi("Acceptance", share && percent(share[0]), share && `between ${percent(share[1])} and ${percent(share[2])}`),
    kpi("Accepted an hour", best && best.per_hour.toLocaleString("en", { maximumFractionDigits: best.per_hour < 10 ? 1 : 0 }), best && `${best.accepted} of ${best.tries} tries, the best prompts`),
    kpi("Work for a token", kpis.seconds_per_asset !== null ? duration(kpis.seconds_per_asset) : null, "processor and device, all stages"),
    kpi("Refused for each edition", kpis.discipline !== null ? kpis.discipline.toLocaleString("en", { maximumFractionDigits: 1 }) : null, "candidates that went no further"),
    kpi("Metadata in order", kpis.mia !== null ? percent(kpis.mia) : null, "of all fields, at the last audit"),
    kpi("Spent", kpis.cost !== null && kpis.cost !== undefined ? money(kpis.cost, kpis.currency) : null, `${kpis.editions} editions, ${kpis.tokens} tokens`),
  );
}

export function showCost(part, studio) {
  const kpis = studio.kpis;
  const words = kpis ? [el("div", { class: "card rule" }, rule(kpis)), kpis.attempts ? numbers(kpis) : null] : [el("p", { class: "soft" }, studio.kpisRefused ?? "It is being counted.")];
  fill(part.querySelector(".cost"), words);
}
