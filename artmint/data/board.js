// The review board: one module for JupyterLab (anywidget calls `render`) and for the page (which calls `mount`).
// A transport has call(verb, args) -> JSON and picture(dna, reason) -> URL. Texts are set as text, never as markup.

const STYLE = `
:host { all: initial; display: block; }
.board { --bg:#fafafa; --panel:#fff; --ink:#1b1d21; --soft:#5c636e; --line:#d4d7dc; --pick:#1b6e2e; --no:#b3261e; --ask:#8a5200; --now:#0b57d0;
  font: 14px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--bg); display: grid; grid-template: auto 1fr auto / 1fr 340px; height: 100%; outline: none; box-sizing: border-box; }
.board.dark { --bg:#131417; --panel:#1d1f23; --ink:#eceef1; --soft:#a4abb6; --line:#3a3e46; --pick:#6fd08c; --no:#ff8a80; --ask:#ffc46b; --now:#8ab4f8; }
.board *, .board *::before { box-sizing: border-box; }
.bar { grid-column: 1 / 3; display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: center; padding: 8px 12px; border-bottom: 1px solid var(--line); background: var(--panel); }
.bar label { color: var(--soft); display: flex; gap: 5px; align-items: center; }
select, input, textarea, button { font: inherit; color: var(--ink); background: var(--bg); border: 1px solid var(--line); border-radius: 6px; padding: 3px 8px; }
button { cursor: pointer; } button:hover { border-color: var(--now); }
select:focus-visible, input:focus-visible, textarea:focus-visible, button:focus-visible { outline: 2px solid var(--now); outline-offset: 1px; }
.grow { flex: 1; } .count { font-variant-numeric: tabular-nums; }
.wall { position: relative; overflow-y: auto; outline: none; overflow-anchor: none; }
.board:focus-visible .wall, .wall:focus-visible { box-shadow: inset 0 0 0 2px var(--now); }
.tile { position: absolute; padding: 6px; border-radius: 8px; border: 2px solid transparent; background: var(--panel); cursor: pointer; overflow: hidden; }
.tile img { width: 100%; aspect-ratio: 1; object-fit: contain; display: block; border-radius: 4px; background: var(--line); image-rendering: auto; }
.tile .say { display: flex; justify-content: space-between; gap: 4px; font-size: 12px; margin-top: 4px; white-space: nowrap; }
.tile.now { border-color: var(--now); box-shadow: 0 0 0 2px var(--now); }
.tile.accept { border-color: var(--pick); } .tile.reject { border-color: var(--no); } .tile.now.accept, .tile.now.reject { border-color: var(--now); }
.tile.reject img { opacity: .45; }
.accept .word { color: var(--pick); } .reject .word { color: var(--no); } .review .word { color: var(--ask); } .word { font-weight: 600; }
.side { border-left: 1px solid var(--line); background: var(--panel); overflow-y: auto; padding: 12px; }
.side img { width: 100%; border-radius: 6px; background: var(--line); display: block; }
.side h2 { font-size: 15px; margin: 10px 0 2px; } .side h3 { font-size: 12px; margin: 12px 0 3px; color: var(--soft); font-weight: 600; text-transform: none; }
.side p { margin: 3px 0; overflow-wrap: anywhere; } .side dl { display: grid; grid-template-columns: auto 1fr; gap: 1px 10px; margin: 0; } .side dt { color: var(--soft); } .side dd { margin: 0; overflow-wrap: anywhere; text-align: right; }
.side textarea { width: 100%; min-height: 54px; resize: vertical; } .why { margin-bottom: 8px; } .why p { color: var(--no); }
.stars button { border: 0; background: none; padding: 0 3px; font-size: 18px; color: var(--soft); } .stars button.on { color: var(--ask); }
.foot { grid-column: 1 / 3; display: flex; gap: 16px; padding: 5px 12px; border-top: 1px solid var(--line); color: var(--soft); background: var(--panel); font-size: 12px; }
kbd { font: 11px ui-monospace, monospace; border: 1px solid var(--line); border-radius: 4px; padding: 0 5px; color: var(--ink); background: var(--bg); }
.full { position: fixed; inset: 0; background: rgba(0,0,0,.92); display: flex; flex-direction: column; align-items: center; justify-content: center; gap: 8px; z-index: 10; color: #fff; }
.full img { width: min(94vw, 88vh); height: min(94vw, 88vh); object-fit: contain; image-rendering: pixelated; } .full[hidden] { display: none; }
.trouble { color: var(--no); font-weight: 600; } .none { padding: 30px; color: var(--soft); }
@media (max-width: 760px) { .board { grid-template: auto 1fr auto auto / 1fr; } .bar, .foot { grid-column: 1; } .side { border-left: 0; border-top: 1px solid var(--line); max-height: 40vh; } }
@media (prefers-reduced-motion: no-preference) { .tile { transition: border-color .12s; } }
`;

