"Records, blobs and leases, with real processes, real kills and real damage."

import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from artmint.core.canon import NotPlainJSON, digest
from artmint.studio.catalog import (
    JOB_TABLE,
    MIGRATIONS,
    Catalog,
    CatalogReplaced,
    ForkedInUse,
    LostLease,
    MissingRecord,
    NewerCatalog,
    RecordConflict,
    UnknownDatabase,
    UnwatchedKind,
    _claiming,
)
from artmint.studio.files import ReadOnlyStudio, hold_studio
from tests.hosts import (
    _work,
    _write_slots,
    keys_are_found_by_their_beginnings,
    killed,
    news_reach_who_watches,
)
from tests.readonly import to_be_read

SPAWN = multiprocessing.get_context("spawn")


def raw(catalog: Catalog, statement: str, *values) -> list:
    "Run SQL behind the catalog's back."
    connection = sqlite3.connect(catalog.folder / "catalog.sqlite")
    rows = connection.execute(statement, values).fetchall()
    connection.commit()
    connection.close()
    return rows


# ------------------------------------------------------------------ records


def test_a_record_is_written_once(catalog):
    first = catalog.put("slot", "demo/1", {"traits": {"a": "x"}})
    assert first == digest({"traits": {"a": "x"}}) == catalog.put("slot", "demo/1", {"traits": {"a": "x"}})
    with pytest.raises(RecordConflict) as caught:
        catalog.put("slot", "demo/1", {"traits": {"a": "y"}})
    assert (caught.value.kind, caught.value.key, caught.value.old) == ("slot", "demo/1", first)
    assert catalog.get("slot", "demo/1") == {"traits": {"a": "x"}}
    assert raw(catalog, "SELECT count(*) FROM record") == [(1,)]


def test_a_set_of_records_is_written_whole_or_not_at_all(catalog):
    catalog.put("slot", "demo/2", {"v": 2})
    with pytest.raises(RecordConflict):
        catalog.put_all("slot", {"demo/1": {"v": 1}, "demo/2": {"v": 3}})
    with pytest.raises(NotPlainJSON):
        catalog.put_all("slot", {"demo/1": {"v": 1}, "demo/3": {"v": float("nan")}})
    assert list(catalog.all("slot")) == ["demo/2"]
    catalog.put_all("slot", {f"demo/{i}": {"v": i} for i in range(1200)})
    catalog.put_all("slot", {f"demo/{i}": {"v": i} for i in range(1200)})
    assert len(catalog.all("slot")) == 1200
    assert catalog.put_all("slot", {}) == {}


def test_appended_records_keep_their_history(catalog):
    for verdict in ("review", "reject", "review"):
        catalog.append("decision", "demo/1/1", {"verdict": verdict})
    catalog.append("decision", "demo/1/2", {"verdict": "accept"})
    catalog.append("decision", "demo/10/1", {"verdict": "accept"})
    assert [body["verdict"] for body in catalog.history("decision", "demo/1/1")] == [
        "review",
        "reject",
        "review",
    ]
    assert list(catalog.all("decision", "demo/1/")) == ["demo/1/1", "demo/1/2"]
    assert catalog.all("decision", "demo/1/")["demo/1/1"] == {"verdict": "review"}
    assert list(catalog.all("decision", "demo/%")) == []


def test_what_is_missing_is_named(catalog):
    assert catalog.find("edition", "demo/1") is None
    assert catalog.history("edition", "demo/1") == []
    assert catalog.all("edition") == {}
    with pytest.raises(MissingRecord, match="edition demo/1"):
        catalog.get("edition", "demo/1")


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)


SCALARS = st.none() | st.booleans() | NUMBERS | TEXT


def _containers(inner: st.SearchStrategy) -> st.SearchStrategy:
    "Lists and tables of these values."
    return st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)


JSON = st.dictionaries(TEXT, st.recursive(SCALARS, _containers, max_leaves=6), max_size=4)


def test_any_plain_json_comes_back(tmp_path):
    catalog = Catalog(tmp_path)

    @settings(max_examples=40, deadline=None)
    @given(JSON)
    def comes_back(body):
        key = catalog.append("any", "key", body)
        assert catalog.get("any", "key") == body
        assert key == digest(body)

    comes_back()
    assert catalog.check() == []


