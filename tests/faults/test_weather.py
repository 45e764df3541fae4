"Nodes as they are: behind themselves, ahead of themselves, busy, pruned, odd; and nonces that no node takes."

import json
from pathlib import Path

import pytest
from eth_account import Account

from artmint.chain.admin import authorize, commit_drop, deploy
from artmint.chain.connect import NodeBusy, NodeLags, NodeSilent, PatientNode, connect, require_block
from artmint.chain.journal import Journal
from artmint.chain.networks import (
    ARBITRUM_GAS,
    NODE_INTERFACE,
    IncompleteAnswer,
    ceilings_of,
    horizon,
    networks_of,
    resolve_nodes,
)
from artmint.chain.preflight import AllowanceTooSmall, WindowSpent, mint_plan
from artmint.chain.signers import KeystoreSigner, new_keystore
from artmint.chain.stuck import ClosedKey, StillKnown, abandon, cancel, speed_up, waiting_transactions
from artmint.chain.transaction import (
    GasAboveCap,
    NeverTaken,
    NotYetMined,
    OutOfGasMoney,
    ReceiptLate,
    RefusedByContract,
    fields_of,
)
from artmint.mint import mint, stamp_drop
from artmint.studio.catalog import Catalog
from tests.nodes import Lagging, Studio, forwarded
from tests.studios import DEMO, FAST, Drop
from tests.suites import some

from .proxy import Proxy


@pytest.fixture
def lagging(start_anvil):
    "Starts nodes whose state is behind their receipts."
    started = []

    def start(seconds, *options, **more):
        started.append(Lagging(start_anvil("--order", "fifo", *options), seconds, **more))
        return started[-1]

    yield start
    for one in started:
        one.end()


def whole_line(folder, node, url):
    "Deploy, commit, allow and mint 12 tokens in flights of two batches, in one run each; the contract and the journals."
    web3, catalog = connect(url, folder), Catalog(folder)
    journals = []
    for name in ("admin", "minter"):
        new_keystore(folder / f"keys/{name}.json", "word", FAST)
        signer = KeystoreSigner(folder / f"keys/{name}.json", "word")
        node.fund(signer.address)
        journals.append(Journal(catalog, web3, signer, patience=30))
    admin, minter = journals
    drop = Drop(1, 12)
    while not web3.eth.get_balance(minter.signer.address):
        pass
    contract = deploy(admin, DEMO, Account.create().address)
    commit_drop(admin, contract, drop)
    authorize(admin, contract, minter.signer.address, 12)
    mint(minter, contract, drop, 2, 2, flight=2)
    return contract, admin, minter


@pytest.mark.slow
@pytest.mark.parametrize(
    "seconds, turns", some([(s, t) for s in (0.3, 1, 5) for t in (False, True)], [(0.3, True)])
)
def test_a_state_that_is_behind_its_receipts_is_waited_for(tmp_path, lagging, seconds, turns):
    "The machine behind the balancer that has the newest block is asked, or the one that will have it: one run each."
    proxy = lagging(seconds, turns=turns)
    contract, admin, minter = whole_line(tmp_path, proxy.node, proxy.url)
    assert contract.functions.totalSupply().call() == 12
    sent = admin.transactions() + minter.transactions()
    assert [one.state for one in sent] == ["confirmed"] * (4 + 6)
    assert [one.earlier for one in sent] == [[]] * 10


@pytest.mark.slow
def test_with_several_nodes_too(tmp_path, lagging):
    first = lagging(0.3)
    second = Lagging(first.node, 0.6)
    contract, _, _ = whole_line(tmp_path, first.node, f"{first.url},{second.url}")
    assert contract.functions.totalSupply().call() == 12
    second.end()


@pytest.mark.slow
def test_a_receipt_counts_when_its_block_is_there(tmp_path, lagging):
    "Preconfirmed receipts come before the block, with another hash and other figures."
    proxy = lagging(0, "--block-time", "1", flash=True)
    contract, admin, minter = whole_line(tmp_path, proxy.node, proxy.url)
    assert contract.functions.totalSupply().call() == 12
    for one in admin.transactions() + minter.transactions():
        assert one.block_hash == proxy.node("eth_getBlockByNumber", hex(one.block), False)["hash"]
        assert one.gas == int(proxy.node("eth_getTransactionReceipt", one.hash)["gasUsed"], 16)


