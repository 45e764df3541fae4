"The drawing program, its dice thrown by a latent: what the shipped generator learns to imitate."

import sys
from collections import defaultdict
from statistics import NormalDist

import numpy as np

from artmint.train.drawings import _BY_MOTIF, Subject
from artmint.train.drawings import subjects as every_subject

LEARNT = (
    "mountains",
    "waves",
    "rings",
    "mandala",
)  # the clouds of nebula, and truchet's tiles, ask for a larger network
SIZE = 64  # numbers of a latent; what a drawing throws beyond them isn't told to the network
_normal = NormalDist()


def subjects() -> list[Subject]:
    "Every subject that is learnt."
    return [subject for subject in every_subject() if subject.motif in LEARNT]


class Places:
    "Which number of a latent each throw of a motif's drawing reads: the same throw, the same number."

    def __init__(self) -> None:
        self.of: dict[str, dict[tuple, int]] = defaultdict(dict)

    def settle(self) -> "Places":
        "Give every throw its place, in the order of the drawings of all subjects."
        for at, subject in enumerate(subjects()):
            thrown(subject, np.random.default_rng(at), self, 48)
        return self


class Dice:
    "numpy's Generator, as far as the drawings use it, over uniform numbers that a latent gives."

    def __init__(self, latent: np.ndarray, spare: np.random.Generator, places: dict[tuple, int]):
        self.latent, self.spare, self.places = latent, spare, places
        self.nth: dict[tuple, int] = defaultdict(int)

    def _uniform(self, size: object) -> np.ndarray:
        "Numbers in [0, 1): those of the latent that this throw has, then spare ones."
        frame = sys._getframe(2)
        throw = frame.f_code.co_name, frame.f_lineno
        count = int(np.prod(size if size is not None else 1))
        numbers = []
        for _ in range(count):
            key = (*throw, self.nth[throw])
            self.nth[throw] += 1
            place = self.places.setdefault(key, len(self.places))
            known = place < len(self.latent)
            numbers.append(_normal.cdf(self.latent[place]) if known else self.spare.random())
        return np.minimum(np.array(numbers), 1 - 1e-9).reshape(size if size is not None else ())

    def uniform(self, low: float = 0.0, high: float = 1.0, size: object = None) -> np.ndarray:
        return low + (high - low) * self._uniform(size)

    def random(self, size: object = None) -> np.ndarray:
        return self._uniform(size)

    def integers(self, low: int, high: int | None = None) -> int:
        low, high = (0, low) if high is None else (low, high)
        return low + int((high - low) * self._uniform(None))

    def choice(self, what: object, size: int | None = None, replace: bool = True) -> object:
        values = np.arange(what) if isinstance(what, (int, np.integer)) else np.asarray(what)
        if replace:
            return values[(self._uniform(size) * len(values)).astype(int)]
        left, taken = list(values), []
        for u in self._uniform(size):
            taken.append(left.pop(int(u * len(left))))
        return np.array(taken)


def thrown(
    subject: Subject, rng: np.random.Generator, places: Places, side: int
) -> tuple[np.ndarray, np.ndarray]:
    "A latent, and what the drawing program makes of a subject with it: (SIZE,) and (side, side, 3) uint8."
    latent = rng.standard_normal(SIZE)
    dice = Dice(latent, rng, places.of[subject.motif])
    image = _BY_MOTIF[subject.motif](subject, dice, side * 3).reduce(3)
    return latent, np.asarray(image)


def words() -> dict[str, list[str]]:
    "What a subject may say, in the order of the condition."
    rows = [vars(subject) for subject in subjects()]
    return {name: list(dict.fromkeys(row[name] for row in rows)) for name in rows[0]}
