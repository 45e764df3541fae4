"Minting, broken on purpose: a few schedules of `make faults`, and single faults looked at closely."

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import node_tool
from tests.chain.test_networks import Studio, between, predeploys  # noqa: F401 fixtures
from tests.test_mint import Studio as Embedded

from artmint.chain.connect import connect
from artmint.chain.networks import BadDepth, horizon
from artmint.chain.journal import Journal
from artmint.chain.transaction import (
    FeeAboveCeiling,
    NodeBehind,
    NotYetMined,
    OutOfGasMoney,
    RefusedByContract,
)
from artmint.mint import _batch, mint
from artmint.chain.networks import ORACLE
from artmint.mint import stamp_drop

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import faults

# Schedules. Without the full disk, for which one has to be able to mount, so that numbers mean the same everywhere


@pytest.fixture(scope="module")
def proxy():
    node_tool("anvil")
    proxy = faults.Proxy()
    yield proxy
    proxy.process.terminate()


def holds(row):
    assert not row["wrong"], (
        f"schedule {row['number']}: {[each.name for each in row['faults']]}, {row['ends']}: {row['wrong']}"
    )


@pytest.mark.parametrize("number", [2, 19])
def test_on_the_chain_in_a_folder(number):
    holds(faults.schedule(number, None, disks=False))


@pytest.mark.parametrize("number", [25, 27])
def test_on_a_node(number, proxy):
    holds(faults.schedule(number, proxy, disks=False))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(101, 121))
def test_more_on_the_chain_in_a_folder(number):
    holds(faults.schedule(number, None, faults.can_mount()))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(301, 342))
def test_more_on_a_node(number, proxy):
    holds(faults.schedule(number, proxy, faults.can_mount()))


# A price that rises


@pytest.fixture
def studio(tmp_path, start_anvil):
    node = start_anvil("--order", "fifo")
    studio = Studio(tmp_path, node)
    studio.node = node
    node("anvil_mine", "0x5")
    return studio


def journal(studio, **limits):
    return Journal(
        studio.catalog, studio.web3, studio.minter.signer, **{"patience": 1, "bump": 0.1, **limits}
    )


def left_behind(studio):
    "A batch that waits, and has become too cheap."
    studio.node("evm_setAutomine", False)
    with pytest.raises(NotYetMined):
        mint(journal(studio), studio.contract, studio.drop)
    studio.node("anvil_setNextBlockBaseFeePerGas", hex(30 * 10**9))
    studio.node("evm_mine")
    studio.node("evm_setAutomine", True)
    return studio.minter.transactions()[0]


def test_a_higher_price_keeps_the_nonce(studio):
    waiting = left_behind(studio)
    done = journal(studio, patience=5).reconcile()[0]
    assert (
        (done.state, done.nonce, done.purpose) == ("confirmed", waiting.nonce, waiting.purpose)
        and done.hash != waiting.hash
        and done.earlier == [waiting.raw]
    )
    assert (
        int(done.wei) <= int(done.most)
        and studio.contract.functions.totalSupply().call() == 16
        and studio.web3.eth.get_transaction_count(done.sender) == 1
    )
    assert mint(journal(studio), studio.contract, studio.drop) == [] and len(studio.catalog.costs()) == 2 * (
        1 + 4
    )


def test_no_price_above_the_ceiling(studio):
    waiting = left_behind(studio)
    with pytest.raises(NotYetMined):
        journal(studio, ceiling=20).reconcile()
    assert [each.hash for each in studio.minter.transactions()] == [waiting.hash]
    with pytest.raises(NotYetMined):
        mint(journal(studio, ceiling=20), studio.contract, studio.drop)  # and nothing new beside it
    studio.node("anvil_mine", "0x28")  # empty blocks: the price falls
    assert journal(studio, ceiling=20).reconcile()[0].hash == waiting.hash


def test_a_ceiling_before_anything_is_signed(studio):
    studio.node("anvil_setNextBlockBaseFeePerGas", hex(30 * 10**9))
    studio.node("evm_mine")
    with pytest.raises(FeeAboveCeiling):
        mint(journal(studio, ceiling=20), studio.contract, studio.drop)
    assert studio.minter.transactions() == []


# Blocks that go


def test_a_reorg_moves_a_transaction_back_and_it_is_sent_again(studio):
    sent = mint(studio.minter, studio.contract, studio.drop, 8)
    assert [each.status for each in sent] == ["confirmed"] * 2
    studio.node("anvil_reorg", 3, [])
    assert studio.contract.functions.totalSupply().call() == 0
    again = studio.minter.update_finality()
    assert [(each.hash, each.status) for each in again] == [
        (each.hash, "confirmed") for each in sent
    ] and studio.contract.functions.totalSupply().call() == 16
    history = studio.catalog.history("transaction", f"{studio.minter._prefix}0")
    assert (
        [each["state"] for each in history][:4] == ["signed", "sent", "confirmed", "sent"]
        and history[3]["answer"] == "gone with its block"
        and history[-1]["block_hash"] != history[2]["block_hash"]
    )
    for each in again:
        receipt = studio.web3.eth.get_transaction_receipt(each.hash)
        assert (
            sum(
                int(line["amount"])
                for line in studio.catalog.history("cost", f"mint/{each.hash}")
                if line["unit"].endswith("wei")
            )
            == receipt["gasUsed"] * receipt["effectiveGasPrice"]
        )


