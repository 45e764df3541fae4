"Runs with names: asked once, in turn, held by one, whatever is asked of them when."

import json
import multiprocessing
import time
from collections import Counter

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from artmint.core.canon import Refusal
from artmint.core.collection import example
from artmint.service.queue import (
    MOST_CLAIMS,
    ExpiredRun,
    NoSuchBatch,
    NoSuchPlace,
    NoSuchRun,
    NotNow,
    OtherRequest,
    Queue,
    RunPages,
)
from artmint.studio.catalog import RECORD_TABLE, Catalog, LostLease

SPAWN = multiprocessing.get_context("spawn")


def batch_files(folder):
    "Three batches of two collections."
    folder.mkdir(exist_ok=True)
    for name, collection in (("moons", "demo"), ("more-moons", "demo"), ("tides", "demo-lora")):
        place = example(f"collections/{collection}")
        body = (
            f'name = "{name}"\ncollection = "{place}"\nquantity = 4\nstages = ["00_seeds", "15_generate"]\n'
        )
        (folder / f"{name}.toml").write_text(body)
    return folder


@pytest.fixture
def queue(tmp_path):
    return Queue(Catalog(tmp_path / "studio"), batch_files(tmp_path / "batches"))


def states(queue, id):
    return [json.loads(row.body)["state"] for row in queue.catalog.rows_of("run-state", [id])]


def test_the_same_request_is_the_same_run_after_a_restart_too(queue):
    asked = {"batch": "moons", "quantity": 2, "priority": 3, "parameters": {"15_generate": {"look_after": 2}}}
    first = queue.submit("a", asked)
    again = Queue(Catalog(queue.catalog.folder), queue.batches)
    assert again.submit("a", {**asked, "first": "", "drop": None}) == first
    assert states(queue, "a") == ["queued"]
    for other in ({**asked, "quantity": 3}, {"batch": "moons"}, {**asked, "priority": 4}):
        with pytest.raises(OtherRequest):
            again.submit("a", other)


@pytest.mark.parametrize(
    ("id", "request_", "refusal"),
    [
        ("a/b", {"batch": "moons"}, "letters, digits"),
        ("..", {"batch": "moons"}, "letters, digits"),
        ("", {"batch": "moons"}, "letters, digits"),
        ("x" * 65, {"batch": "moons"}, "at most 64"),
        ("a\x00", {"batch": "moons"}, "letters, digits"),
        ("a", {"batch": "../moons"}, "without folder"),
        ("a", {"batch": "stars"}, "there are"),
        ("a", {}, "batch"),
        ("a", {"batch": "moons", "speed": 3}, "speed"),
        ("a", {"batch": "moons", "quantity": 0}, "1 or more"),
        ("a", {"batch": "moons", "quantity": "4"}, "quantity"),
        ("a", {"batch": "moons", "quantity": True}, "quantity"),
        ("a", {"batch": "moons", "quantity": 2**40}, "quantity"),
        ("a", {"batch": "moons", "first_slot": 15}, "1 to 16"),
        ("a", {"batch": "moons", "priority": 10**6}, "1000"),
        ("a", {"batch": "moons", "not_before": "tomorrow"}, "not_before"),
        ("a", {"batch": "moons", "not_before": "2026-12-24T18:00:00"}, "zone"),
        ("a", {"batch": "moons", "not_before": "9999-12-31T23:59:59-12:00"}, "2999"),
        ("a", {"batch": "moons", "first": "45_dance"}, "45_dance"),
        ("a", {"batch": "moons", "first": "generate", "last": "seeds"}, "15_generate"),
        ("a", {"batch": "moons", "parameters": {"00_seeds": {"slow": 1}}}, "slow"),
        ("a", {"batch": "moons", "parameters": {"15_generate": {"look_after": "many"}}}, "look_after"),
        ("a", {"batch": "moons", "parameters": {"30_mint": {"quantity": 1}}}, "30_mint"),
        ("a", {"batch": "moons", "parameters": {"15_generate": {"look_after": float("nan")}}}, "NaN|nan"),
        ("a", {"batch": "moons", "parameters": {"00_seeds": [1]}}, "parameters"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_recorded(queue, id, request_, refusal):
    with pytest.raises(Refusal, match=refusal):
        queue.submit(id, request_)
    assert queue.page() == ([], "")
    assert queue.catalog.keys("run") == set()


def test_a_batch_file_that_was_broken_since_is_named(queue):
    (queue.batches / "moons.toml").write_text("name = ")
    with pytest.raises(Refusal, match="moons.toml"):
        queue.submit("a", {"batch": "moons"})
    with pytest.raises(NoSuchBatch, match="tides"):
        queue.submit("a", {"batch": "gone"})


def test_runs_come_in_the_order_of_priority_then_time(queue):
    queue.submit("low", {"batch": "tides", "priority": -1})
    queue.submit("first", {"batch": "moons"})
    queue.submit("urgent", {"batch": "more-moons", "priority": 5})
    queue.submit("later", {"batch": "moons", "not_before": "2126-01-01T00:00:00Z", "priority": 9})
    assert queue.claim("w1", 60) == "urgent"
    assert queue.claim("w2", 60) == "low"  # first is of urgent's collection, which is held
    assert queue.claim("w3", 60) is None
    queue.settle("urgent", "w1", "done")
    assert queue.claim("w3", 60) == "first"
    assert queue.view("later").not_before.startswith("2126")
    queue.change("later", not_before="")
    queue.settle("first", "w3", "done")
    assert queue.claim("w3", 60) == "later"


def test_a_dead_workers_run_is_anothers_and_the_dead_one_cannot_end_it(queue):
    queue.submit("a", {"batch": "moons"})
    assert queue.claim("w1", 0.05) == "a"
    time.sleep(0.1)
    assert queue.claim("w2", 60) == "a"
    with pytest.raises(LostLease):
        queue.settle("a", "w1", "done")
    with pytest.raises(LostLease):
        queue.tell("a", "w1", 60)
    queue.settle("a", "w2", "done", address="embedded:0x1")
    assert states(queue, "a") == ["queued", "running", "running", "done"]
    assert queue.view("a").address == "embedded:0x1"


def test_a_run_whose_workers_die_is_taken_for_the_cause(queue):
    queue.submit("a", {"batch": "moons"})
    for number in range(MOST_CLAIMS):
        assert queue.claim(f"w{number}", 60) == "a"
        queue.lose("a", f"w{number}", 0)
    assert queue.claim("w", 60) is None
    view = queue.view("a")
    assert (view.state, view.error.name) == ("failed", "WorkersDied")
    assert queue.resume("a").state == "queued"
    assert queue.claim("w", 60) == "a"


def test_what_is_asked_of_a_running_run_is_told_to_its_worker(queue):
    queue.submit("a", {"batch": "moons"})
    queue.claim("w", 60)
    assert queue.cancel("a").asked == "cancel"
    assert queue.tell("a", "w", 60, {"stage": "15_generate", "done": 1, "total": 3}) == "cancel"
    assert (queue.view("a").done, queue.view("a").total) == (1, 3)
    queue.settle("a", "w", "cancelled")
    assert queue.claim("w", 60) is None
    assert queue.cancel("a").state == "cancelled"
    assert states(queue, "a") == ["queued", "running", "cancelled"]


def test_a_run_that_nobody_holds_any_more_is_cancelled_at_once(queue):
    queue.submit("a", {"batch": "moons"})
    queue.claim("w", 0.01)
    time.sleep(0.05)
    assert queue.cancel("a").state == "cancelled"
    with pytest.raises(LostLease):
        queue.tell("a", "w", 60)


def test_what_does_not_fit_a_runs_state_is_refused_by_name(queue):
    queue.submit("a", {"batch": "moons"})
    queue.claim("w", 60)
    queue.settle("a", "w", "done")
    for verb in (queue.cancel, queue.pause, queue.resume):
        with pytest.raises(NotNow, match="done"):
            verb("a")
    with pytest.raises(NotNow):
        queue.change("a", priority=3)
    with pytest.raises(NoSuchRun):
        queue.view("b")


def test_runs_long_over_expire_and_others_never(queue, monkeypatch):
    for id in ("over", "waits"):
        queue.submit(id, {"batch": "moons"})
    queue.claim("w", 60)
    queue.settle("over", "w", "done")
    short = RunPages(queue.catalog, queue.batches, days=0.0)
    time.sleep(0.01)
    with pytest.raises(ExpiredRun):
        short.view("over")
    assert [view.id for view in short.page()[0]] == ["waits"]


@pytest.mark.slow
def test_pages_go_through_all_runs_once(queue):
    for number in range(23):
        queue.submit(f"r{number}", {"batch": "moons"})
    queue.cancel("r7")
    seen, after = [], ""
    while True:
        views, after = queue.page(after=after, limit=5)
        seen += [view.id for view in views]
        if not after:
            break
    assert seen == [f"r{number}" for number in reversed(range(23))]
    assert [view.id for view in queue.page("cancelled")[0]] == ["r7"]
    assert queue.counts() == {"queued": 22, "cancelled": 1}
    for after in ("r3", "²", "9" * 40):
        with pytest.raises(NoSuchPlace, match="No page of runs ended"):
            queue.page(after=after)
    assert queue.page(after="9" * 18, limit=1)[0][0].id == "r22"


@pytest.mark.slow
def test_more_runs_may_be_in_a_state_than_a_query_takes_values(queue):
    catalog = queue.catalog
    queue.submit("first", {"batch": "moons"})
    with catalog.together() as writing:
        same = {"kind": "run-state", "once": False, "body": '{"state":"queued"}', "at": 0.0}
        same |= {"digest": "", "seal": "", "version": 1}
        rows = [same | {"key": f"x{number}"} for number in range(33_000)]
        writing.execute(sa.insert(RECORD_TABLE), rows)
    assert [view.id for view in queue.page("queued")[0]] == ["first"]


def test_gc_of_finished_jobs_leaves_runs_resumable(queue):
    queue.submit("a", {"batch": "moons"})
    queue.claim("w", 60)
    queue.settle("a", "w", "failed", error={"name": "X", "message": "y", "exit_code": 1})
    queue.catalog.finished_jobs(forget=True)
    assert queue.view("a").error.message == "y"
    assert queue.resume("a").state == "queued"
    assert queue.claim("w", 60) == "a"


def _claims(folder, batches, name, seen):
    "A process that claims and settles until nothing is left."
    queue = Queue(Catalog(folder), batches)
    while queue.counts().get("done", 0) < 24:
        id = queue.claim(name, 60)
        if id is None:
            time.sleep(0.01)
            continue
        seen.put((id, name))
        queue.settle(id, name, "done")


@pytest.mark.slow
def test_processes_share_the_queue_without_overlap(queue):
    for number in range(24):
        queue.submit(f"r{number}", {"batch": ("moons", "tides")[number % 2]})
    seen = SPAWN.Queue()
    crew = [
        SPAWN.Process(target=_claims, args=(queue.catalog.folder, queue.batches, f"w{n}", seen))
        for n in range(2)
    ]
    for process in crew:
        process.start()
    for process in crew:
        process.join(60)
        assert process.exitcode == 0
    taken = Counter(seen.get(timeout=5)[0] for _ in range(24))
    assert taken == {f"r{number}": 1 for number in range(24)}


class Runs(RuleBasedStateMachine):
    "People and workers do what they like; one model says what each run must be."

    ids = st.sampled_from(["a", "b", "c"])
    workers = st.sampled_from(["w1", "w2"])

    @initialize()
    def begin(self):
        import tempfile
        from pathlib import Path

        folder = Path(tempfile.mkdtemp())
        self.queue = Queue(Catalog(folder / "studio"), batch_files(folder / "batches"))
        self.batch = {"a": "moons", "b": "more-moons", "c": "tides"}
        self.state = {}
        self.holder = {}
        self.asked = {}

    @rule(id=ids)
    def submit(self, id):
        self.queue.submit(id, {"batch": self.batch[id]})
        self.state.setdefault(id, "queued")

    @precondition(lambda self: self.state)
    @rule(data=st.data(), verb=st.sampled_from(["cancel", "pause", "resume"]))
    def ask(self, data, verb):
        id = data.draw(st.sampled_from(sorted(self.state)))
        before = self.state[id]
        goal = {"cancel": "cancelled", "pause": "paused", "resume": "queued"}[verb]
        fits = {
            "cancel": ("queued", "running", "paused", "waiting", "failed"),
            "pause": ("queued", "running"),
            "resume": ("paused", "waiting", "failed", "cancelled", "running"),
        }[verb]
        if before == goal:
            getattr(self.queue, verb)(id)
        elif before not in fits:
            with pytest.raises(NotNow):
                getattr(self.queue, verb)(id)
        elif before == "running":
            getattr(self.queue, verb)(id)
            self.asked[id] = "" if verb == "resume" else verb
        else:
            getattr(self.queue, verb)(id)
            self.state[id] = goal

    @rule(worker=workers)
    def claim(self, worker):
        held = {{"a": 1, "b": 1, "c": 2}[id] for id in self.holder}
        free = [id for id, state in self.state.items() if state == "queued"]
        free = [id for id in free if {"a": 1, "b": 1, "c": 2}[id] not in held]
        id = self.queue.claim(worker, 60)
        assert (id is None) == (not free)
        if id:
            assert id in free
            self.state[id], self.holder[id], self.asked[id] = "running", worker, ""

    @precondition(lambda self: self.holder)
    @rule(
        data=st.data(), state=st.sampled_from(["done", "failed", "waiting", "queued", "paused", "cancelled"])
    )
    def settle(self, data, state):
        id = data.draw(st.sampled_from(sorted(self.holder)))
        worker = self.holder.pop(id)
        assert self.queue.tell(id, worker, 60) == self.asked[id]
        self.queue.settle(id, worker, state)
        if self.asked[id] and state in ("queued", "waiting"):
            state = {"cancel": "cancelled", "pause": "paused"}[self.asked[id]]
        self.state[id] = state

    @invariant()
    def every_run_is_what_the_model_says(self):
        for id, state in getattr(self, "state", {}).items():
            assert self.queue.view(id).state == state


Runs.TestCase.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
TestRuns = Runs.TestCase


def test_runs_of_one_drop_share_its_batch_whoever_asks(queue):
    "A part that is run later finds what an earlier run of the same drop finished."
    from artmint.service.queue import RunRequest, batch_of

    def named(**asked):
        return batch_of(RunRequest(batch="moons", **asked), queue.batches).name

    second = named(drop=2, first_slot=5)
    assert second == named(drop=2, first_slot=5, quantity=4, first="15_generate") == "moons-2-5-4"
    assert named() == named(drop=1, quantity=4) == "moons"
    assert named(parameters={"15_generate": {"look_after": 2}}) == "moons"


@pytest.mark.parametrize("state", ["queued", "waiting"])
@pytest.mark.parametrize(("verb", "becomes"), [("cancel", "cancelled"), ("pause", "paused")])
def test_what_was_asked_last_counts_however_a_hold_ends(queue, state, verb, becomes):
    queue.submit("a", {"batch": "moons"})
    queue.claim("w", 60)
    getattr(queue, verb)("a")
    queue.settle("a", "w", state)
    assert queue.view("a").state == becomes
    assert queue.claim("w", 60) is None


def test_an_answer_that_comes_late_brings_no_cancelled_run_back(queue):
    queue.submit("a", {"batch": "moons"})
    queue.claim("w", 60)
    queue.settle("a", "w", "waiting", waiting=[1])
    queue.cancel("a")
    assert queue.resume_waiting("a").state == "cancelled"
    assert queue.claim("w", 60) is None


def test_a_run_whose_collection_is_held_is_tried_again_without_a_word(queue):
    "Hours of somebody's own run are no thousands of events."
    queue.submit("a", {"batch": "moons"})
    for _ in range(3 * MOST_CLAIMS):
        assert queue.claim("w", 60) == "a"
        queue.put_back("a", "w", 0)
        assert queue.view("a").state == "queued"
    assert states(queue, "a") == ["queued", "running"]
    queue.claim("w", 60)
    queue.settle("a", "w", "done")
    assert states(queue, "a") == ["queued", "running", "done"]


def test_changes_from_many_threads_wait_for_each_other(queue):
    "Nobody who holds the lock waits for a connection that those who wait for it hold."
    from concurrent.futures import ThreadPoolExecutor

    for number in range(40):
        queue.submit(f"r{number}", {"batch": "moons"})
    with ThreadPoolExecutor(40) as crowd:
        views = list(crowd.map(queue.cancel, [f"r{number}" for number in range(40)]))
    assert {view.state for view in views} == {"cancelled"}


def test_a_run_that_is_known_is_told_without_its_batch_file(queue):
    "A script that asks again isn't told that there is no such run."
    first = queue.submit("a", {"batch": "moons"})
    (queue.batches / "moons.toml").unlink()
    assert queue.known("a", {"batch": "moons"}) == first == queue.submit("a", {"batch": "moons"})
    assert queue.known("b", {"batch": "moons"}) is None
    with pytest.raises(OtherRequest):
        queue.known("a", {"batch": "tides"})
