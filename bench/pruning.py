"""Compute for each accepted picture with seed pruning against without, under the same rules.

The pruner is learnt on some of the candidates, drawn by chance, and measured on the others.
"""

import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from artmint.core.collection import Collection, Rule
from artmint.core.records import Artifact, Candidate, Slot
from artmint.judge.decisions import decide
from artmint.judge.heads import scorers_for
from artmint.judge.prune import Pruner, fit_pruner, render_some
from artmint.make.base import load_base, load_judge
from artmint.make.render import render
from artmint.seeds import prompt_of
from artmint.studio.catalog import Catalog
from artmint.train.drawings import subjects

from .measure import row
from .samples import demo, recipe

LEARNT, MEASURED = 160, 112
STEPS, STEP = 25, 5
KEEP, CONFIDENCE = 0.9, 0.8
LIMIT = ">= 0.35"
# A brand of emblems: symmetric and full of contrast, which few of these are. The shares below the bounds.
LEAST = {"symmetry": 0.7, "contrast": 0.5}


def strict(collection: Collection) -> Collection:
    "The collection, with rules on symmetry and contrast whose bounds are set later."
    rules = [rule for rule in collection.rules if rule.scorer != "contrast"]
    added = [Rule(scorer=scorer, min=0.0, severity="reject") for scorer in LEAST]
    return collection.model_copy(update={"rules": (*rules, *added)})


def cpu_seconds(work: Callable[[], list]) -> tuple[float, list]:
    "Processor seconds of a call, and what it gives."
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


class Trial:
    "Candidates of the demo."

    def __init__(self):
        collection = demo()
        self.collection, self.base, self.judge = strict(collection), load_base(), load_judge()
        with tempfile.TemporaryDirectory() as folder:
            self.scorers = scorers_for(self.collection, self.judge, Catalog(folder))
        shown = [vars(subject) for subject in subjects() if subject.palette in collection.traits["palette"]]
        slots = [
            Slot(id=number + 1, traits=shown[number * 37 % len(shown)]) for number in range(LEARNT + MEASURED)
        ]
        self.recipes = [recipe(self.base, slot.id, STEPS, prompt_of(collection, slot)) for slot in slots]
        self.candidates = [self.candidate(number, slot) for number, slot in enumerate(slots)]

    def candidate(self, number: int, slot: Slot) -> Candidate:
        "A candidate without a picture."
        chosen = self.recipes[number]
        digests = {"pixel_digest": "", "file_digest": ""}
        artifact = Artifact(dna=chosen.dna, recipe=chosen.facts(), environment={}, **digests)
        return Candidate(slot, 1, artifact)

    def scored(self, numbers: list[int], images: list[Image.Image]) -> np.ndarray:
        "Scores of candidates with these pictures, (n, scorers)."
        embeddings, own = self.judge.encode_images(images), [self.candidates[number] for number in numbers]
        columns = [scorer.measure(own, images, embeddings) for scorer in self.scorers.values()]
        return np.array(columns).T

    def render_some(self, numbers: list[int], keep: Callable[[list[int], list], list[bool]]) -> list:
        "Render those that `keep` lets go on after STEP steps; it is given candidates' numbers and previews."
        chosen = [self.recipes[number] for number in numbers]

        def look(part: list[int], previews: list[Image.Image]) -> list[bool]:
            return keep([numbers[place] for place in part], previews)

        return render_some(self.base, chosen, STEP, look)

    def learn(self, learnt: list[int]) -> tuple[np.ndarray, np.ndarray]:
        "Scores of previews and of finished pictures, (n, scorers) both."
        previewed: dict[int, np.ndarray] = {}

        def keep(numbers: list[int], previews: list[Image.Image]) -> list[bool]:
            previewed.update(zip(numbers, self.scored(numbers, previews)))
            return [True] * len(numbers)

        finished = self.scored(learnt, self.render_some(learnt, keep))
        return np.array([previewed[number] for number in learnt]), finished

    def bounds(self, scores: np.ndarray) -> dict[str, float]:
        "The bounds that refuse the share in LEAST of candidates with these scores."
        names = list(self.scorers)
        return {
            name: float(np.quantile(scores[:, names.index(name)], share)) for name, share in LEAST.items()
        }

    def rules(self, bounds: dict[str, float]) -> tuple[Rule, ...]:
        "The rules with their bounds."
        return tuple(
            rule.model_copy(update={"min": bounds[rule.scorer]}) if rule.scorer in bounds else rule
            for rule in self.collection.rules
        )

    def accepts(self, scores: np.ndarray, rules: tuple[Rule, ...]) -> np.ndarray:
        "Whether the rules accept, (n,)."
        rows = [dict(zip(self.scorers, map(float, values))) for values in scores]
        return np.array([decide("", by_scorer, rules).decision == "accept" for by_scorer in rows])

    def pruner(self, previewed: np.ndarray, finished: np.ndarray, rules: tuple[Rule, ...]) -> Pruner | None:
        "What tells from previews' scores which go on; None where too few were accepted for a promise."
        about = {"step": STEP, "judge": self.judge.digest, "rules": "", "scorers": tuple(self.scorers)}
        good, scores = self.accepts(finished, rules), {"finished": finished, "rules": rules}
        return fit_pruner(previewed, good, about, KEEP, CONFIDENCE, **scores)

    def pruned(self, numbers: list[int], pruner: Pruner) -> list:
        "Pictures of those that the pruner lets go on, None for the others."

        def keep(part: list[int], previews: list[Image.Image]) -> list[bool]:
            return list(pruner.value(self.scored(part, previews)) >= pruner.threshold)

        return self.render_some(numbers, keep)


