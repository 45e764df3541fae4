"Workers: runs driven in processes of their own, through kills, stops and answers of people."

import os
import random
import subprocess
import sys
import threading
import time

import pytest

from artmint.core.collection import example
from artmint.judge.decisions import Action, ReviewSession, attempts_by_slot, record_action, record_asked
from artmint.run.obstacles import Foreseen
from artmint.run.runner import StageFailed, Stopped, WaitingForPeople
from artmint.run.sample import sample_studio
from artmint.seeds import load_collection
from artmint.service.queue import Queue
from artmint.service.work import RunProgress, RunWorker, _outcome_of, resume_answered
from artmint.studio.catalog import Catalog
from artmint.studio.files import StudioBusy, hold_studio


def batch_file(folder, name="small", stages='["00_seeds"]', quantity=2, collection="demo"):
    folder.mkdir(exist_ok=True)
    place = example(f"collections/{collection}")
    body = f'name = "{name}"\ncollection = "{place}"\nquantity = {quantity}\nstages = {stages}\n'
    (folder / f"{name}.toml").write_text(body)
    return folder


@pytest.fixture
def queue(tmp_path):
    return Queue(Catalog(tmp_path / "studio"), batch_file(tmp_path / "batches"))


def wait_for(what, seconds=60):
    "What is true at last."
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if outcome := what():
            return outcome
        time.sleep(0.05)
    raise AssertionError("it never came")


def test_a_run_is_driven_to_its_end_and_what_it_wrote_names_it(queue):
    queue.submit("monday", {"batch": "small"})
    said = []
    assert RunWorker(queue, "ann", say=said.append, environment=os.environ).work(once=True) == 1
    view = queue.view("monday")
    assert (view.state, [stage["name"] for stage in view.stages]) == ("done", ["00_seeds"])
    written = queue.catalog.news(0, ("stage", "run", "run-state"))[1]
    assert {row.run for row in written} == {"monday"}
    assert [line["event"] for line in said] == ["claimed", "released"]
    log = (queue.catalog.folder / "runs" / "small" / "run.log").read_text()
    assert "00_seeds: " in log
    assert (queue.catalog.folder / "runs" / "small" / "report.html").exists()


@pytest.mark.slow
def test_a_running_run_is_paused_and_taken_up_again(queue):
    queue.submit("monday", {"batch": "small"})
    over = threading.Event()
    worker = threading.Thread(
        target=RunWorker(queue, "ann", environment=os.environ).work, args=(over.is_set,)
    )
    worker.start()
    try:
        wait_for(lambda: queue.view("monday").stage)
        assert queue.pause("monday").asked == "pause"
        wait_for(lambda: queue.view("monday").state == "paused")
        queue.resume("monday")
        wait_for(lambda: queue.view("monday").state == "done")
    finally:
        over.set()
        worker.join(30)


@pytest.mark.slow
def test_a_run_whose_collection_somebody_else_holds_waits_for_its_turn(queue):
    queue.submit("monday", {"batch": "small"})
    with hold_studio(queue.catalog.folder, "a person's own run", "demo"):
        RunWorker(queue, "ann", environment=os.environ).work(once=True)
        assert queue.view("monday").state == "queued"
    time.sleep(3.1)
    RunWorker(queue, "ann", environment=os.environ).work(once=True)
    assert queue.view("monday").state == "done"


@pytest.mark.parametrize(
    ("error", "state", "name"),
    [
        (WaitingForPeople([3, 5], 2), "waiting", "WaitingForPeople"),
        (StudioBusy({"batch": "x", "since": "", "pid": 1, "host": "h"}), "busy", None),
        (Stopped("30_mint", "x.ipynb"), "stopped", None),
        (KeyboardInterrupt(), "stopped", None),
        (StageFailed("27_pin", "Unapproved", "nobody approved", "p", 4), "waiting", "Unapproved"),
        (Foreseen("30_mint", "WaveMoved", "the waves were changed", 4), "waiting", "WaveMoved"),
        (Foreseen("30_mint", "NoNode", "nobody named a node", 2), "failed", "NoNode"),
        (StageFailed("27_pin", "RootsDiffer", "other root", "p", 1), "failed", "RootsDiffer"),
        (MemoryError(), "failed", "MemoryError"),
    ],
)
def test_every_end_of_a_batch_is_a_state(error, state, name):
    outcome = _outcome_of(error)
    assert outcome["state"] == state
    assert (outcome.get("error") or {}).get("name") == name
    assert name is None or outcome["error"]["message"]


