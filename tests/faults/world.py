"What a schedule happens in: a chain, a contract with a committed drop, keys, and the minter's studio."

import json
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from artmint.chain.admin import commit_call
from artmint.chain.connect import connect, genesis_of, one_node
from artmint.chain.contract import Deployment, artifact, contract_at
from artmint.studio.catalog import Catalog
from artmint.studio.files import write_new
from tests.anvil import Anvil

from .disks import unmount
from .drop import Drop
from .proxy import Proxy

GWEI = 10**9
PURSE, PASSPHRASE = 10**19, "word"


class World:
    """Built from a schedule's random numbers; without a proxy the chain is the one in the folder.

    The order in which numbers are drawn belongs to a schedule's identity: a new draw goes last. Nothing is on
    the chain before `prepare`; `end` is due whatever has happened.
    """

    def __init__(self, folder: Path, rng: random.Random, proxy: Proxy | None):
        from eth_account import Account

        self.folder, self.rng, self.proxy = folder, rng, proxy
        self.drop = Drop(rng.randint(6, 12))
        self.batch = rng.randint(1, 3)
        self.flight = rng.choice((1, 2, 4, 16))
        if proxy:
            rng.choice(("finalized", "latest", "2"))  # of no use any more, and part of every number's meaning
        self.anvils = [Anvil("--order", "fifo", "--accounts", "1")] if proxy else []
        self.node = self.anvils[0] if proxy else None
        self.boss, self.treasury = Account.create(), Account.create().address
        self.keys = {"minter": Account.create()}
        self.given = Counter()  # wei that every address was given
        self.outside = set()  # hashes of what was sent with a minter's key and not by an operator
        self.mounted: Path | None = None
        self.journal_lost = False
        self.studio = folder / "studio"
        self.studio.mkdir(parents=True)

    def prepare(self) -> None:
        "Connect, give money, deploy."
        self.web3 = self.connected(direct=True)
        self.keep("minter", self.studio)
        self.fund(self.boss.address)
        self.fund(self.keys["minter"].address)
        self.contract = self.deployed()
        if self.proxy:
            self.proxy(target=self.node.url, other="", faults=[])

    def connected(self, direct: bool = False) -> Any:
        "A web3 on the chain: through the proxy, unless `direct`."
        from web3 import Web3

        if not self.proxy:
            return connect("embedded", self.folder / "chain")
        # What this side does to the chain is seen at once, without questions about its newest block.
        if direct:
            return Web3(one_node(self.node.url))
        return connect(self.proxy.url, self.folder)

    def keep(self, name: str, studio: Path) -> None:
        "A key in an encrypted file of a studio."
        keystore = self.keys[name].encrypt(PASSPHRASE, "scrypt", 2**4)
        write_new(studio / f"keys/{name}.json", json.dumps(keystore).encode(), 0o600)

    def fund(self, address: str, wei: int = PURSE) -> None:
        "Give a key so much money, in all."
        before = self.web3.eth.get_balance(address)
        if self.proxy:
            self.node("anvil_setBalance", address, hex(wei))
        elif wei > before:
            self.web3.provider.chain.fund(address, (wei - before) // GWEI)
        self.given[address] += self.web3.eth.get_balance(address) - before

    def send(self, account: Any, call: Any, **changes: Any) -> Any:
        "Send a call (None: nothing, to oneself) with a key that no journal keeps; its hash."
        fields = {
            "nonce": self.web3.eth.get_transaction_count(account.address),
            "maxFeePerGas": 100 * GWEI,
            "maxPriorityFeePerGas": GWEI,
            "chainId": self.web3.eth.chain_id,
            **changes,
        }
        if call is None:
            transaction = {**fields, "to": account.address, "value": 0, "gas": 21000}
        else:
            transaction = call.build_transaction({"from": account.address, **fields})
            transaction.pop("from", None)
        signed = account.sign_transaction(transaction)
        if account.address != self.boss.address:
            self.outside.add(signed.hash.to_0x_hex())
        self.web3.eth.send_raw_transaction(signed.raw_transaction)
        return signed.hash

    def command(self, call: Any) -> Any:
        "Send a call as the admin, and wait for its receipt."
        return self.web3.eth.wait_for_transaction_receipt(self.send(self.boss, call), 10, 0.02)

    def deployed(self) -> Any:
        "A contract whose drop is committed, with an allowance for the minter and its record in the studio."
        factory = self.web3.eth.contract(abi=artifact()["abi"], bytecode=artifact()["bytecode"])
        parties = (self.boss.address, 0, self.treasury, self.treasury)
        receipt = self.command(factory.constructor("Demo", "DEMO", self.drop.quantity, *parties, 500))
        contract = contract_at(self.web3, receipt["contractAddress"])
        self.record = Deployment(
            collection="demo",
            chain_id=self.web3.eth.chain_id,
            genesis=genesis_of(self.web3),
            address=contract.address,
            transaction=receipt["transactionHash"].to_0x_hex(),
        )
        self.record_contract(self.studio)
        self.do = contract.functions
        self.role = {name: getattr(self.do, f"{name}_ROLE")().call() for name in ("MINTER", "PAUSER")}
        self.command(commit_call(contract, self.drop))
        self.command(self.do.grantRole(self.role["PAUSER"], self.boss.address))
        self.allow(self.keys["minter"].address)
        if self.proxy:
            self.node("anvil_mine", "0xa")  # no reorg reaches the contract itself
        return contract

    def record_contract(self, studio: Path) -> None:
        "Let a studio know the contract."
        Catalog(studio).put("contract", f"demo@{self.record.chain_id}", self.record.model_dump())

    def allow(self, minter: str, per_window: int = 0, window: int = 0) -> None:
        "Give a minter its role, a thousand tokens, and a limit in so many seconds."
        if not self.do.hasRole(self.role["MINTER"], minter).call():
            self.command(self.do.grantRole(self.role["MINTER"], minter))
        self.command(self.do.setAllowance(minter, 1000, per_window, window))

    def minted(self) -> int:
        "How many tokens there are."
        return self.do.nextToken().call() - 1

    def end(self) -> None:
        "Stop the nodes and remove the folder."
        for anvil in self.anvils:
            anvil.end()
        if self.mounted:
            unmount(self.mounted)
        shutil.rmtree(self.folder, ignore_errors=True)
