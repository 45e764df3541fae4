"HTTP of every sort: what servers answer our clients, and what clients send our services."

import json
from functools import partial
from pathlib import Path

from artmint.core.canon import Refusal
from tests.attacks.attack import HARMLESS, Attack
from tests.attacks.wire import raw_server, saying

GATE = "HTTP"
KEY = "CANARYKEY0123456789"


def head(status: str = "200 OK", **headers: object) -> bytes:
    "An answer's head."
    rows = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{rows}\r\n".encode("latin-1", "replace")


def whole(body: bytes, status: str = "200 OK", **headers: object) -> bytes:
    return head(status, Content_Length=len(body), Connection="close", **headers) + body


def _asked(client: str, answer: bytes, folder: Path) -> None:
    "One of our clients meets a server that gives this answer. It holds a key, which nothing repeats."
    with raw_server(saying(answer)) as server:
        try:
            CLIENTS[client](server.url, folder)
        except Refusal as refusal:
            assert client == "gateway" or KEY not in str(refusal), "the key is repeated"
            raise
        finally:
            assert not list(folder.glob(".*.part")), "a part is left"


def _request(url: str, folder: Path) -> None:
    from artmint.ipfs.http import Request, request

    request(Request(f"{url}/x?key={KEY}", headers={"Authorization": f"Bearer {KEY}"}, seconds=2), 4096)


def _fetch(url: str, folder: Path) -> None:
    from artmint.ipfs.http import Request, fetch

    fetch(Request(f"{url}/x", headers={"Authorization": f"Bearer {KEY}"}, seconds=2), folder / "got", 4096)


def _block(url: str, folder: Path) -> None:
    from artmint.ipfs.cid import CID, MissingBlock
    from artmint.ipfs.stores import Gateway

    cid = CID.of(0x55, b"hello")
    try:
        assert Gateway(url, 4096, 2, 1).block(cid) == b"hello", "a block that isn't it"
    except MissingBlock as missing:
        raise Unsent(str(missing)) from None


def _node(url: str, folder: Path) -> None:
    from artmint.chain.connect import one_node

    answer = one_node(f"{url}/v3/{KEY}", 2).make_request("eth_chainId", [])
    assert "error" in answer or answer["result"] == "0x1", "a number that is none"


def _signer(url: str, folder: Path) -> None:
    from artmint.chain.custody import RemoteSigner, Web3Signer

    Web3Signer(RemoteSigner(kind="web3signer", url=f"{url}/{KEY}", wait=2), folder / "lock")


def _vision(url: str, folder: Path) -> None:
    from PIL import Image

    from artmint.judge import vision

    settings = vision.VisionSettings(
        url=f"{url}/v1", model="m", question="How is it?", scale=(0, 10), tries=1, timeout=2, key_variable="K"
    )
    scorer = vision.VisionScorer("see", settings, {"K": KEY})
    vision._vote(scorer, {"Authorization": f"Bearer {KEY}"}, "a cat", Image.new("RGB", (8, 8)))


class Unsent(Refusal):
    "What a webhook's sending says of itself."

    why: str
    says = "The message wasn't sent: {why}. Nothing was lost; look at the endpoint."


def _hook(url: str, folder: Path) -> None:
    from artmint.service.webhooks import EndpointFile, send_message

    class Told:
        id, body = "evt_1", b"{}"

    file = EndpointFile(url=f"{url}/{KEY}", secrets=("whsec_" + "A" * 32,))
    sending = send_message(file, Told(), ("127.0.0.1/32",), 2)
    if sending.error:
        raise Unsent(sending.error)


CLIENTS = {
    "question": _request,
    "download": _fetch,
    "gateway": _block,
    "node": _node,
    "signing server": _signer,
    "vision model": _vision,
    "webhook": _hook,
}

