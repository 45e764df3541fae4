"Schedulers, spacings, sizes and settings, held against diffusers' own pipelines; one picture alone or in a batch."

import json
import shutil
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from artmint.core.collection import Generation
from artmint.core.picture import pixel_digest
from artmint.core.records import Recipe, SecondPass
from artmint.make.base import load_base
from artmint.make.engine import noise
from artmint.make.render import check, check_new, render
from artmint.make.schedulers import (
    RESUMABLE,
    SCHEDULERS,
    UnknownChoice,
    scheduler_of,
    step_generators,
    step_seed,
    unpaintable,
)
from tests.families import refusals_of, saved
from tests.suites import some

CLASSES = {
    "Euler a": ("EulerAncestralDiscreteScheduler", {}),
    "DPM++ 2M": ("DPMSolverMultistepScheduler", {}),
    "DPM++ 2M SDE": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "DPM++ SDE": ("DPMSolverSinglestepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "UniPC": ("UniPCMultistepScheduler", {}),
    "LCM": ("LCMScheduler", {}),
    "Euler": ("EulerDiscreteScheduler", {}),
    "DDIM": ("DDIMScheduler", {}),
}
SPACINGS = {
    "own": {},
    "karras": {"use_karras_sigmas": True},
    "exponential": {"use_exponential_sigmas": True},
}


def recipe(base, seed: int = 3, **more) -> Recipe:
    facts = dict(prompt="rings in aurora colours", steps=4, guidance=4.0, width=32, height=32, profile="fast")
    return Recipe(**dict(base=base.digest, seed=seed) | facts | more)


def far(image, other) -> int:
    "Largest difference of two pictures, in grey levels."
    return int(np.abs(np.asarray(image).astype(int) - np.asarray(other)).max())


def plain(base, r: Recipe, scheduler=None) -> Image.Image:
    "What diffusers' own pipeline paints of a recipe, from the same noise."
    import diffusers

    more_parts = {} if hasattr(base.pipeline, "tokenizer_2") else {"requires_safety_checker": False}
    pipe = type(base.pipeline)(**base.pipeline.components, **more_parts)
    if scheduler is None:
        name, settings = CLASSES[r.scheduler]
        settings = settings | SPACINGS[r.schedule]
        scheduler = getattr(diffusers, name).from_config(base.pipeline.scheduler.config, **settings)
    pipe.scheduler = scheduler
    pipe.set_progress_bar_config(disable=True)
    scale = base.pipeline.vae_scale_factor
    latents = noise(r.seed, (1, pipe.unet.config.in_channels, r.height // scale, r.width // scale))
    settings = {
        "num_inference_steps": r.steps,
        "guidance_scale": r.guidance,
        "width": r.width,
        "height": r.height,
    }
    settings |= {"guidance_rescale": r.guidance_rescale, "negative_prompt": r.negative_prompt or None}
    generator = torch.Generator().manual_seed(step_seed(r.seed))
    return pipe(r.prompt, latents=torch.from_numpy(latents).float(), generator=generator, **settings).images[
        0
    ]


@pytest.mark.many(2)
@pytest.mark.parametrize("name", some(["sd1", "sd2", "sdxl"], ["sd1"]))
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_scheduler_paints_what_the_plain_pipeline_paints(bases, name, scheduler):
    base = bases(name)
    for r in (
        recipe(base, scheduler=scheduler),
        recipe(base, 4, scheduler=scheduler, negative_prompt="blurred"),
    ):
        image = render(base, [r])[0]
        assert far(image, plain(base, r)) <= 1
        assert np.asarray(image).std() > 1


@pytest.mark.many(1)
@pytest.mark.parametrize("schedule", some(["karras", "exponential"], ["karras"]))
@pytest.mark.parametrize(
    "scheduler", some([name for name, kind in SCHEDULERS.items() if kind.spaced], ["Euler", "DPM++ 2M SDE"])
)
def test_every_spacing_paints_what_the_plain_pipeline_paints(bases, scheduler, schedule):
    base = bases("sd2")
    r = recipe(base, scheduler=scheduler, schedule=schedule)
    image = render(base, [r])[0]
    assert far(image, plain(base, r)) <= 1
    assert far(image, render(base, [recipe(base, scheduler=scheduler)])[0]) > 0


@pytest.mark.slow
@pytest.mark.parametrize("share", some([0.3, 1.0], [0.3]))
@pytest.mark.parametrize("name", some(["sd2", "sdxl"], ["sdxl"]))
def test_rescaled_guidance_is_diffusers(bases, name, share):
    base = bases(name)
    r = recipe(base, guidance=9.0, guidance_rescale=share, negative_prompt="blurred")
    image = render(base, [r])[0]
    assert far(image, plain(base, r)) <= 1
    assert far(image, render(base, [recipe(base, guidance=9.0, negative_prompt="blurred")])[0]) > 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "scheduler", some([name for name, kind in SCHEDULERS.items() if kind.noisy], ["DPM++ SDE"])
)
def test_noise_between_steps_is_each_pictures_own(bases, scheduler):
    base = bases("sd1")
    kinds = [{}, {"hires": SecondPass(scale=1.5, strength=0.6)}]
    asked = [recipe(base, seed, scheduler=scheduler, **kinds[seed % 2]) for seed in range(4)]
    alone = [pixel_digest(render(base, [one])[0]) for one in asked]
    together = [pixel_digest(image) for image in render(base, asked[::-1])]
    assert together[::-1] == alone
    assert len(set(alone)) == 4
    assert scheduler not in RESUMABLE


@pytest.mark.slow
def test_half_precision_draws_the_same_noise(bases):
    base = bases("sdxl")
    pair = [recipe(base, scheduler="Euler a", profile=profile) for profile in ("fast", "half")]
    images = [render(base, [one])[0] for one in pair]
    assert np.abs(np.asarray(images[0]).astype(int) - np.asarray(images[1])).mean() < 6


def test_step_noise_is_not_the_first_noise():
    assert step_seed(7) not in (7, step_seed(8))
    assert all(0 <= step_seed(seed) < 2**32 for seed in (0, 1, 2**32 - 1))


@pytest.mark.slow
@pytest.mark.parametrize("size", [(72, 64), (104, 88), (8, 24)])
@pytest.mark.parametrize("scheduler", ["DDIM", pytest.param("Euler a", marks=pytest.mark.slow)])
def test_sizes_in_multiples_of_eight_are_painted_as_by_the_plain_pipeline(scheduler, size):
    base = load_base()
    r = recipe(base, width=size[0], height=size[1], steps=2, scheduler=scheduler)
    image = render(base, [r])[0]
    assert image.size == size
    assert far(image, plain(base, r)) <= 1


# ---------------------------------------------------------------- a base's own settings


def changed(tmp_path, name: str, files: dict[str, dict]):
    "A tiny base of which configurations say something else."
    folder = saved(name, tmp_path / "changed")
    for path, change in files.items():
        place = folder / path
        place.write_text(json.dumps(json.loads(place.read_text()) | change))
    return load_base(folder)


SCHEDULER = "scheduler/scheduler_config.json"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, change",
    [
        pytest.param("sd1", {"beta_schedule": "linear"}, marks=pytest.mark.slow),
        pytest.param("sd1", {"beta_schedule": "squaredcos_cap_v2"}, marks=pytest.mark.slow),
        pytest.param(
            "sd1", {"prediction_type": "v_prediction", "timestep_spacing": "trailing"}, marks=pytest.mark.slow
        ),
        pytest.param("sdxl", {"use_karras_sigmas": True}, marks=pytest.mark.slow),
        pytest.param("sdxl", {"timestep_spacing": "linspace", "steps_offset": 0}, marks=pytest.mark.slow),
        ("sdxl", {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}),
        pytest.param("sdxl", {"final_sigmas_type": "sigma_min"}, marks=pytest.mark.slow),
    ],
)
def test_a_schedulers_own_settings_are_honoured(tmp_path, name, change):
    base = changed(tmp_path, name, {SCHEDULER: change})
    for scheduler in ("DDIM", "Euler", "DPM++ 2M"):
        r = recipe(base, scheduler=scheduler)
        assert far(render(base, [r])[0], plain(base, r)) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["DPM++ 2M", pytest.param("UniPC", marks=pytest.mark.slow)])
