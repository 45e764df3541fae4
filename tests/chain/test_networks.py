"Chains: what a transaction costs where, and nodes that fail, lag and lie."

import http.server
import json
import sys
import threading
from pathlib import Path

import pytest
from tests.conftest import node_tool
from eth_account import Account
from tests.test_mint import DEMO, FAST, Drop

from artmint.chain.admin import authorize, commit_drop, deploy
from artmint.studio.catalog import Catalog
from artmint.chain.connect import WrongChain, connect
from artmint.chain.journal import Journal
from artmint.chain.preflight import mint_plan
from artmint.mint import mint
from artmint.chain.networks import (
    Ceilings,
    FeeLimitExceeded,
    NETWORKS,
    NODE_INTERFACE,
    NoNode,
    ORACLE,
    forecast_gas,
    l1_gas,
    network_of,
    paid,
    resolve_nodes,
)
from artmint.chain.connect import NodeSilent, NodesDisagree, redact_url
from artmint.chain.signers import KeystoreSigner, new_keystore

ROOT = Path(__file__).resolve().parents[2]
FIELDS = {
    "to": "0x" + "11" * 20,
    "data": "0x12345678",
    "value": 0,
    "gas": 10**5,
    "maxFeePerGas": 10**10,
    "maxPriorityFeePerGas": 10**9,
    "nonce": 3,
}


@pytest.fixture(scope="session")
def predeploys():
    "Code by name, compiled from tests/data/chains."
    node_tool("anvil")
    sys.path.insert(0, str(ROOT / "scripts"))
    from compile_contracts import compiled

    made = compiled(sources={"Predeploys.sol": (ROOT / "tests/data/chains/Predeploys.sol").read_text()})[
        "contracts"
    ]["Predeploys.sol"]
    return {name: "0x" + each["evm"]["deployedBytecode"]["object"] for name, each in made.items()}


class Studio:
    "A studio on a node, ready to mint 20 tokens."

    def __init__(self, folder, node, url=""):
        self.web3 = connect(url or node.url, folder)
        self.catalog = Catalog(folder)
        for name in ("admin", "minter"):
            new_keystore(folder / "keys" / f"{name}.json", "word", FAST)
        admin, minter = (
            KeystoreSigner(folder / "keys" / f"{name}.json", "word") for name in ("admin", "minter")
        )
        for signer in (admin, minter):
            node.fund(signer.address)
        self.admin = Journal(self.catalog, self.web3, admin)
        self.minter = Journal(self.catalog, self.web3, minter)
        self.drop = Drop(1, 16)
        self.contract = deploy(self.admin, DEMO, Account.create().address)
        commit_drop(self.admin, self.contract, self.drop)
        authorize(self.admin, self.contract, minter.address, 16)


# Fees


def test_profiles():
    assert len({each.chain_id for each in NETWORKS.values()}) == 8
    assert sum(each.test for each in NETWORKS.values()) == 4
    assert {name: each.fees for name, each in NETWORKS.items() if not each.test} == {
        "ethereum": "ethereum",
        "optimism": "op",
        "base": "op",
        "arbitrum": "arbitrum",
    }
    assert network_of(8453).name == "base"
    assert network_of(4242).fees == "ethereum"


def test_where_nodes_are():
    assert resolve_nodes("embedded", {}) == ("embedded", 0)
    assert resolve_nodes("http://a", {"INFURA_KEY": "k"}) == ("http://a", 0)
    assert resolve_nodes("base", {"ARTMINT_RPC_BASE": "http://a,http://b", "INFURA_KEY": "k"}) == (
        "http://a,http://b",
        8453,
    )
    urls, chain_id = resolve_nodes("sepolia", {"INFURA_KEY": "k", "ALCHEMY_KEY": "l"})
    assert chain_id == 11155111
    assert [redact_url(url) for url in urls.split(",")] == [
        "sepolia.infura.io",
        "eth-sepolia.g.alchemy.com",
    ]
    with pytest.raises(NoNode, match="ARTMINT_RPC_BASE_SEPOLIA"):
        resolve_nodes("base-sepolia", {})


