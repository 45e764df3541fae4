"Trainings that take seconds, and pictures by their adapters."

import hashlib

import numpy as np

from artmint.core.records import AdapterUse, Recipe
from artmint.make.render import render

SMALL = dict(steps=7, batch=3, rank=4, alpha=2.0, resolution=32, every=3, warmup=2, prior_batch=2, rate=5e-3)
UNETS = ("sd1", "sd2", "sdxl")
# A training in a program of its own, to be killed.
PROGRAM = """
import sys
from pathlib import Path
from artmint.lora_train import train
from artmint.make.base import load_base
from artmint.train.settings import TrainConfig
from artmint.train.style import load_style
base, style, folder, settings = sys.argv[1:]
config = TrainConfig.model_validate_json(settings)
def report(step, loss):
    print(step, flush=True)

train(load_style(style, 32), load_base(base), config, Path(folder), progress=report)
"""


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