def test_steps_that_rounding_makes_equal_are_made_all_the_same(tmp_path, scheduler):
    change = {
        "rescale_betas_zero_snr": True,
        "prediction_type": "v_prediction",
        "timestep_spacing": "trailing",
    }
    base = changed(tmp_path, "sdxl", {SCHEDULER: change})
    r = recipe(base, scheduler=scheduler, schedule="karras", steps=30, width=16, height=16)
    times = scheduler_of(base.pipeline.scheduler, r).timesteps.tolist()
    assert len(set(times)) < len(times)
    assert far(render(base, [r])[0], plain(base, r)) <= 1


@pytest.mark.parametrize(
    "own, prediction, word",
    [
        ("EulerDiscreteScheduler", {"prediction_type": "sample"}, "predicts"),
        ("DPMSolverMultistepScheduler", {"variance_type": "learned_range"}, "variance_type"),
    ],
)
def test_what_a_scheduler_cannot_use_is_refused_by_name(tmp_path, own, prediction, word):
    index = {"scheduler": ["diffusers", own]}
    base = changed(tmp_path, "sd1", {SCHEDULER: {"_class_name": own} | prediction, "model_index.json": index})
    asked = [recipe(base, scheduler=name) for name in ("Euler a", "DPM++ 2M", "DDIM")]
    said = refusals_of(base, asked)
    assert len(said) == 1 and word in said[0]
    assert far(render(base, asked[2:])[0], plain(base, asked[2])) <= 1


