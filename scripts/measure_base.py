"""Measure the bundled base and judge on prompts and pairs that training never saw.

    python scripts/measure_base.py probe   --minutes 6    # a classifier of motif and palette, trained on drawings alone
    python scripts/measure_base.py measure

The probe knows neither judge nor base: it is the independent witness of what a picture shows. Other than they, it is taught every
pair of motif and palette, on drawings of its own: a witness who never saw mandalas in desert colours takes them for something else
(0.86 of such drawings were named rightly by a probe that was taught as the base is).
"""

import argparse
import itertools
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from train_base import SIZE, Clock, accuracy, batch_of, jitter, log, psnr, save, subject_of, tokenizer, unseen

from artmint.train.drawings import MOTIFS, PALETTES, Subject, caption, draw, held_out_subjects, subjects

HUES = tuple(PALETTES)


def new_probe() -> torch.nn.Module:
    "A plain convolutional network: six halvings, then one output for every motif and every palette."

    def block(i: int, o: int) -> list[torch.nn.Module]:
        return [
            torch.nn.Conv2d(i, o, 3, 2, 1, bias=False),
            torch.nn.BatchNorm2d(o),
            torch.nn.ReLU(),
            torch.nn.Conv2d(o, o, 3, 1, 1, bias=False),
            torch.nn.BatchNorm2d(o),
            torch.nn.ReLU(),
        ]

    widths = (3, 16, 32, 64, 96, 128)
    return torch.nn.Sequential(
        *itertools.chain(*map(block, widths, widths[1:])),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(128, len(MOTIFS) + len(HUES)),
    )


def truth(shown: list[Subject]) -> torch.Tensor:
    "Numbers of motif and palette, (n, 2)."
    return torch.tensor([(MOTIFS.index(s.motif), HUES.index(s.palette)) for s in shown])


