"Kill until so many kills have struck, and say what became of them."

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from . import __doc__ as ABOUT
from .schedule import Bench, Outcome


def line(outcome: Outcome) -> str:
    "A schedule in a line."
    kills = ", ".join(outcome.kills) or "missed"
    verdict = outcome.wrong or "same bytes"
    return f"{outcome.number:4} {outcome.seconds:5.1f} s  {outcome.subject}: {kills}: {verdict}"


def table(outcomes: list[Outcome]) -> str:
    "Schedules by subject, as Markdown."
    lines = ["| what was killed | schedules | kills | ended in the same bytes |", "|---|--:|--:|--:|"]
    kills, right = Counter(), Counter()
    for outcome in outcomes:
        kills[outcome.subject] += len(outcome.kills)
        right[outcome.subject] += not outcome.wrong
    for name, count in Counter(outcome.subject for outcome in outcomes).items():
        lines.append(f"| {name} | {count} | {kills[name]} | {right[name]} |")
    lines.append(f"| **all** | {len(outcomes)} | {kills.total()} | **{right.total()}** |")
    return "\n".join(lines)


def main() -> int:
    "0 when every schedule ended in the same bytes, 1 otherwise."
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=ABOUT, formatter_class=raw)
    parser.add_argument("kills", type=int, nargs="?", default=400)
    parser.add_argument("--first", type=int, default=1, help="the first schedule's number")
    parser.add_argument("--step", type=int, default=1, help="2: every second one, beside another run")
    parser.add_argument("--only", type=int, default=0, help="run this schedule only")
    options = parser.parse_args()
    outcomes: list[Outcome] = []
    number = options.only or options.first
    with tempfile.TemporaryDirectory(prefix="artmint-kills-") as folder:
        bench = Bench(Path(folder))
        while sum(len(outcome.kills) for outcome in outcomes) < options.kills:
            outcomes.append(bench.schedule(number))
            print(line(outcomes[-1]), flush=True)
            if options.only:
                break
            number += options.step
    print(table(outcomes))
    return int(any(outcome.wrong for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
