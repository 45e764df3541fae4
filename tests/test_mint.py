"Chain, journal and mint: once, within limits, whatever breaks."

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st
from web3.exceptions import MethodUnavailable

from artmint.chain import admin as admin_room
from artmint.chain import journal as journal_room
from artmint import mint as room
from artmint.core.collection import example
from artmint.ipfs.cid import CID
from artmint.studio.catalog import Catalog
from artmint.chain.connect import WrongChain, connect
from artmint.chain.embedded import ChainDamaged, EmbeddedChain, TransactionRefused
from artmint.studio.files import write_new
from artmint.chain.contract import ForeignCode, content_root, contract_at, contract_of
from artmint.chain.journal import Journal
from artmint.chain.transaction import (
    FeeAboveCeiling,
    KeyUsedElsewhere,
    NotYetMined,
    OutOfGasMoney,
    RefusedByContract,
    Reverted,
    SenderBusy,
)
from artmint.seeds import load_collection
from artmint.chain.preflight import AllowanceTooSmall, BadBatchSize, NotCommitted, Paused, mint_plan
from artmint.chain.signers import KeystoreSigner, MissingKey, WrongPassphrase, new_keystore

ROOT = Path(__file__).resolve().parents[1]
DEMO = load_collection(example())
FAST = 2**4  # scrypt's cost of keys in tests


@dataclass(frozen=True)
class Token:
    id: int
    file_digest: str
    metadata_digest: str


@dataclass(frozen=True)
class Drop:
    "A manifest, as far as minting reads it."

    first: int = 1
    quantity: int = 16
    drop: int = 1
    word: str = "a"
    collection: str = "demo"

    @property
    def root(self):
        return str(CID(0x70, hashlib.sha256(self.word.encode()).digest()))

    @property
    def tokens(self):
        ids = range(self.first, self.first + self.quantity)
        return [Token(id, self._digest("image", id), self._digest("json", id)) for id in ids]

    def _digest(self, *facts):
        return hashlib.sha256(repr((self.word, *facts)).encode()).hexdigest()


class Studio:
    "A studio that is ready to mint."

    def __init__(self, folder, drop=None, **limits):
        self.folder = Path(folder)
        self.drop = drop or Drop()
        self.web3, self.catalog = connect("embedded", self.folder / "chain"), Catalog(self.folder)
        self.who = admin_room.parties(self.web3, self.folder / "keys", rounds=FAST)
        self.admin, self.minter = (
            Journal(self.catalog, self.web3, signer, patience=2, **limits)
            for signer in (self.who.admin, self.who.minter)
        )

    def ready(self, allowance=16):
        self.contract = admin_room.deploy(self.admin, DEMO, self.who.treasury)
        admin_room.commit_drop(self.admin, self.contract, self.drop)
        admin_room.authorize(self.admin, self.contract, self.who.minter.address, allowance)
        return self

    def mint(self, batch=5):
        return room.mint(self.minter, self.contract, self.drop, batch, 5)

    def supply(self):
        return self.contract.functions.totalSupply().call()


@pytest.fixture
def studio(tmp_path):
    return Studio(tmp_path)


@pytest.fixture
def ready(studio):
    return studio.ready()


# The embedded chain


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


def test_another_chain_than_meant_is_refused(tmp_path):
    connect("embedded", tmp_path, 7)
    assert connect("embedded", tmp_path, 7).eth.chain_id == 7
    with pytest.raises(WrongChain):
        connect("embedded", tmp_path, 8)


def test_transactions_are_not_retried_by_web3():
    allowed = connect("http://127.0.0.1:9", Path()).provider.exception_retry_configuration.method_allowlist
    assert "eth_getTransactionReceipt" in allowed
    assert "eth_sendRawTransaction" not in allowed


def test_write_new_never_replaces(tmp_path):
    assert write_new(tmp_path / "a/b", b"1", 0o600)
    assert not write_new(tmp_path / "a/b", b"2")
    assert (tmp_path / "a/b").read_bytes() == b"1"
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o600
    assert os.listdir(tmp_path / "a") == ["b"]


# Keys


