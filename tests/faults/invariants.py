"""What must hold at the end of a schedule.

The planned supply, no duplicate, no gap, no wei gone but for fees, and journals that say what happened.
"""

from dataclasses import dataclass
from pathlib import Path

from artmint.chain.transaction import Transaction
from artmint.studio.catalog import Catalog

from .world import World


@dataclass(frozen=True)
class Paid:
    "What a mined transaction of a minter's key cost its sender, in wei."

    sender: str
    wei: int


def check(world: World, last: int) -> None:
    "Hold the world against all of it, blocks up to `last` for the money. Raises AssertionError."
    check_tokens(world)
    mined = mined_transactions(world, last)
    check_money(world, mined)
    on_record = set()
    for studio in studios(world):
        on_record |= check_studio(world, studio, mined)
    if not world.journal_lost:
        strange = set(mined) - on_record - world.outside
        assert not strange, f"no journal knows {[in_words(world, one) for one in strange]}"


def in_words(world: World, hash: str) -> str:
    "A transaction for a person."
    sent = world.web3.eth.get_transaction(hash)
    does = f"{sent['input'].to_0x_hex()[:74]} to {sent['to']}"
    return f"{hash} of {sent['from']}, nonce {sent['nonce']} in block {sent['blockNumber']}: {does}"


def check_tokens(world: World) -> None:
    "All of the drop's tokens, once each, in order, with the treasury."
    quantity = world.drop.quantity
    numbers = range(1, quantity + 1)
    assert world.do.totalSupply().call() == quantity, "supply"
    assert world.minted() == quantity, "supply"
    if world.proxy:
        transfers = world.contract.events.Transfer().get_logs(from_block=0)
        minted = [event["args"]["tokenId"] for event in transfers]
        assert minted == list(numbers), "each token once, in order"
    owners = {world.do.ownerOf(number).call() for number in numbers}
    assert owners == {world.web3.to_checksum_address(world.treasury)}, "owners"


def mined_transactions(world: World, last: int) -> dict[str, Paid]:
    "The minters' transactions in blocks up to `last`, by hash."
    senders = {key.address for key in world.keys.values()}
    mined = {}
    for number in range(last + 1):
        for transaction in world.web3.eth.get_block(number, True)["transactions"]:
            if transaction["from"] in senders:
                receipt = world.web3.eth.get_transaction_receipt(transaction["hash"])
                wei = receipt["gasUsed"] * receipt["effectiveGasPrice"]
                mined[transaction["hash"].to_0x_hex()] = Paid(transaction["from"], wei)
    return mined


def check_money(world: World, mined: dict[str, Paid]) -> None:
    "No wei is gone but for fees."
    balance = world.web3.eth.get_balance
    assert balance(world.treasury) == 0, "money went elsewhere"
    assert balance(world.contract.address) == 0, "money went elsewhere"
    for key in world.keys.values():
        fees = sum(paid.wei for paid in mined.values() if paid.sender == key.address)
        assert balance(key.address) == world.given[key.address] - fees, f"{key.address} has lost wei"


def studios(world: World) -> list[Path]:
    "The minters' studios that have a catalog."
    folders = (world.studio, world.folder / "rival", world.folder / "copy")
    return [folder for folder in folders if (folder / "catalog.sqlite").exists()]


def check_studio(world: World, studio: Path, mined: dict[str, Paid]) -> set[str]:
    "A studio's journal, ledger, tokens and stamp; the hashes of all that its journal ever signed."
    catalog, on_record = Catalog(studio), set()
    for body in catalog.all("transaction").values():
        transaction = Transaction(**body)
        check_transaction(catalog, transaction, mined)
        on_record |= set(transaction.versions)
    assert len(catalog.all("token", "demo/")) == world.drop.quantity, "tokens on record"
    assert catalog.check_records() == [], "tokens on record"
    stamp = catalog.find("stamp", f"demo/1@{world.record.chain_id}")
    assert stamp, "the stamp"
    assert stamp["proven"], "the stamp"
    assert stamp["tokens"] == world.drop.quantity, "the stamp"
    return on_record


def check_transaction(catalog: Catalog, transaction: Transaction, mined: dict[str, Paid]) -> None:
    "It has ended as the chain says, and the ledger has its fee."
    state = f"nonce {transaction.nonce} is {transaction.state}"
    assert not transaction.open, state
    assert (transaction.hash in mined) == (transaction.state not in ("replaced", "abandoned")), state
    costs = catalog.history("cost", f"mint/{transaction.hash}")
    recorded = sum(int(cost["amount"]) for cost in costs if cost["unit"].endswith("wei"))
    paid = mined[transaction.hash].wei if transaction.hash in mined else 0
    assert recorded == paid, f"the ledger says {recorded} wei of {transaction.hash}"
