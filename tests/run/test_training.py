"A training from the console: planned, refused before hours are spent, and made."

import json
import signal
import subprocess
import sys
import time

import pytest

from artmint.lora_train import CaptionsTooLong
from artmint.console import cli
from artmint.run import batch
from artmint.run.training import plan_lines, settings_table, training_plan
from artmint.studio.catalog import Catalog
from artmint.train.examples import FarResolution
from artmint.train.settings import BadTraining, load_training
from artmint.train.style import practice_style


@pytest.fixture(scope="module")
def riso(tmp_path_factory):
    folder = tmp_path_factory.mktemp("styles") / "riso"
    practice_style(folder, 6, 64)
    return folder


def test_the_own_file_goes_before_the_other(tmp_path):
    own, other = tmp_path / "own.toml", tmp_path / "kohya.toml"
    own.write_text("[training]\nsteps = 40\nrank = 8\n")
    other.write_text("max_train_epochs = 10\nnetwork_dim = 32\nnetwork_alpha = 4\n")
    table, lines = settings_table(own, other)
    assert (table["steps"], table["rank"], table["alpha"]) == (40, 8, 4.0)
    assert "epochs" not in table
    assert [line for line in lines if "your own settings say" in line and "rank" in line]


@pytest.mark.slow
def test_a_plan_says_what_would_be_trained_and_makes_nothing(riso, bases, tmp_path):
    source = str(bases("sdxl").folder)
    plan = training_plan({"epochs": 4, "batch": 2}, riso, source, tmp_path / "studio", 0)
    assert (plan["resolution"], plan["pictures"], plan["held_out"]) == (32, 5, 1)
    assert (plan["steps"], plan["epochs"], plan["seconds"]) == (12, 4.0, None)
    assert not (tmp_path / "studio").exists()
    assert any("12 of 2 x 1" in line for line in plan_lines(plan))


def test_refused_before_hours_are_spent(riso, bases, tmp_path):
    source = str(bases("sd1").folder)
    for table, refusal in (
        ({"steps": 4, "resolution": 128}, FarResolution),
        ({"steps": 4, "resolution": 8}, FarResolution),
        ({}, BadTraining),
        ({"steps": 4, "prior_batch": 1}, BadTraining),
    ):
        with pytest.raises(refusal):
            training_plan(table, riso, source, tmp_path / "studio", 0)
    plan = training_plan({"steps": 4, "resolution": 8, "far_resolution": True}, riso, source, tmp_path, 0)
    assert plan["settings"]["far_resolution"] is True


def test_a_long_caption_is_named(bases, tmp_path):
    practice_style(tmp_path / "riso", 6, 64)
    (tmp_path / "riso" / "002.txt").write_text("waves, " * 40)
    with pytest.raises(CaptionsTooLong, match="002.png"):
        training_plan({"steps": 2}, tmp_path / "riso", str(bases("sdxl").folder), tmp_path, 0)


def test_settings_are_written_once(riso, tmp_path, capsys):
    (tmp_path / "kohya.toml").write_text("network_dim = 8\nunet_lr = 1e-4\n")
    asked = ["train", "--style", str(riso), "--from", str(tmp_path / "kohya.toml"), "--write"]
    for code in (0, 2):
        with pytest.raises(SystemExit) as end:
            cli.main([*asked, str(tmp_path / "settings.toml")])
        assert end.value.code in (code, code or None)
    assert load_training(tmp_path / "settings.toml")["rank"] == 8
    assert "taken     network_dim: rank = 8" in capsys.readouterr().err


