"Chain, journal and mint: once, within limits, whatever breaks."

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account

from artmint import mint as room
from artmint.chain import admin as admin_room
from artmint.chain import journal as journal_room
from artmint.chain.admin import authorize
from artmint.chain.preflight import AllowanceTooSmall, mint_plan, outlook_lines, policy_foresight
from artmint.chain.signers import BlockedByPolicy
from artmint.chain.transaction import (
    GasPriceAboveCeiling,
    RefusedByContract,
    Reverted,
)
from artmint.studio.catalog import Catalog
from artmint.studio.files import write_new
from tests.studios import FAST, Studio, ready_in
from tests.suites import some

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def studio(tmp_path):
    return Studio(tmp_path)


@pytest.fixture
def ready(tmp_path):
    return ready_in(tmp_path)


# Keys


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


@pytest.mark.slow
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


# Refused before anything is sent


@pytest.mark.slow
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
from tests.studios import Studio

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
    ("in_journal", 13),
    ("after_send", 6),
]  # before the node has it and after; the other states are in the long suite


@pytest.mark.many(1)
@pytest.mark.parametrize("place, nth", some(POINTS, SHORT), ids=lambda value: str(value))
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


# The studio's own limits


def hot_of(studio, said):
    "The minter's journal, its policy as studio.toml says."
    (studio.folder / "studio.toml").write_text(f"[policy]\n{said}\n")
    return room.guarded_journal(studio.catalog, studio.contract, studio.who.minter)


def foreseen(studio, journal, batch=4):
    "How far the policy reaches, before anything is sent."
    plan = mint_plan(studio.contract, studio.who.minter.address, studio.drop, batch, 4)
    return policy_foresight(journal, studio.contract, plan, 4), outlook_lines(journal, studio.contract, plan)


@pytest.mark.slow
def test_tokens_in_a_window_are_foreseen_and_kept(ready):
    hot = hot_of(ready, "tokens = 10\nwindow = 3600")
    foresight, lines = foreseen(ready, hot)
    assert (foresight.batches, foresight.tokens, foresight.planned) == (2, 8, 4)
    assert (
        "2 of 4 batches may be signed now, 8 tokens; the next one would be 12 tokens in 3600 s, above 10"
        in lines[0]
    )
    with pytest.raises(BlockedByPolicy, match="12 tokens"):
        room.mint(hot, ready.contract, ready.drop, 4, 4)
    assert ready.supply() == 8
    assert foreseen(ready, hot)[0].batches == 0
    assert len(room.mint(hot_of(ready, "tokens = 16"), ready.contract, ready.drop, 4, 4)) == 2


def test_a_price_above_the_policys_is_foreseen(ready):
    hot = hot_of(ready, "gas_price = 0.000001")
    foresight, _ = foreseen(ready, hot)
    assert (foresight.batches, "a unit of gas" in foresight.reasons[0]) == (0, True)
    with pytest.raises(GasPriceAboveCeiling):
        room.mint(hot, ready.contract, ready.drop, 4, 4)
    assert ready.minter.transactions() == []


def test_a_day_counts_what_was_paid(ready):
    hot = hot_of(ready, "day = 0.5")
    room.mint(hot, ready.contract, ready.drop, 4, 4)
    paid = sum(int(one.wei) for one in hot.transactions())
    assert sum(one.wei for one in hot.past()) == paid < sum(int(one.most) for one in hot.transactions())
    assert hot.signer.policy.most_in_a_day == 5 * 10**17


def test_what_the_journal_lacks_is_said_before_anything_is_sent(ready, tmp_path):
    ready.mint()
    lost = room.guarded_journal(Catalog(tmp_path / "lost"), ready.contract, ready.who.minter)
    assert foreseen(ready, lost)[1][-1].endswith(
        "accounts for 0 of 4 transactions of the minter's key: artmint journal rebuild"
    )


@pytest.mark.slow
def test_tokens_that_a_reorg_took_and_nothing_brought_back_are_taken_back(studio):
    "A final block is gone with eleven of sixteen, and what was in it was given up."
    from artmint.studio.editions import token_of, minted_tokens

    studio.ready(allowance=5)
    with pytest.raises(AllowanceTooSmall):
        studio.mint(5)
    known = studio.catalog.get("token", "demo/5")
    for id in range(6, 17):
        studio.catalog.append("token", f"demo/{id}", {**known, "id": id})
    assert len(minted_tokens(studio.catalog, "demo")) == 16
    stamp = room.stamp_drop(studio.minter, studio.contract, studio.drop, "latest")
    assert (stamp.tokens, sorted(minted_tokens(studio.catalog, "demo"))) == (5, [1, 2, 3, 4, 5])
    assert token_of(studio.catalog, "demo", 6) is None
    room.stamp_drop(studio.minter, studio.contract, studio.drop, "latest")
    assert len(studio.catalog.history("token", "demo/6")) == 2
    authorize(studio.admin, studio.contract, studio.who.minter.address, 16)
    studio.mint(5)
    assert sorted(minted_tokens(studio.catalog, "demo")) == list(range(1, 17))