ANSWERS = {
    "nothing": b"",
    "junk": b"\x00\x01\x02\x03" * 20,
    "a page without a head": b"<html>",
    "HTTP/9": b"HTTP/9.9 200 OK\r\n\r\n",
    "HTTP/0.9": b"hello",
    "a status of letters": b"HTTP/1.1 abc OK\r\n\r\n",
    "a status of 99": b"HTTP/1.1 99 OK\r\n\r\n",
    "a status of 1000": b"HTTP/1.1 1000 OK\r\n\r\n",
    "a negative status": b"HTTP/1.1 -200 OK\r\n\r\n",
    "a line of 100 kB": b"HTTP/1.1 200 " + b"O" * 100_000 + b"\r\n\r\n",
    "a header of 100 kB": b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000 + b"\r\n\r\n",
    "200 headers": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    "a piece of -1 bytes": head(Transfer_Encoding="chunked") + b"-1\r\n" + bytes(100_000),
    "a piece of 2^63 bytes": head(Transfer_Encoding="chunked") + b"7fffffffffffffff\r\n" + bytes(100_000),
    "a piece of letters": head(Transfer_Encoding="chunked") + b"xyz\r\n",
    "a piece without an end": head(Transfer_Encoding="chunked") + b"5\r\nhel",
    "a piece whose line never ends": head(Transfer_Encoding="chunked") + b"0" * 100_000,
    "a length that is more": head(Content_Length=1000) + b"half",
    "a length of 2^70": head(Content_Length=1 << 70) + b"half",
    "too much": head(Content_Length=70 << 20) + bytes(100_000),
    "packed": whole(b"\x1f\x8b" + bytes(40), Content_Encoding="gzip"),
    "packed in an unknown way": whole(b"x", Content_Encoding="evil"),
    "another status": whole(b'{"error":"no"}', "403 Forbidden"),
    "nothing there": whole(b"", "404 Not Found"),
    "gone": whole(b"", "410 Gone"),
    "busy": whole(b"", "503 Busy", Retry_After="99999999999999999999"),
    "busy until a date that is none": whole(b"", "429 Busy", Retry_After="Mon, 99 Foo 99999 99:99:99 GMT"),
    "an error that repeats the key": whole(
        f'{{"error":{{"message":"no right for {KEY}"}}}}'.encode(), "401 No"
    ),
    "an error with an escape": whole(b'{"error":"\\u001b[2J\\u001b[H\\u2713 pixels"}', "400 Bad"),
    "an error of a megabyte": whole(b"<title>" + b"x" * (1 << 20), "500 Bad"),
    "an error of brackets": whole(b"[" * 8000, "400 Bad"),
    "a redirect to nothing": whole(b"", "302 Found"),
    "a redirect for ever": whole(b"", "302 Found", Location="/x"),
    "not modified": whole(b"", "304 Not Modified"),
    "no content, and content": b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello",
    "100 for ever": b"HTTP/1.1 100 Continue\r\n\r\n" * 2000,
    "another protocol": b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n",
}
TAKEN = {  # answers that are answers to some: what they say is for others to hold
    "question": ("no content, and content",),
    "download": ("no content, and content",),
    "webhook": (
        "a piece of -1 bytes",
        "a piece of 2^63 bytes",
        "a piece of letters",
        "a piece without an end",
        "a piece whose line never ends",
        "a length that is more",
        "a length of 2^70",
        "too much",
        "no content, and content",
    ),
}
PRIVATE = (
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:1/",
    "http://localhost/",
    "http://[::1]/",
    "http://10.0.0.1/",
    "http://192.168.1.1/",
    "http://172.16.0.1/",
    "http://[::ffff:127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://0.0.0.0/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://017700000001/",
    "http://[fd00::1]/",
    "http://[fe80::1]/",
    "http://100.64.0.1/",
    "http://224.0.0.1/",
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://127.0.0.1/",
    "data:text/plain,x",
    "http://user@127.0.0.1/",
    "http://[::1",
    "http://127.0.0.1:99999/",
    "//127.0.0.1:1/",
    "http:///",
)


def _clients() -> list[Attack]:
    found = []
    for client in CLIENTS:
        for what, answer in ANSWERS.items():
            taken = what in TAKEN.get(client, ())
            found.append(
                Attack(
                    GATE, f"{client}: {what}", partial(_asked, client, answer), HARMLESS if taken else Refusal
                )
            )
    for client in ("question", "download", "gateway", "node", "signing server", "webhook"):
        for target in PRIVATE:
            answer = whole(b"", "307 Moved", Location=target)
            found.append(
                Attack(GATE, f"{client} is sent to {target}", partial(_asked, client, answer), Refusal)
            )
    return found


