"The contract: what each party may do, and what it refuses."

import base64
import hashlib
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from web3.exceptions import ContractCustomError
from web3.logs import DISCARD

from artmint.chain.connect import connect
from artmint.chain.contract import ForeignCode, code_hash, content_root, contract_at, known_code, sealed
from tests.conftest import node_tool
from tests.studios import Drop

ROOT = Path(__file__).resolve().parents[2]


ARTIFACT = json.loads((ROOT / "artmint/data/contracts/ArtMint.json").read_text())


ROOT_A, ROOT_B, CID_A, CID_B = (
    hashlib.sha256(name).digest() for name in (b"root a", b"root b", b"cid a", b"cid b")
)


ZERO = "0x" + "00" * 20


class Desk:
    "A contract on an embedded chain of its own, or on a node; and keys for everybody."

    def __init__(self, folder, supply=250, royalty=750, node=None, cloned=False):
        self.web3 = connect(node.url if node else "embedded", folder)
        self.fund = node.fund if node else lambda address: self.web3.provider.chain.fund(address, 10**9)
        self.admin, self.minter, self.pauser, self.stranger, self.treasury = (
            Account.create() for _ in range(5)
        )
        for account in (self.admin, self.minter, self.pauser, self.stranger):
            self.fund(account.address)
        factory = self.web3.eth.contract(abi=ARTIFACT["abi"], bytecode=ARTIFACT["bytecode"])
        terms = ("Demo", "DEMO", supply, self.admin.address, 0, *[self.treasury.address] * 2, royalty)
        receipt = self.send(self.admin, factory.constructor(*terms))
        self.address = receipt["contractAddress"]
        if cloned:
            code = self.web3.eth.contract(self.address, abi=ARTIFACT["abi"]).functions
            receipt = self.send(self.admin, code.clone(bytes(32), terms))
            self.address = code.cloneOf(self.admin.address, bytes(32)).call()
        self.deploy_gas = receipt["gasUsed"]
        self.contract = self.web3.eth.contract(self.address, abi=ARTIFACT["abi"])
        self.calls = self.contract.functions
        self.send(self.admin, self.calls.grantRole(self.calls.MINTER_ROLE().call(), self.minter.address))
        self.send(self.admin, self.calls.grantRole(self.calls.PAUSER_ROLE().call(), self.pauser.address))

    def send(self, account, call, gas=8_000_000):
        fields = {
            "from": account.address,
            "nonce": self.web3.eth.get_transaction_count(account.address),
            "gas": gas,
            "maxFeePerGas": 3 * 10**9,
            "maxPriorityFeePerGas": 10**9,
            "chainId": self.web3.eth.chain_id,
        }
        signed = account.sign_transaction(call.build_transaction(fields))
        receipt = self.web3.eth.wait_for_transaction_receipt(
            self.web3.eth.send_raw_transaction(signed.raw_transaction), 20, 0.01
        )
        return receipt

    def ready(self, quantity=100, allowance=100):
        self.send(self.admin, self.calls.commitDrop(1, quantity, ROOT_A, CID_A))
        self.send(self.admin, self.calls.setAllowance(self.minter.address, allowance, 0, 0))
        return self


@pytest.fixture(params=["py-evm", "anvil", pytest.param("clone", marks=pytest.mark.slow)])
def desk(tmp_path, request):
    "Every test here runs on both, which are two implementations of one machine, and of a clone."
    node = request.getfixturevalue("node") if request.param == "anvil" else None
    return Desk(tmp_path / "chain", node=node, cloned=request.param == "clone")


def errors():
    "Name and types of the contract's errors, by the four bytes that stand for them."
    table = {}
    for entry in ARTIFACT["abi"]:
        if entry["type"] == "error":
            types = [value["type"] for value in entry["inputs"]]
            table[keccak(text=f"{entry['name']}({','.join(types)})")[:4]] = entry["name"], types
    return table


ERRORS = errors()


def refusal(desk, account, call):
    "Name and values of the error a call is refused with; the transaction itself must fail too."
    with pytest.raises(ContractCustomError) as caught:
        call.call({"from": account.address})
    data = bytes.fromhex(caught.value.data[2:])
    name, types = ERRORS[data[:4]]
    assert desk.send(account, call)["status"] == 0
    return name, *desk.web3.codec.decode(types, data[4:])


def cid(digest):
    return "b" + base64.b32encode(b"\x01\x70\x12\x20" + digest).decode().lower().rstrip("=")


def test_first_token_is_one_and_goes_to_the_treasury(desk):
    desk.ready()
    receipt = desk.send(desk.minter, desk.calls.mintBatch(1, 3, 0))
    assert receipt["status"] == 1
    assert [desk.calls.ownerOf(i).call() for i in (1, 2, 3)] == [desk.treasury.address] * 3
    assert desk.calls.totalSupply().call() == 3
    assert desk.calls.nextToken().call() == 4
    assert [log["args"]["tokenId"] for log in desk.contract.events.Transfer().process_receipt(receipt)] == [
        1,
        2,
        3,
    ]


