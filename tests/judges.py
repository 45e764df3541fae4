"""Judges of a studio's own: the libraries' real classes with tiny random weights, saved as real files.

The classes are loaded by who builds such a judge: they take seconds, which nobody else who collects tests should wait.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from artmint.make.base import DATA_FOLDER, Judge, quiet

NARROW = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
TEXT = NARROW | {"vocab_size": 627, "max_position_embeddings": 20, "bos_token_id": 0, "eos_token_id": 1}
SEEN = NARROW | {"image_size": 32, "patch_size": 16}
OPEN_CLIP = {
    "model_cfg": {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    },
    "preprocess_cfg": {
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    },
}


def _tokenizer(folder: Path) -> None:
    "The bundled judge's words."
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(DATA_FOLDER / "judge" / name, folder / name)


def open_clip_folder(folder: Path) -> None:
    "open_clip's CLIP, whose own 49,408 words belong to the library."
    from open_clip.model import CLIP

    model = CLIP(**OPEN_CLIP["model_cfg"])
    (folder / "open_clip_config.json").write_text(json.dumps(OPEN_CLIP))
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")


def clip_folder(folder: Path) -> None:
    "transformers' CLIP."
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    config = CLIPConfig(text_config=TEXT | {"projection_dim": 24}, vision_config=SEEN, projection_dim=24)
    CLIPModel(config).save_pretrained(folder)
    size = {"height": 32, "width": 32}
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=size).save_pretrained(folder)
    _tokenizer(folder)


def siglip_folder(folder: Path) -> None:
    "transformers' SigLIP, whose layout SigLIP 2 has where it sees one size."
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    config = SiglipConfig(text_config=TEXT | {"projection_size": 32}, vision_config=SEEN)
    SiglipModel(config).save_pretrained(folder)
    SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    _tokenizer(folder)


def dinov2_folder(folder: Path) -> None:
    "DINOv2, which reads nothing."
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    Dinov2Model(Dinov2Config(**NARROW, image_size=28, patch_size=14)).save_pretrained(folder)
    size = {"height": 28, "width": 28}
    BitImageProcessor(size={"shortest_edge": 28}, crop_size=size).save_pretrained(folder)


def dinov3_folder(folder: Path) -> None:
    "DINOv3, which reads nothing."
    from transformers import BitImageProcessor, DINOv3ViTConfig, DINOv3ViTModel

    DINOv3ViTModel(DINOv3ViTConfig(**SEEN)).save_pretrained(folder)
    BitImageProcessor(size={"height": 32, "width": 32}, do_center_crop=False).save_pretrained(folder)


FOLDERS: dict[str, Callable[[Path], None]] = {
    "open_clip": open_clip_folder,
    "clip": clip_folder,
    "siglip": siglip_folder,
    "dinov2": dinov2_folder,
    "dinov3": dinov3_folder,
}


def judge_folder(place: Path, name: str, seed: int = 0) -> Path:
    "A folder with a judge, by its name in FOLDERS; another seed gives other weights."
    folder = place / name
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    with quiet():
        FOLDERS[name](folder)
    return folder


class Remembering:
    "A judge that embeds a picture once; that nothing beside it matters is tested with bases and scores."

    def __init__(self, judge: Judge):
        self.judge, self.rows = judge, {}

    def __getattr__(self, name: str):
        return getattr(self.judge, name)

    def encode_images(self, images: list) -> np.ndarray:
        keys = [(image.mode, image.size, image.tobytes()) for image in images]
        new = {key: image for key, image in zip(keys, images) if key not in self.rows}
        if new:
            self.rows |= dict(zip(new, self.judge.encode_images(list(new.values()))))
        return np.array([self.rows[key] for key in keys])
