"""Measure what ArtMint costs, beside the floor, ERC721A, solady and OpenZeppelin, and write the table into contracts/README.md.

Everything runs on the embedded chain (py-evm), in one run. Needs node. `--check` writes nothing and ends with 1 when the table in the README differs.
"""

import argparse
import hashlib
import random
import re
import sys
import tempfile
from pathlib import Path

from compile_contracts import CONTRACTS, artifact, compiled
from eth_account import Account

from artmint.chain.connect import connect

README = CONTRACTS / "README.md"
SIZES = (1, 5, 10, 20, 50, 100)
DELAY = 259_200  # seconds that a change of admin waits: what is usual
MARKS = "<!-- gas table: scripts/gas_table.py -->", "<!-- end of the gas table -->"
PLAIN = {
    "hand-written floor": "Floor",
    "ERC721A, nothing else": "PlainERC721A",
    "solady ERC721": "PlainSolady",
    "OpenZeppelin ERC721": "PlainOpenZeppelin",
    "OpenZeppelin Enumerable": "PlainEnumerable",
}


def with_solady_roles(source: str) -> str:
    "ArtMint with solady's OwnableRoles in place of OpenZeppelin's default-admin rules (so without their delay)."
    for old, new in (
        (
            r'import \{AccessControlDefaultAdminRulesUpgradeable\} from "[^"]+"',
            'import {OwnableRoles} from "solady/src/auth/OwnableRoles.sol"',
        ),
        (
            r'import \{ContextUpgradeable\} from "[^"]+"',
            'import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol"',
        ),
        (
            r"ERC2981, AccessControlDefaultAdminRulesUpgradeable, Pausable",
            "ERC2981, OwnableRoles, Pausable, Initializable",
        ),
        (
            r"__AccessControlDefaultAdminRules_init\(terms.adminDelay, terms.admin\)",
            "_initializeOwner(terms.admin)",
        ),
        (
            r"    /// @dev Two libraries have it.\n    function [^}]+override\(Context, ContextUpgradeable\)[^}]+\}\n",
            "",
        ),
        (r"onlyRole\(DEFAULT_ADMIN_ROLE\)", "onlyOwner"),
        (r"onlyRole\(", "onlyRoles("),
        (
            r'bytes32 public constant MINTER_ROLE = keccak256\("MINTER_ROLE"\)',
            "uint256 public constant MINTER_ROLE = 1",
        ),
        (
            r'bytes32 public constant PAUSER_ROLE = keccak256\("PAUSER_ROLE"\)',
            "uint256 public constant PAUSER_ROLE = 2",
        ),
        (
            r"override\(ERC721AUpgradeable, ERC2981, AccessControlDefaultAdminRulesUpgradeable\)",
            "override(ERC721AUpgradeable, ERC2981)",
        ),
        (r"\|\| AccessControlDefaultAdminRulesUpgradeable.supportsInterface\(interfaceId\)", ""),
    ):
        source, count = re.subn(old, new, source)
        if not count:
            sys.exit(f"ArtMint.sol has no {old} any more; mend scripts/gas_table.py.")
    return source


class Bench:
    "A chain, and the keys that act on it."

    def __init__(self, folder: Path):
        self.web3 = connect("embedded", folder)
        self.keys = {
            name: Account.from_key(hashlib.sha256(name.encode()).digest())
            for name in ("admin", "minter", "treasury", "buyer")
        }
        for key in self.keys.values():
            self.web3.provider.chain.fund(key.address, 10**12)

    def send(self, name: str, call, value: int = 0) -> dict:
        "A receipt."
        key = self.keys[name]
        fields = {
            "from": key.address,
            "nonce": self.web3.eth.get_transaction_count(key.address),
            "gas": 14_000_000,
            "maxFeePerGas": 3 * 10**9,
            "maxPriorityFeePerGas": 10**9,
            "value": value,
        }
        receipt = self.web3.eth.get_transaction_receipt(
            self.web3.eth.send_raw_transaction(
                key.sign_transaction(call.build_transaction(fields)).raw_transaction
            )
        )
        if receipt["status"] != 1:
            sys.exit(f"{call} was refused")
        return receipt

    def deploy(self, made: dict, *values) -> tuple:
        "The contract, and what it cost to deploy."
        factory = self.web3.eth.contract(abi=made["abi"], bytecode=made["bytecode"])
        receipt = self.send("admin", factory.constructor(*values))
        return self.web3.eth.contract(receipt["contractAddress"], abi=made["abi"]), receipt["gasUsed"]

    def ready(self, made: dict, solady: bool = False, cloned: bool = False) -> tuple:
        "An ArtMint, or a clone of one, that can mint 10,000 tokens, and the gas of what made it so."
        treasury = self.keys["treasury"].address
        minter = self.keys["minter"].address
        digest = hashlib.sha256(b"drop").digest()
        terms = ("Test", "TEST", 20_000, self.keys["admin"].address, DELAY, treasury, treasury, 500)
        contract, deployed = self.deploy(made, *terms)
        if cloned:
            deployed = self.send("admin", contract.functions.clone(bytes(32), terms))["gasUsed"]
            address = contract.functions.cloneOf(self.keys["admin"].address, bytes(32)).call()
            contract = self.web3.eth.contract(address, abi=made["abi"])
        ask = contract.functions
        gas = {"deploy": deployed}
        grant = ask.grantRoles(minter, 1) if solady else ask.grantRole(ask.MINTER_ROLE().call(), minter)
        gas["`grantRole`"] = self.send("admin", grant)["gasUsed"]
        gas["`setAllowance`, new, with a window"] = self.send(
            "admin", ask.setAllowance(minter, 20_000, 10_000, 86_400)
        )["gasUsed"]
        gas["`setAllowance`, changed"] = self.send("admin", ask.setAllowance(minter, 19_000, 10_000, 86_400))[
            "gasUsed"
        ]
        gas["`commitDrop`, the first"] = self.send("admin", ask.commitDrop(1, 5_000, digest, digest))[
            "gasUsed"
        ]
        gas["`commitDrop`, any later"] = self.send("admin", ask.commitDrop(5_001, 5_000, digest, digest))[
            "gasUsed"
        ]
        page = "ipfs://bafybei" + "a" * 52 + "/contract.json"
        gas["`setContractURI`, the first drop's page"] = self.send("admin", ask.setContractURI(page))[
            "gasUsed"
        ]
        shown = page.replace("contract.json", "placeholder.json")
        gas["`setPlaceholderURI`, before a sealed drop"] = self.send("admin", ask.setPlaceholderURI(shown))[
            "gasUsed"
        ]
        return contract, gas


