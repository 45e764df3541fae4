"Contracts are made once: whatever a catalog has forgotten, the chain is asked first."

import shutil
from types import SimpleNamespace

import pytest

from artmint.chain.admin import OtherFacts, commit_drop, deploy
from artmint.chain.connect import NodeSilent, connect
from artmint.chain.contract import artifact, contract_of
from artmint.chain.deployments import (
    BadListedAddress,
    ContractThere,
    NoContractYet,
    created_address,
    deployed_by,
    find_contracts,
    listed_addresses,
    named_contracts,
    require_contract,
)
from artmint.chain.journal import Journal, JournalBehind
from artmint.studio.catalog import Catalog
from artmint.studio.files import BadSettings
from tests.studios import DEMO, Drop, Studio


def contracts(studio):
    "The contracts that the admin's key has deployed on the chain."
    return list(deployed_by(studio.web3, studio.who.admin.address).values())


def journal(studio, folder):
    "The admin's journal in another catalog."
    return Journal(Catalog(folder), studio.web3, studio.who.admin, patience=2)


def stranger_deploys(studio, title="First Light", symbol="DEMO"):
    "A contract that another key has deployed, for the studio's admin and treasury."
    admin, other = studio.who.admin.address, studio.who.minter
    factory = studio.web3.eth.contract(abi=artifact()["abi"], bytecode=artifact()["bytecode"])
    call = factory.constructor(title, symbol, 16, admin, 0, studio.who.treasury, studio.who.treasury, 500)
    return Journal(studio.catalog, studio.web3, other).send(
        call, {"verb": "deploy", "collection": "elsewhere"}
    )


def test_a_contracts_address_follows_from_sender_and_nonce(ready):
    assert contracts(ready) == [ready.contract.address]
    assert created_address("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0", 1) == (
        "0x343c43A37D37dfF08AE8C4A11544c718AbB4fCF8"
    )  # the example of the Yellow Paper's rule in many libraries' tests


def test_a_lost_catalog_finds_its_contract_and_makes_no_second(ready, tmp_path):
    ready.mint()
    lost = journal(ready, tmp_path / "lost")
    found = deploy(lost, DEMO, ready.who.treasury)
    assert found.address == ready.contract.address
    assert commit_drop(lost, found, ready.drop) is None
    assert contracts(ready) == [ready.contract.address]
    assert lost.transactions() == []
    record = lost.catalog.get("contract", "demo@31337")
    assert record == ready.catalog.get("contract", "demo@31337")


def test_a_catalog_put_back_from_before_the_deployment(studio, tmp_path):
    shutil.copytree(studio.folder, tmp_path / "old")
    studio.ready().mint()
    old = journal(studio, tmp_path / "old")
    assert deploy(old, DEMO, studio.who.treasury).address == studio.contract.address
    assert contracts(studio) == [studio.contract.address]


def test_a_found_contract_of_other_facts_is_named_and_none_is_made(ready, tmp_path):
    lost = journal(ready, tmp_path / "lost")
    with pytest.raises(ContractThere) as caught:
        deploy(lost, DEMO, ready.who.minter.address)
    assert ready.contract.address in str(caught.value)
    assert contracts(ready) == [ready.contract.address]


def test_a_collection_with_another_title_since_is_still_the_same(ready, tmp_path):
    lost = journal(ready, tmp_path / "lost")
    with pytest.raises(ContractThere, match=ready.contract.address):
        deploy(lost, DEMO.model_copy(update={"title": "Second Light"}), ready.who.treasury)


def test_a_contract_that_somebody_else_deployed_is_named(studio):
    sent = stranger_deploys(studio)
    with pytest.raises(ContractThere, match=created_address(sent.sender, sent.nonce)):
        deploy(studio.admin, DEMO, studio.who.treasury)
    assert contracts(studio) == []


def test_on_a_node_too_by_the_events_that_name_us(tmp_path, node):
    from tests.nodes import Studio as OnNode

    studio = OnNode(tmp_path, node)
    admin, treasury = studio.admin.signer.address, studio.contract.functions.treasury().call()
    stranger = "0x" + "22" * 20
    for people in ([admin], [treasury], [studio.minter.signer.address], [admin, stranger]):
        assert studio.contract.address in named_contracts(studio.web3, people)[0]
    assert named_contracts(studio.web3, [stranger]) == (set(), "")
    hint = str(
        pytest.raises(
            NoContractYet, require_contract, Catalog(tmp_path / "new"), studio.web3, DEMO, [admin]
        ).value
    )
    assert studio.contract.address in hint


