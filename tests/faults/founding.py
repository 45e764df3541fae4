"""Schedules for what stands above tokens: a contract, its commitment, its allowances, each made exactly once.

Operators do all that a run does, from the contract to the last token, in studios whose catalogs are lost, put back from
a copy, torn, or two at once. What the words say is done: a refusal that names `artmint journal rebuild` is followed by it.
"""

import random
import resource
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from artmint import mint as mint_room
from artmint.chain import admin as admin_room
from artmint.chain import journal as journal_room
from artmint.chain.contract import contract_at
from artmint.chain.deployments import deployed_by
from artmint.chain.journal import Journal
from artmint.chain.rebuild import key_history
from artmint.chain.signers import Guarded, KeystoreSigner
from artmint.chain.stuck import ClosedKey
from artmint.core.collection import example
from artmint.seeds import load_collection
from artmint.studio.catalog import Catalog

from .faults import Fault, Kind, nothing
from .invariants import check_tokens
from .operators import POINTS, Operator, Point, rebuild
from .proxy import Proxy
from .schedule import Outcome, run_once
from .world import PASSPHRASE, World

FOUNDING_POINTS = {
    "deployed, not recorded": Point(admin_room, "record_contract", "before"),
    "contract recorded": Point(admin_room, "record_contract", "after"),
    "looked on the chain": Point(admin_room, "find_contracts", "after"),
    "commitment compared": Point(admin_room, "commit_call", "after"),
    **{name: POINTS[name] for name in ("signed, not written", "written, not sent", "answers noted")},
    "mined, not written": Point(journal_room, "_settled", "before"),
}
DEMO = load_collection(example())


@dataclass
class Founder(Operator):
    "Who makes the contract, commits, allows and mints, as a run of 30_mint does; `room`: bytes that files may grow."

    room: int = -1
    points: ClassVar[dict[str, Point]] = FOUNDING_POINTS

    def keys(self) -> list[str]:
        "The keys that it has."
        return ["admin", "minter"]

    def mint(self, world: World) -> None:
        "From nothing to the last token. Raises what a run raises."
        folder = world.folder / self.studio
        with small_disk(folder, self.room):
            self.found(world, folder)

    def found(self, world: World, folder: Path) -> None:
        "The contract, its commitment, the allowance, the tokens."
        catalog, web3 = Catalog(folder), world.connected()
        signers = {name: KeystoreSigner(folder / f"keys/{name}.json", PASSPHRASE) for name in self.keys()}
        admin = Journal(catalog, web3, signers["admin"], patience=3, bump=0.3)
        contract = admin_room.deploy(admin, world.collection, world.treasury, delay=0)
        admin_room.commit_drop(admin, contract, world.drop)
        admin_room.authorize(admin, contract, signers["minter"].address, world.drop.quantity)
        policy = mint_room.minter_policy(contract)
        hot = Journal(catalog, web3, Guarded(signers["minter"], policy), patience=3, bump=0.3)
        mint_room.mint(hot, contract, world.drop, world.batch, world.batch, flight=world.flight)


@contextmanager
def small_disk(folder: Path, room: int) -> Iterator[None]:
    "No file of this process may become larger than the catalog is, and so many bytes (-1: any size): a full disk."
    if room < 0:
        yield
        return
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    size = max((path.stat().st_size for path in folder.glob("catalog.sqlite")), default=0)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)  # the report is written on another disk


class Founding(World):
    "A world in which nothing is made yet: keys with money, and a studio that has them."

    def prepare(self) -> None:
        "Connect and give money."
        self.collection = DEMO.model_copy(update={"supply": self.drop.quantity, "title": "Demo"})
        self.web3 = self.connected(direct=True)
        self.keys["admin"] = self.boss
        for name in ("admin", "minter"):
            self.keep(name, self.studio)
            self.fund(self.keys[name].address)
        if self.proxy:
            self.proxy(target=self.node.url, other="", faults=[])

    def made(self) -> list[Any]:
        "The contracts that are on the chain."
        addresses = deployed_by(self.web3, self.boss.address).values()
        return [contract_at(self.web3, address) for address in addresses]


def founders(world: Founding, fault: Fault) -> Iterator[None]:
    "Founders in good weather, or killed at the point that the fault's name says."
    point = fault.name.removeprefix("SIGKILL: ")
    nth = world.rng.choice((1, 1, 2, 3, 4)) if point in POINTS else 1
    fault.operators = [Founder(point=point if point in FOUNDING_POINTS else "", nth=nth)]
    yield from nothing(world, fault)


def after(act: Callable[[Founding, Path], None]) -> Callable[[Founding, Fault], Iterator[None]]:
    "A founder that is killed somewhere, or not at all; then something happens to its studio."

    def weather(world: Founding, fault: Fault) -> Iterator[None]:
        point = world.rng.choice(("", *FOUNDING_POINTS))
        fault.operators = [Founder(point=point, nth=world.rng.randint(1, 4))]
        copy = world.folder / f"before-{time.monotonic_ns()}"
        if world.rng.random() < 0.5:
            shutil.copytree(world.studio, copy)
        else:
            copy.mkdir()  # from before anything was written
        try:
            yield from nothing(world, fault)
        finally:
            act(world, copy)
            fault.struck += 1

    return weather


def lose(world: Founding, copy: Path) -> None:
    "The catalog is gone."
    for path in world.studio.glob("catalog.sqlite*"):
        path.unlink()


def put_back(world: Founding, copy: Path) -> None:
    "The catalog is put back from a copy."
    lose(world, copy)
    for path in copy.glob("catalog.sqlite*"):
        shutil.copy(path, world.studio)


