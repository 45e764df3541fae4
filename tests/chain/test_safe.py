"A Safe of three owners, of whom two decide."

import importlib
from pathlib import Path

import pytest
from eth_account import Account
from web3.logs import DISCARD

from artmint.chain.admin import allowance_calls, commit_call, deploy
from artmint.chain.connect import connect
from artmint.chain.journal import Journal
from artmint.chain.preflight import WindowSpent
from artmint.chain.safe import (
    NotASafe,
    OtherProposal,
    StaleProposal,
    TooFewSignatures,
    execute,
    propose,
    sign_proposal,
    together,
)
from artmint.chain.signers import BlockedByPolicy, Guarded, KeystoreSigner, Policy, new_keystore
from artmint.chain.transaction import RefusedByContract
from artmint.mint import mint
from artmint.studio.catalog import Catalog
from tests.safes import artifact_of
from tests.studios import DEMO, FAST, Drop

FIELDS = {
    "chainId": 31337,
    "nonce": 0,
    "to": "0x" + "11" * 20,
    "data": "0x12345678",
    "value": 0,
    "gas": 10**5,
    "maxFeePerGas": 10**9,
    "maxPriorityFeePerGas": 1,
}


ROOT = Path(__file__).resolve().parents[2]


class House:
    "A studio whose admin is a real Safe on anvil, and whose minter is a key in a security module or a file."

    def __init__(self, folder, node, minter):
        self.node = node
        self.web3 = connect(node.url, folder)
        self.catalog = Catalog(folder)
        for name in ("anna", "ben", "cleo", "purse"):
            new_keystore(folder / "keys" / f"{name}.json", "word", FAST)
        self.anna, self.ben, self.cleo, purse = (
            KeystoreSigner(folder / "keys" / f"{name}.json", "word")
            for name in ("anna", "ben", "cleo", "purse")
        )
        for address in (purse.address, minter.address):
            node.fund(address)
        self.purse = Journal(self.catalog, self.web3, purse)
        self.safe = self.new_safe()
        self.treasury = Account.create().address
        self.contract = deploy(self.purse, DEMO, self.treasury, admin=self.safe, delay=86_400)
        self.minter = minter

    def new_safe(self) -> str:
        "A 2-of-3 Safe, made by Safe's own factory."
        safe = self.deployed("Safe", "Safe.sol/Safe.json")
        factory = self.deployed("Factory", "proxies/SafeProxyFactory.sol/SafeProxyFactory.json")
        zero = "0x" + "00" * 20
        owners = [key.address for key in (self.anna, self.ben, self.cleo)]
        setup = safe.encode_abi("setup", [owners, 2, zero, b"", zero, zero, 0, zero])
        call = factory.functions.createProxyWithNonce(safe.address, setup, 7)
        sent = self.purse.send(call, {"verb": "createProxyWithNonce"})
        receipt = self.web3.eth.get_transaction_receipt(sent.hash)
        return factory.events.ProxyCreation().process_receipt(receipt, DISCARD)[0]["args"]["proxy"]

    def deployed(self, name: str, path: str):
        "A contract of Safe's, on the node."
        artifact = artifact_of(path)
        call = self.web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"]).constructor()
        sent = self.purse.send(call, {"verb": "deploy", "what": name})
        address = self.web3.eth.get_transaction_receipt(sent.hash)["contractAddress"]
        return self.web3.eth.contract(address, abi=artifact["abi"])

    def decide(self, call, *owners):
        "Propose, let the owners sign copies of their own, put them together, execute."
        proposal = propose(self.web3, self.safe, call)
        return execute(self.purse, together(proposal, *(sign_proposal(proposal, owner) for owner in owners)))


@pytest.fixture
def house(tmp_path, node, module_signer):
    return House(tmp_path, node, module_signer)


def minter_policy(house) -> Policy:
    selector = house.contract.encode_abi("mintBatch", [1, 1, 0])[:10]
    return Policy(
        chains=(31337,),
        contracts=(house.contract.address,),
        selectors=(selector,),
        most=10**18,
        most_in_a_day=10**19,
    )


