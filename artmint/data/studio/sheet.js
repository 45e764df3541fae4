// The latest pictures as a contact sheet, and one of them at full size.

import { button, el, fill, list } from "./dom.js";

function mark(picture) {
  if (picture.packed) return ["packed", `drop ${picture.packed}`];
  if (picture.chosen) return ["chosen", "edition"];
  const word = picture.counts?.decision ?? picture.machine?.decision;
  return { accept: ["accept", "accepted"], reject: ["reject", "refused"], review: ["review", "asks you"] }[word] ?? ["", ""];
}

function described(picture) {
  const traits = Object.values(picture.traits).join(", ");
  return `Slot ${picture.slot}, attempt ${picture.attempt || "by hand"}: ${traits}`;
}

function tile(picture, open) {
  const [kind, word] = mark(picture);
  const image = el("img", { src: picture.thumbnail, alt: described(picture), loading: "lazy", decoding: "async", width: 384, height: 384 });
  return el(
    "li",
    { class: kind },
    button(image, `picture ${picture.dna}`, () => open(picture.dna), { class: "frame" }),
    el("p", {}, el("b", {}, `${picture.slot}`), picture.attempt ? `/${picture.attempt}` : " by hand", el("span", { class: `tag ${kind}` }, word)),
  );
}

// So many that whole rows come out; the first picture takes the place of four.
export function rowsOf(part, rows) {
  const columns = getComputedStyle(part.querySelector(".sheet")).gridTemplateColumns.split(" ").length;
  return Math.min(Math.max(columns, 3) * rows - 3, 200);
}

export function showSheet(part, studio, act) {
  const pictures = studio.pictures.items;
  list(part.querySelector(".sheet"), pictures, (one) => one.dna, (one) => tile(one, act.open));
  const said = [];
  if (!pictures.length) {
    const next = act.may("runs:write") ? "Start a run: its pictures appear here one by one." : "Once a lead starts a run, its pictures appear here one by one.";
    said.push(el("div", { class: "card calm empty" }, el("p", {}, "Nothing is painted yet."), el("p", { class: "soft" }, next)));
  }
  fill(part.querySelector(".said"), said);
  fill(part.querySelector(".more"), studio.pictures.next ? button("Show more", "more pictures", act.more, { class: "quiet" }) : null);
}

function people(picture) {
  return picture.people
    .filter((word) => word.decision !== "withdrawn")
    .map((word) => el("li", {}, el("b", {}, word.by), ` ${word.decision === "accept" ? "accepts it" : "rejects it"}`,
      word.stars ? `, ${"★".repeat(word.stars)}` : "", word.note ? `: ${word.note}` : ""));
}

function fact(name, value) {
  return value === null || value === undefined || value === "" ? [] : [el("div", {}, el("dt", {}, name), el("dd", {}, `${value}`))];
}

export class Look {
  constructor(dialog) {
    this.dialog = dialog;
    dialog.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) this.step(step);
    });
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }

  open(pictures, dna, collection) {
    this.pictures = pictures;
    this.collection = collection;
    this.at = Math.max(pictures.findIndex((one) => one.dna === dna), 0);
    this.show();
    this.dialog.showModal();
  }

  step(by) {
    const next = this.at + by;
    if (next < 0 || next >= this.pictures.length) return;
    this.at = next;
    this.show();
  }

  show() {
    const picture = this.pictures[this.at], [kind, word] = mark(picture);
    const reasons = (picture.machine?.reasons ?? []).map((reason) => el("li", {}, reason));
    const traits = Object.entries(picture.traits).map(([name, value]) => el("li", {}, el("i", {}, name), value));
    const scores = Object.entries(picture.scores).map(([name, value]) => fact(name, Number(value.toPrecision(3))));
    const words = [...people(picture), ...reasons];
    fill(
      this.dialog,
      el("figure", {}, el("img", { src: picture.picture, alt: described(picture) })),
      el(
        "div",
        { class: "facts" },
        el("h2", { id: "look-name" }, `Slot ${picture.slot}, ${picture.attempt ? `attempt ${picture.attempt}` : "made by hand"}`,
          word && el("span", { class: `tag ${kind}` }, word)),
        el("ul", { class: "traits" }, traits),
        words.length ? el("ul", { class: "words" }, words) : el("p", { class: "soft" }, "Nobody has judged it yet."),
        scores.length && el("dl", {}, scores.flat()),
        el("details", {}, el("summary", {}, "How it was made"), el("p", {}, picture.prompt),
          picture.negative && el("p", { class: "soft" }, `without: ${picture.negative}`),
          el("dl", {}, fact("seed", picture.seed), fact("dna", picture.dna), fact("pixels", picture.pixel_digest))),
        el(
          "div",
          { class: "actions" },
          button("‹ Newer", "look newer", () => this.step(-1), { class: "quiet", disabled: this.at === 0 }),
          button("Older ›", "look older", () => this.step(1), { class: "quiet", disabled: this.at === this.pictures.length - 1 }),
          el("a", { class: "button", href: `/board/${this.collection}/` }, "Decide on the board"),
          button("Close", "look close", () => this.dialog.close(), { class: "quiet" }),
        ),
      ),
    );
  }
}
