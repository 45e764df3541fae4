"The parties, their roles and commitments."

import json
import stat

import pytest

from artmint import mint as room
from artmint.chain import admin as admin_room
from artmint.chain.signers import MissingKey, new_keystore
from artmint.chain.transaction import RefusedByContract
from artmint.core.collection import Market
from artmint.studio.catalog import Catalog
from tests.studios import DEMO, FAST, Drop, Studio, refused


def test_keys_are_encrypted_and_their_owners_only(studio):
    for path in (studio.folder / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    stored = json.loads((studio.folder / "keys/minter.json").read_text())
    assert stored["crypto"]["kdf"] == "scrypt"
    assert "privatekey" not in json.dumps(stored).lower()
    addresses = {studio.who.admin.address, studio.who.minter.address, studio.who.treasury}
    assert len(addresses) == 3
    again = admin_room.parties(studio.web3, studio.folder / "keys", rounds=FAST)
    assert {again.admin.address, again.minter.address, again.treasury} == addresses


def cost_of(key):
    "scrypt's rounds in a keystore."
    return json.loads(key.read_text())["crypto"]["kdfparams"]["n"]


def test_a_passphrase_that_artmint_drew_needs_no_slow_key(studio, tmp_path):
    admin_room.parties(studio.web3, tmp_path / "other/keys")
    assert {cost_of(tmp_path / f"other/keys/{name}.json") for name in ("admin", "minter", "treasury")} == {
        2**10
    }


@pytest.mark.parametrize("where", ["given", "environment", "file"])
def test_a_person_s_word_is_guarded_as_wallets_guard_it(studio, tmp_path, where):
    "Wherever it comes from. The minter's key is there already, since each one costs a second."
    keys = tmp_path / "other/keys"
    new_keystore(keys / "minter.json", "word", FAST)
    (keys / "passphrase").write_text("word" if where == "file" else "another")
    given = {"given": {"passphrase": "word"}, "environment": {"environment": {"ARTMINT_PASSPHRASE": "word"}}}
    admin_room.parties(studio.web3, keys, treasury=studio.who.treasury, **given.get(where, {}))
    assert cost_of(keys / "admin.json") == 2**18


def test_no_keys_are_made_for_another_chain(tmp_path, studio):
    class Node:
        provider, eth = None, None

    with pytest.raises(MissingKey):
        admin_room.parties(Node, tmp_path / "other", "word", studio.who.treasury)
    assert not (tmp_path / "other").exists()


def test_role_missing(ready):
    call = ready.contract.functions.revokeRole(
        ready.contract.functions.MINTER_ROLE().call(), ready.who.minter.address
    )
    ready.admin.send(call, {"verb": "revokeRole"})
    assert refused(ready, admin_room.RoleMissing, ready.mint).role == "minter"


def test_the_minter_is_no_admin(ready):
    refused(
        ready,
        admin_room.RoleMissing,
        lambda: admin_room.commit_drop(ready.minter, ready.contract, Drop(17, 1, 2)),
    )
    refused(
        ready,
        admin_room.RoleMissing,
        lambda: admin_room.authorize(ready.minter, ready.contract, ready.who.minter.address, 99),
    )
    refused(
        ready,
        RefusedByContract,
        lambda: ready.minter.send(
            ready.contract.functions.setTreasury(ready.who.minter.address), {"verb": "setTreasury"}
        ),
    )


@pytest.mark.many(1)
@pytest.mark.parametrize("word, first, quantity", [("b", 1, 16), ("a", 1, 15), ("a", 2, 15)])
def test_another_commitment(ready, word, first, quantity):
    refused(
        ready,
        admin_room.CommittedElsewise,
        lambda: admin_room.commit_drop(ready.admin, ready.contract, Drop(first, quantity, word=word)),
    )
    refused(
        ready,
        admin_room.CommittedElsewise,
        lambda: room.mint(ready.minter, ready.contract, Drop(first, quantity, word=word)),
    )


def test_drops_come_in_order(tmp_path):
    studio = Studio(tmp_path, Drop(1, 4)).ready()
    second = Drop(5, 4, 2, "b")
    assert (
        refused(
            studio,
            admin_room.EarlierDropOpen,
            lambda: admin_room.commit_drop(studio.admin, studio.contract, Drop(6, 4, 2)),
        ).expected
        == 5
    )
    admin_room.commit_drop(studio.admin, studio.contract, second)
    assert (
        refused(
            studio, admin_room.EarlierDropOpen, lambda: room.mint(studio.minter, studio.contract, second)
        ).expected
        == 1
    )
    studio.mint()
    room.mint(studio.minter, studio.contract, second)
    assert studio.supply() == 8
    assert studio.contract.functions.tokenURI(5).call() == f"ipfs://{second.root}/5.json"


def test_the_contract_has_the_symbol_and_the_royalty_that_the_collection_says(studio):
    splitter = "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"
    royalty = DEMO.royalty.model_copy(update={"receiver": splitter, "basis_points": 750})
    named = DEMO.model_copy(update={"market": Market(symbol="LIGHT"), "royalty": royalty})
    contract = admin_room.deploy(studio.admin, named, studio.who.treasury)
    assert contract.functions.symbol().call() == named.symbol == "LIGHT"
    assert contract.functions.royaltyInfo(1, 10_000).call() == [splitter, 750]
    assert DEMO.symbol == "DEMO"


# What isn't on record, or isn't asked for


def redeployed(studio):
    "Another contract of the same collection, beside the first."
    return admin_room.deploy(studio.admin, DEMO, studio.who.treasury, beside=studio.contract.address)


@pytest.mark.slow
def test_another_contract_has_another_salt(studio):
    studio.contract = admin_room.deploy(studio.admin, DEMO, studio.who.treasury)
    admin_room.seal_drop(studio.admin, studio.contract, studio.drop)
    told = admin_room.kept_salt(studio.catalog, studio.contract, studio.drop)
    admin_room.reveal_drop(studio.admin, studio.contract, studio.drop)
    second = redeployed(studio)
    assert admin_room.find_salt(studio.catalog, second, studio.drop) == b""
    admin_room.seal_drop(studio.admin, second, studio.drop)
    assert admin_room.kept_salt(studio.catalog, second, studio.drop) != told
    admin_room.reveal_drop(studio.admin, second, studio.drop)


def test_a_salt_that_was_kept_for_a_chain_opens_what_it_sealed_and_nothing_else(studio):
    studio.contract = admin_room.deploy(studio.admin, DEMO, studio.who.treasury)
    studio.catalog.put("salt", "demo/1@31337", {"salt": "07" * 32})
    assert admin_room.find_salt(studio.catalog, studio.contract, studio.drop) == b""
    admin_room.commit_drop(studio.admin, studio.contract, studio.drop, b"\x07" * 32)
    assert admin_room.kept_salt(studio.catalog, studio.contract, studio.drop) == b"\x07" * 32
    admin_room.reveal_drop(studio.admin, studio.contract, studio.drop)
    assert admin_room.find_salt(studio.catalog, studio.contract, studio.drop) == b"\x07" * 32
    assert admin_room.find_salt(studio.catalog, redeployed(studio), studio.drop) == b""


def test_a_lost_salt_is_said_and_no_new_one_is_drawn(studio, tmp_path):
    studio.contract = admin_room.deploy(studio.admin, DEMO, studio.who.treasury)
    admin_room.seal_drop(studio.admin, studio.contract, studio.drop)
    lost = Catalog(tmp_path / "lost")
    with pytest.raises(admin_room.NoDropSalt):
        admin_room.draw_salt(lost, studio.contract, studio.drop)
    assert lost.all("salt") == {}


def test_an_open_drop_has_no_salt_that_could_be_lost(studio):
    "Who reveals what the chain tells already is told so, and not sent to look for a salt in copies."
    studio.contract = admin_room.deploy(studio.admin, DEMO, studio.who.treasury)
    admin_room.commit_drop(studio.admin, studio.contract, studio.drop)
    with pytest.raises(admin_room.ToldAlready, match="nothing is left to seal or to reveal") as refused:
        admin_room.reveal_drop(studio.admin, studio.contract, studio.drop)
    assert refused.value.exit_code == 2


def test_a_window_that_nobody_asks_about_stays(ready):
    minter = ready.who.minter.address
    admin_room.authorize(ready.admin, ready.contract, minter, 16, per_window=5, window=600)
    admin_room.authorize(ready.admin, ready.contract, minter, 20)
    assert ready.contract.functions.allowanceOf(minter).call()[:4] == [20, 0, 5, 600]
    admin_room.authorize(ready.admin, ready.contract, minter, 20, per_window=0, window=0)
    assert ready.contract.functions.allowanceOf(minter).call()[:4] == [20, 0, 0, 0]


def test_a_stamp_of_another_contract_is_no_stamp_of_this_one(ready):
    ready.mint()
    assert room.stamp_drop(ready.minter, ready.contract, ready.drop).proven
    first, ready.contract = ready.contract.address, redeployed(ready)
    assert not room.stamp_drop(ready.minter, ready.contract, ready.drop).proven
    stamps = ready.catalog.history("stamp", "demo/1@31337")
    assert [(one["contract"], one["proven"]) for one in stamps] == [
        (first, True),
        (ready.contract.address, False),
    ]
