"Hostile requests: each is refused in words, nothing is recorded, and the service goes on as it was."

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from artmint.service.door import Door, DoorLimits, LogLines, host_name
from artmint.service.keys import new_key, revoke_key
from artmint.service.problems import Problem
from artmint.studio.catalog import Catalog
from artmint.studio.team import Team
from tests.served import batches_in

ROOT = Path(__file__).parents[2]


class Attacked:
    "A service as people start it, and a socket to say anything to it."

    def __init__(self, place: Path):
        self.place = place
        batches_in(place / "batches")
        self.catalog = Catalog(place / "studio")
        self.reader = new_key(self.catalog, "reader", ["read"])
        self.writer = new_key(self.catalog, "writer", ["read", "runs:write", "decide", "enter"])
        self.revoked = new_key(self.catalog, "revoked", ["read"])
        revoke_key(self.catalog, "revoked")
        program = "from artmint.__main__ import main; main()"
        words = ["serve", "--port", "0", "--host", "art.example"]
        command = [sys.executable, "-c", program, *words]
        self.log = open(place / "serve.log", "w")
        self.process = subprocess.Popen(
            command, cwd=place, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        self.said = self.process.stdout.readline()
        self.port = int(self.said.split(" ")[0].rpartition(":")[2])

    def end(self) -> str:
        "Stop it as an operator does, and give its log."
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.log.close()
        return (self.place / "serve.log").read_text()

    def memory(self) -> int:
        "Resident kilobytes."
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1])

    def say(self, data: bytes, patience: float = 30.0) -> tuple[int, dict[str, str], bytes]:
        "What comes back for raw bytes: status, headers, body; status 0 where the connection is closed without a word."
        with socket.create_connection(("127.0.0.1", self.port), timeout=patience) as connection:
            try:
                connection.sendall(data)
            except OSError:
                pass  # it closed before all of it was said; what it answered is still there
            heard = b""
            try:
                while piece := connection.recv(65536):
                    heard += piece
            except OSError:
                pass
        head, _, body = heard.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1]) if lines[0] else 0
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        return status, headers, body

    def request(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> bytes:
        "A request's bytes, with the writer's key unless another is given; a header of `-` is left out."
        given = {"Host": f"127.0.0.1:{self.port}", "Authorization": f"Bearer {self.writer}"}
        given |= {"Connection": "close", "Content-Length": str(len(body))}
        given |= {"Content-Type": "application/json"} if body else {}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{name}: {value}" for name, value in given.items() if value != "-"]
        return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1") + body


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    made = Attacked(tmp_path_factory.mktemp("attacked"))
    yield made
    if made.process.poll() is None:
        made.end()


RUN, DECIDE = "/v1/runs/a", "/v1/collections/tiny/decisions"
WORKS = "/v1/collections/tiny/works"


def deep(count: int) -> bytes:
    "JSON that nests."
    return b'{"batch": ' + b"[" * count + b"]" * count + b"}"


def form(boundary: str, *parts: str) -> bytes:
    "A form's body."
    return "".join(f"--{boundary}\r\n{part}\r\n" for part in parts).encode() + f"--{boundary}--\r\n".encode()


def hostile(one: Attacked) -> list[tuple[str, bytes, int]]:
    "What is sent, and the status that refuses it."
    ask, host = one.request, f"127.0.0.1:{one.port}"
    many = json.dumps({"id": "a", "dnas": ["0" * 64] * 10_000}).encode()
    twice = json.dumps({"batch": "making", "priority": 1}).encode()
    field = 'Content-Disposition: form-data; name="{}"\r\n\r\n'
    multipart = {"Content_Type": "multipart/form-data; boundary=x"}
    return [
        ("no key", ask("/v1/runs", Authorization="-"), 401),
        ("another scheme", ask("/v1/runs", Authorization="Basic YTpi"), 401),
        ("a made-up key", ask("/v1/runs", Authorization="Bearer am_" + "A" * 43), 401),
        ("a revoked key", ask("/v1/runs", Authorization=f"Bearer {one.revoked}"), 401),
        ("a key in the query", ask(f"/v1/runs?key={one.writer}", Authorization="-"), 401),
        ("a made-up session", ask("/v1/runs", Authorization="-", Cookie="artmint-0=x"), 401),
        ("another scope", ask(RUN, "PUT", b"{}", Authorization=f"Bearer {one.reader}"), 403),
        ("minting without the scope", ask(RUN, "PUT", b'{"batch": "tiny"}'), 403),
        ("another host", ask("/v1/runs", Host="evil.example"), 421),
        ("a host that begins alike", ask("/v1/runs", Host=f"{host}.evil.example"), 421),
        ("no host", ask("/v1/runs", Host="-"), 400),
        ("an address instead of a path", ask("http://evil.example/v1/runs", Host="evil.example"), 421),
        ("up and out", ask("/v1/../../etc/passwd"), 400),
        ("up and out, written otherwise", ask("/v1/%2e%2e/%2e%2e/etc/passwd"), 400),
        ("up and out in a picture", ask("/v1/pictures/..%2f..%2fkeys%2freview.token"), 400),
        ("a null byte in a name", ask("/v1/runs/a%00b"), 400),
        ("a line break in a name", ask("/v1/runs/a%0d%0ab"), 400),
        ("no UTF-8 in a name", ask("/v1/runs/%ff%fe"), 400),
        ("a name with dots", ask("/v1/runs/..a", "PUT", b'{"batch": "making"}'), 422),
        ("a name that is too long", ask("/v1/runs/" + "a" * 100), 422),
        ("a path that is too long", ask("/v1/runs/" + "a" * 40_000), 422),
        ("a line break for a Location", ask("/v1/runs/a%0d%0aX:b", "PUT", b'{"batch": "making"}'), 400),
        ("a batch outside of the folder", ask(RUN, "PUT", b'{"batch": "../tiny"}'), 422),
        (
            "a studio elsewhere",
            ask(RUN, "PUT", b'{"batch": "making", "parameters": {"00_seeds": {"studio": "/"}}}'),
            422,
        ),
        ("no JSON", ask(RUN, "PUT", b"batch=making"), 422),
        ("half of JSON", ask(RUN, "PUT", b'{"batch": "mak'), 422),
        ("no object", ask(RUN, "PUT", b"[1]"), 422),
        ("no UTF-8", ask(RUN, "PUT", b'{"batch": "\xff"}'), 422),
        ("NaN", ask(RUN, "PUT", b'{"batch": "making", "priority": NaN}'), 422),
        ("infinity", ask(RUN, "PUT", b'{"batch": "making", "priority": 1e999}'), 422),
        ("a key twice", ask(RUN, "PUT", twice[:-1] + b', "priority": 2}'), 422),
        ("deep nesting", ask(RUN, "PUT", deep(100_000)), 422),
        (
            "a number of many digits",
            ask(RUN, "PUT", b'{"batch": "making", "priority": ' + b"9" * 5000 + b"}"),
            422,
        ),
        ("a text for a number", ask(RUN, "PUT", b'{"batch": "making", "priority": "1"}'), 422),
        ("an unknown field", ask(RUN, "PUT", b'{"batch": "making", "admin": true}'), 422),
        ("another type of body", ask(RUN, "PUT", b"<run/>", Content_Type="text/xml"), 415),
        ("no type of body", ask(RUN, "PUT", b"{}", Content_Type="-"), 415),
        ("a list of 10^4 pictures", ask(DECIDE, "POST", many), 422),
        (
            "a list of 10^5 pictures",
            ask(DECIDE, "POST", b'{"id": "a", "dnas": [' + b'"0",' * 100_000 + b'"0"]}'),
            422,
        ),
        ("a body that is too large", ask(RUN, "PUT", b" " * (2 << 20)), 413),
        ("a length that is too large", ask(RUN, "PUT", Content_Length=str(1 << 40)), 413),
        ("a length that is none", ask(RUN, "PUT", Content_Length="many"), 400),
        ("two lengths", ask(RUN, "PUT", b"{}", Content_Length="2\r\nContent-Length: 3"), 400),
        ("length and pieces", ask(RUN, "PUT", b"{}", Transfer_Encoding="chunked"), 400),
        ("many headers", ask("/v1/runs", X="\r\nX: ".join("b" * 200)), 431),
        ("a header with a null byte", ask("/v1/runs", X="a\x00b"), 400),
        ("OPTIONS", ask(RUN, "OPTIONS"), 405),
        ("TRACE", ask(RUN, "TRACE"), 405),
        ("a method of nobody's", ask(RUN, "PAINT"), 405),
        ("HEAD without a key", ask("/v1/runs", "HEAD", Authorization="-"), 401),
        ("a page of 10^9", ask("/v1/runs?limit=1000000000"), 422),
        ("a page before the first", ask("/v1/transactions?after=-1"), 422),
        ("a state of nobody's", ask("/v1/runs?state=queued%27--"), 422),
        (
            "a form without a file",
            ask(WORKS, "POST", form("x", field.format("slot") + "1"), **multipart),
            422,
        ),
        (
            "a form of many fields",
            ask(WORKS, "POST", form("x", *[field.format("a") + "1"] * 50), **multipart),
            422,
        ),
        ("a form without an end", ask(WORKS, "POST", b"--x\r\nContent-Dis", **multipart), 422),
        ("a form without a boundary", ask(WORKS, "POST", b"--x", Content_Type="multipart/form-data"), 422),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + b"\r\n\r\n", 400),
    ]


