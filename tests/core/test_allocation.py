"Exact counts for any number of traits, checked without the room's own code."

import math
import os
import random
import resource
import subprocess
import sys
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artmint.core import allocation
from artmint.core.allocation import (
    AllocationTask,
    Unallocatable,
    Undecided,
    allocated_rows,
    require_allocation,
)
from artmint.core.canon import digest
from artmint.core.collection import Requirement
from tests.shapes import SHAPES, even, task_of

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def slots_of(task: AllocationTask, salt: str = "s") -> list[dict[str, str]]:
    "The allocated rows with names in place of numbers."
    names = [sorted(task.traits[trait]) for trait in sorted(task.traits)]
    rows = allocated_rows(task, salt).tolist()
    return [
        {trait: values[i] for trait, values, i in zip(sorted(task.traits), names, row, strict=True)}
        for row in rows
    ]


def faults_of(task: AllocationTask, slots: list[dict[str, str]]) -> list[str]:
    "What is wrong with an allocation: counts, meetings, requirements, repeats."
    faults = [] if len(slots) == task.supply else [f"{len(slots)} slots"]
    for trait, values in task.traits.items():
        if dict(Counter(slot[trait] for slot in slots)) != values:
            faults.append(f"counts of {trait}")
    for part in task.forbidden:
        if any(all(slot[trait] == value for trait, value in part.items()) for slot in slots):
            faults.append(f"{part} meet")
    for need in task.required:
        having = [slot for slot in slots if all(slot[trait] == value for trait, value in need.when.items())]
        if any(slot[trait] != value for slot in having for trait, value in need.then.items()):
            faults.append(f"{need.when} without {need.then}")
    if task.unique and len({tuple(sorted(slot.items())) for slot in slots}) < len(slots):
        faults.append("repeats")
    if any(slot in task.taken for slot in slots):
        faults.append("taken")
    return faults


# ------------------------------------------------------------------ shapes of real collections


@pytest.mark.many(2)
@pytest.mark.parametrize("name", SHAPES)
def test_the_shapes_of_real_collections_are_allocated_exactly_and_quickly(name):
    task = SHAPES[name]
    begun = time.process_time()
    slots = slots_of(task)
    assert time.process_time() - begun < 10  # measured: 0.1 to 1.5 s
    assert faults_of(task, slots) == []


@pytest.mark.slow
@pytest.mark.parametrize("bound", [False, True])
def test_a_hundred_thousand_slots_are_allocated_exactly(bound):
    shape = [23] * 11 + [22, 22]
    more = {}
    if bound:
        pairs = [(f"t{i:02}", f"t{i + 1:02}") for i in range(12)]
        more["forbidden"] = tuple(
            {one: "v01", other: f"v{j:02}"} for one, other in pairs for j in range(5, 9)
        )
        more["required"] = (Requirement(when={"t00": "v20"}, then={"t05": "v03"}),)
    task = task_of(shape, supply=100_000, **more)
    slots = slots_of(task)
    assert faults_of(task, slots) == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2 << 20  # KiB


def test_a_feasibility_check_of_ten_thousand_takes_under_a_second():
    task = SHAPES["13 traits of 297 values, forbidden and required"]
    begun = time.process_time()
    require_allocation(task)
    assert time.process_time() - begun < 1
    begun = time.process_time()
    require_allocation(task)
    assert time.process_time() - begun < 0.05  # it is known by now


# ------------------------------------------------------------------ any task that has an allocation


@st.composite
def feasible(draw):
    "A task that some allocation satisfies, because its counts and constraints were read from one."
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=6))
    supply = draw(st.integers(1, 60))
    rng = random.Random(draw(st.integers(0, 2**32)))
    rows = [
        {f"t{i}": f"v{min(rng.randrange(n), rng.randrange(n))}" for i, n in enumerate(sizes)}
        for _ in range(supply)
    ]
    unique = draw(st.booleans())
    if unique:
        rows = list({tuple(row.items()): row for row in rows}.values())
    traits = {trait: dict(Counter(row[trait] for row in rows)) for trait in rows[0]}
    forbidden, required = [], []
    for _ in range(draw(st.integers(0, 12))):
        names = rng.sample(sorted(traits), min(len(traits), rng.choice([2, 2, 3])))
        part = {trait: rng.choice(sorted(traits[trait])) for trait in names}
        if not any(part.items() <= row.items() for row in rows):
            forbidden.append(part)
        *first, last = names
        when = {trait: part[trait] for trait in first}
        then = {last: part[last]}
        if all(then.items() <= row.items() for row in rows if when.items() <= row.items()):
            required.append(Requirement(when=when, then=then))
    return AllocationTask(
        name="small",
        supply=len(rows),
        traits=traits,
        forbidden=tuple(forbidden),
        required=tuple(required),
        unique=unique,
    )


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(feasible(), st.text(st.characters(exclude_categories=["Cs"]), max_size=4))
def test_what_can_be_allocated_is_allocated_exactly_by_repair_too(task, salt):
    require_allocation(task)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(allocation, "SOLVED", 0)
        assert faults_of(task, slots_of(task, salt)) == []
    assert faults_of(task, slots_of(task, salt)) == []


