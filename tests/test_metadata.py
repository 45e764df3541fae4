"Tokens, the audit, and packing: with real PNGs, a real catalog, real kills."

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artmint import metadata
from artmint.core.canon import canonical
from artmint.core.collection import example
from artmint.core.manifest import BadMetadata, read_manifest
from artmint.core.picture import pixel_digest, png_bytes
from artmint.core.records import Artifact, Edition
from artmint.ipfs.car import check_car, open_car, read_file, resolve
from artmint.ipfs.cid import CID
from artmint.metadata import AuditFailed, NoSuchSlots, OverlappingDrop, UnfilledSlot, is_complete, pack
from artmint.publish import audit as audit_room
from artmint.publish.audit import AuditedDrop, audit, check_token
from artmint.publish.tokens import BaseFacts, TokenMetadata, json_schema, public_source, read_token
from artmint.seeds import frozen_slots, load_collection, recipes
from artmint.studio.blobs import CorruptBlob
from artmint.studio.catalog import Catalog
from artmint.train.drawings import Subject, draw

FOLDER = example()
DEMO = load_collection(FOLDER)
BASE = BaseFacts(digest="0" * 64, source="bundled")
WEIGHTS = {"model_index.json": b"{}", "unet/weights.safetensors": bytes(range(256))}


def fill(folder: Path, quantity: int, collection=DEMO) -> Catalog:
    "A studio whose first slots have an edition, drawn by the program."
    catalog = Catalog(folder)
    for slot in frozen_slots(catalog, collection, collection.salt)[:quantity]:
        recipe = recipes(collection, [slot], collection.salt, range(2, 3), BASE.digest)[0].recipe
        image = draw(Subject(**slot.traits), recipe.seed, recipe.width)
        kept = {
            "dna": recipe.dna,
            "pixel_digest": pixel_digest(image),
            "file_digest": catalog.put_blob(png_bytes(image, recipe, "artmint bundled")),
        }
        catalog.put(
            "artifact",
            recipe.dna,
            Artifact(recipe=recipe.facts(), environment={"os": str(folder)}, **kept).model_dump(mode="json"),
        )
        edition = Edition(
            slot=slot.id,
            attempt=2,
            traits=slot.traits,
            scores={"clip": 0.31, "palette": 7.0},
            scorers={"clip": "1" * 64, "palette": "2" * 64},
            **kept,
        )
        catalog.put("edition", f"{collection.name}/{slot.id}", edition.model_dump(mode="json"))
    return catalog


def pack_demo(folder: Path) -> Path:
    "A studio in a folder, with all of the demo in one drop."
    catalog = fill(folder, 16)
    pack(catalog, DEMO, 1, 1, 16, BASE, WEIGHTS)
    catalog.close()
    return catalog.folder


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    "The folder of a studio with the demo packed; not to be changed."
    return pack_demo(tmp_path_factory.mktemp("made"))


@pytest.fixture
def catalog(made, tmp_path) -> Catalog:
    "A copy of that studio."
    shutil.copytree(made, tmp_path / "studio")
    return Catalog(tmp_path / "studio")


def drop_of(catalog: Catalog) -> Path:
    return catalog.folder / "drops" / "demo-1"


def known(catalog: Catalog) -> AuditedDrop:
    "What the studio knows of its drop."
    return metadata._open_drop(catalog, DEMO, 1, 1, 16, BASE)


def manifest_of(folder: Path):
    return read_manifest((folder / "drop.json").read_bytes())


# ------------------------------------------------------------------ tokens


def test_the_published_schema_is_that_of_the_models():
    assert json.loads(json_schema()) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **TokenMetadata.model_json_schema(by_alias=True),
    }
    assert json_schema() == canonical(json.loads(json_schema()))


