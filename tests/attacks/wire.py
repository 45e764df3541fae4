"Servers that speak raw bytes: what no library for servers would send."

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

Script = Callable[[socket.socket], None]


class RawServer:
    "Listens on the loopback address; `script` has each connection to itself, in a thread."

    def __init__(self, script: Script):
        self.script = script
        self.seen: list[bytes] = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                wire, _ = self.listening.accept()
            except OSError:
                return
            self.open.append(wire)
            threading.Thread(target=self._one, args=(wire,), daemon=True).start()

    def _one(self, wire: socket.socket) -> None:
        with contextlib.suppress(OSError), wire:
            self.script(wire)

    def end(self) -> None:
        "Close all."
        self.listening.close()
        for wire in self.open:
            with contextlib.suppress(OSError):
                wire.close()


@contextlib.contextmanager
def raw_server(script: Script) -> Iterator[RawServer]:
    "A server that is up."
    server = RawServer(script)
    try:
        yield server
    finally:
        server.end()


def head_of(wire: socket.socket) -> bytes:
    "A request's head."
    data = b""
    while b"\r\n\r\n" not in data:
        piece = wire.recv(65536)
        if not piece:
            break
        data += piece
    return data


def saying(answer: bytes) -> Script:
    """Says some bytes, and no more. What is still being asked is read to its end: closing before would reset the
    connection, and the answer might never come."""

    def script(wire: socket.socket) -> None:
        head_of(wire)
        wire.sendall(answer)
        wire.shutdown(socket.SHUT_WR)
        wire.settimeout(10)
        while wire.recv(65536):
            pass

    return script


def dripping(answer: bytes, pause: float = 0.05, first: bytes = b"") -> Script:
    "Says some bytes at once, then others one by one, for ever."

    def script(wire: socket.socket) -> None:
        head_of(wire)
        wire.sendall(first)
        while True:
            for byte in answer:
                wire.sendall(bytes([byte]))
                time.sleep(pause)

    return script


def silent(wire: socket.socket) -> None:
    "Takes the connection, and never says anything."
    time.sleep(60)


def flooding(head: bytes, piece: bytes = bytes(1 << 16), most: int = 4 << 30) -> Script:
    "Says a head, and then the same piece until nobody listens."

    def script(wire: socket.socket) -> None:
        head_of(wire)
        wire.sendall(head)
        for _ in range(most // len(piece)):
            wire.sendall(piece)

    return script
