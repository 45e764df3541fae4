"All attacks, gate by gate, and the table that they end in."

import tempfile
import warnings
from collections import Counter
from functools import cache
from pathlib import Path

from tests.attacks import archives, pictures, tables, weights, wires, words
from tests.attacks.attack import Attack, outcome

PAGE = Path(__file__).parents[2] / "docs" / "threats.md"
BEGIN, END = "<!-- attacks: begin -->", "<!-- attacks: end -->"


@cache
def attacks() -> tuple[Attack, ...]:
    "Every attack there is."
    rooms = (pictures, weights, tables, archives, wires, words)
    return tuple(one for room in rooms for one in room.attacks())


def tried(chosen: list[Attack]) -> tuple[dict[str, Counter], list[str]]:
    "What came of attacks, counted by gate, and a line for each that didn't end as it should."
    counts: dict[str, Counter] = {}
    lines = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in chosen:
            with tempfile.TemporaryDirectory() as folder:
                came, seen = outcome(one, Path(folder))
            counts.setdefault(one.gate, Counter())[came] += 1
            if came != "held":
                lines.append(f"{came}: {one.gate}, {one.name}: {seen}")
    return counts, lines


def table(counts: dict[str, Counter]) -> str:
    "The table by gate."
    rows = [
        "| gate | attacks | got further than they should | refused in words nobody can act on |",
        "|---|---|---|---|",
    ]
    for gate, count in counts.items():
        rows.append(f"| {gate} | {count.total()} | {count['further']} | {count['unclear']} |")
    every = sum(counts.values(), Counter())
    rows.append(f"| **all** | **{every.total()}** | **{every['further']}** | **{every['unclear']}** |")
    return "\n".join(rows)


def page_table() -> str:
    "The table as docs/threats.md has it."
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def write_page(rows: str) -> None:
    "Put the table into docs/threats.md."
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{rows}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
