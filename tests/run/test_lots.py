"`artmint lots`: announced once before its block, drawn by anybody, given by airdrop, and held against the chain."

import json

import pytest

from artmint.core.collection import example
from artmint.run.lots import NotLots, read_lots
from tests.attested import RealEas
from tests.delivered import PASSPHRASE, Collected, friend
from tests.safes import artmint


@pytest.fixture
def ordered(tmp_path, node, monkeypatch):
    "A studio of six tokens on an anvil with EAS, and a list of two people who ordered; `words` is what follows the verb."
    monkeypatch.setenv("ARTMINT_PASSPHRASE", PASSPHRASE)
    studio = Collected(tmp_path / "studio", node, 6)
    studio.eas = RealEas(studio.web3, studio.send)
    studio.list = tmp_path / "orders.csv"
    studio.list.write_text(f"address,count\n{friend(1).address},2\n{friend(2).address},1\n")
    studio.where = ["--studio", studio.folder, "--chain", node.url]
    batch = studio.batch(example(), 6)
    studio.words = [batch, studio.list, *studio.where]
    studio.seen = [*studio.where, "--eas", studio.eas.address]
    for role in ("deployer", "admin"):
        keep = studio.folder / f"keys/{role}.json"
        keep.write_bytes((studio.folder / "keys/treasury.json").read_bytes())
        keep.chmod(0o600)
    studio.file = studio.folder / "lots/demo-31337-orders.json"
    return studio


def announce(capsys, studio, *more, code=0):
    "What the verb says."
    words = ["--eas", studio.eas.address, "--blocks", 20, *more]
    return artmint(capsys, "lots", "announce", *studio.words, *words, code=code)


@pytest.mark.slow
def test_from_a_list_to_tokens_that_nobody_chose(ordered, capsys):
    said = json.loads(announce(capsys, ordered, "--dry-run", "--json"))
    assert said["gas"] > 40_000 and not said["announced"] and not ordered.file.exists()
    assert "3 tickets for 6 tokens" in announce(capsys, ordered)
    written = ordered.file.read_bytes()
    again = json.loads(announce(capsys, ordered, "--json"))
    assert again["announced"] and "transaction" not in again and ordered.file.read_bytes() == written
    assert len(ordered.eas.contract.events.Timestamped().get_logs(from_block=0)) == 1

    assert "isn't final yet" in artmint(capsys, "lots", "draw", ordered.file, *ordered.seen, code=4)
    ordered.node("anvil_mine", 25)
    drawn = json.loads(artmint(capsys, "lots", "draw", ordered.file, *ordered.seen, "--json", code=4))
    assert [one["address"] for one in drawn["tickets"]] == [friend(1).address] * 2 + [friend(2).address]
    assert {one["state"] for one in drawn["tickets"]} == {"waiting"}
    block = ordered.web3.eth.get_block(drawn["block"])
    assert drawn["hash"] == block["hash"].to_0x_hex()

    given = ordered.file.with_name("demo-31337-orders-drawn.json")
    before = ordered.list.read_bytes()
    artmint(capsys, "lots", "draw", ordered.file, *ordered.seen, "--out", ordered.list, code=2)
    assert ordered.list.read_bytes() == before
    assert "3 tokens are delivered" in artmint(capsys, "airdrop", ordered.words[0], given, *ordered.where)
    assert "3 of 3 are delivered" in artmint(capsys, "lots", "draw", ordered.file, *ordered.seen)
    owners = ordered.owners()
    assert all(owners[one["token"]] == one["address"] for one in drawn["tickets"])


def test_what_was_announced_late_or_never_or_changed_since_counts_for_nothing(ordered, capsys):
    announce(capsys, ordered)
    facts = json.loads(ordered.file.read_text())
    other = ordered.folder / "lots/other.json"
    other.write_text(json.dumps(facts | {"tickets": facts["tickets"][::-1]}))
    ordered.node("anvil_mine", 25)
    assert "never announced, or changed" in artmint(capsys, "lots", "draw", other, *ordered.seen, code=1)
    late = json.dumps(facts | {"name": "late", "block": facts["block"] + 1})
    other.write_text(late)
    ordered.send(ordered.eas.contract.functions.timestamp(read_lots(other).mark))
    assert "could know the outcome" in artmint(capsys, "lots", "draw", other, *ordered.seen, code=1)


def test_another_list_under_the_name_and_a_block_that_passed_are_refused_unpaid(ordered, capsys):
    before = ordered.web3.eth.get_balance(ordered.treasury)
    ordered.file.parent.mkdir()
    ordered.eas.contract  # nothing of it is noted
    announce(capsys, ordered, "--dry-run")
    stale = {
        "collection": "demo",
        "name": "orders",
        "chain_id": 31337,
        "block": 1,
        "tokens": [1, 2, 3, 4, 5, 6],
    }
    stale |= {"contract": ordered.contract.address, "treasury": ordered.treasury}
    stale["tickets"] = [friend(1).address] * 2 + [friend(2).address]
    ordered.file.write_text(json.dumps(stale))
    assert "Announce them again under another name" in announce(capsys, ordered, code=1)
    ordered.list.write_text(f"address\n{friend(3).address}\n")
    assert "doesn't change" in announce(capsys, ordered, code=2)
    assert ordered.web3.eth.get_balance(ordered.treasury) == before


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"tickets": 3}', "null", "\x1b[2J", '{"a": ' * 50_000],
    ids=["empty", "a list", "nothing", "a number", "null", "a terminal's order", "deep"],
)
def test_what_is_no_draw_is_refused_in_words(tmp_path, text):
    (tmp_path / "lots.json").write_text(text)
    with pytest.raises(NotLots) as refusal:
        read_lots(tmp_path / "lots.json")
    assert "\x1b" not in str(refusal.value)


def test_tokens_twice_or_fewer_than_tickets_are_no_draw(tmp_path):
    facts = {
        "collection": "demo",
        "name": "a",
        "chain_id": 1,
        "block": 9,
        "contract": "0xc",
        "treasury": "0xd",
    }
    for more in ({"tokens": [1, 1], "tickets": ["0xa"]}, {"tokens": [1], "tickets": ["0xa", "0xb"]}):
        (tmp_path / "lots.json").write_text(json.dumps(facts | more))
        with pytest.raises(NotLots, match="aren't in order, or are fewer"):
            read_lots(tmp_path / "lots.json")
