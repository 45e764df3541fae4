// What a person decides stays in the browser until the server has said that it is on disk.
import { many, number, pause } from "./cards.js";
import { wrong } from "./transport.js";

export class Outbox {
  constructor(transport, board, { heard, changed }) {
    Object.assign(this, { transport, board, heard, changed });
    Object.assign(this, { entries: [], byDna: new Map(), trouble: null, unkept: 0, over: false, count: 0 });
    for (const [key, entry] of this.shelf()) this.hold(entry, key);
  }
  get prefix() {
    return `artmint/${this.board}/`;
  }
  get stopped() {
    return this.trouble?.kind === "closed" || this.trouble?.kind === "refused";
  }

  // What the browser keeps for this board, oldest first: one item an action, so that two tabs don't overwrite
  // each other.
  shelf() {
    const kept = [];
    try {
      for (let i = 0; i < localStorage.length; i++) {
        const key = localStorage.key(i);
        if (key.startsWith(this.prefix)) kept.push([key, JSON.parse(localStorage.getItem(key))]);
      }
    } catch {
      return [];
    }
    return kept.sort(([a], [b]) => (a < b ? -1 : 1));
  }
  add(entry) {
    const when = String(Date.now()).padStart(15, "0");
    const key = `${this.prefix}${when}-${String(this.count++).padStart(7, "0")}-${entry.args.id}`;
    try {
      localStorage.setItem(key, JSON.stringify(entry));
      this.hold(entry, key);
    } catch {
      this.hold(entry, null);
    }
    this.changed();
    this.run();
  }
  hold(entry, key) {
    entry = { ...entry, key };
    this.entries.push(entry);
    if (!key) this.unkept++;
    for (const dna of entry.args.dnas) {
      if (!this.byDna.has(dna)) this.byDna.set(dna, []);
      this.byDna.get(dna).push(entry);
    }
  }
  drop(entry, aside = false) {
    this.entries.splice(this.entries.indexOf(entry), 1);
    for (const dna of entry.args.dnas) {
      const left = this.byDna.get(dna).filter((each) => each !== entry);
      if (left.length) this.byDna.set(dna, left);
      else this.byDna.delete(dna);
    }
    if (!entry.key) {
      this.unkept--;
      return;
    }
    try {
      if (aside) localStorage.setItem(entry.key.replace("artmint/", "artmint-aside/"), JSON.stringify(entry));
      localStorage.removeItem(entry.key);
    } catch {
      // it is sent again and recorded once
    }
  }
  // A card as it is once everything has been sent.
  ahead(card) {
    for (const { verb, args, before } of this.byDna.get(card.dna) ?? []) {
      if (verb === "undo") {
        if (before) card.mine = before[args.dnas.indexOf(card.dna)];
        continue;
      }
      const { id, dnas, via, ...what } = args;
      card.mine = { decision: "withdrawn", ...(card.mine ?? {}), ...what };
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
        if (!Array.isArray(cards) || cards.length !== new Set(entry.args.dnas).size) {
          throw wrong("away", "Something else answers at this address.");
        }
        if (this.over) break; // another board took over; it has been sent, and is recorded once
        this.drop(entry);
        wait = 200;
        this.trouble = null;
        this.heard(cards);
      } catch (error) {
        this.trouble = { kind: error.kind ?? "away", message: error.message };
        this.changed();
        const told = new Promise((done) => (this.decide = done));
        if (this.trouble.kind === "refused") await told;
        else await Promise.race([pause(this.trouble.kind === "closed" ? 3000 : wait), told]);
        wait = Math.min(wait * 2, 3000);
      }
      this.changed();
    }
    this.running = false;
  }
  again() {
    this.decide?.();
  }
  setAside() {
    const entry = this.entries[0];
    if (!entry) return;
    this.drop(entry, true);
    this.trouble = null;
    this.decide?.();
    this.changed();
  }
  // What is wrong, in words; never "kept" of what isn't.
  get words() {
    if (!this.trouble && !this.unkept) return "";
    const kept = this.kept();
    if (!this.trouble) return kept;
    const { kind, message } = this.trouble;
    if (kind === "closed") return `STOPPED. ${message} ${kept} Nothing more can be decided here until then.`;
    return `${kind === "refused" ? "STOPPED. " : ""}${message} ${kept}`;
  }
  kept() {
    const left = many(this.entries.length, "decision");
    if (this.unkept) {
      return (
        `${number(this.unkept)} of ${left} can't be kept by this browser: ` +
        "leave this page open until they are sent."
      );
    }
    if (!this.entries.length) return "";
    const them = this.entries.length === 1 ? "it" : "them";
    return `${left} not sent yet; this browser keeps ${them} and sends ${them} when it can.`;
  }
  close() {
    this.over = true;
    this.decide?.();
  }
}
