"The UNet and its text encoder: captions to latents."

import copy
import itertools
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loop import Clock, average, load, log, save, time_seeded, update
from pictures import SIZE, batch_of, drawings, subject_of
from tqdm import tqdm
from vae import LATENT, load_vae
from words import CONTEXT, among_foreign_words, tokenizer, tokens

from artmint.core.picture import contact_sheet
from artmint.train.drawings import (
    CAPTIONS,
    DENSITIES,
    GROUNDS,
    MOTIFS,
    PALETTES,
    PLACEMENTS,
    Subject,
    caption,
    subjects,
)

BATCH = 64
NEGATIVE = ""  # what classifier-free guidance subtracts: the empty caption, seen in one caption of ten
TEXT_NAMES = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}


def new_unet() -> Any:
    """Four levels from 32x32 down to 4x4, attention on the lower two.

    Thin at the top, where memory traffic costs most.
    """
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=SIZE // 4,
        in_channels=LATENT,
        out_channels=LATENT,
        layers_per_block=1,
        block_out_channels=(48, 96, 128, 128),
        norm_num_groups=16,
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        cross_attention_dim=128,
        attention_head_dim=4,
    )


def new_text(words: Any, judge: dict[str, torch.Tensor]) -> Any:
    "A CLIP text encoder of two layers that begins as the judge's text tower, which has learnt the words."
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        projection_dim=128,
        hidden_act="gelu",
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    text = CLIPTextModel(config)
    # Some versions of transformers put the tower's name before the keys.
    prefix = "text_model." if any(key.startswith("text_model.") for key in text.state_dict()) else ""
    text.load_state_dict({prefix + key: value for key, value in as_transformers(judge).items()})
    return text


