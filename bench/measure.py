"How a figure is taken."

import statistics
import time
from collections.abc import Callable

Work = Callable[[], object]


def seconds(work: Work) -> float:
    "Wall time of one call, in seconds."
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(ours: Work, theirs: Work, rounds: int) -> tuple[float, float, float]:
    "Median seconds of both, and the median of their ratios (theirs to ours), measured in turns."
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    our_times, their_times = zip(*pairs)
    ratios = [their_time / our_time for our_time, their_time in pairs]
    return statistics.median(our_times), statistics.median(their_times), statistics.median(ratios)


def row(name: str, value: float, unit: str, against: str, limit: str, how: str) -> dict:
    "A figure: what it is measured against, what it should keep to, and how it was taken."
    return {"name": name, "value": value, "unit": unit, "against": against, "limit": limit, "how": how}
