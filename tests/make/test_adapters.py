"Adapter files: bytes, headers, rank and alpha, and folders as peft and diffusers write them."

import json
import struct

import pytest
import torch

from artmint.make.adapters import (
    ALPHAS,
    NotAnAdapter,
    alpha_of,
    header_of,
    keep_adapter,
    pack_tensors,
    peft_config,
    read_adapter,
    unpack_tensors,
)
from artmint.make.base import PickledWeights
from artmint.make.merging import merge
from artmint.studio.catalog import Catalog
from tests.adapters import check_moves, layers, twin
from tests.suites import some


def pair(rank: int = 4) -> dict[str, torch.Tensor]:
    return {
        "conv_in.lora_A.weight": torch.ones(rank, 4, 3, 3),
        "conv_in.lora_B.weight": torch.ones(32, rank, 1, 1),
    }


def test_a_folder_of_peft_is_read_with_its_alpha(tmp_path):
    (tmp_path / "adapter_model.safetensors").write_bytes(pack_tensors(pair(), {}))
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 2, "use_rslora": True}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    (tmp_path / "README.md").write_text("Mine.")
    for path in (tmp_path, tmp_path / "adapter_model.safetensors"):
        tensors, facts = unpack_tensors(read_adapter(path))
        assert peft_config(facts, "unet").lora_alpha == 2
        assert alpha_of(facts, "unet", "conv_in", 4) == 4.0
    link = tmp_path.parent / f"{tmp_path.name}-link"
    link.symlink_to(tmp_path)
    assert read_adapter(link) == read_adapter(tmp_path)


@pytest.mark.parametrize("part", some(["unet", "text_encoder"], ["unet"]))
def test_what_peft_itself_saves_is_as_strong_as_it_was(bases, tmp_path, part):
    "save_pretrained of a network that peft wrapped, rank-stabilised and with patterns."
    from peft import LoraConfig, get_peft_model

    base = bases("sd1")
    target = {"unet": "to_q", "text_encoder": "q_proj"}[part]
    config = LoraConfig(r=4, lora_alpha=2, target_modules=[target], use_rslora=True, init_lora_weights=False)
    wrapped = get_peft_model(getattr(twin(base), part), config)
    wrapped.save_pretrained(tmp_path)
    wanted = {}
    for place in [place for place in layers(base, target) if place[0] == part]:
        layer = wrapped.base_model.model.get_submodule(place[1])
        wanted[place] = layer.get_delta_weight("default").detach().double()
    pipeline = twin(base)
    merge(pipeline, [(read_adapter(tmp_path), 1.0)])
    check_moves(base, pipeline, wanted)


@pytest.mark.parametrize("save", ["save_lora_weights", "save_lora_adapter"])
def test_what_diffusers_itself_saves_is_as_strong_as_it_was(bases, tmp_path, save):
    from diffusers import StableDiffusionPipeline
    from diffusers.training_utils import _collate_lora_metadata
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    base = bases("sd1")
    pattern = {"mid_block.attentions.0.transformer_blocks.0.attn1.to_q": 16}
    config = LoraConfig(
        r=4, lora_alpha=3, target_modules=["to_q"], alpha_pattern=pattern, init_lora_weights=False
    )
    unet = twin(base).unet
    unet.add_adapter(config)
    if save == "save_lora_weights":
        metadata = _collate_lora_metadata({"unet": unet})
        layers_state = get_peft_model_state_dict(unet)
        StableDiffusionPipeline.save_lora_weights(tmp_path, unet_lora_layers=layers_state, **metadata)
    else:
        unet.save_lora_adapter(tmp_path)
    wanted = {}
    for place in layers(base, "to_q"):
        wanted[place] = unet.get_submodule(place[1]).get_delta_weight("default").detach().double()
    pipeline = twin(base)
    merge(pipeline, [(read_adapter(tmp_path), 1.0)])
    check_moves(base, pipeline, wanted)


def test_folders_that_dont_say_which_file_are_refused(tmp_path):
    with pytest.raises(NotAnAdapter, match="holds none"):
        read_adapter(tmp_path)
    for epoch in range(2):
        (tmp_path / f"style-{epoch}.safetensors").write_bytes(pack_tensors(pair(), {}))
    with pytest.raises(NotAnAdapter, match="style-0.safetensors, style-1.safetensors"):
        read_adapter(tmp_path)
    (tmp_path / "pytorch_lora_weights.safetensors").write_bytes(pack_tensors(pair(), {}))
    (tmp_path / "optimizer.bin").write_bytes(b"never read")
    assert read_adapter(tmp_path) == pack_tensors(pair(), {})


def test_pickles_missing_files_and_other_kinds_of_peft_are_refused(tmp_path):
    (tmp_path / "adapter_model.bin").write_bytes(b"pickle")
    for path in (tmp_path, tmp_path / "adapter_model.bin"):
        with pytest.raises(PickledWeights):
            read_adapter(path)
    with pytest.raises(NotAnAdapter, match="no file"):
        read_adapter(tmp_path / "none.safetensors")
    (tmp_path / "adapter_model.safetensors").write_bytes(pack_tensors(pair(), {}))
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LOHA"}')
    with pytest.raises(NotAnAdapter, match="LOHA"):
        read_adapter(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{")
    with pytest.raises(NotAnAdapter, match="broken"):
        read_adapter(tmp_path)


BROKEN = (
    "{",
    "[1]",
    "3",
    '{"unet.r": "x"}',
    '{"r": [4]}',
    '{"alpha_pattern": [1]}',
    '{"rank_pattern": {"a": "b"}}',
)


@pytest.mark.parametrize("text", BROKEN)
def test_a_header_that_is_broken_is_refused(text):
    with pytest.raises(NotAnAdapter, match="no configuration of peft's"):
        alpha_of({ALPHAS: text}, "unet", "conv_in", 4)


def test_alpha_is_the_rank_where_nothing_says_it():
    assert alpha_of({}, "unet", "conv_in", 16) == 16.0
    assert alpha_of({ALPHAS: '{"unet.r": 16}'}, "unet", "conv_in", 16) == 16.0
    assert alpha_of({ALPHAS: '{"text_encoder.lora_alpha": 2}'}, "unet", "conv_in", 16) == 16.0


@pytest.mark.parametrize("metadata", ["null", "{}"])
def test_a_header_without_metadata_is_an_empty_one(metadata):
    header = f'{{"__metadata__": {metadata}, "a": {{"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}}}'.encode()
    data = struct.pack("<Q", len(header)) + header + bytes(4)
    assert unpack_tensors(data)[1] == header_of(data) == {}


def test_no_safetensors_file_is_refused():
    with pytest.raises(NotAnAdapter, match="no safetensors"):
        unpack_tensors(b"PK\3\4")


def test_a_studio_keeps_an_adapter_once(tmp_path):
    catalog = Catalog(tmp_path)
    data = pack_tensors(pair(), {})
    assert keep_adapter(catalog, "riso", data) == keep_adapter(catalog, "riso", data)
    assert len(list(catalog.rows("adapter"))) == 1