const make = (name, props = {}, ...inside) => {
  const el = document.createElement(name);
  for (const [key, value] of Object.entries(props)) key in el && key !== "list" ? (el[key] = value) : el.setAttribute(key, value);
  el.append(...inside.filter((each) => each !== null && each !== undefined));
  return el;
};
const decided = (c) => Boolean(c.mine) && c.mine.decision !== "withdrawn";
const SHOWN = {
  "undecided": (c) => !decided(c), "left to people": (c) => !decided(c) && c.machine?.decision === "review", "picked by me": (c) => c.mine?.decision === "accept",
  "rejected by me": (c) => c.mine?.decision === "reject", "accepted by the machine": (c) => c.machine?.decision === "accept", "rejected by the machine": (c) => c.machine?.decision === "reject",
  "chosen": (c) => c.chosen, "with duplicates": (c) => (c.machine?.reasons ?? []).some((why) => why.startsWith("duplicate ") || why.startsWith("alike ")), "all": () => true,
};
const WORD = { accept: "picked", reject: "rejected", review: "for people" };
const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(9)), (b) => b.toString(16).padStart(2, "0")).join("");

export async function mount(host, transport, { page = false } = {}) {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  root.replaceChildren();
  const ui = {};
  const state = { cards: new Map(), order: [], at: 0, done: [], columns: 1, size: 0, pool: new Map(), queue: Promise.resolve(), pending: 0 };

  // ---- what is there
  const board = make("div", { className: "board", tabIndex: 0 }, null);
  board.setAttribute("role", "application");
  board.setAttribute("aria-label", "review board");
  const pick = (label, options) => { const select = make("select"); for (const each of options) select.append(make("option", { value: each, textContent: each })); return [make("label", {}, label, select), select]; };
  let label;
  [label, ui.show] = pick("show", Object.keys(SHOWN)); const showLabel = label;
  [label, ui.sort] = pick("sort by", ["slot"]); const sortLabel = label;
  [label, ui.trait] = pick("trait", ["any"]); const traitLabel = label;
  ui.slot = make("input", { type: "number", min: 1, placeholder: "all", size: 4 }); ui.slot.style.width = "70px";
  ui.count = make("span", { className: "count" }); ui.count.setAttribute("role", "status");
  ui.trouble = make("span", { className: "trouble" }); ui.trouble.setAttribute("role", "alert");
  ui.all = make("button", { textContent: "pick all shown" }); ui.none = make("button", { textContent: "reject all shown" }); ui.undo = make("button", { textContent: "undo" });
  ui.wall = make("div", { className: "wall" }); ui.wall.setAttribute("role", "listbox"); ui.wall.setAttribute("aria-label", "candidates");
  ui.space = make("div"); ui.wall.append(ui.space);
  ui.side = make("div", { className: "side" });
  ui.full = make("div", { className: "full", hidden: true }); ui.full.setAttribute("role", "dialog"); ui.full.setAttribute("aria-label", "full size");
  const foot = make("div", { className: "foot" });
  for (const [key, what] of [["P", "pick"], ["X", "reject"], ["U", "undo"], ["0–5", "stars"], ["arrows", "move"], ["space", "full size"], ["N", "note"]]) foot.append(make("span", {}, make("kbd", { textContent: key }), " " + what));
  board.append(make("div", { className: "bar" }, showLabel, sortLabel, traitLabel, make("label", {}, "slot", ui.slot), make("span", { className: "grow" }), ui.trouble, ui.count, ui.all, ui.none, ui.undo), ui.wall, ui.side, foot, ui.full);
  root.append(board);
  const dark = () => document.body.dataset.jpThemeLight ? document.body.dataset.jpThemeLight === "false" : matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = () => board.classList.toggle("dark", dark());
  theme();
  const scheme = matchMedia("(prefers-color-scheme: dark)"); scheme.addEventListener("change", theme);
  const watch = new MutationObserver(theme); watch.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });

  // ---- order: fixed until the person asks for another, so nothing jumps
  const current = () => state.cards.get(state.order[state.at]);
  const valueOf = (card, key) => key === "slot" ? 0 : card.scores[key.replace(/ [↑↓]$/, "")] ?? -Infinity;
  function arrange(keep) {
    const show = SHOWN[ui.show.value], [trait, value] = ui.trait.value === "any" ? [] : ui.trait.value.split(": "), slot = Number(ui.slot.value), key = ui.sort.value, sign = key.endsWith("↑") ? 1 : -1;
    const kept = [...state.cards.values()].filter((c) => show(c) && (!trait || c.traits[trait] === value) && (!slot || c.slot === slot));
    if (key === "slot") kept.sort((a, b) => Number(decided(a)) - Number(decided(b)) || a.slot - b.slot || a.attempt - b.attempt);
    else kept.sort((a, b) => sign * (valueOf(a, key) - valueOf(b, key)) || a.slot - b.slot || a.attempt - b.attempt);
    state.order = kept.map((c) => c.dna);
    state.at = Math.max(0, state.order.indexOf(keep));
    draw(); detail();
  }

  // ---- only the rows that can be seen are in the page
  function draw() {
    const width = ui.wall.clientWidth || 600, columns = Math.max(1, Math.floor((width - 8) / 150)), size = Math.floor((width - 8) / columns), high = size + 26;
    Object.assign(state, { columns, size, high });
    ui.space.style.height = Math.ceil(state.order.length / columns) * high + "px";
    const first = Math.max(0, Math.floor(ui.wall.scrollTop / high) - 1) * columns, last = Math.min(state.order.length, (Math.ceil((ui.wall.scrollTop + ui.wall.clientHeight) / high) + 1) * columns);
    const seen = new Set();
    for (let i = first; i < last; i++) { const dna = state.order[i]; seen.add(dna); place(dna, i); }
    for (const [dna, tile] of state.pool) if (!seen.has(dna)) { tile.remove(); state.pool.delete(dna); }
    const open = [...state.cards.values()].filter((c) => !decided(c)).length;
    ui.count.textContent = `${state.order.length} shown, ${open} of ${state.cards.size} undecided` + (state.pending ? `, ${state.pending} saving` : "");
    if (!state.order.length && !ui.empty) { ui.empty = make("p", { className: "none", textContent: "Nothing is left here. Choose another view above." }); ui.space.append(ui.empty); }
    else if (state.order.length && ui.empty) { ui.empty.remove(); ui.empty = null; }
  }
  function place(dna, i) {
    let tile = state.pool.get(dna);
    if (!tile) {
      tile = make("div", { className: "tile", id: "t" + dna.slice(0, 16) }, make("img", { alt: "", draggable: false, decoding: "async" }), make("div", { className: "say" }, make("span"), make("span", { className: "word" })));
      tile.setAttribute("role", "option");
      tile.addEventListener("mousedown", (event) => { event.preventDefault(); board.focus({ preventScroll: true }); go(state.order.indexOf(dna)); });
      transport.picture(dna).then((url) => { tile.firstChild.src = url; });
      state.pool.set(dna, tile); ui.space.append(tile);
    }
    const card = state.cards.get(dna), word = decided(card) ? card.mine.decision : (card.machine?.decision === "review" ? "review" : "");
    tile.className = ["tile", word, i === state.at ? "now" : ""].join(" ");
    tile.style.cssText = `width:${state.size - 8}px;height:${state.high - 8}px;left:${8 + (i % state.columns) * state.size}px;top:${8 + Math.floor(i / state.columns) * state.high}px`;
    tile.children[1].children[0].textContent = `${card.slot}/${card.attempt}` + (card.mine?.stars ? " " + "★".repeat(card.mine.stars) : "");
    tile.children[1].children[1].textContent = card.chosen ? "edition" : WORD[word] ?? "";
    tile.setAttribute("aria-selected", String(i === state.at));
    tile.setAttribute("aria-label", `slot ${card.slot}, attempt ${card.attempt}, ${WORD[word] ?? "undecided"}`);
    if (i === state.at) ui.wall.setAttribute("aria-activedescendant", tile.id);
  }
  function go(i) {
    if (!state.order.length) return;
    state.at = Math.min(Math.max(i, 0), state.order.length - 1);
    const top = Math.floor(state.at / state.columns) * state.high;
    if (top < ui.wall.scrollTop) ui.wall.scrollTop = top;
    else if (top + state.high + 8 > ui.wall.scrollTop + ui.wall.clientHeight) ui.wall.scrollTop = top + state.high + 8 - ui.wall.clientHeight;
    draw(); detail();
    if (!ui.full.hidden) enlarge();
  }
  const next = () => { for (let i = state.at + 1; i < state.order.length; i++) if (!decided(state.cards.get(state.order[i]))) return go(i); go(state.at + 1); };

  // ---- the card at hand
  const list = (facts) => { const dl = make("dl"); for (const [key, value] of facts) dl.append(make("dt", { textContent: key }), make("dd", { textContent: String(value) })); return dl; };
  function detail() {
    const card = current();
    if (!card) { ui.side.replaceChildren(); return; }
    const image = make("img", { alt: `slot ${card.slot}, attempt ${card.attempt}` }), stars = make("div", { className: "stars" }), note = make("textarea", { value: card.mine?.note ?? "", placeholder: "a note (N)", maxLength: 2000 });
    transport.picture(card.dna).then((url) => { image.src = url; });
    note.setAttribute("aria-label", "note"); ui.note = note;
    for (let n = 1; n <= 5; n++) { const star = make("button", { textContent: "★", className: n <= (card.mine?.stars ?? 0) ? "on" : "", tabIndex: -1 }); star.setAttribute("aria-label", `${n} stars`); star.addEventListener("click", () => say({ stars: n })); stars.append(star); }
    note.addEventListener("change", () => { if (note.value !== (card.mine?.note ?? "")) say({ note: note.value }, [card.dna]); });
    note.addEventListener("keydown", (event) => { if (event.key === "Escape") { note.blur(); board.focus({ preventScroll: true }); } event.stopPropagation(); });
    const part = [image, make("h2", { textContent: `Slot ${card.slot}, attempt ${card.attempt}` }), stars, note];
    const reasons = card.machine?.reasons ?? [];
    if (card.machine) part.push(make("h3", { textContent: `The machine: ${card.machine.decision}` }));
    reasons.forEach((why, i) => { const shown = make("img", { alt: "" }); transport.picture(card.dna, i).then((url) => { shown.src = url; }); part.push(make("div", { className: "why" }, make("p", { textContent: why }), shown)); });
    if (card.people.length) part.push(make("h3", { textContent: "People" }), ...card.people.map((p) => make("p", { textContent: `${p.by} ${WORD[p.decision] ?? p.decision}${p.undoes ? " (undone)" : ""} ${new Date(p.at).toLocaleString()}${p.stars !== undefined ? ", " + p.stars + " stars" : ""}${p.note ? ": " + p.note : ""}` })));
    part.push(make("h3", { textContent: "Claims" }), list(Object.entries(card.traits)));
    if (Object.keys(card.scores).length) part.push(make("h3", { textContent: "Scores" }), list(Object.entries(card.scores)));
    if (card.prompt) part.push(make("h3", { textContent: "Prompt" }), make("p", { textContent: card.prompt }));
    if (card.negative) part.push(make("p", { textContent: "without: " + card.negative }));
    part.push(make("h3", { textContent: card.parameters.made ? "Made by hand" : "Recipe" }), list([...(card.seed === null ? [] : [["seed", card.seed]]), ...Object.entries(card.parameters).map(([k, v]) => [k, typeof v === "string" && v.length > 20 ? v.slice(0, 12) : typeof v === "object" ? JSON.stringify(v) : v]), ["dna", card.dna.slice(0, 12)]]));
    ui.side.replaceChildren(...part);
    ui.side.scrollTop = 0;
  }
  function enlarge() {
    const card = current(); if (!card) return;
    const image = make("img", { alt: "" }); transport.picture(card.dna).then((url) => { image.src = url; });
    ui.full.replaceChildren(image, make("div", { textContent: `${card.slot}/${card.attempt} · ${WORD[card.mine?.decision] ?? "undecided"}` })); ui.full.hidden = false;
  }

  // ---- saying something: shown at once, sent in order, sent again until it is kept
  const send = (verb, args) => {
    state.pending++;
    state.queue = state.queue.then(async () => {
      for (let wait = 200; ; wait = Math.min(wait * 2, 3000)) {
        try { const cards = await transport.call(verb, args); for (const c of cards) fresh(c); ui.trouble.textContent = ""; break; }
        catch (error) {
          if (error.final) { ui.trouble.textContent = error.message; break; }
          ui.trouble.textContent = "The server doesn't answer; what you decide is kept here and sent when it does.";
          await new Promise((done) => setTimeout(done, wait));
        }
      }
      state.pending--; draw();
    });
  };
  function fresh(card) {
    if (state.pending > 1) return;  // later words are on their way: theirs will be the last
    state.cards.set(card.dna, card);
    if (card.dna === current()?.dna && root.activeElement !== ui.note) detail();
  }
  function say(what, dnas = [current()?.dna], move = false) {
    dnas = dnas.filter(Boolean);
    if (!dnas.length) return;
    const id = newId();
    state.done.push({ id, dnas, before: dnas.map((dna) => state.cards.get(dna).mine), at: state.order[state.at] });
    for (const dna of dnas) { const card = state.cards.get(dna); card.mine = { decision: "withdrawn", ...(card.mine ?? {}), ...what }; }
    send("act", { id, dnas, ...what });
    if (move) next(); else { draw(); if (what.note === undefined) detail(); }
  }
  function undo() {
    const last = state.done.pop();
    if (!last) return;
    last.dnas.forEach((dna, i) => { state.cards.get(dna).mine = last.before[i]; });
    send("undo", { id: newId(), undone: last.id, dnas: last.dnas });
    go(Math.max(0, state.order.indexOf(last.at)));
  }

  // ---- keys: silent while typing, and none of them gets out
  const MOVES = { ArrowRight: () => 1, ArrowLeft: () => -1, ArrowDown: () => state.columns, ArrowUp: () => -state.columns, PageDown: () => 4 * state.columns, PageUp: () => -4 * state.columns, Home: () => -1e9, End: () => 1e9 };
  function key(event) {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.composedPath()[0].tagName ?? "");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) { event.stopPropagation(); return; }
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key, button = event.composedPath()[0].tagName === "BUTTON";
    if (button && (name === "Enter" || name === " ")) { event.stopPropagation(); return; }
    const known = name === "p" ? () => say({ decision: "accept" }, undefined, true) : name === "x" ? () => say({ decision: "reject" }, undefined, true) : name === "u" ? undo
      : /^[0-5]$/.test(name) ? () => say({ stars: Number(name) }) : name === "n" ? () => ui.note?.focus() : name === " " ? () => { if (ui.full.hidden) enlarge(); else ui.full.hidden = true; }
      : name === "Escape" ? () => { ui.full.hidden = true; } : MOVES[name] ? () => go(state.at + MOVES[name]()) : null;
    event.stopPropagation();
    if (!known) return;
    event.preventDefault();
    known();
  }
  board.addEventListener("keydown", key);
  for (const name of ["keyup", "keypress"]) board.addEventListener(name, (event) => event.stopPropagation());
  const outside = (event) => { if (page && event.target === document.body) key(event); };
  document.addEventListener("keydown", outside);
  ui.wall.addEventListener("scroll", draw, { passive: true });
  const sized = new ResizeObserver(draw); sized.observe(ui.wall);
  for (const each of [ui.show, ui.sort, ui.trait, ui.slot]) each.addEventListener("change", () => { arrange(current()?.dna); if (each !== ui.slot) board.focus({ preventScroll: true }); });
  const bulk = (decision) => { const open = state.order.filter((dna) => !decided(state.cards.get(dna))); say({ decision }, open); };
  ui.all.addEventListener("click", () => bulk("accept")); ui.none.addEventListener("click", () => bulk("reject")); ui.undo.addEventListener("click", undo);
  ui.full.addEventListener("click", () => { ui.full.hidden = true; });

  const cards = await transport.call("cards", {});
  for (const card of cards) state.cards.set(card.dna, card);
  const scores = [...new Set(cards.flatMap((c) => Object.keys(c.scores)))], values = new Set(cards.flatMap((c) => Object.entries(c.traits).map(([k, v]) => `${k}: ${v}`)));
  for (const name of scores) for (const arrow of ["↓", "↑"]) ui.sort.append(make("option", { value: `${name} ${arrow}`, textContent: `${name} ${arrow}` }));
  for (const value of [...values].sort()) ui.trait.append(make("option", { value, textContent: value }));
  ui.show.value = cards.some(SHOWN["undecided"]) ? "undecided" : "all";
  arrange();
  if (page) board.focus({ preventScroll: true });
  board.dataset.ready = "yes";
  return () => { document.removeEventListener("keydown", outside); scheme.removeEventListener("change", theme); watch.disconnect(); sized.disconnect(); };
}