def as_transformers(judge: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    "open_clip's text tower under the names of transformers' CLIPTextModel."
    state = {
        "embeddings.token_embedding.weight": judge["token_embedding.weight"],
        "embeddings.position_embedding.weight": judge["positional_embedding"],
    }
    for kind in ("weight", "bias"):
        state[f"final_layer_norm.{kind}"] = judge[f"ln_final.{kind}"]
    for layer, kind in itertools.product(range(2), ("weight", "bias")):
        ours, theirs = f"encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for old, new in TEXT_NAMES.items():
            state[f"{ours}.{new}.{kind}"] = judge[f"{theirs}.{old}.{kind}"]
        parts = judge[f"{theirs}.attn.in_proj_{kind}"].chunk(3)
        for part, value in zip("qkv", parts):
            state[f"{ours}.self_attn.{part}_proj.{kind}"] = value
    return state


def new_scheduler() -> Any:
    "DDIM with v-prediction, zero terminal SNR and trailing steps (Lin et al., 2024)."
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


def latents_of(work: Path, vae: Any) -> tuple[torch.Tensor, float]:
    "Drawings as fp16 latents, and the scale that gives them unit variance; encoded once."
    path = work / "latents.pt"
    if not path.exists():
        latents = encode(drawings(work), vae)
        save(path, latents=latents, std=latents[:4096].float().std().item())
    state = load(path)
    return state["latents"], 1 / state["std"]


def encode(pictures: np.ndarray, vae: Any) -> torch.Tensor:
    "Latents of all pictures, (n, LATENT, 32, 32) of fp16."
    latents = torch.empty(len(pictures), LATENT, SIZE // 4, SIZE // 4, dtype=torch.float16)
    for start in tqdm(range(0, len(latents), 64), desc="encode"):
        end = min(start + 64, len(latents))
        x = batch_of(pictures, np.arange(start, end)).contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            latents[start:end] = vae.encode(x).latents
    return latents


def load_unet(work: Path) -> tuple[Any, Any, Any, Any]:
    "VAE, tokenizer, text encoder and UNet as the last checkpoint left them."
    from diffusers.models.attention_processor import AttnProcessor

    words, vae = tokenizer(work), load_vae(work)
    unet, text = new_unet(), new_text(words, load(work / "judge.pt")["ema"])
    if (work / "unet.pt").exists():
        state = load(work / "unet.pt")
        unet.load_state_dict(state["unet"])
        text.load_state_dict(state["text"])
    unet.set_attn_processor(AttnProcessor())  # plain: the backward of the fused one is slow on a CPU
    unet = unet.to(memory_format=torch.channels_last)
    return vae.to(memory_format=torch.channels_last), words, text, unet


class Examples:
    "The training set: latents, and captions in all wordings as token ids."

    def __init__(self, latents: torch.Tensor, scale: float, words: Any):
        self.latents, self.scale, self.words = latents, scale, words
        self.true = [subject_of(seed) for seed in range(len(latents))]
        wordings = range(len(CAPTIONS))
        captions = {caption(subject, wording) for subject in subjects() for wording in wordings}
        self.ids = {text: tokens(words, [text])[0] for text in captions | {NEGATIVE}}

    def draw(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        "A batch: latents of unit variance and token ids; one caption of ten is empty, one of five has foreign words."
        index = rng.integers(len(self.latents), size=BATCH)
        z = (self.latents[index].float() * self.scale).contiguous(memory_format=torch.channels_last)
        return z, torch.stack([self.read(self.caption(number, rng), rng) for number in index])

    def caption(self, number: int, rng: np.random.Generator) -> str:
        "A wording of a picture's caption, or none."
        if rng.random() < 0.1:
            return NEGATIVE
        return caption(self.true[number], rng.integers(len(CAPTIONS)))

    def read(self, text: str, rng: np.random.Generator) -> torch.Tensor:
        "A caption's token ids, (CONTEXT,)."
        if rng.random() > 0.2:
            return self.ids[text]
        return tokens(self.words, among_foreign_words([text], rng))[0]


def min_snr_weights(alphas: torch.Tensor) -> torch.Tensor:
    "Weights of timesteps for v-prediction, (steps,): min(SNR, 5) / (SNR + 1) (Hang et al., 2023)."
    snr = alphas / (1 - alphas).clamp(min=1e-8)
    weights = torch.minimum(snr, torch.tensor(5.0)) / (snr + 1)
    return weights.clamp(min=0.05)  # at zero SNR it would vanish, and with it the picture's overall colour


def loss_of(
    model: torch.nn.ModuleList,
    scheduler: Any,
    weights: torch.Tensor,
    z: torch.Tensor,
    ids: torch.Tensor,
    rng: np.random.Generator,
) -> torch.Tensor:
    "v-prediction at random timesteps, weighted."
    unet, text = model
    noise, timestep = torch.randn_like(z), torch.from_numpy(rng.integers(1000, size=BATCH))
    noisy, target = scheduler.add_noise(z, noise, timestep), scheduler.get_velocity(z, noise, timestep)
    with torch.autocast("cpu", torch.bfloat16):
        predicted = unet(noisy, timestep, text(ids).last_hidden_state).sample
    errors = (predicted.float() - target).square().mean((1, 2, 3))
    return (errors * weights[timestep]).mean() / weights.mean()


def train_unet(work: Path, minutes: float, peak: float) -> None:
    "Train UNet and text encoder for so many minutes; writes unet.pt, averaged weights, and unet.png."
    vae, words, text, unet = load_unet(work)
    examples = Examples(*latents_of(work, vae), words)
    rng, scheduler = np.random.default_rng(time_seeded()), new_scheduler()
    model = torch.nn.ModuleList([unet, text]).train()
    ema = copy.deepcopy(model).eval()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, (0.9, 0.99), weight_decay=0.01)
    weights = min_snr_weights(scheduler.alphas_cumprod)
    # Nearly four times the speed: the eager normalisations and their backward are bound by memory.
    unet.compile()
    clock, recent = Clock(optimiser, minutes, peak), []
    while clock.tick():
        z, ids = examples.draw(rng)
        loss = loss_of(model, scheduler, weights, z, ids, rng)
        update(optimiser, loss, model)
        average(ema, model, min(0.999, clock.step / (clock.step + 10)))
        recent.append(loss.item())
        if clock.step % 100 == 0:
            mean = round(sum(recent) / len(recent), 4)
            facts = {"views": clock.step * BATCH, "seconds": clock.elapsed(), "loss": mean}
            log(work, stage="unet", step=clock.step, **facts)
            recent = []
        if clock.due(10):
            checkpoint(work, vae, words, ema, examples.scale)
    checkpoint(work, vae, words, ema, examples.scale)


def checkpoint(work: Path, vae: Any, words: Any, ema: torch.nn.ModuleList, scale: float) -> None:
    "Save the averaged weights, and a sheet of fixed prompts and seeds as they come out now."
    unet, text = ema
    save(work / "unet.pt", unet=unet.state_dict(), text=text.state_dict(), scale=scale)
    pipe = pipeline(vae, words, text, unet, scale)
    with torch.autocast("cpu", torch.bfloat16):
        images = [image for prompt in fixed_prompts() for image in painted(pipe, prompt)]
    contact_sheet(images, 12).save(work / "unet.png")
    shutil.copy(work / "unet.png", work / f"unet-{int(time.time())}.png")


def fixed_prompts() -> list[str]:
    "Three captions of every motif."
    palettes, grounds = itertools.cycle(PALETTES), itertools.cycle(GROUNDS)
    prompts = []
    for motif, number in itertools.product(MOTIFS, range(3)):
        density, placement = DENSITIES[number % 2], PLACEMENTS[number // 2]
        prompts.append(caption(Subject(motif, next(palettes), next(grounds), density, placement), 0))
    return prompts


def painted(pipe: Any, prompt: str) -> list:
    "Four pictures of a prompt, always from the same seed."
    return pipe(
        prompt,
        num_inference_steps=12,
        guidance_scale=3.0,
        num_images_per_prompt=4,
        generator=torch.Generator().manual_seed(7),
    ).images


def pipeline(vae: Any, words: Any, text: Any, unet: Any, scale: float) -> Any:
    "The parts as a StableDiffusionPipeline."
    from diffusers import StableDiffusionPipeline

    vae.register_to_config(scaling_factor=scale)
    pipe = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=words,
        unet=unet,
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe
