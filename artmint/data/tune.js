// Bounds over pictures: one module for the page (which calls `mount`) and for JupyterLab (anywidget calls `render`).
// A transport has call(verb, args) -> JSON and picture(dna, small) -> URL. Texts are set as text, never as markup.

const STYLE = `
:host { all: initial; display: block; color-scheme: light dark; }
.tune { --bg: #fafafa; --panel: #fff; --ink: #1b1d21; --soft: #5c636e; --line: #d4d7dc; --pick: #1b6e2e; --no: #b3261e;
  --now: #0b57d0; font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--bg);
  padding: 16px clamp(12px, 3vw, 40px) 40px; min-height: 100vh; box-sizing: border-box; }
@media (prefers-color-scheme: dark) { .tune { --bg: #131417; --panel: #1d1f23; --ink: #eceef1; --soft: #a4abb6;
  --line: #3a3e46; --pick: #6fd08c; --no: #ff8a80; --now: #8ab4f8; } }
.tune * { box-sizing: border-box; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 0; } h3 { font-size: 14px; margin: 0 0 6px; }
p { margin: 4px 0; max-width: 75ch; } .soft { color: var(--soft); } .fault { color: var(--no); font-weight: 600; }
.sum { position: sticky; top: 0; z-index: 2; background: var(--panel); border: 1px solid var(--line);
  border-radius: 10px; padding: 12px 16px; margin: 14px 0; }
.sum .effect { font-size: 17px; font-weight: 600; max-width: none; }
.tools { display: flex; flex-wrap: wrap; gap: 8px 14px; align-items: center; margin-top: 8px; }
button, select, input { font: inherit; color: var(--ink); background: var(--bg); border: 1px solid var(--line);
  border-radius: 6px; padding: 4px 10px; min-height: 34px; }
button { cursor: pointer; } button:disabled { opacity: .5; cursor: default; }
button.main { background: var(--now); border-color: var(--now); color: var(--panel); }
:focus-visible { outline: 2px solid var(--now); outline-offset: 2px; }
.rule { background: var(--panel); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px;
  margin: 14px 0; }
.line { display: flex; flex-wrap: wrap; gap: 8px 14px; align-items: center; margin: 8px 0; }
.line input[type=range] { flex: 1 1 260px; min-width: 0; padding: 0; accent-color: var(--now); }
.line input[type=number] { width: 9em; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; }
.sides > div { min-width: 0; border-top: 3px solid var(--no); padding-top: 6px; }
.sides > div + div { border-color: var(--pick); }
.wall { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: 8px; margin: 0; padding: 0; }
.wall li { list-style: none; }
.wall img { width: 100%; aspect-ratio: 1; object-fit: contain; display: block; background: var(--line);
  border-radius: 6px; border: 3px solid transparent; }
.wall .yes img { border-color: var(--pick); } .wall .no img { border-color: var(--no); }
.wall span { font-size: 12px; color: var(--soft); display: block; }
.empty { color: var(--soft); font-style: italic; }
dialog { color: var(--ink); background: var(--panel); border: 1px solid var(--line); border-radius: 10px;
  max-width: min(760px, 94vw); padding: 18px; }
dialog::backdrop { background: rgba(0, 0, 0, .5); }
pre { overflow: auto; max-height: 46vh; background: var(--bg); border: 1px solid var(--line); padding: 10px;
  font: 13px/1.5 ui-monospace, monospace; }
pre .add { color: var(--pick); } pre .del { color: var(--no); }
@media (max-width: 640px) { .sides { grid-template-columns: 1fr; } .sum { position: static; }
  button, select, input { min-height: 44px; } .wall { grid-template-columns: repeat(auto-fill, minmax(84px, 1fr)); } }
`;

const NEAREST = 6; // pictures on each side of a line
const SHOWN = 10; // lost or spared pictures before one asks for more
const count = (number) => number.toLocaleString("en");

function make(name, props = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...inside.filter((part) => part !== null && part !== undefined));
  return made;
}

// The shortest decimal that parts the worst score that is kept from the best one that isn't, on the kept side.
function shortBound(kept, refused, highest) {
  for (let digits = 0; digits < 17; digits++) {
    const step = 10 ** digits;
    const bound = (highest ? Math.floor(kept * step) : Math.ceil(kept * step)) / step;
    const parts = refused === null ? Math.abs(bound - kept) <= Math.abs(kept) * 0.01 + 1e-9
      : highest ? bound > refused : bound < refused;
    if (parts && (highest ? bound <= kept : bound >= kept)) return bound;
  }
  return kept;
}

