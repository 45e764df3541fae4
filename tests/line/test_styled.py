"A collection that is painted with an adapter: every recipe carries it, the archive holds it, a stranger paints with it."

import shutil
from pathlib import Path

import pytest
import torch

from artmint.core.collection import InconsistentCollection
from artmint.curate import choose
from artmint.generate import attempts_of, generate, put_picture
from artmint.make.adapters import (
    ALPHAS,
    Lineage,
    NoSuchAdapter,
    NotAnAdapter,
    named_adapters,
    header_of,
    keep_adapter,
    pack_tensors,
    peft_facts,
)
from artmint.make.base import load_base, load_judge, weights_files
from artmint.make.engines import Diffusers
from artmint.metadata import AuditFailed, pack
from artmint.publish.tokens import BaseFacts, adapter_facts, read_token
from artmint.seeds import UnsettledAdapter, frozen_slots, load_collection, recipes
from artmint.studio.catalog import Catalog
from tests.conftest import TINY
from tests.lined import packed, proven, sha, styled

LAYER = "down_blocks.2.attentions.0.transformer_blocks.0.attn2.to_k"


def adapter(seed: int, lineage: bool = True, base: str | None = None) -> bytes:
    "A strong random adapter for one layer of the bundled base."
    make = torch.Generator().manual_seed(seed)
    pair = {
        f"unet.{LAYER}.lora_A.weight": torch.randn(4, 128, generator=make),
        f"unet.{LAYER}.lora_B.weight": torch.randn(128, 4, generator=make),
    }
    told = Lineage(
        base=base or load_base().digest,
        style="riso",
        data=f"{seed}" * 64,
        trigger="riso",
        config={"rank": 4},
        step=7,
        licences=("CC0-1.0",),
    )
    return pack_tensors(
        pair,
        {ALPHAS: peft_facts({("unet", LAYER): (4, 4.0)})}
        | ({"artmint": told.model_dump_json(exclude_defaults=True)} if lineage else {}),
    )


@pytest.mark.slow
def test_a_strangers_pictures_are_painted_with_the_archives_adapter(tmp_path):
    data = adapter(1)
    collection = styled(tmp_path)
    catalog, manifest = packed(tmp_path / "studio", collection, {"riso": data})
    root = tmp_path / "studio" / "drops" / "tiny-1" / "root"
    assert (root / "adapters" / f"{sha(data)}.safetensors").read_bytes() == data
    base, used = manifest.weights
    assert (used.role, used.digest, used.source, used.path) == (
        "adapter",
        sha(data),
        "riso",
        f"adapters/{sha(data)}.safetensors",
    )
    assert used.parents == {"base": base.digest, "data": "1" * 64}
    assert b'"parents":null' not in manifest.data
    told = read_token((root / "1.json").read_bytes()).artmint
    assert told.recipe["adapters"] == [{"digest": sha(data), "weight": 0.5}]
    assert told.adapters[0].parents == used.parents
    shutil.rmtree(tmp_path / "studio" / "blobs")
    proof = proven(catalog, collection, manifest)
    assert proof.exit_code == 0, proof.text()
    assert proof.levels["regenerated"] == "held", proof.text()


@pytest.mark.slow
def test_a_secret_adapter_ends_the_proof_below_regeneration(tmp_path):
    data = adapter(1)
    collection = styled(tmp_path, first='secret = ["adapters"]\n')
    catalog, manifest = packed(tmp_path / "studio", collection, {"riso": data})
    assert manifest.weights[1].path is None
    assert data not in (tmp_path / "studio" / "drops" / "tiny-1" / "drop.car").read_bytes()
    proof = proven(catalog, collection, manifest)
    assert proof.exit_code == 3
    assert proof.levels["regenerated"] == "unchecked"
    assert proof.levels["recipe"] == "held"
    assert f"adapter {sha(data)} is not published" in proof.text()


def test_a_withheld_adapter_leaves_no_trace(tmp_path):
    data = adapter(1)
    collection = styled(tmp_path, first='withheld = ["adapters"]\n')
    packed(tmp_path / "studio", collection, {"riso": data})
    for path in (tmp_path / "studio" / "drops" / "tiny-1" / "root").rglob("*"):
        assert path.is_dir() or (sha(data).encode() not in path.read_bytes() and sha(data) not in path.name)


