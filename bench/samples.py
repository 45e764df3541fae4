"What several subjects paint, and the demo's collection."

from pathlib import Path
from typing import Any

import torch

from artmint.core.collection import Collection
from artmint.core.records import Attempt, Recipe
from artmint.make.base import Base
from artmint.seeds import load_collection

ROOT = Path(__file__).resolve().parents[1]
PROMPT = "dense rings in aurora colours on night"


def demo() -> Collection:
    "The collection in collections/demo."
    return load_collection(ROOT / "collections" / "demo")


def recipe(base: Base, seed: int, steps: int, prompt: str = PROMPT) -> Recipe:
    "A picture of 128 px in the fast profile, with guidance."
    return Recipe(
        base=base.digest,
        prompt=prompt,
        seed=seed,
        steps=steps,
        guidance=3.0,
        width=128,
        height=128,
        profile="fast",
    )


def attempts(base: Base, seeds: range) -> list[Attempt]:
    "Attempts of 16 steps at the first slot, one for a seed."
    return [Attempt(slot=1, attempt=1, recipe=recipe(base, seed, 16)) for seed in seeds]


class Forwards:
    "The bare UNet and VAE forward passes of whole batches, of the shape in which they are rendered."

    def __init__(self, engine: Any, steps: int):
        self.pipe, self.batch, self.steps = engine.pipe, engine.profile.batch, steps
        self.latents = torch.randn(
            2 * self.batch, 4, 32, 32
        )  # twice: guidance asks with and without a prompt
        self.timestep = torch.tensor(500)
        self.text = torch.randn(2 * self.batch, 32, 128)

    @torch.inference_mode()
    def unet(self) -> None:
        "One step."
        self.pipe.unet(self.latents, self.timestep, self.text)

    @torch.inference_mode()
    def run(self, batches: int) -> None:
        "All steps and the decoding of so many batches."
        for _ in range(batches):
            for _ in range(self.steps):
                self.unet()
            self.pipe.vae.decode(self.latents[: self.batch])
