"The proxy: a process of its own between operator and node, which misbehaves on command."

import http.client
import http.server
import json
import multiprocessing
import signal
import threading
import time
from typing import Any


class Intermediary(http.server.BaseHTTPRequestHandler):
    """Forwards requests to the node, and breaks those that a fault is set for.

    POST /control sets {target, other, faults: [{method, after, times, kind, value}]}: of the requests with
    this method ("*": any) and, where `at` is given, with this parameter, `after` pass and the next `times` meet the fault.
    """

    def log_message(self, *_: object) -> None:
        "Says nothing."

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        "Send a whole response."
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_result(self, request: dict, result: Any) -> None:
        "Send a JSON-RPC result."
        self.answer(200, json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode())

    def answer_error(self, request: dict, code: int, message: str) -> None:
        "Send a JSON-RPC error."
        error = {"code": code, "message": message}
        self.answer(200, json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}).encode())

    def forward(self, url: str, body: bytes) -> bytes:
        "What a node answers."
        node = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
        node.request("POST", "/", body, {"Content-Type": "application/json"})
        return node.getresponse().read()

    def do_POST(self) -> None:
        "Control, or a request to the node."
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/control":
            self.control(json.loads(body))
            return
        request = json.loads(body)
        with self.server.lock:
            fault = self.due(request)
        if fault:
            self.break_off(fault, request, body)
        else:
            self.answer(200, self.forward(self.server.state["target"], body))

    def control(self, changes: dict) -> None:
        "Change the state; answer how many requests met a fault since the last time."
        state = self.server.state
        state.update(changes)
        self.answer(200, json.dumps({"struck": state.pop("struck", 0)}).encode())

    def break_off(self, fault: dict, request: dict, body: bytes) -> None:
        "Answer as the fault says."
        target, other = self.server.state["target"], self.server.state["other"]
        match fault["kind"]:
            case "dropped":
                return  # the connection ends without a word
            case "lost":
                self.forward(target, body)
            case "twice":
                self.forward(target, body)
                self.answer(200, self.forward(target, body))
            case "unknown":
                self.forward(target, body)
                self.answer_error(request, -32099, "the moon is full")
            case "503":
                self.answer(503, b"try later")
            case "429":
                self.answer(429, b"too many requests", Retry_After=str(fault.get("value", "")))
            case "error":
                self.answer_error(request, fault["value"]["code"], fault["value"]["message"])
            case "taken, and an error":
                self.forward(target, body)
                self.answer_error(request, fault["value"]["code"], fault["value"]["message"])
            case "busy":
                self.answer_error(request, -32005, "rate limit exceeded")
            case "page":
                self.answer(200, b"<html>please log in</html>")
            case "other":
                self.answer(200, self.forward(other, body))
            case "slow":
                time.sleep(fault["value"])
                self.answer(200, self.forward(target, body))
            case "narrow" if self.few_enough(request, fault["value"]):
                self.answer(200, self.forward(target, body))
            case "narrow":
                words = f"eth_getLogs is limited to a {fault['value']} blocks range"
                self.answer_error(request, -32602, words)
            case _:
                self.answer_result(request, self.forged(fault, request, body))

    def few_enough(self, request: dict, most: int) -> bool:
        "Whether logs are asked for in no more blocks than these."
        wanted = request["params"][0]
        numbers = wanted.get("fromBlock", ""), wanted.get("toBlock", "")
        return (
            all(one.startswith("0x") for one in numbers) and int(numbers[1], 16) - int(numbers[0], 16) < most
        )

    def forged(self, fault: dict, request: dict, body: bytes) -> Any:
        "The result that a fault puts in place of the node's. Raises ValueError for an unknown kind."
        match fault["kind"]:
            case "swallowed":
                return transaction_hash(request["params"][0])
            case "null":
                return None
            case "value":
                return fault["value"]
            case "less":
                answer = json.loads(self.forward(self.server.state["target"], body))
                return hex(max(int(answer["result"], 16) - 1, 0))
            case "without":
                result = self.truth(body)
                return (
                    {name: value for name, value in result.items() if name != fault["value"]}
                    if result
                    else result
                )
            case "with":
                result = self.truth(body)
                return result | fault["value"] if result else result
            case "ahead":
                return self.preconfirmed(request) if self.truth(body) is None else self.truth(body)
            case kind:
                raise ValueError(kind)

    def truth(self, body: bytes) -> Any:
        "The node's own result."
        return json.loads(self.forward(self.server.state["target"], body)).get("result")

    def node(self, method: str, *params: Any) -> Any:
        "What the node says."
        return self.truth(
            json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        )

    def preconfirmed(self, request: dict) -> dict | None:
        "A receipt of a transaction that waits, in the block to come; none where there is no such transaction."
        hash = request["params"][0]
        transaction = self.node("eth_getTransactionByHash", hash)
        if not transaction:
            return None
        facts = {"blockNumber": hex(int(self.node("eth_blockNumber"), 16) + 1), "blockHash": "0x" + "00" * 32}
        facts |= {
            "transactionHash": hash,
            "status": "0x1",
            "gasUsed": "0x5208",
            "logs": [],
            "contractAddress": None,
        }
        return facts | {"effectiveGasPrice": transaction["maxFeePerGas"], "from": transaction["from"]}

    def due(self, request: dict) -> dict | None:
        "The fault that this request meets, if any."
        state = self.server.state
        for fault in state["faults"]:
            if fault["method"] not in ("*", request["method"]) or fault["times"] <= 0:
                continue
            if fault.get("at", "") not in ["", *map(str, request.get("params", []))]:
                continue
            fault["after"] -= 1
            if fault["after"] >= 0:
                continue
            fault["times"] -= 1
            state["struck"] = state.get("struck", 0) + 1
            return fault
        return None


def transaction_hash(raw: str) -> str:
    "The hash of a signed transaction, both in hex with 0x."
    from eth_utils import keccak

    return "0x" + keccak(bytes.fromhex(raw[2:])).hex()


def serve(ready: Any) -> None:
    "The proxy's process: sends its port through the pipe, and serves."
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Intermediary)
    server.daemon_threads = True
    server.state = {"faults": [], "target": "", "other": ""}
    server.lock = threading.Lock()
    server.handle_error = lambda *_: None
    ready.send(server.server_port)
    server.serve_forever()


class Proxy:
    "The proxy as its user sees it."

    def __init__(self):
        here, there = multiprocessing.Pipe()
        fork = multiprocessing.get_context("fork")
        self.process = fork.Process(target=serve, args=(there,), daemon=True)
        self.process.start()
        self.port = here.recv()
        self.url = f"http://127.0.0.1:{self.port}"

    def __call__(self, **state: Any) -> int:
        "Change its state; how many requests met a fault since the last time."
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("POST", "/control", json.dumps(state))
        return json.loads(connection.getresponse().read())["struck"]

    def end(self) -> None:
        "Stop the process."
        self.process.terminate()
