// Bluesky's own server with a directory of its own, on this machine alone: node server.mjs PORT FOLDER
import { createRequire } from "node:module";
import { PDS, envToCfg, envToSecrets } from "@atproto/pds";

const plc = createRequire(import.meta.url)("@did-plc/server");
const [port, folder] = process.argv.slice(2);
const directory = plc.PlcServer.create({ db: plc.Database.mock(), port: 0 });
const listening = await directory.start();
const env = {
  devMode: true,
  hostname: "localhost",
  port: Number(port),
  dataDirectory: folder,
  blobstoreDiskLocation: `${folder}/blobs`,
  didPlcUrl: `http://127.0.0.1:${listening.address().port}`,
  serviceHandleDomains: [".test"],
  inviteRequired: false,
  jwtSecret: "not a secret of anything",
  adminPassword: "admin",
  plcRotationKeyK256PrivateKeyHex: "7".repeat(64),
  disableSsrfProtection: true,
  crawlers: [],
  logEnabled: false,
  bskyAppViewUrl: "http://127.0.0.1:9",
  bskyAppViewDid: "did:example:none",
};
const pds = await PDS.create(envToCfg(env), envToSecrets(env));
await pds.start();
console.log("up");
