"Attestations: byte for byte what EAS's own library makes, and whatever is changed in a file is noticed and named."

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artmint.core.canon import canonical
from artmint.core.manifest import BadMetadata
from artmint.ipfs.cid import CID, DAG_PB
from artmint.prove.attestations import (
    FAULTS,
    SCHEMA_FIELDS,
    SCHEMA_TEXT,
    AttestationFile,
    AttestMessage,
    BadAttestation,
    DropFact,
    DropFindings,
    LeftOut,
    TokenStatement,
    WantedDrops,
    check_attestations,
    drop_data,
    message_of,
    read_attestations,
    schema_uid,
    sign_findings,
    sign_attestation,
    signer_of,
    statement_in,
)
from artmint.prove.evidence import ChainDrop
from tests.attested import COLLECTION, DROP, EAS, MACHINE, NOW, WANTED, Key, ask_library, statements, told

LIBRARY = json.loads((Path(__file__).parents[1] / "data/eas/library.json").read_text())
SEVENTH = TokenStatement(7, "ab" * 32, "cd" * 32, "other", "largest difference 1 of 255", MACHINE)


def changed(file: AttestationFile, path: tuple, value: object) -> bytes:
    "The file with another value at a place."
    body = json.loads(file.data)
    place = body
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return canonical(body)


def looked_at(data: bytes, wanted: WantedDrops = WANTED):
    "What can be counted of a file, and the kinds of what is wrong with it."
    try:
        entries, faults = check_attestations(read_attestations(data), "mine.json", wanted)
    except BadMetadata:
        return [], ["unreadable"]
    return [entry.statement.token for entry in entries], [fault.kind for fault in faults]


# -- as EAS has it


def test_the_schema_the_data_and_the_signature_are_the_librarys():
    "tests/data/eas/library.json was made by EAS's library; the slow test beside asks it again."
    message = message_of(COLLECTION, SEVENTH, NOW, b"\x05" * 32)
    assert schema_uid() == LIBRARY["schema"]
    assert "0x" + SEVENTH.data(COLLECTION).hex() == LIBRARY["data"] == message.data
    mine = sign_attestation(Key(1), EAS, message).model_dump(mode="json", by_alias=True)
    assert mine == LIBRARY["signed"]
    assert statement_in(bytes.fromhex(LIBRARY["data"][2:])) == (COLLECTION, SEVENTH)


@pytest.mark.slow
def test_the_library_makes_and_takes_the_same():
    place = {"address": EAS.address, "version": EAS.version, "chainId": EAS.chain_id}
    values = [COLLECTION, 7, "0x" + "ab" * 32, "0x" + "cd" * 32, SEVENTH.text, False]
    fields = [
        {"name": name, "type": kind, "value": value} for (name, kind), value in zip(SCHEMA_FIELDS, values)
    ]
    message = message_of(COLLECTION, SEVENTH, NOW)  # a random salt
    mine = sign_attestation(Key(1), EAS, message).model_dump(mode="json", by_alias=True)
    asked = {name: value for name, value in mine["message"].items() if name != "version"}
    taken = {"ask": "verify", "place": place, "sig": mine}
    forged = copy.deepcopy(mine)
    forged["message"]["time"] = str(NOW + 1)
    questions = [
        {"ask": "schema", "text": SCHEMA_TEXT},
        {"ask": "encode", "text": SCHEMA_TEXT, "fields": fields},
        {"ask": "sign", "key": "0x" + "00" * 31 + "01", "place": place, "message": asked},
        taken | {"signer": Key(1).address},
        taken | {"signer": Key(2).address},
        taken | {"signer": Key(1).address, "sig": forged},
    ]
    schema, data, signed, good, other, bad = ask_library(*questions)
    assert (schema, data, signed) == (schema_uid(), message.data, mine)
    assert (good, other, bad) == (True, False, False)
    file = told(Key(1), "equal", "alike", "other")
    sigs = [entry["sig"] for entry in json.loads(file.data)["attestations"]]
    assert (
        ask_library(
            *({"ask": "verify", "place": place, "signer": Key(1).address, "sig": sig} for sig in sigs)
        )
        == [True] * 3
    )


# -- what is true holds


def test_a_file_is_read_back_and_all_of_it_counts():
    file = told(Key(1), "equal", "alike", "other")
    assert read_attestations(file.data) == file
    entries, faults = check_attestations(file, "ada.json", WANTED)
    assert faults == []
    assert [entry.statement for entry in entries] == [*statements("equal", "alike", "other")]
    assert {entry.signer for entry in entries} == {Key(1).address}
    assert not file.drop.equal
    assert told(Key(1), "equal", "equal", "equal").drop.equal
    assert file.name == "attestations-31337-11111111-1-3-7e5f4552.json"


def test_a_partial_file_says_that_it_is_partial():
    left = (LeftOut(first=2, last=3, why="its prompt is withheld"),)
    found = DropFindings(DROP, statements("equal"), left, facts=bytes(32))
    file = sign_findings(Key(1), EAS, COLLECTION, found, NOW)
    assert not file.drop.equal
    assert looked_at(file.data) == ([1], [])
    assert looked_at(changed(file, ("left",), [])) == ([], ["gap"])
    assert looked_at(changed(file, ("left", 0, "last"), 2)) == ([], ["gap"])
    assert looked_at(changed(file, ("left", 0, "first"), 1)) == ([], ["token"])
    assert looked_at(changed(file, ("left", 0, "last"), 10**15)) == ([], ["token"])


