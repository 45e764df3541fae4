"Merging: the layers that change are the file's, each by what the file says, or the file is refused by name."

import json
import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artmint.make.adapters import ALPHAS, NotAnAdapter, pack_tensors, peft_facts, unpack_tensors
from artmint.lora_train import train
from artmint.make.layouts import ROLES, to_kohya
from artmint.make.layouts import UNMERGED as UNMERGED_ROLES
from artmint.make.merging import changes_of, merge, summary
from artmint.train.settings import TrainConfig
from tests.adapters import (
    check_moves,
    dotted,
    kohya,
    layers,
    long_name,
    packed,
    processors,
    random_lora,
    state,
    twin,
    weight_of,
)
from tests.styles import SMALL, UNETS, painted
from tests.suites import some

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
MIXED = ("to_q", "to_out.0", "conv1", "conv2", "ff.net.2", "proj_in", "q_proj", "fc1", "conv_shortcut")


def merged(base, data: bytes, strength: float = 1.0, dtype=torch.float32):
    pipeline = twin(base, dtype)
    merge(pipeline, [(data, strength)])
    return pipeline


def wanted(base, lora, strength: float = 1.0):
    return {one.place: strength * one.delta(weight_of(base.pipeline, one.place).shape) for one in lora}


# ---------------------------------------------------------------- layouts


SIDES = {
    "peft": ("lora_A.weight", "lora_B.weight"),
    "peft, adapter's name in it": ("lora_A.default.weight", "lora_B.default.weight"),
    "diffusers of old": ("lora.down.weight", "lora.up.weight"),
    "diffusers' linear layers": ("lora_linear_layer.down.weight", "lora_linear_layer.up.weight"),
}


def written(layout: str, base, lora) -> bytes:
    "The same LoRA as one of the tools writes it."
    xl = "XL" in type(base.pipeline).__name__
    numbered = ("lora_unet", "lora_te1", "lora_te2")
    if layout in SIDES:
        tensors = dotted(lora, SIDES[layout])
    elif layout == "kohya for XL":
        tensors = kohya(lora, xl, numbered)
    elif layout == "kohya with dots (OneTrainer)":
        tensors = kohya(lora, False, numbered, ".")
    elif layout == "OMI":
        tensors = kohya(lora, True, ("unet", "clip_l", "clip_g"), ".")
    elif layout == "LyCORIS without kohya":
        tensors = kohya(lora, False, ("lycoris", *numbered[1:]))
    else:
        tensors = kohya(lora)
    if any(name.endswith(".alpha") for name in tensors):
        return packed(tensors)
    facts = {(one.place[0], long_name(one.place)): (len(one.down), one.alpha) for one in lora}
    return pack_tensors(tensors, {ALPHAS: peft_facts(facts)})


LAYOUTS = (
    "kohya",
    "kohya for XL",
    "kohya with dots (OneTrainer)",
    "OMI",
    "LyCORIS without kohya",
    *SIDES,
)


@pytest.mark.many(1)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_the_layers_that_change_are_the_files_and_as_strong(bases, name, layout):
    "Against the dense product by hand: ranks and alphas differ from layer to layer."
    base = bases(name)
    lora = random_lora(base, layers(base, *MIXED), ranks=(1, 2, 4), alphas=(1.0, 4.0, None, 0.5))
    check_moves(base, merged(base, written(layout, base, lora), 0.7), wanted(base, lora, 0.7))


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_layers_any_ranks_any_alphas_any_layout(bases, data):
    base = bases(data.draw(st.sampled_from(["sd1", "sdxl"])))
    places = data.draw(st.lists(st.sampled_from(layers(base)), min_size=1, max_size=6, unique=True))
    ranks = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=3))
    alphas = data.draw(st.lists(st.sampled_from([None, 0.25, 1.0, 3.0, 16.0]), min_size=1, max_size=3))
    strength = data.draw(st.sampled_from([-1.0, 0.3, 1.0, 2.0]))
    lora = random_lora(base, places, ranks, alphas, data.draw(st.integers(0, 9)))
    layout = data.draw(st.sampled_from(LAYOUTS))
    if layout in ("OMI", "kohya for XL"):
        lora = [one for one in lora if "text_projection" not in one.place[1]] or random_lora(
            base, [places[0]]
        )
    check_moves(base, merged(base, written(layout, base, lora), strength), wanted(base, lora, strength), 1e-5)


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_mixed_ranks_without_an_alpha_have_strength_one(bases, name):
    "A file that says nothing of alpha: alpha is the rank, of each layer its own."
    base = bases(name)
    lora = random_lora(base, layers(base, "to_q", "to_k", "q_proj"), ranks=(16, 4), alphas=(None,))
    check_moves(base, merged(base, packed(dotted(lora))), wanted(base, lora))
    assert "not said by the file" in summary(changes_of(base.pipeline, packed(dotted(lora))))["alpha"]
    assert summary(changes_of(base.pipeline, packed(kohya(lora))))["alpha"] == "4 to 16"


