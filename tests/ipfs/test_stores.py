"Every store passes the same tests; what can go wrong on the way is made to go wrong."

import signal
import subprocess
import sys
import traceback

import pytest
from tests.doubles import running, status

from artmint.ipfs.car import check_car, open_car, write_car
from artmint.ipfs.cid import CID, RAW
from artmint.ipfs.http import BadAnswer, NoAnswer, with_retries
from artmint.ipfs.services import PinataStore, PinningService
from artmint.ipfs.stores import FolderStore, Gateway, KuboStore, MissingContent, parts_of
from artmint.pin import (
    BadStore,
    PublishedElsewise,
    RootsDiffer,
    TooFewStores,
    open_stores,
    publish,
    read_back,
)

MIB = 1 << 20
KEY = "sesame-opens"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    "Pauses between tries are not waited for."

    def at_once(work, tries=6):
        return with_retries(work, tries, sleep=lambda seconds: None)

    for room in ("stores", "services"):
        monkeypatch.setattr(f"artmint.ipfs.{room}.with_retries", at_once)


@pytest.fixture(scope="module")
def drop(tmp_path_factory):
    "An archive of three parts, and its tree."
    folder = tmp_path_factory.mktemp("drop")
    tree = {f"{i}.json": b"%d" % i for i in range(1, 40)}
    tree["images"] = {f"{i}.png": bytes([i]) * MIB for i in range(20)}
    built = write_car(folder / "drop.car", tree)
    return folder / "drop.car", built


@pytest.fixture
def server(tmp_path):
    with running(tmp_path / "server") as double:
        yield double


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


@pytest.fixture(params=STORES, ids=lambda make: make.__name__)
def store(request, server, tmp_path, drop):
    if request.param is pinning_service:
        server.keep(drop[0].read_bytes())
    return request.param(server, tmp_path)


def contract(store, car, built, tmp_path):
    "What every store has to do, double or real."
    told = []
    assert store.put(car, built.root, lambda *counts: told.append(counts)) == built.root
    assert told[-1][0] == told[-1][1]
    assert all(done <= total for done, total in told)
    assert check_car(open_car(store.get(built.root, tmp_path)), built.root) == built.paths
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


# -- Pinata's resumable uploads


def patched(server) -> list[int]:
    "Bytes of each part that came whole."
    return [len(data) for method, _, _, data in server.asked if method == "PATCH"]


def test_a_large_archive_goes_in_parts_and_each_byte_once(server, tmp_path, drop):
    car, built = drop
    store = pinata_in_parts(server, tmp_path)
    assert store.put(car, built.root) == built.root
    assert patched(server) == [3 * MIB] * 6 + [car.stat().st_size - 18 * MIB]
    assert next(iter(server.uploads.values()))["data"] == car.read_bytes()
    assert not list(car.parent.glob(".*.upload"))


def test_a_part_that_came_in_half_is_continued(server, tmp_path, drop):
    car, built = drop

    def ok(handler):
        handler.tus(server.asked[-1][3])

    def begun(handler):
        handler.on_v3_files({}, b"")

    server.faults += [
        begun,
        ok,
        "cut",
        ok,
        "cut",
    ]  # begin; ask, and the part breaks off after 200,000 bytes; ask, and the rest of it breaks off too
    assert pinata_in_parts(server, tmp_path).put(car, built.root) == built.root
    assert not server.faults
    assert sum(patched(server)) == car.stat().st_size - 400_000
    assert next(iter(server.uploads.values()))["data"] == car.read_bytes()


LARGE = UPLOAD.replace(
    "from artmint.ipfs.stores import KuboStore", "from artmint.ipfs.services import PinataStore"
).replace(
    "KuboStore(sys.argv[1], sys.argv[4], seconds=2)",
    "PinataStore(sys.argv[4], url=sys.argv[1], single=0, part=3 << 20)",
)


def test_killed_in_mid_upload_pinata_s_resumes_in_another_process(server, tmp_path, drop):
    car, built = drop
    child = subprocess.Popen(
        [sys.executable, "-c", LARGE, server.url, str(car), str(built.root), KEY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    while int(child.stdout.readline()) < 6 * MIB:
        print(file=child.stdin, flush=True)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    note = car.with_name(".drop.car.upload")
    sent = sum(patched(server))
    assert KEY not in note.read_text()
    assert sent == 6 * MIB
    assert pinata_in_parts(server, tmp_path).put(car, built.root) == built.root
    assert len(server.uploads) == 1
    assert sum(patched(server)) == car.stat().st_size
    assert not note.exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda server, note: server.uploads.clear(),
        lambda server, note: note.write_text("{"),
        lambda server, note: note.write_text(note.read_text().replace('"size": 2', '"size": 3')),
        lambda server, note: note.write_text(note.read_text().replace("127.0.0.1", "127.0.0.2")),
        lambda server, note: server.uploads["/v3/files/upload-0"].update(data=b"x" * (1 << 30)),
    ],
)
def test_an_upload_that_can_not_be_continued_is_begun_anew(server, tmp_path, drop, spoil):
    car, built = drop
    store = pinata_in_parts(server, tmp_path)
    note = car.with_name(".drop.car.upload")
    server.faults += [
        lambda handler: handler.on_v3_files({}, b""),
        lambda handler: handler.tus(b""),
        *[status(503)] * 12,
    ]
    with pytest.raises(NoAnswer):
        store.put(car, built.root)
    server.faults.clear()
    spoil(server, note)
    assert store.put(car, built.root) == built.root
    assert not note.exists()


