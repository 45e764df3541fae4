"""Break minting in every way that can be had on one machine, and look at what it comes to.

A schedule is a small drop, one to three faults, and runs of an operator until it says that all is minted. Its number is its seed: `--schedule 17` is the same one again. Operators are
processes of their own, so a kill is a SIGKILL; the chain is an anvil of the schedule's own, behind a proxy that loses, doubles and forges; the full disk is a small file system. With `--embedded` the chain
is the one in the studio's folder, for machines without node. What must hold at the end of each is in `check`.
"""

import argparse
import http.client
import http.server
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

GWEI = 10**9
PURSE = 10**19
WORD = "word"


# A drop of pictures that don't exist: minting reads no more of a manifest than this


@dataclass(frozen=True)
class Token:
    id: int
    file_digest: str
    metadata_digest: str


@dataclass(frozen=True)
class Drop:
    quantity: int
    first: int = 1
    drop: int = 1
    collection: str = "demo"

    @property
    def root(self) -> str:
        from artmint.ipfs.cid import CID

        return str(CID(0x70, sha256(b"faults").digest()))

    @property
    def tokens(self) -> list[Token]:
        return [
            Token(i, *(sha256(b"%s %d" % (kind, i)).hexdigest() for kind in (b"image", b"json")))
            for i in range(1, self.quantity + 1)
        ]


# The proxy: a process of its own between operator and node


class Between(http.server.BaseHTTPRequestHandler):
    "Forwards, and misbehaves as it is told by POST /control: {target, other, faults: [{method, after, times, kind, value}]}."

    def log_message(self, *_):
        pass

    def say(self, status: int, body: bytes):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def ask(self, url: str, body: bytes) -> bytes:
        node = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
        node.request("POST", "/", body, {"Content-Type": "application/json"})
        return node.getresponse().read()

    def do_POST(self):
        state = self.server.state
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/control":
            state.update(json.loads(body))
            return self.say(200, json.dumps({"struck": state.pop("struck", 0)}).encode())
        asked = json.loads(body)
        with self.server.lock:
            fault = self.due(asked["method"])
        if not fault:
            return self.say(200, self.ask(state["target"], body))
        kind = fault["kind"]
        error = lambda code, message: json.dumps(
            {"jsonrpc": "2.0", "id": asked["id"], "error": {"code": code, "message": message}}
        ).encode()
        result = lambda value: json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": value}).encode()
        if kind in ("lost", "unknown", "twice"):
            answer = self.ask(state["target"], body)
        if kind in ("lost", "dropped"):
            return None  # the connection ends without a word
        if kind == "twice":
            return self.say(200, self.ask(state["target"], body))
        if kind == "unknown":
            return self.say(200, error(-32099, "the moon is full"))
        if kind == "swallowed":
            from eth_utils import keccak

            return self.say(200, result("0x" + keccak(bytes.fromhex(asked["params"][0][2:])).hex()))
        if kind == "503":
            return self.say(503, b"try later")
        if kind == "busy":
            return self.say(200, error(-32005, "rate limit exceeded"))
        if kind == "page":
            return self.say(200, b"<html>please log in</html>")
        if kind == "other":
            return self.say(200, self.ask(state["other"], body))
        if kind == "null":
            return self.say(200, result(None))
        if kind == "value":
            return self.say(200, result(fault["value"]))
        if kind == "less":
            answer = json.loads(self.ask(state["target"], body))
            return self.say(200, result(hex(max(int(answer["result"], 16) - 1, 0))))
        raise ValueError(kind)

    def due(self, method: str) -> dict | None:
        "The fault that this request meets, if any."
        for fault in self.server.state["faults"]:
            if fault["method"] not in ("*", method) or fault["times"] <= 0:
                continue
            fault["after"] -= 1
            if fault["after"] >= 0:
                continue
            fault["times"] -= 1
            self.server.state["struck"] = self.server.state.get("struck", 0) + 1
            return fault
        return None


def serve(ready) -> None:
    "The proxy's process."
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between)
    server.daemon_threads, server.state, server.lock = (
        True,
        {"faults": [], "target": "", "other": ""},
        threading.Lock(),
    )
    server.handle_error = lambda *_: None
    ready.send(server.server_port)
    server.serve_forever()


