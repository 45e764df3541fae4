"Manifests, read strictly, and the hash that collectors compute."

import hashlib
from pathlib import Path

import pytest

from artmint.core.manifest import BadMetadata, provenance_hash, read_manifest
from tests.packed import manifest_of, pack_demo


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    "The folder of a studio with the demo packed; not to be changed."
    return pack_demo(tmp_path_factory.mktemp("made"))


def test_the_provenance_hash_is_the_one_that_collectors_compute(made):
    manifest = manifest_of(made / "drops/demo-1")
    root = made / "drops/demo-1/root"
    text = "".join(hashlib.sha256((root / f"images/{i}.png").read_bytes()).hexdigest() for i in range(1, 17))
    assert provenance_hash(manifest.tokens) == {
        "first": 1,
        "last": 16,
        "concatenated": text,
        "provenance": hashlib.sha256(text.encode()).hexdigest(),
    }
    assert provenance_hash(reversed(manifest.tokens)) == provenance_hash(manifest.tokens)
    for wrong in ((), manifest.tokens[:8] * 2, manifest.tokens[:3] + manifest.tokens[4:]):
        with pytest.raises(BadMetadata):
            provenance_hash(wrong)


@pytest.mark.parametrize(
    "old, new",
    [
        (b'"quantity":16', b'"quantity":15'),
        (b'"quantity":16', b'"quantity":1600000000'),
        (b'"first":1', b'"first":2'),
        (b'"id":2,', b'"id":3,'),
        (b'"schema":1', b'"schema":2'),
        (b'"profile":"unixfs-v1-2025"', b'"profile":"other"'),
        (b'"drop":1', b'"drop":0'),
        (b'"drop":1', b'"chain":1,"drop":1'),
        (b'"root":"b', b'"root":"z'),
    ],
)
def test_a_manifest_is_read_strictly(made, old, new):
    data = (made / "drops" / "demo-1" / "drop.json").read_bytes()
    assert old in data
    with pytest.raises(BadMetadata):
        read_manifest(data.replace(old, new, 1))
