"""All numbers of a batch, and those of a small drop in it, from a catalog of 10^4, 10^5 and 10^6 rows.

Nine rows for each candidate, drawn at random.
"""

import random
import tempfile
from collections.abc import Iterator

from artmint.core.collection import Collection
from artmint.metrics import batch_history, kpis
from artmint.studio.catalog import Catalog
from artmint.studio.ledger import Money

from .measure import row, seconds
from .samples import demo

PART = 10_000


def fill(catalog: Catalog, count: int) -> None:
    "Nine rows for each of so many candidates, three of them at a slot."
    rng = random.Random(0)
    for start in range(0, count, PART):
        fill_part(catalog, range(start, min(start + PART, count)), rng)
    catalog.close()


def fill_part(catalog: Catalog, numbers: range, rng: random.Random) -> None:
    "The rows of candidates with these numbers."
    dna = {number: f"{number:064x}" for number in numbers}
    catalog.append_all("attempt", [attempt(number, dna[number]) for number in numbers])
    for stage in ("generate", "curate"):
        costs = [cost(stage, dna[n], unit, rng) for n in numbers for unit in ("wall", "cpu", "bytes")]
        catalog.append_all("cost", costs)
    catalog.append_all("decision", [decision(dna[number], rng) for number in numbers])
    chosen = [number for number in numbers if number % 3 == 0]
    catalog.append_all("edition", [edition(number, dna[number]) for number in chosen])


def attempt(number: int, dna: str) -> tuple[str, dict]:
    "An attempt's key and body."
    recipe = {"prompt": "rings", "seed": number, "steps": 16}
    return f"demo/{number // 3 + 1}/{number % 3 + 1}", {"dna": dna, "recipe": recipe}


def cost(stage: str, dna: str, unit: str, rng: random.Random) -> tuple[str, dict]:
    "A ledger line's key and body."
    return f"{stage}/{dna}", {"stage": stage, "key": dna, "amount": rng.random(), "unit": unit}


def decision(dna: str, rng: random.Random) -> tuple[str, dict]:
    "A decision's key and body."
    verdict = rng.choice(("accept", "reject"))
    return dna, {"by": "machine", "decision": verdict, "reasons": [], "scores": {}}


def edition(number: int, dna: str) -> tuple[str, dict]:
    "An edition's key and body."
    slot = number // 3 + 1
    return f"demo/{slot}", {"slot": slot, "dna": dna}


def query(folder: str, collection: Collection, slots: int) -> float:
    "Seconds for all numbers of so many slots."
    return seconds(lambda: kpis(batch_history(Catalog(folder), collection, range(1, slots + 1)), Money()))


def filled_and_asked(rows: int, collection: Collection) -> tuple[float, str]:
    "Seconds for all numbers of so many rows, and this and more in words."
    with tempfile.TemporaryDirectory() as folder:
        filled = seconds(lambda: fill(Catalog(folder), rows // 9))
        small, everything = query(folder, collection, 100), query(folder, collection, rows // 27)
    drop = f"a drop of 100 slots among them {small:.2f} s (written in {filled:.1f} s)"
    return everything, f"{rows:,}: {everything:.2f} s, {drop}"


def measure(_: int) -> Iterator[dict]:
    "kpi_query_1e6."
    queries = [filled_and_asked(rows, demo()) for rows in (10**4, 10**5, 10**6)]
    how = "all numbers of all candidates, SQLite; " + ", ".join(words for _, words in queries)
    yield row("kpi_query_1e6", round(queries[-1][0], 2), "s", "nothing", "<= 60", how)
