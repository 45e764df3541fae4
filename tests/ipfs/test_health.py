"What is still in stores: sampled, hashed, and said with what the sample is worth."

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artmint.ipfs.car import BadBlock, check_car, open_car, outline, walk, write_car
from artmint.ipfs.cid import RAW, MissingBlock
from artmint.ipfs.health import (
    MOST_FAULTS,
    chance_seen,
    draw_blocks,
    examine,
    record_health,
    sample_size,
    standing,
    tree_places,
)
from artmint.ipfs.services import S3Store
from artmint.ipfs.stores import Budget, BudgetSpent, FolderStore, Gateway, ask_leave
from artmint.studio.catalog import Catalog
from tests.doubles import status
from tests.stores import STORES, kubo_store, pinata_in_parts, pinning_service

pytestmark = pytest.mark.usefixtures("quick")

# -- what a sample is worth


@given(count=st.integers(1, 3000), share=st.sampled_from([0.001, 0.01, 0.05, 0.5]))
def test_a_sample_sees_the_loss_as_often_as_it_says_and_one_block_less_would_not(count, share):
    missing = max(1, math.ceil(share * count))
    size = sample_size(count, share)
    assert chance_seen(count, missing, size) >= 0.95
    assert chance_seen(count, missing, size - 1) < 0.95


def test_samples_see_a_loss_as_often_as_is_said():
    rng = random.Random(3)
    size = sample_size(1000)
    seen = sum(any(leaf < 10 for leaf in rng.sample(range(1000), size)) for _ in range(4000))
    assert abs(seen / 4000 - chance_seen(1000, 10, size)) < 0.012


# -- the list of blocks


def test_the_outline_of_a_tree_is_its_walk_with_only_the_nodes_read(drop):
    car = open_car(drop[0])
    read = []
    places = list(outline(drop[1].root, lambda cid: (read.append(cid), car.unchecked(cid))[1]))
    assert [(place.path, place.cid) for place in places] == [
        (visit.path, visit.cid) for visit in walk(drop[1].root, car.unchecked)
    ]
    assert all(cid.codec != RAW for cid in read)


def test_a_leaf_is_where_its_place_says(tmp_path):
    data = random.Random(1).randbytes(5_000_000)
    built = write_car(tmp_path / "x.car", {"a": data, "b": {"c": data[::-1], "d": b"short"}})
    car = open_car(tmp_path / "x.car")
    files = {"a": data, "b/c": data[::-1], "b/d": b"short"}
    leaves = [place for place in outline(built.root, car.unchecked) if place.cid.codec == RAW]
    assert len(leaves) == 11
    for place in leaves:
        block = car.unchecked(place.cid)
        assert files[place.path][place.at : place.at + len(block)] == block


def test_an_outline_believes_no_node(drop):
    car = open_car(drop[0])
    with pytest.raises(BadBlock):
        list(outline(drop[1].root, lambda cid: car.unchecked(cid) + b"\0"))


# -- stores


def draw_of(drop, size=None):
    return draw_blocks(outline(drop[1].root, open_car(drop[0]).unchecked), size)


def test_every_store_is_found_whole_block_by_block(store, drop):
    store.put(drop[0], drop[1].root)
    row, damaged = examine(store, drop[1].root, draw_of(drop), open_car(drop[0]))
    assert (row.status, row.outcome, row.asked, damaged) == ("held", "held", len(drop[1].blocks), [])
    assert row.bytes == sum(size for _, size in open_car(drop[0]).index.values())


@pytest.mark.parametrize("make", STORES)
def test_a_store_without_the_drop_lacks_it_and_is_not_asked_hundreds_of_times(make, server, tmp_path, drop):
    row, _ = examine(make(server, tmp_path), drop[1].root, draw_of(drop, 300), None)
    assert row.status == "missing"
    assert row.missing >= 1
    assert row.asked <= MOST_FAULTS or row.asked == 0 or draw_of(drop, 300).whole


@pytest.mark.parametrize("make", [kubo_store, pinata_in_parts, pinning_service])
def test_blocks_that_are_gone_and_blocks_with_other_bytes_are_told_apart(make, server, tmp_path, drop):
    store = make(server, tmp_path)
    server.keep(drop[0].read_bytes())
    lost, spoilt = drop[1].paths["images/3.png"], drop[1].paths["7.json"]
    del server.blocks[lost]
    server.blocks[spoilt] = b"others"
    row, damaged = examine(store, drop[1].root, draw_of(drop), None)
    assert (row.status, row.missing, row.damaged, damaged) == ("damaged", 1, 1, [spoilt])
    assert f"{lost} of '/images/3.png' is missing" in row.words
    assert f"{spoilt} of '/7.json' has other bytes" in row.words