def test_the_same_batch_again_is_refused(desk):
    desk.ready()
    desk.send(desk.minter, desk.calls.mintBatch(1, 5, 0))
    assert refusal(desk, desk.minter, desk.calls.mintBatch(1, 5, 0)) == ("NotNextToken", 6, 1)
    assert refusal(desk, desk.minter, desk.calls.mintBatch(7, 5, 0)) == ("NotNextToken", 6, 7)
    assert desk.calls.totalSupply().call() == 5


def test_only_committed_tokens(desk):
    assert refusal(desk, desk.minter, desk.calls.mintBatch(1, 1, 0)) == ("NotCommitted", 1, 0)
    desk.ready(quantity=4)
    assert refusal(desk, desk.minter, desk.calls.mintBatch(1, 5, 0)) == ("NotCommitted", 5, 4)
    assert desk.send(desk.minter, desk.calls.mintBatch(1, 4, 0))["status"] == 1


def test_only_within_the_allowance(desk):
    desk.ready(allowance=3)
    assert refusal(desk, desk.minter, desk.calls.mintBatch(1, 4, 0)) == (
        "AllowanceTooSmall",
        desk.minter.address.lower(),
        3,
        4,
    )
    desk.send(desk.minter, desk.calls.mintBatch(1, 2, 0))
    assert refusal(desk, desk.minter, desk.calls.mintBatch(3, 2, 0)) == (
        "AllowanceTooSmall",
        desk.minter.address.lower(),
        1,
        2,
    )
    assert desk.calls.allowanceOf(desk.minter.address).call() == [3, 2, 0, 0, 1]


def test_an_allowance_counts_a_lifetime(desk):
    desk.ready(allowance=3)
    desk.send(desk.minter, desk.calls.mintBatch(1, 3, 0))
    receipt = desk.send(desk.admin, desk.calls.setAllowance(desk.minter.address, 3, 0, 0))
    event = desk.contract.events.AllowanceSet().process_receipt(receipt)[0]["args"]
    assert (event["minter"], event["total"], event["used"]) == (desk.minter.address, 3, 3)
    assert refusal(desk, desk.minter, desk.calls.mintBatch(4, 1, 0))[0] == "AllowanceTooSmall"
    desk.send(desk.admin, desk.calls.setAllowance(desk.minter.address, 1, 0, 0))
    assert refusal(desk, desk.minter, desk.calls.mintBatch(4, 1, 0)) == (
        "AllowanceTooSmall",
        desk.minter.address.lower(),
        0,
        1,
    )
    assert refusal(desk, desk.admin, desk.calls.setAllowance(desk.minter.address, 2**40, 0, 0)) == (
        "BadAllowance",
        2**40,
        0,
        0,
    )


def test_limits_of_one_batch(desk):
    desk.ready()
    assert refusal(desk, desk.minter, desk.calls.mintBatch(1, 0, 0)) == ("NothingAsked",)
    assert refusal(desk, desk.minter, desk.calls.mintBatch(1, 101, 0)) == ("BatchTooLarge", 101, 100)
    assert refusal(desk, desk.minter, desk.calls.mintBatch(1, 2**256 - 1, 0)) == (
        "BatchTooLarge",
        2**256 - 1,
        100,
    )


def test_drops_begin_where_the_last_one_ended(desk):
    desk.ready(quantity=4)
    assert refusal(desk, desk.admin, desk.calls.commitDrop(1, 4, ROOT_A, CID_A)) == (
        "NotNextUncommitted",
        5,
        1,
    )
    assert refusal(desk, desk.admin, desk.calls.commitDrop(6, 4, ROOT_A, CID_A)) == (
        "NotNextUncommitted",
        5,
        6,
    )
    assert refusal(desk, desk.admin, desk.calls.commitDrop(5, 0, ROOT_A, CID_A)) == ("NothingAsked",)
    assert refusal(desk, desk.admin, desk.calls.commitDrop(5, 247, ROOT_A, CID_A)) == (
        "AboveMaxSupply",
        247,
        246,
    )
    assert refusal(desk, desk.admin, desk.calls.commitDrop(5, 4, bytes(32), CID_A)) == (
        "EmptyDigest",
        bytes(32),
        CID_A,
    )
    assert refusal(desk, desk.admin, desk.calls.commitDrop(5, 4, ROOT_A, bytes(32))) == (
        "EmptyDigest",
        ROOT_A,
        bytes(32),
    )
    assert desk.send(desk.admin, desk.calls.commitDrop(5, 246, ROOT_B, CID_B))["status"] == 1
    assert desk.calls.nextUncommitted().call() == 251


def test_a_quantity_that_overflows_is_refused(desk):
    assert refusal(desk, desk.admin, desk.calls.commitDrop(1, 2**256 - 1, ROOT_A, CID_A)) == (
        "AboveMaxSupply",
        2**256 - 1,
        250,
    )
    assert desk.calls.nextUncommitted().call() == 1


def test_every_token_finds_its_drop(desk):
    starts = [1, 2, 5, 6, 30, 31]
    roots = [hashlib.sha256(bytes([i])).digest() for i in range(6)]
    for start, end, root in zip(starts, [*starts[1:], 41], roots):
        desk.send(desk.admin, desk.calls.commitDrop(start, end - start, root, root[::-1]))
    for token in range(1, 41):
        at = max(i for i, start in enumerate(starts) if start <= token)
        assert desk.calls.contentRootOf(token).call() == roots[at]
        assert desk.calls.dropOf(token).call()[:3] == (roots[at], roots[at][::-1], starts[at])
    assert desk.calls.dropCount().call() == 6
    for token in (0, 41):
        with pytest.raises(ContractCustomError):
            desk.calls.dropOf(token).call()


