"Minting, broken on purpose: a few schedules of `make faults`, and single faults looked at closely."

from dataclasses import replace

import pytest

from artmint.chain.connect import connect
from artmint.chain.journal import Journal
from artmint.chain.networks import ORACLE, BadDepth, horizon
from artmint.chain.preflight import WindowSpent
from artmint.chain.transaction import (
    GasPriceAboveCeiling,
    NodeBehind,
    NotYetMined,
    OutOfGasMoney,
    fields_of,
)
from artmint.mint import _batch, mint, stamp_drop
from tests.conftest import node_tool
from tests.nodes import Studio
from tests.studios import Studio as Embedded
from tests.suites import some

from .disks import can_mount
from .founding import founding
from .proxy import Proxy
from .schedule import Outcome, schedule

# Schedules. Without the full disk, for which one has to be able to mount: numbers mean the same everywhere


@pytest.fixture(scope="module")
def proxy():
    node_tool("anvil")
    proxy = Proxy()
    yield proxy
    proxy.end()


def assert_right(outcome: Outcome) -> None:
    "Nothing is wrong; else the schedule with its faults and ends is named."
    names = [fault.name for fault in outcome.faults]
    assert not outcome.wrong, f"schedule {outcome.number}: {names}, {outcome.ends}: {outcome.wrong}"


@pytest.mark.parametrize("number", some([2, 19], [19]))
def test_on_the_chain_in_a_folder(number):
    assert_right(schedule(number, None, disks=False))


@pytest.mark.slow
@pytest.mark.parametrize("number", some([25, 27], [27]))
def test_on_a_node(number, proxy):
    assert_right(schedule(number, proxy, disks=False))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(101, 121))
def test_more_on_the_chain_in_a_folder(number):
    assert_right(schedule(number, None, can_mount()))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(301, 342))
def test_more_on_a_node(number, proxy):
    assert_right(schedule(number, proxy, can_mount()))


# What stands above tokens: a contract, a commitment, an allowance, each once


@pytest.mark.slow
@pytest.mark.parametrize("number", some([9, 11], [9]))
def test_a_lost_catalog_and_two_hosts_make_one_contract(number):
    assert_right(founding(number, None))


@pytest.mark.slow
@pytest.mark.parametrize("number", [*range(1, 9), 10, 12, 13, 22, 24])
def test_more_that_found_in_a_folder(number):
    assert_right(founding(number, None))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(9, 31))
def test_more_that_found_on_a_node(number, proxy):
    assert_right(founding(number, proxy))


# A price that rises


@pytest.fixture
def studio(tmp_path, start_anvil):
    node = start_anvil("--order", "fifo")
    studio = Studio(tmp_path, node)
    studio.node = node
    node("anvil_mine", "0x5")
    return studio


def journal(studio, **limits):
    "The minter's journal, impatient."
    return Journal(
        studio.catalog, studio.web3, studio.minter.signer, **{"patience": 1, "bump": 0.1, **limits}
    )


def mine_at(node, fee):
    "A block with this base fee, in wei. Anvil makes none where it throws a transaction away meanwhile."
    node("anvil_setNextBlockBaseFeePerGas", hex(fee))
    newest = {}
    while newest.get("baseFeePerGas") != hex(fee):
        node("evm_mine")
        newest = node("eth_getBlockByNumber", "latest", False)


def kept(studio, name):
    "A field of all that the minter's journal keeps."
    return [getattr(transaction, name) for transaction in studio.minter.transactions()]


def left_behind(studio):
    "A batch that waits, and has become too cheap."
    studio.node("evm_setAutomine", False)
    with pytest.raises(NotYetMined):
        mint(journal(studio), studio.contract, studio.drop)
    mine_at(studio.node, 30 * 10**9)
    studio.node("evm_setAutomine", True)
    return studio.minter.transactions()[0]


def test_a_higher_price_keeps_the_nonce(studio):
    waiting = left_behind(studio)
    done = journal(studio, patience=5).reconcile()[0]
    assert (done.state, done.nonce, done.purpose) == ("confirmed", waiting.nonce, waiting.purpose)
    assert done.hash != waiting.hash
    assert done.earlier[0] == waiting.raw
    versions = [
        fields_of(raw) for raw in (*done.earlier, done.raw)
    ]  # two, unless this machine was slow to mine
    assert {version["nonce"] for version in versions} == {waiting.nonce}
    prices = [version["maxFeePerGas"] for version in versions]
    assert prices == sorted(set(prices))
    assert int(done.wei) <= int(done.most)
    assert studio.contract.functions.totalSupply().call() == 16
    assert studio.web3.eth.get_transaction_count(done.sender) == 1
    assert mint(journal(studio), studio.contract, studio.drop) == []
    assert len(studio.catalog.costs()) == 2 * (1 + 4)


