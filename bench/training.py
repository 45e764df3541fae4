"""LoRA training against the loop of diffusers' text-to-image LoRA example, and against the bare passes.

The example encodes pictures and captions in every step; the bare passes are the UNet's forward and backward.
"""

import copy
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler
from diffusers.models.attention_processor import AttnProcessor2_0
from peft import LoraConfig
from PIL import Image

from artmint import lora_train
from artmint.make.base import Base, load_base
from artmint.train.examples import batch_indices
from artmint.train.settings import TrainConfig
from artmint.train.style import practice_style

from .measure import ratio, row

STEPS, SIZE = 8, 128


class Examples:
    "A style set held in memory."

    def __init__(self, pictures: int):
        with tempfile.TemporaryDirectory() as folder:
            style = practice_style(Path(folder), pictures)
            self._images, self._captions = style.images(), style.captions()
        self.trigger = style.trigger
        self.pictures = ()  # none of them is repeated

    def images(self) -> list[Image.Image]:
        "Its pictures."
        return self._images

    def captions(self) -> list[str]:
        "A caption for every picture."
        return self._captions


class Ours:
    "Steps of artmint's own loop."

    def __init__(self, base: Base, config: TrainConfig, examples: Examples):
        self.steps_done = count()
        self.pipe = lora_train._adapted(base, config)
        self.optimiser = lora_train._optimiser(self.pipe, config)
        scheduler = DDIMScheduler.from_config(base.pipeline.scheduler.config)
        streams = lora_train._streams(self.pipe, base, config, examples, None)
        parts = (self.pipe, config, None, self.optimiser, scheduler, Path(), "", streams)
        self.training = lora_train._Training(*parts)  # it has no lineage, because nothing is saved

    def run(self) -> None:
        "Train for so many steps."
        for _ in range(STEPS):
            self.training.step(next(self.steps_done))


class ExampleLoop:
    "Steps of the loop in diffusers' examples/text_to_image/train_text_to_image_lora.py."

    def __init__(
        self, base: Base, config: TrainConfig, examples: Examples, scheduler: DDIMScheduler, side: int = SIZE
    ):
        self.config, self.scheduler, self.device, self.side = config, scheduler, base.device, side
        self.images, self.captions = examples.images(), examples.captions()
        self.pipe = copy.copy(base.pipeline)
        for name in ("unet", "vae", "text_encoder"):
            network = copy.deepcopy(getattr(base.pipeline, name)).requires_grad_(False)
            setattr(self.pipe, name, network.to(base.device))
        adapter = LoraConfig(
            r=config.rank,
            lora_alpha=config.alpha,
            init_lora_weights="gaussian",
            target_modules=list(config.targets),
        )
        self.pipe.unet.add_adapter(adapter)
        self.pipe.unet.set_attn_processor(AttnProcessor2_0())  # what a pipeline has, and the example leaves
        self.optimiser = lora_train._optimiser(self.pipe, config)
        self.parameters = trained(self.optimiser)

    def run(self) -> None:
        "Train for so many steps."
        for step in range(STEPS):
            self.step(batch_indices([(1, 1)] * len(self.images), self.config.batch, step, 0))

    def step(self, chosen: list[int]) -> None:
        "One step on the pictures with these numbers."
        latents, text = self.latents(chosen), self.text(chosen)
        noise = torch.randn_like(latents)
        timestep = torch.randint(0, 1000, (len(chosen),), device=self.device)
        noisy = self.scheduler.add_noise(latents, noise, timestep)
        predicted = self.pipe.unet(noisy, timestep, text, return_dict=False)[0]
        target = self.scheduler.get_velocity(latents, noise, timestep)
        torch.nn.functional.mse_loss(predicted, target).backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()

    def latents(self, chosen: list[int]) -> torch.Tensor:
        "Pictures, resized and encoded."
        pixels = torch.stack([self.pixels(self.images[number]) for number in chosen]).to(self.device)
        with torch.no_grad():
            encoded = self.pipe.vae.encode(pixels)
        sample = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.sample()
        return sample * self.pipe.vae.config.scaling_factor

    def pixels(self, image: Image.Image) -> torch.Tensor:
        "A picture as (3, side, side) in [-1, 1]."
        resized = image.resize((self.side, self.side), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(resized)).permute(2, 0, 1) / 127.5 - 1

    def text(self, chosen: list[int]) -> torch.Tensor:
        "Captions, tokenised and encoded."
        ids = self.pipe.tokenizer(
            [self.captions[number] for number in chosen],
            padding="max_length",
            max_length=self.pipe.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).input_ids
        return self.pipe.text_encoder(ids.to(self.device), return_dict=False)[0]


class Passes:
    "The bare forward and backward passes of the UNet with an adapter."

    def __init__(self, ours: Ours):
        self.unet, self.parameters, self.batch = (
            ours.pipe.unet,
            trained(ours.optimiser),
            ours.training.config.batch,
        )
        self.latents = torch.randn(self.batch, 4, 32, 32)
        self.text = torch.randn(self.batch, 32, 128)

    def run(self) -> None:
        "As many as a training has steps."
        for _ in range(STEPS):
            timestep = torch.full((self.batch,), 500)
            self.unet(self.latents, timestep, self.text).sample.square().mean().backward()
            for parameter in self.parameters:
                parameter.grad = None


def trained(optimiser: torch.optim.Optimizer) -> list[torch.nn.Parameter]:
    "The weights that an optimiser changes."
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def measure(rounds: int) -> Iterator[dict]:
    "lora_vs_plain_loop, lora_vs_arithmetic."
    base, config, examples = load_base(), TrainConfig(prior_batch=0, steps=10_000), Examples(24)
    ours = Ours(base, config, examples)
    loop, passes = ExampleLoop(base, config, examples, ours.training.scheduler), Passes(ours)
    for way in (ours, loop, passes):  # warms up
        way.run()
    our_time, loop_time, times = ratio(ours.run, loop.run, rounds)
    work = f"{STEPS} steps of {config.batch} pictures, rank {config.rank}, float32"
    speed = f"{torch.get_num_threads()} threads, median of {rounds}; ours {STEPS / our_time:.2f} steps/s"
    how = f"{work}, {speed}"
    against = f"the loop of diffusers' text-to-image LoRA example: {STEPS / loop_time:.2f} steps/s"
    yield row("lora_vs_plain_loop", round(times, 3), "times", against, ">= 1.5", how)
    _, bare_time, _ = ratio(ours.run, passes.run, rounds)
    against = f"the UNet's bare forward and backward: {STEPS / bare_time:.2f} steps/s"
    yield row("lora_vs_arithmetic", round(bare_time / our_time, 3), "share", against, ">= 0.85", how)
