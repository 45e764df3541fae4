"What the console says."

import errno
import io
import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from artmint.console import cli
from artmint.core.canon import Refusal
from artmint.core.collection import example
from artmint.core.records import Finding
from artmint.prove.proof import ProofCard, Step
from artmint.run.console import (
    READER_GONE,
    NoPlaceFor,
    UntoldWords,
    console_voice,
    heartbeat,
    own_lines,
    place_for,
    exit_code_of,
    open_browser,
    plain_streams,
    console_words,
    print_json,
    print_line,
    show_steps,
    verify_command,
)
from artmint.run.runner import WaitingForPeople, _known_words
from tests.studios import ROOT


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
        (ValueError("first\nsecond"), 1, "second This wasn't foreseen: --debug shows where it happened."),
        (WaitingForPeople([3], 2), 4, "and run the batch again."),
    ],
)
def test_an_error_is_its_own_words_and_its_code(monkeypatch, capsys, error, code, said):
    def broken(path: Path):
        raise error

    monkeypatch.setattr("artmint.run.batch.load_batch", broken)
    with pytest.raises(SystemExit) as end:
        cli.main(["run", "x.toml"])
    assert end.value.code == code
    assert capsys.readouterr().err.strip().endswith(said)


@pytest.mark.parametrize(
    "statuses, code", [((), 0), (("held",), 0), (("held", "unchecked"), 3), (("unchecked", "failed"), 1)]
)
def test_the_exit_code_of_decides(statuses, code):
    assert exit_code_of([{"status": status} for status in statuses]) == code


def test_a_log_is_told_now_and_then_and_not_every_time(capsys):
    "Where there is no terminal, a line of the moment becomes a line of the log, a few seconds apart."
    _, often = console_voice(every=0.0)
    often("1 of 3")
    often("2 of 3")
    often("")
    _, seldom = console_voice(every=3600.0)
    seldom("3 of 3")
    assert capsys.readouterr().err.splitlines() == ["1 of 3", "2 of 3"]


def test_the_heart_beats_until_the_work_ends():
    beats, beaten = [], threading.Event()

    def tell(seconds: float) -> None:
        beats.append(seconds)
        beaten.set()

    with heartbeat(tell, every=0.01):
        assert beaten.wait(60)
    count = len(beats)
    time.sleep(0.05)
    assert len(beats) == count
    assert beats == sorted(beats)


def test_sentences_have_lines_of_their_own():
    said = "There is no folder a.b. Nothing was served; make one. It's e.g. 'x'."
    assert own_lines(said).splitlines() == [
        "There is no folder a.b.",
        "  Nothing was served; make one.",
        "  It's e.g. 'x'.",
    ]
    assert own_lines("Mend:\n  - One. Two.") == "Mend:\n  - One. Two."


@pytest.mark.parametrize("name", ["no/such/a.png", "folder", "a.tif"])
def test_a_file_that_could_not_be_written_is_refused_before_the_work(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(NoPlaceFor, match="can't be written, because"):
        place_for("--png", Path(name), ".png")
    place_for("--png", None)
    place_for("--png", Path("folder/a.PNG"), ".png")


FORGED = (
    "\x1b[2J\x1b[H\x1b[32m✓\x1b[0m pixels 4 of 4\r\nproven: chain held, content held, metadata held, "
    "recipe held, regenerated held\r\n\x1b]0;\x9b2J\x7f\u202e\U000e0041"
)
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\U000e0041]")


