"The console script: codes, one sentence, one JSON document."

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from artmint.run import cli
from artmint.run.console import verify_command
from artmint.run.runner import WaitingForPeople

ROOT = Path(__file__).parents[2]


def artmint(*words: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    "Run the console script as a user does."
    return subprocess.run(
        [Path(sys.executable).with_name("artmint"), *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | environment,
    )


@pytest.mark.parametrize(
    "words",
    [("--help",), ("run", "--help"), ("verify", "--help"), ("report", "--help"), ("doctor", "--help")],
)
def test_help_documents_the_exit_codes(words):
    done = artmint(*words)
    said = " ".join(done.stdout.split())
    assert done.returncode == 0
    assert all(
        code in said
        for code in ("0 held", "1 failed", "2 wrong use", "3 could not be checked", "4 waiting for people")
    )


@pytest.mark.parametrize(
    "words",
    [("run",), ("paint",), ("run", "a.toml", "--speed", "9"), ("run", "none.toml"), ("report", "none.toml")],
)
def test_wrong_use_is_2_and_one_sentence(words, tmp_path):
    done = artmint(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(tmp_path):
    assert "Traceback" in artmint("--debug", "run", "none.toml", cwd=tmp_path).stderr


def test_an_error_is_one_json_document(tmp_path):
    done = artmint("run", "none.toml", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["error"] == "BadBatch"
    assert json.loads(done.stdout)["exit_code"] == done.returncode == 2
    assert done.stderr == ""


def test_it_runs_in_a_thread_too(tmp_path, capsys):
    "As nbdev-test runs notebooks: only the main thread may say what signals do."
    codes = []

    def work() -> None:
        try:
            cli.main(["run", str(tmp_path / "none.toml"), "--json"])
        except SystemExit as end:
            codes.append(end.code)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert codes == [2]
    assert json.loads(capsys.readouterr().out)["error"] == "BadBatch"


def test_the_plan_runs_nothing():
    done = artmint("run", "batches/demo.toml", "--plan", "--json", "--studio", "no-such-studio")
    stages = json.loads(done.stdout)
    assert [stage["notebook"] for stage in stages][:3] == ["00_seeds", "15_generate", "20_curate"]
    assert not (ROOT / "no-such-studio").exists()
    assert stages[0]["parameters"]["collection"] == "../../../collections/demo"
    assert str(ROOT) not in done.stdout


def test_scripts_run_is_the_same(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/run.py", "none.toml", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"] == "BadBatch"


def test_version():
    assert artmint("--version").stdout.startswith("artmint 0.")


def test_doctor_names_a_key_that_others_can_read(tmp_path):
    (tmp_path / "keys").mkdir()
    key = tmp_path / "keys" / "minter.json"
    key.write_text("{}")
    key.chmod(0o644)
    done = artmint("doctor", "--studio", str(tmp_path), "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert checks["keys/minter.json"]["status"] == "failed"
    assert checks["keys/minter.json"]["evidence"].startswith("readable by others (mode 644)")
    key.chmod(0o600)
    assert artmint("doctor", "--studio", str(tmp_path)).returncode == 0


def test_doctor_reads_and_writes_nothing_where_no_studio_is(tmp_path):
    assert artmint("doctor", "--studio", "studio", cwd=tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_doctor_deep_names_a_changed_row(tmp_path):
    from sqlalchemy import create_engine, text

    from artmint.studio.catalog import Catalog

    catalog = Catalog(tmp_path)
    catalog.put("slot", "demo/7", {"traits": {"motif": "rings"}})
    catalog.close()
    with create_engine(f"sqlite:///{tmp_path / 'catalog.sqlite'}").begin() as connection:
        connection.execute(text("update record set body = replace(body, 'rings', 'waves')"))
    assert [check for check in cli._records(tmp_path) if check["status"] == "failed"] == [
        cli._check("catalog", "failed", "slot demo/7: row changed")
    ]


@pytest.mark.parametrize(
    "statuses, code", [((), 0), (("held",), 0), (("held", "unchecked"), 3), (("unchecked", "failed"), 1)]
)
def test_the_exit_code_of_decides(statuses, code):
    assert cli._worst([{"status": status} for status in statuses]) == code


def test_the_command_can_be_typed_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert verify_command("embedded:0xAb", tmp_path / "my studio").endswith(
        "verify embedded:0xAb --studio 'my studio' --regenerate"
    )
    monkeypatch.chdir(ROOT)
    assert f"--studio {tmp_path}" in verify_command("embedded:0xAb", tmp_path)


@pytest.mark.parametrize(
    "error, code, said",
    [
        (ValueError("first\nsecond"), 1, "first second"),
        (WaitingForPeople([3], 2), 4, "and run the batch again."),
    ],
)
def test_an_error_is_one_sentence_and_its_code(monkeypatch, capsys, error, code, said):
    def broken(path: Path):
        raise error

    monkeypatch.setattr("artmint.run.batch.load_batch", broken)
    with pytest.raises(SystemExit) as end:
        cli.main(["run", "x.toml"])
    assert end.value.code == code
    assert capsys.readouterr().err.strip().endswith(said)


# ------------------------------------------------------------------ a studio's folder


def test_init_makes_a_studio_that_can_be_planned(tmp_path):
    done = artmint("init", "home", "--name", "dawn", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "artmint run batches/dawn.toml --plan" in done.stdout, done.stderr
    again = artmint("init", "home", "--name", "dawn", cwd=tmp_path)
    assert again.returncode == 2
    assert "already has" in again.stderr
    rows = json.loads(artmint("run", "batches/dawn.toml", "--plan", "--json", cwd=tmp_path / "home").stdout)
    assert rows[1]["notebook"] == "15_generate"
    assert rows[1]["pictures"] == [12, 36]
    assert rows[1]["seconds"] > 0
    assert not (tmp_path / "home/studio/catalog.sqlite").exists()
    part = json.loads(
        artmint(
            "run",
            "batches/dawn.toml",
            "--plan",
            "--json",
            "--from",
            "curate",
            "--to",
            "mint",
            cwd=tmp_path / "home",
        ).stdout
    )
    assert [row["notebook"] for row in part if row["basis"] != "not asked for"] == [
        "20_curate",
        "25_metadata",
        "27_pin",
        "30_mint",
    ]


@pytest.mark.parametrize("name", ["../up", "First", "", "9a"])
def test_init_refuses_a_name_that_is_none(tmp_path, name):
    done = artmint("init", "home", "--name", name, cwd=tmp_path)
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def studio(tmp_path):
    "A studio with a picture that a record speaks of, one that a drop's file speaks of, and one that nobody does."
    from artmint.studio.catalog import Catalog

    catalog = Catalog(tmp_path / "studio")
    names = {name: catalog.put_blob(name.encode()) for name in ("recorded", "published", "lost")}
    catalog.put("artifact", "dna", {"file_digest": names["recorded"]})
    (catalog.folder / "drops").mkdir()
    (catalog.folder / "drops/drop.json").write_text(json.dumps({"weights": names["published"]}))
    (catalog.folder / "keys").mkdir(mode=0o700)
    (catalog.folder / "keys/minter.json").write_text("secret")
    catalog.offer("generate", ["a"])
    catalog.claim("generate", "me", 60)
    catalog.done("generate", "a", "me")
    return catalog, names


def test_gc_removes_what_nothing_refers_to_and_only_when_told(studio):
    catalog, names = studio
    looked = json.loads(artmint("gc", "--studio", str(catalog.folder), "--days", "0", "--json").stdout)
    assert looked["blobs"] == [names["lost"]]
    assert looked["jobs"] == 1
    assert not looked["removed"]
    assert catalog.has_blob(names["lost"])
    assert (
        json.loads(artmint("gc", "--studio", str(catalog.folder), "--json").stdout)["blobs"] == []
    )  # all of them are young
    assert artmint("gc", "--studio", str(catalog.folder), "--days", "0", "--really").returncode == 0
    assert [catalog.has_blob(names[name]) for name in ("recorded", "published", "lost")] == [
        True,
        True,
        False,
    ]
    assert catalog.check() == []
    assert catalog.finished_jobs() == 0


def test_gc_waits_for_a_run(studio):
    from filelock import FileLock

    from artmint.studio.maintenance import gc
    from artmint.studio.files import StudioBusy

    with FileLock(studio[0].folder / "run.lock"), pytest.raises(StudioBusy):
        gc(studio[0].folder, really=True, days=0)


def test_a_backup_is_a_studio_and_tells_no_keys(studio, tmp_path):
    from artmint.studio.catalog import Catalog

    catalog, names = studio
    done = artmint("backup", str(tmp_path / "copy"), "--studio", str(catalog.folder))
    assert done.returncode == 0, done.stderr
    assert "keys were left out" in done.stdout, done.stderr
    copy = Catalog(tmp_path / "copy")
    assert copy.get("artifact", "dna") == catalog.get("artifact", "dna")
    assert copy.blob(names["recorded"]) == b"recorded"
    assert not (tmp_path / "copy/keys").exists()
    catalog.put("artifact", "later", {"file_digest": catalog.put_blob(b"later")})
    assert (
        json.loads(
            artmint(
                "backup", str(tmp_path / "copy"), "--studio", str(catalog.folder), "--keys", "--json"
            ).stdout
        )["files"]
        == 3
    )  # the catalog, the new blob, the key
    assert Catalog(tmp_path / "copy").find("artifact", "later")
    assert (tmp_path / "copy/keys/minter.json").read_text() == "secret"


def test_a_backup_of_a_damaged_studio_says_so(studio, tmp_path):
    from artmint.studio.maintenance import DamagedStudio, backup

    studio[0].blob_path(studio[1]["recorded"]).write_bytes(b"rec0rded")
    with pytest.raises(DamagedStudio, match="bytes changed"):
        backup(studio[0].folder, tmp_path / "copy")
