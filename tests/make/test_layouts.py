"Layouts: names, bits and pictures survive kohya's layout, and every name means one layer."

import json

import numpy as np
import pytest
import torch

from artmint.make.adapters import ALPHAS, NotAnAdapter, layers_of, pack_tensors, peft_facts, unpack_tensors
from artmint.make.base import load_base
from artmint.make.layouts import (
    base_family,
    family_of,
    from_kohya,
    layer_key,
    original_name,
    places_of,
    to_kohya,
)
from artmint.make.merging import merge
from tests.adapters import dotted, layers, long_name, random_lora
from tests.styles import UNETS, painted, sha
from tests.suites import some

# ---------------------------------------------------------------- exchange


@pytest.mark.slow
@pytest.mark.parametrize("name", some(UNETS, ["sd1"]))
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


@pytest.mark.many(1)
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
        "down_blocks.0.resnets.0.norm7",
        "mid_block.nothing.0.conv1",
    ):
        with pytest.raises(NotAnAdapter, match="no layer"):
            original_name(layer)


@pytest.mark.slow
@pytest.mark.parametrize("name", some(UNETS, ["sd1"]))
def test_alpha_is_not_lost(bases, trained, name):
    "Alpha 2 at rank 4 is half as strong as alpha 4; a loader that drops it can't tell them apart."
    base = bases(name)
    tensors, facts = unpack_tensors(trained(name))
    config = json.loads(facts[ALPHAS]) | {"unet.lora_alpha": 4.0}
    louder = pack_tensors(tensors, facts | {ALPHAS: json.dumps(config)})
    wanted = painted(base, [(trained(name), 1.0)])
    assert np.abs(painted(base, [(louder, 0.5)]) - wanted).max() <= 1
    assert np.abs(painted(base, [(to_kohya(louder), 0.5)]) - wanted).max() <= 1


def test_half_an_adapter_has_no_kohya_layout():
    with pytest.raises(NotAnAdapter, match="one matrix of two"):
        to_kohya(pack_tensors({"unet.a.lora_A.weight": torch.zeros(2, 4)}, {}))
    with pytest.raises(NotAnAdapter, match="no LoRA matrix"):
        to_kohya(pack_tensors({"weight": torch.zeros(2, 4)}, {}))


@pytest.mark.slow
def test_rank_stabilised_lora_is_exported_as_strong_as_it_is(bases):
    "alpha / sqrt(rank) is alpha · sqrt(rank) / rank to A1111 and ComfyUI; pictures of both files are one."
    base = bases("sd1")
    lora = random_lora(base, layers(base, "to_q"), (4,), (2.0,))
    config = json.dumps({"unet.r": 4, "unet.lora_alpha": 2, "unet.use_rslora": True})
    data = pack_tensors(dotted(lora), {ALPHAS: config})
    tensors, facts = unpack_tensors(to_kohya(data))
    assert {float(tensor) for name, tensor in tensors.items() if name.endswith(".alpha")} == {4.0}
    assert ALPHAS not in facts
    assert np.array_equal(painted(base, [(data, 1.0)]), painted(base, [(to_kohya(data), 1.0)]))


@pytest.mark.slow
def test_mixed_ranks_are_exported_as_strong_as_they_are(bases):
    base = bases("sd1")
    lora = random_lora(base, layers(base, "to_q", "to_k"), (16, 4))
    data = pack_tensors(dotted(lora), {})
    alphas = {
        name: float(t) for name, t in unpack_tensors(to_kohya(data))[0].items() if name.endswith(".alpha")
    }
    assert sorted(set(alphas.values())) == [4.0, 16.0]
    assert np.array_equal(painted(base, [(data, 1.0)]), painted(base, [(to_kohya(data), 1.0)]))


def test_dora_has_no_export(bases):
    "A1111 would norm it in the other direction."
    base = bases("sd1")
    tensors = dotted(random_lora(base, layers(base, "to_q")[:1]))
    name = next(iter(tensors)).replace("lora_A.weight", "lora_magnitude_vector")
    with pytest.raises(NotAnAdapter, match="DoRA"):
        to_kohya(pack_tensors(tensors | {name: torch.ones(32)}, {}))


def test_a_header_of_two_parts_keeps_their_ranks_apart(bases):
    base = bases("sd1")
    lora = random_lora(base, layers(base, "to_q", "q_proj"), (2,), (1.0,))
    facts = {
        (one.place[0], long_name(one.place)): (2, 1.0 if one.place[0] == "unet" else 3.0) for one in lora
    }
    tensors = unpack_tensors(to_kohya(pack_tensors(dotted(lora), {ALPHAS: peft_facts(facts)})))[0]
    assert {name.split("_")[1]: float(t) for name, t in tensors.items() if name.endswith(".alpha")} == {
        "unet": 1.0,
        "te": 3.0,
    }


# ---------------------------------------------------------------- names


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl"])
def test_a_name_with_a_beginning_means_one_layer(bases, name):
    "Only names without one, and peft's, may mean either text encoder."
    for key, places in places_of(bases(name).pipeline).items():
        if key.startswith(("lora_", "unet_", "text_encoder", "clip_", "lycoris_", "diffusion_model_")):
            assert len(places) == 1, key
        assert len({part for part, _ in places}) == len(places), key


class Shapes:
    "A pipeline of networks without weights."

    def __init__(self, **networks):
        vars(self).update(networks)


def test_the_names_of_real_networks_are_kohyas():
    "Stable Diffusion XL's UNet in its own size, without weights: 722 + 794 modules with weights, no two of one name."
    from accelerate import init_empty_weights
    from diffusers import UNet2DConditionModel

    with init_empty_weights():
        unet = UNet2DConditionModel(
            block_out_channels=(320, 640, 1280),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=(5, 10, 20),
            cross_attention_dim=2048,
            transformer_layers_per_block=(1, 2, 10),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
        )
    places = places_of(Shapes(unet=unet))
    for ours, theirs in SDXL.items():
        for name in (
            f"lora_unet_{theirs}",
            f"unet.{theirs}",
            f"lora_unet_{ours}",
            f"diffusion_model.{theirs}",
        ):
            assert places[layer_key(name)] == [("unet", ours)]
    modules = [name for name, module in unet.named_modules() if getattr(module, "weight", None) is not None]
    assert all(len(found) == 1 for found in places.values())
    assert {place[1] for found in places.values() for place in found} == set(modules)
    stability = {
        key for key in places if key.startswith(("lora_unet_input", "lora_unet_middle", "lora_unet_output"))
    }
    assert len(stability) + len(("conv_out", "conv_norm_out", "time", "time", "label", "label")) == len(
        modules
    )


def test_families_of_headers_names_and_widths(bases):
    assert (
        family_of({}, {"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}) == "Stable Diffusion XL"
    )
    assert family_of({}, {"ss_base_model_version": "sd_v1"}) == "Stable Diffusion 1"
    assert family_of({"lora_te2_text_model_a.alpha": torch.ones(())}, {}) == "Stable Diffusion XL"
    reads = {"lora_unet_down_blocks_0_attn2_to_k.lora_down.weight": torch.ones(4, 1024)}
    assert family_of(reads, {}) == "Stable Diffusion 2"
    assert family_of({"a.alpha": torch.ones(())}, {}) == ""
    assert base_family(bases("sdxl").pipeline) == "Stable Diffusion XL"
    assert base_family(bases("flux").pipeline) == "FluxPipeline"
