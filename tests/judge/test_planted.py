"Faults planted on purpose: each is found by the score that was made for it, and what is sound is left alone."

import io
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image, ImageFilter

from artmint.train.drawings import GROUNDS, PALETTES, Subject, draw, subjects
from artmint.judge.duplicates import DctEncoder, pairs
from artmint.judge.heads import fit_probe, predict_proba, read_head
from artmint.judge.pixels import contrast, sharpness
from artmint.judge.pixels import palette_margin

FAULTS = ("none", "palette", "motif", "copy", "blank", "blur")


@dataclass
class Planted:
    "A picture, what it claims to show, and what is wrong with it."

    image: Image.Image
    claim: Subject
    fault: str
    original: int = -1  # of a copy


def damaged(image: Image.Image, i: int) -> Image.Image:
    "In one of the other seven positions, and as a copy comes back: scaled, softened, as JPEG."
    copy = image.transpose(list(Image.Transpose)[i % 7])
    kept = io.BytesIO()
    if i % 4 == 0:
        return copy
    if i % 4 == 1:
        return copy.filter(ImageFilter.GaussianBlur(1))
    if i % 4 == 2:
        return copy.resize((96, 96), Image.Resampling.LANCZOS)
    copy.save(kept, "JPEG", quality=85)
    return Image.open(kept).convert("RGB")


def other(values, known, rng):
    "Another value."
    return rng.choice([value for value in values if value != known])


def planted(count: int, seed: int, made: list[tuple[Subject, Image.Image]] = []) -> list[Planted]:
    "Pictures with faults in four of ten; `made` are sound ones that come first."
    rng = np.random.default_rng(seed)
    found = [Planted(image, claim, "none") for claim, image in made]
    while len(found) < count:
        i = len(found)
        claim = subjects()[rng.integers(576)]
        fault = rng.choice(FAULTS, p=(0.6, 0.08, 0.08, 0.08, 0.08, 0.08)) if i > 20 else "none"
        image = draw(claim, seed * 100_000 + i)
        original = -1
        if fault == "palette":
            image = draw(
                Subject(**vars(claim) | {"palette": other(PALETTES, claim.palette, rng)}), seed * 100_000 + i
            )
        if fault == "motif":
            claim = Subject(
                **vars(claim)
                | {
                    "motif": other(
                        ("mountains", "waves", "rings", "nebula", "mandala", "truchet"), claim.motif, rng
                    )
                }
            )
        if fault == "blank":
            ground = np.array(Image.new("RGB", (128, 128), GROUNDS[claim.ground]))
            noisy = ground + rng.normal(0, 2, (128, 128, 3))
            image = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
        if fault == "blur":
            image = image.filter(ImageFilter.GaussianBlur(5))
        if fault == "copy":
            original = int(rng.choice([j for j, each in enumerate(found) if each.fault == "none"]))
            image = damaged(found[original].image, i)
            claim = found[original].claim
        found.append(Planted(image, claim, str(fault), original))
    return found


def recall_and_precision(flagged: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    return (flagged & true).sum() / true.sum(), (flagged & true).sum() / max(flagged.sum(), 1)


def margin(each: Planted) -> float:
    "The palette margin under the claim."
    grounds = (GROUNDS[each.claim.ground],)
    others = [colours + grounds for name, colours in PALETTES.items() if name != each.claim.palette]
    return palette_margin(each.image, PALETTES[each.claim.palette] + grounds, others)


def held(found: list[Planted], judge) -> dict[str, tuple[float, float]]:
    "Check every kind of fault, and give the figures."
    faults = np.array([each.fault for each in found])
    figures = {}
    blank = np.array([contrast(each.image) for each in found]) < 2
    figures["blank"] = recall_and_precision(blank, faults == "blank")
    figures["palette"] = recall_and_precision(
        np.array([margin(each) for each in found])[~blank] < -1, (faults == "palette")[~blank]
    )
    figures["blur"] = recall_and_precision(
        np.array([sharpness(each.image) for each in found])[~blank] < 0.075, (faults == "blur")[~blank]
    )
    there = np.flatnonzero(~blank)
    prints = DctEncoder().encode_images([found[i].image for i in there])
    twins = {(int(there[i]), int(there[j])) for i, j, _ in pairs(prints)}
    group = [each.original if each.original >= 0 else i for i, each in enumerate(found)]
    true = {(i, j) for i in there for j in there if i < j and group[i] == group[j]}
    figures["copy"] = (len(twins & true) / len(true), len(twins & true) / max(len(twins), 1))
    assert twins == true, figures
    assert min(figures["blank"] + figures["palette"]) >= 0.95, figures
    return figures


def probed(found: list[Planted], judge, taught: int) -> tuple[float, float]:
    "A probe's accuracy as its file states it, and on planted motifs: how often it is right about the claim."
    rng = np.random.default_rng(9)
    sound = [each for each in found if each.fault in ("none", "motif")]
    known = [subjects()[i] for i in rng.integers(576, size=taught)]
    data = fit_probe(
        judge,
        "motif",
        [draw(each, 7_000_000 + i) for i, each in enumerate(known)],
        [each.motif for each in known],
    )
    facts, tensors = read_head("motif", data, "probe", judge)
    seen = [
        facts["values"][int(predict_proba(row, tensors["theta"]).argmax())]
        for row in judge.encode_images([each.image for each in sound])
    ]
    right = []
    for value, each in zip(seen, sound, strict=True):
        right.append((value == each.claim.motif) == (each.fault == "none"))
    return facts["accuracy"], float(np.mean(right))


@pytest.mark.slow
def test_planted_faults_are_found(judge):
    figures = held(planted(300, 5), judge)
    assert min(figures["blur"]) >= 0.85, figures


@pytest.mark.slow
def test_planted_faults_are_found_among_two_thousand_drawn_and_generated(judge):
    from artmint.make.base import load_base
    from artmint.make.render import render
    from artmint.core.records import Recipe

    base = load_base()
    wanted = [subjects()[i] for i in np.random.default_rng(2).choice(576, 48, replace=False)]
    recipes = [
        Recipe(
            base=base.digest,
            prompt="{density} {motif} in {palette} colours on {ground}, {placement}".format(**vars(each)),
            seed=i,
            steps=12,
            guidance=3.0,
            width=96,
            height=96,
            profile="fast",
        )
        for i, each in enumerate(wanted)
    ]
    generated = render(base, recipes)
    twins = pairs(
        DctEncoder().encode_images(generated + [damaged(image, i) for i, image in enumerate(generated)])
    )
    assert [(i, j) for i, j, _ in twins] == [(i, i + 48) for i in range(48)]
    found = planted(1904, 6)
    figures = held(found, judge)
    stated, measured = probed(found, judge, 1200)
    fair = (300 * stated + 1) / 302  # the rule of succession: 300 right of 300 is no proof of perfection
    error = 2.5 * np.sqrt(
        fair * (1 - fair) * (1 / 300 + 1 / sum(each.fault in ("none", "motif") for each in found))
    )
    print(figures, f"motif probe: stated {stated}, measured {measured:.3f}")
    assert measured >= stated - error