@settings(deadline=None, max_examples=60)
@given(feasible(), st.data())
def test_what_is_taken_by_other_slots_is_not_given_again(task, data):
    unique = task.model_copy(update={"unique": True})
    try:
        slots = slots_of(unique)
    except Unallocatable:
        return
    kept = data.draw(st.integers(0, len(slots) - 1))
    rest = slots[kept:]
    traits = {trait: dict(Counter(slot[trait] for slot in rest)) for trait in task.traits}
    update = {"supply": len(rest), "traits": traits, "taken": tuple(slots[:kept])}
    left = unique.model_copy(update=update)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(allocation, "SOLVED", data.draw(st.sampled_from([0, 5_000])))
        assert faults_of(left, slots_of(left)) == []


# ------------------------------------------------------------------ the same everywhere


@pytest.mark.slow
def test_an_allocation_is_the_same_in_every_process():
    code = (
        "from tests.shapes import SHAPES; from artmint.core.canon import digest\n"
        "from artmint.core.allocation import allocated_rows\n"
        "task = SHAPES['13 traits of 297 values, forbidden and required']\n"
        "print(digest(allocated_rows(task, 'a').tolist()))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**ENVIRONMENT, "PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("0", "77")
    }
    task = SHAPES["13 traits of 297 values, forbidden and required"]
    assert answers == {digest(allocated_rows(task, "a").tolist())}
    assert digest(allocated_rows(task, "b").tolist()) not in answers


def test_repaired_rows_are_pinned():
    "Whole numbers and SHAKE-256 alone: no library's version and no machine may change these."
    task = task_of([9, 8, 7, 6, 5], supply=300, unique=True, forbidden=({"t00": "v01", "t01": "v02"},))
    assert digest(allocated_rows(task, "salt").tolist())[:16] == "b809be3d62a62097"


def test_the_order_of_traits_and_values_in_the_file_does_not_matter():
    task = SHAPES["8 traits of 10"]
    turned = task.model_copy(
        update={"traits": {t: dict(reversed(v.items())) for t, v in reversed(task.traits.items())}}
    )
    assert slots_of(turned) == slots_of(task)


# ------------------------------------------------------------------ what can't be

