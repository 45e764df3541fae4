"Refused before anything is sent."

from types import SimpleNamespace

import pytest

from artmint.chain import admin as admin_room
from artmint.chain.preflight import (
    AllowanceTooSmall,
    BadBatchSize,
    NotCommitted,
    Paused,
    Unstored,
    mint_plan,
    refuse_unstored,
)
from artmint.studio.catalog import Catalog
from tests.studios import DEMO, refused


def test_not_committed(studio):
    studio.contract = admin_room.deploy(studio.admin, DEMO, studio.who.treasury)
    admin_room.authorize(studio.admin, studio.contract, studio.who.minter.address, 16)
    assert refused(studio, NotCommitted, studio.mint).committed == 0


def test_allowance_too_small(studio):
    studio.ready(allowance=15)
    with pytest.raises(AllowanceTooSmall):
        studio.mint()
    assert studio.supply() == 15  # what was allowed
    found = refused(studio, AllowanceTooSmall, studio.mint)
    assert (found.left, found.wanted) == (0, 1)


def test_paused(ready):
    ready.admin.send(
        ready.contract.functions.grantRole(
            ready.contract.functions.PAUSER_ROLE().call(), ready.who.admin.address
        ),
        {"verb": "grantRole"},
    )
    ready.admin.send(ready.contract.functions.pause(), {"verb": "pause"})
    refused(ready, Paused, ready.mint)


@pytest.mark.many(1)
@pytest.mark.parametrize("batch", [0, -1, 101])
def test_batch_size(ready, batch):
    refused(ready, BadBatchSize, lambda: ready.mint(batch))


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


@pytest.mark.parametrize(
    ("chain", "receipt", "passes"),
    [
        (8453, None, False),
        (8453, ["folder store"], False),
        (8453, ["folder store", "folder vault"], False),
        (8453, ["folder store", "pinata api.pinata.cloud"], True),
        (84532, ["folder store"], True),
        (31337, None, True),
    ],
)
def test_on_a_main_network_somebody_else_must_keep_the_drop(tmp_path, chain, receipt, passes):
    "Tokens that point to content which nobody but the studio has can't be taken back."
    catalog = Catalog(tmp_path)
    drop = SimpleNamespace(collection="demo", drop=1, root="bafy1")
    if receipt:
        stores = [{"store": name} for name in receipt]
        catalog.append("pin", "demo/1", {"root": "bafy1", "stores": stores})
    web3 = SimpleNamespace(eth=SimpleNamespace(chain_id=chain))
    if passes:
        return refuse_unstored(catalog, drop, web3)
    with pytest.raises(Unstored, match="Nothing was sent"):
        refuse_unstored(catalog, drop, web3)


def test_a_receipt_of_another_root_is_none(tmp_path):
    catalog = Catalog(tmp_path)
    catalog.append("pin", "demo/1", {"root": "bafy0", "stores": [{"store": "pinata x"}]})
    web3 = SimpleNamespace(eth=SimpleNamespace(chain_id=1))
    with pytest.raises(Unstored):
        refuse_unstored(catalog, SimpleNamespace(collection="demo", drop=1, root="bafy1"), web3)
