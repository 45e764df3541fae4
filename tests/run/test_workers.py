"The same pictures by any executor, in any order, through kills. Everything here is real: processes, signals, catalogs."

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from artmint.generate import NothingButBroken, generate
from artmint.core.collection import BaseFiles
from artmint.core.records import Attempt, Recipe
from artmint.make.base import load_base
from artmint.make.engines import Diffusers, open_painter
from artmint.make.schedulers import UnknownChoice
from artmint.run import executors
from artmint.run import workers as room
from artmint.run.executors import WorkersLost, generate_by, process, serial
from artmint.run.workers import CanaryDiffers, Crew, order_of
from artmint.studio.catalog import Catalog
from artmint.studio.files import BadSettings
from tests.hosts import listed, made, silent


@pytest.fixture(scope="module")
def base():
    return load_base()


def worker_pids(parent: int) -> list[int]:
    "Worker processes of a driver."
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
            words = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == parent and b"artmint.run.executors" in words:
            found.append(int(path.parent.name))
    return sorted(found)


def kill_one(parent: int, catalog: Catalog, killed: list) -> None:
    "SIGKILL a worker as soon as one holds a batch."
    held = sa.text("select count(*) from job where worker != '' and not done")
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and not killed:
        with catalog.engine.connect() as connection:
            busy = connection.scalar(held)
        if busy and (pids := worker_pids(parent)):
            os.kill(pids[0], signal.SIGKILL)
            killed.append(pids[0])
        time.sleep(0.02)


@pytest.mark.slow
def test_a_lost_file_is_on_the_list_again(base, expected, tmp_path):
    catalog, order, attempts = listed(tmp_path, base)
    serial(order, Diffusers(base), silent)
    lost = catalog.get("artifact", attempts[5].recipe.dna)["file_digest"]
    catalog.blob_path(lost).unlink()
    again = order_of(catalog, Diffusers(base), attempts, Crew())
    assert [any(a is attempts[5] for a in part) for part in again.batches.values()] == [True]
    assert catalog.left(again.stage) == 1
    serial(again, Diffusers(base), silent)
    assert made(catalog, attempts) == expected
    assert catalog.has_blob(lost)
    assert not order_of(catalog, Diffusers(base), attempts, Crew()).batches


@pytest.mark.slow
def test_serial_makes_the_same(base, expected, tmp_path):
    catalog, order, attempts = listed(tmp_path, base)
    told: list = []
    serial(order, Diffusers(base), lambda *counts: told.append(counts))
    assert made(catalog, attempts) == expected
    assert catalog.left(order.stage) == 0
    assert catalog.check() == []
    assert told[-1] == (len(attempts), len(attempts))
    assert told == sorted(told)
    assert order_of(catalog, Diffusers(base), attempts, Crew()).batches == {}


@pytest.mark.slow
def test_three_processes_and_one_killed_in_mid_batch(base, expected, tmp_path):
    catalog, order, attempts = listed(tmp_path, base, Crew(executor="process", workers=3))
    killed: list = []
    killer = threading.Thread(target=kill_one, args=(os.getpid(), catalog, killed))
    killer.start()
    process(order, Diffusers(base), silent)
    killer.join()
    assert killed
    assert made(catalog, attempts) == expected
    assert catalog.left(order.stage) == 0
    assert catalog.check() == []
    assert worker_pids(os.getpid()) == []


@pytest.mark.slow
def test_the_driver_killed_and_started_again(base, expected, tmp_path):
    catalog, order, attempts = listed(tmp_path, base, Crew(executor="process", workers=2, lease=3), rounds=2)
    program = "import pickle, sys; from artmint.run.executors import process; process(pickle.load(sys.stdin.buffer), None, lambda made, asked: print(made, flush=True))"
    driver = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    driver.stdin.write(pickle.dumps(order))
    driver.stdin.close()
    next(line for line in driver.stdout if int(line) > 0)
    left = worker_pids(driver.pid)
    driver.kill()
    driver.wait()
    driver.stdout.close()
    missing = order_of(catalog, Diffusers(base), attempts, order.crew)
    assert left
    assert missing.stage == order.stage
    assert len(missing.batches) < len(order.batches)
    if missing.batches:
        process(missing, Diffusers(base), silent)
    assert made(catalog, attempts) == expected
    assert catalog.check() == []
    deadline = time.monotonic() + 120
    while any(Path(f"/proc/{pid}").exists() for pid in left) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in left)  # a worker without a driver ends by itself


