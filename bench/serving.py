"""The service: how many questions about a run it answers in a second.

Against a bare Starlette route that answers with the same bytes, served by the same uvicorn with the same settings
on the same machine, and asked by the same client over as many connections.
"""

import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from artmint.core.collection import example
from artmint.service.api import open_service
from artmint.service.keys import new_key

from .measure import row, seconds

CONNECTIONS, ASKED = 8, 250  # connections at the same moment, and questions on each
OURS = """import sys
from pathlib import Path
from artmint.serve import serve
from artmint.service.api import open_service
serve(open_service(Path("studio"), Path("batches")), int(sys.argv[1]), log=open("log", "w"))
"""
BARE = """import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from artmint.serve import server_settings
body = open("answer.json", "rb").read()
async def status(request): return Response(body, media_type="application/json")
app = Starlette(routes=[Route("/v1/runs/{run}", status)])
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False, **server_settings())
"""


def free_port() -> int:
    "A port that nobody listens at."
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def heard(connection: socket.socket) -> bytes:
    "One answer, whole."
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
    while len(body) < length:
        body += connection.recv(65536)
    return body


def request_for(secret: str) -> bytes:
    "A question about a run."
    return (
        f"GET /v1/runs/night HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {secret}\r\n\r\n".encode()
    )


@contextmanager
def served(program: str, folder: Path, asked: bytes) -> Iterator[int]:
    "A server of its own, at a port, until it isn't needed."
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", program, str(port)], cwd=folder)
    try:
        for _ in range(600):
            try:
                with socket.create_connection(("127.0.0.1", port)) as connection:
                    connection.sendall(asked)
                    heard(connection)
                break
            except OSError:
                threading.Event().wait(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def ask_all(port: int, asked: bytes) -> None:
    "Ask over all connections, each question when the one before it is answered."

    def one() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            for _ in range(ASKED):
                connection.sendall(asked)
                assert heard(connection).startswith(b'{"id":"night"')

    threads = [threading.Thread(target=one) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def prepared(folder: Path) -> bytes:
    "A studio with a run in its queue, and a question about it by a key."
    (folder / "batches").mkdir()
    shutil.copytree(example(), folder / "demo")
    batch = 'name = "night"\ncollection = "../demo"\nquantity = 4\nstages = ["00_seeds", "15_generate"]\n'
    (folder / "batches" / "night.toml").write_text(batch)
    service = open_service(folder / "studio", folder / "batches")
    service.queue.submit("night", {"batch": "night"})
    secret = new_key(service.catalog, "bench", ["read"])
    service.catalog.close()
    return request_for(secret)


def status_rate(rounds: int) -> dict:
    "Questions a second about a run, as a share of a bare route's."
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        asked = prepared(folder)
        with served(OURS, folder, asked) as ours:
            with socket.create_connection(("127.0.0.1", ours)) as connection:
                connection.sendall(asked)
                answer = heard(connection)
            json.loads(answer)
            (folder / "answer.json").write_bytes(answer)
            with served(BARE, folder, asked) as bare:
                pairs = []
                for _ in range(rounds + 1):  # the first warms both up
                    times = seconds(lambda: ask_all(bare, asked)), seconds(lambda: ask_all(ours, asked))
                    pairs.append(times)
    count = CONNECTIONS * ASKED
    value = statistics.median(theirs / own for theirs, own in pairs[1:])
    rates = [count / statistics.median(column) for column in zip(*pairs[1:])]
    against = f"a bare Starlette route with the same bytes: {rates[0]:.0f}/s"
    how = f"{rates[1]:.0f}/s, {CONNECTIONS} connections, a key and the catalog asked, a line logged for each, median of {rounds}"
    return row("serve_status_rps", round(value, 3), "share", against, ">= 0.5", how)


def measure(rounds: int) -> Iterator[dict]:
    "serve_status_rps."
    yield status_rate(rounds)
