"Services that tests ask; a studio that may send to this machine, and somebody who takes what it sends."

import http.server
import json
import shutil
import threading

import pytest

from artmint.service.api import open_service
from artmint.studio.catalog import Catalog
from tests.served import batches_in, serving


class Receiver(http.server.ThreadingHTTPServer):
    "Takes messages: (headers, body). `faults` are done first: a status, headers to answer with, or a function of the handler."

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Taking)
        self.taken, self.faults = [], []
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.taken]

    @property
    def events(self) -> list[dict]:
        return [json.loads(body) for _, body in self.taken]


class _Taking(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self.server.faults.pop(0) if self.server.faults else 204
        if callable(fault):
            return fault(self)
        status, headers = (fault, {}) if isinstance(fault, int) else fault
        if status < 300:
            self.server.taken.append((dict(self.headers), body))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *words):
        pass


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def open_studio(tmp_path):
    "A catalog whose studio may send into this machine."
    (tmp_path / "studio.toml").write_text('[webhooks]\nnetworks = ["127.0.0.1/32"]\n')
    return Catalog(tmp_path)


@pytest.fixture(scope="module")
def minted_service(minted, tmp_path_factory):
    "The service of a studio with two drops, minted."
    place = tmp_path_factory.mktemp("service")
    shutil.copytree(minted[0], place / "studio")
    with serving(open_service(place / "studio", batches_in(place / "batches")), place) as served:
        yield served


@pytest.fixture(scope="module")
def judged_service(small, tmp_path_factory):
    "The service of a studio whose attempts were judged and looked at, packed and not published."
    place = tmp_path_factory.mktemp("judged")
    shutil.copytree(small[0].folder, place / "studio")
    with serving(open_service(place / "studio", batches_in(place / "batches")), place) as served:
        yield served


@pytest.fixture
def empty_service(tmp_path):
    "The service of a studio in which nothing was made yet."
    with serving(open_service(tmp_path / "studio", batches_in(tmp_path / "batches")), tmp_path) as served:
        yield served
