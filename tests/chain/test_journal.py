"The journal: before anything is sent, and after an answer was lost."

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from artmint import mint as room
from artmint.chain.embedded import TransactionRefused
from artmint.chain.transaction import (
    GasPriceAboveCeiling,
    KeyUsedElsewhere,
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
