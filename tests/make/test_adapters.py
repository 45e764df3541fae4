"Adapters: alpha, lineage and pictures survive every layout."

import json

import numpy as np
import pytest
import torch

from artmint.core.records import Recipe
from artmint.lora_train import train
from artmint.make.adapters import (
    ALPHAS,
    NotAnAdapter,
    from_kohya,
    layers_of,
    merge,
    original_name,
    pack_tensors,
    pack_word,
    peft_facts,
    to_kohya,
    unpack_tensors,
)
from artmint.make.base import load_base
from artmint.make.render import render
from artmint.train.settings import TrainConfig
from tests.styles import SMALL, UNETS, painted, sha

# ---------------------------------------------------------------- exchange


@pytest.mark.parametrize("name", UNETS)
def test_kohya_and_back_changes_no_bit_and_no_picture(bases, trained, name):
    base = bases(name)
    data = trained(name)
    kohya = to_kohya(data)
    back, facts = unpack_tensors(from_kohya(kohya, base.pipeline))
    own, own_facts = unpack_tensors(data)
    assert set(back) == set(own)
    assert all(torch.equal(back[name], own[name]) for name in own)
    assert sha(to_kohya(from_kohya(kohya, base.pipeline))) == sha(kohya)
    assert facts == own_facts
    plain = painted(base, [])
    ours = painted(base, [(data, 1.0)])
    theirs = painted(base, [(kohya, 1.0)])
    assert np.abs(ours - plain).max() > 8
    assert np.abs(ours - theirs).max() <= 1


ALPHA: dict[tuple[str, str], float] = {}


def everywhere(base, targets: tuple[str, ...]) -> bytes:
    "A random adapter for every layer of a base that diffusers' loader knows, alphas of their own."
    make = torch.Generator().manual_seed(3)
    tensors = {}
    layers = {}
    for part in ("unet", "text_encoder", "text_encoder_2"):
        network = getattr(base.pipeline, part, None)
        for name, module in network.named_modules() if network is not None else ():
            if not name.endswith(targets) or not hasattr(module, "weight"):
                continue
            wide = module.weight.shape[1]
            high = module.weight.shape[0]
            kernel = tuple(module.weight.shape[2:])
            layer = f"text_model.{name}" if part != "unet" and not name.startswith("text_model.") else name
            tensors[f"{part}.{layer}.lora_A.weight"] = torch.randn(2, wide, *kernel, generator=make) * 0.2
            tensors[f"{part}.{layer}.lora_B.weight"] = (
                torch.randn(high, 2, *(1 for _ in kernel), generator=make) * 0.2
            )
            layers[part, layer] = (2, ALPHA.setdefault((part, layer), 1.0 + len(layers) % 3))
    family = (
        "stable-diffusion-xl-v1-base/lora"
        if "XL" in type(base.pipeline).__name__
        else "stable-diffusion-v1/lora"
    )
    return pack_tensors(tensors, {ALPHAS: peft_facts(layers), "modelspec.architecture": family})


@pytest.mark.parametrize(
    "name, targets",
    [
        ("sd1", ("to_q", "to_out.0", "conv1", "q_proj", "out_proj")),
        (
            "sdxl",
            (
                "to_q",
                "to_out.0",
                "net.2",
                "proj_in",
                "conv1",
                "conv2",
                "time_emb_proj",
                "conv_shortcut",
                "q_proj",
                "out_proj",
            ),
        ),
    ],
)
def test_every_kind_of_layer_goes_to_kohya_and_back(bases, name, targets):
    "Names, bits and pictures; the text encoders' layers are called as every tool calls them."
    base = bases(name)
    ours = everywhere(base, targets)
    kohya = to_kohya(ours)
    names = set(unpack_tensors(kohya)[0])
    assert from_kohya(kohya, base.pipeline) == ours
    assert any(
        n.startswith(("lora_te_text_model_encoder_layers_0", "lora_te1_text_model_encoder_layers_0"))
        for n in names
    )
    if name == "sdxl":
        assert not [n for n in names if "down_blocks" in n or "mid_block" in n or "up_blocks" in n]
        assert any(n.startswith("lora_te2_text_model_") for n in names)
    for file in (ours, kohya):
        moved = load_base(base.folder)
        merge(moved.pipeline, [(file, 0.7)])
        for (part, layer), sides in layers_of(unpack_tensors(ours)[0]).items():
            before, after = (getattr(of.pipeline, part) for of in (base, moved))
            short = part != "unet" and not hasattr(before, "text_model")
            own = layer.removeprefix("text_model.") if short else layer
            weight = before.get_submodule(own).weight
            product = sides["lora_B"].flatten(1) @ sides["lora_A"].flatten(1)
            wanted = weight + 0.7 * ALPHA[part, layer] / 2 * product.view_as(weight)
            assert torch.allclose(after.get_submodule(own).weight, wanted, atol=1e-5), layer


# Names as kohya's own files for SDXL have them.
SDXL = {
    "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q": "input_blocks.4.1.transformer_blocks.0.attn1.to_q",
    "down_blocks.2.attentions.1.proj_in": "input_blocks.8.1.proj_in",
    "mid_block.attentions.0.transformer_blocks.9.ff.net.2": "middle_block.1.transformer_blocks.9.ff.net.2",
    "mid_block.resnets.1.conv2": "middle_block.2.out_layers.3",
    "up_blocks.0.attentions.2.transformer_blocks.0.attn2.to_k": "output_blocks.2.1.transformer_blocks.0.attn2.to_k",
    "up_blocks.1.attentions.0.proj_out": "output_blocks.3.1.proj_out",
    "down_blocks.0.resnets.1.conv1": "input_blocks.2.0.in_layers.2",
    "down_blocks.1.downsamplers.0.conv": "input_blocks.6.0.op",
    "up_blocks.0.upsamplers.0.conv": "output_blocks.2.2.conv",
    "up_blocks.2.resnets.0.conv_shortcut": "output_blocks.6.0.skip_connection",
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "add_embedding.linear_1": "label_emb.0.0",
}


