"""Figures of the hot paths: `python -m bench`, or `python -m bench gas minting` for some subjects.

Every subject is a file with a function `measure(rounds)` that yields rows as it takes them. Every ratio is
taken in one run, against an alternative measured beside it: machines are noisy, ratios less so.

    measure.py     seconds, a ratio, a row
    samples.py     what several subjects paint, and the demo
    allocation.py  traits of ten thousand slots
    generation.py  rendering
    compiling.py   the same through torch.compile, only when it is named
    training.py    LoRA training
    content.py     archives
    curation.py    scoring
    duplicates.py  the nearest among a million
    gas.py         what minting costs
    minting.py     tokens a second, on a node
    workers.py     two workers against one; worker.py is one of them
    catalog.py     leases and records
    pruning.py     candidates stopped on their way
    metrics.py     a batch's numbers
    events.py      from a record to its message
    auditing.py    a drop before it is published
"""

import os

# Before torch is loaded, as artmint itself has it (make.base says why).
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
