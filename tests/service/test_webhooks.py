"Messages: signed, in order for a run, again until they are taken, and never into one's own house."

import base64
import hashlib
import hmac
import re
import socket
import stat
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artmint.ipfs import http
from artmint.service import webhooks as room
from artmint.service.events import UnknownEvent, events_since
from artmint.service.webhooks import (
    BadEndpoint,
    Courier,
    EndpointFile,
    EndpointFileMissing,
    NoSuchEndpoint,
    RotationUnderWay,
    Sending,
    TooManyEndpoints,
    add_endpoint,
    dead_letters,
    list_endpoints,
    message_headers,
    new_secret,
    own_networks,
    read_endpoint,
    remove_endpoint,
    replay_letters,
    rotate_secret,
    run_courier,
    secrets_now,
    send_message,
    take_in,
    webhook_facts,
)
from artmint.studio.catalog import Catalog
from artmint.studio.files import BadSettings

PAGE = Path(__file__).parents[2] / "docs" / "events.md"


def say(catalog: Catalog, run: str, *states: str) -> None:
    "A run comes to some states."
    for state in states:
        with catalog.together() as connection:
            catalog.add(connection, "run-state", run, {"state": state}, run=run)


def carry(courier: Courier, done, seconds: float = 8.0) -> None:
    "Steps until something holds."
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "it took too long"
        courier.step()


@pytest.fixture
def quick(monkeypatch):
    "Messages are tried again at once."
    monkeypatch.setattr(room, "BACKOFF", (0.0,))


# ------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "https://localhost/x",
        "https://10.0.0.1/",
        "https://192.168.1.1/",
        "https://172.16.3.4/",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[fd00::1]/",
        "https://[fe80::1]/",
        "https://224.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "http://1.1.1.1/",
        "ftp://1.1.1.1/",
        "file:///etc/passwd",
        "https:///x",
        "https://ada:sesame@1.1.1.1/",
        "https://1.1.1.1/#x",
        "https://1.1.1.1:99999/",
        "https://1.1.1.1/ x",
        "https://1.1.1.1/\nHost: other",
        "https://1.1.1.1/" + "x" * 2000,
        "https://[::1",
        "",
    ],
)
def test_addresses_that_nothing_is_sent_to(tmp_path, url):
    catalog = Catalog(tmp_path)
    with pytest.raises(BadEndpoint, match="Nothing was recorded") as refused:
        add_endpoint(catalog, url, ["*"])
    assert "sesame" not in str(refused.value)
    assert list_endpoints(catalog) == [] and not list(tmp_path.glob("keys/*"))


def test_a_name_that_means_another_machine_later_is_refused_when_it_is_sent_to(receiver, monkeypatch):
    "Looked up once, and connected to as it was looked up."
    answers = iter([["1.1.1.1"], ["127.0.0.1"]])
    monkeypatch.setattr(
        http.socket,
        "getaddrinfo",
        lambda host, port, **_: [(2, 1, 6, "", (one, port)) for one in next(answers)],
    )
    connected = []

    def create(place, **_):
        connected.append(place)
        raise OSError("not in a test")

    monkeypatch.setattr(http.socket, "create_connection", create)
    event = sample_event()
    file = EndpointFile(url=f"https://hooks.example:{receiver.server_port}/", secrets=(new_secret(),))
    assert send_message(file, event).error == "OSError"
    assert connected == [("1.1.1.1", receiver.server_port)]
    assert "private" in send_message(file, event).error
    assert len(connected) == 1 and receiver.taken == []


def sample_event():
    from artmint.service.events import Event

    facts = {"id": "evt_1_abc", "type": "run.queued", "timestamp": "2026-01-01T00:00:00.000+00:00"}
    return Event(**facts, run="friday", subject="friday", data={"state": "queued"})


@pytest.mark.parametrize("networks", ['"10.0.0.0/8"', "[7.5]", '["home"]', '["10.0.0.1/8"]'])
def test_networks_that_are_none_are_refused(tmp_path, networks):
    (tmp_path / "studio.toml").write_text(f"[webhooks]\nnetworks = {networks}\n")
    with pytest.raises(BadSettings, match="webhooks"):
        own_networks(tmp_path)


# ------------------------------------------------------------------ endpoints and secrets