def test_a_drop_is_stamped_at_the_depth_that_was_chosen(studio):
    mint(studio.minter, studio.contract, studio.drop, 8)
    assert stamp_drop(studio.minter, studio.contract, studio.drop, "latest").proven
    assert [
        stamp_drop(studio.minter, studio.contract, studio.drop, depth).proven for depth in ("", "safe", "3")
    ] == [False] * 3
    studio.node("anvil_mine", "0x3")
    assert (
        stamp_drop(studio.minter, studio.contract, studio.drop, "3").proven
        and not stamp_drop(studio.minter, studio.contract, studio.drop).proven
    )
    studio.node("anvil_reorg", 6, [])
    found = stamp_drop(studio.minter, studio.contract, studio.drop, "3")
    assert not found.proven and found.tokens == 0 and found.waiting == 2  # sent again, in young blocks
    studio.node("anvil_mine", "0x28")
    assert [each.status for each in studio.minter.update_finality()] == ["safe"] * 2 and not stamp_drop(
        studio.minter, studio.contract, studio.drop
    ).proven
    studio.node("anvil_mine", "0x64")
    final = stamp_drop(studio.minter, studio.contract, studio.drop)
    assert (
        final.proven
        and [each.status for each in studio.minter.transactions()] == ["finalized"] * 2
        and studio.minter.update_finality() == []
    )
    assert [(each["depth"], each["proven"]) for each in studio.catalog.history("stamp", "demo/1@31337")][
        -1
    ] == ("finalized", True)
    with pytest.raises(BadDepth):
        stamp_drop(studio.minter, studio.contract, studio.drop, "deep")


def test_the_horizon_of_a_node_without_finality(studio):
    seen = horizon(studio.web3)
    assert seen.finalized == -1 and seen.depth(seen.latest) == "latest"


# Flights


def test_batches_go_out_together(studio):
    studio.node("evm_setAutomine", False)
    studio.node("evm_setIntervalMining", 1)
    sent = mint(studio.minter, studio.contract, studio.drop, 2, 2)
    assert (
        len(sent) == 8
        and len({each.block for each in sent}) <= 3
        and [each.nonce for each in sent] == list(range(8))
    )


def test_a_flight_is_no_larger_than_purse_and_window(studio):
    ask = studio.contract.functions
    minter = studio.minter.signer.address
    studio.admin.send(ask.setAllowance(minter, 16, 5, 600), {"verb": "setAllowance"})
    with pytest.raises(RefusedByContract, match="WindowTooSmall"):
        mint(studio.minter, studio.contract, studio.drop, 2, 2)
    assert (
        ask.totalSupply().call() == 4
        and [each.state for each in studio.minter.transactions()] == ["confirmed"] * 2
    )


def test_no_flight_is_signed_that_l1_makes_too_dear(tmp_path, start_anvil, predeploys):  # noqa: F811
    node = start_anvil("--chain-id", "8453")
    node("anvil_setCode", ORACLE, predeploys["GasPriceOracle"])
    studio = Studio(tmp_path, node)
    call = _batch(studio.contract, studio.drop, 1, 16, 16)
    gas = call[0].estimate_gas({"from": studio.minter.signer.address}) * 6 // 5
    fee = 2 * studio.web3.eth.get_block("latest")["baseFeePerGas"] + studio.web3.eth.max_priority_fee
    node.fund(studio.minter.signer.address, gas * fee + 1000)  # the gas, and next to nothing for L1
    with pytest.raises(OutOfGasMoney) as caught:
        studio.minter.send(*call)
    assert caught.value.needed > gas * fee + 16 * 7_000_000 * 200 and studio.minter.transactions() == []


# Nodes that lag, and clients that are wrong


def test_a_node_that_is_behind_the_journal(tmp_path, node, between):  # noqa: F811
    studio = Studio(tmp_path, node)
    mint(studio.minter, studio.contract, replace(studio.drop, quantity=16), 8)
    late = between(
        lambda method, answer: (
            {**answer, "result": hex(int(answer["result"], 16) - 1)}
            if method == "eth_getTransactionCount"
            else None
        )
    )
    hot = Journal(studio.catalog, connect(late.address, tmp_path), studio.minter.signer, patience=2)
    with pytest.raises(NodeBehind) as caught:
        hot.send(studio.contract.functions.nextToken(), {"verb": "nextToken"})
    assert (caught.value.mined, caught.value.seen) == (1, 2) and len(studio.minter.transactions()) == 2


def test_a_client_that_repeats_everything_mints_nothing_twice(tmp_path):
    "It keeps no book, takes a fresh nonce for each try, and sends every batch three times: the contract compares, and swaps once."
    ready = Embedded(tmp_path).ready()
    signer = ready.who.minter
    ask = ready.web3.eth
    states = []
    for first in (1, 1, 1, 5, 5, 5, 1, 9, 13, 13, 9):
        fields = {
            "from": signer.address,
            "nonce": ask.get_transaction_count(signer.address),
            "maxFeePerGas": 3 * 10**9,
            "maxPriorityFeePerGas": 10**9,
            "gas": 300_000,
            "value": 0,
            "chainId": 31337,
        }
        hash = ask.send_raw_transaction(
            signer.sign(ready.contract.functions.mintBatch(first, 4, 4).build_transaction(fields))[1]
        )
        states.append(ask.get_transaction_receipt(hash)["status"])
    assert states == [1, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0] and ready.supply() == 16
    assert [ready.contract.functions.ownerOf(i).call() for i in range(1, 17)] == [
        ready.who.treasury
    ] * 16 and ready.contract.functions.balanceOf(ready.who.treasury).call() == 16
