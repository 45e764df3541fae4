"use strict";

const { randomUUID } = require("node:crypto");
const { NodeOperationError, sleep } = require("n8n-workflow");
const { AWAY, ask, call, pages, refused } = require("./request.js");
const { PROPERTIES } = require("./properties.js");

const SETTLED = new Set(["done", "failed", "cancelled"]);

const segment = (text) => encodeURIComponent(text);

// A parameter that must be there, as text. Throws NodeOperationError.
function required(context, name, i) {
  const value = String(context.getNodeParameter(name, i) ?? "").trim();
  if (value) return value;
  const why = `${name} is empty. Nothing was sent to artmint.`;
  throw new NodeOperationError(context.getNode(), why, { itemIndex: i });
}

// A whole number of a field. Throws NodeOperationError: JSON would make nothing of it, and nothing means the batch's own.
function whole(context, name, value, i) {
  const number = typeof value === "string" && value.trim() === "" ? NaN : Number(value);
  if (Number.isSafeInteger(number)) return number;
  const why = `${name} is ${JSON.stringify(value)}, and takes a whole number. Nothing was sent to artmint.`;
  throw new NodeOperationError(context.getNode(), why, { itemIndex: i });
}

// Names and values of a collection of options, those aside that were left empty. Throws NodeOperationError.
function given(context, name, i, numbers) {
  const options = context.getNodeParameter(name, i, {}), kept = {};
  for (const [key, value] of Object.entries(options)) {
    if (value === "" || value === undefined || value === null) continue;
    kept[key] = numbers.includes(key) ? whole(context, key, value, i) : value;
  }
  return kept;
}

// Stage parameters as a table of tables. Throws NodeOperationError.
function stageParameters(context, i) {
  const value = context.getNodeParameter("parameters", i, "{}");
  if (typeof value === "object") return value;
  try {
    return JSON.parse(value || "{}");
  } catch (error) {
    throw new NodeOperationError(context.getNode(), `Stage parameters are no JSON: ${error.message}`, { itemIndex: i });
  }
}

async function startRun(context, i) {
  const id = required(context, "run", i);
  const options = given(context, "request", i, ["drop", "first_slot", "quantity", "priority"]);
  const body = { batch: required(context, "batch", i), ...options };
  const parameters = stageParameters(context, i);
  if (Object.keys(parameters).length) body.parameters = parameters;
  return call(context, i, "PUT", `/v1/runs/${segment(id)}`, { body });
}

const runOf = (context, i) => `/v1/runs/${segment(required(context, "run", i))}`;

// One look at a run: its view; null while artmint serve is away (it is being started again, or the network is).
async function look(context, i, path) {
  let answer;
  try {
    answer = await ask(context, i, "GET", path);
  } catch {
    return null;
  }
  if (AWAY.has(answer.statusCode)) return null;
  if (answer.statusCode >= 400) throw refused(context, i, answer, path);
  return answer.body;
}

// Follow a run until it is settled or, where that is asked for, until people are needed. Throws NodeOperationError.
async function waitForRun(context, i) {
  const path = runOf(context, i);
  const { minutes, seconds, failures, people } = context.getNodeParameter("waiting", i, {});
  const end = Date.now() + 60_000 * (minutes ?? 60), stop = context.getExecutionCancelSignal?.();
  let view = null;
  while (!stop?.aborted) {
    view = (await look(context, i, path)) ?? view;
    const asks = view && !people && (view.state === "waiting" || view.state === "paused");
    if (view && (SETTLED.has(view.state) || asks)) break;
    if (Date.now() > end) {
      const seen = view ? `it is ${view.state}` : "artmint serve never answered";
      const why = `After ${minutes ?? 60} minutes ${seen}. The run itself goes on; wait for it again.`;
      throw new NodeOperationError(context.getNode(), why, { itemIndex: i });
    }
    await sleep(1000 * Math.max(seconds ?? 5, 0.2));
  }
  if (view && ["failed", "cancelled"].includes(view.state) && !failures) throw ended(context, i, view);
  return view ?? {};
}

// What a run that failed or was cancelled says.
function ended(context, i, view) {
  const message = view.error?.message ?? `Run ${view.id} was ${view.state}.`;
  const description = `Run ${view.id} ${view.state}${view.error ? `: ${view.error.name}, exit code ${view.error.exit_code}` : ""}`;
  return new NodeOperationError(context.getNode(), message, { description, itemIndex: i });
}