def test_the_plan_for_programs(riso, tmp_path, capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--style", str(riso), "--studio", str(tmp_path), "--plan", "--json"])
    plan = json.loads(capsys.readouterr().out)
    assert (plan["steps"], plan["resolution"], plan["settings"]["rate"]) == (12, 128, 0.002)
    assert plan["basis"].startswith("assumed")


@pytest.mark.slow
def test_a_training_is_made_and_the_next_forecast_knows_it(riso, tmp_path, capsys):
    (tmp_path / "own.toml").write_text(
        "[training]\nsteps = 2\nbatch = 1\nrank = 2\nalpha = 2.0\nresolution = 64\n"
    )
    studio = tmp_path / "studio"
    asked = [
        "train",
        str(tmp_path / "own.toml"),
        "--style",
        str(riso),
        "--studio",
        str(studio),
        "--prior",
        "0",
    ]
    with pytest.raises(SystemExit):
        cli.main([*asked, "--json"])
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    body = Catalog(studio).get("adapter", "risograph")
    assert last["adapter"] == body["digest"]
    assert (body["lineage"]["config"]["resolution"], body["lineage"]["config"]["rank"]) == (64, 2)
    with pytest.raises(SystemExit):
        cli.main([*asked, "--plan", "--json"])
    assert json.loads(capsys.readouterr().out)["basis"] == "as 1 times before here"


# ---------------------------------------------------------------- a batch's [training] table


def trained(order, **changes) -> batch.Batch:
    return order(**({"stages": ("10_lora_train",)} | changes))


def test_a_batch_hands_its_table_to_the_training(order, tmp_path):
    table = {"resolution": 64, "rank": 4, "batch": 2}
    (stage,) = batch.plan(trained(order, training=table), tmp_path / "studio")
    assert json.loads(stage.parameters["settings"]) == table


@pytest.mark.parametrize(
    "changes, error, words",
    [
        ({"training": {"resolutoin": 512}}, BadTraining, "is it resolution?"),
        ({"training": {"rank": 4}, "stages": ("00_seeds",)}, batch.UnknownStage, "10_lora_train"),
        (
            {"training": {"steps": 4}, "parameters": {"10_lora_train": {"steps": 5}}},
            BadTraining,
            "too",
        ),
        (
            {"training": {"rank": 4}, "parameters": {"10_lora_train": {"settings": "{}"}}},
            BadTraining,
            "settings",
        ),
        ({"parameters": {"10_lora_train": {"seed": 5}}}, batch.UnknownParameter, "training"),
    ],
)
def test_a_batch_is_refused_by_its_plan(order, tmp_path, changes, error, words):
    with pytest.raises(error, match=words) as refusal:
        batch.plan(trained(order, **changes), tmp_path / "studio")
    assert refusal.value.exit_code == 2


PROGRAM = "import sys\nfrom artmint.console.cli import main\nmain(sys.argv[1:])"
WHOLE = """[training]
epochs = 3
batch = 1
rank = 4
alpha = 2.0
conv_rank = 2
conv_alpha = 1.0
shuffle = true
caption_dropout = 0.1
every = 2
"""


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_stopped_and_called_again_it_ends_in_the_same_adapter(riso, bases, tmp_path, by):
    "On a base of the XL class, at its own size."
    (tmp_path / "own.toml").write_text(WHOLE)
    asked = [
        sys.executable,
        "-c",
        PROGRAM,
        "train",
        str(tmp_path / "own.toml"),
        "--style",
        str(riso),
        "--json",
    ]
    asked += ["--base", str(bases("sdxl").folder), "--prior", "0", "--studio"]
    folder = tmp_path / "stopped" / "adapters" / "risograph"
    with subprocess.Popen([*asked, str(tmp_path / "stopped")], stdout=subprocess.PIPE) as running:
        while running.poll() is None and not list(folder.glob("adapter-*2.safetensors")):
            time.sleep(0.02)
        running.send_signal(by)
    assert running.returncode != 0
    time.sleep(3)  # a killed program's notebook notices
    for name in ("stopped", "once"):
        subprocess.run([*asked, str(tmp_path / name)], check=True, stdout=subprocess.PIPE)
    bodies = [Catalog(tmp_path / name).get("adapter", "risograph") for name in ("stopped", "once")]
    assert bodies[0] == bodies[1]
    config = bodies[0]["lineage"]["config"]
    assert (config["resolution"], config["steps"], config["conv_rank"]) == (32, 15, 2)
