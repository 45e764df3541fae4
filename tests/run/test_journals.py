"The console's journals: what was sent, what the chain has besides, and what was lost written down again."

import json
import shutil

import pytest

from artmint.chain.admin import deploy
from artmint.chain.deployments import NoContractYet
from artmint.console import cli
from artmint.run.console import verify_command
from artmint.run.journals import NoChainYet, _chosen, reading_chain, studio_keys
from artmint.studio.catalog import Catalog
from tests.studios import DEMO, ROOT, Studio


@pytest.fixture(scope="module")
def minted(tmp_path_factory):
    studio = Studio(tmp_path_factory.mktemp("minted")).ready()
    studio.mint()
    return studio


def typed(capsys, *words):
    "The exit code and the output of a command."
    with pytest.raises(SystemExit) as ended:
        cli.main([str(word) for word in words])
    said = capsys.readouterr()
    return ended.value.code, said.out + said.err


@pytest.fixture
def lost(minted, tmp_path):
    "The studio without its catalog."
    folder = tmp_path / "lost"
    shutil.copytree(minted.folder, folder, ignore=shutil.ignore_patterns("catalog.sqlite*"))
    return folder


def test_the_list_says_what_every_key_has_sent(minted, capsys):
    code, said = typed(capsys, "journal", "--studio", minted.folder)
    assert code == 0, said
    assert said.count("mintBatch collection demo drop 1") == 4
    assert f"4 transactions of {minted.who.admin.address} mined, 4 accounted for, 0 open" in said
    code, said = typed(capsys, "journal", "--studio", minted.folder, "--json")
    document = json.loads(said)
    assert (code, len(document["transactions"]), document["behind"]) == (0, 8, False)
    assert not any("raw" in row for row in document["transactions"])


@pytest.mark.slow
def test_a_lost_catalog_is_rebuilt_after_it_was_said(minted, lost, capsys):
    command = ["journal", "rebuild", ROOT / "collections/demo", "--studio", lost]
    code, said = typed(capsys, *command)
    assert code == 1, said
    assert "nothing was written (--really)" in said
    assert f"contract {minted.contract.address} is demo's" in said
    assert Catalog(lost).all("transaction") == Catalog(lost).all("contract") == {}
    code, said = typed(capsys, *command, "--really")
    assert (code, said.splitlines()[-1]) == (0, "written down"), said
    assert Catalog(lost).all("contract") == minted.catalog.all("contract")
    assert len(Catalog(lost).all("transaction")) == 8
    code, said = typed(capsys, *command)
    assert (code, said.splitlines()[-1]) == (0, "nothing is missing"), said


@pytest.mark.slow
def test_the_doctor_says_what_a_journal_lacks(minted, lost, capsys):
    code, said = typed(capsys, "doctor", "--studio", lost)
    Catalog(lost)
    code, said = typed(capsys, "doctor", "--studio", lost)
    assert "the catalog has no contract on chain 31337; artmint journal rebuild" in said
    code, said = typed(capsys, "doctor", "--studio", minted.folder)
    assert "4 accounted for" in said


@pytest.mark.slow
def test_of_two_contracts_one_has_to_be_named(tmp_path, capsys):
    studio = Studio(tmp_path).ready()
    first = studio.contract.address
    second = deploy(studio.admin, DEMO, studio.who.treasury, beside=first).address
    (tmp_path / "catalog.sqlite").unlink()
    command = ["journal", "rebuild", ROOT / "collections/demo", "--studio", tmp_path, "--really"]
    code, said = typed(capsys, *command)
    assert code == 1
    assert "say which with --contract" in said
    assert Catalog(tmp_path).all("contract") == {}
    code, said = typed(capsys, *command, "--contract", first)
    assert code == 0, said
    assert Catalog(tmp_path).get("contract", "demo@31337")["address"] == first
    assert second != first


def test_contracts_are_chosen_by_name_or_not_at_all():
    assert _chosen({"0xA": "demo"}, {"0xA"}, set()) == ({}, {}, [])
    assert _chosen({"0xA": "demo", "0xB": "demo"}, {"0xA"}, {"0xB"}) == ({"0xB": "demo"}, {}, [])
    assert _chosen({"0xA": "demo", "0xB": "other", "0xC": ""}, set(), set()) == (
        {"0xA": "demo", "0xB": "other"},
        {},
        ["0xC"],
    )


def test_no_chain_and_no_key_are_made(tmp_path):
    with pytest.raises(NoChainYet):
        reading_chain(tmp_path, "embedded", {})
    assert studio_keys(tmp_path, {}) == {}
    assert list(tmp_path.iterdir()) == []
    assert NoContractYet.exit_code == NoChainYet.exit_code == 2


