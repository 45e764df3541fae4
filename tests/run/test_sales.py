"`artmint sale`: from a batch's table to what was sold, by the console."

import json
from datetime import UTC, datetime

import pytest

from artmint.core.collection import example
from artmint.deliver.claim import buyer_proofs
from artmint.sale import sale_at
from tests.delivered import PASSPHRASE, Collected, friend
from tests.safes import artmint
from tests.studios import FAST
from artmint.chain.signers import new_keystore

TABLE = """
[sale]
name = "first"
first = 2

[[sale.stages]]
name = "friends"
start = "2020-01-01T00:00:00Z"
end = "2060-01-01T00:00:00Z"
list = "friends.csv"
price = "0.005"
limit = 2

[[sale.stages]]
name = "everybody"
start = "2020-01-01T00:00:00Z"
end = "2060-01-01T00:00:00Z"
price = "0.01"
limit = 3
"""


@pytest.fixture
def shop(tmp_path, node, monkeypatch):
    "On the node that all tests share."
    return shop_on(tmp_path, node, monkeypatch)


@pytest.fixture
def timed_shop(tmp_path, start_anvil, monkeypatch):
    "On a node of its own, whose clock may be turned."
    return shop_on(tmp_path, start_anvil(), monkeypatch)


def shop_on(tmp_path, node, monkeypatch):
    "A batch with a sale; `words` is what follows every verb."
    monkeypatch.setenv("ARTMINT_PASSPHRASE", PASSPHRASE)
    studio = Collected(tmp_path / "studio", node, 6)
    new_keystore(studio.folder / "keys/admin.json", PASSPHRASE, FAST)
    node.fund("0x" + json.loads((studio.folder / "keys/admin.json").read_text())["address"])
    path = studio.batch(example(), 6)
    path.write_text(path.read_text() + TABLE)
    (path.parent / "friends.csv").write_text(
        "address\n" + "".join(f"{friend(n).address}\n" for n in range(1, 6))
    )
    studio.words = [path, "--studio", studio.folder, "--chain", node.url]
    return studio


def test_from_terms_to_money(shop, capsys):
    def say(verb, *more, code=0):
        return artmint(capsys, "sale", verb, *shop.words, *more, code=code)

    assert "5 wallets, 10 tokens in all, 0.005" in say("plan")
    assert json.loads(say("plan", "--json"))["first"] == 2
    assert "no sale called first" in say("status", code=2)
    assert "sells nothing until" in say("deploy")
    address = json.loads(say("deploy", "--json"))["address"]
    assert "approved   no" in say("status")
    assert "would send setApprovalForAll" in say("approve", "--dry-run")
    assert "setApprovalForAll 0x" in say("approve")
    assert "it is so already" in say("approve")
    assert "5 wallets have a proof" in say("proofs")
    sale, buyer = sale_at(shop.web3, address), friend(3)
    mine = json.loads(next(shop.folder.glob(f"sales/*/proofs/{buyer.address.lower()}.json")).read_text())
    entry = mine["stages"][0]
    shop.node.fund(buyer.address)
    proof = [bytes.fromhex(one[2:]) for one in entry["proof"]]
    call = sale.functions.buyListed(entry["stage"], 2, entry["limit"], int(entry["price"]), proof)
    shop.send(call, buyer, value=2 * int(entry["price"]))
    shown = json.loads(say("status", "--json"))
    assert [(one["token"], one["price"]) for one in shown["sold"]] == [
        (2, str(5 * 10**15)),
        (3, str(5 * 10**15)),
    ]
    assert (shown["waiting"], shown["new_in_the_ledger"]) == (str(10**16), 2)
    assert "0.01 ether would go to" in say("withdraw", "--dry-run")
    assert "0.01 ether went to" in say("withdraw")
    assert shop.web3.eth.get_balance(address) == 0
    say("end")
    assert "approved   no" in say("status")


def test_what_is_missing_is_said(shop, capsys, tmp_path):
    path = shop.words[0]
    path.write_text(path.read_text().replace("[sale]", "[sail]").replace("[[sale.", "[[sail."))
    assert "sail" in artmint(capsys, "sale", "plan", *shop.words, code=2)
    path.write_text(path.read_text().split("[sail]")[0])
    assert "has no [sale] table" in artmint(capsys, "sale", "plan", *shop.words, code=2)
    (tmp_path / "own.toml").write_text("stages = []\n")
    assert "stages" in artmint(capsys, "sale", "plan", *shop.words, "--terms", tmp_path / "own.toml", code=2)


