"Bases of the families that studios use, through the same code, held against diffusers' own pipelines."

import random
import shutil
from io import BytesIO

import numpy as np
import pytest
import torch

from artmint.core.picture import pixel_digest
from artmint.core.records import Recipe, SecondPass
from artmint.make.base import NoSuchBase, NoSuchDevice, PickledWeights, fingerprint, load_base
from artmint.make.engine import BrokenPicture, noise
from artmint.make.prompts import PromptTooLong
from artmint.make.schedulers import UnknownChoice
from artmint.make.render import render
from tests.families import FAMILIES, saved, single_file
from tests.suites import some

UNETS = ("sd1", "sd2", "sdxl")


WHOLE = ("flux", "sd3")


PROMPTS = ("rings in aurora colours", "mountains", "waves on paper", "a sparse nebula")


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    "Each family's base, loaded when first asked for."
    known = {}

    def base(name):
        if name not in known:
            known[name] = load_base(saved(name, tmp_path_factory.mktemp(name)))
        return known[name]

    return base


def recipes(base, count: int = 3, **more) -> list[Recipe]:
    own = {} if hasattr(base.pipeline, "unet") else {"scheduler": "own"}
    facts = dict(base=base.digest, steps=3, guidance=4.0, width=32, height=32, profile="fast") | own | more
    return [Recipe(prompt=PROMPTS[i % 4], seed=100 + i, **facts) for i in range(count)]


def png(image) -> bytes:
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def far(image, other) -> int:
    "Largest difference of two pictures, in grey levels."
    return int(np.abs(np.asarray(image).astype(int) - np.asarray(other)).max())


