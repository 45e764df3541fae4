"The ledger, the numbers recomputed from its lines, the retrain signal, the gate."

import json
import math
import sqlite3
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from artmint.make.base import load_base, load_judge
from artmint.run.batch import load_batch
from artmint.seeds import frozen_slots
from artmint.studio.catalog import Catalog
from artmint.curate import candidates, choose
from artmint.gate import Remedy, TooCostly, Trial, gate, padding, remedies, tried_out, try_out, variants
from artmint.generate import attempts_of, generate
from artmint.studio.ledger import (
    BadRates,
    LOOK_SECONDS,
    LedgerLine,
    Meter,
    bill,
    ledger_lines,
    load_money,
    looking_seconds,
    metered,
    price,
)
from artmint.metadata import pack
from artmint.publish.tokens import BaseFacts
from artmint.metrics import (
    AttemptOutcome,
    BatchHistory,
    GAS_DROP,
    GAS_TOKEN,
    batch_history,
    interval,
    kpis,
    quantiles,
    spoken,
    waterfall,
)
from artmint.judge.decisions import Action, ReviewSession, record_action
from artmint.judge.prune import Pruner
from artmint.run.batch import plan
from artmint.judge.scores import every_scorer, score
from artmint.core.canon import digest
from artmint.core.collection import Rule
from artmint.seeds import load_collection, recipes
from artmint.report.signal import (
    TooFewToWatch,
    design_chart,
    false_alarm,
    follow,
    retrain_batch,
    stream,
    verdict,
)

FOLDER = Path(__file__).parent / "data" / "tiny"
TINY = load_collection(FOLDER)
RATES = 'currency = "EUR"\nmonths = 24\nrevenue_per_token = 3\n[[rates]]\nsince = 2020-01-01\ncpu_hour = 0.05\npeople_hour = 30\nstorage_gb_month = 0.02\npin_gb_month = 0.1\nether = 2500\ngas_gwei = 0.02\n'


# The ledger.


def test_what_happens_inside_is_charged_in_equal_parts_also_when_it_fails(tmp_path):
    catalog = Catalog(tmp_path)
    with pytest.raises(ZeroDivisionError), metered(catalog, "generate", ["a", "b"]) as more:
        more["bytes"] = 30
        time.sleep(0.02)
        1 / 0
    found = {(line.key, line.unit): line.amount for line in ledger_lines(catalog)}
    assert set(found) == {(key, unit) for key in "ab" for unit in ("wall", "cpu", "bytes")}
    assert found["a", "wall"] == found["b", "wall"] >= 0.01
    assert found["a", "bytes"] == 15


def test_a_device_is_charged_by_the_clock(tmp_path):
    catalog = Catalog(tmp_path)
    meter = Meter(catalog, "generate", gpu=True)
    time.sleep(0.01)
    meter.charge(["a"])
    meter.charge([])
    found = {line.unit: line.amount for line in ledger_lines(catalog)}
    assert found["gpu"] == found["wall"] >= 0.01
    assert len(found) == 3


def test_wei_keep_all_their_digits(tmp_path):
    catalog = Catalog(tmp_path)
    wei = 12345678901234567891
    catalog.spend("mint", "0x", str(wei), "wei")
    assert catalog.costs()[0]["amount"] == str(wei)
    assert ledger_lines(catalog)[0].amount == float(wei)


def test_a_line_is_priced_at_the_rate_of_its_day(tmp_path):
    (tmp_path / "studio.toml").write_text(
        "[[rates]]\nsince = 2025-03-01\ncpu_hour = 2\n[[rates]]\nsince = 2024-01-01\ncpu_hour = 1\npeople_hour = 36\n"
    )
    money = load_money(tmp_path)

    def at(day: str, unit: str = "cpu"):
        return price(
            LedgerLine("x", "y", 3600.0, unit, datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()),
            money,
        )

    assert [at("2023-12-31"), at("2024-01-01"), at("2025-02-28T23:59:59"), at("2025-03-01")] == [
        None,
        1.0,
        1.0,
        2.0,
    ]
    assert at("2025-03-02", "people") is None  # a new table says all of its rates
    assert at("2023-01-01", "wall") == at("2023-01-01", "gas") == at("2023-01-01", "test-wei") == 0.0


def test_what_has_no_rate_is_named_and_never_free(tmp_path):
    found = bill(
        [
            LedgerLine("a", "k", 10.0, "cpu", time.time()),
            LedgerLine("b", "k", 5.0, "people", time.time()),
            LedgerLine("b", "k", 0.0, "wei", time.time()),
        ],
        load_money(tmp_path),
    )
    assert found.missing == {"cpu_hour": 10.0, "people_hour": 5.0}
    assert found.total == 0
    assert not found.fully_priced


@pytest.mark.parametrize(
    "text",
    [
        "[[rates]]\ncpu_hour = 1\n",
        "[[rates]]\nsince = 2024-01-01\ncpu_hour = -1\n",
        "[[rates]]\nsince = 2024-01-01\ncpu_hours = 1\n",
        "rates = 3\n",
        "revenue_per_token = 0\n",
        "cost_share = ",
    ],
)
def test_money_that_cannot_be_read_is_refused(tmp_path, text):
    (tmp_path / "studio.toml").write_text(text)
    with pytest.raises(BadRates):
        load_money(tmp_path)