@pytest.mark.slow
def test_a_preconfirmed_block_that_never_comes_mints_nothing(tmp_path, lagging):
    proxy = lagging(0, flash=True)
    studio = Studio(tmp_path, proxy.node)
    proxy.node("evm_setAutomine", False)
    web3 = connect(proxy.url, tmp_path, patience=0.3)
    minter = Journal(studio.catalog, web3, studio.minter.signer, patience=1)
    with pytest.raises((NotYetMined, NodeLags)):
        mint(minter, studio.contract, studio.drop)
    assert studio.catalog.all("token", "demo/") == {}


# Too much to do


@pytest.fixture(scope="module")
def proxy():
    proxy = Proxy()
    yield proxy
    proxy.end()


@pytest.fixture
def studio(tmp_path, start_anvil, proxy):
    "A studio of which the minter asks through the proxy."
    node = start_anvil("--order", "fifo")
    studio = Studio(tmp_path, node)
    studio.node, studio.proxy = node, proxy
    node("anvil_mine", "0x5")
    proxy(target=node.url, other="", faults=[])
    studio.direct = studio.web3
    studio.asked = connect(proxy.url, tmp_path, patience=3)
    studio.contract = studio.asked.eth.contract(studio.contract.address, abi=studio.contract.abi)
    studio.minter = Journal(studio.catalog, studio.asked, studio.minter.signer, patience=3, bump=0.3)
    return studio


def fault(studio, kind, method="eth_sendRawTransaction", after=0, times=10**6, **more):
    "Let requests meet a fault of the proxy's."
    studio.proxy(faults=[{"method": method, "after": after, "times": times, "kind": kind, **more}])


@pytest.mark.slow
def test_a_node_that_asks_for_a_second_gets_it(studio):
    fault(studio, "429", "*", after=20, times=2, value="1")
    assert len(mint(studio.minter, studio.contract, studio.drop)) == 1


def test_a_node_that_asks_for_longer_than_patience_lasts_ends_the_run(studio):
    fault(studio, "429", "*", value="60")
    with pytest.raises(NodeBusy, match="HTTP 429") as caught:
        studio.asked.eth.chain_id
    assert caught.value.after == 60
    assert caught.value.exit_code == 3


# Receipts that come late, and blocks that are no longer kept


@pytest.mark.slow
def test_a_receipt_that_comes_late_is_no_rival(studio):
    fault(studio, "null", "eth_getTransactionReceipt")
    with pytest.raises(ReceiptLate) as caught:
        mint(studio.minter, studio.contract, studio.drop)
    assert (caught.value.exit_code, caught.value.block) == (3, studio.direct.eth.block_number)
    assert [one.state for one in studio.minter.transactions()] == ["sent"]
    studio.proxy(faults=[])
    assert mint(studio.minter, studio.contract, studio.drop) == []
    assert [one.state for one in studio.minter.transactions()] == ["confirmed"]


@pytest.mark.slow
def test_a_receipt_that_the_node_is_still_indexing_is_waited_for(studio):
    words = {"code": -32000, "message": "transaction indexing is in progress"}
    fault(studio, "error", "eth_getTransactionReceipt", times=5, value=words)
    assert len(mint(studio.minter, studio.contract, studio.drop)) == 1


def test_a_rival_is_found_in_its_block(studio):
    "Nobody waits for a receipt of a transaction whose nonce another one has."
    fault(studio, "dropped")
    key = studio.minter.signer._account
    studio.minter.patience = 0.3
    with pytest.raises((NotYetMined, NodeSilent)):
        mint(studio.minter, studio.contract, studio.drop, 4)
    fields = {"to": key.address, "value": 0, "gas": 21000, "nonce": 0, "chainId": 31337}
    fees = {"maxFeePerGas": 10**11, "maxPriorityFeePerGas": 10**9}
    studio.direct.eth.send_raw_transaction(key.sign_transaction(fields | fees).raw_transaction)
    studio.proxy(faults=[])
    studio.minter.patience = 30
    assert studio.minter.reconcile()[0].state == "replaced"


