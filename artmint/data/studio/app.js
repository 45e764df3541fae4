// The studio's page: what it knows, when it asks again, and who may do what.

import { ask, Refused, Silent } from "./ask.js";
import { button, code, el, fill, forget } from "./dom.js";
import { follow } from "./live.js";
import { showCost } from "./cost.js";
import { showDrops } from "./drops.js";
import { showRuns } from "./runs.js";
import { Look, rowsOf, showSheet } from "./sheet.js";
import { Beginning } from "./starting.js";
import { ago, many } from "./words.js";

const $ = (id) => document.getElementById(id);
const parts = Object.fromEntries(["needs", "now", "pictures", "queue", "drops", "cost"].map((id) => [id, $(id)]));
const studio = {
  me: null, collections: [], batches: [], runs: [], chosen: "",
  pictures: { items: [], next: "" }, drops: [], proofs: [], editions: {}, kpis: null, kpisRefused: null,
};
const ROWS = 7; // of the contact sheet, at first
let rows = ROWS, live = null;

const act = {
  may: (scope) => studio.me?.scopes.includes(scope) ?? false,
  say(text) {
    $("told").textContent = text;
    clearTimeout(act.quiet);
    act.quiet = setTimeout(() => ($("told").textContent = ""), 6000);
  },
  async try(asking, done) {
    try {
      await asking();
      act.say(done);
    } catch (error) {
      act.say(error.message);
      if (error instanceof Silent) live?.lost();
    }
    refresh("runs");
  },
  change: (run, verb) => act.try(() => ask(`/v1/runs/${run.id}/${verb}`, { method: "POST" }), {
    cancel: `Run ${run.id} is cancelled; what it made stays.`,
    pause: `Run ${run.id} is paused.`,
    resume: `Run ${run.id} is queued again.`,
  }[verb]),
  move: (run, priority) => act.try(() => ask(`/v1/runs/${run.id}`, { method: "PATCH", body: { priority } }), `Run ${run.id} has priority ${priority}.`),
  open: (dna) => look.open(studio.pictures.items, dna, studio.chosen),
  more() {
    rows += ROWS;
    refresh("pictures");
  },
  mint(drop) {
    const run = `mint-${drop.collection}-${drop.drop}`, place = `/v1/collections/${drop.collection}/drops/${drop.drop}/mint`;
    const words = `${many(drop.quantity - drop.tokens, "token")} of ${drop.collection} are minted to the treasury: that sends transactions, which cost gas and can't be taken back. The drop is packed, audited, pinned and, where asked, approved.`;
    beginning.confirm(`Mint drop ${drop.drop}`, words, "Mint", async () => {
      await ask(place, { method: "POST", body: { run } });
      act.say(`Run ${run} is queued.`);
      refresh("runs");
    });
  },
  prove(drop) {
    const run = `prove-${drop.collection}-${drop.drop}-${Date.now().toString(36)}`;
    act.try(() => ask("/v1/proofs", { method: "POST", body: { run, collection: drop.collection, drop: drop.drop } }), `Run ${run} is queued.`);
  },
  refresh,
};
const look = new Look($("look")), beginning = new Beginning($("begin"), act);

// Reading. Each part is read by itself; what is asked for twice within a moment is read once.

async function allRuns() {
  const page = await ask("/v1/runs?limit=50");
  if (!page.next) return page.items;
  const open = ["running", "waiting", "queued", "paused"].map((state) => ask(`/v1/runs?state=${state}&limit=50`));
  const runs = [page, ...(await Promise.all(open))].flatMap((one) => one.items);
  return [...new Map(runs.map((run) => [run.id, run])).values()];
}