def test_stabilitys_names_of_sdxl():
    assert {layer: original_name(layer) for layer in SDXL} == SDXL
    for layer in (
        "down_blocks",
        "class_embedding",
        "down_blocks.0.resnets.0.norm1",
        "mid_block.nothing.0.conv1",
    ):
        with pytest.raises(NotAnAdapter, match="no layer"):
            original_name(layer)


@pytest.mark.parametrize("name", UNETS)
def test_alpha_is_not_lost(bases, trained, name):
    "Alpha 2 at rank 4 is half as strong as alpha 4; a loader that drops it can't tell them apart."
    base = bases(name)
    tensors, facts = unpack_tensors(trained(name))
    config = json.loads(facts[ALPHAS]) | {"unet.lora_alpha": 4.0}
    louder = pack_tensors(tensors, facts | {ALPHAS: json.dumps(config)})
    wanted = painted(base, [(trained(name), 1.0)])
    assert np.abs(painted(base, [(louder, 0.5)]) - wanted).max() <= 1
    assert np.abs(painted(base, [(to_kohya(louder), 0.5)]) - wanted).max() <= 1


@pytest.mark.parametrize("profile, layout", [("fast", bytes), ("portable", bytes), ("fast", to_kohya)])
def test_merged_is_what_diffusers_applies(bases, trained, tmp_path, profile, layout):
    "Against the plain pipeline with the adapter loaded and not merged, in peft's and in kohya's layout."
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    base = bases("sd1")
    (tmp_path / "a.safetensors").write_bytes(layout(trained("sd1")))
    plain = StableDiffusionPipeline.from_pretrained(
        base.folder, torch_dtype=torch.float32, safety_checker=None
    )
    plain.load_lora_weights(tmp_path, weight_name="a.safetensors", adapter_name="a")
    plain.set_adapters(["a"], [0.7])
    plain.scheduler = DDIMScheduler.from_config(base.pipeline.scheduler.config)
    theirs = plain(
        "rings",
        num_inference_steps=3,
        guidance_scale=4.0,
        width=32,
        height=32,
        generator=torch.Generator().manual_seed(5),
        output_type="np",
    ).images[0]
    assert (
        np.abs(
            painted(base, [(layout(trained("sd1")), 0.7)], profile=profile)[1] - (theirs * 255).round()
        ).max()
        <= 1
    )


def test_several_weighted_adapters(bases, style, trained, tmp_path):
    base = bases("sd1")
    other = train(style, base, TrainConfig(**SMALL | {"seed": 9}), tmp_path).read_bytes()
    both = painted(base, [(trained("sd1"), 0.6), (other, -0.4)])
    one = painted(base, [(trained("sd1"), 0.6)])
    none = painted(base, [])
    assert np.abs(both - one).max() > 2
    assert np.array_equal(painted(base, [(trained("sd1"), 0.0)]), none)
    assert np.array_equal(painted(base, []), none)


HOSTILE = {
    "no safetensors": (b"PK\3\4", "no safetensors"),
    "empty": (pack_tensors({}, {}), "empty"),
    "other layers": (
        pack_tensors(
            {
                "unet.nowhere.to_q.lora_A.weight": torch.zeros(2, 4),
                "unet.nowhere.to_q.lora_B.weight": torch.zeros(4, 2),
            },
            {},
        ),
        None,
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_adapter_is_refused(bases, name):
    data, word = HOSTILE[name]
    with pytest.raises(NotAnAdapter, match=word):
        painted(bases("sd1"), [(data, 1.0)])


def test_half_an_adapter_has_no_kohya_layout():
    with pytest.raises(NotAnAdapter, match="one matrix of two"):
        to_kohya(pack_tensors({"unet.a.lora_A.weight": torch.zeros(2, 4)}, {}))
    with pytest.raises(NotAnAdapter, match="no LoRA matrix"):
        to_kohya(pack_tensors({"weight": torch.zeros(2, 4)}, {}))


# ---------------------------------------------------------------- words


def test_an_embedding_seed_is_a_word_of_the_prompt(bases):
    base = bases("sd1")
    vector = torch.randn(2, 32, generator=torch.Generator().manual_seed(1))
    word = pack_word(pack_tensors({"emb_params": vector}, {}), "<studio>")

    def paint(prompt, files):
        recipe = Recipe(
            base=base.digest,
            prompt=prompt,
            seed=3,
            steps=3,
            guidance=4.0,
            width=32,
            height=32,
            profile="fast",
            embeddings=tuple(sha(f) for f in files),
        )
        return np.asarray(render(base, [recipe], blob={sha(f): f for f in files}.get)[0])

    assert np.array_equal(paint("rings", [word]), paint("rings", []))
    assert not np.array_equal(paint("<studio> rings", [word]), paint("<studio> rings", []))
    with pytest.raises(NotAnAdapter, match="doesn't name its word"):
        pack_word(pack_tensors({"emb_params": vector}, {}))
    with pytest.raises(NotAnAdapter, match="wide"):
        paint("rings", [pack_tensors({"<w>": torch.zeros(1, 8)}, {})])
