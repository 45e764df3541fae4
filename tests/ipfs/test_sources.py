"Blocks from bearers that nobody believes: what is whole is used, whoever brings it, and faults stand under names."

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artmint.ipfs.car import car_header, walk, write_car
from artmint.ipfs.cid import CID, RAW, MissingBlock, varint
from artmint.ipfs.http import NoAnswer
from artmint.ipfs.sources import Sources, salvage_car

TREE = {"1.json": b"{}", "2.json": b"[]", "images": {"1.png": b"one", "2.png": b"two" * 400}}


@pytest.fixture(scope="module")
def drop(tmp_path_factory):
    "A tree, and its archive's bytes."
    folder = tmp_path_factory.mktemp("drop")
    return write_car(folder / "drop.car", TREE), (folder / "drop.car").read_bytes()


def salvaged(folder, data: bytes):
    "What is had of some bytes."
    path = folder / "given.car"
    path.write_bytes(data)
    return salvage_car(path)


def test_a_sound_archive_is_had_whole(drop, tmp_path):
    built, whole = drop
    car, fault = salvaged(tmp_path, whole)
    assert fault == ""
    assert set(car.index) == set(built.blocks)


@settings(max_examples=60)
@given(cut=st.integers(0, 2000))
def test_of_an_archive_that_is_cut_the_whole_blocks_are_had(drop, tmp_path_factory, cut):
    built, whole = drop
    data = whole[: cut % len(whole)]
    car, fault = salvaged(tmp_path_factory.mktemp("cut"), data)
    assert fault or len(car.index) < len(built.blocks)
    for cid in car.index:
        assert CID.of(cid.codec, car.unchecked(cid)) == cid


@settings(max_examples=150)
@given(data=st.binary(max_size=400))
def test_no_bytes_at_all_break_it(tmp_path_factory, data):
    car, fault = salvaged(tmp_path_factory.mktemp("noise"), data)
    assert fault and not car.index or car.index


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "nothing"),
        (b" <html>", "a web page"),
        (b"{}", "JSON"),
        (b"[]", "JSON"),
        (b"plain words", "no archive"),
        (varint(1 << 40), "no archive"),
        (bytes.fromhex("0aa16776657273696f6e02") + b"x", "within its header"),
    ],
)
def test_what_came_in_the_place_of_an_archive_is_said(tmp_path, data, words):
    assert words in salvaged(tmp_path, data)[1]


def test_an_envelope_of_version_two_is_opened_and_its_lengths_are_not_believed(drop, tmp_path):
    built, whole = drop
    for size, missing in ((len(whole), 0), (len(whole) + 99, 0), (len(whole) - 1, 1)):
        head = bytes.fromhex("0aa16776657273696f6e02") + struct.pack("<QQQQQ", 0, 0, 51, size, 0)
        car, fault = salvaged(tmp_path, head + whole)
        assert len(car.index) == len(built.blocks) - missing
        assert bool(fault) == bool(missing)


def turned(data: bytes, part: bytes) -> bytes:
    "An archive with a bit of a block turned."
    return data.replace(part, bytes([part[0] ^ 1]) + part[1:], 1)


@settings(max_examples=40)
@given(
    spoilt=st.lists(
        st.sets(st.sampled_from([b"{}", b"[]", b"one", b"two"]), max_size=3), min_size=1, max_size=4
    )
)
def test_together_bearers_have_what_one_of_them_has_whole(drop, tmp_path_factory, spoilt):
    built, whole = drop
    folder = tmp_path_factory.mktemp("many")
    sources = Sources(folder)
    for number, parts in enumerate(spoilt):
        data = whole
        for part in parts:
            data = turned(data, part)
        (folder / f"{number}.car").write_bytes(data)
        sources.archives.append((f"bearer {number}", salvage_car(folder / f"{number}.car")[0]))
    lost = set.intersection(*spoilt)
    if lost:
        with pytest.raises(MissingBlock):
            list(walk(built.root, sources.block))
    else:
        assert {visit.cid for visit in walk(built.root, sources.block)} == set(built.blocks)
    for fault in sources.faults:
        assert spoilt[int(fault.split(" ")[1])]  # nobody else is named


def test_single_blocks_are_asked_once_and_whoever_lies_is_named(drop, tmp_path):
    built, _ = drop
    asked = []

    def honest(cid):
        asked.append(cid)
        return built.block(cid)

    def away(cid):
        raise NoAnswer("one.example", "it sleeps", 0)

    sources = Sources(tmp_path, askable=[("liar", lambda cid: b"<html>"), ("away", away), ("honest", honest)])
    for _ in range(2):
        assert {visit.cid for visit in walk(built.root, sources.block)} == set(built.blocks)
    assert sorted(map(str, asked)) == sorted(map(str, built.blocks))
    assert sources.asked == len(built.blocks)
    assert all(fault.startswith("liar gave a web page for block") for fault in sources.faults)
    assert any("it sleeps" in words for words in sources.absent)


def test_a_kept_block_that_was_changed_since_is_asked_anew(drop, tmp_path):
    built, _ = drop
    sources = Sources(tmp_path, askable=[("honest", built.block)])
    sources.block(built.root)
    (tmp_path / f"{built.root}.block").write_bytes(b"other")
    assert CID.of(built.root.codec, sources.block(built.root)) == built.root
    assert sources.asked == 2


def test_headers_may_name_anything_and_foreign_blocks_are_passed_over(drop, tmp_path):
    built, whole = drop
    header = car_header((CID.of(RAW, b"x"),) * 3)
    size = whole[0]
    foreign = varint(70) + b"\x01\x55\x13\x40" + bytes(66)
    car, fault = salvaged(tmp_path, varint(len(header)) + header + whole[1 + size :] + foreign)
    assert (set(car.index), fault) == (set(built.blocks), "")
