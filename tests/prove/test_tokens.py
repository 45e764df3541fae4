"Tokens' files: every lie in them is named."

import shutil

import pytest

from artmint.core.canon import canonical, read_json
from artmint.core.records import Recipe
from artmint.ipfs.cid import cid
from artmint.verify import verify
from tests.lies import altered, failed, repaint, restate, status
from tests.suites import some


CHANGED = [
    ("dna", "0" * 64),
    ("pixel_digest", "0" * 64),
    ("file_digest", "0" * 64),
    ("metadata_digest", "0" * 64),
    ("image_cid", str(cid(b"x"))),
    ("metadata_cid", str(cid(b"x"))),
    ("root", str(cid(b"x"))),
    ("schema_digest", "0" * 64),
    ("collection", "teeny"),
    ("weights", []),
]


@pytest.mark.many(1)
@pytest.mark.parametrize(
    "field, value",
    some(CHANGED, [CHANGED[at] for at in (0, 4, 6, 8, 9)]),
)
def test_a_changed_manifest_is_named(studio, field, value):
    folder, address = studio
    path = folder / "drops" / "tiny-1" / "drop.json"
    said = read_json(path.read_bytes())
    (said["tokens"][1] if field in said["tokens"][1] else said)[field] = value
    path.write_bytes(canonical(said))
    proof = verify(address, folder)
    assert proof.exit_code == 1
    assert f"manifest's {field}" in failed(proof)["manifest"]
    assert set(failed(proof)) == {"manifest"}
    if field in said["tokens"][1]:
        assert failed(proof)["manifest"].startswith("token 2: ")


def test_a_manifest_that_is_none_fails_and_one_that_is_absent_does_not(studio):
    folder, address = studio
    path = folder / "drops" / "tiny-1" / "drop.json"
    path.write_bytes(path.read_bytes() + b" ")
    assert set(failed(verify(address, folder))) == {"manifest"}
    shutil.rmtree(folder / "drops")
    proof = verify(address, folder)
    assert proof.exit_code == 0
    assert status(proof, "manifest") == {"unchecked"}


CLAIMS = [
    ("recipe", "artmint.dna", {"artmint__dna": "0" * 64}),
    ("recipe", "artmint.dna", {"artmint__recipe__seed": 7}),
    ("recipe", "artmint.recipe", {"artmint__recipe__seed": -1}),
    ("recipe", "artmint.recipe", {"artmint__recipe__schema": 2}),
    ("recipe", "artmint.base.digest", {"artmint__base__digest": "0" * 64}),
    ("recipe", "attributes", {"attributes__0__value": "golden rings"}),
    ("metadata", "artmint.slot", {"artmint__slot": 1}),
    ("metadata", "name", {"name": "Tiny <svg onload=alert(1)>"}),
    ("metadata", "json", {"animation_url": "https://elsewhere.example"}),
    ("metadata", "json", {"image": "https://elsewhere.example/2.png"}),
    ("metadata", "json", {"artmint__scores__clip": "high"}),
    ("picture", "image", {"image": f"ipfs://{cid(b'another')}"}),
    ("picture", "artmint.file_digest", {"artmint__file_digest": "0" * 64}),
    ("pixels", "artmint.pixel_digest", {"artmint__pixel_digest": "0" * 64}),
]  # a step, the field that it names, and what a JSON says instead


@pytest.mark.many(1)
@pytest.mark.parametrize(
    "step, field, changes",
    some(CLAIMS, [CLAIMS[at] for at in (1, 5, 7, 9, 11, 12, 13)]),  # one of each kind
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_json_that_lies(lie, step, field, changes):
    proof = lie(lambda files: restate(files, 2, **changes))
    assert proof.exit_code == 1
    assert set(failed(proof)) >= {step}
    said = next(each for each in proof.steps if each.name == step and field in each.evidence)
    assert said.token == 2
    assert said.evidence.startswith("token 2: ")
    assert status(proof, "content root") == {"held"}


HOSTILE = [
    b"",
    b"{}",
    b"[" * 100_000,
    b'{"a":' * 900 + b"1" + b"}" * 900,
    b"\xff\xfe",
    b"9" * 5000,
    b" " * (2 << 20),
    b'{"name":"a","name":"b"}',
]


@pytest.mark.many(2)
@pytest.mark.parametrize(
    "data",
    some(HOSTILE, [HOSTILE[at] for at in (0, 2, 4, 7)]),
    ids=lambda data: data[:12].hex(),
)
def test_hostile_json_is_a_finding(lie, data):
    proof = lie(lambda files: files.update({"2.json": data}))
    assert proof.exit_code == 1
    assert "metadata" in failed(proof) or "content root" in failed(proof)
    assert status(proof, "pixels") == {"unchecked"}


def test_a_recipe_that_the_picture_does_not_carry(lie):
    "JSON with another seed and its right dna; the picture still says the old one."

    def change(files):
        facts = read_json(files["2.json"])["artmint"]["recipe"] | {"seed": 7}
        restate(files, 2, artmint__recipe=facts, artmint__dna=Recipe.parse(facts).dna)

    proof = lie(change)
    assert set(failed(proof)) == {"pixels"}
    assert any("picture's recipe" in step.evidence for step in proof.steps)


def test_pictures_that_are_swapped(lie):
    def change(files):
        files["images/1.png"], files["images/2.png"] = files["images/2.png"], files["images/1.png"]

    proof = lie(change)
    assert proof.exit_code == 1
    assert (
        sum("token 1: image" in step.evidence or "token 2: image" in step.evidence for step in proof.steps)
        == 2
    )


def test_a_picture_with_something_after_its_end(lie):
    proof = lie(lambda files: repaint(files, 2, files["images/2.png"] + b"<script>"))
    assert set(failed(proof)) == {"picture"}
    assert "8 bytes follow its end" in failed(proof)["picture"]


def test_a_changed_pixel_is_seen(lie):
    proof = lie(lambda files: repaint(files, 2, altered(files, 2)))
    assert set(failed(proof)) == {"pixels"}
    assert "artmint.pixel_digest" in failed(proof)["pixels"]


def test_a_file_that_is_not_there(lie):
    proof = lie(lambda files: files.pop("images/2.png"))
    assert proof.exit_code == 1
    assert "images/2.png" in failed(proof)["content root"]
    assert "images/2.png" in failed(proof)["metadata"]
