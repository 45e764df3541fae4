// The review board: one module for JupyterLab (anywidget calls `render`) and for the page (which calls `mount`).
// A transport has call(verb, args) -> JSON and picture(dna, { reason, small }) -> URL; texts are set as text, never as markup.
// Sections: style, what is shown, the outbox (no decision is lost), the large view, the board, transports.

// ---- style

const STYLE = `
:host { all: initial; display: block; }
.board { --bg:#fafafa; --panel:#fff; --ink:#1b1d21; --soft:#5c636e; --line:#d4d7dc; --pick:#1b6e2e; --no:#b3261e; --ask:#8a5200; --now:#0b57d0; --on:#fff;
  font: 14px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--bg); display: grid; height: 100%; outline: none; box-sizing: border-box;
  grid-template: "bar bar" auto "alert alert" auto "wall side" minmax(0, 1fr) "foot foot" auto / minmax(0, 1fr) 340px; }
.board.dark { --bg:#131417; --panel:#1d1f23; --ink:#eceef1; --soft:#a4abb6; --line:#3a3e46; --pick:#6fd08c; --no:#ff8a80; --ask:#ffc46b; --now:#8ab4f8; --on:#131417; }
.board *, .board *::before { box-sizing: border-box; }
.sr { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
select, input, textarea, button { font: inherit; color: var(--ink); background: var(--bg); border: 1px solid var(--line); border-radius: 6px; padding: 3px 8px; min-height: 30px; }
button { cursor: pointer; touch-action: manipulation; } button:hover { border-color: var(--now); } button:disabled { opacity: .5; cursor: not-allowed; border-color: var(--line); }
button[aria-pressed=true] { background: var(--now); border-color: var(--now); color: var(--on); }
select:focus-visible, input:focus-visible, textarea:focus-visible, button:focus-visible { outline: 2px solid var(--now); outline-offset: 1px; }
kbd { font: 11px ui-monospace, monospace; border: 1px solid var(--line); border-radius: 4px; padding: 0 5px; color: var(--ink); background: var(--bg); }

.bar { grid-area: bar; display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: center; border-bottom: 1px solid var(--line); background: var(--panel); padding: 7px 12px; }
.tools, .filters { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: center; } .filters { width: 100%; } .state { flex: 1; min-width: 0; }
.filters label { color: var(--soft); display: flex; gap: 5px; align-items: center; } .filters select { max-width: 190px; }
.filters input { width: 150px; } .filters input.short { width: 72px; }
.menu { display: none; }
.state { display: flex; gap: 0 12px; align-items: center; min-height: 24px; white-space: nowrap; overflow: hidden; color: var(--soft); }
.state .count { color: var(--ink); font-variant-numeric: tabular-nums; } .state .note { overflow: hidden; text-overflow: ellipsis; } .state progress { width: 120px; }
.alert { grid-area: alert; background: var(--no); color: var(--on); padding: 8px 12px; font-weight: 600; display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: center; }
.alert[hidden] { display: none; } .alert.soft { background: var(--panel); color: var(--no); border-bottom: 1px solid var(--no); }
.alert.shake { animation: shake .25s 2; } @keyframes shake { 25% { translate: -6px 0; } 75% { translate: 6px 0; } }

.wall { grid-area: wall; position: relative; overflow-y: auto; outline: none; overflow-anchor: none; user-select: none; touch-action: manipulation; }
.wall:focus-visible { box-shadow: inset 0 0 0 2px var(--now); }
.tile { position: absolute; padding: 5px; border-radius: 8px; border: 2px solid transparent; background: var(--panel); cursor: pointer; overflow: hidden; }
.tile img { width: 100%; aspect-ratio: 1; object-fit: contain; display: block; border-radius: 4px; background: var(--line); }
.tile .line { display: flex; justify-content: space-between; gap: 4px; font-size: 12px; margin-top: 3px; white-space: nowrap; height: 17px; overflow: hidden; }
.tile .line.said { color: var(--soft); margin-top: 0; } .tile .line span { overflow: hidden; text-overflow: ellipsis; } .tile .line span:first-child { flex: 0 0 auto; max-width: 100%; }
.tile.accept { border-color: var(--pick); } .tile.reject { border-color: var(--no); } .tile.reject img { opacity: .45; }
.tile.selected { background: color-mix(in srgb, var(--now) 25%, var(--panel)); }
.tile.now, .tile.now.accept, .tile.now.reject { border-color: var(--now); box-shadow: 0 0 0 2px var(--now); }
.word { font-weight: 600; } .accept .word { color: var(--pick); } .reject .word { color: var(--no); } .review .word { color: var(--ask); } .tile .stars { color: var(--ask); }
.none { grid-area: wall; padding: 30px; color: var(--soft); align-self: start; margin: 0; }

.side { grid-area: side; border-left: 1px solid var(--line); background: var(--panel); overflow-y: auto; padding: 12px; outline: none; } .side:focus-visible { box-shadow: inset 0 0 0 2px var(--now); }
.preview { display: block; width: 100%; padding: 0; border: 0; background: var(--line); border-radius: 6px; overflow: hidden; }
.preview img { width: 100%; max-height: 42vh; object-fit: contain; display: block; }
.side h2 { font-size: 15px; margin: 8px 0 4px; } .side h3 { font-size: 12px; margin: 12px 0 3px; color: var(--soft); font-weight: 600; }
.side p, .info p { margin: 3px 0; overflow-wrap: anywhere; } dl { display: grid; grid-template-columns: auto 1fr; gap: 1px 10px; margin: 0; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; text-align: right; }
.side textarea { width: 100%; min-height: 54px; resize: vertical; margin-top: 6px; }
.why { margin-bottom: 8px; } .why p { color: var(--no); } .why img { width: 100%; border-radius: 6px; background: var(--line); display: block; }
.dock { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; } .dock button { flex: 1 1 auto; white-space: nowrap; min-height: 34px; }
.dock .accept[aria-pressed=true] { background: var(--pick); border-color: var(--pick); } .dock .reject[aria-pressed=true] { background: var(--no); border-color: var(--no); }
.rate { display: flex; } .dock .rate button { border: 0; background: none; padding: 0; min-width: 30px; min-height: 30px; font-size: 20px; line-height: 1; color: var(--soft); } .dock .rate button.on { color: var(--ask); }
.locked { color: var(--ask); font-weight: 600; } .more { display: none; }
.foot { grid-area: foot; display: flex; flex-wrap: wrap; gap: 2px 16px; padding: 5px 12px; border-top: 1px solid var(--line); color: var(--soft); background: var(--panel); font-size: 12px; }

dialog { color: var(--ink); background: var(--panel); border: 1px solid var(--line); border-radius: 10px; padding: 18px; max-width: 420px; font: inherit; }
dialog::backdrop { background: rgba(0,0,0,.55); } dialog .yesno { display: flex; justify-content: flex-end; gap: 8px; margin-top: 14px; }
.full { position: fixed; inset: 0; width: 100vw; height: 100vh; height: 100dvh; max-width: none; max-height: none; margin: 0; padding: 0; border: 0; border-radius: 0; background: #0b0c0e; color: #eceef1;
  --bg:#1d1f23; --panel:#131417; --ink:#eceef1; --soft:#a4abb6; --line:#3a3e46; --pick:#6fd08c; --no:#ff8a80; --ask:#ffc46b; --now:#8ab4f8; --on:#131417;
  grid-template: "alert alert" auto "stages info" minmax(0, 1fr) "strip strip" auto / minmax(0, 1fr) auto; }
.full[open] { display: grid; }
.stages { grid-area: stages; display: flex; min-width: 0; gap: 2px; } .pane { position: relative; flex: 1; min-width: 0; display: flex; flex-direction: column; }
.pane.now .caption { color: var(--now); } .caption { padding: 5px 10px; text-align: center; color: var(--soft); min-height: 30px; }
.stage { position: relative; flex: 1; overflow: hidden; touch-action: none; cursor: zoom-in; outline: none; } .stage.in { cursor: grab; } .stage.in:active { cursor: grabbing; }
.stage:focus-visible { box-shadow: inset 0 0 0 2px var(--now); } .pair .pane.now .stage { box-shadow: inset 0 0 0 2px var(--now); }
.stage img { position: absolute; max-width: none; user-select: none; -webkit-user-drag: none; } .stage img.crisp { image-rendering: pixelated; }
.info { grid-area: info; width: 300px; overflow-y: auto; padding: 12px; border-left: 1px solid var(--line); background: var(--panel); } .info[hidden] { display: none; } .info h3 { font-size: 12px; margin: 12px 0 3px; color: var(--soft); }
.strip { grid-area: strip; display: flex; flex-wrap: wrap; gap: 6px; padding: 8px 12px; justify-content: center; align-items: center; background: var(--panel); border-top: 1px solid var(--line); }
.strip .dock { justify-content: center; } .full .alert { grid-area: alert; }

@media (max-width: 760px) {
  .board { grid-template: "bar" auto "alert" auto "wall" minmax(0, 1fr) "side" auto / minmax(0, 1fr); }
  .tools { flex: 1; justify-content: flex-end; } .filters { order: 2; } .filters label { flex: 1 1 40%; justify-content: space-between; } .state { order: 3; flex: 1 0 100%; flex-wrap: wrap; white-space: normal; }
  .filters select, .filters input, .filters input.short { flex: 1; min-width: 0; width: 40px; } .bulk { flex: 1 1 40%; }
  .side { border-left: 0; border-top: 1px solid var(--line); padding: 8px; max-height: 70vh; } .board:not(.open) .preview, .board:not(.open) .details, .board:not(.open) .side textarea { display: none; }
  .side h2 { margin: 0 0 4px; font-size: 13px; } .more { display: inline-block; } .foot { display: none; }
  .info { grid-area: stages; width: auto; z-index: 2; border: 0; opacity: .97; } .strip .step { flex: 1; } .strip .dock { order: -1; width: 100%; } .rate { flex: 1; justify-content: center; }
}
@media (max-width: 760px), (max-height: 520px) { .menu { display: block; } .board:not(.filtering) .filters { display: none; } .filters { order: 2; } .state { order: 3; } .board:not(.open) .preview { display: none; } .foot { display: none; } }
@media (hover: none) { .stage:focus-visible { box-shadow: none; } }
@media (pointer: coarse), (max-width: 760px) { button, select, input { min-height: 44px; } .tools button, .strip button, .dock button { min-width: 44px; min-height: 44px; } .dock .rate button { min-width: 44px; min-height: 44px; } .foot, .dock kbd, .strip kbd { display: none; } }
@media (min-width: 1900px) { .board { grid-template-columns: minmax(0, 1fr) 440px; } .info { width: 380px; } }
@media (prefers-reduced-motion: no-preference) { .tile { transition: border-color .12s; } } @media (prefers-reduced-motion: reduce) { .alert.shake { animation: none; } }
`;

