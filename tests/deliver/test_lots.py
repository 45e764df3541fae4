"Lots: fixed before their block is known, dealt out by its hash alone, and held against what the chain has."

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artmint.deliver.airdrop import PlanRefused
from artmint.deliver.lots import Kept, Lots, TooFewTokens, dealt, kept, plan_lots
from artmint.deliver.recipients import Recipient
from tests.delivered import friend


def lots(tokens=(1, 2, 3, 4), tickets=("0xa", "0xb"), **changes) -> Lots:
    "A draw."
    facts = {"collection": "demo", "name": "friends", "chain_id": 31337, "block": 9}
    facts |= {"contract": "0xc", "treasury": "0xd", "tokens": list(tokens), "tickets": list(tickets)}
    return Lots(**facts | changes)


@given(st.integers(1, 60), st.data(), st.binary(min_size=32, max_size=32))
def test_every_ticket_gets_one_token_and_no_token_goes_twice(supply, data, seed):
    tickets = data.draw(st.lists(st.sampled_from("abc"), max_size=supply))
    drawn = lots(range(1, supply + 1), tickets)
    rows = dealt(drawn, seed)
    assert [address for address, _ in rows] == tickets
    assert len({token for _, token in rows}) == len(rows)
    assert {token for _, token in rows} <= set(drawn.tokens)
    assert dealt(drawn, seed) == rows


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "others"},
        {"block": 10},
        {"chain_id": 1},
        {"contract": "0xe"},
        {"treasury": "0xe"},
        {"tokens": [1, 2, 3, 5]},
        {"tickets": ["0xb", "0xa"]},
        {"collection": "d"},
    ],
)
def test_whatever_is_changed_is_another_draw(changes):
    assert lots(**changes).mark != lots().mark


def test_every_order_is_about_as_likely():
    "24 orders of four tokens, 4,800 hashes: each some 200 times; five deviations are 70."
    tickets = ("a", "b", "c", "d")
    orders = Counter(
        tuple(token for _, token in dealt(lots(tickets=tickets), n.to_bytes(32))) for n in range(4800)
    )
    assert len(orders) == 24
    assert all(abs(times - 200) < 70 for times in orders.values())


def people(*counts) -> list[Recipient]:
    "Lines of a list."
    return [
        Recipient(place=f"line {n}", address=friend(n).address, count=count)
        for n, count in enumerate(counts, 1)
    ]


def planned(studio, recipients, ids=range(1, 17)) -> Lots:
    "A draw as it would be announced."
    facts = {"collection": "demo", "name": "friends", "treasury": studio.treasury}
    return plan_lots(studio.contract, facts, ids, recipients, 50)


def test_tickets_follow_the_list_and_all_that_the_treasury_has_is_dealt_out(collected):
    drawn = planned(collected, people(2, 1))
    assert drawn.tickets == [friend(1).address] * 2 + [friend(2).address]
    assert drawn.tokens == list(range(1, 17))
    assert drawn.block == collected.web3.eth.block_number + 50


def test_what_cant_be_drawn_is_refused_before_it_is_announced(collected):
    with pytest.raises(TooFewTokens, match="17 tokens are ordered, and the treasury holds 16"):
        planned(collected, people(9, 8))
    named = people(1)[0].model_copy(update={"tokens": (3,)})
    home = people(1)[0].model_copy(update={"address": collected.treasury, "place": "line 2"})
    with pytest.raises(PlanRefused) as refusal:
        planned(collected, [named, home])
    assert refusal.value.problems == [
        "line 1: names its tokens, and lots deal them out",
        "line 2: the treasury itself",
    ]


def test_a_token_that_went_to_somebody_else_is_told(collected):
    drawn = planned(collected, people(1, 1, 1)).model_copy(update={"block": 0})
    rows = dealt(drawn, bytes(32))
    (_, first), (_, second), _ = rows
    give = collected.contract.functions.safeTransferFrom
    collected.send(give(collected.treasury, friend(1).address, first), collected.key)
    collected.send(give(collected.treasury, friend(9).address, second), collected.key)
    found = kept(collected.contract, drawn, rows)
    assert [one.state for one in found] == ["delivered", "elsewhere", "waiting"]
    assert found[1] == Kept(friend(2).address, second, friend(9).address)


def test_a_token_that_left_before_the_block_is_told_as_well(collected):
    "Between the announcement and the block nobody knows who gets what, and a studio that takes one back is seen."
    drawn = planned(collected, people(1, 1))
    rows = dealt(drawn, bytes(32))
    (_, first), _ = rows
    give = collected.contract.functions.safeTransferFrom
    collected.send(give(collected.treasury, friend(9).address, first), collected.key)
    assert collected.web3.eth.block_number < drawn.block
    collected.node("anvil_mine", 60)
    assert [one.state for one in kept(collected.contract, drawn, rows)] == ["elsewhere", "waiting"]
