"The service as people start it: a drop by HTTP alone, and what its server does with connections."

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from artmint.serve import patient_protocol, server_settings
from artmint.service.door import log_event
from tests.served import BATCH, STAGES, TINY, logged

PROGRAM = "from artmint.__main__ import main; main()"


def artmint(place: Path, *words: str, **more) -> subprocess.Popen:
    "The console script, in a folder."
    command = [sys.executable, "-c", PROGRAM, *words]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(command, cwd=place, text=True, env=environment, **more)


def spoken(place: Path, *words: str) -> str:
    "What a command prints; it has to succeed."
    done = artmint(place, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = done.communicate(timeout=600)
    assert done.returncode == 0, out + err
    return out


@pytest.fixture
def place(tmp_path):
    "A folder with the tiny collection and a batch that goes up to a proof."
    shutil.copytree(TINY, tmp_path / "tiny")
    (tmp_path / "batches").mkdir()
    text = BATCH.format(name="tiny", folder="../tiny", quantity=4, stages=STAGES)
    (tmp_path / "batches" / "tiny.toml").write_text(text)
    return tmp_path


@pytest.fixture
def started(place):
    "Starts commands that end with the test."
    processes = []

    def start(*words: str, **more) -> subprocess.Popen:
        processes.append(artmint(place, *words, **more))
        return processes[-1]

    yield start
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(60)


def ended(client: httpx.Client, run: str, patience: float = 900) -> dict:
    "A run when it has come to its end."
    end = time.monotonic() + patience
    while time.monotonic() < end:
        view = client.get(f"/v1/runs/{run}").json()
        if view["state"] in ("done", "failed", "waiting", "cancelled"):
            return view
        time.sleep(1)
    raise AssertionError(f"{run} is {view['state']} still, at {view['stage']}")


@pytest.mark.slow
def test_a_drop_by_http_alone_has_the_consoles_bytes_and_is_proven(place, started):
    scopes = ("read", "runs:write", "mint", "verify")
    words = [word for scope in scopes for word in ("--scope", scope)]
    served = started("serve", "--port", "0", stdout=subprocess.PIPE, stderr=open(place / "log", "w"))
    address = served.stdout.readline().split(" ")[0]
    secret = json.loads(spoken(place, "key", "new", "night-shift", *words, "--json"))["key"]
    started("work", stdout=subprocess.DEVNULL, stderr=open(place / "work.log", "w"))
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {secret}"}, timeout=60) as client:
        assert client.put("/v1/runs/first", json={"batch": "tiny", "last": "27_pin"}).status_code == 202
        view = ended(client, "first")
        assert view["state"] == "done", view["error"]
        drop = client.get("/v1/collections/tiny/drops/1").json()
        assert (drop["missing"], drop["tokens"]) == ("", 0)
        minting = client.post("/v1/collections/tiny/drops/1/mint", json={"run": "mint-1"})
        assert minting.status_code == 202
        view = ended(client, "mint-1")
        assert view["state"] == "done", view["error"]
        proving = client.post("/v1/proofs", json={"run": "prove-1", "collection": "tiny", "drop": 1})
        assert proving.status_code == 202
        view = ended(client, "prove-1")
        assert view["state"] == "done", view["error"]
        tokens = client.get("/v1/collections/tiny/tokens").json()["items"]
        assert [one["id"] for one in tokens] == [1, 2, 3, 4]
        proof = client.get("/v1/collections/tiny/proofs").json()["items"][0]
        assert (proof["exit_code"], proof["levels"]["chain"]) == (0, "held")
        events = client.get("/v1/runs/mint-1/events").text
        assert "transaction.mined" in events
        by_http = client.get("/v1/collections/tiny/drops/1/drop.json").content
    spoken(place, "run", "batches/tiny.toml", "--studio", "other", "--to", "metadata", "--json")
    assert by_http == (place / "other" / "drops" / "tiny-1" / "drop.json").read_bytes()
    log = (place / "log").read_text()
    assert secret not in log + (place / "work.log").read_text()


def test_lines_go_where_they_are_sent(tmp_path):
    with logged(tmp_path / "lines"):
        log_event("request", run="a\nb")
        logging.getLogger("artmint.webhooks").warning("not delivered", extra={"event": "evt_1"})
    first, second = [json.loads(line) for line in (tmp_path / "lines").read_text().splitlines()]
    assert (first["event"], first["run"], second["of"]) == ("request", "a\nb", "evt_1")
    assert logging.getLogger("artmint").propagate


def test_no_proxy_is_believed_and_heads_are_waited_for_a_while():
    settings = server_settings()
    assert settings["ws"] == "none"
    assert settings["http"] is patient_protocol()
    assert patient_protocol(1.0) is not patient_protocol()
