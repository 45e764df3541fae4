"use strict";

const { NodeApiError } = require("n8n-workflow");

const AWAY = new Set([502, 503, 504]); // artmint is being started, or too busy: worth another try

// One answer of artmint serve: its status, and its JSON or, for `bytes`, a buffer. Throws what the network throws.
async function ask(context, itemIndex, method, path, { body, query, bytes } = {}) {
  const { address } = await context.getCredentials("artmintApi", itemIndex);
  const options = {
    method,
    url: `${String(address).replace(/\/+$/, "")}${path}`,
    qs: query,
    body,
    headers: { Accept: bytes ? "image/*" : "application/json" },
    encoding: bytes ? "arraybuffer" : undefined,
    json: !bytes,
    returnFullResponse: true,
    ignoreHttpStatusErrors: true,
  };
  return context.helpers.httpRequestWithAuthentication.call(context, "artmintApi", options);
}

// A refusal in artmint's own words (RFC 9457), as n8n shows errors.
function refused(context, itemIndex, answer, path) {
  const problem = problemOf(answer.body);
  const { type, title, status, detail, ...values } = problem;
  const facts = Object.keys(values).length ? ` ${JSON.stringify(values)}` : "";
  const message = detail || title || `artmint serve answered ${answer.statusCode} to ${path}`;
  const httpCode = String(answer.statusCode);
  return new NodeApiError(context.getNode(), problem, { message, description: `${type ?? ""}${facts}`, httpCode, itemIndex });
}

function problemOf(body) {
  if (!Buffer.isBuffer(body)) return body && typeof body === "object" ? body : { detail: body ? String(body) : "" };
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return {};
  }
}

// The body of an answer that is none of a refusal's. Throws NodeApiError.
async function call(context, itemIndex, method, path, options) {
  const answer = await ask(context, itemIndex, method, path, options);
  const understood = options?.bytes ? Buffer.isBuffer(answer.body) : answer.body && typeof answer.body === "object";
  if (answer.statusCode >= 400 || !understood) throw refused(context, itemIndex, answer, path);
  return options?.bytes ? answer : answer.body;
}

// The items of a list behind a place, page by page, at most `limit`.
async function pages(context, itemIndex, path, limit, after = "") {
  const items = [];
  do {
    const size = Math.min(limit - items.length, 100);
    const query = after ? { limit: size, after } : { limit: size };
    const page = await call(context, itemIndex, "GET", path, { query });
    items.push(...page.items);
    after = page.next;
  } while (after && items.length < limit);
  return items.slice(0, limit);
}

module.exports = { AWAY, ask, call, pages, refused };
