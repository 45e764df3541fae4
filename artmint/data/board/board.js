// The review board: one module for JupyterLab (anywidget calls `render`) and for the page (which calls `mount`).
// Texts are set as text, never as markup.
import { Bar, isOpen, tool } from "./bar.js";
import { LAST_WORD, MIXED, bySlot, locked, make, many, mixed } from "./cards.js";
import { newId, number, pause, placeOf, sorted, twinOf, whyLocked } from "./cards.js";
import { commandOf, hintsFor } from "./keys.js";
import { Live } from "./live.js";
import { Large, MOST, described, dockOf } from "./look.js";
import { Outbox } from "./outbox.js";
import { overHttp, overWidget } from "./transport.js";
import { SIZES, Wall } from "./wall.js";
import STYLE from "./style.css" with { type: "text" };

const ASK_FROM = 10; // a decision on more than so many at once is asked about
const FIRST = 60; // cards that are asked for first
const PAGE = 500; // and then at once
const SHARE = 0.05; // of pictures that chance chose, where the server doesn't say
const NAMED = { accept: "Pick", reject: "Reject", withdrawn: "Unflag" };

class Board {
  constructor(host, transport, page) {
    Object.assign(this, {
      transport,
      page,
      outbox: null,
      live: null,
      over: false,
      loading: true,
      touched: false,
    });
    Object.assign(this, { total: 0, anchor: 0, done: [], undone: new Set(), late: new Map(), unread: "" });
    Object.assign(this, {
      asked: new URLSearchParams(),
      opened: {},
      lots: new Set(),
      admitted: new Set(),
      every: 20,
    });
    this.state = { cards: new Map(), order: [], at: 0, selection: new Set(), me: "" };
    const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    this.root = root;
    this.act = {
      pick: () => this.judge("accept"),
      reject: () => this.judge("reject"),
      unflag: () => this.judge("withdrawn"),
      next: () => this.following(),
      rate: (stars) => this.rate(stars),
    };
    this.build();
    root.replaceChildren(this.el);
    this.letters = this.commands();
    this.dress();
    this.listen();
  }