WIDE = {f"t{i:02}": even(10_000, 20) for i in range(8)}
IMPOSSIBLE = {
    "they must meet": (
        {"a": {"x": 6000, "y": 4000}, "b": {"p": 5000, "q": 5000}},
        {"forbidden": ({"a": "x", "b": "p"},)},
        ["forbidden[0]"],
    ),
    "three must meet": (
        {trait: {"x": 8000, "y": 2000} for trait in "abc"},
        {"forbidden": ({"a": "x", "b": "x", "c": "x"},)},
        ["forbidden[0]"],
    ),
    "more than there are": (
        {"a": {"x": 6000, "y": 4000}, "b": {"p": 5000, "q": 5000}},
        {"required": (Requirement(when={"a": "x"}, then={"b": "p"}),)},
        ["required[0]"],
    ),
    "two bring more than there are": (
        {"a": {"x": 3000, "y": 3000, "z": 4000}, "b": {"p": 5000, "q": 5000}},
        {
            "required": (
                Requirement(when={"a": "x"}, then={"b": "p"}),
                Requirement(when={"a": "y"}, then={"b": "p"}),
            )
        },
        ["required[0]", "required[1]"],
    ),
    "a chain leads to what is forbidden": (
        {"a": {"x": 100, "y": 9900}, "b": {"p": 5000, "q": 5000}, "c": {"u": 6000, "v": 4000}},
        {
            "required": (
                Requirement(when={"a": "x"}, then={"b": "p"}),
                Requirement(when={"b": "p"}, then={"c": "u"}),
            ),
            "forbidden": ({"a": "x", "c": "u"},),
        },
        ["forbidden[0]", "required[0]", "required[1]"],
    ),
    "a chain to two values": (
        {"a": {"x": 100, "y": 9900}, "b": {"p": 5000, "q": 5000}},
        {
            "required": (
                Requirement(when={"a": "x"}, then={"b": "p"}),
                Requirement(when={"a": "x"}, then={"b": "q"}),
            )
        },
        ["required[0]", "required[1]"],
    ),
    "no room beside what is excluded": (
        {"a": {"x": 5000, "y": 5000}, "b": {"p": 3000, "q": 3000, "r": 4000}},
        {"forbidden": ({"a": "x", "b": "p"}, {"a": "x", "b": "q"})},
        ["forbidden[0]", "forbidden[1]"],
    ),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_cannot_be_is_proved_at_once_among_any_number_of_combinations(name):
    traits, constraints, blamed = IMPOSSIBLE[name]
    task = AllocationTask(name="big", supply=10_000, traits=traits | WIDE, **constraints)
    assert task.combinations > 10**10
    begun = time.process_time()
    with pytest.raises(Unallocatable) as caught:
        require_allocation(task)
    assert time.process_time() - begun < 5
    assert caught.value.constraints == blamed
    assert caught.value.reasons
    assert all(reason in str(caught.value) for reason in caught.value.reasons)
    with pytest.raises(Unallocatable):
        allocated_rows(task, "s")


def test_more_different_slots_than_combinations_are_refused():
    with pytest.raises(Unallocatable, match="fewer than") as caught:
        allocated_rows(task_of([19, 19, 19], supply=10_000, unique=True), "s")
    assert caught.value.constraints == ["unique"]
    traits = {"a": {"x": 9_000, "y": 1_000}} | {f"t{i}": even(10_000, 20) for i in range(3)}
    with pytest.raises(Unallocatable, match="can't all differ") as caught:
        allocated_rows(AllocationTask(name="n", supply=10_000, traits=traits, unique=True), "s")
    assert caught.value.constraints == ["unique"]


@pytest.mark.slow
def test_linked_traits_without_an_allocation_are_proved_by_the_solver():
    "Every two of three values exclude each other crosswise: no counting argument for single values shows it."
    traits = {trait: {"x": 5000, "y": 5000} for trait in "abc"}
    pairs = [("a", "b"), ("b", "c"), ("a", "c")]
    forbidden = tuple({one: v, other: v} for one, other in pairs for v in "xy")
    task = AllocationTask(name="big", supply=10_000, traits=traits | WIDE, forbidden=forbidden)
    with pytest.raises(Unallocatable, match="a, b, c by themselves"):
        allocated_rows(task, "s")


def test_what_is_not_decided_is_said_to_be_so(monkeypatch):
    monkeypatch.setattr(allocation, "COMBINATIONS", 10)
    monkeypatch.setattr(allocation, "SOLVED", 10)
    traits = {trait: {"x": 50, "y": 50} for trait in "abc"} | {f"t{i}": even(100, 9) for i in range(3)}
    pairs = [("a", "b"), ("b", "c"), ("a", "c")]
    forbidden = tuple({one: v, other: v} for one, other in pairs for v in "xy")
    task = AllocationTask(name="big", supply=100, traits=traits, forbidden=forbidden)
    with pytest.raises((Undecided, Unallocatable)) as caught:
        allocated_rows(task, "s")
    if isinstance(caught.value, Undecided):
        assert "not decided" in str(caught.value)
        assert caught.value.slots > 0


def test_the_number_of_combinations_is_no_limit():
    task = task_of([40] * 30, supply=500, unique=True)
    assert task.combinations == 40**30 > 10**48
    assert faults_of(task, slots_of(task)) == []
    assert math.prod(map(len, task.traits.values())) == task.combinations


def test_few_valid_combinations_among_many_are_laid_out_by_the_solver(monkeypatch):
    "Traits that exclude each other have few valid combinations; then the solver helps where repair gives up."
    kinds = {f"k{i}": 100 for i in range(10)}
    traits = {f"t{i}": dict(kinds) for i in range(9)}
    forbidden = tuple(
        {f"t{i}": one, f"t{i + 1}": other}
        for i in range(8)
        for one in kinds
        for other in kinds
        if one != other
    )
    task = AllocationTask(name="kinds", supply=1000, traits=traits, forbidden=forbidden)
    assert task.combinations == 10**9
    monkeypatch.setattr(allocation, "_ROUNDS", -1)  # repair gives up at once
    slots = slots_of(task)
    assert faults_of(task, slots) == []
