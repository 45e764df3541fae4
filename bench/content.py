"""10,000 files of 100 KB: naming them and writing the archive.

Against reading and hashing them by one core and by all, against that and writing the same bytes (which no way can leave
out), and against npm's ipfs-car where it is at hand.
"""

import hashlib
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from artmint.ipfs.car import write_car

from .measure import ratio, row, seconds
from .samples import ROOT

COUNT, SIZE = 10_000, 100_000
MEMORY = Path("/dev/shm")


def roomy() -> bool:
    "Whether files and archives fit into memory."
    return MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 4 * COUNT * SIZE


def write_files(folder: Path) -> None:
    "Files that differ in their first eight bytes."
    noise = os.urandom(SIZE)
    folder.mkdir()
    for number in range(COUNT):
        (folder / f"{number}.png").write_bytes(number.to_bytes(8, "big") + noise[8:])


CORES = len(os.sched_getaffinity(0))


def hash_files(folder: Path, names: list[str] | None = None) -> None:
    "Read and hash, no more."
    for name in names or sorted(os.listdir(folder)):
        with open(folder / name, "rb") as file:
            hashlib.sha256(file.read()).digest()


def hash_by_all(folder: Path) -> None:
    "The same by all cores, each with files of its own."
    names = os.listdir(folder)
    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(lambda i: hash_files(folder, names[i::CORES]), range(CORES)))


def write_bytes(path: Path) -> None:
    "Write as many bytes as all files have, and nothing else; the file from before is replaced."
    piece = os.urandom(1 << 20)
    with open(path.with_suffix(".new"), "wb", buffering=0) as file:
        for _ in range(COUNT * SIZE // len(piece)):
            file.write(piece)
    path.with_suffix(".new").replace(path)


def ipfs_car() -> str | None:
    "npm's ipfs-car: on the path, or where the tests have installed it."
    installed = (ROOT / "build/tools").glob("importer-*/node_modules/.bin/ipfs-car")
    return shutil.which("ipfs-car") or next(map(str, installed), None)


def memory() -> float:
    "The most that this process has held so far, in MiB (Linux counts in KiB)."
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def times_of(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    "Seconds of several works, taken in turns."
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(seconds(work))
    return times


def measure(rounds: int) -> Iterator[dict]:
    "car_vs_sha256, car_vs_all_cores, car_vs_limit, car_vs_ipfs_car."
    in_memory = roomy()
    with tempfile.TemporaryDirectory(dir=MEMORY if in_memory else None) as folder:
        source, target = Path(folder, "files"), Path(folder, "files.car")
        write_files(source)
        works = {
            "ours": lambda: write_car(target, source),
            "one": lambda: hash_files(source),
            "all": lambda: hash_by_all(source),
            "writing": lambda: write_bytes(Path(folder, "bytes")),
        }
        for work in works.values():  # warms up
            work()
        before = memory()
        times = times_of(works, rounds)
        place = "memory" if in_memory else "a temporary folder"
        files = f"{COUNT:,} files of {SIZE:,} bytes in {place}, wall time, least of {rounds}"
        least = {name: min(own) for name, own in times.items()}
        how = (
            f"{files}; ours {least['ours']:.2f} s, {memory() - before:.1f} MiB of memory more after the first"
        )
        against = f"reading and hashlib alone, one core: {least['one']:.2f} s"
        yield row("car_vs_sha256", round(least["ours"] / least["one"], 3), "times", against, "<= 1.3", how)
        against = f"the same by {CORES} cores: {least['all']:.2f} s"
        yield row("car_vs_all_cores", round(least["ours"] / least["all"], 3), "times", against, "<= 2.3", how)
        bound = least["all"] + least["writing"] / CORES
        against = f"that and writing the bytes alone ({least['writing']:.2f} s), by all cores: {bound:.2f} s"
        yield row("car_vs_limit", round(least["ours"] / bound, 3), "times", against, "<= 1.5", how)
        yield from against_npm(works["ours"], source, rounds)


def against_npm(ours: Callable[[], object], source: Path, rounds: int) -> Iterator[dict]:
    "car_vs_ipfs_car, where that is at hand."
    program = ipfs_car()
    if program is None:
        return

    def npm() -> None:
        command = [program, "pack", source, "--no-wrap", "--output", source.with_name("npm.car")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    our_time, npm_time, times = ratio(ours, npm, min(rounds, 3))
    against, how = (
        f"npm ipfs-car pack: {npm_time:.2f} s",
        f"how many times longer npm's takes; ours {our_time:.2f} s",
    )
    yield row("car_vs_ipfs_car", round(times, 3), "times", against, ">= 1.5", how)