// One side of a rule: its pictures in the order of its score, worst first.
class Rule {
  constructor(facts, bound) {
    Object.assign(this, facts);
    this.highest = facts.side === "min";
    this.bound = bound;
    const measured = facts.scores.map((score, i) => [score, i]).filter(([score]) => score !== null);
    measured.sort(([a, i], [b, j]) => (this.highest ? a - b : b - a) || i - j);
    this.order = measured.map(([, i]) => i);
    this.levels = [...new Set(measured.map(([score]) => score))];
  }
  refuses(i) {
    const score = this.scores[i];
    if (this.bound === null || score === null) return false;
    return this.highest ? score < this.bound : score > this.bound;
  }
  // How many of the different scores the bound refuses: the slider's place.
  get place() {
    if (this.bound === null) return 0;
    return this.levels.filter((score) => (this.highest ? score < this.bound : score > this.bound)).length;
  }
  moveTo(place) {
    if (place <= 0) this.bound = this.today === null ? null : shortBound(this.levels[0], null, this.highest);
    else if (place >= this.levels.length) this.bound = this.levels[this.levels.length - 1] + (this.highest ? 1 : -1);
    else this.bound = shortBound(this.levels[place], this.levels[place - 1], this.highest);
  }
}

class Tune {
  constructor(root, transport) {
    Object.assign(this, { root, transport });
    this.board = make("div", { className: "tune" });
    root.append(this.board);
  }
  async load() {
    this.board.replaceChildren(make("p", { role: "status" }, "Reading what people decided…"));
    try {
      this.facts = await this.transport.call("open", {});
    } catch (error) {
      const title = make("h1", {}, "No bound can be moved yet");
      this.board.replaceChildren(title, make("p", { role: "alert" }, error.message));
      return;
    }
    this.rules = this.facts.rules.map((facts, i) => new Rule(facts, this.facts.bounds[i]));
    this.draw();
  }
  get bounds() { return this.rules.map((rule) => rule.bound); }
  get proposed() { return this.rules.every((rule, i) => rule.bound === this.facts.bounds[i]); }

  draw() {
    const { facts } = this;
    this.effect = make("p", { className: "effect", role: "status" });
    this.unseen = make("p", {});
    this.keep = make("select", { onchange: () => this.propose() });
    const levels = [...new Set([...facts.levels, facts.keep])].sort((a, b) => b - a);
    for (const level of levels) {
      const words = `${Math.round(level * 100)} %`;
      this.keep.append(make("option", { value: level, selected: level === facts.keep }, words));
    }
    this.undo = make("button", { type: "button", onclick: () => this.ask("undo") }, "Take the last change back");
    this.undo.disabled = !facts.undo;
    const tools = make("div", { className: "tools" },
      make("label", {}, "Keep at least ", this.keep, " of what people pick"),
      make("button", { type: "button", onclick: () => this.propose() }, "Propose"),
      make("button", { type: "button", onclick: () => this.today() }, "As it is today"),
      make("button", { type: "button", className: "main", onclick: () => this.ask("change") }, "Show the change"),
      this.undo);
    this.lost = make("section", { className: "rule" });
    this.board.replaceChildren(
      make("h1", {}, `Bounds of ${facts.title}`),
      make("p", { className: "soft" }, facts.premise),
      ...facts.notes.map((note) => make("p", { className: "soft" }, note)),
      make("section", { className: "sum", "aria-label": "What these bounds do" }, this.effect, this.unseen, tools),
      this.lost,
      ...this.rules.map((rule, i) => this.card(rule, i)));
    this.update();
  }

  card(rule, number) {
    const name = `${rule.scorer} ${rule.side}`;
    rule.slider = make("input", { type: "range", min: 0, max: rule.levels.length, step: 1 });
    rule.slider.setAttribute("aria-label", `Bound of ${name}`);
    rule.slider.oninput = () => { rule.moveTo(Number(rule.slider.value)); this.update(); };
    rule.box = make("input", { type: "number", step: "any" });
    rule.box.setAttribute("aria-label", `${name} as a number`);
    rule.box.onchange = () => {
      rule.bound = rule.box.value === "" ? rule.today === null ? null : rule.today : Number(rule.box.value);
      this.update();
    };
    rule.says = make("p", { className: "soft" });
    rule.out = make("ul", { className: "wall" });
    rule.kept = make("ul", { className: "wall" });
    return make("section", { className: "rule", "aria-label": name },
      make("h2", {}, name, rule.new ? " (no rule yet)" : ""),
      make("p", { className: rule.fault ? "fault" : "soft" }, rule.worth),
      make("div", { className: "line" }, rule.slider, rule.box),
      rule.says,
      make("div", { className: "sides" },
        make("div", {}, make("h3", {}, "Refused, nearest to the line"), rule.out),
        make("div", {}, make("h3", {}, "Kept, nearest to the line"), rule.kept)));
  }

