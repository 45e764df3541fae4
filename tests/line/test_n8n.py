"artmint in n8n: what the trigger takes and refuses, and both workflows, end to end, in the real thing."

import base64
import hashlib
import hmac
import json
import subprocess

import pytest

from tests.n8n import NODES
from tests.services import node

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
