// Runs: who waits for whom, what is at work, what is in the queue, what ended.

import { button, code, el, list, fill } from "./dom.js";
import { ago, duration, many, moment, ranges, stageWord } from "./words.js";

const STATES = {
  queued: "queued",
  running: "at work",
  waiting: "waits for people",
  paused: "paused",
  cancelled: "cancelled",
  failed: "failed",
  done: "done",
};

export function when(iso, before = "") {
  return el("time", { datetime: iso, title: moment(iso), "data-before": before }, `${before}${ago(iso)}`);
}

function about(run) {
  const { batch } = run;
  const first = run.request.first_slot ?? batch?.first, quantity = run.request.quantity ?? batch?.quantity;
  const drop = run.request.drop ?? batch?.drop;
  const words = [run.collection];
  if (drop) words.push(`drop ${drop}`);
  if (first && quantity) words.push(quantity === 1 ? `slot ${first}` : `slots ${first}–${first + quantity - 1}`);
  return words.join(", ");
}

function stagesOf(run) {
  const all = run.batch?.stages ?? [];
  const from = run.request.first ? all.indexOf(run.request.first) : 0;
  const to = run.request.last ? all.indexOf(run.request.last) : all.length - 1;
  return from < 0 || to < 0 ? all : all.slice(from, to + 1);
}

function steps(run) {
  const names = stagesOf(run), at = names.indexOf(run.stage.replace(/-r\d+$/, ""));
  if (names.length < 2) return null;
  const marks = names.map((name, i) => el("li", { class: i < at ? "past" : i === at ? "here" : "", title: stageWord(name) }));
  const said = at < 0 ? many(names.length, "stage") : `Stage ${at + 1} of ${names.length}`;
  return el("div", { class: "steps" }, el("ol", { "aria-hidden": "true" }, marks), el("span", {}, said));
}

function verbs(run, act, names) {
  if (!act.may("runs:write")) return [];
  const words = { pause: "Pause", cancel: "Cancel", resume: "Resume" };
  return names.map((verb) =>
    button(words[verb], `${verb} ${run.id}`, () => act.change(run, verb), {
      class: "quiet",
      "aria-label": `${words[verb]} run ${run.id}`,
      disabled: Boolean(run.asked) && run.asked === verb,
    }),
  );
}

function report(run) {
  return el("a", { href: `/v1/runs/${run.id}/report`, target: "_blank", rel: "noopener", "data-key": `report ${run.id}` }, "Report");
}

function board(run) {
  return el("a", { class: "button", href: `/board/${run.collection}/`, "data-key": `board ${run.id}` }, "Open the board");
}

function needCard(run, act) {
  const actions = [];
  let head, words;
  if (run.state === "waiting" && run.waiting.length) {
    head = `${many(run.waiting.length, "slot")} of ${run.collection} ${run.waiting.length === 1 ? "waits" : "wait"} for people`;
    words = `Slot${run.waiting.length === 1 ? "" : "s"} ${ranges(run.waiting)}: the rules alone fill none of them. ` +
      "The run goes on by itself once they are answered.";
    actions.push(board(run));
  } else {
    head = run.state === "failed" ? `Run ${run.id} was refused` : `Run ${run.id} waits for people`;
    words = run.error?.message ?? "Nobody said why.";
  }
  actions.push(...verbs(run, act, ["resume", "cancel"]));
  return el(
    "article",
    { class: `card need ${run.state}` },
    el("h3", {}, head),
    el("p", { class: "words" }, words),
    el("p", { class: "soft small" }, `${run.id}, ${about(run)}, ${stageWord(run.stage || "") || "at its beginning"}; `, when(run.at), run.state === "waiting" ? ["; ", report(run)] : ""),
    el("div", { class: "actions" }, actions),
  );
}

function count(run) {
  if (!run.total) return run.asked ? "" : "It begins.";
  const left = run.seconds_left ? `, ${duration(run.seconds_left)} left` : "";
  return `${run.done.toLocaleString("en")} of ${run.total.toLocaleString("en")}${left}`;
}

function workCard(run, act) {
  const asked = { cancel: "It stops at the next picture.", pause: "It pauses at the next picture." }[run.asked] ?? "";
  const bar = el("progress", { max: run.total || 1, value: run.total ? run.done : null, "aria-label": `Progress of run ${run.id}` });
  return el(
    "article",
    { class: "card work" },
    el("h3", {}, stageWord(run.stage || "") || "Beginning"),
    el("p", { class: "soft" }, about(run)),
    bar,
    el("p", { class: "count" }, asked || count(run)),
    steps(run),
    el("p", { class: "soft small" }, code(run.id), " ", when(run.at, "since ")),
    el("div", { class: "actions" }, verbs(run, act, ["pause", "cancel"])),
  );
}

