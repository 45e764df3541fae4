"Contracts are made once: whatever a catalog has forgotten, the chain is asked first."

import shutil
from types import SimpleNamespace

import pytest

from artmint.chain.admin import OtherFacts, authorize, commit_drop, deploy
from artmint.chain.connect import NodeSilent, connect
from artmint.chain.contract import (
    CLONE_CODE,
    ForeignCode,
    artifact,
    code_words,
    contract_at,
    contract_of,
    implementation_of,
)
from artmint.chain.deployments import (
    BadListedAddress,
    ContractThere,
    NoContractYet,
    NotCloneable,
    clone_address,
    clone_salt,
    clones_of,
    created_address,
    deployed_by,
    find_contracts,
    listed_addresses,
    named_contracts,
    require_contract,
    supply_lowered,
    terms_for_ever,
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_collection_with_another_title_since_is_still_the_same(ready, tmp_path):
    lost = journal(ready, tmp_path / "lost")
    with pytest.raises(ContractThere, match=ready.contract.address):
        deploy(lost, DEMO.model_copy(update={"title": "Second Light"}), ready.who.treasury)


def test_a_contract_that_somebody_else_deployed_is_named(studio):
    sent = stranger_deploys(studio)
    with pytest.raises(ContractThere, match=created_address(sent.sender, sent.nonce)):
        deploy(studio.admin, DEMO, studio.who.treasury)
    assert contracts(studio) == []


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_supply_that_the_admin_has_lowered_is_no_other_contract(tmp_path):
    ready = Studio(tmp_path, Drop(quantity=8)).ready()
    assert supply_lowered(ready.contract) is False
    more = DEMO.model_copy(update={"supply": DEMO.supply + 1})
    with pytest.raises(OtherFacts, match="supply"):
        deploy(ready.admin, more, ready.who.treasury)
    supply = ready.contract.functions.maxSupply().call()
    ready.admin.send(ready.contract.functions.lowerMaxSupply(supply - 1), {"verb": "lowerMaxSupply"})
    assert supply_lowered(ready.contract) is True
    assert deploy(ready.admin, DEMO, ready.who.treasury).address == ready.contract.address


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


@pytest.mark.slow
def test_minting_where_no_contract_is_says_so(tmp_path):
    for web3 in (None, connect("embedded", tmp_path / "chain")):
        with pytest.raises(NoContractYet, match="Let the admin deploy one"):
            require_contract(Catalog(tmp_path), web3, DEMO, [])
    assert SimpleNamespace(exit_code=NoContractYet.exit_code).exit_code == 2
    assert Studio(tmp_path / "studio", Drop()).ready().supply() == 0


# Clones


SECOND = DEMO.model_copy(update={"name": "second", "title": "Second Light", "symbol": "SECOND"})


def cloned(studio, **more):
    "A clone of the studio's contract for another collection."
    return deploy(studio.admin, SECOND, studio.who.treasury, clone_of="demo", **more)


@pytest.mark.slow
def test_a_clone_costs_a_fourteenth_and_mints_its_own_tokens(ready):
    from artmint.mint import mint as mint_drop

    made = cloned(ready)
    deployment = ready.admin.transactions()[-1]
    assert deployment.gas < 300_000 and deployment.purpose["clone"] == made.address
    assert implementation_of(ready.web3, made.address) == ready.contract.address
    assert "shared with " + ready.contract.address in code_words(ready.web3, made.address)
    drop = Drop(collection="second")
    commit_drop(ready.admin, made, drop)
    authorize(ready.admin, made, ready.who.minter.address, 16)
    mint_drop(ready.minter, made, drop)
    assert (made.functions.totalSupply().call(), ready.supply()) == (16, 0)


def test_a_clone_is_made_once_whatever_is_forgotten_and_whoever_tells(ready, tmp_path, monkeypatch):
    made = cloned(ready)
    assert cloned(ready).address == made.address
    terms = terms_for_ever(ready.admin.catalog, "second", ready.web3.eth.chain_id)
    assert terms == {made.address: (SECOND.title, SECOND.symbol, SECOND.supply)}
    assert terms_for_ever(ready.admin.catalog, "second", 1) == {}

    def get_logs(_):
        raise NodeSilent("127.0.0.1", "HTTP 413")

    monkeypatch.setattr(ready.web3.eth, "get_logs", get_logs)
    lost = journal(ready, tmp_path / "lost")
    told = {"clone_of": ready.contract.address}
    assert deploy(lost, SECOND, ready.who.treasury, **told).address == made.address
    assert lost.transactions() == []
    assert clones_of(ready.web3, ready.contract.address, ready.who.admin.address, "second") == [made.address]


@pytest.mark.slow
def test_a_second_clone_stands_beside_the_first_by_name_only(ready):
    first = cloned(ready)
    second = cloned(ready, beside=first.address)
    source, maker = ready.contract.address, ready.who.admin.address
    assert clones_of(ready.web3, source, maker, "second") == [first.address, second.address]
    for number, made in enumerate((first, second)):
        salt = clone_salt("second", number)
        assert ready.contract.functions.cloneOf(maker, salt).call() == made.address
        assert clone_address(source, maker, salt) == made.address


@pytest.mark.slow
def test_studio_toml_says_whose_code_is_shared(ready, tmp_path):
    (ready.folder / "studio.toml").write_text('[contracts.second]\nclone_of = "demo"\n')
    made = deploy(ready.admin, SECOND, ready.who.treasury)
    assert implementation_of(ready.web3, made.address) == ready.contract.address
    third = SECOND.model_copy(update={"name": "third", "title": "Third Light", "symbol": "THIRD"})
    of_a_clone = deploy(ready.admin, third, ready.who.treasury, clone_of=made.address)
    assert implementation_of(ready.web3, of_a_clone.address) == ready.contract.address
    with pytest.raises(NotCloneable, match="knows no contract of it"):
        deploy(ready.admin, third, ready.who.treasury, clone_of="elsewhere")
    with pytest.raises(ForeignCode):
        deploy(ready.admin, third, ready.who.treasury, clone_of=ready.who.treasury)


@pytest.mark.slow
def test_a_lost_journal_reads_a_clone_from_the_chain_as_a_deployment(ready, tmp_path):
    from artmint.chain.rebuild import key_history, studio_contracts

    made = cloned(ready)
    lost = journal(ready, tmp_path / "lost")
    known, _ = studio_contracts(lost.catalog, ready.web3, [ready.who.admin.address], [], [DEMO, SECOND])
    assert known == {ready.contract.address: "demo", made.address: "second"}
    purposes = [row.purpose for row in key_history(lost, known, {}).rows]
    assert purposes[-1] == {"verb": "deploy", "collection": "second", "clone": made.address}


@pytest.mark.slow
def test_what_only_looks_like_a_clone_is_foreign(ready):
    "45 bytes that hand every call to code that nobody knows."
    head, tail = CLONE_CODE
    code = bytes.fromhex("3d602d80600a3d3981f3") + head + bytes.fromhex(ready.who.treasury[2:]) + tail
    factory = ready.web3.eth.contract(abi=[], bytecode="0x" + code.hex())
    sent = ready.admin.send(factory.constructor(), {"verb": "deploy", "collection": "elsewhere"})
    with pytest.raises(ForeignCode):
        contract_at(ready.web3, created_address(sent.sender, sent.nonce))


@pytest.mark.slow
def test_a_deployers_key_makes_clones_of_the_one_contract_and_nothing_else(ready):
    from artmint.chain.controls import deployer_policy
    from artmint.chain.signers import BlockedByPolicy, Guarded

    policy = deployer_policy(ready.web3.eth.chain_id, ready.contract.address)
    narrow = Journal(ready.catalog, ready.web3, Guarded(ready.who.admin, policy), patience=2)
    assert implementation_of(ready.web3, deploy(narrow, SECOND, ready.who.treasury, clone_of="demo").address)
    with pytest.raises(BlockedByPolicy):
        deploy(narrow, SECOND.model_copy(update={"name": "third"}), ready.who.treasury)