def test_salts_are_random_and_no_two_attestations_are_the_same():
    assert len({message_of(COLLECTION, SEVENTH, NOW).uid for _ in range(8)}) == 8


@given(
    st.integers(1, 2**256 - 1),
    st.sampled_from(["equal", "alike", "other", "unsound"]),
    st.text(max_size=40).filter(lambda text: text.isprintable()),
)
@settings(max_examples=12, deadline=None)
def test_what_is_said_is_read_back(token, result, words):
    statement = TokenStatement(token, "0a" * 32, "0b" * 32, result, words, MACHINE)
    assert statement_in(statement.data(COLLECTION)) == (COLLECTION, statement)


@pytest.mark.parametrize(
    "text",
    ['{"result":"fine"}', "[]", "no JSON", '{"result":"equal","cpu":7}', '{"result":"other"}', '{"a":"' + "x" * 5000 + '","result":"equal"}'],
)  # fmt: skip
def test_an_environment_that_says_nothing_is_named(text):
    from eth_abi import encode

    kinds = [kind for _, kind in SCHEMA_FIELDS]
    data = encode(kinds, (COLLECTION, 1, bytes(32), bytes(32), text, True))
    with pytest.raises(BadAttestation) as caught:
        statement_in(data)
    assert caught.value.kind == "data"


@given(st.binary(max_size=600))
@settings(max_examples=25, deadline=None)
def test_any_bytes_are_refused_in_words(data):
    with pytest.raises(BadAttestation):
        statement_in(data)


# -- what is false is named


def places(value: object, path: tuple = ()) -> list[tuple]:
    "Every single value in a document."
    if isinstance(value, dict):
        return [inner for key, one in value.items() for inner in places(one, (*path, key))]
    if isinstance(value, list):
        return [inner for key, one in enumerate(value) for inner in places(one, (*path, key))]
    return [path]


def otherwise(value: object, path: tuple) -> object:
    "Another value of the same shape, as a forger would write it."
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str) and value.startswith("0x"):
        return value[:-1] + ("0" if value[-1] != "0" else "1")
    if isinstance(value, str) and value.isdecimal():
        return str(int(value) + 1)
    if path[-1] == "root":
        return str(CID(DAG_PB, bytes(32)))
    return None if value is None else f"{value}x"


ONE = told(Key(1), "equal", "other", "equal")
BODY = json.loads(ONE.data)
PLACES = places(BODY)


def test_there_are_places_enough():
    assert len(PLACES) > 120


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_every_value_of_a_file_is_held(path):
    "Whatever value is changed: it has a name, and what it was about isn't counted."
    value = BODY
    for step in path:
        value = value[step]
    counted, kinds = looked_at(changed(ONE, path, otherwise(value, path)))
    assert kinds, path
    assert set(kinds) <= FAULTS.keys()
    if path[0] == "attestations":
        assert BODY["attestations"][path[1]]["token"] not in counted
    else:
        assert counted == []


def swapped(file: AttestationFile, other: AttestationFile) -> bytes:
    "A file with another's second attestation in the place of its own."
    body = json.loads(file.data)
    body["attestations"][1] = json.loads(other.data)["attestations"][1]
    return canonical(body)


def resigned(**update) -> bytes:
    "A file whose first attestation has other fields, signed anew by its owner, with the tree as it would be."
    entry = ONE.attestations[0]
    message = AttestMessage.model_validate(entry.sig.message.model_dump(by_alias=True) | update)
    return rebuilt(sign_attestation(Key(1), EAS, message))


def rebuilt(sig, signer: Key = Key(1), token: int = 1) -> bytes:
    "The file with another first attestation, its tree and its last signature made anew."
    from artmint.chain.contract import merkle_tree
    from artmint.prove.attestations import attestation_leaf

    body = json.loads(ONE.data)
    first = body["attestations"][0]
    first |= {"sig": sig.model_dump(mode="json", by_alias=True), "signer": signer.address, "token": token}
    leaves = [attestation_leaf(one["sig"]["uid"], one["signer"]) for one in body["attestations"]]
    root, proofs = merkle_tree(leaves)
    for one, proof in zip(body["attestations"], proofs):
        one["proof"] = ["0x" + node.hex() for node in proof]
    body["merkle_root"] = "0x" + root.hex()
    words = {"contentRoot": DROP.content_root, "facts": bytes(32), "attestations": root, "equal": False}
    body["drop"]["signature"] = Key(1).sign_typed(drop_data(31337, COLLECTION, words))
    return canonical(body)