@pytest.mark.slow
def test_latents_are_spread_as_the_vae_says(tmp_path):
    spread = {"latents_mean": [-1.6, 1.1, 0.3, -0.2], "latents_std": [8.4, 5.7, 2.1, 4.0]}
    base = changed(tmp_path, "sdxl", {"vae/config.json": spread})
    r = recipe(base)
    image = render(base, [r])[0]
    assert far(image, plain(base, r)) <= 1


@pytest.mark.slow
def test_a_picture_is_encoded_with_the_same_spread(tmp_path):
    from diffusers import DDIMScheduler, StableDiffusionXLImg2ImgPipeline

    spread = {"latents_mean": [-0.6, 0.1, 0.3, -0.2], "latents_std": [0.9, 1.7, 1.1, 0.8]}
    base = changed(tmp_path, "sdxl", {"vae/config.json": spread})
    sketch = Image.fromarray(np.random.default_rng(1).integers(0, 255, (32, 32, 3), dtype=np.uint8))
    file = BytesIO()
    sketch.save(file, "PNG")
    r = recipe(base, init="0" * 64, strength=0.6)
    pipe = StableDiffusionXLImg2ImgPipeline(**base.pipeline.components)
    pipe.scheduler = DDIMScheduler.from_config(base.pipeline.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    # diffusers draws from the encoder's distribution, and here its mode is taken: so it is given the latents
    with torch.no_grad():
        code = pipe.vae.encode(pipe.image_processor.preprocess(sketch)).latent_dist.mode()
    mean, std = (torch.tensor(spread[key]).view(1, 4, 1, 1) for key in ("latents_mean", "latents_std"))
    settings = {"strength": 0.6, "num_inference_steps": r.steps, "guidance_scale": r.guidance}
    settings |= {"target_size": (32, 32), "original_size": (32, 32)}
    latents = (code - mean) * pipe.vae.config.scaling_factor / std
    generator = torch.Generator().manual_seed(r.seed)
    theirs = pipe(r.prompt, image=latents, generator=generator, **settings).images[0]
    assert far(render(base, [r], blob=lambda digest: file.getvalue())[0], theirs) <= 1


EDM = {"sigma_min": 0.002, "sigma_max": 80.0, "sigma_data": 0.5, "rho": 7.0, "prediction_type": "epsilon"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "own, schedule",
    [
        pytest.param("EDMDPMSolverMultistepScheduler", "own", marks=pytest.mark.slow),
        ("EDMEulerScheduler", "exponential"),
        pytest.param("EDMEulerScheduler", "own", marks=pytest.mark.slow),
        pytest.param("EDMDPMSolverMultistepScheduler", "karras", marks=pytest.mark.slow),
    ],
)
def test_a_base_trained_by_edm_is_painted_as_such(tmp_path, own, schedule):
    import diffusers

    folder = saved("sdxl", tmp_path / "edm")
    shutil.rmtree(folder / "scheduler")
    getattr(diffusers, own)(**EDM).save_pretrained(folder / "scheduler")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"scheduler": ["diffusers", own]}))
    base = load_base(folder)
    change = {} if schedule == "own" else {"sigma_schedule": schedule}
    for scheduler, kind in (("Euler", "EDMEulerScheduler"), ("DPM++ 2M", "EDMDPMSolverMultistepScheduler")):
        r = recipe(base, scheduler=scheduler, schedule=schedule)
        theirs = getattr(diffusers, kind).from_config(base.pipeline.scheduler.config, **change)
        assert far(render(base, [r])[0], plain(base, r, theirs)) <= 1
    for wrong in (
        {"scheduler": "DDIM"},
        {"scheduler": "UniPC"},
        {"scheduler": "DDIM", "profile": "portable"},
    ):
        (said,) = refusals_of(base, [recipe(base, **wrong)])
        assert "EDM" in said