def test_every_token_is_valid_and_what_marketplaces_read(made):
    root = made / "drops" / "demo-1" / "root"
    validator = jsonschema.Draft202012Validator(json.loads((root / "schema.json").read_bytes()))
    for slot in range(1, 17):
        said = json.loads((root / f"{slot}.json").read_bytes())
        validator.validate(said)
        assert {"name", "description", "image", "attributes", "license", "artmint"} == set(said)
        assert said["name"] == f"First Light #{slot}"
        assert all(set(each) == {"trait_type", "value"} for each in said["attributes"])
        assert [each["trait_type"] for each in said["attributes"]] == list(DEMO.traits)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(said | {"image": "https://example.com/1.png"})


@pytest.mark.parametrize(
    "old, new, why",
    [
        (b'"schema":1,"scorers"', b'"schema":2,"scorers"', "artmint.schema"),
        (b'"schema":1,"scorers"', b'"scorers"', "artmint.schema"),
        (b'{"artmint"', b'{"x":1,"artmint"', "x"),
        (b'"ipfs://', b'"https://', "image"),
        (b'"slot":1', b'"slot":"1"', "artmint.slot"),
        (b'"slot":1', b'"slot":1,"slot":2', "a key comes twice"),
        (b'{"artmint"', b' {"artmint"', "canonical"),
        (b'"clip":0.31', b'"clip":3.1e-1', "canonical"),
        (b'"clip":0.31', b'"clip":NaN', "NaN"),
        (b"}", b"", "Expecting"),
        (b"First", b"\xff", "decode"),
    ],
)
def test_a_token_is_read_strictly(made, old, new, why):
    data = (made / "drops" / "demo-1" / "root" / "1.json").read_bytes()
    assert read_token(data).data == data
    assert old in data
    with pytest.raises(BadMetadata) as caught:
        read_token(data.replace(old, new, 1))
    assert any(why in reason for reason in caught.value.reasons), caught.value.reasons


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


def test_a_path_stays_in_the_studio(tmp_path):
    assert [
        public_source(each)
        for each in (
            "bundled",
            "owner/model",
            "owner/model@abc",
            str(tmp_path),
            "/srv/models/mine",
            "../mine",
        )
    ] == ["bundled", "owner/model", "owner/model@abc", tmp_path.name, "mine", "mine"]


def test_publishing_needs_no_torch():
    code = "import sys, artmint.metadata; assert not {'torch', 'diffusers', 'open_clip', 'scipy', 'skimage', 'web3'} & set(sys.modules), set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# ------------------------------------------------------------------ the audit


def test_a_sound_drop_has_no_findings_and_exact_counts(made):
    catalog = Catalog(made)
    folder = drop_of(catalog)
    assert audit(known(catalog), manifest_of(folder), folder / "root") == []
    said = [read_token((folder / "root" / f"{i}.json").read_bytes()) for i in range(1, 17)]
    for trait, counts in DEMO.traits.items():
        values = [each.value for token in said for each in token.attributes if each.trait_type == trait]
        assert {value: values.count(value) for value in counts} == counts


def rewrite(name: str, old: bytes, new: bytes):
    "A change of one file of the root."

    def change(root: Path) -> None:
        data = (root / name).read_bytes()
        assert old in data
        (root / name).write_bytes(data.replace(old, new, 1))

    return change


def swap(one: str, other: str):
    "Two files of the root change places."

    def change(root: Path) -> None:
        (root / one).rename(root / "aside")
        (root / other).rename(root / one)
        (root / "aside").rename(root / other)

    return change


