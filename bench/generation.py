"Rendering in the fast profile, against the plain pipeline and against the bare forward passes of a batch."

from collections.abc import Iterator

import torch
from torch.utils.flop_counter import FlopCounterMode

from artmint.core.records import Recipe, Trace
from artmint.make.base import Base, load_base
from artmint.make.engine import engine
from artmint.make.render import render

from .measure import ratio, row, seconds
from .samples import Forwards, recipe

COUNT, STEPS, FEW = 8, 20, 8


def plain(base: Base, recipes: list[Recipe]) -> None:
    "The pipeline as diffusers' own pages use it, one prompt at a time."
    for one in recipes:
        base.pipeline(
            one.prompt,
            num_inference_steps=STEPS,
            guidance_scale=one.guidance,
            width=one.width,
            height=one.height,
            generator=torch.Generator().manual_seed(one.seed),
        )


def against_plain(base: Base, recipes: list[Recipe], profile: str, rounds: int) -> dict:
    "The same pictures in another profile, against the plain pipeline in float32."
    others = [one.model_copy(update={"profile": profile}) for one in recipes]
    render(base, others)  # warms up, and compiles
    our_time, plain_time, times = ratio(
        lambda: render(base, others), lambda: plain(base, recipes), min(rounds, 2)
    )
    against = f"StableDiffusionPipeline in float32, one prompt at a time: {COUNT / plain_time:.2f} pictures/s"
    how = f"{COUNT} pictures, {STEPS} DDIM steps with guidance; ours {COUNT / our_time:.2f} pictures/s, other pixels than fast gives"
    return row(f"generate_{profile}_vs_plain", round(times, 3), "times", against, "", how)


def peak() -> float:
    "The most that this machine multiplies and adds in float32, in operations a second: a product of large matrices."
    matrix, side = torch.randn(2048, 2048), 2048
    matrix @ matrix  # warms up
    return 2 * side**3 / min(seconds(lambda: matrix @ matrix) for _ in range(5))


def operations(forwards: Forwards) -> int:
    "What a batch takes, multiplications and additions counted."
    with FlopCounterMode(display=False) as counter:
        forwards.run(1)
    return counter.get_total_flops()


def measure(rounds: int) -> Iterator[dict]:
    "generate_vs_plain, in two profiles and at the limit; generate_vs_arithmetic, generate_few_steps, traced_vs_painted."
    base = load_base()
    recipes = [recipe(base, seed, STEPS) for seed in range(COUNT)]
    forwards = Forwards(engine(base, recipes[0]), STEPS)

    def ours() -> None:
        render(base, recipes)

    def theirs() -> None:
        plain(base, recipes)

    def arithmetic() -> None:
        forwards.run(COUNT // forwards.batch)

    for work in (ours, theirs, arithmetic):  # warms up
        work()
    threads = torch.get_num_threads()
    how = (
        f"{COUNT} pictures, {STEPS} DDIM steps with guidance, float32, {threads} threads, median of {rounds}"
    )
    our_time, plain_time, times = ratio(ours, theirs, rounds)
    against = f"StableDiffusionPipeline, one prompt at a time: {COUNT / plain_time:.2f} pictures/s"
    rate = f"ours {COUNT / our_time:.2f} pictures/s"
    yield row("generate_vs_plain", round(times, 3), "times", against, ">= 2.3", f"{how}; {rate}")
    at_peak = operations(forwards) * COUNT / forwards.batch / peak()
    against = f"StableDiffusionPipeline, one prompt at a time: {COUNT / plain_time:.2f} pictures/s"
    bound = f"as fast as a product of large matrices, {COUNT / at_peak:.2f} pictures/s: at equal steps and precision there is no more to win"
    yield row("generate_limit_vs_plain", round(plain_time / at_peak, 3), "times", against, "", bound)
    if torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        yield against_plain(base, recipes, "half", rounds)
    else:  # each product is put together from others: minutes, and no figure of anybody's machine
        print("generate_half_vs_plain wasn't measured: torch has no fast bfloat16 on this processor")
    _, bare_time, share = ratio(ours, arithmetic, rounds)
    against = f"bare UNet and VAE forwards at the same batch shape: {bare_time:.2f} s"
    yield row("generate_vs_arithmetic", round(share, 3), "share", against, ">= 0.95", how)
    fewer = [recipe(base, seed, FEW) for seed in range(COUNT)]
    _, _, times = ratio(lambda: render(base, fewer), ours, rounds)
    against = f"{STEPS} steps"
    gain = f"{how}; what {FEW} steps give by themselves, beside the ratios at equal steps"
    yield row("generate_few_steps", round(times, 3), "times", against, "", gain)
    traced = [one.model_copy(update={"trace": Trace()}) for one in fewer]
    _, _, times = ratio(lambda: render(base, fewer), lambda: render(base, traced), rounds)
    how = f"{COUNT} pictures, {FEW} steps; from 128 pixels to 512 in 8 inks, against not tracing"
    yield row("traced_vs_painted", round(times, 3), "times", "the same pictures untraced", "<= 1.3", how)
