"Points at which a process may die: before everything that it does to a disk."

import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

VARIABLE = "ARTMINT_TEST_KILLS"  # of the environment: FOLDER|ROLE|NUMBER
CHANGES = ("INSERT", "UPDATE", "DELETE", "BEGIN IMMEDIATE", "COMMIT", "CREATE", "ALTER")
EVENTS = ("os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.truncate")


def _is_change(event: str, arguments: tuple) -> bool:
    "Whether an audited event changes a disk."
    if event == "open":
        flags = arguments[2]
        return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    return event in EVENTS


class _Traced(sqlite3.Connection):
    "A connection whose changes are points."

    reached: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.set_trace_callback(self._traced)

    def _traced(self, statement: str) -> None:
        if statement.lstrip().upper().startswith(CHANGES):
            type(self).reached()


def watch(reached: Callable[[], None]) -> None:
    "Call `reached` before every change that this process makes to a disk from now on."
    force, connect = os.fsync, sqlite3.dbapi2.connect
    _Traced.reached = staticmethod(reached)

    def forced(descriptor: int) -> None:
        reached()
        force(descriptor)

    def connected(*given, **named):
        return connect(*given, **{"factory": _Traced, **named})

    def audited(event: str, arguments: tuple) -> None:
        if _is_change(event, arguments):
            reached()

    os.fsync = forced
    sqlite3.connect = sqlite3.dbapi2.connect = connected
    sys.addaudithook(audited)


def arm(folder: Path, role: str, number: int) -> None:
    """Die at the given change of all processes of this role together; 0: never, and count. `folder` holds a file for
    each role, as many bytes long as changes were made."""
    count = os.open(Path(folder) / role, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def reached() -> None:
        os.write(count, b".")
        if os.lseek(count, 0, os.SEEK_CUR) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    watch(reached)


def counted(folder: Path, role: str) -> int:
    "How many changes the processes of a role made."
    with suppress(FileNotFoundError):
        return (Path(folder) / role).stat().st_size
    return 0


def own_role() -> str:
    "What this interpreter is, by how it was started."
    words = " ".join(sys.orig_argv)
    marks = {
        "ipykernel": "kernel",
        "run.kernels": "nursery",
        "serve_worker": "worker",
        "serve_run": "run",
        "tests.kills.act": "driver",
    }
    return next((role for mark, role in marks.items() if mark in words), "")


def arm_from_environment() -> None:
    "What an interpreter does when it starts."
    told = os.environ.get(VARIABLE, "")
    role = own_role()
    if not (told and role):
        return
    folder, who, number = told.split("|")
    if role == "nursery":  # it changes nothing itself; its forks are kernels
        kernel = partial(arm, Path(folder), "kernel", int(number) if who == "kernel" else 0)
        os.register_at_fork(after_in_child=kernel)
    else:
        arm(Path(folder), role, int(number) if who == role else 0)


@contextmanager
def told(folder: Path, role: str, number: int) -> Iterator[None]:
    "Tell processes that start meanwhile."
    os.environ[VARIABLE] = f"{folder}|{role}|{number}"
    try:
        yield
    finally:
        del os.environ[VARIABLE]
