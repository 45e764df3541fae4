"""All that can go wrong.

A fault is a generator: it prepares, yields, and the operators start; it goes on whenever the driver looks
(the weather), and cleans up when they have ended. Which faults a schedule has, and what they draw, follows
from its number: a new kind of fault gives the numbers another meaning, and so does another order of FAULTS or
of draws.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from artmint.chain.embedded import TransactionRefused
from artmint.chain.journal import Journal
from artmint.chain.signers import KeystoreSigner
from artmint.studio.catalog import Catalog
from tests.anvil import Anvil

from .disks import fill, move_to_small_disk
from .operators import POINTS, Operator
from .world import GWEI, PASSPHRASE, PURSE, World

Weather = Callable[[World, "Fault"], Iterator[None]]


@dataclass(frozen=True)
class Kind:
    "A kind of fault; `embedded`: it can be had without a node."

    name: str
    weather: Weather
    embedded: bool = False


@dataclass
class Fault:
    "A fault of a schedule: how often it struck, and the operators that run under it."

    kind: Kind
    struck: int = 0
    operators: list[Operator] = field(default_factory=lambda: [Operator()])

    @property
    def name(self) -> str:
        "Its kind's name."
        return self.kind.name


def nothing(world: World, fault: Fault) -> Iterator[None]:
    "Good weather, and what follows when a fault has done its work."
    while True:
        yield


def wait(seconds: float) -> Iterator[None]:
    "Nothing for a while."
    begun = time.monotonic()
    while time.monotonic() < begun + seconds:
        yield


def kill(world: World, fault: Fault) -> Iterator[None]:
    "SIGKILL at the point that the fault's name says."
    point = fault.name.removeprefix("SIGKILL: ")
    nth = 1 if "stamped" in point else world.rng.choice((1, 1, 2, 3))
    fault.operators = [Operator(point=point, nth=nth)]
    yield from nothing(world, fault)


# What the proxy does


def answers(kind: str, method: str = "eth_sendRawTransaction", most: int = 3, **more: Any) -> Weather:
    "Up to `most` requests with a method meet this fault of the proxy's."

    def weather(world: World, fault: Fault) -> Iterator[None]:
        after, times = world.rng.randint(0, 2), world.rng.randint(1, most)
        world.proxy(faults=[{"method": method, "after": after, "times": times, "kind": kind, **more}])
        yield from nothing(world, fault)

    return weather


def other_chain(world: World, fault: Fault) -> Iterator[None]:
    "From some request on a second chain answers, with the same id; the key has been used there."
    second = Anvil("--accounts", "1")
    world.anvils.append(second)
    minter = world.keys["minter"].address
    second("anvil_setBalance", minter, hex(PURSE))
    second("anvil_setNonce", minter, hex(50))
    after = world.rng.randint(0, 60)
    world.proxy(other=second.url, faults=[{"method": "*", "after": after, "times": 10**6, "kind": "other"}])
    yield from nothing(world, fault)


# What the chain does


def pending(world: World) -> list[str]:
    "Hashes of the minter's transactions that wait, by nonce."
    minter = world.keys["minter"].address.lower()
    for address, by_nonce in world.node("txpool_content")["pending"].items():
        if address.lower() == minter:
            return [by_nonce[nonce]["hash"] for nonce in sorted(by_nonce, key=int)]
    return []


def mine_dearer(world: World) -> None:
    "A block with a base fee of 20 gwei."
    world.node("anvil_setNextBlockBaseFeePerGas", hex(20 * GWEI))
    world.node("evm_mine")


def stuck(world: World, fault: Fault) -> Iterator[None]:
    """Blocks are mined by hand, and dearer ones.

    What was signed becomes too cheap, and the same nonce is signed again.
    """
    world.node("evm_setAutomine", False)
    yield
    while not pending(world):
        yield
    mine_dearer(world)
    fault.struck += 1
    yield from wait(0.7)
    while True:
        mine_dearer(world)
        yield from wait(0.2)


def dropped(world: World, fault: Fault) -> Iterator[None]:
    "The pool forgets a transaction, the first, the last or all of a flight."
    world.node("evm_setAutomine", False)
    yield
    waiting = pending(world)
    while not waiting:
        yield
        waiting = pending(world)
    for transaction in world.rng.choice((waiting[:1], waiting[-1:], waiting)):
        world.node("anvil_dropTransaction", transaction)
        fault.struck += 1
    while True:
        yield from wait(0.15)
        world.node("evm_mine")


def reorg(world: World, fault: Fault) -> Iterator[None]:
    "The newest blocks are replaced by empty ones."
    at = world.rng.randint(1, world.drop.quantity - 1)
    yield
    while world.minted() < at:
        yield
    world.node("anvil_reorg", world.rng.randint(1, 3), [])
    fault.struck += 1
    yield from nothing(world, fault)


def late_reorg(world: World, fault: Fault) -> Iterator[None]:
    "The newest blocks are replaced by empty ones after all was minted."
    fault.operators = [Operator(depth="finalized")]
    yield
    while world.minted() < world.drop.quantity:
        yield
    begun = time.monotonic()
    while time.monotonic() < begun + world.rng.choice((0, 0.3)):
        yield
    world.node("anvil_reorg", world.rng.randint(2, 5), [])
    fault.struck += 1
    yield from nothing(world, fault)


def standstill(world: World, fault: Fault) -> Iterator[None]:
    "No block comes for a while."
    yield
    world.node("evm_setAutomine", False)
    fault.struck += 1
    yield from wait(world.rng.choice((0.3, 1.5)))
    world.node("evm_setAutomine", True)
    world.node("evm_mine")
    yield from nothing(world, fault)


def spike(world: World, fault: Fault) -> Iterator[None]:
    "A base fee above the studio's ceiling, for a few blocks."
    world.node("anvil_setNextBlockBaseFeePerGas", hex(700 * GWEI))
    world.node("evm_mine")
    fault.struck += 1
    try:
        yield from nothing(world, fault)
    finally:
        world.node("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        world.node("evm_mine")


def final_reorg(world: World, fault: Fault) -> Iterator[None]:
    "Blocks that were final are replaced by empty ones, after the journal has written that they are."
    try:
        yield from nothing(world, fault)
    finally:
        world.node("anvil_mine", "0x50")
        last = Operator(depth="finalized")
        last.start(world)
        last.ended()
        world.node("anvil_reorg", 0x50 + world.rng.randint(1, 3), [])
        fault.struck += 1


# What a person does about what waits


def by_hand(way: str) -> Weather:
    "The operator is killed when its flight is written down, or partly sent, and a person takes it from there."

    def weather(world: World, fault: Fault) -> Iterator[None]:
        point = world.rng.choice(("written, not sent", "some of a flight sent"))
        fault.operators = [Operator(point=point, nth=world.rng.choice((1, 2)))]
        try:
            yield from nothing(world, fault)
        finally:
            fault.struck += acted(world, way)

    return weather


def acted(world: World, way: str) -> int:
    "Speed up, cancel or give up the first nonce that waits; how often that was done."
    from artmint.chain.stuck import StillKnown, abandon, cancel, speed_up

    keystore = KeystoreSigner(world.studio / "keys/minter.json", PASSPHRASE)
    book = Journal(Catalog(world.studio), world.connected(direct=True), keystore, patience=5)
    waiting = [one for one in book.transactions() if one.open]
    if not waiting:
        return 0
    try:
        {"speed up": speed_up, "cancel": cancel, "give up": abandon}[way](book, waiting[0].nonce)
    except StillKnown:
        return 0
    return 1


# What happens to the key


def nonce_gap(world: World, fault: Fault) -> Iterator[None]:
    "Somebody has the key, and sends with the nonce after next: it waits in the pool until it fits."
    key = world.keys["minter"]
    following = world.web3.eth.get_transaction_count(key.address)
    world.send(key, None, nonce=following + world.rng.randint(1, 3))
    fault.struck += 1
    yield from nothing(world, fault)


def key_outside(world: World, fault: Fault) -> Iterator[None]:
    "Somebody has the key, and sends while the operator does."
    from web3.exceptions import Web3RPCError

    at = world.rng.randint(0, world.drop.quantity - 1)
    yield
    while world.minted() < at:
        yield
    try:
        world.send(world.keys["minter"], None)
    except Web3RPCError:
        pass  # the operator was faster with this nonce
    fault.struck += 1
    yield from nothing(world, fault)


def purse(world: World, fault: Fault) -> Iterator[None]:
    "The purse holds enough for a few batches only."
    batches = world.rng.randint(0, 4)
    world.fund(world.keys["minter"].address, batches * 150_000 * 2 * GWEI + 1)
    fault.struck += 1
    yield from nothing(world, fault)


# What the admin does


def admin_acts(act: Callable[[World], None]) -> Weather:
    "The admin does something when some tokens are minted."

    def weather(world: World, fault: Fault) -> Iterator[None]:
        at = world.rng.randint(0, world.drop.quantity - 1)
        yield
        while world.minted() < at:
            yield
        act(world)
        fault.struck += 1
        yield from nothing(world, fault)

    return weather


def revoke(world: World) -> None:
    "Take the minter's role."
    world.command(world.do.revokeRole(world.role["MINTER"], world.keys["minter"].address))


def pause(world: World) -> None:
    "Stop minting."
    world.command(world.do.pause())


def window(world: World, fault: Fault) -> Iterator[None]:
    "A small limit in a stretch of time, and the chain's clock jumps over its edge."
    limit = world.batch + world.rng.randint(0, 2)
    world.allow(world.keys["minter"].address, per_window=limit, window=600)
    fault.struck += 1
    yield
    while True:
        if world.proxy and world.rng.random() < 0.2:
            world.node("evm_increaseTime", 400)
            world.node("evm_mine")
        yield


# What happens to the studio


def disk(world: World, fault: Fault) -> Iterator[None]:
    "The studio lies on a disk of 2 MiB, and something else fills it, at once or after the first token."
    world.mounted = world.studio
    move_to_small_disk(world.studio, world.folder / "away")
    left = world.rng.choice((0, 8, 40, 80, 160)) * 1024
    at = world.rng.choice((0, 0, 1))
    if at:
        yield
        while world.minted() < at:
            yield
    fill(world.studio, left)
    fault.struck += 1
    yield from nothing(world, fault)


def journal_lost(world: World, fault: Fault) -> Iterator[None]:
    "After a kill the catalog is gone: an operator with an empty book, who has nothing but the chain."
    point = world.rng.choice(list(POINTS)[:8])
    fault.operators = [Operator(point=point, nth=world.rng.randint(1, 3))]
    try:
        yield from nothing(world, fault)
    finally:
        for path in world.studio.glob("catalog.sqlite*"):
            path.unlink()
        world.record_contract(world.studio)
        world.journal_lost = True
        fault.struck += 1


def clock(world: World, fault: Fault) -> Iterator[None]:
    "The wall clock jumps by more than a year, or by an hour."
    fault.operators = [Operator(clock=world.rng.choice((86400.0 * 400, -86400.0 * 400, 3600.0)))]
    fault.struck += 1
    yield from nothing(world, fault)


# Who else mints


def two_operators(world: World, fault: Fault) -> Iterator[None]:
    "The same studio and key, twice at once; one of the two may be killed."
    point = world.rng.choice(("", "written, not sent", "some of a flight sent"))
    fault.operators = [Operator(), Operator(point)]
    fault.struck += 1
    yield from nothing(world, fault)


def two_keys(world: World, fault: Fault) -> Iterator[None]:
    "Another studio with another minter's key mints the same drop at the same time."
    from eth_account import Account

    if "rival" not in world.keys:
        world.keys["rival"] = Account.create()
        world.keep("rival", world.folder / "rival")
        world.fund(world.keys["rival"].address)
        world.allow(world.keys["rival"].address)
        world.record_contract(world.folder / "rival")
    fault.operators = [Operator(), Operator(studio="rival", key="rival")]
    fault.struck += 1
    yield from nothing(world, fault)


def copied_key(world: World, fault: Fault) -> Iterator[None]:
    "Another studio with a copy of the same key: no lock can tell them of each other."
    if not (world.folder / "copy").exists():
        world.keep("minter", world.folder / "copy")
        world.record_contract(world.folder / "copy")
    fault.operators = [Operator(), Operator(studio="copy")]
    fault.struck += 1
    yield from nothing(world, fault)


def repeating_client(world: World, fault: Fault) -> Iterator[None]:
    """A client without a journal, with a key that may mint.

    Whatever is minted it sends again, with a new nonce each time, and what comes next it sends twice.
    """
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
                world.send(world.keys["faulty"], world.do.mintBatch(first, 1, 1), gas=300_000)
            except (Web3Exception, TransactionRefused):
                pass  # the node itself has seen through it
            fault.struck += 1
        yield


def error(words: str, code: int = -32000) -> dict:
    "A JSON-RPC error."
    return {"code": code, "message": words}


INDEXING = "transaction indexing is in progress"
NO_TAG = "finalized block not found"
TOO_DEAR = "tx fee (1.20 ether) exceeds the configured cap (1.00 ether)"
HEADERS = Path(__file__).parents[1] / "data/headers.json"
SIGNED_HEADER = json.loads(HEADERS.read_text())["polygon"]
NOTHING = Kind("none", nothing)
FAULTS = [
    *(Kind(f"SIGKILL: {point}", kill, True) for point in POINTS),
    Kind("answer lost", answers("lost")),
    Kind("request lost", answers("dropped")),
    Kind("request doubled", answers("twice")),
    Kind("taken and forgotten", answers("swallowed")),
    Kind("unknown words, and taken", answers("unknown")),
    Kind("node down", answers("503", "*", 40)),
    Kind("node busy", answers("busy", "*", 10)),
    Kind("a page instead of JSON", answers("page", "*", 5)),
    Kind("receipts late", answers("null", "eth_getTransactionReceipt", 30)),
    Kind("node behind with nonces", answers("less", "eth_getTransactionCount", 8)),
    Kind("wrong chain id", answers("value", "eth_chainId", 10**6, value="0x1")),
    Kind("another chain, same id", other_chain),
    Kind("stuck, fees rise", stuck),
    Kind("dropped from the pool", dropped),
    Kind("reorg in mid-run", reorg),
    Kind("reorg after the last batch", late_reorg),
    Kind("nonce gap from outside", nonce_gap),
    Kind("key used from outside", key_outside),
    Kind("purse empty", purse),
    Kind("role revoked", admin_acts(revoke), True),
    Kind("paused", admin_acts(pause), True),
    Kind("limit in a window", window),
    Kind("disk full", disk, True),
    Kind("two operators, one key", two_operators, True),
    Kind("two operators, two keys", two_keys, True),
    Kind("two studios, one key", copied_key, True),
    Kind("a client that repeats itself", repeating_client, True),
    Kind("journal lost", journal_lost, True),
    Kind("clock jumps", clock, True),
    Kind("state behind", answers("behind", "*", 40)),
    Kind("newest block behind", answers("less", "eth_blockNumber", 8)),
    Kind("header not found", answers("error", "eth_call", 12, value=error("header not found"))),
    Kind("receipts ahead of their block", answers("ahead", "eth_getTransactionReceipt", 30)),
    Kind("receipts very late", answers("null", "eth_getTransactionReceipt", 2000)),
    Kind("receipts being indexed", answers("error", "eth_getTransactionReceipt", 20, value=error(INDEXING))),
    Kind("receipts without an end", answers("without", "eth_getTransactionReceipt", 2, value="status")),
    Kind(
        "receipts without a price",
        answers("without", "eth_getTransactionReceipt", 9, value="effectiveGasPrice"),
    ),
    Kind("blocks without a base fee", answers("without", "eth_getBlockByNumber", 2, value="baseFeePerGas")),
    Kind("headers that validators sign", answers("with", "eth_getBlockByNumber", 10**6, value=SIGNED_HEADER)),
    Kind("429, come back in a second", answers("429", "*", 3, value="1")),
    Kind("429, no word when", answers("429", "*", 6)),
    Kind(
        "too much computed",
        answers("error", "*", 6, value=error("exceeded its compute units per second capacity")),
    ),
    Kind("slow", answers("slow", "*", 20, value=0.2)),
    Kind("half an answer", answers("cut", "*", 4)),
    Kind("an empty answer", answers("empty", "*", 4)),
    Kind("connections that break", answers("dropped", "*", 6)),
    Kind("never: too little gas", answers("error", most=2, value=error("intrinsic gas too low"))),
    Kind("never: too dear for the node", answers("error", most=2, value=error(TOO_DEAR))),
    Kind("never, and taken", answers("taken, and an error", most=2, value=error("intrinsic gas too low"))),
    Kind("never, again and again", answers("error", most=60, value=error("exceeds block gas limit"))),
    Kind("underpriced, it says", answers("error", most=2, value=error("transaction underpriced"))),
    Kind("a rival, it says", answers("error", most=2, value=error("replacement transaction underpriced"))),
    Kind("known, and lost", answers("error", most=2, value=error("already known"))),
    Kind("nonce too low, it says", answers("error", most=2, value=error("nonce too low"))),
    Kind(
        "no money, it says",
        answers("error", most=2, value=error("insufficient funds for gas * price + value")),
    ),
    Kind("pool full", answers("error", most=4, value=error("txpool is full"))),
    Kind("estimate refused", answers("error", "eth_estimateGas", 2, value=error("execution reverted"))),
    Kind("estimate too low", answers("value", "eth_estimateGas", 3, value="0x4268")),
    Kind("estimate above the cap", answers("value", "eth_estimateGas", 2, value="0x2faf080")),
    Kind("state pruned", answers("error", "eth_call", 4, value=error("missing trie node 8f2a"))),
    Kind("balance of zero", answers("value", "eth_getBalance", 2, value="0x0")),
    Kind(
        "no advice on tips",
        answers("error", "eth_maxPriorityFeePerGas", 9, value=error("method not found", -32601)),
    ),
    Kind(
        "finality unknown", answers("error", "eth_getBlockByNumber", 50, value=error(NO_TAG), at="finalized")
    ),
    Kind("no blocks for a while", standstill),
    Kind("fees above the ceiling", spike),
    Kind("reorg of final blocks", final_reorg),
    Kind("sped up by hand", by_hand("speed up")),
    Kind("cancelled by hand", by_hand("cancel")),
    Kind("given up by hand", by_hand("give up")),
]
