"Tokens, the audit, and packing: with real PNGs, a real catalog, real kills."

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from artmint import metadata
from artmint.core.collection import People
from artmint.core.picture import pixel_digest, png_bytes
from artmint.core.records import Artifact
from artmint.ipfs.car import check_car, open_car, read_file, resolve
from artmint.ipfs.cid import CID
from artmint.judge.decisions import Opinion, Verdict, record_opinions, record_verdict
from artmint.metadata import (
    AuditFailed,
    NoSuchSlots,
    OverlappingDrop,
    RefusedAfterPacking,
    RefusedByPeople,
    UndecidedByPeople,
    UnfilledSlot,
    changed_words,
    is_complete,
    pack,
    refuse_unaccepted,
)
from artmint.pin import NoArweaveStore
from artmint.make.base import base_name
from artmint.publish.tokens import BaseFacts, MissingMedia, media_files, read_token
from artmint.publish.weights import read_weights, weights_archive
from artmint.seeds import frozen_slots, load_collection, recipes
from artmint.studio.blobs import CorruptBlob
from artmint.studio.catalog import Catalog
from artmint.train.drawings import Subject, draw
from tests.packed import BASE, DEMO, FOLDER, WEIGHTS, drop_of, fill, manifest_of, pack_demo
from tests.shown import pack_shown, shown_folder
from tests.suites import some


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    "The folder of a studio with the demo packed; not to be changed."
    return pack_demo(tmp_path_factory.mktemp("made"))


@pytest.fixture
def catalog(made, tmp_path) -> Catalog:
    "A copy of that studio."
    shutil.copytree(made, tmp_path / "studio")
    return Catalog(tmp_path / "studio")


@pytest.mark.parametrize(
    "environments, source",
    [
        ([{"python": "3.11"}, {}], "hill"),
        ([{"comfyui": "0.3.75"}, {"comfyui": "0.3.75", "device": "cpu"}], "hill (ComfyUI 0.3.75)"),
        ([{"comfyui": "0.4"}, {"comfyui": "0.3.75"}], "hill (ComfyUI 0.3.75 and ComfyUI 0.4)"),
        ([{"engine": "a1111", "server": "Forge", "version": "f2.0 (x)"}], "hill (Forge f2.0 x)"),
        ([{"engine": "a1111", "server": "KoboldCpp", "version": "not said"}], "hill (KoboldCpp)"),
    ],
)
def test_the_programs_that_painted_a_drop_are_named_with_its_base(tmp_path, environments, source):
    catalog = Catalog(tmp_path / "studio")
    dnas = [f"{number:064x}" for number in range(len(environments))]
    for dna, environment in zip(dnas, environments):
        catalog.put("artifact", dna, {"environment": environment, "recipe": {}})
    editions = [SimpleNamespace(dna=dna) for dna in dnas]
    base = BaseFacts(digest="a" * 64, source="hill")
    assert metadata.painted_by(catalog, editions, base).source == source
    assert base_name(source) == "hill"


# ------------------------------------------------------------------ tokens


def test_publishing_needs_no_torch():
    code = "import sys, artmint.metadata; assert not {'torch', 'diffusers', 'open_clip', 'scipy', 'skimage', 'web3'} & set(sys.modules), set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# ------------------------------------------------------------------ the audit


def test_one_picture_is_not_sold_twice(tmp_path):
    catalog = fill(tmp_path, 2)
    bodies = catalog.all("edition", "demo/")
    image = draw(Subject("rings", "ocean", "night", "dense", "centred"), 7, 512)
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


def test_words_that_were_changed_since_a_drop_went_on_a_chain_are_told(catalog):
    manifest = pack(catalog, DEMO, 1, 1, 16, BASE, WEIGHTS)
    assert changed_words(catalog, DEMO, manifest) == []
    later = DEMO.model_copy(update={"description": "New words.", "license": "CC0-1.0"})
    catalog.append("transaction", "1", {"purpose": {"collection": "demo", "drop": 1, "kind": "commit"}})
    kept = pack(catalog, later, 1, 1, 16, BASE, WEIGHTS)
    assert kept.data == manifest.data
    assert changed_words(catalog, later, kept) == ["description", "license"]


@pytest.mark.slow
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
    wanted = {"schema.json", "weights.json"}
    for i in range(1, 17):
        wanted |= {f"{i}.json", f"images/{i}.png"}
    assert wanted <= set(paths)
    for token in manifest.tokens:
        assert str(paths[f"images/{token.id}.png"]) == token.image_cid
        said = read_token(read_file(resolve(root, f"{token.id}.json", car.block), car.block, 10**6))
        assert said.image == f"ipfs://{token.image_cid}"
        assert said.artmint.dna == token.dna
    assert manifest.weights[0].path is None