REPLIES = {
    "a list": [],
    "null": None,
    "a text": "x",
    "a number": 7,
    "an error that is a text": {"error": "boom"},
    "an error that is a list": {"error": [1]},
    "an error whose message is a table": {"error": {"code": 1, "message": {}}},
    "an error whose code is a list": {"error": {"code": [1], "message": "x"}, "id": 1},
    "no result": {"jsonrpc": "2.0", "id": 1},
    "a negative number": {"result": "-0x1"},
    "a number of 5000 digits": {"result": "0x" + "f" * 5000},
    "a number in words": {"result": "one"},
    "a number that is none": {"result": "0x"},
    "a number of floats": {"result": 1.5},
    "a result that is a list": {"result": ["0x1"]},
    "a result that is a table": {"result": {"a": 1}},
    "true": {"result": True},
    "an address for a result": {"result": "0x" + "zz" * 20},
    "a result of a megabyte": {"result": "0x" + "f" * (1 << 20)},
}
BLOCK = {"number": "0x1", "hash": "0x" + "ab" * 32, "parentHash": "0x" + "cd" * 32, "timestamp": "0x65"}


def _record(method: str, result: object, folder: Path) -> None:
    "A node answers a question by a record."
    from artmint.chain.connect import one_node

    with raw_server(
        saying(whole(json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()))
    ) as server:
        one_node(server.url, 2).make_request(method, [])


def _nodes() -> list[Attack]:
    found = []
    for client in ("node", "signing server"):
        for what, value in REPLIES.items():
            found.append(
                Attack(
                    GATE,
                    f"{client} says {what}",
                    partial(_asked, client, whole(json.dumps(value).encode())),
                    HARMLESS if (client, what) == ("node", "an error whose code is a list") else Refusal,
                )
            )
        for what, text in {
            "brackets": b"[" * 200_000,
            "a key twice": b'{"result":"0x1","result":"0x2"}',
            "NaN": b'{"result":NaN}',
            "no UTF-8": b'{"result":"\xff"}',
            "nothing": b"",
        }.items():
            found.append(Attack(GATE, f"{client} says {what}", partial(_asked, client, whole(text)), Refusal))
    wrong = {
        "a hash of 31 bytes": "0x" + "ab" * 31,
        "a hash in words": "x",
        "a list": ["0x1"],
        "a table": {"a": 1},
        "a number": 7,
        "hex of half bytes": "0xabc",
        "an escape": "\x1b[2J",
        "a negative number": "-0x1",
    }
    for field in BLOCK:
        for what, value in wrong.items():
            if (field, what) in (("number", "hex of half bytes"), ("timestamp", "hex of half bytes")) or (
                field in ("number", "timestamp") and what == "a hash of 31 bytes"
            ):
                continue
            found.append(
                Attack(
                    GATE,
                    f"a block whose {field} is {what}",
                    partial(_record, "eth_getBlockByNumber", BLOCK | {field: value}),
                    Refusal,
                )
            )
        lacking = {name: value for name, value in BLOCK.items() if name != field}
        found.append(
            Attack(
                GATE, f"a block without {field}", partial(_record, "eth_getBlockByNumber", lacking), Refusal
            )
        )
    for field in "miner logsBloom mixHash receiptsRoot stateRoot extraData".split():
        for what in ("a table", "a list", "an escape"):
            found.append(
                Attack(
                    GATE,
                    f"a block whose {field} is {what}",
                    partial(_record, "eth_getBlockByNumber", BLOCK | {field: wrong[what]}),
                    Refusal,
                )
            )
    for method in ("eth_getTransactionReceipt", "eth_getTransactionByHash", "eth_getLogs", "eth_feeHistory"):
        for what, value in {
            "a text": "x",
            "an empty record": {},
            "records that are numbers": [1, 2],
            "a true": True,
        }.items():
            found.append(Attack(GATE, f"{method} gives {what}", partial(_record, method, value), Refusal))
    return found


