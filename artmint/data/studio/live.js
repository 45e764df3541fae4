// What happens, as it happens: one stream of events; where there is none, looking every few seconds; and a server that
// went away is asked for until it is back.

export const TYPES = [
  "run.queued",
  "run.started",
  "run.finished",
  "run.failed",
  "run.cancelled",
  "run.paused",
  "round.generated",
  "people.needed",
  "people.done",
  "gate.refused",
  "drop.packed",
  "drop.pinned",
  "drop.sealed",
  "drop.revealed",
  "transaction.sent",
  "transaction.mined",
  "transaction.replaced",
  "transaction.final",
  "proof.held",
  "proof.failed",
  "retrain.raised",
  "key.refused",
];
const PATIENCE = 6000; // milliseconds until a stream that says nothing is helped by looking
const POLL = 4000;
const HIDDEN = 60_000; // a page that nobody sees lets go of its stream

// `happened(type, data)`, `moved(facts)` for progress, `look()` to read everything anew, `state("live" | "polling" | "lost")`
export function follow({ happened, moved, look, state }) {
  let source = null, last = "", now = "", helping = null, seeking = null, hiding = null, opening = null;

  const say = (word) => {
    if (word !== now) state((now = word));
  };
  const help = () => {
    helping ??= setInterval(look, POLL);
    say("polling");
  };
  const close = () => {
    clearTimeout(opening);
    source?.close();
    source = null;
  };
  const open = () => {
    close();
    source = new EventSource(last ? `/v1/events?after=${encodeURIComponent(last)}` : "/v1/events");
    opening = setTimeout(help, PATIENCE);
    source.addEventListener("open", () => {
      clearTimeout(opening);
      clearInterval(helping);
      helping = null;
      const again = now !== "" && now !== "live";
      say("live");
      if (again) look();
    });
    source.addEventListener("error", () => {
      if (source) lost();
    });
    source.addEventListener("progress", (event) => moved(JSON.parse(event.data)));
    for (const type of TYPES) {
      source.addEventListener(type, (event) => {
        last = event.lastEventId || last;
        happened(type, JSON.parse(event.data));
      });
    }
  };
  const lost = (wait = 300) => {
    close();
    clearTimeout(seeking);
    seeking = setTimeout(async () => {
      try {
        const answer = await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(5000) });
        if (!answer.ok) throw new Error(`${answer.status}`);
        if (now === "lost") look();
        open();
      } catch {
        say("lost");
        lost(Math.min(2 * wait, 5000));
      }
    }, wait);
  };
  const seen = () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(() => now === "live" && close(), HIDDEN);
    else if (!source && now === "live") {
      look();
      open();
    }
  };
  document.addEventListener("visibilitychange", seen);
  open();
  return {
    lost: () => source && lost(),
    stop: () => {
      document.removeEventListener("visibilitychange", seen);
      close();
      for (const one of [seeking, hiding]) clearTimeout(one);
      clearInterval(helping);
    },
  };
}
