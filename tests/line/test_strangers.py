"Hostile gateways, and a page for people: what a stranger meets."

import gzip
import hashlib
import random
import re
import struct
import time

from itertools import product
import pytest

from artmint.ipfs.car import car_header, open_car, write_car
from artmint.ipfs.cid import CID, RAW, read_varint, varint
from artmint.ipfs.stores import FolderStore, Gateway
from artmint.prove.proof import NotProven
from artmint.verify import verify
from tests.doubles import drip, flood, packed, running, sent_to, stall, status
from tests.lies import failed
from tests.lies import status as statuses
from tests.suites import some


@pytest.fixture
def gateway(minted, tmp_path):
    "A gateway that serves both drops of the minted studio, and the address of the collection's first token."
    with running(tmp_path / "gateway") as double:
        for path in sorted((minted[0] / "store").glob("*.car")):
            double.cars[path.stem] = path.read_bytes()
        cars = {path.stem: open_car(path) for path in sorted((minted[0] / "store").glob("*.car"))}

        def on_ipfs(self, given, data):
            "Whole archives and single blocks, as the trustless gateway specification has them; spoilt alike."
            name, _, form = self.path.split("/")[2].partition("?")
            if form == "format=raw":
                found = [car for car in cars.values() if CID.parse(name) in car.index]
                answer = found and found[0].unchecked(CID.parse(name))
                if found:
                    self.say(200, double.spoil(answer))
                else:
                    self.say(404)
                return
            car = double.cars.get(name)
            if car:
                self.say(200, double.spoil(car))
            else:
                self.say(404)

        double.RequestHandlerClass = type("Serving", (double.RequestHandlerClass,), {"on_ipfs": on_ipfs})
        yield double


def prove(minted, gateway, **more):
    "Prove one token through the gateway alone."
    stores = [Gateway(gateway.url, **{"seconds": 1, "limit": 40 << 20, "tries": 1, **more})]
    return verify(f"embedded:{minted[1]}/1", minted[0], stores=stores)


def root_of(minted) -> str:
    "The root of the first token's drop, as the chain has it."
    from artmint.prove.evidence import ask_chain, parse_address

    return str(ask_chain(parse_address(f"embedded:{minted[1]}/1"), minted[0], "", []).drops[0].root)


def test_an_honest_gateway_is_enough(minted, gateway):
    proof = prove(minted, gateway, seconds=30)
    assert proof.exit_code == 0, proof.text()
    assert proof.levels == {
        "chain": "held",
        "content": "held",
        "metadata": "held",
        "recipe": "held",
        "regenerated": "unchecked",
    }


def section(codec: int, data: bytes, hash: bytes = b"") -> bytes:
    "A block as it stands in an archive; under another hash function where its bytes are given."
    name = hash or CID.of(codec, data).bytes
    return varint(len(name) + len(data)) + name + data


def v2(car: bytes) -> bytes:
    "A CARv2 around a CARv1, without an index."
    return bytes.fromhex("0aa16776657273696f6e02") + struct.pack("<QQQQQ", 0, 0, 51, len(car), 0) + car


def body(car: bytes) -> bytes:
    "An archive without its header."
    size, at = read_varint(car, 0)
    return car[at + size :]


def headed(car: bytes, *roots: CID) -> bytes:
    "An archive under another header."
    header = car_header(roots)
    return varint(len(header)) + header + body(car)


FOREIGN = CID.of(RAW, b"foreign")
SHA512 = b"\x01\x55\x13\x40" + hashlib.sha512(b"x").digest()  # a block under another hash function
IDENTITY = b"\x01\x55\x00\x01x"