def test_money_lives_beside_stores(tmp_path):
    (tmp_path / "studio.toml").write_text(RATES + '[[stores]]\nkind = "folder"\nfolder = "x"\n')
    assert load_money(tmp_path).currency == "EUR"


@given(st.lists(st.floats(0, 10_000), min_size=1, max_size=20))
def test_nobody_looks_longer_than_a_pause(times):
    found = looking_seconds({"mira": [(at, str(i)) for i, at in enumerate(times)]})
    assert len(found) == len(times)
    assert all(0 <= seconds <= 120 for _, seconds, _ in found)
    assert len(times) > 1 or found[0][1] == LOOK_SECONDS


# The numbers, computed again by other means.


def rows(studio: Path, kind: str) -> list[tuple[str, dict, float]]:
    "Records as they lie in the database."
    with sqlite3.connect(studio / "catalog.sqlite") as connection:
        return [
            (key, json.loads(body), at)
            for key, body, at in connection.execute(
                "select key, body, at from record where kind = ? order by id", (kind,)
            )
        ]


class Again:
    "Every number of a batch, from the rows alone; rates as in RATES."

    def __init__(self, studio: Path, name: str, slots: range):
        self.studio, self.name = studio, name
        self.whole = f"{name}/{slots[0]}-{slots[-1]}"
        self.tries = {}
        for key, body, at in rows(studio, "attempt"):
            if key.startswith(name + "/") and int(key.split("/")[1]) in slots:
                self.tries[body["dna"]] = (int(key.split("/")[1]), at)
        editions = (body for _, body, _ in rows(studio, "edition"))
        self.chosen = {body["dna"]: body["slot"] for body in editions if body["dna"] in self.tries}
        self.sent = {body["hash"] for _, body, _ in rows(studio, "transaction")}
        mine = {*self.tries, self.whole, *self.sent}
        self.costs = [body for _, body, _ in rows(studio, "cost") if body["key"] in mine]
        self.minted = {}
        for key, _, at in rows(studio, "token"):
            if key.startswith(name + "/"):
                self.minted.setdefault(int(key.split("/")[1]), at)
        self.read_decisions()
        self.refused = len(self.tries) - len(self.chosen)

    def read_decisions(self) -> None:
        "Who said what, when; and how long people looked."
        said = defaultdict(dict)
        self.judged, self.when = {}, {}
        mine = defaultdict(list)
        for dna, body, at in rows(self.studio, "decision"):
            if dna not in self.tries:
                continue
            if body["by"] == "machine":
                said[dna]["machine"], self.judged[dna] = body["decision"], at
                continue
            self.when[dna] = datetime.fromisoformat(body["at"]).timestamp()
            said[dna]["people"] = body["decision"]
            mine[body["by"]].append((self.when[dna], dna))
        self.final = {dna: each.get("people", each.get("machine")) for dna, each in said.items()}
        self.people = sum(map(looked, mine.values()))

    def total(self, *units, keys=None, stages=None) -> float:
        "What was used, in these units."
        found = 0
        for body in self.costs:
            of_keys = keys is None or body["key"] in keys
            if body["unit"] in units and of_keys and (stages is None or body["stage"] in stages):
                found += float(body["amount"])
        return found

    def worth(self, *stages) -> float:
        "Money of some stages, or of all."
        rates = {
            ("cpu",): 0.05 / 3600,
            ("bytes",): 24 * 0.02 / 1e9,
            ("pinned",): 24 * 0.1 / 1e9,
            ("wei", "l1-wei"): 2500 / 1e18,
        }
        money = sum(self.total(*units, stages=stages or None) * rate for units, rate in rates.items())
        return money + self.people / 3600 * 30 * (not stages or "review" in stages)

    def fates(self) -> dict[str, int]:
        "What became of the candidates."
        words = {"accept": "accepted", "reject": "rejected"}
        counts = Counter()
        for dna in self.tries:
            fate = "chosen" if dna in self.chosen else words[self.final[dna]]
            counts["minted" if self.chosen.get(dna) in self.minted else fate] += 1
        return dict(counts)

    def saved(self) -> dict[str, float]:
        "What refused candidates would have cost from packing on."
        saved = {"gas": self.refused * GAS_TOKEN}
        for unit in ("bytes", "pinned"):
            saved[unit] = self.total(unit, stages=("pack", "pin")) / len(self.chosen) * self.refused
        gas, kept = saved["gas"] * 0.02e-9 * 2500, saved["bytes"] / 1e9 * 24 * 0.02
        saved["money"] = gas + kept + saved["pinned"] / 1e9 * 24 * 0.1
        return saved

    def mark(self, kind: str, key: str) -> float | None:
        "When the last record of a kind was written."
        return next((at for own, _, at in reversed(rows(self.studio, kind)) if own == key), None)

    def legs(self) -> dict[str, list[float]]:
        "Seconds of each leg of every chosen candidate's way."
        packed, pinned = (self.mark(kind, f"{self.name}/1") for kind in ("drop", "pin"))
        proven = self.mark("proof", self.whole)
        names = ("make and judge", "wait for people", "pack", "pin", "mint", "prove")
        legs = defaultdict(list)
        for dna, slot in self.chosen.items():
            judged = self.judged[dna]
            first = min(at for s, at in self.tries.values() if s == slot)
            waited = max(self.when[dna] - judged, 0.0) if dna in self.when else 0.0
            marks = [at for at in (packed, pinned, self.minted.get(slot), proven) if at]
            ends = np.maximum.accumulate([judged + waited, *marks])
            for leg, seconds in zip(names, (judged - first, waited, *np.diff(ends))):
                legs[leg].append(seconds)
            legs["total"].append(ends[-1] - first)
            legs["total without people"].append(ends[-1] - first - waited)
        return legs

    def costs_of_all(self) -> dict:
        "The numbers that are money or compute."
        count = len(self.chosen)
        owed = 0 if self.sent else count * GAS_TOKEN + GAS_DROP
        compute = self.total("cpu", "gpu")
        stages = {body["stage"] for body in self.costs} | ({"review"} if self.people else set())
        before = self.worth("generate", "curate", "review", "pack", "pin")
        cpfa = (self.worth() + owed * 0.02e-9 * 2500) / count
        work = {"seconds": compute, "seconds_per_asset": compute / count}
        return work | {
            "cost": self.worth(),
            "cpfa": cpfa,
            "market_ready": before / count,
            "stages": {stage: self.worth(stage) for stage in stages},
        }

    def shares(self) -> dict:
        "Acceptance, velocity, utilisation."
        good = sum(word == "accept" for word in self.final.values())
        hours = self.total("wall", keys=self.tries) / 3600
        judged = len(self.final)
        bounds = tuple(binomtest(good, judged).proportion_ci(0.95, "exact"))
        speeds = (share * judged / hours for share in bounds)
        kept, rendered = (self.total("cpu", keys=keys) for keys in (self.chosen, self.tries))
        return {
            "rur": kept / rendered,
            "acceptance": (good / judged, *bounds),
            "velocity": (good, hours, good / hours, *speeds),
        }

    def numbers(self) -> dict:
        "All of them."
        counts = {"attempts": len(self.tries), "editions": len(self.chosen), "tokens": len(self.minted)}
        rest = {
            "mia": rows(self.studio, "audit")[-1][1]["mia"],
            "discipline": self.refused / len(self.chosen),
            "people": self.people,
            "gas": self.total("gas"),
        }
        made = {"saved": self.saved(), "fates": self.fates(), "legs": self.legs()}
        return counts | rest | made | self.costs_of_all() | self.shares()