// ---- what is shown

const make = (name, props = {}, ...inside) => {
  const el = document.createElement(name);
  for (const [key, value] of Object.entries(props)) key in el && key !== "list" ? (el[key] = value) : el.setAttribute(key, value);
  el.append(...inside.filter((each) => each !== null && each !== undefined));
  return el;
};
const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(9)), (b) => b.toString(16).padStart(2, "0")).join("");
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const many = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;

const WORD = { accept: "picked", reject: "rejected", review: "for people", withdrawn: "undecided" };
const MACHINE = { accept: "machine: yes", reject: "machine: no", review: "machine: ask" };
const decided = (card) => Boolean(card.mine) && card.mine.decision !== "withdrawn";
const locked = (card) => card.packed !== null && card.packed !== undefined;
const placeOf = (card) => `${card.slot}/${card.attempt}`;

// The last word of everybody else, newest last: [[name, decision]].
function others(card, me) {
  const last = new Map();
  for (const row of card.people ?? []) if (row.by !== me) { last.delete(row.by); last.set(row.by, row.decision); }
  return [...last].filter(([, decision]) => decision !== "withdrawn");
}
const noted = (card) => Boolean(card.mine?.note) || (card.people ?? []).some((row) => row.note);
const disagreed = (card, me) => new Set([...others(card, me).map(([, word]) => word), ...(decided(card) ? [card.mine.decision] : [])]).size > 1;
const SHOWN = {
  "undecided": (c) => !decided(c) && !locked(c), "left to people": (c) => !decided(c) && !locked(c) && c.machine?.decision === "review",
  "picked by me": (c) => c.mine?.decision === "accept", "rejected by me": (c) => c.mine?.decision === "reject",
  "picked by others": (c, me) => others(c, me).some(([, word]) => word === "accept"), "rejected by others": (c, me) => others(c, me).some(([, word]) => word === "reject"),
  "people disagree": disagreed, "with stars": (c) => Boolean(c.mine?.stars), "with a note": noted,
  "accepted by the machine": (c) => c.machine?.decision === "accept", "rejected by the machine": (c) => c.machine?.decision === "reject",
  "with duplicates": (c) => (c.machine?.reasons ?? []).some((why) => why.startsWith("duplicate ") || why.startsWith("alike ")),
  "chosen": (c) => c.chosen, "packed": locked, "all": () => true,
};
const latest = (card) => [card.mine, ...(card.people ?? [])].reduce((last, row) => (row?.at > last ? row.at : last), "");
const SORTED = { "stars ↓": (c) => c.mine?.stars ?? -1, "decided last ↓": latest };
const texts = (card) => [card.prompt, card.negative, card.seed, card.dna, card.mine?.note, ...(card.people ?? []).map((row) => row.note), ...Object.values(card.traits)].filter((each) => each !== undefined && each !== null).join("\n").toLowerCase();

// ---- the outbox: what a person decides stays in the browser until the server has said that it is on disk

const wrong = (kind, message) => Object.assign(new Error(message), { kind }); // away: try again; closed: stop until it opens; refused: a person must say

class Outbox {
  constructor(transport, board, { heard, changed }) {
    Object.assign(this, { transport, board, heard, changed, entries: [], byDna: new Map(), trouble: null, unkept: 0, over: false, count: 0 });
    for (const [key, entry] of this.shelf()) this.hold(entry, key);
  }
  get prefix() { return `artmint/${this.board}/`; }
  get stopped() { return this.trouble?.kind === "closed" || this.trouble?.kind === "refused"; }

  // What the browser keeps for this board, oldest first: one item an action, so that two tabs don't overwrite each other.
  shelf() {
    const kept = [];
    try {
      for (let i = 0; i < localStorage.length; i++) { const key = localStorage.key(i); if (key.startsWith(this.prefix)) kept.push([key, JSON.parse(localStorage.getItem(key))]); }
    } catch { return []; }
    return kept.sort(([a], [b]) => (a < b ? -1 : 1));
  }
  add(entry) {
    const key = `${this.prefix}${String(Date.now()).padStart(15, "0")}-${String(this.count++).padStart(7, "0")}-${entry.args.id}`;
    try { localStorage.setItem(key, JSON.stringify(entry)); this.hold(entry, key); } catch { this.hold(entry, null); }
    this.changed();
    this.run();
  }
  hold(entry, key) {
    entry = { ...entry, key };
    this.entries.push(entry);
    if (!key) this.unkept++;
    for (const dna of entry.args.dnas) { if (!this.byDna.has(dna)) this.byDna.set(dna, []); this.byDna.get(dna).push(entry); }
  }
  drop(entry, aside = false) {
    this.entries.splice(this.entries.indexOf(entry), 1);
    for (const dna of entry.args.dnas) { const left = this.byDna.get(dna).filter((each) => each !== entry); if (left.length) this.byDna.set(dna, left); else this.byDna.delete(dna); }
    if (!entry.key) { this.unkept--; return; }
    try { if (aside) localStorage.setItem(entry.key.replace("artmint/", "artmint-aside/"), JSON.stringify(entry)); localStorage.removeItem(entry.key); } catch { /* it is sent again and recorded once */ }
  }
  // A card as it is once everything has been sent.
  ahead(card) {
    for (const { verb, args, before } of this.byDna.get(card.dna) ?? []) {
      if (verb === "act") { const { id, dnas, ...what } = args; card.mine = { decision: "withdrawn", ...(card.mine ?? {}), ...what }; }
      else if (before) card.mine = before[args.dnas.indexOf(card.dna)];
    }
    return card;
  }
  async run() {
    if (this.running || this.over) return;
    this.running = true;
    for (let wait = 200; this.entries.length && !this.over;) {
      const entry = this.entries[0];
      try {
        const cards = await this.transport.call(entry.verb, { ...entry.args, board: this.board });
        if (!Array.isArray(cards) || cards.length !== new Set(entry.args.dnas).size) throw wrong("away", "Something else answers at this address.");
        if (this.over) break; // another board took over; it has been sent, and is recorded once
        this.drop(entry);
        wait = 200; this.trouble = null;
        this.heard(cards);
      } catch (error) {
        this.trouble = { kind: error.kind ?? "away", message: error.message };
        this.changed();
        if (this.trouble.kind === "refused") await new Promise((done) => { this.decide = done; });
        else await Promise.race([pause(this.trouble.kind === "closed" ? 3000 : wait), new Promise((done) => { this.decide = done; })]);
        wait = Math.min(wait * 2, 3000);
      }
      this.changed();
    }
    this.running = false;
  }
  again() { this.decide?.(); }
  setAside() { const entry = this.entries[0]; if (entry) { this.drop(entry, true); this.trouble = null; this.decide?.(); this.changed(); } }
  // What is wrong, in words; never "kept" of what isn't.
  get words() {
    if (!this.trouble && !this.unkept) return "";
    const left = many(this.entries.length, "decision"), kept = this.unkept ? `${this.unkept} of ${left} can't be kept by this browser: leave this page open until they are sent.` : this.entries.length ? `${left} not sent yet; this browser keeps ${this.entries.length === 1 ? "it" : "them"} and sends ${this.entries.length === 1 ? "it" : "them"} when it can.` : "";
    if (!this.trouble) return kept;
    if (this.trouble.kind === "closed") return `STOPPED. ${this.trouble.message} ${kept} Nothing more can be decided here until then.`;
    if (this.trouble.kind === "refused") return `STOPPED. ${this.trouble.message} ${kept}`;
    return `${this.trouble.message} ${kept}`;
  }
  close() { this.over = true; this.decide?.(); }
}

