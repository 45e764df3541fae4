// Numbers, times and stages in words.

export const STAGES = {
  "00_seeds": "Seeds",
  "10_lora_train": "Training",
  "12_explore": "Exploring",
  "15_generate": "Painting",
  "18_evaluate": "Evaluating",
  "20_curate": "Curating",
  "22_review": "Review",
  "25_metadata": "Packing",
  "27_pin": "Pinning",
  "30_mint": "Minting",
  "31_reveal": "Revealing",
  "32_sale": "Selling",
  "35_verify": "Proving",
  "36_attest": "Attesting",
  "37_drawn": "Drawn on chain",
  "40_metrics": "Metrics",
  "42_gate": "Cost gate",
  "65_posts": "Posts",
};

export function stageWord(name) {
  const [bare, round] = name.split(/-r(?=\d+$)/);
  return (STAGES[bare] ?? bare) + (round ? `, round ${round}` : "");
}

export function many(count, one, others = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : others}`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "not known";
  if (seconds < 1) return "under a second";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  const hours = seconds / 3600;
  if (hours < 36) return `${Math.floor(hours)} h ${Math.round((hours % 1) * 60)} min`;
  return many(Math.round(hours / 24), "day");
}

export function ago(iso, now = Date.now()) {
  const seconds = (now - Date.parse(iso)) / 1000;
  if (seconds < -1) return `in ${duration(-seconds)}`;
  return seconds < 10 ? "just now" : `${duration(seconds)} ago`;
}

export function moment(iso) {
  return new Date(iso).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
}

export function money(amount, currency) {
  const digits = Math.abs(amount) >= 100 ? 0 : Math.abs(amount) >= 0.1 || amount === 0 ? 2 : 4;
  return `${amount.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${currency}`;
}

export function percent(share) {
  const value = 100 * share;
  if (value > 0 && value < 0.1) return "under 0.1%";
  return `${value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 })}%`;
}

// Slots as people write them: 1–4, 7, 9
export function ranges(numbers, most = 8) {
  const parts = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = parts.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else parts.push([number, number]);
  }
  const shown = parts.slice(0, most).map(([a, b]) => (a === b ? `${a}` : `${a}–${b}`));
  return shown.join(", ") + (parts.length > most ? " and more" : "");
}