@pytest.mark.parametrize("make", [kubo_store, pinata_in_parts])
def test_a_store_that_breaks_off_gave_no_answer_and_is_not_accused(make, server, tmp_path, drop):
    server.keep(drop[0].read_bytes())
    server.faults += [status(403)] * 1
    row, damaged = examine(make(server, tmp_path), drop[1].root, draw_of(drop), None)
    assert (row.status, row.outcome, damaged) == ("no answer", "unchecked", [])
    assert "403" in row.words


def test_a_gateway_that_is_down_is_asked_once(drop):
    row, _ = examine(Gateway("http://127.0.0.1:1", tries=1), drop[1].root, draw_of(drop), None)
    assert (row.status, row.asked) == ("no answer", 0)


def test_a_bucket_is_asked_for_stretches_of_its_object(drop):
    "boto3's client in its place: what moto and real buckets answer is in the long tests."
    pytest.importorskip("boto3", reason="boto3 isn't installed (pip install 'artmint[s3]')")
    data = drop[0].read_bytes()
    asked = []

    class Client:
        def head_object(self, **key):
            return {"ContentLength": len(data)}

        def get_object(self, Range, **key):
            import io

            first, last = map(int, Range.removeprefix("bytes=").split("-"))
            asked.append(last - first + 1)
            return {"Body": io.BytesIO(data[first : last + 1])}

    store = S3Store("drops", "http://127.0.0.1:1", "id:secret")
    store.client = Client
    row, _ = examine(store, drop[1].root, draw_of(drop), open_car(drop[0]))
    assert row.status == "held"
    assert sum(asked) == row.bytes


def test_the_list_of_blocks_comes_from_a_store_where_ours_is_gone(drop, tmp_path, server):
    store = kubo_store(server, tmp_path)
    server.keep(drop[0].read_bytes())
    wanted = list(outline(drop[1].root, open_car(drop[0]).unchecked))
    assert (
        tree_places(drop[1].root, [tmp_path / "gone.car"], [FolderStore(tmp_path / "none"), store]) == wanted
    )
    assert check_car(open_car(drop[0]), drop[1].root)
    with pytest.raises(MissingBlock):
        tree_places(drop[1].root, [], [FolderStore(tmp_path / "none")])


# -- on record


def test_a_standing_is_the_latest_word_about_every_store_that_is_named(drop, tmp_path):
    catalog = Catalog(tmp_path / "studio")
    near, far = FolderStore(tmp_path / "near"), FolderStore(tmp_path / "far")
    root, draw = drop[1].root, draw_of(drop)
    assert standing(catalog, "demo/1").words == "Not published"
    receipt = {"root": str(root), "stores": [{"store": near.name, "sent": True}]}
    catalog.append("pin", "demo/1", receipt)
    assert standing(catalog, "demo/1").stores == {near.name: "not checked"}
    assert standing(catalog, "demo/1").status == "unchecked"
    near.put(drop[0], root)
    both = [near.name, far.name]
    record_health(
        catalog, "demo/1", root, both, draw, [examine(store, root, draw)[0] for store in (near, far)]
    )
    assert standing(catalog, "demo/1").stores == {near.name: "held", far.name: "missing"}
    assert standing(catalog, "demo/1").status == "failed"
    far.put(drop[0], root)
    record_health(catalog, "demo/1", root, both, draw, [examine(far, root, draw)[0]])
    assert standing(catalog, "demo/1").held == 2
    assert standing(catalog, "demo/1").status == "held"
    record_health(catalog, "demo/1", root, [near.name], draw, [examine(near, root, draw)[0]])
    assert standing(catalog, "demo/1").stores == {near.name: "held"}  # the other one is named no longer
    catalog.append("pin", "demo/1", receipt | {"root": "another"})
    assert standing(catalog, "demo/1").status == "unchecked"  # what was looked at was another drop


# -- budgets


def test_a_budget_gives_leave_until_it_is_used_up():
    now = [0.0]
    budget = Budget(seconds=10, size=100, clock=lambda: now[0])
    ask_leave(budget, 60)
    with pytest.raises(BudgetSpent) as refused:
        ask_leave(budget, 60)
    assert (refused.value.sent, refused.value.wanted, refused.value.exit_code) == (60, 60, 3)
    ask_leave(budget, 40)
    now[0] = 10.0
    with pytest.raises(BudgetSpent):
        ask_leave(budget, 0)
    ask_leave(lambda done, total: None, 10**12)


@pytest.mark.parametrize("make", [kubo_store, pinata_in_parts])
def test_uploads_on_a_budget_arrive_in_several_runs(make, server, tmp_path, drop):
    car, built = drop
    store = make(server, tmp_path)
    runs = 0
    while True:
        runs += 1
        try:
            assert store.put(car, built.root, Budget(size=9 << 20)) == built.root
            break
        except BudgetSpent as refusal:
            assert refusal.sent <= 9 << 20
        assert runs < 6
    assert runs >= 3
    assert examine(store, built.root, draw_of(drop))[0].status == "held"
