// What others decide, and this person elsewhere, appears while one works.
import { pause } from "./cards.js";

const EVERY = 2000; // milliseconds
const LOST = 2; // failures in a row after which a person is told

export class Live {
  // heard(cards) takes cards that changed; lost(bool) whether nothing is heard any more
  constructor(transport, { heard, lost }) {
    Object.assign(this, { transport, heard, lost, now: null, failed: 0, over: false });
    this.shown = () => document.visibilityState === "visible" && this.wake?.();
    document.addEventListener("visibilitychange", this.shown);
  }
  // From when on cards are news; before they are read. A server without news is asked no more.
  async begin(now) {
    this.now = now ?? null;
    if (this.now !== null) return;
    try {
      this.now = (await this.transport.call("news", { since: -1 })).now;
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
      const news = await this.transport.call("news", { since: this.now });
      this.now = news.now;
      this.failed = 0;
      this.lost(false);
      if (news.cards.length && !this.over) this.heard(news.cards);
    } catch {
      if (++this.failed >= LOST) this.lost(true);
    }
  }
  close() {
    this.over = true;
    this.wake?.();
    document.removeEventListener("visibilitychange", this.shown);
  }
}