def told(status: int, headers: dict[str, str], body: bytes, method: str) -> None:
    "A refusal is a problem document, but for what HTTP itself doesn't let through."
    if status == 400 and "problem" not in headers.get("content-type", ""):
        assert body.startswith(b"Invalid HTTP request")
    elif method != "HEAD":
        assert headers["content-type"] == "application/problem+json"
        problem = Problem.model_validate_json(body)
        assert problem.status == status
        assert problem.detail


def test_forty_hostile_requests_are_refused_in_words_and_leave_nothing(attacked):
    requests = hostile(attacked)
    assert len(requests) >= 40
    written = attacked.catalog.news(0, ())[0]
    wrong = []
    for name, data, status in requests:
        answer = attacked.say(data)
        if answer[0] != status:
            wrong.append((name, status, answer[0], answer[2][:200]))
        else:
            told(*answer, data.split(b" ", 1)[0].decode("latin-1"))
    assert wrong == []
    _, rows = attacked.catalog.news(
        written, ("run", "run-state", "decision", "attempt", "edition", "artifact")
    )
    assert rows == []


def test_memory_stays_flat_under_a_hail_of_them(attacked):
    requests = [data for _, data, _ in hostile(attacked)]
    dice = random.Random(7)
    grown = []
    # What is read once (modules, caches) makes the first hails grow; what leaks makes all of them.
    for _ in range(6):
        before = attacked.memory()
        for _ in range(250):
            attacked.say(dice.choice(requests))
        grown.append(attacked.memory() - before)
        if grown[-1] < 1_000:
            break
    assert grown[-1] < 1_000, f"kilobytes by hails of 250: {grown}"
    assert attacked.say(attacked.request("/v1/runs"))[0] == 200