def torn(world: Founding, copy: Path) -> None:
    "An old policy's book lies there, its last line torn."
    line = f'{{"time": {time.time()}, "most": "1000", "nonce": {world.rng.randint(0, 9)}}}\n'
    (world.studio / "keys/minter.signed.jsonl").write_text(
        line * 3 + line[: world.rng.randint(1, len(line) - 1)]
    )


def full(world: Founding, fault: Fault) -> Iterator[None]:
    "The disk is full, at once or a little later."
    fault.operators = [Founder(room=world.rng.choice((0, 4096, 16384, 65536)))]
    fault.struck += 1
    yield from nothing(world, fault)


def two_hosts(world: Founding, fault: Fault) -> Iterator[None]:
    "Two hosts have the same keys and catalogs of their own, and both begin; one may be killed."
    if not (world.folder / "copy").exists():
        for name in ("admin", "minter"):
            world.keep(name, world.folder / "copy")
    point = world.rng.choice(("", "", "written, not sent", "deployed, not recorded"))
    fault.operators = [Founder(point=point), Founder(studio="copy")]
    fault.struck += 1
    yield from nothing(world, fault)


def no_events(world: Founding, fault: Fault) -> Iterator[None]:
    "The node gives no events: what others deployed can't be asked for."
    fault.operators = [Founder(point=world.rng.choice(("", "deployed, not recorded")))]
    world.proxy(faults=[{"method": "eth_getLogs", "after": 0, "times": 200, "kind": "503"}])
    yield from nothing(world, fault)


def late(world: Founding, fault: Fault) -> Iterator[None]:
    "Receipts come late."
    fault.operators = [Founder()]
    world.proxy(faults=[{"method": "eth_getTransactionReceipt", "after": 0, "times": 20, "kind": "null"}])
    yield from nothing(world, fault)


KINDS = [
    *(Kind(f"SIGKILL: {point}", founders, True) for point in FOUNDING_POINTS),
    Kind("catalog lost", after(lose), True),
    Kind("catalog put back from a copy", after(put_back), True),
    Kind("two hosts, one catalog each", two_hosts, True),
    Kind("an old policy's book, torn", after(torn), True),
    Kind("disk full, anywhere", full, True),
    Kind("no events from the node", no_events),
    Kind("receipts late, from the contract on", late),
]


@dataclass
class Founded:
    "What must hold at the end, of one world."

    world: Founding
    studios: list[Path] = field(default_factory=list)

    def check(self) -> None:
        "One contract, one commitment, tokens once, and journals that account for all. Raises AssertionError."
        world = self.world
        made = world.made()
        assert len(made) == 1, f"{len(made)} contracts"
        world.contract, world.do = made[0], made[0].functions
        check_tokens(world)
        assert world.do.dropCount().call() == 1, "commitments"
        committed = made[0].events.DropCommitted().get_logs(from_block=0)
        assert len(committed) == 1, "commitments"
        allowed = made[0].events.AllowanceSet().get_logs(from_block=0)
        assert len(allowed) == 1, "allowances"
        for studio in self.studios:
            self.check_studio(studio, made[0].address)

    def check_studio(self, studio: Path, contract: str) -> None:
        "A studio knows the contract, its tokens, and all that its keys have sent."
        catalog, world = Catalog(studio), self.world
        assert catalog.get("contract", "demo@31337")["address"] == contract, "the contract on record"
        assert len(catalog.all("token", "demo/")) == world.drop.quantity, "tokens on record"
        rebuild(world, studio, ["admin", "minter"])
        for name in ("admin", "minter"):
            address = world.keys[name].address
            book = Journal(catalog, world.web3, ClosedKey(address, studio / f"keys/{name}.json"))
            assert key_history(book, {contract: "demo"}, {}).whole, f"{name}'s journal"
            assert len(book.transactions()) == world.web3.eth.get_transaction_count(address), (
                f"{name}'s journal"
            )
            paid = sum(int(one.wei or 0) for one in book.transactions())
            assert world.web3.eth.get_balance(address) == world.given[address] - paid, f"{name} has lost wei"


def finish(world: Founding, outcome: Outcome) -> None:
    "Let every studio come to its end in good weather. Raises AssertionError after eight tries."
    if world.proxy:
        world.proxy(faults=[], target=world.node.url)
    for studio in [path for path in (world.studio, world.folder / "copy") if path.exists()]:
        for _ in range(8):
            ends = run_once(world, Fault(Kind("none", nothing), operators=[Founder(studio=studio.name)]))
            outcome.ends += ends
            if ends == ["done"]:
                break
        else:
            raise AssertionError(f"it doesn't come to an end: {outcome.ends}")


def founding(number: int, proxy: Proxy | None) -> Outcome:
    "Run one schedule; nothing is raised: what is wrong stands in the outcome."
    rng = random.Random(f"artmint-founding-{number}")
    kinds = [kind for kind in KINDS if proxy or kind.embedded]
    faults = [Fault(kinds[(number - 1) % len(kinds)])]
    faults += [Fault(rng.choice(kinds)) for _ in range(rng.choice((0, 1)))]
    outcome = Outcome(number, faults)
    world, begun = None, time.monotonic()
    try:
        world = Founding(Path(tempfile.mkdtemp(prefix="artmint-founding-")), rng, proxy)
        world.prepare()
        for fault in faults:
            outcome.ends += run_once(world, fault)
            if world.proxy:
                world.proxy(faults=[], target=world.node.url)
        finish(world, outcome)
        studios = [path for path in (world.studio, world.folder / "copy") if path.exists()]
        Founded(world, studios).check()
    except AssertionError as error:
        outcome.wrong = f"AssertionError: {error}"
    except Exception:  # noqa: BLE001 whatever it is, it belongs to the outcome
        outcome.wrong = traceback.format_exc()
    finally:
        if world:
            world.end()
    outcome.seconds = time.monotonic() - begun
    return outcome
