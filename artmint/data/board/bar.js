// The bar: which cards are shown, in which order, and what the board says of itself.
import { SORTS, VIEWS, decided, holds, locked, make, number } from "./cards.js";
import { SIZES } from "./wall.js";

const PLACES = {
  show: "select",
  sort: "select",
  trait: "select",
  slot: "input",
  find: "input",
  size: "select",
};
const USUAL = { show: "undecided", sort: "slot", trait: "any", slot: "", find: "" }; // isn't in the address

const choice = (label, options) => {
  const select = make("select");
  for (const each of options) select.append(make("option", { value: each, textContent: each }));
  return [make("label", {}, label, select), select];
};
export const tool = (text, name, run) => {
  const el = make("button", { type: "button", textContent: text, className: name });
  el.addEventListener("click", run);
  return el;
};

export class Bar {
  // board gives changed() (another choice was made), select, compare, undo, bulk(decision), machine, invite
  constructor(board) {
    this.board = board;
    const labels = {};
    [labels.show, this.show] = choice("show", Object.keys(VIEWS));
    [labels.sort, this.sort] = choice("sort by", ["slot", ...Object.keys(SORTS)]);
    [labels.trait, this.trait] = choice("trait", ["any"]);
    [labels.size, this.size] = choice("tiles", Object.keys(SIZES));
    this.size.value = innerWidth > 2600 ? "huge" : innerWidth > 1900 ? "large" : "medium";
    this.slot = make("input", { type: "number", min: 1, placeholder: "all", className: "short" });
    this.find = make("input", { type: "search", placeholder: "prompt, seed, note, name", maxLength: 160 });
    this.machine = tool("Machine", "", () => this.turn(board.machine));
    this.machine.setAttribute("aria-pressed", "true");
    this.machine.title = "whether the machine's words and scores are to be seen";
    this.all = tool("Pick all shown", "bulk", () => board.bulk("accept"));
    this.none = tool("Reject all shown", "bulk", () => board.bulk("reject"));
    this.filters = make("div", { className: "filters" }, labels.show, labels.sort, labels.trait);
    const slot = make("label", {}, "slot", this.slot);
    const find = make("label", {}, "search", this.find);
    this.filters.append(slot, find, labels.size, this.machine, this.all, this.none);
    this.state();
    this.el = make("div", { className: "bar" }, this.menu, this.filters, this.told, this.tools);
    for (const name of ["show", "sort", "trait", "slot", "size"]) {
      this[name].addEventListener("change", () => board.changed());
    }
    let typed = 0;
    this.find.addEventListener("input", () => {
      clearTimeout(typed);
      typed = setTimeout(() => board.changed(), 200);
    });
    // A list that is opened shows how many pictures each of its views has now.
    for (const name of ["focus", "pointerdown"]) this.show.addEventListener(name, () => this.count());
  }
  state() {
    const { board } = this;
    this.who = make("span", { className: "who" });
    this.counted = make("span", { className: "count" });
    this.live = make("span", { className: "live", hidden: true, textContent: "not live" });
    this.live.title = "the server doesn't answer: what others decide isn't seen until it does";
    this.note = make("span", { className: "note", role: "status" });
    this.progress = make("progress", { max: 1, value: 0, "aria-label": "reading candidates" });
    this.told = make(
      "div",
      { className: "state" },
      this.who,
      this.counted,
      this.live,
      this.progress,
      this.note,
    );
    this.menu = tool("Filters", "menu", () => board.filtering());
    this.menu.setAttribute("aria-expanded", "false");
    this.select = tool("Select", "", () => board.select());
    this.select.setAttribute("aria-pressed", "false");
    this.compare = tool("Compare", "", () => board.compare());
    this.undo = tool("Undo", "", () => board.undo());
    this.report = make("a", {
      className: "report",
      target: "_blank",
      rel: "noopener",
      textContent: "Report",
    });
    this.report.hidden = true;
    this.posts = make("a", { className: "report", textContent: "Posts" });
    this.posts.hidden = true;
    this.invite = tool("Invite", "", () => board.invite());
    this.invite.hidden = true;
    this.tools = make("div", { className: "tools" }, this.report, this.posts, this.select, this.compare, this.undo);
    const narrow = matchMedia("(max-width: 760px)").matches;
    if (narrow) this.filters.append(this.invite);
    else this.posts.after(this.invite);
  }
  turn(run) {
    this.machine.setAttribute("aria-pressed", String(!this.judged));
    run();
  }
  // Whether the machine's words are to be seen.
  get judged() {
    return this.machine.getAttribute("aria-pressed") === "true";
  }
  get selecting() {
    return this.select.getAttribute("aria-pressed") === "true";
  }
  get words() {
    return this.find.value.toLowerCase().split(/\s+/).filter(Boolean);
  }
  get claimed() {
    const cut = this.trait.value.indexOf(": ");
    return cut < 0 ? [] : [this.trait.value.slice(0, cut), this.trait.value.slice(cut + 2)];
  }
  // Whether a card passes what is chosen, the view apart.
  sieve() {
    const { words } = this;
    const [trait, value] = this.claimed;
    const slot = Number(this.slot.value);
    return (card) =>
      (!trait || String(card.traits[trait]) === value) && (!slot || card.slot === slot) && holds(card, words);
  }
  wanted(me) {
    const shown = VIEWS[this.show.value] ?? VIEWS.all;
    const passes = this.sieve();
    return (card) => shown(card, me) && passes(card);
  }
  // How a picture came before this person's eyes; what a promise made of decisions rests on.
  via(audit) {
    const [trait, value] = this.claimed;
    const search = [
      this.find.value.trim(),
      trait ? `${trait}: ${value}` : "",
      this.slot.value && `slot ${this.slot.value}`,
    ];
    return {
      view: this.show.value === "all" ? "" : this.show.value.slice(0, 64),
      sort: this.sort.value === "slot" ? "" : this.sort.value.slice(0, 64),
      search: search.filter(Boolean).join("; ").slice(0, 256),
      machine: this.judged,
      audit,
    };
  }

  // -- counts
  write(text) {
    if (this.counted.textContent !== text) this.counted.textContent = text;
  }
  // Counting is put off until nothing else is to be done.
  recount(cards, me) {
    this.cards = cards;
    this.me = me;
    if (this.counting) return;
    const idle = window.requestIdleCallback ?? ((run) => setTimeout(run, 200));
    const settle = () => idle(() => this.count(), { timeout: 2000 });
    this.counting = setTimeout(settle, 250);
  }
  count() {
    this.counting = 0;
    if (!this.cards) return;
    const names = Object.keys(VIEWS);
    const counts = names.map(() => 0);
    for (const card of this.cards.values()) {
      for (let i = 0; i < names.length; i++) if (VIEWS[names[i]](card, this.me)) counts[i]++;
    }
    [...this.show.options].forEach((option, i) => {
      const text = `${option.value} (${number(counts[i])})`;
      if (option.textContent !== text) option.textContent = text;
    });
  }
  // Scores to sort by and claims to choose from, once all cards are there.
  offer(cards) {
    const scores = new Set();
    const claims = new Map();
    for (const card of cards.values()) {
      for (const name of Object.keys(card.scores)) scores.add(name);
      for (const [key, value] of Object.entries(card.traits)) {
        const claim = `${key}: ${value}`;
        claims.set(claim, (claims.get(claim) ?? 0) + 1);
      }
    }
    const arrows = [...scores].sort().flatMap((name) => [`${name} ↓`, `${name} ↑`]);
    this.fill(
      this.sort,
      ["slot", ...Object.keys(SORTS), ...arrows].map((value) => [value, value]),
    );
    const counted = [...claims].sort().map(([value, count]) => [value, `${value} (${number(count)})`]);
    this.fill(this.trait, [["any", "any"], ...counted]);
  }
  fill(select, options) {
    const { value } = select;
    select.replaceChildren(...options.map(([value, textContent]) => make("option", { value, textContent })));
    select.value = options.some(([each]) => each === value) ? value : options[0][0];
  }

  // -- the address
  saved() {
    const view = new URLSearchParams();
    for (const name of Object.keys(PLACES)) {
      const { value } = this[name];
      if (name === "show" || value !== USUAL[name]) view.set(name, value);
    }
    if (!this.judged) view.set("machine", "hidden");
    return view;
  }
  // What an address asks for, as far as it is there to be chosen; scores and claims are known later.
  restore(asked, early = false) {
    for (const [name, kind] of Object.entries(PLACES)) {
      const value = asked.get(name) ?? USUAL[name];
      if (value === undefined) continue;
      const later = early && ["sort", "trait"].includes(name);
      const there = kind === "input" || [...this[name].options].some((option) => option.value === value);
      if (!there && later) this[name].append(make("option", { value, textContent: value }));
      if (there || later) this[name].value = value;
    }
    this.machine.setAttribute("aria-pressed", String(asked.get("machine") !== "hidden"));
  }
}
export const isOpen = (card) => !decided(card) && !locked(card);