def test_keys_are_encrypted_and_their_owners_only(studio):
    for path in (studio.folder / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    stored = json.loads((studio.folder / "keys/minter.json").read_text())
    assert stored["crypto"]["kdf"] == "scrypt"
    assert "privatekey" not in json.dumps(stored).lower()
    addresses = {studio.who.admin.address, studio.who.minter.address, studio.who.treasury}
    assert len(addresses) == 3
    again = admin_room.parties(studio.web3, studio.folder / "keys", rounds=FAST)
    assert {again.admin.address, again.minter.address, again.treasury} == addresses


def test_keys_cost_what_wallets_take(tmp_path):
    new_keystore(tmp_path / "key.json", "word")
    assert json.loads((tmp_path / "key.json").read_text())["crypto"]["kdfparams"]["n"] == 2**18


def test_a_wrong_passphrase_and_a_missing_key(tmp_path):
    new_keystore(tmp_path / "key.json", "canary-word", FAST)
    with pytest.raises(WrongPassphrase) as caught:
        KeystoreSigner(tmp_path / "key.json", "canary-wrong")
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    (tmp_path / "junk.json").write_text("{}")
    with pytest.raises(WrongPassphrase):
        KeystoreSigner(tmp_path / "junk.json", "x")
    with pytest.raises(MissingKey):
        KeystoreSigner(tmp_path / "none.json", "x")


def test_no_keys_are_made_for_another_chain(tmp_path, studio):
    class Node:
        provider, eth = None, None

    with pytest.raises(MissingKey):
        admin_room.parties(Node, tmp_path / "other", "word", studio.who.treasury)
    assert not (tmp_path / "other").exists()


def test_secrets_are_written_nowhere_else(ready):
    ready.mint()
    signer = ready.who.minter
    secret = signer._account.key.hex()
    passphrase = (ready.folder / "keys/passphrase").read_text()
    assert secret not in repr(signer) + str(vars(signer)) + repr(ready.who)
    for path in ready.folder.rglob("*"):
        if path.is_file() and path.name != "passphrase":
            data = path.read_bytes().lower()
            assert secret.encode() not in data, path
            assert passphrase.lower().encode() not in data, path


# Once


def test_a_drop_is_minted_once(ready):
    assert [each.purpose["quantity"] for each in ready.mint()] == [5, 5, 5, 1]
    assert ready.mint() == []
    assert admin_room.commit_drop(ready.admin, ready.contract, ready.drop) is None
    assert ready.supply() == 16
    assert [ready.contract.functions.ownerOf(i).call() for i in range(1, 17)] == [ready.who.treasury] * 16
    assert len(ready.catalog.all("token", "demo/")) == 16
    assert (
        ready.catalog.get("token", "demo/16")["uri"]
        == ready.contract.functions.tokenURI(16).call()
        == f"ipfs://{ready.drop.root}/16.json"
    )
    before = ready.web3.eth.block_number
    Studio(ready.folder).ready().mint()
    assert ready.web3.eth.block_number == before


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


def test_a_batch_that_somebody_else_minted(ready, monkeypatch):
    "Between plan and transaction the other operator's batch is mined: the contract refuses ours, and those behind it in the flight fit again."
    other = ready.web3.provider.chain
    prepared = journal_room._prepared

    def late(journal, calls):
        fields = prepared(journal, calls)
        if calls[0][1]["verb"] == "mintBatch":
            monkeypatch.undo()
            rival = Account.create()
            other.fund(rival.address, 10**9)
            admin_room.authorize(ready.admin, ready.contract, rival.address, 5)
            theirs = ready.contract.functions.mintBatch(1, 5, 0).build_transaction(
                {"from": rival.address, "nonce": 0, "maxFeePerGas": 3 * 10**9, "maxPriorityFeePerGas": 1}
            )
            ready.web3.eth.send_raw_transaction(rival.sign_transaction(theirs).raw_transaction)
        return fields

    monkeypatch.setattr(journal_room, "_prepared", late)
    with pytest.raises(Reverted, match="reverted"):
        ready.mint()
    assert ready.supply() == 16
    assert [each.state for each in ready.minter.transactions()] == ["reverted"] + ["confirmed"] * 3
    assert ready.mint() == []
    assert len(ready.catalog.all("token", "demo/")) == 16


def test_two_operators(ready):
    program = textwrap.dedent("""
        import sys; sys.path.insert(0, sys.argv[2])
        from tests.test_mint import Studio
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


def refused(studio, refusal, call):
    "The call is refused, and neither journal nor chain has anything new."
    before = studio.web3.eth.block_number, len(studio.minter.transactions() + studio.admin.transactions())
    with pytest.raises(refusal) as caught:
        call()
    assert (
        studio.web3.eth.block_number,
        len(studio.minter.transactions() + studio.admin.transactions()),
    ) == before
    return caught.value


def test_not_committed(studio):
    studio.contract = admin_room.deploy(studio.admin, DEMO, studio.who.treasury)
    admin_room.authorize(studio.admin, studio.contract, studio.who.minter.address, 16)
    assert refused(studio, NotCommitted, studio.mint).committed == 0


def test_allowance_too_small(studio):
    studio.ready(allowance=15)
    found = refused(studio, AllowanceTooSmall, studio.mint)
    assert (found.left, found.wanted) == (15, 16)


def test_role_missing(ready):
    call = ready.contract.functions.revokeRole(
        ready.contract.functions.MINTER_ROLE().call(), ready.who.minter.address
    )
    ready.admin.send(call, {"verb": "revokeRole"})
    assert refused(ready, admin_room.RoleMissing, ready.mint).role == "minter"


def test_a_role_revoked_in_mid_run(ready):
    def revoke(done, total):
        if done == 5:
            ready.admin.send(
                ready.contract.functions.revokeRole(
                    ready.contract.functions.MINTER_ROLE().call(), ready.who.minter.address
                ),
                {"verb": "revokeRole"},
            )

    with pytest.raises(RefusedByContract, match="AccessControlUnauthorizedAccount"):
        room.mint(ready.minter, ready.contract, ready.drop, 5, 5, revoke, flight=1)
    assert ready.supply() == 5
    admin_room.authorize(ready.admin, ready.contract, ready.who.minter.address, 16)
    assert len(ready.mint()) == 3
    assert ready.supply() == 16


def test_paused(ready):
    ready.admin.send(
        ready.contract.functions.grantRole(
            ready.contract.functions.PAUSER_ROLE().call(), ready.who.admin.address
        ),
        {"verb": "grantRole"},
    )
    ready.admin.send(ready.contract.functions.pause(), {"verb": "pause"})
    refused(ready, Paused, ready.mint)


def test_the_minter_is_no_admin(ready):
    refused(
        ready,
        admin_room.RoleMissing,
        lambda: admin_room.commit_drop(ready.minter, ready.contract, Drop(17, 1, 2)),
    )
    refused(
        ready,
        admin_room.RoleMissing,
        lambda: admin_room.authorize(ready.minter, ready.contract, ready.who.minter.address, 99),
    )
    refused(
        ready,
        RefusedByContract,
        lambda: ready.minter.send(
            ready.contract.functions.setTreasury(ready.who.minter.address), {"verb": "setTreasury"}
        ),
    )


@pytest.mark.parametrize("word, first, quantity", [("b", 1, 16), ("a", 1, 15), ("a", 2, 15)])
def test_another_commitment(ready, word, first, quantity):
    refused(
        ready,
        admin_room.CommittedElsewise,
        lambda: admin_room.commit_drop(ready.admin, ready.contract, Drop(first, quantity, word=word)),
    )
    refused(
        ready,
        admin_room.CommittedElsewise,
        lambda: room.mint(ready.minter, ready.contract, Drop(first, quantity, word=word)),
    )


def test_drops_come_in_order(tmp_path):
    studio = Studio(tmp_path, Drop(1, 4)).ready()
    second = Drop(5, 4, 2, "b")
    assert (
        refused(
            studio,
            admin_room.EarlierDropOpen,
            lambda: admin_room.commit_drop(studio.admin, studio.contract, Drop(6, 4, 2)),
        ).expected
        == 5
    )
    admin_room.commit_drop(studio.admin, studio.contract, second)
    assert (
        refused(
            studio, admin_room.EarlierDropOpen, lambda: room.mint(studio.minter, studio.contract, second)
        ).expected
        == 1
    )
    studio.mint()
    room.mint(studio.minter, studio.contract, second)
    assert studio.supply() == 8
    assert studio.contract.functions.tokenURI(5).call() == f"ipfs://{second.root}/5.json"


@pytest.mark.parametrize("batch", [0, -1, 101])
def test_batch_size(ready, batch):
    refused(ready, BadBatchSize, lambda: ready.mint(batch))


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
    refused(studio, FeeAboveCeiling, studio.ready)


def test_the_key_is_used_elsewhere(ready, monkeypatch):
    count = ready.web3.eth.get_transaction_count
    monkeypatch.setattr(
        ready.web3.eth,
        "get_transaction_count",
        lambda address, block=None: count(address) + (block == "pending"),
    )
    refused(ready, KeyUsedElsewhere, ready.mint)


def test_the_node_changes_chain_in_mid_run(ready, tmp_path_factory):
    other = connect("embedded", tmp_path_factory.mktemp("other"))
    other.provider.chain.fund(ready.who.minter.address, 10**9)
    ready.minter.web3 = other
    refused(
        ready,
        WrongChain,
        lambda: ready.minter.send(ready.contract.functions.mintBatch(1, 1, 0), {"verb": "mintBatch"}),
    )
    assert other.eth.get_transaction_count(ready.who.minter.address) == 0


def test_a_record_from_another_chain_with_the_same_id(ready, tmp_path_factory):
    other = connect("embedded", tmp_path_factory.mktemp("other"))
    with pytest.raises(WrongChain):
        contract_of(ready.catalog, other, "demo")
    assert contract_of(ready.catalog, ready.web3, "demo").address == ready.contract.address
    assert contract_of(ready.catalog, ready.web3, "none") is None


def test_foreign_code(ready):
    for address in (ready.who.treasury, "0x" + "11" * 20):
        with pytest.raises(ForeignCode):
            contract_at(ready.web3, address)


# The plan and the roots


def test_the_plan_sends_nothing(ready):
    before = ready.web3.eth.block_number
    plan = mint_plan(ready.contract, ready.who.minter.address, ready.drop, 5)
    assert plan.batches == ((1, 5), (6, 5), (11, 5), (16, 1))
    assert plan.problems == ()
    assert plan.minted == 0
    assert plan.left == 16
    spent = sum(each.gas for each in ready.mint())
    assert before + 4 == ready.web3.eth.block_number
    assert spent <= plan.gas <= 2 * spent
    done = mint_plan(ready.contract, ready.who.minter.address, ready.drop, 5)
    assert (done.batches, done.minted, done.problems, done.gas) == ((), 16, (), 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 1000))
def test_every_proof_leads_to_the_root(quantity, first):
    from eth_utils import keccak

    tokens = Drop(first, quantity).tokens
    root, proofs = content_root(1, "0x" + "11" * 20, tokens)
    assert set(proofs) == set(range(first, first + quantity))
    leaves = {id: content_root(1, "0x" + "11" * 20, [token])[0] for id, token in zip(proofs, tokens)}
    for id, proof in proofs.items():
        node = leaves[id]
        for sibling in proof:
            node = keccak(min(node, sibling) + max(node, sibling))
        assert node == root
    assert root not in (
        content_root(2, "0x" + "11" * 20, tokens)[0],
        content_root(1, "0x" + "12" * 20, tokens)[0],
    )


def test_the_contract_proves_every_token(ready):
    _, proofs = content_root(31337, ready.contract.address, ready.drop.tokens)
    for token in ready.drop.tokens:
        image = bytes.fromhex(token.file_digest)
        text = bytes.fromhex(token.metadata_digest)
        assert ready.contract.functions.verifyToken(token.id, image, text, proofs[token.id]).call()
        assert not ready.contract.functions.verifyToken(
            token.id % 16 + 1, image, text, proofs[token.id]
        ).call()


@pytest.mark.slow
def test_no_secret_in_anything_that_a_mint_leaves_behind(minted, tmp_path, start_anvil):
    "A passphrase, a key, and a node's address with a password in it: the notebook runs with them, and they are in no cell, output, picture, archive, record or log."
    import shutil

    from PIL import Image

    studio = tmp_path / "studio"
    word = "canary-passphrase"
    node = start_anvil("--chain-id", "11155111")
    shutil.copytree(minted[0], studio, ignore=shutil.ignore_patterns("keys", "chain", "catalog.sqlite*"))
    shutil.copy(minted[0] / "catalog.sqlite", studio)
    secrets = [word, "canary-node"]
    for name in ("admin", "minter"):
        account = Account.create()
        write_new(
            studio / f"keys/{name}.json", json.dumps(account.encrypt(word, "scrypt", FAST)).encode(), 0o600
        )
        node.fund(account.address)
        secrets.append(account.key.hex())
    values = {
        "studio": str(studio),
        "collection": str(ROOT / "tests/data/tiny"),
        "chain": "sepolia",
        "treasury": Account.create().address,
    }
    program = "import json, sys, papermill; papermill.execute_notebook('nbs/30_mint.ipynb', sys.argv[1], json.loads(sys.argv[2]), cwd='nbs', log_output=True)"
    hidden = {
        "ARTMINT_PASSPHRASE": word,
        "ARTMINT_RPC_SEPOLIA": f"http://reader:canary-node@127.0.0.1:{node.port}/",
    }
    command = [sys.executable, "-c", program, str(studio / "mint.ipynb"), json.dumps(values)]
    kept = {"capture_output": True, "text": True, "timeout": 600, "check": False}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | hidden, **kept)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 tokens at 11155111" in (studio / "mint.ipynb").read_text()
    texts = {"streams": done.stdout + done.stderr}
    for path in (path for path in studio.rglob("*") if path.is_file()):
        texts[str(path)] = path.read_bytes().decode("latin-1")
        if texts[str(path)].startswith("\x89PNG"):
            texts[f"{path} chunks"] = repr(Image.open(path).text)
    assert sum("chunks" in name for name in texts) >= 2
    assert [
        (name, secret[:6])
        for name, text in texts.items()
        for secret in secrets
        if secret.lower() in text.lower()
    ] == []


# Killed


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from artmint.chain import embedded as chain
from artmint.chain import journal
from artmint import mint
from artmint.chain import signers
from tests.test_mint import Studio

owner, name, when = {"before_journal": (signers.KeystoreSigner, "sign", "after"), "in_journal": (journal.Journal, "_keep_all", "after"), "before_append": (chain.BlockLog, "append", "before"),
                     "after_append": (chain.BlockLog, "append", "after"), "after_send": (chain.EmbeddedChain, "send", "after"), "before_costs": (journal, "_settled", "before"),
                     "after_confirmed": (journal, "_settled", "after"), "before_token": (mint, "_record", "before"), "after_token": (mint, "_record", "after")}[sys.argv[3]]
original, left = getattr(owner, name), [int(sys.argv[4])]

def wrapped(*args, **kwargs):
    left[0] -= 1
    if when == "before" and not left[0]: os.kill(os.getpid(), 9)
    result = original(*args, **kwargs)
    if when == "after" and not left[0]: os.kill(os.getpid(), 9)
    return result

setattr(owner, name, wrapped)
Studio(sys.argv[1]).ready().mint()
"""
CALLS = {  # at which of a function's calls the process is killed
    "before_journal": (5,),
    "in_journal": (1, 13, 14, 15),
    "before_append": (3, 8),
    "after_append": (1, 3, 8),
    "after_send": (6,),
    "before_costs": (1, 5),
    "after_confirmed": (1, 5),
    "before_token": (2,),
    "after_token": (2,),
}
POINTS = [(place, nth) for place, calls in CALLS.items() for nth in calls]
SHORT = [
    ("before_journal", 5),
    ("in_journal", 13),
    ("after_append", 3),
    ("after_send", 6),
    ("after_confirmed", 1),
    ("after_token", 2),
]  # one of each state; the others are in the long suite


@pytest.mark.parametrize(
    "place, nth",
    [pytest.param(*point, marks=() if point in SHORT else pytest.mark.slow) for point in POINTS],
    ids=lambda value: str(value),
)
def test_killed_at_any_point_and_run_again(tmp_path, place, nth):
    "SIGKILL at every state, then an ordinary run: the planned supply, one contract, every nonce used once."
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(ROOT / "tests"), place, str(nth)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    studio = Studio(tmp_path).ready()
    studio.mint()
    assert studio.supply() == 16
    assert [studio.contract.functions.ownerOf(i).call() for i in range(1, 17)] == [studio.who.treasury] * 16
    assert studio.contract.functions.dropCount().call() == 1
    assert studio.web3.eth.get_transaction_count(studio.who.admin.address) == 4
    assert studio.web3.eth.get_transaction_count(studio.who.minter.address) == 4
    states = studio.admin.transactions() + studio.minter.transactions()
    assert [each.state for each in states] == ["confirmed"] * 8
    assert len({each.hash for each in states}) == 8
    assert len(studio.catalog.costs()) == 16
    assert len(studio.catalog.all("token", "demo/")) == 16
    assert sum(len(studio.catalog.history("token", f"demo/{i}")) for i in range(1, 17)) == 16
