"Masks, regions and bases for inpainting, held against diffusers' own, and refused where they can't be meant."

import numpy as np
import pytest
import torch
from PIL import Image

from artmint.core.picture import pixel_digest
from artmint.core.records import Recipe, Region, SecondPass
from artmint.make.base import load_base
from artmint.make.prompts import PromptTooLong, UnreadMarkup
from artmint.make.regions import UnfitPicture, region_shares
from artmint.make.render import check, check_new, render
from artmint.make.schedulers import UnknownChoice
from tests.families import saved
from tests.grown import Files, disc, edges, far


@pytest.fixture(scope="module")
def base():
    return load_base()


@pytest.fixture(scope="module")
def painter(tmp_path_factory):
    "The bundled base as one for inpainting: its UNet reads a mask and a picture, too."
    from diffusers import StableDiffusionInpaintPipeline, UNet2DConditionModel

    plain = load_base().pipeline
    torch.manual_seed(3)
    unet = UNet2DConditionModel.from_config({**plain.unet.config, "in_channels": 9})
    weights = plain.unet.state_dict()
    more = 0.1 * torch.randn(weights["conv_in.weight"].shape[0], 5, 3, 3)
    weights["conv_in.weight"] = torch.cat([weights["conv_in.weight"], more], 1)
    unet.load_state_dict(weights)
    parts = {name: part for name, part in plain.components.items() if name not in ("unet", "image_encoder")}
    parts |= {"safety_checker": None, "feature_extractor": None}
    pipe = StableDiffusionInpaintPipeline(unet=unet.eval(), requires_safety_checker=False, **parts)
    pipe.scheduler = plain.scheduler
    folder = tmp_path_factory.mktemp("inpainting")
    pipe.save_pretrained(folder, safe_serialization=True)
    return load_base(folder)


def asked(base, files, mask=None, **more) -> Recipe:
    "A recipe that paints over a drawing where a mask is white."
    facts = dict(base=base.digest, prompt="rings in aurora colours", seed=5, steps=6, guidance=3.0)
    facts |= dict(width=64, height=64, profile="fast", init=files.put(edges(64, 64, 5)), strength=1.0)
    return Recipe(**facts | {"mask": files.put(mask or disc(64))} | more)


def theirs(base, recipe: Recipe, mask: Image.Image):
    "diffusers' own picture, before anything is put back."
    from diffusers import DDIMScheduler, StableDiffusionInpaintPipeline

    parts = dict(base.pipeline.components) | {"safety_checker": None, "feature_extractor": None}
    pipe = StableDiffusionInpaintPipeline(requires_safety_checker=False, **parts)
    pipe.scheduler = DDIMScheduler.from_config(base.pipeline.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    steps = {
        "num_inference_steps": recipe.steps,
        "guidance_scale": recipe.guidance,
        "strength": recipe.strength,
    }
    sides = {"width": recipe.width, "height": recipe.height}
    generator = torch.Generator().manual_seed(recipe.seed)
    pictures = {"image": edges(64, 64, 5), "mask_image": mask}
    return pipe(recipe.prompt, negative_prompt="", generator=generator, **steps, **sides, **pictures).images[
        0
    ]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["usual", "inpainting"])
@pytest.mark.parametrize("strength", [1.0, pytest.param(0.7, marks=pytest.mark.slow)])
def test_a_mask_is_painted_as_diffusers_paints_it(base, painter, kind, strength, monkeypatch):
    """diffusers draws what the VAE encodes at random and we take its middle; so that this alone isn't what is measured,
    it takes the middle here, too."""
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution as Code

    monkeypatch.setattr(Code, "sample", lambda self, generator=None: self.mode())
    own, files, mask = (base if kind == "usual" else painter), Files(), disc(64)
    recipe = asked(own, files, mask, strength=strength)
    ours = render(own, [recipe], blob=files)[0]
    expected = theirs(own, recipe, mask)
    white = np.asarray(mask.convert("L")) == 255
    assert np.abs(np.asarray(ours).astype(int) - np.asarray(expected))[white].max() <= 1
    kept = np.asarray(mask.convert("L")) == 0
    assert (np.asarray(ours) == np.asarray(edges(64, 64, 5)))[kept].all()
    assert far(ours, edges(64, 64, 5)) > 40


@pytest.mark.slow
def test_a_masked_recipe_is_one_picture_in_any_batch(base, painter):
    for own in (base, painter):
        files = Files()
        recipes = [asked(own, files, disc(64, grey=True), seed=i, steps=2) for i in range(8)]
        together = [pixel_digest(image) for image in render(own, recipes, blob=files)]
        assert pixel_digest(render(own, recipes[6:7], blob=files)[0]) == together[6]
        assert len(set(together)) == 8


@pytest.mark.slow
def test_a_second_pass_keeps_what_the_mask_keeps(base):
    files = Files()
    recipe = asked(base, files, steps=2, hires=SecondPass(scale=2, strength=1.0))
    image = render(base, [recipe], blob=files)[0]
    first = render(base, [recipe.model_copy(update={"hires": None})], blob=files)[0]
    kept = np.asarray(disc(64).resize((128, 128), Image.Resampling.LANCZOS).convert("L")) == 0
    assert (np.asarray(image) == np.asarray(first.resize((128, 128), Image.Resampling.LANCZOS)))[kept].all()


