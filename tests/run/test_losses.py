"Workers that die, and what the dead held."

import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from artmint.run.executors import Losses, WorkersLost, release_dead
from artmint.studio.catalog import Catalog


def test_what_the_dead_of_this_host_held_is_free_at_once(tmp_path):
    "A run that was killed leaves leases; those of the living, and of other hosts, stay."
    catalog = Catalog(tmp_path)
    catalog.offer("paint", ["a", "b", "c", "d"])
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    host = platform.node()
    names = [f"{host} {child.pid} 11", f"{host} {os.getpid()} 22", f"elsewhere {child.pid} 33", "somebody"]
    for name in names:
        assert catalog.claim("paint", name, 600)
    assert release_dead(SimpleNamespace(stage="paint"), catalog) == names[:1]
    assert catalog.holders("paint") == sorted(names[1:])
    assert catalog.claim("paint", "next", 60)
    assert catalog.claim("paint", "next", 60) is None


@pytest.mark.parametrize("workers, most", [(1, 3), (2, 4), (8, 16)])
def test_one_death_is_not_everybody_s(workers, most):
    "Deaths before the first finished batch end a run when the crew died twice over, and a batch makes them forgotten."
    losses = Losses(workers)
    for _ in range(most - 1):
        losses.add(5, "killed")
    losses.add(4, "killed")
    for _ in range(most - 2):
        losses.add(4, "killed")
    with pytest.raises(WorkersLost):
        losses.add(4, "killed")
