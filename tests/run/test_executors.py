"Ray for real: two nodes on this machine, guarded by a token; a node and a driver are killed."

import dataclasses
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlalchemy as sa

from artmint.make.base import load_base
from artmint.run.workers import Crew
from artmint.studio.catalog import Catalog
from tests.hosts import listed, made

RAY = pytest.mark.skipif(not find_spec("ray"), reason="Ray isn't installed (pip install 'artmint[ray]')")


# Two nodes that each say they have a GPU: Ray counts shares of it whether there is one or not.
# Ray takes 127.0.0.1 for the address under which others reach this machine; another of the loopback interface is left alone.
NODES = """
import json, sys
from ray.cluster_utils import Cluster
facts = dict(num_cpus=2, num_gpus=1, node_ip_address="127.0.0.2", object_store_memory=80 * 2**20, include_dashboard=False)
cluster = Cluster(initialize_head=True, head_node_args=facts)
second = cluster.add_node(**facts)
raylet = second.all_processes["raylet"][0].process.pid
print(json.dumps({"address": cluster.address, "raylet": raylet}), flush=True)
sys.stdin.read()
"""


DRIVER = """
import pickle, sys
from artmint.run.executors import ray
ray(pickle.load(sys.stdin.buffer), None, lambda made, asked: print(made, flush=True))
"""


ASK = "import sys; from artmint.run.executors import _connected; from artmint.run.workers import Crew; _connected(Crew(executor='ray', gpus=float(sys.argv[1]), address=sys.argv[2]))"


@pytest.fixture(scope="module")
def base():
    return load_base()


@pytest.fixture
def guarded(tmp_path):
    "An environment in which Ray asks for a token of its own."
    (tmp_path / "token").write_text(os.urandom(32).hex())
    return os.environ | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(tmp_path / "token"),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",
    }


@pytest.fixture
def nodes(guarded):
    "A cluster of two nodes: where it is, and the second node's process."
    cluster = subprocess.Popen(
        [sys.executable, "-c", NODES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=guarded,
    )
    facts = next((json.loads(line) for line in cluster.stdout if line.startswith("{")), None)
    assert facts, "the cluster didn't start"
    yield facts
    cluster.stdin.close()
    try:
        cluster.wait(60)
    except subprocess.TimeoutExpired:
        cluster.kill()
    cluster.stdout.close()


def start(order, environment) -> subprocess.Popen:
    "A driver at work on an order."
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    driver.stdin.write(pickle.dumps(order))
    driver.stdin.close()
    driver.stdin = None
    return driver


def held(catalog: Catalog) -> int:
    "How many batches workers hold."
    with catalog.engine.connect() as connection:
        return connection.scalar(sa.text("select count(*) from job where worker != '' and not done"))


def children(parent: int) -> list[int]:
    "Processes that a process started."
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@RAY
@pytest.mark.slow
def test_two_nodes_one_killed_then_the_driver_killed(base, expected, nodes, guarded, tmp_path):
    crew = Crew(executor="ray", workers=2, gpus=0.75, address=nodes["address"], lease=20)
    catalog, order, attempts = listed(tmp_path / "driver", base, crew)
    driver = start(order, guarded)
    next(line for line in driver.stdout if int(line) > 0)
    driver.kill()
    driver.communicate()
    left = catalog.left(order.stage)
    out, error = start(order, guarded).communicate(timeout=900)
    assert left > 0, error.decode()[-2000:]
    assert made(catalog, attempts) == expected, error.decode()[-2000:]
    assert catalog.left(order.stage) == 0, error.decode()[-2000:]  # the driver killed and started again

    catalog, order, attempts = listed(tmp_path / "node", base, crew)
    driver = start(order, guarded)
    deadline = time.monotonic() + 600
    while held(catalog) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in [nodes["raylet"], *children(nodes["raylet"])]:
        os.kill(pid, signal.SIGKILL)
    out, error = driver.communicate(timeout=900)
    assert driver.returncode == 0, error.decode()[-2000:]
    assert made(catalog, attempts) == expected, error.decode()[-2000:]
    assert catalog.check() == [], error.decode()[-2000:]  # a node killed in mid-batch


@RAY
@pytest.mark.slow
def test_more_than_the_cluster_has_is_refused(nodes, guarded):
    done = subprocess.run(
        [sys.executable, "-c", ASK, "4", nodes["address"]],
        env=guarded,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "A worker asks for 4 GPU, and the whole cluster has 2" in done.stderr


@pytest.mark.slow
@RAY
def test_without_a_token_nothing_is_started(guarded):
    done = subprocess.run(
        [sys.executable, "-c", ASK, "0", ""],
        env={key: value for key, value in guarded.items() if not key.startswith("RAY_AUTH")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "RayUnguarded" in done.stderr
    assert "RAY_AUTH_MODE=token" in done.stderr


def test_without_ray_the_refusal_says_what_to_do():
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.modules['ray'] = None\n" + ASK, "0", ""],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "NoRay" in done.stderr
    assert "artmint[ray]" in done.stderr


@pytest.mark.slow
def test_an_order_can_be_sent(base, tmp_path):
    "What workers on other hosts are told is plain data."
    _, order, _ = listed(tmp_path, base)
    assert pickle.loads(pickle.dumps(order)) == order
    assert dataclasses.is_dataclass(order)
