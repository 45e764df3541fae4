// What others decide, and this person elsewhere, appears while one works.
import { pause } from "./cards.js";

const EVERY = 2000; // milliseconds
const LOST = 2; // failures in a row after which a person is told

export class Live {
  // heard(cards) takes cards that changed; lost(bool) whether nothing is heard any more; back(certain) that the
  // studio is an earlier copy of what it was, or may be
  constructor(transport, { heard, lost, back }) {
    Object.assign(this, { transport, heard, lost, back, now: null, mark: "", failed: 0, over: false });
    this.expected = new Set(); // cards on which something was put on disk, of which news must come
    this.shown = () => document.visibilityState === "visible" && this.wake?.();
    document.addEventListener("visibilitychange", this.shown);
  }
  // From when on cards are news; before they are read. A server without news is asked no more.
  async begin(now, mark = "") {
    Object.assign(this, { now: now ?? null, mark });
    if (this.now !== null) return;
    try {
      const { now: newest, mark: its = "" } = await this.transport.call("news", { since: -1 });
      Object.assign(this, { now: newest, mark: its });
    } catch (error) {
      if (error.kind === "refused") this.over = true;
    }
  }
  async run() {
    while (!this.over) {
      const woken = new Promise((done) => (this.wake = done));
      await Promise.race([pause(EVERY), woken]);
      if (this.over) return;
      if (document.visibilityState === "hidden") await woken;
      await this.ask();
    }
  }
  async ask() {
    try {
      if (this.now === null) await this.begin();
      if (this.over || this.now === null) return;
      const expected = [...this.expected];
      const news = await this.transport.call("news", { since: this.now, mark: this.mark });
      for (const { dna } of news.cards) this.expected.delete(dna);
      const missing = !news.cards.length && expected.length > 0;
      if ((news.back || missing) && !this.over) await this.back(Boolean(news.back));
      if (missing) for (const dna of expected) this.expected.delete(dna);
      Object.assign(this, { now: news.now, mark: news.mark ?? "", failed: 0 });
      this.lost(false);
      if (news.cards.length && !this.over) this.heard(news.cards);
    } catch {
      if (++this.failed >= LOST) this.lost(true);
    }
  }
  expect(cards) {
    for (const { dna } of cards) this.expected.add(dna);
  }
  close() {
    this.over = true;
    this.wake?.();
    document.removeEventListener("visibilitychange", this.shown);
  }
}