// ---- the large view: a picture, or two, in true pixels

const CLICK = 6; // pixels that a pointer may move and still click

class Pane {
  constructor(view, index) {
    Object.assign(this, { view, index, dna: null, scale: 0, x: 0.5, y: 0.5 }); // scale: screen pixels a picture's pixel, 0 to fit; x, y: what is in the middle, as parts of the picture
    this.image = make("img", { alt: "", draggable: false });
    this.stage = make("div", { className: "stage", tabIndex: 0 }, this.image);
    this.caption = make("div", { className: "caption" });
    this.el = make("div", { className: "pane" }, this.stage, this.caption);
    this.image.addEventListener("load", () => this.lay());
    this.stage.addEventListener("pointerdown", (event) => this.down(event));
    this.stage.addEventListener("wheel", (event) => { event.preventDefault(); this.zoom(event.deltaY < 0 ? 1 : -1, event); }, { passive: false });
  }
  show(card, url) {
    if (this.dna !== card.dna) { this.dna = card.dna; this.image.removeAttribute("src"); this.image.style.width = "0"; }
    url.then((address) => { if (this.dna === card.dna && this.image.getAttribute("src") !== address) this.image.src = address; }, () => { this.caption.textContent = "The picture can't be loaded."; });
    this.image.alt = `slot ${card.slot}, attempt ${card.attempt}: ${card.prompt ?? ""}`;
    this.stage.setAttribute("aria-label", `picture of slot ${card.slot}, attempt ${card.attempt}`);
  }
  // Fitting is smooth when it shrinks; when it enlarges, every pixel becomes the same whole number of screen pixels.
  fit() {
    const { width, height } = this.stage.getBoundingClientRect(), dpr = devicePixelRatio || 1;
    const scale = Math.min((width * dpr) / this.image.naturalWidth, (height * dpr) / this.image.naturalHeight);
    return scale >= 1 ? Math.floor(scale) : scale;
  }
  lay() {
    if (!this.image.naturalWidth) return;
    const box = this.stage.getBoundingClientRect(), dpr = devicePixelRatio || 1, scale = this.scale || this.fit();
    const wide = (this.image.naturalWidth * scale) / dpr, high = (this.image.naturalHeight * scale) / dpr;
    const put = (size, room, part) => Math.round((size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, room / 2 - part * size))) * dpr) / dpr;
    const left = put(wide, box.width, this.x), top = put(high, box.height, this.y);
    if (wide > box.width) this.x = (box.width / 2 - left) / wide;
    if (high > box.height) this.y = (box.height / 2 - top) / high;
    Object.assign(this.image.style, { width: `${wide}px`, height: `${high}px`, left: `${left}px`, top: `${top}px` });
    this.image.classList.toggle("crisp", scale > 1);
    this.stage.classList.toggle("in", Boolean(this.scale));
    this.shown = scale;
    this.view.captioned(this);
  }
  // The part of the picture under the pointer stays under it.
  zoomTo(scale, event) {
    const box = this.stage.getBoundingClientRect(), at = this.image.getBoundingClientRect(), dpr = devicePixelRatio || 1;
    if (event && at.width) {
      const part = [(event.clientX - at.left) / at.width, (event.clientY - at.top) / at.height].map((each) => Math.min(1, Math.max(0, each)));
      const size = [(this.image.naturalWidth * (scale || 1)) / dpr, (this.image.naturalHeight * (scale || 1)) / dpr];
      this.x = part[0] - (event.clientX - box.left - box.width / 2) / size[0];
      this.y = part[1] - (event.clientY - box.top - box.height / 2) / size[1];
    }
    this.view.scaled(this, scale);
  }
  toggle(event) { this.zoomTo(this.scale ? 0 : this.fit() === 1 ? 2 : 1, event); }
  zoom(step, event) {
    const fit = this.fit(), levels = [...new Set([Math.min(1, fit), fit, 1, 2, 3, 4, 6, 8, 12, 16])].filter((each) => each >= Math.min(1, fit)).sort((a, b) => a - b);
    const now = levels.findIndex((each) => each >= (this.scale || fit) - 1e-9), next = levels[Math.min(levels.length - 1, Math.max(0, now + step))];
    this.zoomTo(next === fit ? 0 : next, event);
  }
  down(event) {
    if (event.button > 0) return;
    this.view.activate(this.index);
    this.stage.setPointerCapture(event.pointerId);
    const inside = event.target === this.image, begun = { x: event.clientX, y: event.clientY, px: this.x, py: this.y };
    const move = (now) => {
      if (!this.scale) return;
      const at = this.image.getBoundingClientRect();
      this.x = begun.px - (now.clientX - begun.x) / at.width; this.y = begun.py - (now.clientY - begun.y) / at.height;
      this.view.moved(this);
    };
    const up = (now) => {
      for (const name of ["pointermove", "pointerup", "pointercancel"]) this.stage.removeEventListener(name, name === "pointermove" ? move : up);
      const dx = now.clientX - begun.x, dy = now.clientY - begun.y;
      if (now.type === "pointercancel") return;
      if (Math.hypot(dx, dy) < CLICK) { if (inside) this.toggle(now); else this.view.away(); }
      else if (!this.scale && now.pointerType !== "mouse" && Math.abs(dx) > 50 && Math.abs(dx) > Math.abs(dy)) this.view.swiped(dx < 0 ? 1 : -1);
    };
    this.stage.addEventListener("pointermove", move); this.stage.addEventListener("pointerup", up); this.stage.addEventListener("pointercancel", up);
  }
}

// Buttons that decide: the same under the picture and in the large view. `act` has pick, reject, unflag, rate, next.
function dockOf(act) {
  const button = (name, text, key, run) => {
    const el = make("button", { type: "button", className: name }, text, make("kbd", { textContent: key, "aria-hidden": "true" }));
    el.firstChild.textContent = text + " ";
    el.addEventListener("mousedown", (event) => event.preventDefault()); // so that a key after a click isn't the button's
    el.addEventListener("click", run);
    return el;
  };
  const pick = button("accept", "Pick", "P", act.pick), reject = button("reject", "Reject", "X", act.reject), unflag = button("unflag", "Unflag", "U", act.unflag), next = button("next", "Next", "→", act.next);
  const rate = make("div", { className: "rate" }), stars = [];
  rate.setAttribute("role", "group"); rate.setAttribute("aria-label", "stars");
  for (let n = 1; n <= 5; n++) {
    const star = make("button", { type: "button", textContent: "★" });
    star.setAttribute("aria-label", `★ ${n} of 5 stars`);
    star.addEventListener("mousedown", (event) => event.preventDefault());
    star.addEventListener("click", () => act.rate(n));
    stars.push(star); rate.append(star);
  }
  const el = make("div", { className: "dock" }, pick, reject, unflag, next, rate);
  const show = (card, blocked) => {
    for (const each of [pick, reject, unflag, ...stars]) each.disabled = blocked || !card;
    next.disabled = !card;
    pick.setAttribute("aria-pressed", String(card?.mine?.decision === "accept")); reject.setAttribute("aria-pressed", String(card?.mine?.decision === "reject"));
    stars.forEach((star, i) => { star.className = i < (card?.mine?.stars ?? 0) ? "on" : ""; star.setAttribute("aria-pressed", String(i + 1 === card?.mine?.stars)); });
  };
  return { el, show };
}

const listOf = (facts) => { const dl = make("dl"); for (const [key, value] of facts) dl.append(make("dt", { textContent: key }), make("dd", { textContent: String(value) })); return dl; };
const plain = (value) => typeof value === "string" && value.length > 20 ? value.slice(0, 12) : typeof value === "object" ? JSON.stringify(value) : value;
const scoresOf = (card) => Object.entries(card.scores).map(([name, score]) => [name, typeof score === "number" ? Number(score.toPrecision(4)) : score]);