const inChosen = (path) => ask(`/v1/collections/${studio.chosen}/${path}`);
const readers = {
  async collections() {
    const [collections, batches] = await Promise.all([ask("/v1/collections"), ask("/v1/batches?limit=1000")]);
    Object.assign(studio, { collections: collections.items, batches: batches.items });
    if (!studio.collections.some((one) => one.name === studio.chosen)) choose(fromAddress() ?? studio.runs[0]?.collection);
    showTitle();
    showRuns(parts, studio, act);
  },
  async runs() {
    studio.runs = await allRuns();
    showRuns(parts, studio, act);
    showName();
  },
  async pictures() {
    if (studio.chosen) studio.pictures = await inChosen(`pictures?limit=${rowsOf(parts.pictures, rows)}`);
    showSheet(parts.pictures, studio, act);
  },
  async drops() {
    if (studio.chosen) {
      const [drops, proofs] = await Promise.all([inChosen("drops"), inChosen("proofs")]);
      const some = drops.items.slice(-12);
      const pages = await Promise.all(some.map((drop) => inChosen(`editions?after=${drop.first - 1}&limit=${Math.min(drop.quantity, 8)}`)));
      const editions = Object.fromEntries(some.map((drop, i) => [drop.drop, pages[i].items.filter((one) => one.slot < drop.first + drop.quantity)]));
      Object.assign(studio, { drops: drops.items, proofs: proofs.items, editions });
    }
    showDrops(parts.drops, studio, act);
  },
  async cost() {
    if (studio.chosen) {
      try {
        Object.assign(studio, { kpis: await inChosen("kpis"), kpisRefused: null });
      } catch (error) {
        if (!(error instanceof Refused) || error.status < 402) throw error;
        Object.assign(studio, { kpis: null, kpisRefused: error.message });
      }
    }
    showCost(parts.cost, studio);
  },
};
const EVERYTHING = Object.keys(readers);
const due = new Set();
let timer = null, reading = false;

function refresh(...names) {
  for (const name of names) due.add(name);
  if (!timer && !reading) timer = setTimeout(read, 150);
}

async function read() {
  timer = null;
  reading = true;
  const names = EVERYTHING.filter((name) => due.has(name));
  due.clear();
  try {
    if (names.includes("collections")) await guarded("collections");
    await Promise.all(names.filter((name) => name !== "collections").map(guarded));
  } finally {
    reading = false;
    document.body.dataset.read = `${Number(document.body.dataset.read ?? 0) + 1}`;
    if (due.size) refresh();
  }
}

async function guarded(name) {
  try {
    await readers[name]();
  } catch (error) {
    if (error instanceof Silent) live?.lost();
    else if (error instanceof Refused && (error.status === 401 || error.status === 403)) shut(error);
    else if (error instanceof Refused) refuse(name, error);
    else throw error;
  }
}

function refuse(name, error) {
  const words = el("p", { class: "words bad", role: "alert" }, error.message);
  const place = { collections: $("title"), pictures: parts.pictures.querySelector(".said"), drops: parts.drops.querySelector(".said") }[name];
  if (place) fill(place, words);
  else act.say(error.message);
}

// What happens says what is read anew.
const ABOUT = {
  run: ["runs"], round: ["runs", "pictures", "collections", "cost"], people: ["runs", "pictures", "collections"], gate: ["runs", "cost"],
  drop: ["drops", "collections"], transaction: ["drops"], proof: ["drops"], retrain: ["cost"],
};
let painted = 0;

function happened(type) {
  refresh(...(ABOUT[type.split(".")[0]] ?? []));
  if (type === "run.finished") refresh(...EVERYTHING);
  if (type === "transaction.mined") refresh("collections");
}

function moved(facts) {
  const run = studio.runs.find((one) => one.id === facts.run);
  if (!run) return refresh("runs");
  const { stage = "", done = null, total = null, seconds_left = null } = facts;
  const turned = run.stage !== stage;
  Object.assign(run, { stage, done, total, seconds_left });
  showRuns(parts, studio, act);
  if (turned || (stage.startsWith("15_") && Date.now() - painted > 2500)) {
    painted = Date.now();
    refresh("pictures", ...(turned ? ["runs", "collections", "drops"] : []));
  }
}

// Which collection is looked at is in the address, so that it can be sent on.
function fromAddress() {
  const name = decodeURIComponent(location.hash.slice(1));
  return studio.collections.some((one) => one.name === name) ? name : undefined;
}

function choose(name) {
  const known = studio.collections.map((one) => one.name);
  studio.chosen = known.includes(name) ? name : (known[0] ?? "");
  rows = ROWS;
  Object.assign(studio, { pictures: { items: [], next: "" }, drops: [], proofs: [], editions: {}, kpis: null });
  for (const part of [parts.pictures.querySelector(".sheet"), parts.drops.querySelector(".drops")]) forget(part);
}

addEventListener("hashchange", () => {
  const name = fromAddress();
  if (name && name !== studio.chosen) {
    choose(name);
    showTitle();
    refresh("pictures", "drops", "cost");
  }
});

