"A studio on a node, and nodes that lie."

import http.server
import json
import threading
import time
import urllib.request

from eth_account import Account

from artmint.chain.admin import authorize, commit_drop, deploy
from artmint.chain.connect import connect
from artmint.chain.journal import Journal
from artmint.chain.signers import KeystoreSigner, new_keystore
from artmint.studio.catalog import Catalog
from tests.studios import DEMO, FAST, Drop


class Studio:
    "A studio on a node, ready to mint 20 tokens."

    def __init__(self, folder, node, url=""):
        self.web3 = connect(url or node.url, folder)
        self.catalog = Catalog(folder)
        for name in ("admin", "minter"):
            new_keystore(folder / "keys" / f"{name}.json", "word", FAST)
        admin, minter = (
            KeystoreSigner(folder / "keys" / f"{name}.json", "word") for name in ("admin", "minter")
        )
        for signer in (admin, minter):
            node.fund(signer.address)
        self.admin = Journal(self.catalog, self.web3, admin)
        self.minter = Journal(self.catalog, self.web3, minter)
        self.drop = Drop(1, 16)
        self.contract = deploy(self.admin, DEMO, Account.create().address)
        commit_drop(self.admin, self.contract, self.drop)
        authorize(self.admin, self.contract, minter.address, 16)


class Between(http.server.BaseHTTPRequestHandler):
    "A proxy that injects a fault: `fault(method, answer)` gives what to answer, an HTTP status, or None for the truth."

    def do_POST(self):
        from tests.conftest import ask

        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            answer = {
                "jsonrpc": "2.0",
                "id": asked["id"],
                "result": ask(self.server.url, asked["method"], *asked.get("params", [])),
            }
        except RuntimeError as error:
            answer = {"jsonrpc": "2.0", "id": asked["id"], "error": {"code": 3, "message": str(error)}}
        self.server.seen.append(asked["method"])
        fault = self.server.fault(asked["method"], answer)
        self.send_response(fault if isinstance(fault, int) else 200)
        self.end_headers()
        if not isinstance(fault, int):
            self.wfile.write(json.dumps(fault or answer).encode())

    def log_message(self, *_):
        pass


def answering(method, result):
    "A fault: another result for one method."
    return lambda asked, answer: {**answer, "result": result} if asked == method else None


class Lagging:
    """A node whose state is behind its receipts, as behind a balancer: transactions and receipts come from a machine that
    has every block, what is asked of the chain's state from one that gets each block later."""

    RECEIPTS = (
        "eth_getTransactionReceipt",
        "eth_getTransactionByHash",
        "eth_sendRawTransaction",
        "eth_chainId",
    )
    PLACES = {"eth_call": 1, "eth_getCode": 1, "eth_getBalance": 1, "eth_getTransactionCount": 1}
    PLACES |= {"eth_estimateGas": 1, "eth_getBlockByNumber": 0}

    def __init__(self, node, seconds, turns=False, flash=False):
        self.node, self.seconds, self.turns, self.flash = node, seconds, turns, flash
        self.seen, self.asked, self.over = {}, 0, threading.Event()
        handler = type("Handler", (Forwarding,), {"answer": self.answer})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        for work in (self.server.serve_forever, self.watch):
            threading.Thread(target=work, daemon=True).start()

    def watch(self):
        "Note when every block came."
        while not self.over.wait(0.03):
            for number in range(len(self.seen), int(self.node("eth_blockNumber"), 16) + 1):
                self.seen[number] = time.monotonic()

    def height(self):
        "The newest block that the machine behind has."
        old = [number for number, at in self.seen.items() if at <= time.monotonic() - self.seconds]
        return max(old, default=0)

    def answer(self, asked):
        "A JSON-RPC answer."
        method, params = asked["method"], list(asked.get("params", []))
        self.asked += 1
        behind = method not in self.RECEIPTS and not (self.turns and self.asked % 2)
        height = self.height() if behind else 10**9
        if behind and method == "eth_blockNumber":
            return {"result": hex(height)}
        place = self.PLACES.get(method)
        if behind and place is not None:
            block = params[place] if len(params) > place else "latest"
            if block in ("latest", "pending"):
                params[place:] = [hex(height), *params[place + 1 :]]
            elif block.startswith("0x") and int(block, 16) > height:
                found = {"error": {"code": -32000, "message": "header not found"}}
                return {"result": None} if method == "eth_getBlockByNumber" else found
        answer = forwarded(self.node.url, method, params)
        if self.flash and method == "eth_getTransactionReceipt" and not answer.get("result"):
            return {"result": self.preconfirmed(params[0])}
        return answer

    def preconfirmed(self, hash):
        "A receipt of a transaction that waits, in the block to come; none where there is no such transaction."
        transaction = self.node("eth_getTransactionByHash", hash)
        if not transaction:
            return None
        number = hex(int(self.node("eth_blockNumber"), 16) + 1)
        facts = {"blockNumber": number, "blockHash": "0x" + "00" * 32, "status": "0x1", "gasUsed": "0x5208"}
        facts |= {"transactionHash": hash, "from": transaction["from"], "to": transaction["to"], "logs": []}
        return facts | {"effectiveGasPrice": transaction["maxFeePerGas"], "contractAddress": None}

    def end(self):
        "Stop both threads."
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


class Forwarding(http.server.BaseHTTPRequestHandler):
    "Answers JSON-RPC as its `answer` says."

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], **type(self).answer(asked)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def forwarded(url, method, params):
    "What a node says: a result, or its error with code and data."
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as response:
        answer = json.load(response)
    return {name: answer[name] for name in ("result", "error") if name in answer}
