"Services that several tests of this folder ask."

import shutil

import pytest

from artmint.service.api import open_service
from tests.served import batches_in, serving


@pytest.fixture(scope="module")
def minted_service(minted, tmp_path_factory):
    "The service of a studio with two drops, minted."
    place = tmp_path_factory.mktemp("service")
    shutil.copytree(minted[0], place / "studio")
    with serving(open_service(place / "studio", batches_in(place / "batches")), place) as served:
        yield served


@pytest.fixture(scope="module")
def judged_service(small, tmp_path_factory):
    "The service of a studio whose attempts were judged and looked at, packed and not published."
    place = tmp_path_factory.mktemp("judged")
    shutil.copytree(small[0].folder, place / "studio")
    with serving(open_service(place / "studio", batches_in(place / "batches")), place) as served:
        yield served


@pytest.fixture
def empty_service(tmp_path):
    "The service of a studio in which nothing was made yet."
    with serving(open_service(tmp_path / "studio", batches_in(tmp_path / "batches")), tmp_path) as served:
        yield served
