"Generators: what is read and what is refused, one picture for one recipe, the numbers of PyTorch's own layers."

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from artmint.core.picture import pixel_digest
from artmint.core.records import UnreadFields
from artmint.make.base import NotFinite, PickledWeights
from artmint.make.engine import noise
from artmint.make.generators import (
    BATCH,
    CONFIG,
    GRAPH,
    WEIGHTS,
    GeneratorConfig,
    NotAGenerator,
    UnreadPrompt,
    condition_of,
    latent_of,
    load_generator,
    read_prompt,
)
from artmint.make.graphs import NotAGraph, onnx_version
from artmint.make.schedulers import UnknownChoice
from tests.generators import DCGAN, LAYERED, as_graph, recipe, written

needs_onnx = pytest.mark.skipif(
    not onnx_version(), reason="onnxruntime isn't installed: pip install 'artmint[onnx]'"
)


@pytest.fixture(scope="module")
def layered(tmp_path_factory):
    return load_generator(written(tmp_path_factory.mktemp("layered"), LAYERED))


# ---------------------------------------------------------------- words and latents


def test_every_condition_has_one_prompt_and_every_prompt_one_condition(layered):
    config = layered.config
    seen = {}
    for motif in config.words["motif"]:
        for ground in config.words["ground"]:
            prompt = f"{motif} on {ground}"
            said = read_prompt(config, prompt)
            assert said == {"motif": motif, "ground": ground} and config.prompt.format(**said) == prompt
            seen[condition_of(config, said).tobytes()] = prompt
    assert len(seen) == 6
    for other in ("rings  on night", "Rings on night", "rings on night.", "on night", "", "rings on night\n"):
        with pytest.raises(UnreadPrompt, match="rings, waves"):
            read_prompt(config, other)


def test_the_longest_word_is_read_where_one_begins_another():
    config = GeneratorConfig.model_validate_json(
        json.dumps(LAYERED | {"words": {"motif": ["ring", "rings", "ring of"], "ground": ["a", "b", "c"]}})
    )
    assert read_prompt(config, "ring of on a")["motif"] == "ring of"
    assert read_prompt(config, "rings on b")["motif"] == "rings"


def test_a_latent_is_the_houses_noise_and_truncation_keeps_its_order(layered):
    free = layered.config.model_copy(update={"truncation": None})
    assert np.array_equal(latent_of(free, 5), noise(5, (16,)).astype(np.float32))
    tight = layered.config.model_copy(update={"truncation": 0.5})
    many = np.concatenate([latent_of(tight, seed) for seed in range(200)])
    plain = np.concatenate([latent_of(free, seed) for seed in range(200)])
    assert np.abs(many).max() <= 0.5 and (np.argsort(many) == np.argsort(plain)).mean() > 0.99
    # The middle of a normal distribution, cut at 0.5, has a standard deviation of 0.2841.
    assert abs(many.std() - 0.2841) < 0.01
    few = free.model_copy(update={"latent": 3})
    assert np.array_equal(latent_of(few, 5), noise(5, (16,))[:3].astype(np.float32))


# ---------------------------------------------------------------- networks


