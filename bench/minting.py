"""1600 tokens in batches of 100 on a node, with a block each 2 s, each 12 s, or one for each transaction.

Ours, with its journal, against a loop of single mints and against transactions that were signed beforehand.
Needs anvil, which comes from npm; tests/anvil.py starts it, and the drop is that of tests/faults.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eth_account import Account

from artmint.chain.admin import authorize, commit_drop, deploy
from artmint.chain.connect import connect
from artmint.chain.journal import Journal
from artmint.chain.signers import KeystoreSigner, new_keystore
from artmint.mint import mint
from artmint.studio.catalog import Catalog
from tests.anvil import Anvil
from tests.faults.drop import Drop

from .measure import row, seconds
from .samples import demo

TOTAL, BATCH, PASSPHRASE = 1600, 100, "word"
FEW = TOTAL // 4  # where each batch takes a block
FLIGHTS = {"ours": 16, "one at a time": 1}  # batches that go out together
WAYS = (*FLIGHTS, "raw", "single")


class Mint:
    "A node, an admin, a minter, and contracts for them."

    def __init__(self, folder: Path):
        self.node = Anvil()
        self.web3, self.catalog = connect(self.node.url, folder), Catalog(folder)
        self.treasury = Account.create().address
        self.folder, self.admin = folder, self.signer(folder, "admin")

    def signer(self, folder: Path, name: str) -> KeystoreSigner:
        "A new key with money."
        path = folder / f"keys/{name}.json"
        new_keystore(path, PASSPHRASE, 2**4)
        signer = KeystoreSigner(path, PASSPHRASE)
        self.node.fund(signer.address)
        return signer

    def fresh(self, name: str, total: int) -> tuple[Any, Drop, Journal]:
        "A contract, its drop and the minter's journal; the first token is minted, so that all begin alike."
        self.minter = self.signer(self.folder, f"minter-{name}")  # raw mints are unknown to a key's journal
        boss, drop = Journal(self.catalog, self.web3, self.admin), Drop(total + 1, collection=name)
        collection = demo().model_copy(update={"name": name, "supply": total + 1})
        contract = deploy(boss, collection, self.treasury)
        commit_drop(boss, contract, drop)
        authorize(boss, contract, self.minter.address, total + 1)
        hot = Journal(self.catalog, self.web3, self.minter)
        hot.send(contract.functions.mintBatch(1, 1, 1), {"verb": "mintBatch"})
        return contract, drop, hot

    def signed(self, contract: Any, size: int, count: int) -> list[bytes]:
        "Mints of so many tokens each, signed beforehand."
        nonce = self.web3.eth.get_transaction_count(self.minter.address)
        fields = {
            "from": self.minter.address,
            "gas": 400_000,
            "maxFeePerGas": 10**10,
            "maxPriorityFeePerGas": 10**9,
            "chainId": self.web3.eth.chain_id,
            "value": 0,
        }
        transactions = []
        for number in range(count):
            call = contract.functions.mintBatch(2 + number * size, size, 20 if size > 1 else 1)
            _, raw = self.minter.sign(call.build_transaction({**fields, "nonce": nonce + number}))
            transactions.append(bytes.fromhex(raw[2:]))
        return transactions

    def land(self, transactions: list[bytes]) -> None:
        "Send all, then wait for all. Raises AssertionError when one fails."
        hashes = [self.web3.eth.send_raw_transaction(transaction) for transaction in transactions]
        for sent in hashes:
            assert self.web3.eth.wait_for_transaction_receipt(sent, 60, 0.05)["status"] == 1

    def land_alone(self, transactions: list[bytes]) -> None:
        "Send one after the other, each when the one before has landed."
        for transaction in transactions:
            self.land([transaction])

    def blocks(self, interval: int) -> None:
        "A block each so many seconds, the first of them from now; 0: one for each transaction."
        if not interval:
            return
        self.node("evm_setAutomine", False)
        self.node("evm_mine")
        self.node("evm_setIntervalMining", interval)

    def rate(self, way: str, interval: int) -> float:
        "Tokens a second in one way, from the beginning of a block."
        self.node("evm_setIntervalMining", 0)
        self.node("evm_setAutomine", True)
        total = FEW if way == "one at a time" else TOTAL
        contract, drop, hot = self.fresh(f"{way}-{interval}".replace(" ", "-"), total)
        if way in FLIGHTS:
            self.blocks(interval)
            took = seconds(lambda: mint(hot, contract, drop, BATCH, 20, flight=FLIGHTS[way]))
            return total / took
        if way == "raw":
            transactions = self.signed(contract, BATCH, TOTAL // BATCH)
            self.blocks(interval)
            return TOTAL / seconds(lambda: self.land(transactions))
        transactions = self.signed(contract, 1, 5 if interval else 100)
        self.blocks(interval)
        return len(transactions) / seconds(lambda: self.land_alone(transactions))


def listed(rates: dict[str, float]) -> str:
    "Tokens a second by way, in words."
    return ", ".join(f"{way} {rate:,.0f}" for way, rate in rates.items())


def measure(_: int) -> Iterator[dict]:
    "mint_vs_send_and_wait, mint_vs_raw, mint_flight_vs_one."
    place = Mint(Path(tempfile.mkdtemp()))
    try:
        slow = {way: place.rate(way, 2) for way in WAYS}
        quick = {way: place.rate(way, 0) for way in WAYS}
        ethereum = {way: place.rate(way, 12) for way in ("ours", "raw")}
    finally:
        place.node.end()
    tokens = f"{TOTAL} tokens on anvil, {BATCH} a batch; {FEW} where each batch takes a block"
    ethereums = f"tokens/s with a block each 12 s, as on Ethereum: {listed(ethereum)}"
    others = (
        f"each 2 s, as on Base: {listed(slow)}; with a block for each transaction, at once: {listed(quick)}"
    )
    times = min(slow["ours"] / slow["single"], quick["ours"] / quick["single"])
    against = "single mints that were signed beforehand, each waited for; the smaller of both chains"
    how = f"{tokens}; {ethereums}; {others}"
    yield row("mint_vs_send_and_wait", round(times, 2), "times", against, ">= 5", how)
    share, slow_share = ethereum["ours"] / ethereum["raw"], slow["ours"] / slow["raw"]
    against = "the same batches signed beforehand, sent together, their receipts waited for"
    counts = "with a block each 2 s, where the processor's time counts for more"
    how = f"a block each 12 s ({slow_share:.2f} {counts})"
    yield row("mint_vs_raw", round(share, 3), "share", against, ">= 0.8", how)
    times, how = slow["ours"] / slow["one at a time"], "why batches go out in flights; a block each 2 s"
    yield row("mint_flight_vs_one", round(times, 2), "times", "batches one at a time", ">= 2", how)
