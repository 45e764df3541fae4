"ControlNets held against diffusers' own pipelines, and refused where they can't be meant."

import hashlib
import json

import pytest
import torch

from artmint.core.records import ControlUse, Recipe, SecondPass
from artmint.make.adapters import pack_tensors
from artmint.make.base import PickledWeights, load_base
from artmint.make.control import NotANetwork, control_network, network_config, pack_network, read_control
from artmint.make.regions import UnfitPicture
from artmint.make.render import check, render
from artmint.make.schedulers import UnknownChoice
from tests.families import saved
from tests.grown import Files, control, control_file, edges, far


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    "Tiny bases by their family, loaded when first asked for."
    known = {}

    def base(name):
        if name not in known:
            known[name] = load_base(saved(name, tmp_path_factory.mktemp(name)))
        return known[name]

    return base


def use(files: Files, made, picture, **more) -> ControlUse:
    "A ControlNet and the picture that it follows, put into a studio."
    data = made if isinstance(made, bytes) else control_file(made)
    digest = hashlib.sha256(data).hexdigest()
    files[digest] = data
    return ControlUse(digest=digest, picture=files.put(picture), **more)


def asked(base, controls, **more) -> Recipe:
    own = {"scheduler": "Euler"} if "XL" in type(base.pipeline).__name__ else {}
    facts = dict(base=base.digest, prompt="rings", seed=5, steps=6, guidance=4.0, width=32, height=32)
    return Recipe(**facts | {"profile": "fast", "controls": tuple(controls)} | own | more)


