"What a release is made of: locks that hold every file to its hash, a wheel, a page on an index, a bill of materials."

import configparser
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

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


@pytest.mark.parametrize("name", ["demo", "test", "uv"])
def test_every_file_that_the_two_commands_install_has_a_hash_and_the_version_of_the_tests(name):
    pins = constraints()
    lock = locked(name)
    assert len(lock) > 150 or name == "uv" in lock
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
    assert re.search(r"^HASHED := \$\(BIN\)/python scripts/install.py$", text, re.MULTILINE)
    assert script("install").options("lock", [])[:3] == ["--require-hashes", "--only-binary", ":all:"]
    assert re.search(
        r"^\.venv/uv: .*\n\t-\$\(PIP\) --require-hashes --only-binary :all: .*locks/uv.txt$",
        text,
        re.MULTILINE,
    )
    for target in ("demo", "dev"):
        recipe = re.search(rf"^\.venv/{target}:.*\n((?:\t.*\n)+)", text, re.MULTILINE)[1]
        installs = [line.strip() for line in recipe.splitlines() if "touch" not in line]
        assert all(line.startswith(("$(HASHED)", "$(THIS)")) for line in installs)
    assert re.search(r"^THIS := .*--no-deps --no-build-isolation", text, re.MULTILINE)
    assert "://" not in "".join(path.read_text() for path in (ROOT / "locks").iterdir())


LISTED = """\
:env:.default-timeout='180'
:env:.extra-index-url='https://three.example/simple'
global.cert='/etc/ssl/ca.crt'
global.constraint='/etc/pip/constraints.txt'
global.extra-index-url='\\nhttps://one.example/simple\\nhttps://two.example/simple'
global.find-links='/opt/wheels /opt/more wheels'
install.no-index="true"
download.cert='/of/another/command'
"""


def test_what_pip_is_set_to_is_handed_to_uv_and_what_is_set_for_uv_comes_first():
    install = script("install")
    settings = install.pip_settings(LISTED)
    assert settings["extra-index-url"] == "https://three.example/simple"  # the environment overrules files
    assert settings["no-index"] == "true"
    ready = install.uv_environment(settings, {"HOME": "/h", "UV_HTTP_TIMEOUT": "9"})
    assert ready["UV_INDEX"] == "https://three.example/simple"
    assert ready["SSL_CERT_FILE"] == "/etc/ssl/ca.crt"
    assert ready["UV_HTTP_TIMEOUT"] == "9"
    assert ready["HOME"] == "/h"
    several = install.pip_settings("\n".join(LISTED.splitlines()[2:]))
    assert install.uv_environment(several, {})["UV_INDEX"].split() == [
        "https://one.example/simple",
        "https://two.example/simple",
    ]


def test_nothing_in_the_environment_turns_the_hashes_off():
    assert script("install").uv_environment({}, {"UV_NO_VERIFY_HASHES": "1"}) == {
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_NO_CACHE": "1",
    }


def test_an_index_that_uv_is_given_by_its_older_name_stays():
    settings = {"index-url": "https://pip.example", "extra-index-url": "https://more.example"}
    given = {"UV_INDEX_URL": "https://uv.example", "UV_EXTRA_INDEX_URL": "https://uv.example/more"}
    ready = script("install").uv_environment(settings, given)
    assert "UV_DEFAULT_INDEX" not in ready and "UV_INDEX" not in ready


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    "An environment with pip and uv, a folder of wheels with one wheel, and that wheel's hash."
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.skip("uv isn't there: pip installed this environment")
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    shutil.copy(uv, folder / "venv" / "bin")
    wheels = folder / "wheels"
    wheels.mkdir()
    wheel = wheels / "emblem-1.0-py3-none-any.whl"
    about = {"METADATA": "Metadata-Version: 2.1\nName: emblem\nVersion: 1.0\n", "RECORD": ""}
    about["WHEEL"] = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("emblem.py", "ink = 'black'\n")
        for name, text in about.items():
            archive.writestr(f"emblem-1.0.dist-info/{name}", text)
    return folder, hashlib.sha256(wheel.read_bytes()).hexdigest()


def installed(folder: Path, sha256: str, **more: str) -> subprocess.CompletedProcess:
    "Install a lock with that hash; pip is set to look into the folder of wheels and nowhere else."
    lock = folder / "lock.txt"
    lock.write_text(f"emblem==1.0 --hash=sha256:{sha256}\n")
    ready = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    ready |= {"PIP_FIND_LINKS": str(folder / "wheels"), "PIP_NO_INDEX": "1", **more}
    command = [folder / "venv" / "bin" / "python", ROOT / "scripts" / "install.py", lock]
    return subprocess.run(command, env=ready, capture_output=True, text=True)


def brought(folder: Path) -> bool:
    "Whether the wheel is there; it is taken away."
    python = folder / "venv" / "bin" / "python"
    there = subprocess.run([python, "-c", "import emblem"], capture_output=True).returncode == 0
    subprocess.run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "emblem"], check=True)
    return there


def test_uv_finds_what_pip_would_and_both_refuse_another_hash(bare):
    folder, sha256 = bare
    done = installed(folder, sha256)
    assert done.returncode == 0 and "pip does it" not in done.stdout, done.stderr
    assert brought(folder)
    refused = installed(folder, "0" * 64)
    assert refused.returncode != 0 and "pip does it" in refused.stdout
    by_uv, by_pip = "hash mismatch", "do not match the hashes"
    assert by_uv in refused.stderr.lower() and by_pip in refused.stderr.lower()
    assert not brought(folder)


def test_an_edited_file_of_one_environment_comes_into_no_other(bare):
    "Not even from a cache that somebody asked for: files are copied from there."
    folder, sha256 = bare
    cache = {"UV_CACHE_DIR": str(folder / "cache")}
    assert installed(folder, sha256, **cache).returncode == 0
    (module,) = (folder / "venv").rglob("emblem.py")
    module.write_text("raise SystemExit('edited')\n")
    assert not brought(folder)
    assert installed(folder, sha256, **cache).returncode == 0
    assert brought(folder)


@pytest.mark.slow
def test_without_uv_pip_installs_the_same(bare):
    folder, sha256 = bare
    uv = folder / "venv" / "bin" / "uv"
    uv.rename(uv.with_name("aside"))
    done = installed(folder, sha256)
    uv.with_name("aside").rename(uv)
    assert done.returncode == 0 and "pip does it" in done.stdout, done.stderr
    assert brought(folder)


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


@pytest.mark.slow
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
    program = (
        "from artmint.__main__ import main; import artmint; assert artmint.__file__.startswith({!r}); main()"
    )
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
    assert {"00_seeds", "15_generate"} <= {path.stem for path in ran}
