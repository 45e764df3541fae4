"What a gate is told, and what is proven to the contract that speaks ERC-7007."

import json

import pytest

from artmint.prove.attestations import DropFindings, LeftOut, read_attestations, sign_findings
from artmint.prove.evidence import ChainDrop
from artmint.prove.gates import (
    NotAGate,
    add_call,
    adapter_call,
    fact_proof,
    gate_at,
    gate_call,
    gate_calls,
    replay_proof,
)
from artmint.prove.verifiers import MoreThanThereAre, Verifiers
from tests.attested import EAS, NOW, Key, statements
from artmint.ipfs.cid import CID, DAG_PB


def said(gated, key, *results: str, left=(), facts: bytes | None = None, contract: str = ""):
    "What a verifier says of the drop."
    drop = ChainDrop(1, 4, gated.root, CID(DAG_PB, bytes(32)))
    facts = gated.facts_root if facts is None else facts
    found = DropFindings(drop, statements(*results), left, facts=facts)
    return sign_findings(key, EAS, contract or gated.contract.address, found, NOW)


def test_what_the_files_say_opens_the_gate_and_adds_a_token(gated):
    ada, ben, cyd = gated.keys
    good = ["equal"] * 4
    files = {"ada": said(gated, ada, *good), "ben": said(gated, ben, *good)}
    files["cyd"] = said(gated, cyd, "equal", "other", "equal", "equal")
    files["eve"] = said(gated, Key(99), *good)
    files["part"] = said(gated, cyd, *good[:3], left=(LeftOut(first=4, last=4, why="x"),))
    files["one"] = said(gated, cyd, *good, facts=b"")
    files["else"] = said(gated, cyd, *good, contract="0x" + "77" * 20)
    assert all(read_attestations(file.data) == file for file in files.values())
    gate = gate_at(gated.web3, gated.gate.address)
    [call], left = gate_calls(gate, files)
    assert left == {
        "cyd": "it doesn't say that all is equal",
        "eve": f"{Key(99).address} isn't one of its verifiers",
        "part": "it doesn't say that all is equal",
        "one": "it says nothing of the whole drop",
        "else": "it is about another collection",
    }
    gated.send(call)
    assert gate.functions.open(gated.root).call()
    again, left = gate_calls(gate, {"ada": files["ada"]})
    assert (again, left) == ([], {"ada": "it is counted already"})
    gated.send(add_call(gated.adapter, gated.facts[0], gated.siblings[0]))
    assert gated.adapter.functions.prompt(1).call() == gated.facts[0].prompt
    assert fact_proof(gated.facts[1], gated.siblings[1]) == gated.proof(2)
    assert len(replay_proof(7)) == 96


def test_a_gate_and_an_adapter_are_made_from_the_package(gated):
    named = Verifiers(verifiers={f"v{n}": key.address for n, key in enumerate(gated.keys)})
    receipt = gated.send(gate_call(gated.web3, gated.contract.address.lower(), named, 3))
    gate = gate_at(gated.web3, receipt["contractAddress"])
    assert sorted(gate.functions.verifiers().call()) == sorted(key.address for key in gated.keys)
    assert gate.functions.needed().call() == 3
    assert gated.send(adapter_call(gated.web3, gated.contract.address, gate.address))["status"] == 1
    with pytest.raises(MoreThanThereAre):
        gate_call(gated.web3, gated.contract.address, named, 4)
    for address in (gated.contract.address, "0x" + "12" * 20):
        with pytest.raises(NotAGate):
            gate_at(gated.web3, address)


def test_a_changed_file_is_noticed_before_it_is_sent(gated):
    from artmint.prove.attestations import check_whole

    file = said(gated, gated.keys[0], *["equal"] * 4)
    assert check_whole(file) == ""
    body = json.loads(file.data)
    body["drop"]["facts"] = "0x" + "01" * 32
    assert "isn't signed by" in check_whole(type(file).model_validate_json(json.dumps(body)))
