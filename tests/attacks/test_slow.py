"Half-open connections, and bytes that come one by one: every client of ours ends in its time, and our pages go on answering."

import socket
import threading
import time

import pytest

from artmint.core.canon import Refusal
from tests.attacks.wire import dripping, flooding, head_of, raw_server, silent
from tests.attacks.wires import CLIENTS, head

# What a server does that never comes to its end. `seconds` of every client here are two.
ENDLESS = {
    "says nothing": silent,
    "drips its status": dripping(b"H"),
    "drips its headers": dripping(b"A: b\r\n", first=b"HTTP/1.1 200 OK\r\n"),
    "drips its body": dripping(b"x", first=head()),
    "drips its pieces": dripping(b"1\r\nx\r\n", first=head(Transfer_Encoding="chunked")),
    "drips an error": dripping(b"x", first=head("500 Bad")),
    "drips what follows": dripping(b"A: b\r\n", first=head(Transfer_Encoding="chunked") + b"0\r\n"),
}
PATIENCE = 60  # seconds, on however slow a machine: without limits it is for ever


@pytest.mark.slow
@pytest.mark.parametrize("what", ENDLESS)
def test_no_client_waits_for_ever(tmp_path, what):
    ended: dict[str, str] = {}

    def ask(client: str) -> None:
        with raw_server(ENDLESS[what]) as server:
            try:
                CLIENTS[client](server.url, tmp_path / client)
                ended[client] = "taken"
            except Refusal as refusal:
                ended[client] = str(refusal)

    for client in CLIENTS:
        (tmp_path / client).mkdir()
    threads = [threading.Thread(target=ask, args=(client,), daemon=True) for client in CLIENTS]
    for thread in threads:
        thread.start()
    until = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0))
    assert ended.keys() == CLIENTS.keys(), CLIENTS.keys() - ended.keys()


def test_redirects_share_the_time_of_their_question():
    from artmint.ipfs.http import NoAnswer, Request, request

    def slowly(wire) -> None:
        head_of(wire)
        time.sleep(0.4)
        wire.sendall(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with raw_server(slowly) as server:
        with pytest.raises(NoAnswer, match="longer than 1 s"):  # and not: more than 5 redirects
            request(Request(f"{server.url}/x", seconds=1))


def test_a_piece_of_minus_one_byte_is_no_reason_to_read_for_ever():
    from artmint.ipfs.http import NoAnswer, Request, request

    sent = []

    def counted(wire) -> None:
        head_of(wire)
        wire.sendall(head(Transfer_Encoding="chunked") + b"-1\r\n")
        while len(sent) < 4096:
            wire.sendall(bytes(1 << 16))
            sent.append(1)

    with raw_server(counted) as server:
        with pytest.raises(NoAnswer, match="broke off"):
            request(Request(f"{server.url}/x", seconds=30), 1000)
    assert len(sent) < 1024  # of 4,096 pieces of 64 KiB; what a socket holds is a few


def test_a_flood_ends_at_its_limit():
    from artmint.ipfs.http import Request, TooMuch, request

    with raw_server(flooding(head())) as server, pytest.raises(TooMuch):
        request(Request(f"{server.url}/x", seconds=30), 1000)


def test_pages_close_connections_on_which_nobody_speaks(monkeypatch):
    "A page for one person, too: silent connections are closed, and who asks is answered meanwhile."
    from starlette.routing import Route

    from artmint.studio import web

    made = web.patient_protocol(1.0)
    monkeypatch.setattr(web, "patient_protocol", lambda: made)
    told = []
    ready = threading.Event()

    def make(port: int):
        told.append(port)
        ready.set()
        return web.web_app(
            [
                Route(
                    "/",
                    web.guarded("k" * 40, lambda request, body: web.respond("hello", "text/plain")),
                    methods=["GET", "POST"],
                )
            ]
        )

    threading.Thread(target=web.serve_port, args=(make, 0, lambda line: None), daemon=True).start()
    assert ready.wait(60)
    address = ("127.0.0.1", told[0])
    silent_ones = [socket.create_connection(address, timeout=60) for _ in range(40)]
    silent_ones[1].sendall(b"GET / HT")
    with socket.create_connection(address, timeout=60) as asking:
        asking.sendall(
            b"GET /?token=" + b"k" * 40 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        )
        answer = b""
        while piece := asking.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"hello")
    for one in silent_ones:
        assert one.recv(10) == b""  # closed by the other side; a timeout raises
        one.close()


def test_a_body_that_never_comes_is_given_up():
    import asyncio

    from artmint.studio.web import bounded_body

    class Request:
        async def stream(self):
            while True:
                await asyncio.sleep(0.01)
                yield b"x"

    with pytest.raises(TimeoutError):
        asyncio.run(bounded_body(Request(), 0.2))
