"Verifiers: how many of a named set agree, who dissents, and what isn't counted."

import json
import random

import pytest

from artmint.core.canon import canonical
from artmint.prove.evidence import ChainClaim
from artmint.prove.verifiers import (
    Anchor,
    AskedVerifiers,
    BadVerifiers,
    MoreThanThereAre,
    Verifiers,
    attested_steps,
    count_voices,
    load_verifiers,
)
from tests.attested import COLLECTION, DROP, NOW, WANTED, Key, told

NAMES = {"Ada": Key(1), "Ben": Key(2), "Mallory": Key(3)}
NAMED = Verifiers(verifiers={name: key.address for name, key in NAMES.items()})


def files(**results: list[str]) -> dict[str, bytes]:
    "A file of each verifier."
    return {f"{name}.json": told(NAMES[name], *said).data for name, said in results.items()}


def counted(needed: int, data: dict[str, bytes], **more):
    return count_voices(AskedVerifiers(needed, NAMED, data, NOW + 60, **more), WANTED, [])


def statuses(needed: int, **results: list[str]) -> list[str]:
    return [counted(needed, files(**results)).status(token, needed) for token in (1, 2, 3)]


GOOD = ["equal"] * 3


# -- how many agree


def test_two_of_three_agree_and_the_liar_is_shown():
    data = files(Ada=GOOD, Ben=GOOD, Mallory=["equal", "other", "equal"])
    count = counted(2, data)
    assert [count.status(token, 2) for token in (1, 2, 3)] == ["held"] * 3
    assert list(count.saying(2, "other")) == ["Mallory"]
    assert count.faults == ()


def test_a_contradiction_fails_where_too_few_agree():
    assert statuses(2, Ada=GOOD, Mallory=["equal", "other", "unsound"]) == ["held", "failed", "failed"]
    assert statuses(3, Ada=GOOD, Ben=GOOD, Mallory=["equal", "other", "equal"]) == ["held", "failed", "held"]


def test_enough_against_it_fail_whoever_agrees():
    lie = ["other"] * 3
    assert statuses(1, Ada=GOOD, Mallory=lie) == ["failed"] * 3
    assert statuses(2, Ada=lie, Ben=lie, Mallory=GOOD) == ["failed"] * 3


def test_too_few_are_unchecked_and_alike_counts_for_nobody():
    assert statuses(2, Ada=GOOD) == ["unchecked"] * 3
    assert statuses(2, Ada=GOOD, Ben=["alike"] * 3) == ["unchecked"] * 3
    assert statuses(2, Ada=GOOD, Ben=GOOD, Mallory=["alike"] * 3) == ["held"] * 3


@pytest.mark.slow
def test_the_order_of_files_says_nothing():
    data = list(files(Ada=GOOD, Ben=["alike", "equal", "other"], Mallory=["other", "equal", "equal"]).items())
    seen = set()
    for seed in range(6):
        random.Random(seed).shuffle(data)
        count = counted(2, dict(data))
        seen.add(tuple(count.status(token, 2) for token in (1, 2, 3)))
    assert seen == {("failed", "held", "held")}


# -- what isn't counted


def kinds(count) -> list[str]:
    return [fault.kind for fault in count.faults]


def test_a_stranger_counts_for_nothing():
    data = files(Ada=GOOD) | {"eve.json": told(Key(4), *["other"] * 3).data}
    count = counted(1, data)
    assert kinds(count) == ["signer"]
    assert count.status(1, 1) == "held"


def test_one_who_speaks_twice_counts_once_and_the_later_word_counts():
    again = {"again.json": told(Key(1), *GOOD, now=NOW + 1).data}
    count = counted(2, files(Ada=GOOD) | again)
    assert count.status(1, 2) == "unchecked"
    assert kinds(count) == ["duplicate"] * 3
    later = {"later.json": told(Key(1), "equal", "other", "equal", now=NOW + 30).data}
    count = counted(1, files(Ada=GOOD) | later)
    assert [count.status(token, 1) for token in (1, 2, 3)] == ["held", "failed", "held"]
    assert "Ada said equal before, and other in later.json" in " ".join(map(str, count.faults))
    earlier = {"earlier.json": told(Key(1), "equal", "other", "equal", now=NOW - 30).data}
    assert counted(1, files(Ada=GOOD) | earlier).status(2, 1) == "held"


def test_of_two_words_of_one_second_the_one_against_it_counts():
    lie = {"aaa.json": told(Key(1), "other", "equal", "equal").data}
    assert counted(1, files(Ada=GOOD) | lie).status(1, 1) == "failed"
    assert counted(1, lie | files(Ada=GOOD)).status(1, 1) == "failed"