def _address(text: str, folder: Path) -> None:
    from artmint.ipfs.http import Request, request

    request(Request(text, seconds=1))


def _gateway_at(text: str, folder: Path) -> None:
    from artmint.ipfs.stores import Gateway

    Gateway(text)


def _node_at(text: str, folder: Path) -> None:
    from artmint.chain.connect import connect

    connect(text, folder)


def _endpoint(text: str, folder: Path) -> None:
    from artmint.service.webhooks import check_endpoint

    check_endpoint(text, ())


ADDRESSES = (
    "http://[::1",
    "http://host:port/",
    "http://host:99999/",
    "http:///",
    "http://",
    "host",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "ftp://host/",
    "http://ho st/",
    "http://host\r\nX: y/",
    "http://\x00/",
    "",
)


def _addresses() -> list[Attack]:
    found = []
    for way, run in {
        "a question": _address,
        "a gateway": _gateway_at,
        "a node": _node_at,
        "a webhook": _endpoint,
    }.items():
        for text in ADDRESSES:
            if way == "a node" and text in ("", "http://ho st/"):
                continue
            found.append(Attack(GATE, f"{way} at {text!a}", partial(run, text), Refusal))
    for target in PRIVATE[:21]:
        found.append(Attack(GATE, f"a webhook to {target}", partial(_endpoint, target), Refusal))
    return found


def _service(asked: dict, folder: Path) -> None:
    "A request to the studio's service: whatever it is, the answer is no mistake of the service's."
    from tests.fuzz.wires import _asked as answered
    from tests.fuzz.wires import _loop
    from tests.fuzz.wires import _service as made

    app, key = made()
    asked = {"method": "GET", "path": "/v1/collections", "headers": {}, "body": ""} | asked
    status, body = _loop().run_until_complete(answered(app, asked, key))
    assert 400 <= status < 500, f"status {status}: {body[:200]!r}"
    told = json.loads(body)
    assert len(told.get("detail", "")) > 20 and "Traceback" not in body.decode(), body[:200]


