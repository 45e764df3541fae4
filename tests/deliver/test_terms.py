"Terms that can't be changed later: read strictly, and all that is wrong said at once."

from datetime import date, time

import pytest
from eth_utils import keccak

from artmint.deliver import terms as room
from tests.delivered import friend, stage

TREASURY = friend(7).address
OPEN = stage("everybody", "20", "60", price="0.08", limit=4)


def read(tmp_path, *stages, **more):
    return room.read_terms(tmp_path / "batch.toml", {"stages": list(stages), **more}, range(1, 17), TREASURY)


def problems(tmp_path, *stages, **more):
    with pytest.raises(room.BadTerms) as caught:
        read(tmp_path, *stages, **more)
    return "; ".join(map(str, caught.value.problems))


def listed(tmp_path, text, **more):
    (tmp_path / "friends.csv").write_text(text)
    return stage("friends", "20", "30", list="friends.csv", **more)


def test_terms_are_what_the_contract_takes(tmp_path):
    text = f"address,limit,price\n{friend(2).address},3,0.01\n{friend(1).address},,\n"
    terms = read(tmp_path, listed(tmp_path, text, price="0.05", limit=2), OPEN, first=3)
    assert (terms.first, terms.last, terms.payee, terms.treasury) == (3, 16, TREASURY, TREASURY)
    people, public = terms.stages
    assert dict((one[0], one[1:]) for one in people.buyers) == {
        friend(1).address: (2, 5 * 10**16),
        friend(2).address: (3, 10**16),
    }
    assert public.values == (1577836800, 2840140800, 4, 8 * 10**16, bytes(32))
    assert people.values[2:] == (0, 0, people.root)


def test_a_list_s_order_changes_nothing(tmp_path):
    lines = [f"{friend(n).address},1,0.1" for n in range(1, 8)]
    roots = {
        read(tmp_path, listed(tmp_path, "address,limit,price\n" + "\n".join(some))).stages[0].root
        for some in (lines, lines[::-1], lines[3:] + lines[:3])
    }
    assert len(roots) == 1


@pytest.mark.parametrize("many", [1, 2, 3, 7, 64, 100])
def test_every_proof_leads_to_the_root(many):
    buyers = [(friend(n + 1).address, n + 1, 10**15) for n in range(many)]
    root, proofs = room.buyers_tree(buyers)
    for buyer, proof in zip(buyers, proofs, strict=True):
        node = room.buyer_leaf(*buyer)
        for sibling in proof:
            node = keccak(min(node, sibling) + max(node, sibling))
        assert node == root


WRONG = [
    ({"start": "2020-01-01"}, "has no zone"),
    ({"start": "tomorrow"}, "is no time"),
    ({"start": "2070-01-01T00:00:00Z"}, "ends before it begins"),
    ({"price": "0,08"}, "is no price"),
    ({"price": "-1"}, "is no price"),
    ({"price": "1e3"}, "is no price"),
    ({"price": "0.0000000000000000001"}, "18 places at most"),
    ({"price": "nan"}, "is no price"),
    ({"price": "1.0000000000000000000000000001"}, "18 places at most"),
    ({"price": "1_000"}, "is no price"),
    ({"price": "\u0660.\u0665"}, "is no price"),
    ({"start": date(2026, 12, 1)}, "'2026-12-01' has no zone"),
    ({"end": time(12)}, "is no time such as"),
    ({"price": ""}, "says no price"),
    ({"limit": 0}, "no limit for a wallet"),
    ({"limit": -1}, "limit"),
    ({"prize": "1"}, "price"),
    ({"name": "Every Body"}, "name"),
    ({"list": "nobody.csv"}, "can't be read"),
]


@pytest.mark.parametrize(("change", "words"), WRONG)
def test_what_makes_no_sense_is_named(tmp_path, change, words):
    assert words in problems(tmp_path, OPEN | change)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"first": 17}, "aren't within this batch's"),
        ({"first": 9, "last": 3}, "aren't within this batch's"),
        ({"gate": TREASURY}, "belong together"),
        ({"payee": "me"}, "payee"),
        ({"owner": TREASURY}, "owner"),
    ],
)
def test_what_makes_no_sense_of_a_sale_is_named(tmp_path, more, words):
    assert words in problems(tmp_path, OPEN, **more)


