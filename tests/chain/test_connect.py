"Nodes that fail, lag and lie; another chain than was meant."

from pathlib import Path

import pytest

from artmint.chain.connect import NodesDisagree, NodeSilent, WrongChain, connect
from artmint.chain.contract import contract_of
from artmint.chain.networks import NETWORKS
from artmint.mint import mint
from tests.nodes import Studio, answering
from tests.studios import refused

# Several nodes


def test_a_dead_and_a_busy_node_are_passed_over(tmp_path, node, between):
    busy = between(
        lambda method, answer: (
            {**answer, "error": {"code": -32005, "message": "limit exceeded"}, "result": None}
            if method != "eth_chainId"
            else None
        )
    )
    broken = between(lambda method, answer: 503)
    sound = between()
    studio = Studio(
        tmp_path,
        node,
        ",".join(["http://127.0.0.1:9/v3/canary", busy.address, broken.address, sound.address]),
    )
    assert len(mint(studio.minter, studio.contract, studio.drop)) == 1
    assert studio.contract.functions.totalSupply().call() == 16
    assert len(broken.seen) < 20 < len(sound.seen)  # a node that failed is left alone


def test_when_all_nodes_are_silent(between):
    broken = between(lambda method, answer: 503)
    for urls in (broken.address, f"{broken.address},http://127.0.0.1:9/v3/canary"):
        with pytest.raises(NodeSilent) as caught:
            connect(urls, Path(), 1)
        assert "canary" not in str(caught.value)


def test_a_lying_node_is_outvoted(tmp_path, node, between):
    studio = Studio(tmp_path, node)
    liar = between(answering("eth_call", "0x" + "77" * 32))
    honest = between()
    other = between()
    urls = ",".join(each.address for each in (liar, honest, other))
    call = {"to": studio.contract.address, "data": studio.contract.encode_abi("nextToken", [])}
    assert (
        int(connect(urls, Path()).eth.call(call).hex(), 16) > 16
    )  # the first one is believed where nobody asked for more
    assert int(connect(urls, Path(), agree=True).eth.call(call).hex(), 16) == 1
    with pytest.raises(NodesDisagree):
        connect(f"{liar.address},{honest.address}", Path(), agree=True).eth.call(call)


def test_a_node_that_lags_changes_nothing(tmp_path, node, between):
    studio = Studio(tmp_path, node)
    late = between(answering("eth_blockNumber", "0x1"))
    web3 = connect(",".join(each.address for each in (late, between(), between())), Path(), agree=True)
    call = {"to": studio.contract.address, "data": studio.contract.encode_abi("nextToken", [])}
    assert web3.eth.get_code(studio.contract.address)
    assert int(web3.eth.call(call).hex(), 16) == 1


def test_verify_asks_more_than_half_of_its_nodes(tmp_path, node, between, monkeypatch):
    from artmint.verify import verify

    studio = Studio(tmp_path, node)
    mint(studio.minter, studio.contract, studio.drop)
    code = answering("eth_getCode", "0x6001")

    def status(*servers):
        "Of the first step that stopped the proof, or of the contract's."
        urls = ",".join(server.address for server in servers)
        for step in verify(f"31337:{studio.contract.address}/1", tmp_path, rpc=urls).steps:
            if step.name == "contract" or step.name == "chain" and step.status != "held":
                return step.status

    assert status(between(code), between(), between()) == "held"
    assert status(between(code), between(code), between()) == "failed"
    assert status(between(code), between()) == "unchecked"


def test_another_chain_than_meant(node):
    with pytest.raises(WrongChain):
        connect(node.url, Path(), NETWORKS["base"].chain_id)


# The embedded chain


def test_another_chain_than_meant_is_refused(tmp_path):
    connect("embedded", tmp_path, 7)
    assert connect("embedded", tmp_path, 7).eth.chain_id == 7
    with pytest.raises(WrongChain):
        connect("embedded", tmp_path, 8)


def test_transactions_are_not_retried_by_web3():
    allowed = connect(
        "http://127.0.0.1:9", Path()
    ).provider.node.exception_retry_configuration.method_allowlist
    assert "eth_getTransactionReceipt" in allowed
    assert "eth_sendRawTransaction" not in allowed


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
