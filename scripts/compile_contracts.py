"""Compile contracts/NAME.sol into artmint/data/contracts/NAME.json, or check that the committed file is what it compiles to.

Needs node. The compiler and the libraries come from contracts/package-lock.json; `npm ci` is run when they are missing. The whole input
of the compiler, with every source in it, is written to NAME.input.json beside it: explorers take it as "standard JSON input".
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

from eth_utils import keccak

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = ROOT / "contracts"
DATA = ROOT / "artmint/data/contracts"
# What is compiled: each in a file of its name.
NAMES = ("ArtMint", "ArtMintDrawn", "ArtMintPainter", "Sale", "AttestationGate", "ArtMint7007", "DrawnReplay")
KNOWN = ROOT / "artmint/data/contracts/known.json"


def compiled(file: str = "ArtMint.sol", sources: dict[str, str] | None = None) -> dict:
    "What solc says of a file in contracts/, or of sources given by name (the first is compiled). Ends the program on an error, and on a warning about our own code."
    if not (CONTRACTS / "node_modules/solc").exists():
        subprocess.run(["npm", "ci", "--ignore-scripts", "--silent"], cwd=CONTRACTS, check=True)
    given = json.dumps(sources).encode() if sources else None
    output = json.loads(
        subprocess.run(
            ["node", "compile.js", "-" if sources else file],
            cwd=CONTRACTS,
            check=True,
            capture_output=True,
            input=given,
        ).stdout
    )

    def ours(error: dict) -> bool:
        return "/" not in error.get("sourceLocation", {}).get("file", "").removeprefix("gas/")

    problems = [
        error["formattedMessage"]
        for error in output.get("errors", [])
        if error["severity"] == "error" or ours(error)
    ]
    if problems:
        sys.exit("\n".join(problems))
    return output


def artifact(output: dict, name: str = "ArtMint") -> dict:
    "What the package carries about a contract: abi, bytecode (to deploy), deployedBytecode, its keccak, metadata, compiler; where values are written into the code, at which bytes."
    contract = output["contracts"][f"{name}.sol"][name]
    settings = output["input"]["settings"]
    deployed = contract["evm"]["deployedBytecode"]
    code = bytes.fromhex(deployed["object"])
    values = sorted((at for places in deployed["immutableReferences"].values() for at in places), key=str)
    compiler = {
        "solc": output["compiler"],
        "optimizer": settings["optimizer"],
        "evmVersion": settings["evmVersion"],
    }
    made = {
        "abi": contract["abi"],
        "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
        "deployedBytecode": "0x" + deployed["object"],
        "codeHash": "0x" + keccak(code).hex(),
        "metadata": json.loads(contract["metadata"]),
        "compiler": compiler,
    }
    return made | {"immutables": values} if values else made


def held(name: str, check: bool) -> str:
    "A contract compiled, written or compared, in words. Ends the program where the committed files aren't what it compiles to."
    output = compiled(f"{name}.sol")
    made = artifact(output, name)
    text = json.dumps(made, indent=1, sort_keys=True) + "\n"
    given = json.dumps(output["input"], separators=(",", ":")) + "\n"
    target, explorers = DATA / f"{name}.json", DATA / f"{name}.input.json"
    for path, made_of_it in ((target, text), (explorers, given)):
        if not check:
            path.write_text(made_of_it)
        elif not path.exists() or path.read_text() != made_of_it:
            sys.exit(
                f"{path.name} isn't what the source compiles to. Run scripts/compile_contracts.py and commit the result."
            )
    if name == "ArtMint":
        known(made)
    state = "as compiled" if check else "written"
    return (
        f"{target.name}: {len(text)} bytes, {state}; code {made['codeHash']}; {explorers.name} for explorers"
    )


def known(made: dict) -> None:
    "A token contract is recognised on a chain by its hash alone. Ends the program where that couldn't be."
    if "immutables" in made:
        sys.exit(
            "ArtMint.sol has immutable values, so its code differs from contract to contract and can't be known by its hash."
        )
    if made["codeHash"] not in json.loads(KNOWN.read_text()):
        sys.exit(f"{KNOWN.name} doesn't have {made['codeHash']} yet. Add it with the version that brings it.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="exit 1 when a committed file differs")
    args = parser.parse_args()
    if not shutil.which("node"):
        sys.exit(
            "node isn't installed, so nothing was compiled. Install Node.js 20 or newer and run this again."
        )
    DATA.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        print(held(name, args.check))


if __name__ == "__main__":
    main()