// What is known of a card, as elements: reasons (with their pictures where asked), people's words, claims, scores, prompt, recipe.
function described(card, picture) {
  const part = [], heading = (text) => part.push(make("h3", { textContent: text }));
  if (card.machine) heading(`The machine: ${card.machine.decision}`);
  (card.machine?.reasons ?? []).forEach((why, i) => {
    const shown = picture ? make("img", { alt: "" }) : null;
    if (picture) picture(card.dna, { reason: i }).then((url) => { shown.src = url; }, () => shown.remove());
    part.push(make("div", { className: "why" }, make("p", { textContent: why }), shown));
  });
  if (card.people.length) { heading("People"); part.push(...card.people.map((p) => make("p", { textContent: `${p.by} ${WORD[p.decision] ?? p.decision}${p.undoes ? " (undone)" : ""} ${new Date(p.at).toLocaleString()}${p.stars !== undefined ? ", " + many(p.stars, "star") : ""}${p.note ? ": " + p.note : ""}` }))); }
  heading("Claims"); part.push(listOf(Object.entries(card.traits)));
  if (Object.keys(card.scores).length) { heading("Scores"); part.push(listOf(scoresOf(card))); }
  if (card.prompt) { heading("Prompt"); part.push(make("p", { textContent: card.prompt })); }
  if (card.negative) part.push(make("p", { textContent: "without: " + card.negative }));
  heading(card.parameters.made ? "Made by hand" : "Recipe");
  part.push(listOf([...(card.seed === null || card.seed === undefined ? [] : [["seed", card.seed]]), ...Object.entries(card.parameters).map(([k, v]) => [k, plain(v)]), ["dna", card.dna.slice(0, 12)]]));
  return part;
}

class Large {
  constructor(board) { // gives card(dna), picture(dna), act, step(by), blocked(card), neighbours(), me
    this.board = board; this.active = 0; this.panes = [new Pane(this, 0), new Pane(this, 1)];
    this.stages = make("div", { className: "stages" });
    this.info = make("aside", { className: "info", hidden: !matchMedia("(min-width: 1100px)").matches, tabIndex: 0 }); this.info.setAttribute("aria-label", "what is known of the picture");
    this.alert = make("div", { className: "alert", hidden: true });
    const button = (text, key, label, run, name = "step") => { const el = make("button", { type: "button", className: name }, text, make("kbd", { textContent: key, "aria-hidden": "true" })); if (label) el.setAttribute("aria-label", label); el.addEventListener("mousedown", (event) => event.preventDefault()); el.addEventListener("click", run); return el; };
    this.dock = dockOf(board.act);
    this.zoomed = button("1:1 ", "Z", "1:1, true pixels", () => this.pane.toggle()); this.known = button("Info ", "I", "", () => this.toggleInfo());
    this.strip = make("div", { className: "strip" }, button("‹ ", "←", "‹ previous", () => this.board.step(-1)), this.dock.el, button("› ", "→", "› following", () => this.board.step(1)), this.zoomed, this.known, button("Close ", "Esc", "", () => this.close()));
    this.el = make("dialog", { className: "full" }, this.alert, this.stages, this.info, this.strip);
    this.el.setAttribute("aria-label", "large view");
    this.el.addEventListener("close", () => { this.dnas = []; board.closed(); });
    this.dnas = [];
    addEventListener("resize", this.resized = () => { if (this.el.open) this.shown().forEach((pane) => pane.lay()); });
  }
  get open() { return this.el.open; }
  get pair() { return this.dnas.length === 2; }
  get pane() { return this.panes[this.active]; }
  shown() { return this.panes.slice(0, this.dnas.length); }
  show(dnas, active = 0) {
    this.dnas = dnas; this.active = Math.min(active, dnas.length - 1);
    this.stages.classList.toggle("pair", this.pair);
    if (this.stages.childElementCount !== dnas.length) this.stages.replaceChildren(...this.shown().map((pane) => pane.el));
    if (!this.el.open) { this.panes.forEach((pane) => { pane.scale = 0; }); this.el.showModal(); this.panes[0].stage.focus({ preventScroll: true }); }
    this.refresh();
    for (const dna of this.board.neighbours()) this.board.picture(dna).then((url) => { const ahead = new Image(); ahead.src = url; }, () => {});
  }
  refresh() {
    if (!this.el.open || !this.dnas.length) return;
    this.shown().forEach((pane, i) => { const card = this.board.card(this.dnas[i]); pane.el.classList.toggle("now", this.pair && i === this.active); pane.show(card, this.board.picture(card.dna)); this.captioned(pane); });
    const card = this.board.card(this.dnas[this.active]);
    this.dock.show(card, this.board.blocked(card));
    this.info.replaceChildren(...described(card));
    this.known.setAttribute("aria-pressed", String(!this.info.hidden));
  }
  captioned(pane) {
    const card = this.board.card(pane.dna); if (!card) return;
    const words = others(card, this.board.me()).map(([name, word]) => `${name} ${WORD[word]}`), size = pane.image.naturalWidth ? `${pane.image.naturalWidth}×${pane.image.naturalHeight} at ${pane.shown >= 1 ? pane.shown + ":1" : Math.round(pane.shown * 100) + " %"}` : "";
    pane.caption.textContent = [placeOf(card), WORD[card.mine?.decision] ?? "undecided", card.mine?.stars ? "★".repeat(card.mine.stars) : "", card.chosen ? "edition" : "", locked(card) ? `packed in drop ${card.packed}: can't be changed any more` : "", card.machine ? MACHINE[card.machine.decision] : "", ...words, size].filter(Boolean).join(" · ");
    if (pane === this.pane) this.zoomed.setAttribute("aria-pressed", String(Boolean(pane.scale)));
  }
  activate(index) { if (this.pair && index !== this.active) { this.active = index; this.refresh(); } }
  scaled(pane, scale) { for (const each of this.shown()) { each.scale = scale; each.x = pane.x; each.y = pane.y; each.lay(); } }
  moved(pane) { pane.lay(); for (const each of this.shown()) if (each !== pane) { each.x = pane.x; each.y = pane.y; each.lay(); } }
  swiped(by) { this.board.step(by); }
  away() { if (!this.pane.scale) this.close(); }
  toggleInfo() { this.info.hidden = !this.info.hidden; this.refresh(); this.shown().forEach((pane) => pane.lay()); }
  warn(text, soft) { this.alert.textContent = text; this.alert.hidden = !text; this.alert.classList.toggle("soft", soft); }
  close() { if (this.el.open) this.el.close(); }
  end() { removeEventListener("resize", this.resized); }
}

// ---- the board

const SIZES = { small: 104, medium: 150, large: 220, huge: 330 };
const ASK_FROM = 10; // a decision on more than so many at once is asked about
const FIRST = 60, PAGE = 500; // cards that are asked for at once
const KEYS = [["P", "pick"], ["X", "reject"], ["U", "unflag"], ["Ctrl+Z", "undo"], ["0–5", "stars"], ["arrows", "move"], ["space", "full size"], ["Z", "1:1"], ["C", "compare"], ["N", "note"], ["/", "search"], ["shift, ctrl + click", "select"]];

