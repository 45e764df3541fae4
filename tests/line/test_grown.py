"Recipes with all that may stand beside a base: every file travels with the drop, or is named as missing."

import shutil

import pytest

from artmint.core.collection import InconsistentCollection
from artmint.core.records import Recipe
from artmint.make.base import load_base
from artmint.publish.tokens import PLACES, named_files, public_facts, read_token
from artmint.studio.catalog import Catalog
from artmint.studio.maintenance import gc
from tests.grown import compact, control, control_file, disc, edges, encoder_file, ip_adapter, png, vision
from tests.lined import packed, proven, sha, styled


@pytest.fixture(scope="module")
def kit():
    "Files for the bundled base, by what they are."
    unet = load_base().pipeline.unet
    return {
        "upscaler": compact(1),
        "control": control_file(control(unet, 1, shrinks=2)),
        "ip_adapter": ip_adapter(unet, 1),
        "image_encoder": encoder_file(vision(1)),
        "init": png(edges(64, 64, 5)),
        "mask": png(disc(64)),
        "picture": png(edges(64, 64, 1)),
    }


def grown(folder, kit, first: str = ""):
    "The tiny collection with all of them, and a studio that has the files."
    d = {name: sha(data) for name, data in kit.items()}
    generation = f'init = "{d["init"]}"\nmask = "{d["mask"]}"\nstrength = 1.0\n'
    more = f"""
[generation.upscale]
digest = "{d["upscaler"]}"
scale = 2
[[generation.regions]]
prompt = "a {{motif}} sky"
box = [0, 0, 1, 0.5]
[[generation.regions]]
prompt = "a moon"
mask = "{d["mask"]}"
weight = 0.5
[[generation.controls]]
digest = "{d["control"]}"
picture = "{d["picture"]}"
weight = 0.5
[[generation.picture_prompts]]
adapter = "{d["ip_adapter"]}"
encoder = "{d["image_encoder"]}"
picture = "{d["init"]}"
weight = 0.4
[[rules]]
"""
    collection = styled(folder, "", first, generation)
    file = folder / "tiny" / "collection.toml"
    file.write_text(file.read_text().replace("[[rules]]\n", more, 1))
    from artmint.seeds import load_collection

    collection = load_collection(folder / "tiny")
    catalog = Catalog(folder / "studio")
    for data in kit.values():
        catalog.put_blob(data)
    return collection, d


def named(manifest):
    "What a manifest says of its files, its base aside."
    return {(w.role, w.digest, w.path) for w in manifest.weights[1:]}


@pytest.mark.slow
def test_all_that_a_picture_was_made_with_is_in_the_drop_and_paints_it_again(tmp_path, kit):
    collection, d = grown(tmp_path, kit)
    catalog, manifest = packed(tmp_path / "studio", collection, {})
    roles = {d[name]: name if name in PLACES else "picture" for name in d}
    assert named(manifest) == {(role, digest, PLACES[role].format(digest)) for digest, role in roles.items()}
    root = tmp_path / "studio" / "drops" / "tiny-1" / "root"
    for w in manifest.weights[1:]:
        assert sha((root / w.path).read_bytes()) == w.digest
    told = read_token((root / "1.json").read_bytes()).artmint.recipe
    assert [region["prompt"] for region in told["regions"]] == [
        told["prompt"].split()[0].join(("a ", " sky")),
        "a moon",
    ]
    assert Recipe.parse(told).size == (128, 128)
    shutil.rmtree(tmp_path / "studio" / "blobs")
    proof = proven(catalog, collection, manifest)
    assert proof.exit_code == 0, proof.text()
    assert proof.levels["regenerated"] == "held", proof.text()


@pytest.mark.slow
@pytest.mark.parametrize("secret", ["upscalers", "controls", "ip_adapters", "image_encoders", "pictures"])
def test_what_a_studio_keeps_is_named_as_missing(tmp_path, kit, secret):
    collection, d = grown(tmp_path, kit, f'secret = ["{secret}"]\n')
    catalog, manifest = packed(tmp_path / "studio", collection, {})
    kept = {w.digest for w in manifest.weights[1:] if w.path is None}
    names = ("mask", "picture") if secret == "pictures" else (secret[:-1],)
    assert kept == {d[name] for name in names}
    proof = proven(catalog, collection, manifest)
    assert (proof.exit_code, proof.levels["recipe"], proof.levels["regenerated"]) == (3, "held", "unchecked")
    for digest in kept:
        assert digest in proof.text()
    assert "not published: without it these pictures can't be painted again" in proof.text()


@pytest.mark.slow
def test_what_is_withheld_leaves_no_trace(tmp_path, kit):
    withheld = 'withheld = ["controls", "picture_prompts", "regions", "prompt"]\n'
    collection, d = grown(tmp_path, kit, withheld)
    catalog, manifest = packed(tmp_path / "studio", collection, {})
    assert {w.digest for w in manifest.weights[1:]} == {d[name] for name in ("upscaler", "init", "mask")}
    gone = [d[name] for name in ("control", "ip_adapter", "image_encoder", "picture")]
    for path in (tmp_path / "studio" / "drops" / "tiny-1" / "root").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not any(digest.encode() in data or digest in path.name for digest in gone)
            assert b"a moon" not in data


def test_prompts_of_regions_are_withheld_with_the_prompt(tmp_path, kit):
    with pytest.raises(InconsistentCollection, match='add "regions"'):
        grown(tmp_path, kit, 'withheld = ["prompt"]\n')


def test_a_picture_in_two_roles_is_what_pictures_begin_with():
    "Two tokens of a drop, one of which begins with what the other one follows."
    begun = {"init": "1" * 64}
    followed = {"controls": [{"digest": "2" * 64, "picture": "1" * 64}]}
    expected = {"1" * 64: "init", "2" * 64: "control"}
    assert named_files(begun, followed) == named_files(followed, begun) == expected
    assert named_files(followed)["1" * 64] == "picture"
    assert public_facts(followed | begun, ["controls"]) == begun


def test_gc_keeps_what_attempts_name(tmp_path, kit):
    "The files lie in the studio by their digests alone; the recipes that name them hold them."
    collection, d = grown(tmp_path, kit)
    catalog = Catalog(tmp_path / "studio")
    assert set(gc(tmp_path / "studio", days=0).blobs) == set(d.values())
    catalog.put("settings", "tiny", {"collection": collection.model_dump(mode="json", exclude_defaults=True)})
    assert gc(tmp_path / "studio", days=0).blobs == []