def test_secrets_and_paths_are_in_a_file_of_the_owners_and_nowhere_else(open_studio, receiver, caplog):
    catalog = open_studio
    endpoint, secret = add_endpoint(catalog, f"{receiver.url}/7f3a9c", ["run.*"])
    path = catalog.folder / "keys" / f"webhook-{endpoint.id}.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    receiver.faults.append(500)
    say(catalog, "friday", "queued")
    courier = Courier(catalog)
    carry(courier, lambda: webhook_facts(catalog)[0]["failed"])
    courier.close()
    catalog.close()
    texts = [one.read_bytes() for one in catalog.folder.glob("catalog*")] + [caplog.text.encode()]
    for text in texts:
        assert secret.encode() not in text and secret[6:].encode() not in text and b"7f3a9c" not in text
    assert secret not in repr(list_endpoints(catalog))


def test_what_is_removed_is_told_nothing_more(open_studio, receiver):
    endpoint, _ = add_endpoint(open_studio, receiver.url, ["*"])
    say(open_studio, "friday", "queued")
    remove_endpoint(open_studio, endpoint.id)
    courier = Courier(open_studio)
    for _ in range(3):
        courier.step()
    assert receiver.taken == [] and list_endpoints(open_studio) == []
    assert not list(open_studio.folder.glob("keys/webhook-*"))
    for call in (remove_endpoint, rotate_secret, replay_letters):
        with pytest.raises(NoSuchEndpoint):
            call(open_studio, endpoint.id)


def test_unknown_events_and_too_many_endpoints_are_refused(open_studio, receiver, monkeypatch):
    with pytest.raises(UnknownEvent):
        add_endpoint(open_studio, receiver.url, ["run.burnt"])
    monkeypatch.setattr(room, "MOST_ENDPOINTS", 1)
    add_endpoint(open_studio, receiver.url, [])
    with pytest.raises(TooManyEndpoints):
        add_endpoint(open_studio, receiver.url, ["*"])


def test_two_secrets_at_once_while_one_is_changed(open_studio, receiver):
    endpoint, first = add_endpoint(open_studio, receiver.url, ["*"])
    second = rotate_secret(open_studio, endpoint.id)
    assert secrets_now(read_endpoint(open_studio, endpoint.id)) == (second, first)
    with pytest.raises(RotationUnderWay):
        rotate_secret(open_studio, endpoint.id)
    say(open_studio, "friday", "queued")
    courier = Courier(open_studio)
    carry(courier, lambda: receiver.taken)
    headers, body = receiver.taken[0]
    for secret in (first, second):
        assert check(secret, headers, body)
    assert not check(new_secret(), headers, body)
    third = rotate_secret(open_studio, endpoint.id, hours=0)
    assert secrets_now(read_endpoint(open_studio, endpoint.id)) == (third,)
    fourth = rotate_secret(open_studio, endpoint.id, hours=1e-9)
    assert secrets_now(read_endpoint(open_studio, endpoint.id)) == (fourth,)


def test_an_endpoint_whose_file_is_elsewhere_waits_and_says_so(open_studio, receiver, quick):
    endpoint, _ = add_endpoint(open_studio, receiver.url, ["*"])
    path = open_studio.folder / "keys" / f"webhook-{endpoint.id}.json"
    text = path.read_bytes()
    path.unlink()
    with pytest.raises(EndpointFileMissing):
        read_endpoint(open_studio, endpoint.id)
    say(open_studio, "friday", "queued")
    courier = Courier(open_studio)
    carry(courier, lambda: webhook_facts(open_studio)[0]["failed"] > 1)
    assert receiver.taken == []
    path.write_bytes(text)
    carry(courier, lambda: receiver.taken)


# ------------------------------------------------------------------ signatures


def check(secret: str, headers: dict, body: bytes) -> bool:
    "A receiver's check, as the page shows it."
    names = {}
    exec(five_lines(), names)
    return names["check"](secret, headers, body)


def five_lines() -> str:
    "The lines of the page."
    text = PAGE.read_text(encoding="utf-8")
    return re.search(r"```python\n(.*?def check.*?)```", text, re.DOTALL)[1]


def test_the_pages_check_has_five_lines_and_takes_what_is_sent():
    inside = five_lines().split("def check")[1].strip().splitlines()[1:]
    assert len(inside) == 5
    secret, body, now = new_secret(), b'{"type":"run.queued"}', time.time()
    headers = message_headers([new_secret(), secret], "evt_1_abc", body, now)
    assert check(secret, headers, body)
    assert not check(secret, headers, body + b" ")
    assert not check(secret, headers | {"webhook-id": "evt_2_abc"}, body)
    assert not check(new_secret(), headers, body)
    assert not check(secret, message_headers([secret], "evt_1_abc", body, now - 600), body)
    assert not check(secret, message_headers([secret], "evt_1_abc", body, now + 600), body)


