"Workers that die, and what the dead held."

import subprocess
import sys
from types import SimpleNamespace

import pytest

from artmint.run.executors import Losses, WorkersLost, release_dead
from artmint.studio.catalog import Catalog
from artmint.studio.files import has_died, host_mark, process_name


def test_what_the_dead_of_this_host_held_is_free_at_once(tmp_path):
    "A run that was killed leaves leases; those of the living, and of other hosts, stay."
    catalog = Catalog(tmp_path)
    catalog.offer("paint", ["a", "b", "c", "d"])
    program = "from artmint.studio.files import process_name; print(process_name())"
    dead = subprocess.check_output([sys.executable, "-c", program], text=True).strip()
    elsewhere = dead.replace(host_mark(), f"{host_mark()}-2")
    names = [f"{dead} 11", f"{process_name()} 22", f"{elsewhere} 33", "somebody"]
    for name in names:
        assert catalog.claim("paint", name, 600)
    assert release_dead(SimpleNamespace(stage="paint"), catalog) == names[:1]
    assert catalog.holders("paint") == sorted(names[1:])
    assert catalog.claim("paint", "next", 60)
    assert catalog.claim("paint", "next", 60) is None


@pytest.mark.skipif(sys.platform != "linux", reason="the system doesn't tell when a process began")
def test_a_process_that_has_the_number_of_a_dead_one_is_told_from_it():
    "Numbers are given again; and what says nothing of a beginning is left alone."
    host, _, rest = process_name().partition(" ")
    number, _, began = rest.partition("@")
    assert not has_died(process_name())
    assert has_died(f"{host} {number}@{int(began) - 1} 33")
    assert not has_died(f"{host} {number}@ 33")
    assert not has_died(f"another {number}@1 33")
    for words in ("", "somebody", f"{host} x@1", f"{host} {number}"):
        assert not has_died(words)


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