def row(bench: Bench, contract, inner: int | None = None) -> list[int]:
    "Gas per token of batches of SIZES, each the second mint or later; inner is None for the contracts that ask for no role."
    to = bench.keys["treasury"].address
    at = 1
    found = []
    for size in (1, *SIZES):
        call = (
            contract.functions.mint(to, size)
            if inner is None
            else contract.functions.mintBatch(contract.functions.nextToken().call(), size, inner)
        )
        found.append(bench.send("minter", call)["gasUsed"] // size)
        at += size
    return found[1:]


def first_transfers(bench: Bench, contract, inner: int | None, batch: int = 100) -> tuple[int, int, int]:
    "Of a fresh batch: gas to mint a token, the mean first transfer when all are moved in random order, the dearest one of a fresh batch."
    ask = contract.functions
    treasury = bench.keys["treasury"].address
    buyer = bench.keys["buyer"].address

    def mint(first: int):
        return ask.mint(treasury, batch) if inner is None else ask.mintBatch(first, batch, inner)

    first = ask.totalSupply().call() + 1 if inner is not None else 188  # `row` minted the ones before
    bench.send("minter", mint(first))
    bench.send("treasury", ask.transferFrom(treasury, buyer, first))
    dearest = bench.send("treasury", ask.transferFrom(treasury, buyer, first + max((inner or batch) - 2, 1)))[
        "gasUsed"
    ]
    minted = bench.send("minter", mint(first + batch))["gasUsed"] // batch
    first = first + batch
    order = random.Random(7).sample(range(first, first + batch), batch)
    return (
        minted,
        sum(bench.send("treasury", ask.transferFrom(treasury, buyer, id))["gasUsed"] for id in order)
        // batch,
        dearest,
    )


PRICE = 10**15  # wei


def bought(bench: Bench, call, value: int) -> int:
    "Gas of a purchase."
    return bench.send("buyer", call, value)["gasUsed"]


def listed(bench: Bench, sale, depth: int = 10) -> tuple[bytes, list[bytes]]:
    "The root of a list on which the buyer is, and a proof of so many hashes (a list of 2^depth wallets)."
    from eth_utils import keccak

    node = sale.functions.leafOf(bench.keys["buyer"].address, 50, PRICE).call()
    proof = [keccak(text=f"sibling {n}") for n in range(depth)]
    for sibling in proof:
        node = keccak(min(node, sibling) + max(node, sibling))
    return node, proof


def sales(bench: Bench, contract, plain: dict) -> dict[str, tuple[int, ...]]:
    "Gas to deploy, of one token, and a token of five at once, each after a first purchase by the same wallet."
    made = artifact(compiled("Sale.sol"), "Sale")
    treasury = bench.keys["treasury"].address
    first = contract.functions.nextToken().call()
    for start in (first, first + 100, first + 200):
        bench.send("minter", contract.functions.mintBatch(start, 100, 20))
    zero, forever = "0x" + "00" * 20, 2**40 - 1
    public = (0, forever, 50, PRICE, bytes(32))

    def shop(start: int, stages: list[tuple]) -> tuple:
        facts = (contract.address, treasury, treasury, start, start + 99, zero, bytes(32))
        return bench.deploy(made, *facts, stages)

    open_to_all, deployed = shop(first, [public])
    root, proof = listed(bench, open_to_all)
    by_list, _ = shop(first + 100, [(0, forever, 0, 0, root)])
    least = {"abi": plain["abi"], "bytecode": plain["evm"]["bytecode"]["object"]}
    other, least_deployed = bench.deploy(least, contract.address, treasury, PRICE, first + 200)
    for one in (open_to_all, by_list, other):
        bench.send("treasury", contract.functions.setApprovalForAll(one.address, True))
    ways = {
        "the least that a sale can do (`PlainSale`)": (least_deployed, lambda n: other.functions.buy(n)),
        "**Sale**, a public stage": (deployed, lambda n: open_to_all.functions.buy(0, n)),
        "**Sale**, a list of 1,024 wallets": (
            deployed,
            lambda n: by_list.functions.buyListed(0, n, 50, PRICE, proof),
        ),
    }
    rows = {}
    for name, (gas, call) in ways.items():
        counts = [bought(bench, call(n), n * PRICE) // n for n in (1, 1, 5)]
        rows[name] = (gas, counts[1], counts[2])
    return rows


def measure(folder: Path) -> dict:
    "Everything that the tables say: rows by name, single calls by name, totals by name."
    bench = Bench(folder)
    plain = compiled("gas/Alternatives.sol")["contracts"]["gas/Alternatives.sol"]
    source = (CONTRACTS / "ArtMint.sol").read_text()
    ours = artifact(compiled())
    theirs = artifact(compiled(sources={"ArtMint.sol": with_solady_roles(source)}))
    rows, totals = {}, {}
    made = {
        name: bench.deploy({"abi": plain[key]["abi"], "bytecode": plain[key]["evm"]["bytecode"]["object"]})
        for name, key in PLAIN.items()
    }
    for name in ("hand-written floor", "ERC721A, nothing else"):
        rows[name] = [made[name][1], *row(bench, made[name][0])]
    contract, calls = bench.ready(ours)
    rows["**ArtMint**"] = [calls["deploy"], *row(bench, contract, 0)]
    for inner in (20, 10, 5):
        rows[f"ArtMint, `inner` {inner}"] = [calls["deploy"], *row(bench, contract, inner)]
    clone, clone_calls = bench.ready(ours, cloned=True)
    rows["**a clone of ArtMint**"] = [clone_calls["deploy"], *row(bench, clone, 0)]
    rows["a clone, `inner` 20"] = [clone_calls["deploy"], *row(bench, clone, 20)]
    other, other_calls = bench.ready(theirs, solady=True)
    rows["ArtMint with solady's roles"] = [other_calls["deploy"], *row(bench, other, 0)]
    for name in list(PLAIN)[2:]:
        rows[name] = [made[name][1], *row(bench, made[name][0])]
    for inner in (0, 20, 10, 5, 1):
        totals["ArtMint, one owner for all 100" if not inner else f"ArtMint, `inner` {inner}"] = (
            first_transfers(bench, contract, inner)
        )
    totals["a clone of ArtMint, `inner` 20"] = first_transfers(bench, clone, 20)
    for name in ("solady ERC721", "OpenZeppelin ERC721"):
        totals[name] = first_transfers(bench, made[name][0], None)
    both = {name: (value, clone_calls[name]) for name, value in calls.items()}
    return {
        "rows": rows,
        "calls": both,
        "totals": totals,
        "sales": sales(bench, contract, plain["PlainSale"]),
    }


def table(found: dict) -> str:
    "The four tables as Markdown."
    lines = [
        "| gas per token, second mint to one owner | deploy | " + " | ".join(map(str, SIZES)) + " |",
        "|---|" + "---|" * (len(SIZES) + 1),
    ]
    lines += [
        f"| {name} | " + " | ".join(f"{value:,}" for value in values) + " |"
        for name, values in found["rows"].items()
    ]
    lines += [
        "",
        "| batches of 100, then every token moved once in random order | mint, a token | first transfer, mean | both | the dearest first transfer |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {minted:,} | {moved:,} | {minted + moved:,} | {dearest:,} |"
        for name, (minted, moved, dearest) in found["totals"].items()
    ]
    lines += [
        "",
        "| | gas | of a clone |",
        "|---|---|---|",
        *(f"| {name} | {ours:,} | {clones:,} |" for name, (ours, clones) in found["calls"].items()),
    ]
    lines += [
        "",
        "| a sale out of the treasury | deploy | one token | a token of five |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {gas:,} | {one:,} | {five:,} |" for name, (gas, one, five) in found["sales"].items()
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the table differs")
    args = parser.parse_args()
    text = README.read_text()
    with tempfile.TemporaryDirectory() as folder:
        new = table(measure(Path(folder)))
    head, rest = text.split(MARKS[0])
    written = f"{head}{MARKS[0]}\n\n{new}\n\n{MARKS[1]}{rest.split(MARKS[1])[1]}"
    if not args.check:
        README.write_text(written)
    elif written != text:
        sys.exit(f"The gas table in {README.name} isn't what was measured now:\n{new}")
    print(new)


if __name__ == "__main__":
    main()
