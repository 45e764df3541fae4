"""Servers of this process on the loopback address, for faults that a real server doesn't have at command, and for services that can't be reached.

They answer as the services' documentation says (Kubo's RPC, Pinata v3 with tus 1.0.0 for large files, the IPFS Pinning Service API 1.0, the trustless gateway's `?format=car`), and misbehave
as they are told. What a real program answers is in the long tests."""

import json
import re
import threading
import time
from base64 import b64decode
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from artmint.ipfs.car import BadBlock, open_car, walk
from artmint.ipfs.cid import CID, MissingBlock


class Double(ThreadingHTTPServer):
    "A server with a memory: what it holds, what it was asked, and the faults to come (each answers one request)."

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.cars = {}
        self.blocks = {}
        self.pins = {}
        self.asked = []
        self.faults = []
        self.sent = 0
        self.spoil = lambda car: car
        self.token = ""
        self.uploads = {}
        self.looking = 0.0  # seconds that it looks for a block that it lacks

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def keep(self, car: bytes) -> CID:
        "Take an archive in, as a node does: believing it. Its header's root."
        path = self.folder / f"{len(self.asked)}-{len(self.blocks)}.car"
        path.write_bytes(car)
        opened = open_car(path)
        self.blocks |= {cid: opened.unchecked(cid) for cid in opened.index}
        return opened.roots[0]

    def block(self, cid: CID) -> bytes:
        "A block. Raises MissingBlock."
        if cid not in self.blocks:
            raise MissingBlock(cid)
        return self.blocks[cid]

    def export(self, root: CID) -> bytes:
        "An archive of what is held of a tree, believing every block."
        from artmint.ipfs.car import car_header
        from artmint.ipfs.cid import DAG_PB, decode, varint

        head = car_header((root,))
        below, blocks = [root], {}
        while below:
            cid = below.pop()
            if cid in self.blocks and cid not in blocks:
                blocks[cid] = self.blocks[cid]
                below += [link.cid for link in decode(blocks[cid]).links] if cid.codec == DAG_PB else []
        sections = [varint(36 + len(block)) + cid.bytes + block for cid, block in blocks.items()]
        return varint(len(head)) + head + b"".join(sections)

    def handle_error(self, request, client_address):
        pass


