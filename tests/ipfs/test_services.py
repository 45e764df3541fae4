"Services: resumable uploads, answers that are nonsense, pins that never end."

import signal
import subprocess
import sys

import pytest

from artmint.ipfs.cid import CID, RAW
from artmint.ipfs.http import BadAnswer, NoAnswer
from artmint.ipfs.stores import UploadNote
from tests.doubles import status
from tests.stores import KEY, MIB, UPLOAD, pinata_in_parts, pinata_store, pinning_service

pytestmark = pytest.mark.usefixtures("quick")

# -- Pinata's resumable uploads


def note_of(car, server):
    "Where an upload to the double is noted."
    return UploadNote(car, f"pinata 127.0.0.1:{server.server_port}", CID.of(RAW, b"")).path


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
    note = note_of(car, server)
    sent = sum(patched(server))
    assert KEY not in note.read_text()
    assert sent == 6 * MIB
    assert pinata_in_parts(server, tmp_path).put(car, built.root) == built.root
    assert len(server.uploads) == 1
    assert sum(patched(server)) == car.stat().st_size
    assert not note.exists()


@pytest.mark.many(2)
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
    note = note_of(car, server)
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
    assert not note_of(drop[0], server).exists()


@pytest.mark.parametrize("offset", ["", "-1", "1e3", "9" * 20, "99999999999"])
def test_nonsense_about_an_upload_is_refused(server, tmp_path, drop, offset):
    server.faults += [
        lambda handler: handler.on_v3_files({}, b""),
        status(200, **({"Upload_Offset": offset} if offset else {})),
    ]
    with pytest.raises(BadAnswer, match="how much of the upload"):
        pinata_in_parts(server, tmp_path).put(drop[0], drop[1].root)
    note_of(drop[0], server).unlink()


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
