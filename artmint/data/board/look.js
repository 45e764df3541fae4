// The large view: a picture, or up to four in step, in true pixels; what is known of a picture, and the buttons
// that decide.
import { MACHINE, WORD, decided, locked, make, many, others, placeOf, twinOf, whyLocked } from "./cards.js";

const CLICK = 6; // pixels that a pointer may move and still click
const TWICE = 320; // milliseconds between two taps that are one double tap
const LEVELS = [1, 2, 3, 4, 6, 8, 12, 16]; // screen pixels a picture's pixel

const inside = (value, low, high) => Math.min(high, Math.max(low, value));

class Pane {
  // scale: screen pixels a picture's pixel, 0 to fit; x, y: what is in the middle, as parts of the picture
  constructor(view, index) {
    Object.assign(this, {
      view,
      index,
      dna: null,
      scale: 0,
      x: 0.5,
      y: 0.5,
      fingers: new Map(),
      tapped: null,
    });
    this.image = make("img", { alt: "", draggable: false });
    this.stage = make("div", { className: "stage", tabIndex: 0, role: "group" }, this.image);
    this.caption = make("div", { className: "caption" });
    this.el = make("div", { className: "pane" }, this.stage, this.caption);
    this.image.addEventListener("load", () => this.lay());
    new ResizeObserver(() => this.lay()).observe(this.stage);
    this.stage.addEventListener("pointerdown", (event) => this.down(event));
    this.stage.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      this.stage.addEventListener(name, (event) => this.up(event));
    }
    const wheel = (event) => {
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 1 : -1, event);
    };
    this.stage.addEventListener("wheel", wheel, { passive: false });
  }
  get dpr() {
    return devicePixelRatio || 1;
  }
  show(card, url) {
    if (this.dna !== card.dna) {
      this.dna = card.dna;
      this.image.removeAttribute("src");
      this.image.style.width = "0";
    }
    const shown = (address) => {
      if (this.dna === card.dna && this.image.getAttribute("src") !== address) this.image.src = address;
    };
    url.then(shown, () => (this.caption.textContent = "The picture can't be loaded."));
    this.image.alt = `slot ${card.slot}, attempt ${card.attempt}: ${card.prompt ?? ""}`;
    this.stage.setAttribute("aria-label", `picture of slot ${card.slot}, attempt ${card.attempt}`);
  }
  // Fitting is smooth when it shrinks; when it enlarges, every pixel becomes the same whole number of screen
  // pixels.
  fit() {
    const { width, height } = this.stage.getBoundingClientRect();
    const { naturalWidth, naturalHeight } = this.image;
    const scale = Math.min((width * this.dpr) / naturalWidth, (height * this.dpr) / naturalHeight);
    return scale >= 1 ? Math.floor(scale) : scale;
  }
  lay() {
    if (!this.image.naturalWidth) return;
    const box = this.stage.getBoundingClientRect();
    const scale = this.scale || this.fit();
    const wide = (this.image.naturalWidth * scale) / this.dpr;
    const high = (this.image.naturalHeight * scale) / this.dpr;
    const put = (size, room, part) => {
      const at = size <= room ? (room - size) / 2 : inside(room / 2 - part * size, room - size, 0);
      return Math.round(at * this.dpr) / this.dpr;
    };
    const left = put(wide, box.width, this.x);
    const top = put(high, box.height, this.y);
    if (wide > box.width) this.x = (box.width / 2 - left) / wide;
    if (high > box.height) this.y = (box.height / 2 - top) / high;
    const place = { width: `${wide}px`, height: `${high}px`, left: `${left}px`, top: `${top}px` };
    Object.assign(this.image.style, place);
    this.image.classList.toggle("crisp", scale > 1 && (Number.isInteger(scale) || scale > 4));
    this.stage.classList.toggle("in", Boolean(this.scale));
    this.shown = scale;
    this.view.captioned(this);
  }
  // The part of the picture under the pointer stays under it.
  zoomTo(scale, event) {
    const box = this.stage.getBoundingClientRect();
    const at = this.image.getBoundingClientRect();
    if (event && at.width) {
      const part = [(event.clientX - at.left) / at.width, (event.clientY - at.top) / at.height];
      this.centre(part, event, scale || this.fit(), box);
    }
    this.view.scaled(this, scale);
  }
  // Puts a part of the picture under a point of the screen, at a scale.
  centre([x, y], { clientX, clientY }, scale, box) {
    const wide = (this.image.naturalWidth * scale) / this.dpr;
    const high = (this.image.naturalHeight * scale) / this.dpr;
    this.x = inside(x, 0, 1) - (clientX - box.left - box.width / 2) / wide;
    this.y = inside(y, 0, 1) - (clientY - box.top - box.height / 2) / high;
  }
  toggle(event) {
    this.zoomTo(this.scale ? 0 : this.fit() === 1 ? 2 : 1, event);
  }
  zoom(step, event) {
    const fit = this.fit();
    const least = Math.min(1, fit);
    const levels = [...new Set([least, fit, ...LEVELS])]
      .filter((each) => each >= least)
      .sort((a, b) => a - b);
    const now = levels.findIndex((each) => each >= (this.scale || fit) - 1e-9);
    const next = levels[inside(now + step, 0, levels.length - 1)];
    this.zoomTo(next === fit ? 0 : next, event);
  }

  // -- pointers: one drags, clicks or swipes; two pinch
  down(event) {
    if (event.button > 0) return;
    this.view.activate(this.index);
    this.stage.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, { clientX: event.clientX, clientY: event.clientY });
    const onPicture = event.target === this.image;
    if (this.fingers.size === 1) {
      this.begun = { x: event.clientX, y: event.clientY, px: this.x, py: this.y, onPicture, pinched: false };
    } else if (this.fingers.size === 2) {
      this.begun.pinched = true;
      const at = this.image.getBoundingClientRect();
      const { middle, apart } = this.pinch();
      const part = [(middle.clientX - at.left) / at.width, (middle.clientY - at.top) / at.height];
      this.pinching = { apart, part, scale: this.scale || this.fit() };
    }
  }
  pinch() {
    const [a, b] = [...this.fingers.values()];
    const middle = { clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 };
    return { middle, apart: Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY)) };
  }
  move(event) {
    if (!this.fingers.has(event.pointerId)) return;
    this.fingers.set(event.pointerId, { clientX: event.clientX, clientY: event.clientY });
    if (this.fingers.size === 2 && this.pinching) return this.pinched();
    if (this.fingers.size > 1 || !this.scale || this.begun.pinched) return;
    const at = this.image.getBoundingClientRect();
    this.x = this.begun.px - (event.clientX - this.begun.x) / at.width;
    this.y = this.begun.py - (event.clientY - this.begun.y) / at.height;
    this.view.moved(this);
  }
  pinched() {
    const { middle, apart } = this.pinch();
    const least = Math.min(1, this.fit());
    const scale = inside((this.pinching.scale * apart) / this.pinching.apart, least, LEVELS.at(-1));
    this.centre(this.pinching.part, middle, scale, this.stage.getBoundingClientRect());
    this.view.scaled(this, scale);
  }
  up(event) {
    if (!this.fingers.delete(event.pointerId)) return;
    if (this.begun.pinched) {
      this.pinching = null;
      if (!this.fingers.size) this.settle();
      return;
    }
    if (event.type === "pointercancel") return;
    const dx = event.clientX - this.begun.x;
    const dy = event.clientY - this.begun.y;
    const mouse = event.pointerType === "mouse";
    if (Math.hypot(dx, dy) < CLICK) this.clicked(event, mouse);
    else if (!this.scale && !mouse && Math.abs(dx) > 50 && Math.abs(dx) > Math.abs(dy)) {
      this.view.swiped(dx < 0 ? 1 : -1);
    }
  }
  // A mouse's click, or a finger's second tap, changes between the whole picture and true pixels.
  clicked(event, mouse) {
    if (mouse) {
      if (this.begun.onPicture) this.toggle(event);
      else this.view.away();
      return;
    }
    const again = this.tapped && event.timeStamp - this.tapped.at < TWICE;
    const near = again && Math.hypot(event.clientX - this.tapped.x, event.clientY - this.tapped.y) < 40;
    this.tapped = near ? null : { at: event.timeStamp, x: event.clientX, y: event.clientY };
    if (near) this.toggle(event);
  }
  // After a pinch: near to the whole picture, or to a whole number of pixels, is that.
  settle() {
    const fit = this.fit();
    const near = (level) => Math.abs(this.scale / level - 1) < 0.08;
    if (this.scale <= fit * 1.05) this.view.scaled(this, 0);
    else if (LEVELS.some(near)) this.view.scaled(this, LEVELS.find(near));
  }
}