# What the specification of trustless gateways has clients put up with, and formats of others: all of it is read.
HONEST = {
    "as it was written": lambda car: car,
    "repeated blocks": lambda car: car + body(car),
    "other roots in the header": lambda car: headed(car, FOREIGN),
    "two roots in the header": lambda car: headed(car, FOREIGN, FOREIGN),
    "no root in the header": lambda car: headed(car),
    "a stranger's block behind": lambda car: car + section(RAW, b"foreign"),
    "a stranger's block of 3 MiB": lambda car: car + section(RAW, bytes(3 << 20)),
    "a block of another hash": lambda car: car + section(RAW, b"x", SHA512),
    "an identity block": lambda car: car + section(RAW, b"", IDENTITY),
    "CARv2": v2,
    "CARv2 with other roots": lambda car: v2(headed(car, FOREIGN)),
    "something after it": lambda car: car + b"<html>",
    "zeros after it": lambda car: car + bytes(100),
}
# What isn't the content, or not all of it.
LIES = {
    "a flipped byte": lambda car: (
        car[: len(car) // 2] + bytes([car[len(car) // 2] ^ 1]) + car[len(car) // 2 + 1 :]
    ),
    "a flipped byte in every block": lambda car: bytes(byte ^ (at % 50 == 40) for at, byte in enumerate(car)),
    "a missing block": lambda car: car[: car.rindex(b"\x01\x70\x12\x20") - 2],
    "cut in the middle": lambda car: car[: len(car) // 2],
    "cut at a block": lambda car: car[: car.index(b"\x01\x55\x12\x20") - 2],
    "cut in its header": lambda car: car[:20],
    "a header alone": lambda car: headed(b"\x00"),
    "a header alone, with its root": lambda car: headed(b"\x00", FOREIGN),
    "an archive of something else": lambda car: headed(b"\x00", FOREIGN) + section(RAW, b"foreign"),
    "a page": lambda car: b"<html>please log in</html>",
    "a page with blanks before it": lambda car: b"\n \n<!DOCTYPE html><title>Are you human?</title>",
    "JSON": lambda car: b'{"error": "rate limited"}',
    "a JSON list": lambda car: b"[]",
    "plain words": lambda car: b"404 page not found\n",
    "nothing": lambda car: b"",
    "zeros": lambda car: bytes(1000),
    "noise": lambda car: random.Random(1).randbytes(5000),
    "gzip": lambda car: gzip.compress(car),
    "a zip": lambda car: b"PK\x03\x04" + car,
    "a picture": lambda car: b"\x89PNG\r\n\x1a\n" + bytes(300),
    "CARv2 cut in its header": lambda car: v2(car)[:40],
    "CARv2 that promises more than there is": lambda car: v2(car)[:60],
    "a length without end": lambda car: b"\xff" * 40,
    "a header of a terabyte": lambda car: varint(1 << 40) + car,
    "the blocks without a header": body,
}


def once(ways) -> list:
    "Each of these for all tokens and for one; quick is each for one of both."
    quick = [(at % 2 == 0, way) for at, way in enumerate(ways)]
    return some(product([True, False], ways), quick)


def called(value) -> str:
    "How a parameter stands in a test's name."
    return {True: "all tokens", False: "one token"}.get(value, value)


@pytest.mark.many(3)
@pytest.mark.parametrize("whole, way", once(HONEST), ids=called)
def test_what_the_specification_allows_is_read(minted, gateway, way, whole):
    honest = HONEST[way]
    gateway.spoil = lambda data: honest(data) if whole else data
    address = f"embedded:{minted[1]}" + ("" if whole else "/1")
    proof = verify(address, minted[0], stores=[Gateway(gateway.url, tries=1)])
    assert proof.exit_code == 0, proof.text()


@pytest.mark.many(2)
@pytest.mark.parametrize("whole, lie", once(LIES), ids=called)
def test_a_gateway_that_lies_is_named_and_no_token_is_blamed(minted, gateway, lie, whole):
    gateway.spoil = LIES[lie] if whole or lie != "a flipped byte" else LIES["a flipped byte in every block"]
    stores = [Gateway(gateway.url, seconds=5, tries=1)]
    proof = verify(f"embedded:{minted[1]}" + ("" if whole else "/1"), minted[0], stores=stores)
    assert not failed(proof), proof.text()
    assert proof.exit_code == 3
    evidence = " ".join(step.evidence for step in proof.steps if step.name == "archive")
    assert gateway.url.removeprefix("http://") in evidence
    if "flipped" in lie:
        assert re.search("block baf[yk]", evidence)
    assert proof.levels["content"] == "unchecked"
    assert proof.levels["metadata"] == "unchecked"
    assert "Nothing speaks against it" in str(refusal(proof))


def refusal(proof) -> NotProven:
    "Why a proof isn't complete."
    with pytest.raises(NotProven) as caught:
        proof.insist()
    return caught.value


def test_an_archive_of_something_else_under_the_right_header_is_not_the_content(minted, gateway, tmp_path):
    root = root_of(minted)
    write_car(tmp_path / "other.car", {"1.json": b"{}"})
    other = (tmp_path / "other.car").read_bytes()
    gateway.spoil = lambda car: headed(other, CID.parse(root))
    proof = prove(minted, gateway)
    assert proof.exit_code == 3
    assert f"block {root} of '/' is missing" in proof.text()


@pytest.mark.many(1)
@pytest.mark.parametrize(
    "fault",
    [
        stall,
        drip,
        flood,
        packed,
        sent_to("http://169.254.169.254/latest/"),
        sent_to("http://127.0.0.1:1/"),
        sent_to("file:///etc/passwd"),
        status(500),
        status(403),
    ],
    ids=[
        "stall",
        "drip",
        "flood",
        "packed",
        "to a cloud's secrets",
        "to this machine",
        "to a file",
        "broken",
        "forbidden",
    ],
)
def test_a_gateway_that_misbehaves_leaves_the_proof_unchecked_in_time(minted, gateway, fault):
    gateway.faults += [fault] * 9
    started = time.monotonic()
    proof = prove(minted, gateway)
    assert proof.exit_code == 3, proof.text()
    assert not failed(proof), proof.text()
    assert statuses(proof, "archive") == {"unchecked"}, proof.text()
    assert root_of(minted) in proof.text() or "127.0.0.1" in proof.text()
    assert time.monotonic() - started < 10


def test_one_honest_among_many_proves_and_the_liars_are_told(minted, gateway, tmp_path):
    gateway.spoil = LIES["a flipped byte"]
    stores = [
        Gateway("http://127.0.0.1:9", seconds=1, tries=1),
        Gateway(gateway.url, seconds=5),
        FolderStore(minted[0] / "store"),
    ]
    proof = verify(f"embedded:{minted[1]}/1", minted[0], stores=stores)
    assert proof.exit_code == 0
    assert "not believed" in proof.text()
    assert gateway.url.removeprefix("http://") in proof.text()
