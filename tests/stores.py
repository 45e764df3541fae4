"Every kind of store on a double, and what each has to do."

import random

import pytest

from artmint.ipfs.car import check_car, open_car, write_car
from artmint.ipfs.cid import CID, RAW
from artmint.ipfs.services import PinataStore, PinningService
from artmint.ipfs.stores import FolderStore, KuboStore, MissingContent
from artmint.pin import publish, read_back

MIB = 1 << 20
KEY = "sesame-opens"


def folder_store(server, tmp_path):
    return FolderStore(tmp_path / "store")


def kubo_store(server, tmp_path):
    server.token = KEY
    return KuboStore(server.url, KEY, seconds=2)


def pinata_store(server, tmp_path):
    server.token = ""
    return PinataStore(KEY, server.url, server.url)


def pinata_in_parts(server, tmp_path):
    return PinataStore(KEY, server.url, server.url, single=MIB, part=3 * MIB)


def pinning_service(server, tmp_path):
    "The content is already where the service can fetch it."
    return PinningService(f"{server.url}/psa", KEY, server.url, ("/ip4/127.0.0.1/tcp/4001",), pause=0.01)


STORES = [folder_store, kubo_store, pinata_store, pinata_in_parts, pinning_service]


def contract(store, car, built, tmp_path):
    "What every store has to do, double or real."
    told = []
    assert store.put(car, built.root, lambda *counts: told.append(counts)) == built.root
    assert told[-1][0] == told[-1][1]
    assert all(done <= total for done, total in told)
    assert check_car(open_car(store.get(built.root, tmp_path)), built.root) == built.paths
    for cid in (
        list(built.blocks)[:: len(built.blocks) // 5]
        if getattr(store, "gateway", hasattr(store, "block"))
        else ()
    ):
        assert CID.of(cid.codec, store.block(cid)) == cid
    assert read_back(store, built.root) == built.paths
    assert store.put(car, built.root) == built.root
    assert read_back(store, built.root) == built.paths
    receipt = publish(car, built.root, [store])
    assert receipt["stores"] == [{"store": store.name, "sent": False}]
    assert receipt["blocks"] == len(built.blocks)
    with pytest.raises(MissingContent) as refused:
        store.get(CID.of(RAW, b"nobody has this"), tmp_path)
    assert refused.value.store == store.name
    assert KEY not in store.name + repr(store) + str(receipt)


def two_drops(folder, size=20 * MIB, count=6):
    "Two drops of a collection with the same published weights, which fill the last parts of both archives."
    weights = random.Random(5).randbytes(size)
    drops = []
    for number in (1, 2):
        tree = {f"{number * 100 + i}.json": b'{"name":"%d"}' % (number * 100 + i) for i in range(count)}
        images = {f"{number * 100 + i}.png": bytes([number, i]) * 2000 for i in range(count)}
        path = folder / f"drop-{number}" / "drop.car"
        path.parent.mkdir()
        built = write_car(path, tree | {"images": images, "weights": {"w.safetensors": weights}})
        drops.append((path, built))
    return drops


UPLOAD = """
import sys
from pathlib import Path
from artmint.ipfs.cid import CID
from artmint.ipfs.stores import KuboStore
def told(done, total):
    print(done, flush=True)
    sys.stdin.readline()
KuboStore(sys.argv[1], sys.argv[4], seconds=2).put(Path(sys.argv[2]), CID.parse(sys.argv[3]), told)
"""


def forged(car: bytes) -> bytes:
    "The archive with other bytes under a good name."
    return car.replace(bytes([7]) * 100, b"\x66" * 100, 1)
