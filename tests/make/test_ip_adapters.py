"Pictures as prompts, held against diffusers' own pipelines, and refused where they can't be meant."

import copy
import hashlib

import pytest
import torch

from artmint.core.records import PicturePrompt, Recipe
from artmint.make.adapters import pack_tensors, unpack_tensors
from artmint.make.base import PickledWeights, fingerprint, load_base
from artmint.make.control import NotANetwork
from artmint.make.ip_adapters import image_encoder, read_encoder, read_ip_adapter
from artmint.make.render import check, render
from tests.families import saved
from tests.grown import Files, edges, encoder_file, far, ip_adapter, vision


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    "Tiny bases by their family, loaded when first asked for."
    known = {}

    def base(name):
        if name not in known:
            known[name] = load_base(saved(name, tmp_path_factory.mktemp(name)))
        return known[name]

    return base


def kept(files: Files, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    files[digest] = data
    return digest


def use(files: Files, unet, picture, plus: bool = False, weight: float = 0.7, seed: int = 1) -> PicturePrompt:
    "An IP-Adapter with its encoder and a picture, put into a studio."
    adapter = kept(files, ip_adapter(unet, seed, 32 if plus else 24, plus))
    encoder = kept(files, encoder_file(vision(3)))
    return PicturePrompt(adapter=adapter, encoder=encoder, picture=files.put(picture), weight=weight)


def asked(base, prompts, **more) -> Recipe:
    own = {"scheduler": "Euler"} if "XL" in type(base.pipeline).__name__ else {}
    facts = dict(base=base.digest, prompt="rings", seed=5, steps=4, guidance=4.0, width=32, height=32)
    return Recipe(**facts | {"profile": "fast", "picture_prompts": tuple(prompts)} | own | more)


def theirs(base, files, recipe, pictures):
    "What diffusers' own pipeline paints, its own reading of the pictures included."
    import diffusers
    from transformers import CLIPImageProcessor

    xl = "XL" in type(base.pipeline).__name__
    kind = diffusers.StableDiffusionXLPipeline if xl else diffusers.StableDiffusionPipeline
    parts = dict(copy.deepcopy(base.pipeline).components)
    parts |= {
        "image_encoder": vision(3),
        "feature_extractor": CLIPImageProcessor(size={"shortest_edge": 30}, crop_size=30),
    }
    pipe = kind(**parts, **({} if xl else {"requires_safety_checker": False}))
    scheduler = diffusers.EulerDiscreteScheduler if xl else diffusers.DDIMScheduler
    pipe.scheduler = scheduler.from_config(base.pipeline.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    states = []
    for prompt in recipe.picture_prompts:
        tensors = unpack_tensors(files[prompt.adapter])[0]
        sides = {
            side: {n.partition(".")[2]: t for n, t in tensors.items() if n.startswith(side)}
            for side in ("image_proj", "ip_adapter")
        }
        states.append(sides)
    pipe.unet._load_ip_adapter_weights(states)
    pipe.set_ip_adapter_scale([prompt.weight for prompt in recipe.picture_prompts])
    return pipe(
        recipe.prompt,
        ip_adapter_image=pictures,
        num_inference_steps=recipe.steps,
        guidance_scale=recipe.guidance,
        width=recipe.width,
        height=recipe.height,
        negative_prompt=None if xl else "",
        generator=torch.Generator().manual_seed(recipe.seed),
    ).images[0]


KINDS = [("sd1", (False, True)), ("sdxl", (False,)), ("sd1", (False,)), ("sd1", (True,)), ("sdxl", (True,))]


@pytest.mark.slow
@pytest.mark.parametrize(
    "family, pluses",
    [pytest.param(*kind, marks=() if i < 2 else pytest.mark.slow) for i, kind in enumerate(KINDS)],
)
def test_a_picture_is_read_as_diffusers_reads_it(bases, family, pluses):
    "Plain and plus ones, and both together; largest difference of a grey level: 1, from rounding to 8 bits."
    base, files = bases(family), Files()
    before = fingerprint(base.pipeline)
    pictures = [edges(40, 30, seed) for seed, _ in enumerate(pluses)]
    uses = [
        use(files, base.pipeline.unet, p, plus, seed=i + 1)
        for i, (p, plus) in enumerate(zip(pictures, pluses))
    ]
    recipe = asked(base, uses)
    ours = render(base, [recipe], blob=files)[0]
    assert far(ours, theirs(base, files, recipe, pictures)) <= 1
    assert far(ours, render(base, [asked(base, ())])[0]) > 10
    assert base.pipeline.unet.config.encoder_hid_dim_type is None
    assert fingerprint(base.pipeline) == before


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["fast", pytest.param("portable", marks=pytest.mark.slow)])
def test_alone_and_in_a_batch_of_eight(bases, profile):
    base, files = bases("sd1"), Files()
    uses = [use(files, base.pipeline.unet, edges(64, 48))]
    recipes = [asked(base, uses, seed=i, steps=2, profile=profile) for i in range(8)]
    together = render(base, recipes, blob=files)
    again = render(base, recipes[::-1], blob=files)
    assert [i.tobytes() for i in again[::-1]] == [i.tobytes() for i in together]
    assert render(base, recipes[4:5], blob=files)[0].tobytes() == together[4].tobytes()


def test_what_doesnt_fit_is_refused_before_anything_is_painted(bases, tmp_path):
    sd1, files = bases("sd1"), Files()
    good = use(files, sd1.pipeline.unet, edges(32, 32))
    large = use(files, bases("sdxl").pipeline.unet, edges(32, 32))
    narrow = kept(files, encoder_file(vision(3, projection_dim=16)))
    face = unpack_tensors(files[good.adapter])[0]
    face = {n.replace("image_proj.proj.", "image_proj.proj.0."): t for n, t in face.items()}
    for wrong, word in (
        (large, "base of another family"),
        (
            good.model_copy(update={"encoder": narrow}),
            "reads 24 numbers of a picture, and this image encoder gives 16",
        ),
        (good.model_copy(update={"adapter": kept(files, pack_tensors(face, {}))}), "for faces"),
        (good.model_copy(update={"adapter": good.encoder}), "only image_proj and ip_adapter belong there"),
        (good.model_copy(update={"encoder": good.adapter}), "no configuration"),
    ):
        with pytest.raises(NotANetwork, match=word):
            check(sd1, [asked(sd1, [wrong])], files)
    (tmp_path / "ip.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(PickledWeights):
        read_ip_adapter(tmp_path / "ip.bin", sd1.pipeline)


def test_an_encoders_folder_is_one_file_and_a_whole_clip_gives_its_eye(tmp_path):
    made = vision(3)
    made.save_pretrained(tmp_path / "eye")
    data = read_encoder(tmp_path / "eye")
    loaded = image_encoder(data)
    assert all(torch.equal(a, b) for a, b in zip(loaded.state_dict().values(), made.state_dict().values()))
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    text = dict(
        vocab_size=64, hidden_size=32, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4
    )
    both = CLIPModel(CLIPConfig(text_config=text, vision_config=made.config.to_dict(), projection_dim=24))
    both.save_pretrained(tmp_path / "clip")
    eye = image_encoder(read_encoder(tmp_path / "clip"))
    assert eye.config.projection_dim == 24
    assert torch.equal(eye.visual_projection.weight, both.visual_projection.weight)
    with pytest.raises(NotANetwork, match="no folder"):
        read_encoder(tmp_path / "nothing")