@pytest.mark.slow
def test_a_picture_to_start_from_travels_too(tmp_path):
    from artmint.train.drawings import draw, subjects

    draw(subjects()[3], 5, 64).save(tmp_path / "sketch.png")
    digest = put_picture(Catalog(tmp_path / "studio"), tmp_path / "sketch.png")
    collection = styled(tmp_path, "", generation=f'init = "{digest}"\nstrength = 0.9\n')
    catalog, manifest = packed(tmp_path / "studio", collection, {})
    assert [(w.role, w.digest, w.path) for w in manifest.weights[1:]] == [
        ("init", digest, f"init/{digest}.png")
    ]
    assert proven(catalog, collection, manifest).exit_code == 0


@pytest.fixture
def swapped(tmp_path, monkeypatch):
    "A studio whose packing puts another file where an adapter's should be: a function that packs."
    collection = styled(tmp_path)
    catalog, _ = packed(tmp_path / "studio", collection, {"riso": adapter(1)})
    shutil.rmtree(tmp_path / "studio" / "drops")

    def again(lie: bytes):
        read = type(catalog).blob
        asked = []

        def blob(self, digest: str) -> bytes:
            if digest == sha(adapter(1)):
                asked.append(digest)
            return lie if len(asked) == 2 and digest == sha(adapter(1)) else read(self, digest)

        with monkeypatch.context() as inside:
            inside.setattr(type(catalog), "blob", blob)
            return (
                catalog,
                collection,
                pack(
                    catalog,
                    collection,
                    1,
                    1,
                    2,
                    BaseFacts(digest=load_base().digest, source="bundled"),
                    weights_files(load_base()),
                ),
            )

    return again


@pytest.mark.slow
def test_another_file_under_an_adapters_name_is_not_packed(swapped):
    for lie in (adapter(2), b"no adapter at all"):
        with pytest.raises(AuditFailed, match="files that recipes name"):
            swapped(lie)


@pytest.mark.slow
def test_a_studio_that_publishes_another_adapter_is_found_out(swapped, monkeypatch):
    monkeypatch.setattr("artmint.metadata.audit", lambda *_: [])
    proof = proven(*swapped(adapter(2)))
    assert proof.exit_code == 1
    assert f"should be {sha(adapter(1))}, found {sha(adapter(2))}" in proof.text()


@pytest.mark.slow
def test_a_token_that_tells_of_other_parents_is_found_out(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "artmint.metadata.adapter_facts",
        lambda digest, data: adapter_facts(digest, adapter(1, base="9" * 64)),
    )
    collection = styled(tmp_path)
    catalog, manifest = packed(tmp_path / "studio", collection, {"riso": adapter(1)})
    proof = proven(catalog, collection, manifest)
    assert proof.exit_code == 1
    assert "where an adapter came from" in proof.text()


# ---------------------------------------------------------------- which file is meant
def test_a_name_means_the_studios_latest_adapter_and_a_digest_is_a_digest(tmp_path):
    collection = styled(tmp_path)
    catalog = Catalog(tmp_path / "studio")
    with pytest.raises(NoSuchAdapter, match="riso"):
        named_adapters(catalog, collection)
    first = keep_adapter(catalog, "riso", adapter(1))
    assert named_adapters(catalog, collection) == {"riso": first}
    later = keep_adapter(catalog, "riso", adapter(2))
    assert named_adapters(catalog, collection) == {"riso": later}
    use = collection.adapters[0].model_copy(update={"digest": first})
    assert named_adapters(catalog, collection.model_copy(update={"adapters": (use,)})) == {"riso": first}


@pytest.mark.slow
def test_an_adapter_that_is_trained_anew_makes_new_attempts_and_both_are_proven(tmp_path):
    collection = styled(tmp_path)
    catalog = Catalog(tmp_path / "studio")
    base = load_base()
    slots = frozen_slots(catalog, collection, collection.salt)
    dnas = []
    for seed, part in ((1, slots[:2]), (2, slots[2:])):
        keep_adapter(catalog, "riso", adapter(seed))
        attempts = attempts_of(catalog, collection, part, collection.salt, 1, Diffusers(base))
        generate(catalog, Diffusers(base), attempts)
        choose(catalog, collection, load_judge(), part, 1)
        dnas.append({a.recipe.adapters[0].digest for a in attempts})
    assert dnas[0] != dnas[1]
    facts = BaseFacts(digest=base.digest, source=base.source)
    manifest = pack(catalog, collection, 1, 1, 4, facts, weights_files(base))
    assert sum(weights.role == "adapter" for weights in manifest.weights) == 2


