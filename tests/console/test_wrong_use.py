"""Every verb of `artmint --help`, found by walking it, with arguments that are missing, odd, or of another kind: it ends with a
documented code and words of its own, and no library's exception reaches whoever typed it."""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from artmint.console import cli
from tests.suites import some
from tests.verbs import BRIEFLY, VERBS, plainly


ODD = {
    Path: ("", "a-folder", "a-file.txt", "no/such/ünï ☃", "nul\0byte", "x" * 300, "picture.png"),
    int: ("x", "", "-1", "0", str(10**30)),
    float: ("x", "nan", "-1", "1e400"),
    str: ("", "☃", "a\0b", "-1", "\udcff", "https://[", "x" * 3000),
}
CODES = {0, 1, 2, 3, 4, 130}  # 130: stopped, as whoever serves does here at once
UNFORESEEN = ("foreseen", "Traceback", "[Errno")


def odd_values(parameter) -> tuple[str, ...]:
    "What is tried for a parameter; nothing for a switch."
    kind = parameter.type_descriptor.annotation
    if kind is bool:
        return ()
    return next((ODD[one] for one in (Path, int, float) if one.__name__ in str(kind)), ODD[str])


def wrong_uses(verb: str):
    "Command lines: without anything, with too much, and with one odd value each."
    parameters = [one for one in VERBS[verb].params if one.name != "help"]
    if verb not in BRIEFLY:
        yield verb.split()
    yield [*plainly(verb), "surplus", "surplus", "surplus"]
    yield [*verb.split(), "--no-such-option"]
    for one in parameters:
        for value in odd_values(one):
            yield plainly(verb, one, value)


def tried(words: list[str], place: Path, folder: Path, seconds: float = 240) -> tuple[int | None, str]:
    "The exit code and what a command says, in a child of this interpreter and a copy of the folder; None: it never ended."
    here = folder / "here"
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(place, here)
    said = folder / "said"
    child = os.fork()
    if child == 0:
        _type_in(words, here, said)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), said.read_text(errors="replace")
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None, said.read_text(errors="replace")


def _type_in(words: list[str], here: Path, said: Path) -> None:
    "Be the console script, with its words in a file. Doesn't return."
    import uvicorn

    def stopped(*_, **__):
        raise KeyboardInterrupt  # as when whoever serves ends it at once

    uvicorn.Server.run = stopped
    code = 99
    try:
        os.chdir(here)
        text = said.open("w", encoding="utf-8", errors="surrogateescape")
        os.dup2(text.fileno(), 1)
        os.dup2(text.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout = sys.stderr = text
        sys.stdin = open(0, encoding="utf-8")
        cli.main(words)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 98
    except KeyboardInterrupt:
        code = 0
    except BaseException as error:
        print("Traceback", repr(error))
    finally:
        sys.stdout.flush()
        os._exit(code)


QUICK = ("webhook list",)


@pytest.mark.slow
@pytest.mark.parametrize("verb", some(VERBS, QUICK))
def test_no_wrong_use_ends_in_a_librarys_words(verb, place, tmp_path):
    bad = []
    for words in wrong_uses(verb):
        code, said = tried(words, place, tmp_path)
        if code not in CODES or any(word in said for word in UNFORESEEN) or (code and not said.strip()):
            bad.append((words, code, said[-300:]))
    assert bad == []


def test_what_is_tried_reaches_every_verb():
    assert {"run", "serve", "admin deploy", "webhook replay"} <= set(VERBS)
    assert set(BRIEFLY) <= set(VERBS)
    assert all(len(list(wrong_uses(verb))) >= 4 for verb in VERBS)


@pytest.mark.many(5)
@pytest.mark.parametrize(
    "words",
    [
        ["base", "list", "--studio="],
        ["base", "list", "--studio", ""],
        ["gc", "--days=nan"],
        ["explore", "--x=steps=1", "--seeds", "9" * 30, "--", "collections/tiny"],
        ["runs", "show", "\udcff"],
        ["work", "--once", "--batches=no-such-folder"],
        ["mcp", "--batches=no-such-folder"],
        ["verify", "--gateway=https://[", "--", "embedded:0x" + "1" * 40],
        ["explore", "--x=steps=1", "--png=no/such/grid.png", "--", "collections/tiny"],
        ["explore", "--x=steps=1", "--png=grid.tif", "--", "collections/tiny"],
        ["open", "a-folder"],
        pytest.param(["train", "--style=a-folder", "--plan"], marks=pytest.mark.slow),
        ["doctor", "--studio=a-file.txt"],
    ],
    ids=lambda words: " ".join(words[:3])[:30].encode("ascii", "replace").decode(),
)
def test_wrong_use_is_2_before_anything_is_done(words, place, tmp_path):
    code, said = tried(words, place, tmp_path)
    assert code == 2, said
    assert "foreseen" not in said
    here = tmp_path / "here"
    assert sorted(path.name for path in here.iterdir()) == sorted(path.name for path in place.iterdir())


def test_what_happened_what_it_means_and_what_to_do_have_lines_of_their_own(place, tmp_path):
    code, said = tried(["run", "batches/none.toml"], place, tmp_path)
    assert code == 2
    assert len(said.strip().splitlines()) >= 2
    assert said.splitlines()[1].startswith("  ")
