"A journal from the chain: what was lost is read back, and nothing is signed before somebody has looked."

import pytest
from eth_account import Account
from web3.exceptions import Web3RPCError

from artmint.chain.admin import deploy
from artmint.chain.journal import Journal, JournalBehind
from artmint.chain.rebuild import (
    collection_of,
    journal_checks,
    key_history,
    purpose_of,
    signed_bytes,
    studio_contracts,
    write_history,
)
from artmint.chain.stuck import ClosedKey
from artmint.mint import mint
from artmint.studio.catalog import Catalog
from tests.studios import DEMO, Drop

DROPS = {("demo", 1): 1}


def closed(studio, signer, folder):
    "The journal of a key that stays closed, in another catalog."
    return Journal(Catalog(folder), studio.web3, ClosedKey(signer.address, signer.lock), patience=2)


def told(journal):
    "What a journal says of its transactions, without what was seen on the way."
    return [one.model_dump(exclude={"most", "answer", "depth"}) for one in journal.transactions()]


def send_outside(web3, account, nonce, **fields):
    "A transaction of nothing to oneself that no journal knows."
    transaction = {
        "to": account.address,
        "value": 0,
        "gas": 21_000,
        "chainId": 31337,
        "nonce": nonce,
        **fields,
    }
    web3.eth.send_raw_transaction(account.sign_transaction(transaction).raw_transaction)


@pytest.fixture
def minted(ready):
    ready.mint()
    return ready


def test_lost_journals_come_back_as_they_were(minted, tmp_path):
    contracts = {minted.contract.address: "demo"}
    for signer, kept in ((minted.who.admin, minted.admin), (minted.who.minter, minted.minter)):
        lost = closed(minted, signer, tmp_path / "lost")
        history = key_history(lost, contracts, DROPS)
        assert lost.transactions() == []  # it was only said
        assert [row.nonce for row in history.rows] == list(range(len(kept.transactions())))
        write_history(lost, history)
        assert told(lost) == told(kept)
        assert lost.known == len(kept.transactions())
        assert key_history(lost, contracts, DROPS).whole
    assert {(line["key"], line["unit"], line["amount"]) for line in lost.catalog.costs()} >= {
        (line["key"], line["unit"], line["amount"]) for line in minted.catalog.costs()
    }


@pytest.mark.slow
def test_an_older_journal_gets_what_it_lacks_and_goes_on(minted, tmp_path):
    old = closed(minted, minted.who.minter, tmp_path / "old")
    for one in minted.minter.transactions()[:2]:
        old._keep(one)
    with pytest.raises(JournalBehind) as caught:
        Journal(old.catalog, minted.web3, minted.who.minter).send(
            minted.contract.functions.mintBatch(16, 1, 1), {"verb": "mintBatch"}
        )
    assert (caught.value.mined, caught.value.known) == (4, 2)
    history = key_history(old, {minted.contract.address: "demo"}, DROPS)
    assert [row.nonce for row in history.rows] == [2, 3]
    write_history(old, history)
    assert told(old) == told(minted.minter)
    assert mint(Journal(old.catalog, minted.web3, minted.who.minter), minted.contract, minted.drop) == []


@pytest.mark.slow
def test_what_was_made_outside_is_counted_and_gets_no_line(minted, tmp_path):
    account = Account.from_key(minted.who.minter._account.key)
    fees = {"maxFeePerGas": 3 * 10**9, "maxPriorityFeePerGas": 10**9}
    send_outside(minted.web3, account, 4, **fees)
    assert {row[1] for row in journal_checks(minted.catalog, minted.web3)} == {"held", "failed"}
    history = key_history(minted.minter, {minted.contract.address: "demo"}, DROPS)
    assert (history.rows, history.outside, history.unread) == ((), (4,), ())
    assert "1 made outside of artmint: nonces 4" in "\n".join(history.lines)
    write_history(minted.minter, history)
    assert (minted.minter.known, len(minted.minter.transactions())) == (5, 4)
    assert {row[1] for row in journal_checks(minted.catalog, minted.web3)} == {"held"}
    send_outside(minted.web3, account, 5, **fees)
    with pytest.raises(JournalBehind):
        minted.minter.send(minted.contract.functions.mintBatch(17, 1, 1), {"verb": "mintBatch"})


@pytest.mark.slow
def test_a_node_that_keeps_no_old_states_is_asked_for_events(minted, tmp_path, monkeypatch):
    ask, height = minted.web3.eth.get_transaction_count, minted.web3.eth.block_number

    def pruned(address, block="latest"):
        if isinstance(block, int) and block < height:
            raise Web3RPCError("missing trie node")
        return ask(address, block)

    monkeypatch.setattr(minted.web3.eth, "get_transaction_count", pruned)
    contracts = {minted.contract.address: "demo"}
    for signer, kept in ((minted.who.admin, minted.admin), (minted.who.minter, minted.minter)):
        lost = closed(minted, signer, tmp_path / "lost")
        history = key_history(lost, contracts, DROPS)
        write_history(lost, history)
        assert told(lost) == told(kept)
    monkeypatch.setattr(minted.web3.eth, "get_logs", lambda _: [])
    silent = key_history(closed(minted, minted.who.minter, tmp_path / "silent"), contracts, DROPS)
    assert (silent.rows, silent.unread, silent.why) == ((), (0, 1, 2, 3), "Web3RPCError")
    assert "4 not told by the node" in "\n".join(silent.lines)