def test_proofs_hold_every_stage_that_a_wallet_is_in():
    from artmint.deliver.terms import SaleTerms, SaleStage

    buyers = ((friend(1).address, 1, 5), (friend(2).address, 2, 6))
    stages = tuple(
        SaleStage(name=name, start=1, end=2, limit=0, price=0, buyers=some)
        for name, some in (("one", buyers), ("two", buyers[:1]))
    )
    nobody = "0x" + "0" * 40
    facts = {"treasury": nobody, "payee": nobody, "gate": nobody, "gate_root": "0x" + "0" * 64}
    proofs = buyer_proofs(SaleTerms(name="x", first=1, last=2, **facts, stages=stages))
    assert [row["stage"] for row in proofs[friend(1).address.lower()]] == [0, 1]
    assert proofs[friend(1).address.lower()][1]["proof"] == []
    assert len(proofs[friend(2).address.lower()]) == 1


def test_a_sale_whose_stages_are_all_over_isnt_deployed(shop, capsys):
    path = shop.words[0]
    path.write_text(path.read_text().replace('end = "2060', 'end = "2021'))
    before = shop.web3.eth.block_number
    assert "are over" in artmint(capsys, "sale", "deploy", *shop.words, code=2)
    assert shop.web3.eth.block_number == before
    one = path.read_text().replace('end = "2021', 'end = "2060', 1)
    path.write_text(one)
    assert "stage everybody is over already" in artmint(capsys, "sale", "deploy", *shop.words)


def test_a_plan_says_what_deploying_would_refuse(shop, capsys):
    path = shop.words[0]
    path.write_text(path.read_text().replace('end = "2060', 'end = "2021'))
    assert "refuses it" in artmint(capsys, "sale", "plan", *shop.words, code=1)
    assert json.loads(artmint(capsys, "sale", "plan", *shop.words, "--json", code=1))["problems"]


