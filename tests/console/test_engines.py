"The engines of a studio on the console."

import json

import pytest
from typer.testing import CliRunner

from artmint.console.cli import app
from artmint.console.engines import BadBaseOption, NoBaseThere, NothingToCompare, engine_rows
from artmint.make.a1111 import lora_file, lora_name
from artmint.make.adapters import keep_adapter
from artmint.studio.catalog import Catalog

from ..batches import FOLDER
from ..webui import SHA, small_lora, webui


@pytest.fixture
def server():
    with webui() as running:
        yield running


def names(studio, *servers) -> None:
    "Write down a studio's servers."
    text = "".join(f'[engines.{name}]\nkind = "{kind}"\nurl = "{url}"\n' for name, kind, url in servers)
    (studio / "studio.toml").write_text(text)


def say(*words):
    return CliRunner().invoke(app, ["engines", *(str(word) for word in words)])


def test_engines_are_listed_as_they_are(server, tmp_path):
    names(tmp_path, ("desk", "a1111", server.url), ("gone", "a1111", "http://127.0.0.1:9"))
    done = say("list", "--studio", tmp_path, "--json")
    assert done.exit_code == 3
    here, desk, gone = json.loads(done.stdout)
    assert here["program"] == "diffusers"
    assert (desk["program"], desk["version"], desk["models"]) == ("AUTOMATIC1111", "v1.10.1", {"fox": SHA})
    assert "can't be reached" in gone["unreachable"]
    words = say("list", "--studio", tmp_path).stdout
    assert "not there" in words
    assert SHA[:12] in words


def test_a_login_is_used_and_stays_secret(server, tmp_path):
    server.login = "ada:correct horse"
    names(tmp_path, ("desk", "a1111", server.url))
    key = tmp_path / "keys/engines/desk"
    assert "keys/engines/desk" in engine_rows(tmp_path)[1]["unreachable"]
    key.parent.mkdir(parents=True)
    key.write_text("ada:correct horse\n")
    key.chmod(0o644)
    assert "chmod 600" in engine_rows(tmp_path)[1]["unreachable"]
    key.chmod(0o600)
    done = say("list", "--studio", tmp_path, "--json")
    assert done.exit_code == 0
    assert "correct" not in done.stdout


def test_comparing_needs_a_second_engine_and_a_base_for_it(server, tmp_path):
    for servers, words, kind in (
        ((), (), NothingToCompare),
        ((("desk", "a1111", server.url),), (), NoBaseThere),
        ((("desk", "a1111", server.url),), ("--base", "table=fox"), BadBaseOption),
    ):
        names(tmp_path, *servers)
        done = say("compare", FOLDER, "--studio", tmp_path, *words)
        assert type(done.exception) is kind
        assert server.asked == []


@pytest.mark.slow
def test_a_comparison_measures_and_records_nothing(server, tmp_path):
    names(tmp_path, ("desk", "a1111", server.url))
    sheet = tmp_path / "sheet.png"
    words = ["compare", FOLDER, "--studio", tmp_path, "--slots", 1, "--base", "desk=fox", "--sheet", sheet]
    done = say(*words, "--no-causes", "--json")
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)
    assert (row["engine"], row["kind"], row["recipes"]) == ("desk", "DDIM", 1)
    assert row["largest"] > 50  # noise beside a drawing
    assert row["causes"] == []
    assert sheet.exists()
    assert not (tmp_path / "catalog.sqlite").exists()
    assert not (tmp_path / "salts").exists()


@pytest.mark.slow
def test_what_an_engine_refuses_is_told_and_the_code_is_3(server, tmp_path):
    names(tmp_path, ("desk", "a1111", server.url))
    server.pages["/sdapi/v1/samplers"] = []
    done = say("compare", FOLDER, "--studio", tmp_path, "--slots", 1, "--base", "desk=fox", "--json")
    assert done.exit_code == 3
    assert "sampler" in json.loads(done.stdout)[0]["problem"]


def test_adapters_are_written_as_servers_read_them(tmp_path):
    studio = tmp_path / "studio"
    folder = tmp_path / "tiny"
    folder.mkdir()
    catalog = Catalog(studio)
    data = small_lora()
    digest = keep_adapter(catalog, "ink", data)
    text = (FOLDER / "collection.toml").read_text() + '\n[[adapters]]\nname = "ink"\n'
    (folder / "collection.toml").write_text(text)
    done = say("loras", folder, tmp_path / "loras", "--studio", studio, "--json")
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)
    written = (tmp_path / "loras" / f"{lora_name(digest)}.safetensors").read_bytes()
    assert (written, row["sshs_model_hash"]) == lora_file(data)
