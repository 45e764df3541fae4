"A training logged by MLflow and by Weights & Biases, read back from their files; no server is asked."

import hashlib
import json
import os
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import numpy
import pytest

from artmint.lora_train import train
from artmint.make.base import load_base
from artmint.train.settings import TrainConfig
from artmint.train.style import practice_style
from tests.families import saved
from tests.services import ROOT, environment

pytestmark = pytest.mark.slow
SMALL = TrainConfig(
    steps=3, batch=2, rank=4, resolution=32, far_resolution=True, every=3, warmup=1, prior_batch=0
)
PACKAGES = {"mlflow": "mlflow-skinny==3.17.2 sqlalchemy alembic", "wandb": "wandb==0.31.0"}

TRAIN = """
import hashlib, json, struct, sys
from pathlib import Path
sys.path.append(sys.argv.pop())  # torch and what else a tracker's own environment lacks
from artmint.lora_train import tracked, train
from artmint.make.base import load_base
from artmint.train.settings import TrainConfig
from artmint.train.style import load_style
kind, folder = sys.argv[1], Path(sys.argv[2])
base = load_base(sys.argv[3])
style = load_style(sys.argv[4], 32)
config = TrainConfig.model_validate_json(sys.argv[5])
seen = []

def show(step, loss):
    seen.append([step, loss])
    log(step, loss)

with tracked(kind, "riso", folder, config) as log:
    file = train(style, base, config, folder / "adapter", progress=show)

def records(data):
    "What an offline run of Weights & Biases holds: a log in LevelDB's format, blocks of 32 KiB after 7 bytes."
    from wandb.proto.wandb_internal_pb2 import Record
    at = 7
    record = b""
    while at + 7 <= len(data):
        if at % 32768 > 32761:
            at += -at % 32768
        _, size, part = struct.unpack_from("<IHB", data, at)
        record += data[at + 7 : at + 7 + size]
        at += 7 + size
        if part in (1, 4):
            yield Record.FromString(record)
            record = b""

if kind == "mlflow":
    import mlflow
    run, = mlflow.search_runs(experiment_names=["artmint"], output_format="list")
    name, settings = run.info.run_name, run.data.params
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")
    logged = [[metric.step, metric.value] for metric in history]
else:
    path, = folder.glob("wandb/offline-run-*/*.wandb")
    log = list(records(path.read_bytes()))
    run = next(record.run for record in log if record.WhichOneof("record_type") == "run")
    name, settings = run.display_name, {item.key: item.value_json for item in run.config.update}
    logged = []
    for record in log:
        if record.WhichOneof("record_type") == "history":
            row = {(i.nested_key or [i.key])[0]: json.loads(i.value_json) for i in record.history.item}
            logged.append([row["_step"], row["loss"]])
adapter = hashlib.sha256(file.read_bytes()).hexdigest()
settings = {"steps": settings["steps"], "rate": settings["rate"]}
print(json.dumps({"name": name, "seen": seen, "logged": logged, "adapter": adapter} | settings))
"""


@pytest.fixture
def heard():
    "A proxy that connects nobody, and what was asked of it: (its environment variables, the requests)."
    asked = []
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def listen() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                with caller:
                    asked.append(caller.recv(200))

        threading.Thread(target=listen, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        yield (
            {
                name: url
                for name in (
                    "HTTP_PROXY",
                    "HTTPS_PROXY",
                    "ALL_PROXY",
                    "http_proxy",
                    "https_proxy",
                    "all_proxy",
                )
            }
            | {"NO_PROXY": "", "no_proxy": ""},
            asked,
        )
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)  # ends the thread


@pytest.mark.parametrize("kind", PACKAGES)
def test_a_training_is_told_of_and_comes_out_the_same(kind, heard, tmp_path):
    "Each tracker lives in an environment of its own: their packages want other versions than the rest of the tests."
    python = environment(kind, PACKAGES[kind]) / "bin/python"
    style = practice_style(tmp_path / "riso", 6, 64)
    base = saved("sd1", tmp_path / "base")
    (tmp_path / "studio").mkdir()
    proxies, asked = heard
    quiet = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CI", "GITHUB_", "PYTEST_", "MLFLOW_", "WANDB_"))
    }  # in tests MLflow keeps quiet of itself
    words = [
        kind,
        tmp_path / "studio",
        base,
        style.folder,
        SMALL.model_dump_json(),
        Path(numpy.__file__).parents[1],
    ]
    done = subprocess.run(
        [python, "-c", TRAIN, *words],
        env=quiet | proxies | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    run = json.loads(done.stdout.splitlines()[-1])
    assert run["name"] == "riso"
    assert (run["steps"], float(run["rate"])) == ("3", SMALL.rate)
    assert len(run["seen"]) == 3
    assert run["logged"] == run["seen"]
    untracked = train(style, load_base(base), SMALL, tmp_path / "without").read_bytes()
    assert run["adapter"] == hashlib.sha256(untracked).hexdigest()
    assert asked == []
