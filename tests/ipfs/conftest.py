"An archive, a double of every service, and stores on it."

import pytest

from artmint.ipfs.car import write_car
from artmint.ipfs.http import with_retries
from tests.doubles import running
from tests.stores import MIB, STORES, pinning_service


@pytest.fixture(scope="module")
def drop(tmp_path_factory):
    "An archive of three parts, and its tree."
    folder = tmp_path_factory.mktemp("drop")
    tree = {f"{i}.json": b"%d" % i for i in range(1, 40)}
    tree["images"] = {f"{i}.png": bytes([i]) * MIB for i in range(20)}
    built = write_car(folder / "drop.car", tree)
    return folder / "drop.car", built


@pytest.fixture
def server(tmp_path):
    with running(tmp_path / "server") as double:
        yield double


@pytest.fixture(params=STORES, ids=lambda make: make.__name__)
def store(request, server, tmp_path, drop):
    if request.param is pinning_service:
        server.keep(drop[0].read_bytes())
    return request.param(server, tmp_path)


@pytest.fixture
def quick(monkeypatch):
    "Pauses between tries are not waited for."

    def at_once(work, tries=6):
        return with_retries(work, tries, sleep=lambda seconds: None)

    for room in ("stores", "services"):
        monkeypatch.setattr(f"artmint.ipfs.{room}.with_retries", at_once)
