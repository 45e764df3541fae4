"Orders for Seaport: hashed as everybody hashes them, refused where nobody can mean them."

import json

import pytest
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from artmint.deliver import seaport as room
from tests.delivered import Collected, friend
from tests.offered import LARGE, RealSeaport, said_by

TREASURY, ARTIST = friend(7).address, friend(8).address
CONTRACT = "0x" + "ab" * 20
wei = st.integers(1, 2**120)
word = st.integers(0, 2**256 - 1)
address = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())


def asked(price=10**17, last=None, start=1000, end=2000, fees=()):
    return room.Ask(price=price, last_price=price if last is None else last, start=start, end=end, fees=fees)


@st.composite
def orders(draw):
    "An order with any values in it, also those that artmint never writes."
    others = [(draw(address), draw(wei), draw(wei)) for _ in range(draw(st.integers(0, 4)))]
    price, last = (sum(one[place] for one in others) + draw(wei) for place in (1, 2))
    ask = asked(price, last, draw(st.integers(0, 2**40)), draw(st.integers(0, 2**40)))
    order = room.listing_order(draw(address), draw(address), draw(word), ask, others, draw(word))
    odd = {"zoneHash": "0x" + draw(st.binary(min_size=32, max_size=32)).hex(), "zone": draw(address)}
    return order | (odd if draw(st.booleans()) else {})


@settings(max_examples=60, deadline=None)
@given(orders(), st.integers(1, 2**60))
def test_our_hash_is_everybodys(order, chain):
    message = encode_typed_data(full_message=room.order_data(order, chain, ARTIST))
    assert "0x" + message.body.hex() == room.order_hash(order)
    assert room._separator(chain, ARTIST) == message.header
    assert json.loads(json.dumps(order)) == order


@given(wei, wei, st.integers(0, 3000), st.integers(0, 10**6))
def test_a_price_falls_from_the_first_to_the_last(one, two, now, royalty):
    high, low = max(one, two) + royalty, min(one, two) + royalty
    parts = [(ARTIST, royalty, royalty)]
    order = room.listing_order(TREASURY, CONTRACT, 1, asked(high, low), parts, 0)
    assert low <= room.price_at(order, now) <= high + 1
    assert room.price_at(order, 1000) == high
    assert room.price_at(order, 2000) == low
    assert room.price_at(order, now) >= room.price_at(order, now + 1)


def test_the_same_listing_is_the_same_order_and_another_is_another():
    order = room.listing_order(TREASURY, CONTRACT, 1, asked(), [], 0)
    assert room.listing_order(TREASURY, CONTRACT, 1, asked(), [], 0) == order
    others = [
        room.listing_order(TREASURY, CONTRACT, 1, asked(), [], 1),
        room.listing_order(TREASURY, CONTRACT, 2, asked(), [], 0),
        room.listing_order(TREASURY, CONTRACT, 1, asked(end=2001), [], 0),
        room.listing_order(TREASURY, CONTRACT, 1, asked(), [(ARTIST, 1, 1)], 0),
    ]
    assert len({one["salt"] for one in [order, *others]}) == 5


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (asked(0), "a price of nought"),
        (asked(5, 0), "a price of nought"),
        (asked(5, 6), "listings fall"),
        (asked(start=2000, end=2000), "ends before it begins"),
        (asked(end=1500), "it ended 0 s ago"),
        (asked(fees=((ARTIST, 9000), (TREASURY, 1000))), "take all of the price"),
    ],
)
def test_what_nobody_means_is_refused(ask, words):
    assert words in "; ".join(room.ask_problems(ask, 1500))
    assert room.ask_problems(asked(), 1500) == []


def test_a_royalty_that_takes_everything_is_refused():
    with pytest.raises(room.ListingRefused, match="leave the treasury nothing"):
        room.listing_order(TREASURY, CONTRACT, 3, asked(), [(ARTIST, 10**17, 10**17)], 0)


@pytest.mark.parametrize("text", ["", "x", "3-1", "1,,2", "-4", "1-4,3", "1-99999", "٣", "1.5"])
def test_tokens_are_read_strictly(text):
    with pytest.raises(room.ListingRefused):
        room.token_ids(text)


def test_tokens_come_in_order():
    assert room.token_ids("9, 1-3,5") == [1, 2, 3, 5, 9]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "[1]", "{}", '{"parameters": {}}', '{"parameters": {"offerer": 1}}', "\x00"]
)
def test_files_that_hold_no_listing_are_refused(tmp_path, text):
    (tmp_path / "one.json").write_text(text)
    with pytest.raises(room.BadListing):
        room.read_listings(tmp_path / "one.json", TREASURY)


def test_listings_are_read_back_and_a_strangers_are_not(tmp_path):
    path = tmp_path / "one.json"
    order = room.listing_order(TREASURY, CONTRACT, 1, asked(), [], 0)
    path.write_text(json.dumps([{"parameters": order, "signature": "0x"}]))
    assert room.read_listings(path, TREASURY) == [order]
    with pytest.raises(room.BadListing, match="signed it, and not"):
        room.read_listings(path, ARTIST)
    path.write_text(json.dumps({"parameters": order | {"offerer": TREASURY.lower()}}))
    assert room.order_hash(room.read_listings(path, TREASURY)[0]) == room.order_hash(order)
    for odd in ({"salt": "-1"}, {"zone": "0x" + "1" * 42}, {"orderType": 256}, {"salt": str(2**256)}):
        path.write_text(json.dumps({"parameters": order | odd}))
        with pytest.raises(room.BadListing, match="no Seaport order"):
            room.read_listings(path, TREASURY)
    with pytest.raises(room.BadListing, match="No such file"):
        room.read_listings(tmp_path / "none.json", TREASURY)


def test_a_chain_without_seaport_is_refused(tmp_path):
    from artmint.chain.connect import connect

    web3 = connect("embedded", tmp_path)
    with pytest.raises(room.NoSeaport, match="what is there isn't one"):
        room.seaport_at(web3)
    with pytest.raises(room.NoSeaport, match="that is no address"):
        room.seaport_at(web3, "0x12")


@pytest.mark.slow
def test_seaport_itself_hashes_the_same(tmp_path, start_anvil):
    studio = Collected(tmp_path / "studio", start_anvil(*LARGE), 2)
    real = RealSeaport(studio)
    assert said_by(real) == [one["name"] for one in room.SEAPORT_CALLS]
    ours = room.seaport_at(studio.web3, real.address)

    @settings(max_examples=40, deadline=None)
    @given(orders())
    def same(order):
        said = real.contract.functions.getOrderHash(room.order_values(order)).call()
        assert "0x" + said.hex() == room.order_hash(order)
        assert ours.functions.getOrderHash(room.order_values(order)).call() == said

    same()
    with pytest.raises(room.NoSeaport, match="what is there isn't one"):
        room.seaport_at(studio.web3, real.controller)