def test_token_uri_is_the_cid_of_the_digest(tmp_path):
    desk = Desk(tmp_path, supply=1000)
    digests = [bytes(31) + b"\x01", b"\xff" * 32, CID_A, hashlib.sha256(b"x").digest()]
    for i, digest in enumerate(digests):
        desk.send(desk.admin, desk.calls.commitDrop(i * 5 + 1, 5, ROOT_A, digest))
    desk.send(desk.admin, desk.calls.setAllowance(desk.minter.address, 20, 0, 0))
    desk.send(desk.minter, desk.calls.mintBatch(1, 20, 0))
    for token in (1, 5, 6, 10, 11, 20):
        assert desk.calls.tokenURI(token).call() == f"ipfs://{cid(digests[(token - 1) // 5])}/{token}.json"
    for token in (0, 21):
        with pytest.raises(ContractCustomError):
            desk.calls.tokenURI(token).call()


def leaf(desk, token, image, metadata):
    facts = desk.web3.codec.encode(
        ["uint256", "address", "uint256", "bytes32", "bytes32"],
        [desk.web3.eth.chain_id, desk.address, token, image, metadata],
    )
    return keccak(keccak(facts))


def test_verify_token(desk):
    images, jsons = (
        [hashlib.sha256(f"{kind}{i}".encode()).digest() for i in (1, 2)] for kind in ("image", "json")
    )
    leaves = [leaf(desk, i + 1, images[i], jsons[i]) for i in range(2)]
    desk.send(desk.admin, desk.calls.commitDrop(1, 2, keccak(b"".join(sorted(leaves))), CID_A))
    assert desk.calls.leafOf(1, images[0], jsons[0]).call() == leaves[0]
    assert desk.calls.verifyToken(1, images[0], jsons[0], [leaves[1]]).call()
    assert not desk.calls.verifyToken(2, images[0], jsons[0], [leaves[1]]).call()
    assert not desk.calls.verifyToken(1, images[1], jsons[0], [leaves[1]]).call()
    assert not desk.calls.verifyToken(1, images[0], jsons[0], []).call()


VALUES = {  # what each verb is called with, where no key is meant
    "commitDrop": (101, 5, ROOT_A, CID_A),
    "commitSealedDrop": (101, 5, ROOT_A),
    "reveal": (2, ROOT_A, CID_A, ROOT_B),
    "cancelDrop": (1,),
    "lowerMaxSupply": (200,),
    "burnRemainder": (),
    "setContractURI": ("ipfs://x",),
    "setPlaceholderURI": ("ipfs://x",),
    "unpause": (),
    "pause": (),
    "mintBatch": (1, 1, 0),
}


@pytest.mark.many(4)
@pytest.mark.parametrize(
    "verb",
    [
        "commitDrop",
        "commitSealedDrop",
        "reveal",
        "cancelDrop",
        "lowerMaxSupply",
        "burnRemainder",
        "setContractURI",
        "setPlaceholderURI",
        "setAllowance",
        "setTreasury",
        "setRoyalty",
        "unpause",
        "pause",
        "mintBatch",
        "grantRole",
    ],
)
def test_roles(desk, verb):
    "A stranger may do nothing; a minter nothing but mint; a pauser nothing but pause; the admin neither mints nor pauses."
    desk.ready()
    if verb == "reveal":
        desk.send(
            desk.admin,
            desk.calls.commitSealedDrop(101, 5, desk.calls.commitmentOf(2, ROOT_A, CID_A, ROOT_B).call()),
        )
    stranger = desk.stranger.address
    of_keys = {
        "setAllowance": (desk.minter.address, 9, 0, 0),
        "setTreasury": (stranger,),
        "setRoyalty": (stranger, 9),
        "grantRole": (desk.calls.MINTER_ROLE().call(), stranger),
    }
    values = (VALUES | of_keys)[verb]
    allowed = {"mintBatch": desk.minter, "pause": desk.pauser}.get(verb, desk.admin)
    for account in (desk.stranger, desk.minter, desk.pauser, desk.admin):
        if account is not allowed:
            assert refusal(desk, account, getattr(desk.calls, verb)(*values))[0] in (
                "AccessControlUnauthorizedAccount",
            )
    if verb == "unpause":
        desk.send(desk.pauser, desk.calls.pause())
    assert desk.send(allowed, getattr(desk.calls, verb)(*values))["status"] == 1


def test_pause_stops_minting_and_no_transfer(desk):
    desk.ready()
    desk.send(desk.minter, desk.calls.mintBatch(1, 2, 0))
    desk.send(desk.pauser, desk.calls.pause())
    assert refusal(desk, desk.minter, desk.calls.mintBatch(3, 1, 0)) == ("EnforcedPause",)
    desk.fund(desk.treasury.address)
    assert (
        desk.send(desk.treasury, desk.calls.transferFrom(desk.treasury.address, desk.stranger.address, 1))[
            "status"
        ]
        == 1
    )
    desk.send(desk.admin, desk.calls.unpause())
    assert desk.send(desk.minter, desk.calls.mintBatch(3, 1, 0))["status"] == 1