FORGED = {
    "another schema, signed": (resigned(schema=schema_uid("bool isGood")), "schema"),
    "a recipient, signed": (resigned(recipient=COLLECTION), "schema"),
    "a reference, signed": (resigned(refUID="0x" + "01" * 32), "schema"),
    "irrevocable, signed": (resigned(revocable=False), "schema"),
    "expired": (resigned(expirationTime=str(NOW)), "expired"),
    "from the future": (resigned(time=str(NOW + 10**6)), "future"),
    "no data": (resigned(data="0x"), "data"),
    "data with something behind": (resigned(data=ONE.attestations[0].sig.message.data + "00" * 32), "data"),
    "another contract, signed": (resigned(data="0x" + statements("equal")[0].data("0x" + "22" * 20).hex()), "contract"),
    "another token, signed": (resigned(data="0x" + statements("equal", first=9)[0].data(COLLECTION).hex()), "token"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_what_a_verifier_signed_and_isnt_asked_is_named(name):
    "These have good signatures: of something else."
    data, kind = FORGED[name]
    counted, kinds = looked_at(data)
    assert counted == [2, 3]
    assert kinds == [kind]


def test_another_chain_another_eas_and_another_version_are_named():
    elsewhere = EAS.model_copy(update={"chain_id": 10})
    message = ONE.attestations[0].sig.message
    assert looked_at(rebuilt(sign_attestation(Key(1), elsewhere, message))) == ([2, 3], ["chain"])
    beside = EAS.model_copy(update={"address": "0x" + "42" * 20})
    assert looked_at(rebuilt(sign_attestation(Key(1), beside, message))) == ([2, 3], ["eas"])
    assert looked_at(ONE.data, WantedDrops(10, COLLECTION, EAS.address, (DROP,), NOW)) == ([], ["chain"])
    other = WantedDrops(31337, "0x" + "22" * 20, EAS.address, (DROP,), NOW)
    assert looked_at(ONE.data, other) == ([], ["contract"])


def test_an_attestation_for_another_drop_or_another_content_is_named():
    again = ChainDrop(4, 3, DROP.content_root, DROP.root)
    assert looked_at(told(Key(1), *["equal"] * 3, drop=again).data) == ([], ["drop"])
    content = ChainDrop(1, 3, bytes(32), DROP.root)
    assert looked_at(told(Key(1), *["equal"] * 3, drop=content).data) == ([], ["drop"])


def test_someone_elses_attestations_and_signatures_are_named():
    other = told(Key(2), "equal", "other", "equal")
    assert looked_at(swapped(ONE, other)) == ([], ["signature"])
    assert looked_at(rebuilt(ONE.attestations[0].sig, Key(2))) == ([], ["signature"])
    assert looked_at(rebuilt(sign_attestation(Key(2), EAS, ONE.attestations[0].sig.message))) == (
        [2, 3],
        ["signature"],
    )
    assert looked_at(swapped(ONE, told(Key(1), "equal", "equal", "equal"))) == ([], ["merkle"])


def test_one_attestation_twice_and_a_signature_turned_over_are_named():
    from artmint.chain.signers import N

    assert looked_at(rebuilt(ONE.attestations[1].sig, token=2)) == ([], ["token"])
    sig = ONE.attestations[0].sig
    high = N - int(sig.signature.s, 16)
    turned = sig.signature.model_copy(update={"s": f"0x{high:064x}", "v": 55 - sig.signature.v})
    assert looked_at(rebuilt(sig.model_copy(update={"signature": turned}))) == ([2, 3], ["signature"])


@pytest.mark.parametrize("length", [0, 64, 66])
def test_what_is_no_signature_is_nobodys(length):
    from artmint.prove.attestations import attest_data

    assert signer_of(attest_data(EAS, message_of(COLLECTION, SEVENTH, NOW)), bytes(length)) == ""
    assert signer_of(attest_data(EAS, message_of(COLLECTION, SEVENTH, NOW)), bytes(64) + b"\x1b") == ""


def test_all_is_equal_cant_be_signed_over_parts_that_arent():
    body = json.loads(ONE.data)
    roots = {"contentRoot": DROP.content_root, "facts": bytes(32), "attestations": ONE.anchor}
    for equal, kinds in ((False, []), (True, ["whole"])):
        signature = Key(1).sign_typed(drop_data(31337, COLLECTION, roots | {"equal": equal}))
        body["drop"] |= {"equal": equal, "signature": signature}
        assert looked_at(canonical(body))[1] == kinds


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b'{"format":"artmint attestations 1"}', b"[" * 99]
)
def test_what_is_no_file_of_attestations_is_refused_in_words(data):
    with pytest.raises(BadMetadata):
        read_attestations(data)


def test_a_file_that_is_laid_out_anew_is_refused():
    with pytest.raises(BadMetadata):
        read_attestations(json.dumps(BODY, indent=1).encode())


def test_a_fact_of_a_token_changes_with_each_of_its_parts():
    fact = DropFact(1, "a tree", "0a" * 32, "0b" * 32)
    others = [DropFact(2, *list(vars(fact).values())[1:]), DropFact(1, "a tre", "0a" * 32, "0b" * 32)]
    others += [DropFact(1, "a tree", "0b" * 32, "0a" * 32), DropFact(1, "a tree", "0a" * 32, "0c" * 32)]
    assert len({one.leaf for one in (fact, *others)}) == 5