def test_many_silent_connections_hold_nobody_up(attacked):
    held = []
    try:
        for _ in range(300):
            held.append(socket.create_connection(("127.0.0.1", attacked.port)))
            held[-1].sendall(b"GET /v1/runs HTTP/1.1\r\nX: ")
        begun = time.monotonic()
        assert attacked.say(attacked.request("/v1/runs"))[0] == 200
        assert time.monotonic() - begun < 5
    finally:
        for connection in held:
            connection.close()


@pytest.mark.slow
def test_a_head_or_a_body_that_never_comes_is_not_waited_for(attacked):
    def trickle(data: bytes, more: bytes) -> float:
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", attacked.port), timeout=60) as connection:
            connection.sendall(data)
            stop = threading.Event()

            def feed() -> None:
                while not stop.wait(0.5):
                    try:
                        connection.sendall(more)
                    except OSError:
                        return

            threading.Thread(target=feed, daemon=True).start()
            try:
                while connection.recv(65536):
                    pass
            except OSError:
                pass
            stop.set()
        return time.monotonic() - begun

    assert trickle(b"GET /v1/runs HTTP/1.1\r\nX: ", b"a") < 15
    slow = attacked.request(RUN, "PUT", Content_Length="1000", Content_Type="application/json")
    assert 15 < trickle(slow, b" ") < 30


