"""Compile contracts/ArtMint.sol into artmint/data/contracts/ArtMint.json, or check that the committed file is what it compiles to.

Needs node. The compiler and the libraries come from contracts/package-lock.json; `npm ci` is run when they are missing.
"""
import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS, TARGET = ROOT / "contracts", ROOT / "artmint/data/contracts/ArtMint.json"


def compile_contract() -> dict:
    "What the package carries about the contract: abi, bytecode (to deploy), deployedBytecode, immutableReferences, metadata, compiler."
    if not (CONTRACTS / "node_modules/solc").exists(): subprocess.run(["npm", "ci", "--ignore-scripts", "--silent"], cwd=CONTRACTS, check=True)
    output = json.loads(subprocess.run(["node", "compile.js"], cwd=CONTRACTS, check=True, capture_output=True).stdout)
    problems = [error["formattedMessage"] for error in output.get("errors", [])]
    if problems: sys.exit("\n".join(problems))
    contract = output["contracts"]["ArtMint.sol"]["ArtMint"]
    deployed = contract["evm"]["deployedBytecode"]
    return {
        "abi": contract["abi"],
        "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
        "deployedBytecode": "0x" + deployed["object"],
        "immutableReferences": deployed["immutableReferences"],
        "metadata": json.loads(contract["metadata"]),
        "compiler": {"solc": output["compiler"], **{key: output["settings"][key] for key in ("optimizer", "evmVersion")}},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the committed file differs")
    args = parser.parse_args()
    if not shutil.which("node"): sys.exit("node isn't installed, so nothing was compiled. Install Node.js 20 or newer and run this again.")
    compiled = json.dumps(compile_contract(), indent=1, sort_keys=True) + "\n"
    if not args.check:
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        TARGET.write_text(compiled)
    elif TARGET.read_text() != compiled: sys.exit(f"{TARGET.relative_to(ROOT)} isn't what the source compiles to. Run scripts/compile_contracts.py and commit the result.")
    print(f"{TARGET.relative_to(ROOT)}: {len(compiled)} bytes, {'as compiled' if args.check else 'written'}")


if __name__ == "__main__": main()
