"Nodes that fail, lag and lie; another chain than was meant."

import gzip
import http.server
import itertools
import json
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path

import pytest

from artmint.chain.connect import (
    NodeRefuses,
    NodesDisagree,
    NodeSilent,
    SeveralNodes,
    WrongChain,
    connect,
    is_answer,
    one_node,
)
from artmint.chain.contract import contract_of
from artmint.chain.networks import NETWORKS
from artmint.chain.transaction import fields_of
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


@pytest.mark.slow
def test_a_studio_signs_where_a_node_names_no_tip(tmp_path, node, between):
    "Some lack eth_maxPriorityFeePerGas: what their price of gas leaves beside the base fee stands in its place."
    missing = {"code": -32601, "message": "the method eth_maxPriorityFeePerGas does not exist"}
    lacking = between(
        lambda method, answer: (
            {"jsonrpc": "2.0", "id": answer["id"], "error": missing}
            if method == "eth_maxPriorityFeePerGas"
            else None
        )
    )
    studio = Studio(tmp_path, node, lacking.address)
    assert len(mint(studio.minter, studio.contract, studio.drop)) == 1
    assert "eth_gasPrice" in lacking.seen
    first = studio.minter.transactions()[0]
    assert 0 < fields_of(first.raw)["maxPriorityFeePerGas"] <= 10**9


HISTORY = {"oldestBlock": "0x1", "baseFeePerGas": ["0x1", "0x2"], "gasUsedRatio": [0.5]}


@pytest.mark.parametrize("more", [{}, {"reward": None}, {"reward": [["0x1"]]}, {"reward": [[]]}])
def test_a_history_of_fees_is_read(more):
    assert is_answer("eth_feeHistory", {"result": HISTORY | more})


@pytest.mark.parametrize("fees", [["0x1", None], ["0x1", "zz"], ["0x1", 2], "0x1", {"0x1": "0x1"}, [["0x1"]]])
def test_nonsense_in_a_history_of_fees_is_none(fees):
    assert not is_answer("eth_feeHistory", {"result": HISTORY | {"baseFeePerGas": fees}})
    assert not is_answer("eth_feeHistory", {"result": HISTORY | {"reward": [fees]}})
    block = {"hash": "0x11", "parentHash": "0x11", "number": "0x1", "timestamp": "0x1"}
    assert not is_answer(
        "eth_getBlockByNumber", {"result": block | {"oldestBlock": "0x1", "baseFeePerGas": ["0x1"]}}
    )


def test_when_all_nodes_are_silent(between):
    broken = between(lambda method, answer: 503)
    for urls in (broken.address, f"{broken.address},http://127.0.0.1:9/v3/canary"):
        with pytest.raises(NodeSilent) as caught:
            connect(urls, Path(), 1)
        assert "canary" not in str(caught.value)


def test_a_silent_node_s_words_fit_reading_and_sending():
    "Verbs that only read raise it, too: what is sure is said, and of a transaction only what holds if there was one."
    words = str(NodeSilent("node.example", "HTTP 503"))
    sure, _, conditional = words.partition("If something was being sent")
    assert "what was asked of it isn't known" in sure and "transaction" not in sure
    assert "the next run finds out first" in conditional


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


def test_programs_that_tell_more_of_a_block_agree_on_it():
    "Fields that one program has and another hasn't are no disagreement; another hash is."

    class Fixed:
        def __init__(self, **block):
            self.block = block

        def make_request(self, method, params):
            return {"result": "0x9" if method == "eth_blockNumber" else self.block}

    geth = Fixed(hash="0xab", number="0x9", requestsHash="0x1")
    reth = Fixed(hash="0xAB", number="0x9", size="0x220")
    liar = Fixed(hash="0xcd", number="0x9")
    for trio, right in (((liar, geth, reth), True), ((liar, geth, Fixed(hash="0xef")), False)):
        nodes = SeveralNodes(list(trio), agree=2)
        if right:
            assert nodes.make_request("eth_getBlockByNumber", ["0x9", False])["result"]["hash"] == "0xab"
        else:
            with pytest.raises(NodesDisagree):
                nodes.make_request("eth_getBlockByNumber", ["0x9", False])


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


# Nodes that are somebody else's


def chain_of(answer, seen=None):
    "A server that gives these bytes, or what a function of the question gives: (status, headers, pieces of a body)."

    class Node(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if seen is not None:
                seen.append((self.path, dict(self.headers), question["method"]))
            status, headers, body = answer(question)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):
                for piece in body:
                    self.wfile.write(piece)

        do_GET = do_POST

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Node)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


@pytest.fixture
def serve():
    servers = []

    def start(answer, seen=None) -> str:
        servers.append(chain_of(answer, seen))
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def sound(question):
    results = {"eth_chainId": "0x1", "eth_getBalance": "0x7"}
    return 200, {}, [json.dumps({"id": 1, "jsonrpc": "2.0", "result": results[question["method"]]}).encode()]