def test_attention_processors_of_old(bases):
    base = bases("sd1")
    lora = random_lora(
        base, [place for place in layers(base, *ATTENTION) if place[0] == "unet"], alphas=(None,)
    )
    check_moves(base, merged(base, packed(processors(lora))), wanted(base, lora))


@pytest.mark.many(1)
@pytest.mark.parametrize("start", ["", "base_model.model."])
@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_files_of_one_network_name_no_part(bases, start, part):
    "peft's save_pretrained and diffusers' save_lora_adapter, alpha in the header as they write it."
    base = bases("sd1")
    lora = random_lora(
        base, [place for place in layers(base, "to_q", "q_proj") if place[0] == part], (4,), (2.0,)
    )
    config = json.dumps({"peft_type": "LORA", "r": 4, "lora_alpha": 2, "use_rslora": False})
    data = pack_tensors(dotted(lora, start=start), {ALPHAS: config})
    check_moves(base, merged(base, data), wanted(base, lora))


def test_a_text_encoders_layers_of_xl_without_a_beginning_are_refused(bases):
    "Both encoders have them in one shape."
    base = bases("sdxl")
    lora = random_lora(base, [place for place in layers(base, "q_proj") if place[0] == "text_encoder"])
    with pytest.raises(NotAnAdapter, match="could be any of"):
        merge(twin(base), [(packed(dotted(lora, start="base_model.model.")), 1.0)])


def test_rank_stabilised_lora_is_as_strong_as_it_says(bases):
    base = bases("sd1")
    lora = random_lora(base, layers(base, "to_q"), (4,), (2.0,))
    config = {"unet.r": 4, "unet.lora_alpha": 2, "unet.use_rslora": True}
    data = pack_tensors(dotted(lora), {ALPHAS: json.dumps(config)})
    check_moves(base, merged(base, data), wanted(base, lora, math.sqrt(4)))


def test_a_header_may_name_layers_by_their_end(bases):
    "As peft reads its patterns; an expression is refused, and so is a rank that isn't the matrices'."
    base = bases("sd1")
    lora = random_lora(base, layers(base, "to_q", "to_k"), (4,), (4.0,))
    config = {"unet.r": 4, "unet.lora_alpha": 4, "unet.alpha_pattern": {"to_k": 8}}
    deltas = wanted(base, lora)
    deltas |= {place: 2 * delta for place, delta in deltas.items() if place[1].endswith("to_k")}
    check_moves(base, merged(base, pack_tensors(dotted(lora), {ALPHAS: json.dumps(config)})), deltas)
    for change, words in (({"unet.alpha_pattern": {".*to_k": 8}}, "expression"), ({"unet.r": 8}, "rank 8")):
        with pytest.raises(NotAnAdapter, match=words):
            merge(twin(base), [(pack_tensors(dotted(lora), {ALPHAS: json.dumps(config | change)}), 1.0)])


@pytest.mark.parametrize("form", ["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float64"])
def test_precisions_of_files(bases, form):
    base = bases("sd1")
    lora = random_lora(base, layers(base, "to_q"))
    for one in lora:
        one.down, one.up = (
            matrix.to(getattr(torch, form)).to(torch.float32) for matrix in (one.down, one.up)
        )
    tensors = {name: t.to(getattr(torch, form)) if t.dim() else t for name, t in kohya(lora).items()}
    check_moves(base, merged(base, packed(tensors)), wanted(base, lora))