def test_a_signature_is_that_of_the_standards_own_library():
    library = pytest.importorskip("standardwebhooks")
    secret, body = new_secret(), sample_event().body
    headers = message_headers([new_secret(), secret], "evt_1_abc", body, time.time())
    assert library.Webhook(secret).verify(body, headers)["type"] == "run.queued"
    with pytest.raises(library.WebhookVerificationError):
        library.Webhook(new_secret()).verify(body, headers)
    with pytest.raises(library.WebhookVerificationError):
        library.Webhook(secret).verify(body + b" ", headers)


def test_a_signature_is_the_one_that_the_standard_computes():
    "The example of the specification's own test vectors."
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    name, timestamp = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
    assert (
        room.sign_message(secret, name, timestamp, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )
    key = base64.b64decode(secret[6:])
    again = hmac.new(key, f"{name}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    assert base64.b64encode(again).decode() == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


# ------------------------------------------------------------------ delivery


def test_events_come_in_order_for_a_run_and_once_where_nothing_fails(open_studio, receiver):
    say(open_studio, "before", "queued")
    add_endpoint(open_studio, receiver.url, ["run.*"])
    for number in range(10):
        say(open_studio, f"run-{number % 3}", "queued", "running", "done")
    open_studio.append("drop", "demo/1", {"first": 1, "quantity": 2, "root": "b", "manifest": "a"})
    courier = Courier(open_studio)
    carry(courier, lambda: len(receiver.taken) >= 30)
    courier.step()
    assert len(set(receiver.ids)) == len(receiver.ids) == 30
    for run in ("run-0", "run-1", "run-2"):
        numbers = [int(one["id"].split("_")[1]) for one in receiver.events if one["run"] == run]
        assert numbers == sorted(numbers)
    assert webhook_facts(open_studio)[0]["delivered"] == 30 and webhook_facts(open_studio)[0]["waiting"] == 0


def test_what_fails_holds_back_its_own_run_and_comes_again_under_its_id(open_studio, receiver, monkeypatch):
    monkeypatch.setattr(room, "BACKOFF", (1.0,))
    add_endpoint(open_studio, receiver.url, ["*"])
    seen = []

    def refuse(handler):
        seen.append(handler.headers["webhook-id"])
        handler.send_response(503)
        handler.end_headers()

    receiver.faults.append(refuse)
    say(open_studio, "friday", "queued", "running")
    courier = Courier(open_studio)
    carry(courier, lambda: seen and webhook_facts(open_studio)[0]["failed"])
    say(open_studio, "sunday", "queued")
    carry(courier, lambda: receiver.taken)
    assert [one["run"] for one in receiver.events] == ["sunday"]
    carry(courier, lambda: len(receiver.taken) == 3)
    assert [one["type"] for one in receiver.events[1:]] == ["run.queued", "run.started"]
    assert receiver.ids[1] == seen[0]


@pytest.mark.parametrize(
    "fault",
    [(302, {"Location": "http://127.0.0.1:9/"}), (307, {"Location": "/other"}), 304, 400, 404, 500],
)
def test_an_answer_that_is_not_yes_is_no(open_studio, receiver, fault):
    file = EndpointFile(url=receiver.url, secrets=(new_secret(),))
    receiver.faults.append(fault)
    assert send_message(file, sample_event(), ("127.0.0.1/32",)).error
    assert not receiver.faults and receiver.taken == []


def test_a_receiver_that_says_nothing_or_floods_is_left_in_time(open_studio, receiver):
    def silent(handler):
        over.wait(60)

    def flood(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(10_000):
            handler.wfile.write(b"x" * 65536)

    over = threading.Event()
    file = EndpointFile(url=receiver.url, secrets=(new_secret(),))
    receiver.faults += [silent, flood]
    began = time.monotonic()
    assert "0.2 s" in send_message(file, sample_event(), ("127.0.0.1/32",), 0.2).error
    send_message(file, sample_event(), ("127.0.0.1/32",), 0.5)
    assert time.monotonic() - began < 30
    over.set()


@pytest.mark.parametrize(
    "words",
    [
        b"Content-Length: 1000\r\n\r\nhalf",
        b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
    ],
    ids=["broken off", "a piece of letters", "a negative piece", "a piece without an end"],
)
def test_what_was_taken_is_not_sent_again_whatever_comes_behind_the_status(receiver, words):
    def answer(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + words)

    receiver.faults.append(answer)
    file = EndpointFile(url=receiver.url, secrets=(new_secret(),))
    assert send_message(file, sample_event(), ("127.0.0.1/32",)).error == ""


def test_a_receiver_says_when_to_come_again(receiver):
    file = EndpointFile(url=receiver.url, secrets=(new_secret(),))
    receiver.faults.append((429, {"Retry-After": "77"}))
    assert send_message(file, sample_event(), ("127.0.0.1/32",)).wait == 77
    assert room._next_try(1, 77) == 77 and 4 <= room._next_try(1, 0) <= 6
    assert 12_000 < room._next_try(50, 0) < 16_000


def test_after_a_day_a_message_is_a_dead_letter_and_its_run_goes_on(
    open_studio, receiver, quick, monkeypatch
):
    endpoint, _ = add_endpoint(open_studio, receiver.url, ["*"])
    monkeypatch.setattr(room, "A_DAY", 0.0)
    receiver.faults.append(500)
    say(open_studio, "friday", "queued", "running")
    courier = Courier(open_studio)
    carry(courier, lambda: receiver.taken)
    assert [one["type"] for one in receiver.events] == ["run.started"]
    letter = dead_letters(open_studio)[0]
    assert (letter.endpoint, letter.type, letter.tries) == (endpoint.id, "run.queued", 1)
    assert "500" in letter.error
    assert replay_letters(open_studio, endpoint.id, ["evt_9_none"]) == 0
    assert replay_letters(open_studio, endpoint.id) == 1
    carry(courier, lambda: len(receiver.taken) == 2)
    courier.step()
    assert receiver.ids[1] == letter.event and dead_letters(open_studio) == []


def test_who_says_that_nobody_is_there_any_more_is_believed_at_once(open_studio, receiver):
    add_endpoint(open_studio, receiver.url, ["*"])
    receiver.faults.append(410)
    say(open_studio, "friday", "queued")
    courier = Courier(open_studio)
    carry(courier, lambda: dead_letters(open_studio))


def test_an_endpoint_that_is_added_at_work_misses_nothing_that_comes_behind_it(open_studio, receiver):
    "What was read before somebody was added is put in line only by who knows of them."
    add_endpoint(open_studio, receiver.url, ["run.*"])
    route = room._Route(open_studio, {})
    add_endpoint(open_studio, receiver.url, ["run.*"])
    say(open_studio, "friday", "queued")
    assert take_in(open_studio, route.wanted, route.changes) == (False, [])
    route = room._Route(open_studio, {})
    assert len(take_in(open_studio, route.wanted, route.changes)[1]) == 2
    assert take_in(open_studio, route.wanted, route.changes) == (False, [])


def test_a_slow_endpoint_holds_up_no_other(open_studio, receiver):
    quiet = socket.create_server(("127.0.0.1", 0))
    add_endpoint(open_studio, f"http://127.0.0.1:{quiet.getsockname()[1]}/", ["*"])
    add_endpoint(open_studio, receiver.url, ["*"])
    for number in range(20):
        say(open_studio, f"run-{number}", "queued")
    courier = Courier(open_studio, patience=1.0)
    began = time.monotonic()
    carry(courier, lambda: len(receiver.taken) == 20)
    assert time.monotonic() - began < 15  # one after the other: 20
    courier.close()
    quiet.close()


def test_one_courier_at_a_time_and_another_when_it_dies(open_studio, receiver):
    add_endpoint(open_studio, receiver.url, ["*"])
    first, second = Courier(open_studio, lease=0.6), Courier(open_studio, lease=0.6)
    assert first.step() and not second.step()
    say(open_studio, "friday", "queued")
    until = time.monotonic() + 5
    while not second.step():
        assert time.monotonic() < until
    carry(second, lambda: receiver.taken)
    assert not first.step()
    second.close()
    assert first.step()


def test_a_courier_that_stumbles_goes_on(open_studio, receiver, monkeypatch):
    add_endpoint(open_studio, receiver.url, ["*"])
    real, faults = room.settle_messages, [RuntimeError("the disk is full")]

    def settle_messages(*words):
        if faults:
            raise faults.pop()
        return real(*words)

    monkeypatch.setattr(room, "settle_messages", settle_messages)
    stop = threading.Event()
    thread = threading.Thread(target=run_courier, args=(Courier(open_studio), stop))
    thread.start()
    say(open_studio, "friday", "queued", "running")
    until = time.monotonic() + 8
    while len(set(receiver.ids)) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    stop.set()
    thread.join()
    assert [one["type"] for one in receiver.events][-1] == "run.started" and faults == []


# ------------------------------------------------------------------ kills


class Killed(BaseException):
    "The process ends here, whatever it was doing."


class Play:
    "A courier and a receiver that die between any two steps, in one process."

    def __init__(self, catalog: Catalog, monkeypatch):
        self.catalog, self.fault, self.kept, self.bodies = catalog, "", [], {}
        for name in ("take_in", "settle_messages", "_Route", "_event_of"):
            monkeypatch.setattr(room, name, self.deadly(name, getattr(room, name)))
        monkeypatch.setattr(room, "send_message", self.receive)
        monkeypatch.setattr(room, "ThreadPoolExecutor", lambda _: self)
        self.courier = Courier(catalog, pause=0.0)

    def submit(self, call, *values) -> Future:
        call(*values)
        back = Future()
        back.set_result(None)
        return back

    def dies(self, place: str) -> bool:
        if self.fault == place:
            self.fault = ""
            return True
        return False

    def deadly(self, name, real):
        def call(*words):
            if self.dies(f"before {name}"):
                raise Killed
            outcome = real(*words)
            if self.dies(f"after {name}"):
                raise Killed
            return outcome

        return call

    def receive(self, file, event, *_) -> Sending:
        if self.dies("receiver before"):
            return Sending("it broke off")
        self.kept.append(event.id)
        assert self.bodies.setdefault(event.id, event.body) == event.body
        if self.dies("before the answer"):
            raise Killed
        return Sending("it broke off" if self.dies("receiver after") else "")

    def step(self, fault: str) -> None:
        self.fault = fault
        try:
            self.courier.step()
        except Killed:
            self.catalog.release("courier", self.courier.lease.name)  # as its time runs out
            self.courier = Courier(self.catalog, pause=0.0)
        self.fault = ""


PLACES = [
    f"{when} {name}"
    for when in ("before", "after")
    for name in ("take_in", "settle_messages", "_Route", "_event_of")
]
PLACES += ["receiver before", "receiver after", "before the answer", ""]


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_out_of_order_whoever_dies_when(
    open_studio, receiver, quick, monkeypatch
):
    play = Play(open_studio, monkeypatch)
    moves = st.one_of(
        st.sampled_from(["run-0", "run-1", "run-2"]), st.sampled_from(PLACES).map(lambda p: (p,))
    )

    @settings(max_examples=30, deadline=None)
    @given(st.lists(moves, max_size=24))
    def holds(listed):
        endpoint, _ = add_endpoint(open_studio, receiver.url, ["*"])
        play.kept.clear()
        for move in listed:
            if isinstance(move, str):
                say(open_studio, move, "queued")
            else:
                play.step(*move)
        _, events = events_since(open_studio, endpoint.after)
        for _ in range(500):
            play.step("")
            if {one.id for one in events} <= set(play.kept) and not webhook_facts(open_studio)[0]["waiting"]:
                break
        firsts = list(dict.fromkeys(play.kept))
        assert set(firsts) == {one.id for one in events}
        for run in ("run-0", "run-1", "run-2"):
            ours = [one.id for one in events if one.run == run]
            assert [id for id in firsts if id in ours] == ours
        remove_endpoint(open_studio, endpoint.id)

    holds()


# ------------------------------------------------------------------ what changes under a courier


def test_a_courier_that_lost_its_lease_sets_nothing_back(open_studio, receiver, monkeypatch):
    "What another took in since it read is that one's own."
    add_endpoint(open_studio, receiver.url, ["run.*"])
    route = room._Route(open_studio, {})
    say(open_studio, "friday", "queued")
    read = room.events_since

    def meanwhile(*given, **facts):
        answer = read(*given, **facts)
        monkeypatch.setattr(room, "events_since", read)
        say(open_studio, "friday", "running")
        assert len(take_in(open_studio, route.wanted, route.changes)[1]) == 2
        return answer

    monkeypatch.setattr(room, "events_since", meanwhile)
    now = open_studio.news(0, ())[0] + 1
    assert take_in(open_studio, route.wanted, route.changes) == (False, [])
    assert open_studio.counters("webhooks")["read"] == now
    assert webhook_facts(open_studio)[0]["waiting"] == 2


def test_nothing_is_left_in_line_for_an_endpoint_that_went_while_it_was_taken_in(
    open_studio, receiver, monkeypatch
):
    endpoint, _ = add_endpoint(open_studio, receiver.url, ["run.*"])
    route = room._Route(open_studio, {})
    say(open_studio, "friday", "queued")
    insert = open_studio._insert

    def meanwhile(table):
        monkeypatch.setattr(open_studio, "_insert", insert)
        remove_endpoint(open_studio, endpoint.id)
        return insert(table)

    monkeypatch.setattr(open_studio, "_insert", meanwhile)
    assert take_in(open_studio, route.wanted, route.changes) == (False, [])
    assert room._parcels(open_studio) == []


def test_a_courier_that_ends_keeps_its_lease_until_the_last_receiver_has_answered(open_studio, receiver):
    add_endpoint(open_studio, receiver.url, ["*"])
    begun = threading.Event()

    def slow(handler):
        begun.set()
        time.sleep(1.2)
        handler.send_response(204)
        handler.end_headers()

    receiver.faults.append(slow)
    say(open_studio, "friday", "queued")
    first, second = Courier(open_studio, lease=0.4), Courier(open_studio, lease=0.4)
    carry(first, begun.is_set)
    ending = threading.Thread(target=first.close)
    ending.start()
    while ending.is_alive():
        held = second.step()
        assert not held or webhook_facts(open_studio)[0]["delivered"]
        time.sleep(0.05)
    assert webhook_facts(open_studio)[0]["delivered"] == 1
    assert second.step() and receiver.taken == []


def test_a_message_that_failed_while_the_line_was_read_again_waits_for_its_time(
    open_studio, receiver, monkeypatch
):
    monkeypatch.setattr(room, "BACKOFF", (60.0,))
    add_endpoint(open_studio, receiver.url, ["run.*"])
    begun, go_on = threading.Event(), threading.Event()
    asked = []

    def slow(handler):
        asked.append(1)
        begun.set()
        go_on.wait(5)
        handler.send_response(503)
        handler.end_headers()

    receiver.faults += [slow, slow]
    say(open_studio, "friday", "queued")
    courier = Courier(open_studio)
    carry(courier, begun.is_set)
    before = courier._route
    add_endpoint(open_studio, receiver.url, ["drop.*"])
    carry(courier, lambda: courier._route is not before)
    go_on.set()
    carry(courier, lambda: webhook_facts(open_studio)[0]["failed"])
    for _ in range(5):
        courier.step()
    parcel = courier._route.lines.lanes[list_endpoints(open_studio)[0].id, "friday"][0]
    assert asked == [1] and parcel.tries == 1 and parcel.due > time.time() + 30


def test_a_typo_in_studio_toml_is_logged_once_and_messages_go_on(open_studio, receiver, caplog):
    courier = Courier(open_studio)
    courier.step()
    settings = open_studio.folder / "studio.toml"
    good = settings.read_text()
    add_endpoint(open_studio, receiver.url, ["run.*"])
    settings.write_text(good.replace("127.0.0.1/32", "127.0.0.1/8"))
    for number in range(3):
        courier._route = None  # read anew, as after an endpoint was changed
        say(open_studio, f"run-{number}", "queued")
        carry(courier, lambda: len(receiver.taken) > number)
    wrong = [one for one in caplog.records if one.levelname == "ERROR"]
    assert len(wrong) == 1 and "host bits" in wrong[0].error and not wrong[0].exc_info
    settings.write_text(good.replace('/32"', '/32", "10.0.0.0/8"'))
    carry(courier, lambda: courier._route.networks == ("127.0.0.1/32", "10.0.0.0/8"))


def test_what_goes_wrong_again_and_again_is_logged_once(open_studio, monkeypatch, caplog):
    courier = Courier(open_studio, lease=0.04)
    stop, tries = threading.Event(), []

    def broken():
        tries.append(1)
        if len(tries) > 4:
            stop.set()
        raise OSError("the catalog is gone")

    monkeypatch.setattr(courier, "step", broken)
    run_courier(courier, stop)
    assert len([one for one in caplog.records if one.exc_info]) == 1
