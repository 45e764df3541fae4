"artmint in n8n: what the trigger takes and refuses, and both workflows, end to end, in the real thing."

import base64
import hashlib
import hmac
import http.server
import json
import re
import subprocess
import sys
import threading
import time

import pytest

from artmint.service.keys import new_key
from artmint.service.webhooks import add_endpoint
from artmint.studio.catalog import Catalog
from tests.conftest import TINY
from tests.n8n import NODES, N8n
from tests.services import free_port, node, stop

KEY = b"a key of twenty-four byt"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
BODY = '{"type": "transaction.final", "data": {"ü": 1.0}}'.encode()
CHECK = """
const { refusal } = require(process.argv[1]);
const { headers, body, secret, now } = JSON.parse(require("node:fs").readFileSync(0));
let words;
try { words = refusal(headers, Buffer.from(body, "base64"), secret, now); } catch (error) { words = `thrown: ${error.message}`; }
process.stdout.write(words);
"""


def signature(key=KEY, id="evt_1", at=1000, body=BODY):
    "What the sender writes: webhook-signature of Standard Webhooks, by Python's own HMAC."
    signed = hmac.new(key, f"{id}.{at}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def refusal(signed, at="1000", body=BODY, secret=SECRET, now=1000):
    "What the nodes' own check says of a delivery."
    headers = {"webhook-id": "evt_1", "webhook-timestamp": at, "webhook-signature": signed}
    document = {"headers": headers, "body": base64.b64encode(body).decode(), "secret": secret, "now": now}
    command = [node(), "-e", CHECK, str(NODES / "nodes/Artmint/signature.js")]
    done = subprocess.run(command, input=json.dumps(document), capture_output=True, text=True, check=True)
    return done.stdout


def test_a_delivery_is_taken_by_its_own_bytes_alone():
    assert refusal(signature()) == ""
    assert refusal(f"v1a,abc {signature(b'another key of twenty-four')} {signature()}") == ""
    for wrong in (
        refusal(signature(b"another key of twenty-four")),
        refusal(signature(), body=BODY.replace(b"1.0", b"1")),
        refusal(signature(id="evt_2")),
        refusal("v1,"),
        refusal("v2," + signature()[3:]),
    ):
        assert wrong == "no signature of it is by the credential's webhook secret"


@pytest.mark.parametrize("now", [699, 1301])
def test_a_delivery_of_another_time_is_refused(now):
    assert refusal(signature(), now=now) == "it was signed more than 300 s from now"


def test_a_secret_that_is_none_is_said_to_be_ours():
    assert "no whsec_ secret" in refusal(signature(), secret="")
    assert "no whsec_ secret" in refusal(signature(), secret="whsec_ab!")


def test_workflows_name_nodes_that_are_there():
    "And hold no secret, no address of ours, and are switched off."
    package = json.loads((NODES / "package.json").read_text())
    names = {path.split("/")[-1].split(".")[0].lower() for path in package["n8n"]["nodes"]}
    for path in (NODES / "workflows").glob("*.json"):
        workflow = json.loads(path.read_text())
        types = {one["type"].partition("n8n-nodes-artmint.")[2].lower() for one in workflow["nodes"]} - {""}
        assert types and types <= names
        assert not workflow["active"]
        assert "127.0.0.1" not in path.read_text() and "whsec_" not in path.read_text()


class Receiver(http.server.BaseHTTPRequestHandler):
    "Keeps what it is sent: the sheet, and the place where posts go."

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, self.headers, body))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


BATCH = """name = "tiny"
collection = "{}"
quantity = 2
stages = ["00_seeds", "15_generate", "20_curate", "25_metadata", "27_pin", "30_mint", "35_verify"]
"""
JSON = {"Content-Type": "application/json"}
SHEET = "a word that the sheet knows"


def with_settings(file, **settings):
    "A workflow as it is, with what a person writes into its Settings."
    workflow = json.loads((NODES / "workflows" / file).read_text())
    (node,) = [one for one in workflow["nodes"] if one["name"] == "Settings"]
    for one in node["parameters"]["assignments"]["assignments"]:
        one["value"] = settings[one["name"]]
    return workflow


def one_by_one(name, *operations):
    "A part of a workflow: it does operations one after the other and answers with what the last one gives."
    entry = {"path": name, "httpMethod": "POST", "responseMode": "lastNode", "responseData": "allEntries"}
    nodes = [(name, "n8n-nodes-base.webhook", 2, entry, {"webhookId": name})]
    for number, parameters in enumerate(operations):
        more = {
            "credentials": {"artmintApi": {"id": "artmint", "name": "artmint"}},
            "onError": "continueRegularOutput",
        }
        nodes.append((f"{name} {number}", "n8n-nodes-artmint.artmint", 1, parameters, more))
    keys = ("name", "type", "typeVersion", "parameters")
    whole = [dict(zip(keys, node[:4])) | node[4] | {"id": node[0], "position": [0, 0]} for node in nodes]
    arrows = {
        one["name"]: {"main": [[{"node": two["name"], "type": "main", "index": 0}]]}
        for one, two in zip(whole, whole[1:])
    }
    return whole, arrows