@pytest.mark.slow
def test_a_consistency_model_is_told_its_guidance(tmp_path):
    from diffusers import LatentConsistencyModelPipeline, LCMScheduler

    from tests import families

    torch.manual_seed(0)
    pipe = families.sd1()
    parts = pipe.components | {"unet": families.unet(time_cond_proj_dim=16)}
    parts["scheduler"] = LCMScheduler.from_config(pipe.scheduler.config)
    folder = tmp_path / "lcm"
    LatentConsistencyModelPipeline(**parts, requires_safety_checker=False).save_pretrained(folder)
    base = load_base(folder)
    r = recipe(base, scheduler="LCM", guidance=8.0)
    own = LatentConsistencyModelPipeline.from_pipe(base.pipeline)
    own.set_progress_bar_config(disable=True)
    latents = torch.from_numpy(noise(r.seed, (1, 4, 16, 16))).float()
    settings = {"num_inference_steps": 4, "guidance_scale": 8.0, "width": 32, "height": 32}
    generator = torch.Generator().manual_seed(step_seed(r.seed))
    theirs = own(r.prompt, latents=latents, generator=generator, **settings).images[0]
    image = render(base, [r])[0]
    assert far(image, theirs) <= 1
    assert far(image, render(base, [recipe(base, scheduler="LCM", guidance=2.0)])[0]) > 0
    (said,) = refusals_of(base, [recipe(base, scheduler="LCM", negative_prompt="blurred")])
    assert "distilled" in said
    assert "steps" in refusals_of(base, [recipe(base, scheduler="LCM", steps=60)])[0]


@pytest.mark.parametrize(
    "name, files, word",
    [
        ("sd1", {SCHEDULER: {"prediction_type": "flow_prediction"}}, "flow"),
        ("sd1", {"vae/config.json": {"latents_mean": [0.0] * 4, "latents_std": [1.0] * 4}}, "latents_mean"),
        (
            "sdxl",
            {
                "model_index.json": {
                    "_class_name": "StableDiffusionXLImg2ImgPipeline",
                    "requires_aesthetics_score": True,
                }
            },
            "refiner",
        ),
    ],
)
def test_what_the_loop_would_ignore_is_refused_by_name(tmp_path, name, files, word):
    base = changed(tmp_path, name, files)
    assert word in refusals_of(base, [recipe(base)])[0]
    with pytest.raises(UnknownChoice, match=word):
        render(base, [recipe(base)])


