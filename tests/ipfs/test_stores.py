"Every store passes the same tests; what can go wrong on the way is made to go wrong."

import json
import signal
import subprocess
import sys
import time
import traceback

import pytest

from artmint.ipfs.car import open_car, write_car
from artmint.ipfs.cid import CID, RAW
from artmint.ipfs.http import BadAnswer, NoAnswer, Request, request
from artmint.ipfs.stores import ASKED, FolderStore, Gateway, MissingContent, UploadNote, parts_of
from artmint.pin import (
    BadStore,
    PublishedElsewise,
    RootsDiffer,
    TooFewStores,
    open_stores,
    publish,
    read_back,
)
from tests.doubles import status
from tests.stores import (
    KEY,
    MIB,
    UPLOAD,
    contract,
    forged,
    kubo_store,
    pinata_in_parts,
    pinata_store,
    pinning_service,
    two_drops,
)

pytestmark = pytest.mark.usefixtures("quick")


def test_a_store_keeps_its_contract(store, drop, tmp_path):
    contract(store, *drop, tmp_path)


# -- trouble on the way


@pytest.mark.parametrize("make", [kubo_store, pinata_store, pinata_in_parts, pinning_service])
def test_a_busy_service_is_asked_again(make, server, tmp_path, drop):
    if make is pinning_service:
        server.keep(drop[0].read_bytes())
    server.faults += [status(429), status(503), "cut"]
    store = make(server, tmp_path)
    assert store.put(drop[0], drop[1].root) == drop[1].root
    assert not server.faults
    assert read_back(store, drop[1].root) == drop[1].paths


@pytest.mark.parametrize("make", [kubo_store, pinata_store, pinata_in_parts, pinning_service])
def test_a_service_that_refuses_is_not_asked_again(make, server, tmp_path, drop):
    server.faults += [status(403), status(200)]
    with pytest.raises(BadAnswer, match="403"):
        make(server, tmp_path).put(drop[0], drop[1].root)
    assert len(server.faults) == 1


def test_an_upload_that_was_cut_off_goes_on_where_it_was(server, tmp_path, drop):
    car, built = drop
    store = kubo_store(server, tmp_path)
    parts = parts_of(open_car(car))
    assert len(parts) == 3
    server.faults += [
        lambda handler: handler.on_api_v0_dag_import({}, server.asked[-1][3]),
        *[status(503)] * 6,
    ]
    with pytest.raises(NoAnswer):
        store.put(car, built.root)
    server.sent, told = 0, []
    assert store.put(car, built.root, lambda *counts: told.append(counts)) == built.root
    assert server.sent < car.stat().st_size - 7 * MIB
    assert told[0] == (
        sum(open_car(car).index[cid][1] for cid in parts[0]),
        told[0][1],
    )
    assert read_back(store, built.root) == built.paths