def test_it_stops_when_it_is_told_to_and_its_log_has_no_secret(tmp_path):
    one = Attacked(tmp_path)
    assert "http://127.0.0.1:" in one.said
    assert one.say(one.request("/v1/runs", Host="art.example"))[0] == 200
    one.say(one.request(f"/v1/runs?key={one.reader}"))
    log = one.end()
    assert one.process.returncode in (0, -signal.SIGTERM, 130)
    lines = [json.loads(line) for line in log.splitlines()]
    assert {line["status"] for line in lines if line["event"] == "request"} == {200}
    assert not any(secret in log for secret in (one.reader, one.writer))
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", one.port))
    assert os.path.exists(tmp_path / "studio" / "keys" / "serve.ports")
    assert Team(tmp_path / "studio").address == "https://art.example/"  # where artmint invite leads


@pytest.mark.parametrize(
    ("header", "name"),
    [("art.example", "art.example"), ("127.0.0.1:80", "127.0.0.1"), ("a:b", "a:b"), ("", "")],
)
def test_a_host_is_told_without_its_port(header, name):
    assert host_name(header) == name


def test_only_where_a_picture_is_entered_may_a_body_be_large():
    limits = DoorLimits()
    assert limits.body_of("/v1/collections/a/works") == (limits.upload, limits.upload_seconds)
    assert limits.body_of("/v1/collections/works/slots") == (limits.body, limits.body_seconds)
    assert LogLines().format.__doc__


@pytest.mark.many(1)
@pytest.mark.parametrize(
    "method, headers", [("GET", []), ("POST", []), ("POST", [(b"content-length", b"0")])]
)
def test_an_answer_that_does_not_begin_is_given_up_whatever_the_method(method, headers):
    sent = []

    async def slow(scope, receive, send):
        await asyncio.sleep(0.4)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    door = Door(slow, lambda: ("localhost",), DoorLimits(seconds=0.1))
    scope = {"type": "http", "method": method, "path": "/v1/runs", "query_string": b""}
    scope["headers"] = [(b"host", b"localhost"), *headers]
    asyncio.run(door(scope, receive, send))
    assert sent[0]["status"] == 503
    assert b"TooLongAtIt" in sent[1]["body"]


@pytest.mark.slow
def test_what_the_service_was_installed_without_is_named_with_the_line_that_brings_it():
    sent = []

    async def lacking(scope, receive, send):
        raise ModuleNotFoundError("No module named 'papermill'", name="papermill")

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    door = Door(lacking, lambda: ("localhost",), DoorLimits())
    scope = {"type": "http", "method": "GET", "path": "/v1/runs", "query_string": b""}
    asyncio.run(door(scope | {"headers": [(b"host", b"localhost")]}, receive, send))
    assert sent[0]["status"] == 503
    assert b"pip install 'artmint[run]'" in sent[1]["body"]
