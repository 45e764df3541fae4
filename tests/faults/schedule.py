"A schedule: the faults of a number, run until all is minted."

import random
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from .faults import FAULTS, NOTHING, Fault
from .invariants import check
from .operators import Operator
from .proxy import Proxy
from .world import PURSE, World

PATIENCE = 60  # seconds for the operators of one fault
FINAL = 130  # blocks, after which what was minted is final


@dataclass
class Outcome:
    "What became of a schedule: its faults, how each run ended, what is wrong (empty: nothing), seconds."

    number: int
    faults: list[Fault]
    ends: list[str] = field(default_factory=list)
    wrong: str = ""
    seconds: float = 0.0


def drawn_faults(number: int, rng: random.Random, node: bool, disks: bool) -> list[Fault]:
    "One to three of those that can be had with or without node and disks; the first goes by the number."
    kinds = [kind for kind in FAULTS if (node or kind.embedded) and (disks or kind.name != "disk full")]
    first = kinds[(number - 1) % len(kinds)]
    faults = [Fault(first), *(Fault(rng.choice(kinds)) for _ in range(rng.choice((0, 0, 1, 2))))]
    if sum(fault.name == "disk full" for fault in faults) > 1:
        return faults[:1]
    return faults


def healed(world: World) -> None:
    "Mend all that was broken."
    if world.proxy:
        world.proxy(faults=[], target=world.node.url)
        world.node("evm_setAutomine", True)
        world.node("evm_mine")
    (world.studio / "filler").unlink(missing_ok=True)
    if world.do.paused().call():
        world.command(world.do.unpause())
    for key in world.keys.values():
        if world.web3.eth.get_balance(key.address) < PURSE // 2:
            world.fund(key.address)
        world.allow(key.address)


def run_once(world: World, fault: Fault) -> list[str]:
    "Run a fault's operators to their end; how they ended. Raises AssertionError when they don't."
    weather = fault.kind.weather(world, fault)
    next(weather)
    for operator in fault.operators:
        operator.start(world)
    waiting, ends, begun = list(fault.operators), [], time.monotonic()
    while waiting:
        for operator in waiting[:]:
            if not operator.running():
                waiting.remove(operator)
                ends.append(operator.ended())
        if waiting:
            next(weather)
        if time.monotonic() > begun + PATIENCE:
            for operator in waiting:
                operator.kill()
            raise AssertionError(f"{fault.name}: the operator doesn't come to an end")
        time.sleep(0.03)
    weather.close()
    if world.proxy:
        fault.struck += world.proxy()
    fault.struck += ends.count("killed")
    return ends


def mint_all(world: World, outcome: Outcome) -> None:
    "Run operators in good weather until one says that all is done. Raises AssertionError after four."
    for _ in range(4):
        if world.proxy:
            world.node("anvil_mine", "0x1")
        ends = run_once(world, Fault(NOTHING))
        outcome.ends += ends
        if ends == ["done"]:
            return
    raise AssertionError(f"it doesn't come to an end: {outcome.ends}")


def stamp_all(world: World) -> None:
    "Let every studio write that the drop is final. Raises AssertionError when one can't."
    if world.proxy:
        world.node("anvil_mine", hex(FINAL))
    for studio, key in (("copy", "minter"), ("rival", "rival"), ("studio", "minter")):
        if (world.folder / studio).exists():
            operator = Operator(studio=studio, key=key, depth="finalized")
            assert run_once(world, Fault(NOTHING, operators=[operator])) == ["done"]


def run(world: World, outcome: Outcome) -> None:
    "All of a schedule in its world. Raises AssertionError for what doesn't hold."
    world.prepare()
    for fault in outcome.faults:
        outcome.ends += run_once(world, fault)
        healed(world)
    mint_all(world, outcome)
    last = world.web3.eth.block_number
    stamp_all(world)
    check(world, last)


def schedule(number: int, proxy: Proxy | None, disks: bool = True) -> Outcome:
    "Run one schedule; nothing is raised: what is wrong stands in the outcome."
    rng = random.Random(f"artmint-faults-{number}")
    outcome = Outcome(number, drawn_faults(number, rng, bool(proxy), disks))
    world, begun = None, time.monotonic()
    try:
        world = World(Path(tempfile.mkdtemp(prefix="artmint-faults-")), rng, proxy)
        run(world, outcome)
    except AssertionError as error:
        outcome.wrong = f"AssertionError: {error}"
    except Exception:  # noqa: BLE001 whatever it is, it belongs to the outcome
        outcome.wrong = traceback.format_exc()
    finally:
        if world:
            world.end()
    outcome.seconds = time.monotonic() - begun
    return outcome
