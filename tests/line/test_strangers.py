"Hostile gateways, and a page for people: what a stranger meets."

import re
import time

import pytest

from artmint.ipfs.car import open_car, write_car
from artmint.ipfs.stores import FolderStore, Gateway
from artmint.verify import verify
from tests.doubles import drip, flood, packed, running, sent_to, stall, status
from tests.lies import failed
from tests.lies import status as statuses


@pytest.fixture
def gateway(minted, tmp_path):
    "A gateway that serves both drops of the minted studio, and the address of the collection's first token."
    with running(tmp_path / "gateway") as double:
        for path in sorted((minted[0] / "store").glob("*.car")):
            double.cars[path.stem] = path.read_bytes()

        def on_ipfs(self, given, data):
            name = self.path.split("/")[2].split("?")[0]
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


LIES = {
    "a flipped byte": lambda car: (
        car[: len(car) // 2] + bytes([car[len(car) // 2] ^ 1]) + car[len(car) // 2 + 1 :]
    ),
    "a missing block": lambda car: car[: car.rindex(b"\x01\x70\x12\x20") - 2],
    "cut short": lambda car: car[:-100],
    "something after it": lambda car: car + b"<html>",
    "a page": lambda car: b"<html>please log in</html>",
    "nothing": lambda car: b"",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_gateway_that_lies_is_named(minted, gateway, lie):
    gateway.spoil = LIES[lie]
    proof = prove(minted, gateway)
    assert proof.exit_code == 1
    assert set(failed(proof)) == {"archive"}
    assert gateway.url.removeprefix("http://") in failed(proof)["archive"]
    if lie == "a flipped byte":
        assert re.search("block baf[yk]", failed(proof)["archive"])
    assert proof.levels["content"] == "failed"
    assert proof.levels["metadata"] == "unchecked"


def test_a_gateway_with_an_archive_of_something_else(minted, gateway, tmp_path):
    root = root_of(minted)
    other = write_car(tmp_path / "other.car", {"1.json": b"{}"})
    gateway.spoil = lambda car: (tmp_path / "other.car").read_bytes()
    assert root in failed(prove(minted, gateway))["archive"]
    assert str(other.root) in failed(prove(minted, gateway))["archive"]
    lied = (
        (tmp_path / "other.car")
        .read_bytes()
        .replace(
            other.root.bytes, open_car(next((minted[0] / "store").glob(f"{root}.car"))).roots[0].bytes, 1
        )
    )
    gateway.spoil = lambda car: lied
    assert f"block {root} of '/' is missing" in failed(prove(minted, gateway))["archive"]


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
    gateway.faults.append(fault)
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