def test_a_safe_commits_and_a_module_mints(house, monkeypatch):
    "End to end on anvil: two of three owners commit and allow, the key in the module mints, the stolen key gets nowhere."
    house.decide(commit_call(house.contract, Drop(1, 10)), house.anna, house.cleo)
    for call in allowance_calls(house.contract, house.minter.address, 20, 12, 86_400):
        house.decide(call, house.ben, house.anna)
    journal = Journal(house.catalog, house.web3, Guarded(house.minter, minter_policy(house)))
    assert [each.gas for each in mint(journal, house.contract, Drop(1, 10))]
    assert house.contract.functions.balanceOf(house.treasury).call() == 10
    house.decide(commit_call(house.contract, Drop(11, 6, 2)), house.ben, house.cleo)
    with pytest.raises(WindowSpent) as caught:
        mint(journal, house.contract, Drop(11, 6, 2))
    assert (caught.value.left, caught.value.wanted) == (2, 6)
    monkeypatch.syspath_prepend(ROOT / "scripts")
    script = importlib.import_module("stolen_key")
    said = []
    assert script.steal(house.contract, house.minter, said.append) == []
    assert len(said) >= 10, said
    assert all(line.startswith("refused") for line in said), said
    with pytest.raises(BlockedByPolicy):
        journal.signer.sign(
            {
                **FIELDS,
                "to": house.contract.address,
                "data": house.contract.encode_abi("setTreasury", [house.minter.address]),
            }
        )


def test_a_theft_that_works_is_noticed(house, monkeypatch):
    "The script isn't blind: with a role too many it says what the thief could do."
    house.decide(commit_call(house.contract, Drop(1, 10)), house.anna, house.cleo)
    for call in allowance_calls(house.contract, house.minter.address, 20):
        house.decide(call, house.ben, house.anna)
    house.decide(
        house.contract.functions.grantRole(
            house.contract.functions.PAUSER_ROLE().call(), house.minter.address
        ),
        house.ben,
        house.anna,
    )
    mint(Journal(house.catalog, house.web3, house.minter), house.contract, Drop(1, 10))
    monkeypatch.syspath_prepend(ROOT / "scripts")
    assert importlib.import_module("stolen_key").steal(house.contract, house.minter, lambda line: None) == [
        "pause",
        "something changed",
    ]


def test_what_a_safe_refuses(house):
    proposal = propose(house.web3, house.safe, commit_call(house.contract, Drop(1, 10)))
    one = sign_proposal(proposal, house.anna)
    for few in (
        proposal,
        one,
        sign_proposal(one, house.minter),
        one.model_copy(
            update={"signatures": {**one.signatures, house.ben.address: one.signatures[house.anna.address]}}
        ),
    ):
        with pytest.raises(TooFewSignatures):
            execute(house.purse, few)
    both = sign_proposal(one, house.ben)
    with pytest.raises(TooFewSignatures):
        execute(house.purse, both.model_copy(update={"data": both.data[:-2] + "ff"}))
    with pytest.raises(OtherProposal):
        together(both, sign_proposal(proposal.model_copy(update={"nonce": 4}), house.cleo))
    with pytest.raises(StaleProposal):
        execute(
            house.purse,
            sign_proposal(
                sign_proposal(
                    propose(house.web3, house.safe, commit_call(house.contract, Drop(1, 10)), later=1),
                    house.anna,
                ),
                house.ben,
            ),
        )
    assert house.contract.functions.dropCount().call() == 0
    execute(house.purse, both)
    with pytest.raises(StaleProposal):
        execute(house.purse, both)
    with pytest.raises(RefusedByContract, match="NotNextUncommitted"):
        propose(house.web3, house.safe, house.contract.functions.commitDrop(1, 10, b"r" * 32, b"c" * 32))
    with pytest.raises(NotASafe):
        propose(house.web3, house.contract.address, house.contract.functions.pause())
    assert both.model_validate_json(both.model_dump_json()) == both
    assert both.meaning().startswith("commitDrop(firstTokenId 1, quantity 10")
