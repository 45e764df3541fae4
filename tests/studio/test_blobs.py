"Blobs, with real kills and real damage, on one host and on two."

import hashlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artmint.studio.blobs import CorruptBlob, MissingBlob
from artmint.studio.catalog import Catalog
from tests.hosts import killed


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=2000))
def test_a_blob_is_named_by_its_bytes(data):
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog(folder)
        name = catalog.put_blob(data)
        assert name == hashlib.sha256(data).hexdigest() == catalog.put_blob(data)
        assert catalog.blob(name) == data
        assert catalog.blob_path(name) == Path(folder, "blobs", name[:2], name)
        catalog.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: b"",
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: data + b"<html>",
    ],
)
def test_a_damaged_blob_is_refused_named_and_can_be_made_again(catalog, damage):
    data = b"a picture" * 100
    name = catalog.put_blob(data)
    catalog.blob_path(name).write_bytes(damage(data))
    with pytest.raises(CorruptBlob) as caught:
        catalog.blob(name)
    assert caught.value.digest == name
    assert caught.value.got == hashlib.sha256(damage(data)).hexdigest()
    assert catalog.check() == [f"blob {name}: bytes changed"]
    assert catalog.put_blob(data) == name
    assert catalog.blob(name) == data
    assert catalog.check() == []


def test_a_missing_blob_is_named(catalog):
    with pytest.raises(MissingBlob, match="0" * 64):
        catalog.blob("0" * 64)


def test_a_blob_cut_off_by_a_kill_leaves_no_name(catalog):
    code = (
        "import os, sys, time; from artmint.studio import blobs\nreal = os.fsync\n"
        "def slow(handle): print('ready', flush=True); time.sleep(60)\n"
        "os.fsync = slow\nblobs.Blobs(sys.argv[1]).put_blob(b'x' * 10**6)"
    )
    killed(code, catalog.folder)
    name = hashlib.sha256(b"x" * 10**6).hexdigest()
    assert not catalog.blob_path(name).exists()
    assert catalog.check() == []
    assert catalog.put_blob(b"x" * 10**6) == name
    assert catalog.blob(name) == b"x" * 10**6


# ------------------------------------------------------------------ a shared file system


@pytest.fixture
def hosts(tmp_path):
    "Two studios on two hosts, so to speak, with one file system for blobs."
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "studio.toml").write_text(f'[blobs]\nurl = "file://{tmp_path}/shared"\n')
    return Catalog(tmp_path / "one"), Catalog(tmp_path / "two"), tmp_path / "shared"


def test_what_one_host_makes_another_reads(hosts):
    one, two, shared = hosts
    name = one.put_blob(b"a picture")
    assert two.has_blob(name)
    assert not two.blob_path(name).exists()
    assert two.blob(name) == b"a picture"
    assert two.blob_path(name).read_bytes() == b"a picture"
    assert two.blob_names() == [name]
    assert two.check() == []
    (shared / name[:2] / name).write_bytes(b"a pictura")
    assert one.check() == [f"blob {name}: bytes changed"]
    two.blob_path(name).unlink()
    with pytest.raises(CorruptBlob):
        two.blob(name)
    one.put_blob(b"a picture")
    assert one.check() == []
    assert two.blob(name) == b"a picture"
    assert two.remove_blob(name) == 9
    assert not two.has_blob(name)


def test_a_blob_that_is_nowhere_is_missing(hosts):
    with pytest.raises(MissingBlob):
        hosts[0].blob("0" * 64)
    assert not hosts[0].has_blob("0" * 64)
    assert hosts[0].blob_names() == []
    assert hosts[0].remove_blob("0" * 64) == 0
