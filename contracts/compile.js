// Compile ArtMint.sol and print solc's answer as JSON. scripts/compile_contracts.py runs it.
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const read = (name) => fs.readFileSync(path.join(__dirname, name), "utf8");
const input = {
  language: "Solidity",
  sources: { "ArtMint.sol": { content: read("ArtMint.sol") } },
  settings: {
    optimizer: { enabled: true, runs: 800 },
    evmVersion: "cancun",
    outputSelection: { "ArtMint.sol": { ArtMint: ["abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode"] } },
  },
};
const find = (name) => {
  try {
    return { contents: read(path.join("node_modules", name)) };
  } catch (error) {
    return { error: error.message };
  }
};
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: find }));
process.stdout.write(JSON.stringify({ compiler: solc.version(), settings: input.settings, ...output }));