def test_a_mint_on_an_op_stack_chain(tmp_path, start_anvil, predeploys):
    "The oracle that every OP-stack chain has is put in place; the forecast holds its L1 part and the operator's."
    node = start_anvil("--chain-id", "8453")
    node("anvil_setCode", ORACLE, predeploys["GasPriceOracle"])
    studio = Studio(tmp_path, node)
    plan = mint_plan(studio.contract, studio.minter.signer.address, studio.drop)
    assert plan.problems == ()
    assert plan.cost.l1 > 1000 + 16 * 7_000_000 * 200
    assert plan.cost.operator == plan.cost.gas * 3 + 11
    sent = mint(studio.minter, studio.contract, studio.drop)
    assert len(sent) == 1
    assert plan.cost.wei >= int(sent[0].wei) > 0
    node("anvil_setCode", ORACLE, predeploys["OldGasPriceOracle"])
    assert forecast_gas(studio.web3, {**FIELDS, "chainId": 8453}).operator == 0


def test_the_l1_part_is_of_the_signed_size(start_anvil, predeploys):
    node = start_anvil("--chain-id", "10")
    node("anvil_setCode", ORACLE, predeploys["OldGasPriceOracle"])
    web3 = connect(node.url, Path(), 10)
    account = Account.create()
    signed = account.sign_transaction({**FIELDS, "chainId": 10}).raw_transaction
    assert abs(forecast_gas(web3, {**FIELDS, "chainId": 10}).l1 - len(signed)) <= 2


def test_a_mint_on_arbitrum(tmp_path, start_anvil, predeploys):
    node = start_anvil("--chain-id", "42161")
    node("anvil_setCode", NODE_INTERFACE, predeploys["NodeInterface"])
    studio = Studio(tmp_path, node)
    assert l1_gas(studio.web3, {**FIELDS, "chainId": 42161}) == 504
    plan = mint_plan(studio.contract, studio.minter.signer.address, studio.drop)
    assert plan.cost.l1 == 0
    assert mint(studio.minter, studio.contract, studio.drop)[0].state == "confirmed"


def test_what_was_paid():
    assert (
        paid(
            {
                "gasUsed": 10,
                "effectiveGasPrice": 5,
                "l1Fee": "0x10",
                "operatorFeeScalar": "0xf4240",
                "operatorFeeConstant": "0x7",
            }
        )
        == 50 + 16 + 10 + 7
    )


# Ceilings


def test_a_token_that_is_too_dear(tmp_path, node):
    studio = Studio(tmp_path, node)
    before = studio.web3.eth.block_number
    for limits in (Ceilings(token=10), Ceilings(day=1000)):
        with pytest.raises(FeeLimitExceeded):
            mint(studio.minter, studio.contract, studio.drop, ceilings=limits)
    with pytest.raises(FeeLimitExceeded):
        mint(
            studio.minter,
            studio.contract,
            studio.drop,
            ceilings=Ceilings(token=10, above="wait", patience=0.2),
        )
    assert studio.contract.functions.totalSupply().call() == 0
    assert studio.web3.eth.block_number == before
    assert (
        len(mint(studio.minter, studio.contract, studio.drop, ceilings=Ceilings(token=10, above="mint"))) == 1
    )


def test_a_day_counts_what_was_spent(tmp_path, node):
    studio = Studio(tmp_path, node)
    cost = mint_plan(studio.contract, studio.minter.signer.address, studio.drop, 8).cost.wei
    with pytest.raises(FeeLimitExceeded, match="this day"):
        mint(studio.minter, studio.contract, studio.drop, 8, ceilings=Ceilings(day=cost * 3 // 4))
    assert studio.contract.functions.totalSupply().call() == 8
    mint(studio.minter, studio.contract, studio.drop, 8, ceilings=Ceilings(day=10 * cost))


# Several nodes


class Between(http.server.BaseHTTPRequestHandler):
    "A proxy that injects a fault: `fault(method, answer)` gives what to answer, an HTTP status, or None for the truth."

    def do_POST(self):
        from tests.conftest import ask

        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            answer = {
                "jsonrpc": "2.0",
                "id": asked["id"],
                "result": ask(self.server.url, asked["method"], *asked.get("params", [])),
            }
        except RuntimeError as error:
            answer = {"jsonrpc": "2.0", "id": asked["id"], "error": {"code": 3, "message": str(error)}}
        self.server.seen.append(asked["method"])
        fault = self.server.fault(asked["method"], answer)
        self.send_response(fault if isinstance(fault, int) else 200)
        self.end_headers()
        if not isinstance(fault, int):
            self.wfile.write(json.dumps(fault or answer).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def between(node):
    "Starts proxies in front of the node: between(fault)."
    servers = []

    def start(fault=lambda method, answer: None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between)
        server.url = node.url
        server.fault = fault
        server.seen = []
        server.address = f"http://127.0.0.1:{server.server_port}/v3/canary"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def answering(method, result):
    "A fault: another result for one method."
    return lambda asked, answer: {**answer, "result": result} if asked == method else None


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
