"The project's drawings as layers, their dice thrown by 32 bytes: what the network on chain learns to imitate."

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from artmint.train import drawings
from artmint.train.drawings import Subject

MOTIFS = ("mountains", "waves", "rings", "mandala", "truchet", "nebula")
DENSITIES = ("sparse", "dense")
PLACEMENTS = ("centred", "offset")
VARIANTS, DICE, LAYERS = 4, 32, 8
PAINTS = [(layer, layer, layer) for layer in range(1, 17)]  # instead of colours: a layer's number
COUNTS = {
    ("mountains", 0): (2, 3, 2, 3),
    ("mountains", 1): (4, 5, 4, 5),
    ("waves", 0): (3, 4, 3, 4),
    ("waves", 1): (6, 7, 6, 7),
    ("rings", 0): (3, 4, 3, 4),
    ("rings", 1): (6, 7, 8, 6),
    ("mandala", 0): (5, 6, 7, 6),
    ("mandala", 1): (9, 10, 11, 12),
}  # of ridges, bands, rings, petals: for a motif and a density, those of the four variants
CORNER = np.array([1, 1])  # where an offset motif sits; the network's picture is mirrored afterwards


class Dice:
    "numpy's Generator as far as the drawings use it: numbers, whole numbers and choices, given in the order of their use."

    def __init__(self, numbers: Sequence[float], whole: Sequence[int], picks: Sequence = ()):
        self.numbers, self.whole, self.picks = list(numbers), list(whole), list(picks)

    def uniform(self, low: float = 0.0, high: float = 1.0, size: int | None = None) -> float | np.ndarray:
        "The next numbers, between two others."
        thrown = np.array([self.numbers.pop(0) for _ in range(1 if size is None else int(size))])
        values = low + (high - low) * thrown
        return float(values[0]) if size is None else values

    def integers(self, low: int, high: int | None = None) -> int:
        "The next whole number."
        return self.whole.pop(0)

    def choice(self, what: object, size: int | None = None) -> object:
        "The next choice."
        return self.picks.pop(0)


def jagged(u: np.ndarray, variant: int, count: int, side: int, top: float) -> list[np.ndarray]:
    "Ridges of four peaks: a number of the grid's is a peak's height, and its neighbour moves it."
    g, x, lines = u.reshape(4, 4, 2), np.linspace(0, 1, side), []
    for k, level in enumerate(np.linspace(top, 0.9, count)):
        row = min(3, 1 + (k * 6 // count) // 2) if count > 2 else 1 + 2 * k
        own, other = g[row, :, k % 2], g[row, :, 1 - k % 2]
        at = (np.arange(4) + 0.5 + 0.5 * (k % 2) + 0.17 * variant + 0.5 * (other - 0.5)) / 4
        xs, ys = [at[0] - 0.25], [own[3] if k % 2 else 0.5]
        for j in range(4):
            xs += [(xs[-1] + at[j]) / 2, at[j]]
            ys += [-0.55 + 0.25 * ((j + variant + k) % 3), 0.1 + own[j]]
        places = np.array([*xs, xs[-1] + 0.14]) - 0.25 * (k % 2)
        lines.append(side * (level - 0.088 * np.interp(x, places, [*ys, -0.5]) + 0.02))
    return lines


def smooth(u: np.ndarray, variant: int, count: int, side: int, top: float) -> list[np.ndarray]:
    "Swells through four heights that the grid gives, with a ripple of the line's own."
    g, x, lines = u.reshape(4, 4, 2), np.linspace(0, 1, side), []
    for k, level in enumerate(np.linspace(top, 0.9, count)):
        own = (g[min(3, int(level * 4)), :, k % 2] - 0.5) * 2
        knots = np.array([own[0], *own, own[3]])
        place = np.clip(x * 4 - 0.5, -1, 4) + 1
        before = np.clip(place.astype(int), 0, 4)
        part = (1 - np.cos(np.pi * (place - before))) / 2
        line = knots[before] * (1 - part) + knots[before + 1] * part
        waves = x * (1.6 + 0.35 * ((k + variant) % 3)) + 0.29 * k + 0.25 * variant
        ripple = 0.3 * np.sin(2 * np.pi * waves)
        lines.append(side * (level + (0.06 if count > 4 else 0.1) * (line + ripple)))
    return lines


def tiles(u: np.ndarray, dense: bool) -> np.ndarray:
    "Which way each tile of a grid is turned, with one row and column more."
    g = u.reshape(4, 4, 2) - 0.5
    a, b = g[..., 0], g[..., 1]
    turned = a > 0
    if dense:
        turned = np.zeros((8, 8), bool)
        turned[::2, ::2], turned[::2, 1::2] = a > 0, b > 0
        turned[1::2, ::2], turned[1::2, 1::2] = a + b > 0, a - b > 0
    return np.pad(turned, ((0, 1), (0, 1)), mode="reflect")


def truchet(u: np.ndarray, dense: bool, offset: bool, variant: int, side: int) -> np.ndarray:
    "Quarter arcs on a grid, joined into paths (Smith, 1987)."
    turned = tiles(u, dense)
    steps = (np.arange(side) + 0.5) / side * (len(turned) - 1) + 0.5 * offset
    y, x = np.meshgrid(steps, steps, indexing="ij")
    row, column = y.astype(int), x.astype(int)
    down, across = y - row, x - column
    across = np.where(turned[row, column], 1 - across, across)
    first, second = np.hypot(down, across), np.hypot(1 - down, 1 - across)
    width = (0.15, 0.2, 0.15, 0.2)[variant]
    away = abs(np.minimum(first, second) - 0.5)
    tone = 1 + (row + column) % 2 if variant < 2 else np.where(first < second, 1, 2)
    if variant % 2 and not dense:
        tone = np.where(away < width * 0.36, 3, tone)
    return np.where(away < width, tone, 0).astype(np.uint8)


def bicubic(grid: np.ndarray, side: int) -> np.ndarray:
    "A grid's values, smoothly between."
    image = Image.fromarray(grid.astype(np.float32))
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))