class Handler(BaseHTTPRequestHandler):
    "Answers."

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status: int, data: bytes | dict = b"", **headers):
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for key, value in {"Content-Length": len(data), **headers}.items():
            self.send_header(key.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(data)

    def file(self, data: bytes) -> bytes:
        "The file of a form."
        edge = re.search("boundary=(.+)", self.headers["Content-Type"])[1].encode()
        part = next(part for part in data.split(b"--" + edge) if b'name="file"' in part[:200])
        return part.split(b"\r\n\r\n", 1)[1][:-2]

    def serve(self):
        d = self.server
        parts = urlsplit(self.path)
        given = {key: values[0] for key, values in parse_qs(parts.query).items()}
        fault = d.faults.pop(0) if d.faults and "stat" not in parts.path else None
        if fault == "cut":
            came = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 200_000))
            if self.command == "PATCH":
                d.uploads[parts.path]["data"] += came  # tus keeps what came through
            self.close_connection = True
            return self.connection.shutdown(2)
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        d.sent += len(data)
        d.asked.append((self.command, parts.path, given, data))
        if fault:
            return fault(self)
        if d.token and self.headers.get("Authorization") != f"Bearer {d.token}":
            return self.say(401, {"error": {"reason": "UNAUTHORIZED"}})
        if "/upload-" in parts.path:
            return self.tus(data)
        getattr(self, re.sub(r"\W+", "_", f"on_{parts.path.strip('/')}").split("_baf")[0])(given, data)

    do_GET = do_POST = do_HEAD = do_PATCH = serve

    def on_api_v0_block_stat(self, given, data):
        if CID.parse(given["arg"]) in self.server.blocks:
            self.say(200, {"Key": given["arg"], "Size": 1})
        else:
            (self.say(500, {"Message": "block was not found locally", "Code": 0, "Type": "error"}))

    def on_api_v0_dag_import(self, given, data):
        self.server.keep(self.server.spoil(self.file(data)))
        self.say(200)

    def on_api_v0_block_get(self, given, data):
        block = self.server.blocks.get(CID.parse(given["arg"]))
        if block is None:
            return self.say(
                500, {"Message": "block was not found locally (offline)", "Code": 0, "Type": "error"}
            )
        self.say(200, block)

    def on_api_v0_pin_add(self, given, data):
        "Pinning walks the tree, and a node that is offline says what it lacks; js-ipfs looks for it until time is up."
        try:
            for _ in walk(CID.parse(given["arg"]), self.server.block):
                pass
        except BadBlock:
            pass  # a node believes what it has
        except MissingBlock as missing:
            time.sleep(min(self.server.looking, float(given["timeout"].rstrip("s"))))
            return self.say(
                500, {"Message": f"pin: {missing}, could not find {missing.cid}", "Type": "error"}
            )
        self.server.pins[given["arg"]] = "recursive"
        self.say(200, {"Pins": [given["arg"]]})

    def on_api_v0_dag_export(self, given, data):
        self.say(200, self.server.export(CID.parse(given["arg"])))

    def on_v3_files(self, given, data):
        if "Upload-Length" not in self.headers:
            return self.form(data)
        assert self.headers["Tus-Resumable"] == "1.0.0"
        assert not data
        facts = {
            key: b64decode(value).decode()
            for key, value in (each.split(" ") for each in self.headers["Upload-Metadata"].split(","))
        }
        assert facts["network"] == "public"
        assert facts["car"] == "true"
        place = f"/v3/files/upload-{len(self.server.uploads)}"
        self.server.uploads[place] = {"length": int(self.headers["Upload-Length"]), "data": b""}
        self.say(201, Location=place, Tus_Resumable="1.0.0")

    def tus(self, data):
        "An upload's own address."
        d = self.server
        upload = self.server.uploads.get(self.path)
        assert self.headers["Tus-Resumable"] == "1.0.0"
        if upload is None:
            return self.say(404)
        if self.command == "PATCH":
            if int(self.headers["Upload-Offset"]) != len(upload["data"]):
                return self.say(409)
            assert self.headers["Content-Type"] == "application/offset+octet-stream"
            upload["data"] += data
        whole = self.command == "PATCH" and len(upload["data"]) == upload["length"]
        said = {"Upload_Cid": str(d.keep(d.spoil(upload["data"])))} if whole else {}
        self.say(
            204 if self.command == "PATCH" else 200,
            Upload_Offset=len(upload["data"]),
            Upload_Length=upload["length"],
            Tus_Resumable="1.0.0",
            **said,
        )

    def form(self, data):
        "An upload in one request."
        assert b'name="network"\r\n\r\npublic\r\n' in data
        assert b'name="car"\r\n\r\ntrue\r\n' in data
        self.say(
            200,
            {
                "data": {
                    "id": "1",
                    "cid": str(self.server.keep(self.server.spoil(self.file(data)))),
                    "number_of_files": 3,
                }
            },
        )

    def on_ipfs(self, given, data):
        root = CID.parse(self.path.split("/")[2].split("?")[0])
        if given == {"format": "raw"} and root in self.server.blocks:
            return self.say(200, self.server.blocks[root], Content_Type="application/vnd.ipld.raw")
        assert given in ({"format": "car"}, {"format": "raw"})
        if root in self.server.blocks:
            (self.say(200, self.server.export(root), Content_Type="application/vnd.ipld.car"))
        else:
            self.say(404)

    def on_psa_pins(self, given, data):
        d = self.server
        if self.command == "GET" and self.path.count("/") == 2:
            return self.say(
                200,
                {
                    "count": len(d.pins),
                    "results": [each for each in d.pins.values() if each["pin"]["cid"] == given["cid"]],
                },
            )
        if self.command == "POST":
            pin = json.loads(data)
            status = d.pins[pin["cid"]] = {
                "requestid": pin["cid"],
                "status": "queued",
                "created": "2026-01-01T00:00:00Z",
                "pin": pin,
                "delegates": [],
            }
            return self.say(202, status)
        status = d.pins[self.path.split("/")[3]]
        status["status"] = {"queued": "pinning", "pinning": "pinned"}.get(status["status"], status["status"])
        self.say(200, status)


@contextmanager
def running(folder):
    "A server that is up."
    folder.mkdir(parents=True, exist_ok=True)
    double = Double(folder)
    thread = threading.Thread(target=double.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield double
    finally:
        double.shutdown()
        double.server_close()


def status(code: int, **headers):
    return lambda handler: handler.say(code, b"", **headers)


def stall(handler):
    "Headers, a few bytes, and then nothing."
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    handler.wfile.write(b"a")
    time.sleep(20)


def drip(handler):
    "A byte now and then, for ever."
    handler.send_response(200)
    handler.end_headers()
    for _ in range(400):
        handler.wfile.write(b"a")
        time.sleep(0.05)


def flood(handler):
    "Zeros without an end."
    handler.send_response(200)
    handler.end_headers()
    for _ in range(2000):
        handler.wfile.write(bytes(1 << 16))


def header_drip(handler):
    "Headers that never end."
    for i in range(400):
        handler.connection.sendall(b"HTTP/1.1 200 OK\r\n" if not i else b"X")
        time.sleep(0.05)


def packed(handler):
    "A gzip bomb: a gigabyte of zeros in a megabyte, were it unpacked."
    handler.say(200, bytes(1 << 20), Content_Encoding="gzip")


def sent_to(target: str):
    return lambda handler: handler.say(302, b"", Location=target)
