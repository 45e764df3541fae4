"The chain in a folder: torn, changed, full and shared."

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account
from web3.exceptions import MethodUnavailable

from artmint.chain.connect import connect
from artmint.chain.contract import contract_at
from artmint.chain.embedded import ChainDamaged, EmbeddedChain, TransactionRefused
from tests.studios import Studio

ROOT = Path(__file__).resolve().parents[2]


def fund(chain, count=1):
    for i in range(count):
        chain.fund("0x" + f"{i + 1:02x}" * 20, 7)


def hashes(web3):
    return [web3.eth.get_block(i)["hash"] for i in range(web3.eth.block_number + 1)]


def test_opening_again_gives_the_same_blocks(tmp_path):
    first = Studio(tmp_path).ready()
    first.mint()
    again = connect("embedded", tmp_path / "chain")
    assert hashes(again) == hashes(first.web3)
    assert again.eth.block_number >= 9
    assert contract_at(again, first.contract.address).functions.ownerOf(16).call() == first.who.treasury


@pytest.mark.slow
def test_a_reader_sees_what_another_process_mined(tmp_path):
    web3 = connect("embedded", tmp_path)
    program = "import sys; from artmint.chain.embedded import EmbeddedChain; EmbeddedChain(sys.argv[1]).fund('0x' + '22' * 20, 9)"
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, cwd=ROOT)
    assert web3.eth.get_balance("0x" + "22" * 20) == 9 * 10**9


@pytest.mark.parametrize("tail", [b'{"parent": "0x', b"\x00" * 20, b'{"parent": "0xab", "timestamp": 1}'])
def test_a_torn_last_line_is_cut_off(tmp_path, tail):
    fund(EmbeddedChain(tmp_path), 2)
    whole = (tmp_path / "blocks.jsonl").read_bytes()
    with open(tmp_path / "blocks.jsonl", "ab") as file:
        file.write(tail)
    chain = EmbeddedChain(tmp_path)
    assert (tmp_path / "blocks.jsonl").read_bytes() == whole + tail  # a reader leaves it
    chain.fund("0x" + "33" * 20, 1)
    lines = (tmp_path / "blocks.jsonl").read_bytes()
    assert lines.startswith(whole)
    assert [sorted(json.loads(line)) for line in lines.splitlines()] == [
        ["faucet", "parent", "timestamp"]
    ] * 3
    EmbeddedChain(tmp_path)


@pytest.mark.parametrize(
    "line, old, new",
    [
        (1, '"gwei": 7', '"gwei": 8'),
        (2, '"timestamp": 1', '"timestamp": 2'),
        (2, '"parent": "0x', '"parent": "0y'),
    ],
)
def test_a_changed_line_is_noticed(tmp_path, line, old, new):
    fund(EmbeddedChain(tmp_path), 4)
    lines = (tmp_path / "blocks.jsonl").read_text().splitlines(keepends=True)
    lines[line] = lines[line].replace(old, new)
    (tmp_path / "blocks.jsonl").write_text("".join(lines))
    with pytest.raises(ChainDamaged) as caught:
        EmbeddedChain(tmp_path)
    assert caught.value.line in (line + 1, line + 2)


def test_a_missing_line_is_noticed(tmp_path):
    fund(EmbeddedChain(tmp_path), 3)
    lines = (tmp_path / "blocks.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "blocks.jsonl").write_text(lines[0] + lines[2])
    with pytest.raises(ChainDamaged, match="Line 2"):
        EmbeddedChain(tmp_path)


@pytest.mark.slow
def test_writers_in_several_processes_take_turns(tmp_path):
    EmbeddedChain(tmp_path)
    program = "import sys; from artmint.chain.embedded import EmbeddedChain\nchain = EmbeddedChain(sys.argv[1])\nfor _ in range(8): chain.fund('0x' + '44' * 20, 1)"
    running = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT) for _ in range(3)]
    assert [each.wait(120) for each in running] == [0, 0, 0]
    assert connect("embedded", tmp_path).eth.get_balance("0x" + "44" * 20) == 24 * 10**9


def test_what_the_chain_refuses_leaves_no_trace(tmp_path):
    web3 = connect("embedded", tmp_path)
    account = Account.create()
    fields = {
        "nonce": 0,
        "to": account.address,
        "value": 0,
        "gas": 21000,
        "maxFeePerGas": 10**10,
        "maxPriorityFeePerGas": 1,
        "chainId": 31337,
    }
    with pytest.raises(TransactionRefused, match="afford"):
        web3.eth.send_raw_transaction(account.sign_transaction(fields).raw_transaction)
    web3.provider.chain.fund(account.address, 10**9)
    raw = account.sign_transaction(fields).raw_transaction
    web3.eth.send_raw_transaction(raw)
    before = (tmp_path / "blocks.jsonl").read_bytes()
    for bad in (
        raw,
        account.sign_transaction(fields | {"nonce": 5}).raw_transaction,
        account.sign_transaction(fields | {"nonce": 1, "chainId": 1}).raw_transaction,
        b"\x02junk",
    ):
        with pytest.raises(TransactionRefused):
            web3.eth.send_raw_transaction(bad)
    assert (tmp_path / "blocks.jsonl").read_bytes() == before
    assert web3.eth.block_number == 2
    assert web3.eth.send_raw_transaction(account.sign_transaction(fields | {"nonce": 1}).raw_transaction)


def test_a_full_disk_leaves_the_chain_as_it_was(tmp_path, monkeypatch):
    chain = EmbeddedChain(tmp_path)
    fund(chain)
    before = chain.log.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="space"):
        fund(chain)
    monkeypatch.undo()
    assert chain.log.read_bytes() == before
    fund(chain)
    EmbeddedChain(tmp_path)


def test_nobody_has_an_account_on_it(tmp_path):
    web3 = connect("embedded", tmp_path)
    assert web3.eth.accounts == []
    with pytest.raises(MethodUnavailable):
        web3.eth.send_transaction({"to": "0x" + "11" * 20, "value": 1})


def test_what_a_call_takes_is_told_to_whoever_has_no_money(tmp_path):
    web3 = connect("embedded", tmp_path)
    question = {"from": "0x" + "12" * 20, "to": "0x" + "34" * 20, "data": "0x12"}
    gas = web3.eth.estimate_gas(question)
    assert 21_000 < gas < 22_000
    EmbeddedChain(tmp_path).fund(question["from"], 10**9)
    assert web3.eth.estimate_gas(question) == gas


WANTS_100000 = "0x601080600b6000396000f3620186a05a10600a57005b60006000fd"


def test_what_needs_more_than_it_uses_gets_an_estimate_with_which_it_runs(tmp_path):
    "A contract that refuses whoever calls it with less than 100,000 units left, and then uses next to nothing."
    web3 = connect("embedded", tmp_path)
    account = Account.create()
    EmbeddedChain(tmp_path).fund(account.address, 10**9)
    offered = {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1, "chainId": web3.eth.chain_id, "value": 0}

    def sent(nonce, **call):
        signed = account.sign_transaction({**offered, "nonce": nonce, **call})
        return web3.eth.wait_for_transaction_receipt(web3.eth.send_raw_transaction(signed.raw_transaction))

    address = sent(0, gas=200_000, data=WANTS_100000).contractAddress
    gas = web3.eth.estimate_gas({"from": account.address, "to": address})
    assert 121_000 < gas < 130_000
    receipt = sent(1, gas=gas, to=address)
    assert receipt.status == 1 and receipt.gasUsed < 22_000
