"The arithmetic: whole numbers, the same for any weights, and no lane that could run over."

from fractions import Fraction

import numpy as np
import pytest

from artmint.onchain.network import (
    GRID,
    MOST_LAYERS,
    NETWORK_PARTS,
    WEIGHTS_SIZE,
    NotWeights,
    mix,
    pack_weights,
    point_fields,
    unpack_weights,
    visible_layers,
)


@pytest.fixture(scope="module")
def thrown():
    return np.random.default_rng(3).bytes(WEIGHTS_SIZE)


def test_it_is_small():
    assert WEIGHTS_SIZE <= 48_000


def test_numbers_are_murmurs():
    "Known values of MurmurHash3's finaliser, whose input is the seed and the golden ratio's multiples."
    assert mix(0, 0) == 0
    assert mix(1, 0) == 0x514E28B7
    assert mix(0, 1) == mix(0x9E3779B9, 0)
    assert mix(2**32 - 1, 1) == mix(0x9E3779B8, 0)


def test_weights_come_back(thrown):
    parts = unpack_weights(thrown + b"what follows isn't read")
    assert pack_weights(parts) == thrown
    assert parts["class"][0, 0] == np.frombuffer(thrown, "i1")[0]


def test_too_few_bytes_are_no_weights(thrown):
    with pytest.raises(NotWeights, match="47,119"):
        unpack_weights(thrown[:-1])


@pytest.mark.parametrize(("name", "value"), [("near", 128), ("out_bias", -32_769)])
def test_what_does_not_fit_is_refused(thrown, name, value):
    parts = unpack_weights(thrown)
    parts[name].flat[-1] = value
    with pytest.raises(OverflowError, match=name):
        pack_weights(parts)


def test_no_lane_can_run_over():
    "The largest sums that any weights can give stay below 2^31, also after they were weighed 64 times between points."
    most = {}
    for name, shape, size in NETWORK_PARTS:
        if size == 1:
            most[name] = 128 * (255 if name != "dice" else 128) * int(np.prod(shape[:-1]))
    bias = 16 * 2**15
    first = 256 * 128 + most["dice"]
    third = most["third"] + 2 * 128 * 128 + bias
    doubled = max(most[name] + bias for name in ("second", "up1", "up2", "up3"))
    assert max(first, third, doubled, 64 * (most["out"] + bias)) < 2**31


@pytest.mark.parametrize("byte", [0x7F, 0x80, 0x00])
def test_extreme_weights_draw(byte):
    fields = point_fields(unpack_weights(bytes([byte]) * WEIGHTS_SIZE), 95, 2**32 - 1)
    assert fields.shape == (GRID, GRID, MOST_LAYERS)
    assert abs(fields).max() * 64 < 2**31


def exact(fields: np.ndarray, side: int, y: int, x: int) -> int:
    "A pixel by fractions, as the page tells it."

    def between(i: int) -> tuple[int, int, Fraction]:
        place = Fraction(64 * i + 32 - side, 2 * side)
        before = place.__floor__()
        return max(before, 0), min(before + 1, GRID - 1), place - before

    (top, bottom, down), (left, right, across) = between(y), between(x)
    for layer in range(MOST_LAYERS):
        at = [[int(fields[row, column, layer]) for column in (left, right)] for row in (top, bottom)]
        above, below = (line[0] * (1 - across) + line[1] * across for line in at)
        if above * (1 - down) + below * down > 0:
            return MOST_LAYERS - layer
    return 0


@pytest.mark.parametrize("side", [1, 7, 32, 128, 333])
def test_pixels_lie_on_straight_lines(thrown, side):
    rng = np.random.default_rng(side)
    fields = rng.integers(-3, 3, (GRID, GRID, MOST_LAYERS))  # many zeros: what is on an edge
    seen = visible_layers(fields, side)
    for y, x in rng.integers(0, side, (60, 2)):
        assert seen[y, x] == exact(fields, side, int(y), int(x))


def test_it_is_turned_after_it_is_drawn():
    fields = np.random.default_rng(1).integers(-9, 9, (GRID, GRID, MOST_LAYERS))
    plain = visible_layers(fields, 64)
    assert (visible_layers(fields, 64, mirrored=True) == plain[:, ::-1]).all()
    assert (visible_layers(fields, 64, upended=True) == plain[::-1]).all()


def test_where_nothing_is_above_zero_is_ground():
    assert not visible_layers(np.zeros((GRID, GRID, MOST_LAYERS), int), 16).any()
