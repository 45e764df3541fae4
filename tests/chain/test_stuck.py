"Ways out of a stuck nonce, on the chain in a folder; with nodes, pools and blocks: tests/faults/test_weather.py."

import pytest

from artmint.chain.embedded import TransactionRefused
from artmint.chain.journal import TransactionBook, sign_again
from artmint.chain.stuck import (
    ClosedKey,
    NothingWaits,
    abandon,
    cancel,
    next_version,
    speed_up,
    waiting_transactions,
)
from artmint.chain.transaction import GasPriceAboveCeiling, NeverTaken


@pytest.fixture
def blocked(ready, monkeypatch):
    "A studio whose minter's first batch no node takes."

    def never(raw):
        raise TransactionRefused("intrinsic gas too low")

    monkeypatch.setattr(ready.web3.provider.chain, "send", never)
    with pytest.raises(NeverTaken):
        ready.mint(16)
    monkeypatch.undo()
    return ready


def test_what_waits_is_shown_for_every_key_of_the_studio(blocked):
    assert [(one.nonce, one.state) for one in waiting_transactions(blocked.catalog, blocked.web3)] == [
        (0, "sent")
    ]


def test_another_nonce_than_what_waits_is_refused(blocked):
    for way in (speed_up, cancel, abandon):
        with pytest.raises(NothingWaits, match="artmint tx list"):
            way(blocked.minter, 1)


@pytest.mark.slow
def test_no_offer_above_what_was_said(blocked):
    with pytest.raises(GasPriceAboveCeiling):
        speed_up(blocked.minter, 0, gwei=0.001)
    assert len(blocked.minter.transactions()[0].versions) <= 3


@pytest.mark.slow
def test_a_key_that_is_gone_can_be_given_up_without_it(blocked):
    signer = blocked.minter.signer
    signer.lock.unlink()
    book = TransactionBook(blocked.catalog, blocked.web3, ClosedKey(signer.address, signer.lock))
    assert [one.state for one in abandon(book, 0)] == ["abandoned"]
    assert [one.state for one in waiting_transactions(blocked.catalog, blocked.web3)] == ["abandoned"]
    assert blocked.minter.reconcile() == []


def test_a_deployment_that_was_cancelled_is_not_taken_for_one(studio, monkeypatch):
    "The nonce went to the empty transaction: the next deployment has another address, and is recorded as its own."
    from artmint.chain.admin import deploy
    from tests.studios import DEMO

    def never(raw):
        raise TransactionRefused("intrinsic gas too low")

    monkeypatch.setattr(studio.web3.provider.chain, "send", never)
    with pytest.raises(NeverTaken):
        deploy(studio.admin, DEMO, studio.who.treasury)
    monkeypatch.undo()
    cancel(studio.admin, 0)
    contract = deploy(studio.admin, DEMO, studio.who.treasury)
    assert [one.purpose["verb"] for one in studio.admin.transactions()] == ["cancel", "deploy"]
    assert contract.functions.totalSupply().call() == 0


@pytest.mark.slow
def test_a_minter_under_its_policy_follows_what_was_cancelled(blocked):
    "The empty transaction waits when the next run begins, and is signed dearer as anything else."
    from artmint.chain.journal import bump_fee
    from artmint.mint import guarded_journal

    journal = guarded_journal(blocked.catalog, blocked.contract, blocked.who.minter)
    with journal:
        waiting = journal.transactions()[0]
        empty = next_version(journal, waiting, empty=True).fields
        signed = sign_again(journal, waiting, empty, {"verb": "cancel"})
        bumped = bump_fee(journal, signed)
    assert len(bumped.versions) == len(signed.versions) + 1
    assert [one.purpose["verb"] for one in journal.reconcile()] == ["cancel"]
