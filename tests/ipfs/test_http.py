"Asking servers that stall, flood, redirect and lie about themselves."

import time

import pytest
from tests.doubles import drip, flood, header_drip, packed, running, sent_to, stall, status
from hypothesis import given
from hypothesis import strategies as st

from artmint.ipfs.http import (
    TRUST_NONE,
    BadAnswer,
    NoAnswer,
    PrivateAddress,
    Request,
    TooMuch,
    fetch,
    public_addresses,
    request,
    with_retries,
)


@pytest.fixture
def server(tmp_path):
    with running(tmp_path / "server") as double:
        yield double


@pytest.mark.parametrize("fault", [stall, drip, header_drip])
def test_a_slow_server_is_left_in_time(server, tmp_path, fault):
    for work in (lambda q: request(q), lambda q: fetch(q, tmp_path / "got", 1 << 20)):
        server.faults.append(fault)
        started = time.monotonic()
        with pytest.raises(NoAnswer, match="127.0.0.1"):
            work(Request(f"{server.url}/x", seconds=0.5))
        assert time.monotonic() - started < 20
    assert [path.name for path in tmp_path.iterdir()] == ["server"]


def test_a_flood_is_cut_off(server, tmp_path):
    server.faults += [flood, flood]
    with pytest.raises(TooMuch) as refused:
        request(Request(f"{server.url}/x"), 1000)
    assert refused.value.limit == 1000
    with pytest.raises(TooMuch):
        fetch(Request(f"{server.url}/x"), tmp_path / "got", 10 << 20)
    assert not (tmp_path / "got").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["server"]


def test_a_packed_answer_is_not_unpacked(server):
    server.faults.append(packed)
    with pytest.raises(BadAnswer, match="packed"):
        request(Request(f"{server.url}/x"))


def test_an_answer_that_breaks_off_is_none(server, tmp_path):
    def short(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"half")
        handler.close_connection = True

    server.faults += [short, short, "cut"]
    with pytest.raises(NoAnswer, match="broke off"):
        request(Request(f"{server.url}/x"))
    with pytest.raises(NoAnswer, match="broke off"):
        fetch(Request(f"{server.url}/x"), tmp_path / "got", 1 << 20)
    with pytest.raises(NoAnswer):
        request(Request(f"{server.url}/x"))
    assert not (tmp_path / "got").exists()


PRIVATE = [
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:1/",
    "http://localhost/",
    "http://[::1]/",
    "http://10.0.0.1/",
    "http://[::ffff:127.0.0.1]/",
    "http://0.0.0.0/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://[fd00::1]/",
    "http://100.64.0.1/",
    "http://224.0.0.1/",
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://127.0.0.1/",
    "http://user@127.0.0.1/",
]


@pytest.mark.parametrize("target", PRIVATE)
def test_a_redirect_into_our_own_house_is_refused_and_nothing_connected(server, target, monkeypatch):
    import artmint.ipfs.http as room

    real = room.socket.create_connection
    opened = []

    def create(address, *rest, **more):
        opened.append(address)
        return real(address, *rest, **more)

    monkeypatch.setattr(room.socket, "create_connection", create)
    server.faults.append(sent_to(target))
    with pytest.raises(PrivateAddress):
        request(Request(f"{server.url}/x"))
    assert opened == [("127.0.0.1", server.server_port)]


def test_the_configured_server_may_redirect_to_itself_but_not_for_ever(server):
    server.faults += [sent_to("/y"), status(200)]
    assert request(Request(f"{server.url}/x", headers={"Authorization": "Bearer k"}))[1] == b""
    assert server.asked[-1][1] == "/y"
    server.faults += [sent_to("/y")] * 10
    with pytest.raises(BadAnswer, match="redirects more than 5"):
        request(Request(f"{server.url}/x"))


def test_another_port_of_this_machine_is_another_server(server, tmp_path):
    with running(tmp_path / "other") as other:
        server.faults.append(sent_to(f"{other.url}/secrets"))
        with pytest.raises(PrivateAddress):
            request(Request(f"{server.url}/x"))
        assert other.asked == []


