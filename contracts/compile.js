// Compile a Solidity file beside this one and print solc's answer as JSON, with the whole standard-JSON input that gives it.
// usage: node compile.js [FILE.sol]; `-` reads {"path": "source", …} from standard input instead, the first of them being compiled.
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const name = process.argv[2] || "ArtMint.sol";
const read = (file) => fs.readFileSync(path.join(__dirname, file), "utf8");
const given = name === "-" ? JSON.parse(fs.readFileSync(0, "utf8")) : { [name]: read(name) };
const target = Object.keys(given)[0];
const input = {
  language: "Solidity",
  sources: Object.fromEntries(Object.entries(given).map(([file, content]) => [file, { content }])),
  settings: {
    optimizer: { enabled: true, runs: 800 },
    evmVersion: "cancun",
    outputSelection: { [target]: { "*": ["abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode"] } },
  },
};
const imported = {};
const find = (file) => {
  try {
    const content = read(path.join("node_modules", file));
    imported[file] = { content };
    return { contents: content };
  } catch (error) {
    return { error: error.message };
  }
};
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: find }));
input.sources = { ...input.sources, ...Object.fromEntries(Object.entries(imported).sort()) };
process.stdout.write(JSON.stringify({ compiler: solc.version(), input, ...output }));
