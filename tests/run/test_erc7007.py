"`artmint erc7007`, as it is typed."

import json
import shutil
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
from tests.delivered import friend
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
    said = artmint(capsys, "erc7007", "ask", row["ArtMint7007"], 1, *where[:2], code=4)
    assert "fewer than 2 of the gate's verifiers agree" in said
    gated.opened()
    said = artmint(capsys, "erc7007", "ask", row["ArtMint7007"], 1, *where[:2], code=3)
    assert "couldn't be asked about" in said  # the studio has no files of these tokens
    said = json.loads(artmint(capsys, "erc7007", "add", row["ArtMint7007"], *where, "--json", code=3))
    assert (said["added"], sorted(said["left"])) == ([], ["1", "2", "3", "4"])


@pytest.fixture
def attested_studio(minted, tmp_path, capsys, monkeypatch):
    "A studio with a drop of files that a verifier has rendered and signed, a gate over it, and an adapter: folder, adapter, words."
    monkeypatch.setattr("artmint.chain.signers.new_keystore.__defaults__", (2**4,))
    folder = shutil.copytree(minted[0], tmp_path / "studio", ignore=shutil.ignore_patterns("*.lock"))
    where = ["--studio", folder, "--by", "admin"]
    artmint(capsys, "attest", f"embedded:{minted[1]}", "--studio", folder)
    files = sorted((folder / "attestations").glob("*.json"))
    attester = json.loads(files[0].read_text())["attester"]
    (tmp_path / "mine.toml").write_text(f'[verifiers]\nAda = "{attester}"\n')
    named = ["--verifiers", tmp_path / "mine.toml", "--needed", 1]
    gate = json.loads(artmint(capsys, "gate", "deploy", minted[1], *named, *where, "--json"))["gate"]
    artmint(capsys, "gate", "send", gate, files[0], *where)
    deploy = ["erc7007", "deploy", minted[1], "--gate", gate, *where, "--json"]
    [row] = json.loads(artmint(capsys, *deploy))["made"]
    return folder, row["ArtMint7007"], where, (gate, files)


@pytest.mark.slow
def test_attested_prompts_are_added_once_and_verify_says_yes(attested_studio, capsys):
    "From files that were rendered again to ERC-7007's own answers; what waits for verifiers is named, costs nothing, and follows."
    folder, place, where, (gate, files) = attested_studio
    web3 = connect("embedded", folder / "chain")
    before = web3.eth.block_number
    add = ["erc7007", "add", place, *where]
    planned = json.loads(artmint(capsys, *add, "--dry-run", "--json", code=4))
    assert [row["token"] for row in planned["added"]] == [1, 2]
    assert sorted(planned["left"]) == ["3", "4"] and "agree on drop" in planned["left"]["3"]
    assert web3.eth.block_number == before
    said = artmint(capsys, *add, code=4)
    assert "token 1 was added for" in said and "token 3 isn't added: fewer than 1" in said
    adapter = web3.eth.contract(place, abi=artifact("ArtMint7007")["abi"])
    ask = ["erc7007", "ask", place]
    told = json.loads(artmint(capsys, *ask, 1, *where[:2], "--json"))
    assert told["verified"] is True and told["prompt"]
    words = (told["prompt"].encode(), bytes.fromhex(told["file_digest"]))
    assert adapter.functions.verify(*words, bytes.fromhex(told["proof"][2:])).call()
    assert adapter.functions.verify(*words, b"").call()
    assert not adapter.functions.verify(b"another prompt", words[1], b"").call()
    assert adapter.functions.prompt(1).call() == told["prompt"]
    height = web3.eth.block_number
    again = json.loads(artmint(capsys, *add, "--json", code=4))
    assert (again["added"], again["there"]) == ([], [1, 2])
    assert web3.eth.block_number == height
    artmint(capsys, "gate", "send", gate, files[1], *where)
    last = json.loads(artmint(capsys, *add, "--token", 4, "--json"))
    assert [row["token"] for row in last["added"]] == [4]
    assert abs(last["added"][0]["gas"] / 195_000 - 1) < 0.2
    artmint(capsys, *add)
    purposes = [body["purpose"] for body in Catalog(folder).all("transaction").values()]
    assert sorted(one["token"] for one in purposes if one["verb"] == "addAigcData") == [1, 2, 3, 4]


@pytest.mark.slow
def test_what_cant_be_proven_is_refused_in_words(attested_studio, capsys, tmp_path):
    folder, place, where, _ = attested_studio
    height = connect("embedded", folder / "chain").eth.block_number
    add = ["erc7007", "add", place, *where]
    said = artmint(capsys, *add, "--token", 1, "--store", tmp_path / "nothing", code=3)
    assert "token 1 isn't added" in said and "That speaks of the stores" in said
    assert "token 99 isn't added: it isn't minted yet" in artmint(capsys, *add, "--token", 99, code=4)
    gate = attested_studio[3][0]
    said = artmint(capsys, "erc7007", "add", gate, *where, code=2)
    assert "holds no ArtMint7007" in said
    assert connect("embedded", folder / "chain").eth.block_number == height