def test_a_key_goes_to_its_own_server_only_and_stays_out_of_words(server, monkeypatch, tmp_path):
    import artmint.ipfs.http as room

    with running(tmp_path / "elsewhere") as elsewhere:
        seen = []
        monkeypatch.setattr(room, "public_addresses", lambda *_: ["127.0.0.1"])

        def peek(handler):
            seen.append(handler.headers.get("Authorization"))
            handler.say(200)

        server.faults.append(sent_to(f"{elsewhere.url}/x"))
        elsewhere.faults.append(peek)
        request(Request(f"{server.url}/x", headers={"Authorization": "Bearer sesame"}))
        assert seen == [None]
    question = Request(f"{server.url}/x?key=sesame", headers={"Authorization": "Bearer sesame"})
    server.faults.append(status(403))
    with pytest.raises(BadAnswer) as refused:
        request(question)
    assert "sesame" not in str(refused.value) + repr(question.headers is None)
    assert "sesame" not in repr(Request("http://h/", headers={"A": "sesame"}))


def test_busy_servers_are_asked_again_after_the_time_that_they_say(server):
    server.faults += [
        status(503),
        status(429, Retry_After="7"),
        status(429, Retry_After="999999"),
        "cut",
        status(200),
    ]
    waits = []
    with_retries(lambda: request(Request(f"{server.url}/x")), sleep=waits.append)
    assert 0.5 <= waits[0] <= 1
    assert waits[1] == 7
    assert waits[2] <= 60
    assert len(waits) == 4
    server.faults += [status(503)] * 9
    with pytest.raises(NoAnswer):
        with_retries(lambda: request(Request(f"{server.url}/x")), tries=3, sleep=waits.append)
    assert len(waits) == 6
    server.faults[:] = [status(404)]
    with pytest.raises(BadAnswer):
        with_retries(lambda: request(Request(f"{server.url}/x")), sleep=waits.append)
    assert len(waits) == 6


def test_nobody_there_is_no_answer():
    with pytest.raises(NoAnswer) as refused:
        request(Request("http://127.0.0.1:9/", seconds=2))
    assert refused.value.exit_code == 3


@given(st.ip_addresses())
def test_only_public_addresses_are_public(address):
    found = public_addresses(str(address), 80)
    plain = getattr(address, "ipv4_mapped", None) or address
    assert not found or (plain.is_global and not plain.is_multicast)


@pytest.mark.parametrize(
    "text",
    [
        "::7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "fec0::1",
        "192.0.0.8",
        "::ffff:10.0.0.1",
    ],
)
def test_what_stands_for_an_address_of_our_own_is_not_public(text):
    assert public_addresses(text, 80) == []


def test_translated_addresses_are_public_where_what_they_stand_for_is():
    assert public_addresses("64:ff9b::101:101", 80) == ["64:ff9b::101:101"]


def test_ones_own_networks_are_named_and_no_others_open():
    assert public_addresses("10.1.2.3", 80, ("10.1.0.0/16",)) == ["10.1.2.3"]
    assert public_addresses("10.2.2.3", 80, ("10.1.0.0/16", "fd00::/8")) == []


def test_an_address_that_somebody_else_named_is_trusted_nowhere(server):
    question = Request(f"{server.url}/x", trusted=TRUST_NONE)
    with pytest.raises(PrivateAddress):
        request(question)
    assert server.asked == []
    server.faults.append(status(200))
    request(Request(f"{server.url}/x", trusted=TRUST_NONE, networks=("127.0.0.0/8",)))
    assert len(server.asked) == 1


def test_an_address_with_a_password_is_refused_in_words_and_the_password_in_none():
    with pytest.raises(BadAnswer, match="leave them out") as refused:
        request(Request("http://user:CANARY@127.0.0.1:9/x"))
    assert "CANARY" not in str(refused.value)
