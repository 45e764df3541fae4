"""Where an extra isn't installed: every verb either does without it, or names the line that brings it. What isn't there is hidden
as it is in a bare environment: no finder finds it."""

import configparser
import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from artmint.run.console import IMPORTED_AS, console_words, extras_of_package
from tests.studios import ROOT
from tests.suites import some
from tests.verbs import VERBS, plainly

HIDING = """
import importlib.abc, importlib.machinery, json, os, re, sys
hidden, absent, lines = json.load(sys.stdin)

class Bare(importlib.abc.MetaPathFinder):
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] in hidden:
            return None
        return importlib.machinery.PathFinder.find_spec(name, path, target)

    @staticmethod
    def find_distributions(context):
        found = importlib.machinery.PathFinder.find_distributions(context)
        return (one for one in found if re.sub("[-_.]+", "-", one.name).lower() not in absent)

sys.meta_path = [Bare if one is importlib.machinery.PathFinder else one for one in sys.meta_path]
sys.meta_path = [one for one in sys.meta_path if "editable" not in repr(one).lower()]
sys.path.insert(0, sys.argv[1])
from artmint.console import cli
for number, words in enumerate(lines):
    child = os.fork()
    if child == 0:
        code = 99
        try:
            text = open(f"said-{number}", "w")
            os.dup2(text.fileno(), 1), os.dup2(text.fileno(), 2)
            sys.stdout = sys.stderr = text
            cli.main(words)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 98
        except BaseException as error:
            print("Traceback", repr(error))
        finally:
            sys.stdout.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    print(json.dumps([words, os.waitstatus_to_exitcode(status), open(f"said-{number}").read()]), flush=True)
"""


def plain(name: str) -> str:
    "A distribution's name as indexes compare it."
    return re.sub(r"[-_.]+", "-", name).lower()


def settings() -> configparser.SectionProxy:
    "settings.ini."
    parser = configparser.ConfigParser()
    parser.read(ROOT / "settings.ini", encoding="utf-8")
    return parser["DEFAULT"]


EXTRAS = {
    key.removesuffix("_requirements"): [
        Requirement(line) for line in text.split("\n") if not line.startswith("artmint[")
    ]
    for key, text in settings().items()
    if key.endswith("_requirements")
}


def without_extras() -> set[str]:
    "Distributions of an environment that has the package and no extra."
    known: set[str] = set()
    waiting = [Requirement(line) for line in settings()["requirements"].split("\n")]
    while waiting:
        asked = waiting.pop()
        if plain(asked.name) in known:
            continue
        known.add(plain(asked.name))
        inner = map(Requirement, metadata.requires(asked.name) or ())
        waiting += [one for one in inner if one.marker is None or one.marker.evaluate({"extra": ""})]
    return known


OURS = {"artmint", "setuptools", "pip"}


def importable(distributions: set[str]) -> set[str]:
    "What only other distributions than these bring."
    owners = metadata.packages_distributions()
    return {
        name for name, those in owners.items() if not {plain(one) for one in those} & (distributions | OURS)
    }


def in_bare_environment(place: Path, verbs: list[str]) -> list[tuple[list[str], int, str]]:
    "What verbs say where only what the package itself requires is installed."
    kept = without_extras()
    absent = {plain(one.name) for one in metadata.distributions()} - kept - OURS
    asked = json.dumps([sorted(importable(kept)), sorted(absent), [plainly(verb) for verb in verbs]])
    done = subprocess.run(
        [sys.executable, "-c", HIDING, str(ROOT)],
        input=asked,
        cwd=place,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


CURE = re.compile(r"pip install 'artmint\[(\w+)\]'")
# They look, or begin something, and need nothing of an extra for it.
ALONE = "init", "backup", "gc", "doctor"


FEW = ["serve", "doctor", "backup"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "verbs",
    some([FEW, sorted(VERBS)], [FEW]),
    ids=lambda verbs: str(len(verbs)),
)  # fmt: skip
def test_a_verb_without_its_extras_names_the_line_that_brings_them(verbs, place):
    bad = []
    for words, code, said in in_bare_environment(place, verbs):
        cured = CURE.search(said)
        missing = "isn't installed" in said or "not installed" in said
        if (
            any(one in said for one in ("foreseen", "Traceback", "[Errno"))
            or code not in range(5)
            or (missing and not cured)
        ):
            bad.append((words, code, said[-300:]))
        if words[0] in ALONE and words[0] != "doctor" and code != 0:
            bad.append((words, code, said[-300:]))
        if missing and cured and cured[1] not in EXTRAS:
            bad.append((words, code, said[-300:]))
    assert bad == []


@pytest.mark.parametrize("extra", sorted(set(EXTRAS) - {"dev", "docs"}))
def test_every_package_of_an_extra_is_known_by_what_it_is_imported_as(extra):
    known = extras_of_package()
    imported = {distribution: name for name, distribution in IMPORTED_AS.items()}
    for asked in EXTRAS[extra]:
        assert plain(asked.name) in known, (
            "settings.ini was changed since the package was installed: run make .venv/dev"
        )
        name = imported.get(plain(asked.name), plain(asked.name).replace("-", "_"))
        said, code = console_words(ModuleNotFoundError(f"No module named {name!r}", name=f"{name}.inner"))
        assert code == 2
        assert CURE.search(said)[1] in EXTRAS
        assert plain(asked.name) in {plain(one.name) for one in EXTRAS[CURE.search(said)[1]]}
