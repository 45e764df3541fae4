// A run is asked for: batch, drop, slots, stages; its plan is seen before it starts.

import { ask } from "./ask.js";
import { button, el, fill } from "./dom.js";
import { duration, many, stageWord } from "./words.js";

function stamp() {
  const now = new Date(), two = (number) => `${number}`.padStart(2, "0");
  return `${two(now.getMonth() + 1)}${two(now.getDate())}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}

function field(name, label, input, hint = "") {
  input.id = `begin-${name}`;
  input.name = name;
  return el("div", { class: "field" }, el("label", { for: input.id }, label), input, hint && el("p", { class: "soft small" }, hint));
}

function time(stage) {
  if (!stage.slots) return el("span", { class: "soft" }, "nothing to do");
  return stage.seconds === null ? el("span", { class: "soft" }, "not known") : duration(stage.seconds);
}

function number(placeholder, most = 2 ** 31 - 1) {
  return el("input", { type: "number", min: 1, max: most, step: 1, inputmode: "numeric", placeholder });
}

export class Beginning {
  constructor(dialog, act) {
    this.dialog = dialog;
    this.act = act;
    this.waits = null;
    this.turn = 0;
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }

  open(studio) {
    this.batches = studio.batches;
    this.build();
    this.dialog.showModal();
    this.look();
  }

  build() {
    const ready = this.batches.filter((batch) => !batch.problem);
    const options = this.batches.map((batch) => el("option", { value: batch.name, disabled: Boolean(batch.problem) },
      batch.problem ? `${batch.name} (can't be read)` : `${batch.name} (${batch.collection}, drop ${batch.drop})`));
    this.batch = el("select", { change: () => this.chosen() }, options);
    this.drop = number("");
    this.first = number("");
    this.quantity = number("");
    this.from = el("select", {});
    this.to = el("select", {});
    this.later = el("input", { type: "datetime-local" });
    this.priority = el("input", { type: "number", min: -1000, max: 1000, step: 1, placeholder: "0" });
    this.name = el("input", { type: "text", maxlength: 64, pattern: "[A-Za-z0-9][A-Za-z0-9_\\-]{0,63}", autocomplete: "off", spellcheck: "false" });
    this.plan = el("div", { class: "plan", "aria-live": "polite" });
    this.go = el("button", { type: "submit", form: "begin-form", class: "primary", "data-key": "begin start" }, "Start");
    const broken = this.batches.filter((batch) => batch.problem).map((batch) => el("li", {}, `${batch.name}: ${batch.problem}`));
    const form = el("form", { id: "begin-form", input: () => this.changed(), submit: (event) => (event.preventDefault(), this.start()) },
      field("batch", "Batch", this.batch),
      el("div", { class: "three" }, field("drop", "Drop", this.drop), field("first", "First slot", this.first), field("quantity", "How many", this.quantity)),
      el("details", {}, el("summary", {}, "Stages, time, name"),
        el("div", { class: "two" }, field("from", "From", this.from), field("to", "To", this.to)),
        el("div", { class: "two" }, field("later", "Not before", this.later), field("priority", "Priority", this.priority)),
        field("name", "Name of the run", this.name, "The same name again is the same run, so nothing is made twice.")));
    const none = el("p", { class: "words" }, "No batch file can be run yet. One says which collection, how many and which stages: artmint init makes the first.");
    fill(this.dialog, el("h2", { id: "begin-title" }, "Start a run"), ready.length ? form : none, broken.length && el("ul", { class: "words bad" }, broken), this.plan,
      el("div", { class: "actions" }, ready.length && this.go, button("Not now", "begin close", () => this.dialog.close(), { class: "quiet" })));
    if (ready.length) {
      this.batch.value = ready[0].name;
      this.chosen();
    }
  }

  chosen() {
    const batch = this.batches.find((one) => one.name === this.batch.value);
    const stages = (word) => [el("option", { value: "" }, word), ...batch.stages.map((name) => el("option", { value: name }, stageWord(name)))];
    fill(this.from, stages("the first stage"));
    fill(this.to, stages("the last stage"));
    for (const [input, value] of [[this.drop, batch.drop], [this.first, batch.first], [this.quantity, batch.quantity]]) {
      input.placeholder = `${value}`;
      input.value = "";
    }
    this.name.value = `${batch.name.slice(0, 48)}-${stamp()}`;
  }

  asked() {
    const given = { batch: this.batch.value, first: this.from.value, last: this.to.value };
    for (const [name, input] of [["drop", this.drop], ["first_slot", this.first], ["quantity", this.quantity], ["priority", this.priority]]) {
      if (input.value !== "") given[name] = Number(input.value);
    }
    if (this.later.value) given.not_before = new Date(this.later.value).toISOString();
    return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ""));
  }

  changed() {
    this.go.disabled = true; // until its plan was seen
    clearTimeout(this.waits);
    this.waits = setTimeout(() => this.look(), 300);
  }

  async look() {
    clearTimeout(this.waits);
    if (!this.batch?.value) return;
    const turn = ++this.turn;
    this.go.disabled = true;
    if (!this.plan.childElementCount) fill(this.plan, el("p", { class: "soft" }, "The plan is being made."));
    try {
      const plan = await ask("/v1/plans", { method: "POST", body: this.asked() });
      if (turn !== this.turn) return;
      this.show(plan);
      this.go.disabled = false;
    } catch (error) {
      if (turn === this.turn) this.refuse(error);
    }
  }

  show(plan) {
    const rows = plan.stages.map((stage) => el("tr", {}, el("th", { scope: "row" }, stageWord(stage.notebook), stage.repeats && el("span", { class: "soft each" }, " each round")),
      el("td", {}, `${stage.slots}`), el("td", {}, stage.pictures ? [...new Set(stage.pictures)].join(" to ") : ""),
      el("td", { title: stage.basis }, time(stage))));
    const known = plan.stages.filter((stage) => stage.seconds), sum = known.reduce((all, stage) => all + stage.seconds, 0);
    const head = ["Stage", "Slots", "Pictures", "First round"].map((name) => el("th", { scope: "col" }, name));
    fill(this.plan, el("table", {}, el("caption", {}, "What it would be"), el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows)),
      el("p", { class: "soft small" }, known.length ? `About ${duration(sum)} for ${known.length === plan.stages.length ? "all of it" : `${many(known.length, "stage")} of ${plan.stages.length}`}. ` : "",
        "Nothing runs before Start."));
  }

  refuse(error) {
    fill(this.plan, el("p", { class: "words bad", role: "alert" }, error.message));
  }

  async start() {
    if (this.go.disabled) return;
    this.go.disabled = true;
    const name = this.name.value.trim();
    try {
      await ask(`/v1/runs/${encodeURIComponent(name)}`, { method: "PUT", body: this.asked() });
      this.dialog.close();
      this.act.say(`Run ${name} is queued.`);
      this.act.refresh("runs");
    } catch (error) {
      this.refuse(error);
      this.go.disabled = false;
    }
  }

  // Minting asks once more, with what it would do.
  confirm(title, words, verb, go) {
    const say = el("p", { class: "words bad", role: "alert", hidden: true });
    const press = async (event) => {
      event.currentTarget.disabled = true;
      try {
        await go();
        this.dialog.close();
      } catch (error) {
        say.textContent = error.message;
        say.hidden = false;
      }
    };
    fill(this.dialog, el("h2", { id: "begin-title" }, title), el("p", {}, words), say,
      el("div", { class: "actions" }, button(verb, "begin go", press, { class: "primary" }), button("Not now", "begin close", () => this.dialog.close(), { class: "quiet" })));
    this.dialog.showModal();
  }
}
