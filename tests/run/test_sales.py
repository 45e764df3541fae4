"`artmint sale`: from a batch's table to what was sold, by the console."

import json

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


def test_a_deployment_that_was_killed_goes_on_though_its_stages_are_over(shop, capsys, monkeypatch):
    "It is on the chain, and nobody wrote down where: what stands is said, and nothing is sent again."
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