def test_an_alpha_may_be_any_kind_of_number(bases):
    base = bases("sd1")
    lora = random_lora(base, layers(base, "to_q"), (2,), (4.0,))
    for alpha in (torch.tensor(4), torch.tensor([4.0]), torch.tensor(4.0, dtype=torch.bfloat16)):
        tensors = {name: alpha if name.endswith(".alpha") else t for name, t in kohya(lora).items()}
        check_moves(base, merged(base, packed(tensors)), wanted(base, lora))
    nothing = {name: torch.tensor(0.0) if name.endswith(".alpha") else t for name, t in kohya(lora).items()}
    check_moves(base, merged(base, packed(nothing)), {})


def test_linear_layers_and_convolutions_of_one_pixel_are_one(bases):
    "proj_in is a convolution in some bases and linear in others; files of either kind fit."
    base = bases("sd1")
    lora = random_lora(base, layers(base, "proj_in"))
    tensors = {name: t.flatten(1) if t.dim() == 4 else t for name, t in kohya(lora).items()}
    check_moves(base, merged(base, packed(tensors)), wanted(base, lora))


# ---------------------------------------------------------------- as peft merges, to the last bit


def by_peft(base, files, dtype):
    "diffusers' loader and peft's merging."
    pipeline = twin(base, dtype)
    networks = [part for part in ("unet", "text_encoder", "text_encoder_2") if getattr(pipeline, part, None)]
    for i, (data, _) in enumerate(files):
        tensors, facts = unpack_tensors(data)
        if not hasattr(pipeline.text_encoder, "text_model"):
            tensors = {name.replace("text_model.", "", 1): t for name, t in tensors.items()}
            facts = facts | {ALPHAS: facts[ALPHAS].replace("text_model.", "")}
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "a.safetensors").write_bytes(pack_tensors(tensors, facts))
            pipeline.load_lora_weights(folder, weight_name="a.safetensors", adapter_name=f"a{i}")
    pipeline.set_adapters([f"a{i}" for i in range(len(files))], [weight for _, weight in files])
    for part in networks:
        getattr(pipeline, part).to(dtype)
    adapted = [part for part in networks if getattr(getattr(pipeline, part), "peft_config", None)]
    with torch.no_grad():
        pipeline.fuse_lora(components=adapted, adapter_names=[f"a{i}" for i in range(len(files))])
    pipeline.unload_lora_weights()
    return pipeline


@pytest.mark.slow
@pytest.mark.parametrize("dtype", some([torch.float32, torch.float64, torch.bfloat16], [torch.float64]))
def test_the_sums_are_pefts_to_the_last_bit(bases, style, trained, tmp_path, dtype):
    "So pictures of recipes that are older than this loader are what they were."
    base = bases("sd1")
    other = train(style, base, TrainConfig(**SMALL | {"seed": 9}), tmp_path).read_bytes()
    files = [(trained("sd1"), 0.6), (other, -0.4)]
    pipeline = twin(base, dtype)
    merge(pipeline, files)
    ours, theirs = state(pipeline), state(by_peft(base, files, dtype))
    assert set(ours) == set(theirs)
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


# ---------------------------------------------------------------- refused


def cut(tensors, ending: str) -> dict:
    "Without the first tensor of an ending."
    first = next(name for name in tensors if name.endswith(ending))
    return {name: t for name, t in tensors.items() if name != first}


@pytest.mark.many(3)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_half_a_layer_is_refused(bases, layout):
    base = bases("sd1")
    lora = random_lora(base, layers(base, "to_q", "q_proj"))
    tensors, facts = unpack_tensors(written(layout, base, lora))
    for side in ("lora_A", "lora_B", "down", "up"):
        names = [name for name in tensors if f"{side}." in name]
        for name in names[:1]:
            data = pack_tensors({key: t for key, t in tensors.items() if key != name}, facts)
            with pytest.raises(NotAnAdapter, match="1 of its layers have one matrix of two"):
                merge(twin(base), [(data, 1.0)])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layers_that_the_base_lacks_are_refused_by_number(bases, layout):
    "Of a deeper model, beside good ones; nothing changes."
    base = bases("sd1")
    lora = random_lora(base, layers(base, "to_q", "q_proj"))
    tensors, facts = unpack_tensors(written(layout, base, lora))
    deeper = {}
    for name, tensor in tensors.items():
        if "attn1" in name:
            deeper[name.replace("attn1", "attn7")] = tensor.clone()
    count = len({name.rpartition("to_q")[0] for name in deeper})
    pipeline = twin(base)
    with pytest.raises(NotAnAdapter, match=f"{count} of its {len(lora) + count} layers aren't in this base"):
        merge(pipeline, [(pack_tensors(tensors | deeper, facts), 1.0)])
    check_moves(base, pipeline, {})