TAMPERED = {
    "pictures swapped": (
        swap("images/3.png", "images/4.png"),
        {
            (3, "image"),
            (4, "image"),
            (3, "artmint.pixel_digest"),
            (3, "picture's recipe"),
            (4, "picture's infotext"),
        },
    ),
    "tokens swapped": (
        swap("3.json", "4.json"),
        {(3, "artmint.slot"), (4, "artmint.slot"), (3, "name"), (3, "manifest's metadata_digest")},
    ),
    "a trait": (
        rewrite("5.json", b'"value":"', b'"value":"golden '),
        {(5, "attributes"), (5, "manifest's metadata_cid"), (None, "exact counts")},
    ),
    "a trait twice": (
        rewrite("5.json", b'"attributes":[', b'"attributes":[{"trait_type":"motif","value":"rings"},'),
        {(5, "number of attributes")},
    ),
    "the seed": (rewrite("6.json", b'"seed":', b'"seed":1'), {(6, "artmint.recipe")}),
    "the prompt": (
        rewrite("6.json", b" colours on ", b" colors on "),
        {(6, "artmint.dna"), (6, "picture's recipe"), (6, "artmint.recipe.prompt")},
    ),
    "the dna": (rewrite("6.json", b'"dna":"', b'"dna":"0'), {(6, "json")}),
    "a score": (rewrite("7.json", b'"clip":0.31', b'"clip":0.99'), {(7, "artmint.scores")}),
    "the license": (rewrite("7.json", b"CC-BY-4.0", b"CC0-1.0"), {(7, "license")}),
    "the base": (
        rewrite("7.json", b'"base":{"digest":"0', b'"base":{"digest":"1'),
        {(7, "artmint.base.digest")},
    ),
    "the base's source": (
        rewrite("7.json", b'"source":"bundled"', b'"source":"mine"'),
        {(7, "artmint.base.source")},
    ),
    "markup": (rewrite("8.json", b"First Light #8", b"First <svg onload=alert(1)> #8"), {(8, "name")}),
    "a hidden turn": (rewrite("8.json", b"First Light #8", "First \u202eLight #8".encode()), {(8, "name")}),
    "broken JSON": (rewrite("8.json", b"{", b"["), {(8, "json")}),
    "bytes after a picture": (
        lambda root: (root / "images/9.png").open("ab").write(b"<html>"),
        {(9, "picture"), (9, "artmint.file_digest"), (9, "manifest's file_digest")},
    ),
    "a picture's text": (rewrite("images/9.png", b"Steps: 16", b"Steps: 17"), {(9, "picture"), (9, "image")}),
    "a lost picture": (
        lambda root: (root / "images/9.png").unlink(),
        {(None, "missing files"), (None, "root"), (None, "exact counts")},
    ),
    "a stranger's file": (
        lambda root: (root / "17.json").write_bytes(b"{}"),
        {(None, "other files"), (None, "root")},
    ),
    "the schema": (
        rewrite("schema.json", b"license", b"licence"),
        {(None, "root/schema.json"), (None, "root")},
    ),
    "the weights": (
        rewrite(f"weights/{BASE.digest}/unet/weights.safetensors", b"\x05", b"\x06"),
        {(None, "root")},
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_tampered_with_is_named(catalog, name):
    change, expected = TAMPERED[name]
    folder = drop_of(catalog)
    change(folder / "root")
    found = {(each.token, each.field) for each in audit(known(catalog), manifest_of(folder), folder / "root")}
    assert expected <= found, found
    assert {token for token, _ in found} <= {token for token, _ in expected} | {None}, (
        "another token was blamed"
    )


@pytest.mark.parametrize(
    "field", ["dna", "pixel_digest", "file_digest", "metadata_digest", "image_cid", "metadata_cid"]
)
def test_each_entry_of_the_manifest_is_held_against_the_files(made, field):
    catalog = Catalog(made)
    manifest = manifest_of(drop_of(catalog))
    entry = manifest.tokens[4]
    value = getattr(entry, field)
    changed = value[:-1] + ("a" if value[-1] != "a" else "b")
    tokens = (*manifest.tokens[:4], entry.model_copy(update={field: changed}), *manifest.tokens[5:])
    found = audit(known(catalog), manifest.model_copy(update={"tokens": tokens}), drop_of(catalog) / "root")
    assert [(each.token, each.field) for each in found] == [(5, f"manifest's {field}")]


@pytest.mark.parametrize(
    "change, field",
    [
        ({"root": "b" + "a" * 58}, "root"),
        ({"collection": "other"}, "collection"),
        ({"collection_digest": "1" * 64}, "collection_digest"),
        ({"quantity": 15}, "range"),
        ({"schema_digest": "1" * 64}, "schema.json"),
        ({"weights": ()}, "weights"),
    ],
)
def test_the_manifests_own_facts_are_held_against_the_drop(made, change, field):
    catalog = Catalog(made)
    found = audit(
        known(catalog), manifest_of(drop_of(catalog)).model_copy(update=change), drop_of(catalog) / "root"
    )
    assert field in {each.field for each in found}
    assert {each.token for each in found} == {None}


def test_the_studios_own_records_are_held_against_each_other(made):
    catalog = Catalog(made)
    drop = known(catalog)
    root = drop_of(catalog) / "root"
    manifest = manifest_of(drop_of(catalog))

    def found(changed: AuditedDrop) -> set:
        return {(each.token, each.field) for each in audit(changed, manifest, root)}

    other = drop.editions[1].model_copy(update={"traits": drop.slots[2].traits, "attempt": 3})
    assert {(2, "edition's traits"), (2, "artmint.attempt"), (2, "artmint.recipe.seed")} <= found(
        replace(drop, editions=[drop.editions[0], other, *drop.editions[2:]])
    )
    assert (1, "artmint.recipe.seed") in found(replace(drop, salt="another"))
    assert (1, "artmint.recipe.prompt") in found(
        replace(drop, collection=DEMO.model_copy(update={"template": DEMO.template + " at dusk"}))
    )
    assert (1, "artmint.recipe.steps") in found(
        replace(
            drop,
            collection=DEMO.model_copy(
                update={"generation": DEMO.generation.model_copy(update={"steps": 21})}
            ),
        )
    )
    assert (None, "bases of the recipes") in found(
        replace(drop, base=BaseFacts(digest="1" * 64, source="bundled"))
    )


def test_one_picture_is_not_sold_twice(tmp_path):
    catalog = fill(tmp_path, 2)
    bodies = catalog.all("edition", "demo/")
    image = draw(Subject("rings", "ocean", "night", "dense", "centred"), 7, DEMO.generation.width)
    for key, body in bodies.items():
        recipe = recipes(
            DEMO,
            [frozen_slots(catalog, DEMO, DEMO.salt)[body["slot"] - 1]],
            DEMO.salt,
            range(1, 2),
            BASE.digest,
        )[0].recipe
        kept = {
            "dna": recipe.dna,
            "pixel_digest": pixel_digest(image),
            "file_digest": catalog.put_blob(png_bytes(image, recipe, "artmint bundled")),
        }
        catalog.put(
            "artifact",
            recipe.dna,
            Artifact(recipe=recipe.facts(), environment={}, **kept).model_dump(mode="json"),
        )
        catalog.append("edition", key, body | kept | {"attempt": 1})
    with pytest.raises(AuditFailed) as caught:
        pack(catalog, DEMO, 1, 1, 2, BASE, {})
    assert [(each.field, each.found) for each in caught.value.findings] == [
        ("pictures that occur twice", "['1', '2']")
    ]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_flipped_bit_is_found_and_blamed_on_its_file(made, data):
    root = made / "drops" / "demo-1" / "root"
    slot = data.draw(st.integers(1, 16))
    files = [(root / f"{slot}.json").read_bytes(), (root / "images" / f"{slot}.png").read_bytes()]
    assert check_token(slot, *files) == []
    which = data.draw(st.integers(0, 1))
    at = data.draw(st.integers(0, len(files[which]) - 1))
    bit = data.draw(st.integers(0, 7))
    changed = bytearray(files[which])
    changed[at] ^= 1 << bit
    files[which] = bytes(changed)
    token = manifest_of(made / "drops" / "demo-1").tokens[slot - 1]
    found = check_token(slot, *files)
    try:
        found += audit_room._check_entry(token, *files, read_token(files[0]))
    except BadMetadata:
        pass
    assert found
    assert {each.token for each in found} == {slot}


# ------------------------------------------------------------------ packing


def contents(folder: Path) -> dict[str, bytes]:
    "Every file below a folder."
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_packing_again_changes_nothing(catalog):
    before = {path: path.stat().st_mtime_ns for path in drop_of(catalog).rglob("*")}
    manifest = pack(catalog, DEMO, 1, 1, 16, BASE, WEIGHTS)
    assert {path: path.stat().st_mtime_ns for path in drop_of(catalog).rglob("*")} == before
    assert is_complete(drop_of(catalog), manifest)
    assert len(catalog.history("drop", "demo/1")) == 1
    assert catalog.get("drop", "demo/1")["root"] == manifest.root


def test_another_studio_packs_the_same_bytes(made, tmp_path):
    pack(fill(tmp_path / "other", 16), DEMO, 1, 1, 16, BASE, WEIGHTS)
    assert contents(tmp_path / "other" / "drops" / "demo-1") == contents(made / "drops" / "demo-1")
    assert b"studio" not in (made / "drops" / "demo-1" / "drop.json").read_bytes()
    assert str(made).encode() not in (made / "drops" / "demo-1" / "drop.car").read_bytes()


def test_the_archive_holds_everything_under_the_root(made):
    folder = made / "drops" / "demo-1"
    manifest = manifest_of(folder)
    car = open_car(folder / "drop.car")
    root = CID.parse(manifest.root)
    paths = check_car(car, root)
    wanted = {"schema.json", f"weights/{BASE.digest}/unet/weights.safetensors"}
    for i in range(1, 17):
        wanted |= {f"{i}.json", f"images/{i}.png"}
    assert wanted <= set(paths)
    for token in manifest.tokens:
        assert str(paths[f"images/{token.id}.png"]) == token.image_cid
        said = read_token(read_file(resolve(root, f"{token.id}.json", car.block), car.block, 10**6))
        assert said.image == f"ipfs://{token.image_cid}"
        assert said.artmint.dna == token.dna
    assert manifest.weights[0].path == f"weights/{BASE.digest}"


def test_secret_weights_stay_in_the_studio(tmp_path):
    manifest = pack(
        fill(tmp_path, 2), DEMO.model_copy(update={"publish_weights": False}), 1, 1, 2, BASE, WEIGHTS
    )
    assert manifest.weights[0].path is None
    assert manifest.weights[0].digest == BASE.digest
    assert not (tmp_path / "drops" / "demo-1" / "root" / "weights").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda drop: (drop / "drop.car").write_bytes((drop / "drop.car").read_bytes()[:-1]),
        lambda drop: (drop / "drop.car").write_bytes(
            (drop / "drop.car").read_bytes().replace(b"First Light #3", b"First Light #4")
        ),
        lambda drop: (drop / "drop.json").unlink(),
        lambda drop: (drop / "drop.json").write_bytes((drop / "drop.json").read_bytes() + b" "),
        lambda drop: (drop / "root" / "1.json").unlink(),
        lambda drop: (drop / "root" / "images" / "1.png").write_bytes(b""),
        lambda drop: (drop / "root" / ".hidden").write_bytes(b"x"),
        lambda drop: shutil.rmtree(drop),
    ],
)
def test_a_damaged_drop_is_written_again_the_same(catalog, made, damage):
    damage(drop_of(catalog))
    pack(catalog, DEMO, 1, 1, 16, BASE, WEIGHTS)
    assert contents(drop_of(catalog)) == contents(made / "drops" / "demo-1")