class Tutorial(nn.Module):
    "The generator of PyTorch's DCGAN tutorial, in miniature."

    def __init__(self):
        super().__init__()
        first = [nn.ConvTranspose2d(20, 8, 4, 1, 0, bias=False), nn.BatchNorm2d(8), nn.ReLU(True)]
        second = [nn.ConvTranspose2d(8, 4, 4, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(True)]
        last = [nn.ConvTranspose2d(4, 3, 4, 2, 1, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*first, *second, *last)


def test_a_dcgan_of_pytorchs_tutorial_is_read_as_it_was_saved(tmp_path):
    torch.manual_seed(0)
    net = Tutorial()
    net.train()
    for _ in range(3):
        net.main(torch.randn(8, 20, 1, 1))  # so that its running statistics are its own
    net.eval()
    written(tmp_path, DCGAN)
    save_file(net.state_dict(), tmp_path / WEIGHTS)
    generator = load_generator(tmp_path)
    asked = recipe(generator, "a face", 9)
    image, fault = generator.paint(asked)
    with torch.no_grad():
        theirs = net.double().main(
            torch.from_numpy(latent_of(generator.config, 9)).double()[None, :, None, None]
        )
    levels = ((theirs[0].permute(1, 2, 0) + 1) * 127.5).round().to(torch.uint8).numpy()
    assert not fault and np.array_equal(np.asarray(image), levels)


def test_words_move_the_picture_and_a_seed_does_too(layered):
    pictures = [
        pixel_digest(layered.paint(recipe(layered, prompt, seed))[0])
        for prompt in ("rings on night", "waves on night", "rings on slate")
        for seed in (1, 2)
    ]
    assert len(set(pictures)) == 6


def test_alone_or_among_others_a_picture_is_the_same_in_both_precisions(layered):
    for profile in ("portable", "fast"):
        asked = [recipe(layered, "rings on night", seed, profile=profile) for seed in range(BATCH)]
        alone = [pixel_digest(load_generator(layered.origin).paint(one)[0]) for one in asked]
        backwards = [pixel_digest(image) for image in layered.render(asked[::-1])][::-1]
        assert layered.batches(asked) == [list(range(BATCH))]
        assert alone == backwards == [pixel_digest(image) for image in layered.render(asked)]
        assert len(set(alone)) == BATCH


# ---------------------------------------------------------------- digests


def test_the_digest_is_of_weights_and_words_and_of_no_name(layered, tmp_path):
    folder = shutil.copytree(layered.origin, tmp_path / "copy")
    facts = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(facts | {"name": "another"}))
    assert load_generator(folder).digest == layered.digest
    for change in (
        {"truncation": 1.0},
        {"prompt": "{ground} under {motif}"},
        {"words": LAYERED["words"] | {"motif": ["waves", "rings"]}},
    ):
        (folder / CONFIG).write_text(json.dumps(facts | change))
        assert load_generator(folder).digest != layered.digest
    (folder / CONFIG).write_text(json.dumps(facts))
    tensors = load_file(folder / WEIGHTS)
    save_file({name: tensor.half().double() for name, tensor in tensors.items()}, folder / WEIGHTS)
    wide = load_generator(folder).digest
    save_file({name: tensor.half() for name, tensor in tensors.items()}, folder / WEIGHTS)
    assert load_generator(folder).digest == wide != layered.digest
    tensors["masks.bias"][0] += 1
    save_file(tensors, folder / WEIGHTS)
    assert load_generator(folder).digest != layered.digest


# ---------------------------------------------------------------- refusals


IDLE = [
    {"steps": 30},
    {"guidance": 7.0},
    {"scheduler": "Euler"},
    {"negative_prompt": "blurred"},
    {"clip_skip": 2},
    {"guidance_rescale": 0.5},
    {"prompt_syntax": "a1111"},
    {"schedule": "karras"},
    {"init": "0" * 64},
    {"embeddings": ("0" * 64,)},
]


@pytest.mark.parametrize("change", IDLE)
def test_what_a_generator_does_not_read_is_refused_by_name(layered, change):
    with pytest.raises(UnreadFields, match=next(iter(change))):
        layered.check([recipe(layered, **change)])


def test_what_cannot_be_painted_as_asked_is_refused(layered):
    for change in ({"width": 32}, {"profile": "half"}, {"profile": "compiled"}, {"base": "0" * 64}):
        with pytest.raises(UnknownChoice, match=str(next(iter(change.values())))):
            layered.check([recipe(layered, **change)])
    with pytest.raises(UnreadPrompt):
        layered.check([recipe(layered, prompt="a ring at night")])


CONFIGS = [
    ({"network": "stylegan3"}, "network"),
    ({"latent": 0}, "latent"),
    ({"width": 24, "height": 24}, "16x16"),
    ({"channels": []}, "channels"),
    ({"channels": [8, 8, 8, 8]}, "32x32"),
    ({"style": 0}, "style"),
    ({"words": {"motif": ["rings"]}}, "a list for each slot"),
    ({"words": LAYERED["words"] | {"motif": ["rings", "rings"]}}, "motif"),
    ({"prompt": "{motif} on {ground} {motif}"}, "each once"),
    ({"prompt": "{motif on {ground}"}, "prompt"),
    ({"inputs": ["z"]}, "no such setting"),
    ({"trunctation": 2.0}, "is it truncation"),
    ({"truncation": -1.0}, "truncation"),
    ({"name": "two\u202elines"}, "name"),
]


@pytest.mark.parametrize("change, reason", CONFIGS)
def test_a_configuration_that_cannot_be_had_is_refused(tmp_path, change, reason):
    written(tmp_path, LAYERED)
    (tmp_path / CONFIG).write_text(json.dumps(LAYERED | change))
    with pytest.raises(NotAGenerator, match=reason):
        load_generator(tmp_path)


def test_files_that_are_no_generator_are_refused(tmp_path):
    with pytest.raises(NotAGenerator, match="no such folder"):
        load_generator(tmp_path / "nowhere")
    with pytest.raises(NotAGenerator, match="neither"):
        load_generator(tmp_path)
    folder = written(tmp_path / "g", LAYERED)
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[:-9])
    with pytest.raises(NotAGenerator, match="can't be read"):
        load_generator(folder)
    (folder / WEIGHTS).write_bytes(whole)
    tensors = load_file(folder / WEIGHTS)
    for change, reason in (
        ({"more.weight": torch.ones(2)}, "more.weight"),
        ({"masks.bias": torch.ones(5)}, r"masks.bias is \(5,\)"),
        ({"masks.bias": torch.ones(3, dtype=torch.int32)}, "floating"),
    ):
        save_file(tensors | change, folder / WEIGHTS)
        with pytest.raises(NotAGenerator, match=reason):
            load_generator(folder)
    save_file({name: tensor for name, tensor in tensors.items() if name != "masks.bias"}, folder / WEIGHTS)
    with pytest.raises(NotAGenerator, match="missing"):
        load_generator(folder)
    save_file(tensors | {"masks.bias": torch.full((3,), torch.nan)}, folder / WEIGHTS)
    with pytest.raises(NotFinite, match="masks.bias"):
        load_generator(folder)
    (folder / CONFIG).write_text("{")
    with pytest.raises(NotAGenerator, match="broken"):
        load_generator(folder)
    (folder / CONFIG).unlink()
    with pytest.raises(NotAGenerator, match="config.json"):
        load_generator(folder)
    torch.save({}, folder / "extra.pth")
    with pytest.raises(PickledWeights):
        load_generator(folder)


