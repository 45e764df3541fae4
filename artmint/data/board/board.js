// The review board: one module for JupyterLab (anywidget calls `render`) and for the page (which calls `mount`).
// Texts are set as text, never as markup.
import { Bar, isOpen, tool } from "./bar.js";
import {
  LAST_WORD,
  MIXED,
  bySlot,
  locked,
  make,
  many,
  mixed,
  number,
  pause,
  sorted,
  twinOf,
  whyLocked,
} from "./cards.js";
import { Inviting } from "./inviting.js";
import { commandOf } from "./keys.js";
import { Large, MOST, described, dockOf } from "./look.js";
import { overHttp, overWidget } from "./transport.js";
import { SIZES, Wall } from "./wall.js";
import { deciding } from "./deciding.js";
import { reading } from "./reading.js";
import STYLE from "./style.css" with { type: "text" };

const LOOKED = 150; // milliseconds after which a picture is looked at, and not passed by

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
      reasons: {},
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
      invite: () => this.inviting.open(),
    });
    this.inviting = new Inviting(this.transport.invite, () => this.wall.focus());
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
    this.el.append(title, bar.el, alert, wall.el, empty, side, foot, large.el, ask, this.inviting.el);
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
    if (this.reasons.dna !== card.dna) this.reasons = { dna: card.dna, images: new Map() };
    const { images } = this.reasons;
    const picture = (dna, which) => this.stayed(dna).then(() => this.transport.picture(dna, which));
    this.details.replaceChildren(...described(card, { ...this.showing(), picture, images }));
  }
  // A reason's picture is worked out where the board is served: for who stays, not for who goes on at once.
  async stayed(dna) {
    await pause(LOOKED);
    if (this.current?.dna !== dna) throw new Error("nobody looks at it any more");
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
}
Object.assign(Board.prototype, deciding, reading);

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