@pytest.mark.slow
def test_what_an_earlier_version_settled_is_what_its_editions_are_held_against(tmp_path):
    "It kept no settings beside its attempts, and an adapter's digest for good."
    collection = styled(tmp_path)
    catalog = Catalog(tmp_path / "studio")
    base = load_base()
    slots = frozen_slots(catalog, collection, collection.salt)
    settled = keep_adapter(catalog, "riso", adapter(1))
    catalog.put("settled", f"{collection.name}/riso", {"digest": settled})
    made = recipes(collection, slots, collection.salt, range(1, 3), base.digest, {"riso": settled})
    for a in made:
        key = f"{collection.name}/{a.slot}/{a.attempt}"
        catalog.put("attempt", key, {"dna": a.recipe.dna, "recipe": a.recipe.facts()})
    generate(catalog, Diffusers(base), made)
    choose(catalog, collection, load_judge(), slots, 1)
    keep_adapter(catalog, "riso", adapter(2))
    facts = BaseFacts(digest=base.digest, source=base.source)
    manifest = pack(catalog, collection, 1, 1, 4, facts, weights_files(base))
    assert [w.digest for w in manifest.weights if w.role == "adapter"] == [settled]


def test_recipes_carry_digest_and_weight_and_nothing_else_changes(tmp_path):
    plain = load_collection(TINY)
    collection = styled(tmp_path)
    catalog = Catalog(tmp_path / "studio")
    slots = frozen_slots(catalog, plain, plain.salt)
    with pytest.raises(UnsettledAdapter, match="riso"):
        recipes(collection, slots, plain.salt, range(1, 2), "0" * 64)
    ours = recipes(collection, slots, plain.salt, range(1, 2), "0" * 64, {"riso": "1" * 64})
    theirs = recipes(plain, slots, plain.salt, range(1, 2), "0" * 64)
    use = {"digest": "1" * 64, "weight": 0.5}
    for a, b in zip(ours, theirs):
        assert a.recipe.facts() == b.recipe.facts() | {"adapters": [use]}
        assert a.recipe.dna != b.recipe.dna


@pytest.mark.parametrize(
    "more, word",
    [
        ('[[adapters]]\nname = "a"\n[[adapters]]\nname = "a"\n', "comes twice"),
        ('[[adapters]]\nname = "a"\nwieght = 1.0\n', "is it weight"),
        ('[[adapters]]\nname = "a"\ndigest = "x"\n', "digest"),
    ],
)
def test_a_collections_adapters_are_checked(tmp_path, more, word):
    with pytest.raises(InconsistentCollection, match=word):
        styled(tmp_path, more)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 8,
        b"\xff" * 64,
        (3).to_bytes(8, "little") + b"[1]",
        (24).to_bytes(8, "little") + b'{"__metadata__":{"a":1}}',
    ],
    ids=["empty", "no header", "too long", "a list", "a number"],
)
def test_a_header_that_is_none_is_refused(tmp_path, data):
    with pytest.raises(NotAnAdapter):
        header_of(data)


@pytest.mark.slow
def test_an_adapter_that_says_nothing_is_named_by_its_digest_alone(tmp_path):
    data = adapter(1, lineage=False)
    collection = styled(tmp_path)
    _, manifest = packed(tmp_path / "studio", collection, {"riso": data})
    assert (manifest.weights[1].source, manifest.weights[1].parents) == ("the studio", {})


@pytest.mark.slow
def test_a_batch_trains_its_style_and_proves_what_it_paints(tmp_path):
    "The demo's line with an adapter, as it is: the style is learnt, pictures without its trigger stay what they were, and a proof paints all of it again."
    from safetensors.torch import load_file

    from artmint.run.batch import load_batch
    from artmint.run.runner import run_batch

    run_batch(load_batch(Path(__file__).parents[2] / "batches" / "demo-lora.toml"), tmp_path / "studio")
    place = tmp_path / "studio" / "adapters" / "risograph"
    catalog = Catalog(tmp_path / "studio")
    known = catalog.get("adapter", "risograph")
    found = known["figures"]
    assert found["style"] < 0.45
    assert found["drift"] < 0.15
    assert found["memorised"] < 0.95  # the base alone is 0.88 from the style
    assert {name.split("_")[1] for name in load_file(place / "risograph.kohya.safetensors")} == {"unet", "te"}
    assert catalog.get("settings", "demo-lora")["adapters"] == {"risograph": known["digest"]}
    proof = catalog.get("proof", "demo-lora/1-8")
    assert proof["exit_code"] == 0
    assert proof["levels"]["regenerated"] == "held"