def test_layers_of_another_shape_are_refused_by_number(bases):
    base = bases("sd1")
    lora = random_lora(base, layers(base, "to_q"))
    for matrices in (("down", 1), ("up", 0)):
        tensors = kohya(lora)
        name = next(name for name in tensors if f"lora_{matrices[0]}" in name)
        tensors[name] = torch.cat([tensors[name]] * 2, matrices[1])
        with pytest.raises(NotAnAdapter, match="1 of its .* layers have another shape"):
            merge(twin(base), [(packed(tensors), 1.0)])


@pytest.mark.parametrize("given, other", [("sdxl", "sd1"), ("sd1", "sdxl")])
@pytest.mark.parametrize("layout", ["kohya for XL", "peft"])
def test_a_file_for_another_family_is_refused_by_both_names(bases, given, other, layout):
    lora = random_lora(bases(given), layers(bases(given), *MIXED, "attn2.to_k"))
    tensors, facts = unpack_tensors(written(layout, bases(given), lora))
    version = {"sd1": "sd_v1", "sdxl": "sdxl_base_v1-0"}[given]
    data = pack_tensors(tensors, facts | {"ss_base_model_version": version})
    with pytest.raises(
        NotAnAdapter, match="made for Stable Diffusion (1|XL), and the base is Stable Diffusion (XL|1)"
    ):
        merge(twin(bases(other)), [(data, 1.0)])


