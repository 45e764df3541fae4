"What a step of a training is given: sizes in shape, and each picture once in an epoch."

import collections

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from artmint.make.base import load_base
from artmint.train.examples import batch_indices, bucket_of, prepare
from artmint.train.settings import TrainConfig

SIDES = st.integers(1, 4000)
RESOLUTIONS = st.sampled_from([64, 128, 512])


@given(SIDES, SIDES, RESOLUTIONS, st.sampled_from([8, 16, 64]))
def test_a_bucket_has_whole_steps_and_about_the_area(width, height, resolution, step):
    size = bucket_of(width, height, resolution, step)
    assert all(side % step == 0 and side >= step for side in size)
    assert resolution // 2 <= size[0] <= 2 * resolution
    assert abs(size[0] * size[1] - resolution**2) <= size[0] * step / 2


@given(SIDES, RESOLUTIONS)
def test_a_square_is_trained_square(side, resolution):
    assert bucket_of(side, side, resolution, 16) == (resolution, resolution)


@given(
    st.lists(st.sampled_from([(64, 64), (32, 128), (128, 32)]), min_size=1, max_size=30),
    st.integers(1, 6),
    st.integers(0, 3),
    st.integers(0, 2**31 - 1),
)
def test_each_picture_comes_up_in_every_epoch_among_its_own_size(sizes, batch, epoch, seed):
    counts = collections.Counter(sizes)
    length = sum(-(-count // batch) for count in counts.values())
    steps = range(epoch * length, (epoch + 1) * length)
    taken = [batch_indices(sizes, batch, step, seed) for step in steps]
    assert {i for each in taken for i in each} == set(range(len(sizes)))
    assert all(len(each) == batch for each in taken)
    assert all(len({sizes[i] for i in each}) == 1 for each in taken)
    assert taken == [batch_indices(sizes, batch, step, seed) for step in steps]


def test_another_seed_gives_another_order():
    sizes = [(64, 64)] * 20
    assert batch_indices(sizes, 4, 0, 1) != batch_indices(sizes, 4, 0, 2)


@pytest.mark.parametrize("buckets", [True, False])
def test_pictures_are_encoded_in_the_size_of_their_bucket(buckets):
    rng = np.random.default_rng(3)
    images = [Image.fromarray(rng.integers(0, 255, (*shape, 3), np.uint8)) for shape in ((64, 64), (40, 160))]
    base = load_base()
    made = prepare(base, images, ["one", "two"], TrainConfig(resolution=64, buckets=buckets))
    scale = base.pipeline.vae_scale_factor
    assert made.captions == ["one", "two"]
    assert made.sizes[0] == (64, 64)
    assert (made.sizes[1] == (64, 64)) == (not buckets)
    inside = [tuple(latent.shape[1:]) for latent in made.latents]
    assert inside == [(height // scale, width // scale) for height, width in made.sizes]


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"resolution": 100}, {"rank": -1}, {"precision": "half"}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        TrainConfig(**wrong)