def nebula(u: np.ndarray, dense: bool, offset: bool, variant: int, side: int) -> np.ndarray:
    "Levels of smooth noise about a place, as a map has them, without the blending between."
    g = u.reshape(4, 4, 2)
    sign = np.array(((1, -1), (-1, 1)) if variant % 2 else ((1, -1), (1, -1)))
    fine = 0.5 + np.kron(g[..., 1] - 0.5, sign)
    noise = 0.72 * bicubic(g[..., 0], side) + 0.28 * bicubic(fine, side)
    noise = np.clip((noise - 0.22) / 0.56, 0, 1)
    x, y = np.meshgrid(*[np.linspace(0, 1, side)] * 2)
    centre = 0.7 if offset else 0.5
    fade = np.exp(-((x - centre) ** 2 + (y - centre) ** 2) / (0.4 if dense else 0.16))
    floor = 0.2 if dense else 0.45
    levels = (6, 7, 8, 7)[variant] if dense else (4, 5, 5, 4)[variant]
    depth = np.clip((noise * (0.35 + fade) - floor) / (1.1 - floor), 0, 0.999)
    return np.minimum(np.ceil(depth * 1.15 * levels), LAYERS).astype(np.uint8)


def dice_of(motif: str, u: np.ndarray, count: int, variant: int) -> Dice:
    "A motif's dice, in the order in which its drawing throws them."
    if motif == "rings":
        return Dice([*u[3 : 3 + count], *u[:3]], [count, 0], [CORNER])
    if motif == "mandala":
        turn = (0.25 + variant / 2 % 1) / count
        return Dice([*u[:3], turn, *u[4:8]], [count, 0], [CORNER])
    if motif == "waves":
        return Dice([u[31]], [count])
    return Dice(u[:4], [0, count], [0.78])


def painted(subject: Subject, dice: Dice, lines: Callable, side: int) -> np.ndarray:
    "What the drawing program makes of dice and lines, in layers instead of colours."
    own = drawings._paints, drawings._layers
    drawings._paints = lambda *_: list(PAINTS)
    drawings._layers = lambda rng, count, side, top, **_: lines(count, side, top)
    try:
        image = np.asarray(drawings._BY_MOTIF[subject.motif](subject, dice, 3 * side))
    finally:
        drawings._paints, drawings._layers = own
    ground = (image[..., 0] != image[..., 1]) | (image[..., 0] > 16)
    return np.where(ground, 0, image[..., 0])[1::3, 1::3].astype(np.uint8)


def layers(what: Sequence[int], numbers: np.ndarray, side: int) -> np.ndarray:
    "The layer that shows at each pixel: (side, side) uint8, 0 the ground; `what` is motif, density, placement and variant."
    motif, density, placement, variant = MOTIFS[what[0]], what[1], what[2], what[3]
    u = (np.asarray(numbers) + 0.5) / 256
    if motif in ("truchet", "nebula"):
        drawn = truchet if motif == "truchet" else nebula
        return drawn(u, bool(density), bool(placement), variant, side)
    subject = Subject(motif, "ember", "night", DENSITIES[density], PLACEMENTS[placement])
    kind = jagged if motif == "mountains" else smooth
    dice = dice_of(motif, u, COUNTS[motif, density][variant], variant)
    return painted(subject, dice, lambda count, side, top: kind(u, variant, count, side, top), side)