@pytest.mark.parametrize("profile", ["fast", pytest.param("portable", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", some(UNETS, ["sd1"]))
def test_a_unet_paints_what_the_plain_pipeline_paints(bases, name, profile):
    from diffusers import DDIMScheduler

    base = bases(name)
    negative = "blurred"
    plain = type(base.pipeline).from_pipe(base.pipeline)
    plain.scheduler = DDIMScheduler.from_config(base.pipeline.scheduler.config)
    plain.set_progress_bar_config(disable=True)
    for asked in (
        recipes(base, profile=profile),
        recipes(base, 1, profile=profile, negative_prompt=negative),
    ):
        for r, image in zip(asked, render(base, asked)):
            theirs = plain(
                r.prompt,
                negative_prompt=r.negative_prompt or None,
                num_inference_steps=3,
                guidance_scale=4.0,
                width=32,
                height=32,
                generator=torch.Generator().manual_seed(r.seed),
            ).images[0]
            assert far(image, theirs) <= 1
            assert np.asarray(image).std() > 1


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_pipeline_paints_what_it_paints_alone(bases, name):
    base = bases(name)
    for r, image in zip(recipes(base), render(base, recipes(base))):
        theirs = base.pipeline(
            r.prompt,
            num_inference_steps=3,
            guidance_scale=4.0,
            width=32,
            height=32,
            generator=torch.Generator().manual_seed(r.seed),
        ).images[0]
        assert far(image, theirs) <= 1
        assert np.asarray(image).std() > 1


@pytest.mark.slow
@pytest.mark.parametrize("name", some(["sdxl", "flux", "sd1", "sd2", "sd3"], ["flux"]))
def test_batch_and_order_change_no_pixel(bases, name):
    base = bases(name)
    asked = recipes(base, 9)
    expected = [pixel_digest(image) for image in render(base, asked)]
    order = random.Random(1).sample(range(9), 9)
    for size in (1, 4):
        got = [
            pixel_digest(image)
            for at in range(0, 9, size)
            for image in render(base, [asked[i] for i in order[at : at + size]])
        ]
        assert got == [expected[i] for i in order]


@pytest.mark.many(1)
@pytest.mark.parametrize("name", FAMILIES)
def test_packaging_does_not_change_the_digest(bases, name, tmp_path):
    base = bases(name)
    base.pipeline.save_pretrained(tmp_path, safe_serialization=True, max_shard_size="100KB")
    assert load_base(tmp_path).digest == base.digest == fingerprint(base.pipeline)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sdxl", "sd3"])
def test_half_precision_comes_near(bases, name):
    base = bases(name)
    for full, half in zip(render(base, recipes(base, 2)), render(base, recipes(base, 2, profile="half"))):
        assert 0 < far(full, half) < 48
        assert np.abs(np.asarray(full).astype(int) - np.asarray(half)).mean() < 4


@pytest.mark.slow
def test_compiled_comes_nearer_and_repeats(bases):
    base = bases("sd1")
    asked = recipes(base, 3, profile="compiled")
    first = render(base, asked)
    assert [i.tobytes() for i in render(base, asked[::-1])] == [i.tobytes() for i in first[::-1]]
    assert max(far(a, b) for a, b in zip(first, render(base, recipes(base)))) <= 2


# ---------------------------------------------------------------- from a picture, and larger


@pytest.fixture(scope="module")
def bundled():
    return load_base()


@pytest.mark.slow
def test_a_start_is_diffusers_img2img(bundled):
    from diffusers import StableDiffusionImg2ImgPipeline

    from artmint.train.drawings import draw, subjects

    sketch = draw(subjects()[5], 5, 64)
    theirs = StableDiffusionImg2ImgPipeline(**bundled.pipeline.components, requires_safety_checker=False)
    theirs.set_progress_bar_config(disable=True)
    for strength in (0.3, 0.6, 1.0):
        r = Recipe(
            base=bundled.digest,
            prompt=PROMPTS[0],
            seed=5,
            steps=6,
            guidance=3.0,
            width=64,
            height=64,
            profile="fast",
            init="0" * 64,
            strength=strength,
        )
        expected = theirs(
            r.prompt,
            image=sketch,
            strength=strength,
            num_inference_steps=6,
            guidance_scale=3.0,
            generator=torch.Generator().manual_seed(5),
        ).images[0]
        assert far(render(bundled, [r], blob=lambda digest: png(sketch))[0], expected) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", some(["sdxl", "sd3", "flux"], ["sdxl"]))
def test_a_weak_start_stays_near_the_picture(bases, name):
    from PIL import Image

    base = bases(name)
    sketch = Image.new("RGB", (32, 32), (200, 60, 30))
    asked = [
        recipes(base, 1, init="0" * 64, strength=s)[0].model_copy(update={"steps": 10}) for s in (0.2, 0.9)
    ]
    weak, strong = render(base, asked, blob=lambda digest: png(sketch))
    assert weak.size == (32, 32)
    assert far(weak, strong) > 0


@pytest.mark.slow
def test_a_second_pass_is_img2img_over_the_first(bundled):
    from PIL import Image

    facts = dict(base=bundled.digest, prompt=PROMPTS[1], seed=3, steps=4, guidance=3.0, profile="fast")
    both = Recipe(**facts, width=64, height=64, hires=SecondPass(scale=1.5, strength=0.5, steps=6))
    first = render(bundled, [Recipe(**facts, width=64, height=64)])[0]
    second = Recipe(**facts | {"steps": 6}, width=96, height=96, init="0" * 64, strength=0.5)
    by_hand = render(
        bundled, [second], blob=lambda digest: png(first.resize((96, 96), Image.Resampling.LANCZOS))
    )[0]
    made = render(bundled, [both])[0]
    assert made.size == both.size == (96, 96)
    assert made.tobytes() == by_hand.tobytes()


def test_strength_without_a_picture_is_no_recipe():
    with pytest.raises(ValueError, match="no picture to start from"):
        Recipe(base="0" * 64, prompt="", seed=1, width=8, height=8, strength=0.5)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "name, change, error, word",
    [
        ("flux", {"scheduler": "DDIM"}, UnknownChoice, "own"),
        ("flux", {"profile": "portable"}, UnknownChoice, "half"),
        ("flux", {"negative_prompt": "blurred"}, UnknownChoice, "negative prompt"),
        ("sd1", {"scheduler": "own"}, UnknownChoice, "DDIM"),
        ("sd1", {"prompt": "mountains " * 60}, PromptTooLong, "tokens"),
        ("sdxl", {"init": "0" * 64}, UnknownChoice, "none are at hand"),
    ],
)
def test_what_would_fail_or_be_ignored_is_refused(bases, name, change, error, word):
    base = bases(name)
    bad = recipes(base, 1)[0].model_copy(update=change)
    with pytest.raises(error, match=word):
        render(base, [bad])


def spoilt(name, tmp_path, network: str, value: float):
    "A tiny base of which one network gives nothing but this number."
    base = load_base(saved(name, tmp_path))
    assert base.digest  # of weights that were whole when they were read
    with torch.no_grad():
        for part in ("conv_out", "decoder.conv_out"):
            if hasattr(getattr(base.pipeline, network), part.split(".")[0]):
                layer = getattr(base.pipeline, network).get_submodule(part)
                layer.weight.zero_()
                layer.bias.fill_(value)
    return base


NO_PICTURES = [
    ("sd1", "unet", float("nan"), "NaN"),
    ("sdxl", "unet", float("inf"), "NaN"),
    ("sd1", "vae", float("nan"), "NaN"),
    ("sd1", "vae", -9.0, r"flat colour, 0, 0, 0"),
    ("sd1", "vae", 0.0, "flat colour"),
    ("flux", "vae", float("nan"), "NaN"),
    ("sd3", "vae", -9.0, "flat colour"),
]


@pytest.mark.parametrize(
    "name, network, value, word",
    some(NO_PICTURES, [NO_PICTURES[at] for at in (0, 3, 5)]),
)
def test_what_came_out_as_no_picture_is_refused_by_its_recipe(tmp_path, name, network, value, word):
    base = spoilt(name, tmp_path, network, value)
    (asked,) = recipes(base, 1)
    made = []
    with pytest.raises(BrokenPicture, match=rf"{asked.dna[:12]}.*{word}"):
        render(base, [asked], lambda i, image: made.append(i))
    assert not made


@pytest.mark.slow
def test_a_broken_first_pass_is_refused_before_the_second(tmp_path):
    base = spoilt("sd1", tmp_path, "unet", float("nan"))
    with pytest.raises(BrokenPicture):
        render(base, recipes(base, 1, hires=SecondPass(scale=1.5)))


@pytest.mark.parametrize(
    "device, offload, word",
    [
        ("cuda", "none", "doesn't see one"),
        ("abacus", "none", "no such device"),
        ("cpu", "model", "between a GPU"),
        ("cpu", "both", "one of none"),
    ],
)
def test_a_device_that_is_not_there_is_refused(device, offload, word):
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("it is there")
    with pytest.raises(NoSuchDevice, match=word):
        load_base(device=device, offload=offload)


@pytest.mark.slow
def test_a_pipeline_that_needs_a_mask_is_refused(bases, tmp_path):
    from tests.families import unet

    folder = saved("sd1", tmp_path)
    shutil.rmtree(folder / "unet")
    unet(in_channels=9).save_pretrained(folder / "unet", safe_serialization=True)
    base = load_base(folder)
    with pytest.raises(UnknownChoice, match="from noise"):
        render(base, recipes(base, 1))


def test_a_single_file_is_the_same_base(bases, tmp_path):
    base = bases("sd1")
    file = single_file(base.pipeline, tmp_path / "studio-v1.safetensors")
    alone = load_base(file, config=base.folder)
    assert alone.digest == base.digest
    assert alone.name == "studio-v1"
    assert render(alone, recipes(base, 1))[0].tobytes() == render(base, recipes(base, 1))[0].tobytes()


def test_single_files_that_are_none_are_refused(tmp_path):
    from safetensors.torch import save_file

    (tmp_path / "a.ckpt").write_bytes(b"\x80\x04.")
    with pytest.raises(PickledWeights):
        load_base(tmp_path / "a.ckpt")
    (tmp_path / "b.safetensors").write_bytes(b"no header")
    with pytest.raises(NoSuchBase, match="no safetensors"):
        load_base(tmp_path / "b.safetensors")
    save_file({"lora_unet.up": torch.zeros(1)}, tmp_path / "c.safetensors")
    with pytest.raises(NoSuchBase, match="no checkpoint"):
        load_base(tmp_path / "c.safetensors")


@pytest.mark.parametrize("shape", [(4, 32, 32), (4, 16, 16), (16,), (3, 7), (4, 5, 7), (1025,)])
def test_noise_is_torchs_own(shape):
    theirs = torch.randn(shape, generator=torch.Generator("cpu").manual_seed(2**32 - 5)).numpy()
    assert np.abs(noise(2**32 - 5, shape) - theirs).max() < 2e-6