@pytest.mark.parametrize(
    "chain, rpc",
    [
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("https://node.example/v3/0123456789", "https://YOUR-NODE"),
        ("https://user:word@node.example", "https://YOUR-NODE"),
        ("https://node.example?key=1,https://other.example", "https://YOUR-NODE"),
        ("base-sepolia", "https://YOUR-NODE"),
    ],
)
def test_a_strangers_command_names_a_node_and_no_key(tmp_path, chain, rpc):
    assert verify_command("424242:0xAb", tmp_path, chain).endswith(f"--regenerate --rpc {rpc}")
    assert "--rpc" not in verify_command("embedded:0xAb", tmp_path)


# drawn on chain


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    "A studio whose collection the chain draws: three tokens committed, two of them minted."
    from artmint.chain.admin import authorize, parties
    from artmint.chain.connect import connect
    from artmint.chain.journal import Journal
    from artmint.drawn import drawn_slots
    from artmint.onchain.model import bundled_model
    from artmint.onchain.painter import commit_drawn, make_drawn, mint_drawn
    from artmint.seeds import frozen_slots, load_collection

    folder = tmp_path_factory.mktemp("drawn")
    chosen, model = load_collection(ROOT / "collections/onchain"), bundled_model()
    catalog, web3 = Catalog(folder), connect("embedded", folder / "chain")
    who = parties(web3, folder / "keys", rounds=2**10)
    admin, minter = Journal(catalog, web3, who.admin), Journal(catalog, web3, who.minter)
    recipes = [
        one.recipe
        for one in drawn_slots(chosen, chosen.salt, frozen_slots(catalog, chosen, chosen.salt)[:3], model)
    ]
    contract = make_drawn(admin, chosen, model, who.treasury, 1)
    commit_drawn(admin, contract, model, 1, recipes)
    authorize(admin, contract, who.minter.address, 3)
    mint_drawn(minter, contract, chosen.name, 1, range(1, 3))
    return folder, contract, catalog


@pytest.mark.slow
def test_a_drawn_collection_s_lost_catalog_is_rebuilt_and_nothing_is_minted_twice(drawn, tmp_path, capsys):
    "Painter, contract, commitment and mints are read back with what they were for; the next run mints what is left, once."
    from artmint.chain.admin import parties
    from artmint.chain.connect import connect
    from artmint.chain.journal import Journal, JournalBehind
    from artmint.onchain.painter import mint_drawn

    folder, contract, kept = drawn
    lost = tmp_path / "lost"
    shutil.copytree(folder, lost, ignore=shutil.ignore_patterns("catalog.sqlite*"))
    web3 = connect("embedded", lost / "chain")
    here = web3.eth.contract(contract.address, abi=contract.abi)
    who = parties(web3, lost / "keys")

    def mint():
        return mint_drawn(Journal(Catalog(lost), web3, who.minter), here, "onchain", 1, range(1, 4))

    with pytest.raises(JournalBehind):
        mint()
    command = ["journal", "rebuild", ROOT / "collections/onchain", "--studio", lost]
    code, said = typed(capsys, *command)
    assert code == 1, said
    assert f"contract {contract.address} is onchain's" in said
    for verb in ("deploy chunk", "deploy painter", "deploy drawn", "commitDrawn", "mintBatch"):
        assert f": {verb}, " in said, said
    assert "outside of artmint" not in said
    code, said = typed(capsys, *command, "--really")
    assert (code, said.splitlines()[-1]) == (0, "written down"), said
    again = Catalog(lost)
    assert again.all("drawn") == kept.all("drawn")
    assert told_of(again) == told_of(kept)
    assert len(mint()) == 1
    assert mint() == []
    assert (here.functions.totalSupply().call(), here.functions.nextToken().call()) == (3, 4)
    code, said = typed(capsys, *command)
    assert (code, said.splitlines()[-1]) == (0, "nothing is missing"), said


def told_of(catalog):
    "What a catalog's transactions were for, by key."
    return {key: body["purpose"] for key, body in catalog.all("transaction").items()}


@pytest.mark.slow
def test_a_drawn_collection_that_nobody_names_is_nobody_s(drawn, tmp_path, capsys):
    folder, contract, _ = drawn
    lost = tmp_path / "lost"
    shutil.copytree(folder, lost, ignore=shutil.ignore_patterns("catalog.sqlite*"))
    code, said = typed(capsys, "journal", "rebuild", "--studio", lost)
    assert code == 1
    assert f"no collection that is known here: {contract.address}; name its folder" in said
