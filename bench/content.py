"""10,000 files of 100 KB: naming them and writing the archive.

Against reading and hashing them, and against npm's ipfs-car where it is at hand.
"""

import hashlib
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from artmint.ipfs.car import write_car

from .measure import ratio, row
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


def hash_files(folder: Path) -> None:
    "Read and hash, no more."
    for name in sorted(os.listdir(folder)):
        with open(folder / name, "rb") as file:
            hashlib.sha256(file.read()).digest()


def ipfs_car() -> str | None:
    "npm's ipfs-car: on the path, or where the tests have installed it."
    installed = (ROOT / "build/tools").glob("importer-*/node_modules/.bin/ipfs-car")
    return shutil.which("ipfs-car") or next(map(str, installed), None)


def memory() -> float:
    "The most that this process has held so far, in MiB (Linux counts in KiB)."
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(rounds: int) -> Iterator[dict]:
    "car_vs_sha256, car_vs_ipfs_car."
    in_memory = roomy()
    with tempfile.TemporaryDirectory(dir=MEMORY if in_memory else None) as folder:
        source, target = Path(folder, "files"), Path(folder, "files.car")
        write_files(source)

        def ours() -> None:
            write_car(target, source)

        def bare() -> None:
            hash_files(source)

        ours()
        before = memory()
        bare_time, our_time, times = ratio(bare, ours, rounds)
        place = "memory" if in_memory else "a temporary folder"
        files = f"{COUNT:,} files of {SIZE:,} bytes in {place}, wall time, median of {rounds}"
        how = f"{files}; ours {our_time:.2f} s, {memory() - before:.1f} MiB of memory more after the first"
        against = f"reading and hashlib alone: {bare_time:.2f} s"
        yield row("car_vs_sha256", round(times, 3), "times", against, "<= 2.2", how)
        program = ipfs_car()
        if program is None:
            return

        def npm() -> None:
            command = [program, "pack", source, "--no-wrap", "--output", f"{folder}/npm.car"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

        our_time, npm_time, times = ratio(ours, npm, min(rounds, 3))
        against, how = (
            f"npm ipfs-car pack: {npm_time:.2f} s",
            f"how many times longer npm's takes; ours {our_time:.2f} s",
        )
        yield row("car_vs_ipfs_car", round(times, 3), "times", against, ">= 1.5", how)
