"docs/first-hour.md, followed command by command in a folder of its own, by the console and by whoever looks at the board."

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from artmint.studio.catalog import Catalog
from artmint.train.style import practice_style

PAGE = Path(__file__).parents[2] / "docs" / "first-hour.md"


def fenced(language: str) -> list[str]:
    "The page's blocks in a language."
    return re.findall(
        rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


def lines_typed() -> list[str]:
    "What the page has typed, in its order; what installs the package aside."
    lines = [line for text in fenced("bash") for line in text.splitlines() if line.strip()]
    return [line for line in lines if not line.startswith("pip ")]


def test_the_page_leads_through_every_stage():
    verbs = {" ".join(line.split()[1:2]) for line in lines_typed() if line.startswith("artmint")}
    assert {"init", "run", "status", "review", "decisions", "train", "adapter", "backup"} <= verbs
    assert [
        line for line in lines_typed() if line.split()[0] not in ("artmint", "cd", "sed", "cp", "printf")
    ] == []


def looked_at(command: list[str], here: Path, environment: dict) -> None:
    "Serve the board as the page says, read a candidate from it as a browser would, and end it with Ctrl+C."
    board = subprocess.Popen(
        [*command, "--no-open"], cwd=here, env=environment, stdout=subprocess.PIPE, text=True
    )
    address = ""
    while not address.startswith("http"):
        address = board.stdout.readline().strip()
        assert board.poll() is None
    page = urllib.request.urlopen(address.split(" ")[0], timeout=60).read()
    assert b"<html" in page
    board.send_signal(signal.SIGINT)
    board.communicate(timeout=60)


@pytest.mark.slow
def test_whoever_types_the_page_has_two_proven_collections(tmp_path):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "artmint"
    program.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "from artmint.__main__ import main; main()" "$@"\n'
    )
    program.chmod(0o755)
    root = str(PAGE.parents[1])
    environment = os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": root}
    here = tmp_path
    said = []
    for line in lines_typed():
        if line.startswith("cd "):
            here = here / line.split()[1]
            practice_style(here / "styles" / "mine", 12)
            (here / "styles" / "mine" / "style.toml").write_text(fenced("toml")[0])
            continue
        if line.startswith("artmint review"):
            looked_at([str(program), *line.split()[1:]], here, environment)
            continue
        done = subprocess.run(
            line, shell=True, cwd=here, env=environment, capture_output=True, text=True, timeout=3600
        )
        assert done.returncode == 0, (line, done.stdout[-2000:], done.stderr[-2000:])
        said.append(done.stdout)
    catalog = Catalog(here / "studio")
    assert catalog.get("edition", "first/2")["attempt"] == 2
    assert {key.split("/")[0] for key in catalog.all("token")} == {"first", "mine"}
    proofs = [text.strip().splitlines()[-1] for text in said if "--regenerate" in text]
    assert len(proofs) == 2
    for proof in proofs:
        done = subprocess.run(
            f"{proof.replace(str(Path(sys.executable).with_name('artmint')), 'artmint')} --json", shell=True, cwd=here, env=environment, capture_output=True, text=True
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        assert json.loads(done.stdout)["levels"]["regenerated"] == "held"
    assert Catalog(tmp_path / "safe").get("edition", "first/2")["attempt"] == 2
