"What is exported, what an import costs, and what is under version control."

import configparser
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from .house import MODULES, PACKAGE, ROOT, python, tool, tracked

HEAVY = "torch diffusers transformers open_clip scipy skimage web3 eth_tester papermill pandas matplotlib"
STANDS_ON = ("typer", "pydantic", "sqlalchemy", "filelock")  # the console, whatever is asked of it
WITHOUT_TORCH = ("core.", "studio.", "ipfs.", "publish.", "chain.")
PUBLISHING = [
    module
    for module in MODULES
    if module.startswith(WITHOUT_TORCH)
    or module
    in ("seeds", "metadata", "pin", "mint", "verify", "prove.proof", "prove.evidence", "prove.tokens")
]


def texts(root: Path, pattern: str) -> dict[str, str]:
    "Files below a folder, by their path."
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in root.rglob(pattern)
        if not {".ipynb_checkpoints", "__pycache__"} & set(path.parts)
    }


def test_make_export_changes_nothing(tmp_path):
    "Nothing else in the package is edited by hand, and every notebook is clean."
    for name in ("pyproject.toml", "settings.ini", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("nbs", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    (tmp_path / "artmint").mkdir()
    for name in ("__init__.py", "__main__.py"):  # no notebook has these two
        shutil.copy(PACKAGE / name, tmp_path / "artmint")
    clean = [sys.executable, str(tmp_path / "scripts" / "clean_notebooks.py")]
    for command in (clean, [tool("nbdev-clean")], [tool("nbdev-export")]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    for folder, pattern in (("nbs", "*.ipynb"), ("artmint", "*.py")):
        before = texts(ROOT / folder, pattern)
        after = texts(tmp_path / folder, pattern)
        assert set(before) == set(after)
        assert [name for name in before if before[name] != after[name]] == []


def test_facts_agree():
    "settings.ini, pyproject.toml and the installed package name one version."
    settings = configparser.ConfigParser()
    settings.read(ROOT / "settings.ini", encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert settings["DEFAULT"]["lib_name"] == project["name"] == "artmint"
    assert "version" in project["dynamic"]
    assert "version" not in project
    assert importlib.metadata.version("artmint") == settings["DEFAULT"]["version"]


FIXES = {  # package: the version from which on a known hole is closed, and one of them
    "diffusers": ("0.38", "CVE-2026-44513, CVE-2026-44827"),
    "transformers": ("5.10", "CVE-2026-9856, CVE-2026-5241, CVE-2026-4372"),
    "filelock": ("3.20.3", "CVE-2026-22701, CVE-2025-68146"),
    "pillow": ("12.3", "thirteen advisories"),
    "starlette": ("1.3.1", "CVE-2026-54283, CVE-2026-48710"),
    "jinja2": ("3.1.6", "CVE-2025-27516"),
    "torch": ("2.10", "CVE-2026-24747, CVE-2025-32434"),
    "cryptography": ("48.0.1", "GHSA-537c-gmf6-5ccf, CVE-2026-26007"),
    "ray": ("2.52", "CVE-2025-62593"),  # later ones: docs/threats.md
    "jupyterlab": ("4.6.2", "CVE-2026-73415, CVE-2026-73417, CVE-2025-59842"),
    "mcp": ("1.28.1", "CVE-2026-59950, CVE-2026-52869"),
    "mkdocs-material": ("9.7", "lets in pymdown-extensions 11.0.1: CVE-2026-67422"),
    "playwright": ("1.56", "CVE-2025-9611, CVE-2025-59288"),
    "pyarrow": ("23.0.1", "CVE-2026-25087"),
    "python-multipart": ("0.0.31", "CVE-2026-53540, CVE-2026-24486"),
    "tqdm": ("4.66.3", "CVE-2024-34062"),
    "web3": ("7.15", "CVE-2026-40072"),
    "nbconvert": ("7.17.1", "CVE-2026-39377, CVE-2025-53000"),
}


def test_no_allowed_version_has_a_known_hole():
    "What settings.ini allows is what `pip install artmint` may bring."
    from packaging.requirements import Requirement
    from packaging.version import Version

    settings = configparser.ConfigParser()
    settings.read(ROOT / "settings.ini", encoding="utf-8")
    lines = [
        line
        for key, text in settings["DEFAULT"].items()
        if key.endswith("requirements")
        for line in text.splitlines()
    ]
    floors: dict[str, list[Version]] = {}
    for asked in map(Requirement, lines):
        bounds = [Version(bound.version) for bound in asked.specifier if bound.operator in (">=", "==")]
        floors.setdefault(asked.name.lower(), []).extend(bounds)
    low = {name: fixed for name, (fixed, _) in FIXES.items() if min(floors[name]) < Version(fixed)}
    assert low == {}
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert [Requirement(asked).specifier.contains("78.1") for asked in build] == [False]  # CVE-2025-47273


def seconds_to_import(*names: str) -> float:
    "Of the processor, in a fresh interpreter: what else the machine does is no concern of the package."
    program = """
import sys, time
t = time.process_time()
for name in sys.argv[1:]:
    __import__(name)
print(time.process_time() - t)
"""
    return float(python(program, *names))


def test_import_is_fast_and_loads_no_torch():
    assert min(seconds_to_import("artmint") for _ in range(2)) < 0.3
    assert python("import artmint, sys; print('torch' in sys.modules)") == "False"


def test_the_package_hands_on_the_verbs_of_the_line():
    "Each of them, from where it is defined; and a name that isn't there is refused with those that are."
    program = "import artmint; print(*(getattr(artmint, name).__name__ for name in artmint.VERBS))"
    assert python(program).split() == python("import artmint; print(*artmint.VERBS)").split()
    chapters = "import artmint; print(*(getattr(artmint, name).__name__ for name in artmint.CHAPTERS))"
    assert python(chapters).split()[:2] == ["artmint.seeds", "artmint.lora_train"]
    with pytest.raises(AssertionError, match="no attribute 'rendr'; it hands on"):
        python("import artmint; artmint.rendr")


def test_the_console_script_starts_fast():
    "In at most twice the time of the libraries that it stands on; in turn, since machines are now slow and now fast."
    turns = [(seconds_to_import("artmint.console.cli"), seconds_to_import(*STANDS_ON)) for _ in range(3)]
    own, theirs = map(min, zip(*turns))
    assert own < 2 * theirs
    assert (
        python("import artmint.console.cli, sys; print({'numpy', 'PIL', 'torch'} & set(sys.modules))")
        == "set()"
    )


def test_every_module_imports_without_the_model_stack():
    "Making and chain libraries are imported where they are used; the module that brings a heavy one is named."
    program = f"""
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module("artmint." + name)
    heavy = [library for library in {HEAVY!r}.split() if library in sys.modules]
    if heavy:
        print(name, *heavy)
        break
"""
    assert python(program, *MODULES) == ""


def test_publishing_rooms_run_without_torch():
    "They import where the model stack can't be imported at all."
    program = """
import sys
sys.modules.update(dict.fromkeys(["torch", "diffusers", "open_clip", "transformers"]))
for name in sys.argv[1:]:
    __import__("artmint." + name)
"""
    python(program, *PUBLISHING)


def test_no_machine_paths_and_no_keys():
    "What is published says nothing about the machine it was made on, and opens nothing."
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    pattern = r"(?<![\w.~:/-])/(?:work|root|home/\w+)/[\w./-]*|-----BEGIN [A-Z ]*PRIVATE KEY"
    matches = []
    for path in tracked():
        if path == Path(__file__) or path.stat().st_size > 5_000_000:
            continue
        text = path.read_bytes().decode("utf-8", "ignore")
        matches += [f"{path.relative_to(ROOT)}: {match}" for match in re.findall(pattern, text)]
    assert matches == []


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").exists()