@pytest.mark.slow
def test_another_machine_is_turned_away(base, tmp_path):
    catalog, order, attempts = listed(tmp_path, base, Crew(executor="process", workers=1))
    catalog.put(
        "canary",
        room._canary(attempts[0].recipe).dna,
        {"pixel_digest": "0" * 64, "environment": {"cpu": "another"}},
    )
    for executor in (serial, process):
        with pytest.raises(CanaryDiffers, match="another") as refusal:
            executor(order, Diffusers(base), silent)
    assert refusal.value.expected == "0" * 64
    assert catalog.all("artifact") == {}
    assert catalog.left(order.stage) == len(order.batches)


def test_the_first_worker_sets_the_canary(base, tmp_path):
    catalog, _, attempts = listed(tmp_path, base)
    got = room.reproduce_canary(catalog, Diffusers(base), attempts[0].recipe)
    assert catalog.get("canary", room._canary(attempts[0].recipe).dna)["pixel_digest"] == got


def test_workers_that_always_die_are_given_up(base, tmp_path, monkeypatch):
    catalog, order, _ = listed(tmp_path, base, Crew(executor="process", workers=1))
    monkeypatch.setattr(executors.sys, "executable", "/bin/false")
    with pytest.raises(WorkersLost) as refusal:
        process(order, Diffusers(base), silent)
    assert refusal.value.count == 3
    assert "code 1" in str(refusal.value)


@pytest.mark.slow
def test_batches_are_full_and_the_list_outlives_what_is_made(base, tmp_path):
    catalog, order, attempts = listed(tmp_path, base)
    assert [len(part) for part in order.batches.values()] == [4] * (len(attempts) // 4)
    generate(catalog, Diffusers(base), next(iter(order.batches.values())))
    again = order_of(catalog, Diffusers(base), attempts, Crew())
    assert again.stage == order.stage
    assert list(again.batches) == list(order.batches)[1:]


@pytest.mark.slow
def test_a_worker_loads_the_base_as_the_collection_says_it_is(tmp_path):
    said = load_base(files=BaseFiles(prediction_type="epsilon"))
    order = order_of(Catalog(tmp_path), Diffusers(said), [], Crew())
    assert open_painter(order.source).digest == said.digest != load_base().digest


def test_an_order_that_cannot_be_rendered_is_refused_before_anything_is_listed(base, tmp_path):
    catalog, _, attempts = listed(tmp_path, base)
    wrong = attempts[0].model_copy(
        update={"recipe": attempts[0].recipe.model_copy(update={"scheduler": "Heun"})}
    )
    with pytest.raises(UnknownChoice, match="Heun"):
        order_of(catalog, Diffusers(base), [wrong], Crew())


@pytest.mark.parametrize(
    "text, said", [("executor = 'spark'", "executor"), ("workers = 0", "workers"), ("speed = 3", "speed")]
)
def test_a_crew_that_makes_no_sense_is_refused(tmp_path, text, said):
    (tmp_path / "studio.toml").write_text(f"[workers]\n{text}\n")
    with pytest.raises(BadSettings, match=said):
        room.crew_of(tmp_path)


def test_what_is_given_goes_before_studio_toml(tmp_path):
    (tmp_path / "studio.toml").write_text("[workers]\nexecutor = 'process'\nworkers = 4\n")
    assert room.crew_of(tmp_path) == Crew(executor="process", workers=4)
    assert room.crew_of(tmp_path, executor="", workers=2) == Crew(executor="process", workers=2)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", pytest.param("process", marks=pytest.mark.slow)])
def test_a_broken_picture_stops_no_crew(base, tmp_path, executor):
    "The batch is done, its other pictures are kept, and a batch of broken ones alone is no end of the call."
    catalog = Catalog(tmp_path)
    look = {"base": base.digest, "prompt": "waves", "steps": 2, "width": 64, "height": 64, "profile": "fast"}
    facts = [{"guidance": 1e38}, {}, {"guidance": 1e38, "steps": 3}]  # the last is a batch of its own
    attempts = [
        Attempt(slot=1, attempt=i + 1, recipe=Recipe(seed=i, **look | more)) for i, more in enumerate(facts)
    ]
    for _ in range(2):
        made = generate_by(Crew(executor=executor), catalog, Diffusers(base), attempts)
        assert [artifact.dna for artifact in made] == [attempts[1].recipe.dna]
    assert set(catalog.all("stopped")) == {attempts[0].recipe.dna, attempts[2].recipe.dna}
    with pytest.raises(NothingButBroken):
        generate_by(Crew(executor=executor), catalog, Diffusers(base), attempts[::2])