MORE = {"drop": "2", "first_slot": "3", "quantity": "2", "last": "15_generate"}
OPERATIONS = [
    one_by_one(
        "editions",
        {"operation": "getPictures", "collection": "tiny", "of": "editions", "drop": "1", "size": "full"},
    ),
    one_by_one(
        "attempts",
        {"operation": "getPictures", "collection": "tiny", "of": "attempts", "slot": "2", "limit": 1},
    ),
    one_by_one(
        "decide-packed",
        {"operation": "getPictures", "collection": "tiny", "of": "editions", "drop": "1", "limit": 1},
        {"operation": "decide", "collection": "tiny", "dna": "={{ $json.dna }}", "decision": "reject"},
    ),
    one_by_one(
        "decide",
        {"operation": "startRun", "run": "two-more", "batch": "tiny", "request": MORE, "parameters": "{}"},
        {"operation": "waitForRun", "run": "two-more", "waiting": {"seconds": 0.5}},
        {"operation": "getPictures", "collection": "tiny", "of": "attempts", "slot": "3", "limit": 1},
        {
            "operation": "decide",
            "collection": "tiny",
            "dna": "={{ $json.dna }}",
            "decision": "accept",
            "note": "good",
        },
    ),
    one_by_one(
        "again",
        {"operation": "mint", "run": "mint-again", "collection": "tiny", "drop": "1"},
        {"operation": "waitForRun", "run": "mint-again", "waiting": {"seconds": 0.5}},
        {"operation": "verify", "run": "prove-again", "collection": "tiny", "drop": "1", "doneBy": "tiny"},
        {"operation": "waitForRun", "run": "prove-again", "waiting": {"seconds": 0.5}},
    ),
    one_by_one(
        "cancelled",
        {
            "operation": "startRun",
            "run": "never",
            "batch": "tiny",
            "request": {"not_before": "2099-01-01T00:00:00Z"},
        },
        {"operation": "cancelRun", "run": "never"},
        {"operation": "waitForRun", "run": "never", "waiting": {}},
    ),
    one_by_one("no-drop", {"operation": "getDrop", "collection": "tiny", "drop": "7"}),
    one_by_one("no-name", {"operation": "getRun", "run": "={{ $json.nothing }}"}),
    one_by_one(
        "no-number", {"operation": "startRun", "run": "none", "batch": "tiny", "request": {"drop": "two"}}
    ),
]
TRIALS = {
    "id": "trials",
    "name": "trials",
    "nodes": [one for nodes, _ in OPERATIONS for one in nodes],
    "connections": {name: arrow for _, arrows in OPERATIONS for name, arrow in arrows.items()},
    "settings": {"executionOrder": "v1"},
}


