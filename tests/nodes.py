"A studio on a node, and nodes that lie."

import http.server
import json

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
