"A sale is deployed once, sells what its terms say, and comes into the books once."

import pytest

from artmint import sale as room
from artmint.chain.journal import Journal
from artmint.chain.rebuild import key_history, write_history
from artmint.chain.signers import KeystoreSigner
from artmint.deliver.terms import SaleTerms, SaleStage, buyers_tree
from artmint.studio.catalog import Catalog
from tests.delivered import PASSPHRASE, Collected, friend

NOBODY = "0x" + "0" * 40
PRICE = 10**16
FRIENDS = tuple(sorted((friend(n).address, 2, PRICE // 2) for n in range(1, 4)))


@pytest.fixture
def shop(tmp_path, node):
    studio = Collected(tmp_path, node, 8)
    studio.journal = Journal(
        studio.catalog, studio.linked, KeystoreSigner(tmp_path / "keys/treasury.json", PASSPHRASE)
    )
    return studio


def terms_of(studio, name="first", **changes):
    public = SaleStage(name="everybody", start=1, end=2**39, limit=3, price=PRICE)
    people = SaleStage(name="friends", start=1, end=2**39, limit=0, price=0, buyers=FRIENDS)
    facts = {"first": 2, "last": 6, "treasury": studio.treasury, "payee": studio.boss.address, "gate": NOBODY}
    facts |= {"gate_root": "0x" + "0" * 64, "stages": (people, public)}
    return SaleTerms(name=name, **facts | changes)


def opened(studio, **changes):
    record = room.deploy_sale(studio.journal, studio.contract, "demo", terms_of(studio, **changes))
    for call in room.approval_calls(studio.contract, studio.treasury, record.address):
        studio.journal.send(call, {"verb": call.fn_name})
    return room.sale_at(studio.web3, record.address), record


def buy(studio, sale, who, quantity, value):
    studio.node.fund(who.address)
    return studio.send(sale.functions.buy(1, quantity), who, value=value)


def test_it_sells_what_its_terms_say(shop):
    sale, record = opened(shop)
    buyer, member = friend(9), friend(2)
    buy(shop, sale, buyer, 2, 2 * PRICE)
    way = buyers_tree(FRIENDS)[1][[one[0] for one in FRIENDS].index(member.address)]
    shop.node.fund(member.address)
    shop.send(sale.functions.buyListed(0, 1, 2, PRICE // 2, way), member, value=PRICE // 2)
    status = room.sale_status(shop.contract, sale, record.block)
    rows = [tuple(one[:4]) for one in status.sold]
    assert rows[:2] == [(2, buyer.address, 1, PRICE), (3, buyer.address, 1, PRICE)]
    assert rows[2:] == [(4, member.address, 0, PRICE // 2)]
    assert (status.waiting, status.approved, status.left, status.open) == (5 * PRICE // 2, True, 2, [0, 1])
    assert status.gate is None
    before = shop.web3.eth.get_balance(shop.boss.address)
    shop.send(sale.functions.withdraw(), shop.key)
    assert shop.web3.eth.get_balance(shop.boss.address) == before + 5 * PRICE // 2


def test_it_is_deployed_once_whoever_remembers(shop, tmp_path):
    record = room.deploy_sale(shop.journal, shop.contract, "demo", terms_of(shop))
    sent = len(shop.journal.transactions())
    assert room.deploy_sale(shop.journal, shop.contract, "demo", terms_of(shop)) == record
    with pytest.raises(room.OtherSale, match="last is 6, 5 asked for"):
        room.deploy_sale(shop.journal, shop.contract, "demo", terms_of(shop, last=5))
    assert len(shop.journal.transactions()) == sent
    forgetful = Catalog(tmp_path / "new")
    for key, body in shop.catalog.all("transaction").items():
        forgetful.append("transaction", key, body)
    again = Journal(forgetful, shop.linked, shop.journal.signer)
    assert room.deploy_sale(again, shop.contract, "demo", terms_of(shop)).address == record.address
    assert len(again.transactions()) == sent


def test_what_differs_is_said_in_words_and_a_second_name_is_no_second_sale(shop):
    record = room.deploy_sale(shop.journal, shop.contract, "demo", terms_of(shop))
    people, public = terms_of(shop).stages
    later = public.model_copy(update={"end": 2**31, "price": PRICE * 2})
    fewer = people.model_copy(update={"buyers": FRIENDS[:2]})
    with pytest.raises(room.OtherSale) as caught:
        room.check_sale(
            room.sale_at(shop.web3, record.address),
            shop.contract.address,
            terms_of(shop, stages=(fewer, later)),
        )
    list_words, ends, price = caught.value.differing
    assert list_words.startswith("stage friends: list the list with the root 0x")
    assert ends.startswith("stage everybody: ends ") and ends.endswith("2038-01-19 03:14:08 UTC asked for")
    assert price == "stage everybody: price 0.01, 0.02 asked for"
    with pytest.raises(room.OtherSale, match="it has 2 stages, 1 asked for"):
        room.check_sale(
            room.sale_at(shop.web3, record.address), shop.contract.address, terms_of(shop, stages=(people,))
        )
    sent = len(shop.journal.transactions())
    with pytest.raises(room.SameSale, match="would be the sale first at"):
        room.deploy_sale(shop.journal, shop.contract, "demo", terms_of(shop, "again"))
    assert len(shop.journal.transactions()) == sent
    other = room.deploy_sale(shop.journal, shop.contract, "demo", terms_of(shop, "again", last=5))
    assert other.address != record.address


def test_a_lost_catalog_finds_it_on_the_chain(shop, tmp_path):
    record = room.deploy_sale(shop.journal, shop.contract, "demo", terms_of(shop))
    lost = Journal(Catalog(tmp_path / "lost"), shop.linked, shop.journal.signer)
    write_history(lost, key_history(lost, {shop.contract.address: "demo"}, {}))
    assert room.deploy_sale(lost, shop.contract, "demo", terms_of(shop)).address == record.address
    assert shop.web3.eth.get_transaction_count(shop.treasury) == 1


def test_another_contract_is_no_sale(shop):
    for address in (shop.contract.address, friend(1).address):
        with pytest.raises(room.NoSale):
            room.sale_at(shop.web3, address)
    sale, _ = opened(shop)
    code = bytearray(shop.web3.eth.get_code(sale.address))
    code[40] ^= 1
    shop.node("anvil_setCode", sale.address, "0x" + code.hex())
    assert not room.is_sale(shop.web3, sale.address)


def test_what_was_sold_is_booked_once_and_taken_back_with_its_block(shop):
    sale, record = opened(shop)
    buy(shop, sale, friend(9), 2, 2 * PRICE)
    sold = room.sold_tokens(sale, record.block)
    assert room.record_sold(shop.catalog, record, sold) == 2
    assert room.record_sold(shop.catalog, record, sold) == 0
    assert room.record_sold(shop.catalog, record, sold[:1]) == 0
    bodies = shop.catalog.all("sold").values()
    assert [("gone" in body, body["price"]) for body in bodies] == [(False, str(PRICE)), (True, str(PRICE))]
    assert room.record_sold(shop.catalog, record, sold) == 1


def test_the_treasury_ends_it(shop):
    sale, record = opened(shop)
    assert room.approval_calls(shop.contract, shop.treasury, record.address) == []
    for call in room.approval_calls(shop.contract, shop.treasury, record.address, False):
        shop.journal.send(call, {"verb": call.fn_name})
    status = room.sale_status(shop.contract, sale, record.block)
    assert not status.approved
    policy = room.approval_policy(shop.contract)
    assert policy.selectors != room.withdrawal_policy(sale).selectors != room.sale_policy(31337).selectors
