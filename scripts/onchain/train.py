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
import torch.nn.functional as F
from teacher import DENSITIES, DICE, LAYERS, MOTIFS, PLACEMENTS, VARIANTS, layers

from artmint.onchain.model import GROUND, PALETTE, SHAPE, DrawnTrait, Vocabulary, pack_vocabulary
from artmint.onchain.network import pack_weights
from artmint.train.drawings import GROUNDS, PALETTES

SUBJECTS = (len(MOTIFS), len(DENSITIES), len(PLACEMENTS), VARIANTS)
SHAPES = {
    "class": (int(np.prod(SUBJECTS)), 40),
    "dice": (40, DICE),
    "second": (40, 40),
    "second_bias": (40,),
    "third": (384, 40),
    "third_bias": (384,),
    "near": (16, 2, 24),
    "up1": (32, 24, 3, 3),
    "up1_bias": (32,),
    "up2": (32, 32, 3, 3),
    "up2_bias": (32,),
    "up3": (24, 32, 3, 3),
    "up3_bias": (24,),
    "out": (LAYERS, 24),
    "out_bias": (LAYERS,),
}
BATCH, PEAK, HELD_OUT = 32, 4e-3, 512
Tensors = dict[str, torch.Tensor]


class Rounded(torch.autograd.Function):
    "Rounded; a gradient passes."

    @staticmethod
    def forward(context, values):
        return values.round()

    @staticmethod
    def backward(context, gradient):
        return gradient


class Clamped(torch.autograd.Function):
    "Rounded down and held within a byte; a gradient passes inside, and a little of it outside."

    @staticmethod
    def forward(context, values):
        context.save_for_backward(values)
        return values.floor().clamp(0, 255)

    @staticmethod
    def backward(context, gradient):
        (values,) = context.saved_tensors
        inside = (values > 0) & (values < 256)
        return torch.where(inside, gradient, gradient * 0.02)


def whole(values: torch.Tensor) -> torch.Tensor:
    "Weights as the chain has them."
    return Rounded.apply((values * 64).clamp(-127, 127))


def bias(values: torch.Tensor) -> torch.Tensor:
    "Biases as the chain has them, times 16."
    return Rounded.apply((values * 1024).clamp(-32_767, 32_767)) * 16


def fresh() -> dict[str, torch.nn.Parameter]:
    "Weights to begin with."
    torch.manual_seed(1)
    tensors = {}
    for name, shape in SHAPES.items():
        spread = 0.0 if name.endswith("bias") else 0.3 if name in ("class", "out") else 0.35
        tensors[name] = torch.nn.Parameter(torch.randn(shape) * spread)
    return tensors


def folded(kernel: torch.Tensor) -> torch.Tensor:
    "A 3 x 3 convolution after doubling as four of 2 x 2, one for each place of a pixel among its four."
    a, b, c = kernel.unbind(2)
    rows = (torch.stack([a, b + c], 2), torch.stack([a + b, c], 2))
    places = []
    for row in rows:
        a, b, c = row.unbind(3)
        places += [torch.stack([a, b + c], 3), torch.stack([a + b, c], 3)]
    return torch.cat(places)


def doubled(x: torch.Tensor, kernel: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    "Twice the side, convolved and clamped."
    count, _, side, _ = x.shape
    out = F.conv2d(F.pad(x, (1, 1, 1, 1)), folded(kernel))
    y = out.view(count, 2, 2, len(kernel), side + 1, side + 1)
    even = torch.stack([y[:, 0, 0, :, :side, :side], y[:, 0, 1, :, :side, 1:]], -1)
    odd = torch.stack([y[:, 1, 0, :, 1:, :side], y[:, 1, 1, :, 1:, 1:]], -1)
    together = torch.stack([even, odd], 3).reshape(count, len(kernel), 2 * side, 2 * side)
    return Clamped.apply((together + start[:, None, None]) / 2**8)


def fields(net: Tensors, rows: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    "The fields of seeds, (n, 8, 32, 32): whole numbers, the first the lowest layer's."
    z = numbers.float() - 128
    h = Clamped.apply((whole(net["class"])[rows] * 256 + z @ whole(net["dice"]).T) / 2**7)
    h = Clamped.apply((h @ whole(net["second"]).T + bias(net["second_bias"])) / 2**7)
    x = (h @ whole(net["third"]).T + bias(net["third_bias"])).view(-1, 16, 24)
    x = x + torch.einsum("npk,pkc->npc", z.view(-1, 16, 2), whole(net["near"]))
    x = Clamped.apply(x / 2**7).transpose(1, 2).reshape(-1, 24, 4, 4)
    for name in ("up1", "up2", "up3"):
        x = doubled(x, whole(net[name]), bias(net[f"{name}_bias"]))
    return F.conv2d(x, whole(net["out"])[:, :, None, None], bias(net["out_bias"]))


def loss_of(net: Tensors, rows: torch.Tensor, numbers: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    "How surprised the fields are by what shows."
    made = fields(net, rows, numbers) / 2048
    made = F.interpolate(made, scale_factor=2, mode="bilinear", align_corners=False)
    layer = torch.arange(1, LAYERS + 1).view(1, LAYERS, 1, 1)
    shows = seen.long().unsqueeze(1)
    surprise = F.binary_cross_entropy_with_logits(made, (layer == shows).float(), reduction="none")
    return (surprise * (layer >= shows)).sum(1).mean()


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
        loss = loss_of(net, *(data[name][at] for name in ("rows", "numbers", "seen")))
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
    parts = {}
    for name, values in net.items():
        numbers = (bias(values) / 16 if name.endswith("bias") else whole(values)).numpy().astype(int)
        if name in ("dice", "second", "third"):
            numbers = numbers.T
        if name in ("up1", "up2", "up3"):
            numbers = numbers.transpose(2, 3, 1, 0).reshape(9, *numbers.shape[1::-1])
        if name == "out":
            numbers = numbers.T[:, ::-1]
        parts[name] = numbers[::-1] if name == "out_bias" else numbers
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
    return pack_weights(parts) + pack_vocabulary(words)


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
