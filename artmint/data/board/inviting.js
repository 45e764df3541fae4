// Inviting: a lead gives somebody a name, a role, and a link that opens once.
import { make } from "./cards.js";
import { tool } from "./bar.js";

const ROLES = { guest: "guest: sees", artist: "artist: decides", lead: "lead: decides and invites" };

export class Inviting {
  // invite(name, role) gives { link, was }; closed() runs when the dialog is left
  constructor(invite, closed) {
    this.invite = invite;
    this.name = make("input", { maxLength: 80, autocomplete: "off" });
    const roles = Object.entries(ROLES).map(([value, textContent]) => make("option", { value, textContent }));
    this.role = make("select", {}, ...roles);
    this.link = make("input", { readOnly: true, hidden: true, className: "link", "aria-label": "the link" });
    this.says = make("p", { role: "status" });
    const ask = tool("Make a link", "", () => this.ask());
    const close = tool("Close", "", () => this.el.close());
    const who = make("label", {}, "name ", this.name);
    const what = make("label", {}, "role ", this.role);
    const yesno = make("div", { className: "yesno" }, close, ask);
    this.el = make("dialog", { className: "invite", "aria-label": "invite somebody" });
    this.el.append(who, what, this.says, this.link, yesno);
    this.el.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter" && event.target === this.name) this.ask();
    });
    this.el.addEventListener("close", closed);
  }
  open() {
    this.name.value = this.says.textContent = this.link.value = "";
    this.link.hidden = true;
    this.el.showModal();
    this.name.focus();
  }
  async ask() {
    const name = this.name.value.trim();
    const role = this.role.value;
    this.link.hidden = true;
    if (!name) {
      this.says.textContent = "Write what everybody knows them by; their decisions carry it.";
      return this.name.focus();
    }
    try {
      const { link, was } = await this.invite(name, role);
      const changed = was && was !== role ? `${name} was ${was} and is ${role} from now on. ` : "";
      const opens = `It opens once within 7 days, for ${name} as ${role}. Copy it now: it is kept nowhere.`;
      this.says.textContent = changed + opens;
      this.link.value = link;
      this.link.hidden = false;
      this.link.select();
    } catch (error) {
      this.says.textContent = error.message;
    }
  }
}