def test_killed_in_mid_upload_it_resumes(server, tmp_path, drop):
    car, built = drop
    store = kubo_store(server, tmp_path)
    child = subprocess.Popen(
        [sys.executable, "-c", UPLOAD, server.url, str(car), str(built.root), KEY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert int(child.stdout.readline()) > 7 * MIB
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    server.sent = 0
    receipt = publish(car, built.root, [store])
    assert receipt["stores"][0]["sent"]
    assert server.sent < car.stat().st_size - 7 * MIB
    assert read_back(store, built.root) == built.paths


# -- drops that share blocks, and nodes that forget


def pinned(server, root) -> bool:
    "Whether the node has pinned a root, all of whose blocks it has."
    return server.pins.get(str(root)) == "recursive"


@pytest.mark.many(1)
@pytest.mark.parametrize("looking", [0.0, 1.5])
def test_a_second_drop_with_the_same_weights_arrives_whole(server, tmp_path, looking):
    "Also on a node that looks for what it lacks. Of the weights nothing is sent twice but what shares a part with new files."
    first, second = two_drops(tmp_path)
    server.looking = looking
    store = kubo_store(server, tmp_path)
    store.pin_seconds = 0.2
    for car, built in (first, second):
        server.sent = 0
        assert publish(car, built.root, [store])["stores"][0]["sent"]
        assert pinned(server, built.root)
        assert read_back(store, built.root) == built.paths
        assert not list(car.parent.glob(".*.upload"))
    assert server.sent < 13 * MIB < second[0].stat().st_size


@pytest.mark.many(1)
@pytest.mark.parametrize("lost", [(0,), (5,), (-1,), (3, 9, 14)])
def test_blocks_that_a_node_lost_after_they_were_sent_are_sent_again(server, tmp_path, lost):
    "A note says that a part was sent; what counts is what is there when the root is pinned."
    (car, built), _ = two_drops(tmp_path, count=100)
    store = kubo_store(server, tmp_path)
    parts = parts_of(open_car(car))
    assert len(parts[0]) > ASKED
    server.faults += [
        lambda handler: handler.on_api_v0_dag_import({}, server.asked[-1][3]),
        *[status(503)] * 6,
    ]
    with pytest.raises(NoAnswer):
        store.put(car, built.root)
    for place in lost:
        del server.blocks[parts[0][place]]
    assert store.put(car, built.root) == built.root
    assert read_back(store, built.root) == built.paths


def test_a_note_about_another_archive_or_store_is_no_note(server, tmp_path):
    (car, built), (other, _) = two_drops(tmp_path)
    store = kubo_store(server, tmp_path)
    for path, root, name in ((car, built.root, "node elsewhere"), (other, built.root, store.name)):
        UploadNote(path, name, root).write(sent=[0, 1])
    UploadNote(car, store.name, built.root).path.write_bytes(b"[[[")
    assert store.put(car, built.root) == built.root
    assert read_back(store, built.root) == built.paths


def test_a_node_that_never_pins_is_left_in_time_and_somebody_beats_time(server, tmp_path, drop):
    store = kubo_store(server, tmp_path)
    store.pin_seconds = 0.5
    beats = []

    def pinning(handler):
        time.sleep(1.1)
        handler.say(500, {"Message": "Failed to add pin: request timed out", "Code": 0})

    server.faults += [lambda handler: handler.on_api_v0_dag_import({}, server.asked[-1][3])] * 3
    server.faults += [pinning] * 4
    begun = time.monotonic()
    with pytest.raises(NoAnswer, match="Failed to add pin: request timed out"):
        store.put(drop[0], drop[1].root, lambda *counts: beats.append(counts))
    assert time.monotonic() - begun < 15
    assert beats.count((beats[-1][1], beats[-1][1])) >= 5


# -- the gate


@pytest.mark.parametrize("make", [kubo_store, pinata_store, pinata_in_parts])
def test_a_forged_block_that_the_service_took_is_caught(make, server, tmp_path, drop):
    server.spoil = forged
    with pytest.raises(PublishedElsewise) as refused:
        publish(drop[0], drop[1].root, [make(server, tmp_path)])
    assert str(drop[1].paths["images/7.png"]) in str(refused.value)


def test_a_store_that_answers_another_root_is_refused(server, tmp_path, drop):
    other = write_car(tmp_path / "other.car", {"1.json": b"[]"})
    server.spoil = lambda car: (tmp_path / "other.car").read_bytes()
    with pytest.raises(RootsDiffer) as refused:
        publish(drop[0], drop[1].root, [pinata_store(server, tmp_path)])
    assert (refused.value.expected, refused.value.actual) == (str(drop[1].root), str(other.root))


def test_two_stores_must_be_two(tmp_path, drop):
    store = FolderStore(tmp_path / "store")
    with pytest.raises(TooFewStores) as refused:
        publish(*(drop[0], drop[1].root), [store, store], copies=2)
    assert (refused.value.wanted, refused.value.named) == (2, 1)
    assert not store.folder.exists()
    assert (
        len(publish(drop[0], drop[1].root, [store, FolderStore(tmp_path / "other")], copies=2)["stores"]) == 2
    )


def test_a_gateway_reads_and_a_missing_one_is_missing(server, tmp_path, drop):
    server.keep(drop[0].read_bytes())
    assert read_back(Gateway(server.url), drop[1].root) == drop[1].paths
    with pytest.raises(MissingContent):
        Gateway(server.url).get(CID.of(RAW, b"x"), tmp_path)


@pytest.mark.parametrize("make", [kubo_store, pinata_store, pinata_in_parts, pinning_service])
def test_a_key_is_in_no_word_of_any_failure(make, server, tmp_path, drop):
    "In no message, no traceback, no notes, no receipt."

    def nonsense(handler):
        handler.say(200, b"<html>")

    def echo(handler):
        handler.say(400, str(handler.headers).encode())

    for fault in (status(401), status(500), nonsense, echo, "cut"):
        server.faults[:] = [fault] * 6
        with pytest.raises((NoAnswer, BadAnswer)) as refused:
            make(server, tmp_path).put(drop[0], drop[1].root)
        assert KEY not in "".join(traceback.format_exception(refused.value)) + repr(refused.value) + str(
            vars(refused.value)
        )
    server.faults.clear()


# -- studio.toml


def test_the_studio_names_its_stores_and_keys_stay_in_their_files(tmp_path):
    (tmp_path / "keys" / "stores").mkdir(parents=True)
    (tmp_path / "keys" / "stores" / "node").write_text(f"{KEY}\n")
    (tmp_path / "keys" / "stores" / "node").chmod(0o600)
    (tmp_path / "studio.toml").write_text(
        '[[stores]]\nkind = "node"\nurl = "http://127.0.0.1:5001/"\nkey = "keys/stores/node"\n[[stores]]\nkind = "pinning"\nurl = "https://psa.example/"\nkey = "keys/stores/node"\norigins = ["/ip4/1.2.3.4"]\ngateway = "https://gateway.example/"\n'
    )
    stores = open_stores(tmp_path)
    assert [store.name for store in stores] == [
        "folder store",
        "node 127.0.0.1:5001",
        "pinning service psa.example",
    ]
    assert stores[1]._token == KEY
    assert KEY not in repr(stores)
    assert stores[2].origins == ("/ip4/1.2.3.4",)
    assert [store.name for store in open_stores(tmp_path / "none")] == ["folder store"]


@pytest.mark.parametrize(
    "text, why",
    [
        ('kind = "cloud"', "kind is one of node"),
        ('kind = "node"', "url"),
        ('kind = "node"\nurl = "http://h"\nspeed = 9', "speed"),
        ('kind = "node"\nurl = "http://h"\nkey = "keys/stores/open"', "chmod 600"),
        ('kind = "node"\nurl = "http://h"\nkey = "keys/stores/none"', "can't be read"),
    ],
)
def test_a_store_that_makes_no_sense_is_refused(tmp_path, text, why):
    (tmp_path / "keys" / "stores").mkdir(parents=True)
    (tmp_path / "keys" / "stores" / "open").write_text(KEY)
    (tmp_path / "keys" / "stores" / "open").chmod(0o644)
    (tmp_path / "studio.toml").write_text(f"[[stores]]\n{text}\n")
    with pytest.raises(BadStore, match=why) as refused:
        open_stores(tmp_path)
    assert refused.value.exit_code == 2
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    "key",
    [
        "keys/passphrase",
        "keys/admin.json",
        "keys/stores/../passphrase",
        "../secret",
        "/etc/passwd",
        "CANARYKEY",
        "keys/stores/",
        "keys/stores/.hidden",
        ["keys/stores/node"],
        7,
        "keys/stores/elsewhere",
        "keys/stores/lines",
        "keys/stores/bytes",
        "keys/stores/empty",
    ],
)
def test_no_other_file_is_sent_as_a_key_and_no_key_is_repeated(tmp_path, key):
    "Settings may come from somebody else: only files below keys/stores/ are keys, and what stands in the place of a name may be the key."
    place = tmp_path / "keys" / "stores"
    place.mkdir(parents=True)
    (tmp_path / "keys" / "passphrase").write_text("CANARYKEY")
    (tmp_path / "keys" / "passphrase").chmod(0o600)
    (place / "elsewhere").symlink_to(tmp_path / "keys" / "passphrase")
    for name, data in (("lines", b"CANARYKEY\nCANARYTWO"), ("bytes", b"CANARYKEY\xff"), ("empty", b"")):
        (place / name).write_bytes(data)
        (place / name).chmod(0o600)
    (tmp_path / "studio.toml").write_text(
        f'[[stores]]\nkind = "node"\nurl = "https://h"\nkey = {json.dumps(key)}\n'
    )
    with pytest.raises(BadStore) as refused:
        open_stores(tmp_path)
    assert "CANARY" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    "table, why",
    [
        ('url = "http://198.51.100.7"\nkey = "keys/stores/node"', "plain http"),
        ('url = "https://user:CANARY@h"', "user or a password"),
        ('url = "https://h"\ngateway = "https://user:CANARY@h"', "user or a password"),
        ('url = "https://[h"', "no address"),
    ],
)
def test_keys_go_over_https_and_stand_in_no_address(tmp_path, table, why):
    (tmp_path / "keys" / "stores").mkdir(parents=True)
    (tmp_path / "keys" / "stores" / "node").write_text(KEY)
    (tmp_path / "keys" / "stores" / "node").chmod(0o600)
    (tmp_path / "studio.toml").write_text(f'[[stores]]\nkind = "node"\n{table}\n')
    with pytest.raises(BadStore, match=why) as refused:
        open_stores(tmp_path)
    assert "CANARY" not in str(refused.value)


@pytest.mark.parametrize("text", ['stores = "x"', 'stores = ["x"]', '[[stores]]\nkind = ["node"]'])
def test_stores_that_are_no_tables_are_refused_in_words(tmp_path, text):
    (tmp_path / "studio.toml").write_text(text)
    with pytest.raises(BadStore):
        open_stores(tmp_path)


def test_a_key_that_no_header_can_carry_is_in_no_error():
    "The library's words about the request repeat it."
    question = Request("http://127.0.0.1:9/", headers={"Authorization": "Bearer CANARYKEY\nCANARYTWO"})
    with pytest.raises((BadAnswer, NoAnswer)) as refused:
        request(question)
    assert "CANARY" not in "".join(traceback.format_exception(refused.value))