def test_an_upload_that_was_whole_when_the_answer_was_lost_is_sent_again(server, tmp_path, drop):
    "The service says the root in its last answer and never again."
    car, built = drop
    store = pinata_in_parts(server, tmp_path)

    def lost(handler):
        handler.server.uploads[handler.path]["data"] += server.asked[-1][3]
        handler.connection.shutdown(2)

    def ask(handler):
        handler.tus(server.asked[-1][3])

    server.faults += [lambda handler: handler.on_v3_files({}, b""), *[ask] * 13, lost]
    with pytest.raises(NoAnswer, match="doesn't say its root"):
        store.put(car, built.root)
    assert store.put(car, built.root) == built.root
    assert len(server.uploads) == 2


@pytest.mark.parametrize(
    "headers, why",
    [
        ({"Location": "https://elsewhere.example/v3/files/1"}, "another host"),
        ({"Location": "//127.0.0.2/x"}, "another host"),
    ],
)
def test_the_key_goes_to_no_other_host(server, tmp_path, drop, headers, why):
    server.faults.append(status(201, **headers))
    with pytest.raises(BadAnswer, match=why):
        pinata_in_parts(server, tmp_path).put(drop[0], drop[1].root)
    assert not drop[0].with_name(".drop.car.upload").exists()


@pytest.mark.parametrize("offset", ["", "-1", "1e3", "9" * 20, "99999999999"])
def test_nonsense_about_an_upload_is_refused(server, tmp_path, drop, offset):
    server.faults += [
        lambda handler: handler.on_v3_files({}, b""),
        status(200, **({"Upload_Offset": offset} if offset else {})),
    ]
    with pytest.raises(BadAnswer, match="how much of the upload"):
        pinata_in_parts(server, tmp_path).put(drop[0], drop[1].root)
    drop[0].with_name(".drop.car.upload").unlink()


# -- the gate


def forged(car: bytes) -> bytes:
    "The archive with other bytes under a good name."
    return car.replace(bytes([7]) * 100, b"\x66" * 100, 1)


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


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no json",
        b"[]",
        b'{"data": {}}',
        b'{"data": {"cid": "Qm"}}',
        b'{"data": {"cid": 7}}',
        b'{"data": "x"}',
        b"[" * 100_000,
    ],
)
def test_nonsense_is_no_root(server, tmp_path, drop, answer):
    server.faults.append(lambda handler: handler.say(200, answer))
    with pytest.raises(BadAnswer):
        pinata_store(server, tmp_path).put(drop[0], drop[1].root)


def test_a_root_in_other_letters_is_the_same_root(server, tmp_path, drop):
    root = drop[1].root
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    number = int.from_bytes(root.bytes, "big")
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = digits[digit] + text
    for spelled in ("k" + text, "f" + root.bytes.hex(), "F" + root.bytes.hex().upper(), str(root).upper()):
        server.faults.append(lambda handler: handler.say(200, {"data": {"cid": spelled}}))
        assert pinata_store(server, tmp_path).put(drop[0], root) == root


def test_a_pin_that_fails_or_never_ends_is_said(server, tmp_path, drop):
    store = pinning_service(server, tmp_path)
    server.pins[str(drop[1].root)] = {
        "requestid": str(drop[1].root),
        "status": "failed",
        "pin": {"cid": str(drop[1].root)},
    }
    with pytest.raises(BadAnswer, match="failed"):
        store.put(drop[0], drop[1].root)
    store.patience = 0
    server.pins.clear()
    with pytest.raises(NoAnswer, match="queued"):
        store.put(drop[0], drop[1].root)


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
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "node").write_text(f"{KEY}\n")
    (tmp_path / "keys" / "node").chmod(0o600)
    (tmp_path / "studio.toml").write_text(
        '[[stores]]\nkind = "node"\nurl = "http://127.0.0.1:5001/"\nkey = "keys/node"\n[[stores]]\nkind = "pinning"\nurl = "https://psa.example/"\nkey = "keys/node"\norigins = ["/ip4/1.2.3.4"]\n'
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
        ('kind = "node"\nurl = "http://h"\nkey = "keys/open"', "chmod 600"),
        ('kind = "node"\nurl = "http://h"\nkey = "keys/none"', "can't be read"),
    ],
)
def test_a_store_that_makes_no_sense_is_refused(tmp_path, text, why):
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "open").write_text(KEY)
    (tmp_path / "keys" / "open").chmod(0o644)
    (tmp_path / "studio.toml").write_text(f"[[stores]]\n{text}\n")
    with pytest.raises(BadStore, match=why) as refused:
        open_stores(tmp_path)
    assert refused.value.exit_code == 2
    assert KEY not in str(refused.value)