  tile(i, words) {
    const [dna, slot, attempt, yes] = this.facts.pictures[i];
    const image = make("img", { loading: "lazy", decoding: "async", alt: `slot ${slot}, attempt ${attempt}` });
    Promise.resolve(this.transport.picture(dna, true)).then((url) => { image.src = url; });
    const said = yes ? "picked" : "rejected";
    return make("li", { className: yes ? "yes" : "no" }, image, make("span", {}, `${slot}/${attempt} ${said}${words}`));
  }

  update() {
    this.turn = (this.turn ?? 0) + 1;
    const { facts, rules } = this;
    const by = facts.pictures.map((_, i) => rules.filter((rule) => rule.refuses(i)));
    const refused = by.map((some) => some.length > 0);
    const lost = [], spared = [];
    facts.pictures.forEach(([, , , yes], i) => { if (refused[i]) (yes ? lost : spared).push(i); });
    const picks = facts.pictures.filter(([, , , yes]) => yes).length, rejects = facts.pictures.length - picks;
    let words = `${count(lost.length)} of ${count(picks)} pictures that people picked would never be seen; `
      + `${count(spared.length)} of ${count(rejects)} that they rejected would be spared`;
    if (facts.currency) {
      const saved = (lost.length + spared.length) * facts.look, all = facts.pictures.length * facts.look;
      words += `; saves ${saved.toFixed(2)} ${facts.currency} of ${all.toFixed(2)} ${facts.currency} that looking cost`;
    }
    this.effect.textContent = `${words}.`;
    this.unseen.textContent = this.proposed ? facts.words
      : "What these bounds would keep of other pictures isn't known: the estimate belongs to proposed bounds.";
    rules.forEach((rule, i) => this.show(rule, by));
    this.list(this.lost, lost, spared, by);
  }

  show(rule, by) {
    rule.slider.value = rule.place;
    rule.slider.setAttribute("aria-valuetext", rule.bound === null ? "refuses nothing" : `${rule.side} ${rule.bound}`);
    rule.box.value = rule.bound === null ? "" : rule.bound;
    const out = rule.order.filter((i) => rule.refuses(i));
    const kept = rule.order.filter((i) => !rule.refuses(i));
    const alone = out.filter((i) => by[i].length === 1);
    const gone = (some) => some.filter((i) => this.facts.pictures[i][3]).length;
    const today = rule.today === null ? "no bound" : rule.today;
    rule.says.textContent = rule.bound === null ? "It refuses nothing."
      : `Refuses ${count(out.length)} pictures, ${count(gone(out))} of them picked; ${count(alone.length)} by this `
        + `rule alone, ${count(gone(alone))} of them picked. Today: ${today}.`;
    const score = (i) => `, ${Number(rule.scores[i].toPrecision(4))}`;
    const fill = (wall, some, words) => {
      if (some.length) wall.replaceChildren(...some.map((i) => this.tile(i, score(i))));
      else wall.replaceChildren(make("li", { className: "empty" }, words));
    };
    fill(rule.out, out.slice(-NEAREST).reverse(), "nothing");
    fill(rule.kept, kept.slice(0, NEAREST), "nothing");
  }

  list(section, lost, spared, by) {
    const block = (title, some, none) => {
      const wall = make("ul", { className: "wall" });
      const names = (i) => by[i].map((rule) => rule.scorer).join(", ");
      const tiles = (to) => some.slice(0, to).map((i) => this.tile(i, `, by ${names(i)}`));
      wall.append(...tiles(SHOWN));
      const more = make("button", { type: "button" }, `Show all ${count(some.length)}`);
      more.hidden = some.length <= SHOWN;
      more.onclick = () => { wall.replaceChildren(...tiles(some.length)); more.hidden = true; };
      const empty = make("p", { className: "empty" }, none);
      return make("div", {}, make("h3", {}, title), some.length ? wall : empty, more);
    };
    section.replaceChildren(
      make("h2", {}, "What people picked and would never see"),
      block(`${count(lost.length)} lost`, lost, "None: every picture that people picked would still be seen."),
      make("h2", {}, "What nobody would have to reject"),
      block(`${count(spared.length)} spared`, spared, "None: people would look at all of them."));
  }