def test_what_strangers_wrote_moves_no_cursor(capsys):
    "A dishonest studio's words, wherever they become text: none of them is obeyed, and none begins a line."

    class Lying(Refusal):
        "Somebody's words."

        words: str
        says = "It says {words}"

    lines = [str(Finding(1, FORGED, "held", FORGED)), Step(FORGED, "failed", FORGED).evidence]
    assert not any(OBEYED.search(line) or "\n" in line for line in lines)
    assert not OBEYED.search(str(Lying(FORGED)))
    card = ProofCard(1, FORGED, {FORGED: FORGED}, "", "", b"")
    assert not OBEYED.search(card.name + "".join(card.traits) + "".join(card.traits.values()))
    with plain_streams():
        print(FORGED)
        print("\x1b[32m✓\x1b[0m held")
    show_steps([{"name": FORGED, "status": "failed", "evidence": FORGED}])
    print_json({FORGED: [FORGED]})
    print_line({"a": FORGED})
    printed = capsys.readouterr().out
    assert "\x1b[32m✓\x1b[0m held\n" in printed
    assert not OBEYED.search(printed.replace("\x1b[32m", "").replace("\x1b[0m", "").replace("\x1b[31m", ""))


def test_json_with_control_characters_is_the_same_json(capsys):
    print_json({FORGED: [FORGED, "日本"]})
    assert json.loads(capsys.readouterr().out) == {FORGED: [FORGED, "日本"]}
    print_json({"name": "日本"})
    assert "日本" in capsys.readouterr().out


def test_a_token_is_in_no_list_of_processes(monkeypatch):
    "The browser is given a file that only its user can read."
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    page = open_browser("http://127.0.0.1:9/?token=CANARY&by=ada")
    assert opened == [page.as_uri()]
    assert "CANARY" not in opened[0]
    assert "token=CANARY&amp;by=ada" in page.read_text()
    assert page.stat().st_mode & 0o077 == page.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("error", "words", "code"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "studio/blobs/ab"),
            "The disk is full: studio/blobs/ab",
            1,
        ),
        (OSError(errno.EROFS, "Read-only file system", "run.lock"), "can only be read: run.lock", 1),
        (PermissionError(errno.EACCES, "Permission denied", "keys"), "This user may not do that: keys", 1),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "x/y"),
            "Something isn't there: x/y",
            1,
        ),
        (OSError("nothing said"), "OSError", 1),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), "pip install 'artmint[make]'", 2),
        (ModuleNotFoundError("No module named 'web3.x'", name="web3.x"), "pip install 'artmint[publish]'", 2),
        (ModuleNotFoundError("No module named 'nix'", name="nix"), "pip install nix", 2),
        (
            sqlite3.DatabaseError("file is not a database"),
            "catalog can't be used (file is not a database)",
            1,
        ),
        (sa.exc.OperationalError("SELECT 1", {}, sqlite3.OperationalError("locked")), "(locked)", 1),
        (KeyError("scores"), "This wasn't foreseen", 1),
        (AssertionError(), "no further words", 1),
    ],
)
def test_what_the_system_says_is_told_in_words_that_help(error, words, code):
    said, ended = console_words(error)
    assert words in said
    assert ended == code
    assert "sqlalche.me" not in said and "[Errno" not in said


@pytest.mark.parametrize(
    "words",
    [
        ("report", "BATCH"),
        ("gc",),
        ("backup", "copy"),
        ("review", "BATCH"),
        ("runs", "list"),
        ("open", "COLLECTION"),
        ("mint", "COLLECTION", "--dry-run"),
        ("base", "list"),
        ("tx", "list"),
    ],
)
def test_a_mistyped_studio_is_refused_and_none_is_begun(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    places = {"BATCH": str(example("batches/demo.toml")), "COLLECTION": str(example())}
    with pytest.raises(SystemExit) as end:
        cli.main([*(places.get(word, word) for word in words), "--studio", "stuido"])
    assert end.value.code == 2
    assert "stuido" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_batch_that_is_not_there_names_its_neighbours(tmp_path, capsys):
    (tmp_path / "demo.toml").write_text("")
    with pytest.raises(SystemExit):
        cli.main(["run", str(tmp_path / "dmeo.toml")])
    assert "in its folder there are demo.toml" in capsys.readouterr().err


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path):
    "Also to an administrator, whom rights allow everything."
    from artmint.run.console import NoFolderFor, NoPlaceFor, folder_for, place_for

    (tmp_path / "file").write_text("x")
    for path in (Path("/proc/x"), tmp_path / "file", tmp_path / "file/x"):
        with pytest.raises(NoFolderFor):
            folder_for("--to", path)
    for path in (Path("/proc/x"), tmp_path / "none/x", tmp_path):
        with pytest.raises(NoPlaceFor):
            place_for("--to", path)
    folder_for("--to", tmp_path / "a/b/c")
    place_for("--to", tmp_path / "x")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


