"The VAE: pictures to latents and back."

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loop import Clock, average, load, log, save, time_seeded, update
from pictures import SIZE, batch_of, drawings, to_sheet, unseen

LATENT = 4  # channels
BATCH = 16


def new_vae() -> Any:
    """AutoencoderTiny: 32 x 32 latents of 4 channels, 1.6M parameters.

    Four times smaller keeps edges sharp; eight times blurs them.
    """
    from diffusers import AutoencoderTiny

    widths = (64, 64, 64)
    return AutoencoderTiny(
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        latent_channels=LATENT,
        num_encoder_blocks=(0, 2, 4),
        num_decoder_blocks=(5, 2, 0),
        scaling_factor=1.0,
    )


def load_vae(work: Path) -> Any:
    "The VAE as the last checkpoint left it, for use."
    vae = new_vae().eval()
    vae.load_state_dict(load(work / "vae.pt")["ema"])
    return vae


def recolour(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    "Turn colours and lay dots over some pictures, so that styles not drawn here can be decoded."
    count = len(x)
    turns = torch.linalg.qr(torch.from_numpy(rng.normal(size=(count, 3, 3))).float())[0]
    turned = torch.einsum("nij,njhw->nihw", turns, x).clamp(-1, 1)
    x = torch.where(some(rng, count, 0.35), turned, x)
    down, across = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    dots = ((across + down) * math.pi / 5).cos() * ((across - down) * math.pi / 5).cos()
    dotted = torch.where(dots > 0.25, x, x * 0.3 + 0.65)
    return torch.where(some(rng, count, 0.1), dotted, x)


def some(rng: np.random.Generator, count: int, share: float) -> torch.Tensor:
    "A mask of pictures, (count, 1, 1, 1)."
    return torch.from_numpy(rng.random(count) < share)[:, None, None, None]


def psnr(vae: Any, pictures: torch.Tensor) -> float:
    "Mean peak signal-to-noise ratio of reconstructions, in dB (range 2)."
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        errors = torch.cat([squared_error(vae, part) for part in pictures.split(32)])
    return float((10 * torch.log10(4 / errors)).mean())


def squared_error(vae: Any, x: torch.Tensor) -> torch.Tensor:
    "Mean squared error of every picture's reconstruction, (n,)."
    decoded = vae.decode(vae.encode(x).latents).sample.float().clamp(-1, 1)
    return (decoded - x).square().mean((1, 2, 3))


def loss_of(vae: Any, x: torch.Tensor) -> torch.Tensor:
    "L2 and L1 on pixels and on their gradients; noise on the latents keeps them smooth and of unit scale."
    with torch.autocast("cpu", torch.bfloat16):
        z = vae.encode(x).latents
        y = vae.decode(z + 0.05 * torch.randn_like(z)).sample
    y, z = y.float(), z.float()
    edges = sum((y.diff(dim=d) - x.diff(dim=d)).abs().mean() for d in (2, 3))
    scale = (z.mean((0, 2, 3)).square() + (z.var((0, 2, 3)) - 1).square()).mean()
    return (y - x).square().mean() * 4 + (y - x).abs().mean() + edges + 0.02 * scale


def train_vae(work: Path, minutes: float) -> None:
    "Train for so many minutes; writes vae.pt and a sheet, vae.png."
    pictures, rng, vae = drawings(work), np.random.default_rng(time_seeded()), new_vae()
    if (work / "vae.pt").exists():
        vae.load_state_dict(load(work / "vae.pt")["ema"])
    vae = vae.to(memory_format=torch.channels_last).train()
    ema, test = copy.deepcopy(vae), unseen(128)
    optimiser = torch.optim.AdamW(vae.parameters(), 1e-3, (0.9, 0.95), weight_decay=1e-4)
    clock = Clock(optimiser, minutes, 1.5e-3)
    while clock.tick():
        x = recolour(batch_of(pictures, rng.integers(len(pictures), size=BATCH)), rng)
        loss = loss_of(vae, x.contiguous(memory_format=torch.channels_last))
        update(optimiser, loss, vae)
        average(ema, vae, min(0.995, clock.step / (clock.step + 10)))
        if clock.step % 200 == 0:
            facts = {"views": clock.step * BATCH, "seconds": clock.elapsed(), "loss": round(loss.item(), 4)}
            log(work, stage="vae", step=clock.step, **facts)
        if clock.due(3):
            save(work / "vae.pt", ema=ema.state_dict())
    save(work / "vae.pt", ema=ema.state_dict())
    log(work, stage="vae", step=clock.step, held_out_psnr=round(psnr(ema, test), 2))
    decoded = ema.decode(ema.encode(test[:24]).latents).sample.clamp(-1, 1).detach()
    to_sheet(torch.cat([test[:24], decoded]), 12).save(work / "vae.png")
