"""A worker process of bench/workers.py.

Reads orders (order, name, batches) from its input until that ends. For each it loads and warms up, says "ready", waits
for a line, works, and says "done".
"""

import pickle
import sys

from artmint.make.engine import engine
from artmint.run.workers import Order, Worker

from .samples import Forwards


def follow(order: Order, name: str, bare: int) -> None:
    "Work on the order, or make so many batches of bare forward passes."
    worker = Worker(order, name)
    recipe = next(iter(order.batches.values()))[0].recipe
    forwards = Forwards(engine(worker.painter.base, recipe), recipe.steps)
    forwards.unet()
    print("ready", flush=True)
    sys.stdin.buffer.readline()
    if bare:
        forwards.run(bare)
    else:
        worker.work()
    print("done", flush=True)


def main() -> None:
    "Follow orders until there is none."
    while True:
        try:
            order, name, bare = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        follow(order, name, bare)


if __name__ == "__main__":
    main()
