// Deciding: what a person says is shown at once, kept in the browser, and sent in order until the server has it.
import { isOpen } from "./bar.js";
import { locked, many, newId, number, placeOf, whyLocked } from "./cards.js";

const ASK_FROM = 10; // a decision on more than so many at once is asked about
const NAMED = { accept: "Pick", reject: "Reject", withdrawn: "Unflag" };

// Methods of the board.
export const deciding = {
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
  },
  // Of a part what can be decided; what chance chose is said apart.
  split({ what, dnas }) {
    const open = dnas.filter((dna) => !locked(this.state.cards.get(dna)));
    return [true, false].map((audit) => ({
      what,
      audit,
      dnas: open.filter((dna) => this.byChance(dna) === audit),
    }));
  },
  whyNot(card, fixed, all) {
    if (fixed < all) return `${many(fixed, "picture")} of them can't be changed any more: packed in a drop.`;
    return `Slot ${card.slot} is ${whyLocked(card)}.`;
  },
  redraw(anew = true) {
    this.draw();
    if (anew) this.detail();
    this.large.refresh();
  },
  // Whether it is to be done: at once where nothing is asked, so that keys that come fast keep their order.
  sure(dnas, text, yes) {
    if (!dnas.length || this.refused()) return false;
    if (!this.large.open && dnas.length === 1 && !this.wall.sight()) {
      this.wall.reveal();
      this.draw();
      this.tell("The picture at hand was out of sight; here it is. Press again.");
      return false;
    }
    return dnas.length <= ASK_FROM || this.asks(text, yes);
  },
  async judge(decision) {
    const dnas = this.aimed();
    const name = NAMED[decision];
    const text = `${name} all ${many(dnas.length, "selected picture")}?`;
    const sure = this.sure(dnas, text, `${name} ${number(dnas.length)}`);
    if (sure !== true && !(await sure)) return;
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
  },
  async rate(stars) {
    const dnas = this.aimed();
    const text = `Give ${many(stars, "star")} to ${many(dnas.length, "selected picture")}?`;
    const sure = this.sure(dnas, text, `Give ${many(stars, "star")}`);
    if (sure !== true && !(await sure)) return;
    if (this.say([{ what: { stars }, dnas }])) this.redraw();
  },
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
  },
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
  },
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
  },
};
