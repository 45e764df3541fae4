"use strict";

// Standard Webhooks (https://www.standardwebhooks.com), the symmetric scheme v1: HMAC-SHA256 over id.timestamp.body.
const { createHmac, timingSafeEqual } = require("node:crypto");

const TOLERANCE = 300; // seconds that a delivery's clock and ours may differ

// The key of a secret as artmint prints it (whsec_ and base64); throws on anything else.
function keyOf(secret) {
  const text = String(secret ?? "").trim().replace(/^whsec_/, "");
  const key = Buffer.from(text, "base64");
  if (key.length < 16 || key.toString("base64").replace(/=+$/, "") !== text.replace(/=+$/, ""))
    throw new Error("The credential's webhook secret is no whsec_ secret. Copy it again from artmint webhook add.");
  return key;
}

function same(one, other) {
  return one.length === other.length && timingSafeEqual(one, other);
}

// Why a delivery is refused, in words; an empty string when it is genuine. `raw` are the body's bytes as they came.
function refusal(headers, raw, secret, now = Date.now() / 1000) {
  const id = headers["webhook-id"], sent = headers["webhook-timestamp"], signed = headers["webhook-signature"];
  if (!id || !sent || !signed) return "webhook-id, webhook-timestamp or webhook-signature is missing";
  if (!Buffer.isBuffer(raw)) return "the body's bytes didn't arrive";
  if (!/^\d{1,12}$/.test(sent)) return "webhook-timestamp is no time";
  if (Math.abs(now - Number(sent)) > TOLERANCE) return `it was signed more than ${TOLERANCE} s from now`;
  const right = createHmac("sha256", keyOf(secret)).update(`${id}.${sent}.`).update(raw).digest();
  const ours = String(signed).split(" ").filter((one) => one.startsWith("v1,"));
  const genuine = ours.some((one) => same(Buffer.from(one.slice(3), "base64"), right));
  return genuine ? "" : "no signature of it is by the credential's webhook secret";
}

module.exports = { TOLERANCE, keyOf, refusal };
