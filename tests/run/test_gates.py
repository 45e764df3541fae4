"`artmint gate`, as it is typed."

import json

import pytest

from artmint.ipfs.cid import CID, DAG_PB
from artmint.prove.attestations import DropFindings, sign_findings
from artmint.prove.evidence import ChainDrop
from tests.attested import EAS, NOW, statements
from tests.gates import Gated
from tests.lies import tree
from tests.safes import artmint


@pytest.fixture(scope="module")
def gated(tmp_path_factory):
    return Gated(tmp_path_factory.mktemp("gate"), needed=2)


def files(gated, folder, *results: str):
    "What two verifiers say of the drop."
    drop = ChainDrop(1, 4, gated.root, CID(DAG_PB, bytes(32)))
    paths = []
    for number, key in enumerate(gated.keys[:2]):
        found = DropFindings(drop, statements(*results), facts=gated.facts_root)
        path = folder / f"{number}.json"
        path.write_bytes(sign_findings(key, EAS, gated.contract.address, found, NOW).data)
        paths.append(path)
    return paths


@pytest.mark.slow
def test_a_gate_is_made_once_told_and_asked(gated, tmp_path, capsys):
    rows = [f'v{n} = "{key.address}"' for n, key in enumerate(gated.keys)]
    named = tmp_path / "verifiers.toml"
    named.write_text("\n".join(["[verifiers]", *rows]) + "\n")
    where = ["--studio", gated.studio.folder, "--by", "admin"]
    deploy = ["gate", "deploy", gated.contract.address, "--verifiers", named, "--needed", 2, *where]
    before = gated.web3.eth.block_number
    assert "would make a gate: " in artmint(capsys, *deploy, "--dry-run")
    assert gated.web3.eth.block_number == before
    made = json.loads(artmint(capsys, *deploy, "--json"))
    again = json.loads(artmint(capsys, *deploy, "--json"))
    assert again == {"gate": made["gate"], "there": True}
    root = "0x" + gated.root.hex()
    ask = ["gate", "ask", made["gate"], root, "--studio", gated.studio.folder]
    assert "closed: 0 of 2 needed (nobody)" in artmint(capsys, *ask, code=4)
    paths = files(gated, tmp_path, *["equal"] * 4)
    send = ["gate", "send", made["gate"], *paths, *where]
    assert "would take" in artmint(capsys, *send, "--dry-run")
    said = artmint(capsys, *send)
    assert f"{root}: open" in said
    assert "it is counted already" in artmint(capsys, *send)
    assert "open: 2 of 2 needed" in artmint(capsys, *ask)
    assert json.loads(artmint(capsys, *ask, "--json"))["open"]


@pytest.mark.slow
def test_what_it_cant_use_is_said_and_costs_nothing(gated, tmp_path, capsys):
    where = ["--studio", gated.studio.folder, "--by", "admin"]
    paths = files(gated, tmp_path, "equal", "other", "equal", "equal")
    before = gated.web3.eth.block_number
    said = artmint(capsys, "gate", "send", gated.gate.address, *paths, *where)
    assert said.count("it doesn't say that all is equal") == 2
    body = json.loads(paths[0].read_text())
    body["drop"]["equal"] = True
    from artmint.core.canon import canonical

    paths[0].write_bytes(canonical(body))
    assert "isn't signed by" in artmint(capsys, "gate", "send", gated.gate.address, *paths, *where, code=2)
    artmint(capsys, "gate", "send", gated.contract.address, paths[1], *where, code=2)
    artmint(capsys, "gate", "send", gated.gate.address, tmp_path / "none.json", *where, code=2)
    artmint(capsys, "gate", "ask", gated.gate.address, "0x12", *where[:2], code=2)
    assert gated.web3.eth.block_number == before
    assert "verifier.json" not in " ".join(tree(gated.studio.folder / "keys"))


def test_a_gate_that_counts_wrong_is_refused_before_a_chain_is_asked(tmp_path, capsys):
    named = tmp_path / "verifiers.toml"
    named.write_text('[verifiers]\nAda = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"\n')
    words = ["gate", "deploy", "0x" + "11" * 20, "--needed", 1, "--studio", tmp_path]
    artmint(capsys, *words, "--verifiers", tmp_path / "none.toml", code=2)
    assert "no chain of its own yet" in artmint(capsys, *words, "--verifiers", named, code=2)


@pytest.mark.many(1)
@pytest.mark.parametrize(
    "address", ["0x123", "artmint.eth", "0x" + "00" * 20, "0x7e5F4552091A69125d5DfCb7b8C2659029395Bdf"]
)
def test_what_is_no_address_is_refused_before_a_chain_is_asked(tmp_path, capsys, address):
    where = ["--studio", tmp_path]
    deploy = ["gate", "deploy", address, "--verifiers", tmp_path / "none.toml", "--needed", 1]
    send = ["gate", "send", address, tmp_path / "none.json"]
    stamp = ["attest", tmp_path / "one.json", "--timestamp", "--eas", address]
    for words in (deploy, send, ["gate", "ask", address, "0x" + "12" * 32], stamp):
        said = artmint(capsys, *words, *where, code=2).replace("│", " ")
        assert "is no address here" in " ".join(said.split())
