"Chains: what a transaction costs where, and nodes that fail, lag and lie."

from pathlib import Path

import pytest
from eth_account import Account

from artmint.chain.connect import connect, redact_url
from artmint.chain.networks import (
    NETWORKS,
    NODE_INTERFACE,
    ORACLE,
    BadNodeAddress,
    Ceilings,
    TokenCostAboveCeiling,
    NoNode,
    ceilings_of,
    forecast_gas,
    l1_gas,
    network_of,
    paid,
    resolve_nodes,
)
from artmint.chain.preflight import mint_plan
from artmint.mint import mint
from artmint.studio.files import BadSettings
from tests.nodes import Studio

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


# Fees


def test_profiles():
    assert len({each.chain_id for each in NETWORKS.values()}) == 12
    assert sum(each.test for each in NETWORKS.values()) == 6
    assert {name: each.fees for name, each in NETWORKS.items() if not each.test} == {
        "ethereum": "ethereum",
        "optimism": "op",
        "base": "op",
        "arbitrum": "arbitrum",
        "polygon": "ethereum",
        "bsc": "ethereum",
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
    with pytest.raises(BadNodeAddress, match="ARTMINT_RPC_BASE ") as caught:
        resolve_nodes("base", {"ARTMINT_RPC_BASE": "127.0.0.1:8545/canary"})
    assert (caught.value.exit_code, "canary" in str(caught.value)) == (2, False)


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_l1_part_is_of_the_signed_size(start_anvil, predeploys):
    node = start_anvil("--chain-id", "10")
    node("anvil_setCode", ORACLE, predeploys["OldGasPriceOracle"])
    web3 = connect(node.url, Path(), 10)
    account = Account.create()
    signed = account.sign_transaction({**FIELDS, "chainId": 10}).raw_transaction
    assert abs(forecast_gas(web3, {**FIELDS, "chainId": 10}).l1 - len(signed)) <= 2


@pytest.mark.slow
def test_a_mint_on_arbitrum(tmp_path, start_anvil, predeploys):
    node = start_anvil("--chain-id", "42161")
    node("anvil_setCode", NODE_INTERFACE, predeploys["NodeInterface"])
    studio = Studio(tmp_path, node)
    assert l1_gas(studio.web3, {**FIELDS, "chainId": 42161}) == 504
    plan = mint_plan(studio.contract, studio.minter.signer.address, studio.drop)
    assert plan.cost.l1 == 0
    assert mint(studio.minter, studio.contract, studio.drop)[0].state == "confirmed"


def test_what_was_paid():
    isthmus = {
        "gasUsed": 10,
        "effectiveGasPrice": 5,
        "l1Fee": "0x10",
        "operatorFeeScalar": "0xf4240",
        "operatorFeeConstant": "0x7",
    }
    assert paid(isthmus) == 50 + 16 + 10 + 7
    jovian = isthmus | {"operatorFeeScalar": "0x3", "daFootprintGasScalar": "0x190"}
    assert paid(jovian) == 50 + 16 + 10 * 3 * 100 + 7


# Ceilings


@pytest.mark.slow
def test_a_token_that_is_too_dear(tmp_path, node):
    studio = Studio(tmp_path, node)
    before = studio.web3.eth.block_number
    for limits in (Ceilings(token=10), Ceilings(day=1000)):
        with pytest.raises(TokenCostAboveCeiling):
            mint(studio.minter, studio.contract, studio.drop, ceilings=limits)
    with pytest.raises(TokenCostAboveCeiling):
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
    with pytest.raises(TokenCostAboveCeiling, match="this day"):
        mint(studio.minter, studio.contract, studio.drop, 8, ceilings=Ceilings(day=cost * 3 // 4))
    assert studio.contract.functions.totalSupply().call() == 8
    mint(studio.minter, studio.contract, studio.drop, 8, ceilings=Ceilings(day=10 * cost))


@pytest.mark.parametrize("word", ["token", "day", "patience"])
def test_a_ceiling_that_is_beyond_all_money_is_refused(tmp_path, word):
    (tmp_path / "studio.toml").write_text(f"[ceilings]\n{word} = 1e308\n")
    with pytest.raises(BadSettings, match=word):
        ceilings_of(tmp_path)
