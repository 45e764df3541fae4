"""Refuse to publish what an index's page couldn't lead from: `make release` calls this before it builds.

    python scripts/check_release.py

settings.ini's `home` is the one place that says where the project is; project URLs and the README's links are made from it.
"""

import re
import sys
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def faults(root: Path) -> list[str]:
    "What a release lacks: a sentence each, with what to do."
    parser = ConfigParser()
    parser.read(root / "settings.ini", encoding="utf-8")
    facts = parser["DEFAULT"]
    found = []
    if not re.fullmatch(r"https://[\w.-]+(/[\w.-]+)+/?", facts["home"]):
        found.append("settings.ini: home names no repository; write home = https://HOST/OWNER/NAME")
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## .*\b{re.escape(facts['version'])}\b", changes, re.MULTILINE):
        found.append(
            f"CHANGELOG.md: has nothing of {facts['version']}; say what changed, under a heading with that number"
        )
    for name in ("LICENSE", "SECURITY.md", "CITATION.cff", "README.md"):
        if not (root / name).exists():
            found.append(f"{name}: isn't there; write it")
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    if not re.search(rf'^version: "?{re.escape(facts["version"])}"?$', citation, re.MULTILINE):
        found.append(f"CITATION.cff: names another version than {facts['version']}; write that one")
    return found


if __name__ == "__main__":
    lacking = faults(ROOT)
    if lacking:
        lines = "\n".join(f"  - {fault}" for fault in lacking)
        print(f"This can't be published yet, and nothing was built. Mend:\n{lines}", file=sys.stderr)
        sys.exit(2)
