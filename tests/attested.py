"Verifiers with keys in memory, files of attestations, and EAS: its real contracts and its own library, where npm gives them."

import json
import subprocess
from dataclasses import dataclass
from functools import cache, cached_property

from eth_account import Account

from artmint.chain.eas import EAS_PLACES, Eas
from artmint.prove.attestations import DropFindings, TokenStatement, WantedDrops, sign_findings
from artmint.prove.evidence import ChainDrop
from artmint.ipfs.cid import CID, DAG_PB
from tests.services import node, node_modules, npm_package

NOW = 1_796_000_000
COLLECTION = "0x" + "11" * 20
EAS = Eas(chain_id=31337, address=EAS_PLACES[31337], version="1.4.0")
DROP = ChainDrop(1, 3, bytes(range(32)), CID(DAG_PB, bytes(range(32))))
WANTED = WantedDrops(31337, COLLECTION, EAS.address, (DROP,), NOW + 60)
MACHINE = {"cpu": "AVX2", "machine": "x86_64", "torch": "2.14.1"}
CONTRACTS = "@ethereum-attestation-service/eas-contracts"


@dataclass(frozen=True)
class Key:
    "A verifier's key in memory: anybody can compute it."

    number: int

    @cached_property
    def account(self):
        return Account.from_key(self.number.to_bytes(32, "big"))

    @property
    def address(self) -> str:
        return self.account.address

    def sign_typed(self, data: dict) -> str:
        return self.account.sign_typed_data(full_message=data).signature.to_0x_hex()


def statements(*results: str, first: int = 1) -> tuple[TokenStatement, ...]:
    "What somebody says of tokens in a row."
    return tuple(
        TokenStatement(token, f"{token:064x}", f"{token + 100:064x}", result, "", MACHINE)
        for token, result in enumerate(results, first)
    )


@cache
def told(key: Key, *results: str, now: int = NOW, drop: ChainDrop = DROP, eas: Eas = EAS, facts=bytes(32)):
    "A file of attestations; asked for twice it is the same."
    found = DropFindings(drop, statements(*results, first=drop.first), facts=facts)
    return sign_findings(key, eas, COLLECTION, found, now)


def ask_library(*questions: dict) -> list:
    "What EAS's own library says. Skips the test where npm doesn't give it."
    folder = node_modules("eas")
    lines = "\n".join(map(json.dumps, questions))
    done = subprocess.run([node(), "oracle.mjs"], cwd=folder, input=lines, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class RealEas:
    "EAS's own contracts on a node. Skips the test where npm doesn't give them."

    def __init__(self, web3, send):
        self.web3 = web3
        registry = self._made("SchemaRegistry", send)
        eas = self._made("EAS", send, registry.address)
        self.registry, self.contract, self.address = registry, eas, eas.address

    def _made(self, name: str, send, *values):
        "A contract."
        contracts = npm_package("eas", CONTRACTS) / "artifacts/contracts"
        compiled = json.loads((contracts / f"{name}.sol/{name}.json").read_text())
        factory = self.web3.eth.contract(abi=compiled["abi"], bytecode=compiled["bytecode"])
        receipt = send(factory.constructor(*values))
        return self.web3.eth.contract(receipt["contractAddress"], abi=compiled["abi"])
