"What minting costs, on the embedded chain: the second mint to one owner, with a limit in a window."

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eth_account import Account

from artmint.chain.connect import connect
from artmint.chain.contract import artifact

from .measure import row


class Sender:
    "A key with money on a chain of its own."

    def __init__(self, folder: Path):
        self.key, self.web3 = Account.create(), connect("embedded", folder)
        self.address = self.key.address
        self.web3.provider.chain.fund(self.address, 10**10)

    def send(self, call: Any) -> dict:
        "Send a call; its receipt."
        fields = {
            "from": self.address,
            "nonce": self.web3.eth.get_transaction_count(self.address),
            "maxFeePerGas": 3 * 10**9,
            "maxPriorityFeePerGas": 10**9,
        }
        signed = self.key.sign_transaction(call.build_transaction(fields))
        sent = self.web3.eth.send_raw_transaction(signed.raw_transaction)
        return self.web3.eth.get_transaction_receipt(sent)


def deployed(sender: Sender) -> tuple[Any, int]:
    "The functions of a contract with two drops of 200, and the gas of committing the second."
    factory = sender.web3.eth.contract(abi=artifact()["abi"], bytecode=artifact()["bytecode"])
    parties = (sender.address, 0, sender.address, sender.address)
    receipt = sender.send(factory.constructor("Bench", "BENCH", 500, *parties, 500))
    do = sender.web3.eth.contract(receipt["contractAddress"], abi=artifact()["abi"]).functions
    digest = hashlib.sha256(b"drop").digest()
    sender.send(do.grantRole(do.MINTER_ROLE().call(), sender.address))
    sender.send(do.setAllowance(sender.address, 500, 400, 86_400))
    sender.send(do.commitDrop(1, 200, digest, digest))
    return do, sender.send(do.commitDrop(201, 200, digest, digest))["gasUsed"]


def measure(_: int) -> Iterator[dict]:
    "gas_per_token_100, gas_per_token_20, gas_commit_drop."
    sender = Sender(Path(tempfile.mkdtemp()))
    do, commit = deployed(sender)

    def per_token(first: int, size: int, inner: int) -> float:
        return sender.send(do.mintBatch(first, size, inner))["gasUsed"] / size

    per_token(1, 1, 0)
    twenty, hundred, owners = per_token(2, 20, 0), per_token(22, 100, 0), per_token(122, 100, 20)
    floor = "ERC721A with no roles and no limits: 2471 a token at 100, 4647 at 20"
    how = "py-evm, second mint to one owner, a limit in a window"
    inner = f"one owner for all; {owners:.0f} with an owner for each 20 (<= 3600)"
    yield row("gas_per_token_100", round(hundred), "gas", floor, "<= 2650", f"{how}, {inner}")
    yield row("gas_per_token_20", round(twenty), "gas", floor, "<= 5400", how)
    slots, any_later = "three new storage slots alone: 66300", "py-evm, any drop but the first"
    yield row("gas_commit_drop", commit, "gas", slots, "<= 110000", any_later)