// ---- transports
export function overHttp(token) {
  const asked = { "Content-Type": "application/json", Authorization: `Bearer ${token}` };
  return {
    async call(verb, args) {
      const answer = await fetch("call", { method: "POST", headers: asked, body: JSON.stringify({ verb, args }) });
      const body = await answer.json();
      if (!answer.ok) throw Object.assign(new Error(body.message), { final: answer.status < 500 });
      return body;
    },
    async picture(dna, reason) { return `picture/${dna}${reason === undefined ? "" : "/" + reason}?token=${encodeURIComponent(token)}`; },
  };
}

function overWidget(model) {
  const open = new Map(), urls = new Map();
  const ask = (verb, args) => new Promise((done, failed) => { const id = newId(); open.set(id, [done, failed]); model.send({ id, verb, args }); });
  const heard = (message, buffers) => {
    const [done, failed] = open.get(message.id) ?? []; open.delete(message.id);
    if (message.error) failed?.(Object.assign(new Error(message.error), { final: true }));
    else done?.(buffers?.length ? new Blob([buffers[0]], { type: "image/png" }) : message.result);
  };
  model.on("msg:custom", heard);
  return {
    call: ask, close: () => { model.off("msg:custom", heard); urls.forEach(async (url) => URL.revokeObjectURL(await url)); },
    picture(dna, reason) { const key = `${dna}/${reason ?? ""}`; if (!urls.has(key)) urls.set(key, ask("picture", { dna, reason: reason ?? null }).then((blob) => URL.createObjectURL(blob))); return urls.get(key); },
  };
}

function render({ model, el }) {
  const host = document.createElement("div");
  host.style.height = model.get("height") + "px";
  el.append(host);
  const transport = overWidget(model), mounted = mount(host, transport);
  return async () => { transport.close(); (await mounted)(); };
}
export default { render };