def test_treasury_changes_for_new_tokens_only(desk):
    desk.ready()
    desk.send(desk.minter, desk.calls.mintBatch(1, 1, 0))
    desk.send(desk.admin, desk.calls.setTreasury(desk.stranger.address))
    desk.send(desk.minter, desk.calls.mintBatch(2, 1, 0))
    assert [desk.calls.ownerOf(i).call() for i in (1, 2)] == [desk.treasury.address, desk.stranger.address]
    assert refusal(desk, desk.admin, desk.calls.setTreasury(ZERO)) == ("ZeroTreasury",)


def test_tokens_are_never_minted_into_the_contract_itself(desk):
    assert refusal(desk, desk.admin, desk.calls.setTreasury(desk.contract.address)) == (
        "TreasuryIsThisContract",
    )


def test_a_collection_of_nothing_is_no_way_out(desk):
    refused = ("BadMaxSupply", 0)
    assert refusal(desk, desk.admin, desk.calls.burnRemainder()) == refused
    assert refusal(desk, desk.admin, desk.calls.lowerMaxSupply(0)) == refused
    assert desk.calls.maxSupply().call() > 0


def test_a_royalty_is_a_tenth_at_most(desk):
    desk.send(desk.admin, desk.calls.setRoyalty(desk.stranger.address, 1_000))
    refused = ("RoyaltyTooHigh", 1_001, 1_000)
    assert refusal(desk, desk.admin, desk.calls.setRoyalty(desk.stranger.address, 1_001)) == refused
    assert desk.calls.royaltyInfo(1, 10_000).call() == [desk.stranger.address, 1_000]


def test_ether_that_nobody_could_have_back_is_refused(desk):
    desk.ready()
    desk.send(desk.admin, desk.calls.setTreasury(desk.admin.address))
    desk.send(desk.minter, desk.calls.mintBatch(1, 1, 0))
    owner, other = desk.admin.address, desk.stranger.address
    transfers = [
        desk.calls.approve(other, 1),
        desk.calls.transferFrom(owner, other, 1),
        desk.contract.functions["safeTransferFrom(address,address,uint256)"](owner, other, 1),
        desk.contract.functions["safeTransferFrom(address,address,uint256,bytes)"](owner, other, 1, b""),
    ]
    for call in transfers:
        with pytest.raises(ContractCustomError) as caught:
            call.estimate_gas({"from": owner, "value": 1})
        data = bytes.fromhex(caught.value.data[2:])
        assert ERRORS[data[:4]][0] == "EtherRefused"
        call.estimate_gas({"from": owner})  # without ether it goes through


def test_what_marketplaces_ask(desk):
    assert desk.calls.owner().call() == desk.admin.address
    for interface in (
        "0x01ffc9a7",
        "0x80ac58cd",
        "0x5b5e139f",
        "0x2a55205a",
        "0x7965db0b",
        "0x31498786",
        "0x49064906",
        "0xe8a3d485",
    ):
        assert desk.calls.supportsInterface(interface).call(), interface
    for interface in ("0xffffffff", "0x7f5828d0", "0x780e9d63"):
        assert not desk.calls.supportsInterface(interface).call(), interface
    assert desk.calls.royaltyInfo(1, 10_000).call() == [desk.treasury.address, 750]
    desk.send(desk.admin, desk.calls.setRoyalty(desk.stranger.address, 100))
    assert desk.calls.royaltyInfo(1, 10_000).call() == [desk.stranger.address, 100]


@pytest.mark.parametrize("supply", [0, 2**32])
def test_no_contract_without_a_supply(desk, supply):
    factory = desk.web3.eth.contract(abi=ARTIFACT["abi"], bytecode=ARTIFACT["bytecode"])
    call = factory.constructor("Demo", "DEMO", supply, desk.admin.address, 0, desk.treasury.address, ZERO, 0)
    with pytest.raises(ContractCustomError) as caught:
        call.estimate_gas({"from": desk.admin.address})
    assert caught.value.data[2:10] == keccak(text="BadMaxSupply(uint256)")[:4].hex()


def test_no_royalty_without_a_receiver(desk):
    factory = desk.web3.eth.contract(abi=ARTIFACT["abi"], bytecode=ARTIFACT["bytecode"])
    receipt = desk.send(
        desk.admin,
        factory.constructor("Demo", "DEMO", 5, desk.admin.address, 0, desk.treasury.address, ZERO, 500),
    )
    assert desk.web3.eth.contract(receipt["contractAddress"], abi=ARTIFACT["abi"]).functions.royaltyInfo(
        1, 10_000
    ).call() == [ZERO, 0]


# Sealed drops, what is taken back, limits in time