def test_the_bases_files_have_an_archive_of_their_own_for_all_drops(tmp_path):
    catalog = fill(tmp_path, 4)
    manifests = [pack(catalog, DEMO, number, first, 2, BASE, WEIGHTS) for number, first in ((1, 1), (2, 3))]
    archive = weights_archive(tmp_path, BASE.digest)
    car = open_car(archive)
    assert {path for path in check_car(car, car.roots[0]) if "." in path} == set(WEIGHTS)
    for manifest in manifests:
        entry = manifest.weights[0]
        assert (entry.cid, entry.bytes, entry.path) == (str(car.roots[0]), archive.stat().st_size, None)
        root = drop_of(catalog).with_name(f"demo-{manifest.drop}") / "root"
        listed = read_weights((root / "weights.json").read_bytes())
        assert listed[BASE.digest].cid == entry.cid
    assert len([*archive.parent.iterdir()]) == 1


def test_secret_weights_stay_in_the_studio(tmp_path):
    manifest = pack(
        fill(tmp_path, 2), DEMO.model_copy(update={"publish_weights": False}), 1, 1, 2, BASE, WEIGHTS
    )
    assert manifest.weights[0].path is None
    assert manifest.weights[0].digest == BASE.digest
    assert not (tmp_path / "drops" / "demo-1" / "root" / "weights.json").exists()
    assert not (tmp_path / "weights").exists()


@pytest.mark.many(2)
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


PLACES = [
    ("shutil", "copyfileobj", 0),
    ("shutil", "copyfileobj", 9),
    ("m", "write_car", 0),
    ("m", "write_whole", 0),
    ("m", "audit", 0),
    ("Path", "rename", 0),
    ("shutil", "rmtree", 2),
]


@pytest.mark.many(1)
@pytest.mark.parametrize("place, name, times", some(PLACES, [PLACES[1], PLACES[2], PLACES[5]]))
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


# ------------------------------------------------------------------ media


@pytest.mark.slow
def test_media_are_packed_under_their_own_addresses_with_the_tokens_that_name_them(tmp_path):
    catalog, collection, place = pack_shown(tmp_path)
    folder = drop_of(catalog)
    manifest = manifest_of(folder)
    car, root = open_car(folder / "drop.car"), CID.parse(manifest.root)
    paths = check_car(car, root)
    files = {file.file: file.place for file in collection.market.media.values()}
    assert read_file(paths[files["loop.mp4"]], car.block, 10**7) == (place / "loop.mp4").read_bytes()
    token = read_token((folder / "root" / "1.json").read_bytes())
    assert token.animation_url == f"ipfs://{paths[files['loop.mp4']]}"
    media = media_files(place, collection)
    again = pack(catalog, collection, 1, 1, 4, BASE, {}, media)
    assert again == manifest and is_complete(folder, manifest)
    alone = tmp_path / "alone"
    only = pack(fill(alone, 3, collection), collection, 1, 3, 1, BASE, {}, media)
    names = {path.suffix for path in (alone / "drops" / "demo-1" / "root" / "media").iterdir()}
    assert (only.first, names) == (3, {".png"})  # token 3 shows what a host gives


def test_media_that_arent_at_hand_are_asked_for_before_anything_is_packed(tmp_path):
    place = shown_folder(tmp_path / "collections")
    collection = load_collection(place)
    catalog = fill(tmp_path / "studio", 2, collection)
    with pytest.raises(MissingMedia, match="banner.png, loop.mp4.*25_metadata") as caught:
        pack(catalog, collection, 1, 1, 2, BASE, {})
    assert caught.value.files == ["banner.png", "loop.mp4"]
    media = media_files(place, collection)
    (place / "loop.mp4").unlink()
    with pytest.raises(MissingMedia, match="loop.mp4"):
        pack(catalog, collection, 1, 1, 2, BASE, {}, media)
    assert not (tmp_path / "studio" / "drops" / "demo-1").exists()


def test_media_that_changed_since_they_were_read_are_not_packed(tmp_path):
    place = shown_folder(tmp_path / "collections")
    collection = load_collection(place)
    catalog = fill(tmp_path / "studio", 1, collection)
    (place / "loop.mp4").write_bytes((place / "loop.mp4").read_bytes() + b"!")
    with pytest.raises(AuditFailed, match="media"):
        pack(catalog, collection, 1, 1, 1, BASE, {}, media_files(place, collection))


# ------------------------------------------------------------------ people decide last


def say(catalog: Catalog, slot: int, decision: str, by: str = "Ada", minute: int = 0) -> None:
    "A person's word on a slot's edition."
    dna = catalog.get("edition", f"demo/{slot}")["dna"]
    at = f"2026-01-01T00:{minute:02}:00.000000+00:00"
    record_opinions(catalog, [(dna, Opinion(by=by, decision=decision, at=at))])


def policy(word: str):
    "The demo, with this word as the last."
    return DEMO.model_copy(update={"people": People(last_word=word)})


