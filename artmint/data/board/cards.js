// What a card says, in words; how cards are chosen and put in order.

export const make = (name, props = {}, ...inside) => {
  const el = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (key in el && key !== "list") el[key] = value;
    else el.setAttribute(key, value);
  }
  el.append(...inside.filter((each) => each !== null && each !== undefined));
  return el;
};
export const newId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(9)), (b) => b.toString(16).padStart(2, "0")).join("");
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));
export const number = (count) => count.toLocaleString("en");
export const many = (count, one) => `${number(count)} ${one}${count === 1 ? "" : "s"}`;

export const WORD = { accept: "picked", reject: "rejected", review: "for people", withdrawn: "undecided" };
export const MACHINE = { accept: "machine: yes", reject: "machine: no", review: "machine: ask" };
// How words on a picture that differ are settled.
export const LAST_WORD = {
  latest: () => "the latest word counts",
  majority: () => "the majority counts",
  lead: (lead) => `${lead || "the lead"} has the last word`,
  both: () => "it counts when all who decided agree",
};

export const decided = (card) => Boolean(card.mine) && card.mine.decision !== "withdrawn";
export const locked = (card) => card.packed !== null && card.packed !== undefined;
export const placeOf = (card) => `${card.slot}/${card.attempt}`;
export const whyLocked = (card) =>
  `packed in drop ${card.packed}, whose metadata are fixed: it can't be changed any more`;

// The last word of everybody else, newest last: [[name, decision]].
export function others(card, me) {
  const last = new Map();
  for (const row of card.people ?? []) {
    if (row.by === me) continue;
    last.delete(row.by);
    last.set(row.by, row.decision);
  }
  return [...last].filter(([, decision]) => decision !== "withdrawn");
}
export const noted = (card) => Boolean(card.mine?.note) || (card.people ?? []).some((row) => row.note);

const wordsOn = (card, me) => {
  const words = others(card, me).map(([, word]) => word);
  return decided(card) ? [...words, card.mine.decision] : words;
};
export const disagreed = (card, me) => {
  if (!card.people?.length) return false;
  return Boolean(card.disputed) || new Set(wordsOn(card, me)).size > 1;
};
// 0 when all say the same, 1 when they are split in halves; -1 when nobody said anything.
function split(card, me) {
  const words = wordsOn(card, me);
  const yes = words.filter((word) => word === "accept").length;
  return words.length ? (2 * Math.min(yes, words.length - yes)) / words.length : -1;
}

// What a picture repeats, as the machine's reasons name it: { reason, slot, reference }, or null.
const LIKENESS = /^(?:duplicate|alike|near-copy) .*\((?:edition (\d+)|reference ([\w.-]+))(?:, .+)?\)$/;
export function twinOf(card) {
  for (const [reason, why] of (card.machine?.reasons ?? []).entries()) {
    const named = LIKENESS.exec(why);
    if (named) return { reason, slot: named[1] ? Number(named[1]) : null, reference: named[2] ?? null };
  }
  return null;
}

const machine = (word) => (card) => card.machine?.decision === word;
const mine = (word) => (card) => card.mine?.decision === word;
const said = (decision) => (card, me) => others(card, me).some(([, word]) => word === decision);
const free = (card) => !decided(card) && !locked(card);
export const VIEWS = {
  undecided: free,
  "left to people": (card) => free(card) && machine("review")(card),
  "picked by me": mine("accept"),
  "rejected by me": mine("reject"),
  "picked by others": said("accept"),
  "rejected by others": said("reject"),
  "people disagree": disagreed,
  "with stars": (card) => Boolean(card.mine?.stars),
  "with a note": noted,
  "accepted by the machine": machine("accept"),
  "rejected by the machine": machine("reject"),
  "with duplicates": (card) => Boolean(twinOf(card)),
  chosen: (card) => card.chosen,
  packed: locked,
  all: () => true,
};
// Views into which pictures are mixed that chance chose, by what would be in them were nothing decided.
export const MIXED = {
  undecided: (card) => !locked(card),
  "left to people": (card) => !locked(card) && machine("review")(card),
};

const spoken = (card) => [card.mine, ...(card.people ?? [])].filter(Boolean);
const latest = (card) => spoken(card).reduce((last, row) => ((row.at ?? "") > last ? row.at : last), "");
const speaker = (card) => {
  const by = spoken(card).map((row) => row.by ?? "");
  return by.length ? by.sort()[0].toLowerCase() : "\uffff"; // what nobody spoke of comes last
};
export const SORTS = {
  "stars ↓": (card) => Math.max(-1, ...spoken(card).map((row) => row.stars ?? -1)),
  "decided last ↓": latest,
  "decided first ↑": (card) => latest(card) || "\uffff",
  "person ↑": speaker,
  "disagreement ↓": split,
};
export const bySlot = (a, b) => a.slot - b.slot || a.attempt - b.attempt;
export function sorted(cards, key, me) {
  if (key === "slot") return cards.sort(bySlot);
  const sign = key.endsWith("↑") ? 1 : -1;
  const score = key.replace(/ [↑↓]$/, "");
  const valueOf = SORTS[key] ?? ((card) => card.scores[score] ?? -sign * -Infinity);
  const worth = new Map(cards.map((card) => [card, valueOf(card, me)]));
  return cards.sort((a, b) => {
    const [x, y] = [worth.get(a), worth.get(b)];
    if (x !== y) return x < y ? -sign : sign;
    return bySlot(a, b);
  });
}

// Pictures that chance chose stand one after every so many of the others, and nothing tells them apart. `full`
// is what of the others counts, decided or not: so that the order is the same after a reload.
export function mixed(cards, chance, every, full) {
  const order = [];
  let count = 0;
  let next = 0;
  for (const card of cards) {
    order.push(card);
    if (full(card)) count++;
    if (full(card) && count % every === 0 && next < chance.length) order.push(chance[next++]);
  }
  return { order, rest: chance.slice(next) };
}

const texts = new WeakMap(); // by card; a card that changed is another one
export function textOf(card) {
  const { prompt, negative, seed, dna } = card;
  const notes = spoken(card).flatMap((row) => [row.note, row.by]);
  const all = [prompt, negative, seed, dna, ...notes, ...Object.values(card.traits)];
  return all
    .filter((each) => each !== undefined && each !== null)
    .join("\n")
    .toLowerCase();
}
export function holds(card, words) {
  if (!words.length) return true;
  if (texts.get(card)?.[0] !== card.mine) texts.set(card, [card.mine, textOf(card)]);
  const text = texts.get(card)[1];
  return words.every((word) => text.includes(word));
}
