"Work that several processes and hosts share."

import json
import multiprocessing
import signal
import subprocess
import sys
from pathlib import Path

from artmint.core.records import Artifact
from artmint.generate import attempts_of
from artmint.run import workers as room
from artmint.run.executors import pictures_digest
from artmint.run.workers import Crew, order_of
from artmint.seeds import frozen_slots, load_collection
from artmint.studio.catalog import Catalog, RecordConflict
from artmint.make.engines import Diffusers

TINY = Path(__file__).parents[0] / "data" / "tiny"


def silent(made: int, asked: int) -> None:
    "Takes the progress."


def listed(folder: Path, base, crew: Crew = Crew(), rounds: int = 2) -> tuple[Catalog, room.Order, list]:
    "A studio in which the tiny collection is to be made: several rounds of attempts at once."
    catalog = Catalog(folder)
    tiny = load_collection(TINY)
    slots = frozen_slots(catalog, tiny, tiny.salt)
    attempts = [
        a
        for number in range(1, rounds + 1)
        for a in attempts_of(catalog, tiny, slots, tiny.salt, number, Diffusers(base))
    ]
    return catalog, order_of(catalog, Diffusers(base), attempts, crew), attempts


def made(catalog: Catalog, attempts: list) -> str:
    "The digest of all their pictures."
    return pictures_digest([Artifact(**catalog.get("artifact", a.recipe.dna)) for a in attempts])


def killed(code: str, *arguments, after: str = "ready") -> str:
    "Run Python in another process until it prints a line that begins with `after`, kill it with SIGKILL, and give that line."
    child = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    line = next(line for line in child.stdout if line.startswith(after))
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    return line.strip()


def _write_slots(folder: str, value: int, answers) -> None:
    "Try to write fifty records, and answer how many were refused."
    catalog = Catalog(folder)
    refused = 0
    for i in range(50):
        try:
            catalog.put("slot", f"demo/{i}", {"value": value if i % 2 else 0})
        except RecordConflict:
            refused += 1
    answers.put(refused)


KEYS = (
    "a/1",
    "a/10",
    "a/2/1",
    "a",
    "a.b/1",
    "a-b/1",
    "a0/1",
    "A/1",
    "aé/東",
    "a\U0001f600/1",
    "b/1",
    "%/1",
    "_/1",
)


def keys_are_found_by_their_beginnings(catalog: Catalog) -> None:
    "What every database must answer, whatever it thinks of the order of texts."
    catalog.append_all("cost", [(key, {"i": i}) for i, key in enumerate(KEYS * 2)])
    catalog.append("other", "z/1", {})
    for prefix in ("", "a", "a/", "a/1", "a0", "aé", "%", "_/", "c", "A/"):
        assert [row.key for row in catalog.rows("cost", prefix)] == [
            key for key in KEYS * 2 if key.startswith(prefix)
        ], prefix
    for wanted in ([], ["a/10", "nobody's", "a/1", "a/10"], [*KEYS, *map(str, range(2000))]):
        rows = [(row.key, json.loads(row.body)["i"]) for row in catalog.rows_of("cost", wanted)]
        assert rows == [(key, i) for i, key in enumerate(KEYS * 2) if key in wanted]
    assert sorted(catalog.heads("cost")) == sorted({key.split("/")[0] for key in KEYS})
    assert catalog.heads("nothing") == []


def _work(folder: str, worker: str, answers) -> None:
    "Claim and finish until nothing is left."
    catalog = Catalog(folder)
    mine = []
    while key := catalog.claim("generate", worker, 60):
        mine.append(key)
        catalog.done("generate", key, worker)
    answers.put(mine)


def _decide(folder: str, name: str, count: int) -> None:
    "Say so many things, some of them together, among records that nobody watches."
    catalog = Catalog(folder)
    for i in range(0, count, 3):
        catalog.append_all("decision", [(f"{name}-{i + j}", {"by": name}) for j in range(3)])
        catalog.append("cost", name, {"i": i})


def news_reach_who_watches(folders: list[Path], count: int = 120) -> None:
    "Processes decide at once, and somebody who asks again and again hears of every decision once, in order."
    catalog = Catalog(folders[0])
    now, _ = catalog.news(0, ())
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_decide, args=(str(folder), f"w{i}", count))
        for i, folder in enumerate(folders)
    ]
    for writer in writers:
        writer.start()
    numbers, keys = [], []
    over = False
    while not over:
        over = not any(writer.is_alive() for writer in writers)
        before = now
        now, rows = catalog.news(now, ("decision",), 7)
        over = over and not rows
        numbers += [row.id for row in rows]
        keys += [row.key for row in rows]
        assert all(before < row.id <= now for row in rows)
    assert numbers == sorted(numbers)
    assert sorted(keys) == sorted(f"w{i}-{n}" for i in range(len(folders)) for n in range(count))
