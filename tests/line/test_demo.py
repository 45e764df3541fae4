"End to end: a small batch from a prompt to a proven token, as a user runs it."

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
ARTMINT = str(Path(sys.executable).with_name("artmint"))
CANARY = "canary-7c1f"


def artmint(*words: str, cwd: Path) -> subprocess.CompletedProcess:
    "Run the console script, with a secret in its environment that must turn up nowhere."
    return subprocess.run(
        [ARTMINT, *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"ARTMINT_TEST_SECRET": CANARY},
    )


def place(folder: Path) -> Path:
    "A user's folder with the small batch in it."
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "tests/data/tiny", folder / "tiny")
    shutil.copy(ROOT / "tests/data/tiny.toml", folder)
    return folder


def rows(studio: Path, kind: str) -> list[str]:
    "Keys of all records of a kind, none while there is no catalog."
    if not (studio / "catalog.sqlite").exists():
        return []
    with sqlite3.connect(f"file:{studio / 'catalog.sqlite'}?mode=ro", uri=True, timeout=10) as connection:
        try:
            return [key for (key,) in connection.execute("select key from record where kind = ?", (kind,))]
        except sqlite3.OperationalError:
            return []


def everything(studio: Path) -> Counter:
    "How many records of each kind there are."
    with sqlite3.connect(studio / "catalog.sqlite") as connection:
        return Counter(dict(connection.execute("select kind, count(*) from record group by kind")))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    "A folder in which the batch was run undisturbed, and what the script said."
    folder = place(tmp_path_factory.mktemp("home") / "here")
    done = artmint("run", "tiny.toml", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.fixture(scope="module")
def studio(home):
    "The undisturbed studio."
    return home[0] / "studio"


@pytest.fixture
def copy(studio, tmp_path):
    "A copy of the studio, to be spoiled."
    return Path(shutil.copytree(studio, tmp_path / "studio"))


def test_the_last_line_is_the_very_command(home):
    folder, done = home
    said = done.stdout.strip().splitlines()
    assert re.fullmatch(
        r"\S*artmint verify embedded:0x[0-9a-fA-F]{40} --studio studio --regenerate", said[-1]
    )
    again = subprocess.run(said[-1], shell=True, cwd=folder, capture_output=True, text=True)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "✗" not in again.stdout, again.stdout + again.stderr


def test_run_again_makes_nothing_twice(home, studio):
    before = everything(studio)
    drop = (studio / "drops/tiny-1/drop.json").stat().st_mtime_ns
    books = {path.name: path.stat().st_mtime_ns for path in (studio / "runs/tiny").glob("*.ipynb")}
    done = artmint("run", "tiny.toml", "--json", cwd=home[0])
    assert done.returncode == 0
    stages = json.loads(done.stdout.splitlines()[-1])["stages"]
    assert [stage["name"] for stage in stages if not stage["skipped"]] == []
    assert len(stages) == len(books)
    assert everything(studio) == before
    assert (studio / "drops/tiny-1/drop.json").stat().st_mtime_ns == drop
    assert {path.name: path.stat().st_mtime_ns for path in (studio / "runs/tiny").glob("*.ipynb")} == books


def test_traits_are_exact_on_the_chain_s_own_word(studio):
    manifest = json.loads((studio / "drops/tiny-1/drop.json").read_text())
    found = Counter()
    for token in manifest["tokens"]:
        facts = json.loads((studio / "drops/tiny-1/root" / f"{token['id']}.json").read_text())
        found.update((each["trait_type"], each["value"]) for each in facts["attributes"])
    assert found == {
        ("motif", "rings"): 2,
        ("motif", "waves"): 2,
        ("palette", "ocean"): 2,
        ("palette", "ember"): 2,
    }


def test_executed_notebooks_are_whole_and_tell_nothing(home, studio):
    for path in (paths := sorted((studio / "runs/tiny").glob("*.ipynb"))):
        node = nbformat.read(path, as_version=4)
        assert node.metadata.papermill.end_time
        assert str(home[0]) not in path.read_text(), path
    assert len(paths) >= 7


def test_no_secret_leaves_the_keys(studio):
    "Neither what stands in the environment, nor the passphrase, nor a key."
    secrets = [CANARY.encode(), *(path.read_bytes().strip() for path in studio.glob("keys/*passphrase*"))]
    assert len(secrets) > 1
    for path in studio.rglob("*"):
        if path.is_file() and path.parent.name != "keys":
            assert not [secret for secret in secrets if secret in path.read_bytes()], path
    assert all(path.stat().st_mode & 0o077 == 0 for path in studio.glob("keys/*"))


def test_what_was_painted_lies_on_a_sheet_though_the_studio_was_named_by_a_relative_path(home, studio):
    "Papermill works in another folder while a stage runs."
    with Image.open(studio / "runs/tiny/painted.png") as sheet:
        assert sheet.width >= 64
    assert "studio/runs/tiny/painted.png shows them" in home[1].stderr


def test_the_report_is_complete_in_itself(studio):
    page = (studio / "runs/tiny/report.html").read_text()
    assert page.count("<article") == 4
    assert page.count("data:image/") >= 4
    assert not re.search(r"<script|<link|<iframe|\son\w+=|(?:src|href)=[\"'](?!data:|#)", page)
    assert "Proven from the contract" in page
    assert "--regenerate" in page
    assert "Tiny #4" in page


def reached(stage: str, studio: Path) -> bool:
    "Whether a run is in the middle of a stage."
    if stage == "15_generate":
        return len(rows(studio, "artifact")) >= 1
    if stage == "25_metadata":
        return (studio / "drops").exists()
    return len(rows(studio, "transaction")) >= 2


def until(stage: str, folder: Path) -> subprocess.Popen:
    "Start the batch, in a group of its own as a shell does, and wait until it is in the middle of a stage."
    running = subprocess.Popen(
        [ARTMINT, "run", "tiny.toml"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 240
    while not reached(stage, folder / "studio") and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert running.poll() is None, "it ended before it could be stopped"
    return running


def kill_in(stage: str, folder: Path) -> None:
    "Start the batch and end it with SIGKILL in the middle of a stage."
    running = until(stage, folder)
    running.kill()
    running.communicate()


def at_work_in(folder: Path) -> list[str]:
    "Processes that work in a folder: kernels, which have a group of their own."
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            found += [path.name] * (Path(os.readlink(path / "cwd")) == folder)
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_ctrl_c_stops_in_mid_stage_and_the_batch_goes_on(studio, tmp_path):
    "A terminal sends SIGINT to the whole group. One sentence, code 130, nothing left running; then the same drop.json."
    folder = place(tmp_path / "elsewhere")
    for stage in ("15_generate", "25_metadata"):
        running = until(stage, folder)
        assert at_work_in(folder / "studio/runs/tiny")
        os.killpg(running.pid, signal.SIGINT)
        said = running.communicate(timeout=120)[1]
        assert running.returncode == 130, said
        assert f"Stopped in {stage}" in said, said
        assert "run the same batch again" in said, said
        assert "Traceback" not in said, said
        assert at_work_in(folder / "studio/runs/tiny") == []
        assert (folder / f"studio/runs/tiny/{stage}.interrupted.ipynb").exists()
    done = artmint("run", "tiny.toml", "--to", "metadata", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert {
        stage["name"] for stage in json.loads(done.stdout.splitlines()[-1])["stages"] if stage["skipped"]
    } >= {"00_seeds", "15_generate"}
    for name in ("drop.json", "drop.car"):
        assert (folder / "studio/drops/tiny-1" / name).read_bytes() == (
            studio / "drops/tiny-1" / name
        ).read_bytes(), name


@pytest.mark.slow
def test_killed_in_generation_packing_and_minting(studio, tmp_path):
    "The same drop.json, byte for byte, and every token once."
    folder = place(tmp_path / "elsewhere")
    for stage in ("15_generate", "25_metadata", "30_mint"):
        kill_in(stage, folder)
    done = artmint("run", "tiny.toml", cwd=folder)
    assert done.returncode == 0, done.stderr
    for name in ("drop.json", "drop.car"):
        assert (folder / "studio/drops/tiny-1" / name).read_bytes() == (
            studio / "drops/tiny-1" / name
        ).read_bytes(), name
    assert sorted(rows(folder / "studio", "token")) == [f"tiny/{slot}" for slot in (1, 2, 3, 4)]
    interrupted = {
        path.name.split(".")[0] for path in (folder / "studio/runs/tiny").glob("*.interrupted.ipynb")
    }
    assert interrupted == {"15_generate", "25_metadata", "30_mint"}


@pytest.mark.slow
def test_a_flipped_byte_is_named(home, copy):
    "In the archive that a stranger gets: it speaks of the store that gave it."
    root = re.search(r"name their file below (\w+)", home[1].stdout + home[1].stderr)[1]
    car = copy / "store" / f"{root}.car"  # beside it lies the base
    data = bytearray(car.read_bytes())
    data[len(data) // 2] ^= 1
    car.write_bytes(data)
    done = artmint("verify", home[1].stdout.split()[-4], "--studio", str(copy), cwd=home[0])
    assert done.returncode == 3, done.stdout
    assert re.search(r"– archive.*block baf[yk]", done.stdout), done.stdout
    assert "✗" not in done.stdout


@pytest.mark.slow
def test_no_store_is_3(home, copy):
    shutil.rmtree(copy / "store")
    done = artmint("verify", home[1].stdout.split()[-4], "--studio", str(copy), "--json", cwd=home[0])
    assert done.returncode == json.loads(done.stdout)["exit_code"] == 3


@pytest.mark.slow
def test_doctor_deep_names_a_changed_row(home, copy):
    "And finds nothing else."
    with sqlite3.connect(copy / "catalog.sqlite") as connection:
        connection.execute(
            "update record set body = replace(body, 'accept', 'reject') where id = (select min(id) from record where kind = 'decision' and body like '%accept%')"
        )
    done = artmint("doctor", "--deep", "--studio", str(copy), "--json", cwd=home[0])
    odd = [check for check in json.loads(done.stdout)["checks"] if check["status"] != "held"]
    assert done.returncode == 1, done.stdout
    assert len(odd) == 1, done.stdout
    assert re.fullmatch("decision [0-9a-f]{64}: row changed", odd[0]["evidence"]), done.stdout
