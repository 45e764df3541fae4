"Drawings as arrays and tensors: the training set, what no training saw, and how both are softened."

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from artmint.core.picture import contact_sheet
from artmint.train.drawings import Subject, draw, held_out_subjects, subjects

SIZE = 128
UNSEEN = 10**7  # the first seed of the drawings that are held out


def drawn(seed: int) -> np.ndarray:
    "The drawing of a seed: its subject is drawn by the seed as well."
    return np.asarray(draw(subject_of(seed), seed, SIZE))


def subject_of(seed: int, seen: bool = True) -> Subject:
    "A subject for a seed: of the pairs that training sees, or of those held out."
    choice = [subject for subject in subjects() if held_out_subjects(subject) != seen]
    return choice[np.random.default_rng((seed, 1)).integers(len(choice))]


def make_drawings(work: Path, count: int) -> None:
    "Draw the training set with all cores into one memory-mapped array (count, 128, 128, 3) of uint8."
    path = work / "drawings.tmp.npy"
    pictures = np.lib.format.open_memmap(path, "w+", np.uint8, (count, SIZE, SIZE, 3))
    with ProcessPoolExecutor() as pool:
        for number, picture in enumerate(pool.map(drawn, range(count), chunksize=256)):
            pictures[number] = picture
    pictures.flush()
    path.rename(work / "drawings.npy")


def drawings(work: Path) -> np.ndarray:
    "The training set, (n, 128, 128, 3) of uint8, left on disk."
    return np.load(work / "drawings.npy", mmap_mode="r")


def batch_of(pictures: np.ndarray, index: np.ndarray) -> torch.Tensor:
    "Pictures as a channels-last float tensor in [-1, 1]."
    return torch.from_numpy(pictures[index]).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def as_tensor(images: list[Image.Image]) -> torch.Tensor:
    "Pictures of one size as (n, 3, height, width) in [-1, 1]."
    pixels = torch.stack([torch.from_numpy(np.array(image)) for image in images])
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1


def unseen_subjects(count: int) -> list[Subject]:
    "What `unseen` shows: every other one is of the held-out pairs of motif and palette."
    return [subject_of(seed, seen=seed % 2 == 0) for seed in range(UNSEEN, UNSEEN + count)]


def unseen(count: int) -> torch.Tensor:
    "Drawings that no training saw: other seeds, and the held-out pairs."
    seeds = range(UNSEEN, UNSEEN + count)
    return as_tensor([draw(subject, seed, SIZE) for subject, seed in zip(unseen_subjects(count), seeds)])


def jitter(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    "A little softness, noise and shift, so that a generated picture is read as a drawing is."
    if rng.random() < 0.5:
        factor = float(rng.uniform(0.4, 0.9))
        small = F.interpolate(x, scale_factor=factor, mode="bilinear", antialias=True)
        x = F.interpolate(small, SIZE, mode="bilinear")
    noisy = x + torch.randn_like(x) * rng.uniform(0, 0.08)
    return noisy.roll(tuple(rng.integers(-3, 4, 2).tolist()), (2, 3))


def to_sheet(x: torch.Tensor, columns: int) -> Image.Image:
    "A contact sheet of pictures in [-1, 1]."
    pixels = ((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return contact_sheet([Image.fromarray(picture) for picture in pixels], columns)