def test_a_node_that_tells_no_events_leaves_that_unasked(ready, tmp_path, monkeypatch):
    def get_logs(_):
        raise NodeSilent("127.0.0.1", "HTTP 413")

    monkeypatch.setattr(ready.web3.eth, "get_logs", get_logs)
    search = find_contracts(Catalog(tmp_path / "new"), ready.web3, DEMO, ready.who.admin.address)
    assert search.unasked == "HTTP 413"
    assert [one.address for one in search.found] == [ready.contract.address]
    assert (
        deploy(journal(ready, tmp_path / "new"), DEMO, ready.who.treasury).address == ready.contract.address
    )


def test_a_second_contract_is_made_when_the_first_is_named_and_no_third(ready, tmp_path):
    first = ready.contract.address
    second = deploy(ready.admin, DEMO, ready.who.treasury, beside=first)
    assert second.address != first
    assert contract_of(ready.catalog, ready.web3, "demo").address == second.address
    assert deploy(ready.admin, DEMO, ready.who.treasury, beside=first).address == second.address
    assert len(contracts(ready)) == 2
    lost = journal(ready, tmp_path / "lost")
    assert deploy(lost, DEMO, ready.who.treasury, beside=first).address == second.address
    lost = journal(ready, tmp_path / "again")
    with pytest.raises(ContractThere, match=f"(?s){first}.*{second.address}|{second.address}.*{first}"):
        deploy(lost, DEMO, ready.who.treasury)
    assert len(contracts(ready)) == 2


def test_studio_toml_names_those_that_another_stands_beside(ready):
    settings = ready.folder / "studio.toml"
    settings.write_text(f'[contracts.demo]\nbeside = "{ready.contract.address}"\n')
    assert deploy(ready.admin, DEMO, ready.who.treasury).address != ready.contract.address
    for wrong, refusal in (('besides = "0x"', BadSettings), ('beside = "0x12"', BadListedAddress)):
        settings.write_text(f"[contracts.demo]\n{wrong}\n")
        with pytest.raises(refusal):
            deploy(ready.admin, DEMO, ready.who.treasury)
    assert len(contracts(ready)) == 2


def test_another_collections_contract_is_its_own(ready):
    other = deploy(ready.admin, DEMO.model_copy(update={"name": "other"}), ready.who.treasury)
    assert other.address != ready.contract.address
    assert deploy(ready.admin, DEMO, ready.who.treasury).address == ready.contract.address


def test_facts_that_differ_are_refused_whatever_the_journal_says(ready):
    for facts in (
        {"treasury": ready.who.minter.address},
        {"admin": ready.who.minter.address},
        {"delay": 999},
    ):
        with pytest.raises(OtherFacts, match=next(iter(facts))):
            deploy(ready.admin, DEMO, **{"treasury": ready.who.treasury} | facts)


def test_a_journal_that_knows_less_than_the_chain_signs_nothing(ready, tmp_path):
    lost = journal(ready, tmp_path / "lost")
    with pytest.raises(JournalBehind) as caught:
        deploy(lost, DEMO, ready.who.treasury, beside=ready.contract.address)
    assert (caught.value.mined, caught.value.known) == (4, 0)
    assert lost.transactions() == []
    assert contracts(ready) == [ready.contract.address]


def test_addresses_in_a_text():
    assert listed_addresses(" , ") == set()
    assert listed_addresses("0x" + "11" * 20 + ", 0x" + "11" * 20) == {"0x" + "11" * 20}
    with pytest.raises(BadListedAddress):
        listed_addresses("0x12")


def test_minting_where_no_contract_is_says_so(tmp_path):
    for web3 in (None, connect("embedded", tmp_path / "chain")):
        with pytest.raises(NoContractYet, match="Let the admin deploy one"):
            require_contract(Catalog(tmp_path), web3, DEMO, [])
    assert SimpleNamespace(exit_code=NoContractYet.exit_code).exit_code == 2
    assert Studio(tmp_path / "studio", Drop()).ready().supply() == 0
