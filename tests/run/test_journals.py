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


def test_the_doctor_says_what_a_journal_lacks(minted, lost, capsys):
    code, said = typed(capsys, "doctor", "--studio", lost)
    Catalog(lost)
    code, said = typed(capsys, "doctor", "--studio", lost)
    assert "the catalog has no contract on chain 31337; artmint journal rebuild" in said
    code, said = typed(capsys, "doctor", "--studio", minted.folder)
    assert "4 accounted for" in said


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