// A button whose key stands on it; a key after a click isn't the button's.
export function keyed(text, key, run, { name = "", label = "" } = {}) {
  const hint = key ? make("kbd", { textContent: key, "aria-hidden": "true" }) : null;
  const el = make("button", { type: "button", className: name }, key ? `${text} ` : text, hint);
  if (label) el.setAttribute("aria-label", label);
  el.addEventListener("mousedown", (event) => event.preventDefault());
  el.addEventListener("click", run);
  return el;
}

// Buttons that decide: the same under the picture and in the large view. `act` has pick, reject, unflag, rate,
// next; who may only look has next alone.
export function dockOf(act) {
  const pick = keyed("Pick", "P", act.pick, { name: "accept" });
  const reject = keyed("Reject", "X", act.reject, { name: "reject" });
  const unflag = keyed("Unflag", "U", act.unflag, { name: "unflag" });
  const next = keyed("Next", "→", act.next, { name: "next" });
  const rate = make("div", { className: "rate", role: "group", "aria-label": "stars" });
  const stars = [1, 2, 3, 4, 5].map((n) => keyed("★", "", () => act.rate(n), { label: `★ ${n} of 5 stars` }));
  rate.append(...stars);
  const deciding = [pick, reject, unflag, ...stars];
  const el = make("div", { className: "dock" }, pick, reject, unflag, next, rate);
  const show = (card, blocked) => {
    for (const each of deciding) each.disabled = blocked || !card;
    next.disabled = !card;
    pick.setAttribute("aria-pressed", String(card?.mine?.decision === "accept"));
    reject.setAttribute("aria-pressed", String(card?.mine?.decision === "reject"));
    stars.forEach((star, i) => {
      star.className = i < (card?.mine?.stars ?? 0) ? "on" : "";
      star.setAttribute("aria-pressed", String(i + 1 === card?.mine?.stars));
    });
  };
  const lookOnly = () => [pick, reject, unflag, rate].forEach((each) => each.remove());
  return { el, show, lookOnly };
}

