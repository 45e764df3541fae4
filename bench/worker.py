"""A worker process of bench/workers.py.

Reads (order, name, batches) from its input, loads and warms up, says "ready", and works when the input ends.
"""

import pickle
import sys

from artmint.make.engine import engine
from artmint.run.workers import Worker

from .samples import Forwards


def main() -> None:
    "Work on the order, or make so many batches of bare forward passes."
    order, name, bare = pickle.load(sys.stdin.buffer)
    worker = Worker(order, name)
    recipe = next(iter(order.batches.values()))[0].recipe
    forwards = Forwards(engine(worker.painter.base, recipe), recipe.steps)
    forwards.unet()
    print("ready", flush=True)
    sys.stdin.buffer.read(1)
    if bare:
        forwards.run(bare)
    else:
        worker.work()
    print("done", flush=True)


if __name__ == "__main__":
    main()
