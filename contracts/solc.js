#!/usr/bin/env node
// npm's solc (wasm) behind the two switches of the native compiler that forge uses: --version and --standard-json.
const fs = require("fs");
const solc = require("solc");

if (process.argv.includes("--version")) console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}`);
else process.stdout.write(solc.compile(fs.readFileSync(0, "utf8")));
