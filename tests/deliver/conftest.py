"A studio whose treasury holds sixteen tokens, on a node that tests share."

import pytest

from artmint.chain.journal import Journal
from artmint.chain.signers import KeystoreSigner
from tests.delivered import PASSPHRASE, Collected


@pytest.fixture
def collected(tmp_path, node):
    "With `journal`, of the key that holds all of its tokens."
    studio = Collected(tmp_path, node, 16)
    signer = KeystoreSigner(tmp_path / "keys/treasury.json", PASSPHRASE)
    studio.journal = Journal(studio.catalog, studio.linked, signer, patience=20)
    return studio
