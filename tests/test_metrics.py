"The ledger, the numbers recomputed from its lines, the retrain signal, the gate."

import json
import sqlite3
from collections import Counter, defaultdict
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from artmint.core.canon import digest
from artmint.core.collection import example
from artmint.metrics import (
    byte_words,
    GAS_DROP,
    GAS_TOKEN,
    LEGS,
    BatchHistory,
    batch_columns,
    batch_history,
    history_columns,
    interval,
    kpis,
    quantiles,
    spoken,
    waterfall,
)
from artmint.seeds import load_collection
from artmint.studio import catalog as module
from artmint.studio.catalog import Catalog
from artmint.studio.ledger import (
    Money,
    Rates,
    load_money,
    metered,
)
from tests.batches import FOLDER, TINY, a_try, made
from tests.loops import loop_kpis

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


def finished(catalog: Catalog, collection) -> None:
    "Published, minted on the embedded chain and proven, with the lines that the stages write."
    from artmint.chain.admin import authorize, commit_drop, deploy, parties
    from artmint.chain.connect import connect
    from artmint.chain.journal import Journal
    from artmint.core.manifest import read_manifest
    from artmint.ipfs.cid import CID
    from artmint.ipfs.stores import FolderStore
    from artmint.mint import mint
    from artmint.pin import publish
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


def test_what_arweave_was_paid_is_a_cost_with_its_price(tmp_path):
    from artmint.metrics import _used
    from tests.packed import DEMO, fill

    catalog = fill(tmp_path, 4)
    catalog.spend("pin", "demo/1-4", 5e9, "winston")
    (tmp_path / "studio.toml").write_text('currency = "EUR"\n[[rates]]\nsince = 2020-01-01\ncpu_hour = 1\n')
    numbers = kpis(batch_history(catalog, DEMO, range(1, 5)), load_money(tmp_path))
    assert ("missing", "0.005000 AR", "without a price: studio.toml gives no ar") in spoken(numbers)
    (tmp_path / "studio.toml").write_text('currency = "EUR"\n[[rates]]\nsince = 2020-01-01\nar = 20\n')
    numbers = kpis(batch_history(catalog, DEMO, range(1, 5)), load_money(tmp_path))
    assert numbers.cost == pytest.approx(0.1) and "ar" not in numbers.missing
    assert [row[:2] for row in spoken(numbers) if row[0] == "arweave"] == [("arweave", _used("ar", 5e9))]


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
    missing = [row[1:] for row in told if row[0] == "missing"]
    assert [says.rpartition("gives no ")[2] for _, says in missing] == list(numbers.missing)
    amounts = dict(zip(numbers.missing, (amount for amount, _ in missing)))
    assert amounts["storage_gb_month"].endswith(("kB", "MB")) and amounts["ether and gas_gwei"].endswith(
        " gas"
    )
    assert amounts["cpu_hour"].split()[1] in ("ms", "s", "min", "h")


@pytest.mark.parametrize(
    "amount, words",
    [(0, "0 bytes"), (999, "999 bytes"), (999.6, "1.0 kB"), (39_497_980, "39.5 MB"), (123_456_789, "123 MB")]
    + [(999_949_999, "1.0 GB"), (5e12, "5.0 TB"), (5e15, "5000 TB")],
)
def test_bytes_are_written_out(amount, words):
    assert byte_words(amount) == words


@pytest.mark.slow
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


def test_waiting_for_people_stands_apart():
    batch = BatchHistory(
        [a_try(1, 1, "rejected"), a_try(1, 2, "minted", 8.0, 12.0, 100.0), a_try(2, 1, "minted")],
        [],
        [],
        {1: 150.0, 2: 150.0},
        {"packed": 120.0, "pinned": 130.0, "proven": 160.0},
        None,
    )
    ways = waterfall(history_columns(batch))
    first, second = zip(*(ways[leg].tolist() for leg in LEGS))
    assert dict(zip(LEGS, first)) == {
        "make and judge": 12.0,
        "wait for people": 100.0,
        "pack": 8.0,
        "pin": 10.0,
        "mint": 20.0,
        "prove": 10.0,
    }
    assert sum(second) == 160.0
    assert ways["pack"][1] == 115.0
    assert quantiles(ways)["total without people"]["p50"] == pytest.approx((60 + 160) / 2)


# columns