class Proxy:
    "The proxy as its user sees it."

    def __init__(self):
        here, there = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(target=serve, args=(there,), daemon=True)
        self.process.start()
        self.port = here.recv()
        self.url = f"http://127.0.0.1:{self.port}"

    def __call__(self, **state) -> int:
        "Change its state; how many requests met a fault since the last time."
        asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        asked.request("POST", "/control", json.dumps(state))
        return json.loads(asked.getresponse().read())["struck"]


# The world of a schedule


class World:
    "A chain, a contract with a committed drop, a studio of the minter, and a way to run operators in it."

    def __init__(self, folder: Path, rng: random.Random, proxy: Proxy | None):
        from conftest import Anvil
        from eth_account import Account

        self.folder = folder
        self.rng = rng
        self.proxy = proxy
        self.studio = folder / "studio"
        self.drop = Drop(rng.randint(6, 12))
        self.batch = rng.randint(1, 3)
        self.flight = rng.choice((1, 2, 4, 16))
        self.depth = rng.choice(("finalized", "latest", "2")) if proxy else "finalized"
        self.anvils = [Anvil("--order", "fifo", "--accounts", "1")] if proxy else []
        self.node = self.anvils[0] if proxy else None
        self.boss = Account.create()
        self.treasury = Account.create().address
        self.given = Counter()
        self.mounted = None
        self.journal_lost = False
        self.outside = set()
        self.web3 = self.connected(direct=True)
        self.studio.mkdir(parents=True)
        self.keys = {"minter": Account.create()}
        self.keep("minter", self.studio)
        self.fund(self.boss.address)
        self.fund(self.keys["minter"].address)
        self.contract = self.deployed()
        if proxy:
            proxy(target=self.node.url, other="", faults=[])

    def connected(self, direct: bool = False) -> Any:
        from artmint.chain.connect import connect

        if not self.proxy:
            return connect("embedded", self.folder / "chain")
        return connect(self.node.url if direct else self.proxy.url, self.folder)

    def keep(self, name: str, studio: Path) -> None:
        "A key in an encrypted file."
        from artmint.studio.files import write_new

        write_new(
            studio / f"keys/{name}.json",
            json.dumps(self.keys[name].encrypt(WORD, "scrypt", 2**4)).encode(),
            0o600,
        )

    def fund(self, address: str, wei: int = PURSE) -> None:
        "Give a key so much money, in all."
        had = self.web3.eth.get_balance(address)
        if self.proxy:
            self.node("anvil_setBalance", address, hex(wei))
        elif wei > had:
            self.web3.provider.chain.fund(address, (wei - had) // GWEI)
        self.given[address] += self.web3.eth.get_balance(address) - had

    def sent(self, account: Any, call: Any, wait: bool = True, **changes) -> Any:
        "Send a call with a key that no journal keeps."
        ask = self.web3.eth
        fields = {
            "from": account.address,
            "nonce": ask.get_transaction_count(account.address),
            "maxFeePerGas": 100 * GWEI,
            "maxPriorityFeePerGas": GWEI,
            "chainId": ask.chain_id,
            **changes,
        }
        transaction = (
            call.build_transaction(fields)
            if call
            else {
                **{name: value for name, value in fields.items() if name != "from"},
                "to": account.address,
                "value": 0,
                "gas": 21000,
            }
        )
        signed = account.sign_transaction(
            {name: value for name, value in transaction.items() if name != "from"}
        )
        if account.address != self.boss.address:
            self.outside.add(signed.hash.to_0x_hex())
        ask.send_raw_transaction(signed.raw_transaction)
        return ask.wait_for_transaction_receipt(signed.hash, 10, 0.02) if wait else signed.hash

    def deployed(self) -> Any:
        "A contract whose one drop is committed, for whose minter there is an allowance, and whose record is in the studio."
        from artmint.chain.admin import commit_call
        from artmint.studio.catalog import Catalog
        from artmint.chain.connect import genesis_of
        from artmint.chain.contract import Deployment, artifact, contract_at

        factory = self.web3.eth.contract(abi=artifact()["abi"], bytecode=artifact()["bytecode"])
        made = self.sent(
            self.boss,
            factory.constructor(
                "Demo", "DEMO", self.drop.quantity, self.boss.address, 0, self.treasury, self.treasury, 500
            ),
        )
        contract = contract_at(self.web3, made["contractAddress"])
        self.record = Deployment(
            collection="demo",
            chain_id=self.web3.eth.chain_id,
            genesis=genesis_of(self.web3),
            address=contract.address,
            transaction=made["transactionHash"].to_0x_hex(),
        )
        Catalog(self.studio).put("contract", f"demo@{self.record.chain_id}", self.record.model_dump())
        self.do = contract.functions
        self.role = {name: getattr(self.do, f"{name}_ROLE")().call() for name in ("MINTER", "PAUSER")}
        self.sent(self.boss, commit_call(contract, self.drop))
        self.sent(self.boss, self.do.grantRole(self.role["PAUSER"], self.boss.address))
        self.allow(self.keys["minter"].address)
        if self.proxy:
            self.node("anvil_mine", "0xa")  # no reorg reaches the contract itself
        return contract

    def allow(self, minter: str, total: int = 0, per: int = 0, window: int = 0) -> None:
        "Give a minter its role and its limits."
        if not self.do.hasRole(self.role["MINTER"], minter).call():
            self.sent(self.boss, self.do.grantRole(self.role["MINTER"], minter))
        self.sent(self.boss, self.do.setAllowance(minter, total or 1000, per, window))

    def minted(self) -> int:
        return self.do.nextToken().call() - 1

    def end(self) -> None:
        for anvil in self.anvils:
            anvil.end()
        if self.mounted:
            subprocess.run(["umount", "-l", self.mounted], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


# Operators


@dataclass
class Operator:
    "What an operator process does besides its work: where it is killed, how its clock jumps, whose studio and key it has."

    point: str = ""
    nth: int = 1
    clock: float = 0
    studio: str = "studio"
    key: str = "minter"
    depth: str = "latest"
    pid: int = 0

    def start(self, world: World) -> None:
        "Fork it."
        self.said = world.folder / f"said-{time.monotonic_ns()}"
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid:
            return
        try:
            code = self.work(world)
        except BaseException:
            self.said.write_text(traceback.format_exc())
            code = 1
        os._exit(code)

    def work(self, world: World) -> int:
        "Mint and stamp. 0: done; 3: a refusal, in one sentence."
        if self.point:
            armed(*POINTS[self.point], self.nth)
        if self.clock:
            jumping(self.clock)
        from artmint.studio.catalog import Catalog
        from artmint.chain.contract import contract_of
        from artmint.chain.journal import Journal
        from artmint.chain.transaction import friendly_errors
        from artmint.chain.preflight import NotCommitted
        from artmint.mint import mint, minter_policy
        from artmint.core.canon import Refusal
        from artmint.chain.signers import Guarded, KeystoreSigner
        from artmint.mint import stamp_drop

        try:
            with friendly_errors():
                folder = world.folder / self.studio
                catalog = Catalog(folder)
                web3 = world.connected()
                if not (contract := contract_of(catalog, web3, "demo")):
                    raise NotCommitted(1, world.drop.quantity, 0)  # as the console says it
                journal = Journal(
                    catalog,
                    web3,
                    Guarded(KeystoreSigner(folder / f"keys/{self.key}.json", WORD), minter_policy(contract)),
                    patience=3,
                    bump=0.3,
                )
                mint(journal, contract, world.drop, world.batch, world.batch, flight=world.flight)
                stamp_drop(journal, contract, world.drop, self.depth)
        except Refusal as refusal:
            self.said.write_text(f"{type(refusal).__name__}: {refusal}")
            return 3
        return 0

    def ended(self) -> str:
        "How it ended: done, killed, the name of a refusal. Raises AssertionError for a traceback."
        _, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            return "killed"
        text = self.said.read_text() if self.said.exists() else ""
        if os.WEXITSTATUS(status) not in (0, 3):
            raise AssertionError(f"the operator ended with a traceback:\n{text}")
        return text.split(":")[0] or "done"


def armed(owner: str, name: str, when: str, wanted: Callable, nth: int) -> None:
    "SIGKILL this process before or after the nth call of a function that fits."
    import importlib

    module, _, cls = owner.partition(".")
    holder = importlib.import_module(f"artmint.{module}")
    holder = getattr(holder, cls) if cls else holder
    original = getattr(holder, name)
    left = [nth]

    def wrapped(*args, **kwargs):
        fits = wanted(args)
        left[0] -= fits
        if when == "before" and fits and left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if when == "after" and fits and left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(holder, name, wrapped)


def jumping(seconds: float) -> None:
    "Let the wall clock jump after every few looks at it."
    real = time.time
    looks = [0]

    def now() -> float:
        looks[0] += 1
        return real() + seconds * (looks[0] // 5 % 2)

    time.time = now


ANY = lambda args: True
STATE = lambda state: lambda args: bool(args[1]) and args[1][0].state == state
POINTS = {  # where: module and class, function, before or after it, which calls count
    "signed, not written": ("signers.KeystoreSigner", "sign", "after", ANY),
    "written, not sent": ("journal.Journal", "_keep_all", "after", STATE("signed")),
    "some of a flight sent": ("journal", "_told", "after", ANY),
    "sent, answers not noted": ("journal.Journal", "_keep_all", "before", STATE("sent")),
    "answers noted": ("journal.Journal", "_keep_all", "after", STATE("sent")),
    "mined, not written": ("journal", "_settled", "before", ANY),
    "cost written, end not": ("journal", "_charge", "after", ANY),
    "end written": ("journal", "_settled", "after", ANY),
    "tokens not recorded": ("mint", "_record", "before", ANY),
    "tokens recorded": ("mint", "_record", "after", ANY),
    "not stamped": ("stamp", "_there", "before", ANY),
    "stamped": ("stamp", "stamp", "after", ANY),
}


# Faults. Each is a generator: it prepares, yields operators, goes on whenever the driver looks (the weather), and cleans up when they have ended


@dataclass
class Fault:
    name: str
    weather: Callable[[World, "Fault"], Any]
    embedded: bool = False
    struck: int = 0
    operators: list[Operator] = field(default_factory=lambda: [Operator()])


def kill(world: World, fault: Fault):
    point = fault.name.removeprefix("SIGKILL: ")
    fault.operators = [Operator(point=point, nth=1 if "stamped" in point else world.rng.choice((1, 1, 2, 3)))]
    yield
    while True:
        yield


def answers(kind: str, method: str = "eth_sendRawTransaction", most: int = 3, **more):
    def weather(world: World, fault: Fault):
        world.proxy(
            faults=[
                {
                    "method": method,
                    "after": world.rng.randint(0, 2),
                    "times": world.rng.randint(1, most),
                    "kind": kind,
                    **more,
                }
            ]
        )
        yield
        while True:
            yield

    return weather


def pending(world: World, key: str = "minter") -> list[str]:
    "Hashes of a key's transactions that wait, by nonce."
    waiting = world.node("txpool_content")["pending"]
    mine = next(
        (each for address, each in waiting.items() if address.lower() == world.keys[key].address.lower()), {}
    )
    return [mine[nonce]["hash"] for nonce in sorted(mine, key=int)]


def stuck(world: World, fault: Fault):
    "Blocks are mined by hand, and dearer ones: what was signed becomes too cheap, and the same nonce is signed again."
    world.node("evm_setAutomine", False)
    yield
    while not pending(world):
        yield
    world.node("anvil_setNextBlockBaseFeePerGas", hex(20 * GWEI))
    world.node("evm_mine")
    fault.struck += 1
    begun = time.monotonic()
    while time.monotonic() < begun + 0.7:
        yield
    while True:
        world.node("anvil_setNextBlockBaseFeePerGas", hex(20 * GWEI))
        world.node("evm_mine")
        begun = time.monotonic()
        while time.monotonic() < begun + 0.2:
            yield


def dropped(world: World, fault: Fault):
    "The pool forgets a transaction, the first, the last or all of a flight."
    world.node("evm_setAutomine", False)
    yield
    while not (waiting := pending(world)):
        yield
    for hash in world.rng.choice((waiting[:1], waiting[-1:], waiting)):
        world.node("anvil_dropTransaction", hash)
        fault.struck += 1
    while True:
        begun = time.monotonic()
        while time.monotonic() < begun + 0.15:
            yield
        world.node("evm_mine")


def reorg(world: World, fault: Fault):
    "The newest blocks are replaced by empty ones."
    at = world.rng.randint(1, world.drop.quantity - 1)
    yield
    while world.minted() < at:
        yield
    world.node("anvil_reorg", world.rng.randint(1, 3), [])
    fault.struck += 1
    while True:
        yield


def late_reorg(world: World, fault: Fault):
    "As before, after all was minted."
    fault.operators = [Operator(depth="finalized")]
    yield
    while world.minted() < world.drop.quantity:
        yield
    begun = time.monotonic()
    while time.monotonic() < begun + world.rng.choice((0, 0.3)):
        yield
    world.node("anvil_reorg", world.rng.randint(2, 5), [])
    fault.struck += 1
    while True:
        yield


def nonce_gap(world: World, fault: Fault):
    "Somebody has the key, and sends with the nonce after next: it waits in the pool until it fits."
    key = world.keys["minter"]
    world.sent(
        key,
        None,
        wait=False,
        nonce=world.web3.eth.get_transaction_count(key.address) + world.rng.randint(1, 3),
    )
    fault.struck += 1
    yield
    while True:
        yield


def key_outside(world: World, fault: Fault):
    "Somebody has the key, and sends while the operator does."
    from web3.exceptions import Web3RPCError

    at = world.rng.randint(0, world.drop.quantity - 1)
    yield
    while world.minted() < at:
        yield
    try:
        world.sent(world.keys["minter"], None, wait=False)
    except Web3RPCError:
        pass  # the operator was faster with this nonce
    fault.struck += 1
    while True:
        yield


def other_chain(world: World, fault: Fault):
    "From some request on a second chain answers, with the same id; the key has been used there."
    from conftest import Anvil

    world.anvils.append(Anvil("--accounts", "1"))
    world.anvils[-1]("anvil_setBalance", world.keys["minter"].address, hex(PURSE))
    world.anvils[-1]("anvil_setNonce", world.keys["minter"].address, hex(50))
    world.proxy(
        other=world.anvils[-1].url,
        faults=[{"method": "*", "after": world.rng.randint(0, 60), "times": 10**6, "kind": "other"}],
    )
    yield
    while True:
        yield


def purse(world: World, fault: Fault):
    "The purse holds enough for a few batches only."
    world.fund(world.keys["minter"].address, world.rng.randint(0, 4) * 150_000 * 2 * GWEI + 1)
    fault.struck += 1
    yield
    while True:
        yield


def admin_acts(act: Callable[[World], Any]):
    def weather(world: World, fault: Fault):
        at = world.rng.randint(0, world.drop.quantity - 1)
        yield
        while world.minted() < at:
            yield
        act(world)
        fault.struck += 1
        while True:
            yield

    return weather


def window(world: World, fault: Fault):
    "A small limit in a stretch of time, and the chain's clock jumps over its edge."
    world.allow(world.keys["minter"].address, per=world.batch + world.rng.randint(0, 2), window=600)
    fault.struck += 1
    yield
    while True:
        if world.proxy and world.rng.random() < 0.2:
            world.node("evm_increaseTime", 400)
            world.node("evm_mine")
        yield


def disk(world: World, fault: Fault):
    "The studio lies on a file system of 2 MiB, and something else fills it."
    away = world.folder / "away"
    shutil.move(world.studio, away)
    world.studio.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", world.studio], check=True, capture_output=True
    )
    world.mounted = world.studio
    shutil.copytree(away, world.studio, dirs_exist_ok=True)
    left = world.rng.choice((0, 8, 40, 80, 160)) * 1024
    at = world.rng.choice((0, 0, 1))
    filler = world.studio / "filler"

    def fill() -> None:
        free = os.statvfs(world.studio)
        try:
            filler.write_bytes(bytes(max(free.f_bavail * free.f_frsize - left, 0)))
        except OSError:
            pass  # the operator has taken some of it in between: all the fuller
        fault.struck += 1

    if not at:
        fill()
    yield
    while at and world.minted() < at:
        yield
    if at:
        fill()
    while True:
        yield


def two_operators(world: World, fault: Fault):
    "The same studio and key, twice at once; one of the two may be killed."
    fault.operators = [
        Operator(),
        Operator(*world.rng.choice((("",), ("written, not sent",), ("some of a flight sent",)))),
    ]
    fault.struck += 1
    yield
    while True:
        yield


def two_keys(world: World, fault: Fault):
    "Another studio with another minter's key mints the same drop at the same time."
    from eth_account import Account

    from artmint.studio.catalog import Catalog

    if "rival" not in world.keys:
        world.keys["rival"] = Account.create()
        world.keep("rival", world.folder / "rival")
        world.fund(world.keys["rival"].address)
        world.allow(world.keys["rival"].address)
        Catalog(world.folder / "rival").put(
            "contract", f"demo@{world.record.chain_id}", world.record.model_dump()
        )
    fault.operators = [Operator(), Operator(studio="rival", key="rival")]
    fault.struck += 1
    yield
    while True:
        yield


def copied_key(world: World, fault: Fault):
    "Another studio with a copy of the same key: no lock can tell them of each other."
    from artmint.studio.catalog import Catalog

    if not (world.folder / "copy").exists():
        world.keep("minter", world.folder / "copy")
        Catalog(world.folder / "copy").put(
            "contract", f"demo@{world.record.chain_id}", world.record.model_dump()
        )
    fault.operators = [Operator(), Operator(studio="copy")]
    fault.struck += 1
    yield
    while True:
        yield


def repeating_client(world: World, fault: Fault):
    "A client without a journal, with a key that may mint: whatever is minted it sends again, with a new nonce each time, and what comes next it sends three times."
    from artmint.chain.embedded import TransactionRefused
    from eth_account import Account
    from web3.exceptions import Web3Exception

    if "faulty" not in world.keys:
        world.keys["faulty"] = Account.create()
        world.fund(world.keys["faulty"].address)
        world.allow(world.keys["faulty"].address)
    yield
    while True:
        for first in (1, world.minted() + 1, world.minted() + 1):
            if first > world.drop.quantity:
                continue
            try:
                world.sent(world.keys["faulty"], world.do.mintBatch(first, 1, 1), wait=False, gas=300_000)
            except (Web3Exception, TransactionRefused):
                pass  # the node itself has seen through it
            fault.struck += 1
        yield


def journal_lost(world: World, fault: Fault):
    "After a kill the catalog is gone: an operator with an empty book, who has nothing but the chain."
    fault.operators = [Operator(point=world.rng.choice(list(POINTS)[:8]), nth=world.rng.randint(1, 3))]
    yield
    try:
        while True:
            yield
    finally:
        from artmint.studio.catalog import Catalog

        for path in world.studio.glob("catalog.sqlite*"):
            path.unlink()
        Catalog(world.studio).put("contract", f"demo@{world.record.chain_id}", world.record.model_dump())
        world.journal_lost = True
        fault.struck += 1


def clock(world: World, fault: Fault):
    fault.operators = [Operator(clock=world.rng.choice((86400.0 * 400, -86400.0 * 400, 3600.0)))]
    fault.struck += 1
    yield
    while True:
        yield


def revoke(world: World) -> None:
    world.sent(world.boss, world.do.revokeRole(world.role["MINTER"], world.keys["minter"].address))


def pause(world: World) -> None:
    world.sent(world.boss, world.do.pause())


FAULTS: list[Callable[[], Fault]] = [
    *(lambda name=name: Fault(f"SIGKILL: {name}", kill, True) for name in POINTS),
    lambda: Fault("answer lost", answers("lost")),
    lambda: Fault("request lost", answers("dropped")),
    lambda: Fault("request doubled", answers("twice")),
    lambda: Fault("taken and forgotten", answers("swallowed")),
    lambda: Fault("unknown words, and taken", answers("unknown")),
    lambda: Fault("node down", answers("503", "*", 40)),
    lambda: Fault("node busy", answers("busy", "*", 10)),
    lambda: Fault("a page instead of JSON", answers("page", "*", 5)),
    lambda: Fault("receipts late", answers("null", "eth_getTransactionReceipt", 30)),
    lambda: Fault("node behind with nonces", answers("less", "eth_getTransactionCount", 8)),
    lambda: Fault("wrong chain id", answers("value", "eth_chainId", 10**6, value="0x1")),
    lambda: Fault("another chain, same id", other_chain),
    lambda: Fault("stuck, fees rise", stuck),
    lambda: Fault("dropped from the pool", dropped),
    lambda: Fault("reorg in mid-run", reorg),
    lambda: Fault("reorg after the last batch", late_reorg),
    lambda: Fault("nonce gap from outside", nonce_gap),
    lambda: Fault("key used from outside", key_outside),
    lambda: Fault("purse empty", purse),
    lambda: Fault("role revoked", admin_acts(revoke), True),
    lambda: Fault("paused", admin_acts(pause), True),
    lambda: Fault("limit in a window", window),
    lambda: Fault("disk full", disk, True),
    lambda: Fault("two operators, one key", two_operators, True),
    lambda: Fault("two operators, two keys", two_keys, True),
    lambda: Fault("two studios, one key", copied_key, True),
    lambda: Fault("a client that repeats itself", repeating_client, True),
    lambda: Fault("journal lost", journal_lost, True),
    lambda: Fault("clock jumps", clock, True),
]


# Running a schedule


def healed(world: World) -> None:
    "All that was broken is mended."
    if world.proxy:
        world.proxy(faults=[], target=world.node.url)
        world.node("evm_setAutomine", True)
        world.node("evm_mine")
    (world.studio / "filler").unlink(missing_ok=True)
    if world.do.paused().call():
        world.sent(world.boss, world.do.unpause())
    for key in world.keys.values():
        if world.web3.eth.get_balance(key.address) < PURSE // 2:
            world.fund(key.address)
        world.allow(key.address)


def run_once(world: World, fault: Fault, seconds: float = 60) -> list[str]:
    "Run a fault's operators to their end, with its weather; how each ended."
    weather = fault.weather(world, fault)
    next(weather)
    for each in fault.operators:
        each.start(world)
    waiting = list(fault.operators)
    ends = []
    begun = time.monotonic()
    while waiting:
        for each in waiting[:]:
            if os.waitid(os.P_PID, each.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                waiting.remove(each)
                ends.append(each.ended())
        if waiting:
            next(weather)
        if time.monotonic() > begun + seconds:
            for each in waiting:
                os.kill(each.pid, signal.SIGKILL)
                os.waitpid(each.pid, 0)
            raise AssertionError(f"{fault.name}: the operator doesn't come to an end")
        time.sleep(0.03)
    weather.close()
    if world.proxy:
        fault.struck += world.proxy()
    fault.struck += ends.count("killed")
    return ends


def check(world: World) -> None:
    "What must hold at the end: the planned supply, no duplicate, no gap, no wei gone but for fees, and a journal that says what happened."
    from artmint.studio.catalog import Catalog
    from artmint.chain.transaction import Transaction

    ask = world.web3.eth
    quantity = world.drop.quantity
    assert world.do.totalSupply().call() == quantity and world.minted() == quantity, "supply"
    if world.proxy:
        assert [
            event["args"]["tokenId"] for event in world.contract.events.Transfer().get_logs(from_block=0)
        ] == list(range(1, quantity + 1)), "each token once, in order"
    assert {world.do.ownerOf(i).call() for i in range(1, quantity + 1)} == {
        ask.get_block("latest") and world.web3.to_checksum_address(world.treasury)
    }, "owners"
    assert ask.get_balance(world.treasury) == 0 and ask.get_balance(world.contract.address) == 0, (
        "money went elsewhere"
    )
    fees = defaultdict(int)
    senders = {key.address for key in world.keys.values()}
    mined = {}
    for number in range(world.last + 1):
        for transaction in ask.get_block(number, True)["transactions"]:
            if transaction["from"] in senders:
                receipt = ask.get_transaction_receipt(transaction["hash"])
                mined[transaction["hash"].to_0x_hex()] = paid = (
                    receipt["gasUsed"] * receipt["effectiveGasPrice"]
                )
                fees[transaction["from"]] += paid
    for key in world.keys.values():
        assert ask.get_balance(key.address) == world.given[key.address] - fees[key.address], (
            f"{key.address} has lost wei"
        )
    told = set()
    for studio in (
        path
        for path in (world.studio, world.folder / "rival", world.folder / "copy")
        if (path / "catalog.sqlite").exists()
    ):
        catalog = Catalog(studio)
        rows = [Transaction(**body) for body in catalog.all("transaction").values()]
        for each in rows:
            assert not each.open, f"nonce {each.nonce} is {each.state}"
            assert (each.hash in mined) == (each.state != "replaced"), f"nonce {each.nonce} is {each.state}"
            lines = sum(
                int(line["amount"])
                for line in catalog.history("cost", f"mint/{each.hash}")
                if line["unit"].endswith("wei")
            )
            assert lines == mined.get(each.hash, 0), f"the ledger says {lines} wei of {each.hash}"
            told |= set(each.versions)
        assert len(catalog.all("token", "demo/")) == quantity and catalog.check_records() == [], (
            "tokens on record"
        )
        found = catalog.find("stamp", f"demo/1@{world.record.chain_id}")
        assert found and found["proven"] and found["tokens"] == quantity, "the stamp"
    if not world.journal_lost:
        assert set(mined) <= told | world.outside, "a transaction that no journal knows"


def schedule(number: int, proxy: Proxy | None, disks: bool = True) -> dict:
    "Run one: its faults with how often they struck, how each run ended, and what is wrong, if anything."
    import artmint.chain.stamp  # noqa: F401 before the first fork: children needn't load it again

    rng = random.Random(f"artmint-faults-{number}")
    able = [make for make in FAULTS if (proxy or make().embedded) and (disks or make().name != "disk full")]
    faults = [able[(number - 1) % len(able)]()] + [
        rng.choice(able)() for _ in range(rng.choice((0, 0, 1, 2)))
    ]
    if sum(each.name == "disk full" for each in faults) > 1:
        faults = faults[:1]
    done = {"number": number, "faults": faults, "ends": [], "wrong": ""}
    world = None
    begun = time.monotonic()
    try:
        world = World(Path(tempfile.mkdtemp(prefix="artmint-faults-")), rng, proxy)
        for fault in faults:
            done["ends"] += run_once(world, fault)
            healed(world)
        for _ in range(4):
            if proxy:
                world.node("anvil_mine", "0x1")
            done["ends"] += (last := run_once(world, Fault("none", kill_nothing)))
            if last == ["done"]:
                break
        else:
            raise AssertionError(f"it doesn't come to an end: {done['ends']}")
        world.last = world.web3.eth.block_number
        if proxy:
            world.node("anvil_mine", "0x82")  # 130 blocks: what was minted is final
        for studio, key in (("copy", "minter"), ("rival", "rival"), ("studio", "minter")):
            if (world.folder / studio).exists():
                assert run_once(
                    world,
                    Fault(
                        "none", kill_nothing, operators=[Operator(studio=studio, key=key, depth="finalized")]
                    ),
                ) == ["done"]
        check(world)
    except Exception as error:
        done["wrong"] = (
            f"{type(error).__name__}: {error}"
            if isinstance(error, AssertionError)
            else traceback.format_exc()
        )
    finally:
        if world:
            world.end()
    return {**done, "seconds": time.monotonic() - begun}


def kill_nothing(world: World, fault: Fault):
    while True:
        yield


def can_mount() -> bool:
    "Whether a small file system can be had here: it takes the right to mount."
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = (
                subprocess.run(
                    ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder],
                    capture_output=True,
                    check=False,
                ).returncode
                == 0
            )
        except OSError:
            return False
        if made:
            subprocess.run(["umount", folder], check=False)
        return made


def table(rows: list[dict]) -> str:
    "Schedules by fault, as Markdown."
    by = defaultdict(list)
    for row in rows:
        for fault in row["faults"]:
            by[fault.name].append((row, fault))
    lines = ["| fault | schedules | struck | ended right |", "|---|--:|--:|--:|"]
    for name in [make().name for make in FAULTS]:
        if found := by.get(name):
            lines.append(
                f"| {name} | {len(found)} | {sum(fault.struck > 0 for _, fault in found)} | {sum(not row['wrong'] for row, _ in found)} |"
            )
    right = sum(not row["wrong"] for row in rows)
    ends = Counter(end for row in rows for end in row["ends"])
    lines.append(
        f"| **{len(rows)} schedules** | {sum(len(row['faults']) for row in rows)} faults | {sum(fault.struck > 0 for row in rows for fault in row['faults'])} | **{right}** |"
    )
    return (
        "\n".join(lines)
        + "\n\nRuns ended: "
        + ", ".join(f"{end} {count}" for end, count in ends.most_common())
        + f". {sum(row['seconds'] for row in rows):.0f} s in all."
    )


def main() -> None:
    "Run schedules and print what became of them."
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--schedule", type=int, default=0, help="run this one only")
    given.add_argument("--first", type=int, default=1)
    given.add_argument("--count", type=int, default=216)
    given.add_argument("--embedded", action="store_true", help="on the chain in a folder, without a node")
    given.add_argument("--into", type=Path, help="write the table here as well")
    options = given.parse_args()
    numbers = [options.schedule] if options.schedule else range(options.first, options.first + options.count)
    proxy = None if options.embedded else Proxy()
    disks = can_mount()
    rows = []
    if not disks:
        print("No file system can be mounted here, so no disk is full.")
    for number in numbers:
        rows.append(row := schedule(number, proxy, disks))
        print(
            f"{number:4} {row['seconds']:5.1f} s  {', '.join(each.name + ('' if each.struck else ' (missed)') for each in row['faults'])}: {', '.join(row['ends'])}",
            flush=True,
        )
        if row["wrong"]:
            print(row["wrong"], flush=True)
    print(table(rows))
    if options.into:
        options.into.write_text(table(rows) + "\n")
    if proxy:
        proxy.process.terminate()
    sys.exit(any(row["wrong"] for row in rows))


if __name__ == "__main__":
    main()
