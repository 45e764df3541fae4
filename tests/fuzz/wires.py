"What is fuzzed over wires: what servers answer our clients, and what clients ask our services."

import asyncio
import atexit
import json
import random
import re
import tempfile
from functools import cache
from pathlib import Path
from urllib.parse import quote

from artmint.ipfs.http import Request
from tests.attacks.wire import RawServer, head_of
from tests.fuzz.gates import OURS, _words, way
from tests.fuzz.mutations import WORDS, changed_bytes, changed_json, json_bytes

# Answers of servers


@cache
def _answering() -> RawServer:
    "A server that gives whatever is put into `answer`, to everybody."

    def script(wire) -> None:
        head = head_of(wire)
        asked = re.search(rb"(?i)content-length: (\d+)", head)
        left = int(asked[1]) - len(head.partition(b"\r\n\r\n")[2]) if asked else 0
        while left > 0 and (piece := wire.recv(65536)):
            left -= len(piece)
        wire.sendall(server.answer)

    server = RawServer(script)
    server.answer = b""
    atexit.register(server.end)
    from artmint.ipfs import http

    http.with_retries.__defaults__ = (1, *http.with_retries.__defaults__[1:])  # nobody waits for these
    return server


def _http(body: bytes, status: str = "200 OK", kind: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    return head.encode() + body


def answers() -> list[bytes]:
    "HTTP answers of every sort."
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    problem = json_bytes({"error": {"code": "KEY", "reason": "no such thing", "details": [{"message": "x"}]}})
    found = [
        _http(b"hello"),
        chunked,
        _http(problem, "403 Forbidden"),
        _http(b"<html><title>Not found</title>", "404 Not Found", "text/html"),
        _http(b"", "302 Found", more="Location: /elsewhere\r\n"),
        _http(b"", "503 Busy", more="Retry-After: 1\r\n"),
        _http(b"x", more="Content-Encoding: gzip\r\n"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + _http(b"hello"),
    ]
    return found


@way("http", "answers", answers, changed_bytes)
def take_answer(data: bytes, folder: Path) -> None:
    from artmint.ipfs.cid import CID
    from artmint.ipfs.http import fetch, request
    from artmint.ipfs.stores import Gateway

    server = _answering()
    server.answer = data
    question = Request(f"{server.url}/x", headers={"Authorization": "Bearer CANARYKEY"}, seconds=1)
    cid = CID.of(0x55, b"hello")
    gateway = Gateway(server.url, 1 << 20, 1, 1)
    looks = [
        lambda: request(question, 4096),
        lambda: fetch(question, folder / "got", 1 << 16),
        lambda: gateway.block(cid),
        lambda: gateway.get(cid, folder),
    ]
    for look in looks[len(data) % 2 :: 2]:
        try:
            look()
        except OURS as refusal:
            _words(refusal)
            assert "CANARY" not in str(refusal)
    assert not list(folder.glob(".*.part"))


@cache
def _car() -> tuple[Path, object]:
    from artmint.ipfs.car import write_car

    place = Path(tempfile.mkdtemp(prefix="artmint-fuzz-"))
    built = write_car(place / "a.car", {"a": b"1"})
    return place / "a.car", built.root


def services() -> list[bytes]:
    "What pinning services and nodes say."
    _, root = _car()
    said = [
        {"data": {"id": "1", "cid": str(root), "number_of_files": 1}},
        {"Pins": [str(root)]},
        {"Key": str(root), "Size": 1},
        {
            "count": 1,
            "results": [
                {
                    "requestid": "1",
                    "status": "pinned",
                    "created": "2026-01-01T00:00:00Z",
                    "pin": {"cid": str(root)},
                    "delegates": [],
                }
            ],
        },
        {
            "requestid": "1",
            "status": "failed",
            "pin": {"cid": str(root)},
            "info": {"status_details": "no"},
            "delegates": [],
        },
    ]
    return [json_bytes(one) for one in said]


@way("http", "services", services, changed_json)
def take_service(data: bytes, folder: Path) -> None:
    from artmint.ipfs.services import PinataStore
    from artmint.ipfs.stores import KuboStore

    server = _answering()
    server.answer = _http(data)
    car, root = _car()
    stores = [
        lambda: PinataStore(token="CANARYKEY", url=server.url, gateway=server.url),
        lambda: KuboStore(server.url, "CANARYKEY", 1, 1),
    ]
    for make in stores:
        try:
            make().put(car, root)
        except OURS as refusal:
            _words(refusal)
            assert "CANARY" not in str(refusal)


def scores() -> list[bytes]:
    said = {
        "choices": [{"message": {"content": '{"score": 3}', "refusal": None}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    return [json_bytes(said)]


@way("http", "vision models", scores, changed_json, weight=1)
def take_score(data: bytes, folder: Path) -> None:
    from PIL import Image

    from artmint.judge import vision

    server = _answering()
    server.answer = _http(data)
    settings = vision.VisionSettings(
        url=server.url + "/v1", model="m", question="How is it?", scale=(0, 10), tries=1, key_variable=""
    )
    vision._vote(vision.VisionScorer("see", settings, {}), {}, "a cat", Image.new("RGB", (8, 8)))


def hooks() -> list[bytes]:
    return answers()


@way("http", "webhooks' receivers", hooks, changed_bytes)
def take_hook(data: bytes, folder: Path) -> None:
    from artmint.service.webhooks import EndpointFile, send_message

    server = _answering()
    server.answer = data

    class Told:
        id, body = "evt_1", b"{}"

    file = EndpointFile(url=f"{server.url}/CANARYPATH", secrets=("whsec_" + "A" * 32,))
    sending = send_message(file, Told(), ("127.0.0.1/32",), 1)
    assert "CANARY" not in sending.error
    json.dumps(sending.error)


# Nodes


BLOCK = {
    "number": "0x1",
    "hash": "0x" + "ab" * 32,
    "parentHash": "0x" + "cd" * 32,
    "timestamp": "0x65",
    "baseFeePerGas": "0x7",
    "transactions": ["0x" + "01" * 32],
    "gasLimit": "0x1c9c380",
    "gasUsed": "0x5208",
    "miner": "0x" + "11" * 20,
    "extraData": "0x",
    "logsBloom": "0x" + "00" * 256,
}
RECEIPT = {
    "transactionHash": "0x" + "01" * 32,
    "blockHash": "0x" + "ab" * 32,
    "blockNumber": "0x1",
    "transactionIndex": "0x0",
    "status": "0x1",
    "gasUsed": "0x5208",
    "cumulativeGasUsed": "0x5208",
    "effectiveGasPrice": "0x7",
    "contractAddress": None,
    "from": "0x" + "11" * 20,
    "to": "0x" + "22" * 20,
    "logs": [
        {
            "address": "0x" + "22" * 20,
            "topics": ["0x" + "03" * 32],
            "data": "0x",
            "blockNumber": "0x1",
            "blockHash": "0x" + "ab" * 32,
            "transactionHash": "0x" + "01" * 32,
            "transactionIndex": "0x0",
            "logIndex": "0x0",
            "removed": False,
        }
    ],
    "logsBloom": "0x" + "00" * 256,
    "type": "0x2",
}
QUESTIONS = (
    ("eth_chainId", "0x7a69"),
    ("eth_blockNumber", "0x1"),
    ("eth_getBlockByNumber", BLOCK),
    ("eth_getTransactionReceipt", RECEIPT),
    (
        "eth_getTransactionByHash",
        {
            "hash": "0x" + "01" * 32,
            "blockHash": None,
            "blockNumber": None,
            "from": "0x" + "11" * 20,
            "to": "0x" + "22" * 20,
            "input": "0x",
            "nonce": "0x0",
            "value": "0x0",
            "gas": "0x5208",
            "type": "0x2",
        },
    ),
    ("eth_getLogs", RECEIPT["logs"]),
    ("eth_getCode", "0x6001"),
    ("eth_call", "0x" + "00" * 32),
    ("eth_getBalance", "0x1"),
    ("eth_getTransactionCount", "0x1"),
    ("eth_estimateGas", "0x5208"),
    (
        "eth_feeHistory",
        {"oldestBlock": "0x1", "baseFeePerGas": ["0x1", "0x2"], "gasUsedRatio": [0.5], "reward": [["0x1"]]},
    ),
    ("eth_gasPrice", "0x1"),
    ("eth_maxPriorityFeePerGas", "0x1"),
    ("eth_sendRawTransaction", "0x" + "01" * 32),
)


def replies() -> list[bytes]:
    "JSON-RPC answers, each with the number of its question before it."
    found = [
        bytes([at]) + json_bytes({"jsonrpc": "2.0", "id": 1, "result": result})
        for at, (_, result) in enumerate(QUESTIONS)
    ]
    errors = (
        {"code": -32000, "message": "header not found"},
        {"code": -32005, "message": "limit exceeded"},
        {"code": 3, "message": "execution reverted", "data": "0x08c379a0"},
    )
    return found + [
        bytes([at + 5]) + json_bytes({"jsonrpc": "2.0", "id": 1, "error": error})
        for at, error in enumerate(errors)
    ]


@cache
def _web3():
    from web3 import Web3
    from web3.middleware import ExtraDataToPOAMiddleware

    from artmint.chain.connect import nodes_at

    web3 = Web3(nodes_at(f"{_answering().url}/v3/CANARYKEY", patience=0))
    web3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    return web3


def _named() -> tuple[type[BaseException], ...]:
    from web3.exceptions import Web3Exception

    return (Web3Exception,)


@way(
    "nodes",
    "answers of nodes",
    replies,
    lambda rng, data: data[:1] + changed_json(rng, data[1:]),
    named=_named(),
)
def take_reply(data: bytes, folder: Path) -> None:
    from artmint.chain.connect import _Pace

    server, web3 = _answering(), _web3()
    server.answer = _http(data[1:])
    web3.provider.height = 0
    web3.provider.node._request_session_manager.seconds = 2
    method = QUESTIONS[data[0] % len(QUESTIONS)][0]
    address, hash = "0x" + "22" * 20, "0x" + "01" * 32
    fields = {"to": address, "data": "0x"}
    ask = {
        "eth_chainId": lambda: web3.eth.chain_id,
        "eth_blockNumber": lambda: web3.eth.block_number,
        "eth_getBlockByNumber": lambda: web3.eth.get_block(1),
        "eth_getTransactionReceipt": lambda: web3.eth.get_transaction_receipt(hash),
        "eth_getTransactionByHash": lambda: web3.eth.get_transaction(hash),
        "eth_getLogs": lambda: web3.eth.get_logs({"fromBlock": 0, "toBlock": 1}),
        "eth_getCode": lambda: web3.eth.get_code(web3.to_checksum_address(address)),
        "eth_call": lambda: web3.eth.call(fields, "latest"),
        "eth_getBalance": lambda: web3.eth.get_balance(web3.to_checksum_address(address)),
        "eth_getTransactionCount": lambda: web3.eth.get_transaction_count(web3.to_checksum_address(address)),
        "eth_estimateGas": lambda: web3.provider.make_request("eth_estimateGas", [fields]),
        "eth_feeHistory": lambda: web3.eth.fee_history(1, "latest", [50]),
        "eth_gasPrice": lambda: web3.eth.gas_price,
        "eth_maxPriorityFeePerGas": lambda: web3.eth.max_priority_fee,
        "eth_sendRawTransaction": lambda: web3.eth.send_raw_transaction("0x02"),
    }
    patience, _Pace.wait = _Pace.wait, lambda self, least=0: False
    try:
        ask[method]()
    except OURS as refusal:
        assert "CANARY" not in str(refusal)
        raise
    finally:
        _Pace.wait = patience


# Our own services


@cache
def _service():
    "A service over a small studio, as an ASGI application, and a key with every right."
    import logging

    from artmint.core.collection import example
    from artmint.run.sample import sample_studio
    from artmint.seeds import load_collection
    from artmint.service.api import open_service, service_app
    from artmint.service.keys import KEY_SCOPES, new_key
    from artmint.service.page import studio_page
    from tests.served import batches_in

    logging.getLogger("artmint").setLevel(logging.CRITICAL)
    place = Path(tempfile.mkdtemp(prefix="artmint-fuzz-"))
    sample_studio(str(place / "studio"), load_collection(example()), "chosen", drawn=True).close()
    service = open_service(place / "studio", batches_in(place / "batches", example()))
    return service_app(service, studio_page()), new_key(service.catalog, "fuzz", KEY_SCOPES)


BODIES = (
    (
        "POST",
        "/v1/collections/demo/decisions",
        {"action": "a1", "dna": "0" * 64, "decision": "accept", "stars": 3, "note": "x"},
    ),
    ("PUT", "/v1/runs/r1", {"batch": "tiny", "stages": ["00_seeds"], "parameters": {}}),
    ("PATCH", "/v1/runs/r1", {"priority": 3}),
    ("POST", "/v1/runs/r1/cancel", {}),
    ("POST", "/v1/collections/demo/rounds", {"rounds": 1}),
    ("POST", "/v1/collections/demo/drops/1/mint", {"chain": "embedded"}),
    ("POST", "/v1/collections/demo/drops/1/approvals", {"signature": "0x00"}),
    ("POST", "/v1/proofs", {"collection": "demo", "drop": 1}),
    ("POST", "/v1/plans", {"batch": "tiny"}),
)
PATHS = (
    "/healthz /readyz /metrics /v1/me /v1/batches /v1/batches/tiny/plan /v1/collections /v1/collections/demo "
    "/v1/collections/demo/slots /v1/collections/demo/slots/1 /v1/collections/demo/slots/1/attempts "
    "/v1/collections/demo/decisions /v1/collections/demo/editions /v1/collections/demo/drops /v1/collections/demo/drops/1 "
    "/v1/collections/demo/drops/1/manifest /v1/collections/demo/drops/1/tokens /v1/collections/demo/drops/1/proofs "
    "/v1/transactions /v1/runs /v1/runs/r1 /v1/collections/demo/kpis /openapi.json / "
    "/v1/collections/demo/pictures?limit=3&after=x /board/demo"
).split()


def requests() -> list[bytes]:
    "Requests: method, path, headers and a body, as JSON."
    found = [{"method": "GET", "path": path, "headers": {}, "body": ""} for path in PATHS]
    for method, path, body in BODIES:
        found.append(
            {
                "method": method,
                "path": path,
                "headers": {"Content-Type": "application/json"},
                "body": json.dumps(body),
            }
        )
    form = '--e\r\nContent-Disposition: form-data; name="slot"\r\n\r\n1\r\n--e\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\nx\r\n--e--\r\n'
    found.append(
        {
            "method": "POST",
            "path": "/v1/collections/demo/works",
            "headers": {"Content-Type": "multipart/form-data; boundary=e"},
            "body": form,
        }
    )
    return [json_bytes(one) for one in found]


def changed_request(rng: random.Random, data: bytes) -> bytes:
    "A request of which one part says something else."
    asked = json.loads(data)
    kind = rng.randrange(5)
    if kind == 0:
        asked["method"] = rng.choice(
            ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "X")
        )
    elif kind == 1:
        steps = asked["path"].split("/")
        steps[rng.randrange(len(steps))] = quote(
            rng.choice(WORDS).encode("utf-8", "surrogatepass")[:3000], safe=""
        )
        asked["path"] = "/".join(steps) or "/"
    elif kind == 2:
        word = quote(rng.choice(WORDS).encode("utf-8", "surrogatepass")[:3000], safe="")
        name = rng.choice(("limit", "after", "state", "size", "token", "slot", "x" * 40))
        asked["path"] = (
            asked["path"].split("?")[0] + f"?{name}={word}&limit={rng.choice(('-1', '0', '9' * 30, 'x'))}"
        )
    elif kind == 3:
        value = rng.choice(WORDS).encode("utf-8", "surrogatepass").decode("latin-1")
        name = rng.choice(
            (
                "Authorization",
                "Host",
                "Content-Type",
                "Content-Length",
                "If-None-Match",
                "Last-Event-ID",
                "Idempotency-Key",
                "Range",
                "Origin",
            )
        )
        asked["headers"][name] = re.sub("[\r\n\0]", "", value)[:2000]
    elif asked["body"]:
        body = asked["body"].encode()
        asked["body"] = (changed_json if body[:1] == b"{" else changed_bytes)(rng, body).decode("latin-1")
    return json_bytes(asked)


async def _asked(app, asked: dict, key: str) -> tuple[int, bytes]:
    "An ASGI application's answer."
    path, _, query = asked["path"].partition("?")
    from urllib.parse import unquote

    headers = {"host": "127.0.0.1", "authorization": f"Bearer {key}"} | {
        name.lower(): value for name, value in asked["headers"].items()
    }
    body = asked["body"].encode("utf-8", "surrogatepass")
    if asked["body"]:
        headers.setdefault("content-length", str(len(body)))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": asked["method"],
        "scheme": "http",
    }
    scope |= {
        "path": unquote(path),
        "raw_path": path.encode("latin-1", "replace"),
        "query_string": query.encode("latin-1", "replace"),
        "root_path": "",
    }
    scope |= {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)}
    scope["headers"] = [
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in headers.items()
    ]
    sent: list[dict] = []
    gone = asyncio.Event()
    pieces = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict:
        if pieces:
            return pieces.pop()
        await asyncio.wait_for(gone.wait(), 300)
        return {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        sent.append(message)
        if not message.get("more_body"):
            gone.set()

    await asyncio.wait_for(app(scope, receive, send), 300)
    start = next(message for message in sent if message["type"] == "http.response.start")
    return start["status"], b"".join(message.get("body", b"") for message in sent)


@cache
def _loop():
    return asyncio.new_event_loop()


@way("service", "requests", requests, changed_request)
def take_request(data: bytes, folder: Path) -> None:
    app, key = _service()
    asked = json.loads(data)
    if asked["path"].endswith("/events"):
        return
    status, body = _loop().run_until_complete(_asked(app, asked, key))
    assert status != 500, f"{asked['method']} {asked['path'][:80]}: {body[:200]!r}"
    if status >= 400 and asked["method"] != "HEAD" and body[:1] == b"{":
        told = json.loads(body)
        assert told.get("detail") or told.get("message"), body[:200]
