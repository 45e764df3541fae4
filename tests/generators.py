"Small random generators: artmint's networks, and the same as ONNX files."

import importlib.util
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from artmint.core.records import Recipe
from artmint.make.generators import CONFIG, NETWORKS, WEIGHTS, Generator, GeneratorConfig

SCRIPT = Path(__file__).parents[1] / "scripts" / "generator" / "onnx_file.py"
SHAPED = {"truncation": 2.0, "prompt": "{motif} on {ground}"}
WORDS = {"motif": ["rings", "waves"], "ground": ["night", "paper", "slate"]}
LAYERED = {
    "network": "layered",
    "latent": 16,
    "width": 16,
    "height": 16,
    "words": WORDS,
    "channels": [8, 8, 4],
    "style": 8,
    "layers": 3,
} | SHAPED
DCGAN = {
    "network": "dcgan",
    "latent": 20,
    "width": 16,
    "height": 16,
    "prompt": "a face",
    "channels": [8, 4],
}


def written(folder: Path, facts: dict, **more) -> Path:
    "A generator's folder with random weights; the same every time."
    folder.mkdir(parents=True, exist_ok=True)
    facts = facts | more
    (folder / CONFIG).write_text(json.dumps(facts))
    config = GeneratorConfig.model_validate_json(json.dumps(facts))
    dice = torch.Generator().manual_seed(3)
    tensors = {}
    for name, shape in NETWORKS[config.network].shapes(config).items():
        drawn = torch.randn(shape, generator=dice)
        tensors[name] = drawn.abs() + 0.5 if name.endswith("running_var") else drawn * 0.5
    save_file(tensors, folder / WEIGHTS)
    return folder


def script():
    "The module that writes ONNX files."
    spec = importlib.util.spec_from_file_location("onnx_file", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def as_graph(source: Path | str, into: Path) -> Path:
    "The same generator as an ONNX file with its configuration."
    script().write_graph(str(source), into)
    return into


def recipe(generator: Generator, prompt: str = "rings on night", seed: int = 1, **more) -> Recipe:
    "A recipe for a generator."
    size = {"width": generator.config.width, "height": generator.config.height}
    profile = "fast" if generator.graph else "portable"
    facts = {"engine": "generator", "base": generator.digest, "profile": profile} | size | more
    return Recipe(prompt=prompt, seed=seed, **facts)
