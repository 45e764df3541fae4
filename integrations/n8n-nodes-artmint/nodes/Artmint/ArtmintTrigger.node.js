"use strict";

const { refusal } = require("./signature.js");

const EVENTS = [
  "run.queued", "run.started", "run.finished", "run.failed", "run.cancelled", "run.paused", "round.generated",
  "people.needed", "people.done", "gate.refused", "drop.packed", "drop.pinned", "drop.sealed", "drop.revealed",
  "transaction.sent", "transaction.mined", "transaction.replaced", "transaction.final", "proof.held", "proof.failed",
  "retrain.raised", "key.refused",
];
const KEPT = 500; // ids of deliveries that are remembered, the newest: artmint sends again what it heard no answer to

const heard = new Map(); // by workflow and node: ids that this process has seen, should two come at once

// Whether a delivery came before; it is remembered from now on. `kept` outlives n8n's process.
function again(place, kept, id) {
  const now = heard.get(place) ?? new Set(kept.ids ?? []);
  heard.set(place, now);
  if (now.has(id)) return true;
  now.add(id);
  for (const old of [...now].slice(0, -KEPT)) now.delete(old);
  kept.ids = [...now];
  return false;
}

class ArtmintTrigger {
  description = {
    displayName: "artmint Trigger",
    name: "artmintTrigger",
    icon: "file:artmint.svg",
    group: ["trigger"],
    version: 1,
    subtitle: '={{ $parameter["events"].join(", ") || "every event" }}',
    description: "Starts when an artmint studio tells of something; takes only what the studio signed",
    defaults: { name: "artmint Trigger" },
    inputs: [],
    outputs: ["main"],
    credentials: [{ name: "artmintApi", required: true }],
    webhooks: [{ name: "default", httpMethod: "POST", responseMode: "onReceived", path: '={{ $parameter["path"] }}', isFullPath: true }],
    properties: [
      {
        displayName: "Give the production address above to artmint webhook add, and the secret that it prints to the credential.",
        name: "notice",
        type: "notice",
        default: "",
      },
      {
        displayName: "Path",
        name: "path",
        type: "string",
        default: "artmint-events",
        required: true,
        description: "Last part of this trigger's address",
      },
      {
        displayName: "Events",
        name: "events",
        type: "multiOptions",
        options: EVENTS.map((value) => ({ name: value, value })),
        default: [],
        description: "Which start the workflow; none: all. Others are taken and left",
      },
    ],
  };

  async webhook() {
    const request = this.getRequestObject();
    const credentials = await this.getCredentials("artmintApi");
    const headers = this.getHeaderData();
    if (request.rawBody === undefined && request.readRawBody) await request.readRawBody();
    let why;
    try {
      why = refusal(headers, request.rawBody, credentials.webhookSecret);
    } catch (error) {
      return refuse(this, 500, error.message); // ours to mend, and artmint tries again until then
    }
    if (why) return refuse(this, 401, `Refused: ${why}. Nothing was started.`);
    let event;
    try {
      event = JSON.parse(request.rawBody.toString("utf8"));
    } catch {
      return refuse(this, 400, "Refused: the body is no JSON. Nothing was started.");
    }
    const wanted = this.getNodeParameter("events", []);
    if (wanted.length && !wanted.includes(event.type)) return { webhookResponse: "not asked for" };
    const place = `${this.getWorkflow().id}/${this.getNode().name}/${this.getMode()}`;
    if (again(place, this.getWorkflowStaticData("node"), headers["webhook-id"])) return { webhookResponse: "taken before" };
    return { webhookResponse: "taken", workflowData: [[{ json: { id: headers["webhook-id"], ...event } }]] };
  }
}

// Answer a delivery that isn't taken.
function refuse(context, status, message) {
  context.getResponseObject().status(status).json({ message });
  return { noWebhookResponse: true };
}

exports.ArtmintTrigger = ArtmintTrigger;
