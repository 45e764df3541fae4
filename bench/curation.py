"""Scoring a batch with the demo's rules, catalog and files included.

Against the scorers alone on pictures at hand, and against one picture at a time.
"""

import dataclasses
import tempfile
from collections.abc import Iterator

from PIL import Image

from artmint.core.collection import Collection
from artmint.core.picture import pixel_digest, png_bytes
from artmint.core.records import Artifact, Candidate, Recipe, Slot
from artmint.judge.heads import scorers_for
from artmint.judge.scores import Scorer, _embed_texts, picture, score
from artmint.make.base import Judge, load_judge
from artmint.seeds import prompt_of
from artmint.studio.catalog import Catalog
from artmint.train.drawings import Subject, draw, subjects

from .measure import ratio, row, seconds
from .samples import demo

COUNT = 144
FEW = COUNT // 8  # how many are judged one at a time


class Batch:
    "Drawings in a catalog as candidates, and the ways to score them."

    def __init__(self, collection: Collection, judge: Judge):
        self.collection, self.judge = collection, judge
        self.unpadded_judge = dataclasses.replace(judge, batch=1)
        self.catalog = Catalog(tempfile.mkdtemp())
        shown = [subject for subject in subjects() if subject.palette in collection.traits["palette"]]
        chosen = [shown[number * 7 % len(shown)] for number in range(COUNT)]
        self.candidates = [self.candidate(number, subject) for number, subject in enumerate(chosen)]
        self.images = [self.picture(candidate) for candidate in self.candidates]
        self.scorers: dict[str, Scorer] = scorers_for(collection, judge)

    def candidate(self, number: int, subject: Subject) -> Candidate:
        "A drawing, kept as if it had been generated."
        slot, image = Slot(id=number + 1, traits=vars(subject)), draw(subject, number)
        prompt = prompt_of(self.collection, slot)
        recipe = Recipe(base="0" * 64, prompt=prompt, seed=number, width=128, height=128)
        artifact = Artifact(
            dna=recipe.dna,
            recipe=recipe.facts(),
            pixel_digest=pixel_digest(image),
            file_digest=self.catalog.put_blob(png_bytes(image, recipe, "drawn")),
            environment={},
        )
        return Candidate(slot, 1, artifact)

    def picture(self, candidate: Candidate) -> Image.Image:
        "A candidate's picture, from its file."
        return picture(self.catalog, candidate.artifact)

    def fresh(self) -> Catalog:
        "A catalog without scores over the same files."
        catalog = Catalog(tempfile.mkdtemp())
        (catalog.folder / "blobs").symlink_to(self.catalog.folder / "blobs")
        return catalog

    def ours(self) -> None:
        "All at once, with catalog and files."
        _embed_texts.cache_clear()
        score(self.fresh(), self.judge, self.candidates, self.scorers)

    def bare(self) -> None:
        "The scorers alone, on pictures at hand."
        _embed_texts.cache_clear()
        embeddings = self.judge.encode_images(self.images)
        for scorer in self.scorers.values():
            scorer.measure(self.candidates, self.images, embeddings)

    def one_by_one(self) -> None:
        "A few, each asked for alone."
        catalog = self.fresh()
        for candidate in self.candidates[:FEW]:
            _embed_texts.cache_clear()
            score(catalog, self.judge, [candidate], self.scorers)

    def unpadded(self) -> None:
        "A few, in forwards of one picture, which promise no equal bits."
        scorers = scorers_for(self.collection, self.unpadded_judge).values()
        for candidate in self.candidates[:FEW]:
            image = self.picture(candidate)
            embedding = self.unpadded_judge.encode_images([image])
            for scorer in scorers:
                scorer.measure([candidate], [image], embedding)


def measure(rounds: int) -> Iterator[dict]:
    "curate_vs_judge_forward, curate_vs_naive."
    batch = Batch(demo(), load_judge())
    batch.ours()  # warms up
    batch.bare()
    our_time, bare_time, _ = ratio(batch.ours, batch.bare, rounds)
    names = ", ".join(batch.scorers)
    how = f"{COUNT} drawings of 128 px, {names}; ours {COUNT / our_time:.1f} pictures/s, median of {rounds}"
    against = f"the scorers' bare times: {COUNT / bare_time:.1f} pictures/s"
    yield row("curate_vs_judge_forward", round(bare_time / our_time, 3), "share", against, ">= 0.8", how)
    alone, unpadded = seconds(batch.one_by_one) / FEW, seconds(batch.unpadded) / FEW
    padding = f"forwards without padding, which promise no equal bits: {1 / unpadded:.1f}"
    against = f"the same scores asked for one picture at a time: {1 / alone:.1f} pictures/s ({padding})"
    yield row("curate_vs_naive", round(alone / (our_time / COUNT), 3), "times", against, ">= 3", how)