HANG = """
import sys, time
from pathlib import Path
import artmint.metadata as m
from artmint.studio.catalog import Catalog
from artmint.seeds import load_collection
def hang(real, times):
    left = [times]
    def wrapped(*a, **k):
        left[0] -= 1
        if left[0] < 0:
            print("ready", flush=True)
            time.sleep(60)
        return real(*a, **k)
    return wrapped
place, name, times = {"m": m, "Path": Path, "shutil": m.shutil}[sys.argv[3]], sys.argv[4], int(sys.argv[5])
setattr(place, name, hang(getattr(place, name), times))
m.pack(Catalog(sys.argv[2]), load_collection(sys.argv[1]), 1, 1, 16, m.BaseFacts(digest="0" * 64, source="bundled"), WEIGHTS)
"""


@pytest.mark.parametrize(
    "place, name, times",
    [
        ("shutil", "copyfile", 0),
        ("shutil", "copyfile", 9),
        ("m", "write_car", 0),
        ("m", "write_whole", 0),
        ("m", "audit", 0),
        ("Path", "rename", 0),
        ("shutil", "rmtree", 2),
    ],
)
def test_a_killed_packer_leaves_no_half_drop_and_the_next_gives_the_same_bytes(
    made, tmp_path, place, name, times
):
    folder = tmp_path / "studio"
    shutil.copytree(made, folder, ignore=lambda path, names: ["drops"] if Path(path) == made else [])
    program = HANG.replace("WEIGHTS", repr(WEIGHTS))
    arguments = [str(FOLDER), str(folder), place, name, str(times)]
    child = subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert (folder / "drops" / "demo-1").exists() == (name == "rmtree")
    catalog = Catalog(folder)
    pack(catalog, DEMO, 1, 1, 16, BASE, WEIGHTS)
    assert contents(drop_of(catalog)) == contents(made / "drops" / "demo-1")
    assert sorted(path.name for path in (folder / "drops").iterdir()) == [".demo-1.lock", "demo-1"]