class Place:
    "A studio with its service, a worker, a receiver, and an n8n with all workflows."

    def __init__(self, folder):
        self.folder = folder
        (folder / "batches").mkdir()
        (folder / "batches/tiny.toml").write_text(BATCH.format(TINY))
        (folder / "studio").mkdir()
        (folder / "studio/studio.toml").write_text('[webhooks]\nnetworks = ["127.0.0.0/8"]\n')
        self.catalog = Catalog(folder / "studio")
        self.port = free_port()
        self.started = [self.start("serve", "--port", str(self.port)), self.start("work")]
        self.receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self.receiver.got = []
        threading.Thread(target=self.receiver.serve_forever, daemon=True).start()
        self.n8n = None

    def begin(self):
        "Start the n8n."
        self.n8n = self.workflows(free_port())

    def start(self, *words):
        "One of artmint's own processes."
        command = [sys.executable, "-c", "from artmint.__main__ import main; main()", *words]
        places = ["--studio", str(self.folder / "studio"), "--batches", str(self.folder / "batches")]
        log = (self.folder / f"{words[0]}.log").open("ab")
        return subprocess.Popen([*command, *places], stdout=log, stderr=log)

    def workflows(self, port):
        "The n8n, its credentials made as a person makes them."
        _, secret = add_endpoint(
            self.catalog, f"http://127.0.0.1:{port}/webhook/artmint-final", ["transaction.final"]
        )
        self.secret = secret
        key = new_key(self.catalog, "n8n", ["read", "runs:write", "decide", "mint", "verify"])
        data = {"address": f"http://127.0.0.1:{self.port}/", "apiKey": key, "webhookSecret": secret}
        sheet = {"name": "X-Sheet", "value": SHEET}
        credentials = [
            {"id": "artmint", "name": "artmint", "type": "artmintApi", "data": data},
            {"id": "artmintSheet", "name": "artmint sheet", "type": "httpHeaderAuth", "data": sheet},
        ]
        here = f"http://127.0.0.1:{self.receiver.server_address[1]}"
        both = [
            with_settings("row-becomes-a-drop.json", tell=f"{here}/sheet"),
            with_settings("post-final-drop.json", post_to=f"{here}/posts"),
        ]
        return N8n(self.folder / "n8n", port, credentials, [*both, TRIALS])

    def row(self, word=SHEET, **row):
        "A row, as a sheet sends it."
        status, body = self.n8n.post("artmint-row", json.dumps(row).encode(), JSON | {"X-Sheet": word})
        return status, json.loads(body) if status < 300 or status == 422 else body

    def ask(self, name):
        "What a workflow of one operation after the other gives."
        status, body = self.n8n.post(name, b"{}", JSON)
        assert status == 200, body
        return json.loads(body)

    def got(self, path, count=1, seconds=600):
        "What the receiver has at a path, waited for."
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [one for one in self.receiver.got if one[0] == path]
            if len(found) >= count:
                return found
            time.sleep(0.2)
        logs = [
            path.read_text()[-3000:]
            for path in (self.folder / "work.log", self.folder / "serve.log", self.n8n.log)
        ]
        raise AssertionError("\n".join(logs))

    def close(self):
        "End everything."
        if self.n8n:
            self.n8n.close()
        for process in self.started:
            stop(process)
        self.receiver.shutdown()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("n8n"))
    try:
        made.begin()
        yield made
    finally:
        made.close()


ROW = {"row": "row-1", "batch": "tiny"}


@pytest.mark.slow
def test_a_row_becomes_a_drop_and_the_drop_a_post(place):
    "Once each, though the row comes twice and the service is stopped and started meanwhile."
    assert place.row(**ROW) == (202, {"run": "row-1", "state": "queued"})
    stop(place.started[0])
    place.started[0] = place.start("serve", "--port", str(place.port))
    (sheet,) = place.got("/sheet")
    ended = json.loads(sheet[2])
    assert (ended["run"], ended["state"], ended["error"]) == ("row-1", "done", None), ended
    assert re.fullmatch("embedded:0x[0-9a-fA-F]{40}", ended["address"])
    (post,) = place.got("/posts")
    drop = place.catalog.get("drop", "tiny/1")
    picture = place.catalog.blob(place.catalog.get("edition", "tiny/1")["file_digest"])
    assert (
        drop["root"].encode() in post[2]
        and b"2 tokens are on chain for good" in post[2]
        and picture in post[2]
    )
    assert post[1]["idempotency-key"] == "tiny-1"
    assert place.row(**ROW)[1]["state"] == "done"
    place.got("/sheet", 2)
    assert len(place.catalog.keys("token", "tiny/")) == 2 and len(place.got("/posts")) == 1


@pytest.mark.slow
def test_rows_that_are_refused_say_why(place):
    assert place.row("another word", **ROW)[0] == 403
    status, other = place.row(**ROW | {"quantity": 1})
    assert status == 422 and "Run row-1 was asked for before with another request" in other["refused"]
    status, none = place.row(row="row-9", batch="nothing")
    assert status == 422 and "There is no batch 'nothing'" in none["refused"]


@pytest.mark.slow
def test_operations_one_by_one(place):
    place.got("/posts")
    editions = place.ask("editions")
    assert [one["slot"] for one in editions] == [1, 2]
    assert [one["slot"] for one in place.ask("attempts")] == [2]
    assert "packed" in place.ask("decide-packed")[0]["error"]["message"]
    (decided,) = place.ask("decide")
    assert decided["slot"] == 3, decided
    assert decided["mine"]["by"] == "n8n" and decided["mine"]["note"] == "good"
    (proven,) = place.ask("again")
    assert (proven.get("id"), proven.get("state")) == ("prove-again", "done"), proven
    (cancelled,) = place.ask("cancelled")
    assert "never" in cancelled["error"]["message"]
    (missing,) = place.ask("no-drop")
    assert (
        missing["error"]["message"].startswith("Drop tiny/7 isn't packed")
        and missing["error"]["status"] == "404"
    )
    assert "run is empty" in place.ask("no-name")[0]["error"]["message"]
    assert 'drop is "two"' in place.ask("no-number")[0]["error"]["message"]
    assert not place.catalog.find("run", "none")