def offers(studio):
    "What every version of the minter's first transaction offers for a unit of gas at most, in gwei."
    first = studio.minter.transactions()[0]
    return [fields_of(raw)["maxFeePerGas"] / 10**9 for raw in (*first.earlier, first.raw)]


def beyond_reach(studio):
    "A transaction that offers 20 gwei where the next block asks for 30, and the newest one shows less than one."
    studio.node("anvil_setNextBlockBaseFeePerGas", hex(30 * 10**9))
    with pytest.raises(NotYetMined, match="too cheap"):
        mint(journal(studio, ceiling=20), studio.contract, studio.drop)
    assert max(offers(studio)) == offers(studio)[-1] == 20


def test_a_price_that_jumps_with_the_next_block_is_reached_below_the_ceiling(studio):
    beyond_reach(studio)
    done = journal(studio, ceiling=35, patience=5).reconcile()[0]
    assert (done.state, offers(studio)[-1]) == ("confirmed", 35)
    assert int(done.wei) <= done.gas * 32 * 10**9  # base fee and tip, whatever was offered


@pytest.mark.slow
def test_a_purse_that_is_too_small_for_twice_as_much_offers_an_eighth_more(studio):
    beyond_reach(studio)
    first = studio.minter.transactions()[0]
    gas = fields_of(first.raw)["gas"]
    studio.node("anvil_setBalance", first.sender, hex(gas * 34 * 10**9))
    done = journal(studio, patience=20).reconcile()[0]
    assert done.state == "confirmed"
    assert 30 < offers(studio)[-1] < 34


@pytest.mark.slow
def test_no_price_above_the_ceiling(studio):
    waiting = left_behind(studio)
    with pytest.raises(NotYetMined):
        journal(studio, ceiling=20).reconcile()
    assert kept(studio, "hash") == [waiting.hash]
    with pytest.raises(NotYetMined):
        mint(journal(studio, ceiling=20), studio.contract, studio.drop)  # and nothing new beside it
    studio.node("anvil_mine", "0x28")  # empty blocks: the price falls
    assert journal(studio, ceiling=20).reconcile()[0].hash == waiting.hash


def test_a_ceiling_before_anything_is_signed(studio):
    mine_at(studio.node, 30 * 10**9)
    with pytest.raises(GasPriceAboveCeiling):
        mint(journal(studio, ceiling=20), studio.contract, studio.drop)
    assert studio.minter.transactions() == []


# Blocks that go


def test_a_reorg_moves_a_transaction_back_and_it_is_sent_again(studio):
    sent = mint(studio.minter, studio.contract, studio.drop, 8)
    assert [transaction.status for transaction in sent] == ["confirmed"] * 2
    studio.node("anvil_reorg", 3, [])
    assert studio.contract.functions.totalSupply().call() == 0
    again = studio.minter.update_finality()
    assert [transaction.hash for transaction in again] == [transaction.hash for transaction in sent]
    assert [transaction.status for transaction in again] == ["confirmed"] * 2
    assert studio.contract.functions.totalSupply().call() == 16
    history = studio.catalog.history("transaction", f"{studio.minter._prefix}0")
    assert [row["state"] for row in history][:4] == ["signed", "sent", "confirmed", "sent"]
    assert history[3]["answer"] == "gone with its block"
    assert history[-1]["block_hash"] != history[2]["block_hash"]
    for transaction in again:
        receipt = studio.web3.eth.get_transaction_receipt(transaction.hash)
        costs = studio.catalog.history("cost", f"mint/{transaction.hash}")
        recorded = sum(int(cost["amount"]) for cost in costs if cost["unit"].endswith("wei"))
        assert recorded == receipt["gasUsed"] * receipt["effectiveGasPrice"]


@pytest.mark.slow
def test_a_drop_is_stamped_at_the_depth_that_was_chosen(studio):
    mint(studio.minter, studio.contract, studio.drop, 8)
    assert stamp_drop(studio.minter, studio.contract, studio.drop, "latest").proven
    for depth in ("", "safe", "3"):
        assert not stamp_drop(studio.minter, studio.contract, studio.drop, depth).proven
    studio.node("anvil_mine", "0x3")
    assert stamp_drop(studio.minter, studio.contract, studio.drop, "3").proven
    assert not stamp_drop(studio.minter, studio.contract, studio.drop).proven
    studio.node("anvil_reorg", 6, [])
    young = stamp_drop(studio.minter, studio.contract, studio.drop, "3")
    assert (young.proven, young.tokens, young.waiting) == (False, 0, 2)  # sent again, in young blocks
    studio.node("anvil_mine", "0x28")
    assert [transaction.status for transaction in studio.minter.update_finality()] == ["safe"] * 2
    assert not stamp_drop(studio.minter, studio.contract, studio.drop).proven
    studio.node("anvil_mine", "0x64")
    assert stamp_drop(studio.minter, studio.contract, studio.drop).proven
    assert kept(studio, "status") == ["finalized"] * 2
    assert studio.minter.update_finality() == []
    stamps = studio.catalog.history("stamp", "demo/1@31337")
    assert (stamps[-1]["depth"], stamps[-1]["proven"]) == ("finalized", True)
    with pytest.raises(BadDepth):
        stamp_drop(studio.minter, studio.contract, studio.drop, "deep")