def test_the_same_file_under_two_names_counts_once():
    data = files(Ada=GOOD)
    count = counted(2, data | {"copy.json": data["Ada.json"]})
    assert kinds(count) == ["duplicate"]
    assert count.status(1, 2) == "unchecked"


@pytest.mark.parametrize("data", [b"", b"{}", b"\x00" * 40])
def test_what_cant_be_read_is_named_and_the_rest_counts(data):
    count = counted(1, files(Ada=GOOD) | {"odd.json": data})
    assert kinds(count) == ["unreadable"]
    assert count.status(1, 1) == "held"


def test_what_was_taken_back_isnt_counted():
    one = told(Key(1), *GOOD)
    back = {one.attestations[1].sig.uid: NOW + 5}
    count = counted(1, {"ada.json": one.data}, anchor=lambda file: Anchor(revoked=back))
    assert [count.status(token, 1) for token in (1, 2, 3)] == ["held", "unchecked", "held"]
    assert kinds(count) == ["revoked"]
    count = counted(1, {"ada.json": one.data}, anchor=lambda file: Anchor(revoked={one.merkle_root: NOW}))
    assert kinds(count) == ["revoked"]
    assert count.status(1, 1) == "unchecked"


def test_a_node_without_an_answer_leaves_revocations_open():
    count = counted(1, files(Ada=GOOD), anchor=lambda file: Anchor(unknown="it is away", stands=False))
    assert count.status(1, 1) == "unchecked"
    assert "it is away" in str(count.faults[0])


def test_a_forged_signature_loses_its_token_and_no_other():
    body = json.loads(told(Key(1), *GOOD).data)
    body["attestations"][0]["sig"]["signature"]["r"] = "0x" + "7" * 64
    count = counted(1, {"ada.json": canonical(body)})
    assert [count.status(token, 1) for token in (1, 2, 3)] == ["unchecked", "held", "held"]
    assert kinds(count) == ["signature"]


# -- what is shown


def test_without_files_of_the_tokens_nothing_is_held():
    claim = ChainClaim(31337, COLLECTION, [1, 2, 3], {}, (DROP,))
    steps = [*attested_steps(AskedVerifiers(1, NAMED, files(Ada=GOOD), NOW + 60), claim, [])]
    assert [(step.name, step.status, step.asked) for step in steps] == [
        ("attested by", "held", False),
        ("attested", "unchecked", True),
    ]
    assert "cpu AVX2, machine x86_64, torch 2.14.1; signed " in steps[0].evidence
    assert "no chain was asked" in steps[0].evidence


def test_a_chain_without_eas_is_said():
    claim = ChainClaim(7, COLLECTION, [1], {}, (DROP,))
    [step] = attested_steps(AskedVerifiers(1, NAMED, files(Ada=GOOD), NOW + 60), claim, [])
    assert (step.status, step.asked) == ("unchecked", True)
    assert "There is no EAS to work with on chain 7" in step.evidence


# -- the named set


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "verifiers: is missing"),
        ("[verifiers]\n", "needs 1 or more entries"),
        ('[verifiers]\nAda = "0x12"\n', "isn't written as it has to be"),
        ('[verifiers]\nAda = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"\nBen = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"\n', "two names have one address"),
        ('[verifiers]\nAda = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"\n[verifier]\n', "is it verifiers?"),
        ('[verifiers]\n"A\\u202eda" = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"\n', "invisible character U+202E"),
        ("[verifiers", "no TOML"),
    ],
)  # fmt: skip
def test_a_set_that_names_nobody_is_refused_in_words(tmp_path, text, reason):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BadVerifiers) as caught:
        load_verifiers(path)
    assert reason in str(caught.value)
    with pytest.raises(BadVerifiers):
        load_verifiers(tmp_path / "nowhere.toml")


def test_more_than_are_named_cant_be_asked_for():
    for needed in (0, 4):
        with pytest.raises(MoreThanThereAre):
            AskedVerifiers(needed, NAMED, {}, NOW)


def test_an_address_in_small_letters_is_the_same_verifier(tmp_path):
    path = tmp_path / "mine.toml"
    key = Key(1)
    path.write_text(f'[verifiers]\nAda = "{key.address.lower()}"\n')
    named = load_verifiers(path)
    assert named == Verifiers(verifiers={"Ada": key.address})
    assert named.names == {key.address: "Ada"}
    path.write_text(f'[verifiers]\nAda = "{key.address}"\nBen = "{key.address.lower()}"\n')
    with pytest.raises(BadVerifiers, match="two names have one address"):
        load_verifiers(path)
