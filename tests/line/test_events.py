"Runs, their workers, the courier and a receiver, killed at random: every run ends once, and what happened is told, in order."

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from artmint.core.collection import example
from artmint.service.events import events_since
from artmint.service.queue import Queue
from artmint.service.webhooks import add_endpoint, webhook_facts
from artmint.studio.catalog import Catalog

RUNS, KILLS, SEED = 40, 200, 20
WORKER = "from artmint.__main__ import main; main()"
COURIER = """
import sys, threading
from artmint.service import webhooks as room
from artmint.studio.catalog import Catalog
room.BACKOFF = (0.2,)
room.run_courier(room.Courier(Catalog(sys.argv[1]), lease=1.0), threading.Event())
"""
RECEIVER = """
import http.server, json, os, sys, time, random
kept = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
class Taking(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        event = json.loads(body)
        line = {"id": self.headers["webhook-id"], "run": event["run"], "body": body.decode()}
        os.write(kept, json.dumps(line).encode() + b"\\n")
        time.sleep(random.uniform(0, 0.05))
        self.send_response(204)
        self.end_headers()
    def log_message(self, *words): pass
http.server.ThreadingHTTPServer.allow_reuse_address = True
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Taking)
print(server.server_port, flush=True)
server.serve_forever()
"""


def started(program: str, *words: object, **how) -> subprocess.Popen:
    "A process in a group of its own."
    line = [sys.executable, "-c", program, *map(str, words)]
    return subprocess.Popen(line, start_new_session=True, text=True, **{"stdout": subprocess.DEVNULL} | how)


class Play:
    "A studio with everybody at work, any of whom may be killed and begins again."

    def __init__(self, folder: Path):
        self.studio, self.taken = folder / "studio", folder / "taken.jsonl"
        self.studio.mkdir()
        (self.studio / "studio.toml").write_text('[webhooks]\nnetworks = ["127.0.0.1/32"]\n')
        self.queue = Queue(Catalog(self.studio), folder / "batches")
        receiver = started(RECEIVER, 0, self.taken, stdout=subprocess.PIPE)
        self.port = int(receiver.stdout.readline())
        words = ["work", "--studio", self.studio, "--batches", folder / "batches", "--lease", "3"]
        self.ways = {
            "receiver": (RECEIVER, self.port, self.taken),
            "courier": (COURIER, self.studio),
            "worker 1": (WORKER, *words),
            "worker 2": (WORKER, *words),
        }
        self.crew = {"receiver": receiver}
        for name in list(self.ways)[1:]:
            self.crew[name] = started(*self.ways[name])
        self.killed = dict.fromkeys(self.ways, 0)

    def kill(self, name: str) -> None:
        "SIGKILL, and begin again."
        self.crew[name].kill()
        self.crew[name].wait()
        self.killed[name] += 1
        self.crew[name] = started(*self.ways[name])

    def end(self) -> None:
        "Nobody works any more."
        for process in self.crew.values():
            process.terminate()
        for process in self.crew.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.mark.slow
def test_no_run_and_no_event_is_lost_whoever_is_killed(tmp_path):
    runs, kills = (
        int(os.environ.get(f"ARTMINT_{word}", many)) for word, many in (("RUNS", RUNS), ("KILLS", KILLS))
    )
    chance = random.Random(SEED)
    (tmp_path / "batches").mkdir()
    for name, collection in (("moons", "demo"), ("tides", "demo-lora")):
        body = f'name = "{name}"\ncollection = "{example(f"collections/{collection}")}"\nquantity = 2\nstages = ["00_seeds"]\n'
        (tmp_path / "batches" / f"{name}.toml").write_text(body)
    play = Play(tmp_path)
    endpoint, _ = add_endpoint(play.queue.catalog, f"http://127.0.0.1:{play.port}/", ["*"])
    try:
        for number in range(runs):
            play.queue.submit(f"run-{number}", {"batch": ("moons", "tides")[number % 2]})
        victims = ["courier"] * 4 + ["receiver"] * 4 + ["worker 1", "worker 2"]
        for _ in range(kills):
            time.sleep(chance.uniform(0.2, 2.0))
            play.kill(chance.choice(victims))
        until = time.monotonic() + 900
        while (
            not (set(play.queue.counts()) <= {"done", "failed"})
            or webhook_facts(play.queue.catalog)[0]["waiting"]
        ):
            assert time.monotonic() < until, play.queue.counts()
            time.sleep(0.5)
        time.sleep(1)
    finally:
        play.end()
    told(play, endpoint.after, runs)


def told(play: Play, after: int, runs: int) -> None:
    "Hold what the receiver has against what is on record, and print it."
    events = []
    while fresh := events_since(play.queue.catalog, after)[1]:
        events += fresh
        after = fresh[-1].record
    lines = [json.loads(line) for line in play.taken.read_text().splitlines()]
    bodies = {}
    for line in lines:
        assert bodies.setdefault(line["id"], line["body"]) == line["body"]
    lost = {event.id for event in events} - set(bodies)
    ends = [event for event in events if event.type in ("run.finished", "run.failed")]
    disordered = 0
    for run in {event.run for event in events}:
        came = list(dict.fromkeys(line["id"] for line in lines if line["run"] == run))
        disordered += came != [event.id for event in events if event.run == run]
    ended = {event.run: event.type for event in ends}
    print(f"\nkilled: {', '.join(f'{name} {count}' for name, count in play.killed.items())}")
    print(f"runs {runs}, ended once {len(ended)}, done {list(ended.values()).count('run.finished')}")
    print(f"events {len(events)}, messages {len(lines)}, repeats {len(lines) - len(bodies)}")
    print(
        f"lost {len(lost)}, runs out of order {disordered}, strangers {len(set(bodies) - {e.id for e in events})}"
    )
    assert len(ends) == len(ended) == runs
    assert not lost and not disordered
