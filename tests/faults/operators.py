"Operators: processes that mint a drop as the console does, and the points at which they are killed."

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from artmint import mint
from artmint.chain import journal
from artmint.chain.contract import contract_of
from artmint.chain.journal import Journal, JournalBehind
from artmint.chain.preflight import NotCommitted
from artmint.chain.rebuild import key_history, studio_contracts, write_history
from artmint.chain.signers import Guarded, KeystoreSigner
from artmint.chain.stuck import ClosedKey
from artmint.chain.transaction import friendly_errors
from artmint.core.canon import Refusal
from artmint.mint import minter_policy
from artmint.studio.catalog import Catalog

from .world import PASSPHRASE, World


def always(_: tuple) -> bool:
    "Every call counts."
    return True


def first_is(state: str) -> Callable[[tuple], bool]:
    "Calls of a method with transactions, the first of which is in this state."

    def counts(arguments: tuple) -> bool:
        transactions = arguments[1]
        return bool(transactions) and transactions[0].state == state

    return counts


@dataclass(frozen=True)
class Point:
    "Where an operator is killed: before or after a call of a function, and which of its calls count."

    owner: Any
    name: str
    when: str
    counts: Callable[[tuple], bool] = always


POINTS = {
    "signed, not written": Point(KeystoreSigner, "sign", "after"),
    "written, not sent": Point(Journal, "_keep_all", "after", first_is("signed")),
    "some of a flight sent": Point(journal, "_send_raw", "after"),
    "sent, answers not noted": Point(Journal, "_keep_all", "before", first_is("sent")),
    "answers noted": Point(Journal, "_keep_all", "after", first_is("sent")),
    "mined, not written": Point(journal, "_settled", "before"),
    "cost written, end not": Point(journal, "_charge", "after"),
    "end written": Point(journal, "_settled", "after"),
    "tokens not recorded": Point(mint, "_record", "before"),
    "tokens recorded": Point(mint, "_record", "after"),
    "not stamped": Point(mint, "_tokens_at", "before"),
    "stamped": Point(mint, "stamp_drop", "after"),
}


@dataclass
class Operator:
    "An operator: where it is killed, how its clock jumps, whose studio and key it has."

    point: str = ""
    nth: int = 1
    clock: float = 0
    studio: str = "studio"
    key: str = "minter"
    depth: str = "latest"
    pid: int = 0
    points: ClassVar[dict[str, Point]] = POINTS
    report: Path = Path()

    def start(self, world: World) -> None:
        "Fork it."
        self.report = world.folder / f"report-{time.monotonic_ns()}"
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid:
            return
        try:
            code = self.work(world)
        except BaseException:  # noqa: BLE001 whatever it is, this process must end here
            self.report.write_text(traceback.format_exc())
            code = 1
        os._exit(code)

    def work(self, world: World) -> int:
        "Mint and stamp. 0: done; 3: a refusal, in one sentence."
        if self.point:
            kill_at(self.points[self.point], self.nth)
        if self.clock:
            let_time_jump(self.clock)
        told = world.folder / self.studio / "told"
        try:
            with friendly_errors():
                if told.exists():
                    rebuild(world, world.folder / self.studio, self.keys())
                    told.unlink()
                self.mint(world)
        except Refusal as refusal:
            if isinstance(refusal, JournalBehind):
                told.touch()  # `artmint journal rebuild` is what the words say
            self.report.write_text(f"{type(refusal).__name__}: {refusal}")
            return 3
        return 0

    def keys(self) -> list[str]:
        "The keys that it has."
        return [self.key]

    def mint(self, world: World) -> None:
        "What `artmint mint` and `artmint stamp` do. Raises what they raise."
        folder = world.folder / self.studio
        catalog, web3 = Catalog(folder), world.connected()
        contract = contract_of(catalog, web3, "demo")
        if not contract:
            raise NotCommitted(1, world.drop.quantity, 0)  # as the console says it
        keystore = KeystoreSigner(folder / f"keys/{self.key}.json", PASSPHRASE)
        signer = Guarded(keystore, minter_policy(contract))
        book = Journal(catalog, web3, signer, patience=3, bump=0.3)
        # As attributes of their modules: a point may have been put there.
        mint.mint(book, contract, world.drop, world.batch, world.batch, flight=world.flight)
        mint.stamp_drop(book, contract, world.drop, self.depth)

    def ended(self) -> str:
        "How it ended: done, killed, the name of a refusal. Raises AssertionError for a traceback."
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            return "killed"
        text = self.report.read_text() if self.report.exists() else ""
        if os.WEXITSTATUS(status) not in (0, 3):
            raise AssertionError(f"the operator ended with a traceback:\n{text}")
        return text.split(":")[0] or "done"

    def running(self) -> bool:
        "Whether it has not ended yet."
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def kill(self) -> None:
        "End it, and take its status."
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def rebuild(world: World, folder: Path, keys: list[str]) -> None:
    "What `artmint journal rebuild --really` does with a studio's journals. Raises what it raises."
    catalog, web3 = Catalog(folder), world.connected()
    closed = []
    for name in keys:
        path = folder / f"keys/{name}.json"
        closed.append(
            Journal(catalog, web3, ClosedKey(KeystoreSigner(path, PASSPHRASE).address, path), patience=3)
        )
    contracts, _ = studio_contracts(catalog, web3, [book.signer.address for book in closed])
    contracts = dict.fromkeys(contracts, "demo")
    for book in closed:
        write_history(book, key_history(book, contracts, {("demo", 1): 1}))


def kill_at(point: Point, nth: int) -> None:
    "SIGKILL this process before or after the nth call that counts."
    original = getattr(point.owner, point.name)
    left = nth

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        counts = point.counts(args)
        left -= counts
        struck = counts and left == 0
        if struck and point.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if struck and point.when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(point.owner, point.name, wrapped)


def let_time_jump(seconds: float) -> None:
    "Let the wall clock jump by so many seconds, and back, after every five looks at it."
    real, looks = time.time, 0

    def now() -> float:
        nonlocal looks
        looks += 1
        return real() + seconds * (looks // 5 % 2)

    time.time = now
