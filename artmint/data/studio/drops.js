// Drops: which steps towards minting are done, which is missing, and what was proven.

import { button, code, el, fill, list } from "./dom.js";
import { when } from "./runs.js";

const SIGNS = { held: "✓", failed: "✗", unchecked: "·" };
const MISSING = {
  packed: "Its drop.json isn't the one that was recorded: run its packing again.",
  audited: "No audit is recorded in which everything agreed: run its packing again.",
  accepted: "People haven't accepted all of it: the board says which.",
  pinned: "No store was given it and gave it back whole: run its pinning.",
  "read back": "Some store doesn't give it back whole: artmint pin --check says which, --repair mends it.",
  approved: "Signers still have to approve it: artmint approve.",
};

function proofOf(drop, proofs) {
  const end = drop.first + drop.quantity - 1;
  return proofs.filter((one) => one.first <= drop.first && one.last >= end).at(-1);
}

function steps(drop, proof) {
  const kept = drop.kept.status === "held" || (drop.kept.published && drop.kept.status !== "failed");
  const rows = [
    ["packed", drop.missing !== "packed"],
    ["audited", drop.audited],
    ["pinned", Boolean(kept)],
    ...(drop.needed ? [[`approved ${drop.approved.length}/${drop.needed}`, drop.approved.length >= drop.needed]] : []),
    [drop.tokens && drop.tokens < drop.quantity ? `minted ${drop.tokens}/${drop.quantity}` : "minted", drop.tokens === drop.quantity],
    ["proven", proof?.exit_code === 0, proof?.exit_code === 1],
  ];
  const next = rows.findIndex(([, done]) => !done);
  return el("ol", { class: "path" }, rows.map(([name, done, failed], i) => {
    const kind = failed ? "failed" : done ? "done" : i === next ? "next" : "";
    return el("li", { class: kind }, el("span", { class: "sr" }, failed ? "failed: " : done ? "done: " : "to do: "), name);
  }));
}

function levels(proof) {
  if (!proof) return null;
  const failed = proof.steps.filter((step) => step.status === "failed").map((step) => el("li", {}, `${step.name}: ${step.evidence}`));
  const chips = Object.entries(proof.levels).map(([name, status]) => el("li", { class: status }, `${SIGNS[status] ?? ""} ${name}`));
  return el("div", { class: "proof" }, el("ul", { class: "chips", "aria-label": "What was proven" }, chips), failed.length && el("ul", { class: "words bad" }, failed),
    el("p", { class: "soft small" }, when(proof.at, "proven "), "; anybody can again: ", code(`artmint verify ${proof.address}`)));
}

function card(drop, studio, act) {
  const proof = proofOf(drop, studio.proofs), last = drop.first + drop.quantity - 1;
  const shown = studio.editions[drop.drop] ?? [];
  const actions = [];
  if (!drop.missing && drop.tokens < drop.quantity && act.may("mint")) actions.push(button("Mint", `mint ${drop.drop}`, () => act.mint(drop), { class: "button" }));
  if (drop.tokens === drop.quantity && act.may("verify")) actions.push(button(proof ? "Prove again" : "Prove", `prove ${drop.drop}`, () => act.prove(drop), { class: "quiet" }));
  actions.push(el("a", { href: `/v1/collections/${drop.collection}/drops/${drop.drop}/drop.json`, target: "_blank", rel: "noopener" }, "drop.json"));
  return el(
    "article",
    { class: "card drop" },
    el("ul", { class: "strip", "aria-hidden": "true" }, shown.map((one) => el("li", {}, el("img", { src: `${one.picture}?size=thumbnail`, alt: "", loading: "lazy", width: 96, height: 96 })))),
    el("h3", {}, `Drop ${drop.drop}`, el("span", {}, drop.quantity === 1 ? `token ${drop.first}` : `tokens ${drop.first} to ${last}`)),
    steps(drop, proof),
    drop.tokens < drop.quantity && drop.missing ? el("p", { class: "words" }, MISSING[drop.missing] ?? `Minting waits: it isn't ${drop.missing}.`) : null,
    drop.kept.status === "failed" && el("p", { class: "words bad" }, drop.kept.words),
    levels(proof),
    el("p", { class: "soft small root" }, code(drop.root)),
    el("div", { class: "actions" }, actions),
  );
}

export function showDrops(part, studio, act) {
  const drops = [...studio.drops].sort((a, b) => b.drop - a.drop);
  const facts = drops.map((drop) => ({ drop, proof: proofOf(drop, studio.proofs) ?? null, editions: studio.editions[drop.drop] ?? [] }));
  list(part.querySelector(".drops"), facts, (one) => one.drop.drop, (one) => card(one.drop, studio, act));
  const none = el("div", { class: "card calm" }, el("p", {}, "Nothing is packed yet."),
    el("p", { class: "soft" }, "Once slots have their editions, a run with Packing makes a drop of them."));
  fill(part.querySelector(".said"), drops.length ? null : none);
}