const listOf = (facts) => {
  const dl = make("dl");
  for (const [key, value] of facts) {
    dl.append(make("dt", { textContent: key }), make("dd", { textContent: String(value) }));
  }
  return dl;
};
const plain = (value) => {
  if (typeof value === "string" && value.length > 20) return value.slice(0, 12);
  return typeof value === "object" ? JSON.stringify(value) : value;
};
const shortened = (score) => (typeof score === "number" ? Number(score.toPrecision(4)) : score);

function sentence(row) {
  const stars = row.stars === undefined ? "" : `, ${many(row.stars, "star")}`;
  const undone = row.undoes ? " (undone)" : "";
  const word = WORD[row.decision] ?? row.decision;
  return `${row.by} ${word}${undone} ${new Date(row.at).toLocaleString()}${stars}${row.note ? ": " + row.note : ""}`;
}
// Whose word counts on a picture, where people spoke.
function whatCounts(card, rule) {
  if (!card.people.length || card.counts === undefined) return null;
  const word = card.counts
    ? `${card.counts.by}: ${WORD[card.counts.decision] ?? card.counts.decision}`
    : "nothing yet";
  const apart = card.disputed ? "People disagree. " : "";
  return make("p", {
    className: "counts",
    textContent: `${apart}What counts: ${word}${rule ? ` (${rule})` : ""}.`,
  });
}

