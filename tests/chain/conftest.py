"Studios and keys that the tests of the chain build on."

import os

import pytest

from artmint.chain.signers import ModuleSigner, new_module_key
from tests.studios import PIN, Studio, ready_in


@pytest.fixture
def module_signer(softhsm, tmp_path):
    label = os.urandom(4).hex()
    new_module_key(softhsm, "artmint", PIN, label)
    return ModuleSigner(softhsm, "artmint", PIN, label, tmp_path / "module")


@pytest.fixture
def studio(tmp_path):
    return Studio(tmp_path)


@pytest.fixture
def ready(tmp_path):
    return ready_in(tmp_path)
