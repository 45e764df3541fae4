"What a step of a training is given: sizes in shape, and each picture once in an epoch."

import collections
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from artmint.make.base import load_base
from artmint.train.examples import (
    NoOwnSize,
    batch_indices,
    bucket_of,
    epoch_steps,
    own_side,
    planned,
    prepare,
    prior_name,
    sample_facts,
    settle,
    varied_caption,
)
from artmint.train.settings import TrainConfig
from tests.families import saved

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


def test_latents_are_scaled_as_painting_scales_them(tmp_path):
    "Of a VAE whose files give mean and deviation: diffusers' own formula."
    spread = {"latents_mean": [-1.6, 1.1, 0.3, -0.2], "latents_std": [8.4, 5.7, 2.1, 4.0]}
    folder = saved("sdxl", tmp_path / "base")
    place = folder / "vae" / "config.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | spread))
    base = load_base(folder)
    image = Image.fromarray(np.random.default_rng(3).integers(0, 255, (32, 32, 3), np.uint8))
    (latent,) = prepare(base, [image], ["one"], TrainConfig(resolution=32)).latents
    vae = base.pipeline.vae
    with torch.no_grad():
        code = vae.encode(base.pipeline.image_processor.preprocess(image)).latent_dist.mode()
    mean, std = (torch.tensor(spread[key]).view(1, 4, 1, 1) for key in ("latents_mean", "latents_std"))
    theirs = (code - mean) * vae.config.scaling_factor / std
    assert torch.allclose(latent, theirs[0], atol=1e-5)


@pytest.mark.slow
def test_prior_pictures_are_of_one_base_and_its_captions(bases, style):
    name = prior_name(style, bases("sd1"), 16, 64)
    assert name == prior_name(style, bases("sd1"), 16, 64)
    captions = [picture.model_copy(update={"caption": "a dog"}) for picture in style.pictures]
    others = {
        prior_name(style, bases("sdxl"), 16, 64),
        prior_name(style.model_copy(update={"pictures": tuple(captions)}), bases("sd1"), 16, 64),
        prior_name(style, bases("sd1"), 8, 64),
        prior_name(style, bases("sd1"), 16, 128),
    }
    assert len(others | {name}) == 5


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"resolution": 100}, {"rank": -1}, {"precision": "half"}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        TrainConfig(**wrong)


def test_a_repeated_picture_comes_up_so_often():
    sizes = [(64, 64)] * 3
    taken = [i for step in range(6) for i in batch_indices(sizes, 1, step, 7, (1, 2, 3))]
    assert collections.Counter(taken) == {0: 1, 1: 2, 2: 3}


# ---------------------------------------------------------------- captions as a step sees them

WORDS = st.lists(st.text("abc ", min_size=1).map(str.strip).filter(bool), max_size=8)


@given(WORDS, st.integers(0, 4), st.integers(0, 99))
def test_a_shuffled_caption_keeps_trigger_first_tags_and_every_tag(tags, keep, step):
    caption = ", ".join(["riso print", *tags])
    config = TrainConfig(shuffle=True, keep_tokens=keep)
    parts = varied_caption(caption, "riso print", config, (0, step)).split(", ")
    assert parts[: 1 + keep] == ["riso print", *tags[:keep]]
    assert sorted(parts[1:]) == sorted(tags)
    assert varied_caption(caption, "riso print", config, (0, step)).split(", ") == parts


def test_captions_are_left_out_as_often_as_is_said():
    config = TrainConfig(caption_dropout=0.25)
    seen = [varied_caption("riso print, waves", "riso print", config, (0, step)) for step in range(1000)]
    assert set(seen) == {"", "riso print, waves"}
    assert 200 < seen.count("") < 300


# ---------------------------------------------------------------- what a base and a style say


@pytest.mark.parametrize("size, side", [(64, 128), ((32, 128), 128), ([96, 96], 192)])
def test_the_own_size_of_a_base(bases, size, side):
    base = bases("sdxl")
    before = base.pipeline.unet.config.sample_size
    base.pipeline.unet.register_to_config(sample_size=size)
    assert own_side(base) == side
    base.pipeline.unet.register_to_config(sample_size=None)
    with pytest.raises(NoOwnSize, match="resolution"):
        own_side(base)
    base.pipeline.unet.register_to_config(sample_size=before)


def test_epochs_become_steps(bases, style):
    config = TrainConfig(epochs=5, batch=2, accumulate=2)
    settled = settle(config, bases("sd1"), style)
    length = epoch_steps(style, bases("sd1"), settled)
    assert (settled.steps, settled.epochs, settled.resolution) == (5 * length, None, 32)
    assert settle(settled, bases("sd1"), style) == settled


def test_defaults_follow_the_base(bases, style):
    bundled = load_base()
    demo = planned({"steps": 300}, bundled, style, prior=True)
    assert (demo.rate, demo.text_encoder, demo.every, demo.resolution) == (0.002, True, 60, 128)
    assert demo.text_rate == 0.004
    assert planned({"rate": 0.001}, bundled, style, prior=True).text_rate == 0.002
    assert planned({"text_rate": 0.001}, bundled, style, prior=True).text_rate == 0.001
    assert planned({"text_encoder": False}, bundled, style, prior=True).text_rate is None
    other = planned({"steps": 300}, bases("sdxl"), style, prior=False)
    assert (other.rate, other.text_encoder, other.every, other.resolution) == (1e-4, False, 30, 32)
    assert other.text_rate is None
    assert sample_facts(bundled, 128) == {"steps": 16, "guidance": 3.0, "width": 128, "height": 128}
    assert sample_facts(bases("sdxl"), 32)["width"] == 32