def looked(decisions: list[tuple[float, str]]) -> float:
    "Seconds that one person looked: gaps, and the usual gap for the first one and after a pause."
    decisions.sort()
    gaps = [later[0] - sooner[0] for sooner, later in zip(decisions, decisions[1:])]
    short = sorted(gap for gap in gaps if gap <= 120)
    usual = short[len(short) // 2] if short else 10.0
    return usual + sum(gap if gap <= 120 else usual for gap in gaps)


def again(studio: Path, name: str, slots: range) -> dict:
    "Every number of a batch, from the rows alone."
    return Again(studio, name, slots).numbers()


def agrees(numbers, other: dict) -> None:
    "Both ways give one number, for every number there is."
    for name in (
        "attempts",
        "editions",
        "tokens",
        "seconds",
        "cost",
        "cpfa",
        "market_ready",
        "seconds_per_asset",
        "rur",
        "mia",
        "discipline",
        "saved",
    ):
        assert getattr(numbers, name) == pytest.approx(other[name], rel=1e-9), name
    assert numbers.acceptance == pytest.approx(other["acceptance"], abs=1e-6)
    assert not numbers.missing
    (speed,) = numbers.velocity
    assert (speed.accepted, speed.hours, speed.per_hour, speed.low, speed.high) == pytest.approx(
        other["velocity"], rel=1e-6
    )
    assert speed.tries == other["attempts"]
    assert {fate: count for fate, count in numbers.fates.items() if count} == other["fates"]
    assert {stage: row.get("money", 0.0) for stage, row in numbers.stages.items()} == pytest.approx(
        other["stages"]
    )
    assert numbers.stages.get("review", {}).get("people", 0.0) == pytest.approx(other["people"])
    assert sum(row.get("gas", 0.0) for row in numbers.stages.values()) == pytest.approx(other["gas"])
    assert set(numbers.latency) == set(other["legs"])
    for leg, row in other["legs"].items():
        assert numbers.latency[leg] == pytest.approx(
            {"p50": np.percentile(row, 50), "p95": np.percentile(row, 95)}, abs=1e-3
        ), leg


def made(folder: Path, supply: int, attempts: int) -> tuple[Catalog, object]:
    "A real batch of bundled pictures, judged, looked at and packed: half of the candidates are refused."
    share = {trait: {value: supply // 2 for value in values} for trait, values in TINY.traits.items()}
    generation = TINY.generation.model_copy(update={"attempts": attempts, "rounds": 1, "profile": "fast"})
    tiny = TINY.model_copy(
        update={
            "supply": supply,
            "traits": share,
            "unique": False,
            "generation": generation,
            "rules": (Rule(scorer="clip", min=-1.0),),
        }
    )
    catalog = Catalog(folder)
    base = load_base()
    judge = load_judge()
    (folder / "studio.toml").write_text(RATES)
    slots = frozen_slots(catalog, tiny, "tiny")
    generate(catalog, base, attempts_of(catalog, tiny, slots, "tiny", 1, base.digest))
    clip = sorted(
        each["clip"]
        for each in score(
            catalog, judge, candidates(catalog, tiny, slots, 1), {"clip": every_scorer(tiny, judge)["clip"]}
        )
    )
    tiny = tiny.model_copy(update={"rules": (Rule(scorer="clip", min=clip[len(clip) // 2]),)})
    look = ReviewSession(catalog, tiny, "mira", slots=range(1, supply + 1))
    first = {c.slot.id: c.dna for c in reversed(look.candidates().values())}
    for slot in range(1, supply + 1, 2):
        record_action(look, Action(id=f"a{slot}", dnas=(first[slot],), decision="reject"))
    for slot in choose(catalog, tiny, judge, slots, 1).open:
        record_action(look, Action(id=f"b{slot}", dnas=(first[slot],), decision="accept"))
    assert not choose(catalog, tiny, judge, slots, 1).open
    pack(catalog, tiny, 1, 1, supply, BaseFacts(digest=base.digest, source=base.source), {})
    return catalog, tiny


def finished(catalog: Catalog, collection) -> None:
    "Published, minted on the embedded chain and proven, with the lines that the stages write."
    from artmint.chain.admin import authorize, commit_drop, deploy, parties
    from artmint.ipfs.cid import CID
    from artmint.chain.connect import connect
    from artmint.chain.journal import Journal
    from artmint.mint import mint
    from artmint.ipfs.stores import FolderStore
    from artmint.pin import publish
    from artmint.core.manifest import read_manifest
    from artmint.verify import verify

    folder = catalog.folder / "drops" / f"{collection.name}-1"
    web3 = connect("embedded", catalog.folder / "chain")
    slots = [f"{collection.name}/1-{collection.supply}"]
    manifest = read_manifest((folder / "drop.json").read_bytes())
    who = parties(web3, catalog.folder / "keys", rounds=2**10)
    with metered(catalog, "pin", slots) as more:
        receipt = publish(
            folder / "drop.car", CID.parse(manifest.root), [FolderStore(catalog.folder / "store")]
        )
        more["pinned"] = receipt["bytes"] * sum(each["sent"] for each in receipt["stores"])
    catalog.append("pin", f"{collection.name}/1", receipt)
    admin = Journal(catalog, web3, who.admin)
    minter = Journal(catalog, web3, who.minter)
    contract = deploy(admin, collection, who.treasury)
    commit_drop(admin, contract, manifest)
    authorize(admin, contract, who.minter.address, collection.supply)
    with metered(catalog, "mint", slots):
        mint(minter, contract, manifest)
    with metered(catalog, "verify", slots):
        proof = verify(f"embedded:{contract.address}", catalog.folder)
    assert proof.exit_code in (0, 3), proof.text()
    catalog.append("proof", slots[0], proof.to_dict())


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return made(tmp_path_factory.mktemp("small"), 4, 2)


def test_every_number_of_a_small_batch_is_what_its_lines_say(small):
    catalog, tiny = small
    numbers = kpis(batch_history(catalog, tiny, range(1, 5)), load_money(catalog.folder))
    agrees(numbers, again(catalog.folder, "tiny", range(1, 5)))
    assert numbers.mia == 1.0
    assert not numbers.missing
    assert numbers.editions == 4
    assert numbers.fates["chosen"] == 4
    assert set(numbers.stages) == {"generate", "curate", "review", "pack"}
    assert all(row["money"] > 0 for row in numbers.stages.values())


@pytest.mark.slow
def test_every_number_of_six_hundred_real_candidates_is_what_its_lines_say(tmp_path):
    "Before it is minted, when gas is expected, and after, when it was paid."
    catalog, tiny = made(tmp_path, 100, 6)
    numbers = kpis(batch_history(catalog, tiny, range(1, 101)), load_money(catalog.folder))
    assert numbers.attempts == 600
    assert numbers.editions == 100
    assert not numbers.tokens
    agrees(numbers, again(catalog.folder, "tiny", range(1, 101)))
    finished(catalog, tiny)
    numbers = kpis(batch_history(catalog, tiny, range(1, 101)), load_money(catalog.folder))
    assert numbers.tokens == numbers.fates["minted"] == 100
    assert set(numbers.stages) == {"generate", "curate", "review", "pack", "pin", "mint", "verify"}
    assert "prove" in numbers.latency
    agrees(numbers, again(catalog.folder, "tiny", range(1, 101)))
    print(*(" | ".join(row) for row in spoken(numbers)), sep="\n")
    print(*(f"{leg}: {row}" for leg, row in numbers.latency.items()), sep="\n")
    print(numbers.stages, numbers.saved, len(batch_history(catalog, tiny, range(1, 101)).lines), sep="\n")


def test_another_batch_s_lines_do_not_count(small):
    catalog, tiny = small
    before = kpis(batch_history(catalog, tiny, range(1, 3)), load_money(catalog.folder), 0.0).to_dict()
    catalog.spend("pack", "tiny/3-4", 100.0)
    catalog.spend("generate", "f" * 64, 100.0)
    assert (
        kpis(batch_history(catalog, tiny, range(1, 3)), load_money(catalog.folder), 0.0).to_dict() == before
    )


def test_the_tenth_drop_is_not_the_first(tmp_path):
    "Names that begin alike: the pin of drop 10, the proof of slots 1 to 40."
    catalog = Catalog(tmp_path)
    demo = load_collection(FOLDER.parents[2] / "collections" / "demo")
    for drop, first in ((1, 1), (10, 37)):
        catalog.append("drop", f"demo/{drop}", {"first": first, "quantity": 4})
    catalog.append("pin", "demo/10", {})
    catalog.append("proof", "demo/1-40", {})
    assert set(batch_history(catalog, demo, range(1, 5)).marks) == {"packed"}
    assert set(batch_history(catalog, demo, range(37, 41)).marks) == {"packed", "pinned"}


class Counted(Catalog):
    "A catalog that counts the rows that it reads."

    count = 0

    def _read(self, query):
        found = super()._read(query)
        self.count += len(found)
        return found


def test_a_batch_is_read_without_the_rest_of_the_studio(tmp_path):
    "However much the studio made before: a small drop's numbers cost no more."
    catalog = Counted(tmp_path)
    demo = load_collection(FOLDER.parents[2] / "collections" / "demo")

    def tried(slot: int, attempt: int) -> None:
        dna = digest([slot, attempt])
        catalog.put(
            "attempt",
            f"demo/{slot}/{attempt}",
            {"dna": dna, "recipe": {"prompt": "rings", "seed": slot, "steps": 16}},
        )
        catalog.append("decision", dna, {"by": "machine", "decision": "accept", "reasons": [], "scores": {}})
        for stage in ("generate", "curate"):
            catalog.spend(stage, dna, 0.1 * slot + attempt)

    for slot in (1, 2):
        tried(slot, 1)
        tried(slot, 2)

    def numbers() -> tuple:
        before = catalog.count
        return kpis(
            batch_history(catalog, demo, range(1, 3)), load_money(tmp_path), 0.0
        ).to_dict(), catalog.count - before

    small, few = numbers()
    for slot in range(3, 40):
        tried(slot, 1)
    grown, more = numbers()
    assert grown == small
    assert small["seconds"] > 0
    assert more == few + 37  # the keys of the collection's other attempts


def test_a_studio_without_rates_gets_seconds_and_is_told(small, tmp_path):
    catalog, tiny = small
    numbers = kpis(batch_history(catalog, tiny, range(1, 5)), load_money(tmp_path))
    assert numbers.cost is numbers.cpfa is numbers.market_ready is None
    assert numbers.seconds > 0
    assert numbers.seconds_per_asset > 0
    assert {"cpu_hour", "people_hour", "storage_gb_month", "ether and gas_gwei"} == set(numbers.missing)
    told = spoken(numbers)
    assert ("CPFA", "no rates") in [row[:2] for row in told]
    assert [row[1] for row in told if row[0] == "missing"] == list(numbers.missing)


def test_gas_and_l1_of_a_real_mint_belong_to_their_drops(minted):
    "Each drop bears its own transactions, and its part of the contract's."
    studio, _ = minted
    catalog = Catalog(studio)
    parts = []
    for slots in (range(1, 3), range(3, 5), range(1, 5)):
        lines = batch_history(catalog, TINY, slots).lines
        parts.append(sum(line.amount for line in lines if line.unit == "gas"))
    every = sum(body["amount"] for _, body, _ in rows(studio, "cost") if body["unit"] == "gas")
    assert parts[2] == every == pytest.approx(parts[0] + parts[1])
    assert min(parts) > 0
    numbers = kpis(batch_history(catalog, TINY, range(1, 5)), load_money(studio))
    assert numbers.tokens == 4
    assert "ether" not in numbers.missing  # a test chain's money is worth nothing
    assert {line.unit for line in batch_history(catalog, TINY, range(1, 5)).lines if "wei" in line.unit} == {
        "test-wei"
    }


@given(st.integers(0, 60), st.integers(1, 60))
def test_the_interval_is_clopper_and_pearson_s(hits, tries):
    hits = min(hits, tries)
    assert interval(hits, tries) == pytest.approx(
        tuple(binomtest(hits, tries).proportion_ci(0.95, "exact")), abs=1e-6
    )


def a_try(
    slot: int,
    attempt: int,
    fate: str,
    begun: float = 0.0,
    judged: float | None = 5.0,
    asked: float | None = None,
) -> AttemptOutcome:
    return AttemptOutcome(slot, attempt, f"{slot}-{attempt}", fate, "p", begun, judged, asked)


def test_waiting_for_people_stands_apart():
    batch = BatchHistory(
        [a_try(1, 1, "rejected"), a_try(1, 2, "minted", 8.0, 12.0, 100.0), a_try(2, 1, "minted")],
        [],
        [],
        {1: 150.0, 2: 150.0},
        {"packed": 120.0, "pinned": 130.0, "proven": 160.0},
        None,
    )
    ways = waterfall(batch)
    assert ways[1] == {
        "make and judge": 12.0,
        "wait for people": 100.0,
        "pack": 8.0,
        "pin": 10.0,
        "mint": 20.0,
        "prove": 10.0,
    }
    assert sum(ways[2].values()) == 160.0
    assert ways[2]["pack"] == 115.0
    assert quantiles(ways)["total without people"]["p50"] == pytest.approx((60 + 160) / 2)


# The signal.


@settings(max_examples=12, deadline=None)
@given(st.floats(0.15, 0.9), st.floats(0.3, 0.7), st.integers(0, 2**32 - 1))
def test_the_computed_rate_is_not_too_small(p0, fall, seed):
    "Against simulation: the grid rounds towards the alarm."
    p1 = p0 * (1 - fall)
    rng = np.random.default_rng(seed)
    up = math.log((1 - p1) / (1 - p0))
    down = math.log(p0 / p1)
    s = np.zeros(3000)
    alarmed = np.zeros(3000, bool)
    for _ in range(300):
        s = np.maximum(0, s + np.where(rng.random(3000) < p0, -down, up))
        alarmed |= s >= 4.0
    assert alarmed.mean() <= false_alarm(p0, (up, down), 4.0, 300) + 4 * (0.25 / 3000) ** 0.5


def batch_of(
    rng: np.random.Generator, share: float, slots: int, attempts: int, alike: float = 0.57
) -> list[AttemptOutcome]:
    "Candidates of prompts that are easy and hard: attempts at one slot correlate by `alike`, as they did in real pictures."
    more = 1 / alike - 1
    odds = rng.beta(share * more, (1 - share) * more, size=slots)
    tries = []
    for attempt, row in enumerate(rng.random((attempts, slots)) < odds, 1):
        tries += [
            a_try(slot, attempt, "accepted" if good else "rejected") for slot, good in enumerate(row, 1)
        ]
    return tries


def test_no_more_false_alarms_in_fifty_stationary_runs_than_the_stated_rate():
    "Each run measures its own reference first, as a studio does; eight attempts at a slot, and drops of sixteen. 5% of 50 are 2.5."
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(50):
        share = rng.uniform(0.25, 0.7)
        seen = []
        while len(seen) < 900:
            seen += stream([batch_of(rng, share, 16, 8)])
        chart = design_chart(sum(seen[:300]), 300, horizon=600, rate=0.05)
        alarms += follow(chart, seen[300:900]).alarm is not None
    assert alarms <= 2, alarms


def test_a_fall_is_seen_within_the_stated_delay():
    "In at least 95 of 100 runs, however the stream began."
    rng = np.random.default_rng(12)
    late = 0
    chart = design_chart(120, 300)
    for _ in range(200):
        signal = follow(chart, [*(rng.random(150) < chart.p0 + 0.05), *(rng.random(chart.delay) < chart.p1)])
        late += signal.alarm is None
    assert late <= 10 + 3 * 3.1
    assert chart.delay < 600
    assert "retrain" in verdict(chart, follow(chart, [False] * 200))
    assert "no change" in verdict(chart, follow(chart, [True] * 200))


def test_the_change_is_found_where_it_was():
    chart = design_chart(200, 400)
    rng = np.random.default_rng(1)
    signal = follow(chart, [*(rng.random(300) < 0.55), *(rng.random(300) < 0.05)])
    assert 300 < signal.alarm < 300 + chart.delay
    assert abs(signal.since - 300) <= 25


def test_too_little_is_not_watched():
    for good, seen in ((0, 0), (0, 300), (1, 4)):
        with pytest.raises(TooFewToWatch):
            design_chart(good, seen)


def test_only_the_first_attempt_at_a_slot_counts_and_slots_in_their_order():
    batch = [
        a_try(1, 1, "minted"),
        a_try(1, 2, "rejected"),
        a_try(2, 1, "rejected"),
        a_try(2, 2, "accepted"),
        a_try(1, 3, "rejected"),
        a_try(3, 1, "review"),
        a_try(3, 2, "stopped"),
    ]
    assert stream(
        [batch, [a_try(5, 1, "stopped"), a_try(4, 1, "chosen"), a_try(6, 0, "minted"), a_try(7, 1, "open")]]
    ) == [True, False, True, False]


def test_the_training_batch_can_be_planned(tmp_path):
    path = retrain_batch(TINY, FOLDER, tmp_path / "studio", style=str(tmp_path / 'sty"le'), steps=7)
    order = load_batch(path)
    (stage,) = plan(order, tmp_path / "studio")
    assert stage.notebook == "10_lora_train"
    assert stage.parameters["steps"] == 7
    assert stage.parameters["base"] == "bundled"
    assert (
        tmp_path / "studio/runs/retrain-tiny" / stage.parameters["style"]
    ).resolve() == tmp_path / 'sty"le'
    assert order.folder.resolve() == FOLDER.resolve()


# The gate.


def costly(small, revenue: float, most: float = 0.15):
    catalog, tiny = small
    money = load_money(catalog.folder).model_copy(update={"revenue_per_token": revenue, "cost_share": most})
    return kpis(batch_history(catalog, tiny, range(1, 5)), money), money


def test_the_gate_holds_at_the_limit_and_refuses_above(small):
    numbers, money = costly(small, 1.0)
    exact = money.model_copy(update={"revenue_per_token": numbers.cpfa / 0.15 * (1 + 1e-12)})
    assert "is within" in gate(numbers, exact)
    cure = Remedy(
        "steps 1", "generation.steps = 1 instead of 2", numbers.cpfa / 2, 0.5, "acceptance 4/8 → 2/8"
    )
    with pytest.raises(TooCostly, match="50% less.*quality: acceptance 4/8 → 2/8") as caught:
        gate(numbers, exact.model_copy(update={"revenue_per_token": numbers.cpfa / 0.15 * 0.999}), [cure])
    assert caught.value.limit < caught.value.cpfa == numbers.cpfa


def test_nothing_is_gated_without_a_revenue_or_rates_and_it_says_so(small, tmp_path):
    catalog, tiny = small
    bare = load_money(tmp_path)
    numbers = kpis(batch_history(catalog, tiny, range(1, 5)), bare)
    assert "revenue_per_token" in gate(numbers, bare)
    assert "rates" in gate(numbers, bare.model_copy(update={"revenue_per_token": 1.0}))
    priced, money = costly(small, 1000.0)
    assert "has no rate" in gate(
        kpis(
            batch_history(catalog, tiny, range(1, 5)),
            money.model_copy(update={"rates": (money.rates[0].model_copy(update={"ether": None}),)}),
        ),
        money,
    )


def test_remedies_follow_the_formula(small):
    numbers, _ = costly(small, 1.0)
    measured = [
        ("now", "nothing", 8.0, 4, 0.5),
        ("steps 1", "fewer", 4.0, 4, 0.4),
        ("scheduler", "other", 2.0, 0, 0.1),
        ("previews", "previews after 1 of 2 steps", 2.0, 0, 0.0),
    ]
    trials = [
        Trial(name=name, says=says, pictures=8, seconds=seconds, accepted=accepted, merit=merit)
        for name, says, seconds, accepted, merit in measured
    ]
    make = numbers.stages["generate"]["money"] / 4
    each = numbers.cpfa
    pruner = Pruner(
        step=1,
        judge="",
        rules="",
        scorers=("clip",),
        middle=(0.0,),
        spread=(1.0,),
        weights=(1.0,),
        threshold=0.0,
        keep=0.9,
        confidence=0.9,
        accepts=30,
        stopped=0.6,
    )
    rest = sum(numbers.stages[stage]["money"] for stage in ("curate", "review")) / 4
    found = {cure.name: cure for cure in remedies(numbers, trials, padded=0.25, pruner=pruner, steps=2)}
    assert found["steps 1"].cpfa == pytest.approx(each - make / 2)
    assert found["batch shape"].cpfa == pytest.approx(each - make / 4)
    assert "scheduler" not in found  # four times as many candidates: dearer than it is
    q = 0.25 + 0.4 * 0.5
    expected = each - make - rest + (q * make + rest) / 0.9
    assert ("seed pruning" in found) == (expected < each)
    assert expected >= each or found["seed pruning"].cpfa == pytest.approx(expected)
    assert [cure.cpfa for cure in found.values()] == sorted(cure.cpfa for cure in found.values())


def test_pruning_is_advised_by_its_parameter(small):
    "Previews that cost nothing and stop most candidates are worth it; the remedy names what to write into the batch file."
    numbers, _ = costly(small, 1.0)
    trials = [
        Trial(name="now", says="nothing", pictures=8, seconds=8.0, accepted=4, merit=0.5),
        Trial(
            name="previews",
            says="previews after 1 of 2 steps",
            pictures=8,
            seconds=0.08,
            accepted=0,
            merit=0.0,
        ),
    ]
    bound = {
        "judge": "",
        "rules": "",
        "scorers": ("clip",),
        "middle": (0.0,),
        "spread": (1.0,),
        "weights": (1.0,),
    }
    pruner = Pruner(step=1, threshold=0.0, keep=0.999, confidence=0.9, accepts=30, stopped=0.9, **bound)
    (cure,) = remedies(numbers, trials, pruner=pruner, steps=2)
    assert cure.name == "seed pruning"
    assert "look_after = 1 in [parameters.15_generate]" in cure.says
    assert "stop 90% of candidates" in cure.says
    assert "20_prune" not in cure.says


def test_padding_is_what_the_last_batches_lacked():
    assert padding([a_try(i, 1, "minted") for i in range(9)], 1, 8) == pytest.approx(1 - 9 / 16)
    assert padding(
        [a_try(i, 1, "minted") for i in range(8)] + [a_try(1, 2, "minted")], 1, 8
    ) == pytest.approx(1 - 9 / 16)
    assert padding([], 3, 8) == 0.0


def test_changes_are_tried_out_on_real_pictures(small):
    catalog, tiny = small
    base = load_base()
    judge = load_judge()
    slots = frozen_slots(catalog, tiny, "tiny")
    attempts = recipes(tiny, slots, "tiny", range(1, 2), base.digest)
    before = Counter(
        kind
        for kind, _ in sqlite3.connect(catalog.folder / "catalog.sqlite").execute(
            "select kind, key from record"
        )
    )
    trials = try_out(catalog, base, judge, tiny, slots, attempts)
    names = [each.name for each in trials]
    assert names[0] == "now"
    assert "previews" in names
    assert set(variants(attempts[0].recipe)) <= set(names)
    assert all(each.seconds > 0 for each in trials)
    assert tried_out(catalog, tiny, base.digest) == trials
    assert tried_out(catalog, tiny, "0" * 64) == []
    after = Counter(
        kind
        for kind, _ in sqlite3.connect(catalog.folder / "catalog.sqlite").execute(
            "select kind, key from record"
        )
    )
    assert after - before == Counter(trial=1)
    steps = next(each for each in trials if each.name == "steps 1")
    assert steps.seconds < trials[0].seconds


# Exports and the page.


def test_exports_say_what_the_numbers_say(small, tmp_path):
    "Read back by other programs: Prometheus' own parser, pandas."
    import pandas
    from prometheus_client.parser import text_string_to_metric_families
    from artmint.report.exports import export

    catalog, tiny = small
    files = {path.name: path for path in export(catalog, tiny, range(1, 5), tmp_path / "out")}
    numbers = kpis(batch_history(catalog, tiny, range(1, 5)), load_money(catalog.folder))
    read = {
        (each.name, *sorted(each.labels.items())): each.value
        for family in text_string_to_metric_families(files["kpis.prom"].read_text())
        for each in family.samples
    }
    batch = (("collection", "tiny"), ("slots", "1-4"))
    cpfa = read["artmint_cpfa_money", batch[0], ("currency", "EUR"), batch[1]]
    assert cpfa == pytest.approx(numbers.cpfa)
    assert read["artmint_rur_ratio", *batch] == numbers.rur
    table = pandas.read_csv(files["ledger.csv"])
    assert len(table) == len(batch_history(catalog, tiny, range(1, 5)).lines)
    assert table.money.sum() == pytest.approx(numbers.cost)
    assert json.loads(files["kpis.json"].read_text())["fates"] == numbers.fates
    assert len(pandas.read_csv(files["kpis.csv"])) == len(read)


def test_a_label_cannot_break_out_and_a_cell_is_no_formula(tmp_path):
    from prometheus_client.parser import text_string_to_metric_families
    from artmint.report.exports import Sample, _csv, prometheus

    wild = 'a"b\\c\nd} 1'
    (family,) = text_string_to_metric_families(
        prometheus([Sample("artmint_x", {"stage": wild}, 2.0, "It counts.")])
    )
    assert family.samples[0].labels == {"stage": wild}
    assert family.samples[0].value == 2.0
    _csv(tmp_path / "x.csv", ("key",), [{"key": "=HYPERLINK(1)"}])
    assert "'=HYPERLINK(1)" in (tmp_path / "x.csv").read_text()


def test_parquet_holds_the_ledger(small, tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow isn't installed: pip install 'artmint[parquet]'")
    from pyarrow import parquet
    from artmint.report.exports import export

    catalog, tiny = small
    table = parquet.read_table(export(catalog, tiny, range(1, 5), tmp_path, parquet=True)[-1]).to_pylist()
    assert [row["amount"] for row in table] == [
        line.amount for line in batch_history(catalog, tiny, range(1, 5)).lines
    ]


def test_without_pyarrow_the_rest_is_written_and_parquet_refused(small, tmp_path, monkeypatch):
    import sys
    from artmint.report.exports import NoParquet, export

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    catalog, tiny = small
    with pytest.raises(NoParquet, match="artmint\\[parquet\\]"):
        export(catalog, tiny, range(1, 5), tmp_path, parquet=True)
    assert (tmp_path / "ledger.csv").exists()
    assert not (tmp_path / "ledger.parquet").exists()


def test_the_page_shows_the_numbers_and_escapes_what_is_from_outside(small):
    from artmint.report.page import report_facts, report_page

    catalog, tiny = small
    told = report_facts(catalog, tiny, 1, range(1, 5))
    made_page = report_page(told, [], [])
    assert made_page.count("<svg") == len(told["plots"]) == 3
    assert "CPFA" in made_page
    assert "EUR" in made_page
    told["spoken"] = [("<script>alert(1)</script>", "1", "&")]
    assert "<script" not in report_page(told, [], [])
    from artmint.report.page import bars

    assert "<script" not in bars("<script>", [("<script>", 1.0, "<script>", "mark")])