def test_a_line_that_was_called_replaced_is_found_to_be_ours(minted, tmp_path):
    "Two hosts with one key: this one's version of the nonce lost against the other's."
    mine = closed(minted, minted.who.minter, tmp_path / "here")
    other = minted.minter.transactions()[0]
    raw = minted.who.minter.sign(
        {
            "chainId": 31337,
            "nonce": 0,
            "to": minted.contract.address,
            "value": 0,
            "data": "0x",
            "gas": 50_000,
            "maxFeePerGas": 10**9,
            "maxPriorityFeePerGas": 1,
        }
    )
    mine._keep(other, state="replaced", hash=raw[0], raw=raw[1], block=other.block, gas=None, wei=None)
    history = key_history(mine, {minted.contract.address: "demo"}, DROPS)
    assert [row.nonce for row in history.rows] == [0, 1, 2, 3]
    write_history(mine, history)
    first = mine.transactions()[0]
    assert (first.state, first.hash, first.wei) == ("confirmed", other.hash, other.wei)
    assert raw[1] in first.earlier


@pytest.mark.slow
def test_what_a_reorg_took_beyond_finality_is_sent_again(tmp_path, start_anvil):
    from tests.nodes import Studio as OnNode

    node = start_anvil("--order", "fifo")
    studio = OnNode(tmp_path, node)
    node("anvil_mine", "0x64")
    mint(studio.minter, studio.contract, studio.drop, 8)
    node("anvil_mine", "0x46")
    assert {one.status for one in studio.minter.update_finality()} == {"finalized"}
    node("anvil_reorg", 72, [])
    assert studio.contract.functions.totalSupply().call() == 0
    history = key_history(studio.minter, {studio.contract.address: "demo"}, DROPS)
    assert history.gone == (0, 1)
    write_history(studio.minter, history)
    assert studio.contract.functions.totalSupply().call() == 16
    assert mint(studio.minter, studio.contract, studio.drop, 8) == []


def test_the_bytes_of_a_mined_transaction_are_put_together_again(minted):
    eth = minted.web3.eth
    for one in minted.admin.transactions() + minted.minter.transactions():
        assert signed_bytes(eth.get_transaction(one.hash)) == one.raw
    account = Account.create()
    minted.web3.provider.chain.fund(account.address, 10**9)
    send_outside(minted.web3, account, 0, gasPrice=3 * 10**9)
    sent = eth.get_block("latest", True)["transactions"][0]
    old = signed_bytes(eth.get_transaction(sent["hash"]))
    assert Account.recover_transaction(old) == account.address
    assert purpose_of(minted.web3, eth.get_transaction(sent["hash"]), {}, {}) is None


@pytest.mark.slow
def test_a_mint_is_the_newest_begun_drop_s(minted):
    "Of three drops, a batch belongs to the last one that begins at it or before it."
    drops = {("demo", 1): 1, ("demo", 5): 2, ("demo", 99): 3, ("other", 2): 4}
    contracts = {minted.contract.address: "demo"}
    sent = [minted.web3.eth.get_transaction(one.hash) for one in minted.minter.transactions()]
    told = [purpose_of(minted.web3, one, contracts, drops) for one in sent]
    assert [(one["first"], one["drop"]) for one in told] == [
        (first, 1 if first < 5 else 2) for first in (one["first"] for one in told)
    ]
    assert {one["drop"] for one in told} == {1, 2}


@pytest.mark.slow
def test_whose_contract_it_is_is_said_by_its_drops(minted, tmp_path):
    drops = [Drop(word="another"), minted.drop]
    assert collection_of(minted.contract, drops) == "demo"
    assert collection_of(minted.contract, drops[:1]) == ""
    assert collection_of(minted.contract, [], [DEMO]) == "demo"
    empty = Catalog(tmp_path / "empty")
    people = [minted.who.admin.address]
    assert studio_contracts(empty, minted.web3, people, drops) == ({minted.contract.address: "demo"}, "")
    assert studio_contracts(empty, minted.web3, [minted.who.minter.address]) == (
        {minted.contract.address: ""},
        "",
    )


def test_the_key_stays_closed(minted, tmp_path):
    with pytest.raises(NotImplementedError, match="closed"):
        closed(minted, minted.who.admin, tmp_path / "lost").signer.signature(bytes(32))
    lost = closed(minted, minted.who.admin, tmp_path / "lost")
    with pytest.raises(JournalBehind):
        deploy(lost, DEMO, minted.who.treasury, beside=minted.contract.address)