NONSENSE = [
    b"[]",
    b"null",
    b'"x"',
    b"7",
    b"",
    b"<html>",
    b'{"error":"boom"}',
    b'{"error":{"message":7}}',
    b'{"jsonrpc":"2.0","id":1}',
    b"[" * 200_000,
    b'{"result":"-0x1"}',
    b'{"result":"0x' + b"a" * 5_000_000 + b'"}',
    b'{"result":7}',
    b'{"result":{}}',
    b'{"result":null}',
    b'{"result":"0x1","result":"0x2"}',
    b"\xff\xfe",
]


@pytest.mark.parametrize("body", NONSENSE, ids=lambda body: repr(body[:24]))
def test_a_node_that_talks_nonsense_is_passed_over(serve, body):
    "The good node behind it is asked; alone, it is one that gives no answer."
    bad = serve(lambda question: (200, {}, [body]))
    assert connect(f"{bad},{serve(sound)}", Path(), 1).eth.get_balance("0x" + "11" * 20) == 7
    with pytest.raises(NodeSilent):
        one_node(bad).make_request("eth_chainId", [])


@pytest.mark.parametrize(
    "result",
    [
        {"number": "zz", "hash": "0x" + "11" * 32},
        {"number": "0x1", "hash": "no hash"},
        {"number": "0x1", "transactions": [{"blockNumber": "-0x1"}]},
        [{}],
        "0x1",
    ],
)
def test_nonsense_inside_of_a_block_is_no_block(serve, result):
    bad = serve(lambda question: (200, {}, [json.dumps({"result": result}).encode()]))
    with pytest.raises(NodeSilent):
        one_node(bad).make_request("eth_getBlockByNumber", ["0x1", True])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_node_sends_questions_and_transactions_nowhere_else(serve, status):
    "A redirect to a private server is not followed, with or without what was to be sent."
    asked: list = []
    other = serve(sound, asked)
    node = one_node(serve(lambda question: (status, {"Location": other}, [])))
    for method in ("eth_chainId", "eth_sendRawTransaction"):
        with pytest.raises(NodeSilent, match=f"HTTP {status}"):
            node.make_request(method, ["0x00"])
    assert asked == []


def test_an_answer_has_a_limit_in_bytes_and_in_seconds(serve, monkeypatch):
    "A megabyte of gzip isn't unpacked, an endless body is cut off, and one byte at a time isn't waited for."
    monkeypatch.setattr("artmint.chain.connect.ANSWER_LIMIT", 1 << 16)
    packed = gzip.compress(bytes(1 << 24))

    def slow():
        while True:
            time.sleep(0.05)
            yield b" "

    begun = time.monotonic()
    for headers, body, seconds in (
        ({"Content-Encoding": "gzip"}, [packed], 30),
        ({}, itertools.repeat(bytes(1 << 16)), 30),
        ({}, slow(), 0.3),
    ):
        with pytest.raises(NodeSilent):
            one_node(serve(lambda question, h=headers, b=body: (200, h, b)), seconds).make_request(
                "eth_chainId", []
            )
    assert time.monotonic() - begun < 25


def test_a_node_that_lets_its_whole_time_pass_is_asked_once(serve):
    "One whose connection breaks at once is asked again, for that may be over; one that is silent takes its time again."
    asked: list = []

    def silent(question):
        asked.append(question)
        time.sleep(1)
        return 200, {}, []

    with pytest.raises(NodeSilent):
        one_node(serve(silent), 0.3).make_request("eth_chainId", [])
    assert len(asked) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_node_that_lets_nobody_in_is_not_a_matter_of_the_connection(serve, status):
    with pytest.raises(NodeRefuses, match="a key: check that it is whole, valid and paid for") as caught:
        one_node(serve(lambda question: (status, {}, []))).make_request("eth_chainId", [])
    assert (f"HTTP {status}" in str(caught.value), caught.value.exit_code) == (True, 3)


def test_a_user_and_a_password_are_sent_and_not_shown(serve):
    seen: list = []
    place = serve(sound, seen).replace("http://", "http://user:p%40ss@") + "/v3/KEY"
    assert one_node(place).make_request("eth_chainId", [])["result"] == "0x1"
    assert seen[0][0] == "/v3/KEY"
    assert seen[0][1]["Authorization"] == "Basic dXNlcjpwQHNz"
    broken = place.replace("/v3", "/none").replace("127.0.0.1", "127.0.0.1:1", 1).rsplit(":", 1)[0] + "/KEY"
    with pytest.raises(NodeSilent) as refused:
        one_node(broken).make_request("eth_chainId", [])
    shown = "".join(traceback.format_exception(refused.value))
    assert not any(word in shown for word in ("KEY", "p%40ss", "p@ss", "dXNl"))