def check_pictures(some: list, images: list[Image.Image]) -> None:
    "Pruning changes no picture. Raises AssertionError."
    for image, full in zip(some, images):
        if image is not None:
            assert image.tobytes() == full.tobytes(), "pruning changed a picture"


def measure(_: int) -> Iterator[dict]:
    "seed_pruning_saving."
    trial, drawn = Trial(), np.random.default_rng(0).permutation(LEARNT + MEASURED).tolist()
    learnt, rest = sorted(drawn[:LEARNT]), sorted(drawn[LEARNT:])
    previewed, finished = trial.learn(learnt)
    bounds = trial.bounds(finished)
    rules = trial.rules(bounds)
    pruner = trial.pruner(previewed, finished, rules)
    if pruner is None:
        how = f"only {trial.accepts(finished, rules).sum()} of {LEARNT} candidates were accepted: too few for a promise"
        yield row("seed_pruning_saving", 0.0, "share", "without pruning", LIMIT, how)
        return
    full_time, images = cpu_seconds(lambda: render(trial.base, [trial.recipes[number] for number in rest]))
    good = trial.accepts(trial.scored(rest, images), rules)
    pruned_time, some = cpu_seconds(lambda: trial.pruned(rest, pruner))
    check_pictures(some, images)
    kept = np.array([image is not None for image in some])
    saving = 1 - (pruned_time / max((good & kept).sum(), 1)) / (full_time / max(good.sum(), 1))
    candidates = f"{len(rest)} candidates, {STEPS} DDIM steps, previews after {STEP} judged too, float32"
    promise = f"promise: at most {1 - KEEP:.0%}, confidence {CONFIDENCE:.0%}"
    stopped = f"{good.sum()} acceptable of which {(good & ~kept).sum()} were stopped ({promise})"
    limits = ", ".join(f"{name} >= {value:.2f}" for name, value in bounds.items())
    acceptance = f"rules of the demo with {limits}, acceptance {good.mean():.0%}"
    times = f"processor seconds {pruned_time:.1f} against {full_time:.1f}"
    how = f"{candidates}; {kept.mean():.0%} went on, {stopped}; {acceptance}; {times}"
    against = "the same candidates all run to the end, for each accepted picture"
    yield row("seed_pruning_saving", round(float(saving), 3), "share", against, LIMIT, how)
