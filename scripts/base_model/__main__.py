"""Train the bundled base and judge from the drawings of artmint.drawings, and measure them.

    python scripts/base_model draw   --count 32000        # drawings and captions, once
    python scripts/base_model vae    --minutes 10         # pictures <-> latents
    python scripts/base_model judge  --minutes 6          # open_clip: pictures <-> captions
    python scripts/base_model reading --minutes 4         # the judge's words, among words that mean nothing
    python scripts/base_model unet   --minutes 90         # captions -> latents; goes on from its checkpoint
    python scripts/base_model bundle --into artmint/data  # fp16 safetensors in the layout of Stable Diffusion
    python scripts/base_model probe  --minutes 6          # a classifier, trained on drawings alone
    python scripts/base_model measure                     # on prompts and pairs that training never saw

Every stage writes a checkpoint every few minutes to --work and continues from it. Learning rates follow the
clock: a short warm-up, a plateau, and a decay over the last two fifths of --minutes.
"""

import argparse
from pathlib import Path

DATA = Path("artmint/data")


def draw(options: argparse.Namespace) -> None:
    "The training set."
    from pictures import make_drawings

    make_drawings(options.work, options.count)


def vae(options: argparse.Namespace) -> None:
    "Pictures to latents and back."
    from vae import train_vae

    train_vae(options.work, options.minutes)


def judge(options: argparse.Namespace) -> None:
    "Pictures and captions side by side."
    from judge import train_judge

    train_judge(options.work, options.minutes)


def reading(options: argparse.Namespace) -> None:
    "Captions among words that mean nothing."
    from judge import train_reading

    train_reading(options.work, options.minutes)


def unet(options: argparse.Namespace) -> None:
    "Captions to latents."
    from unet import train_unet

    train_unet(options.work, options.minutes, options.rate)


def bundle(options: argparse.Namespace) -> None:
    "The files that the package carries."
    from bundle import write_bundle

    write_bundle(options.work, options.into)


def probe(options: argparse.Namespace) -> None:
    "The independent witness."
    from probe import train_probe

    train_probe(options.work, options.minutes)


def measure(options: argparse.Namespace) -> None:
    "The figures of the model card."
    from measure import measure_base

    measure_base(options.work, options.into, options.steps, options.guidance, options.count)


def parsed() -> argparse.Namespace:
    "The command line: a stage and its options."
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="base_model", description=__doc__, formatter_class=raw)
    stages = parser.add_subparsers(dest="stage", required=True)
    by_name = {}
    for stage in (draw, vae, judge, reading, unet, bundle, probe, measure):
        options = stages.add_parser(stage.__name__, help=stage.__doc__)
        options.add_argument(
            "--work", type=Path, default=Path("studio/train"), help="checkpoints, sheets, log"
        )
        options.set_defaults(run=stage)
        by_name[stage.__name__] = options
    for name, minutes in (("vae", 10), ("judge", 10), ("reading", 4), ("unet", 10), ("probe", 6)):
        by_name[name].add_argument("--minutes", type=float, default=minutes)
    by_name["draw"].add_argument("--count", type=int, default=32000, help="drawings")
    by_name["unet"].add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    by_name["bundle"].add_argument("--into", type=Path, default=DATA)
    by_name["measure"].add_argument("--into", type=Path, default=DATA / "measured.json")
    by_name["measure"].add_argument("--steps", type=int, default=16)
    by_name["measure"].add_argument("--guidance", type=float, default=3.0)
    by_name["measure"].add_argument("--count", type=int, default=320, help="pictures to paint")
    return parser.parse_args()


def main() -> None:
    "One stage per call."
    options = parsed()
    options.work.mkdir(parents=True, exist_ok=True)
    options.run(options)


if __name__ == "__main__":
    main()
