"""Install a lock beside the Python that runs this, each file held against its hash, from wherever pip is set to look.

    .venv/bin/python scripts/install.py locks/demo.txt [NAME ...]     # what is named is built from its source

uv does it: it fetches and unpacks many files at once, where pip takes one after the other. It doesn't read pip's
settings (a mirror, a proxy's certificate, a folder of wheels), so they are handed to it; what the environment says to
uv itself comes first. It keeps nothing between two installs, so that every file is fetched and hashed anew, unless
UV_CACHE_DIR names a place for it; from there files are copied, and none is shared with another environment. Where uv
isn't there, or can't, pip installs the same files.
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
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
    "proxy": ("ALL_PROXY", " "),
    "cert": ("SSL_CERT_FILE", " "),
}
OLDER = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}  # uv's own names before
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
        if settings.get(name) and OLDER.get(variable) not in ready:
            ready.setdefault(variable, between.join(settings[name].split()))
    if "UV_CACHE_DIR" in ready:
        ready.setdefault("UV_LINK_MODE", "copy")
    else:
        ready.setdefault("UV_NO_CACHE", "1")
    # As pip does: any index may have a file. That is safe where each has a hash.
    ready.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return ready


def by_uv(lock: str, sources: list[str]) -> str:
    "Install a lock by uv; why it wasn't, and empty when it was."
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        return "uv isn't there"
    listed = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True).stdout
    settings = pip_settings(listed)
    command = [uv, "pip", "install", "--python", sys.executable, "--compile-bytecode"]
    command += options(lock, sources)
    command += ["--no-index"] * (settings.get("no-index", "").lower() in {"1", "true", "yes", "on"})
    command += ["--quiet"] * (not sys.stderr.isatty())
    code = subprocess.run(command, env=uv_environment(settings, os.environ)).returncode
    return f"uv stopped with code {code}, for what it said above" if code else ""


def options(lock: str, sources: list[str]) -> list[str]:
    "What both are asked."
    built = [word for name in sources for word in ("--no-binary", name)]
    built += ["--no-build-isolation"] * bool(sources)
    return ["--require-hashes", "--only-binary", ":all:", *built, "--requirement", lock]


def main(lock: str, *sources: str) -> int:
    "Install a lock; the exit code."
    named = re.findall(r"^[\w.-]+==", Path(lock).read_text(encoding="utf-8"), re.MULTILINE)
    start = time.time()
    print(f"Installing {lock}: up to {len(named)} packages, each file held against its hash.", flush=True)
    reason = by_uv(lock, list(sources))
    if reason:
        print(f"{reason}; pip does it, which takes some minutes.", flush=True)
        quiet = ("--quiet", "--disable-pip-version-check")
        code = subprocess.run([*PIP, "install", *quiet, *options(lock, list(sources))]).returncode
        if code:
            return code
    print(f"Installed in {time.time() - start:.0f} s.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
