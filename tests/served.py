"A studio's service, asked over HTTP: what tests of several folders build on."

import logging
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn

from artmint.serve import log_to, server_settings
from artmint.service.access import Service
from artmint.service.api import service_app
from artmint.service.door import DoorLimits
from artmint.service.keys import KEY_SCOPES, new_key
from artmint.service.page import studio_page

TINY = Path(__file__).parent / "data" / "tiny"
BATCH = 'name = "{name}"\ncollection = "{folder}"\nquantity = {quantity}\nstages = {stages}\n'
STAGES = '["00_seeds", "15_generate", "20_curate", "25_metadata", "27_pin", "30_mint", "35_verify"]'
MAKING = '["00_seeds", "15_generate", "20_curate", "25_metadata"]'


def batches_in(folder: Path, collection: Path = TINY) -> Path:
    "A folder with two batches: `tiny`, which goes up to a proof, and `making`, which stops before."
    folder.mkdir(parents=True, exist_ok=True)
    for name, stages in (("tiny", STAGES), ("making", MAKING)):
        text = BATCH.format(name=name, folder=collection, quantity=2, stages=stages)
        (folder / f"{name}.toml").write_text(text)
    return folder


class Served:
    "A service at an address, and clients with keys for it."

    def __init__(self, service: Service, address: str, log: Path):
        self.service, self.address, self.log = service, address, log
        self.clients: list[httpx.Client] = []
        self.secrets: dict[str, str] = {}

    def client(self, name: str = "", *scopes: str) -> httpx.Client:
        "A client with a key of these scopes, all when none are named; without a key where nobody is named."
        headers = {}
        if name:
            if name not in self.secrets:
                self.secrets[name] = new_key(self.service.catalog, name, scopes or KEY_SCOPES)
            headers["Authorization"] = f"Bearer {self.secrets[name]}"
        made = httpx.Client(base_url=self.address, headers=headers, timeout=60)
        self.clients.append(made)
        return made


@contextmanager
def logged(path: Path):
    "The service's lines in a file; afterwards loggers are as they were."
    own = [logging.getLogger(name) for name in ("artmint", "uvicorn.error")]
    before = [(log, list(log.handlers), log.level, log.propagate) for log in own]
    source = logging._srcfile
    try:
        with open(path, "w") as lines:
            log_to(lines)
            yield
    finally:
        for log, handlers, level, propagate in before:
            log.handlers, log.propagate = handlers, propagate
            log.setLevel(level)
        logging._srcfile = source
        logging.logThreads = logging.logProcesses = logging.logMultiprocessing = logging.logAsyncioTasks = (
            True
        )


@contextmanager
def serving(service: Service, folder: Path, limits: DoorLimits = DoorLimits(), port: int = 0):
    "The service on 127.0.0.1, in a thread of this process."
    log = folder / "serve.log"
    with logged(log):
        app = service_app(service, studio_page(), limits)
        config = uvicorn.Config(app, port=port, proxy_headers=False, **server_settings())
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        pause = threading.Event()
        while not server.started:
            pause.wait(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        served = Served(service, f"http://127.0.0.1:{port}", log)
        yield served
        for client in served.clients:
            client.close()
        server.should_exit = True
        thread.join()


def problem(answer: httpx.Response, status: int, name: str = "") -> dict:
    "A problem document, checked: its status, its media type, its words."
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail"} <= set(body)
    assert body["status"] == status
    assert body["type"] == f"urn:artmint:{name or body['type'].rpartition(':')[2]}"
    return body