def test_records_survive_in_another_process(catalog):
    catalog.put("slot", "demo/1", {"é": "東京"})
    code = "import sys, json; from artmint.studio.catalog import Catalog; print(json.dumps(Catalog(sys.argv[1]).get('slot', 'demo/1')))"
    command = [sys.executable, "-c", code, str(catalog.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"é": "東京"}


def test_what_was_appended_survives_a_kill(catalog):
    code = (
        "import sys; from artmint.studio.catalog import Catalog\nc = Catalog(sys.argv[1])\n"
        "for i in range(10**6):\n    c.append('transaction', 'demo', {'i': i}); print('ready' if i > 20 else 'written', i, flush=True)"
    )
    last = int(killed(code, catalog.folder).split()[1])
    rows = [body["i"] for body in catalog.history("transaction", "demo")]
    assert rows == list(range(len(rows)))
    assert len(rows) > last
    assert catalog.check() == []
    assert raw(catalog, "PRAGMA journal_mode") == [("wal",)]
    with catalog.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL


@pytest.mark.slow
def test_processes_that_open_and_write_at_once_agree(tmp_path):
    answers = SPAWN.Queue()
    workers = [
        SPAWN.Process(target=_write_slots, args=(str(tmp_path), value, answers)) for value in (1, 2, 3)
    ]
    for worker in workers:
        worker.start()
    assert sum(answers.get(timeout=60) for _ in workers) == 50  # every odd key has one winner and two refused
    for worker in workers:
        worker.join()
    catalog = Catalog(tmp_path)
    assert len(catalog.all("slot")) == 50
    assert catalog.check() == []


def test_threads_and_forked_children_share_a_catalog(catalog):
    threads = [
        threading.Thread(target=lambda i=i: [catalog.append("score", f"{i}/{j}", {}) for j in range(20)])
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    child = os.fork()
    if not child:
        try:
            catalog.append("score", "child", {})
        finally:
            os._exit(0)
    catalog.append("score", "parent", {})
    os.waitpid(child, 0)
    assert len(catalog.all("score")) == 82
    assert catalog.check() == []


def test_what_a_forked_child_writes_outlives_its_parents_catalog(tmp_path):
    mine = Catalog(tmp_path)
    mine.put("slot", "parent", {})
    told, tell = os.pipe()
    go, let_go = os.pipe()
    child = os.fork()
    if not child:
        theirs = Catalog(tmp_path)
        theirs.put("slot", "child, early", {})
        os.write(tell, b".")
        os.read(go, 1)
        theirs.put("slot", "child, late", {})
        os._exit(0)
    os.read(told, 1)
    mine.close()  # the last connection of a process takes the write-ahead log along
    os.write(let_go, b".")
    os.waitpid(child, 0)
    assert set(Catalog(tmp_path).all("slot")) == {"parent", "child, early", "child, late"}


@pytest.mark.parametrize("again", [False, True], ids=["the same object", "another"])
def test_a_child_forked_while_the_catalog_was_in_use_is_refused(tmp_path, again):
    mine = Catalog(tmp_path)
    reading, writing = os.pipe()
    with mine.together():
        child = os.fork()
        if not child:
            try:
                (Catalog(tmp_path) if again else mine).put("slot", "child", {})
            except ForkedInUse as refusal:
                os.write(writing, str(refusal).encode())
            finally:
                os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as said:
        assert "was in use at the moment" in said.read()
    mine.put("slot", "parent", {})
    assert set(Catalog(tmp_path).all("slot")) == {"parent"}


def test_keys_are_found_by_their_beginnings(catalog):
    keys_are_found_by_their_beginnings(catalog)


# ------------------------------------------------------------------ layout


def test_a_newer_layout_is_left_alone(catalog):
    raw(catalog, "UPDATE meta SET value = ?", str(len(MIGRATIONS) + 1))
    with pytest.raises(NewerCatalog) as caught:
        Catalog(catalog.folder)
    assert (caught.value.layout, caught.value.latest) == (len(MIGRATIONS) + 1, len(MIGRATIONS))


def test_an_older_layout_is_brought_forward(catalog, monkeypatch):
    import sqlalchemy as sa

    from artmint.studio import catalog as module

    catalog.put("slot", "demo/1", {"v": 1})
    monkeypatch.setattr(
        module,
        "MIGRATIONS",
        (
            *MIGRATIONS,
            lambda connection: connection.execute(sa.text("ALTER TABLE record ADD COLUMN note TEXT")),
        ),
    )
    assert Catalog(catalog.folder).get("slot", "demo/1") == {"v": 1}
    assert raw(catalog, "SELECT value FROM meta") == [(str(len(MIGRATIONS) + 1),)]
    assert "note" in [row[1] for row in raw(catalog, "PRAGMA table_info(record)")]


def test_a_failed_step_leaves_the_old_layout(catalog, monkeypatch):
    import sqlalchemy as sa

    from artmint.studio import catalog as module

    def broken(connection: sa.Connection) -> None:
        connection.execute(sa.text("ALTER TABLE record ADD COLUMN note TEXT"))
        raise RuntimeError("power")

    monkeypatch.setattr(module, "MIGRATIONS", (*MIGRATIONS, broken))
    with pytest.raises(RuntimeError, match="power"):
        Catalog(catalog.folder)
    assert raw(catalog, "SELECT value FROM meta") == [(str(len(MIGRATIONS)),)]
    assert "note" not in [row[1] for row in raw(catalog, "PRAGMA table_info(record)")]


def test_another_kind_of_database_is_refused(tmp_path):
    with pytest.raises(UnknownDatabase, match="mysql"):
        Catalog(tmp_path, "mysql+pymysql://host/db")


# ------------------------------------------------------------------ leases


def test_a_lease_is_taken_renewed_finished(catalog):
    for stage in ("generate", "score"):
        catalog.offer(stage, ["a", "b"])
    assert catalog.claim("generate", "ann", 60) == "a"
    assert catalog.claim("generate", "bob", 60) == "b"
    assert catalog.claim("generate", "cid", 60) is None
    assert catalog.claim("score", "cid", 60) == "a"
    catalog.renew("generate", "a", "ann", 60)
    catalog.done("generate", "a", "ann")
    catalog.done("generate", "a", "ann")
    catalog.release("generate", "ann")
    assert catalog.claim("generate", "cid", 60) is None
    assert catalog.left("generate") == 1
    catalog.release("generate", "bob")
    assert catalog.claim("generate", "cid", 60) == "b"
    assert catalog.finished_jobs() == 1 == catalog.finished_jobs(forget=True)
    assert catalog.finished_jobs() == 0
    assert catalog.left("score") == 2


def test_an_offer_leaves_what_is_held_and_opens_what_was_finished(catalog):
    catalog.offer("s", iter(["a", "b"]))
    assert [catalog.claim("s", "ann", 60) for _ in "ab"] == ["a", "b"]
    catalog.done("s", "b", "ann")
    catalog.offer("s", ["a", "b", "c"])
    assert [catalog.claim("s", "bob", 60) for _ in "abc"] == ["b", "c", None]


@pytest.mark.parametrize(
    "act",
    [
        lambda c: c.renew("s", "a", "bob", 1),
        lambda c: c.done("s", "a", "bob"),
        lambda c: c.done("s", "never", "ann"),
    ],
)
def test_anothers_lease_is_refused(catalog, act):
    catalog.offer("s", ["a"])
    catalog.claim("s", "ann", 60)
    with pytest.raises(LostLease):
        act(catalog)


def test_a_lease_that_ran_out_is_lost_to_the_next(catalog):
    catalog.offer("s", ["a"])
    catalog.claim("s", "ann", 0.02)
    time.sleep(0.03)
    catalog.renew("s", "a", "ann", 0.02)  # nobody came: it goes on
    time.sleep(0.03)
    assert catalog.claim("s", "bob", 60) == "a"
    with pytest.raises(LostLease):
        catalog.done("s", "a", "ann")


def test_a_killed_holders_work_is_taken_up(catalog):
    catalog.offer("s", ["a"])
    code = "import sys, time; from artmint.studio.catalog import Catalog; print('ready', Catalog(sys.argv[1]).claim('s', 'ann', 1.5), flush=True); time.sleep(60)"
    assert killed(code, catalog.folder) == "ready a"
    assert catalog.claim("s", "bob", 60) is None
    time.sleep(1.5)
    assert catalog.claim("s", "bob", 60) == "a"


@pytest.mark.slow
def test_processes_share_the_work_without_overlap(tmp_path):
    keys = [f"demo/{i}/1" for i in range(120)]
    answers = SPAWN.Queue()
    Catalog(tmp_path).offer("generate", keys)
    workers = [SPAWN.Process(target=_work, args=(str(tmp_path), f"w{i}", answers)) for i in range(3)]
    for worker in workers:
        worker.start()
    done = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert sorted(key for mine in done for key in mine) == sorted(keys)


# ------------------------------------------------------------------ ledger and check


def test_the_ledger_adds_up(catalog):
    catalog.spend("generate", "demo/1/1", 0.5)
    catalog.spend("generate", "demo/1/1", 0.25)
    catalog.spend("mint", "demo/1", 2, unit="wall")
    assert sum(line["amount"] for line in catalog.costs() if line["stage"] == "generate") == 0.75
    assert catalog.costs()[-1] == {"stage": "mint", "key": "demo/1", "amount": 2, "unit": "wall"}


@pytest.mark.parametrize(
    "change",
    [
        "body = replace(body, 'rings', 'waves')",
        "key = 'demo/2'",
        "kind = 'edition'",
        "parent = NULL",
        "digest = seal",
        "seal = digest",
        "body = body || ' '",
        "body = '{'",
        "once = 0",
    ],
)
def test_a_changed_row_is_named(catalog, change):
    parent = catalog.put("slot", "demo/9", {"motif": "truchet"})
    catalog.put("slot", "demo/1", {"motif": "rings"}, parent=parent)
    assert catalog.check() == []
    raw(catalog, f"UPDATE record SET {change} WHERE key = 'demo/1'")
    kind, key = raw(catalog, "SELECT kind, key FROM record WHERE id = 2")[0]
    assert catalog.check() == [f"{kind} {key}: row changed"]


def test_a_lost_picture_is_named(catalog):
    name = catalog.put_blob(b"a picture")
    catalog.put("artifact", "3/1", {"file_digest": name})
    assert catalog.check() == []
    catalog.blob_path(name).unlink()
    assert catalog.check() == [f"artifact 3/1: blob {name} is missing"]


# ------------------------------------------------------------------ news


def test_news_are_what_was_written_since_and_nothing_else(tmp_path):
    catalog = Catalog(tmp_path)
    assert catalog.news(0, ()) == (0, [])
    catalog.append("decision", "a", {"i": 1})
    now, rows = catalog.news(0, ("decision", "edition"))
    assert [(row.kind, row.key) for row in rows] == [("decision", "a")]
    catalog.append("cost", "b", {})
    catalog.put("edition", "demo/1", {"slot": 1})
    later, rows = catalog.news(now, ("decision", "edition"))
    assert [(row.kind, row.key, row.body) for row in rows] == [("edition", "demo/1", '{"slot":1}')]
    assert catalog.news(later, ("decision", "edition")) == (later, [])
    assert catalog.news(later + 1000, ("decision",)) == (later, [])  # of a catalog that was put back


def test_many_news_come_in_pieces_that_miss_nothing(tmp_path):
    catalog = Catalog(tmp_path)
    catalog.append_all("decision", [(f"{i}", {}) for i in range(25)])
    now, keys = 0, []
    for _ in range(4):
        now, rows = catalog.news(now, ("decision",), 10)
        keys += [row.key for row in rows]
    assert keys == [f"{i}" for i in range(25)]


@pytest.mark.slow
def test_news_from_other_processes_come_once_and_in_order(tmp_path):
    news_reach_who_watches([tmp_path, tmp_path], 60)


def test_news_read_no_record_from_before(tmp_path):
    catalog = Catalog(tmp_path)
    with catalog.engine.connect() as connection:
        query = "explain query plan select id from record where id > 5 and id <= 9 and kind || '' in ('decision') order by id"
        plan = connection.exec_driver_sql(query).fetchall()
    assert "SEARCH record USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in str(plan)


def test_a_catalog_whose_file_was_exchanged_takes_nothing_more(tmp_path):
    "What is written to a file that isn't there any more is acknowledged and lost."
    catalog = Catalog(tmp_path / "studio")
    catalog.put("slot", "demo/1", {"traits": {"a": "x"}})
    other = Catalog(tmp_path / "other")
    other.engine.dispose()
    os.replace(tmp_path / "other/catalog.sqlite", tmp_path / "studio/catalog.sqlite")
    with pytest.raises(CatalogReplaced) as refusal:
        catalog.put("slot", "demo/2", {"traits": {"a": "y"}})
    assert "Nothing was recorded" in str(refusal.value) and "-wal" in str(refusal.value)
    with pytest.raises(CatalogReplaced):
        catalog.find("slot", "demo/1")


def test_a_catalog_is_found_from_wherever_its_program_goes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    catalog = Catalog("studio")
    monkeypatch.chdir("/")
    assert catalog.put("slot", "demo/1", {"traits": {"a": "x"}})


# ------------------------------------------------------------------ counters


def test_a_number_is_written_by_one_of_many_who_come_at_once(catalog):
    catalog.set_counter("read", "ada", 7)
    assert not catalog.set_counter("read", "ada", 9, under=7) and catalog.set_counter(
        "read", "ada", 9, under=8
    )
    assert catalog.counters("read") == {"ada": 9.0} and catalog.counters("other") == {}
    answers = []
    several = [
        threading.Thread(target=lambda: answers.append(catalog.seldom("use", "ada", 60))) for _ in range(8)
    ]
    for one in several:
        one.start()
    for one in several:
        one.join()
    assert sorted(answers) == [False] * 7 + [True]


# ------------------------------------------------------------------ connections


def test_who_holds_the_write_lock_reads_while_forty_others_wait_for_it(catalog):
    "A server has forty threads; the one that holds the lock must not wait for a connection of theirs."
    with catalog.together() as connection:
        several = [threading.Thread(target=catalog.append, args=("slot", f"{n}", {})) for n in range(40)]
        for one in several:
            one.start()
        until = time.monotonic() + 10
        while catalog.engine.pool.checkedout() < 41:
            assert time.monotonic() < until, "the others wait for connections"
            time.sleep(0.01)
        catalog.add(connection, "decision", "a", {"i": 1})
        assert catalog.find("decision", "a") is None  # not yet for others
        inside = catalog.through(connection)
        assert inside.find("decision", "a") == {"i": 1} and inside.keys("decision") == {"a"}
    for one in several:
        one.join()
    assert catalog.find("decision", "a") == {"i": 1} and len(catalog.keys("slot")) == 40


def test_news_of_kinds_that_nobody_watches_are_refused(catalog):
    with pytest.raises(UnwatchedKind, match="slot.*Nothing was read"):
        catalog.news(0, ("decision", "slot"))


# ---------------------------------------------------------------- studios that can only be read


def _to_read(folder) -> None:
    "A studio with two records, which nobody has open."
    catalog = Catalog(folder)
    catalog.put("slot", "demo/1", {"n": 1})
    catalog.put("slot", "demo/2", {"n": 2})
    catalog.close()


def test_a_catalog_that_can_only_be_read_is_read_and_refuses_in_words(tmp_path):
    _to_read(tmp_path / "studio")
    with to_be_read(tmp_path / "studio") as place:
        catalog = Catalog(place)
        assert catalog.read_only
        assert catalog.get("slot", "demo/2") == {"n": 2}
        assert catalog.check() == []
        for write in (
            lambda: catalog.put("slot", "demo/3", {}),
            lambda: catalog.append("cost", "a", {}),
            lambda: catalog.offer("paint", ["a"]),
            lambda: catalog.claim("paint", "me", 1),
            lambda: catalog.set_counter("a", "b", 1.0),
        ):
            with pytest.raises(ReadOnlyStudio, match="can only be read"):
                write()
        with pytest.raises(ReadOnlyStudio), hold_studio(place, "gc"):
            pass
        catalog.close()


def test_what_a_writer_left_beside_a_catalog_is_read_too(tmp_path):
    "Killed in mid-work: the last records are in the file beside it, and nothing can be written to take them over."
    program = (
        "import os, sys; from artmint.studio.catalog import Catalog; c = Catalog(sys.argv[1]);"
        "[c.put('note', str(i), {'n': i}) for i in range(20)]; os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "studio")], check=False)
    assert (tmp_path / "studio" / "catalog.sqlite-wal").stat().st_size
    (tmp_path / "studio" / "catalog.sqlite-shm").unlink()
    with to_be_read(tmp_path / "studio") as place:
        catalog = Catalog(place)
        assert len(catalog.keys("note")) == 20
        catalog.close()


def test_an_older_catalog_that_can_only_be_read_is_read_and_stays_old(tmp_path):
    _to_read(tmp_path / "studio")
    path = tmp_path / "studio" / "catalog.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE counter")
        connection.execute("DROP TABLE delivery")
        connection.execute("UPDATE meta SET value = '3'")
        connection.commit()
    before = path.read_bytes()
    with to_be_read(tmp_path / "studio") as place:
        catalog = Catalog(place)
        assert catalog.get("slot", "demo/1") == {"n": 1}
        assert catalog.counters("any") == {}
        with pytest.raises(ReadOnlyStudio):
            catalog.put("slot", "demo/3", {})
        catalog.close()
    assert path.read_bytes() == before


def test_a_newer_catalog_is_refused_in_words_whether_it_can_be_written_or_not(tmp_path):
    _to_read(tmp_path / "studio")
    with closing(sqlite3.connect(tmp_path / "studio" / "catalog.sqlite")) as connection:
        connection.execute("UPDATE meta SET value = '99'")
        connection.commit()
    with pytest.raises(NewerCatalog, match="use the newer artmint"):
        Catalog(tmp_path / "studio")
    with to_be_read(tmp_path / "studio") as place, pytest.raises(NewerCatalog):
        Catalog(place)


def test_a_lease_that_a_wrong_clock_gave_holds_nobody_for_long(tmp_path, monkeypatch):
    "A clock that was a year ahead; a run that isn't to begin before next year still waits."
    catalog = Catalog(tmp_path)
    catalog.offer("paint", ["a"])
    now = time.time()
    monkeypatch.setattr("artmint.studio.catalog.time.time", lambda: now + 365 * 86_400)
    assert catalog.claim("paint", "ahead", 60) == "a"
    monkeypatch.setattr("artmint.studio.catalog.time.time", lambda: now)
    assert catalog.claim("paint", "me", 60) == "a"
    assert catalog.claim("paint", "another", 60) is None
    with catalog.together() as writing:
        writing.execute(sa.update(JOB_TABLE).values(worker="", until=now + 365 * 86_400))
    assert catalog.claim("paint", "me", 60) is None


def test_a_claim_reads_few_of_many_jobs_whichever_index_was_made_first(catalog):
    """SQLAlchemy makes a table's indices in no fixed order; of two that serve a query alike SQLite takes the one that was
    made first, and one of these holds every open job."""
    catalog.offer("runs", (f"{number:05}" for number in range(5_000)))
    with catalog.together() as writing:
        writing.execute(sa.update(JOB_TABLE).values(lane=JOB_TABLE.c.key))
    indices = {index.name: index for index in JOB_TABLE.indexes}
    for first, then in (("job_next", "job_held"), ("job_held", "job_next")):
        steps = []
        with catalog.together() as writing:
            for name in (first, then):
                indices[name].drop(writing)
            for name in (first, then):
                indices[name].create(writing)
        with catalog.together() as writing:
            writing.connection.dbapi_connection.set_progress_handler(lambda: steps.append(1) and None, 100)
            catalog.take(writing, "runs", "me", 60, lanes=True)
            writing.connection.dbapi_connection.set_progress_handler(None, 100)
        assert len(steps) < 50, f"{first} first: {100 * len(steps)} steps"


def test_a_claim_is_prepared_once(catalog):
    "Where an index depends on a bound value, SQLite prepares a statement anew each time."
    words = str(_claiming(True).compile(catalog.engine))
    assert words.count("worker != ''") == 3 and "worker != ?" not in words


def test_keys_are_passed_over_by_how_their_bodies_begin_letter_by_letter(catalog):
    for key, body in {
        "a": {"by": "machine"},
        "b": {"by": "Machine"},
        "c": {"at": 1, "by": "machine"},
    }.items():
        catalog.append("decision", key, body)
    catalog.append("decision", "d", {"by": "machine"})
    catalog.append("decision", "d", {"by": "mach%"})
    assert catalog.keys("decision", but='{"by":"machine"') == {"b", "c", "d"}
    assert catalog.keys("decision", but='{"by":"mach%') == {"a", "b", "c", "d"}