// What is known of a card, as elements. `ask` has picture (of reasons, where they are to be seen), twin (runs
// when a picture that is repeated is asked for), rule (whose word counts) and machine (whether its words show).
export function described(card, ask) {
  const part = [];
  const heading = (text) => part.push(make("h3", { textContent: text }));
  if (card.machine && ask.machine) part.push(...reasonsOf(card, ask));
  if (card.people.length) {
    heading("People");
    part.push(...card.people.map((row) => make("p", { textContent: sentence(row) })));
    const counts = whatCounts(card, ask.rule);
    if (counts) part.push(counts);
  }
  heading("Claims");
  part.push(listOf(Object.entries(card.traits)));
  if (ask.machine && Object.keys(card.scores).length) {
    heading("Scores");
    part.push(listOf(Object.entries(card.scores).map(([name, score]) => [name, shortened(score)])));
  }
  if (card.prompt) {
    heading("Prompt");
    part.push(make("p", { textContent: card.prompt }));
  }
  if (card.negative) part.push(make("p", { textContent: "without: " + card.negative }));
  const made = { "by hand": "Made by hand", elsewhere: "Made elsewhere, as its file states" };
  heading(made[card.parameters.made] ?? "Recipe");
  const seed = card.seed === null || card.seed === undefined ? [] : [["seed", card.seed]];
  const recipe = Object.entries(card.parameters).map(([key, value]) => [key, plain(value)]);
  part.push(listOf([...seed, ...recipe, ["dna", card.dna.slice(0, 12)]]));
  return part;
}
function reasonsOf(card, { picture, twin, images = new Map() }) {
  const same = twinOf(card);
  const part = [make("h3", { textContent: `The machine: ${card.machine.decision}` })];
  (card.machine.reasons ?? []).forEach((why, i) => {
    const beside = same?.reason === i && same.slot && twin ? keyed("Side by side", "D", twin) : null;
    const shown = picture ? reasonImage(card, i, why, picture, images) : null;
    part.push(make("div", { className: "why" }, make("p", { textContent: why }), shown, beside));
  });
  return part;
}
// A reason's picture is asked for once, and kept as long as `images` is.
function reasonImage(card, reason, why, picture, images) {
  const key = `${reason}: ${why}`;
  if (images.has(key)) return images.get(key);
  const shown = make("img", { alt: `where: ${why}` });
  images.set(key, shown);
  const gone = () => {
    images.delete(key);
    shown.remove();
  };
  picture(card.dna, { reason }).then((url) => (shown.src = url), gone);
  return shown;
}

export const MOST = 4; // pictures in step