@pytest.mark.slow
def test_a_stamp_where_the_node_keeps_no_state(studio):
    mint(studio.minter, studio.contract, studio.drop, 8)
    studio.node("anvil_mine", "0x82")
    words = {"code": -32000, "message": "missing trie node 8f2a (path ) state 0x8f2a is not available"}
    final = horizon(studio.direct).finalized
    fault(studio, "error", "eth_call", value=words, at=hex(final))
    stamp = stamp_drop(studio.minter, studio.contract, studio.drop)
    assert (stamp.proven, stamp.tokens, stamp.block) == (True, 16, final)


# What no node takes


TOO_LITTLE = {"code": -32000, "message": "intrinsic gas too low"}
TOO_DEAR = {"code": -32000, "message": "tx fee (1.20 ether) exceeds the configured cap (1.00 ether)"}


@pytest.mark.many(1)
@pytest.mark.parametrize("words", [TOO_LITTLE, TOO_DEAR])
def test_what_no_node_takes_is_signed_afresh_at_its_nonce(studio, words):
    fault(studio, "error", times=2, value=words)
    sent = mint(studio.minter, studio.contract, studio.drop, 8)
    assert [one.nonce for one in sent] == [0, 1]
    assert studio.direct.eth.get_transaction_count(sent[0].sender) == 2


def test_too_little_gas_is_estimated_again(studio):
    "The first estimate is from before L1's price rose."
    fault(studio, "value", "eth_estimateGas", after=2, times=1, value=hex(17_000))
    sent = mint(studio.minter, studio.contract, studio.drop, 8)
    assert [one.state for one in sent] == ["confirmed"] * 2
    assert len(sent[0].earlier) == 1
    assert fields_of(sent[0].earlier[0])["gas"] == 20_400
    assert {one["state"] for one in studio.catalog.all("transaction").values()} == {"confirmed"}


@pytest.mark.slow
def test_what_is_never_taken_ends_in_words_and_has_ways_out(studio):
    fault(studio, "error", value=TOO_LITTLE)
    with pytest.raises(NeverTaken, match="artmint tx cancel"):
        mint(studio.minter, studio.contract, studio.drop, 8)
    assert [(one.nonce, one.state) for one in waiting_transactions(studio.catalog, studio.asked)] == [
        (0, "sent"),
        (1, "signed"),
    ]
    studio.proxy(faults=[])
    closed = Journal(
        studio.catalog, studio.asked, ClosedKey(studio.minter.signer.address, studio.minter.signer.lock)
    )
    assert [one.nonce for one in abandon(closed, 0, dry=True)] == [0, 1]
    assert [one.state for one in studio.minter.transactions()] == ["sent", "signed"]
    abandon(closed, 0)
    sent = mint(studio.minter, studio.contract, studio.drop)
    assert [(one.nonce, one.state) for one in sent] == [(0, "confirmed")]
    assert len(sent[0].versions) > 2
    assert (
        waiting_transactions(studio.catalog, studio.asked)[0].nonce == 1
    )  # given up, and nobody took it since
    assert stamp_drop(studio.minter, studio.contract, studio.drop, "latest").proven


@pytest.mark.slow
def test_what_was_given_up_and_is_mined_after_all_is_seen(studio):
    fault(studio, "error", value=TOO_LITTLE)
    with pytest.raises(NeverTaken):
        mint(studio.minter, studio.contract, studio.drop)
    old = studio.minter.transactions()[0]
    abandon(studio.minter, 0)
    studio.proxy(faults=[])
    studio.direct.eth.send_raw_transaction(old.raw)  # somebody kept it
    assert mint(studio.minter, studio.contract, studio.drop) == []
    assert [(one.hash, one.state) for one in studio.minter.transactions()] == [(old.hash, "confirmed")]
    assert studio.contract.functions.totalSupply().call() == 16


# Stuck


def stuck(studio, batch=16):
    "A batch, or a flight, that waits."
    studio.node("evm_setAutomine", False)
    studio.minter.patience, studio.minter.bump = 0.2, 60
    with pytest.raises(NotYetMined):
        mint(studio.minter, studio.contract, studio.drop, batch)
    studio.minter.patience = 5