def test_progress_tells_the_time_that_is_left():
    progress = RunProgress()
    progress.take({"event": "started", "stage": "15_generate"})
    progress.take({"event": "progress", "stage": "15_generate", "done": 0, "of": 8})
    time.sleep(0.1)
    progress.take({"event": "progress", "stage": "15_generate", "done": 4, "of": 8})
    assert progress.facts["seconds_left"] == pytest.approx(0.1, abs=0.15)
    progress.take({"event": "started", "stage": "20_curate"})
    assert progress.facts == {"stage": "20_curate"}


def test_people_s_answers_queue_a_waiting_run_again(tmp_path):
    collection = load_collection(example())
    catalog = sample_studio(tmp_path / "studio", collection, "painted", quantity=2, drawn=True)
    queue = Queue(catalog, batch_file(tmp_path / "batches"))
    queue.submit("monday", {"batch": "small"})
    queue.claim("w", 60)
    catalog.run = "monday"
    record_asked(catalog, collection, "small", [1, 2])
    catalog.run = None
    queue.settle("monday", "w", "waiting", waiting=[1, 2])
    seen = resume_answered(queue, 0)
    made = attempts_by_slot(catalog, collection, range(1, 3))
    for slot in (1, 2):
        assert queue.view("monday").state == "waiting"
        dna = next(dna for dna, own in made.items() if own == slot)
        record_action(
            ReviewSession(catalog, collection, "Ada"), Action(id=f"a{slot}", dnas=(dna,), decision="accept")
        )
        seen = resume_answered(queue, seen)
    assert queue.view("monday").state == "queued"


def test_a_batch_file_that_is_gone_fails_its_run_and_no_worker(queue):
    queue.submit("monday", {"batch": "small"})
    (queue.batches / "small.toml").unlink()
    batch_file(queue.batches, "other", collection="demo-lora", stages='["00_nothing"]')
    said = []
    assert RunWorker(queue, "ann", say=said.append, environment=os.environ).work(once=True) == 1
    view = queue.view("monday")
    assert (view.state, view.error.name) == ("failed", "NoSuchBatch")


def _worker(queue):
    "A worker process of its own."
    words = ["--studio", queue.catalog.folder, "--batches", queue.batches, "--lease", "3"]
    program = "from artmint.__main__ import main; main()"
    return subprocess.Popen([sys.executable, "-c", program, "work", *words], stdout=subprocess.DEVNULL)


@pytest.mark.slow
def test_two_collections_of_a_studio_run_at_once(tmp_path):
    batches = batch_file(tmp_path / "batches", "moons")
    batch_file(batches, "tides", collection="demo-lora", stages='["00_seeds"]')
    queue = Queue(Catalog(tmp_path / "studio"), batches)
    queue.submit("a", {"batch": "moons"})
    queue.submit("b", {"batch": "tides"})
    crew = [_worker(queue), _worker(queue)]
    try:
        wait_for(lambda: queue.counts().get("running") == 2)
        wait_for(lambda: queue.counts() == {"done": 2})
    finally:
        for process in crew:
            process.terminate()
            assert process.wait(30) == 0


@pytest.mark.slow
def test_a_run_goes_on_whatever_is_killed(tmp_path):
    "Workers and the runs' own processes are killed at random; every run ends once, and nothing is left running."
    chance = random.Random(7)
    batches = batch_file(tmp_path / "batches", "moons", '["00_seeds", "42_gate"]')
    batch_file(batches, "tides", '["00_seeds"]', collection="demo-lora")
    queue = Queue(Catalog(tmp_path / "studio"), batches)
    for number in range(4):
        queue.submit(f"r{number}", {"batch": ("moons", "tides")[number % 2], "priority": number % 3})
    crew = [_worker(queue), _worker(queue)]
    for _ in range(8):
        time.sleep(chance.uniform(1, 5))
        victim = chance.randrange(2)
        crew[victim].kill()
        crew[victim].wait()
        crew[victim] = _worker(queue)
    try:
        wait_for(lambda: set(queue.counts()) <= {"done", "failed"}, 180)
    finally:
        for process in crew:
            process.terminate()
            process.wait(30)
    for number in range(4):
        rows = queue.catalog.rows_of("run-state", [f"r{number}"])
        ends = [row for row in rows if '"state":"done"' in row.body or '"state":"failed"' in row.body]
        assert len(ends) == 1, [row.body for row in rows]