def theirs(base, nets, pictures, recipe):
    "What diffusers' own pipeline paints."
    import diffusers

    xl = "XL" in type(base.pipeline).__name__
    kind = (
        diffusers.StableDiffusionXLControlNetPipeline if xl else diffusers.StableDiffusionControlNetPipeline
    )
    parts = dict(base.pipeline.components)
    more = {} if xl else {"requires_safety_checker": False}
    one = (lambda values: values) if len(nets) > 1 else (lambda values: values[0])
    pipe = kind(**parts, controlnet=one(nets), **more)
    scheduler = diffusers.EulerDiscreteScheduler if xl else diffusers.DDIMScheduler
    pipe.scheduler = scheduler.from_config(base.pipeline.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    uses = recipe.controls
    follow = {"controlnet_conditioning_scale": one([c.weight for c in uses]), "image": one(pictures)}
    follow |= {"control_guidance_start": one([c.start for c in uses])}
    follow |= {"control_guidance_end": one([c.end for c in uses])}
    sides = {"width": recipe.width, "height": recipe.height, "negative_prompt": None if xl else ""}
    steps = {"num_inference_steps": recipe.steps, "guidance_scale": recipe.guidance}
    generator = torch.Generator().manual_seed(recipe.seed)
    return pipe(recipe.prompt, generator=generator, **steps, **sides, **follow).images[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "family, count",
    [
        ("sd1", 2),
        pytest.param("sd1", 1, marks=pytest.mark.slow),
        ("sdxl", 1),
        pytest.param("sdxl", 2, marks=pytest.mark.slow),
    ],
)
def test_a_picture_is_followed_as_diffusers_follows_it(bases, family, count):
    "Weights and spans included; largest difference of a grey level: 1, from rounding to 8 bits."
    base, files = bases(family), Files()
    nets = [control(base.pipeline.unet, seed) for seed in (1, 2)][:count]
    pictures = [edges(32, 32, seed) for seed in (1, 2)][:count]
    spans = [dict(weight=1.0, end=0.7), dict(weight=0.6, start=0.3)]
    uses = [use(files, net, picture, **span) for net, picture, span in zip(nets, pictures, spans)]
    recipe = asked(base, uses)
    ours = render(base, [recipe], blob=files)[0]
    assert far(ours, theirs(base, nets, pictures, recipe)) <= 1
    assert far(ours, render(base, [asked(base, ())])[0]) > 20


@pytest.mark.parametrize("profile", ["fast", pytest.param("portable", marks=pytest.mark.slow)])
def test_alone_and_in_a_batch_of_eight(bases, profile):
    base, files = bases("sd1"), Files()
    uses = [use(files, control(base.pipeline.unet, 1), edges(64, 64))]
    recipes = [asked(base, uses, seed=i, steps=2, profile=profile, guidance=1.0 + i) for i in range(8)]
    together = render(base, recipes, blob=files)
    again = render(base, recipes[::-1], blob=files)
    assert [i.tobytes() for i in again[::-1]] == [i.tobytes() for i in together]
    assert render(base, recipes[4:5], blob=files)[0].tobytes() == together[4].tobytes()


@pytest.mark.slow
def test_another_weight_or_picture_is_another_picture_of_the_same_network(bases):
    "One ControlNet is loaded for all of them, and each follows what its own recipe says."
    base, files = bases("sd1"), Files()
    made = control_file(control(base.pipeline.unet, 1))
    uses = [use(files, made, edges(32, 32, seed), weight=w) for seed, w in ((0, 1.0), (0, 0.5), (3, 1.0))]
    recipes = [asked(base, [one], steps=2) for one in uses]
    assert len({image.tobytes() for image in render(base, recipes, blob=files)}) == 3
    apart = [render(base, [recipe], blob=files)[0].tobytes() for recipe in recipes]
    assert apart == [image.tobytes() for image in render(base, recipes, blob=files)]


@pytest.mark.slow
def test_a_second_pass_follows_at_its_own_size(bases):
    base, files = bases("sd1"), Files()
    uses = [use(files, control(base.pipeline.unet, 1), edges(64, 64))]
    second = SecondPass(scale=2, strength=1.0, steps=2)
    with_, without = (
        render(base, [asked(base, u, hires=second, steps=2)], blob=files)[0] for u in (uses, ())
    )
    assert with_.size == (64, 64)
    assert far(with_, without) > 10


# ---------------------------------------------------------------- what is refused, before anything is painted


def refused(base, files, controls, word, error=NotANetwork, **more):
    with pytest.raises(error, match=word):
        check(base, [asked(base, controls, **more)], files)


def test_a_control_net_of_another_family_or_grid_is_refused(bases):
    sd1, files = bases("sd1"), Files()
    large = use(files, control(bases("sdxl").pipeline.unet, 1), edges(32, 32))
    refused(sd1, files, [large], "base of another family: its cross_attention_dim is 64, and this base's 32")
    coarse = use(files, control(sd1.pipeline.unet, 1, shrinks=3), edges(32, 32))
    refused(sd1, files, [coarse], "shrinks its picture by 8, and this base's VAE shrinks by 2")
    flat = use(files, control(sd1.pipeline.unet, 1), edges(64, 32))
    refused(sd1, files, [flat], "would be squeezed.*32x32", UnfitPicture)


def test_the_bundled_base_says_why_stable_diffusions_own_dont_fit():
    base, files = load_base(), Files()
    common = use(files, control(base.pipeline.unet, 1, shrinks=3), edges(64, 64))
    refused(base, files, [common], "by 8, and this base's VAE shrinks by 4", width=64, height=64)


@pytest.mark.slow
def test_families_without_a_unet_take_none(bases):
    flux, files = bases("flux"), Files()
    some = use(files, control(bases("sd1").pipeline.unet, 1), edges(32, 32))
    refused(flux, files, [some], "a base with a UNet", UnknownChoice, scheduler="own")


def test_a_broken_or_changed_file_is_refused(bases):
    unet = bases("sd1").pipeline.unet
    made = control(unet, 1)
    config = {**made.config, "_class_name": "ControlNetModel"}
    tensors = made.state_dict()
    short = {name: tensor for name, tensor in tensors.items() if "mid_block.resnets.0" not in name}
    for data, word in (
        (pack_network(short, config), "it lacks 'mid_block"),
        (pack_network(tensors | {"more": torch.zeros(1)}, config), "a layer too many, 'more'"),
        (pack_network(tensors, config | {"cross_attention_dim": 64}), "of another shape is"),
        (pack_network(tensors, config | {"_class_name": "ControlNetUnionModel"}), "ControlNetUnionModel"),
        (pack_network(tensors, config | {"down_block_types": ["Odd", "Odd"]}), "makes no network"),
        (pack_tensors(tensors, {}), "no configuration"),
        (b"junk", "no safetensors"),
    ):
        with pytest.raises(NotANetwork, match=word):
            control_network(data)


def test_a_span_that_ends_before_it_begins_is_none():
    with pytest.raises(ValueError, match="it would do nothing"):
        ControlUse(digest="0" * 64, picture="1" * 64, start=0.5, end=0.5)


# ---------------------------------------------------------------- into one file


def test_a_folder_and_a_lone_file_become_one_file(bases, tmp_path):
    pipeline = bases("sd1").pipeline
    made = control(pipeline.unet, 1)
    made.save_pretrained(tmp_path / "net")
    data = read_control(tmp_path / "net", pipeline)
    assert network_config(data, "ControlNet")["block_out_channels"] == [32, 64]
    loaded = control_network(data)
    assert all(torch.equal(a, b) for a, b in zip(loaded.state_dict().values(), made.state_dict().values()))
    again = tmp_path / "elsewhere"
    made.half().float().save_pretrained(again)
    assert read_control(again, pipeline) != data
    alone = tmp_path / "net" / "diffusion_pytorch_model.safetensors"
    assert control_network(read_control(alone, pipeline)).config.block_out_channels == [32, 64]
    with pytest.raises(NotANetwork, match="another family|another base"):
        read_control(alone, bases("sdxl").pipeline)


def test_pickles_code_and_missing_parts_are_refused(bases, tmp_path):
    pipeline = bases("sd1").pipeline
    folder = tmp_path / "net"
    control(pipeline.unet, 1).save_pretrained(folder)
    (tmp_path / "old.pth").write_bytes(b"\x80\x04.")
    with pytest.raises(PickledWeights):
        read_control(tmp_path / "old.pth", pipeline)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "evil.Net"}}))
    with pytest.raises(NotANetwork, match="names code"):
        read_control(folder, pipeline)
    (folder / "config.json").unlink()
    with pytest.raises(NotANetwork, match="no config.json"):
        read_control(folder, pipeline)
    (tmp_path / "lora.safetensors").write_bytes(pack_tensors({"a": torch.zeros(2)}, {}))
    with pytest.raises(NotANetwork, match="no layers that read a picture"):
        read_control(tmp_path / "lora.safetensors", pipeline)
