// The wall: only the rows that can be seen are in the page; a band drawn across it selects.
import {
  MACHINE,
  WORD,
  decided,
  disagreed,
  locked,
  make,
  noted,
  others,
  placeOf,
  whyLocked,
} from "./cards.js";

export const SIZES = { small: 104, medium: 150, large: 220, huge: 330 };
const MOVED = 6; // pixels that a pointer may move and still click
const WORDS = 2.86; // room under a picture, in heights of a letter
const EDGE = 8;

export class Wall {
  // state has order, at, selection, cards, me; board gives picture(dna), clicked(i, event), opened(), selected(),
  // machine(): whether its words show
  constructor(state, board) {
    Object.assign(this, {
      state,
      board,
      columns: 1,
      size: 0,
      high: 1,
      pool: new Map(),
      tile: SIZES.medium,
      words: 40,
    });
    this.space = make("div", { role: "presentation" });
    this.band = make("div", { className: "band", hidden: true });
    this.el = make("div", { className: "wall", tabIndex: 0, role: "listbox", "aria-label": "candidates" });
    this.el.setAttribute("aria-multiselectable", "true");
    this.el.append(this.space, this.band);
    this.el.addEventListener("scroll", () => this.draw(), { passive: true });
    this.el.addEventListener("pointerdown", (event) => this.down(event));
    this.el.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) this.el.addEventListener(name, () => this.up());
    const swallow = (event) => {
      if (!this.drawn) return;
      this.drawn = false;
      event.stopPropagation();
    };
    this.el.addEventListener("click", swallow, { capture: true });
    this.sized = new ResizeObserver(() => {
      this.words = Math.round(WORDS * parseFloat(getComputedStyle(this.el).fontSize));
      this.draw();
    });
    this.sized.observe(this.el);
  }
  focus() {
    this.el.focus({ preventScroll: true });
  }
  measure() {
    const width = this.el.clientWidth || 600;
    const columns = Math.max(1, Math.floor((width - EDGE) / this.tile));
    const size = Math.floor((width - EDGE) / columns);
    const rows = Math.ceil(this.state.order.length / columns);
    const high = size + this.words;
    const height = `${rows * high + EDGE}px`;
    Object.assign(this, { columns, size, high });
    if (this.space.style.height !== height) this.space.style.height = height;
  }
  draw() {
    this.measure();
    const { columns, high, state } = this;
    const { scrollTop, clientHeight } = this.el;
    const first = Math.max(0, Math.floor(scrollTop / high) - 1) * columns;
    const last = Math.min(state.order.length, (Math.ceil((scrollTop + clientHeight) / high) + 1) * columns);
    const seen = new Set(state.order.slice(first, last));
    for (const [dna, tile] of this.pool) {
      if (seen.has(dna)) continue;
      tile.firstChild.removeAttribute("src"); // nobody waits for it any more
      tile.remove();
      this.pool.delete(dna);
    }
    for (let i = first, before = null; i < last; i++) {
      const tile = this.place(state.order[i], i); // who reads the page in order reads the wall in order
      if (!tile.parentNode || tile.previousSibling !== before) {
        if (before) before.after(tile);
        else this.space.prepend(tile);
      }
      before = tile;
    }
    if (!state.order.length) this.el.removeAttribute("aria-activedescendant");
  }
  made(dna) {
    const line = (name, end = "") =>
      make("div", { className: name }, make("span"), make("span", { className: end }));
    const image = make("img", { alt: "", draggable: false, decoding: "async" });
    const tile = make("div", { className: "tile", id: "t" + dna.slice(0, 16), role: "option" });
    tile.append(image, line("line", "word"), line("line said"), make("span", { className: "sr" }));
    tile.addEventListener("click", (event) => this.board.clicked(this.state.order.indexOf(dna), event));
    tile.addEventListener("dblclick", () => this.board.opened());
    const shown = (url) => {
      if (this.pool.get(dna) === tile) image.src = url;
    };
    this.pool.set(dna, tile);
    this.board.picture(dna).then(shown, () => {});
    return tile;
  }
  place(dna, i) {
    const { state } = this;
    const tile = this.pool.get(dna) ?? this.made(dna);
    const card = state.cards.get(dna);
    const row = Math.floor(i / this.columns);
    const chosen = state.selection.has(dna);
    const asked = card.machine?.decision === "review" && this.board.machine() ? "review" : "";
    const name = ["tile", decided(card) ? card.mine.decision : asked];
    if (i === state.at) name.push("now");
    if (chosen) name.push("selected");
    tile.className = name.filter(Boolean).join(" ");
    tile.style.cssText =
      `width:${this.size - EDGE}px;height:${this.high - EDGE}px;` +
      `left:${EDGE + (i % this.columns) * this.size}px;top:${EDGE + row * this.high}px`;
    this.write(tile, card);
    tile.setAttribute("aria-selected", String(state.selection.size ? chosen : i === state.at));
    tile.setAttribute("aria-setsize", String(state.order.length));
    tile.setAttribute("aria-posinset", String(i + 1));
    if (i === state.at) this.el.setAttribute("aria-activedescendant", tile.id);
    return tile;
  }
  write(tile, card) {
    const [place, mine] = tile.children[1].children;
    const [machine, people] = tile.children[2].children;
    const stars = card.mine?.stars ? " " + "★".repeat(card.mine.stars) : "";
    const judged = card.machine && this.board.machine() ? MACHINE[card.machine.decision] : "";
    const said = others(card, this.state.me);
    const named = said.map(([who, word]) => `${who} ${word === "accept" ? "✓" : "✗"}`);
    const apart = disagreed(card, this.state.me) ? "disputed" : "";
    place.replaceChildren(placeOf(card), make("span", { className: "stars", textContent: stars }));
    mine.textContent = decided(card) ? WORD[card.mine.decision] : "";
    if (locked(card)) machine.textContent = `packed in drop ${card.packed}`;
    else machine.textContent = card.chosen ? "edition" : judged;
    const room = (this.size - 24) / 7 - machine.textContent.length - (apart ? 2 : 0) - (noted(card) ? 2 : 0); // letters
    const tick = (decision, mark) => {
      const count = said.filter(([, word]) => word === decision).length;
      return count ? mark + (count > 1 ? count : "") : "";
    };
    const short = named.join(" ").length > room ? [tick("accept", "✓"), tick("reject", "✗")] : named;
    const end = [apart ? "⚡" : "", ...short, noted(card) ? "✎" : ""];
    people.textContent = end.filter(Boolean).join(" ");
    const traits = Object.entries(card.traits).map(([key, value]) => `${key} ${value}`);
    const words = [...traits, decided(card) ? "" : "undecided", apart, ...named];
    tile.lastChild.textContent = words.filter(Boolean).join(", ");
    const title = [
      locked(card) ? whyLocked(card) : "",
      card.chosen ? "edition" : "",
      judged,
      apart,
      ...named,
    ];
    tile.title = title.filter(Boolean).join(", ");
  }

  // -- where the card at hand is
  top() {
    return Math.floor(this.state.at / this.columns) * this.high;
  }
  sight() {
    const middle = this.top() + this.high / 2;
    return middle > this.el.scrollTop && middle < this.el.scrollTop + this.el.clientHeight;
  }
  reveal() {
    const top = this.top();
    const bottom = top + this.high + EDGE;
    if (top < this.el.scrollTop) this.el.scrollTop = top;
    else if (bottom > this.el.scrollTop + this.el.clientHeight)
      this.el.scrollTop = bottom - this.el.clientHeight;
  }

  // -- a band: drawn with the mouse, across pictures or between them
  point(event) {
    const box = this.el.getBoundingClientRect();
    const { clientLeft, clientTop, scrollTop } = this.el;
    return { x: event.clientX - box.left - clientLeft, y: event.clientY - box.top - clientTop + scrollTop };
  }
  down(event) {
    const bar = event.clientX - this.el.getBoundingClientRect().left > this.el.clientWidth; // its own scroll bar
    if (event.pointerType !== "mouse" || event.button !== 0 || event.shiftKey || bar) return;
    const more = event.ctrlKey || event.metaKey;
    const kept = more ? new Set(this.state.selection) : new Set();
    this.pulled = {
      from: this.point(event),
      kept,
      more,
      bare: event.target === this.el || event.target === this.space,
    };
  }
  move(event) {
    if (!this.pulled) return;
    if (!(event.buttons & 1)) return this.up(); // the button was let go elsewhere
    this.pulled.last = { clientX: event.clientX, clientY: event.clientY };
    const to = this.point(event);
    const { from } = this.pulled;
    if (!this.drawn && Math.hypot(to.x - from.x, to.y - from.y) < MOVED) return;
    if (!this.drawn) this.el.setPointerCapture(event.pointerId);
    this.drawn = true;
    this.stretch();
    this.roll();
  }
  stretch() {
    const { from, kept, last } = this.pulled;
    const to = this.point(last);
    const [left, right] = [Math.min(from.x, to.x), Math.max(from.x, to.x)];
    const [top, bottom] = [Math.min(from.y, to.y), Math.max(from.y, to.y)];
    this.band.hidden = false;
    this.band.style.cssText = `left:${left}px;top:${top}px;width:${right - left}px;height:${bottom - top}px`;
    this.board.selected(new Set([...kept, ...this.under(left, top, right, bottom)]));
  }
  under(left, top, right, bottom) {
    const within = [];
    const column = (x) => Math.floor((x - EDGE) / this.size);
    const row = (y) => Math.floor((y - EDGE) / this.high);
    for (let down = Math.max(0, row(top)); down <= row(bottom); down++) {
      for (
        let along = Math.max(0, column(left));
        along <= Math.min(this.columns - 1, column(right));
        along++
      ) {
        const dna = this.state.order[down * this.columns + along];
        if (dna) within.push(dna);
      }
    }
    return within;
  }
  // At the wall's edges a band rolls it on.
  roll() {
    if (this.rolling) return;
    this.rolling = true;
    const on = () => {
      this.rolling = false;
      if (!this.pulled?.last || !this.drawn) return;
      const box = this.el.getBoundingClientRect();
      const { clientY } = this.pulled.last;
      const by = clientY < box.top + 20 ? -14 : clientY > box.bottom - 20 ? 14 : 0;
      const before = this.el.scrollTop;
      this.el.scrollTop += by;
      if (this.el.scrollTop === before) return;
      this.stretch();
      this.roll();
    };
    requestAnimationFrame(on);
  }
  up() {
    const { pulled } = this;
    this.pulled = null;
    this.band.hidden = true;
    if (pulled?.bare && !this.drawn && !pulled.more) this.board.selected(new Set());
    setTimeout(() => (this.drawn = false), 0); // the click that follows isn't one
  }
  end() {
    this.sized.disconnect();
  }
}