@pytest.mark.slow
def test_a_deployment_that_was_killed_goes_on_though_its_stages_are_over(timed_shop, capsys, monkeypatch):
    "It is on the chain, and nobody wrote down where: what stands is said, and nothing is sent again."
    shop = timed_shop
    from artmint.studio.catalog import Catalog

    put = Catalog.put

    def killed(self, kind, *given, **named):
        if kind == "sale":
            raise KeyboardInterrupt
        return put(self, kind, *given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(Catalog, "put", killed)
        artmint(capsys, "sale", "deploy", *shop.words, code=130)
    payer = shop.web3.to_checksum_address(
        json.loads((shop.folder / "keys/admin.json").read_text())["address"]
    )
    before = shop.web3.eth.get_transaction_count(payer)
    shop.node("evm_setNextBlockTimestamp", 2_900_000_000)  # in 2061
    shop.node("evm_mine")
    assert "the sale first is at 0x" in artmint(capsys, "sale", "deploy", *shop.words)
    assert shop.web3.eth.get_transaction_count(payer) == before


def test_sales_that_nobody_can_mean_are_refused_in_words(shop, capsys, tmp_path):
    path = shop.words[0]
    for old, new, words in (
        ('price = "0.01"', 'price = "1e999999999"', "no price"),
        ('price = "0.01"', f'price = "{"1" * 5000}"', "no price"),
        (TABLE, "[sale]\nstages = 3\n", "stages"),
    ):
        whole = path.read_text()
        path.write_text(whole.replace(old, new))
        assert words in artmint(capsys, "sale", "plan", *shop.words, code=2)
        path.write_text(whole)
    assert "never ends" in artmint(capsys, "sale", "plan", *shop.words, "--terms", "/dev/zero", code=2)


@pytest.mark.slow
def test_what_is_deployed_is_looked_at_and_ended_whatever_became_of_the_terms(shop, capsys):
    "A list that was changed or lost, a price in another unit: the sale goes on by what the chain has, and can be ended."

    def say(verb, *more, code=0):
        return artmint(capsys, "sale", verb, *shop.words, *more, code=code)

    path, people = shop.words[0], shop.folder / "friends.csv"
    say("deploy")
    say("approve")
    assert "attention" not in say("status")
    good = people.read_text()
    people.write_text(good + f"{friend(50).address}\n")
    said = say("status")
    assert (
        "no longer those that are deployed" in said
        and "stage friends: list the list with the root 0x" in said
    )
    assert "Terms can't be changed" in say("approve", code=2)
    assert "Terms can't be changed" in say("proofs", code=2)
    people.unlink()
    assert "friends.csv" in say("status") and "friends.csv" in say("plan", code=2)
    path.write_text(path.read_text().replace('"0.005"', '"5000000 gwei"'))
    assert say("status").count("is no price") == 1
    assert say("deploy", code=2).count("is no price") == 1
    assert "nothing was sent" in say("withdraw")
    assert "setApprovalForAll 0x" in say("end")
    assert "approved   no" in say("status")


@pytest.mark.slow
def test_a_sale_that_is_over_says_so(timed_shop, capsys):
    shop = timed_shop

    def say(verb, *more, code=0):
        return artmint(capsys, "sale", verb, *shop.words, *more, code=code)

    now = shop.web3.eth.get_block("latest")["timestamp"]
    ends = datetime.fromtimestamp(now + 5000, UTC)
    begins = datetime.fromtimestamp(now + 2000, UTC)
    path = shop.words[0]
    text = path.read_text().replace("2060-01-01T00:00:00Z", ends.isoformat())
    path.write_text(text.replace("2020-01-01T00:00:00Z", begins.isoformat()))
    say("deploy")
    said = say("status")
    assert (
        f"none; friends begins {begins:%Y-%m-%d %H:%M:%S} UTC" in said
        and "approved   no: it sells nothing" in said
    )
    say("approve")
    shop.node("evm_setNextBlockTimestamp", now + 2000)
    shop.node("anvil_mine")
    assert f"friends until {ends:%Y-%m-%d %H:%M:%S} UTC, everybody until" in say("status")
    shop.node("evm_setNextBlockTimestamp", now + 5000)
    shop.node("anvil_mine")
    said = say("status")
    assert f"none: the last stage was over at {ends:%Y-%m-%d %H:%M:%S} UTC" in said
    assert "`artmint sale end` takes it back" in said and "5 left" in said
    say("end")
    said = say("status")
    assert "no, and nothing could be bought any more" in said and "artmint sale approve" not in said
    shown = json.loads(say("status", "--json"))
    assert (shown["open"], shown["over"], shown["differing"]) == ([], True, "")


@pytest.mark.slow
def test_the_owners_of_a_safe_begin_and_end_a_sale(tmp_path, node, monkeypatch, capsys):
    from tests.safes import Owners, acted

    monkeypatch.setenv("ARTMINT_PASSPHRASE", PASSPHRASE)
    (tmp_path / "studio").mkdir()
    owners = Owners(tmp_path / "studio", node)
    studio = Collected(tmp_path / "studio", node, 6, treasury=owners.safe)
    (studio.folder / "studio.toml").write_text(
        f'[signers.treasury]\nkind = "safe"\naddress = "{owners.safe}"\n'
    )
    path = studio.batch(example(), 6)
    path.write_text(path.read_text() + TABLE)
    (path.parent / "friends.csv").write_text(f"address\n{friend(1).address}\n")

    def say(verb, *more, code=0):
        return artmint(
            capsys, "sale", verb, path, "--studio", studio.folder, "--chain", node.url, *more, code=code
        )

    address = json.loads(say("deploy", "--json"))["address"]
    assert "would send setApprovalForAll by" in say("approve", "--dry-run")
    assert "Transaction Builder" in say("approve", code=4)
    acted(owners, *studio.folder.glob("proposals/*.safe-wallet.json"))
    assert "it is so already" in say("approve") and "approved   yes" in say("status")
    buyer = friend(9)
    node.fund(buyer.address)
    studio.send(sale_at(studio.web3, address).functions.buy(1, 2), buyer, value=2 * 10**16)
    before = studio.web3.eth.get_balance(owners.safe)
    assert "0.02 ether went to" in say("withdraw")
    assert studio.web3.eth.get_balance(owners.safe) - before == 2 * 10**16
    assert "Transaction Builder" in say("end", code=4)
    acted(owners, *studio.folder.glob("proposals/*.safe-wallet.json"))
    assert "approved   no" in say("status") and studio.contract.functions.ownerOf(2).call() == buyer.address


def test_a_sale_out_of_another_key_s_wallet_is_refused_before_it_costs_anything(shop, capsys):
    there = shop.folder / "keys/treasury.json"
    there.unlink()
    new_keystore(there, PASSPHRASE, FAST)
    for verb, code in (("plan", 1), ("deploy", 2)):
        said = " ".join(artmint(capsys, "sale", verb, *shop.words, code=code).split())
        assert f"isn't its treasury, which is {shop.treasury}" in said
    assert shop.catalog.all("sale") == {}


@pytest.mark.slow
def test_stages_that_were_edited_into_nonsense_stop_no_sale_from_being_ended(shop, capsys):
    for verb in ("deploy", "approve"):
        artmint(capsys, "sale", verb, *shop.words)
    path = shop.words[0]
    path.write_text(
        path.read_text().replace('"0.01"', "0.01").replace('"2060-01-01T00:00:00Z"', "2060-01-01")
    )
    assert "no longer those that are deployed" in artmint(capsys, "sale", "status", *shop.words)
    assert "setApprovalForAll" in artmint(capsys, "sale", "end", *shop.words)