export async function mount(host, transport, { page = false } = {}) {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" }), sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  root.replaceChildren();
  const ui = {}, state = { cards: new Map(), order: [], total: 0, at: 0, anchor: 0, done: [], undone: new Set(), heard: new Map(), selection: new Set(), columns: 1, size: 0, high: 1, pool: new Map(), loading: true, touched: false, me: "", find: [] };
  let outbox = null;

  // -- what is there
  const board = make("section", { className: "board" }); board.setAttribute("aria-label", "review board");
  const choice = (label, options) => { const select = make("select"); for (const each of options) select.append(make("option", { value: each, textContent: each })); return [make("label", {}, label, select), select]; };
  const tool = (text, name, run) => { const el = make("button", { type: "button", textContent: text, className: name }); el.addEventListener("click", run); return el; };
  const labels = {};
  [labels.show, ui.show] = choice("show", Object.keys(SHOWN)); [labels.sort, ui.sort] = choice("sort by", ["slot", ...Object.keys(SORTED)]); [labels.trait, ui.trait] = choice("trait", ["any"]); [labels.size, ui.size] = choice("tiles", Object.keys(SIZES));
  ui.size.value = innerWidth > 2200 ? "large" : "medium";
  ui.slot = make("input", { type: "number", min: 1, placeholder: "all", className: "short" });
  ui.find = make("input", { type: "search", placeholder: "prompt, seed, note" });
  ui.title = make("h1", { className: "sr", textContent: "Review" });
  ui.who = make("span", { className: "who" }); ui.count = make("span", { className: "count" }); ui.note = make("span", { className: "note" }); ui.note.setAttribute("role", "status"); ui.progress = make("progress", { max: 1, value: 0 }); ui.progress.setAttribute("aria-label", "reading candidates");
  ui.alert = make("div", { className: "alert", hidden: true }); ui.alert.setAttribute("role", "alert"); ui.says = make("span"); ui.again = tool("Try again", "", () => outbox?.again()); ui.aside = tool("Set it aside", "", () => outbox?.setAside()); ui.alert.append(ui.says, ui.again, ui.aside);
  ui.menu = tool("Filters", "menu", () => { ui.menu.setAttribute("aria-expanded", String(board.classList.toggle("filtering"))); draw(); }); ui.menu.setAttribute("aria-expanded", "false");
  ui.select = tool("Select", "", () => selecting(ui.select.getAttribute("aria-pressed") !== "true")); ui.select.setAttribute("aria-pressed", "false");
  ui.compare = tool("Compare", "", () => compare()); ui.undo = tool("Undo", "", () => undo());
  ui.all = tool("Pick all shown", "bulk", () => bulk("accept")); ui.none = tool("Reject all shown", "bulk", () => bulk("reject"));
  ui.wall = make("div", { className: "wall", tabIndex: 0 }); ui.wall.setAttribute("role", "listbox"); ui.wall.setAttribute("aria-label", "candidates"); ui.wall.setAttribute("aria-multiselectable", "true");
  ui.space = make("div"); ui.space.setAttribute("role", "presentation"); ui.wall.append(ui.space);
  ui.empty = make("p", { className: "none", hidden: true });
  ui.image = make("img", { alt: "" }); ui.preview = make("button", { type: "button", className: "preview" }, ui.image); ui.preview.setAttribute("aria-label", "open the large view"); ui.preview.addEventListener("click", () => enlarge());
  ui.heading = make("h2"); ui.locked = make("p", { className: "locked" });
  ui.text = make("textarea", { placeholder: "a note (N)", maxLength: 2000 }); ui.text.setAttribute("aria-label", "note"); ui.details = make("div", { className: "details" });
  ui.side = make("aside", { className: "side", tabIndex: 0 }); ui.side.setAttribute("aria-label", "the candidate at hand");
  const act = { pick: () => judge("accept"), reject: () => judge("reject"), unflag: () => judge("withdrawn"), next: () => following(), rate: (n) => rate(n) };
  const dock = dockOf(act);
  ui.more = tool("Details", "more", () => { ui.more.setAttribute("aria-expanded", String(board.classList.toggle("open"))); draw(); }); ui.more.setAttribute("aria-expanded", "false"); dock.el.append(ui.more);
  ui.side.append(ui.preview, ui.heading, ui.locked, dock.el, ui.text, ui.details);
  const foot = make("div", { className: "foot" }); for (const [key, what] of KEYS) foot.append(make("span", {}, make("kbd", { textContent: key }), " " + what));
  ui.question = make("p"); ui.yes = make("button", { type: "button", value: "yes" }); ui.no = make("button", { type: "button", textContent: "Cancel" });
  ui.ask = make("dialog", { className: "ask" }, ui.question, make("div", { className: "yesno" }, ui.no, ui.yes)); ui.ask.setAttribute("aria-label", "question");
  ui.yes.addEventListener("click", () => ui.ask.close("yes")); ui.no.addEventListener("click", () => ui.ask.close(""));
  const large = new Large({ card: (dna) => state.cards.get(dna), picture: (dna) => transport.picture(dna), act, step: (by) => step(by), blocked: (card) => blocked(card), neighbours: () => [1, -1, 2].map((by) => state.order[state.at + by]).filter(Boolean), me: () => state.me, closed: () => { focusWall(); reveal(); } });
  const filters = make("div", { className: "filters" }, labels.show, labels.sort, labels.trait, make("label", {}, "slot", ui.slot), make("label", {}, "search", ui.find), labels.size, ui.all, ui.none);
  board.append(ui.title, make("div", { className: "bar" }, ui.menu, filters, make("div", { className: "state" }, ui.who, ui.count, ui.progress, ui.note), make("div", { className: "tools" }, ui.select, ui.compare, ui.undo)), ui.alert, ui.wall, ui.empty, ui.side, foot, large.el, ui.ask);
  root.append(board);
  const dark = () => document.body.dataset.jpThemeLight ? document.body.dataset.jpThemeLight === "false" : matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = () => board.classList.toggle("dark", dark());
  theme();
  const scheme = matchMedia("(prefers-color-scheme: dark)"); scheme.addEventListener("change", theme);
  const watch = new MutationObserver(theme); watch.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  const focusWall = () => ui.wall.focus({ preventScroll: true });
  const tell = (text) => { ui.note.textContent = text; };
  const question = (text, yes) => new Promise((done) => { ui.question.textContent = text; ui.yes.textContent = yes; ui.ask.returnValue = ""; ui.ask.addEventListener("close", () => { focusWall(); done(ui.ask.returnValue === "yes"); }, { once: true }); ui.ask.showModal(); });

  // -- order: fixed until the person asks for another, so nothing jumps
  const current = () => state.cards.get(state.order[state.at]);
  const valueOf = (card, key) => SORTED[key] ? SORTED[key](card) : card.scores[key.replace(/ [↑↓]$/, "")] ?? -Infinity;
  const bySlot = (a, b) => a.slot - b.slot || a.attempt - b.attempt;
  function wanted() {
    const show = SHOWN[ui.show.value] ?? SHOWN.all, cut = ui.trait.value.indexOf(": "), [trait, value] = cut < 0 ? [] : [ui.trait.value.slice(0, cut), ui.trait.value.slice(cut + 2)], slot = Number(ui.slot.value), words = ui.find.value.toLowerCase().split(/\s+/).filter(Boolean);
    return (c) => show(c, state.me) && (!trait || String(c.traits[trait]) === value) && (!slot || c.slot === slot) && (!words.length || words.every((word) => texts(c).includes(word)));
  }
  function arrange(keep = current()?.dna) {
    const key = ui.sort.value, sign = key.endsWith("↑") ? 1 : -1, kept = [...state.cards.values()].filter(wanted());
    const worth = new Map(key === "slot" ? [] : kept.map((c) => [c, valueOf(c, key)]));
    kept.sort(key === "slot" ? bySlot : (a, b) => { const [x, y] = [worth.get(a), worth.get(b)]; return (x < y ? -sign : x > y ? sign : 0) || bySlot(a, b); });
    state.order = kept.map((c) => c.dna);
    state.selection.clear();
    state.at = state.anchor = Math.max(0, state.order.indexOf(keep));
    measure(); reveal(); draw(); detail(); remember();
  }
  let counting = 0;
  function recount() { clearTimeout(counting); counting = setTimeout(() => { const all = [...state.cards.values()]; for (const option of ui.show.options) option.textContent = `${option.value} (${all.filter((c) => SHOWN[option.value](c, state.me)).length.toLocaleString("en")})`; }, 250); }

  // -- only the rows that can be seen are in the page
  function measure() {
    const width = ui.wall.clientWidth || 600, columns = Math.max(1, Math.floor((width - 8) / SIZES[ui.size.value])), size = Math.floor((width - 8) / columns);
    Object.assign(state, { columns, size, high: size + 40 });
    ui.space.style.height = Math.ceil(state.order.length / columns) * state.high + 8 + "px";
  }
  function draw() {
    measure();
    const { columns, high } = state, first = Math.max(0, Math.floor(ui.wall.scrollTop / high) - 1) * columns, last = Math.min(state.order.length, (Math.ceil((ui.wall.scrollTop + ui.wall.clientHeight) / high) + 1) * columns), seen = new Set();
    for (const dna of state.order.slice(first, last)) seen.add(dna);
    for (const [dna, tile] of state.pool) if (!seen.has(dna)) { tile.remove(); state.pool.delete(dna); }
    for (let i = first, before = null; i < last; i++) { // who reads the page in order reads the wall in order
      const tile = place(state.order[i], i);
      if (!tile.parentNode || tile.previousSibling !== before) { if (before) before.after(tile); else ui.space.prepend(tile); }
      before = tile;
    }
    ui.empty.hidden = state.order.length > 0;
    ui.empty.textContent = state.loading ? "Reading candidates …" : state.total ? "Nothing is left here. Choose another view above." : "There are no candidates yet: artmint run paints them.";
    status();
  }
  function status() {
    let open = 0; for (const card of state.cards.values()) if (SHOWN.undecided(card)) open++;
    const unsent = outbox?.entries.length ?? 0, number = (n) => n.toLocaleString("en");
    ui.count.textContent = `${number(state.order.length)} shown, ${number(open)} of ${number(state.loading ? state.total : state.cards.size)} undecided` + (state.selection.size ? `, ${number(state.selection.size)} selected` : "") + (unsent ? `, ${number(unsent)} saving` : "");
    ui.progress.hidden = !state.loading; ui.progress.value = state.total ? state.cards.size / state.total : 0;
    ui.undo.disabled = !state.done.length;
    const words = outbox?.words ?? "", soft = Boolean(outbox && !outbox.stopped);
    if (ui.says.textContent !== words) { ui.says.textContent = words; ui.alert.hidden = !words; large.warn(words, soft); }
    ui.alert.classList.toggle("soft", soft);
    ui.again.hidden = !outbox?.trouble; ui.aside.hidden = outbox?.trouble?.kind !== "refused";
    if (state.stopped !== outbox?.stopped) { state.stopped = outbox?.stopped; detail(); large.refresh(); }
  }
  function place(dna, i) {
    let tile = state.pool.get(dna);
    if (!tile) {
      const line = (name) => make("div", { className: name }, make("span"), make("span", { className: name === "line" ? "word" : "" }));
      tile = make("div", { className: "tile", id: "t" + dna.slice(0, 16) }, make("img", { alt: "", draggable: false, decoding: "async" }), line("line"), line("line said"), make("span", { className: "sr" }));
      tile.setAttribute("role", "option");
      tile.addEventListener("click", (event) => clicked(state.order.indexOf(dna), event));
      tile.addEventListener("dblclick", () => enlarge());
      transport.picture(dna, { small: true }).then((url) => { tile.firstChild.src = url; }, () => {});
      state.pool.set(dna, tile);
    }
    const card = state.cards.get(dna), word = decided(card) ? card.mine.decision : "", [place, mine] = tile.children[1].children, [machine, people] = tile.children[2].children;
    tile.className = ["tile", word || (card.machine?.decision === "review" ? "review" : ""), i === state.at ? "now" : "", state.selection.has(dna) ? "selected" : ""].join(" ");
    tile.style.cssText = `width:${state.size - 8}px;height:${state.high - 8}px;left:${8 + (i % state.columns) * state.size}px;top:${8 + Math.floor(i / state.columns) * state.high}px`;
    place.replaceChildren(placeOf(card), make("span", { className: "stars", textContent: card.mine?.stars ? " " + "★".repeat(card.mine.stars) : "" }));
    mine.textContent = WORD[word] ?? "";
    machine.textContent = locked(card) ? `packed in drop ${card.packed}` : card.chosen ? "edition" : card.machine ? MACHINE[card.machine.decision] : "";
    const said = others(card, state.me), ticks = (decision, mark) => { const count = said.filter(([, word]) => word === decision).length; return count ? `${mark}${count}` : ""; };
    const named = said.map(([name, word]) => `${name} ${word === "accept" ? "✓" : "✗"}`), short = machine.textContent.length + named.join(" ").length + 3 > state.size / 7;
    people.textContent = [...(short ? [ticks("accept", "✓"), ticks("reject", "✗")] : named), noted(card) ? "✎" : ""].filter(Boolean).join(" ");
    tile.lastChild.textContent = Object.entries(card.traits).map(([key, value]) => `${key} ${value}`).join(", ") + (word ? "" : ", undecided");
    tile.title = [locked(card) ? `packed in drop ${card.packed}: can't be changed any more` : "", card.chosen ? "edition" : "", card.machine ? MACHINE[card.machine.decision] : "", ...named].filter(Boolean).join(", ");
    tile.setAttribute("aria-selected", String(state.selection.size ? state.selection.has(dna) : i === state.at));
    tile.setAttribute("aria-setsize", String(state.order.length)); tile.setAttribute("aria-posinset", String(i + 1));
    if (i === state.at) ui.wall.setAttribute("aria-activedescendant", tile.id);
    return tile;
  }
  const sight = () => { const top = Math.floor(state.at / state.columns) * state.high; return top + state.high / 2 > ui.wall.scrollTop && top + state.high / 2 < ui.wall.scrollTop + ui.wall.clientHeight; };
  function reveal() {
    const top = Math.floor(state.at / state.columns) * state.high;
    if (top < ui.wall.scrollTop) ui.wall.scrollTop = top;
    else if (top + state.high + 8 > ui.wall.scrollTop + ui.wall.clientHeight) ui.wall.scrollTop = top + state.high + 8 - ui.wall.clientHeight;
  }
  function go(i) {
    if (!state.order.length) return;
    state.at = Math.min(Math.max(i, 0), state.order.length - 1);
    reveal(); draw(); detail(); remember();
    if (large.open) large.show([current().dna]);
  }
  const following = () => { for (let i = state.at + 1; i < state.order.length; i++) { const card = state.cards.get(state.order[i]); if (!decided(card) && !locked(card)) return go(i); } go(state.at + 1); };

  // -- selection
  function clicked(i, event) {
    const dna = state.order[i];
    if (event.shiftKey) { const [from, to] = [Math.min(state.anchor, i), Math.max(state.anchor, i)]; if (!event.ctrlKey && !event.metaKey) state.selection.clear(); for (const each of state.order.slice(from, to + 1)) state.selection.add(each); state.at = i; draw(); detail(); return; }
    if (event.ctrlKey || event.metaKey || ui.select.getAttribute("aria-pressed") === "true") {
      if (!state.selection.size && (event.ctrlKey || event.metaKey) && current() && state.at !== i) state.selection.add(current().dna); // the one at hand is the first of them
      if (state.selection.has(dna)) state.selection.delete(dna); else state.selection.add(dna);
      state.anchor = i; state.at = i; draw(); detail(); return;
    }
    const again = i === state.at && event.pointerType === "touch" && !state.selection.size;
    state.selection.clear(); state.anchor = i;
    go(i);
    if (again) enlarge();
  }
  function selecting(on) { ui.select.setAttribute("aria-pressed", String(on)); if (!on) { state.selection.clear(); draw(); detail(); } else tell("Tap or click the pictures; then pick, reject or give stars to all of them."); }
  const aimed = () => large.open ? [large.dnas[large.active]] : state.selection.size ? state.order.filter((dna) => state.selection.has(dna)) : [current()?.dna].filter(Boolean);

  // -- the card at hand
  const blocked = (card) => Boolean(outbox?.stopped) || !outbox || !card || locked(card);
  function detail() {
    const card = current();
    keepNote();
    ui.side.hidden = !card;
    if (!card) return;
    const other = ui.text.dataset.dna !== card.dna, several = state.selection.size > 1;
    transport.picture(card.dna, { small: Math.max(ui.image.clientWidth, 300) * (devicePixelRatio || 1) <= 384 }).then((url) => { if (current()?.dna === card.dna && ui.image.getAttribute("src") !== url) ui.image.src = url; }, () => {});
    ui.image.alt = `slot ${card.slot}, attempt ${card.attempt}`;
    ui.heading.textContent = several ? `${state.selection.size} selected` : `Slot ${card.slot}, attempt ${card.attempt}${card.chosen ? " · edition" : ""}`;
    ui.locked.textContent = locked(card) ? `Packed in drop ${card.packed}: it can't be changed any more.` : ""; ui.locked.hidden = !locked(card);
    dock.show(card, several ? Boolean(outbox?.stopped) : blocked(card));
    if (root.activeElement !== ui.text || other) { ui.text.dataset.dna = card.dna; ui.text.value = card.mine?.note ?? ""; }
    ui.text.readOnly = blocked(card);
    ui.details.replaceChildren(...described(card, transport.picture));
    if (other) ui.side.scrollTop = 0;
  }
  // A note is said when the person goes on, whichever way.
  function keepNote() {
    const card = state.cards.get(ui.text.dataset.dna);
    if (card && !ui.text.readOnly && ui.text.value !== (card.mine?.note ?? "")) say({ note: ui.text.value }, [card.dna]);
  }
  ui.text.addEventListener("change", keepNote);
  ui.text.addEventListener("keydown", (event) => { if (event.key === "Escape") { focusWall(); keepNote(); event.preventDefault(); } event.stopPropagation(); });
  function enlarge() { const card = current(); if (card) large.show([card.dna]); }
  // Two side by side: what is selected, else the slot's edition, else another attempt at the slot.
  const attemptsAt = (slot) => [...state.cards.values()].filter((c) => c.slot === slot).sort(bySlot);
  function compare() {
    const card = current(); if (!card) return;
    const chosen = state.order.filter((dna) => state.selection.has(dna)), all = attemptsAt(card.slot).filter((c) => c.dna !== card.dna);
    const other = chosen.length === 2 ? null : all.find((c) => c.chosen) ?? all.find((c) => c.attempt > card.attempt) ?? all[0];
    if (chosen.length !== 2 && !other) return tell("There is nothing to compare it with: select two pictures.");
    large.show(chosen.length === 2 ? chosen : [card.dna, other.dna], 0);
    tell("");
  }
  function turn(by) { // through the attempts at the slot, in the pane that is at hand
    const all = attemptsAt(state.cards.get(large.dnas[large.active]).slot), at = all.findIndex((c) => c.dna === large.dnas[large.active]), rest = large.dnas[1 - large.active];
    for (let i = 1; i < all.length; i++) { const next = all[(at + by * i + all.length * i) % all.length]; if (next.dna !== rest) { large.show(large.active ? [rest, next.dna] : [next.dna, rest], large.active); return; } }
  }
  function step(by) { if (large.pair) large.activate(by < 0 ? 0 : 1); else go(state.at + by); }

  // -- saying something: shown at once, kept in the browser, sent in order, sent again until the server has it
  function heard(cards) {
    for (const card of cards) { if (state.loading) state.heard.set(card.dna, { ...card }); if (state.cards.has(card.dna)) state.cards.set(card.dna, outbox.ahead(card)); }
    if (cards.some((card) => card.dna === current()?.dna) && root.activeElement !== ui.text) detail(); if (large.open) large.refresh();
    recount();
  }
  function say(what, dnas, move = false) {
    if (!outbox) return false;
    if (outbox.stopped) { ui.alert.classList.remove("shake"); void ui.alert.offsetWidth; ui.alert.classList.add("shake"); return false; }
    const open = dnas.filter((dna) => !locked(state.cards.get(dna))), fixed = dnas.length - open.length;
    if (fixed) { const card = state.cards.get(dnas.find((dna) => locked(state.cards.get(dna)))); tell(`${open.length ? fixed + " of them were" : `Slot ${card.slot} was`} packed${open.length ? "" : ` in drop ${card.packed}`} and can't be changed any more.`); } else tell("");
    if (!open.length) return false;
    const id = newId(), before = open.map((dna) => state.cards.get(dna).mine);
    state.done.push({ id, dnas: open, before });
    for (const dna of open) { const card = state.cards.get(dna); card.mine = { decision: "withdrawn", ...(card.mine ?? {}), ...what }; }
    outbox.add({ verb: "act", args: { id, dnas: open, ...what }, before });
    state.touched = true;
    recount();
    if (move) { if (large.open) go(Math.min(state.order.indexOf(open[0]) + 1, state.order.length - 1)); else following(); } else { draw(); if (what.note === undefined) detail(); large.refresh(); }
    return true;
  }
  const NAMED = { accept: "Pick", reject: "Reject", withdrawn: "Unflag" };
  async function judge(decision) {
    const dnas = aimed(); if (!dnas.length) return;
    if (!large.open && dnas.length === 1 && !sight()) { reveal(); draw(); return tell("The picture at hand was out of sight; here it is. Press again."); }
    if (dnas.length > ASK_FROM && !(await question(`${NAMED[decision]} all ${many(dnas.length, "selected picture")}?`, `${NAMED[decision]} ${dnas.length}`))) return;
    const move = dnas.length === 1 && decision !== "withdrawn" && !large.pair;
    if (say({ decision }, dnas, move) && dnas.length > 1) { state.selection.clear(); draw(); detail(); tell(`${NAMED[decision]}: ${many(dnas.length, "picture")}. Ctrl+Z takes it back.`); }
  }
  async function rate(stars) {
    const dnas = aimed(); if (!dnas.length) return;
    if (!large.open && dnas.length === 1 && !sight()) { reveal(); draw(); return tell("The picture at hand was out of sight; here it is. Press again."); }
    if (dnas.length > ASK_FROM && !(await question(`Give ${many(stars, "star")} to ${many(dnas.length, "selected picture")}?`, `Give ${many(stars, "star")}`))) return;
    say({ stars }, dnas);
  }
  async function bulk(decision) {
    if (state.loading) return tell("Not all candidates are here yet; wait for the rest.");
    const open = state.order.filter((dna) => !decided(state.cards.get(dna)) && !locked(state.cards.get(dna)));
    if (!open.length) return tell("Nothing that is shown is undecided.");
    if (outbox?.stopped) return say({}, []);
    if (open.length > 1 && !(await question(`${NAMED[decision]} all ${many(open.length, "undecided picture")} that this view shows? Undo takes it back, also later.`, `${NAMED[decision]} ${open.length.toLocaleString("en")}`))) return;
    if (say({ decision }, open)) tell(`${NAMED[decision]}: ${many(open.length, "picture")}. Undo takes it back.`);
  }
  function undo() {
    if (!outbox || outbox.stopped) return say({}, []);
    const last = state.done.pop();
    if (!last) return tell("There is nothing to undo.");
    state.undone.add(last.id);
    if (last.before) last.dnas.forEach((dna, i) => { const card = state.cards.get(dna); if (card) card.mine = last.before[i]; });
    outbox.add({ verb: "undo", args: { id: newId(), undone: last.id, dnas: last.dnas }, before: last.before });
    tell(`Undone: ${many(last.dnas.length, "picture")}.`);
    recount();
    const at = state.order.indexOf(last.dnas[0]);
    if (at >= 0 && !large.pair) go(at); else { draw(); detail(); large.refresh(); }
    if (at < 0) tell(`Undone: ${many(last.dnas.length, "picture")}, which this view doesn't show.`);
  }

  // -- keys: silent while typing, none of them gets out, held ones only move
  const MOVES = { ArrowRight: () => 1, ArrowLeft: () => -1, ArrowDown: () => state.columns, ArrowUp: () => -state.columns, PageDown: () => 4 * state.columns, PageUp: () => -4 * state.columns, Home: () => -1e9, End: () => 1e9 };
  const LETTERS = { p: act.pick, x: act.reject, u: act.unflag, n: () => { large.close(); board.classList.add("open"); ui.text.focus(); }, z: () => { if (large.open) large.pane.toggle(state.pointer); else { enlarge(); large.pane.image.addEventListener("load", () => large.pane.scale || large.pane.toggle(), { once: true }); } }, c: () => { if (large.pair) large.show([current().dna]); else compare(); }, i: () => { if (large.open) large.toggleInfo(); }, "/": () => { large.close(); board.classList.add("filtering"); ui.find.focus(); }, " ": () => { if (large.open) large.close(); else enlarge(); }, Enter: () => { if (!large.open) enlarge(); } };
  // A letter as it is printed on the key; where the layout has no Latin ones, by the key's place.
  function letterOf(event) {
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (/^Digit\d$|^Numpad\d$/.test(event.code ?? "") && !event.shiftKey) return event.code.slice(-1);
    return event.key.length === 1 && event.key > "\x7f" && /^Key[A-Z]$/.test(event.code ?? "") ? event.code[3].toLowerCase() : name;
  }
  function key(event) {
    const from = event.composedPath()[0], typing = /^(INPUT|TEXTAREA|SELECT)$/.test(from.tagName ?? ""), name = letterOf(event), control = event.ctrlKey || event.metaKey;
    event.stopPropagation();
    if (ui.ask.open || event.isComposing) return;
    if (typing) { if (event.key === "Escape" && from !== ui.text) focusWall(); return; }
    let run = null;
    if (control && !event.altKey && !event.shiftKey) run = name === "z" ? undo : name === "a" && !large.open ? () => { state.selection = new Set(state.order); draw(); detail(); } : null;
    else if (!event.altKey && !control) {
      if (from.tagName === "BUTTON" && (name === "Enter" || name === " ")) return;
      if (name === "Escape") run = () => { if (large.open) large.close(); else selecting(false); };
      else if (/^[0-5]$/.test(name)) run = () => rate(Number(name));
      else if (LETTERS[name]) run = LETTERS[name];
      else if (large.pair && /^Arrow/.test(name)) run = () => { if (name === "ArrowLeft" || name === "ArrowRight") step(name === "ArrowLeft" ? -1 : 1); else turn(name === "ArrowDown" ? 1 : -1); };
      else if (large.open && (name === "+" || name === "-")) run = () => large.pane.zoom(name === "+" ? 1 : -1);
      else if (MOVES[name]) {
        const by = large.open && /^Arrow(Up|Down)$/.test(name) ? (name === "ArrowUp" ? -1 : 1) : MOVES[name]();
        run = () => { const to = Math.min(Math.max(state.at + by, 0), state.order.length - 1); if (event.shiftKey && !large.open) { state.selection = new Set(state.order.slice(Math.min(state.anchor, to), Math.max(state.anchor, to) + 1)); } else { state.anchor = to; state.selection.clear(); } go(to); };
        event.preventDefault(); run(); return;
      }
    }
    if (!run) return;
    event.preventDefault();
    if (!event.repeat) run();
  }
  board.addEventListener("keydown", key);
  board.addEventListener("pointermove", (event) => { state.pointer = { clientX: event.clientX, clientY: event.clientY }; }, { passive: true });
  for (const name of ["keyup", "keypress"]) board.addEventListener(name, (event) => event.stopPropagation());
  const outside = (event) => { if (page && event.target === document.body) key(event); };
  document.addEventListener("keydown", outside);
  ui.wall.addEventListener("scroll", draw, { passive: true });
  const sized = new ResizeObserver(() => draw()); sized.observe(ui.wall);
  for (const each of [ui.show, ui.sort, ui.trait, ui.slot, ui.size]) each.addEventListener("change", () => { state.touched = true; arrange(); });
  let typed = 0; ui.find.addEventListener("input", () => { state.touched = true; clearTimeout(typed); typed = setTimeout(() => arrange(), 200); });
  const leaving = (event) => { keepNote(); if (outbox?.entries.length) { event.preventDefault(); event.returnValue = ""; } };
  addEventListener("beforeunload", leaving);
  const gone = () => { keepNote(); rememberNow(); };
  addEventListener("pagehide", gone);

  // -- the view is in the address (in JupyterLab: in the browser's own store)
  const SAVED = { show: ui.show, sort: ui.sort, trait: ui.trait, slot: ui.slot, find: ui.find, size: ui.size };
  let remembering = 0, asked = new URLSearchParams();
  function rememberNow() {
    clearTimeout(remembering);
    if (state.loading || !outbox) return;
    const view = new URLSearchParams(); for (const [name, el] of Object.entries(SAVED)) if (el.value && el.value !== "any") view.set(name, el.value);
    if (current()) view.set("at", placeOf(current()));
    if (page) history.replaceState(null, "", "#" + view); else try { localStorage.setItem("artmint-view/" + outbox.board, String(view)); } catch { /* only the view is forgotten */ }
  }
  function remember() { clearTimeout(remembering); remembering = setTimeout(rememberNow, 300); }
  function restore() { // what the address asks for, as far as it is there to be chosen
    for (const [name, el] of Object.entries(SAVED)) { const value = asked.get(name); if (value !== null && (el.tagName !== "SELECT" || [...el.options].some((option) => option.value === value))) el.value = value; }
  }
  function recall() {
    restore();
    const [slot, attempt] = (asked.get("at") ?? "").split("/").map(Number), card = slot ? [...state.cards.values()].find((c) => c.slot === slot && (!attempt || c.attempt === attempt)) : null;
    if (card && !wanted()(card)) ui.show.value = "all";
    return card?.dna;
  }
  const linked = () => { if (!page || state.loading) return; asked = new URLSearchParams(location.hash.slice(1)); arrange(recall() ?? current()?.dna); };
  addEventListener("hashchange", linked);

  // -- reading what there is: the first pictures at once, the rest in pages
  async function patiently(verb, args) {
    for (let wait = 200; ; wait = Math.min(2 * wait, 3000)) {
      try { const got = await transport.call(verb, args); if (state.unread) { state.unread = ""; ui.alert.hidden = true; } return got; }
      catch (error) { state.unread = error.message; ui.says.textContent = error.message; ui.alert.hidden = false; ui.alert.classList.add("soft"); ui.again.hidden = ui.aside.hidden = true; if (error.kind === "refused") throw error; await pause(wait); if (state.over) throw error; }
    }
  }
  function admit(cards) {
    const fits = wanted();
    for (let card of cards) { card = state.heard.get(card.dna) ?? card; const fresh = !state.cards.has(card.dna); state.cards.set(card.dna, outbox.ahead(card)); if (fresh && fits(card)) state.order.push(card.dna); }
    const nothing = !current();
    draw(); if (nothing || state.order.length === cards.length) detail();
  }
  async function read(dnas) {
    for (let from = 0; from < dnas.length && !state.over;) { const some = dnas.slice(from, from + (from ? PAGE : FIRST)); admit(await patiently("cards", { dnas: some })); from += some.length; }
  }
  function options() {
    const scores = new Set(), values = new Map();
    for (const card of state.cards.values()) { for (const name of Object.keys(card.scores)) scores.add(name); for (const [k, v] of Object.entries(card.traits)) values.set(`${k}: ${v}`, (values.get(`${k}: ${v}`) ?? 0) + 1); }
    for (const name of [...scores].sort()) for (const arrow of ["↓", "↑"]) ui.sort.append(make("option", { value: `${name} ${arrow}`, textContent: `${name} ${arrow}` }));
    for (const [value, count] of [...values].sort()) ui.trait.append(make("option", { value, textContent: `${value} (${count})` }));
  }
  async function start() {
    draw(); if (page) focusWall();
    const opened = await patiently("open", {});
    state.me = opened.by; state.total = opened.dnas.length;
    ui.title.textContent = `Review of ${opened.collection}`; ui.who.textContent = `${opened.collection}, deciding as ${opened.by}${opened.blind ? " (blind)" : ""}`;
    outbox = new Outbox(transport, opened.board, { heard, changed: draw });
    try { asked = new URLSearchParams(page ? location.hash.slice(1) : localStorage.getItem("artmint-view/" + opened.board) ?? ""); } catch { /* the view is a new one */ }
    restore();
    outbox.run(); // what an earlier page couldn't send
    await read(opened.dnas);
    const now = (await patiently("open", { fresh: true })).dnas; // candidates that came since the board was served
    await read(now.filter((dna) => !state.cards.has(dna)));
    const there = new Set(now); for (const dna of [...state.cards.keys()]) if (!there.has(dna)) state.cards.delete(dna);
    const earlier = await patiently("history", {}), unsent = outbox.entries.filter((entry) => entry.verb === "act" && !earlier.some((each) => each.id === entry.args.id)).map(({ args, before }) => ({ id: args.id, dnas: args.dnas, before }));
    for (const entry of outbox.entries) if (entry.verb === "undo") state.undone.add(entry.args.undone);
    const have = new Set(state.done.map((each) => each.id));
    state.done = [...earlier, ...unsent].filter((each) => !have.has(each.id) && !state.undone.has(each.id)).concat(state.done);
    options();
    state.loading = false; state.heard.clear(); state.total = state.cards.size;
    const touched = state.touched, keep = touched ? null : recall();
    if (!touched && !asked.get("show") && !state.order.length) ui.show.value = "all";
    if (!touched || ui.sort.value !== "slot" || [...state.cards.keys()].length !== state.order.length) { if (!touched || ui.sort.value !== "slot") arrange(keep ?? current()?.dna); }
    draw(); recount();
    board.dataset.ready = "yes";
  }
  await start();
  return () => {
    state.over = true; keepNote(); outbox?.close(); large.end();
    document.removeEventListener("keydown", outside); removeEventListener("beforeunload", leaving); removeEventListener("pagehide", gone); removeEventListener("hashchange", linked);
    scheme.removeEventListener("change", theme); watch.disconnect(); sized.disconnect();
  };
}