function rank(run, act) {
  const label = el("span", { class: "rank" }, run.priority ? `priority ${run.priority > 0 ? "+" : ""}${run.priority}` : "");
  if (!act.may("runs:write") || !["queued", "paused"].includes(run.state)) return label;
  const move = (step, word, sign) =>
    button(sign, `${word} ${run.id}`, () => act.move(run, run.priority + step), {
      class: "quiet square",
      "aria-label": `${word} run ${run.id}`,
      title: `${word}: priority ${run.priority + step}`,
    });
  return el("span", { class: "rank" }, move(1, "Sooner", "↑"), move(-1, "Later", "↓"), label);
}

function row(run, act) {
  const open = run.state === "queued" || run.state === "paused", { later } = run;
  const actions = {
    queued: ["pause", "cancel"],
    paused: ["resume", "cancel"],
    cancelled: ["resume"],
    failed: ["resume"],
  }[run.state] ?? [];
  return el(
    "article",
    { class: `row ${run.state}` },
    el("p", { class: "name" }, el("b", {}, run.id), el("span", { class: `state ${run.state}` }, later ? "later" : STATES[run.state])),
    el("p", { class: "soft small" }, `${about(run)}; `, later ? when(run.not_before, "begins ") : when(run.at)),
    run.state === "failed" && el("p", { class: "words small" }, run.error?.message ?? ""),
    el("div", { class: "actions" }, open && rank(run, act), verbs(run, act, actions), run.state === "done" && report(run)),
  );
}

const ORDER = (a, b) => b.priority - a.priority || Date.parse(a.created) - Date.parse(b.created);
const LATEST = (a, b) => Date.parse(b.at) - Date.parse(a.at);
const KEPT = 6; // runs that are over, at most
const NEEDED = 4; // cards for people, at most

export function showRuns(parts, studio, act) {
  const runs = studio.runs.map((run) => ({
    ...run,
    batch: studio.batches.find((one) => one.name === run.request.batch),
    later: run.state === "queued" && Date.parse(run.not_before) > Date.now(),
  }));
  const some = (...states) => runs.filter((run) => states.includes(run.state));
  const waiting = some("waiting").sort(LATEST), failed = some("failed").sort(LATEST).slice(0, 2);
  const needs = [...waiting, ...failed].slice(0, NEEDED);
  parts.needs.hidden = !needs.length;
  list(parts.needs.querySelector(".stack"), needs, (run) => run.id, (run) => needCard(run, act));

  const working = some("running"), queued = some("queued", "paused").sort(ORDER);
  const stack = parts.now.querySelector(".stack");
  if (working.length) {
    if (stack.dataset.empty) stack.replaceChildren();
    delete stack.dataset.empty;
    list(stack, working, (run) => run.id, (run) => workCard(run, act));
  } else {
    stack.dataset.empty = "yes";
    fill(stack, idle(queued, act));
  }

  const shown = new Set(needs.map((run) => run.id));
  const over = some("done", "cancelled", "failed").filter((run) => !shown.has(run.id)).sort(LATEST).slice(0, KEPT);
  const box = parts.queue.querySelector(".stack");
  const rows = [...queued.slice(0, 50), ...over];
  list(box, rows.length ? rows : [{ id: "", runs: Boolean(runs.length) }], (run) => run.id, (run) => (run.id ? row(run, act) : nothing(runs, act)));
}

function nothing(runs, act) {
  if (runs.length) return el("p", { class: "soft" }, "No other run waits.");
  return el("p", { class: "soft" }, "Nobody has asked for a run yet. ", act.may("runs:write") ? "Start one, or " : "A lead starts one, or ",
    code("artmint runs add"), " does.");
}

function idle(queued, act) {
  const due = queued.filter((run) => run.state === "queued" && !run.later);
  const stuck = due.some((run) => Date.now() - Date.parse(run.at) > 20_000);
  if (stuck) {
    return el("div", { class: "card calm" }, el("p", {}, `${many(due.length, "run waits", "runs wait")}, and no worker takes ${due.length === 1 ? "it" : "them"}.`),
      el("p", { class: "soft" }, "On the studio's machine, start one: ", code("artmint work")));
  }
  const next = act.may("runs:write") ? "Start a run, and it is seen here while it paints." : "What a lead starts is seen here while it paints.";
  return el("div", { class: "card calm" }, el("p", {}, due.length ? "A worker takes the next run in a moment." : "Nothing is at work."),
    !due.length && el("p", { class: "soft" }, next));
}
