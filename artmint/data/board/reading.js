// Reading: what is in the address, what the server has, and what comes from it while one works.
import { MIXED, make, many, mixed, pause, placeOf } from "./cards.js";
import { hintsFor } from "./keys.js";
import { Live } from "./live.js";
import { Outbox } from "./outbox.js";
import { SIZES } from "./wall.js";

const FIRST = 60; // cards that are asked for first
const PAGE = 500; // and then at once
const SHARE = 0.05; // of pictures that chance chose, where the server doesn't say

// Methods of the board.
export const reading = {
  // ---- the view is in the address (in JupyterLab: in the browser's own store)
  place() {
    return "artmint-view/" + this.opened.board;
  },
  rememberNow() {
    clearTimeout(this.remembering);
    if (this.loading || !this.outbox) return;
    const view = this.bar.saved();
    if (this.current) view.set("at", placeOf(this.current));
    try {
      if (this.page) history.replaceState(null, "", "#" + view);
      else localStorage.setItem(this.place(), String(view));
    } catch {
      // only the view is forgotten
    }
  },
  remember() {
    clearTimeout(this.remembering);
    this.remembering = setTimeout(() => this.rememberNow(), 300);
  },
  remembered() {
    try {
      return new URLSearchParams(
        this.page ? location.hash.slice(1) : (localStorage.getItem(this.place()) ?? ""),
      );
    } catch {
      return new URLSearchParams(); // the view is a new one
    }
  },
  // A card that an address names by its dna, or its beginning, or by slot and attempt.
  named(asked, dnas = [...this.state.cards.keys()]) {
    const dna = asked.get("dna")?.toLowerCase() ?? "";
    if (/^[0-9a-f]{8,64}$/.test(dna)) return dnas.find((each) => each.startsWith(dna));
    const [slot, attempt] = (asked.get("at") ?? "").split("/").map(Number);
    if (!slot) return undefined;
    const fits = (card) => card.slot === slot && (!attempt || card.attempt === attempt);
    return [...this.state.cards.values()].find(fits)?.dna;
  },
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
  },

  // ---- from the first word to the last
  async start() {
    this.draw();
    if (this.page) this.wall.focus();
    const opened = await this.patiently("open", {});
    this.open(opened);
    await this.live.begin(opened.now, opened.mark);
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
  },
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
    if (opened.posts && transport.posts) Object.assign(bar.posts, { hidden: false, href: transport.posts });
    bar.invite.hidden = !(opened.can?.includes("invite") && transport.invite);
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
      back: (certain) => this.wentBack(certain),
    });
    this.asked = this.remembered();
    if (this.asked.has("dna")) this.asked.set("show", this.asked.get("show") ?? "all");
    bar.restore(this.asked, true);
    this.wall.tile = SIZES[bar.size.value];
    if (this.deciding) this.outbox.run(); // what an earlier page couldn't send
  },
  // Who may only look has no buttons that decide.
  lookOnly() {
    const { bar } = this;
    this.el.classList.add("guest");
    for (const each of [bar.all, bar.none, bar.undo, bar.select, this.text]) each.remove();
    this.dock.lookOnly();
    this.large.dock.lookOnly();
  },
  // What a link names is shown before all others.
  async linkedFirst(dnas) {
    const dna = this.asked.has("dna") ? this.named(this.asked, dnas) : undefined;
    if (!dna) return;
    const [card] = await this.patiently("cards", { dnas: [dna] });
    this.state.cards.set(dna, this.outbox.ahead(card));
    this.large.show([dna]);
  },
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
  },
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
  },

  // ---- what comes from the server
  heard(cards) {
    this.live.expect(cards);
    this.take(cards);
    this.recount();
  },
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
  },
  // The studio is an earlier copy of what it was: the board shows what that one has. What this person said since
  // is said again if they want it.
  async wentBack(certain) {
    const { cards } = this.state;
    const before = new Map([...cards].map(([dna, card]) => [dna, card.mine]));
    const { dnas } = await this.patiently("open", { fresh: true });
    const there = new Set(dnas);
    for (const dna of [...cards.keys()]) if (!there.has(dna)) cards.delete(dna);
    await this.read(dnas, null);
    this.done = [];
    this.undone.clear();
    this.history(await this.patiently("history", {}));
    this.total = cards.size;
    this.arrange();
    this.recount();
    const word = (mine) => JSON.stringify([mine?.decision ?? "withdrawn", mine?.stars ?? 0, mine?.note ?? ""]);
    const gone = dnas.filter((dna) => {
      const said = before.get(dna);
      return said && word(said) !== word(null) && word(said) !== word(cards.get(dna).mine);
    });
    if (certain || gone.length) await this.sayAgain(gone, before, word);
  },
  async sayAgain(gone, before, word) {
    const what = "The studio was brought back to an earlier copy";
    if (!gone.length || !this.deciding) return this.tell(`${what}; the board shows what that one has.`);
    const them = gone.length === 1 ? "it" : "them";
    if (this.ask.open) this.ask.close("");
    const text = `${what}, which lacks ${many(gone.length, "decision")} of yours. Say ${them} again?`;
    if (!(await this.asks(text, `Say ${them} again`))) return this.tell(`${what}; its decisions stay as they are.`);
    const parts = new Map();
    for (const dna of gone) {
      const same = word(before.get(dna));
      parts.set(same, [...(parts.get(same) ?? []), dna]);
    }
    const said = [...parts.values()].map((dnas) => {
      const { decision, stars, note } = before.get(dnas[0]);
      return { what: { decision, ...(stars ? { stars } : {}), ...(note ? { note } : {}) }, dnas };
    });
    if (this.say(said)) this.redraw();
    this.tell(`Said again: ${many(gone.length, "decision")}. Ctrl+Z takes ${them} back.`);
  },
  take(cards) {
    const { state } = this;
    for (const card of cards) {
      if (this.loading) this.late.set(card.dna, { ...card });
      if (state.cards.has(card.dna)) state.cards.set(card.dna, this.outbox.ahead(card));
    }
    const here = cards.some((card) => card.dna === this.current?.dna);
    if (here && this.root.activeElement !== this.text) this.detail();
    if (this.large.open) this.large.refresh();
  },
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
  },

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
  },
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
  },
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
  },
  // Those that chance chose take their places, as far as they are due and were read.
  drawLots(stream) {
    const { state } = this;
    while (stream.due && stream.chance.length && state.cards.has(stream.chance[0])) {
      const card = state.cards.get(stream.chance.shift());
      if (!this.bar.sieve()(card)) continue;
      stream.due--;
      if (this.shows()(card)) state.order.push(card.dna);
    }
  },
  async read(dnas, stream) {
    for (let from = 0; from < dnas.length && !this.over;) {
      const some = dnas.slice(from, from + (from ? PAGE : FIRST));
      this.admit(
        await this.patiently("cards", { dnas: some }),
        this.bar.sort.value === "slot" ? stream : null,
      );
      from += some.length;
    }
  },
};