@pytest.mark.many(4)
@pytest.mark.parametrize(
    "word, words, refusal",
    [
        ("latest", {"Ada": "reject"}, RefusedByPeople),
        ("latest", {"Ada": "accept", "Ben": "reject"}, RefusedByPeople),
        ("latest", {"Ada": "reject", "Ben": "accept"}, None),
        ("majority", {"Ada": "accept", "Ben": "reject"}, UndecidedByPeople),
        ("both", {"Ada": "accept"}, UndecidedByPeople),
        ("both", {"Ada": "reject"}, UndecidedByPeople),
        ("both", {"Ada": "accept", "Ben": "accept"}, None),
        ("both", {}, None),
    ],
)
def test_what_people_refuse_or_havent_settled_is_not_packed(tmp_path, word, words, refusal):
    catalog = fill(tmp_path, 2)
    for minute, (by, decision) in enumerate(words.items()):
        say(catalog, 2, decision, by, minute)
    if refusal is None:
        assert pack(catalog, policy(word), 1, 1, 2, BASE, {}).quantity == 2
        return
    with pytest.raises(refusal) as caught:
        pack(catalog, policy(word), 1, 1, 2, BASE, {})
    assert caught.value.slots == [2] and not (tmp_path / "drops" / "demo-1").exists()
    assert getattr(caught.value, "exit_code", 1) == (4 if refusal is UndecidedByPeople else 1)


@pytest.mark.parametrize("decision", ["reject", "review"])
def test_what_the_rules_alone_dont_accept_is_not_packed(tmp_path, decision):
    catalog = fill(tmp_path, 1)
    dna = catalog.get("edition", "demo/1")["dna"]
    record_verdict(catalog, Verdict(dna, decision, ("contrast 1 is below 4 by 3",), {}))
    with pytest.raises((RefusedByPeople, UndecidedByPeople)):
        pack(catalog, DEMO, 1, 1, 1, BASE, {})
    say(catalog, 1, "accept")
    assert pack(catalog, DEMO, 1, 1, 1, BASE, {}).quantity == 1


def test_an_objection_after_packing_stops_what_follows_until_it_is_mended(tmp_path):
    catalog = fill(tmp_path, 3)
    pack(catalog, DEMO, 1, 1, 2, BASE, {})
    refuse_unaccepted(catalog, DEMO, range(1, 4))
    say(catalog, 2, "reject")
    with pytest.raises(RefusedAfterPacking, match="slot 2, rejected by Ada") as caught:
        refuse_unaccepted(catalog, DEMO, range(1, 4))
    assert caught.value.exit_code == 4
    refuse_unaccepted(catalog, DEMO, [1, 3])
    say(catalog, 2, "accept", "Ben", 1)
    refuse_unaccepted(catalog, DEMO, range(1, 4))
    say(catalog, 2, "reject", "Ben", 2)
    catalog.append("token", "demo/2", {"id": 2})
    refuse_unaccepted(catalog, DEMO, range(1, 4))  # it is minted


def test_the_audit_says_what_stands_against_an_edition(catalog):
    say(catalog, 5, "reject")
    shutil.rmtree(drop_of(catalog))
    with pytest.raises(AuditFailed, match="rejected by Ada") as caught:
        pack(catalog, DEMO, 1, 1, 16, BASE, WEIGHTS)
    assert {(finding.token, finding.field) for finding in caught.value.findings} == {(5, "decision")}


# -- a second home


def arweave_studio(folder: Path, drop: int = 4) -> tuple[Catalog, object]:
    "A studio whose collection wants addresses on Arweave, and that collection."
    collection = DEMO.model_copy(update={"arweave": True})
    return fill(folder, drop, collection), collection


@pytest.mark.slow
def test_pictures_are_named_on_arweave_where_the_collection_asks(tmp_path):
    "The ids are those that the whole drop has later, and the same in two studios; other drops keep their schema."
    from artmint.ipfs.arweave import ItemKey, drop_items
    from artmint.publish.audit import audit
    from artmint.publish.tokens import json_schema

    roots = set()
    for name in ("one", "two"):
        catalog, collection = arweave_studio(tmp_path / name)
        with pytest.raises(NoArweaveStore, match="studio.toml"):
            pack(catalog, collection, 1, 1, 4, BASE, {})
        assert not drop_of(catalog).exists()
        key = catalog.folder / "keys" / "stores" / "key"
        key.parent.mkdir(parents=True)
        key.write_text("11" * 32)
        key.chmod(0o600)
        store = '[[stores]]\nkind = "arweave"\nkey = "keys/stores/key"\ngateway = "https://gateway.example"\n'
        (catalog.folder / "studio.toml").write_text(store)
        manifest = pack(catalog, collection, 1, 1, 4, BASE, {})
        roots.add(manifest.root)
    assert len(roots) == 1
    car = open_car(drop_of(catalog) / "drop.car")
    ids = drop_items(car, CID.parse(manifest.root), ItemKey("11" * 32)).ids
    root = drop_of(catalog) / "root"
    for slot in range(1, 5):
        about = read_token((root / f"{slot}.json").read_bytes()).artmint
        assert about.arweave == f"ar://{ids[f'images/{slot}.png']}"
    assert (root / "schema.json").read_bytes() == json_schema(arweave=True) != json_schema()
    known = metadata._with_homes(catalog, metadata._open_drop(catalog, collection, 1, 1, 4, BASE, {}))
    assert audit(known, manifest, root) == []
    known.homes[2] = "A" * 43
    findings = audit(known, manifest, root)
    assert [(finding.token, finding.field) for finding in findings] == [(2, "artmint.arweave")]