FLUX = "transformer.single_transformer_blocks.0.attn.to_q"
OTHERS = {
    "a checkpoint": ({"model.diffusion_model.out.2.weight": torch.ones(4, 4)}, "whole checkpoint"),
    "a UNet": ({"conv_in.weight": torch.ones(4, 4)}, "whole weights of 1 layers"),
    "an embedding": ({"emb_params": torch.ones(1, 32)}, "textual inversion"),
    "an embedding of diffusers": ({"<cat>": torch.ones(1, 32)}, "textual inversion"),
    "an embedding for XL": ({"clip_l": torch.ones(1, 32), "clip_g": torch.ones(1, 32)}, "textual inversion"),
    "ControlNet": ({"control_model.input_blocks.0.0.weight": torch.ones(4)}, "ControlNet"),
    "IP-Adapter": (
        {"image_proj.proj.weight": torch.ones(4), "ip_adapter.1.to_k_ip.weight": torch.ones(4)},
        "IP-Ad",
    ),
    "FLUX": ({f"{FLUX}.lora_{side}.weight": torch.ones(2, 2) for side in "AB"}, "made for FLUX"),
    "FLUX by kohya": (
        {
            f"lora_unet_double_blocks_0_img_attn_qkv.lora_{way}.weight": torch.ones(2, 2)
            for way in ("up", "down")
        },
        "made for FLUX",
    ),
    "SD3": (
        {
            f"transformer.transformer_blocks.0.attn.add_q_proj.lora_{side}.weight": torch.ones(2, 2)
            for side in "AB"
        },
        "made for Stable Diffusion 3",
    ),
    "words within": ({"bundle_emb.riso.emb_params": torch.ones(1, 32)}, "words of its own .'riso'"),
    "nothing known": ({"lora_unet_conv_in.zeta": torch.ones(1)}, "no adapter of a kind that is known"),
    "nothing": ({}, "empty"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_refused_for_what_they_are(bases, name):
    tensors, words = OTHERS[name]
    with pytest.raises(NotAnAdapter, match=words):
        merge(twin(bases("sd1")), [(packed(tensors), 1.0)])


UNMERGED = {
    "oft_blocks": "OFT",
    "a1.weight": "GLoRA",
    "boft_R": "BOFT",
    "oft_R.weight": "OFT",
    "ia3_l": "IA3 in peft's layout",
    "vera_lambda_b": "VeRA",
    "lora_B.bias": "LoRA with biases",
    "lora_embedding_A": "LoRA of a table of tokens",
    "scale_weight": "scaled fp8",
}


@pytest.mark.parametrize("ending", UNMERGED)
def test_what_is_not_merged_is_refused_by_its_name(bases, ending):
    with pytest.raises(NotAnAdapter, match=UNMERGED[ending]):
        merge(twin(bases("sd1")), [(packed({f"lora_unet_conv_in.{ending}": torch.ones(2, 2)}), 1.0)])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_matrices_that_are_no_numbers_are_refused(bases, value):
    base = bases("sd1")
    tensors = kohya(random_lora(base, layers(base, "to_q")))
    name = next(name for name in tensors if "lora_up" in name)
    tensors[name][0, 0] = value
    with pytest.raises(NotAnAdapter, match="1 of its tensors hold infinities or NaN"):
        merge(twin(base), [(packed(tensors), 1.0)])


@pytest.mark.parametrize("broken", [torch.tensor(1.0), torch.ones(0, 4), torch.ones(2, 4, dtype=torch.int8)])
def test_matrices_without_a_shape_or_of_whole_numbers_are_refused(bases, broken):
    base = bases("sd1")
    tensors = kohya(random_lora(base, layers(base, "to_q")))
    tensors[next(name for name in tensors if "lora_down" in name)] = broken
    with pytest.raises(NotAnAdapter, match="1 of its tensors are no matrices"):
        merge(twin(base), [(packed(tensors), 1.0)])


ENDINGS = (*ROLES, *UNMERGED_ROLES, "lora_down", "zeta", "bias")
SHAPES = st.sampled_from(
    [(), (0,), (1,), (2,), (32,), (2, 32), (32, 2), (32, 32), (2, 4, 3, 3), (32, 2, 1, 1), (1, 32)]
)
PLACES = st.sampled_from(
    [
        "lora_unet_conv_in",
        "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q",
        "text_encoder.text_model.encoder.layers.0.self_attn.q_proj",
        "lora_te_text_model_encoder_layers_0_layer_norm1",
        "base_model.model.conv_out",
        "lora_unet_nowhere",
        "bundle_emb.a",
        "",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(tensors=st.dictionaries(st.tuples(PLACES, st.sampled_from(ENDINGS)), SHAPES, max_size=4))
def test_any_file_is_merged_or_refused_and_a_refused_one_changes_nothing(bases, tensors):
    "Whatever tensors a file holds: no other error, and no half of it."
    base = bases("sd1")
    data = packed({f"{place}.{ending}": torch.ones(shape) for (place, ending), shape in tensors.items()})
    try:
        changes = changes_of(base.pipeline, data)
    except NotAnAdapter:
        return
    pipeline = twin(base)
    merge(pipeline, [(data, 1.0)])
    before, after = state(base.pipeline), state(pipeline)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed <= {f"{change.part}.{change.layer}.{change.tensor}" for change in changes}


def test_a_sum_beyond_the_precisions_range_is_refused(bases):
    base = bases("sd1")
    lora = random_lora(base, layers(base, "to_q"), alphas=(1e30,))
    with pytest.raises(NotAnAdapter, match="beyond the range"):
        merge(twin(base, torch.float16), [(packed(kohya(lora)), 1.0)])


def test_one_layer_by_two_names_is_refused(bases):
    base = bases("sdxl")
    lora = random_lora(base, layers(base, "attn1.to_q")[:1])
    with pytest.raises(NotAnAdapter, match="twice"):
        merge(twin(base), [(packed(kohya(lora) | kohya(lora, True)), 1.0)])


def test_a_base_without_a_network_that_denoises_takes_none():
    pipe = type("OtherPipeline", (), {})()
    with pytest.raises(NotAnAdapter, match="OtherPipeline has no network"):
        merge(pipe, [(packed({"a.lora_A.weight": torch.ones(1, 1)}), 1.0)])


def test_a_transformer_takes_what_fits_it_and_nothing_else(bases):
    pipe = bases("flux").pipeline
    wide = pipe.transformer.transformer_blocks[0].attn.to_q.weight.shape
    name = "transformer.transformer_blocks.0.attn.to_q"
    lora = {f"{name}.lora_A.weight": torch.ones(2, wide[1]), f"{name}.lora_B.weight": torch.ones(wide[0], 2)}
    ((change,),) = [changes_of(pipe, packed(lora))]
    assert (change.part, change.layer) == ("transformer", "transformer_blocks.0.attn.to_q")
    for wrong in (
        {"a.lora_A.weight": torch.ones(1, 1), "a.lora_B.weight": torch.ones(1, 1)},
        {k: v.T for k, v in lora.items()},
    ):
        with pytest.raises(NotAnAdapter, match="1 of its 1 layers"):
            merge(pipe, [(packed(wrong), 1.0)])


# ---------------------------------------------------------------- DoRA and LyCORIS, against LyCORIS' own package


@pytest.mark.parametrize("strength", [0.0, 0.4, 1.0, 1.5])
def test_dora_in_pefts_layout(bases, strength):
    "The whole way at strength 1, the base at strength 0, and in between on a line."
    base = bases("sd1")
    lora = random_lora(base, layers(base, "to_q", "conv1"))
    tensors, moves = dotted(lora), {}
    for one in lora:
        weight = weight_of(base.pipeline, one.place).detach().double()
        total = weight + one.delta(weight.shape)
        magnitude = torch.rand(len(weight)) + 0.5
        ones = (-1,) + (1,) * (weight.dim() - 1)
        full = magnitude.double().view(ones) * total / total.flatten(1).norm(dim=1).view(ones)
        name = next(name for name in tensors if tensors[name] is one.down).replace(
            "lora_A", "lora_magnitude_vector"
        )
        tensors[name] = magnitude if weight.dim() == 2 else magnitude.view(1, -1, 1, 1)
        moves[one.place] = strength * (full - weight)
    facts = {(one.place[0], one.place[1]): (2, 1.0) for one in lora}
    data = pack_tensors(tensors, {ALPHAS: peft_facts(facts)})
    check_moves(base, merged(base, data, strength), moves if strength else {})
    assert summary(changes_of(base.pipeline, data))["algorithms"] == {"LoRA with DoRA": len(lora)}


def test_a_header_that_says_dora_wants_magnitudes(bases):
    base = bases("sd1")
    data = pack_tensors(dotted(random_lora(base, layers(base, "to_q"))), {ALPHAS: '{"unet.use_dora": true}'})
    with pytest.raises(NotAnAdapter, match="no magnitudes"):
        merge(twin(base), [(data, 1.0)])


LAYERS = {
    "linear": "mid_block.attentions.0.transformer_blocks.0.ff.net.2",
    "conv": "mid_block.resnets.0.conv1",
}


def lycoris_file(base, kind: str, layer: str, **options):
    "A LyCORIS module with random matrices around a layer: its file, and the weights that it makes."
    from lycoris.modules.full import FullModule
    from lycoris.modules.ia3 import IA3Module
    from lycoris.modules.locon import LoConModule
    from lycoris.modules.loha import LohaModule
    from lycoris.modules.lokr import LokrModule
    from lycoris.modules.norms import NormModule

    classes = {"locon": LoConModule, "loha": LohaModule, "lokr": LokrModule, "full": FullModule}
    classes |= {"ia3": IA3Module, "norm": NormModule}
    torch.manual_seed(5)
    module = classes[kind](
        f"lora_unet_{layer.replace('.', '_')}", base.pipeline.unet.get_submodule(layer), **options
    )
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.rand_like(parameter) * 0.4 + 0.1)
        saved = {key.removeprefix("."): value.clone() for key, value in module.state_dict().items()}
        if kind == "full":
            saved = {"diff": module.weight.detach(), "diff_b": module.bias.detach()}
        elif kind != "ia3":
            saved = {key: value.detach().clone() for key, value in module.custom_state_dict().items()}
    return packed({f"{module.lora_name}.{key}": value for key, value in saved.items()}), module


CASES = [
    ("locon", "linear", {"lora_dim": 3, "alpha": 1}),
    ("locon", "conv", {"lora_dim": 3, "alpha": 2}),
    ("locon", "conv", {"lora_dim": 3, "alpha": 2, "use_tucker": True}),
    ("locon", "linear", {"lora_dim": 3, "alpha": 1, "weight_decompose": True}),
    ("locon", "linear", {"lora_dim": 3, "alpha": 1, "weight_decompose": True, "wd_on_out": False}),
    ("locon", "conv", {"lora_dim": 3, "alpha": 1, "weight_decompose": True}),
    ("locon", "conv", {"lora_dim": 3, "alpha": 1, "weight_decompose": True, "wd_on_out": False}),
    ("locon", "linear", {"lora_dim": 4, "alpha": 2, "rs_lora": True}),
    ("loha", "linear", {"lora_dim": 3, "alpha": 1}),
    ("loha", "conv", {"lora_dim": 3, "alpha": 2}),
    ("loha", "conv", {"lora_dim": 3, "alpha": 2, "use_tucker": True}),
    ("loha", "linear", {"lora_dim": 3, "alpha": 1, "weight_decompose": True}),
    ("lokr", "linear", {"lora_dim": 2, "alpha": 1}),
    ("lokr", "linear", {"lora_dim": 1, "alpha": 3, "decompose_both": True}),
    ("lokr", "linear", {"lora_dim": 64, "alpha": 7, "full_matrix": True}),
    ("lokr", "conv", {"lora_dim": 2, "alpha": 1}),
    ("lokr", "conv", {"lora_dim": 2, "alpha": 1, "use_tucker": True}),
    ("lokr", "linear", {"lora_dim": 2, "alpha": 1, "weight_decompose": True}),
    ("full", "linear", {}),
    ("full", "conv", {}),
    ("ia3", "linear", {}),
    ("ia3", "linear", {"train_on_input": True}),
    ("ia3", "conv", {}),
    ("ia3", "conv", {"train_on_input": True}),
]


@pytest.mark.many(3)
@pytest.mark.parametrize("kind, layer, options", CASES, ids=lambda value: str(value) if value else "plain")
def test_what_lycoris_writes_is_merged_as_lycoris_merges(bases, kind, layer, options):
    "Every algorithm of its package that is merged here, over a linear layer and a convolution."
    base = bases("sd1")
    data, module = lycoris_file(base, kind, LAYERS[layer], **options)
    weight = base.pipeline.unet.get_submodule(LAYERS[layer]).weight.detach()
    with torch.no_grad():
        theirs, _ = module.get_merged_weight(1.0, weight.shape)
        if kind in (
            "loha",
            "lokr",
        ):  # its merge counts alpha / rank twice; training, and all that load it, once
            theirs = weight + module.get_weight(weight.shape)
            theirs = module.apply_weight_decompose(theirs) if module.wd else theirs
    place = ("unet", LAYERS[layer])
    moved = merged(base, data)
    names = {"locon": "LoRA", "loha": "LoHa", "lokr": "LoKr", "ia3": "IA3", "full": "difference"}
    assert {change.algorithm.name for change in changes_of(base.pipeline, data)} == {names[kind]}
    full = theirs.view_as(weight).double()
    assert float((full - weight).abs().max()) > 1e-3
    name = f"unet.{place[1]}.weight"
    error = float((state(moved)[name].double() - full).abs().max() / full.abs().max())
    assert error <= 1e-6, error
    half = state(merged(base, data, 0.5))[name].double()
    line = weight.double() + 0.5 * (full - weight.double())
    assert float((half - line).abs().max() / full.abs().max()) <= 1e-6
    check_moves(base, merged(base, data, 0.0), {})


@pytest.mark.parametrize("algorithm", ["decomposed", "alpha over rank"])
def test_lokr_is_its_functional_form(bases, algorithm):
    "alpha / rank counts once: the functions of the package, without its modules."
    from lycoris.functional import lokr

    base = bases("sd1")
    weight = base.pipeline.unet.get_submodule(LAYERS["linear"]).weight.detach()
    made = torch.Generator().manual_seed(2)
    high, wide = weight.shape
    first = {"lokr_w1": torch.randn(2, 4, generator=made)}
    if algorithm == "decomposed":
        first = {
            "lokr_w1_a": torch.randn(2, 3, generator=made),
            "lokr_w1_b": torch.randn(3, 4, generator=made),
        }
    second = {
        "lokr_w2_a": torch.randn(high // 2, 3, generator=made),
        "lokr_w2_b": torch.randn(3, wide // 4, generator=made),
    }
    key = f"lora_unet_{LAYERS['linear'].replace('.', '_')}"
    tensors = {f"{key}.{name}": t for name, t in (first | second).items()} | {
        f"{key}.alpha": torch.tensor(1.0)
    }
    parts = [
        (first | second).get(f"lokr_{name}") for name in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")
    ]
    delta = lokr.kron_weight(*parts, scale=1.0, backend="torch") / 3
    check_moves(base, merged(base, packed(tensors)), {("unet", LAYERS["linear"]): delta.double()}, 1e-5)


def test_differences_of_norms_and_biases(bases):
    "Weights and biases of norms, by LyCORIS' names and by ComfyUI's; and a bias beside a LoRA."
    base = bases("sdxl")
    norm = "down_blocks.0.resnets.0.norm1"
    module = base.pipeline.unet.get_submodule(norm)
    conv = base.pipeline.unet.get_submodule("conv_in")
    steps = torch.rand(len(module.weight))
    lora = random_lora(base, [("unet", "conv_in")])
    tensors = {
        "lora_unet_input_blocks_1_0_in_layers_0.w_norm": steps,
        "lora_unet_input_blocks_1_0_in_layers_0.b_norm": 2 * steps,
        "lora_unet_input_blocks_0_0.diff_b": torch.ones(len(conv.bias)),
    } | kohya(lora, True)
    after = state(merged(base, packed(tensors), 0.5))
    before = state(base.pipeline)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {f"unet.{norm}.weight", f"unet.{norm}.bias", "unet.conv_in.weight", "unet.conv_in.bias"}
    assert torch.allclose(after[f"unet.{norm}.weight"], module.weight + 0.5 * steps)
    assert torch.allclose(after[f"unet.{norm}.bias"], module.bias + steps)
    assert torch.allclose(after["unet.conv_in.bias"], conv.bias + 0.5)


def test_a_bias_for_a_layer_without_one_is_refused(bases):
    base = bases("sd1")
    name = layers(base, "attn1.to_q")[0][1]
    with pytest.raises(NotAnAdapter, match="another shape"):
        merge(twin(base), [(packed({f"unet.{name}.diff_b": torch.ones(32)}), 1.0)])


# ---------------------------------------------------------------- several


def test_several_adapters_add_up_in_any_layout(bases):
    base = bases("sd1")
    one = random_lora(base, layers(base, "to_q", "to_k"), seed=1)
    two = random_lora(base, layers(base, "to_k", "to_v"), seed=2)
    pipeline = twin(base)
    merge(pipeline, [(packed(kohya(one)), 0.6), (written("peft", base, two), -0.4)])
    moves = wanted(base, one, 0.6)
    for place, delta in wanted(base, two, -0.4).items():
        moves[place] = moves.get(place, 0) + delta
    check_moves(base, pipeline, moves)


@pytest.mark.slow
@pytest.mark.parametrize("name", some(UNETS, ["sd1"]))
def test_nothing_is_printed_and_no_hook_stays(bases, trained, capfd, name):
    pipeline, data = twin(bases(name)), trained(name)
    capfd.readouterr()
    merge(pipeline, [(data, 1.0)])
    assert capfd.readouterr() == ("", "")
    assert not getattr(pipeline.unet, "peft_config", None)
    assert not [module for module in pipeline.unet.modules() if "peft" in type(module).__module__]


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize(
    "profile, layout", some([("fast", bytes), ("portable", bytes), ("fast", to_kohya)], [("fast", bytes)])
)
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


@pytest.mark.slow
def test_several_weighted_adapters(bases, style, trained, tmp_path):
    base = bases("sd1")
    other = train(style, base, TrainConfig(**SMALL | {"seed": 9}), tmp_path).read_bytes()
    both = painted(base, [(trained("sd1"), 0.6), (other, -0.4)])
    one = painted(base, [(trained("sd1"), 0.6)])
    none = painted(base, [])
    assert np.abs(both - one).max() > 2
    assert np.array_equal(painted(base, [(trained("sd1"), 0.0)]), none)
    assert np.array_equal(painted(base, []), none)
