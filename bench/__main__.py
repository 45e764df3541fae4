"""Measure the hot paths and write studio/bench.json: a list of {name, value, unit, against, limit, how}.

Every ratio is taken in one run, against an alternative measured beside it: machines are noisy, ratios less
so. A row is written and printed as soon as it is measured. Of several subjects each has a process of its own,
so that neither memory nor threads of others count; one that fails doesn't stop them, and the exit code is 1 then.
"""

import argparse
import json
import signal
import subprocess
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

from artmint.studio.files import write_whole

SUBJECTS = (
    "allocation",
    "generation",
    "training",
    "content",
    "curation",
    "duplicates",
    "gas",
    "onchain",
    "minting",
    "workers",
    "catalog",
    "queue",
    "pruning",
    "metrics",
    "board",
    "proving",
    "auditing",
    "events",
    "serving",
)
BY_NAME = ("compiling",)  # measured only when it is named


class Report:
    "The rows in the file, which is whole at every moment."

    def __init__(self, path: Path, rows: list[dict]):
        self.path, self.rows = path, {row["name"]: row for row in rows}

    def add(self, row: dict) -> None:
        "Write and print a row; it takes the place of an earlier one of that name."
        self.rows[row["name"]] = row
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, (json.dumps(list(self.rows.values()), indent=2) + "\n").encode())
        print(line(row), flush=True)


def line(row: dict) -> str:
    "A row in a line."
    figure = f"{row['name']:24} {row['value']:8} {row['unit']:6} ({row['limit']})"
    return f"{figure} against {row['against']}; {row['how']}"


def earlier(path: Path) -> list[dict]:
    "The rows in a file, if there is one. Raises ValueError for a file that isn't JSON."
    return json.loads(path.read_text()) if path.exists() else []


def measured(subject: str, rounds: int, report: Report) -> bool:
    "Measure a subject, row by row; whether it came to its end."
    try:
        for row in import_module(f".{subject}", __package__).measure(rounds):
            report.add(row)
    except Exception as error:  # noqa: BLE001 the other subjects are measured all the same
        traceback.print_exc()
        print(f"{subject} failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return False
    return True


def measured_alone(subject: str, options: argparse.Namespace) -> bool:
    "Measure a subject in a process of its own, which ends with this one; whether it came to its end."
    command = [sys.executable, "-m", __package__, subject]
    settings = ["--rounds", str(options.rounds), "--into", str(options.into)]
    child = subprocess.Popen([*command, *settings])
    try:
        return child.wait() == 0
    except SystemExit:
        child.terminate()
        raise
    finally:
        child.wait()  # an interrupt reaches it too: it puts away what it started, and says so


def end(number: int, _: object) -> None:
    "End as if by an exception, so that nodes and temporary folders are put away."
    sys.exit(128 + number)


def parsed() -> argparse.Namespace:
    "The command line."
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=raw)
    parser.add_argument(
        "subjects",
        nargs="*",
        metavar="SUBJECT",
        help=f"of {', '.join(SUBJECTS)} (all, into a new file, when none is named) and {', '.join(BY_NAME)}",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--into", type=Path, default=Path("studio/bench.json"))
    options = parser.parse_args()
    for subject in options.subjects:
        if subject not in (*SUBJECTS, *BY_NAME):
            parser.error(f"there is no subject {subject!r}: choose from {', '.join((*SUBJECTS, *BY_NAME))}")
    return options


def all_measured(options: argparse.Namespace) -> list[str]:
    "Measure what was asked for, and give the names of what failed."
    if len(options.subjects) == 1:
        report = Report(options.into, earlier(options.into))
        return [name for name in options.subjects if not measured(name, options.rounds, report)]
    if not options.subjects:
        options.into.unlink(missing_ok=True)
    failed = []
    for subject in options.subjects or SUBJECTS:
        begun = time.perf_counter()
        if not measured_alone(subject, options):
            failed.append(subject)
        print(f"{subject}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    return failed


def main() -> int:
    "0 when all was measured, 1 when a subject failed, 130 when it was interrupted."
    options = parsed()
    signal.signal(signal.SIGTERM, end)
    alone = len(options.subjects) == 1
    try:
        failed = all_measured(options)
    except KeyboardInterrupt:
        if alone:
            where = f"is in {options.into}" if options.into.exists() else "was nothing yet"
            print(f"Interrupted; what was measured {where}.", file=sys.stderr)
        return 130
    if failed and not alone:
        print(f"Failed: {', '.join(failed)}. The other figures are in {options.into}.", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
