// Three parties make a key that none of them has, and two of the three sign with it (DKLs23), behind one HTTP server that
// speaks eth_accounts and eth_signTransaction as Web3Signer does. Who signs changes with every request.
//
// For tests only. This software library is licensed under the Silence Laboratories License Agreement, Copyright © Silence
// Laboratories Pte. Ltd. All Rights Reserved: non-commercial use. It is fetched from npm when the test runs, and is no part of
// this package.
//
// usage: node server.mjs PORT
import http from "node:http";
import dkls from "@silencelaboratories/dkls-wasm-ll-node";
import { Transaction, computeAddress, hexlify, getBytes } from "ethers";

const { KeygenSession, Keyshare, SignSession } = dkls;
const others = (messages, id) => messages.filter((m) => m.from_id !== id).map((m) => m.clone());
const mine = (messages, id) => messages.filter((m) => m.to_id === id).map((m) => m.clone());

function shares(parties, threshold) {
  const sessions = [...Array(parties).keys()].map((id) => new KeygenSession(parties, threshold, id));
  const first = sessions.map((s) => s.createFirstMessage());
  const second = sessions.flatMap((s, id) => s.handleMessages(others(first, id)));
  const commitments = sessions.map((s) => s.calculateChainCodeCommitment());
  const third = sessions.flatMap((s, id) => s.handleMessages(mine(second, id)));
  const fourth = sessions.flatMap((s, id) => s.handleMessages(mine(third, id), commitments));
  sessions.forEach((s, id) => s.handleMessages(others(fourth, id)));
  return sessions.map((s) => s.keyshare().toBytes());
}

function signed(pair, digest) {
  const sessions = pair.map((share) => new SignSession(Keyshare.fromBytes(share), "m"));
  const first = sessions.map((s) => s.createFirstMessage());
  const ids = first.map((m) => m.from_id);
  const second = sessions.flatMap((s, i) => s.handleMessages(others(first, ids[i])));
  const third = sessions.flatMap((s, i) => s.handleMessages(mine(second, ids[i])));
  sessions.forEach((s, i) => s.handleMessages(mine(third, ids[i])));
  const last = sessions.map((s) => s.lastMessage(digest));
  const made = sessions.map((s, i) => s.combine(others(last, ids[i])));
  return made[0].map((half) => BigInt(hexlify(half)));
}

const all = shares(3, 2);
const opened = all.map((share) => Keyshare.fromBytes(share));
const point = hexlify(opened[0].publicKey);
if (opened.some((share) => hexlify(share.publicKey) !== point)) throw new Error("the parties have made different keys");
const address = computeAddress(point);
const pairs = [[0, 1], [0, 2], [1, 2]];
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const signers = [];

function answer({ method, params }) {
  if (method === "eth_accounts") return [address.toLowerCase()];
  if (method === "test_signers") return signers;
  if (method !== "eth_signTransaction") throw new Error(`no such method: ${method}`);
  const { from, gas, type, ...rest } = params[0];
  const transaction = Transaction.from({ ...rest, type: 2, gasLimit: gas, nonce: Number(rest.nonce) });
  const pair = pairs[signers.length % pairs.length];
  const [r, given] = signed(pair.map((id) => all[id]), getBytes(transaction.unsignedHash));
  const s = given > ORDER / 2n ? ORDER - given : given;
  for (const yParity of [0, 1]) {
    const halves = { r: "0x" + r.toString(16).padStart(64, "0"), s: "0x" + s.toString(16).padStart(64, "0") };
    transaction.signature = { ...halves, yParity };
    if (transaction.from === address) {
      signers.push(pair);
      return transaction.serialized;
    }
  }
  throw new Error("the signature isn't this key's");
}

http
  .createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => (body += piece));
    request.on("end", () => {
      let said;
      try {
        said = { result: answer(JSON.parse(body)) };
      } catch (error) {
        said = { error: { code: -32000, message: String(error.message) } };
      }
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, ...said }));
    });
  })
  .listen(Number(process.argv[2]), "127.0.0.1", () => console.log(address));