def test_an_unfilled_slot_blocks_the_drop(tmp_path):
    catalog = fill(tmp_path, 3)
    with pytest.raises(UnfilledSlot) as caught:
        pack(catalog, DEMO, 1, 2, 4, BASE, {})
    assert caught.value.slots == [4, 5]
    assert not (tmp_path / "drops").exists()


@pytest.mark.parametrize("first, quantity", [(0, 1), (1, 0), (16, 2), (17, 1), (1, -1)])
def test_slots_that_do_not_exist_are_refused(catalog, first, quantity):
    with pytest.raises(NoSuchSlots):
        pack(catalog, DEMO, 1, first, quantity, BASE, {})


def test_drops_do_not_overlap(tmp_path):
    catalog = fill(tmp_path, 6)
    pack(catalog, DEMO, 1, 1, 3, BASE, {})
    with pytest.raises(OverlappingDrop) as caught:
        pack(catalog, DEMO, 2, 3, 2, BASE, {})
    assert (caught.value.drop, caught.value.other, caught.value.slots) == (2, 1, [3])
    assert pack(catalog, DEMO, 2, 4, 3, BASE, {}).first == 4


def test_a_mended_description_is_packed_anew_on_record(catalog):
    first = manifest_of(drop_of(catalog))
    second = pack(catalog, DEMO.model_copy(update={"description": "Other words."}), 1, 1, 16, BASE, WEIGHTS)
    assert second.root != first.root
    assert is_complete(drop_of(catalog), second)
    assert [body["root"] for body in catalog.history("drop", "demo/1")] == [first.root, second.root]


def test_what_does_not_agree_is_not_packed_and_the_old_drop_stays(catalog, made):
    with pytest.raises(AuditFailed, match="artmint.recipe.prompt") as caught:
        pack(
            catalog,
            DEMO.model_copy(update={"template": "{motif} {palette} {ground} {density} {placement}"}),
            1,
            1,
            16,
            BASE,
            WEIGHTS,
        )
    assert {each.token for each in caught.value.findings} == set(range(1, 17))
    assert contents(drop_of(catalog)) == contents(made / "drops" / "demo-1")


def test_a_damaged_picture_is_not_packed(tmp_path):
    catalog = fill(tmp_path, 2)
    name = catalog.get("edition", "demo/2")["file_digest"]
    catalog.blob_path(name).write_bytes(catalog.blob(name) + b"<html>")
    with pytest.raises(CorruptBlob, match=name):
        pack(catalog, DEMO, 1, 1, 2, BASE, {})