def test_a_sealed_drop_is_told_later(desk):
    commitment = desk.calls.commitmentOf(1, ROOT_A, CID_A, ROOT_B).call()
    assert commitment == sealed(desk.web3.eth.chain_id, desk.address, 1, ROOT_A, CID_A, ROOT_B)
    desk.send(desk.admin, desk.calls.setPlaceholderURI("ipfs://sealed"))
    desk.send(desk.admin, desk.calls.commitSealedDrop(1, 5, commitment))
    desk.send(desk.admin, desk.calls.setAllowance(desk.minter.address, 5, 0, 0))
    desk.send(desk.minter, desk.calls.mintBatch(1, 5, 2))
    assert desk.calls.tokenURI(3).call() == "ipfs://sealed"
    assert desk.calls.dropOf(3).call() == (
        commitment,
        bytes(32),
        1,
        5,
    )
    with pytest.raises(ContractCustomError):
        desk.calls.contentRootOf(3).call()
    for wrong in ((1, ROOT_B, CID_A, ROOT_B), (1, ROOT_A, CID_B, ROOT_B), (1, ROOT_A, CID_A, ROOT_A)):
        assert refusal(desk, desk.admin, desk.calls.reveal(*wrong))[:2] == ("OtherCommitment", commitment)
    assert refusal(desk, desk.admin, desk.calls.reveal(2, ROOT_A, CID_A, ROOT_B)) == ("NoSuchDrop", 2, 1)
    receipt = desk.send(desk.admin, desk.calls.reveal(1, ROOT_A, CID_A, ROOT_B))
    assert [
        tuple(log["args"].values())
        for log in desk.contract.events.BatchMetadataUpdate().process_receipt(receipt, DISCARD)
    ] == [(1, 5)]
    assert desk.calls.tokenURI(3).call() == f"ipfs://{cid(CID_A)}/3.json"
    assert desk.calls.contentRootOf(3).call() == ROOT_A
    assert refusal(desk, desk.admin, desk.calls.reveal(1, ROOT_A, CID_A, ROOT_B)) == ("NotSealed", 1)
    desk.send(desk.admin, desk.calls.setPlaceholderURI("ipfs://other"))
    assert desk.calls.tokenURI(3).call() == f"ipfs://{cid(CID_A)}/3.json"


def test_only_the_last_drop_without_a_token_is_cancelled(desk):
    desk.ready(quantity=4)
    desk.send(desk.admin, desk.calls.commitDrop(5, 4, ROOT_B, CID_B))
    assert refusal(desk, desk.admin, desk.calls.cancelDrop(1)) == ("NotLastDrop", 5, 1)
    assert desk.send(desk.admin, desk.calls.cancelDrop(5))["status"] == 1
    assert refusal(desk, desk.minter, desk.calls.mintBatch(1, 5, 0)) == ("NotCommitted", 5, 4)
    desk.send(desk.admin, desk.calls.commitDrop(5, 2, ROOT_B, CID_B))
    desk.send(desk.minter, desk.calls.mintBatch(1, 5, 0))
    assert refusal(desk, desk.admin, desk.calls.cancelDrop(5)) == ("AlreadyMinting", 5, 6)
    assert desk.calls.dropCount().call() == 2
    assert desk.calls.nextUncommitted().call() == 7


def test_the_supply_falls_and_never_rises(desk):
    desk.ready(quantity=4)
    for bad in (250, 251, 3):
        assert refusal(desk, desk.admin, desk.calls.lowerMaxSupply(bad)) == ("SupplyNotLowered", 250, 4, bad)
    desk.send(desk.admin, desk.calls.lowerMaxSupply(10))
    assert refusal(desk, desk.admin, desk.calls.commitDrop(5, 7, ROOT_B, CID_B)) == ("AboveMaxSupply", 7, 6)
    desk.send(desk.admin, desk.calls.burnRemainder())
    assert desk.calls.maxSupply().call() == 4
    assert refusal(desk, desk.admin, desk.calls.commitDrop(5, 1, ROOT_B, CID_B)) == ("AboveMaxSupply", 1, 0)


def test_a_window_limits_what_a_minter_may_do(desk):
    desk.ready()
    desk.send(desk.admin, desk.calls.setAllowance(desk.minter.address, 100, 10, 86_400))
    desk.send(desk.minter, desk.calls.mintBatch(1, 7, 0))
    assert desk.calls.allowanceOf(desk.minter.address).call() == [100, 7, 10, 86_400, 3]
    assert refusal(desk, desk.minter, desk.calls.mintBatch(8, 4, 0)) == (
        "WindowTooSmall",
        desk.minter.address.lower(),
        3,
        4,
    )
    assert desk.send(desk.minter, desk.calls.mintBatch(8, 3, 0))["status"] == 1
    assert refusal(desk, desk.minter, desk.calls.mintBatch(11, 1, 0)) == (
        "WindowTooSmall",
        desk.minter.address.lower(),
        0,
        1,
    )
    for bad in ((100, 10, 0), (100, 0, 60), (100, 10, 2), (100, 2**24, 60), (100, 10, 2**24)):
        assert refusal(desk, desk.admin, desk.calls.setAllowance(desk.minter.address, *bad)) == (
            "BadAllowance",
            *bad,
        )