@pytest.mark.slow
def test_other_facts_than_the_files_give_prove_nothing(minted, tmp_path, capsys):
    "Verifiers who signed something else than the drop's files: said, with both roots, and nothing is sent."
    from artmint.chain.contract import contract_at
    from artmint.prove.attestations import DropFindings, sign_findings
    from artmint.prove.evidence import drop_of_token
    from tests.attested import EAS, NOW, Key, statements

    folder = shutil.copytree(minted[0], tmp_path / "studio", ignore=shutil.ignore_patterns("*.lock"))
    where, key = ["--studio", folder, "--by", "admin"], Key(11)
    drop = drop_of_token(contract_at(connect("embedded", folder / "chain"), minted[1]), 1)
    found = DropFindings(drop, statements("equal", "equal"), facts=b"\7" * 32)
    (tmp_path / "lie.json").write_bytes(sign_findings(key, EAS, minted[1], found, NOW).data)
    (tmp_path / "mine.toml").write_text(f'[verifiers]\nAda = "{key.address}"\n')
    named = ["--verifiers", tmp_path / "mine.toml", "--needed", 1]
    gate = json.loads(artmint(capsys, "gate", "deploy", minted[1], *named, *where, "--json"))["gate"]
    artmint(capsys, "gate", "send", gate, tmp_path / "lie.json", *where)
    deploy = ["erc7007", "deploy", minted[1], "--gate", gate, *where, "--json"]
    [row] = json.loads(artmint(capsys, *deploy))["made"]
    height = connect("embedded", folder / "chain").eth.block_number
    said = artmint(capsys, "erc7007", "add", row["ArtMint7007"], "--token", 1, *where, code=1)
    assert "have signed 0x" + "07" * 32 in said
    artmint(capsys, "erc7007", "ask", row["ArtMint7007"], 1, *where[:2], code=1)
    assert connect("embedded", folder / "chain").eth.block_number == height


@pytest.mark.slow
def test_a_drawn_collection_s_adapter_needs_nothing_added(tmp_path, capsys):
    admin, contract = drawn_studio(tmp_path / "s")
    where = ["--studio", tmp_path / "s", "--by", "admin"]
    made = json.loads(artmint(capsys, "erc7007", "deploy", contract.address, *where, "--json"))["made"]
    said = artmint(capsys, "erc7007", "add", made[1]["ArtMint7007"], *where, code=2)
    assert "needs nothing added" in said


def test_what_is_no_address_is_refused_before_a_chain_is_asked(tmp_path, capsys):
    for words in (
        ["deploy", "0x123"],
        ["deploy", "0x" + "11" * 20, "--gate", "gate.eth"],
        ["ask", "0x12", 1],
        ["add", "0x12"],
    ):
        said = artmint(capsys, "erc7007", *words, "--studio", tmp_path, code=2).replace("│", " ")
        assert "is no address here" in " ".join(said.split())
    assert artifact("DrawnReplay")["immutables"]


@pytest.mark.slow
def test_tokens_that_the_chain_draws_are_given_away_and_sold(tmp_path, capsys):
    "What holds them is another contract, which the studio knows by another record."
    _, contract = drawn_studio(tmp_path / "s")
    batch, people = tmp_path / "drawn.toml", tmp_path / "list.csv"
    stage = (
        'name = "all"\nstart = "2020-01-01T00:00:00Z"\nend = "2060-01-01T00:00:00Z"\nprice = "1"\nlimit = 1\n'
    )
    head = f'name = "d"\ncollection = "{ROOT / "collections/onchain"}"\nquantity = 2\nstages = ["37_drawn"]\n'
    batch.write_text(f"{head}[sale]\n[[sale.stages]]\n{stage}")
    people.write_text(f"{friend(1).address}\n")
    where = ["--studio", tmp_path / "s"]
    assert "1 tokens are delivered" in artmint(capsys, "airdrop", batch, people, *where)
    assert contract.functions.ownerOf(1).call() == friend(1).address
    for verb, words in (
        ("deploy", "sells nothing until"),
        ("approve", "setApprovalForAll"),
        ("status", "open now   all"),
    ):
        assert words in artmint(capsys, "sale", verb, batch, *where)
    assert "ArtMintDrawn" in artmint(capsys, "attest", f"embedded:{contract.address}", *where, code=3)
    for verb in ("films", "posts", "preview"):
        assert "d is drawn by the chain" in artmint(capsys, verb, batch, *where, code=2)
