"An adapter: the same bytes every time, whatever interrupts it; alpha, lineage and pictures survive every layout."

import json
import signal
import subprocess
import sys

import pytest

from artmint.lora_train import (
    NoTracker,
    OtherTraining,
    UnknownFamily,
    UnknownOptimiser,
    tracked,
    train,
)
from artmint.make.adapters import (
    NotAnAdapter,
    lineage_of,
    unpack_tensors,
)
from artmint.train.settings import TrainConfig
from artmint.train.style import practice_style
from tests.styles import SMALL, UNETS, sha

# ---------------------------------------------------------------- training


@pytest.mark.parametrize("name", UNETS)
def test_twice_trained_is_the_same_file(bases, style, trained, tmp_path, name):
    assert sha(train(style, bases(name), TrainConfig(**SMALL), tmp_path / "again").read_bytes()) == sha(
        trained(name)
    )


PROGRAM = """
import sys
from pathlib import Path
from artmint.lora_train import train
from artmint.make.base import load_base
from artmint.train.settings import TrainConfig
from artmint.train.style import load_style
base, style, folder, settings = sys.argv[1:]
config = TrainConfig.model_validate_json(settings)
def report(step, loss):
    print(step, flush=True)

train(load_style(style, 32), load_base(base), config, Path(folder), progress=report)
"""


@pytest.mark.parametrize(
    "steps, by",
    [
        pytest.param(1, signal.SIGKILL, marks=pytest.mark.slow),
        (4, signal.SIGKILL),
        pytest.param(6, signal.SIGKILL, marks=pytest.mark.slow),
        (5, signal.SIGINT),
    ],
)
def test_killed_at_any_step_it_ends_in_the_same_bytes(bases, style, trained, tmp_path, steps, by):
    "And stopped with Ctrl-C in the middle of a step."
    base = bases("sd1")
    asked = [
        sys.executable,
        "-c",
        PROGRAM,
        str(bases("sd1").folder),
        str(style.folder),
        str(tmp_path),
        json.dumps(SMALL),
    ]
    running = subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in running.stdout:
        if int(line) == steps:
            break
    running.send_signal(by)
    running.wait()
    if by == signal.SIGINT:
        assert list(tmp_path.glob("adapter-00000[56]*"))
    assert not (tmp_path / "adapter-000007.safetensors").exists()
    assert sha(train(style, base, TrainConfig(**SMALL), tmp_path).read_bytes()) == sha(trained("sd1"))


def test_ctrl_c_leaves_a_checkpoint(bases, style, trained, tmp_path):
    def stop(step, loss):
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(style, bases("sd1"), TrainConfig(**SMALL), tmp_path, progress=stop)
    assert (tmp_path / "adapter-000005.safetensors").exists()
    assert sha(train(style, bases("sd1"), TrainConfig(**SMALL), tmp_path).read_bytes()) == sha(trained("sd1"))


def test_a_tracker_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for kind in ("mlflow", "tensorboard"):
        with pytest.raises(NoTracker, match=kind), tracked(kind, "riso", tmp_path, TrainConfig()):
            pass
    with tracked("", "riso", tmp_path, TrainConfig()) as log:
        log(1, 0.5)


def test_another_training_is_not_continued(bases, style, tmp_path):
    train(style, bases("sd1"), TrainConfig(**SMALL | {"steps": 1}), tmp_path)
    with pytest.raises(OtherTraining):
        train(style, bases("sd1"), TrainConfig(**SMALL | {"steps": 1, "rate": 1e-4}), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"text_encoder": True},
        {"noise_offset": 0.1},
        {"min_snr": 5.0},
        {"accumulate": 2},
        {"gradient_checkpointing": True},
        {"precision": "bfloat16"},
        {"optimiser": "Adafactor"},
        {"optimiser": "SGD"},
        {"schedule": "constant"},
        {"buckets": False},
    ],
)
def test_every_setting_trains_and_repeats(bases, style, trained, tmp_path, change):
    config = TrainConfig(**SMALL | {"steps": 3} | change)
    first, again = (train(style, bases("sdxl"), config, tmp_path / part).read_bytes() for part in ("a", "b"))
    assert sha(first) == sha(again)
    assert all(t.isfinite().all() for t in unpack_tensors(first)[0].values())
    assert ("text_encoder_2" in {k.split(".")[0] for k in unpack_tensors(first)[0]}) == bool(
        change.get("text_encoder")
    )


def test_prior_and_predecessor_stand_in_the_lineage(bases, style, trained, tmp_path):
    prior = practice_style(tmp_path / "prior", 3, 64, seed=2)
    data = train(
        style, bases("sd1"), TrainConfig(**SMALL), tmp_path / "more", prior, trained("sd1")
    ).read_bytes()
    lineage = lineage_of(data)
    assert (lineage.base, lineage.predecessor) == (bases("sd1").digest, sha(trained("sd1")))
    assert (lineage.data, lineage.prior) == (style.digest, prior.digest)
    assert (lineage.step, lineage.licences) == (7, ("Apache-2.0",))
    assert sha(data) != sha(trained("sd1"))


def test_what_cannot_be_trained_is_refused(bases, style, trained, tmp_path):
    with pytest.raises(UnknownFamily, match="CONDITIONS"):
        train(style, bases("sd3"), TrainConfig(**SMALL), tmp_path)
    with pytest.raises(UnknownOptimiser, match="AdamW"):
        train(style, bases("sd1"), TrainConfig(**SMALL | {"optimiser": "Adamm"}), tmp_path)
    with pytest.raises(NotAnAdapter, match="rank"):
        train(style, bases("sd1"), TrainConfig(**SMALL | {"rank": 5}), tmp_path, predecessor=trained("sd1"))
    assert not list(tmp_path.glob("adapter-*"))