export class Large {
  // board gives card(dna), picture(dna), act, keep(side), twin, step(by), blocked(card), neighbours(), me(), ask()
  constructor(board) {
    Object.assign(this, { board, active: 0, dnas: [] });
    this.panes = Array.from({ length: MOST }, (_, i) => new Pane(this, i));
    this.stages = make("div", { className: "stages" });
    const narrow = !matchMedia("(min-width: 1100px)").matches;
    const called = "what is known of the picture";
    this.info = make("aside", { className: "info", hidden: narrow, tabIndex: 0, "aria-label": called });
    this.alert = make("div", { className: "alert", hidden: true, role: "alert" });
    this.note = make("p", { className: "told", role: "status" });
    this.heard = make("p", { className: "sr", role: "status" });
    this.dock = dockOf(board.act);
    this.buttons();
    this.strip = make("div", { className: "strip" });
    this.strip.append(this.previous, this.dock.el, this.next, this.left, this.right);
    this.strip.append(this.zoomed, this.known, this.shut);
    this.el = make("dialog", { className: "full", "aria-label": "large view" });
    this.el.append(this.alert, this.stages, this.info, this.note, this.strip, this.heard);
    this.el.addEventListener("close", () => this.ended());
  }
  buttons() {
    const { board } = this;
    const step = { name: "step" };
    this.previous = keyed("‹", "←", () => board.step(-1), { ...step, label: "‹ previous" });
    this.next = keyed("›", "→", () => board.step(1), { ...step, label: "› following" });
    this.left = keyed("Keep left", "⇧←", () => board.keep(0), { name: "keep" });
    this.right = keyed("Keep right", "⇧→", () => board.keep(1), { name: "keep" });
    this.zoomed = keyed("1:1", "Z", () => this.pane.toggle(), step);
    this.zoomed.title = "true pixels";
    this.known = keyed("Info", "I", () => this.toggleInfo(), step);
    this.shut = keyed("Close", "Esc", () => this.close(), step);
  }
  get open() {
    return this.el.open;
  }
  get several() {
    return this.dnas.length > 1;
  }
  get pane() {
    return this.panes[this.active];
  }
  shown() {
    return this.panes.slice(0, this.dnas.length);
  }
  show(dnas, active = 0) {
    this.dnas = dnas.slice(0, MOST);
    this.active = Math.min(active, this.dnas.length - 1);
    this.stages.dataset.count = String(this.dnas.length);
    if (this.stages.childElementCount !== this.dnas.length) {
      this.stages.replaceChildren(...this.shown().map((pane) => pane.el));
    }
    if (!this.el.open) {
      for (const pane of this.panes) pane.scale = 0;
      this.el.showModal();
      this.panes[this.active].stage.focus({ preventScroll: true });
    }
    this.refresh();
    this.announce();
    for (const dna of this.board.neighbours()) {
      this.board.picture(dna).then(
        (url) => Object.assign(new Image(), { src: url }),
        () => {},
      );
    }
  }
  refresh() {
    if (!this.el.open || !this.dnas.length) return;
    this.shown().forEach((pane, i) => {
      const card = this.board.card(this.dnas[i]);
      pane.el.classList.toggle("now", this.several && i === this.active);
      pane.show(card, this.board.picture(card.dna));
      this.captioned(pane);
    });
    const card = this.board.card(this.dnas[this.active]);
    this.dock.show(card, this.board.blocked(card));
    const two = this.dnas.length === 2 && this.board.deciding();
    const sides = matchMedia("(orientation: portrait)").matches ? ["upper", "lower"] : ["left", "right"];
    const fixed = two && this.dnas.some((dna) => this.board.blocked(this.board.card(dna)));
    [this.left, this.right].forEach((keep, i) => {
      Object.assign(keep, { hidden: !two, disabled: fixed });
      keep.firstChild.textContent = `Keep ${sides[i]} `;
    });
    this.info.replaceChildren(...described(card, { ...this.board.ask(), picture: null }));
    this.known.setAttribute("aria-pressed", String(!this.info.hidden));
  }
  captioned(pane) {
    const card = this.board.card(pane.dna);
    if (!card) return;
    const scale =
      pane.shown >= 1 ? `${Number(pane.shown.toFixed(2))}:1` : `${Math.round(pane.shown * 100)} %`;
    const size = pane.image.naturalWidth
      ? `${pane.image.naturalWidth}×${pane.image.naturalHeight} at ${scale}`
      : "";
    pane.caption.textContent = [...this.words(card), size].filter(Boolean).join(" · ");
    if (pane === this.pane) this.zoomed.setAttribute("aria-pressed", String(Boolean(pane.scale)));
  }
  words(card) {
    const stars = card.mine?.stars ? "★".repeat(card.mine.stars) : "";
    const edition = card.chosen ? "edition" : "";
    const fixed = locked(card) ? whyLocked(card) : "";
    const machine = card.machine && this.board.ask().machine ? MACHINE[card.machine.decision] : "";
    const apart = card.disputed ? "disputed" : "";
    const people = others(card, this.board.me()).map(([name, word]) => `${name} ${WORD[word]}`);
    const mine = decided(card) ? WORD[card.mine.decision] : "undecided";
    return [placeOf(card), mine, stars, edition, fixed, machine, apart, ...people];
  }
  // Says what is at hand now to who hears the board.
  announce() {
    const card = this.board.card(this.dnas[this.active]);
    const count = this.several ? `picture ${this.active + 1} of ${this.dnas.length}: ` : "";
    if (card) this.heard.textContent = count + this.words(card).filter(Boolean).join(", ");
  }
  activate(index) {
    const to = inside(index, 0, this.dnas.length - 1);
    if (!this.several || to === this.active) return;
    this.active = to;
    this.refresh();
    this.announce();
  }
  scaled(pane, scale) {
    for (const each of this.shown()) {
      Object.assign(each, { scale, x: pane.x, y: pane.y });
      each.lay();
    }
  }
  moved(pane) {
    pane.lay();
    for (const each of this.shown()) {
      if (each === pane) continue;
      Object.assign(each, { x: pane.x, y: pane.y });
      each.lay();
    }
  }
  swiped(by) {
    this.board.step(by);
  }
  away() {
    if (!this.pane.scale) this.close();
  }
  toggleInfo() {
    this.info.hidden = !this.info.hidden;
    this.refresh();
  }
  tell(text) {
    this.note.textContent = text;
  }
  warn(text, soft) {
    this.alert.textContent = text;
    this.alert.hidden = !text;
    this.alert.classList.toggle("soft", soft);
  }
  close() {
    if (!this.el.open) return;
    this.el.close();
    this.ended();
  }
  // The browser tells of a closed dialog a moment later: it may be open again by then.
  ended() {
    if (this.el.open || !this.dnas.length) return;
    this.dnas = [];
    this.tell("");
    this.board.closed();
  }
}
