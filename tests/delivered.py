"A collection on a chain whose tokens the treasury holds, and contracts that take tokens or don't."

import json

from eth_account import Account
from web3 import Web3

from artmint.chain.connect import connect, genesis_of, one_node
from artmint.chain.contract import Deployment, artifact, contract_at
from artmint.studio.catalog import Catalog
from artmint.studio.files import write_new

PASSPHRASE = "word"
BATCH = """name = "{name}"
collection = "demo"
first = 1
quantity = {quantity}
stages = ["30_mint"]
"""


def deaf_contract(node) -> str:
    "The address of a contract on an anvil that refuses whatever it gets."
    address = "0x" + "c0de" * 10
    node("anvil_setCode", address, "0xfe")
    return address


class Collected:
    "A studio on an anvil; its contract has so many tokens, all of them the treasury's."

    def __init__(self, folder, node, quantity: int, inner: int = 20, treasury: str = ""):
        self.folder, self.node = folder, node
        folder.mkdir(parents=True, exist_ok=True)
        self.web3 = Web3(one_node(node.url))  # what others did to the chain is seen at once
        self.linked = connect(node.url, folder)  # as a studio connects
        self.catalog = Catalog(folder)
        self.boss, self.key = Account.create(), Account.create()
        self.treasury = treasury or self.key.address
        for one in (self.boss, self.key):
            node.fund(one.address)
        keystore = json.dumps(self.key.encrypt(PASSPHRASE, "scrypt", 2**4)).encode()
        write_new(folder / "keys/treasury.json", keystore, 0o600)
        self.contract = self._deployed(quantity)
        self._mint(quantity, inner)

    def send(self, call, account=None, **changes):
        "A receipt of a call, by a key that no journal keeps."
        account = account or self.boss
        fields = {"from": account.address, "nonce": self.web3.eth.get_transaction_count(account.address)}
        raw = account.sign_transaction(call.build_transaction(fields | changes)).raw_transaction
        return self.web3.eth.wait_for_transaction_receipt(self.web3.eth.send_raw_transaction(raw), 20, 0.01)

    def _deployed(self, quantity):
        factory = self.web3.eth.contract(abi=artifact()["abi"], bytecode=artifact()["bytecode"])
        parties = (self.boss.address, 0, self.treasury, self.treasury)
        receipt = self.send(factory.constructor("Demo", "DEMO", quantity, *parties, 500))
        contract = contract_at(self.web3, receipt["contractAddress"])
        facts = {"collection": "demo", "chain_id": self.web3.eth.chain_id, "genesis": genesis_of(self.web3)}
        record = Deployment(
            **facts, address=contract.address, transaction=receipt["transactionHash"].to_0x_hex()
        )
        self.catalog.put("contract", f"demo@{record.chain_id}", record.model_dump())
        return contract

    def _mint(self, quantity, inner):
        do = self.contract.functions
        self.send(do.commitDrop(1, quantity, b"root" * 8, b"cid!" * 8))
        self.send(do.grantRole(do.MINTER_ROLE().call(), self.boss.address))
        self.send(do.setAllowance(self.boss.address, quantity, 0, 0))
        for first in range(1, quantity + 1, 100):
            self.send(do.mintBatch(first, min(100, quantity + 1 - first), inner))

    def owners(self):
        "Who holds each token."
        ask = self.contract.functions
        return {id: ask.ownerOf(id).call() for id in range(1, ask.nextToken().call())}

    def batch(self, collection, quantity: int):
        "A batch file over the collection's tokens."
        path = self.folder / "batch.toml"
        path.write_text(
            BATCH.format(name="demo", quantity=quantity).replace('"demo"\nfirst', f'"{collection}"\nfirst')
        )
        return path


def friend(number: int):
    "An account, the same for a number every time."
    return Account.from_key(number.to_bytes(32, "big"))


def stage(name: str, start: str, end: str, **more) -> dict:
    "A stage as a table has it, its times in years of this century."
    return {"name": name, "start": f"20{start}-01-01T00:00:00Z", "end": f"20{end}-01-01T00:00:00Z", **more}