SERVICE = {
    "no key": {"headers": {"Authorization": ""}},
    "another's key": {"headers": {"Authorization": "Bearer " + "A" * 43}},
    "a key of a megabyte": {"headers": {"Authorization": "Bearer " + "A" * 60_000}},
    "a key that is no text": {"headers": {"Authorization": "Bearer \xff\xfe"}},
    "another host": {"headers": {"Host": "evil.example"}},
    "no host": {"headers": {"Host": ""}},
    "a path above": {"path": "/v1/../../etc/passwd"},
    "a path above, packed": {"path": "/v1/%2e%2e/%2e%2e/etc/passwd"},
    "a path with a zero": {"path": "/v1/collections/a%00b"},
    "a path with an escape": {"path": "/v1/collections/%1b%5b2J"},
    "a path that is no UTF-8": {"path": "/v1/collections/%ff"},
    "a path of 10 kB": {"path": "/v1/collections/" + "a" * 10_000},
    "a collection above": {"path": "/v1/collections/..%2f..%2fetc"},
    "a slot of nothing": {"path": "/v1/collections/demo/slots/0"},
    "a slot of -1": {"path": "/v1/collections/demo/slots/-1"},
    "a slot of 10^30": {"path": "/v1/collections/demo/slots/" + "9" * 30},
    "a slot of words": {"path": "/v1/collections/demo/slots/one"},
    "a drop of 5000 digits": {"path": "/v1/collections/demo/drops/" + "9" * 5000},
    "a limit of -1": {"path": "/v1/runs?limit=-1"},
    "a limit of 10^30": {"path": "/v1/runs?limit=" + "9" * 30},
    "a limit of words": {"path": "/v1/runs?limit=all"},
    "a place that is none": {"path": "/v1/collections/demo/pictures?after=../../x"},
    "an unknown state": {"path": "/v1/runs?state=evil"},
    "a picture that is none": {"path": "/v1/pictures/" + "0" * 64},
    "a picture above": {"path": "/v1/pictures/..%2f..%2fcatalog.sqlite"},
    "a run of another's form": {"path": "/v1/runs/%2e%2e%2fx"},
    "an unknown route": {"path": "/v1/evil"},
    "an unknown method": {"method": "EVIL"},
    "TRACE": {"method": "TRACE"},
    "a body that is no JSON": {
        "method": "POST",
        "path": "/v1/collections/demo/decisions",
        "headers": {"Content-Type": "application/json"},
        "body": "{",
    },
    "a body of brackets": {
        "method": "POST",
        "path": "/v1/collections/demo/decisions",
        "headers": {"Content-Type": "application/json"},
        "body": "[" * 50_000,
    },
    "a body of 2 MB": {
        "method": "POST",
        "path": "/v1/collections/demo/decisions",
        "headers": {"Content-Type": "application/json"},
        "body": " " * (2 << 20),
    },
    "a body that is a form": {
        "method": "POST",
        "path": "/v1/collections/demo/decisions",
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
        "body": "a=b",
    },
    "a body with a key twice": {
        "method": "POST",
        "path": "/v1/plans",
        "headers": {"Content-Type": "application/json"},
        "body": '{"batch":"tiny","batch":"making"}',
    },
    "a body with infinity": {
        "method": "POST",
        "path": "/v1/plans",
        "headers": {"Content-Type": "application/json"},
        "body": '{"batch":"tiny","quantity":1e999}',
    },
    "a batch above": {
        "method": "POST",
        "path": "/v1/plans",
        "headers": {"Content-Type": "application/json"},
        "body": '{"batch":"../../etc/passwd"}',
    },
    "a batch with an escape": {
        "method": "POST",
        "path": "/v1/plans",
        "headers": {"Content-Type": "application/json"},
        "body": '{"batch":"\\u001b[2J"}',
    },
    "stars of 10^9": {
        "method": "POST",
        "path": "/v1/collections/demo/decisions",
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"id": "a", "dnas": ["0" * 64], "stars": 10**9}),
    },
    "a note of 5000 letters": {
        "method": "POST",
        "path": "/v1/collections/demo/decisions",
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"id": "a", "dnas": ["0" * 64], "note": "x" * 5000}),
    },
    "a note with an escape": {
        "method": "POST",
        "path": "/v1/collections/demo/decisions",
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"id": "a", "dnas": ["0" * 64], "note": "\x1b[2J"}),
    },
    "10 000 pictures at once": {
        "method": "POST",
        "path": "/v1/collections/demo/decisions",
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"id": "a", "dnas": ["0" * 64] * 10_000, "stars": 1}),
    },
    "a picture that nobody made": {
        "method": "POST",
        "path": "/v1/collections/demo/decisions",
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"id": "a", "dnas": ["0" * 64], "stars": 1}),
    },
    "a work without a file": {
        "method": "POST",
        "path": "/v1/collections/demo/works",
        "headers": {"Content-Type": "multipart/form-data; boundary=e"},
        "body": "--e--\r\n",
    },
    "a work without a boundary": {
        "method": "POST",
        "path": "/v1/collections/demo/works",
        "headers": {"Content-Type": "multipart/form-data"},
        "body": "x",
    },
    "a work that is PostScript": {
        "method": "POST",
        "path": "/v1/collections/demo/works",
        "headers": {"Content-Type": "multipart/form-data; boundary=e"},
        "body": '--e\r\nContent-Disposition: form-data; name="slot"\r\n\r\n1\r\n--e\r\nContent-Disposition: form-data; name="artist"\r\n\r\nme\r\n--e\r\nContent-Disposition: form-data; name="picture"; filename="../../a.png"\r\nContent-Type: image/png\r\n\r\n%!PS-Adobe\r\n--e--\r\n',
    },
    "two lengths": {
        "method": "POST",
        "path": "/v1/plans",
        "headers": {"Content-Length": "5", "Transfer-Encoding": "chunked"},
        "body": "{}",
    },
    "200 headers": {"headers": {f"X-{n}": "a" for n in range(200)}},
}


def attacks() -> list[Attack]:
    "All of this gate."
    service = [
        Attack(GATE, f"the service: {what}", partial(_service, asked), HARMLESS)
        for what, asked in SERVICE.items()
    ]
    return _clients() + _nodes() + _addresses() + service