@pytest.mark.slow
def test_a_cancelled_flight_mints_nothing_and_all_versions_are_kept(studio):
    stuck(studio, 8)
    versions, ended = cancel(studio.minter, 0, dry=True)
    assert ([version.fields["data"] for version in versions], ended) == (["0x", "0x"], [])
    assert [len(one.versions) for one in studio.minter.transactions()] == [1, 1]
    studio.node("evm_setIntervalMining", 1)
    _, ended = cancel(studio.minter, 0)
    assert [(one.purpose, one.state, len(one.versions)) for one in ended] == [
        ({"verb": "cancel"}, "confirmed", 2)
    ] * 2
    assert [list(one.purposes.values())[0]["verb"] for one in ended] == ["mintBatch"] * 2
    assert studio.contract.functions.totalSupply().call() == 0
    assert (
        studio.minter.signer.address
        == studio.direct.eth.get_block(ended[0].block, True)["transactions"][0]["to"]
    )
    assert len(mint(studio.minter, studio.contract, studio.drop, 8)) == 2


@pytest.mark.slow
def test_the_first_version_may_be_mined_in_place_of_the_cancel(studio):
    stuck(studio)
    fault(studio, "swallowed")  # the cancel never arrives
    studio.node("evm_setIntervalMining", 1)
    _, ended = cancel(studio.minter, 0)
    assert [(one.purpose["verb"], one.state) for one in ended] == [("mintBatch", "confirmed")]
    assert [list(one.purposes.values()) for one in ended] == [[{"verb": "cancel"}]]
    assert mint(studio.minter, studio.contract, studio.drop) == []


@pytest.mark.slow
def test_a_speed_up_offers_an_eighth_more(studio):
    stuck(studio)
    before = fields_of(studio.minter.transactions()[0].raw)
    studio.node("evm_setIntervalMining", 1)
    versions, ended = speed_up(studio.minter, 0)
    for name in ("maxFeePerGas", "maxPriorityFeePerGas"):
        assert versions[0].fields[name] >= before[name] * 9 // 8
    assert [(one.state, len(one.versions)) for one in ended] == [("confirmed", 2)]


def test_what_the_node_has_is_not_given_up(studio):
    stuck(studio)
    with pytest.raises(StillKnown, match="artmint tx cancel"):
        abandon(studio.minter, 0)


@pytest.mark.slow
def test_what_waits_while_blocks_come_is_signed_dearer_by_a_rule(studio):
    "The node's suggestion doesn't change, and the transaction isn't taken into blocks: an eighth more, and again."
    stuck(studio)
    waiting = studio.minter.transactions()[0]
    fault(studio, "swallowed", times=10**6)
    studio.minter.patience, studio.minter.bump = 1.5, 0.3
    for _ in range(2):
        studio.node("anvil_dropTransaction", waiting.hash)
        studio.node("evm_mine")
        with pytest.raises(NotYetMined):
            studio.minter.reconcile()
    assert studio.minter.transactions()[0].earlier == []  # no blocks came while it was looked at
    studio.node("evm_setIntervalMining", 1)
    with pytest.raises(NotYetMined):
        studio.minter.reconcile()
    offers = [fields_of(raw)["maxFeePerGas"] for raw in (waiting.raw, studio.minter.transactions()[0].raw)]
    assert offers[1] >= offers[0] * 9 // 8
    studio.proxy(faults=[])
    studio.minter.patience = 5
    assert studio.minter.reconcile()[0].state == "confirmed"


# Estimates


def test_an_estimate_above_the_cap_is_refused_and_not_cut(studio):
    fault(studio, "value", "eth_estimateGas", value=hex(20_000_000))
    with pytest.raises(GasAboveCap) as caught:
        studio.minter.send(studio.contract.functions.mintBatch(1, 1, 0), {"verb": "mintBatch"})
    assert (caught.value.gas, caught.value.most) == (20_000_000, 2**24)
    assert studio.minter.transactions() == []


@pytest.mark.slow
def test_on_arbitrum_the_part_for_l1_comes_on_top_of_the_cap(tmp_path, start_anvil, predeploys, proxy):
    node = start_anvil("--chain-id", "42161", "--gas-limit", "60000000")
    node("anvil_setCode", NODE_INTERFACE, predeploys["NodeInterface"])
    studio = Studio(tmp_path, node)
    proxy(target=node.url, other="", faults=[])
    studio.proxy = proxy
    journal = Journal(studio.catalog, connect(proxy.url, tmp_path), studio.minter.signer)
    call = (studio.contract.functions.mintBatch(1, 1, 0), {"verb": "mintBatch"})
    fault(studio, "value", "eth_estimateGas", value=hex(ARBITRUM_GAS + 400))
    assert fields_of(journal.send(*call).raw)["gas"] > ARBITRUM_GAS
    fault(studio, "value", "eth_estimateGas", value=hex(ARBITRUM_GAS + 10_000))
    with pytest.raises(GasAboveCap):
        journal.send(*call)


