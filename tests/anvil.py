"""Anvil, a node of one's own, and the other programs that npm pins in contracts/package.json.

What starts a node imports this: the tests, the fault schedules and the benchmarks. It needs no pytest.
"""

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS, LOCK = ROOT / "contracts", ROOT / "build/contracts.lock"


class ProgramMissing(RuntimeError):
    "A program that npm pins is not here and can't be had; the message says why."


def program(name: str) -> Path:
    "Where `anvil` or `forge` lies; fetched by npm when it is missing. Raises ProgramMissing."
    if not shutil.which("node"):
        raise ProgramMissing(f"node isn't installed, and {name} comes from npm. Install Node.js 20 or newer")
    LOCK.parent.mkdir(exist_ok=True)
    with FileLock(
        LOCK
    ):  # tests run in several processes: what another one's npm is still writing isn't installed
        path = installed(name) or fetched(name)
    if path is None:
        raise ProgramMissing(f"npm couldn't fetch {name}")
    return path


def installed(name: str) -> Path | None:
    "The program for this platform in contracts/node_modules, if npm has put it there."
    packages = CONTRACTS / "node_modules/@foundry-rs"
    return next(iter(packages.glob(f"{name}-*/bin/{name}")), None)


def fetched(name: str) -> Path | None:
    "The program, after installing what contracts/package-lock.json names. Raises ProgramMissing without npm."
    if not shutil.which("npm"):
        raise ProgramMissing(f"npm isn't installed, so {name} can't be had")
    command = ["npm", "ci", "--ignore-scripts", "--silent", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=CONTRACTS, capture_output=True, timeout=180, check=False)
    return installed(name)


def ask(url: str, method: str, *params: Any) -> Any:
    "One JSON-RPC answer. Raises RuntimeError with the node's own words."
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as response:
        answer = json.load(response)
    if "error" in answer:
        raise RuntimeError(answer["error"]["message"])
    return answer["result"]


class Anvil:
    "A node of one's own on a free port of this machine; calling it with a method and parameters asks it."

    def __init__(self, *options: str):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        command = [program("anvil"), "--port", str(self.port), "--silent", *options]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, start_new_session=True, **quiet)
        self._wait()

    def _wait(self) -> None:
        "Until it answers, for ten seconds."
        for _ in range(200):
            try:
                ask(self.url, "eth_chainId")
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("anvil doesn't start")

    def __call__(self, method: str, *params: Any) -> Any:
        "One JSON-RPC answer. Raises RuntimeError with the node's own words."
        return ask(self.url, method, *params)

    def fund(self, address: str, wei: int = 10**24) -> None:
        "Let an account hold so many wei."
        self("anvil_setBalance", address, hex(wei))

    def end(self) -> None:
        "Kill the node and wait for its end."
        self.process.kill()
        self.process.wait()
