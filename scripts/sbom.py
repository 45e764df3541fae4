"""Write what is installed as a bill of materials (CycloneDX 1.6, JSON): the package, what it requires with these extras, and who
requires whom.

    python scripts/sbom.py make publish > sbom.json         # `make sbom` does so

Everything is read from the metadata of what is installed here; nothing is asked of an index. The hashes are those of the locks: a file
that is installed by `make demo` or `make test` has one of them.
"""

import json
import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


def plain(name: str) -> str:
    "A distribution's name as indexes compare it."
    return re.sub(r"[-_.]+", "-", name).lower()


def required(name: str, extras: set[str]) -> dict[str, set[str]]:
    "What a distribution requires here with these extras, each with the extras that are asked of it."
    found: dict[str, set[str]] = {}
    for line in metadata.requires(name) or ():
        asked = Requirement(line)
        wanted = any(asked.marker is None or asked.marker.evaluate({"extra": one}) for one in (extras | {""}))
        if wanted:
            found.setdefault(plain(asked.name), set()).update(asked.extras)
    return found


def closure(name: str, extras: set[str]) -> dict[str, set[str]]:
    "Everything that is required, by what requires it: name -> names. Raises PackageNotFoundError for what isn't installed."
    known: dict[str, set[str]] = {}
    done: dict[str, set[str]] = {}
    waiting = [(plain(name), extras)]
    while waiting:
        one, with_extras = waiting.pop()
        if one in done and with_extras <= done[one]:
            continue
        done[one] = done.get(one, set()) | with_extras
        inner = required(one, done[one])
        known[one] = set(inner) - {one}
        waiting += list(inner.items())
    return known


def hashes() -> dict[tuple[str, str], list[str]]:
    "SHA-256 of the files of a version, from the locks."
    found: dict[tuple[str, str], list[str]] = {}
    for lock in ("demo", "test"):
        text = (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            if words := re.match(r"([\w.-]+)==(\S+)", line):
                found[plain(words[1]), words[2]] = re.findall(r"sha256:([0-9a-f]{64})", line)
    return found


def component(name: str, known_hashes: dict[tuple[str, str], list[str]]) -> dict:
    "A distribution as CycloneDX says it."
    facts = metadata.metadata(name)
    version = facts["Version"]
    purl = f"pkg:pypi/{plain(name)}@{version}"
    said = {"type": "library", "bom-ref": purl, "name": facts["Name"], "version": version, "purl": purl}
    licence = facts.get("License-Expression") or facts.get("License") or ""
    if 0 < len(licence) < 80 and "\n" not in licence:
        kind = "expression" if facts.get("License-Expression") else "license"
        said["licenses"] = [
            {"expression": licence} if kind == "expression" else {"license": {"name": licence}}
        ]
    files = known_hashes.get((plain(name), version), [])
    if files:
        said["properties"] = [{"name": "artmint:lock:sha256", "value": one} for one in sorted(files)]
    return said


def bill(extras: set[str]) -> dict:
    "The bill of the installed package with these extras."
    known = closure("artmint", extras)
    sums = hashes()
    parts = {name: component(name, sums) for name in sorted(known)}
    whole = parts.pop("artmint") | {"type": "application"}
    refs = {name: part["bom-ref"] for name, part in parts.items()} | {"artmint": whole["bom-ref"]}
    dependencies = [
        {"ref": refs[name], "dependsOn": sorted(refs[one] for one in inner)}
        for name, inner in sorted(known.items())
    ]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": whole},
        "components": list(parts.values()),
        "dependencies": dependencies,
    }


if __name__ == "__main__":
    try:
        print(json.dumps(bill(set(sys.argv[1:])), indent=1))
    except metadata.PackageNotFoundError as error:
        sys.exit(
            f"{error.name} is required and isn't installed, so the bill would lack it. Nothing was written; run make .venv/demo."
        )
