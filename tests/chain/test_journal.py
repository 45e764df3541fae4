"The journal: before anything is sent, and after an answer was lost."

import errno
import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from artmint import mint as room
from artmint.chain.embedded import TransactionRefused
from artmint.chain.journal import Journal
from artmint.chain.signers import BlockedByPolicy, Guarded
from artmint.chain.transaction import (
    GasPriceAboveCeiling,
    KeyUsedElsewhere,
    NotWritten,
    NotYetMined,
    OutOfGasMoney,
    Reverted,
    SenderBusy,
)
from tests.studios import Studio, refused

ROOT = Path(__file__).resolve().parents[2]


# Once


def test_every_transaction_stands_in_the_journal_before_it_is_sent(ready, monkeypatch):
    seen = []
    send = ready.web3.provider.chain.send

    def look(raw):
        written = [json.loads(row.body) for row in ready.catalog._read(journal_room_rows())]
        seen.append([each["state"] for each in written if each["raw"] == raw])
        return send(raw)

    monkeypatch.setattr(ready.web3.provider.chain, "send", look)
    ready.mint()
    assert seen == [["signed"]] * 4
    states = [each["state"] for each in ready.catalog.history("transaction", f"{ready.minter._prefix}0")]
    assert states == ["signed", "sent", "confirmed"]


def journal_room_rows():
    import sqlalchemy as sa

    from artmint.studio.catalog import RECORD_TABLE

    return (
        sa.select(RECORD_TABLE.c.body).where(RECORD_TABLE.c.kind == "transaction").order_by(RECORD_TABLE.c.id)
    )


def test_costs_are_ledger_lines(ready):
    sent = ready.mint()
    lines = [line for line in ready.catalog.costs() if line["key"] == sent[0].hash]
    assert {line["unit"]: line["amount"] for line in lines} == {"gas": sent[0].gas, "test-wei": sent[0].wei}
    receipt = ready.web3.eth.get_transaction_receipt(sent[0].hash)
    assert int(sent[0].wei) == receipt["gasUsed"] * receipt["effectiveGasPrice"]
    assert len(ready.catalog.costs()) == 2 * (4 + 4)


@pytest.mark.many(1)
@pytest.mark.parametrize(
    "answer, means",
    [(ConnectionError, "silent"), (TimeoutError, "silent"), (TransactionRefused, "nonce used")],
)
def test_a_lost_answer_is_no_second_mint(ready, monkeypatch, answer, means):
    "The node took it; what came back was an error, also for the copy that a proxy sent."
    send = ready.web3.provider.chain.send

    def deaf(raw):
        send(raw)
        raise answer("nonce too low")

    monkeypatch.setattr(ready.web3.provider.chain, "send", deaf)
    sent = ready.mint()
    assert sent[0].answer == means
    assert ready.supply() == 16
    assert len({each.hash for each in sent}) == 4


def test_a_transaction_that_never_arrived_is_sent_again_unchanged(ready, monkeypatch):
    send = ready.web3.provider.chain.send
    tries = []

    def lossy(raw):
        tries.append(raw)
        if len(tries) % 3:
            raise ConnectionError("https://node.example/canary-key")
        return send(raw)

    monkeypatch.setattr(ready.web3.provider.chain, "send", lossy)
    room.mint(ready.minter, ready.contract, ready.drop, batch=16)
    assert len(tries) == 3
    assert len(set(tries)) == 1
    assert ready.supply() == 16
    assert "canary" not in json.dumps(ready.catalog.history("transaction", f"{ready.minter._prefix}0"))


@pytest.mark.slow
def test_while_one_is_open_no_other_is_signed(ready, monkeypatch):
    def dead(raw):
        raise ConnectionError

    monkeypatch.setattr(ready.web3.provider.chain, "send", dead)
    for _ in range(2):
        with pytest.raises(NotYetMined):
            ready.mint()
    assert [(each.nonce, each.state) for each in ready.minter.transactions()] == [
        (0, "sent"),
        (1, "signed"),
        (2, "signed"),
        (3, "signed"),
    ]  # one flight, and no second
    monkeypatch.undo()
    assert ready.mint() == []
    assert ready.supply() == 16
    assert [each.state for each in ready.minter.transactions()] == ["confirmed"] * 4


