"What the training loops share: rates and checkpoints by the clock, averaged weights, a log."

import json
import time
from pathlib import Path

import torch


class Clock:
    "Learning-rate schedule and checkpoints by elapsed time."

    def __init__(self, optimiser: torch.optim.Optimizer, minutes: float, peak: float):
        self.optimiser, self.seconds, self.peak = optimiser, minutes * 60, peak
        self.start = self.saved = time.time()
        self.step = 0

    def tick(self) -> bool:
        "Set the rate for the next step; False when time is over."
        self.step += 1
        done = (time.time() - self.start) / self.seconds
        decay = min(1.0, max(0.0, (1 - done) / 0.4)) ** 1.5
        for group in self.optimiser.param_groups:
            group["lr"] = self.peak * min(1, self.step / 100) * decay
        return done < 1

    def due(self, minutes: float) -> bool:
        "Whether a checkpoint is due."
        if time.time() - self.saved < minutes * 60:
            return False
        self.saved = time.time()
        return True

    def elapsed(self) -> int:
        "Whole seconds since the start."
        return round(time.time() - self.start)


def time_seeded() -> int:
    "A seed that differs from run to run, so that a stage that goes on sees other batches."
    return int(time.time())


def update(optimiser: torch.optim.Optimizer, loss: torch.Tensor, model: torch.nn.Module) -> None:
    "One step down the loss, its gradient clipped to norm 1."
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()


def average(ema: torch.nn.Module, model: torch.nn.Module, decay: float) -> None:
    "Exponential moving average of the weights and of the running statistics, in place."
    with torch.no_grad():
        torch._foreach_lerp_(floats(ema), floats(model), 1 - decay)


def floats(model: torch.nn.Module) -> list[torch.Tensor]:
    "Its weights and running statistics."
    return [tensor for tensor in model.state_dict().values() if tensor.is_floating_point()]


def save(path: Path, **state: object) -> None:
    "A checkpoint that is there entirely or not at all."
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").rename(path)


def load(path: Path) -> dict:
    "A checkpoint, tensors only."
    return torch.load(path, weights_only=True)


def log(work: Path, **row: object) -> None:
    "One line of figures, to the terminal and to log.jsonl."
    print(row, flush=True)
    with open(work / "log.jsonl", "a") as out:
        out.write(json.dumps(row) + "\n")
