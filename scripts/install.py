"""Install a lock beside the Python that runs this, each file held against its hash, from wherever pip is set to look.

    .venv/bin/python scripts/install.py locks/demo.txt [NAME ...]     # what is named is built from its source

uv does it: it fetches and unpacks many files at once, where pip takes one after the other and compiles all of them.
It doesn't read pip's settings (a mirror, a proxy's certificate, a folder of wheels), so they are handed to it; what is
set for uv itself comes first. Where uv isn't there, or can't, pip installs the same files.
"""

import ast
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

# pip's settings in uv's environment, and what stands between several values.
SETTINGS = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "proxy": ("ALL_PROXY", " "),
    "cert": ("SSL_CERT_FILE", " "),
}
SECTIONS = ("global", "install", ":env:")  # a later one overrules
PIP = (sys.executable, "-m", "pip")


def pip_settings(listed: str) -> dict[str, str]:
    "What `pip config list` says of an install, by name."
    found = re.findall(r"^(\S+?)\.([\w-]+)=('.*'|\".*\")$", listed, re.MULTILINE)
    return {
        name: ast.literal_eval(value) for section in SECTIONS for of, name, value in found if of == section
    }


def uv_environment(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    "The environment in which uv looks where pip would."
    ready = {name: value for name, value in environment.items() if name != "UV_NO_VERIFY_HASHES"}
    for name, (variable, between) in SETTINGS.items():
        if settings.get(name):
            ready.setdefault(variable, between.join(settings[name].split()))
    # As pip does: any index may have a file. That is safe where each has a hash.
    ready.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return ready


def by_uv(lock: str, sources: list[str]) -> bool:
    "Whether uv installed it."
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        return False
    listed = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True).stdout
    settings = pip_settings(listed)
    command = [uv, "pip", "install", "--python", sys.executable, "--compile-bytecode"]
    command += options(lock, sources)
    command += ["--no-index"] * (settings.get("no-index", "").lower() in {"1", "true", "yes", "on"})
    command += ["--quiet"] * (not sys.stderr.isatty())
    return subprocess.run(command, env=uv_environment(settings, os.environ)).returncode == 0


def options(lock: str, sources: list[str]) -> list[str]:
    "What both are asked."
    built = [word for name in sources for word in ("--no-binary", name)]
    built += ["--no-build-isolation"] * bool(sources)
    return ["--require-hashes", "--only-binary", ":all:", *built, "--requirement", lock]


def main(lock: str, *sources: str) -> int:
    "Install a lock; the exit code."
    count, start = (
        len(re.findall(r"^[\w.-]+==", Path(lock).read_text(encoding="utf-8"), re.MULTILINE)),
        time.time(),
    )
    print(f"Installing {lock}: up to {count} packages, each file held against its hash.", flush=True)
    if not by_uv(lock, list(sources)):
        print("uv isn't there or couldn't; pip does it, which takes some minutes.", flush=True)
        quiet = ("--quiet", "--disable-pip-version-check")
        code = subprocess.run([*PIP, "install", *quiet, *options(lock, list(sources))]).returncode
        if code:
            return code
    print(f"Installed in {time.time() - start:.0f} s.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