@pytest.mark.many(1)
@pytest.mark.parametrize(
    "words, refusal",
    [
        ("execution reverted", RefusedByContract),
        ("gas required exceeds allowance (30000000)", RefusedByContract),
        ("insufficient funds for gas * price + value", OutOfGasMoney),
    ],
)
def test_an_estimate_that_is_refused_says_why(studio, words, refusal):
    fault(studio, "error", "eth_estimateGas", value={"code": -32000, "message": words})
    with pytest.raises(refusal):
        studio.minter.send(studio.contract.functions.mintBatch(1, 1, 0), {"verb": "mintBatch"})


# Fields that are left out


@pytest.mark.many(1)
@pytest.mark.parametrize("field", ["blockHash", "effectiveGasPrice"])
def test_what_a_receipt_leaves_out_is_computed_from_its_block(studio, field):
    fault(studio, "without", "eth_getTransactionReceipt", value=field)
    sent = mint(studio.minter, studio.contract, studio.drop)[0]
    receipt = studio.direct.eth.get_transaction_receipt(sent.hash)
    assert sent.block_hash == receipt["blockHash"].to_0x_hex()
    assert int(sent.wei) == receipt["gasUsed"] * receipt["effectiveGasPrice"]


@pytest.mark.many(1)
@pytest.mark.parametrize(
    "method, field", [("eth_getTransactionReceipt", "status"), ("eth_getTransactionReceipt", "gasUsed")]
)
def test_a_receipt_that_lacks_the_end_is_refused_in_words(studio, method, field):
    fault(studio, "without", method, value=field)
    with pytest.raises(IncompleteAnswer, match=field) as caught:
        mint(studio.minter, studio.contract, studio.drop)
    assert caught.value.exit_code == 3
    studio.proxy(faults=[])
    assert mint(studio.minter, studio.contract, studio.drop) == []


def test_a_chain_without_a_base_fee_is_refused_in_words(studio):
    fault(studio, "without", "eth_getBlockByNumber", value="baseFeePerGas")
    with pytest.raises(IncompleteAnswer, match="baseFeePerGas"):
        mint(studio.minter, studio.contract, studio.drop)
    assert studio.minter.transactions() == []


HEADERS = (
    Path(__file__).parents[1] / "data/headers.json"
)  # the fields that differ from Ethereum's, in their forms and lengths


@pytest.mark.parametrize("name", some(["polygon", "bsc", "linea"], ["bsc"]))
def test_headers_of_chains_whose_validators_sign_in_them(studio, name):
    "97 bytes of extraData and more, and whatever else such a header has."
    fault(studio, "with", "eth_getBlockByNumber", value=json.loads(HEADERS.read_text())[name])
    assert len(mint(studio.minter, studio.contract, studio.drop)) == 1


# Any chain, in a few lines


@pytest.mark.slow
def test_a_chain_that_studio_toml_names(tmp_path, start_anvil):
    node = start_anvil("--chain-id", "59144")
    (tmp_path / "studio.toml").write_text(
        '[chains.linea]\nchain_id = 59144\ncoin = "LIN"\n[ceilings]\ntoken = 0.5\n'
    )
    networks = networks_of(tmp_path)
    urls, number = resolve_nodes("linea", {"ARTMINT_RPC_LINEA": node.url}, networks)
    studio = Studio(tmp_path, node)
    studio.web3.networks = networks
    sent = mint(studio.minter, studio.contract, studio.drop)
    units = {line["unit"] for line in studio.catalog.costs() if line["key"] == sent[0].hash}
    assert (number, units) == (59144, {"gas", "wei"})  # money, and no play money
    assert ceilings_of(tmp_path).token == 5 * 10**8


# Limits in mid-run


