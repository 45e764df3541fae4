"""The probe: a classifier of motif and palette, trained on drawings alone.

It knows neither judge nor base: it is the independent witness of what a picture shows. Other than they, it
is taught every pair of motif and palette, on drawings of its own: a witness who never saw mandalas in
desert colours takes them for something else (0.86 of such drawings were named rightly by a probe that was
taught as the base is).
"""

import itertools
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from loop import Clock, load, log, save
from pictures import SIZE, batch_of, drawings, jitter, subject_of, unseen, unseen_subjects

from artmint.train.drawings import MOTIFS, PALETTES, Subject, draw, held_out_subjects, subjects

HUES = tuple(PALETTES)
ANSWERS = (len(MOTIFS), len(HUES))
OWN = 2 * 10**7  # the first seed of its own drawings
BATCH = 96


def new_probe() -> torch.nn.Module:
    "A plain convolutional network: five halvings, then one output for every motif and every palette."
    widths = (3, 16, 32, 64, 96, 128)
    blocks = itertools.chain(*map(block, widths, widths[1:]))
    end = (torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(128, sum(ANSWERS)))
    return torch.nn.Sequential(*blocks, *end)


def block(before: int, after: int) -> list[torch.nn.Module]:
    "Two convolutions, the first of which halves the sides."
    return [*convolution(before, after, 2), *convolution(after, after, 1)]


def convolution(before: int, after: int, stride: int) -> list[torch.nn.Module]:
    "A convolution of 3 x 3, normalised."
    layer = torch.nn.Conv2d(before, after, 3, stride, 1, bias=False)
    return [layer, torch.nn.BatchNorm2d(after), torch.nn.ReLU()]


def load_probe(work: Path) -> torch.nn.Module:
    "The trained probe, for use."
    probe = new_probe()
    probe.load_state_dict(load(work / "probe.pt")["probe"])
    return probe.eval()


def truth(shown: list[Subject]) -> torch.Tensor:
    "Numbers of motif and palette, (n, 2)."
    return torch.tensor([(MOTIFS.index(s.motif), HUES.index(s.palette)) for s in shown])


def read(probe: torch.nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    "What the probe sees: numbers of motif and palette, (n, 2)."
    with torch.no_grad():
        logits = torch.cat([probe(part) for part in pictures.split(64)])
    return torch.stack([part.argmax(1) for part in logits.split(ANSWERS, 1)], 1)


def right(probe: torch.nn.Module, pictures: torch.Tensor, shown: torch.Tensor) -> dict[str, float]:
    "Share of pictures whose motif, and whose palette, the probe sees."
    shares = (read(probe, pictures) == shown).float().mean(0)
    return {name: round(float(share), 4) for name, share in zip(("motif", "palette"), shares)}


def training_set(work: Path) -> tuple[np.ndarray, torch.Tensor]:
    """Drawings, and what they show.

    Those of the base's training and, at the same rate for every pair, drawings of the pairs held out from it.
    """
    seen = drawings(work)
    share = sum(map(held_out_subjects, subjects())) / len(subjects())
    seeds = range(OWN, OWN + int(len(seen) * share / (1 - share)))
    with ProcessPoolExecutor() as pool:
        new = np.stack(list(pool.map(new_pair, seeds, chunksize=64)))
    shown = [subject_of(seed) for seed in range(len(seen))]
    shown += [subject_of(seed, seen=False) for seed in seeds]
    return np.concatenate([seen, new]), truth(shown)


def new_pair(seed: int) -> np.ndarray:
    "A drawing of one of the pairs that the base never sees."
    return np.asarray(draw(subject_of(seed, seen=False), seed, SIZE))


def train_probe(work: Path, minutes: float) -> None:
    "Drawings with a little softness, noise and shift; cross-entropy on both answers. Writes probe.pt."
    pictures, shown = training_set(work)
    rng, probe = np.random.default_rng(11), new_probe().to(memory_format=torch.channels_last)
    if (work / "probe.pt").exists():
        probe.load_state_dict(load(work / "probe.pt")["probe"])
    optimiser = torch.optim.AdamW(probe.parameters(), 2e-3, weight_decay=0.02)
    clock = Clock(optimiser, minutes, 2e-3)
    probe.train().compile()
    while clock.tick():
        index = rng.integers(len(pictures), size=BATCH)
        x = jitter(batch_of(pictures, index), rng).contiguous(memory_format=torch.channels_last)
        motif, palette = probe(x).split(ANSWERS, 1)
        loss = F.cross_entropy(motif, shown[index, 0]) + F.cross_entropy(palette, shown[index, 1])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if clock.step % 100 == 0:
            log(work, stage="probe", step=clock.step, loss=round(loss.item(), 4))
    save(work / "probe.pt", probe=probe.state_dict())
    held_out_shares = right(probe.eval(), unseen(512), truth(unseen_subjects(512)))
    log(work, stage="probe", step=clock.step, held_out=held_out_shares)