  // ---- what is there
  build() {
    this.el = make("section", { className: "board", "aria-label": "review board" });
    this.title = make("h1", { className: "sr", textContent: "Review" });
    this.bar = new Bar({
      changed: () => this.chosen(),
      machine: () => this.chosen(),
      filtering: () => this.filtering(),
      select: () => this.selecting(!this.bar.selecting),
      compare: () => this.compare(),
      undo: () => this.undo(),
      bulk: (decision) => this.bulk(decision),
    });
    this.wall = new Wall(this.state, {
      picture: (dna) => this.transport.picture(dna, { small: true }),
      clicked: (i, event) => this.clicked(i, event),
      opened: () => this.enlarge(),
      selected: (dnas) => this.selected(dnas),
      machine: () => this.bar.judged,
    });
    this.large = new Large(this.largeView());
    this.alerts();
    this.sidePanel();
    this.questions();
    this.empty = make("p", { className: "none", hidden: true });
    this.foot = make("div", { className: "foot" });
    const { title, bar, alert, wall, empty, side, foot, large, ask } = this;
    this.el.append(title, bar.el, alert, wall.el, empty, side, foot, large.el, ask);
  }
  largeView() {
    return {
      card: (dna) => this.state.cards.get(dna),
      picture: (dna) => this.transport.picture(dna),
      act: this.act,
      keep: (side) => this.keep(side),
      step: (by) => this.step(by),
      blocked: (card) => this.blocked(card),
      deciding: () => this.deciding,
      neighbours: () => [1, -1, 2].map((by) => this.state.order[this.state.at + by]).filter(Boolean),
      me: () => this.state.me,
      ask: () => this.showing(),
      closed: () => {
        this.wall.focus();
        this.wall.reveal();
        this.draw();
      },
    };
  }
  alerts() {
    this.says = make("span");
    this.again = tool("Try again", "", () => this.outbox?.again());
    this.aside = tool("Set it aside", "", () => this.outbox?.setAside());
    this.alert = make(
      "div",
      { className: "alert", hidden: true, role: "alert" },
      this.says,
      this.again,
      this.aside,
    );
  }
  sidePanel() {
    this.image = make("img", { alt: "" });
    this.preview = make("button", { type: "button", className: "preview" }, this.image);
    this.preview.setAttribute("aria-label", "open the large view");
    this.preview.addEventListener("click", () => this.enlarge());
    this.heading = make("h2");
    this.fixed = make("p", { className: "locked" });
    this.text = make("textarea", { placeholder: "a note (N)", maxLength: 2000, "aria-label": "note" });
    this.text.addEventListener("change", () => this.keepNote());
    this.text.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Escape") return;
      event.preventDefault();
      this.wall.focus();
      this.keepNote();
    });
    this.details = make("div", { className: "details" });
    this.dock = dockOf(this.act);
    this.more = tool("Details", "more", () => {
      this.more.setAttribute("aria-expanded", String(this.el.classList.toggle("open")));
      this.draw();
    });
    this.more.setAttribute("aria-expanded", "false");
    this.dock.el.append(this.more);
    this.side = make("aside", { className: "side", tabIndex: 0, "aria-label": "the candidate at hand" });
    this.side.append(this.preview, this.heading, this.fixed, this.dock.el, this.text, this.details);
  }
  questions() {
    this.question = make("p", { id: "question" });
    this.yes = tool("", "", () => this.ask.close("yes"));
    this.no = tool("Cancel", "", () => this.ask.close(""));
    const yesno = make("div", { className: "yesno" }, this.no, this.yes);
    this.ask = make("dialog", { className: "ask", "aria-labelledby": "question" }, this.question, yesno);
  }
  asks(text, yes) {
    this.question.textContent = text;
    this.yes.textContent = yes;
    this.ask.returnValue = "";
    return new Promise((done) => {
      const closed = () => {
        if (!this.large.open) this.wall.focus();
        done(this.ask.returnValue === "yes");
      };
      this.ask.addEventListener("close", closed, { once: true });
      this.ask.showModal();
    });
  }
  // Dark where the browser, or JupyterLab, is.
  dress() {
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const theme = () => {
      const lab = document.body.dataset.jpThemeLight;
      this.el.classList.toggle("dark", lab ? lab === "false" : scheme.matches);
    };
    theme();
    scheme.addEventListener("change", theme);
    const watch = new MutationObserver(theme);
    watch.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    this.undress = () => {
      scheme.removeEventListener("change", theme);
      watch.disconnect();
    };
  }
  listen() {
    this.el.addEventListener("keydown", (event) => this.key(event));
    const at = (event) => (this.pointer = { clientX: event.clientX, clientY: event.clientY });
    this.el.addEventListener("pointermove", at, { passive: true });
    for (const name of ["keyup", "keypress"])
      this.el.addEventListener(name, (event) => event.stopPropagation());
    this.outside = (event) => {
      if (this.page && event.target === document.body) this.key(event);
    };
    this.leaving = (event) => {
      this.keepNote();
      if (!this.outbox?.entries.length) return;
      event.preventDefault();
      event.returnValue = "";
    };
    this.gone = () => {
      this.keepNote();
      this.rememberNow();
    };
    this.linked = () => this.page && this.follow(new URLSearchParams(location.hash.slice(1)));
    document.addEventListener("keydown", this.outside);
    addEventListener("beforeunload", this.leaving);
    addEventListener("pagehide", this.gone);
    addEventListener("hashchange", this.linked);
  }
  end() {
    this.over = true;
    this.keepNote();
    this.outbox?.close();
    this.live?.close();
    this.wall.end();
    this.undress();
    document.removeEventListener("keydown", this.outside);
    removeEventListener("beforeunload", this.leaving);
    removeEventListener("pagehide", this.gone);
    removeEventListener("hashchange", this.linked);
  }

  // ---- who may do what
  get deciding() {
    return !this.opened.can || this.opened.can.includes("decide");
  }
  get current() {
    return this.state.cards.get(this.state.order[this.state.at]);
  }
  showing() {
    const rule = LAST_WORD[this.opened.last_word]?.(this.opened.lead);
    const picture = this.transport.picture;
    return { picture, twin: () => this.twin(), rule, machine: this.bar.judged };
  }
  blocked(card) {
    return !this.outbox || this.outbox.stopped || !this.deciding || !card || locked(card);
  }
  tell(text) {
    if (this.bar.note.textContent !== text) this.bar.note.textContent = text;
    this.large.tell(this.large.open ? text : "");
  }
  // Why nothing can be decided at all, loudly; whether that is so.
  refused() {
    if (!this.outbox) return true;
    if (!this.deciding) {
      this.tell(
        `You look at this board as a guest, ${this.state.me}: a guest sees everything and decides nothing.`,
      );
      return true;
    }
    if (!this.outbox.stopped) return false;
    this.alert.classList.remove("shake");
    void this.alert.offsetWidth;
    this.alert.classList.add("shake");
    return true;
  }

  // ---- order: fixed until the person asks for another, so nothing jumps
  chosen() {
    this.touched = true;
    this.anew = this.loading;
    this.wall.tile = SIZES[this.bar.size.value];
    this.arrange();
  }
  arrange(keep = this.current?.dna) {
    const { state, bar } = this;
    const passing = [...state.cards.values()].filter(bar.sieve());
    const order = this.mix(sorted(passing, bar.sort.value, state.me));
    const shows = this.shows();
    state.order = order.filter(shows).map((card) => card.dna);
    state.selection.clear();
    state.at = this.anchor = Math.max(0, state.order.indexOf(keep));
    this.wall.measure();
    this.wall.reveal();
    this.draw();
    this.detail();
    this.remember();
  }
  // Cards in order; in views to work through, those that chance chose stand among the others.
  mix(cards) {
    const view = this.bar.show.value;
    if (!MIXED[view] || !this.lots.size) return cards;
    const there = new Map(cards.map((card) => [card.dna, card]));
    const chance = [...this.lots].map((dna) => there.get(dna)).filter(Boolean);
    const plain = cards.filter((card) => !this.lots.has(card.dna));
    const { order, rest } = mixed(plain, chance, this.every, MIXED[view]);
    return view === "undecided" ? order.concat(rest) : order;
  }
  // Whether a card is shown.
  shows() {
    const wanted = this.bar.wanted(this.state.me);
    const passes = this.bar.sieve();
    return (card) => (this.byChance(card.dna) ? isOpen(card) && passes(card) : wanted(card));
  }
  byChance(dna) {
    return Boolean(MIXED[this.bar.show.value]) && this.lots.has(dna);
  }
  draw() {
    this.wall.draw();
    const none = "There are no candidates yet: artmint run paints them.";
    const nothing = this.total ? "Nothing is left here. Choose another view above." : none;
    this.empty.hidden = this.state.order.length > 0;
    this.empty.textContent = this.loading ? "Reading candidates …" : nothing;
    this.status();
  }
  status() {
    const { bar, outbox, state, large } = this;
    let open = 0;
    for (const card of state.cards.values()) if (isOpen(card)) open++;
    const unsent = outbox?.entries.length ?? 0;
    const all = this.loading ? this.total : state.cards.size;
    const chosen = state.selection.size ? `, ${number(state.selection.size)} selected` : "";
    const saving = unsent ? `, ${number(unsent)} saving` : "";
    bar.write(
      `${number(state.order.length)} shown, ${number(open)} of ${number(all)} undecided${chosen}${saving}`,
    );
    bar.progress.hidden = !this.loading;
    bar.progress.value = this.total ? state.cards.size / this.total : 0;
    bar.undo.disabled = !this.done.length;
    if (this.unread) return;
    const words = outbox?.words ?? "";
    const soft = Boolean(outbox && !outbox.stopped);
    if (this.says.textContent !== words) {
      this.says.textContent = words;
      this.alert.hidden = !words;
      large.warn(words, soft);
    }
    this.alert.classList.toggle("soft", soft);
    this.again.hidden = !outbox?.trouble;
    this.aside.hidden = outbox?.trouble?.kind !== "refused";
    if (this.stopped === outbox?.stopped) return;
    this.stopped = outbox?.stopped;
    this.detail();
    large.refresh();
  }
  recount() {
    this.bar.recount(this.state.cards, this.state.me);
  }

  // ---- moving
  go(i) {
    const { state, large } = this;
    if (!state.order.length) return;
    this.touched = true;
    state.at = Math.min(Math.max(i, 0), state.order.length - 1);
    this.wall.reveal();
    this.draw();
    this.detail();
    this.remember();
    if (large.open) large.show([this.current.dna]);
  }
  following() {
    const { state } = this;
    for (let i = state.at + 1; i < state.order.length; i++) {
      if (isOpen(state.cards.get(state.order[i]))) return this.go(i);
    }
    this.go(state.at + 1);
  }
  step(by) {
    const { large, state } = this;
    if (large.several) return large.activate(large.active + by);
    const at = large.open ? state.order.indexOf(large.dnas[0]) : state.at;
    this.go((at < 0 ? state.at : at) + by);
  }
  move(by, select) {
    const { state } = this;
    const to = Math.min(Math.max(state.at + by, 0), state.order.length - 1);
    if (select) {
      const [from, end] = [Math.min(this.anchor, to), Math.max(this.anchor, to) + 1];
      state.selection = new Set(state.order.slice(from, end));
    } else {
      this.anchor = to;
      state.selection.clear();
    }
    this.go(to);
  }

  // ---- selection
  clicked(i, event) {
    const { state } = this;
    const dna = state.order[i];
    const control = event.ctrlKey || event.metaKey;
    if (event.shiftKey) {
      const [from, end] = [Math.min(this.anchor, i), Math.max(this.anchor, i) + 1];
      if (!control) state.selection.clear();
      for (const each of state.order.slice(from, end)) state.selection.add(each);
    } else if (control || this.bar.selecting) {
      // the one at hand is the first of them
      if (!state.selection.size && control && this.current && state.at !== i)
        state.selection.add(this.current.dna);
      if (!state.selection.delete(dna)) state.selection.add(dna);
      this.anchor = i;
    } else {
      const again = i === state.at && event.pointerType === "touch" && !state.selection.size;
      state.selection.clear();
      this.anchor = i;
      this.go(i);
      if (again) this.enlarge();
      return;
    }
    state.at = i;
    this.draw();
    this.detail();
  }
  selected(dnas) {
    const { state } = this;
    if (!dnas.size && !state.selection.size) return;
    state.selection = dnas;
    this.draw();
    this.detail();
  }
  selectAll() {
    this.selected(new Set(this.state.order));
    this.tell(`${many(this.state.order.length, "picture")} selected.`);
  }
  selecting(on) {
    this.bar.select.setAttribute("aria-pressed", String(on));
    if (on) this.tell("Tap or click the pictures; then pick, reject or give stars to all of them.");
    else this.selected(new Set());
  }
  aimed() {
    const { large, state } = this;
    if (large.open) return [large.dnas[large.active]];
    if (state.selection.size) return state.order.filter((dna) => state.selection.has(dna));
    return this.current ? [this.current.dna] : [];
  }

  // ---- the card at hand
  detail() {
    const card = this.current;
    this.keepNote();
    this.side.hidden = !card;
    if (!card) return;
    const other = this.text.dataset.dna !== card.dna;
    const several = this.state.selection.size > 1;
    this.portrait(card);
    const edition = card.chosen ? " · edition" : "";
    const one = `Slot ${card.slot}, attempt ${card.attempt}${edition}`;
    this.heading.textContent = several ? `${number(this.state.selection.size)} selected` : one;
    this.fixed.textContent = locked(card) ? `${whyLocked(card)}.`.replace("packed", "Packed") : "";
    this.fixed.hidden = !locked(card);
    this.dock.show(card, several ? Boolean(this.outbox?.stopped) : this.blocked(card));
    if (this.root.activeElement !== this.text || other) {
      this.text.dataset.dna = card.dna;
      this.text.value = card.mine?.note ?? "";
    }
    this.text.readOnly = this.blocked(card);
    this.describe(card);
    if (this.bar.report.href && this.transport.report) this.bar.report.href = this.transport.report(card.dna);
    if (other) this.side.scrollTop = 0;
  }
  portrait(card) {
    const small = Math.max(this.image.clientWidth, 300) * (devicePixelRatio || 1) <= 384;
    const shown = (url) => {
      if (this.current?.dna === card.dna && this.image.getAttribute("src") !== url) this.image.src = url;
    };
    this.transport.picture(card.dna, { small }).then(shown, () => {});
    this.image.alt = `slot ${card.slot}, attempt ${card.attempt}`;
  }
  // Written anew only when something of it changed: nothing flickers while others decide elsewhere.
  describe(card) {
    const now = JSON.stringify([card, this.bar.judged, this.opened.last_word]);
    if (this.described === now) return;
    this.described = now;
    this.details.replaceChildren(...described(card, this.showing()));
  }
  // A note is said when the person goes on, whichever way.
  keepNote() {
    const card = this.state.cards.get(this.text.dataset.dna);
    if (!card || this.text.readOnly || this.text.value === (card.mine?.note ?? "")) return;
    this.say([{ what: { note: this.text.value }, dnas: [card.dna] }]);
  }
  enlarge() {
    if (this.current) this.large.show([this.current.dna]);
  }
  // In step: what is selected, else the picture at hand with the slot's edition and its other attempts.
  attempts(slot) {
    return [...this.state.cards.values()].filter((card) => card.slot === slot).sort(bySlot);
  }
  compare() {
    const { state, large } = this;
    const card = this.current;
    if (!card) return;
    const chosen = state.order.filter((dna) => state.selection.has(dna));
    if (chosen.length > MOST) return this.tell(`${MOST} pictures at most stand side by side.`);
    if (chosen.length > 1) return large.show(chosen);
    const rest = this.attempts(card.slot).filter((each) => each.dna !== card.dna);
    const later = rest.filter((each) => !each.chosen && each.attempt > card.attempt);
    const earlier = rest.filter((each) => !each.chosen && each.attempt < card.attempt);
    const others = [...rest.filter((each) => each.chosen), ...later, ...earlier];
    if (!others.length) return this.tell("There is nothing to compare it with: select two to four pictures.");
    this.tell("");
    large.show([card, ...others].map((each) => each.dna));
  }
  // What a picture repeats, beside it.
  twin() {
    const card = this.large.open ? this.state.cards.get(this.large.dnas[this.large.active]) : this.current;
    const same = card && this.bar.judged ? twinOf(card) : null;
    if (!same) return this.tell("The machine says of no picture that this one repeats it.");
    if (same.reference) {
      return this.tell(
        `It repeats a reference picture (${same.reference}), which nobody decides on: keep it or reject it.`,
      );
    }
    const twin = this.attempts(same.slot).find((each) => each.chosen);
    if (!twin) return this.tell(`Edition ${same.slot} isn't on this board; the reason's picture shows it.`);
    this.large.show([card.dna, twin.dna]);
  }
  turn(by) {
    const { large, state } = this;
    const all = this.attempts(state.cards.get(large.dnas[large.active]).slot);
    const at = all.findIndex((card) => card.dna === large.dnas[large.active]);
    for (let i = 1; i < all.length; i++) {
      const next = all[(at + by * i + all.length * i) % all.length];
      if (large.dnas.includes(next.dna)) continue;
      const dnas = large.dnas.map((dna, each) => (each === large.active ? next.dna : dna));
      return large.show(dnas, large.active);
    }
  }

  // ---- saying something: shown at once, kept in the browser, sent in order, sent again until the server has it
  // Parts are { what, dnas }; together they are one action, which is undone at once.
  say(parts) {
    if (this.refused()) return false;
    const { cards } = this.state;
    const every = parts.flatMap((part) => part.dnas);
    const fixed = every.filter((dna) => locked(cards.get(dna)));
    if (fixed.length) this.tell(this.whyNot(cards.get(fixed[0]), fixed.length, every.length));
    else this.tell("");
    const open = parts.flatMap((part) => this.split(part)).filter((part) => part.dnas.length);
    if (!open.length) return false;
    const id = newId();
    const said = { id, dnas: [], before: [] };
    for (const { what, dnas, audit } of open) {
      const before = dnas.map((dna) => cards.get(dna).mine);
      said.dnas.push(...dnas);
      said.before.push(...before);
      for (const dna of dnas) {
        const card = cards.get(dna);
        card.mine = { decision: "withdrawn", ...(card.mine ?? {}), ...what };
      }
      this.outbox.add({ verb: "act", args: { id, dnas, ...what, via: this.bar.via(audit) }, before });
    }
    this.done.push(said);
    this.touched = true;
    this.recount();
    return true;
  }
  // Of a part what can be decided; what chance chose is said apart.
  split({ what, dnas }) {
    const open = dnas.filter((dna) => !locked(this.state.cards.get(dna)));
    return [true, false].map((audit) => ({
      what,
      audit,
      dnas: open.filter((dna) => this.byChance(dna) === audit),
    }));
  }
  whyNot(card, fixed, all) {
    if (fixed < all) return `${many(fixed, "picture")} of them can't be changed any more: packed in a drop.`;
    return `Slot ${card.slot} is ${whyLocked(card)}.`;
  }
  redraw(anew = true) {
    this.draw();
    if (anew) this.detail();
    this.large.refresh();
  }
  async sure(dnas, text, yes) {
    if (!dnas.length || this.refused()) return false;
    if (!this.large.open && dnas.length === 1 && !this.wall.sight()) {
      this.wall.reveal();
      this.draw();
      this.tell("The picture at hand was out of sight; here it is. Press again.");
      return false;
    }
    return dnas.length <= ASK_FROM || this.asks(text, yes);
  }
  async judge(decision) {
    const dnas = this.aimed();
    const name = NAMED[decision];
    const text = `${name} all ${many(dnas.length, "selected picture")}?`;
    if (!(await this.sure(dnas, text, `${name} ${number(dnas.length)}`))) return;
    if (!this.say([{ what: { decision }, dnas }])) return;
    if (dnas.length > 1) {
      this.state.selection = new Set();
      this.tell(`${name}: ${many(dnas.length, "picture")}. Ctrl+Z takes it back.`);
      return this.redraw();
    }
    if (decision === "withdrawn" || this.large.several) return this.redraw();
    if (!this.large.open) return this.following();
    const at = this.state.order.indexOf(dnas[0]);
    if (at < 0) this.redraw();
    else this.go(at + 1);
  }
  async rate(stars) {
    const dnas = this.aimed();
    const text = `Give ${many(stars, "star")} to ${many(dnas.length, "selected picture")}?`;
    if (!(await this.sure(dnas, text, `Give ${many(stars, "star")}`))) return;
    if (this.say([{ what: { stars }, dnas }])) this.redraw();
  }
  // Of two pictures side by side the one is picked and the other rejected.
  keep(side) {
    const { large } = this;
    if (large.dnas.length !== 2 || this.refused()) return;
    const fixed = large.dnas.map((dna) => this.state.cards.get(dna)).find(locked);
    if (fixed) return this.tell(this.whyNot(fixed, 1, 1));
    const [kept, other] = side ? [...large.dnas].reverse() : large.dnas;
    const parts = [
      { what: { decision: "accept" }, dnas: [kept] },
      { what: { decision: "reject" }, dnas: [other] },
    ];
    if (!this.say(parts)) return;
    const [yes, no] = [kept, other].map((dna) => placeOf(this.state.cards.get(dna)));
    this.redraw();
    this.tell(`${yes} picked, ${no} rejected. Ctrl+Z takes both back.`);
  }
  async bulk(decision) {
    if (this.loading) return this.tell("Not all candidates are here yet; wait for the rest.");
    if (this.refused()) return;
    const { state } = this;
    const open = state.order.filter((dna) => isOpen(state.cards.get(dna)));
    if (!open.length) return this.tell("Nothing that is shown is undecided.");
    const name = NAMED[decision];
    const count = many(open.length, "undecided picture");
    const text = `${name} all ${count} that this view shows? Undo takes it back, also later.`;
    if (open.length > 1 && !(await this.asks(text, `${name} ${number(open.length)}`))) return;
    if (!this.say([{ what: { decision }, dnas: open }])) return;
    this.redraw();
    this.tell(`${name}: ${many(open.length, "picture")}. Undo takes it back.`);
  }
  undo() {
    if (this.refused()) return;
    const { state, large } = this;
    const last = this.done.pop();
    if (!last) return this.tell("There is nothing to undo.");
    this.undone.add(last.id);
    last.dnas.forEach((dna, i) => {
      const card = state.cards.get(dna);
      if (card && last.before) card.mine = last.before[i];
    });
    const args = { id: newId(), undone: last.id, dnas: last.dnas };
    this.outbox.add({ verb: "undo", args, before: last.before });
    this.recount();
    const at = state.order.indexOf(last.dnas[0]);
    if (at >= 0 && !large.several) this.go(at);
    else this.redraw();
    const unseen = at < 0 ? ", which this view doesn't show" : "";
    this.tell(`Undone: ${many(last.dnas.length, "picture")}${unseen}.`);
  }

  // ---- keys
  commands() {
    return {
      p: this.act.pick,
      x: this.act.reject,
      u: this.act.unflag,
      n: () => this.writeNote(),
      z: () => this.truePixels(),
      c: () => (this.large.several ? this.large.show([this.large.dnas[this.large.active]]) : this.compare()),
      d: () => this.twin(),
      i: () => this.large.open && this.large.toggleInfo(),
      "/": () => this.search(),
      " ": () => (this.large.open ? this.large.close() : this.enlarge()),
      Enter: () => !this.large.open && this.enlarge(),
    };
  }
  writeNote() {
    if (this.refused()) return;
    this.large.close();
    this.el.classList.add("open");
    this.text.focus();
  }
  truePixels() {
    const { large } = this;
    if (large.open) return large.pane.toggle(this.pointer);
    this.enlarge();
    const { pane } = large;
    pane.image.addEventListener("load", () => pane.scale || pane.toggle(), { once: true });
  }
  filtering(on = !this.el.classList.contains("filtering")) {
    this.el.classList.toggle("filtering", on);
    this.bar.menu.setAttribute("aria-expanded", String(on));
    this.draw();
  }
  search() {
    this.large.close();
    this.filtering(true);
    this.bar.find.focus();
  }
  key(event) {
    const from = event.composedPath()[0];
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(from.tagName ?? "");
    event.stopPropagation();
    if (this.ask.open || event.isComposing) return;
    if (typing) {
      if (event.key === "Escape" && from !== this.text) this.wall.focus();
      return;
    }
    const command = commandOf(event, this);
    if (!command) return;
    event.preventDefault();
    if (command.step) this.step(command.step);
    else if (command.move) this.move(command.move, event.shiftKey);
    else if (!event.repeat) command();
  }

  // ---- the view is in the address (in JupyterLab: in the browser's own store)
  get place() {
    return "artmint-view/" + this.opened.board;
  }
  rememberNow() {
    clearTimeout(this.remembering);
    if (this.loading || !this.outbox) return;
    const view = this.bar.saved();
    if (this.current) view.set("at", placeOf(this.current));
    try {
      if (this.page) history.replaceState(null, "", "#" + view);
      else localStorage.setItem(this.place, String(view));
    } catch {
      // only the view is forgotten
    }
  }
  remember() {
    clearTimeout(this.remembering);
    this.remembering = setTimeout(() => this.rememberNow(), 300);
  }
  remembered() {
    try {
      return new URLSearchParams(
        this.page ? location.hash.slice(1) : (localStorage.getItem(this.place) ?? ""),
      );
    } catch {
      return new URLSearchParams(); // the view is a new one
    }
  }
  // A card that an address names by its dna, or its beginning, or by slot and attempt.
  named(asked, dnas = [...this.state.cards.keys()]) {
    const dna = asked.get("dna")?.toLowerCase() ?? "";
    if (/^[0-9a-f]{8,64}$/.test(dna)) return dnas.find((each) => each.startsWith(dna));
    const [slot, attempt] = (asked.get("at") ?? "").split("/").map(Number);
    if (!slot) return undefined;
    const fits = (card) => card.slot === slot && (!attempt || card.attempt === attempt);
    return [...this.state.cards.values()].find(fits)?.dna;
  }
  // A card is brought before the eyes, in the view asked for or in one that shows it; whether it is there.
  follow(asked) {
    if (this.loading) return;
    this.bar.restore(asked);
    const dna = this.named(asked);
    const card = this.state.cards.get(dna);
    if (card && !this.shows()(card)) this.bar.show.value = "all";
    this.wall.tile = SIZES[this.bar.size.value];
    this.arrange(dna);
    if (!asked.has("dna")) return;
    if (card) this.large.show([dna]);
    else this.tell(`No candidate on this board begins with ${asked.get("dna").slice(0, 16)}.`);
  }

  // ---- from the first word to the last
  async start() {
    this.draw();
    if (this.page) this.wall.focus();
    const opened = await this.patiently("open", {});
    this.open(opened);
    await this.live.begin(opened.now);
    await this.linkedFirst(opened.dnas);
    const stream = { count: 0, due: 0, chance: [...this.lots] };
    await this.read(this.reading(opened.dnas), stream);
    const now = (await this.patiently("open", { fresh: true })).dnas; // candidates that came since it was served
    await this.read(
      now.filter((dna) => !this.state.cards.has(dna)),
      stream,
    );
    const there = new Set(now);
    for (const dna of [...this.state.cards.keys()]) if (!there.has(dna)) this.state.cards.delete(dna);
    if (this.over) return;
    this.finish(stream, await this.patiently("history", {}));
    this.live.run();
  }
  open(opened) {
    const { bar, state, transport } = this;
    this.opened = opened;
    state.me = opened.by;
    this.total = opened.dnas.length;
    const there = new Set(opened.dnas);
    this.lots = new Set((opened.audit ?? []).filter((dna) => there.has(dna)));
    this.every = Math.max(1, Math.round(1 / (opened.audit_share || SHARE)));
    this.title.textContent = `Review of ${opened.collection}`;
    const role = opened.role && opened.role !== "artist" ? ` (${opened.role})` : "";
    const does = this.deciding ? "deciding" : "looking";
    bar.who.textContent = `${opened.collection}, ${does} as ${opened.by}${opened.blind ? " (blind)" : role}`;
    bar.who.title = this.showing().rule ?? "";
    if (opened.blind) bar.machine.remove();
    if (opened.report && transport.report)
      Object.assign(bar.report, { hidden: false, href: transport.report("") });
    if (!this.deciding) this.lookOnly();
    this.foot.replaceChildren(
      ...hintsFor(this.deciding).map(([key, what]) =>
        make("span", {}, make("kbd", { textContent: key }), " " + what),
      ),
    );
    this.outbox = new Outbox(transport, opened.board, {
      heard: (cards) => this.heard(cards),
      changed: () => this.draw(),
    });
    this.live = new Live(transport, {
      heard: (cards) => this.news(cards),
      lost: (lost) => (bar.live.hidden = !lost),
    });
    this.asked = this.remembered();
    if (this.asked.has("dna")) this.asked.set("show", this.asked.get("show") ?? "all");
    bar.restore(this.asked, true);
    this.wall.tile = SIZES[bar.size.value];
    if (this.deciding) this.outbox.run(); // what an earlier page couldn't send
  }
  // Who may only look has no buttons that decide.
  lookOnly() {
    const { bar } = this;
    this.el.classList.add("guest");
    for (const each of [bar.all, bar.none, bar.undo, bar.select, this.text]) each.remove();
    this.dock.lookOnly();
    this.large.dock.lookOnly();
  }
  // What a link names is shown before all others.
  async linkedFirst(dnas) {
    const dna = this.asked.has("dna") ? this.named(this.asked, dnas) : undefined;
    if (!dna) return;
    const [card] = await this.patiently("cards", { dnas: [dna] });
    this.state.cards.set(dna, this.outbox.ahead(card));
    this.large.show([dna]);
  }
  finish(stream, earlier) {
    const { bar, state } = this;
    this.history(earlier);
    bar.offer(state.cards);
    this.loading = false;
    this.late.clear();
    this.total = state.cards.size;
    const { asked, touched } = this;
    const streamed = bar.sort.value === "slot" && !this.anew;
    if (streamed && bar.show.value === "undecided") {
      stream.due = stream.chance.length;
      this.drawLots(stream);
    }
    if (!touched && (asked.has("at") || asked.has("dna"))) this.follow(asked);
    else if (!streamed) this.arrange();
    if (!touched && !asked.get("show") && !state.order.length) {
      bar.show.value = "all";
      this.arrange();
    }
    this.draw();
    this.recount();
    this.el.dataset.ready = "yes";
  }
  // What can be undone: what the server knows of, and what it wasn't told yet.
  history(earlier) {
    const { outbox } = this;
    const actions = new Map(earlier.map((each) => [each.id, { ...each, dnas: [...each.dnas] }]));
    for (const { verb, args, before } of outbox.entries) {
      if (verb === "undo") this.undone.add(args.undone);
      if (verb !== "act") continue;
      const said = actions.get(args.id);
      if (!said) actions.set(args.id, { id: args.id, dnas: [...args.dnas], before: [...(before ?? [])] });
      else if (!said.dnas.includes(args.dnas[0])) said.dnas.push(...args.dnas);
    }
    const own = new Map(this.done.map((each) => [each.id, each]));
    const known = [...actions.values()].filter((each) => !own.has(each.id) && !this.undone.has(each.id));
    this.done = [...known, ...this.done];
  }

  // ---- what comes from the server
  heard(cards) {
    this.take(cards);
    this.recount();
  }
  // What others decided, or this person elsewhere: the wall changes in place, nothing moves.
  news(cards) {
    const { state } = this;
    const mine = (card) => JSON.stringify(card?.mine ?? null);
    const elsewhere = cards.some(
      (card) => mine(state.cards.get(card.dna)) !== mine(this.outbox.ahead({ ...card })),
    );
    const fresh = cards.filter((card) => !state.cards.has(card.dna));
    for (const card of fresh) state.cards.set(card.dna, card);
    const shows = this.shows();
    for (const card of fresh) if (shows(card)) state.order.push(card.dna);
    if (fresh.length) this.tell(`${many(fresh.length, "new candidate")}: at the end of what is shown.`);
    this.total = state.cards.size;
    this.take(cards);
    this.draw();
    this.recount();
    if (elsewhere) this.recall();
  }
  take(cards) {
    const { state } = this;
    for (const card of cards) {
      if (this.loading) this.late.set(card.dna, { ...card });
      if (state.cards.has(card.dna)) state.cards.set(card.dna, this.outbox.ahead(card));
    }
    const here = cards.some((card) => card.dna === this.current?.dna);
    if (here && this.root.activeElement !== this.text) this.detail();
    if (this.large.open) this.large.refresh();
  }
  // What this person did elsewhere can be undone here as well.
  async recall() {
    try {
      const unsent = new Set(this.outbox.entries.map((entry) => entry.args.id));
      const sent = new Set(this.done.map((each) => each.id).filter((id) => !unsent.has(id)));
      const earlier = await this.transport.call("history", {});
      const before = new Map(this.done.map((each) => [each.id, each.before]));
      this.done = this.done.filter((each) => !sent.has(each.id)); // what was said since it was asked
      this.history(earlier);
      for (const each of this.done) each.before ??= before.get(each.id);
      this.status();
    } catch {
      // it is asked again with the next news
    }
  }

  // ---- reading what there is: the first pictures at once, the rest in pages
  async patiently(verb, args) {
    for (let wait = 200; ; wait = Math.min(2 * wait, 3000)) {
      try {
        const got = await this.transport.call(verb, args);
        if (this.unread) {
          this.unread = this.says.textContent = "";
          this.alert.hidden = true;
        }
        return got;
      } catch (error) {
        this.unread = this.says.textContent = error.message;
        this.alert.hidden = false;
        this.alert.classList.add("soft");
        this.again.hidden = this.aside.hidden = true;
        if (error.kind === "refused") throw error;
        await pause(wait);
        if (this.over) throw error;
      }
    }
  }
  // In the order in which they are shown, as far as it is known before they are read.
  reading(dnas) {
    if (!MIXED[this.bar.show.value] || !this.lots.size) return dnas;
    const { order, rest } = mixed(
      dnas.filter((dna) => !this.lots.has(dna)),
      [...this.lots],
      this.every,
      () => true,
    );
    return order.concat(rest);
  }
  admit(cards, stream) {
    const { state } = this;
    const shows = this.shows();
    const full = MIXED[this.bar.show.value];
    const passes = this.bar.sieve();
    const nothing = !this.current;
    for (let card of cards) {
      card = this.late.get(card.dna) ?? card;
      const fresh = !this.admitted.has(card.dna);
      this.admitted.add(card.dna);
      state.cards.set(card.dna, this.outbox.ahead(card));
      if (!fresh || !stream) continue;
      if (!this.byChance(card.dna) && shows(card)) state.order.push(card.dna);
      const counts = full && !this.lots.has(card.dna) && full(card) && passes(card);
      if (counts && ++stream.count % this.every === 0) stream.due++;
      this.drawLots(stream);
    }
    this.draw();
    if (nothing) this.detail();
  }
  // Those that chance chose take their places, as far as they are due and were read.
  drawLots(stream) {
    const { state } = this;
    while (stream.due && stream.chance.length && state.cards.has(stream.chance[0])) {
      const card = state.cards.get(stream.chance.shift());
      if (!this.bar.sieve()(card)) continue;
      stream.due--;
      if (this.shows()(card)) state.order.push(card.dna);
    }
  }
  async read(dnas, stream) {
    for (let from = 0; from < dnas.length && !this.over;) {
      const some = dnas.slice(from, from + (from ? PAGE : FIRST));
      this.admit(
        await this.patiently("cards", { dnas: some }),
        this.bar.sort.value === "slot" ? stream : null,
      );
      from += some.length;
    }
  }
}

export async function mount(host, transport, { page = false } = {}) {
  const board = new Board(host, transport, page);
  await board.start();
  return () => board.end();
}
export { overHttp };

function render({ model, el }) {
  const host = document.createElement("div");
  host.style.height = model.get("height") + "px";
  el.append(host);
  const transport = overWidget(model);
  const mounted = mount(host, transport);
  return async () => {
    transport.close();
    (await mounted)();
  };
}
export default { render };