def test_the_horizon_of_a_node_without_finality(studio):
    seen = horizon(studio.web3)
    assert seen.finalized == -1
    assert seen.depth(seen.latest) == "latest"


# Flights


@pytest.mark.slow
def test_batches_go_out_together(studio):
    studio.node("evm_setAutomine", False)
    studio.node("evm_setIntervalMining", 1)
    sent = mint(studio.minter, studio.contract, studio.drop, 2, 2)
    assert [transaction.nonce for transaction in sent] == list(range(8))
    assert len({transaction.block for transaction in sent}) <= 3


def test_a_flight_is_no_larger_than_purse_and_window(studio):
    ask, minter = studio.contract.functions, studio.minter.signer.address
    studio.admin.send(ask.setAllowance(minter, 16, 5, 600), {"verb": "setAllowance"})
    with pytest.raises(WindowSpent):
        mint(studio.minter, studio.contract, studio.drop, 2, 2)
    assert ask.totalSupply().call() == 4
    assert kept(studio, "state") == ["confirmed"] * 2


@pytest.mark.slow
def test_no_flight_is_signed_that_l1_makes_too_dear(tmp_path, start_anvil, predeploys):
    node = start_anvil("--chain-id", "8453")
    node("anvil_setCode", ORACLE, predeploys["GasPriceOracle"])
    studio = Studio(tmp_path, node)
    call = _batch(studio.contract, studio.drop, 1, 16, 16)
    gas = call[0].estimate_gas({"from": studio.minter.signer.address}) * 6 // 5
    fee = 2 * studio.web3.eth.get_block("latest")["baseFeePerGas"] + studio.web3.eth.max_priority_fee
    node.fund(studio.minter.signer.address, gas * fee + 1000)  # the gas, and next to nothing for L1
    with pytest.raises(OutOfGasMoney) as caught:
        studio.minter.send(*call)
    assert caught.value.needed > gas * fee + 16 * 7_000_000 * 200
    assert studio.minter.transactions() == []


# Nodes that lag, and clients that are wrong


def test_a_node_that_is_behind_the_journal(tmp_path, node, between):
    studio = Studio(tmp_path, node)
    mint(studio.minter, studio.contract, replace(studio.drop, quantity=16), 8)

    def one_less(method, answer):
        if method != "eth_getTransactionCount":
            return None
        return {**answer, "result": hex(int(answer["result"], 16) - 1)}

    late = between(one_less)
    hot = Journal(studio.catalog, connect(late.address, tmp_path), studio.minter.signer, patience=2)
    with pytest.raises(NodeBehind) as caught:
        hot.send(studio.contract.functions.nextToken(), {"verb": "nextToken"})
    assert (caught.value.mined, caught.value.seen) == (1, 2)
    assert len(studio.minter.transactions()) == 2


def test_a_client_that_repeats_everything_mints_nothing_twice(tmp_path):
    """It keeps no book, takes a fresh nonce for each try, and sends every batch three times.

    The contract compares, and swaps once.
    """
    ready = Embedded(tmp_path).ready()
    ask, mint_batch = ready.web3.eth, ready.contract.functions.mintBatch
    fees = {"maxFeePerGas": 3 * 10**9, "maxPriorityFeePerGas": 10**9, "gas": 300_000}
    results = []
    for first in (1, 1, 1, 5, 5, 5, 1, 9, 13, 13, 9):
        nonce = ask.get_transaction_count(ready.who.minter.address)
        fields = {"from": ready.who.minter.address, "nonce": nonce, "value": 0, "chainId": 31337, **fees}
        _, raw = ready.who.minter.sign(mint_batch(first, 4, 4).build_transaction(fields))
        results.append(ask.get_transaction_receipt(ask.send_raw_transaction(raw))["status"])
    assert results == [1, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0]
    assert ready.supply() == 16
    owners = {ready.contract.functions.ownerOf(number).call() for number in range(1, 17)}
    assert owners == {ready.who.treasury}
    assert ready.contract.functions.balanceOf(ready.who.treasury).call() == 16
