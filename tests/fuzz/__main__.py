"python -m tests.fuzz GATE SECONDS [SEED]: change valid inputs and give them to a gate, until time is over."

import logging
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import tests.fuzz.wires  # noqa: F401 registers its gates
from tests.fuzz.gates import GATES, OURS, Way, check_words

MEMORY = (
    16 * 2**30
)  # bytes of addresses: an input that makes a library ask for more is told by its MemoryError


def outcome(way: Way, data: bytes, folder: Path) -> str:
    "What became of an input: taken, refused, or the foreign error that came out."
    try:
        way.take(data, folder)
    except OURS as refusal:
        try:
            check_words(refusal)
        except AssertionError as unclear:
            return f"unclear words: {unclear}"
        return "refused"
    except way.named:
        return "refused"
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if "/artmint/" in frame.filename]
        place = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
        return f"{type(error).__name__}: {str(error)[:200]!a} at {place} < {Path(last.filename).name}:{last.lineno}"
    return "taken"


def fuzz(gate: str, seconds: float = 0, executions: int = 0, seed: int = 0) -> dict:
    "Fuzz a gate for so many seconds, or so many executions. Inputs that let something foreign out are kept."
    rng = random.Random(f"{gate} {seed}")
    counts = {"taken": 0, "refused": 0}
    foreign: dict[str, list] = {}
    ways = [way for way in GATES[gate] for _ in range(way.weight)]
    until, done, slowest = time.monotonic() + seconds, 0, 0.0
    while done < executions if executions else time.monotonic() < until:
        way = rng.choice(ways)
        data = rng.choice(way.seeds())
        if done >= 4 * len(ways):  # what is valid comes first, unchanged
            data = way.change(rng, data)
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            said = outcome(way, data, Path(folder))
            slowest = max(slowest, time.monotonic() - began)
        done += 1
        if said in counts:
            counts[said] += 1
            continue
        key = f"{way.name}: {said}"
        place = key.partition(" at ")[2] or key[:80]
        group = foreign.setdefault(place, [0, key, data])
        group[0] += 1
    return counts | {"gate": gate, "executions": done, "slowest": slowest, "foreign": foreign}


def main() -> None:
    "Fuzz as it is asked for, and say what came of it."
    gate, seconds, *more = sys.argv[1:] or ("", "0")
    if gate not in GATES:
        sys.exit(f"There is no gate {gate!r}; there are {', '.join(GATES)}.")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    logging.disable()
    found = fuzz(gate, float(seconds), seed=int(more[0]) if more else 0)
    for place, (count, key, data) in found["foreign"].items():
        print(f"  {count} x {key}\n    {data[:300]!r}{'…' if len(data) > 300 else ''}")
    kinds = len(found["foreign"])
    print(
        f"{gate}: {found['executions']} executions, {found['taken']} taken, {found['refused']} refused, "
        f"{kinds} kinds of foreign errors, slowest {found['slowest']:.2f} s"
    )
    sys.exit(1 if kinds else 0)


if __name__ == "__main__":
    main()