def test_all_of_it_is_said_at_once(tmp_path):
    text = f"address,limit,price\nvitalik.eth,1,1\n{friend(1).address},1,x\n{friend(2).address},,0.1\n"
    words = problems(tmp_path, listed(tmp_path, text), OPEN | {"price": "?"}, OPEN, first=99)
    for part in ("is a name", "line 3: 'x' is no price", "line 4: neither", "two stages", "'?'", "tokens 99"):
        assert part in words


def test_a_file_of_terms_says_the_same(tmp_path):
    path = tmp_path / "sale.toml"
    path.write_text(
        '[[stages]]\nname = "everybody"\nstart = 2020-01-01T00:00:00Z\nend = "2060-01-01T01:00:00+01:00"\nprice = "0.08"\nlimit = 4\n'
    )
    assert room.read_terms(path, None, range(1, 17), TREASURY).stages == read(tmp_path, OPEN).stages
    path.write_text("[sale]\n" + path.read_text().replace("[[stages", "[[sale.stages"))
    assert room.read_terms(path, None, range(1, 17), TREASURY).stages == read(tmp_path, OPEN).stages
    path.write_text("[[stages")
    with pytest.raises(room.BadTerms):
        room.read_terms(path, None, range(1, 17), TREASURY)
    with pytest.raises(room.BadTerms, match="can't be read"):
        room.read_terms(tmp_path / "none.toml", None, range(1, 17), TREASURY)


def test_what_is_odd_is_said_and_not_refused(tmp_path):
    text = f"address,limit,price\n{friend(1).address},20,0\n"
    short = OPEN | {"name": "short", "end": "2020-01-01T00:01:00Z"}
    lines = "; ".join(room.odd_terms(read(tmp_path, listed(tmp_path, text), short), 1_700_000_000))
    for words in ("over already", "for nothing", "lasts 60 s", "allows 20 tokens, and 16"):
        assert words in lines
    assert room.odd_terms(read(tmp_path, OPEN), 1_700_000_000) == []


@pytest.mark.parametrize(
    ("wei", "text"), [(0, "0"), (10**18, "1"), (10**20, "100"), (5 * 10**16, "0.05"), (1, f"0.{'0' * 17}1")]
)
def test_amounts_are_read_as_they_are_written(wei, text):
    assert (room.coins_of(wei), room.wei_of(text)) == (text, wei)


def test_a_payee_in_small_letters_is_the_same_payee(tmp_path):
    payee = friend(3).address
    more = {"gate": payee.lower(), "gate_root": "0x" + "12" * 32}
    terms = read(tmp_path, OPEN, payee=payee.lower(), **more)
    assert (terms.payee, terms.gate) == (payee, payee)


@pytest.mark.parametrize("text", ["50000000000000000", "5e16", "5 gwei", "0,05", "1_000", "0.05 ether"])
def test_a_price_in_another_unit_is_none_or_is_looked_at(text):
    price = room.wei_of(text)
    assert "is no price" in price if isinstance(price, str) else room.odd_price(price)


def test_odd_prices_are_told_and_usual_ones_are_not():
    assert [bool(room.odd_price(one)) for one in (0, 1, 10**12 - 1, 10**12, 10**16, 10**21 - 1, 10**21)] == [
        False, True, True, False, False, False, True
    ]  # fmt: skip


@pytest.mark.parametrize(
    "change", [{"price": 0.08}, {"start": date(2026, 1, 1)}, {"limit": "x"}, {"prize": 1}, {"end": None}]
)
def test_a_deployed_sale_is_found_whatever_its_stages_say_now(change):
    table = {"name": "first", "stages": [OPEN | change, "x"]}
    found = room.named_terms(room.Path("batch.toml"), table, range(1, 17), TREASURY)
    assert (found.name, [one.name for one in found.stages]) == ("first", ["everybody"])


def test_a_sale_s_name_is_still_a_name():
    with pytest.raises(room.BadTerms, match="name"):
        room.named_terms(room.Path("batch.toml"), {"name": "../x", "stages": []}, range(1, 17), TREASURY)