@pytest.mark.slow
def test_another_transaction_took_the_nonce(ready, monkeypatch):
    "Somebody used the key elsewhere while ours was on its way: ours is replaced, and nothing is minted twice."
    chain = ready.web3.provider.chain
    send = chain.send

    def outside(raw):
        monkeypatch.undo()
        fields = {
            "nonce": 0,
            "to": ready.who.treasury,
            "value": 0,
            "gas": 21000,
            "maxFeePerGas": 3 * 10**9,
            "maxPriorityFeePerGas": 1,
            "chainId": 31337,
        }
        send(ready.who.minter.sign(fields)[1])
        raise ConnectionError

    monkeypatch.setattr(chain, "send", outside)
    with pytest.raises(Reverted, match="replaced"):
        ready.mint()
    assert ready.supply() == 0
    assert len(ready.mint()) == 4
    assert ready.supply() == 16


@pytest.mark.slow
def test_nonces_that_another_host_used_unseen_are_waited_for_together(ready, monkeypatch):
    "A flight is signed and not sent; the key is used elsewhere, on a node that doesn't tell by whom."
    from artmint.chain import journal as journal_room

    monkeypatch.setattr(journal_room, "send_flight", lambda journal, flight: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ready.mint(4)
    monkeypatch.undo()
    fields = {"to": ready.who.treasury, "value": 0, "gas": 21000, "chainId": 31337}
    for nonce in range(4):
        fees = {"maxFeePerGas": 3 * 10**9, "maxPriorityFeePerGas": 1}
        ready.web3.provider.chain.send(ready.who.minter.sign(fields | fees | {"nonce": nonce})[1])
    monkeypatch.setattr(journal_room, "user_of_nonce", lambda *_: ("", -1))
    begun = time.monotonic()
    ended = Journal(ready.catalog, ready.web3, ready.who.minter, patience=3).reconcile()
    assert [one.state for one in ended] == ["replaced"] * 4
    assert 3 <= time.monotonic() - begun < 9  # one after the other: 12


@pytest.mark.slow
def test_a_version_that_the_purse_is_too_small_for_stays_in_the_book(ready, monkeypatch):
    "It was signed and written before the node said that there is no money for it: it may be mined one day."
    from artmint.chain import journal as journal_room

    def never(raw):
        raise TransactionRefused("insufficient funds for gas * price + value")

    monkeypatch.setattr(journal_room, "send_flight", lambda journal, flight: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ready.mint(16)
    monkeypatch.undo()
    monkeypatch.setattr(ready.web3.provider.chain, "send", never)
    with ready.minter as book:
        bumped = journal_room.bump_fee(book, book.transactions()[0])
        assert bumped.versions == book.transactions()[0].versions and len(bumped.versions) == 2


@pytest.mark.slow
def test_two_operators(ready):
    program = textwrap.dedent("""
        import sys; sys.path.insert(0, sys.argv[2])
        from tests.studios import Studio
        with Studio(sys.argv[1]).minter: print("held", flush=True); sys.stdin.read()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(ready.folder), str(ROOT / "tests")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(SenderBusy, match=f"process {other.pid}"):
            ready.mint()
        other.stdin.close()
    assert ready.supply() == 0
    assert len(ready.mint()) == 4


# Refused before anything is sent


def test_gas_money_runs_out_and_comes_back(ready, monkeypatch):
    balance = ready.web3.eth.get_balance
    monkeypatch.setattr(
        ready.web3.eth,
        "get_balance",
        lambda address, *rest: 10 if address == ready.who.minter.address else balance(address, *rest),
    )
    assert refused(ready, OutOfGasMoney, ready.mint).balance == 10
    monkeypatch.undo()
    assert len(ready.mint()) == 4


def test_a_fee_spike(tmp_path):
    studio = Studio(tmp_path, ceiling=0.5)
    refused(studio, GasPriceAboveCeiling, studio.ready)


def test_the_key_is_used_elsewhere(ready, monkeypatch):
    count = ready.web3.eth.get_transaction_count
    monkeypatch.setattr(
        ready.web3.eth,
        "get_transaction_count",
        lambda address, block=None: count(address) + (block == "pending"),
    )
    refused(ready, KeyUsedElsewhere, ready.mint)


# The policy's book is the journal


def limited(studio, **limits):
    "The minter's journal behind a policy."
    policy = room.minter_policy(studio.contract).model_copy(update=limits)
    return Journal(studio.catalog, studio.web3, Guarded(studio.who.minter, policy), patience=2)


def batch(studio, first, quantity=1):
    "A call that mints, and what it is for."
    return room._batch(studio.contract, studio.drop, first, quantity, 1)


def test_the_policy_counts_what_was_paid(ready):
    hot = limited(ready)
    one = hot.send(*batch(ready, 1))
    assert int(one.wei) < int(one.most)
    assert hot.past() == [(int(one.wei), 1, 0)]
    hot = limited(ready, most_in_a_day=int(one.most) + int(one.wei))
    hot.send(*batch(ready, 2))
    with pytest.raises(BlockedByPolicy, match="24 hours"):
        hot.send(*batch(ready, 3))


def test_a_flight_counts_what_it_has_signed_already(ready):
    hot = limited(ready, tokens=5, window=3600)
    assert len(hot.send_all([batch(ready, 1, 2), batch(ready, 3, 2), batch(ready, 5, 2)])) == 2
    with pytest.raises(BlockedByPolicy, match="6 tokens in 3600 s, above 5"):
        hot.send(*batch(ready, 5, 2))
    hot.send(*batch(ready, 5, 1))
    assert ready.supply() == 5
    assert hot._past is None


def test_what_is_open_counts_as_what_it_may_cost(ready, monkeypatch):
    hot = limited(ready)
    monkeypatch.setattr(ready.web3.provider.chain, "send", lambda raw: "0x" + "00" * 32)
    with pytest.raises(NotYetMined):
        hot.send(*batch(ready, 1, 3))
    (open_one,) = hot.transactions()
    assert hot.past() == [(int(open_one.most), 3, 0)]
    assert hot.past(open_one.nonce) == []  # a dearer version takes its place


@pytest.mark.slow
@pytest.mark.parametrize("days", [400, -400])
def test_no_jump_of_the_clock_changes_what_counts(ready, monkeypatch, days):
    hot = limited(ready, tokens=2, window=3600)
    now = time.time()
    for begin, end in ((0, 0), (days * 86400, 0), (0, days * 86400)):
        monkeypatch.setattr(time, "time", lambda begin=begin: now + begin)
        if not hot.transactions():
            hot.send(*batch(ready, 1, 2))
        monkeypatch.setattr(time, "time", lambda end=end: now + end)
        with pytest.raises(BlockedByPolicy, match="3 tokens"):
            hot.send(*batch(ready, 3))


def test_an_old_policys_file_is_taken_over_torn_line_and_all(ready):
    old = ready.folder / "keys/minter.signed.jsonl"
    now = ready.web3.eth.get_block("latest")["timestamp"]
    lines = [
        {"time": now - age, "most": str(10**17), "nonce": nonce}
        for nonce, age in ((7, 90_000), (8, 100), (0, 50))
    ]
    old.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"time": 17959')
    with pytest.raises(BlockedByPolicy, match="24 hours"):
        limited(ready, most_in_a_day=10**17).send(*batch(ready, 1))
    assert not old.exists()
    assert old.with_name("minter.signed.jsonl.taken").exists()
    hot = limited(ready)
    assert [one.wei for one in hot.past()] == [10**17] * 3
    hot.send(*batch(ready, 1))  # nonce 0: the old line gives way to the journal's
    assert [one.wei == 10**17 for one in hot.past()].count(True) == 2


def test_the_lock_is_given_back_when_the_book_cannot_be_read(ready, monkeypatch):
    def unreadable(*_):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(type(ready.catalog), "all", unreadable)
        with pytest.raises(NotWritten), ready.minter:
            pass
    assert not ready.minter._lock.held
    assert len(ready.mint()) == 4


FULL = """
import resource, signal, sys
from artmint.chain.journal import Journal
from artmint.chain.signers import Guarded
from artmint.chain.transaction import NotWritten
from artmint.mint import minter_policy, mint
from tests.studios import Studio
from artmint.chain.contract import contract_of
studio = Studio(sys.argv[1])
studio.contract = contract_of(studio.catalog, studio.web3, "demo")
hot = Journal(studio.catalog, studio.web3, Guarded(studio.who.minter, minter_policy(studio.contract)), patience=2)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = sum(path.stat().st_size for path in studio.folder.glob("catalog.sqlite*"))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
for room in (0, 4096, 20_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2 + room, hard))
    try:
        mint(hot, studio.contract, studio.drop, 4, 4)
    except NotWritten as refusal:
        print("refused")
    print(hot._lock.held, studio.supply())
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(len(mint(hot, studio.contract, studio.drop, 4, 4)), studio.supply())
"""


@pytest.mark.slow
def test_a_full_disk_refuses_in_a_sentence_and_room_is_all_it_needs(studio):
    "A real limit on the size of files: half a line can't be told from a whole one by whoever writes it."
    ready = studio.ready()  # in this process, whose database has half of its bytes in a file beside it
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", FULL, str(ready.folder)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment, cwd=ROOT)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[:2] == ["refused", "False 0"]
    assert lines[-1].endswith(" 16")
    assert ready.catalog.check_records() == []
    assert [one.state for one in ready.minter.transactions()] == ["confirmed"] * 4