// ---- transports

export function overHttp(token) {
  const asked = { "Content-Type": "application/json", Authorization: `Bearer ${token}` }, secret = `token=${encodeURIComponent(token)}`;
  return {
    async call(verb, args) {
      let answer, body;
      try {
        answer = await fetch("call", { method: "POST", headers: asked, body: JSON.stringify({ verb, args }), signal: AbortSignal.timeout(60_000) });
        body = await answer.json();
      } catch { throw wrong("away", "The server doesn't answer."); }
      if (answer.ok) return body;
      if (answer.status === 403) throw wrong("closed", "Another board, or one with another address, answers here now: start this one again with artmint review, or open the address that it printed last.");
      if (answer.status === 400 && body?.message) throw wrong("refused", body.message);
      throw wrong("away", "The server answers with an error.");
    },
    async picture(dna, { reason, small } = {}) { return small ? `thumbnail/${dna}?${secret}` : `picture/${dna}${reason === undefined ? "" : "/" + reason}?${secret}`; },
  };
}

const DEAD = "The notebook's kernel doesn't answer: it is busy, or it was restarted. After a restart, run the cell again.";
const URLS = 800; // pictures that are held at once

function overWidget(model) {
  const open = new Map(), urls = new Map();
  const ask = (verb, args, ms = 6000) => new Promise((done, failed) => {
    const id = newId(), late = setTimeout(() => { open.delete(id); failed(wrong("away", DEAD)); }, ms);
    open.set(id, [(value) => { clearTimeout(late); done(value); }, (error) => { clearTimeout(late); failed(error); }]);
    try { model.send({ id, verb, args }); } catch { open.delete(id); clearTimeout(late); failed(wrong("away", DEAD)); }
  });
  const heard = (message, buffers) => {
    const [done, failed] = open.get(message.id) ?? []; open.delete(message.id);
    if (message.error) failed?.(wrong("refused", message.error));
    else done?.(buffers?.length ? new Blob([buffers[0]], { type: message.kind ?? "image/png" }) : message.result);
  };
  const died = () => { for (const [, failed] of open.values()) failed(wrong("away", DEAD)); open.clear(); };
  model.on("msg:custom", heard); model.on("comm_live_update", died);
  const forget = async (key) => { const url = urls.get(key); urls.delete(key); try { URL.revokeObjectURL(await url); } catch { /* it never came */ } };
  return {
    call: (verb, args) => ask(verb, args, verb === "act" || verb === "undo" ? 6000 : 60_000),
    close() { model.off("msg:custom", heard); model.off("comm_live_update", died); [...urls.keys()].forEach(forget); },
    picture(dna, { reason, small } = {}) {
      const key = `${dna}/${reason ?? ""}/${Boolean(small)}`;
      if (!urls.has(key)) { urls.set(key, ask("picture", { dna, reason: reason ?? null, small: Boolean(small) }, 60_000).then((blob) => URL.createObjectURL(blob))); urls.get(key).catch(() => urls.delete(key)); if (urls.size > URLS) forget(urls.keys().next().value); }
      return urls.get(key);
    },
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