@pytest.mark.slow
def test_a_ration_smaller_than_the_drop_is_used_up(studio):
    ask, minter = studio.contract.functions, studio.minter.signer.address
    studio.admin.send(ask.setAllowance(minter, 7, 0, 0), {"verb": "setAllowance"})
    plan = mint_plan(studio.contract, minter, studio.drop, 4)
    assert (plan.batches, plan.problems) == (((1, 4), (5, 3)), ())
    with pytest.raises(AllowanceTooSmall, match="raise the allowance"):
        mint(studio.minter, studio.contract, studio.drop, 4)
    assert ask.totalSupply().call() == 7
    with pytest.raises(AllowanceTooSmall):
        mint(studio.minter, studio.contract, studio.drop, 4)
    studio.admin.send(ask.setAllowance(minter, 16, 0, 0), {"verb": "setAllowance"})
    assert [one.purpose["quantity"] for one in mint(studio.minter, studio.contract, studio.drop, 4)] == [
        4,
        4,
        1,
    ]


@pytest.mark.slow
def test_a_window_that_is_spent_in_mid_run_can_be_waited_for(studio):
    ask, minter = studio.contract.functions, studio.minter.signer.address
    studio.admin.send(ask.setAllowance(minter, 16, 5, 600), {"verb": "setAllowance"})
    with pytest.raises(WindowSpent) as caught:
        mint(studio.minter, studio.contract, studio.drop, 2, 2)
    assert caught.value.exit_code == 3
    assert ask.totalSupply().call() == 4


# Blocks that go, though they were final


@pytest.mark.slow
def test_a_reorg_of_final_blocks_is_told_and_mended(studio):
    mint(studio.minter, studio.contract, studio.drop, 8)
    studio.node("anvil_mine", "0x50")
    assert stamp_drop(studio.minter, studio.contract, studio.drop).proven
    studio.node("anvil_reorg", 84, [])
    assert studio.contract.functions.totalSupply().call() == 0
    assert not stamp_drop(studio.minter, studio.contract, studio.drop).proven
    assert [body["what"] for body in studio.catalog.all("event", "reorg/").values()] == [
        "a final block is gone"
    ] * 2
    assert studio.contract.functions.totalSupply().call() == 16  # the same bytes, sent again
    stamps = studio.catalog.history("stamp", "demo/1@31337")
    assert [one["proven"] for one in stamps] == [True, False]
    studio.node("anvil_mine", "0x50")
    assert stamp_drop(studio.minter, studio.contract, studio.drop).proven


# What is trusted is agreed on


def test_logs_are_agreed_on_too(studio, start_anvil):
    mint(studio.minter, studio.contract, studio.drop)
    fault(studio, "value", "eth_getLogs", value=[])
    urls = f"{studio.proxy.url},{studio.node.url},{studio.node.url}"
    web3 = connect(urls, Path(), agree=True)
    contract = web3.eth.contract(studio.contract.address, abi=studio.contract.abi)
    assert len(contract.events.Transfer().get_logs(from_block=0)) == 16


@pytest.mark.slow
def test_a_limit_on_how_many_blocks_logs_are_searched_for(studio):
    mint(studio.minter, studio.contract, studio.drop, 2, 2)
    studio.node("anvil_mine", "0x20")
    fault(studio, "narrow", "eth_getLogs", value=10)
    logs = studio.contract.events.Transfer().get_logs(from_block=0)
    assert [log["args"]["tokenId"] for log in logs] == list(range(1, 17))


def test_a_block_that_was_seen_and_never_comes_is_said_to_be_missing(node):
    web3 = connect(node.url, Path(), patience=0.3)
    require_block(web3, web3.eth.block_number + 1000)
    with pytest.raises(NodeLags) as caught:
        web3.eth.get_balance("0x" + "11" * 20)
    assert caught.value.exit_code == 3


def test_an_old_node_that_takes_no_block_for_an_estimate(node):
    class Old:
        def make_request(self, method, params):
            if method == "eth_estimateGas" and len(params) > 1:
                return {"error": {"code": -32602, "message": "too many arguments, want at most 1"}}
            return forwarded(node.url, method, params)

    patient = PatientNode(Old())
    patient.make_request("eth_blockNumber", [])
    for _ in range(2):
        assert int(patient.make_request("eth_estimateGas", [{"to": "0x" + "11" * 20}])["result"], 16) == 21000
