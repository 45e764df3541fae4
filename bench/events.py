"Events: from the commit of a record to its message at the receiver, and messages a second."

import http.server
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from artmint.service.webhooks import Courier, add_endpoint, run_courier
from artmint.studio.catalog import Catalog

from .measure import row

EVENTS, BACKLOG = 200, 2000


class Taker(http.server.BaseHTTPRequestHandler):
    "Notes when a message came."

    def do_POST(self) -> None:
        "Take it."
        id = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["id"]
        self.server.came[int(id.split("_")[1])] = time.time()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        "Say nothing."


@contextmanager
def told() -> Iterator[tuple[Catalog, dict[int, float]]]:
    "A studio with an endpoint on this machine, and when each record's message came."
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    server.came = {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "studio.toml").write_text('[webhooks]\nnetworks = ["127.0.0.1/32"]\n')
        catalog = Catalog(folder)
        add_endpoint(catalog, f"http://127.0.0.1:{server.server_port}/", ["*"])
        yield catalog, server.came
        catalog.close()
    server.shutdown()
    server.server_close()


@contextmanager
def carrying(catalog: Catalog) -> Iterator[None]:
    "A courier at work."
    stop = threading.Event()
    thread = threading.Thread(target=run_courier, args=(Courier(catalog), stop))
    thread.start()
    yield
    stop.set()
    thread.join()


def say(catalog: Catalog, number: int) -> None:
    "A run comes to a state."
    run = f"run-{number % 40}"
    with catalog.together() as connection:
        catalog.add(connection, "run-state", run, {"state": "running", "claims": number}, run=run)


def waited(came: dict[int, float], count: int, seconds: float = 120) -> None:
    "Wait until so many messages came. Raises TimeoutError."
    until = time.monotonic() + seconds
    while len(came) < count:
        if time.monotonic() > until:
            raise TimeoutError(f"{len(came)} of {count} messages came in {seconds} s")
        time.sleep(0.01)


def delay() -> dict:
    "The delay, of events that come every 25 ms."
    with told() as (catalog, came), carrying(catalog):
        time.sleep(0.5)
        for number in range(EVENTS):
            say(catalog, number)
            time.sleep(0.025)
        waited(came, EVENTS)
        committed = {line.id: line.at for line in catalog.rows("run-state")}
    delays = sorted(came[id] - committed[id] for id in committed)
    worst = delays[int(len(delays) * 0.95)]
    against = f"median {statistics.median(delays):.3f} s, most {delays[-1]:.3f} s"
    how = f"{EVENTS} records of 40 runs, one every 25 ms, SQLite, a receiver on this machine"
    return row("event_delay_p95", round(worst, 3), "s", against, "<= 0.5", how)


def rate() -> dict:
    "Messages a second, of those that waited."
    with told() as (catalog, came):
        for number in range(BACKLOG):
            say(catalog, number)
        began = time.perf_counter()
        with carrying(catalog):
            waited(came, BACKLOG)
            spent = time.perf_counter() - began
    how = f"{BACKLOG} records of 40 runs that waited, one endpoint, SQLite, a receiver on this machine"
    return row("event_rate", round(BACKLOG / spent), "1/s", "nothing", ">= 50", how)


def measure(rounds: int) -> Iterator[dict]:
    "event_delay_p95, event_rate."
    yield delay()
    yield rate()
