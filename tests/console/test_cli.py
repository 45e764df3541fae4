"The console script: codes, one sentence, one JSON document."

import json
import re
import subprocess
import sys
import threading

import pytest

from artmint.chain.signers import new_keystore
from artmint.console import cli
from tests.studios import FAST, ROOT, artmint
from tests.verbs import VERBS


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        *(
            pytest.param((name, "--help"), marks=pytest.mark.slow)
            for name in ("run", "verify", "report", "doctor")
        ),
    ],
)
def test_help_documents_the_exit_codes(words):
    done = artmint(*words)
    said = " ".join(done.stdout.split())
    assert done.returncode == 0
    assert all(
        code in said
        for code in (
            "0 held",
            "1 failed",
            "2 wrong use",
            "3 could not be checked",
            "4 waiting for people",
            "130 stopped",
        )
    )


@pytest.mark.parametrize(
    "words",
    [
        ("paint",),
        ("run", "none.toml"),
        pytest.param(("run",), marks=pytest.mark.slow),
        pytest.param(("run", "a.toml", "--speed", "9"), marks=pytest.mark.slow),
        pytest.param(("report", "none.toml"), marks=pytest.mark.slow),
    ],
)
def test_wrong_use_is_2_and_one_sentence(words, tmp_path):
    done = artmint(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_debug_shows_the_traceback(tmp_path):
    assert "Traceback" in artmint("--debug", "run", "none.toml", cwd=tmp_path).stderr


def test_an_error_is_one_json_document(tmp_path):
    done = artmint("run", "none.toml", "--json", cwd=tmp_path)
    (line,) = done.stdout.splitlines()  # where success is many lines, an error is the last of them
    assert (json.loads(line)["event"], json.loads(line)["error"]) == ("end", "NoBatchFile")
    assert json.loads(line)["exit_code"] == done.returncode == 2
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
    assert json.loads(capsys.readouterr().out)["error"] == "NoBatchFile"


def test_the_plan_runs_nothing(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as end:
        cli.main(["run", "batches/demo.toml", "--plan", "--json", "--studio", "no-such-studio"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    stages = json.loads(said)
    assert [stage["notebook"] for stage in stages][:3] == ["00_seeds", "15_generate", "20_curate"]
    assert not (ROOT / "no-such-studio").exists()
    assert stages[0]["parameters"]["collection"] == "../../../collections/demo"
    assert str(ROOT) not in said


@pytest.mark.slow
def test_scripts_run_is_the_same(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/run.py", "none.toml", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"] == "NoBatchFile"


def test_version():
    assert artmint("--version").stdout.startswith("artmint 0.")


@pytest.mark.slow
def test_the_package_is_the_console_script_too(tmp_path):
    "For where the folder of scripts isn't on the PATH: same words, same code."
    command = [sys.executable, "-m", "artmint", "verify", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert json.loads(done.stdout) == json.loads(artmint("verify", "--json").stdout)


STOPPED_WHILE_LOADING = """
import sys
class Stop:
    def find_spec(self, name, *_):
        if name == "artmint.console.cli":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Stop())
from artmint.__main__ import main
main()
"""


@pytest.mark.parametrize("words", [["status"], ["status", "--json"], ["run", "b.toml", "--json"]])
def test_a_stop_while_commands_load_is_said_as_any_other(words):
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_WHILE_LOADING, *words], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    if "--json" in words:
        said = json.loads(done.stdout)
        assert (said["error"], said["exit_code"], said.get("event")) == (
            "StoppedByHand",
            130,
            "end" if words[0] == "run" else None,
        )
    else:
        assert done.stderr == "artmint: Stopped while it was loading. Nothing was done.\n"


@pytest.mark.slow
def test_doctor_names_a_key_that_others_can_read(tmp_path):
    (tmp_path / "keys").mkdir()
    key = tmp_path / "keys" / "minter.json"
    new_keystore(key, "word", FAST)
    key.chmod(0o644)
    done = artmint("doctor", "--studio", str(tmp_path), "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert checks["keys/minter.json"]["status"] == "failed"
    assert checks["keys/minter.json"]["evidence"].startswith("readable by others (mode 644)")
    key.chmod(0o600)
    (tmp_path / "keys" / "stores").mkdir()
    (tmp_path / "keys" / "stores").chmod(0o755)
    done = artmint("doctor", "--studio", str(tmp_path))
    assert done.returncode == 1 and "chmod 700" in done.stdout
    (tmp_path / "keys" / "stores").chmod(0o700)
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


def test_doctor_looks_at_the_contract(minted, capsys):
    with pytest.raises(SystemExit):
        cli.main(["doctor", "--studio", str(minted[0])])
    lines = {line.split()[2]: line for line in capsys.readouterr().out.splitlines() if " tiny " in line}
    assert {"chain", "code", "role", "paused", "allowance", "balance", "price"} <= set(lines)
    assert all(line.startswith("✓") for line in lines.values())


def test_help_shows_what_stands_in_brackets(capsys):
    with pytest.raises(SystemExit):
        cli.main(["attest", "--help"])
    said = capsys.readouterr().out
    assert "[signers]" in said.replace("\n", "")
    swallowed = []
    for words, verb in VERBS.items():
        for text in (verb.help, *(getattr(one, "help", "") for one in verb.params)):
            swallowed += [
                f"{words}: {found}" for found in re.findall(r"(?<!\\)\[[a-z@/#.][^][]*\]", text or "")
            ]
    assert swallowed == []
