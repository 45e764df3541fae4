"The figures of the model card: the bundled base and judge on prompts and pairs that training never saw."

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from edges import edge_width
from judge import accuracy
from pictures import SIZE, as_tensor, unseen, unseen_subjects
from probe import load_probe, read, right, truth
from vae import psnr
from words import tokenizer

from artmint.core.collection import example
from artmint.core.records import Recipe
from artmint.make.base import Base, load_base, load_judge
from artmint.make.render import render
from artmint.seeds import load_collection
from artmint.train.drawings import MOTIFS, Subject, caption, draw, held_out_subjects, subjects

GROUP = 8  # pictures of one prompt, where the spread of seeds is measured


def prompts(count: int) -> list[Subject]:
    "Subjects to paint: half of them pairs that no training saw."
    rng = np.random.default_rng(3)
    new = [subject for subject in subjects() if held_out_subjects(subject)]
    seen = [subject for subject in subjects() if not held_out_subjects(subject)]
    chosen = []
    for number in range(count):
        pool = (new, seen)[number % 2]
        chosen.append(pool[rng.integers(len(pool))])
    return chosen


def spread(pictures: torch.Tensor) -> float:
    "Mean distance of two pictures of one prompt: root mean square over a 16 x 16 reduction, in grey levels."
    small = F.avg_pool2d(pictures, SIZE // 16).flatten(1).view(-1, GROUP, 3 * 256) * 127.5
    apart = torch.cdist(small, small) / (3 * 256) ** 0.5
    return float(apart.sum() / (len(small) * GROUP * (GROUP - 1)))


class Painter:
    "The bundled base with so many steps and so much guidance."

    def __init__(self, base: Base, steps: int, guidance: float):
        self.base, self.steps, self.guidance = base, steps, guidance

    def paint(self, shown: list[Subject], seeds: range) -> torch.Tensor:
        "Pictures of these subjects, in [-1, 1]."
        recipes = [self.recipe(subject, seed) for subject, seed in zip(shown, seeds)]
        return as_tensor(render(self.base, recipes))

    def recipe(self, subject: Subject, seed: int) -> Recipe:
        "A subject's caption, worded by the seed, as a picture."
        return Recipe(
            base=self.base.digest,
            prompt=caption(subject, seed),
            seed=seed,
            steps=self.steps,
            guidance=self.guidance,
            width=SIZE,
            height=SIZE,
            profile="fast",
        )


def spread_against_drawings(painter: Painter, shown: list[Subject]) -> float:
    "How far pictures of one prompt lie apart, as a share of how far drawings do."
    few = [subject for subject in shown[: len(shown) // GROUP] for _ in range(GROUP)]
    drawn = as_tensor([draw(subject, 5000 + number, SIZE) for number, subject in enumerate(few)])
    return spread(painter.paint(few, range(900, 900 + len(few)))) / spread(drawn)


def edge_widths(painter: Painter, shown: list[Subject]) -> dict[str, float]:
    "Of pictures that are finished as the demo's are, and of drawings in their size; in pixels."
    finish = load_collection(example()).generation.trace
    recipes = [painter.recipe(subject, seed) for seed, subject in enumerate(shown)]
    finished = render(painter.base, [recipe.model_copy(update={"trace": finish}) for recipe in recipes])
    side = finished[0].width
    drawn = [draw(subject, 5000 + number, side) for number, subject in enumerate(shown)]
    return {"pictures": round(edge_width(finished), 2), "drawings": round(edge_width(drawn), 2), "side": side}


def by_motif(probe: torch.nn.Module, pictures: torch.Tensor, shown: torch.Tensor) -> dict[str, float]:
    "Share of pictures whose motif the probe sees, for every motif."
    motifs = read(probe, pictures)[:, 0]
    shares = {}
    for number, motif in enumerate(MOTIFS):
        shares[motif] = round(float((motifs[shown[:, 0] == number] == number).float().mean()), 3)
    return shares


def probed(probe: torch.nn.Module, made: torch.Tensor, shown: torch.Tensor) -> dict[str, dict]:
    "What the probe sees in generated pictures, of which every other one shows a pair held out of training."
    facts = {"generated, pairs held out of training": right(probe, made[::2], shown[::2])}
    facts["generated, known pairs"] = right(probe, made[1::2], shown[1::2])
    facts["generated"] = right(probe, made, shown)
    facts["generated, by motif"] = by_motif(probe, made, shown)
    return facts


def measure_base(work: Path, into: Path, steps: int, guidance: float, count: int) -> None:
    "Everything that the model card says, into one file."
    probe, base, judge = load_probe(work), load_base(), load_judge()
    chosen, painter = prompts(count), Painter(base, steps, guidance)
    test, test_subjects = unseen(512), unseen_subjects(512)
    facts = {"base": base.digest, "judge": judge.digest, "steps": steps, "guidance": guidance}
    facts["prompts"] = count
    facts["probe on unseen drawings"] = right(probe, test, truth(test_subjects))
    facts |= probed(probe, painter.paint(chosen, range(count)), truth(chosen))
    facts["spread of seeds against drawings"] = round(spread_against_drawings(painter, chosen), 3)
    facts["edges of finished pictures, pixels wide"] = edge_widths(painter, chosen[:48])
    facts["VAE, dB on unseen drawings"] = round(psnr(base.pipeline.vae, test), 2)
    zero_shot = accuracy(judge.model.float(), tokenizer(work), test, test_subjects)
    facts["judge, zero-shot on unseen drawings"] = zero_shot
    print(json.dumps(facts, indent=2))
    into.write_text(json.dumps(facts, indent=2) + "\n")