# ---------------------------------------------------------------- ONNX


@needs_onnx
def test_a_graph_paints_what_the_network_paints(layered, tmp_path):
    graph = load_generator(as_graph(layered.origin, tmp_path))
    for prompt in ("rings on night", "waves on slate"):
        for seed in range(3):
            ours = np.asarray(layered.paint(recipe(layered, prompt, seed, profile="fast"))[0]).astype(int)
            theirs = np.asarray(graph.paint(recipe(graph, prompt, seed))[0]).astype(int)
            assert np.abs(ours - theirs).max() <= 1 and theirs.std() > 10
    asked = [recipe(graph, "rings on night", seed) for seed in range(BATCH)]
    alone = [pixel_digest(load_generator(tmp_path).paint(one)[0]) for one in asked]
    assert (
        alone == [pixel_digest(image) for image in graph.render(asked[::-1])][::-1]
        and len(set(alone)) == BATCH
    )
    with pytest.raises(UnknownChoice, match="portable"):
        graph.check([recipe(graph, profile="portable")])


@needs_onnx
def test_a_file_with_its_configuration_beside_it_is_the_same_base(layered, tmp_path):
    folder = as_graph(layered.origin, tmp_path / "folder")
    shutil.copy(folder / GRAPH, tmp_path / "rings.onnx")
    shutil.copy(folder / CONFIG, tmp_path / "rings.json")
    one, other = load_generator(folder), load_generator(tmp_path / "rings.onnx")
    assert one.digest == other.digest
    assert set(one.files()) == set(other.files()) == {CONFIG, GRAPH}
    assert other.files()[GRAPH] == tmp_path / "rings.onnx"


@needs_onnx
def test_a_graph_that_wants_something_else_is_refused(layered, tmp_path):
    folder = as_graph(layered.origin, tmp_path)
    facts = json.loads((folder / CONFIG).read_text())
    for change, reason in (
        ({"inputs": ["z", "condition"]}, "inputs z, condition"),
        ({"latent": 17}, "shape 1, 16, and it has 1, 17"),
        ({"width": 32, "height": 32}, "1, 3, 16, 16"),
    ):
        (folder / CONFIG).write_text(json.dumps(facts | change))
        generator = load_generator(folder)
        with pytest.raises(NotAGenerator, match=reason):
            generator.paint(recipe(generator))
    (folder / CONFIG).write_text(json.dumps(LAYERED))
    with pytest.raises(NotAGenerator, match="layered"):
        load_generator(folder)
    (folder / CONFIG).write_text(json.dumps(facts))
    (folder / GRAPH).write_bytes((folder / GRAPH).read_bytes()[:-3])
    with pytest.raises(NotAGraph, match="ends inside"):
        load_generator(folder)
