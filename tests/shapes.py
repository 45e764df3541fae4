"Sets of traits that studios asked generators for, as tasks of ten thousand slots."

from artmint.core.allocation import AllocationTask
from artmint.core.collection import Requirement


def even(supply: int, values: int) -> dict[str, int]:
    "Counts as equal as they can be."
    return {f"v{i:02}": supply // values + (i < supply % values) for i in range(values)}


def uneven(supply: int, values: int) -> dict[str, int]:
    "A few frequent values and many rare ones: as 1, 1/2, 1/3 ..."
    whole = sum(1 / (i + 1) for i in range(values))
    counts = [max(1, int(supply / whole / (i + 1))) for i in range(values)]
    counts[0] += supply - sum(counts)
    return {f"v{i:02}": count for i, count in enumerate(counts)}


def task_of(shape: list[int], supply: int = 10_000, counts=even, **more) -> AllocationTask:
    "Traits t00, t01 ... with so many values."
    traits = {f"t{i:02}": counts(supply, values) for i, values in enumerate(shape)}
    return AllocationTask(name="shape", supply=supply, traits=traits, **more)


MANY = [23] * 11 + [22, 22]  # generative-art-opensource, issue 25: 13 traits, 297 values
LAYERS = [5, 2, 19, 26, 7, 11, 21, 3, 5, 10]  # hashlips_art_engine, issue 852
CROSSES = [(trait, value, (3 * value + 1) % 11) for trait in range(12) for value in range(11)]
PAIRS = tuple({f"t{t:02}": f"v{value:02}", f"t{t + 1:02}": f"v{other:02}"} for t, value, other in CROSSES)
NEEDS = (
    Requirement(when={"t00": "v05"}, then={"t03": "v01"}),
    Requirement(when={"t01": "v20"}, then={"t04": "v00", "t05": "v02"}),
    Requirement(when={"t02": "v01", "t06": "v02"}, then={"t07": "v00"}),
)
SEVENS = tuple({"t00": f"v{i:02}", "t01": f"v{6 - i:02}"} for i in range(3))

SHAPES = {
    "ten layers": task_of(LAYERS, unique=True),
    "ten uneven layers": task_of(LAYERS, counts=uneven, unique=True),
    "8 traits of 10": task_of([10] * 8, unique=True),
    "13 traits of 297 values": task_of(MANY, counts=uneven, unique=True),
    "13 traits of 297 values, forbidden and required": task_of(
        MANY, counts=uneven, unique=True, forbidden=PAIRS, required=NEEDS
    ),
    "12 traits of 3": task_of([3] * 12, unique=True),
    "6 traits of 8": task_of([8] * 6, unique=True),
    "5 traits of 7": task_of([7] * 5, unique=True),
    "10, 5, 5, 6, 10": task_of([10, 5, 5, 6, 10], unique=True),
    "every combination once": task_of([4, 4, 4, 1, 156], supply=9_984, unique=True),
    "6 uneven traits of 7": task_of([7] * 6, counts=uneven, unique=True),
    "6 uneven traits of 7, forbidden pairs": task_of([7] * 6, counts=uneven, forbidden=SEVENS),
}
