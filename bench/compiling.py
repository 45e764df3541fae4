"Rendering through torch.compile, against the plain pipeline. Compiling takes longer than all that is measured here."

import shutil
from collections.abc import Iterator

from artmint.make.base import load_base

from .generation import COUNT, STEPS, against_plain
from .samples import recipe


def measure(rounds: int) -> Iterator[dict]:
    "generate_compiled_vs_plain. Raises RuntimeError without a C++ compiler."
    if not shutil.which("c++"):
        raise RuntimeError("torch compiles by C++, and there is no c++ on this machine")
    base = load_base()
    yield against_plain(base, [recipe(base, seed, STEPS) for seed in range(COUNT)], "compiled", rounds)
