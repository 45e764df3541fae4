"A base's archive: written once, whole or not at all, and read strictly."

import os

import pytest

from artmint.core.manifest import BadMetadata
from artmint.ipfs.car import check_car, open_car
from artmint.ipfs.cid import BadName
from artmint.publish.weights import (
    WeightsListing,
    WeightsPlace,
    nested,
    read_weights,
    weights_archive,
    write_weights,
)

DIGEST = "3f" * 32
FILES = {"model_index.json": b"{}", "unet/config.json": b"{}", "unet/weights.safetensors": bytes(3 << 20)}


def test_files_are_named_within_their_folders():
    assert nested({"a": 1, "b/c": 2, "b/d/e": 3}) == {"a": 1, "b": {"c": 2, "d": {"e": 3}}}


def test_the_archive_holds_the_files_and_is_written_once(tmp_path):
    place = write_weights(tmp_path, DIGEST, FILES)
    archive = weights_archive(tmp_path, DIGEST)
    car = open_car(archive)
    assert {path for path in check_car(car, car.roots[0]) if "." in path} == set(FILES)
    assert place == WeightsPlace(cid=str(car.roots[0]), bytes=archive.stat().st_size)
    written = archive.stat().st_mtime_ns
    assert write_weights(tmp_path, DIGEST, FILES) == place
    assert archive.stat().st_mtime_ns == written


def test_an_archive_that_broke_off_is_written_again(tmp_path):
    place = write_weights(tmp_path, DIGEST, FILES)
    archive = weights_archive(tmp_path, DIGEST)
    os.truncate(archive, archive.stat().st_size // 2)
    assert write_weights(tmp_path, DIGEST, FILES) == place
    assert archive.stat().st_size == place.bytes


def test_files_that_can_not_be_read_leave_no_archive(tmp_path):
    with pytest.raises(BadName):
        write_weights(tmp_path, DIGEST, FILES | {"vae.json": tmp_path / "nowhere.json"})
    assert [*(tmp_path / "weights").iterdir()] == []


def test_a_downloads_links_are_followed(tmp_path):
    (tmp_path / "blob").write_bytes(b"weights")
    (tmp_path / "weights.safetensors").symlink_to(tmp_path / "blob")
    linked = write_weights(tmp_path / "a", DIGEST, {"unet/w.safetensors": tmp_path / "weights.safetensors"})
    assert linked == write_weights(tmp_path / "b", DIGEST, {"unet/w.safetensors": b"weights"})


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"bases":{"3f":{"bytes":1,"cid":"b"}}}',
        b'{"bases": {}}',
        WeightsListing(bases={}).data + b" ",
        b'{"bases":{"' + DIGEST.encode() + b'":{"bytes":0,"cid":"b' + b"a" * 58 + b'"}}}',
    ],
)
def test_a_page_of_another_form_is_refused(data):
    with pytest.raises(BadMetadata, match="weights.json"):
        read_weights(data)