// Showing.
function showTitle() {
  const one = studio.collections.find((each) => each.name === studio.chosen);
  if (!one) {
    fill($("title"), el("p", { class: "over" }, studio.me.studio), el("h1", {}, "A studio without a collection"), el("p", { class: "say" }, "No batch file of the service's folder is about one. On the studio's machine, ", code("artmint init"), " makes a collection and its first batch; then they are here."));
    return;
  }
  const tabs = studio.collections.map((each) => el("a", { href: `#${encodeURIComponent(each.name)}`, "aria-current": each.name === studio.chosen ? "true" : null }, each.title || each.name));
  const between = studio.collections.length > 1 ? el("nav", { "aria-label": "Collections" }, tabs) : null;
  if (one.problem) {
    fill($("title"), between, el("p", { class: "over" }, studio.me.studio), el("h1", {}, one.name), el("p", { class: "words bad", role: "alert" }, one.problem));
    return;
  }
  const open = one.supply - one.filled;
  const bands = [["minted", one.minted], ["packed", one.packed - one.minted], ["filled", one.filled - one.packed]];
  const bar = bands.map(([kind, count]) => {
    const band = el("i", { class: kind });
    band.style.width = `${(100 * Math.max(count, 0)) / one.supply}%`;
    return band;
  });
  const words = [...bands.filter(([, count]) => count > 0).map(([kind, count]) => el("span", { class: kind }, `${count.toLocaleString("en")} ${kind}`)), el("span", { class: "open" }, `${open.toLocaleString("en")} open`)];
  fill(
    $("title"),
    between,
    el("p", { class: "over" }, `${studio.me.studio}, ${many(one.supply, "token")}`),
    el("h1", {}, one.title),
    one.description && el("p", { class: "say" }, one.description),
    el("div", { class: "supply" }, bar),
    el("p", { class: "legend" }, words, el("a", { href: `/board/${one.name}/` }, "Review board")),
  );
}

function showName() {
  const waiting = studio.runs.filter((run) => run.state === "waiting").length, working = studio.runs.filter((run) => run.state === "running").length;
  const words = [waiting && `${waiting} wait${waiting === 1 ? "s" : ""}`, working && `${working} at work`].filter(Boolean).join(", ");
  document.title = `${words ? `${words} · ` : ""}artmint studio`;
}

let since = "";
function state(word) {
  const lost = word === "lost";
  document.body.dataset.line = word;
  $("line").textContent = { live: "live", polling: "looking every 4 s", lost: "no answer" }[word];
  if (lost && !since) since = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  $("lost").hidden = !lost;
  $("lost").textContent = lost ? `The studio hasn't answered since ${since}. Runs go on without this page, which tries again by itself.` : "";
  if (!lost) since = "";
}

function shut(error) {
  live?.stop();
  live = null;
  $("studio").hidden = true;
  $("start").hidden = true;
  $("me").textContent = "";
  $("line").textContent = "";
  document.body.dataset.line = "shut";
  const way = [code("artmint invite NAME --role lead"), " on the studio's machine prints a link that opens once. Opened in this browser, it lets you in for 30 days."];
  fill($("door"), el("p", { class: "over" }, "artmint"), el("h1", {}, "You aren't in yet"),
    el("p", { class: "say" }, error.status === 401 ? "This is a studio's page. People come in by a link of their own." : error.message), el("p", { class: "say" }, way),
    el("p", {}, button("Try again", "again", () => location.reload(), { class: "quiet" })));
  $("door").hidden = false;
}

async function begin() {
  for (let wait = 500; ; wait = Math.min(2 * wait, 5000)) {
    try {
      studio.me = await ask("/v1/me");
      break;
    } catch (error) {
      if (error instanceof Refused) return error.status < 500 ? shut(error) : state("lost");
      state("lost");
      await new Promise((done) => setTimeout(done, wait));
    }
  }
  const role = act.may("runs:write") ? "lead" : act.may("decide") ? "artist" : "guest";
  fill($("me"), el("b", {}, studio.me.name), el("span", {}, role));
  $("start").hidden = !act.may("runs:write");
  $("studio").hidden = false;
  $("foot").textContent = "Everything here is also at /v1, for programs with a key.";
  try {
    studio.runs = await allRuns();
  } catch (error) {
    if (!(error instanceof Silent)) throw error;
  }
  showCost(parts.cost, studio);
  live = follow({ happened, moved, look: () => refresh(...EVERYTHING), state });
  refresh(...EVERYTHING);
}

$("start").addEventListener("click", () => beginning.open(studio));
addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea, dialog");
  if (event.key === "n" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && !$("start").hidden) {
    event.preventDefault();
    beginning.open(studio);
  }
});
setInterval(() => {
  if (!$("studio").hidden) showRuns(parts, studio, act);
  for (const time of document.querySelectorAll("time")) time.textContent = `${time.dataset.before ?? ""}${ago(time.dateTime)}`;
}, 15_000);
begin();
