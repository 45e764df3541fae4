"The gate: open when so many named verifiers have signed a drop, and with no power over anything."

import pytest
from web3.exceptions import ContractCustomError
from web3.logs import DISCARD

from artmint.chain.contract import artifact
from tests.attested import Key


def is_open(gated) -> bool:
    return gated.gate.functions.open(gated.root).call()


def refuses(gated, name: str, *signed, root: bytes = b""):
    call = gated.gate.functions.attest(root or gated.root, list(signed))
    codes = {entry["name"] for entry in artifact("AttestationGate")["abi"] if entry["type"] == "error"}
    assert name in codes
    with pytest.raises(ContractCustomError) as caught:
        call.call({"from": gated.admin.address})
    from eth_utils import keccak

    [entry] = [one for one in artifact("AttestationGate")["abi"] if one.get("name") == name]
    kinds = ",".join(value["type"] for value in entry["inputs"])
    assert caught.value.data.startswith("0x" + keccak(text=f"{name}({kinds})")[:4].hex())


def test_it_opens_with_the_second_of_three_and_says_so(gated):
    ada, ben, cyd = gated.keys
    assert not is_open(gated)
    gated.send(gated.gate.functions.attest(gated.root, [gated.signed(ada)]))
    assert not is_open(gated)
    receipt = gated.send(gated.gate.functions.attest(gated.root, [gated.signed(ben)]))
    assert is_open(gated)
    [opened] = gated.gate.events.Opened().process_receipt(receipt, errors=DISCARD)
    assert (opened["args"]["root"], opened["args"]["facts"]) == (gated.root, gated.facts_root)
    gated.send(gated.gate.functions.attest(gated.root, [gated.signed(cyd)]))
    assert gated.gate.functions.countOf(gated.root, gated.facts_root).call() == 3


def test_one_verifier_counts_once_however_often_it_signs(gated):
    ada = gated.keys[0]
    gated.send(gated.gate.functions.attest(gated.root, [gated.signed(ada)] * 3))
    gated.send(gated.gate.functions.attest(gated.root, [gated.signed(ada, facts=b"\x07" * 32)]))
    assert not is_open(gated)
    assert gated.gate.functions.countOf(gated.root, gated.facts_root).call() == 1
    assert gated.gate.functions.countOf(gated.root, b"\x07" * 32).call() == 0


def test_those_who_agree_on_different_facts_dont_agree(gated):
    ada, ben, cyd = gated.keys
    call = gated.gate.functions.attest(gated.root, [gated.signed(ada), gated.signed(ben, facts=b"\x07" * 32)])
    gated.send(call)
    assert not is_open(gated)
    gated.send(gated.gate.functions.attest(gated.root, [gated.signed(cyd)]))
    assert gated.gate.functions.factsOf(gated.root).call() == gated.facts_root


def test_strangers_and_signatures_for_something_else_are_refused(gated):
    ada = gated.keys[0]
    refuses(gated, "NotAVerifier", gated.signed(Key(99)))
    refuses(gated, "NotAVerifier", gated.signed(ada, root=b"\x01" * 32))  # another drop
    refuses(gated, "NotAVerifier", gated.signed(ada, equal=False))  # says that it isn't equal
    facts, attestations, signature = gated.signed(ada)
    refuses(gated, "NotAVerifier", (facts, b"\x02" * 32, signature))
    refuses(gated, "NotAVerifier", (b"\x02" * 32, attestations, signature))
    refuses(gated, "NotAVerifier", (facts, attestations, signature[:64] + b"\x00"))
    refuses(gated, "NotAVerifier", (facts, attestations, b""))
    refuses(gated, "EmptyRoot", (bytes(32), attestations, signature))
    refuses(gated, "EmptyRoot", root=bytes(32))


@pytest.mark.parametrize("place", (0, 20, 40, 63, 64))
def test_a_changed_bit_of_a_signature_is_refused(gated, place):
    facts, attestations, signature = gated.signed(gated.keys[0])
    changed = signature[:place] + bytes([signature[place] ^ 1]) + signature[place + 1 :]
    refuses(gated, "NotAVerifier", (facts, attestations, changed))


def test_a_signature_for_another_collection_isnt_taken(gated):
    other = gated.made("AttestationGate", "0x" + "55" * 20, [gated.keys[0].address], 1)
    with pytest.raises(ContractCustomError):
        other.functions.attest(gated.root, [gated.signed(gated.keys[0])]).call()


@pytest.mark.parametrize(("numbers", "needed"), [([], 1), ([11], 0), ([11], 2), ([11, 11], 1)])
def test_a_set_that_counts_wrong_is_no_gate(gated, numbers, needed):
    factory = gated.web3.eth.contract(
        abi=artifact("AttestationGate")["abi"], bytecode=artifact("AttestationGate")["bytecode"]
    )
    named = [Key(number).address for number in numbers]
    with pytest.raises(ContractCustomError):
        factory.constructor(gated.contract.address, named, needed).estimate_gas()


def test_it_has_no_owner_and_no_way_to_change_anything(gated):
    writes = {
        entry["name"]
        for entry in artifact("AttestationGate")["abi"]
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }
    assert writes == {"attest"}
    assert gated.gate.functions.verifiers().call() == [key.address for key in gated.keys]


def test_nobody_s_address_is_no_verifier_and_bytes_are_nobody_s_signature(gated):
    "What the recovery gives for bytes that are no signature is the zero address; no gate can have it among its verifiers."
    from eth_utils import keccak

    made = artifact("AttestationGate")
    factory = gated.web3.eth.contract(abi=made["abi"], bytecode=made["bytecode"])
    for some in (["0x" + "00" * 20], [gated.keys[0].address] * 2):
        with pytest.raises(ContractCustomError) as caught:
            factory.constructor(gated.contract.address, some, 1).estimate_gas({"from": gated.admin.address})
        assert caught.value.data.startswith("0x" + keccak(text="BadVerifier(address)")[:4].hex())
    facts, attestations, _ = gated.signed(gated.keys[0])
    for bytes_ in (b"", bytes(65), b"\xff" * 65, bytes(64)):
        refuses(gated, "NotAVerifier", (facts, attestations, bytes_))
