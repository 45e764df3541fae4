"""Break minting in every way that can be had on one machine, and look at what it comes to.

A schedule is a small drop, one to three faults, and runs of an operator until it says that all is minted.
Its number is its seed: `python -m tests.faults --schedule 17` is the same one again. Operators
are processes of their own, so a kill is a SIGKILL; the chain is an anvil of the schedule's own, behind a
proxy that loses, doubles and forges; the full disk is a small file system. With `--embedded` the chain is
the one in the studio's folder, for machines without node.

    drop.py        the drop that is minted: digests of pictures that don't exist
    proxy.py       the proxy between operator and node
    world.py       what a schedule happens in: chain, contract, keys, studios
    operators.py   the processes that mint, and the points at which they are killed
    disks.py       small file systems, and filling them
    faults.py      FAULTS: all that can go wrong
    schedule.py    a number's faults, run to the end
    invariants.py  what must hold then
    founding.py    the same for what stands above tokens: contracts, commitments, allowances
"""
