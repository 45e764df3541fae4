"What a release is made of: locks that hold every file to its hash, a wheel, a page on an index, a bill of materials."

import configparser
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from .house import ROOT

HOME = "https://example.org/somebody/artmint"


def script(name: str):
    "A module of scripts/."
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def plain(name: str) -> str:
    "A distribution's name as indexes compare it."
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(name: str) -> dict[str, tuple[str, list[str]]]:
    "Version and hashes of what a lock names."
    text = (ROOT / "locks" / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = {}
    for entry in entries:
        asked, *hashes = re.split(r"\s+--hash=", entry)
        asked = Requirement(asked)
        (pin,) = asked.specifier
        assert pin.operator == "=="
        found[plain(asked.name)] = (pin.version, [one.strip() for one in hashes])
    return found


def constraints() -> dict[str, str]:
    "constraints.txt."
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    return {plain(name): version.split(";")[0].strip() for name, version in pins}


# ------------------------------------------------------------------ locks

ELSEWHERE = {"appnope", "pywin32", "pywinpty", "httpx2-jsfetch"}  # other systems' packages


@pytest.mark.parametrize("name", ["demo", "test"])
def test_every_file_that_the_two_commands_install_has_a_hash_and_the_version_of_the_tests(name):
    pins = constraints()
    lock = locked(name)
    assert len(lock) > 150
    for package, (version, hashes) in lock.items():
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), package
        assert pins.get(package) == version or package in ELSEWHERE, package


def test_a_lock_has_all_that_settings_ini_asks_for():
    "A requirement that was added without `make locks` would be missing from `make demo`."
    lock = script("lock")
    for name, extras in lock.LOCKS.items():
        have = locked(name)
        for asked in map(Requirement, [*lock.requirements(*extras), *lock.builders()]):
            version, _ = have[plain(asked.name)]
            assert asked.specifier.contains(version, prereleases=True), asked
    low = (ROOT / "locks" / "lowest.txt").read_text(encoding="utf-8")
    lowest = {plain(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", low, re.MULTILINE)}
    for asked in map(Requirement, lock.requirements(*lock.LOWEST)):
        assert asked.specifier.contains(lowest[plain(asked.name)], prereleases=True), asked


def test_the_two_commands_take_nothing_without_a_hash():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^HASHED := .*--require-hashes --only-binary :all:$", text, re.MULTILINE)
    for target in ("demo", "dev"):
        recipe = re.search(rf"^\.venv/{target}:.*\n((?:\t.*\n)+)", text, re.MULTILINE)[1]
        installs = [line.strip() for line in recipe.splitlines() if "touch" not in line]
        assert all(line.startswith(("$(HASHED)", "$(THIS)")) for line in installs)
    assert re.search(r"^THIS := .*--no-deps --no-build-isolation", text, re.MULTILINE)
    assert "://" not in "".join(path.read_text() for path in (ROOT / "locks").iterdir())


def test_npm_runs_no_scripts_of_packages():
    assert "ignore-scripts=true" in (ROOT / "contracts" / ".npmrc").read_text()
    calls = []
    for path in [ROOT / "Makefile", *(ROOT / "scripts").glob("*.py"), *(ROOT / "tests").glob("*.py")]:
        lines = path.read_text(encoding="utf-8").splitlines()
        calls += [
            line
            for line in lines
            if "`" not in line and re.search(r'npm"?,? "?(?:ci|install)\b', line.split("#")[0])
        ]
    assert len(calls) >= 3
    assert all("--ignore-scripts" in call for call in calls)


# ------------------------------------------------------------------ the page on an index


@pytest.fixture
def project(tmp_path):
    "The files that a release's facts come from."
    files = "setup.py settings.ini pyproject.toml README.md CHANGELOG.md LICENSE SECURITY.md CITATION.cff"
    for name in files.split():
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "artmint").mkdir()
    shutil.copy(ROOT / "artmint" / "__init__.py", tmp_path / "artmint")
    return tmp_path


def with_home(project) -> None:
    path = project / "settings.ini"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"^home =.*$", f"home = {HOME}", text, flags=re.MULTILINE), encoding="utf-8")


def test_nothing_is_published_without_an_address(project):
    check = script("check_release")
    parser = configparser.ConfigParser()
    parser.read(project / "settings.ini", encoding="utf-8")
    if not parser["DEFAULT"]["home"]:
        assert any(fault.startswith("settings.ini: home") for fault in check.faults(project))
    with_home(project)
    assert check.faults(project) == []
    (project / "CHANGELOG.md").write_text("# Changelog\n")
    (project / "LICENSE").unlink()
    assert [fault.split(":")[0] for fault in check.faults(project)] == ["CHANGELOG.md", "LICENSE"]


def test_every_link_of_the_index_page_leads_somewhere(project):
    with_home(project)
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "egg_info"], cwd=project, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    facts = (project / "artmint.egg-info" / "PKG-INFO").read_text(encoding="utf-8")
    assert f"Project-URL: Homepage, {HOME}" in facts
    links = re.findall(r"""(?:\]\(|src=")([^)"\s]+)""", facts.split("\n\n", 1)[1])
    assert len(links) > 30
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    assert re.search(rf"!\[[^\]]*\]\({HOME}/raw/v[\d.]+/docs/demo.png\)", facts)
    assert re.search(rf"\]\({HOME}/blob/v[\d.]+/docs/verify.md\)", facts)


# ------------------------------------------------------------------ the bill of materials


def test_the_bill_names_everything_that_is_installed_with_its_hashes():
    sbom = script("sbom")
    bill = sbom.bill({"make", "publish"})
    names = {plain(part["name"]): part for part in bill["components"]}
    assert {"torch", "web3", "numpy", "papermill", "uvicorn"} <= set(names)
    assert {"pytest", "jupyterlab"}.isdisjoint(names)
    lock = locked("demo")
    for name, part in names.items():
        if lock.get(name, ("",))[0] == part["version"]:
            assert {one["value"] for one in part["properties"]} == {one[7:] for one in lock[name][1]}
    refs = {part["bom-ref"] for part in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    assert {entry["ref"] for entry in bill["dependencies"]} == refs
    assert {one for entry in bill["dependencies"] for one in entry["dependsOn"]} <= refs
    assert json.loads(json.dumps(bill)) == bill
    assert bill["specVersion"] == "1.6"


# ------------------------------------------------------------------ the wheel


@pytest.mark.slow
def test_a_wheel_outside_of_the_checkout_begins_a_studio_and_runs_its_chapters(tmp_path):
    "Installed on its own, with the collection in the user's folder; the package's notebooks are the wheel's."
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    source = shutil.copytree(
        ROOT,
        tmp_path / "source",
        ignore=shutil.ignore_patterns(".git", ".venv*", "node_modules", "studio", "build"),
    )
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path / "dist", source], check=True
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", tmp_path / "site", wheel], check=True)
    program = "from artmint.console.cli import main; import artmint; assert artmint.__file__.startswith({!r}); main()"
    command = [sys.executable, "-c", program.format(str(tmp_path / "site"))]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}

    def artmint(*words: str, where=tmp_path) -> str:
        done = subprocess.run(
            [*command, *words], cwd=where, env=environment, capture_output=True, text=True, timeout=1200
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    artmint("init", "mine")
    artmint("run", "batches/first.toml", "--to", "generate", where=tmp_path / "mine")
    ran = (tmp_path / "mine" / "studio" / "runs" / "first").glob("*.ipynb")
    assert {"00_seeds", "15_generate-r1"} <= {path.stem for path in ran}