@pytest.mark.many(1)
@pytest.mark.parametrize(
    "change, word",
    [
        ({"class_embed_type": "timestep"}, "class_embed_type"),
        ({"num_class_embeds": 4}, "num_class_embeds"),
        ({"out_channels": 8}, "channels"),
        ({"in_channels": 9}, "from noise"),
        ({"encoder_hid_dim_type": "image_proj", "encoder_hid_dim": 8}, "encoder_hid_dim_type"),
        ({"time_embedding_type": "fourier"}, "time_embedding_type"),
        ({"addition_embed_type": "text", "addition_embed_type_num_heads": 8}, "addition_embed_type"),
    ],
)
def test_a_unet_that_needs_what_nobody_gives_is_refused_by_name(tmp_path, change, word):
    from tests import families

    folder = saved("sd1", tmp_path / "changed")
    shutil.rmtree(folder / "unet")
    families.unet(**change).save_pretrained(folder / "unet")
    base = load_base(folder)
    assert word in refusals_of(base, [recipe(base)])[0]


def test_a_unet_that_learnt_flow_matching_is_refused(tmp_path):
    from diffusers import FlowMatchEulerDiscreteScheduler

    folder = saved("sd1", tmp_path / "flow")
    shutil.rmtree(folder / "scheduler")
    FlowMatchEulerDiscreteScheduler().save_pretrained(folder / "scheduler")
    index = json.loads((folder / "model_index.json").read_text())
    own = {"scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"]}
    (folder / "model_index.json").write_text(json.dumps(index | own))
    base = load_base(folder)
    assert "FlowMatchEulerDiscreteScheduler" in refusals_of(base, [recipe(base)])[0]