def test_the_window_moves_on_with_the_clock(tmp_path, start_anvil):
    desk = Desk(tmp_path, node=(node := start_anvil())).ready()
    desk.send(desk.admin, desk.calls.setAllowance(desk.minter.address, 100, 10, 3000))
    for first in (1, 11, 21):
        desk.send(desk.minter, desk.calls.mintBatch(first, 10, 0))
        node("evm_increaseTime", 2999)
        node("evm_mine")
        assert refusal(desk, desk.minter, desk.calls.mintBatch(first + 10, 1, 0))[0] == "WindowTooSmall"
        node("evm_increaseTime", 1001)
        node("evm_mine")
    assert desk.calls.totalSupply().call() == 30


def test_the_collection_describes_itself(desk):
    receipt = desk.send(desk.admin, desk.calls.setContractURI("ipfs://collection"))
    assert desk.calls.contractURI().call() == "ipfs://collection"
    assert len(desk.contract.events.ContractURIUpdated().process_receipt(receipt)) == 1


@pytest.mark.many(3)
@pytest.mark.parametrize("inner", [0, 1, 3, 10, 100])
def test_inner_mints_change_nothing_but_gas(desk, inner):
    desk.ready()
    receipt = desk.send(desk.minter, desk.calls.mintBatch(1, 10, inner))
    assert [log["args"]["tokenId"] for log in desk.contract.events.Transfer().process_receipt(receipt)] == [
        *range(1, 11)
    ]
    assert {desk.calls.ownerOf(i).call() for i in range(1, 11)} == {desk.treasury.address}
    assert desk.calls.balanceOf(desk.treasury.address).call() == 10


# Gas


def test_gas(tmp_path, node):
    "The promised ceilings, with a limit in a window; both machines count the same."
    used = {}
    for where in (None, node):
        desk = Desk(tmp_path / str(bool(where)), node=where)
        gas = {}
        gas["deploy"] = desk.deploy_gas
        gas["first drop"] = desk.send(desk.admin, desk.calls.commitDrop(1, 150, ROOT_A, CID_A))["gasUsed"]
        gas["later drop"] = desk.send(desk.admin, desk.calls.commitDrop(151, 100, ROOT_A, CID_A))["gasUsed"]
        desk.send(desk.admin, desk.calls.setAllowance(desk.minter.address, 250, 250, 86_400))
        desk.send(desk.minter, desk.calls.mintBatch(1, 1, 0))
        gas["20"] = desk.send(desk.minter, desk.calls.mintBatch(2, 20, 0))["gasUsed"] // 20
        gas["100"] = desk.send(desk.minter, desk.calls.mintBatch(22, 100, 0))["gasUsed"] // 100
        gas["100 by 20"] = desk.send(desk.minter, desk.calls.mintBatch(122, 100, 20))["gasUsed"] // 100
        used[bool(where)] = gas
    limits = {
        "deploy": 4_750_000,
        "first drop": 110_000,
        "later drop": 110_000,
        "20": 5_400,
        "100": 2_650,
        "100 by 20": 3_600,
    }
    assert all(used[False][name] <= limits[name] for name in limits), used
    assert all(abs(used[True][name] - used[False][name]) <= used[False][name] // 500 for name in limits), (
        used
    )  # digests have other zero bytes


