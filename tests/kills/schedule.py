"Schedules of kills: by their numbers, what is killed where, and whether it ends as it should."

import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from .points import arm, counted, told
from .subjects import SUBJECTS, Subject, copied, models, start

ROOT = Path(__file__).parents[2]
SITE = Path(__file__).parent / "site"


@dataclass
class Outcome:
    "What became of a schedule."

    number: int
    subject: str
    kills: list[str] = field(default_factory=list)  # those that struck: role and number of the change
    wrong: str = ""  # empty: it ended in the same bytes
    seconds: float = 0.0


def _forked(subject: Subject, folder: Path, points: Path, role: str, number: int) -> int:
    "Run an act in a fork of this interpreter; its code."
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        with open(os.devnull, "w") as silence, contextlib.redirect_stdout(silence):
            with contextlib.redirect_stderr(silence):
                arm(points, "driver", number if role == "driver" else 0)
                subject.act(folder)
        code = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.__stderr__, flush=True)
    finally:
        os._exit(code)


def attempt(subject: Subject, folder: Path, points: Path, role: str = "", number: int = 0) -> int:
    "Run an act, which is killed at a change of a role's processes; its code."
    points.mkdir(parents=True, exist_ok=True)
    with told(points, role, number):
        if subject.forked:
            return _forked(subject, folder, points, role, number)
        return start(subject, folder)


class Bench:
    "Studios as they are prepared and as they should become, made once for many schedules."

    def __init__(self, folder: Path):
        self.folder = folder
        os.environ["PYTHONPATH"] = os.pathsep.join([str(SITE), str(ROOT)])
        self.known: dict[str, tuple[dict, dict[str, int]]] = {}

    def undisturbed(self, subject: Subject) -> tuple[dict, dict[str, int]]:
        "What a subject leaves when nobody kills it, and how many changes each of its roles makes."
        if subject.name not in self.known:
            if subject.painting:
                models()
            place = self.folder / subject.name
            (place / "template").mkdir(parents=True)
            subject.prepare(place / "template")
            folder = copied(place / "template", place / "whole")
            assert attempt(subject, folder, place / "points") == 0, f"{subject.name} doesn't run undisturbed"
            counts = {role: counted(place / "points", role) for role in subject.roles}
            self.known[subject.name] = subject.leaves(folder), counts
        return self.known[subject.name]

    def schedule(self, number: int) -> Outcome:
        "Kill and run again, as the number says."
        rng = random.Random(number)
        drawn = rng.choices(SUBJECTS, [one.share for one in SUBJECTS])
        return self.kill(number, drawn[0], rng)

    def kill(self, number: int, subject: Subject, rng: random.Random) -> Outcome:
        "One act: killed once or more often, then run to its end."
        began = time.monotonic()
        outcome = Outcome(number, subject.name)
        expected, counts = self.undisturbed(subject)
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            folder = copied(self.folder / subject.name / "template", Path(scratch) / "act")
            for turn in range(rng.randint(1, subject.most)):
                role = rng.choice(subject.roles)
                at = 1 + int(rng.random() * counts[role])
                points = Path(scratch) / f"points-{turn}"
                code = attempt(subject, folder, points, role, at)
                if counted(points, role) >= at:
                    outcome.kills.append(f"{role} {at}/{counts[role]}")
                elif code not in (0, -signal.SIGKILL):
                    outcome.wrong = f"it ended with code {code} though nobody killed it"
            outcome.wrong = outcome.wrong or self._ending(subject, folder, Path(scratch), expected)
        outcome.seconds = time.monotonic() - began
        return outcome

    def _ending(self, subject: Subject, folder: Path, scratch: Path, expected: dict) -> str:
        "Run an act to its end; what is wrong with what it leaves."
        code = attempt(subject, folder, scratch / "last")
        if code:
            return f"run again, it ended with code {code}"
        left = subject.leaves(folder)
        differing = [name for name in expected if left[name] != expected[name]]
        return "; ".join(f"{name}: {left[name]} in place of {expected[name]}" for name in differing)