class Refusing(io.TextIOWrapper):
    "A stream that takes nothing, as a full disk and a reader that has gone do."

    def __init__(self, number):
        super().__init__(io.BytesIO(), encoding="ascii")
        self.number = number

    def write(self, text):
        raise OSError(self.number, os.strerror(self.number))


def told_into(monkeypatch, number: int) -> BaseException:
    "What ends a command whose first line standard output doesn't take, and that goes on after it."
    monkeypatch.setattr(sys, "stdout", Refusing(number))
    with pytest.raises((UntoldWords, SystemExit)) as end, plain_streams():
        with suppress(UntoldWords, SystemExit):
            print("a line")
        print("another")
    return end.value


def test_a_full_disk_under_the_output_is_not_the_studio_s_and_no_verdict(monkeypatch):
    "The last words can't be told: it is said so, once more at the end, and the outcome counts as unchecked."
    error = told_into(monkeypatch, errno.ENOSPC)
    message, code = console_words(error)
    assert code == 3
    assert "standard output" in message and "No space left" in message and "studio" not in message


def test_a_reader_that_has_gone_ends_a_command_without_a_verdict(monkeypatch):
    assert told_into(monkeypatch, errno.EPIPE).code == READER_GONE == 128 + signal.SIGPIPE


def test_a_log_that_takes_nothing_ends_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Refusing(errno.EIO))
    with plain_streams():
        print("on the way", file=sys.stderr)


def test_closed_streams_are_no_numbers_for_files(tmp_path):
    "A command whose output was closed writes nothing into the studio's files, and ends as it would."
    program = "import os\nfrom artmint.run.console import plain_streams\nwith plain_streams():\n    print('words')\n"
    program += f"    file = open({str(tmp_path / 'kept')!r}, 'w'); assert file.fileno() > 2\n    input() if 0 else None\n"
    shell = f"{shlex.quote(sys.executable)} -c {shlex.quote(program)} <&- >&- 2>{shlex.quote(str(tmp_path / 'said'))}"
    assert subprocess.run(["sh", "-c", shell], check=False).returncode == 0, (tmp_path / "said").read_text()
    assert (tmp_path / "kept").read_text() == ""


def test_json_has_the_letters_that_the_terminal_takes(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    print_json({"name": "nosüch"})
    stream.flush()
    assert json.loads(stream.buffer.getvalue()) == {"name": "nosüch"}


@pytest.mark.parametrize(
    "message, said",
    [
        ("[Errno 28] No space left on device", "The disk is full (make room)."),
        (
            "[Errno 13] Permission denied: '/s/x'",
            "This user may not do that: /s/x (let this user write there",
        ),
        ("[Errno 5] Input/output error: '/s/x'", "Input/output error: /s/x (mend that)."),
        (
            "(sqlite3.OperationalError) disk is full\n[SQL: INSERT]\n(Background on",
            "catalog can't be used: disk is full",
        ),
        ("Number of rows must be positive", "Number of rows must be positive"),
    ],
)
def test_what_ends_a_notebook_is_said_as_what_ends_a_verb(message, said):
    "The system's and the catalog's errors, in words to act on; a room's own words stay as they are."
    words = _known_words(message)
    assert words.startswith(said) or said in words
    assert "[Errno" not in words and "SQL:" not in words


def test_a_user_without_a_name_is_asked_for_one(monkeypatch):
    import getpass
    from artmint.run.console import NoOwnName, own_name

    assert own_name() == getpass.getuser()
    for fault in (KeyError("getpwuid(): uid not found"), OSError("No username set")):
        monkeypatch.setattr(getpass, "getuser", lambda fault=fault: (_ for _ in ()).throw(fault))
        with pytest.raises(NoOwnName, match="--by NAME"):
            own_name()
