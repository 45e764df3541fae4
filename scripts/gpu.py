"""Ten minutes on a card: `python scripts/gpu.py --into gpu.json`, one command for every figure of docs/gpu.md.

Models have the shapes of SD 1.5 and SDXL and random weights: their arithmetic is the same, and nothing has to be fetched. Each
figure is printed and written as soon as it is measured; what fails says so in its place, and the others go on. With `--tiny` the
same runs on the smallest shapes, on a CPU too: that shows that the script works, and says nothing about a card.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch  # noqa: E402 the line above counts only before this one

from artmint.core.picture import pixel_digest  # noqa: E402
from artmint.core.records import Recipe  # noqa: E402
from artmint.make.base import DATA_FOLDER, Base, environment, quiet  # noqa: E402
from artmint.make.render import render  # noqa: E402
from artmint.studio.files import write_whole  # noqa: E402

PROMPT = "dense rings in aurora colours on night"
NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
UNCENSORED = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
SIZES = {"sd15": 512, "sdxl": 1024}
PICTURES, STEPS, TRAINED = 8, 20, 10
SMALL_STEPS = 3  # with --tiny
MODES = ("none", "model", "sequential")  # ways to offload


# Models


def words() -> Any:
    "The bundled base's tokenizer: which words it knows changes no figure."
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(DATA_FOLDER / "base" / "tokenizer")


def reader(width: int, layers: int, heads: int, projected: bool = False) -> Any:
    "A CLIP text encoder."
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    own = words()
    ids = {name: getattr(own, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = CLIPTextConfig(
        vocab_size=len(own),
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=own.model_max_length,
        projection_dim=width,
        **ids,
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config).eval()


def pixels(tiny: bool) -> Any:
    "A VAE with four latent channels, of SD's shape or of its smallest."
    from diffusers import AutoencoderKL

    channels = (32, 32, 32, 32) if tiny else (128, 256, 512, 512)
    return AutoencoderKL(
        block_out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        layers_per_block=2,
        latent_channels=4,
    ).eval()


def sd15(tiny: bool) -> Any:
    "A pipeline of SD 1.5's shape, or of its smallest."
    from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel

    small = {"block_out_channels": (32, 64, 64, 64), "norm_num_groups": 8, "cross_attention_dim": 32}
    large = {"cross_attention_dim": 768}  # what is left is the class's own: 320, 640, 1280, 1280
    network = UNet2DConditionModel(sample_size=64, attention_head_dim=8, **(small if tiny else large))
    return StableDiffusionPipeline(
        vae=pixels(tiny),
        text_encoder=reader(32, 2, 4) if tiny else reader(768, 12, 12),
        tokenizer=words(),
        unet=network.eval(),
        scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, **NOISE),
        **UNCENSORED,
    )


def sdxl(tiny: bool) -> Any:
    "A pipeline of SDXL's shape, or of its smallest."
    from diffusers import DDIMScheduler, StableDiffusionXLPipeline, UNet2DConditionModel

    small = {"block_out_channels": (32, 64, 64), "norm_num_groups": 8, "cross_attention_dim": 64}
    small |= {"attention_head_dim": (2, 4, 4), "transformer_layers_per_block": (1, 1, 2)}
    small |= {"addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 6 * 8 + 32}
    large = {"block_out_channels": (320, 640, 1280), "cross_attention_dim": 2048}
    large |= {"attention_head_dim": (5, 10, 20), "transformer_layers_per_block": (1, 2, 10)}
    large |= {"addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 6 * 256 + 1280}
    network = UNet2DConditionModel(
        sample_size=128,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        addition_embed_type="text_time",
        use_linear_projection=True,
        **(small if tiny else large),
    )
    first = reader(32, 2, 4) if tiny else reader(768, 12, 12)
    second = reader(32, 2, 4, True) if tiny else reader(1280, 32, 20, True)
    return StableDiffusionXLPipeline(
        vae=pixels(tiny),
        text_encoder=first,
        text_encoder_2=second,
        tokenizer=words(),
        tokenizer_2=words(),
        unet=network.eval(),
        scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, **NOISE),
    )


class Card:
    "Where it runs, how large, and the models that were made so far."

    def __init__(self, device: str, tiny: bool):
        self.device, self.tiny = device, tiny
        self.steps = SMALL_STEPS if tiny else STEPS
        self.pipelines: dict[str, Any] = {}

    def base(self, shape: str, offload: str = "none") -> Base:
        "A base of a shape with the same random weights every time."
        if shape not in self.pipelines:
            self.pipelines = {}  # the other one makes room
            torch.manual_seed(0)
            self.pipelines[shape] = {"sd15": sd15, "sdxl": sdxl}[shape](self.tiny)
            self.pipelines[shape].set_progress_bar_config(disable=True)
        return Base(self.pipelines[shape], f"random {shape}", None, self.device, offload)

    def recipes(self, base: Base, shape: str, profile: str, count: int) -> list[Recipe]:
        "Pictures with guidance, one for a seed."
        side = 64 if self.tiny else SIZES[shape]
        common = {"base": base.digest, "prompt": PROMPT, "steps": self.steps, "guidance": 5.0}
        common |= {"width": side, "height": side, "profile": profile}
        return [Recipe(seed=seed, **common) for seed in range(count)]

    def seconds(self, work: Callable[[], object]) -> float:
        "Wall time of one call, with all that the card still has to do."
        self.wait()
        start = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - start

    def wait(self) -> None:
        "Until the card has done what it was told."
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()

    def peak(self, work: Callable[[], object]) -> int | None:
        "The most bytes that the card held meanwhile; None: it doesn't say."
        if not self.device.startswith("cuda"):
            return None
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        work()
        return torch.cuda.max_memory_allocated()


def row(name: str, value: object, unit: str, how: str) -> dict:
    "A figure."
    return {"name": name, "value": value, "unit": unit, "how": how}


# Determinism


def digests(card: Card, shape: str, profile: str, order: list[int], together: int) -> dict[int, str]:
    "Pixel digests by seed, of pictures painted in this order and so many at a call."
    base = card.base(shape)
    recipes = card.recipes(base, shape, profile, max(order) + 1)
    found = {}
    for at in range(0, len(order), together):
        seeds = order[at : at + together]
        images = render(base, [recipes[seed] for seed in seeds])
        found |= {seed: pixel_digest(image) for seed, image in zip(seeds, images)}
    return found


def digests_elsewhere(card: Card, shape: str, profile: str, count: int) -> dict[int, str]:
    "The same from a process of its own."
    command = [sys.executable, __file__, "--device", card.device, "--digests", shape, profile, str(count)]
    said = subprocess.run(
        [*command, *(["--tiny"] if card.tiny else [])], capture_output=True, text=True, check=True
    )
    return {int(seed): digest for seed, digest in json.loads(said.stdout.splitlines()[-1]).items()}


def determinism(card: Card) -> Iterator[dict]:
    "How many pictures are the same alone, in another order, and after a restart."
    for profile in ("fast", "half"):
        seeds = list(range(PICTURES))
        whole = digests(card, "sd15", profile, seeds, PICTURES)
        ways = {
            "alone": digests(card, "sd15", profile, seeds, 1),
            "order": digests(card, "sd15", profile, seeds[::-1], 3),
            "restart": digests_elsewhere(card, "sd15", profile, PICTURES),
        }
        for way, found in ways.items():
            same = sum(found[seed] == whole[seed] for seed in seeds)
            how = f"of {PICTURES} pictures, pixel digests against one call with all of them"
            yield row(f"same_{profile}_{way}", same, "pictures", how)


# Speed


def plainly(pipe: Any, recipes: list[Recipe]) -> None:
    "diffusers' own pipeline, one prompt at a time."
    for one in recipes:
        generator = torch.Generator("cpu").manual_seed(one.seed)
        options = {"width": one.width, "height": one.height, "guidance_scale": one.guidance}
        pipe(one.prompt, num_inference_steps=one.steps, generator=generator, **options)


def plain_pipeline(card: Card, shape: str, compiled: bool) -> Any:
    "diffusers' pipeline on the card in bfloat16, as its own pages advise."
    import copy

    with quiet():
        pipe = copy.deepcopy(card.base(shape).pipeline).to(card.device, torch.bfloat16)
    pipe.set_progress_bar_config(disable=True)
    if compiled:
        pipe.unet.compile()
    return pipe


def throughput(card: Card, shape: str) -> Iterator[dict]:
    "Pictures in a second, artmint's profiles beside diffusers' pipeline."
    rates = {}
    for profile in ("half", "fast", "compiled"):
        base = card.base(shape)
        recipes = card.recipes(base, shape, profile, PICTURES)
        render(base, recipes)  # warms up
        rates[profile] = PICTURES / card.seconds(lambda: render(base, recipes))
        how = f"{PICTURES} pictures of {recipes[0].width} px, {card.steps} DDIM steps with guidance"
        yield row(f"{shape}_{profile}", round(rates[profile], 3), "pictures/s", how)
    for compiled in (False, True):
        pipe = plain_pipeline(card, shape, compiled)
        plainly(pipe, recipes[:1])
        few = recipes[: PICTURES // 2]
        rate = len(few) / card.seconds(lambda: plainly(pipe, few))
        name = "compiled" if compiled else "eager"
        yield row(f"{shape}_diffusers_{name}", round(rate, 3), "pictures/s", "bfloat16, one prompt at a time")
        times = f"profile half against diffusers {name} in bfloat16, in one run"
        yield row(f"{shape}_half_vs_{name}", round(rates["half"] / rate, 3), "times", times)


# Training


def training(card: Card) -> Iterator[dict]:
    "Steps of LoRA training in a second, against the loop of diffusers' example."
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from bench import training as loops

    from artmint.train.settings import TrainConfig

    base = card.base("sd15")
    side = 64 if card.tiny else SIZES["sd15"]
    config = TrainConfig(prior_batch=0, steps=10_000, resolution=side)
    examples = loops.Examples(8)
    ours = loops.Ours(base, config, examples)
    loop = loops.ExampleLoop(base, config, examples, ours.training.scheduler, side)
    rates = {}
    for name, way in (("ours", ours), ("diffusers", loop)):
        way.run()  # warms up
        rates[name] = loops.STEPS / card.seconds(way.run)
        how = f"{config.batch} pictures of {side} px a step, rank {config.rank}, float32"
        yield row(f"lora_{name}", round(rates[name], 3), "steps/s", how)
    times = "artmint's loop against diffusers' example, in one run"
    yield row("lora_vs_diffusers", round(rates["ours"] / rates["diffusers"], 3), "times", times)


# Memory, curation


def memory(card: Card) -> Iterator[dict]:
    "The most that the card held while SDXL's shape painted, by the way of offloading."
    if not card.device.startswith("cuda"):
        yield row("memory", None, "GB", f"not measured: {card.device} doesn't say what it held")
        return
    for mode in MODES:
        base = card.base("sdxl", mode)
        recipes = card.recipes(base, "sdxl", "half", 1)
        held = card.peak(lambda: render(base, recipes))
        yield row(
            f"memory_{mode}", round(held / 1e9, 2), "GB", f"SDXL's shape, profile half, offload {mode!r}"
        )


def curation(card: Card) -> Iterator[dict]:
    "Pictures that a judge reads in a second."
    from artmint.make.base import load_judge
    from artmint.train.drawings import draw, subjects

    count = 16 if card.tiny else 256
    images = [draw(subject, number) for number, subject in enumerate(subjects()[:count])]
    for precision in ("float32", "bfloat16"):
        judge = load_judge(device=card.device, precision=precision, batch=64)
        judge.encode_images(images[:64])
        rate = len(images) / card.seconds(lambda: judge.encode_images(images))
        yield row(
            f"judge_{precision}", round(rate, 1), "pictures/s", f"{len(images)} drawings, bundled judge"
        )


PARTS: dict[str, Callable[[Card], Iterator[dict]]] = {
    "determinism": determinism,
    "sd15": lambda card: throughput(card, "sd15"),
    "training": training,
    "curation": curation,
    "sdxl": lambda card: throughput(card, "sdxl"),
    "memory": memory,
}


def about(card: Card) -> dict:
    "What was measured on."
    name = torch.cuda.get_device_name() if card.device.startswith("cuda") else card.device
    return {"card": name, "tiny": card.tiny, "environment": environment()}


def measure(card: Card, parts: list[str], into: Path) -> int:
    "Measure part by part; 1 when one of them failed."
    found = {"about": about(card), "rows": [], "failed": {}, "seconds": {}}
    for part in parts:
        start = time.perf_counter()
        try:
            for one in PARTS[part](card):
                found["rows"].append(one)
                print(f"{one['name']:28} {one['value']} {one['unit']}  ({one['how']})", flush=True)
                write_whole(into, (json.dumps(found, indent=2) + "\n").encode())
        except Exception as error:  # noqa: BLE001 the other parts are measured all the same
            traceback.print_exc()
            found["failed"][part] = f"{type(error).__name__}: {error}"
        found["seconds"][part] = round(time.perf_counter() - start, 1)
        write_whole(into, (json.dumps(found, indent=2) + "\n").encode())
    return int(bool(found["failed"]))


def parsed() -> argparse.Namespace:
    "The command line."
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all when none is named"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--tiny", action="store_true", help="the smallest shapes")
    parser.add_argument("--into", type=Path, default=Path("studio/gpu.json"))
    parser.add_argument("--digests", nargs=3, metavar=("SHAPE", "PROFILE", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"there is no part {part!r}: choose from {', '.join(PARTS)}")
    if options.device == "cpu" and not options.tiny:
        parser.error(
            "torch sees no card here, and on a CPU these shapes take hours: say --tiny to try the script"
        )
    return options


def main() -> int:
    "0 when all was measured, 1 when a part failed."
    options = parsed()
    card = Card(options.device, options.tiny)
    if options.digests:
        shape, profile, count = options.digests
        print(json.dumps(digests(card, shape, profile, list(range(int(count))), int(count))))
        return 0
    options.into.parent.mkdir(parents=True, exist_ok=True)
    return measure(card, options.parts or list(PARTS), options.into)


if __name__ == "__main__":
    sys.exit(main())