  today() {
    this.rules.forEach((rule) => { rule.bound = rule.today; });
    this.update();
  }
  async propose() {
    const turn = this.turn;
    try {
      const answer = await this.transport.call("propose", { keep: Number(this.keep.value) });
      if (turn !== this.turn) return; // bounds were moved meanwhile, and the later word counts
      Object.assign(this.facts, answer);
      this.rules.forEach((rule, i) => { rule.bound = this.facts.bounds[i]; });
      this.update();
    } catch (error) { this.unseen.textContent = error.message; }
  }

  async ask(verb) {
    const dialog = make("dialog", { "aria-label": verb === "undo" ? "Take the last change back" : "The change" });
    const diff = make("pre", { tabIndex: 0 }), next = make("p", {}), answer = make("p", { role: "status" });
    const write = make("button", { type: "button", className: "main" }, "Write it");
    const leave = make("button", { type: "button", onclick: () => dialog.close() }, "Leave it");
    dialog.append(make("h2", {}, "The change to the collection"), diff, next, answer,
      make("div", { className: "tools" }, write, leave));
    dialog.onclose = () => dialog.remove();
    this.board.append(dialog);
    const args = verb === "undo" ? {} : { bounds: this.bounds };
    const shown = (facts) => {
      const kinds = { "+": "add", "-": "del" };
      const lines = (facts.diff || "The file says so already.").split("\n");
      diff.replaceChildren(...lines.map((line) => make("span", { className: kinds[line[0]] ?? "" }, `${line}\n`)));
      next.textContent = facts.next;
    };
    try {
      const facts = await this.transport.call(verb, args);
      shown(facts);
      write.hidden = !facts.diff;
      write.onclick = async () => {
        write.disabled = true;
        try {
          const digest = verb === "undo" ? {} : { digest: facts.digest };
          await this.transport.call(verb, { ...args, ...digest, write: true });
          answer.textContent = `${facts.file} is written.`;
          leave.textContent = "Close";
          write.hidden = true;
          dialog.onclose = () => { dialog.remove(); this.load(); };
        } catch (error) {
          answer.textContent = error.message;
          write.disabled = false;
        }
      };
    } catch (error) {
      answer.textContent = error.message;
      write.hidden = true;
    }
    dialog.showModal();
    leave.focus();
  }
}

export function overHttp(token) {
  const at = (path) => `${path}?token=${encodeURIComponent(token)}`;
  return {
    async call(verb, args) {
      let answer;
      try {
        answer = await fetch(at("call"), { method: "POST", body: JSON.stringify({ verb, args }) });
      } catch {
        throw new Error("The server doesn't answer: start artmint tune again. Nothing was changed.");
      }
      const facts = await answer.json();
      if (!answer.ok) throw new Error(facts.message);
      return facts;
    },
    picture: (dna, small) => at(`picture/${dna}/${small ? "small" : "large"}`),
  };
}

export function mount(host, transport) {
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  const tune = new Tune(root, transport);
  return tune.load().then(() => { host.dataset.ready = "yes"; return tune; });
}

// JupyterLab: messages in place of requests. A kernel that is gone answers nothing, and that is said.
function overWidget(model) {
  let next = 0;
  const waiting = new Map(), pictures = new Map();
  model.on("msg:custom", (message, buffers) => {
    const asked = waiting.get(message.id);
    if (!asked) return;
    waiting.delete(message.id);
    clearTimeout(asked.timer);
    if (message.error) asked.fail(new Error(message.error));
    else if (message.kind) asked.done(URL.createObjectURL(new Blob([buffers[0]], { type: message.kind })));
    else asked.done(message.result);
  });
  const send = (verb, args) => new Promise((done, fail) => {
    const id = ++next;
    const words = "The notebook's kernel doesn't answer: run the cell again. Nothing was changed.";
    const timer = setTimeout(() => { waiting.delete(id); fail(new Error(words)); }, 60_000);
    waiting.set(id, { done, fail, timer });
    model.send({ id, verb, args });
  });
  return {
    call: send,
    picture(dna, small) {
      if (!pictures.has(dna)) pictures.set(dna, send("picture", { dna, small }));
      return pictures.get(dna);
    },
  };
}

function render({ model, el }) { mount(el, overWidget(model)); }
export default { render };