@pytest.mark.many(2)
@pytest.mark.parametrize(
    "mask, word",
    [
        (Image.new("RGB", (64, 64), "white"), "light all over"),
        (Image.new("RGB", (64, 64)), "dark all over"),
        (Image.new("RGB", (64, 64), "#c03020"), "has colours"),
        (disc(64).resize((64, 32)), "would be squeezed"),
    ],
)
def test_a_mask_that_chooses_nothing_or_lies_elsewhere_is_refused(base, mask, word):
    files = Files()
    with pytest.raises(UnfitPicture, match=word):
        check(base, [asked(base, files, mask)], files)


def test_bases_for_inpainting_want_a_mask_and_a_mask_wants_a_picture(base, painter):
    plain = dict(base=painter.digest, prompt="x", seed=1, width=64, height=64)
    with pytest.raises(UnknownChoice, match="inpainting"):
        check(painter, [Recipe(**plain)])
    with pytest.raises(ValueError, match="no picture"):
        Recipe(**plain, mask="0" * 64)


# ---------------------------------------------------------------- regions


def test_shares_add_up_and_lie_where_the_boxes_are():
    left = Region(prompt="a", box=(0, 0, 0.5, 1), weight=0.8)
    lower = Region(prompt="b", box=(0, 0.5, 1, 1), weight=0.8)
    shares = region_shares((left, lower), None, 4, 4)
    assert np.allclose(shares.sum(0), 1, atol=1e-15)
    assert shares[:, 0, 3].tolist() == [1, 0, 0]
    assert shares[:, 0, 0].tolist() == pytest.approx([0.2, 0.8, 0])
    assert shares[:, 3, 0].tolist() == pytest.approx([0, 0.5, 0.5])


@pytest.mark.slow
def test_regions_paint_their_prompts_in_their_places_and_one_picture_in_any_batch(base):
    files = Files()
    plain = dict(base=base.digest, seed=7, steps=6, guidance=4.0, width=64, height=64, profile="fast")
    halves = (Region(prompt="mountains in ember colours", box=(0, 0, 0.5, 1)),)
    recipes = [
        Recipe(prompt="waves in ocean colours", regions=halves, **plain | {"seed": i}) for i in range(8)
    ]
    together = render(base, recipes, blob=files)
    alone = render(base, recipes[2:3], blob=files)[0]
    assert alone.tobytes() == together[2].tobytes()
    ember, ocean = (
        np.asarray(render(base, [Recipe(prompt=text, **plain | {"seed": 2})])[0], float)
        for text in ("mountains in ember colours", "waves in ocean colours")
    )
    mixed = np.asarray(alone, float)
    left, right = np.s_[:, :20], np.s_[:, 44:]
    assert np.abs(mixed - ember)[left].mean() < np.abs(mixed - ocean)[left].mean()
    assert np.abs(mixed - ocean)[right].mean() < np.abs(mixed - ember)[right].mean()


@pytest.mark.slow
@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_a_region_that_is_everything_is_its_prompt(tmp_path, family):
    "The average of one prediction is that prediction, pooled words and all."
    own = load_base(saved(family, tmp_path / family))
    plain = dict(base=own.digest, seed=7, steps=4, guidance=4.0, width=32, height=32, profile="fast")
    everywhere = (Region(prompt="mountains", box=(0, 0, 1, 1)),)
    expected = render(own, [Recipe(prompt="mountains", **plain)])[0]
    assert far(render(own, [Recipe(prompt="waves", regions=everywhere, **plain)])[0], expected) <= 1


@pytest.mark.slow
def test_regions_in_portable_and_with_chunks(base):
    files = Files()
    mask = Region(prompt="(a moon:1.2) BREAK " + "and stars, " * 30, mask=files.put(disc(64)), weight=0.6)
    plain = dict(base=base.digest, steps=2, width=64, height=64, prompt_syntax="a1111")
    recipes = [Recipe(prompt="waves", seed=i, regions=(mask,), **plain) for i in range(8)]
    together = render(base, recipes, blob=files)
    assert render(base, recipes[5:6], blob=files)[0].tobytes() == together[5].tobytes()


def test_what_a_region_says_is_read_as_prompts_are(base):
    plain = dict(base=base.digest, prompt="waves", seed=1, width=64, height=64)
    long = Recipe(regions=(Region(prompt="rings " * 99, box=(0, 0, 1, 0.5)),), **plain)
    with pytest.raises(PromptTooLong):
        check(base, [long])
    marked = Recipe(regions=(Region(prompt="(rings:1.2)", box=(0, 0, 1, 0.5)),), **plain)
    with pytest.raises(UnreadMarkup):
        check_new(base, [marked])
    tiny = Recipe(regions=(Region(prompt="rings", box=(0, 0, 0.01, 0.01)),), **plain)
    with pytest.raises(UnfitPicture, match="no cell"):
        check(base, [tiny])


@pytest.mark.parametrize("box", [(0.5, 0, 0.5, 1), (0, 1, 1, 0.5), None])
def test_a_region_is_somewhere(box):
    with pytest.raises(ValueError, match="no inside|a box or a mask"):
        Region(prompt="x", box=box)
