"A batch's numbers by plain loops over its attempts and its lines: what sums over columns are held against, to the last digit."

from collections import Counter, defaultdict

import numpy as np

from artmint.metrics import (
    GAS_DROP,
    GAS_TOKEN,
    GOOD,
    LEGS,
    OUTCOMES,
    BatchHistory,
    KPIs,
    Velocity,
    gas_price,
    interval,
)
from artmint.studio.ledger import PRICED, Bill, LedgerLine, Money, price


def added(amounts) -> float:
    "One after the other: some versions of Python have a sum of their own for floats."
    total = 0.0
    for amount in amounts:
        total += amount
    return total


def loop_bill(lines: list[LedgerLine], money: Money) -> Bill:
    "Lines added up."
    used, stages, missing = defaultdict(float), defaultdict(float), defaultdict(float)
    for line in lines:
        used[line.stage, line.unit] += line.amount
        cost = price(line, money) if line.amount else 0.0
        if cost is None:
            missing[PRICED[line.unit]] += line.amount
        else:
            stages[line.stage] += cost
    return Bill(dict(used), dict(stages), sum(stages.values()), dict(missing))


def loop_velocities(tries: list, wall: dict[str, float]) -> list[Velocity]:
    "The velocity of every prompt set, the largest set first."
    rows = []
    for prompt_set, count in Counter(each.prompt_set for each in tries).most_common():
        own = [each for each in tries if each.prompt_set == prompt_set]
        judged = [each for each in own if each.outcome not in ("open", "review")]
        hours = added(wall.get(each.dna, 0.0) for each in own) / 3600
        if not judged or not hours:
            continue
        good = sum(each.outcome in GOOD for each in judged)
        low, high = (share * len(judged) / hours for share in interval(good, len(judged)))
        rows.append(Velocity(prompt_set, count, good, hours, good / hours, low, high))
    return rows


def loop_way(attempt, first: float, history: BatchHistory) -> dict[str, float]:
    "Seconds of each leg of a chosen attempt's way."
    asked = attempt.asked or 0.0
    judged = attempt.begun if attempt.judged is None else attempt.judged
    way = {LEGS[0]: max(judged - first, 0.0), LEGS[1]: asked}
    at = judged + asked
    for leg, mark in zip(LEGS[2:], ("packed", "pinned", "minted", "proven")):
        when = history.tokens.get(attempt.slot) if mark == "minted" else history.marks.get(mark)
        if when is None:
            break
        way[leg] = max(when - at, 0.0)
        at = max(when, at)
    return way


def loop_latency(history: BatchHistory) -> dict[str, dict[str, float]]:
    "Medians and 95th percentiles of every leg and of the whole way."
    first = {}
    for attempt in history.tries:
        first[attempt.slot] = min(first.get(attempt.slot, attempt.begun), attempt.begun)
    chosen = [attempt for attempt in history.tries if attempt.outcome in ("minted", "chosen")]
    ways = [loop_way(attempt, first[attempt.slot], history) for attempt in chosen]
    rows = {leg: [way[leg] for way in ways if leg in way] for leg in LEGS}
    rows["total"] = [added(way.values()) for way in ways]
    rows["total without people"] = [added(way.values()) - way[LEGS[1]] for way in ways]
    return {
        leg: {"p50": float(np.quantile(row, 0.5)), "p95": float(np.quantile(row, 0.95))}
        for leg, row in rows.items()
        if row
    }


def loop_saved(history: BatchHistory, money: Money, at: float, refused: int, made: int) -> dict[str, float]:
    "What refused candidates would have used from packing on."
    saved = {"gas": float(refused * GAS_TOKEN)}
    later = [line for line in history.lines if line.stage in ("pack", "pin")]
    for unit in ("bytes", "pinned"):
        amount = added(line.amount for line in later if line.unit == unit)
        saved[unit] = amount / made * refused if made else 0.0
    kept = loop_bill([LedgerLine("saved", "", saved[unit], unit, at) for unit in ("bytes", "pinned")], money)
    worth = gas_price(saved["gas"], money, at)
    if worth is not None and not kept.missing:
        saved["money"] = worth + kept.total
    return saved


def loop_costs(history: BatchHistory, money: Money, at: float, made: int) -> dict:
    "The numbers that are money."
    spent = loop_bill(history.lines, money)
    unminted = sum(attempt.outcome == "chosen" for attempt in history.tries)
    gas = unminted * GAS_TOKEN + GAS_DROP * bool(unminted)
    expected = gas_price(gas, money, at)
    late = ("mint", "verify", "deliver")
    before = sum(cost for stage, cost in spent.stages.items() if stage not in late)
    missing = dict(spent.missing)
    if gas and expected is None:
        missing["ether and gas_gwei"] = float(gas)
    stages = defaultdict(dict)
    for (stage, unit), amount in sorted(spent.used.items()):
        stages[stage][unit] = amount
    for stage, cost in spent.stages.items():
        stages[stage]["money"] = cost
    priced = bool(money.rates and made)
    return {
        "currency": money.currency,
        "stages": dict(stages),
        "missing": missing,
        "cost": spent.total if money.rates else None,
        "cpfa": (spent.total + (expected or 0.0)) / made if priced else None,
        "market_ready": before / made if priced else None,
    }


def loop_kpis(history: BatchHistory, money: Money, at: float) -> KPIs:
    "All numbers of a batch of which nothing was sold."
    counts = Counter(attempt.outcome for attempt in history.tries)
    compute, wall = defaultdict(float), defaultdict(float)
    for line in history.lines:
        if line.unit in ("cpu", "gpu"):
            compute[line.key] += line.amount
        if line.unit == "wall":
            wall[line.key] += line.amount
    seconds = added(compute.values())
    made = counts["minted"] + counts["chosen"]
    good = sum(counts[outcome] for outcome in GOOD)
    judged = good + counts["rejected"] + counts["stopped"]
    refused = len(history.tries) - made - counts["open"] - counts["review"]
    rendered = added(compute[attempt.dna] for attempt in history.tries)
    kept = added(compute[each.dna] for each in history.tries if each.outcome in ("minted", "chosen"))
    counted = {"attempts": len(history.tries), "editions": made, "tokens": len(history.tokens)}
    counted["fates"] = {outcome: counts[outcome] for outcome in OUTCOMES}
    ratios = {"seconds": seconds, "seconds_per_asset": seconds / made if made else None}
    ratios["rur"] = kept / rendered if rendered else None
    ratios["acceptance"] = (good / judged, *interval(good, judged)) if judged else None
    ratios["mia"] = history.audit["mia"] if history.audit else None
    ratios["discipline"] = refused / made if made else None
    made_of = {"velocity": tuple(loop_velocities(history.tries, wall)), "latency": loop_latency(history)}
    saved = loop_saved(history, money, at, refused, made)
    return KPIs(**counted, **ratios, **made_of, saved=saved, **loop_costs(history, money, at, made))