@pytest.mark.slow
def test_a_base_whose_own_scheduler_draws_noise_draws_none_unasked(tmp_path):
    change = {"_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "sde-dpmsolver++"}
    index = {"scheduler": ["diffusers", "DPMSolverMultistepScheduler"]}
    base = changed(tmp_path, "sd1", {SCHEDULER: change, "model_index.json": index})
    r = recipe(base, scheduler="DPM++ 2M")
    assert render(base, [r])[0].tobytes() == render(base, [r])[0].tobytes()
    assert scheduler_of(base.pipeline.scheduler, r).config.algorithm_type == "dpmsolver++"


# ---------------------------------------------------------------- refusals before anything is made


@pytest.mark.many(1)
@pytest.mark.parametrize(
    "change, word",
    [
        ({"scheduler": "Eular"}, "Eular"),
        ({"scheduler": "Euler a"}, "portable"),
        ({"scheduler": "DDIM", "schedule": "karras"}, "karras"),
        ({"scheduler": "Euler a", "profile": "fast", "schedule": "karras"}, "karras"),
        ({"scheduler": "own"}, "profile"),
        ({"scheduler": "own", "profile": "half", "clip_skip": 2}, "clip_skip"),
        ({"init": "0" * 64, "strength": 0.3, "steps": 3}, "4 steps"),
        ({"hires": {"scale": 2, "strength": 0.05}, "steps": 16}, "20 steps"),
        ({"hires": {"scale": 2, "strength": 0.3, "steps": 3}}, "4 steps"),
    ],
)
def test_a_plan_says_what_no_base_could_paint(change, word):
    (said,) = unpaintable(Generation.model_validate_json(json.dumps({"width": 64, "height": 64} | change)))
    assert word in said
    facts = {"base": load_base().digest, "prompt": "x", "seed": 1, "width": 64, "height": 64} | change
    one = Recipe.model_validate_json(json.dumps(facts))
    with pytest.raises(UnknownChoice):
        render(load_base(), [one], blob=lambda digest: b"")


@pytest.mark.slow
def test_guidance_that_leads_away_from_the_prompt_is_refused_of_new_work_alone(bases):
    "What diffusers calls 0 is 1 here; a recipe that was painted so is painted so again."
    base = bases("sd1")
    for guidance in (0.0, 0.5):
        (said,) = unpaintable(Generation(width=64, height=64, guidance=guidance))
        assert "the prompt alone" in said
        old = recipe(base, guidance=guidance)
        with pytest.raises(UnknownChoice, match="the prompt alone"):
            check_new(base, [recipe(base), old])
        assert render(base, [old])[0].size == old.size
    assert unpaintable(Generation(width=64, height=64, guidance=1.0)) == []
    check_new(base, [recipe(base, guidance=1.0)])
    own = {"guidance": 0.0, "scheduler": "own", "profile": "fast"}
    assert unpaintable(Generation(width=64, height=64, **own)) == []
    check_new(bases("flux"), [recipe(bases("flux"), **own)])


def test_sound_settings_have_nothing_said_of_them(bases):
    assert unpaintable(Generation(width=64, height=64)) == []
    assert unpaintable(Generation(width=64, height=64, init="0" * 64, strength=0.5, steps=2)) == []
    base = bases("sd1")
    assert refusals_of(base, [recipe(base, scheduler=name) for name in SCHEDULERS]) == []


@pytest.mark.slow
def test_one_step_over_a_picture_is_made(bases):
    base = bases("sd1")
    file = BytesIO()
    Image.new("RGB", (32, 32), (200, 60, 30)).save(file, "PNG")
    blob = lambda digest: file.getvalue()  # noqa: E731
    for scheduler in SCHEDULERS:
        r = recipe(base, init="0" * 64, strength=0.25, steps=4, scheduler=scheduler)
        assert np.asarray(render(base, [r], blob=blob)[0]).std() > 0


def test_names_are_known_without_torch():
    import subprocess
    import sys

    code = "import sys; import artmint.make.schedulers; print('torch' in sys.modules or 'diffusers' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_noise_between_the_steps_as_other_programs_draw_it():
    own = {"prompt": "", "seed": 7, "width": 64, "height": 64, "profile": "fast"}
    asked = [Recipe(base="a" * 64, scheduler="Euler a", **own)]
    stream = torch.randn(32, generator=torch.Generator("cpu").manual_seed(7))
    (restarted,) = step_generators(asked, 16, "restarted")
    (continued,) = step_generators(asked, 16, "continued")
    (own,) = step_generators(asked, 16)
    drawn = [torch.randn(16, generator=one) for one in (restarted, continued, own)]
    assert torch.equal(drawn[0], stream[:16])
    assert torch.equal(drawn[1], stream[16:])
    assert not torch.equal(drawn[2], drawn[0])
    assert not torch.equal(drawn[2], drawn[1])
    assert step_generators([asked[0].model_copy(update={"scheduler": "Euler"})], 16, "restarted") is None
    with pytest.raises(UnknownChoice, match="restarted"):
        step_generators(asked, 16, "elsewhere")


@pytest.mark.slow
def test_unipc_in_portable_computes_in_float64_what_fast_computes_in_float32():
    base = load_base()
    asked = [recipe(base, scheduler="UniPC", steps=6, profile=profile) for profile in ("portable", "fast")]
    exact, rounded = (scheduler_of(base.pipeline.scheduler, one) for one in asked)
    assert exact.sigmas.dtype == torch.float64
    assert torch.allclose(exact.sigmas.float(), rounded.sigmas, rtol=1e-4)
    assert torch.equal(exact.timesteps, rounded.timesteps)
    pictures = [render(base, [one])[0] for one in asked]
    assert far(*pictures) <= 1


@pytest.mark.parametrize("change", [{"use_karras_sigmas": True}, {"final_sigmas_type": "sigma_min"}])
def test_portable_refuses_a_base_whose_own_spacing_it_has_no_float64_for(tmp_path, change):
    base = changed(tmp_path, "sd1", {SCHEDULER: change})
    with pytest.raises(UnknownChoice, match="own spacing"):
        scheduler_of(base.pipeline.scheduler, recipe(base, scheduler="UniPC", profile="portable"))


def test_portable_refuses_other_spacings_in_words():
    base = load_base()
    asked = recipe(base, scheduler="UniPC", schedule="karras", profile="portable")
    with pytest.raises(UnknownChoice, match=r"schedule \(profile portable\)"):
        check(base, [asked])
