"""Train the generator that comes with artmint: it paints a drawing from a latent and a few words in one pass.

    python scripts/generator/train.py --work WORK --count 27000 --minutes 5    # goes on from its checkpoint
    python scripts/generator/train.py --work WORK --minutes 5 --into artmint/data/generator

No adversary is trained. The drawing program throws dice; a latent throws them in their place, the program draws, and the
network learns the picture from latent and words: a distilled generator, with known latents where GLO (Bojanowski et al.,
2018) has to find them. Minutes are of CPU time; checkpoints every 22 seconds.
"""

import argparse
import copy
import json
import random
import time
from pathlib import Path

import numpy as np
import torch
from dice import SIZE, Places, subjects, thrown, words
from PIL import Image
from safetensors.torch import save_file

from artmint.core.picture import contact_sheet
from artmint.make.generators import NETWORKS, GeneratorConfig
from artmint.train.drawings import Subject

SIDE = 64
FACTS = {
    "network": "layered",
    "name": "artmint drawings 64",
    "latent": SIZE,
    "width": SIDE,
    "height": SIDE,
    "truncation": 2.0,
    "prompt": "{density} {motif} in {palette} colours on {ground}, {placement}",
    "words": words(),
    "channels": [64, 64, 48, 32, 16],
    "style": 128,
    "layers": 6,
}
CONFIG = GeneratorConfig.model_validate_json(json.dumps(FACTS))
BATCH = 16
PEAK = 1e-3


class Layered(torch.nn.Module):
    "The network's tensors as parameters, under names that torch allows."

    def __init__(self) -> None:
        super().__init__()
        self.tensors = torch.nn.ParameterDict()
        shapes = NETWORKS["layered"].shapes(CONFIG)
        for name, shape in shapes.items():
            wide = shapes[name.replace(".bias", ".weight")][1:]
            bound = float(np.prod(wide)) ** -0.5
            values = torch.empty(shape).uniform_(-bound, bound)
            layout = torch.channels_last if len(shape) == 4 else torch.contiguous_format
            self.tensors[name.replace(".", "-")] = torch.nn.Parameter(values.to(memory_format=layout))

    def named(self) -> dict[str, torch.Tensor]:
        "Its tensors as a file has them."
        return {name.replace("-", "."): tensor for name, tensor in self.tensors.items()}

    def forward(self, latent: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        "Pictures (n, 3, h, w)."
        return NETWORKS["layered"].paint(CONFIG, self.named(), torch.cat([latent, condition], 1))


def condition_of(subject: Subject) -> list[float]:
    "A subject's words as ones in a row of zeros, in the order of `words`."
    return [float(value == getattr(subject, name)) for name, values in words().items() for value in values]


def drawn(work: Path, count: int) -> dict[str, np.ndarray]:
    "The training set, drawn once and kept."
    path = work / "drawings.npz"
    if path.exists():
        return dict(np.load(path))
    places, every = Places().settle(), subjects()
    order = random.Random(0)
    chosen = [every[order.randrange(len(every))] for _ in range(count)]
    pairs = [
        thrown(subject, np.random.default_rng(10**6 + at), places, SIDE) for at, subject in enumerate(chosen)
    ]
    rows = {
        "latent": np.stack([latent for latent, _ in pairs]).astype(np.float32),
        "condition": np.array([condition_of(subject) for subject in chosen], np.float32),
        "image": np.stack([image for _, image in pairs]),
    }
    np.savez(path, **rows)
    return rows


def step_loss(net: torch.nn.Module, rows: dict[str, torch.Tensor], at: torch.Tensor) -> torch.Tensor:
    "How far a batch is from its drawings: mean absolute and squared difference."
    target = rows["image"][at].permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.autocast("cpu", torch.bfloat16):
        made = net(rows["latent"][at], rows["condition"][at])
    difference = made.float() - target
    return difference.abs().mean() + difference.square().mean()


def train(work: Path, rows: dict[str, torch.Tensor], minutes: float) -> torch.nn.Module:
    "Train, going on from the checkpoint; the averaged weights."
    net = Layered()
    ema = copy.deepcopy(net)
    optimiser = torch.optim.Adam(net.parameters(), lr=PEAK, betas=(0.9, 0.99))
    path, step, spent = work / "checkpoint.pt", 0, 0.0
    if path.exists():
        state = torch.load(path, weights_only=True)
        net.load_state_dict(state["net"])
        ema.load_state_dict(state["ema"])
        optimiser.load_state_dict(state["optimiser"])
        step, spent = state["step"], state["spent"]
    begun = saved = time.process_time()
    total, mean = minutes * 60, 0.0
    while (now := spent + time.process_time() - begun) < total:
        share = now / total
        for group in optimiser.param_groups:
            group["lr"] = PEAK * min(1, (step + 1) / 100) * min(1.0, (1 - share) / 0.6)
        at = torch.randint(len(rows["latent"]), (BATCH,))
        loss = step_loss(net, rows, at)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        step += 1
        mean += 0.01 * (loss.item() - mean)
        with torch.no_grad():
            torch._foreach_lerp_(
                list(ema.parameters()), list(net.parameters()), 1 - min(0.999, step / (step + 100))
            )
        if step % 200 == 0:
            print(f"{now / 60:.1f} min step {step} loss {mean:.4f}", flush=True)
        if time.process_time() - saved > 22 or step == 1:
            saved = time.process_time()
            state = {"net": net.state_dict(), "ema": ema.state_dict(), "optimiser": optimiser.state_dict()}
            torch.save(state | {"step": step, "spent": now}, path.with_suffix(".tmp"))
            path.with_suffix(".tmp").rename(path)
            sheet(ema, work / "sheet.png")
    return ema


def sheet(net: torch.nn.Module, path: Path, truncation: float = 2.0) -> None:
    "Sixty-four pictures of random subjects."
    rng, every = np.random.default_rng(3), subjects()
    chosen = [every[int(i)] for i in rng.integers(len(every), size=64)]
    latent = torch.from_numpy(rng.standard_normal((64, SIZE))).float().clamp(-truncation, truncation)
    with torch.no_grad():
        made = net(latent, torch.tensor([condition_of(subject) for subject in chosen]))
    pixels = ((made.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    contact_sheet([Image.fromarray(one) for one in pixels], 16).save(path)


def main() -> None:
    "Draw, train, and write the folder."
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--count", type=int, default=27_000)
    options.add_argument("--minutes", type=float, default=5)
    options.add_argument("--into", type=Path)
    given = options.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(int(time.time()))
    rows = {name: torch.from_numpy(values) for name, values in drawn(given.work, given.count).items()}
    net = train(given.work, rows, given.minutes)
    sheet(net, given.work / "sheet.png")
    print(sum(values.numel() for values in net.parameters()), "numbers")
    if given.into:
        given.into.mkdir(parents=True, exist_ok=True)
        weights = {name: tensor.detach().half().contiguous() for name, tensor in net.named().items()}
        save_file(weights, given.into / "generator.safetensors")
        (given.into / "config.json").write_text(json.dumps(FACTS, indent=1) + "\n")


if __name__ == "__main__":
    main()