const folderOf = (context, i) => `/v1/collections/${segment(required(context, "collection", i))}`;
const dropOf = (context, i) => `${folderOf(context, i)}/drops/${segment(required(context, "drop", i))}`;

// Editions of a drop or attempts of a slot, each with its picture.
async function getPictures(context, i) {
  const limit = context.getNodeParameter("limit", i, 50);
  const rows =
    context.getNodeParameter("of", i) === "attempts"
      ? await pages(context, i, `${folderOf(context, i)}/slots/${segment(required(context, "slot", i))}/attempts`, limit)
      : await editions(context, i, limit);
  const full = context.getNodeParameter("size", i) === "full";
  const items = [];
  for (const row of rows) items.push({ json: row, binary: { picture: await picture(context, i, row, full) } });
  return items;
}

// The editions of a drop, in the order of their slots.
async function editions(context, i, limit) {
  const { first, quantity } = await call(context, i, "GET", dropOf(context, i));
  const most = Math.min(limit, quantity), path = `${folderOf(context, i)}/editions`;
  const rows = await pages(context, i, path, most, String(first - 1));
  return rows.filter((row) => row.slot < first + quantity);
}

async function picture(context, i, row, full) {
  const query = full ? {} : { size: "thumbnail" };
  const answer = await call(context, i, "GET", `/v1/pictures/${segment(row.file_digest)}`, { query, bytes: true });
  const type = String(answer.headers["content-type"] ?? "image/png").split(";")[0];
  const name = `${row.slot}-${row.attempt}.${type.split("/")[1]}`;
  return context.helpers.prepareBinaryData(answer.body, name, type);
}

async function decide(context, i) {
  const id = String(context.getNodeParameter("action", i, "") || randomUUID());
  const body = { id, dnas: [required(context, "dna", i)], decision: context.getNodeParameter("decision", i) };
  const note = context.getNodeParameter("note", i, "");
  if (note) body.note = note;
  const { items } = await call(context, i, "POST", `${folderOf(context, i)}/decisions`, { body });
  return items.map((json) => ({ json }));
}

// What minting and proving take: the run that does it, and the batch where there is more than one.
function asRun(context, i) {
  const batch = String(context.getNodeParameter("doneBy", i, "")).trim();
  return { run: required(context, "run", i), ...(batch ? { batch } : {}) };
}

const mint = (context, i) => call(context, i, "POST", `${dropOf(context, i)}/mint`, { body: asRun(context, i) });

async function verify(context, i) {
  const drop = whole(context, "drop", required(context, "drop", i), i);
  const body = { ...asRun(context, i), collection: required(context, "collection", i), drop };
  return call(context, i, "POST", "/v1/proofs", { body });
}

const DOES = {
  startRun,
  waitForRun,
  getRun: (context, i) => call(context, i, "GET", runOf(context, i)),
  cancelRun: (context, i) => call(context, i, "POST", `${runOf(context, i)}/cancel`),
  getPictures,
  decide,
  getDrop: (context, i) => call(context, i, "GET", dropOf(context, i)),
  mint,
  verify,
};

class Artmint {
  description = {
    displayName: "artmint",
    name: "artmint",
    icon: "file:artmint.svg",
    group: ["transform"],
    version: 1,
    subtitle: '={{ $parameter["operation"] }}',
    description: "Runs, pictures, decisions, mints and proofs of an artmint studio",
    defaults: { name: "artmint" },
    inputs: ["main"],
    outputs: ["main"],
    usableAsTool: true,
    credentials: [{ name: "artmintApi", required: true }],
    properties: PROPERTIES,
  };

  async execute() {
    const given = this.getInputData(), items = [];
    for (let i = 0; i < given.length; i++) {
      try {
        const result = await DOES[this.getNodeParameter("operation", i)](this, i);
        const rows = Array.isArray(result) ? result : [{ json: result }];
        items.push(...rows.map((row) => ({ ...row, pairedItem: { item: i } })));
      } catch (error) {
        if (!this.continueOnFail()) throw error;
        const { message, description, httpCode } = error;
        items.push({ json: { error: { message, description, status: httpCode } }, pairedItem: { item: i } });
      }
    }
    return [items];
  }
}

exports.Artmint = Artmint;
