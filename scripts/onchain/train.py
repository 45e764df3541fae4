"""Train the network that comes with artmint for drawing on chain: whole numbers, from the project's drawings.

    python scripts/onchain/train.py --work WORK --minutes 60     # goes on from its checkpoint
    python scripts/onchain/train.py --work WORK --minutes 60 --into artmint/data/onchain/drawings.bin

Weights are trained as they will be used: rounded to bytes in every step, activations rounded down and clamped, so what is
measured in training is what the chain draws; a gradient passes the rounding as if it weren't there (Bengio et al., 2013).
The loss asks of each layer above what shows that it is absent, of what shows that it is there, and nothing of what is hidden.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from teacher import DENSITIES, DICE, MOTIFS, PLACEMENTS, VARIANTS, layers

from artmint.onchain.distil import Tensors, chain_parts, student_loss
from artmint.onchain.model import GROUND, PALETTE, SHAPE, DrawnTrait, Vocabulary, pack_vocabulary
from artmint.onchain.network import NETWORK_PARTS, pack_weights
from artmint.train.drawings import GROUNDS, PALETTES

SUBJECTS = (len(MOTIFS), len(DENSITIES), len(PLACEMENTS), VARIANTS)
BATCH, PEAK, HELD_OUT = 32, 4e-3, 512


def fresh() -> Tensors:
    "Weights to begin with."
    torch.manual_seed(1)
    tensors = {}
    for name, shape, _ in NETWORK_PARTS:
        spread = 0.0 if name.endswith("bias") else 0.3 if name in ("class", "out") else 0.35
        tensors[name] = torch.nn.Parameter(torch.randn(shape) * spread)
    return tensors


def drawn(work: Path, count: int) -> Tensors:
    "The training set, drawn once and kept."
    path = work / "layers.npz"
    if not path.exists():
        rng = np.random.default_rng(7)
        what = np.stack([rng.integers(0, most, count) for most in SUBJECTS], 1)
        numbers = rng.integers(0, 256, (count, DICE)).astype(np.uint8)
        seen = np.stack([layers(one, z, 64) for one, z in zip(what.tolist(), numbers)])
        np.savez(path, rows=what @ np.array([16, 8, 4, 1]), numbers=numbers, seen=seen)
    return {name: torch.from_numpy(values) for name, values in np.load(path).items()}


def train(work: Path, data: Tensors, minutes: float) -> Tensors:
    "Train, going on from the checkpoint; the averaged weights."
    net = fresh()
    mean = {name: values.detach().clone() for name, values in net.items()}
    optimiser = torch.optim.Adam(net.values(), lr=PEAK, betas=(0.9, 0.99))
    path, step, spent = work / "checkpoint.pt", 0, 0.0
    if path.exists():
        state = torch.load(path, weights_only=True)
        for name, values in net.items():
            values.data.copy_(state["net"][name])
        mean, step, spent = state["mean"], state["step"], state["spent"]
        optimiser.load_state_dict(state["optimiser"])
    begun = saved = time.time()
    while (share := (spent + time.time() - begun) / (60 * minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = PEAK * min(1, (step + 1) / 200) * min(1, 2 * (1 - share))
        at = torch.randint(HELD_OUT, len(data["rows"]), (BATCH,))
        loss = student_loss(net, *(data[name][at] for name in ("rows", "numbers", "seen")))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.values(), 1.0)
        optimiser.step()
        step += 1
        with torch.no_grad():
            weight = 1 - min(0.998, step / (step + 100))
            torch._foreach_lerp_(list(mean.values()), [values.data for values in net.values()], weight)
        if time.time() - saved > 60:
            saved = time.time()
            print(f"{share:.0%} step {step} loss {loss.item():.4f}", flush=True)
            own = {name: values.data for name, values in net.items()}
            kept = {"net": own, "mean": mean, "optimiser": optimiser.state_dict(), "step": step}
            torch.save(kept | {"spent": spent + saved - begun}, path)
    return mean


def packed(net: Tensors) -> bytes:
    "Weights and vocabulary as they lie on chain."
    traits = (
        DrawnTrait("motif", SHAPE, MOTIFS),
        DrawnTrait("palette", PALETTE, tuple(PALETTES)),
        DrawnTrait("ground", GROUND, tuple(GROUNDS)),
        DrawnTrait("density", SHAPE, DENSITIES),
        DrawnTrait("placement", SHAPE, PLACEMENTS),
    )
    flags = bytes(1 if motif in ("mountains", "waves") else 3 for motif in MOTIFS for _ in range(4))
    template = "{density} {motif} in {palette} colours on {ground}, {placement}"
    words = Vocabulary(traits, template, tuple(PALETTES.values()), tuple(GROUNDS.values()), flags)
    return pack_weights(chain_parts(net)) + pack_vocabulary(words)


def main() -> None:
    "Draw, train, and write the file."
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--count", type=int, default=40_000)
    options.add_argument("--minutes", type=float, default=60)
    options.add_argument("--into", type=Path)
    given = options.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    net = train(given.work, drawn(given.work, given.count), given.minutes)
    if given.into:
        given.into.write_bytes(packed(net))


if __name__ == "__main__":
    main()
