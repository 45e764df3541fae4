// Posts of a collection: read, edit, approve, refuse. Texts are set as text, never as markup.
const token = new URLSearchParams(location.search).get("token") ?? "team";
const secret = `token=${encodeURIComponent(token)}`;
const STATES = ["all", "waiting", "approved", "refused", "sending", "sent"];
const says = document.getElementById("says");
const cards = document.getElementById("posts");
const filter = document.getElementById("filter");
const shown = { state: "all", posts: [], decides: false };

const make = (tag, facts = {}, ...inside) => {
  const { dataset, ...plain } = facts;
  const element = Object.assign(document.createElement(tag), plain);
  Object.assign(element.dataset, dataset ?? {});
  element.append(...inside);
  return element;
};

async function ask(verb, args = {}) {
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${token}` };
  const asked = { method: "POST", headers, body: JSON.stringify({ verb, args }) };
  let answer, body;
  try {
    answer = await fetch("posts/call", asked);
    body = await answer.json();
  } catch {
    throw new Error("The server doesn't answer. Nothing was recorded; try again.");
  }
  if (!answer.ok) throw new Error(body.message);
  return body;
}

const say = (text) => (says.textContent = text);
const when = (moment) => moment.replace("T", " ").replace("Z", " UTC");

function wordOf(post) {
  const { word, sent } = post;
  if (sent) return `${sent.state === "begun" ? "sending since" : sent.state} ${when(sent.at)}${sent.by ? `, approved by ${sent.by}` : ""}`;
  if (!word) return "nobody said anything yet";
  const about = word.digest === post.digest ? "" : ", of an earlier text";
  const note = word.note ? `: ${word.note}` : "";
  return `${word.by} ${word.decision === "approve" ? "approved it" : "refused it"}${about} ${when(word.at)}${note}`;
}

class Card {
  constructor(post) {
    this.el = make("article");
    this.take(post);
  }
  take(post) {
    this.post = post;
    this.el.className = post.state;
    this.el.dataset.id = post.id;
    this.el.setAttribute("aria-label", `${post.platform}, ${post.subject}, ${post.state}`);
    this.locked = !shown.decides || post.state === "sent" || post.state === "sending";
    this.el.replaceChildren(this.head(), this.wording(), this.pictures(), this.records(), this.tools());
    this.weigh(post.length, post.claims);
  }
  head() {
    const { post } = this;
    const sent = post.sent?.url ? make("a", { href: post.sent.url, rel: "noopener", target: "_blank", textContent: "the post" }) : "";
    return make(
      "div",
      { className: "head" },
      make("h2", { textContent: `${post.platform}: ${post.subject}` }),
      make("span", { className: "state", textContent: post.state }),
      make("span", { className: "soft", textContent: wordOf(post) }),
      sent,
    );
  }
  wording() {
    const { post } = this;
    const id = `text-${post.id}`;
    const rows = Math.min(18, post.text.split("\n").length + Math.ceil(post.text.length / 60));
    this.text = make("textarea", { id, value: post.text, rows, readOnly: this.locked });
    this.text.addEventListener("input", () => this.typed());
    this.count = make("p", { className: "count soft" });
    this.claimed = make("p", { className: "claims" });
    const by = post.by ? `, edited by ${post.by}` : "";
    const source = make("p", { className: "soft", textContent: `wording: ${post.wording}${by}` });
    return make("div", {}, make("label", { htmlFor: id, textContent: "Text" }), this.text, this.count, this.claimed, source);
  }
  pictures() {
    const { post } = this;
    this.alts = new Map();
    const figures = post.pictures.map((picture) => {
      const id = `alt-${post.id}-${picture.token}`;
      const alt = make("textarea", { id, value: picture.alt, rows: 4, readOnly: this.locked });
      alt.addEventListener("input", () => this.typed());
      this.alts.set(picture.token, alt);
      const image = make("img", { src: `posts/picture/${picture.digest}?${secret}`, alt: picture.alt, loading: "lazy" });
      const label = make("label", { htmlFor: id, textContent: `Alt text of token ${picture.token}` });
      const own = make("p", { className: "soft", textContent: picture.own ? "the token's own bytes" : "made smaller for the platform" });
      return make("figure", {}, image, make("div", {}, label, alt, own));
    });
    const none = make("p", { className: "soft", textContent: "no pictures" });
    return make("div", {}, ...(figures.length ? figures : [none]));
  }
  records() {
    const { post } = this;
    const rows = post.facts.map((fact) =>
      make("tr", {}, ...[fact.name, fact.words, fact.source].map((textContent) => make("td", { textContent }))),
    );
    const heads = ["fact", "words", "record"].map((textContent) => make("th", { textContent, scope: "col" }));
    const left = post.left_out.map((textContent) => make("li", { textContent }));
    const more = left.length ? [make("h3", { textContent: "Left out" }), make("ul", {}, ...left)] : [];
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
    const title = `${rows.length} facts from records` + (left.length ? `, ${left.length} left out` : "");
    return make("details", {}, make("summary", { textContent: title }), table, ...more);
  }
  tools() {
    const button = (textContent, className, run) => {
      const made = make("button", { textContent, className, type: "button" });
      made.addEventListener("click", run);
      return made;
    };
    this.yes = button("Approve", "yes", () => this.decide("approve"));
    this.no = button("Refuse", "no", () => this.decide("refuse"));
    this.save = button("Save the edit", "", () => this.edit());
    this.undo = button("Discard", "", () => this.take(this.post));
    for (const one of [this.yes, this.no, this.save, this.undo]) one.hidden = this.locked;
    return make("div", { className: "tools" }, this.yes, this.no, this.save, this.undo);
  }
  get edited() {
    const alts = this.post.pictures.some((picture) => this.alts.get(picture.token).value !== picture.alt);
    return alts || this.text.value !== this.post.text;
  }
  weigh(length, claims) {
    const { most } = this.post;
    const over = most > 0 && length > most;
    this.count.textContent = most ? `${length} of ${most}${over ? ": too long" : ""}` : `${length}`;
    this.count.classList.toggle("over", over);
    this.claimed.textContent = claims.length ? `No record backs: ${claims.join(", ")}` : "";
    const edited = this.edited;
    this.save.disabled = !edited || over;
    this.undo.disabled = !edited;
    // what is approved is what stands there: an edit is saved first
    this.yes.disabled = edited || this.post.state === "approved";
    this.no.disabled = edited || this.post.state === "refused";
  }
  typed() {
    clearTimeout(this.waits);
    this.weigh(this.post.length, this.post.claims);
    this.waits = setTimeout(async () => {
      const asked = this.text.value;
      try {
        const { length, claims } = await ask("look", { id: this.post.id, text: asked });
        if (this.text.value === asked) this.weigh(length, claims);
      } catch (error) {
        say(error.message);
      }
    }, 250);
  }
  async change(verb, args, done) {
    for (const one of [this.yes, this.no, this.save, this.undo]) one.disabled = true;
    try {
      const post = await ask(verb, { id: this.post.id, digest: this.post.digest, ...args });
      Object.assign(shown.posts.find((one) => one.id === post.id), post);
      this.take(post);
      say(done);
      choices();
    } catch (error) {
      say(error.message);
      this.weigh(this.post.length, this.post.claims);
    }
  }
  decide(decision) {
    const done = decision === "approve" ? "approved: it can be sent." : "refused: it stays here.";
    return this.change("decide", { decision }, `${this.post.platform}, ${this.post.subject}: ${done}`);
  }
  edit() {
    const alts = Object.fromEntries([...this.alts].map(([token, alt]) => [token, alt.value]));
    return this.change("edit", { text: this.text.value, alts }, "Saved. It waits for approval as it stands now.");
  }
}

function choices() {
  const counts = (state) => shown.posts.filter((post) => state === "all" || post.state === state).length;
  const buttons = STATES.filter((state) => state === "all" || state === shown.state || counts(state)).map((state) => {
    const made = make("button", { type: "button", textContent: `${state} (${counts(state)})`, dataset: { state } });
    made.setAttribute("aria-pressed", String(state === shown.state));
    made.addEventListener("click", () => {
      shown.state = state;
      choices();
      draw();
      filter.querySelector(`[data-state="${state}"]`).focus();
    });
    return made;
  });
  filter.replaceChildren(...buttons);
}

function draw() {
  const posts = shown.posts.filter((post) => shown.state === "all" || post.state === shown.state);
  const none = make("p", { className: "empty soft", textContent: "No posts here. artmint posts BATCH drafts them." });
  cards.replaceChildren(...(posts.length ? posts.map((post) => new Card(post).el) : [none]));
}

async function begin() {
  try {
    const told = await ask("list");
    Object.assign(shown, { posts: told.posts, decides: told.decides });
    document.getElementById("title").textContent = `Posts of ${told.title}`;
    const only = told.decides ? "" : ", who sees and doesn't decide";
    document.getElementById("who").textContent = `as ${told.by}${only}. Nothing leaves without an approval of exactly what it says.`;
    choices();
    draw();
  } catch (error) {
    say(error.message);
  }
  document.body.dataset.ready = "yes";
}

if (token !== "team") document.getElementById("back").href = `./?${secret}`;
begin();
