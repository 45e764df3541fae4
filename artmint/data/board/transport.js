// The two ways to the server: HTTP for the page, messages for the widget.
// A transport has call(verb, args) -> JSON and picture(dna, { reason, small }) -> URL.
import { newId } from "./cards.js";

// Kinds: away: try again; closed: stop until it opens; refused: a person must say.
export const wrong = (kind, message) => Object.assign(new Error(message), { kind });

const CLOSED =
  "Another board, or one with another address, answers here now: start this one again with artmint review, " +
  "or open the address that it printed last.";

export function overHttp(token) {
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${token}` };
  const secret = `token=${encodeURIComponent(token)}`;
  return {
    async call(verb, args) {
      let answer, body;
      try {
        const request = { method: "POST", headers, body: JSON.stringify({ verb, args }) };
        answer = await fetch("call", { ...request, signal: AbortSignal.timeout(60_000) });
        body = await answer.json();
      } catch {
        throw wrong("away", "The server doesn't answer.");
      }
      if (answer.ok) return body;
      if (answer.status === 403) {
        const token = !body?.message || body.message.startsWith("The token in the address");
        throw wrong("closed", token ? CLOSED : body.message);
      }
      if (answer.status === 400 && body?.message) throw wrong("refused", body.message);
      throw wrong("away", "The server answers with an error.");
    },
    async picture(dna, { reason, small } = {}) {
      if (small) return `thumbnail/${dna}?${secret}`;
      return `picture/${dna}${reason === undefined ? "" : "/" + reason}?${secret}`;
    },
    posts: `posts.html?${secret}`,
    report: (dna) => `report.html?${secret}#dna-${dna.slice(0, 16)}`,
  };
}

const DEAD =
  "The notebook's kernel doesn't answer: it is busy, or it was restarted. After a restart, run the cell again.";
const URLS = 800; // pictures that are held at once

export function overWidget(model) {
  const open = new Map();
  const urls = new Map();
  const ask = (verb, args, ms) =>
    new Promise((done, failed) => {
      const id = newId();
      const give = (end) => (value) => {
        clearTimeout(late);
        open.delete(id);
        end(value);
      };
      const late = setTimeout(() => give(failed)(wrong("away", DEAD)), ms);
      open.set(id, [give(done), give(failed)]);
      try {
        model.send({ id, verb, args });
      } catch {
        give(failed)(wrong("away", DEAD));
      }
    });
  const heard = (message, buffers) => {
    const [done, failed] = open.get(message.id) ?? [];
    if (message.error) failed?.(wrong("refused", message.error));
    else if (buffers?.length) done?.(new Blob([buffers[0]], { type: message.kind ?? "image/png" }));
    else done?.(message.result);
  };
  const died = () => {
    for (const [, failed] of [...open.values()]) failed(wrong("away", DEAD));
  };
  model.on("msg:custom", heard);
  model.on("comm_live_update", died);
  const forget = async (key) => {
    const url = urls.get(key);
    urls.delete(key);
    try {
      URL.revokeObjectURL(await url);
    } catch {
      // it never came
    }
  };
  return {
    call: (verb, args) => ask(verb, args, ["act", "undo", "news"].includes(verb) ? 6000 : 60_000),
    close() {
      model.off("msg:custom", heard);
      model.off("comm_live_update", died);
      [...urls.keys()].forEach(forget);
    },
    picture(dna, { reason, small } = {}) {
      const key = `${dna}/${reason ?? ""}/${Boolean(small)}`;
      if (!urls.has(key)) {
        const asked = ask("picture", { dna, reason: reason ?? null, small: Boolean(small) }, 60_000);
        const url = asked.then((blob) => URL.createObjectURL(blob));
        urls.set(key, url);
        url.catch(() => urls.delete(key));
        if (urls.size > URLS) forget(urls.keys().next().value);
      }
      return urls.get(key);
    },
  };
}
