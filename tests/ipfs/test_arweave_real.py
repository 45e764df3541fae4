"Arweave against real programs: arbundles' own items, and a local Arweave behind a bundler. For make test-full; they are installed by the tests themselves."

import hashlib
import json
import os
import random
import subprocess
from pathlib import Path
from urllib.request import urlopen

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artmint.ipfs.arweave import ArweaveStore, ItemKey, drop_items, sign_item
from artmint.ipfs.car import open_car, outline, write_car
from artmint.ipfs.health import draw_blocks, examine
from artmint.ipfs.http import BadAnswer
from artmint.pin import publish, read_back
from tests.services import free_port, node, node_modules, quiet, stop, up

pytestmark = pytest.mark.slow
KEY = "4c" * 32


@pytest.fixture(scope="module")
def programs():
    "The folder of arlocal and arbundles; sqlite3 is compiled, as it is shipped without a binary."
    folder = node_modules("arlocal")
    built = folder / "node_modules/sqlite3/build/Release/node_sqlite3.node"
    headers = Path(node()).resolve().parent.parent
    if not built.exists():
        if not (headers / "include/node/node_api.h").exists():
            pytest.skip("node's headers are not installed, and sqlite3 is compiled with them")
        gyp = folder / "node_modules/.bin/node-gyp"
        quiet([node(), gyp, "rebuild", f"--nodedir={headers}"], folder / "node_modules/sqlite3")
    return folder


@pytest.fixture(scope="module")
def arweave(programs, tmp_path_factory):
    "Addresses of a gateway and of a bundler."
    folder = tmp_path_factory.mktemp("arweave")
    port = free_port()
    log = open(folder / "log", "wb")
    program = programs / "node_modules/arlocal/bin/index.js"
    local = subprocess.Popen(
        [node(), program, str(port), "--hidelogs", "--dbpath", "db"], cwd=folder, stdout=log, stderr=log
    )
    bundler = None
    try:
        up(local, f"http://127.0.0.1:{port}/info")
        words = [node(), programs / "bundler.mjs", str(port), folder / "wallet.json"]
        bundler = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        yield f"http://127.0.0.1:{port}", f"http://127.0.0.1:{int(bundler.stdout.readline())}"
    finally:
        for process in (bundler, local):
            if process:
                stop(process)


@pytest.fixture(scope="module")
def drop(tmp_path_factory):
    "A drop with a picture that a node takes in several chunks."
    folder = tmp_path_factory.mktemp("drop")
    pictures = {f"{i}.png": random.Random(i).randbytes(50_000 + 700_000 * (i == 3)) for i in range(1, 4)}
    tree = {f"{i}.json": b'{"name":"%d"}' % i for i in range(1, 4)}
    built = write_car(folder / "drop.car", tree | {"contract.json": b"{}", "images": pictures})
    return folder / "drop.car", built


@pytest.fixture(scope="module")
def arbundles(programs):
    "Asks arbundles for an item."
    process = subprocess.Popen(
        [node(), programs / "items.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def ask(key: str, data: bytes, tags: dict[str, str]) -> dict:
        question = {"key": key, "data": data.hex(), "tags": list(tags.items())}
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield ask
    stop(process)


TAGS = st.dictionaries(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=60), max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(min_size=1, max_size=5000),
    tags=TAGS,
    secret=st.integers(1, 2**256 - 2**129).map("{:064x}".format),
)
def test_items_are_byte_for_byte_those_of_arbundles(arbundles, data, tags, secret):
    theirs = arbundles(secret, data, tags)
    ours = sign_item(ItemKey(secret), "x", lambda: iter([data]), tags)
    assert (ours.id, b"".join(ours.body()).hex()) == (theirs["id"], theirs["bytes"])
    assert theirs["valid"]


def test_a_drop_has_a_second_home_and_the_same_ids_in_two_runs(arweave, drop, tmp_path):
    gateway, bundler = arweave
    car, built = drop
    known = drop_items(open_car(car), built.root, ItemKey(KEY))
    for run in ("first", "second"):
        store = ArweaveStore(KEY, gateway, bundler, limit=1, folder=tmp_path / run, patience=30)
        receipt = publish(car, built.root, [store])
        assert receipt["stores"][0]["address"] == f"ar://{known.manifest.id}"
        written = json.loads((tmp_path / run / f"{built.root}.json").read_text())
        assert written["paths"] == known.ids
        assert read_back(store, built.root) == built.paths
        if run == "first":
            continue
        draw = draw_blocks(outline(built.root, open_car(car).unchecked), None)
        row, _ = examine(store, built.root, draw, open_car(car))
        assert (row.status, row.asked) == ("held", len(built.blocks))


def test_a_path_below_the_manifest_leads_to_the_file(arweave, drop, tmp_path):
    gateway, bundler = arweave
    car, built = drop
    ArweaveStore(KEY, gateway, bundler, limit=1, folder=tmp_path, patience=30).put(car, built.root)
    manifest = drop_items(open_car(car), built.root, ItemKey(KEY)).manifest.id
    with urlopen(f"{gateway}/{manifest}/1.json") as answer:
        assert (answer.read(), answer.headers.get_content_type()) == (b'{"name":"1"}', "application/json")
    with urlopen(f"{gateway}/{manifest}/images/2.png") as answer:
        assert hashlib.sha256(answer.read()).digest() == built.paths["images/2.png"].digest


def test_a_forged_item_is_refused_by_the_bundler(arweave, drop, tmp_path, monkeypatch):
    gateway, bundler = arweave
    monkeypatch.setattr("artmint.ipfs.arweave.ItemKey.sign", lambda key, message: os.urandom(64) + b"\x1b")
    with pytest.raises(BadAnswer):
        ArweaveStore(KEY, gateway, bundler, limit=1, folder=tmp_path).put(*(drop[0], drop[1].root))
