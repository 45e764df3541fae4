"""Measure the hot paths and write studio/bench.json: a list of {name, value, unit, against, limit, how}.

Every ratio is taken in one run, against an alternative measured beside it: machines are noisy, ratios less so.
"""
import argparse
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def seconds(work: Callable[[], object]) -> float:
    "Wall time of one call."
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> tuple[float, float, float]:
    "Median seconds of both, and the median of their ratios, measured in turns."
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    return *(statistics.median(column) for column in zip(*pairs)), statistics.median(b / a for a, b in pairs)


def generation(rounds: int) -> list[dict]:
    "Rendering in the fast profile against the plain pipeline, and against the bare forward passes of the same batch."
    import torch
    from artmint.base import load_base
    from artmint.engine import engine
    from artmint.generate import render
    from artmint.seeds import Recipe

    base, count, steps = load_base(), 16, 20
    recipes = [Recipe(base=base.digest, prompt="dense rings in aurora colours on night", seed=i, steps=steps, guidance=3.0, width=128, height=128, profile="fast") for i in range(count)]
    ready = engine(base, recipes[0])

    def plain() -> None:
        for r in recipes:
            base.pipeline(r.prompt, num_inference_steps=steps, guidance_scale=r.guidance, width=128, height=128, generator=torch.Generator().manual_seed(r.seed))

    @torch.inference_mode()
    def arithmetic() -> None:
        x, t, text = torch.randn(2 * ready.profile.batch, 4, 32, 32), torch.tensor(500), torch.randn(2 * ready.profile.batch, 32, 128)
        for _ in range(count // ready.profile.batch):
            for _ in range(steps): ready.pipe.unet(x, t, text)
            ready.pipe.vae.decode(x[: ready.profile.batch])

    render(base, recipes), plain(), arithmetic()
    ours, theirs, against_plain = ratio(lambda: render(base, recipes), plain, rounds)
    _, bare, against_bare = ratio(lambda: render(base, recipes), arithmetic, rounds)
    how = f"{count} pictures, {steps} DDIM steps with guidance, float32, {torch.get_num_threads()} threads, median of {rounds}"
    return [
        {"name": "generate_vs_plain", "value": round(against_plain, 3), "unit": "times", "against": f"StableDiffusionPipeline, one prompt at a time: {count / theirs:.2f} pictures/s", "limit": ">= 2.3", "how": f"{how}; ours {count / ours:.2f} pictures/s"},
        {"name": "generate_vs_arithmetic", "value": round(against_bare, 3), "unit": "share", "against": f"bare UNet and VAE forwards at the same batch shape: {bare:.2f} s", "limit": ">= 0.95", "how": how},
    ]


def archiving(rounds: int) -> list[dict]:
    "10,000 files of 100 KB: naming them and writing the archive, against reading and hashing them, and against npm's ipfs-car where it is at hand."
    from artmint.content import write_car

    count, size, shared = 10_000, 100_000, Path("/dev/shm")
    roomy = shared.is_dir() and shutil.disk_usage(shared).free > 4 * count * size
    with tempfile.TemporaryDirectory(dir=shared if roomy else None) as folder:
        source, target, noise = Path(folder, "files"), Path(folder, "files.car"), os.urandom(size)
        source.mkdir()
        for i in range(count): (source / f"{i}.png").write_bytes(i.to_bytes(8, "big") + noise[8:])

        def bare() -> None:
            for name in sorted(os.listdir(source)):
                with open(source / name, "rb") as file: hashlib.sha256(file.read()).digest()

        write_car(target, source)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        theirs, ours, against = ratio(bare, lambda: write_car(target, source), rounds)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        how = f"{count:,} files of {size:,} bytes in {'memory' if roomy else 'a temporary folder'}, wall time, median of {rounds}; ours {ours:.2f} s, {grown:.1f} MiB of memory more after the first"
        rows = [{"name": "car_vs_sha256", "value": round(against, 3), "unit": "times", "against": f"reading and hashlib alone: {theirs:.2f} s", "limit": "<= 2.2", "how": how}]
        if npm := shutil.which("ipfs-car") or next(map(str, Path("build/tools").glob("importer-*/node_modules/.bin/ipfs-car")), None):
            def packed() -> None: subprocess.run([npm, "pack", source, "--no-wrap", "--output", f"{folder}/npm.car"], check=True, stdout=subprocess.DEVNULL)
            ours, theirs, against = ratio(lambda: write_car(target, source), packed, min(rounds, 3))
            rows.append({"name": "car_vs_ipfs_car", "value": round(against, 3), "unit": "times", "against": f"npm ipfs-car pack: {theirs:.2f} s", "limit": ">= 1.5", "how": f"how many times longer npm's takes; ours {ours:.2f} s"})
    return rows


def main() -> None:
    "Run every benchmark and print a table."
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--into", type=Path, default=Path("studio/bench.json"))
    given = options.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is loaded: spinning threads take the processor from one another
    rows = [row for measure in (generation, archiving) for row in measure(given.rounds)]
    given.into.parent.mkdir(parents=True, exist_ok=True)
    given.into.write_text(json.dumps(rows, indent=2) + "\n")
    for row in rows: print(f"{row['name']:24} {row['value']:8} {row['unit']:6} ({row['limit']}) against {row['against']}; {row['how']}")


if __name__ == "__main__": main()