def read(probe: torch.nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    "What the probe sees: numbers of motif and palette, (n, 2)."
    with torch.no_grad():
        found = torch.cat([probe(x) for x in pictures.split(64)])
    return torch.stack([part.argmax(1) for part in found.split((len(MOTIFS), len(HUES)), 1)], 1)


def taught(work: Path) -> tuple[np.ndarray, torch.Tensor]:
    "The drawings of the base's training and, at the same rate for every pair, drawings of the pairs held out from it; with what they show."
    known = np.load(work / "drawings.npy", mmap_mode="r")
    share = sum(map(held_out_subjects, subjects())) / len(subjects())
    seeds = range(2 * 10**7, 2 * 10**7 + int(len(known) * share / (1 - share)))
    with ProcessPoolExecutor() as pool:
        new = np.stack(list(pool.map(new_pair, seeds, chunksize=64)))
    return np.concatenate([known, new]), truth(
        [subject_of(i) for i in range(len(known))] + [subject_of(i, seen=False) for i in seeds]
    )


def new_pair(seed: int) -> np.ndarray:
    "A drawing of one of the pairs that the base never sees."
    return np.asarray(draw(subject_of(seed, seen=False), seed, SIZE))


def train_probe(work: Path, minutes: float) -> None:
    "Drawings with a little softness, noise and shift; cross-entropy on both answers."
    pictures, shown = taught(work)
    rng = np.random.default_rng(11)
    probe = new_probe().to(memory_format=torch.channels_last)
    if (work / "probe.pt").exists():
        probe.load_state_dict(torch.load(work / "probe.pt", weights_only=True)["probe"])
    optimiser = torch.optim.AdamW(probe.parameters(), 2e-3, weight_decay=0.02)
    clock = Clock(optimiser, minutes, 2e-3)
    probe.train().compile()
    while clock.tick():
        index = rng.integers(len(pictures), size=96)
        motif, palette = probe(
            jitter(batch_of(pictures, index), rng).contiguous(memory_format=torch.channels_last)
        ).split((len(MOTIFS), len(HUES)), 1)
        loss = F.cross_entropy(motif, shown[index, 0]) + F.cross_entropy(palette, shown[index, 1])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if clock.step % 100 == 0:
            log(work, stage="probe", step=clock.step, loss=round(loss.item(), 4))
    save(work / "probe.pt", probe=probe.state_dict())
    log(
        work,
        stage="probe",
        step=clock.step,
        held_out=right(
            probe.eval(),
            unseen(512),
            truth([subject_of(s, seen=s % 2 == 0) for s in range(10**7, 10**7 + 512)]),
        ),
    )


def right(probe: torch.nn.Module, pictures: torch.Tensor, shown: torch.Tensor) -> dict[str, float]:
    "Share of pictures whose motif, and whose palette, the probe sees."
    return {
        name: round(float(share), 4)
        for name, share in zip(("motif", "palette"), (read(probe, pictures) == shown).float().mean(0))
    }


def prompts(count: int) -> list[Subject]:
    "Subjects to paint: half of them pairs that no training saw."
    rng = np.random.default_rng(3)
    new = [s for s in subjects() if held_out_subjects(s)]
    known = [s for s in subjects() if not held_out_subjects(s)]
    return [(new, known)[i % 2][rng.integers(len((new, known)[i % 2]))] for i in range(count)]


def spread(pictures: torch.Tensor, group: int) -> float:
    "Mean distance of two pictures of one prompt: root mean square over a 16 x 16 reduction, in grey levels."
    small = F.avg_pool2d(pictures, SIZE // 16).flatten(1).view(-1, group, 3 * 256) * 127.5
    apart = torch.cdist(small, small) / (3 * 256) ** 0.5
    return float(apart.sum() / (len(small) * group * (group - 1)))


def painted(subject: list[Subject], seeds: list[int], steps: int, guidance: float) -> torch.Tensor:
    "What the bundled base paints, in [-1, 1]."
    from artmint.make.base import load_base
    from artmint.make.render import render
    from artmint.core.records import Recipe

    base = load_base()
    asked = [
        Recipe(
            base=base.digest,
            prompt=caption(s, seed),
            seed=seed,
            steps=steps,
            guidance=guidance,
            width=SIZE,
            height=SIZE,
            profile="fast",
        )
        for s, seed in zip(subject, seeds)
    ]
    return (
        torch.from_numpy(np.stack([np.asarray(image) for image in render(base, asked)]))
        .permute(0, 3, 1, 2)
        .float()
        / 127.5
        - 1
    )


def measure(work: Path, into: Path, steps: int, guidance: float, count: int) -> None:
    "Everything that the model card says, into one file."
    from artmint.make.base import load_base, load_judge

    probe = new_probe()
    base = load_base()
    judge = load_judge()
    probe.load_state_dict(torch.load(work / "probe.pt", weights_only=True)["probe"])
    asked = prompts(count)
    test = unseen(512)
    shown = truth(asked)
    real = [subject_of(s, seen=s % 2 == 0) for s in range(10**7, 10**7 + 512)]
    made = painted(asked, list(range(count)), steps, guidance)
    group = 8
    few = [s for s in asked[: count // group] for _ in range(group)]
    drawn = (
        torch.stack([torch.from_numpy(np.array(draw(s, 5000 + i, SIZE))) for i, s in enumerate(few)])
        .permute(0, 3, 1, 2)
        .float()
        / 127.5
        - 1
    )
    again = painted(few, [900 + i for i in range(len(few))], steps, guidance)
    facts = {
        "base": base.digest,
        "judge": judge.digest,
        "steps": steps,
        "guidance": guidance,
        "prompts": count,
        "probe on unseen drawings": right(probe.eval(), test, truth(real)),
        "generated, pairs held out of training": right(probe, made[::2], shown[::2]),
        "generated, known pairs": right(probe, made[1::2], shown[1::2]),
        "generated": right(probe, made, shown),
        "generated, by motif": {
            m: round(float((read(probe, made)[shown[:, 0] == i, 0] == i).float().mean()), 3)
            for i, m in enumerate(MOTIFS)
        },
        "spread of seeds against drawings": round(spread(again, group) / spread(drawn, group), 3),
        "VAE, dB on unseen drawings": round(psnr(base.pipeline.vae, test), 2),
        "judge, zero-shot on unseen drawings": accuracy(judge.model.float(), tokenizer(work), test, real),
    }
    print(json.dumps(facts, indent=2))
    into.write_text(json.dumps(facts, indent=2) + "\n")


def main() -> None:
    "One stage per call."
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("stage", choices=["probe", "measure"])
    options.add_argument(
        "--work", type=Path, default=Path("studio/train"), help="where train_base.py keeps its drawings"
    )
    options.add_argument("--minutes", type=float, default=6)
    options.add_argument("--steps", type=int, default=16)
    options.add_argument("--guidance", type=float, default=3.0)
    options.add_argument("--count", type=int, default=320, help="pictures to paint")
    options.add_argument("--into", type=Path, default=Path("artmint/data/measured.json"))
    given = options.parse_args()
    if given.stage == "probe":
        train_probe(given.work, given.minutes)
    else:
        measure(given.work, given.into, given.steps, given.guidance, given.count)


if __name__ == "__main__":
    main()
