"""Write the locks: what `make demo` and `make test` install, each file with its SHA-256; and the lowest versions that are allowed.

    python scripts/lock.py UV             # UV is the program; `make locks` brings it

uv, which installs them, has a lock of its own. The versions come from constraints.txt, and what is asked for from
settings.ini. A lock names the files of every platform: what installs it takes the one that fits, and refuses one that
has another hash, from whichever index it comes.
"""

import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = {
    "demo": ("make", "publish"),
    "test": ("make", "publish", "s3", "ray", "postgres", "docs", "dev"),
}
LOWEST = ("make", "publish")
OLDEST = "3.11.5"  # pymdown-extensions, below the site, begins there
HEADS = {
    "demo": "What make demo installs, with the hashes of every platform's files. Written by make locks.",
    "test": "What make test installs, with the hashes of every platform's files. Written by make locks.",
    "uv": "What installs the others, with the hashes of every platform's files. Written by make locks.",
    "lowest": "The lowest versions that settings.ini allows, and what fits them. Written by make locks.",
}


def requirements(*extras: str) -> list[str]:
    "What the package requires with these extras, those that an extra names included."
    parser = ConfigParser()
    parser.read(ROOT / "settings.ini", encoding="utf-8")
    facts = parser["DEFAULT"]
    lines = facts["requirements"].split("\n")
    for extra in extras:
        for line in facts[f"{extra}_requirements"].split("\n"):
            named = re.fullmatch(r"artmint\[([\w,]+)\]", line)
            lines += requirements(*named[1].split(",")) if named else [line]
    return list(dict.fromkeys(lines))


def builders() -> list[str]:
    "What builds the package itself."
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return re.findall(r'"([^"]+)"', re.search(r"^requires = \[(.*)\]$", text, re.MULTILINE)[1])


def compiled(uv: str, lines: list[str], *options: str) -> str:
    "What uv resolves these lines to."
    command = [uv, "pip", "compile", "-", "--no-header", "--no-annotate", "--quiet", *options]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        sys.exit(f"No lock was written: {done.stderr.strip()}")
    return done.stdout


def main(uv: str) -> None:
    "Write the locks."
    hashed = ("--generate-hashes", "--universal", "--constraint", "constraints.txt")
    texts = {
        name: compiled(uv, [*requirements(*extras), *builders()], *hashed, "--python-version", OLDEST)
        for name, extras in LOCKS.items()
    }
    texts["uv"] = compiled(uv, ["uv"], *hashed, "--python-version", OLDEST)
    low = ("--resolution", "lowest-direct", "--python-version", OLDEST)
    texts["lowest"] = compiled(uv, [*requirements(*LOWEST), *builders()], *low)
    for name, text in texts.items():
        path, whole = ROOT / "locks" / f"{name}.txt", f"# {HEADS[name]}\n{text}"
        if not path.exists() or path.read_text(encoding="utf-8") != whole:  # make looks at the time
            path.write_text(whole, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
