"Studios and keys that the tests of the chain build on."

import glob
import os
import shutil
import subprocess

import pytest

from artmint.chain.signers import ModuleSigner, new_module_key
from tests.studios import PIN, Studio


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory):
    "A PKCS#11 module with a token of its own: the path of its library."
    places = (
        "/usr/lib/softhsm",
        "/usr/lib/*/softhsm",
        "/usr/lib64",
        "/usr/local/lib/softhsm",
        "/opt/homebrew/lib/softhsm",
    )
    library = next((found for place in places for found in glob.glob(f"{place}/libsofthsm2.so")), None)
    if not library or not shutil.which("softhsm2-util"):
        pytest.skip("SoftHSM isn't installed (Debian: softhsm2)")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")  # read once, when the library is loaded
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "artmint", "--pin", PIN, "--so-pin", PIN],
        check=True,
        capture_output=True,
    )
    return library


@pytest.fixture
def module_signer(softhsm, tmp_path):
    label = os.urandom(4).hex()
    new_module_key(softhsm, "artmint", PIN, label)
    return ModuleSigner(softhsm, "artmint", PIN, label, tmp_path / "module")


@pytest.fixture
def studio(tmp_path):
    return Studio(tmp_path)


@pytest.fixture
def ready(studio):
    return studio.ready()
