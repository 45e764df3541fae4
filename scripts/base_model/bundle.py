"What the package carries: base and judge as fp16 safetensors, a diffusers folder and an open_clip folder."

import json
from pathlib import Path

import torch
from judge import judge_config
from loop import load
from unet import load_unet, pipeline

PREPROCESS = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}


def write_bundle(work: Path, into: Path) -> None:
    "Write base/ and judge/ into a folder."
    vae, words, text, unet = load_unet(work)
    pipe = pipeline(vae, words, text, unet, load(work / "unet.pt")["scale"])
    pipe.to(torch.float16).save_pretrained(into / "base", safe_serialization=True)
    write_judge(work, words, into / "judge")


def write_judge(work: Path, words: object, folder: Path) -> None:
    "The judge in open_clip's layout, with the tokenizer beside it."
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = load(work / "judge.pt")["ema"]
    halves = {name: value.half().contiguous() for name, value in state.items() if name != "attn_mask"}
    save_file(halves, folder / "open_clip_model.safetensors")
    config = {"model_cfg": judge_config(words, hf_tokenizer_name="."), "preprocess_cfg": PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
    words.save_pretrained(folder)