DEMO = load_collection(example())
WEEK = (
    Rates(since=date(2026, 1, 1), cpu_hour=0.07, people_hour=31.1),
    Rates(since=date(2026, 1, 3), cpu_hour=0.0513, gpu_hour=1.9, ether=2503.7, gas_gwei=0.017),
    Rates(since=date(2026, 1, 6), cpu_hour=0.061, people_hour=30, storage_gb_month=0.023, pin_gb_month=0.1),
)
RATED = Money(currency="EUR", months=7.3, rates=WEEK)
PURPOSES = (
    {"collection": "demo", "drop": 1, "first": 2, "quantity": 3, "verb": "mint"},
    {"contract": "0xc", "token": 4, "verb": "safeTransferFrom"},
    {"contract": "0xc", "verb": "setAllowance"},
    {"contract": "0xother", "verb": "mint"},
    {"collection": "demo", "drop": 2, "verb": "commit"},
)


class Studio:
    "A studio's records, at random, over a week."

    def __init__(self, folder: Path, rng: np.random.Generator):
        self.catalog, self.rng = Catalog(folder), rng
        self.dnas: dict[str, str] = {}

    def one_of(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def attempt(self) -> None:
        key = f"{self.one_of('demo', 'demo', 'other')}/{self.rng.integers(1, 9)}/{self.rng.integers(1, 4)}"
        recipe = {"prompt": "p", "seed": int(self.rng.integers(99)), "steps": int(self.rng.integers(1, 3))}
        body = {"dna": digest([key, len(self.dnas)]), "recipe": recipe}
        self.dnas[key] = body["dna"]
        self.catalog.append("attempt", key, body | ({"withdrawn": True} if self.rng.random() < 0.1 else {}))

    def cost(self) -> None:
        keys = [*self.dnas.values(), "demo/1-8", "demo/3-12", "other/1-4", *(f"0x{i}" for i in range(5))]
        stage = self.one_of("generate", "curate", "pack", "pin", "mint", "verify")
        unit = self.one_of(
            "cpu", "wall", "gpu", "bytes", "pinned", "wei", "l1-wei", "gas", "money", "winston"
        )
        lines = [
            (key, self.rng.random() * 10.0 ** self.rng.integers(-3, 9)) for key in self.rng.choice(keys, 9)
        ]
        bodies = [{"stage": stage, "key": str(key), "amount": amount, "unit": unit} for key, amount in lines]
        if unit == "wei":
            bodies = [body | {"amount": str(int(body["amount"]))} for body in bodies]
        self.catalog.append_all("cost", [(f"{stage}/{body['key']}", body) for body in bodies])

    def decision(self) -> None:
        for dna in self.dnas.values():
            if self.rng.random() < 0.3:
                verdict = self.one_of("accept", "reject", "review")
                body = {"by": "machine", "decision": verdict, "reasons": [], "scores": {}}
                self.catalog.append("decision", dna, body)
        if self.dnas:
            at = datetime.fromtimestamp(module.time.time() + self.rng.integers(200)).astimezone().isoformat()
            verdict = self.one_of("accept", "reject", "review", "withdrawn")
            body = {"by": self.one_of("mira", "noor", "ada"), "decision": verdict, "at": at}
            body |= {"blind": True} if self.rng.random() < 0.2 else {}
            self.catalog.append("decision", self.one_of(*self.dnas.values()), body)

    def end(self) -> None:
        if not self.dnas:
            return
        key = self.one_of(*self.dnas)
        name, slot, _ = key.split("/")
        chosen = {"slot": int(slot), "dna": self.dnas[key]}
        if self.rng.random() < 0.2:
            chosen = {"slot": int(slot), "felled": True}
        self.catalog.append("edition", f"{name}/{slot}", chosen)
        if self.rng.random() < 0.5:
            gone = {"gone": True} if self.rng.random() < 0.3 else {"id": int(slot)}
            self.catalog.append("token", f"{name}/{slot}", gone)
        if self.rng.random() < 0.2:
            self.catalog.append("stopped", self.one_of(*self.dnas.values()), {"step": 3})

    def drop(self) -> None:
        number = int(self.rng.integers(1, 3))
        self.catalog.append("drop", f"demo/{number}", {"first": 1 + 4 * (number - 1), "quantity": 4})
        self.catalog.append("pin", f"demo/{number}", {})
        self.catalog.append("proof", "demo/1-8", {})
        self.catalog.append("audit", f"demo/{number}", {"mia": self.rng.random()})
        self.catalog.append("contract", "demo@1", {"address": "0xc"})
        i = int(self.rng.integers(len(PURPOSES)))
        self.catalog.append("transaction", f"{i}", {"hash": f"0x{i}", "purpose": PURPOSES[i]})
        self.catalog.append("slot", f"demo/{self.rng.integers(1, 40)}", {})


@pytest.mark.many(2)
@pytest.mark.parametrize("seed", range(4))
def test_numbers_from_columns_are_those_of_loops_over_records_to_the_last_digit(tmp_path, monkeypatch, seed):
    rng = np.random.default_rng(seed)
    clock = [datetime(2025, 12, 31).timestamp()]

    def later() -> float:
        clock[0] += float(rng.exponential(3_000))
        return clock[0]

    monkeypatch.setattr(module.time, "time", later)
    monkeypatch.setattr(module, "PAGE_RECORDS", 40)  # what is packed, and what isn't yet
    monkeypatch.setattr(module, "_PACK_MOST", 70)
    studio = Studio(tmp_path, rng)
    for _ in range(60):
        studio.one_of(studio.attempt, studio.cost, studio.cost, studio.decision, studio.end, studio.drop)()
    monkeypatch.undo()
    for slots in (range(1, 9), range(3, 6), range(20, 30)):
        history = batch_history(studio.catalog, DEMO, slots)
        numbers = [kpis(batch_columns(studio.catalog, DEMO, slots), RATED, clock[0]) for _ in range(2)]
        assert numbers[0] == numbers[1] == kpis(history, RATED, clock[0])
        assert numbers[0].to_dict() == loop_kpis(history, RATED, clock[0]).to_dict()
        assert list(numbers[0].missing) == list(loop_kpis(history, RATED, clock[0]).missing)
    packed = studio.catalog.columns()
    assert {kind: len(column.rows) for kind, column in packed.items()} == {
        kind: len(studio.catalog.rows(kind)) for kind in packed
    }


def test_a_record_that_fits_no_column_is_read_itself(tmp_path):
    "Nothing is guessed: the numbers are those of the records, only slower."
    studio = Studio(tmp_path, np.random.default_rng(1))
    for _ in range(5):
        studio.attempt()
        studio.cost()
    fitting = kpis(batch_columns(studio.catalog, DEMO, range(1, 9)), RATED, 0.0)
    studio.catalog.append("token", "other/of/long/ago", {"id": 1})
    assert studio.catalog.columns()["token"] is None
    assert kpis(batch_columns(studio.catalog, DEMO, range(1, 9)), RATED, 0.0) == fitting
    assert fitting.attempts and fitting.seconds


# what was sold

DAY = Money(currency="EUR", rates=(Rates(since=date(2026, 1, 1), ether=2000.0, cpu_hour=0.0),))


def paid(token: int, wei: int, unit: str = "wei", **more) -> dict:
    "A record of a sold token."
    facts = {"token": token, "buyer": "0x", "stage": 0, "price": str(wei), "transaction": "0x", "block": 1}
    return {**facts, "unit": unit, "sale": "first", **more}


def test_what_was_sold_stands_beside_what_it_cost(tmp_path):
    "Of the batch's slots, once each, without what a reorg took; a test network's money is no revenue."
    catalog = Catalog(tmp_path)
    rows = [(2, paid(2, 10**17)), (3, paid(3, 5 * 10**16)), (9, paid(9, 10**18)), (4, paid(4, 10**17))]
    rows += [
        (4, paid(4, 10**17, gone="a reorg took it")),
        (3, paid(3, 3 * 10**17)),
        (1, paid(1, 7, "test-wei")),
    ]
    catalog.append_all("sold", [(f"demo/1/0xsale/{token}", body) for token, body in rows])
    history = batch_history(catalog, load_collection(example()), range(1, 5))
    numbers = kpis(history, DAY)
    assert (numbers.sold, numbers.paid, numbers.revenue) == (3, str(4 * 10**17), pytest.approx(800.0))
    shown = {name: value for name, value, _ in spoken(numbers)}
    assert shown["revenue"] == "267 EUR" or shown["revenue"].startswith("266.67")
    assert kpis(history, Money()).revenue is None


def test_where_nothing_was_sold_nothing_is_said(tmp_path):
    numbers = kpis(batch_history(Catalog(tmp_path), load_collection(example()), range(1, 5)), DAY)
    assert (numbers.sold, numbers.paid, numbers.revenue) == (0, "0", None)
    assert not {"sold", "revenue"} & {name for name, _, _ in spoken(numbers)}


def test_delivery_s_gas_is_a_stage_of_its_own(tmp_path):
    "An airdrop's token bears its own gas; what is before minting doesn't."
    catalog = Catalog(tmp_path)
    for number, purpose in enumerate(
        ({"verb": "safeTransferFrom", "token": 2}, {"verb": "safeTransferFrom", "token": 7})
    ):
        body = {"hash": f"0x{number}", "purpose": {"collection": "demo", "drop": 1, **purpose}}
        catalog.append("transaction", f"1/0x/{number}", body)
        line = {"stage": "mint", "key": f"0x{number}", "amount": str(10**16), "unit": "wei"}
        catalog.append("cost", f"mint/0x{number}", line)
    numbers = kpis(batch_history(catalog, load_collection(example()), range(1, 5)), DAY)
    assert numbers.stages == {"deliver": {"wei": 1e16, "money": pytest.approx(20.0)}}
