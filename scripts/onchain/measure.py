"""Measure the network on chain against its teacher, and draw the sheet of 64 beside the teacher's.

    python scripts/onchain/measure.py --sheet docs/onchain.png

Both are told the same subjects and the same dice, none of which were drawn for training. The probe is a multinomial
regression on where layers lie, fitted on the teacher's drawings alone.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from artmint.onchain.model import bundled_model, drawn_layers, drawn_pixels, recipe_bytes
from artmint.onchain.network import mix

sys.path.insert(0, str(Path(__file__).parent))
from teacher import DENSITIES, MOTIFS, PLACEMENTS, layers  # noqa: E402

MODEL = bundled_model()
SIDE = 128


def thrown(rng: np.random.Generator) -> tuple[dict[str, str], int]:
    "Traits and a seed."
    traits = {trait.name: str(rng.choice(trait.values)) for trait in MODEL.words.traits}
    return traits, int(rng.integers(2**32))


def taught(traits: dict[str, str], seed: int) -> np.ndarray:
    "What the teacher draws for a recipe, mirrored and turned as the network's picture is."
    numbers = [byte for count in range(8) for byte in mix(seed, count).to_bytes(4, "big")]
    dice = mix(seed, 8)
    what = (
        MOTIFS.index(traits["motif"]),
        DENSITIES.index(traits["density"]),
        PLACEMENTS.index(traits["placement"]),
        dice & 3,
    )
    seen = layers(what, np.array(numbers), SIDE)
    seen = seen[:, ::-1] if dice >> 2 & 1 else seen
    return seen[::-1] if dice >> 3 & 1 and traits["motif"] not in ("mountains", "waves") else seen


def painted(seen: np.ndarray, traits: dict[str, str], seed: int) -> np.ndarray:
    "Layers in a recipe's colours."
    words, dice = MODEL.words, mix(seed, 8)
    values = {trait.name: trait.values.index(traits[trait.name]) for trait in words.traits}
    palette, step = words.palettes[values["palette"]], 4 if dice >> 4 & 1 else 1
    colours = [words.grounds[values["ground"]]]
    colours += [palette[((dice >> 8) + step * layer) % 5] for layer in range(1, 9)]
    table = np.array([list(bytes.fromhex(colour[1:])) for colour in colours], np.uint8)
    return table[seen]


def shares(seen: np.ndarray) -> np.ndarray:
    "How much of each of 8 x 8 fields each layer covers, and where edges are: what a probe sees."
    edges = np.zeros(seen.shape, bool)
    edges[:, 1:] = seen[:, 1:] != seen[:, :-1]
    kinds = [seen == layer for layer in range(9)] + [edges]
    blocks = np.stack(kinds).reshape(10, 8, SIDE // 8, 8, SIDE // 8)
    return blocks.mean((2, 4)).ravel()


class Probe:
    "Multinomial regression with a little weight decay."

    def __init__(self, seen: np.ndarray, labels: np.ndarray):
        self.names = sorted(set(labels))
        wanted = torch.tensor([self.names.index(label) for label in labels])
        inputs = torch.from_numpy(seen).float()
        self.weights = torch.zeros(inputs.shape[1] + 1, len(self.names), requires_grad=True)
        optimiser = torch.optim.LBFGS([self.weights], max_iter=200, line_search_fn="strong_wolfe")

        def loss() -> torch.Tensor:
            optimiser.zero_grad()
            surprise = torch.nn.functional.cross_entropy(self.scores(inputs), wanted)
            total = surprise + 1e-4 * self.weights.square().sum()
            total.backward()
            return total

        optimiser.step(loss)

    def scores(self, inputs: torch.Tensor) -> torch.Tensor:
        "How much speaks for each name."
        return inputs @ self.weights[:-1] + self.weights[-1]

    def score(self, seen: np.ndarray, labels: np.ndarray) -> float:
        "The share that is recognised."
        with torch.no_grad():
            best = self.scores(torch.from_numpy(seen).float()).argmax(1)
        return float(np.mean([self.names[i] == label for i, label in zip(best.tolist(), labels)]))


def spread(pictures: list[np.ndarray], subjects: list[tuple]) -> float:
    "How many pixels differ between two pictures of one subject, on average."
    differing = []
    for subject in set(subjects):
        same = [picture for picture, one in zip(pictures, subjects) if one == subject]
        differing += [(a != b).mean() for a, b in zip(same, same[1:])]
    return float(np.mean(differing))


def figures(count: int) -> dict[str, float]:
    "Probe, agreement and diversity over so many recipes."
    rng = np.random.default_rng(99)
    asked = [thrown(rng) for _ in range(3 * count)]
    teachers = [taught(*one) for one in asked]
    ours = [drawn_layers(MODEL, recipe_bytes(MODEL, *one)) for one in asked[-count:]]
    found = {"recipes": count}
    seen = np.stack([shares(one) for one in teachers])
    own = np.stack([shares(one) for one in ours])
    for trait in ("motif", "density", "placement"):
        labels = np.array([traits[trait] for traits, _ in asked])
        probe = Probe(seen[:-count], labels[:-count])
        found[f"probe {trait}, teacher"] = round(probe.score(seen[-count:], labels[-count:]), 3)
        found[f"probe {trait}, network"] = round(probe.score(own, labels[-count:]), 3)
    equal = {motif: [] for motif in MOTIFS}
    for (traits, _), mine, theirs in zip(asked[-count:], ours, teachers[-count:]):
        equal[traits["motif"]].append((mine == theirs).mean())
    found |= {f"equal pixels, {motif}": round(float(np.mean(values)), 3) for motif, values in equal.items()}
    subjects = [(traits["motif"], traits["density"], traits["placement"]) for traits, _ in asked[-count:]]
    found["pixels that differ within a subject, teacher"] = round(spread(teachers[-count:], subjects), 3)
    found["pixels that differ within a subject, network"] = round(spread(ours, subjects), 3)
    return found


def sheet(path: Path) -> None:
    "Sixty-four pictures of the network's on the left, the teacher's for the same recipes on the right."
    rng = np.random.default_rng(64)
    asked = [thrown(rng) for _ in range(64)]
    ours = [drawn_pixels(MODEL, recipe_bytes(MODEL, *one)) for one in asked]
    theirs = [painted(taught(*one), *one) for one in asked]
    page = np.full((8 * (SIDE + 4) + 4, 16 * (SIDE + 4) + 44, 3), 255, np.uint8)
    for half, pictures in enumerate((ours, theirs)):
        for i, picture in enumerate(pictures):
            top, left = 4 + i // 8 * (SIDE + 4), 4 + i % 8 * (SIDE + 4) + half * (8 * (SIDE + 4) + 40)
            page[top : top + SIDE, left : left + SIDE] = picture
    Image.fromarray(page).quantize(64).save(path, optimize=True)


def main() -> None:
    "Measure, and draw."
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--sheet", type=Path)
    options.add_argument("--count", type=int, default=600)
    given = options.parse_args()
    if given.sheet:
        sheet(given.sheet)
    print(json.dumps(figures(given.count), indent=1))


if __name__ == "__main__":
    main()
