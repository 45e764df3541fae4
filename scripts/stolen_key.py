"""What a thief of the minter's key could do: try it, on a test network, with real transactions, and see every one of them fail.

A rehearsal: it needs a contract with a committed drop, some of it minted, and the minter's keystore. The passphrase comes from
ARTMINT_PASSPHRASE. Ends with 0 when every abuse failed and nothing changed, with 1 otherwise.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from artmint.chain.connect import connect
from artmint.chain.contract import contract_at
from artmint.chain.safe import SAFE_ABI, ZERO
from artmint.chain.signers import KeystoreSigner, Signer


def abuses(contract: Any, thief: str) -> dict[str, Any]:
    "What a thief would try, by name: web3.py calls."
    do = contract.functions
    word = b"\x01" * 32
    total, used, *_, left = do.allowanceOf(thief).call()
    following = do.nextToken().call()
    open_from = do.nextUncommitted().call()
    wanted = min(left + 1, 100)
    tries = {
        "mint a batch that is minted": do.mintBatch(1, 1, 0),
        "mint what isn't committed": do.mintBatch(open_from, 1, 0),
        "mint out of order": do.mintBatch(following + 1, 1, 0),
        "mint beyond its limits": do.mintBatch(following, wanted if left < 100 else 101, 0),
        "commit a drop of its own": do.commitDrop(open_from, 1, word, word),
        "seal a drop of its own": do.commitSealedDrop(open_from, 1, word),
        "cancel a drop": do.cancelDrop(do.dropOf(open_from - 1).call()[2]),
        "become the treasury": do.setTreasury(thief),
        "raise its own allowance": do.setAllowance(thief, total + 1000, 0, 0),
        "make itself a pauser": do.grantRole(do.PAUSER_ROLE().call(), thief),
        "begin to become the admin": do.beginDefaultAdminTransfer(thief),
        "take the royalties": do.setRoyalty(thief, 1000),
        "move a token out of the treasury": do.transferFrom(do.treasury().call(), thief, 1),
        "allow itself to move a token": do.approve(thief, 1),
        "burn the remaining supply": do.burnRemainder(),
        "pause": do.pause(),
        "change the placeholder": do.setPlaceholderURI("ipfs://thief"),
    }
    admin = do.owner().call()
    if contract.w3.eth.get_code(admin):  # a Safe: its own signature is worth nothing there
        safe = contract.w3.eth.contract(admin, abi=SAFE_ABI)
        forged = bytes(12) + bytes.fromhex(thief[2:]) + bytes(32) + b"\x01"  # "the sender approves"
        tries["speak for the Safe"] = safe.functions.execTransaction(
            contract.address,
            0,
            do.setTreasury(thief)._encode_transaction_data(),
            0,
            0,
            0,
            0,
            ZERO,
            ZERO,
            forged,
        )
    return tries


def state(contract: Any, thief: str) -> tuple:
    "What must not change."
    do = contract.functions
    return (
        do.totalSupply().call(),
        do.nextUncommitted().call(),
        do.dropCount().call(),
        do.maxSupply().call(),
        do.owner().call(),
        do.pendingDefaultAdmin().call()[0],
        do.treasury().call(),
        do.paused().call(),
        do.allowanceOf(thief).call()[:4],
        do.balanceOf(thief).call(),
        do.getApproved(1).call(),
        do.placeholderURI().call(),
        do.royaltyInfo(1, 10_000).call(),
        do.hasRole(do.PAUSER_ROLE().call(), thief).call(),
    )


def steal(contract: Any, signer: Signer, say: Callable[[str], None] = print) -> list[str]:
    "Send every abuse as a transaction that was signed with the stolen key. Returns those that had an effect."
    web3 = contract.w3
    before = state(contract, signer.address)
    done = []
    for name, call in abuses(contract, signer.address).items():
        head = {
            "from": signer.address,
            "nonce": web3.eth.get_transaction_count(signer.address),
            "gas": 3_000_000,
            "value": 0,
            "chainId": web3.eth.chain_id,
        }
        fields = call.build_transaction(
            {
                **head,
                "maxFeePerGas": 2 * web3.eth.get_block("latest")["baseFeePerGas"] + 10**9,
                "maxPriorityFeePerGas": 10**9,
            }
        )
        receipt = web3.eth.wait_for_transaction_receipt(
            web3.eth.send_raw_transaction(signer.sign(fields)[1]), 120, 0.05
        )
        if receipt["status"] == 1:
            done.append(name)
        say(f"{'DONE' if receipt['status'] == 1 else 'refused':<8} {name}")
    if state(contract, signer.address) != before:
        done.append("something changed")
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rpc", help="a node of a test network")
    parser.add_argument("contract", help="the contract's address")
    parser.add_argument("keystore", type=Path, help="the minter's encrypted key")
    given = parser.parse_args()
    signer = KeystoreSigner(given.keystore, os.environ.get("ARTMINT_PASSPHRASE", ""))
    done = steal(contract_at(connect(given.rpc, Path()), given.contract), signer)
    if done:
        sys.exit("A stolen minter's key could: " + ", ".join(done))
    print("Nothing changed.")


if __name__ == "__main__":
    main()
