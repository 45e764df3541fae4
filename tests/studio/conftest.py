"What the tests of a studio build on."

import pytest

from artmint.studio.catalog import Catalog


@pytest.fixture
def catalog(tmp_path):
    "An empty studio's catalog."
    opened = Catalog(tmp_path / "studio")
    yield opened
    opened.close()