@pytest.mark.slow
def test_the_gas_table_is_what_is_measured():
    node_tool("anvil")  # skips where there is no node
    got = subprocess.run(
        [sys.executable, ROOT / "scripts/gas_table.py", "--check"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert got.returncode == 0, got.stderr


# The code


def test_the_code_on_chain_is_a_known_one(desk):
    assert code_hash(desk.web3, desk.address) == ARTIFACT["codeHash"]
    assert "0x" + keccak(bytes.fromhex(ARTIFACT["deployedBytecode"][2:])).hex() == ARTIFACT["codeHash"]
    assert contract_at(desk.web3, desk.address).address == desk.address
    assert ARTIFACT["codeHash"] in known_code()


@pytest.fixture
def script(monkeypatch):
    "scripts/compile_contracts.py as a module, where there is a compiler."
    node_tool("anvil")  # skips where there is no node
    monkeypatch.syspath_prepend(ROOT / "scripts")
    monkeypatch.setattr(sys, "argv", ["compile_contracts.py", "--check"])
    return importlib.import_module("compile_contracts")


@pytest.mark.slow
def test_artifacts_are_what_the_sources_compile_to(script, capsys):
    script.main()
    assert capsys.readouterr().out.count("as compiled") == len(script.NAMES)


def test_what_was_compiled_is_what_the_sources_are(script):
    "Without a compiler: each artifact's input holds the very sources that are here."
    for name in script.NAMES:
        sources = json.loads((script.DATA / f"{name}.input.json").read_text())["sources"]
        own = {
            file: text["content"] for file, text in sources.items() if (ROOT / "contracts" / file).exists()
        }
        assert f"{name}.sol" in own
        assert own == {file: (ROOT / "contracts" / file).read_text() for file in own}


@pytest.mark.slow
def test_the_explorers_input_gives_the_same_code(script):
    "Nothing is missing in it: solc compiles it alone, without looking for a single import."
    script.main()
    program = (
        'const s = require("solc"); process.stdout.write(s.compile(require("fs").readFileSync(0, "utf8")))'
    )
    got = subprocess.run(
        ["node", "-e", program],
        cwd=ROOT / "contracts",
        input=(script.DATA / "ArtMint.input.json").read_bytes(),
        capture_output=True,
        check=True,
    )
    assert (
        "0x" + json.loads(got.stdout)["contracts"]["ArtMint.sol"]["ArtMint"]["evm"]["bytecode"]["object"]
        == ARTIFACT["bytecode"]
    )


@pytest.mark.slow
def test_compile_check_notices_a_change(script, tmp_path, monkeypatch):
    (tmp_path / "ArtMint.json").write_text(
        (ROOT / "artmint/data/contracts/ArtMint.json").read_text().replace("6080", "6081", 1)
    )
    monkeypatch.setattr(script, "DATA", tmp_path)
    with pytest.raises(SystemExit, match="isn't what the source compiles to"):
        script.main()


@pytest.mark.slow
def test_code_that_nobody_knows_is_noticed(script, tmp_path, monkeypatch):
    (tmp_path / "known.json").write_text("{}")
    monkeypatch.setattr(script, "KNOWN", tmp_path / "known.json")
    for file in ("ArtMint.json", "ArtMint.input.json"):
        shutil.copy(ROOT / "artmint/data/contracts" / file, tmp_path / file)
    monkeypatch.setattr(script, "DATA", tmp_path)
    with pytest.raises(SystemExit, match="doesn't have 0x"):
        script.main()


# forge, slither


def forge(
    profile: str = "default", folder: Path = ROOT / "contracts", *more: str
) -> subprocess.CompletedProcess:
    "forge's own tests: unit, fuzz, invariants."
    environment = {**os.environ, "FOUNDRY_PROFILE": profile}
    return subprocess.run(
        [node_tool("forge"), "test", "--use", "./solc.js", *more],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )


@pytest.mark.slow
def test_forge():
    "But for the drawing contracts, whose hundreds of pictures take as long as all the others' tests."
    got = forge("default", ROOT / "contracts", "--no-match-path", "test/Drawn.t.sol")
    assert got.returncode == 0, got.stdout[-3000:]
    assert "0 failed" in got.stdout and "CloneInvariants" in got.stdout, got.stdout[-3000:]


@pytest.mark.slow
def test_forge_of_the_drawing_contracts():
    got = forge("default", ROOT / "contracts", "--match-path", "test/Drawn.t.sol")
    assert got.returncode == 0, got.stdout[-3000:]


@pytest.mark.slow
def test_forge_long():
    "55,000 calls for each invariant."
    got = forge("long")
    assert got.returncode == 0, got.stdout[-3000:]
    assert re.search(r"invariant_idsAreDense\(\) \(runs: 110, calls: 55000", got.stdout), got.stdout[-3000:]


MUTANTS = [
    ("used > allowance.total", "used > uint256(allowance.total) + 1"),
    ("counted + quantity > allowance.perWindow", "counted + quantity > uint256(allowance.perWindow) + 1"),
    ("passed > 3 ?", "passed > 2 ?"),
    ("/ ((window + 2) / 3)", "/ ((window + 2) / 2)"),
    ("if (last > _lastCommitted)", "if (last > _lastCommitted + 1)"),
    ("if (got != found.contentRoot)", "if (got == 0)"),
    ("if (_nextTokenId() > firstTokenId)", "if (_nextTokenId() > firstTokenId + 1)"),
    ("maxSupply_ >= _maxSupply ||", ""),
    ("if (firstTokenId != expected) revert NotNextToken", "if (firstTokenId > expected) revert NotNextToken"),
    ("address to = treasury;", "address to = msg.sender;"),
    ("function pause() external onlyRole(PAUSER_ROLE)", "function pause() external"),
]
SALE_MUTANTS = [
    ("if (quantity > left) revert LimitReached", "if (quantity > left + 1) revert LimitReached"),
    ("_bought[stage][msg.sender] = bought + quantity", "_bought[stage][msg.sender] = quantity"),
    ("msg.value != quantity * price", "msg.value < quantity * price"),
    ("block.timestamp >= terms.end", "block.timestamp > terms.end"),
    ("block.timestamp < terms.start ||", ""),
    ("leafOf(msg.sender, limit, price)", "leafOf(tx.origin, limit, price)"),
    ("terms.root != 0 && MerkleProof", "terms.root == 0 || MerkleProof"),
    ("if (token.ownerOf(id) == treasury) ids", "ids"),
    ("next = id;\n    }\n}", "next = id - 1;\n    }\n}"),
    ("&& !gate.open(gateRoot)", "&& gate.open(gateRoot)"),
    ("payee.call{value: amount}", "msg.sender.call{value: amount}"),
    ("if (id > last) revert SoldOut", "if (id > last + 1) revert SoldOut"),
]
DRAWN_MUTANTS = [
    ("used > allowance.total", "used > uint256(allowance.total) + 1"),
    ("passed > 3 ?", "passed > 2 ?"),
    ("if (last > _lastCommitted)", "if (last > _lastCommitted + 1)"),
    ("if (drawn != painterDigest)", "if (painterDigest == 0)"),
    ("        painter.check(recipes);\n", ""),
    ("1 + 12 * (tokenId", "13 + 12 * (tokenId"),
    ("|| quantity > MAX_DROP", ""),
]
PAINTER_MUTANTS = [
    ("if (value >= values[trait])", "if (value > values[trait])"),
    ("code != 0x22 && code != 0x5c", "code != 0x22"),
]
BROKEN = [("ArtMint.sol", *pair) for pair in MUTANTS] + [("Sale.sol", *pair) for pair in SALE_MUTANTS]
BROKEN += [("ArtMintDrawn.sol", *pair) for pair in DRAWN_MUTANTS]
BROKEN += [("ArtMintPainter.sol", *pair) for pair in PAINTER_MUTANTS]


@pytest.mark.slow
@pytest.mark.parametrize("file, old, new", BROKEN, ids=[f"{file} {new or old}" for file, old, new in BROKEN])
def test_forge_notices_a_mistake(tmp_path, file, old, new):
    "Each of these contracts is wrong in one place, and the tests say so."
    node_tool("forge")
    shutil.copytree(ROOT / "contracts", tmp_path / "c", ignore=shutil.ignore_patterns("node_modules"))
    (tmp_path / "c/node_modules").mkdir()
    for each in (ROOT / "contracts/node_modules").glob("[!.]*"):
        (tmp_path / "c/node_modules" / each.name).symlink_to(each)
    source = (tmp_path / "c" / file).read_text()
    assert source.count(old) >= 1
    (tmp_path / "c" / file).write_text(source.replace(old, new))
    got = forge("default", tmp_path / "c")
    assert got.returncode == 1, got.stdout[-2000:] + got.stderr[-2000:]
    assert re.search(r"FAIL", got.stdout), got.stdout[-2000:] + got.stderr[-2000:]


def explained(page: str) -> dict[str, tuple[int, int]]:
    "What contracts/README.md says slither finds: by detector, in our own file and in the libraries."
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (\d+) \| (\d+) \| .{40,} \|$", page, re.MULTILINE)
    return {detector: (int(ours), int(theirs)) for detector, ours, theirs in rows}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, heading",
    [
        ("ArtMint", "says"),
        ("Sale", "says of Sale"),
        ("ArtMintDrawn", "says of ArtMintDrawn"),
        ("ArtMintPainter", "says of ArtMintPainter"),
        ("ArtMint7007", "says of ArtMint7007"),
        ("AttestationGate", "says of AttestationGate"),
        ("DrawnReplay", "says of DrawnReplay"),
    ],
)
def test_slither_finds_what_is_explained_and_nothing_else(tmp_path, name, heading):
    if not shutil.which("slither"):
        pytest.skip("slither isn't installed (pip install slither-analyzer, in an environment of its own)")
    environment = {**os.environ, "PATH": f"{node_tool('forge').parent}{os.pathsep}{os.environ['PATH']}"}
    command = ["slither", f"{name}.sol", "--json", tmp_path / "found.json"]
    subprocess.run(
        command, cwd=ROOT / "contracts", env=environment, capture_output=True, timeout=600, check=False
    )
    found: dict[str, list[int]] = {}
    for finding in json.loads((tmp_path / "found.json").read_text())["results"]["detectors"]:
        place = finding["elements"][0]["source_mapping"]["filename_relative"]
        found.setdefault(finding["check"], [0, 0])[place != f"{name}.sol"] += 1
    page = (ROOT / "contracts/README.md").read_text()
    table = page.split(f"## What slither {heading}\n")[1].split("\n## ")[0]
    assert {check: tuple(counts) for check, counts in found.items()} == explained(table)
    count = sum(map(sum, found.values()))
    words = f"{count} findings" if count > 1 else "one finding"
    assert words in page.replace("findings in ArtMint,", "findings,")


def test_lock_file_names_no_registry():
    packages = json.loads((ROOT / "contracts/package-lock.json").read_text())["packages"]
    assert all("resolved" not in package for package in packages.values())
    assert all("integrity" in package for name, package in packages.items() if name)


def test_foreign_code(ready):
    for address in (ready.who.treasury, "0x" + "11" * 20):
        with pytest.raises(ForeignCode, match="There is no contract at .* its blocks are lost"):
            contract_at(ready.web3, address)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 1000))
def test_every_proof_leads_to_the_root(quantity, first):
    from eth_utils import keccak

    tokens = Drop(first, quantity).tokens
    root, proofs = content_root(1, "0x" + "11" * 20, tokens)
    assert set(proofs) == set(range(first, first + quantity))
    leaves = {id: content_root(1, "0x" + "11" * 20, [token])[0] for id, token in zip(proofs, tokens)}
    for id, proof in proofs.items():
        node = leaves[id]
        for sibling in proof:
            node = keccak(min(node, sibling) + max(node, sibling))
        assert node == root
    assert root not in (
        content_root(2, "0x" + "11" * 20, tokens)[0],
        content_root(1, "0x" + "12" * 20, tokens)[0],
    )


def test_the_contract_proves_every_token(ready):
    _, proofs = content_root(31337, ready.contract.address, ready.drop.tokens)
    for token in ready.drop.tokens:
        image = bytes.fromhex(token.file_digest)
        text = bytes.fromhex(token.metadata_digest)
        assert ready.contract.functions.verifyToken(token.id, image, text, proofs[token.id]).call()
        assert not ready.contract.functions.verifyToken(
            token.id % 16 + 1, image, text, proofs[token.id]
        ).call()
