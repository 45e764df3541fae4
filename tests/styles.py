"Trainings that take seconds, and pictures by their adapters."

import hashlib

import numpy as np

from artmint.core.records import AdapterUse, Recipe
from artmint.make.render import render

SMALL = dict(steps=7, batch=3, rank=4, alpha=2.0, resolution=32, every=3, warmup=2, prior_batch=2, rate=5e-3)
UNETS = ("sd1", "sd2", "sdxl")


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def painted(base, files: list[tuple[bytes, float]], **more) -> np.ndarray:
    "Two pictures by a recipe with these adapters."
    blobs = {sha(data): data for data, _ in files}
    facts = dict(base=base.digest, steps=3, guidance=4.0, width=32, height=32, profile="fast") | more
    recipes = [
        Recipe(
            prompt=p,
            seed=5,
            adapters=tuple(AdapterUse(digest=sha(data), weight=w) for data, w in files),
            **facts,
        )
        for p in ("riso print, waves", "rings")
    ]
    return np.stack([np.asarray(image).astype(int) for image in render(base, recipes, blob=blobs.get)])
