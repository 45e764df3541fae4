"`artmint erc7007`, as it is typed."

import json
from pathlib import Path

import numpy as np
import pytest

from artmint.chain.admin import authorize, parties
from artmint.chain.connect import connect
from artmint.chain.contract import artifact
from artmint.chain.journal import Journal
from artmint.onchain.model import bundled_model
from artmint.onchain.painter import commit_drawn, make_drawn, mint_drawn
from artmint.prove.gates import replay_facts, seven_facts
from artmint.run.erc7007 import deploy_seven
from artmint.seeds import load_collection
from artmint.studio.catalog import Catalog
from tests.gates import Gated
from tests.painted import thrown_recipe
from tests.safes import artmint

ROOT = Path(__file__).parents[2]
COLLECTION = load_collection(ROOT / "collections/onchain")


def drawn_studio(folder: Path):
    "A studio with two tokens that an embedded chain draws: its admin's journal, and the contract."
    catalog, web3, model = Catalog(folder), connect("embedded", folder / "chain"), bundled_model()
    who = parties(web3, folder / "keys", rounds=2**10)
    admin, minter = (Journal(catalog, web3, key) for key in (who.admin, who.minter))
    contract = make_drawn(admin, COLLECTION, model, who.treasury, 1)
    rng = np.random.default_rng(2)
    commit_drawn(admin, contract, model, 1, [thrown_recipe(model, rng) for _ in range(2)])
    authorize(admin, contract, who.minter.address, 2)
    mint_drawn(minter, contract, COLLECTION.name, 1, range(1, 3))
    return admin, contract


@pytest.mark.slow
def test_an_adapter_over_a_drawn_collection_is_made_once_and_asked(tmp_path, capsys):
    admin, contract = drawn_studio(tmp_path / "s")
    where = ["--studio", tmp_path / "s", "--by", "admin"]
    deploy = ["erc7007", "deploy", contract.address.lower(), *where]
    before = admin.web3.eth.block_number
    said = artmint(capsys, *deploy, "--dry-run")
    assert "would make DrawnReplay: " in said
    assert "would make ArtMint7007: " in said
    assert admin.web3.eth.block_number == before
    replay, adapter = json.loads(artmint(capsys, *deploy, "--json"))["made"]
    assert admin.web3.eth.block_number == before + 2
    assert replay_facts(admin.web3, replay["DrawnReplay"]) == contract.address
    facts = (contract.address, "0x" + "00" * 20, replay["DrawnReplay"])
    assert seven_facts(admin.web3, adapter["ArtMint7007"]) == facts
    again = json.loads(artmint(capsys, *deploy, "--json"))["made"]
    assert again == [
        {"DrawnReplay": replay["DrawnReplay"], "there": True},
        {"ArtMint7007": adapter["ArtMint7007"], "there": True},
    ]
    lost = Journal(Catalog(tmp_path / "lost"), admin.web3, admin.signer)
    assert deploy_seven(lost, contract.address, "", True) == again
    assert admin.web3.eth.block_number == before + 2
    ask = ["erc7007", "ask", adapter["ArtMint7007"]]
    answer = json.loads(artmint(capsys, *ask, 2, *where[:2], "--json"))
    assert answer["verified"] is True
    assert " in " in answer["prompt"]
    assert "isn't committed" in artmint(capsys, *ask, 9, *where[:2], code=2)
    assert "holds no ArtMint7007" in artmint(
        capsys, "erc7007", "ask", replay["DrawnReplay"], 1, *where[:2], code=2
    )


@pytest.mark.slow
def test_what_an_admin_can_do_to_a_drawn_collection_and_what_not(tmp_path, capsys):
    "Limits, roles and pauses are typed as for any; what ArtMintDrawn hasn't is refused in words, and no second contract is made."
    admin, contract = drawn_studio(tmp_path / "s")
    ask, before = contract.functions, admin.web3.eth.get_transaction_count(admin.signer.address)
    words = [ROOT / "collections/onchain", "--studio", tmp_path / "s"]
    for verb in (
        ["deploy", "--treasury", ask.treasury().call()],
        ["commit", "--drop", 1],
        ["cancel", "--drop", 1],
        ["seal", "--drop", 1, "--without-copy", "it is a test"],
        ["contract-uri", "--uri", "https://page.example/onchain.json"],
        ["placeholder"],
    ):
        said = artmint(capsys, "admin", verb[0], *words, *verb[1:], code=2)
        assert "is drawn on chain" in said, (verb, said)
    assert admin.web3.eth.get_transaction_count(admin.signer.address) == before
    minter = ask.owner().call()
    artmint(capsys, "admin", "allow", *words, "--minter", minter, "--total", 5)
    assert ask.allowanceOf(minter).call()[0] == 5
    artmint(capsys, "admin", "supply", *words, 12)
    assert ask.maxSupply().call() == 12
    assert f"treasury  {ask.treasury().call()}" in artmint(capsys, "admin", "roles", *words)


@pytest.mark.slow
def test_an_adapter_over_files_needs_a_gate_of_this_collection(tmp_path, capsys):
    gated = Gated(tmp_path / "g")
    where = ["--studio", gated.studio.folder, "--by", "admin"]
    deploy = ["erc7007", "deploy", gated.contract.address]
    before = gated.web3.eth.block_number
    assert "could prove nothing" in " ".join(artmint(capsys, *deploy, *where, code=2).split())
    artmint(capsys, *deploy, "--gate", gated.contract.address, *where, code=2)
    other = gated.made("AttestationGate", gated.adapter.address, [gated.keys[0].address], 1)
    assert "is over" in artmint(capsys, *deploy, "--gate", other.address, *where, code=2)
    assert gated.web3.eth.block_number == before + 1
    deploy += ["--gate", gated.gate.address, *where, "--json"]
    [row] = json.loads(artmint(capsys, *deploy))["made"]
    assert row["gas"] > 10**6
    assert json.loads(artmint(capsys, *deploy))["made"] == [
        {"ArtMint7007": row["ArtMint7007"], "there": True}
    ]
    said = artmint(capsys, "erc7007", "ask", row["ArtMint7007"], 1, *where[:2], code=2)
    assert "proves by attestation" in said


def test_what_is_no_address_is_refused_before_a_chain_is_asked(tmp_path, capsys):
    for words in (
        ["deploy", "0x123"],
        ["deploy", "0x" + "11" * 20, "--gate", "gate.eth"],
        ["ask", "0x12", 1],
    ):
        said = artmint(capsys, "erc7007", *words, "--studio", tmp_path, code=2).replace("│", " ")
        assert "is no address here" in " ".join(said.split())
    assert artifact("DrawnReplay")["immutables"]
