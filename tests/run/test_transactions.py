"artmint tx: what waits, and ways out of a stuck nonce."

import json

import pytest
from typer.testing import CliRunner

from artmint.chain.embedded import TransactionRefused
from artmint.chain.transaction import NeverTaken
from artmint.run.transactions import tx_app
from tests.studios import Studio


@pytest.fixture
def blocked(tmp_path, monkeypatch):
    "A studio whose minter's first batch no node takes."
    studio = Studio(tmp_path).ready()

    def never(raw):
        raise TransactionRefused("intrinsic gas too low")

    monkeypatch.setattr(studio.web3.provider.chain, "send", never)
    with pytest.raises(NeverTaken):
        studio.mint(16)
    monkeypatch.undo()
    return studio


def tx(studio, *words, code=0):
    "What the console answers."
    done = CliRunner().invoke(tx_app, [*words, "--studio", str(studio.folder)], obj={})
    assert done.exit_code == code, done.output + repr(done.exception)
    return done.output


@pytest.mark.slow
def test_what_waits_is_listed_with_what_is_done_about_it(blocked):
    assert "never" in tx(blocked, "list", code=4)
    row = json.loads(tx(blocked, "list", "--json", code=4))["waiting"][0]
    assert (row["nonce"], row["verb"], row["state"], row["for"]["first"]) == (0, "mintBatch", "sent", 1)
    assert "signed again at the same nonce" in row["done"]


def test_a_dry_run_signs_nothing(blocked):
    before = blocked.minter.transactions()
    for word in ("speed-up", "cancel"):
        assert "would be signed" in tx(blocked, word, "0", "--dry-run")
    assert "would be given up" in tx(blocked, "abandon", "0", blocked.who.minter.address, "--dry-run")
    assert blocked.minter.transactions() == before


def test_a_cancel_frees_the_nonce(blocked):
    said = json.loads(tx(blocked, "cancel", "0", "--json"))
    assert [(one["verb"], one["state"]) for one in said["ended"]] == [("cancel", "confirmed")]
    assert "Nothing waits." in tx(blocked, "list")
    assert len(blocked.mint(16)) == 1


@pytest.mark.slow
def test_a_nonce_that_was_given_up_is_taken_by_the_next(blocked):
    assert "is given up" in tx(blocked, "abandon", "0", blocked.who.minter.address.lower())
    assert [one.nonce for one in blocked.mint(16)] == [0]


@pytest.mark.slow
def test_a_speed_up_mints_what_waited(blocked):
    assert "mintBatch is confirmed" in tx(blocked, "speed-up", "0")
    assert blocked.supply() == 16


def test_a_mint_that_is_stopped_says_what_that_means():
    from artmint.run.commands import _stopped_in_words

    with pytest.raises(KeyboardInterrupt, match="Run again to go on"), _stopped_in_words():
        raise KeyboardInterrupt  # the console says its words


@pytest.mark.slow
def test_the_key_that_studio_toml_names_is_the_one_that_signs(blocked):
    keys = blocked.folder / "keys"
    (keys / "minter.json").rename(keys / "hot.json")
    (blocked.folder / "studio.toml").write_text(
        '[signers.minter]\nkind = "keystore"\nfile = "keys/hot.json"\n'
    )
    assert "would be signed" in tx(blocked, "speed-up", "0", "--dry-run")
    assert "mintBatch is confirmed" in tx(blocked, "speed-up", "0")


@pytest.mark.slow
def test_what_takes_a_nonce_is_signed_within_the_limits_of_the_key(blocked):
    (blocked.folder / "studio.toml").write_text("[policy]\nday = 0.000000001\n")
    before = blocked.minter.transactions()
    for word in ("speed-up", "cancel"):
        done = CliRunner().invoke(tx_app, [word, "0", "--studio", str(blocked.folder)], obj={})
        assert "in 24 hours, above 1000000000" in str(done.exception)
        assert "problem" in tx(blocked, word, "0", "--dry-run", code=1)
    assert blocked.minter.transactions() == before


@pytest.mark.slow
def test_a_safe_has_no_nonce_that_could_be_stuck(blocked):
    safe = f'[signers.admin]\nkind = "safe"\naddress = "{blocked.who.treasury}"\n'
    (blocked.folder / "studio.toml").write_text(safe)
    assert "a Safe" in tx(blocked, "cancel", "0", "--key", "admin", code=2)
