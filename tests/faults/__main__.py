"Run schedules and print what became of them."

import argparse
import sys
from collections import Counter
from pathlib import Path

from . import __doc__ as ABOUT
from .disks import can_mount
from .faults import FAULTS, Kind
from .founding import KINDS, founding
from .proxy import Proxy
from .schedule import Outcome, schedule


def line(outcome: Outcome) -> str:
    "A schedule in a line: number, seconds, faults, ends."
    faults = [fault.name if fault.struck else f"{fault.name} (missed)" for fault in outcome.faults]
    return f"{outcome.number:4} {outcome.seconds:5.1f} s  {', '.join(faults)}: {', '.join(outcome.ends)}"


def table(outcomes: list[Outcome], kinds: list[Kind] = FAULTS) -> str:
    "Schedules by fault, as Markdown."
    lines = ["| fault | schedules | struck | ended right |", "|---|--:|--:|--:|"]
    pairs = [(outcome, fault) for outcome in outcomes for fault in outcome.faults]
    for kind in kinds:
        having = [(outcome, fault) for outcome, fault in pairs if fault.kind == kind]
        if having:
            struck = sum(fault.struck > 0 for _, fault in having)
            right = sum(not outcome.wrong for outcome, _ in having)
            lines.append(f"| {kind.name} | {len(having)} | {struck} | {right} |")
    struck = sum(fault.struck > 0 for _, fault in pairs)
    right = sum(not outcome.wrong for outcome in outcomes)
    lines.append(f"| **{len(outcomes)} schedules** | {len(pairs)} faults | {struck} | **{right}** |")
    ends = Counter(end for outcome in outcomes for end in outcome.ends)
    counts = ", ".join(f"{end} {count}" for end, count in ends.most_common())
    seconds = sum(outcome.seconds for outcome in outcomes)
    return "\n".join(lines) + f"\n\nRuns ended: {counts}. {seconds:.0f} s in all."


def parsed() -> argparse.Namespace:
    "The command line."
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=ABOUT, formatter_class=raw)
    parser.add_argument("--schedule", type=int, default=0, help="run this one only")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=216)
    parser.add_argument("--founding", type=int, default=45, help="schedules of what stands above tokens")
    parser.add_argument("--embedded", action="store_true", help="on the chain in a folder, without a node")
    parser.add_argument("--into", type=Path, help="write the table here as well")
    return parser.parse_args()


def main() -> int:
    "0 when every schedule ended right, 1 otherwise."
    options = parsed()
    numbers = range(options.first, options.first + options.count)
    if options.schedule:
        numbers, options.founding = [options.schedule], 0
    proxy, disks, outcomes = None if options.embedded else Proxy(), can_mount(), []
    if not disks:
        print("No file system can be mounted here, so no disk is full.")
    for number in numbers:
        outcome = schedule(number, proxy, disks)
        outcomes.append(outcome)
        print(line(outcome), flush=True)
        if outcome.wrong:
            print(outcome.wrong, flush=True)
    founded = []
    for number in range(1, options.founding + 1):
        founded.append(founding(number, proxy))
        print(line(founded[-1]), founded[-1].wrong, flush=True)
    tables = [table(outcomes)] if outcomes else []
    tables += [table(founded, KINDS)] if founded else []
    print(*tables, sep="\n\n")
    if options.into:
        options.into.write_text("\n\n".join(tables) + "\n")
    if proxy:
        proxy.end()
    return int(any(outcome.wrong for outcome in outcomes + founded))


if __name__ == "__main__":
    sys.exit(main())
